//! The index as the store uses it: it may fail at any time, and then the store goes on without it.
//!
//! What is asked is kept in memory (the heads from the start, a group's chunks with the group), what is to be entered
//! is collected: a save talks to the index once in some hundred times. What is not entered when the process is killed is read
//! from the journals at the next opening.

use std::collections::{BTreeMap, HashMap};

use overwinter_proto::{GroupId, transfer::ChunkId};

use crate::index::{Change, Index, IndexError, MemIndex, PAGE, Pair, Table};

/// So many changes are collected: some 50 KiB.
const COLLECTED: usize = 512;

/// An index that is lost this often is not built anew on disk before the store is next opened.
const LIVES: u32 = 3;

/// An index that never says no.
pub(crate) struct Hints {
    index: Box<dyn Index>,
    heads: BTreeMap<GroupId, u64>,
    pending: Vec<Change>,
    lost: u32,
}

fn chunk_key(group: GroupId, id: ChunkId) -> Vec<u8> {
    [group.0.to_be_bytes().as_slice(), &id.0].concat()
}

fn number(value: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(value.try_into().ok()?))
}

impl Hints {
    pub(crate) fn new(index: Box<dyn Index>) -> Hints {
        let mut hints = Hints {
            index,
            heads: BTreeMap::new(),
            pending: Vec::new(),
            lost: 0,
        };
        let heads = hints.scan(Table::Heads, &[]);
        let head = |(key, value): Pair| {
            let group = u128::from_be_bytes(key.try_into().ok()?);
            Some((GroupId(group), number(&value)?))
        };
        hints.heads = heads.into_iter().flatten().filter_map(head).collect();
        hints
    }

    /// All entries whose key starts so; none when the index is lost.
    fn scan(&mut self, table: Table, prefix: &[u8]) -> Option<Vec<Pair>> {
        self.send();
        let mut all: Vec<Pair> = Vec::new();
        loop {
            let after = all.last().map(|(key, _)| key.clone());
            match self.index.scan(table, prefix, after.as_deref()) {
                // In order, each once: an index that answers in circles would never come to an end.
                Ok(page)
                    if page.iter().map(|(key, _)| Some(key)).is_sorted()
                        && (page.is_empty()
                            || page.first().map(|(key, _)| key) > after.as_ref()) =>
                {
                    let whole = page.len() < PAGE;
                    all.extend(page);
                    if whole {
                        return Some(all);
                    }
                }
                Ok(_) => {
                    self.lose(&IndexError("its entries are not in order".to_owned()));
                    return None;
                }
                Err(e) => {
                    self.lose(&e);
                    return None;
                }
            }
        }
    }

    fn lose(&mut self, e: &IndexError) {
        tracing::warn!("{e}");
        self.heads.clear();
        self.pending.clear();
        self.lost += 1;
        // Also when it will not be used: what it says must not be believed by the next to open it.
        match self.index.start_over() {
            Ok(()) if self.lost < LIVES => return,
            Ok(()) => {}
            Err(e) => tracing::warn!("the index is kept in memory for now: {}", e.0),
        }
        self.index = Box::new(MemIndex::default());
    }

    fn change(&mut self, change: Change) {
        self.pending.push(change);
        if self.pending.len() >= COLLECTED {
            self.send();
        }
    }

    fn send(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty()
            && let Err(e) = self.index.apply(&pending)
        {
            self.lose(&e);
        }
    }

    /// A group's chunks that are known to be durable, with their sealed lengths; none when the index was lost.
    pub(crate) fn chunks(&mut self, group: GroupId) -> Option<HashMap<ChunkId, u64>> {
        let pairs = self.scan(Table::Chunks, &group.0.to_be_bytes())?;
        let chunk = |(key, value): Pair| {
            let id = key.get(16..)?.try_into().ok()?;
            Some((ChunkId(id), number(&value)?))
        };
        Some(pairs.into_iter().filter_map(chunk).collect())
    }

    /// Only for chunks that a power cut cannot undo.
    pub(crate) fn add_chunk(&mut self, group: GroupId, id: ChunkId, sealed: u64) {
        self.change(Change::Put {
            table: Table::Chunks,
            key: chunk_key(group, id),
            value: sealed.to_le_bytes().to_vec(),
        });
    }

    /// To be called, and flushed, before the chunks themselves are removed.
    pub(crate) fn remove_chunk(&mut self, group: GroupId, id: ChunkId) {
        self.change(Change::Remove {
            table: Table::Chunks,
            key: chunk_key(group, id),
        });
    }

    /// Length of the journal when it was last read whole, with all its chunks entered.
    pub(crate) fn head(&self, group: GroupId) -> Option<u64> {
        self.heads.get(&group).copied()
    }

    /// The groups that the index says something of.
    pub(crate) fn groups(&self) -> Vec<GroupId> {
        self.heads.keys().copied().collect()
    }

    /// The journal has this length, and all its chunks are entered.
    pub(crate) fn set_head(&mut self, group: GroupId, offset: u64) {
        self.heads.insert(group, offset);
        self.change(Change::Put {
            table: Table::Heads,
            key: group.0.to_be_bytes().to_vec(),
            value: offset.to_le_bytes().to_vec(),
        });
    }

    /// The journal grew, and the chunks that it refers to now are entered. Says nothing when the index did not vouch for the
    /// former length: it may lack others.
    pub(crate) fn advance(&mut self, group: GroupId, from: u64, to: u64) {
        if self.head(group) == Some(from) {
            self.set_head(group, to);
        }
    }

    pub(crate) fn forget(&mut self, group: GroupId) {
        self.heads.remove(&group);
        let key = group.0.to_be_bytes().to_vec();
        self.change(Change::Remove {
            table: Table::Heads,
            key: key.clone(),
        });
        self.change(Change::RemovePrefix {
            table: Table::Chunks,
            prefix: key,
        });
        self.flush();
    }

    /// When this returns the system has everything, or the index is empty.
    pub(crate) fn flush(&mut self) {
        self.send();
        if let Err(e) = self.index.flush() {
            self.lose(&e);
        }
    }
}
