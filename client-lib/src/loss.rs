//! What could not be carried from one version or host to another, told instead of kept silent.

use std::fmt;

/// Everything that a restore could not carry over. Empty when nothing was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LossReport {
    losses: Vec<Loss>,
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
    /// The type is sealed and has no place for unknown fields.
    UnknownField,
    /// The field belongs to the host that wrote it.
    LocalToOtherHost,
    /// What newer versions had added could not be merged back; it stays in the origin.
    OriginUnreadable,
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
            LossReason::UnknownField => "this version has no place for it",
            LossReason::LocalToOtherHost => "it belongs to the host it was made on",
            LossReason::OriginUnreadable => {
                "what a newer version had added could not be merged back"
            }
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

    /// Most losses that are listed one by one. More than anyone reads; hostile state must not make a list without end.
    const MOST: usize = 1000;

    pub(crate) fn note(&mut self, path: impl Into<String>, reason: LossReason) {
        if self.losses.len() < Self::MOST {
            self.losses.push(Loss {
                path: path.into(),
                reason,
                kept: false,
            });
        }
    }

    pub(crate) fn mark_all_kept(&mut self) {
        self.losses.iter_mut().for_each(|loss| loss.kept = true);
    }

    pub(crate) fn append(&mut self, other: LossReport) {
        self.losses.extend(other.losses);
        self.losses.truncate(Self::MOST);
    }
}
