//! What could not be carried from one version or host to another, told instead of kept silent.

use std::fmt;

/// Everything that a restore could not carry over. Empty when nothing was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LossReport {
    losses: Vec<Loss>,
    unlisted: usize,
}

/// One thing that was not carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where it was, in the names of the version that had it: `view.zoom`.
    pub path: String,
    /// Why it could not come along.
    pub reason: LossReason,
    /// Whether it rides along in the origin, so that the newer version gets it back after this one has saved.
    pub kept: bool,
}

/// Why something was not carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossReason {
    /// This version does not know the field yet.
    NotYetKnown,
    /// This version has no such field any more.
    Removed,
    /// The value has no exact counterpart; the nearest one was taken.
    Inexact,
    /// Of a list only the first item has a place.
    OnlyFirstKept,
    /// The variant does not exist here; a stand-in was taken.
    NoSuchVariant,
    /// Another value came to stand in the same place.
    Displaced,
    /// Items of a list changed, came and went so that they cannot be told apart (they have no key); what a newer version
    /// had added to them starts over.
    Unpaired,
    /// A step's own code has no place for it.
    LeftByCode,
    /// The type is sealed and has no place for unknown fields.
    UnknownField,
    /// The field belongs to the host that wrote it.
    LocalToOtherHost,
    /// What newer versions had added could not be merged back; it stays in the origin.
    OriginUnreadable,
    /// A secret that stayed on the host where it was made, or that could not be read.
    SecretLeftBehind,
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LossReason::NotYetKnown => "this version does not know it yet",
            LossReason::Removed => "this version has it no more",
            LossReason::Inexact => "there is no exact counterpart; the nearest was taken",
            LossReason::OnlyFirstKept => "only the first item has a place",
            LossReason::NoSuchVariant => "this version has no such choice; another stands in",
            LossReason::Displaced => "another value stands in its place",
            LossReason::Unpaired => {
                "its items cannot be told apart; what a newer version had added to them starts over"
            }
            LossReason::LeftByCode => "the step between the versions has no place for it",
            LossReason::UnknownField => "this version has no place for it",
            LossReason::LocalToOtherHost => "it belongs to the host it was made on",
            LossReason::OriginUnreadable => {
                "what a newer version had added could not be merged back"
            }
            LossReason::SecretLeftBehind => "it is a secret, which was left behind",
        })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl LossReport {
    /// Whether everything was carried over.
    pub fn is_empty(&self) -> bool {
        self.losses.is_empty()
    }

    /// Each loss, in the order in which it was met.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.losses.iter()
    }

    /// How many more there were than are listed. Zero but for states that are damaged or hostile.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// Most losses that are listed one by one. More than anyone reads; hostile state must not make a list without end.
    const MOST: usize = 1000;
    /// Longest path that is listed, in bytes; hostile names may be as long as the state.
    const LONGEST_PATH: usize = 512;

    /// Whether the next one would be listed.
    pub(crate) fn takes_more(&self) -> bool {
        self.losses.len() < Self::MOST
    }

    pub(crate) fn note(&mut self, path: impl Into<String>, reason: LossReason) {
        if !self.takes_more() {
            return self.note_unlisted();
        }
        let mut path = path.into();
        if path.len() > Self::LONGEST_PATH {
            path.truncate(path.floor_char_boundary(Self::LONGEST_PATH));
            path.push('…');
        }
        self.losses.push(Loss {
            path,
            reason,
            kept: false,
        });
    }

    pub(crate) fn note_unlisted(&mut self) {
        self.unlisted = self.unlisted.saturating_add(1);
    }

    pub(crate) fn mark_all_kept(&mut self) {
        self.losses.iter_mut().for_each(|loss| loss.kept = true);
    }

    pub(crate) fn append(&mut self, other: LossReport) {
        self.unlisted = self.unlisted.saturating_add(other.unlisted);
        for loss in other.losses {
            if self.takes_more() {
                self.losses.push(loss);
            } else {
                self.note_unlisted();
            }
        }
    }
}
