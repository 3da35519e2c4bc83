//! One group as one file: the newest generation, its keys, its chunks; what a move would send, without the other host.
//!
//! A line that says what it is, then the transfer's own messages in its own frames (`Offer`, `Chunk` …, `Finished`). Whoever
//! has the file can read the group: its keys are in it. It comes back as a new group, so that no group is ever in two places.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use overwinter_proto::{
    Generation, GroupId, JournalRecord, Lease, TxId,
    transfer::{ChunkId, MAX_FRAME, Message},
};

use crate::{
    collect::Progress,
    error::{Result, StoreError},
    group::{Body, Info},
    keys::GroupKeys,
    moves::open_head,
    store::Store,
};

/// The first bytes of such a file.
const MAGIC: &[u8] = b"overwinter-group 1\n";

/// An export is no move: nothing is decided about it.
const NO_MOVE: TxId = TxId(0);

impl Store {
    /// Writes the newest generation of a group; secrets that stay on their host are left out. The caller makes the file
    /// readable by the user alone, and syncs it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] (all of it is verified first), or the file cannot be written.
    pub fn export(
        &mut self,
        group: GroupId,
        to: &mut dyn Write,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Generation> {
        let newest = self.with_whole(group, |_, state| Ok(state.newest()))?;
        let generation = newest.ok_or(StoreError::Refused {
            group,
            why: "it has no generation yet".to_owned(),
        })?;
        let manifest = self.manifest(group, generation)?;
        let keys = self.wrap_keys_for_move(group)?;
        let ids: Vec<ChunkId> = manifest.chunks.iter().map(|(id, _)| *id).collect();
        let tx = NO_MOVE;
        let failed = |e| StoreError::File("write", e);
        to.write_all(MAGIC).map_err(failed)?;
        write_frame(to, &Message::Offer { tx, manifest, keys }).map_err(failed)?;
        for (done, id) in ids.iter().enumerate() {
            let total = ids.len();
            progress(Progress { done, total });
            let bytes = self.chunk(group, *id)?;
            write_frame(to, &Message::Chunk { tx, id: *id, bytes }).map_err(failed)?;
        }
        write_frame(to, &Message::Finished).map_err(failed)?;
        to.flush().map_err(failed)?;
        Ok(generation)
    }

    /// Takes an exported group in under a new id. When this returns a power cut cannot undo it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the file is not what it should be, or the id is taken; [`StoreError::Full`], or the disk
    /// failed. Nothing of it stays then.
    pub fn import(
        &mut self,
        from: &mut dyn Read,
        group: GroupId,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Generation> {
        let taken = self.disk.len(&self.disk.key(group))?.is_some()
            || self.disk.len(&self.disk.tombstone(group))?.is_some();
        if taken {
            let why = "there is, or was, a group of this id".to_owned();
            return Err(StoreError::Refused { group, why });
        }
        let imported = self.try_import(from, group, progress);
        if imported.is_err()
            && self.groups.contains_key(&group)
            && let Err(e) = self.unstage(group)
        {
            tracing::warn!("{group:?}: what came of it is swept at the next opening: {e}");
        }
        imported
    }

    fn try_import(
        &mut self,
        from: &mut dyn Read,
        group: GroupId,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Generation> {
        let refused = |why: &str| StoreError::Refused {
            group,
            why: why.to_owned(),
        };
        let mut magic = [0; MAGIC.len()];
        let read = from.read_exact(&mut magic);
        if read.is_err() || magic != MAGIC {
            return Err(refused(
                "the file is not an exported group of a form that is known here",
            ));
        }
        let Message::Offer { manifest, keys, .. } = read_frame(from, group)? else {
            return Err(refused("the file does not begin with what it holds"));
        };
        let keys =
            GroupKeys::from_travel(&keys).map_err(|why| StoreError::Refused { group, why })?;
        let info = open_head(&keys, manifest.group, &manifest.head)
            .map_err(|why| StoreError::Refused { group, why })?;
        let mut wanted: BTreeMap<ChunkId, u64> = manifest.chunks.iter().copied().collect();
        let total = wanted.len();
        self.create(group, keys)?;
        loop {
            match read_frame(from, group)? {
                Message::Chunk { id, bytes, .. } if wanted.remove(&id).is_some() => {
                    self.put_chunk(group, id, &bytes)?;
                    let done = total - wanted.len();
                    progress(Progress { done, total });
                }
                Message::Finished if wanted.is_empty() => break,
                _ => return Err(refused("the file does not hold what it says it holds")),
            }
        }
        self.adopt(group, info)
    }

    /// The first generation of a group whose chunks have all come.
    fn adopt(&mut self, group: GroupId, info: Info) -> Result<Generation> {
        self.with_whole(group, |store, state| {
            let generation = Generation(1);
            let lease = Lease::FIRST;
            let info = Info {
                generation,
                lease,
                ..info
            };
            store
                .read_whole(group, state, &info)
                .map_err(|why| StoreError::Refused { group, why })?;
            let shelves = state.incoming.iter().map(|id| id.0[0]).collect();
            store.sync_shelves(group, state, &shelves)?;
            let revision = info.revision;
            let record = JournalRecord::Stored {
                generation,
                revision,
                lease,
            };
            let app = info.app.clone();
            let from = state.mark.offset;
            store.append(group, state, Body::Generation { record, info })?;
            for id in std::mem::take(&mut state.incoming) {
                if let Some(len) = store.disk.len(&store.disk.chunk(group, id))? {
                    store.enter(group, state, id, len);
                }
            }
            store.append(group, state, Body::Record(JournalRecord::Opened { app }))?;
            store.hints.advance(group, from, state.mark.offset);
            Ok(generation)
        })
    }
}

fn write_frame(to: &mut dyn Write, message: &Message) -> io::Result<()> {
    let body = overwinter_proto::encode(message);
    to.write_all(&(body.len() as u32).to_be_bytes())?;
    to.write_all(&body)
}

fn read_frame(from: &mut dyn Read, group: GroupId) -> Result<Message> {
    let refused = |why: String| StoreError::Refused { group, why };
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => refused("the file ends too early".to_owned()),
        _ => StoreError::File("read", e),
    };
    let mut len = [0; 4];
    from.read_exact(&mut len).map_err(failed)?;
    let len = u32::from_be_bytes(len);
    if len > MAX_FRAME {
        return Err(refused("a part of the file is larger than any".to_owned()));
    }
    let mut body = vec![0; len as usize];
    from.read_exact(&mut body).map_err(failed)?;
    overwinter_proto::decode(&body).map_err(|e| refused(format!("a part of the file is {e}")))
}
