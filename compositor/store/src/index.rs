//! The index: what can be known faster than by looking, and nothing that cannot be known by looking.
//!
//! It answers two questions: is this chunk known to be durable (so that a save may refer to it without writing it again),
//! and how long was this group's journal when it was last read whole. Losing it costs a rescan.

use std::collections::BTreeMap;

mod shielded;

pub use shielded::SledIndex;

/// Largest value that may go in. Small by far: sled writes larger ones (from ~128 KiB) to files that it never syncs.
pub const MAX_VALUE: usize = 4096;

/// Which of the index's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Group and chunk id → sealed length: this chunk is durable.
    Chunks,
    /// Group → length of its journal, up to which every chunk is in [`Table::Chunks`].
    Heads,
}

/// Why the index cannot be used any more. The store throws it away then.
#[derive(Debug, thiserror::Error)]
#[error("the index failed ({0}); it is built anew, nothing is lost")]
pub struct IndexError(pub String);

/// A small ordered map on disk. Nothing in it needs to be durable, but what is written last must never be seen without
/// what was written before it once [`flush`](Index::flush) has returned between the two.
pub trait Index: Send {
    /// The value of a key.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;

    /// Sets a value of at most [`MAX_VALUE`] bytes.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), IndexError>;

    /// Removes a key.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), IndexError>;

    /// Removes every key that starts so.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn remove_prefix(&mut self, table: Table, prefix: &[u8]) -> Result<(), IndexError>;

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The index is of no use any more.
    fn flush(&mut self) -> Result<(), IndexError>;
}

/// An index in memory: for tests, and what the store falls back to when the one on disk cannot even be built anew.
#[derive(Debug, Default)]
pub struct MemIndex(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Index for MemIndex {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        check_size(value)?;
        self.0.insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), IndexError> {
        self.0.remove(&(table, key.to_vec()));
        Ok(())
    }

    fn remove_prefix(&mut self, table: Table, prefix: &[u8]) -> Result<(), IndexError> {
        self.0
            .retain(|(t, k), _| *t != table || !k.starts_with(prefix));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        Ok(())
    }
}

fn check_size(value: &[u8]) -> Result<(), IndexError> {
    if value.len() > MAX_VALUE {
        return Err(IndexError(format!(
            "a value of {} bytes, at most {MAX_VALUE} are allowed",
            value.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every implementation goes through the same test.
    fn behaves(index: &mut dyn Index) {
        assert_eq!(index.get(Table::Chunks, b"a").unwrap(), None);
        index.put(Table::Chunks, b"a1", b"x").unwrap();
        index.put(Table::Chunks, b"a2", b"y").unwrap();
        index.put(Table::Chunks, b"b", b"z").unwrap();
        index.put(Table::Heads, b"a1", b"other table").unwrap();
        assert_eq!(
            index.get(Table::Chunks, b"a1").unwrap().as_deref(),
            Some(b"x".as_slice())
        );
        index.remove(Table::Chunks, b"a1").unwrap();
        assert_eq!(index.get(Table::Chunks, b"a1").unwrap(), None);
        index.remove_prefix(Table::Chunks, b"a").unwrap();
        assert_eq!(index.get(Table::Chunks, b"a2").unwrap(), None);
        assert_eq!(
            index.get(Table::Chunks, b"b").unwrap().as_deref(),
            Some(b"z".as_slice())
        );
        assert_eq!(
            index.get(Table::Heads, b"a1").unwrap().as_deref(),
            Some(b"other table".as_slice())
        );
        assert!(
            index
                .put(Table::Heads, b"big", &[0; MAX_VALUE + 1])
                .is_err()
        );
        index.put(Table::Heads, b"big", &[7; MAX_VALUE]).unwrap();
        index.flush().unwrap();
        assert_eq!(
            index.get(Table::Heads, b"big").unwrap(),
            Some(vec![7; MAX_VALUE])
        );
    }

    #[test]
    fn both_indexes_behave_alike() {
        behaves(&mut MemIndex::default());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        behaves(&mut SledIndex::open(&path).unwrap().index);
        let reopened = SledIndex::open(&path).unwrap();
        assert!(reopened.rebuilt.is_none());
        assert_eq!(
            reopened.index.get(Table::Chunks, b"b").unwrap().as_deref(),
            Some(b"z".as_slice())
        );
    }
}
