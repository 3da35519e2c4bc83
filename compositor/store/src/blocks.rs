//! Bytes in and out of chunks: the dedup, the durable order, the verification.

use std::collections::BTreeSet;

use overwinter_proto::{GroupId, transfer::ChunkId};

use crate::{
    chunk,
    collect::Room,
    disk::on_disk,
    error::Result,
    group::{GroupState, Info, Part},
    store::Store,
    together,
};

/// Up to this many chunks are named in the journal itself; a longer list is stored like a snapshot's bytes. Keeps records
/// small (an autosave per second for a day still is only some ten megabytes of journal).
const MAX_INLINE: usize = 32;

/// Left free for the journals: a save is refused before it takes the last bytes, so that a move can still be aborted and a
/// group forgotten on a full disk.
pub(crate) const RESERVE: u64 = 1 << 20;

/// So many chunks are sealed, and then written, at the same time: enough for all cores and for the disk, little enough for memory.
const TOGETHER: usize = 32;

/// Chunks that one save has written and not yet referred to.
#[derive(Default)]
pub(crate) struct Batch {
    /// Synced temporary files that are not yet in place: the file, its chunk, sealed length.
    temps: Vec<(std::path::PathBuf, ChunkId, u64)>,
    /// Chunks in place: id, sealed length, whether something was there before.
    placed: Vec<(ChunkId, u64, bool)>,
    taken: u64,
    /// What may be written, as of when the batch began.
    room: Option<Room>,
}

impl Store {
    /// Cuts bytes into chunks and writes those that are not durable yet. They count when the batch is in
    /// [`place`](Store::place); nothing refers to them when this returns.
    pub(crate) fn write_part(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        bytes: &[u8],
        batch: &mut Batch,
    ) -> Result<Part> {
        let chunks = self.write_chunks(group, state, bytes, batch)?;
        self.list_part(group, state, bytes.len() as u64, chunks, batch)
    }

    /// The part that these chunks are: with a list of its own when they are many.
    pub(crate) fn list_part(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        len: u64,
        mut chunks: Vec<(ChunkId, u32)>,
        batch: &mut Batch,
    ) -> Result<Part> {
        let listed = chunks.len() > MAX_INLINE;
        if listed {
            let list = overwinter_proto::encode(&chunks);
            chunks = self.write_chunks(group, state, &list, batch)?;
        }
        Ok(Part {
            len,
            listed,
            chunks,
        })
    }

    pub(crate) fn write_chunks(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        bytes: &[u8],
        batch: &mut Batch,
    ) -> Result<Vec<(ChunkId, u32)>> {
        self.index_group(group, state)?;
        let room = match batch.room {
            Some(room) => room,
            None => *batch
                .room
                .insert(self.room(group, state, bytes.len() as u64)?),
        };
        let mut chunks = Vec::new();
        let mut written: BTreeSet<ChunkId> = batch.temps.iter().map(|(_, id, _)| *id).collect();
        for cuts in chunk::cut(&state.keys, bytes).chunks(TOGETHER) {
            let plain: Vec<&[u8]> = cuts.iter().map(|range| &bytes[range.clone()]).collect();
            let ids = together::map(&plain, together::cores(), |p| chunk::id(&state.keys, p));
            let mut new = Vec::new();
            for (id, plain) in ids.into_iter().zip(plain) {
                chunks.push((id, plain.len() as u32));
                if written.insert(id) && !self.is_durable(group, state, id)? {
                    new.push((id, self.disk.random()?, plain));
                }
            }
            let sealed = together::map(&new, together::cores(), |(id, nonce, plain)| {
                chunk::seal(&state.keys, *id, nonce, plain)
            });
            let takes: u64 = sealed.iter().map(|s| on_disk(s.len() as u64)).sum();
            if !room.fits(batch.taken + takes) {
                let rest = bytes.len() - cuts.first().map_or(0, |range| range.start);
                return Err(room.refusal(batch.taken + rest as u64));
            }
            let temps = self.disk.temps(&sealed)?;
            batch.taken += takes;
            let files = temps.into_iter().zip(&new).zip(&sealed);
            batch
                .temps
                .extend(files.map(|((temp, (id, ..)), sealed)| (temp, *id, sealed.len() as u64)));
        }
        Ok(chunks)
    }

