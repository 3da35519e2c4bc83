//! When a copy is saved, and which revision it is at.
//!
//! The revision that the session hears of grows with every change. It may only be taken back where nobody has heard of it: when
//! the state it was to number turns out to be, byte for byte, the one that was handed over before.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::{Attached, Group, Standing};
use crate::session::document::guarded;
use crate::session::messages::{Job, Outcome, SaveEnd, SaveJob};

/// A change is saved when the user has paused this long: short enough that sleep finds nothing left to do, long enough
/// that a typist's burst is one save.
const QUIET: Duration = Duration::from_millis(300);
/// A change waits no longer than this, so that with encoding and storing a crash loses at most a second.
const AT_MOST: Duration = Duration::from_millis(700);
/// A state that was not taken is handed over again after this long, then after twice as long, and so on up to the second: a disk
/// that is full stays so for a while, and nobody's next key must be what saves the last one.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));

/// What a copy knows of its own changes.
#[derive(Default)]
pub(super) struct Saving {
    revision: Cell<u64>,
    /// Newest revision that survives a power cut.
    stored: Cell<Option<u64>>,
    /// Newest revision that the session may have heard of.
    told: Cell<u64>,
    /// The revision that the worker has, or is about to have, in its encoded form.
    handed: Cell<Option<u64>>,
    /// The worker is at a save of this copy.
    busy: Cell<bool>,
    pending: Cell<Option<Pending>>,
    /// When what was not taken is handed over again, and how long was waited for it.
    again: Cell<Option<(Instant, Duration)>>,
    /// Something was changed while the copy was on trial or retired.
    touched: Cell<bool>,
}

impl Saving {
    /// A copy that comes from a stored state.
    pub fn start_at(&self, revision: u64) {
        self.revision.set(revision);
        self.told.set(revision);
        self.stored.set(Some(revision));
        self.handed.set(Some(revision));
    }

    pub fn cancel(&self) {
        self.pending.set(None);
        self.again.set(None);
    }
}

/// An autosave that is due.
#[derive(Clone, Copy)]
struct Pending {
    first: Instant,
    last: Instant,
}

impl Group {
    /// Something changed that the user would miss. Bumps the revision and has it saved within a second. Cheap enough for every
    /// keystroke.
    ///
    /// While the copy is on trial or retired nothing is saved: what it shows is not its own yet, or no more. What is changed then
    /// counts from the moment at which it is adopted.
    pub fn changed(&self) {
        match self.standing() {
            Standing::Live | Standing::Alone => {
                let saving = &self.0.saving;
                saving.revision.set(saving.revision.get() + 1);
                self.autosave();
            }
            Standing::Trial | Standing::Retired => self.0.saving.touched.set(true),
            Standing::Gone => {}
        }
    }

    /// How many changes the group has seen, those aside that came to nothing.
    pub fn revision(&self) -> u64 {
        self.0.saving.revision.get()
    }

    /// Whether the newest change survives a power cut.
    pub fn is_stored(&self) -> bool {
        self.0.saving.stored.get() == Some(self.revision())
    }

    /// The session hears of the present revision.
    pub(in crate::session) fn tell_revision(&self) -> u64 {
        let saving = &self.0.saving;
        saving.told.set(saving.told.get().max(self.revision()));
        self.revision()
    }

    /// A copy has been built or retired: what that did to its widgets is no change of the user's.
    pub(in crate::session) fn is_built(&self) {
        self.0.saving.touched.set(false);
    }

    /// Adopted: what was typed while nothing could be saved is a change now.
    pub(super) fn count_what_was_typed(&self) {
        if self.0.saving.touched.take() {
            self.changed();
        }
    }

    pub(in crate::session) fn stored(&self, revision: u64) {
        let stored = &self.0.saving.stored;
        stored.set(stored.get().max(Some(revision)));
    }

    /// Whether the worker has the newest revision's encoded state, so that nothing needs to be captured or encoded.
    pub(in crate::session) fn is_handed_over(&self) -> bool {
        self.0.saving.handed.get() == Some(self.revision())
    }

