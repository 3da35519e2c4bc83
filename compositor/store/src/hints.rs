//! The index as the store uses it: it may fail at any time, and then the store goes on without it.

use overwinter_proto::{GroupId, transfer::ChunkId};

use crate::index::{Index, IndexError, MemIndex, Table};

/// An index that never says no.
pub(crate) struct Hints {
    index: Box<dyn Index>,
    /// Grows when the index is thrown away: what was entered before is gone.
    pub(crate) life: u64,
}

fn chunk_key(group: GroupId, id: ChunkId) -> [u8; 48] {
    let mut key = [0; 48];
    key[..16].copy_from_slice(&group.0.to_be_bytes());
    key[16..].copy_from_slice(&id.0);
    key
}

impl Hints {
    pub(crate) fn new(index: Box<dyn Index>) -> Hints {
        Hints { index, life: 0 }
    }

    fn get(&mut self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        match self.index.get(table, key) {
            Ok(value) => value,
            Err(e) => {
                self.lost(&e);
                None
            }
        }
    }

    fn set(&mut self, change: impl FnOnce(&mut dyn Index) -> Result<(), IndexError>) {
        if let Err(e) = change(self.index.as_mut()) {
            self.lost(&e);
        }
    }

    fn lost(&mut self, e: &IndexError) {
        tracing::warn!("{e}");
        self.index = Box::new(MemIndex::default());
        self.life += 1;
    }

    /// Sealed length of a chunk that is known to be durable.
    pub(crate) fn chunk(&mut self, group: GroupId, id: ChunkId) -> Option<u64> {
        let value = self.get(Table::Chunks, &chunk_key(group, id))?;
        Some(u64::from_le_bytes(value.try_into().ok()?))
    }

    /// Only for chunks that a power cut cannot undo.
    pub(crate) fn add_chunk(&mut self, group: GroupId, id: ChunkId, sealed: u64) {
        self.set(|i| i.put(Table::Chunks, &chunk_key(group, id), &sealed.to_le_bytes()));
    }

    /// To be called, and flushed, before the chunks themselves are removed.
    pub(crate) fn remove_chunk(&mut self, group: GroupId, id: ChunkId) {
        self.set(|i| i.remove(Table::Chunks, &chunk_key(group, id)));
    }

    /// Length of the journal when it was last read whole, with all its chunks entered.
    pub(crate) fn head(&mut self, group: GroupId) -> Option<u64> {
        let value = self.get(Table::Heads, &group.0.to_be_bytes())?;
        Some(u64::from_le_bytes(value.try_into().ok()?))
    }

    pub(crate) fn set_head(&mut self, group: GroupId, offset: u64) {
        self.set(|i| i.put(Table::Heads, &group.0.to_be_bytes(), &offset.to_le_bytes()));
    }

    pub(crate) fn forget(&mut self, group: GroupId) {
        let key = group.0.to_be_bytes();
        self.set(|i| {
            i.remove(Table::Heads, &key)?;
            i.remove_prefix(Table::Chunks, &key)?;
            i.flush()
        });
    }

    pub(crate) fn flush(&mut self) {
        self.set(|i| i.flush());
    }
}
