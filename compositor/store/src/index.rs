//! The index: what can be known faster than by looking, and nothing that cannot be known by looking.
//!
//! It answers two questions: which of a group's chunks are known to be durable (so that a save may refer to them without
//! writing them again), and how long was a group's journal when it was last read whole. Losing it costs a rescan.
//!
//! The store asks in bulk and seldom: the heads once when it is opened, a group's chunks once when the group is first
//! touched, and what changed some hundred changes at a time. So an index may be a process of its own ([`ProcessIndex`])
//! without a save ever waiting for it.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

mod process;
mod serve;
mod shielded;
mod wire;

pub(crate) use process::program;
pub use process::{Deadlines, ProcessIndex};
pub use serve::serve;
pub use shielded::SledIndex;

/// Largest value that may go in. Small by far: sled writes larger ones (from ~128 KiB) to files that it never syncs.
pub const MAX_VALUE: usize = 4096;

/// Most entries that one [`scan`](Index::scan) answers.
pub const PAGE: usize = 4096;

/// Which of the index's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Table {
    /// Group and chunk id → sealed length: this chunk is durable.
    Chunks,
    /// Group → length of its journal, up to which every chunk is in [`Table::Chunks`].
    Heads,
}

/// Something to be entered or taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Sets a value of at most [`MAX_VALUE`] bytes.
    Put {
        /// Where.
        table: Table,
        /// Under which name.
        #[serde(with = "serde_bytes")]
        key: Vec<u8>,
        /// What.
        #[serde(with = "serde_bytes")]
        value: Vec<u8>,
    },
    /// Removes a key; a missing one is no error.
    Remove {
        /// Where.
        table: Table,
        /// Which.
        #[serde(with = "serde_bytes")]
        key: Vec<u8>,
    },
    /// Removes every key that starts so.
    RemovePrefix {
        /// Where.
        table: Table,
        /// Which.
        #[serde(with = "serde_bytes")]
        prefix: Vec<u8>,
    },
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Why the index cannot be used any more. The store throws it away then.
#[derive(Debug, thiserror::Error)]
#[error("the index failed ({0}); it is built anew, nothing is lost")]
pub struct IndexError(pub String);

impl From<io::Error> for IndexError {
    fn from(e: io::Error) -> IndexError {
        IndexError(e.to_string())
    }
}

/// A small ordered map on disk. Nothing in it needs to be durable, but what is written last must never be seen without
/// what was written before it once [`flush`](Index::flush) has returned between the two.
pub trait Index: Send {
    /// The first entries, at most [`PAGE`], whose key starts with `prefix` and is greater than `after`, in order. Fewer
    /// than that means that there are no more.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Vec<Pair>, IndexError>;

    /// Makes these changes, in order.
    ///
    /// # Errors
    /// The index is of no use any more, or a value is too large.
    fn apply(&mut self, changes: &[Change]) -> Result<(), IndexError>;

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn flush(&mut self) -> Result<(), IndexError>;

    /// Throws everything away and begins anew; also, and above all, after an error.
    ///
    /// # Errors
    /// Not even an empty one can be made.
    fn start_over(&mut self) -> Result<(), IndexError>;
}

/// An index in memory: for tests, and what the store falls back to when the one on disk cannot even be built anew.
#[derive(Debug, Default)]
pub struct MemIndex(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Index for MemIndex {
    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Vec<Pair>, IndexError> {
        let pairs = self
            .0
            .range((table, prefix.to_vec())..)
            .take_while(|((t, key), _)| *t == table && key.starts_with(prefix))
            .filter(|((_, key), _)| after.is_none_or(|after| key.as_slice() > after));
        Ok(pairs
            .take(PAGE)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), IndexError> {
        check_sizes(changes)?;
        for change in changes {
            match change.clone() {
                Change::Put { table, key, value } => {
                    self.0.insert((table, key), value);
                }
                Change::Remove { table, key } => {
                    self.0.remove(&(table, key));
                }
                Change::RemovePrefix { table, prefix } => self
                    .0
                    .retain(|(t, k), _| *t != table || !k.starts_with(&prefix)),
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        Ok(())
    }

    fn start_over(&mut self) -> Result<(), IndexError> {
        self.0.clear();
        Ok(())
    }
}

fn check_sizes(changes: &[Change]) -> Result<(), IndexError> {
    let large = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { value, .. } => Some(value.len()),
            _ => None,
        })
        .find(|len| *len > MAX_VALUE);
    match large {
        Some(len) => Err(IndexError(format!(
            "a value of {len} bytes, at most {MAX_VALUE} are allowed"
        ))),
        None => Ok(()),
    }
}

/// Removes a file or a folder with all that is in it; links are not followed. A missing one is no error.
fn remove(path: &Path) -> io::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match gone {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gets an index of no use out of the way. A new name first: half-opened, it may still hold a lock on the old files.
pub(crate) fn throw_away(dir: &Path) -> io::Result<()> {
    let aside = dir.with_extension("thrown-away");
    remove(&aside)?;
    match fs::rename(dir, &aside) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(()) => remove(&aside),
    }
}
