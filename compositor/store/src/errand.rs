//! Errands: what may take long, as values that do a small step at a time.
//!
//! A step reads at most one group's journal or a few megabytes of chunks, and leaves the store whole: between two steps it can be
//! used as if nothing were under way, and an errand that is dropped leaves behind nothing but what the next opening or collection
//! tidies up. A group that changes between two steps is looked at as it is then; one that went is left out.

use crate::{error::Result, store::Store};

/// So many bytes of chunks are read or written in one step: a save that comes meanwhile waits for some hundredths of a second.
pub(crate) const STEP: usize = 4 << 20;

/// The parts that a group counts for, where groups are what is counted.
pub(crate) const SHARE: u64 = 1000;

/// How far an errand has come. Only the ratio of the two means something; it never falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Parts that are done.
    pub done: u64,
    /// Parts that there are.
    pub total: u64,
}

impl Progress {
    /// Of so many groups, each counting the same, these are done, and of the next one this much of `all`.
    pub(crate) fn of_groups(groups: usize, total: usize, much: u64, all: u64) -> Progress {
        let share = SHARE.saturating_mul(much.min(all)).checked_div(all);
        Progress {
            done: groups as u64 * SHARE + share.unwrap_or_default().min(SHARE - 1),
            total: total as u64 * SHARE,
        }
    }
}

/// What a step of an errand came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// There is more to do.
    More(Progress),
    /// That was all.
    Done(T),
}

/// Something that takes long, to be done in steps.
pub trait Errand {
    /// What comes of it.
    type Outcome;

    /// Does a little. After its end, or an error, it is not to be called again.
    ///
    /// # Errors
    /// What ended it; see each.
    fn step(&mut self, store: &mut Store) -> Result<Step<Self::Outcome>>;
}

impl Store {
    /// Does all of an errand at once.
    ///
    /// # Errors
    /// Those of the errand.
    pub fn run<E: Errand>(
        &mut self,
        mut errand: E,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<E::Outcome> {
        loop {
            match errand.step(self)? {
                Step::More(far) => progress(far),
                Step::Done(outcome) => return Ok(outcome),
            }
        }
    }
}
