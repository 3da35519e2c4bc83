//! What is let go: old generations, chunks that nothing needs, whole groups.

use std::{collections::BTreeSet, path::Path};

use overwinter_proto::{BlobHash, Generation, GroupId, Lease, TxId, transfer::ChunkId};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, StoreError},
    group::{Body, GroupState},
    journal::{MAX_SMALL, bare_damage},
    store::Store,
    trash::Empty,
};

/// What is remembered of a forgotten group, for ever: enough to refuse an older copy of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Highest lease it had here; its epoch is the highest known.
    pub lease: Lease,
    /// Its last move.
    pub tx: Option<TxId>,
    /// BLAKE3 of the key file that forgetting removes. A key file that came later is another's.
    #[serde(with = "serde_bytes")]
    key_file: Vec<u8>,
}

/// What a sweep lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Generations dropped.
    pub generations: usize,
    /// Chunks moved to the trash.
    pub chunks: usize,
    /// Bytes they take.
    pub bytes: u64,
}

/// Whether the forgetting that this tombstone remembers removes this key file.
pub(crate) fn removes(tombstone: &[u8], key_file: &[u8]) -> bool {
    overwinter_proto::decode::<Tombstone>(tombstone)
        .is_ok_and(|t| blake3::hash(key_file).as_bytes().as_slice() == t.key_file)
}

impl Store {
    /// Drops every generation that is not in `keep`, and every chunk that none of the others needs. The newest
    /// generation, the proven one and those of undecided moves are kept whether named or not.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a list of chunks cannot be read: then nothing is removed. Or the disk failed.
    pub fn retain(&mut self, group: GroupId, keep: &[Generation]) -> Result<Swept> {
        self.retain_with(group, keep, &BTreeSet::new())
    }

    /// As [`retain`](Store::retain), but of the blobs that no generation needs those in `waiting` are kept: a save that names
    /// them is on its way.
    ///
    /// # Errors
    /// As [`retain`](Store::retain).
    pub fn retain_with(
        &mut self,
        group: GroupId,
        keep: &[Generation],
        waiting: &BTreeSet<BlobHash>,
    ) -> Result<Swept> {
        self.with_whole(group, |store, state| {
            let drop: Vec<Generation> = state
                .generations
                .keys()
                .copied()
                .filter(|g| !keep.contains(g) && !state.is_pinned(*g))
                .collect();
            let generations = drop.len();
            if !drop.is_empty() {
                store.index_group(group, state)?;
                let from = state.mark.offset;
                store.append(group, state, Body::Dropped(drop))?;
                store.hints.advance(group, from, state.mark.offset);
            }
            let swept = store.sweep(group, state, waiting)?;
            // What was asked for is done; tidying up can wait for the next time.
            let tidied = store
                .compact_if_long(group, state)
                .and_then(|()| store.empty_trash(Empty::Due, Some((group, state))));
            if let Err(e) = tidied {
                tracing::warn!("tidying up the store is put off: {e}");
            }
            Ok(Swept {
                generations,
                ..swept
            })
        })
    }

    /// Every chunk that a generation, an undecided move, a move under way or a save to come needs.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a list of chunks cannot be read.
    pub(crate) fn needed(
        &self,
        group: GroupId,
        state: &mut GroupState,
    ) -> Result<BTreeSet<ChunkId>> {
        let given = state
            .blobs
            .iter()
            .flatten()
            .map(|(hash, _)| *hash)
            .collect();
        self.needed_with(group, state, &given)
    }

    fn needed_with(
        &self,
        group: GroupId,
        state: &mut GroupState,
        waiting: &BTreeSet<BlobHash>,
    ) -> Result<BTreeSet<ChunkId>> {
        let mut needed: BTreeSet<ChunkId> = state.incoming.iter().copied().collect();
        needed.extend(self.blobs_that_stay(group, state, waiting));
        for info in state.roots() {
            match self.closure_of(group, state, info) {
                Ok(ids) => needed.extend(ids),
                Err(what) => {
                    let what = format!("in generation {} {what}", info.generation);
                    return Err(self.damaged(group, state, what));
                }
            }
        }
        Ok(needed)
    }

    /// Moves to the trash the chunks that neither a generation nor a move under way needs.
    pub(crate) fn sweep(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        waiting: &BTreeSet<BlobHash>,
    ) -> Result<Swept> {
        let needed = self.needed_with(group, state, waiting)?;
        let loose = self.loose_chunks(group, &needed)?;
        for (id, _) in &loose {
            self.hints.remove_chunk(group, *id);
            state.verified.remove(id);
            state.durable.remove(id);
        }
        // The index must not vouch for a chunk that is gone, also when this process is killed right here.
        if !loose.is_empty() {
            self.hints.flush();
        }
        let mut swept = Swept::default();
        for (id, len) in loose {
            self.throw_out(group, id, len)?;
            swept.chunks += 1;
            swept.bytes += len;
        }
        Ok(swept)
    }