    /// Whether a save may refer to this chunk without writing it: durable for sure, there, and what its name says.
    /// A chunk that is there but not known to be synced does not count: it is written anew.
    pub(crate) fn is_durable(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        id: ChunkId,
    ) -> Result<bool> {
        let Some(len) = state.durable.get(&id).copied() else {
            return Ok(false);
        };
        let path = self.disk.chunk(group, id);
        if self.disk.len(&path)? != Some(len) {
            return Ok(false);
        }
        if state.verified.contains(&id) {
            return Ok(true);
        }
        let good = matches!(self.disk.read_maybe(&path, chunk::MAX_SEALED), Ok(Some(s)) if chunk::open(&state.keys, id, &s).is_ok());
        if good {
            state.verified.insert(id);
        } else {
            tracing::warn!("{group:?}: {id:?} was damaged; this save writes it anew");
        }
        Ok(good)
    }

    /// Renames what was written into place and syncs the folders.
    pub(crate) fn place(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        batch: &mut Batch,
    ) -> Result<()> {
        let mut shelves = BTreeSet::new();
        while let Some((temp, id, len)) = batch.temps.pop() {
            let there = self
                .put_on_shelf(group, state, &temp, id)
                .inspect_err(|_| self.disk.discard(&temp))?;
            batch.placed.push((id, len, there));
            shelves.insert(id.0[0]);
        }
        self.sync_shelves(group, state, &shelves)
    }

    /// Gives a synced temporary file its chunk's name. Returns whether the name was taken before.
    pub(crate) fn put_on_shelf(
        &mut self,
        group: GroupId,
        state: &GroupState,
        temp: &std::path::Path,
        id: ChunkId,
    ) -> Result<bool> {
        let path = self.disk.chunk(group, id);
        if !state.shelves.contains(&id.0[0]) {
            self.disk.mkdir(&self.disk.shelf(group, id.0[0]))?;
        }
        let there = self.disk.len(&path)?.is_some();
        self.disk.rename(temp, &path)?;
        Ok(there)
    }

    pub(crate) fn sync_shelves(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        shelves: &BTreeSet<u8>,
    ) -> Result<()> {
        for shelf in shelves {
            self.disk.sync_dir(&self.disk.shelf(group, *shelf))?;
        }
        if shelves.iter().any(|s| !state.shelves.contains(s)) {
            self.disk.sync_dir(&self.disk.objects(group))?;
            state.shelves.extend(shelves);
        }
        Ok(())
    }

    /// The journal refers to the batch: its chunks may be relied on from now.
    /// `from`: length of the journal before.
    pub(crate) fn keep(&mut self, group: GroupId, state: &mut GroupState, batch: Batch, from: u64) {
        self.enter_batch(group, state, batch);
        self.hints.advance(group, from, state.mark.offset);
    }

    /// Notes that a batch, which is in place and synced, is durable.
    pub(crate) fn enter_batch(&mut self, group: GroupId, state: &mut GroupState, batch: Batch) {
        self.used = self.used.map(|used| used + batch.taken);
        for (id, len, _) in batch.placed {
            self.enter(group, state, id, len);
            state.verified.insert(id);
        }
    }

    /// Notes that a chunk is durable.
    pub(crate) fn enter(&mut self, group: GroupId, state: &mut GroupState, id: ChunkId, len: u64) {
        state.durable.insert(id, len);
        self.hints.add_chunk(group, id, len);
    }

    /// Nothing will refer to the batch: the disk gets its space back. Only what this batch brought is removed.
    pub(crate) fn undo(&mut self, group: GroupId, batch: Batch) {
        for (temp, _, _) in batch.temps {
            self.disk.discard(&temp);
        }
        for (id, _, there) in batch.placed {
            if !there {
                self.disk.discard(&self.disk.chunk(group, id));
            }
        }
    }