    pub(in crate::session) fn save_finished(&self, revision: u64, end: SaveEnd) {
        let saving = &self.0.saving;
        saving.busy.set(false);
        match end {
            SaveEnd::Sent => saving.again.set(None),
            SaveEnd::Failed => saving.handed.set(None),
            SaveEnd::NotTaken => {
                saving.handed.set(None);
                self.hand_over_again();
            }
            SaveEnd::SameAs(former) => {
                saving.again.set(None);
                if self.revision() == revision && saving.told.get() < revision {
                    saving.revision.set(former);
                    saving.handed.set(Some(former));
                } else {
                    // It was heard of meanwhile, so it has to be told.
                    saving.handed.set(None);
                    self.autosave();
                }
            }
        }
    }

    /// Takes the state and hands it to the worker. Only a live copy is asked.
    pub(in crate::session) fn save(&self, op: u64, deadline: Option<Duration>) {
        let (Some(session), Some(document)) = (self.0.session.upgrade(), self.document()) else {
            return;
        };
        let Some(Attached {
            group,
            lease: Some(lease),
            ..
        }) = self.attached()
        else {
            return;
        };
        let saving = &self.0.saving;
        saving.pending.set(None);
        let revision = self.revision();
        if self.is_handed_over() {
            session.worker.send(Job::SaveAgain {
                key: self.key(),
                op,
                group,
                lease,
                revision,
                title: document.title(),
            });
            return;
        }
        let captured = guarded("saying its state", || {
            Ok((document.title(), document.capture()?))
        });
        let (title, captured) = match captured {
            Ok(captured) => captured,
            Err(why) => {
                tracing::warn!("a document cannot be saved, and stays as it is: {why}");
                if op != 0 {
                    session.worker.send(Job::Say {
                        op,
                        outcome: Outcome::Failed { group, why },
                        then_quit: false,
                    });
                }
                return;
            }
        };
        let heard_of = saving.told.get() >= revision && revision != 0;
        saving.busy.set(true);
        saving.handed.set(Some(revision));
        session.worker.send(Job::Save(SaveJob {
            key: self.key(),
            op,
            group,
            lease,
            revision,
            heard_of,
            title,
            captured,
            origin: self.0.origin.borrow().clone(),
            asked: Instant::now(),
            deadline,
        }));
    }

    /// Has the newest revision saved soon.
    pub(in crate::session) fn autosave(&self) {
        if self.standing() != Standing::Live {
            return;
        }
        let now = Instant::now();
        let pending = &self.0.saving.pending;
        match pending.get() {
            Some(former) => pending.set(Some(Pending {
                last: now,
                ..former
            })),
            None => {
                pending.set(Some(Pending {
                    first: now,
                    last: now,
                }));
                self.wait(QUIET);
            }
        }
    }

    fn hand_over_again(&self) {
        if self.standing() != Standing::Live {
            return;
        }
        let again = &self.0.saving.again;
        let after = match again.get() {
            Some((_, waited)) => (2 * waited).min(AGAIN.1),
            None => AGAIN.0,
        };
        again.set(Some((Instant::now() + after, after)));
        self.wait(after);
    }

    /// Saves at once what waits for a pause.
    pub(in crate::session) fn save_what_waits(&self) {
        if self.0.saving.pending.get().is_some() {
            self.save(0, None);
        }
    }

    fn wait(&self, after: Duration) {
        if let Some(session) = self.0.session.upgrade() {
            session.worker.send(Job::Timer {
                key: self.key(),
                at: Instant::now() + after,
            });
        }
    }

    /// The timer has run out: save, unless the user goes on typing and may.
    pub(in crate::session) fn autosave_due(&self) {
        let now = Instant::now();
        let Some(pending) = self.0.saving.pending.get() else {
            let again = self.0.saving.again.get();
            if again.is_some_and(|(at, _)| at <= now) && !self.is_handed_over() {
                self.save(0, None);
            }
            return;
        };
        let wanted = (pending.last + QUIET).min(pending.first + AT_MOST);
        if now < wanted {
            self.wait(wanted - now);
        } else if self.0.saving.busy.get() {
            // The worker is still at the former one: a second would only queue behind it.
            self.wait(QUIET);
        } else {
            self.save(0, None);
        }
    }
}