    fn loose_chunks(
        &self,
        group: GroupId,
        needed: &BTreeSet<ChunkId>,
    ) -> Result<Vec<(ChunkId, u64)>> {
        let mut loose = Vec::new();
        let list = |dir: &Path| match self.disk.vfs.list(dir) {
            Ok(entries) => Ok(entries),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(self.disk.fail("list", dir, 0, e)),
        };
        for shelf in list(&self.disk.objects(group))? {
            let mut first = [0];
            if hex::decode_to_slice(&shelf.name, &mut first).is_err() {
                continue;
            }
            let dir = self.disk.shelf(group, first[0]);
            let entries = list(&dir)?;
            for entry in entries {
                let mut id = [0; 32];
                // Names that are no chunk's are none of ours.
                if hex::decode_to_slice(&entry.name, &mut id).is_ok()
                    && id[0] == first[0]
                    && !needed.contains(&ChunkId(id))
                {
                    let len = self.disk.len(&dir.join(&entry.name))?.unwrap_or_default();
                    loose.push((ChunkId(id), len));
                }
            }
        }
        Ok(loose)
    }

    /// Forgets a group: its key goes, and with it every way to read its data. A tombstone stays. Forgetting a group that
    /// is damaged works; forgetting one that was forgotten does nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownGroup`], or the disk failed: then the group is forgotten or not, and can be forgotten again.
    pub fn forget(&mut self, group: GroupId) -> Result<()> {
        let key = self.disk.read_maybe(&self.disk.key(group), MAX_SMALL)?;
        let former = self.tombstone(group).unwrap_or_default();
        if key.is_none() && self.disk.len(&self.disk.journal(group))?.is_none() {
            return if former.is_some() {
                Ok(())
            } else {
                Err(StoreError::UnknownGroup(group))
            };
        }
        let known = self
            .with(group, |_, state| Ok((state.lease, state.tx)))
            .unwrap_or_default();
        let tombstone = Tombstone {
            lease: known.0.max(former.as_ref().map_or(Lease(0), |t| t.lease)),
            tx: known.1.or(former.and_then(|t| t.tx)),
            key_file: blake3::hash(&key.unwrap_or_default()).as_bytes().to_vec(),
        };
        let sealed = self.master.seal_tombstone(
            group,
            &overwinter_proto::encode(&tombstone),
            &self.disk.random()?,
        );
        self.disk.replace(&self.disk.tombstone(group), &sealed)?;
        self.disk.unlink(&self.disk.key(group))?;
        self.groups.remove(&group);
        self.clear_away(group);
        Ok(())
    }

    /// What is remembered of a forgotten group; also when the group has come back since.
    ///
    /// # Errors
    /// The tombstone is damaged, or the disk failed.
    pub fn tombstone(&self, group: GroupId) -> Result<Option<Tombstone>> {
        let Some(file) = self
            .disk
            .read_maybe(&self.disk.tombstone(group), MAX_SMALL)?
        else {
            return Ok(None);
        };
        let damage =
            |why: String| bare_damage(group, &format!("its tombstone cannot be read: {why}"));
        let body = self.under_master(|master| master.open_tombstone(group, &file));
        let body = body.map_err(damage)?;
        overwinter_proto::decode(&body)
            .map(Some)
            .map_err(|e| damage(e.to_string()))
    }

    /// Completes a forgetting that was cut short. Returns whether there was anything to do.
    pub(crate) fn finish_forgetting(&mut self, group: GroupId) -> Result<bool> {
        let Some(tombstone) = self.tombstone(group)? else {
            return Ok(false);
        };
        let key = self.disk.read_maybe(&self.disk.key(group), MAX_SMALL)?;
        match key {
            Some(key) if blake3::hash(&key).as_bytes().as_slice() == tombstone.key_file => {
                self.disk.unlink(&self.disk.key(group))?;
            }
            Some(_) => return Ok(false),
            None => {
                let objects = self
                    .disk
                    .vfs
                    .list(&self.disk.objects(group))
                    .is_ok_and(|e| !e.is_empty());
                if !objects && self.disk.len(&self.disk.journal(group))?.is_none() {
                    return Ok(false);
                }
            }
        }
        self.clear_away(group);
        Ok(true)
    }
}