    /// Learns which chunks are durable: from the index, or, when that does not vouch for the journal as it is, from the
    /// journal, whose acknowledged records prove it; then they are entered.
    pub(crate) fn index_group(&mut self, group: GroupId, state: &mut GroupState) -> Result<()> {
        let vouched = self.hints.head(group) == Some(state.mark.offset);
        if vouched && state.indexed {
            return Ok(());
        }
        let known = if vouched {
            self.hints.chunks(group)
        } else {
            None
        };
        if let Some(known) = known {
            state.durable.extend(known);
        } else {
            let roots: Vec<Info> = state.roots().cloned().collect();
            for info in &roots {
                // A generation with a damaged list is no reason to refuse the next save; its chunks are written anew.
                let Ok(chunks) = self.closure_of(group, state, info) else {
                    continue;
                };
                for id in chunks {
                    if let Some(len) = self.disk.len(&self.disk.chunk(group, id))? {
                        self.enter(group, state, id, len);
                    }
                }
            }
            self.hints.set_head(group, state.mark.offset);
        }
        state.indexed = true;
        Ok(())
    }

    /// Every chunk that a generation needs, its lists' own and its blobs' included, each once.
    ///
    /// # Errors
    /// What is wrong with a list, for people.
    pub(crate) fn closure_of(
        &self,
        group: GroupId,
        state: &GroupState,
        info: &Info,
    ) -> std::result::Result<Vec<ChunkId>, String> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        let blobs = self.blobs_of(group, state, info)?;
        for part in info.parts().chain(blobs.into_values()) {
            let inner = if part.listed {
                self.read_list(group, state, &part)?
            } else {
                Vec::new()
            };
            for (id, _) in part.chunks.iter().chain(&inner) {
                if seen.insert(*id) {
                    all.push(*id);
                }
            }
        }
        Ok(all)
    }

    fn read_list(
        &self,
        group: GroupId,
        state: &GroupState,
        part: &Part,
    ) -> std::result::Result<Vec<(ChunkId, u32)>, String> {
        let list = self.read_chunks(group, state, &part.chunks)?;
        overwinter_proto::decode(&list).map_err(|e| format!("its list of chunks is {e}"))
    }

    /// The chunks of a part, in order, from its list where it has one.
    pub(crate) fn chunks_of(
        &self,
        group: GroupId,
        state: &GroupState,
        part: &Part,
    ) -> std::result::Result<Vec<(ChunkId, u32)>, String> {
        if part.listed {
            self.read_list(group, state, part)
        } else {
            Ok(part.chunks.clone())
        }
    }

    /// The bytes of a part, every chunk verified.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn read_part(
        &self,
        group: GroupId,
        state: &GroupState,
        part: &Part,
    ) -> std::result::Result<Vec<u8>, String> {
        let chunks = self.chunks_of(group, state, part)?;
        let bytes = self.read_chunks(group, state, &chunks)?;
        if bytes.len() as u64 == part.len {
            Ok(bytes)
        } else {
            Err("its chunks do not add up".to_owned())
        }
    }

    fn read_chunks(
        &self,
        group: GroupId,
        state: &GroupState,
        chunks: &[(ChunkId, u32)],
    ) -> std::result::Result<Vec<u8>, String> {
        let total: u64 = chunks.iter().map(|(_, len)| u64::from(*len)).sum();
        if total > crate::store::MAX_SNAPSHOT {
            return Err("its chunks add up to more than a snapshot may have".to_owned());
        }
        let mut bytes = Vec::with_capacity(total as usize);
        for (id, len) in chunks {
            let plain = self.read_chunk(group, state, *id)?.1;
            if plain.len() != *len as usize {
                return Err(format!(
                    "chunk {} is not as long as it was",
                    hex::encode(id.0)
                ));
            }
            bytes.extend_from_slice(&plain);
        }
        Ok(bytes)
    }

    /// A chunk, sealed and plain.
    pub(crate) fn read_chunk(
        &self,
        group: GroupId,
        state: &GroupState,
        id: ChunkId,
    ) -> std::result::Result<(Vec<u8>, Vec<u8>), String> {
        let read = |path: &std::path::Path| self.disk.vfs.read(path, chunk::MAX_SEALED);
        let sealed = match read(&self.disk.chunk(group, id)) {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self
                .in_trash(group, id)
                .ok_or(e)
                .and_then(|path| read(&path))
                .map_err(|e| format!("chunk {} cannot be read ({e})", hex::encode(id.0)))?,
            Err(e) => return Err(format!("chunk {} cannot be read ({e})", hex::encode(id.0))),
        };
        let plain = chunk::open(&state.keys, id, &sealed)
            .map_err(|why| format!("{why} ({})", hex::encode(id.0)))?;
        Ok((sealed, plain))
    }
}
