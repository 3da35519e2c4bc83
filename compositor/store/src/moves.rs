//! What a move to another host needs from the store, on both sides.
//!
//! Source: [`manifest`](Store::manifest), [`closure`], [`wrap_keys_for_move`](Store::wrap_keys_for_move),
//! [`chunk`](Store::chunk). Destination: [`import_keys`](Store::import_keys), [`missing`](Store::missing),
//! [`put_chunk`](Store::put_chunk), [`stage`](Store::stage). The records around them (PREPARING, RELEASED, OWNED, DONE,
//! ABORTED) go through [`record`](Store::record). A group keeps its keys, so chunks have the same names and the same
//! sealed bytes on both hosts.

use std::collections::BTreeSet;

use overwinter_proto::{
    Generation, GroupId, JournalRecord, Lease, TxId,
    journal::{Closure, HostKey},
    transfer::{ChunkId, Manifest},
};
use serde::{Deserialize, Serialize};

use crate::{
    chunk,
    disk::on_disk,
    error::{Result, StoreError},
    group::{Body, GroupState, Info},
    keys::{GroupKeys, NONCE},
    store::Store,
    sweep::Tombstone,
};

/// What a manifest's sealed head holds.
#[derive(Serialize, Deserialize)]
struct Head {
    info: Info,
}

/// BLAKE3 over a whole manifest. It names every chunk by the keyed hash of its content and carries the sealed list that
/// puts them together, so it stands for every byte of the group.
pub fn closure(manifest: &Manifest) -> Closure {
    let encoded = overwinter_proto::encode(manifest);
    let mut hasher = blake3::Hasher::new_derive_key("overwinter store 1 closure");
    hasher.update(&encoded);
    Closure(*hasher.finalize().as_bytes())
}

fn head_aad(group: GroupId) -> Vec<u8> {
    [
        b"overwinter head of move".as_slice(),
        &group.0.to_be_bytes(),
    ]
    .concat()
}

/// Sealed with a nonce made from the content: asking twice gives the same bytes, and so the same closure hash, also after a
/// crash between the two.
fn seal_head(keys: &GroupKeys, group: GroupId, info: &Info) -> Vec<u8> {
    let plain = overwinter_proto::encode(&Head { info: info.clone() });
    let hash = *blake3::keyed_hash(&keys.nonce, &plain).as_bytes();
    let mut nonce = [0; NONCE];
    nonce.copy_from_slice(&hash[..NONCE]);
    [
        nonce.as_slice(),
        &keys.chunk.seal(&nonce, &head_aad(group), &plain),
    ]
    .concat()
}

pub(crate) fn open_head(
    keys: &GroupKeys,
    group: GroupId,
    sealed: &[u8],
) -> std::result::Result<Info, String> {
    let (nonce, body) = sealed
        .split_at_checked(NONCE)
        .ok_or("its head is too short")?;
    let plain = keys
        .chunk
        .open(nonce, &head_aad(group), body)
        .ok_or("its head does not fit the group's keys")?;
    let head: Head = overwinter_proto::decode(&plain).map_err(|e| format!("its head is {e}"))?;
    Ok(head.info)
}

impl Store {
    /// What a generation is made of. The whole of it is read and verified first: damage is found before a move begins.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::UnknownGeneration`], or the disk failed.
    pub fn manifest(&mut self, group: GroupId, generation: Generation) -> Result<Manifest> {
        self.with_whole(group, |store, state| {
            let Some(info) = state.generations.get(&generation) else {
                return Err(StoreError::UnknownGeneration {
                    group,
                    generation,
                    newest: state.newest(),
                });
            };
            // Secrets that stay on their host are no part of what goes, nor of its hash.
            let info = &info.without_secrets();
            let checked = store
                .read_whole(group, state, info)
                .and_then(|()| store.closure_of(group, state, info));
            let ids = checked.map_err(|what| {
                store.damaged(group, state, format!("in generation {generation} {what}"))
            })?;
            store.manifest_of(group, state, info, &ids)
        })
    }

    /// What says of a generation what it is made of.
    pub(crate) fn manifest_of(
        &self,
        group: GroupId,
        state: &GroupState,
        info: &Info,
        ids: &[ChunkId],
    ) -> Result<Manifest> {
        let mut chunks = Vec::with_capacity(ids.len());
        for id in ids {
            let len = self.disk.len(&self.disk.chunk(group, *id))?;
            chunks.push((*id, len.unwrap_or_default()));
        }
        Ok(Manifest {
            group,
            app: info.app.clone(),
            title: info.title.clone(),
            generation: info.generation,
            lease: state.lease,
            chunks,
            head: seal_head(&state.keys, group, info),
        })
    }

    /// The group's keys in the form that travels: plain, for a private stream to one receiver.
    ///
    /// # Errors
    /// The group cannot be read.
    pub fn wrap_keys_for_move(&mut self, group: GroupId) -> Result<Vec<u8>> {
        self.with(group, |_, state| Ok(state.keys.to_travel()))
    }

    /// The sealed bytes of a chunk, verified.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is missing or not what its name says.
    pub fn chunk(&mut self, group: GroupId, id: ChunkId) -> Result<Vec<u8>> {
        self.with(group, |store, state| {
            match store.read_chunk(group, state, id) {
                Ok((sealed, _)) => Ok(sealed),
                Err(what) => Err(store.damaged(group, state, what)),
            }
        })
    }

    /// Takes over the keys of a group that is about to come. A group that is known here keeps its keys, which must be the
    /// same. A group that was forgotten here comes back with nothing of its former data.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the keys are malformed or others than those known; or the disk failed.
    pub fn import_keys(&mut self, group: GroupId, keys: &[u8]) -> Result<()> {
        let keys =
            GroupKeys::from_travel(keys).map_err(|why| StoreError::Refused { group, why })?;
        let known = self.with_whole(group, |_, state| match state.keys.same_as(&keys) {
            true => Ok(()),
            false => Err(StoreError::Refused {
                group,
                why: "another group of the same id, with other keys, is here".to_owned(),
            }),
        });
        match known {
            Err(StoreError::UnknownGroup(_) | StoreError::Forgotten(_)) => {}
            known => return known,
        }
        if self.disk.len(&self.disk.tombstone(group))?.is_some() {
            self.clear_away(group);
        }
        self.create(group, keys)
    }

    /// Whether this chunk need not be sent: durable here, or received and synced in this session.
    ///
    /// # Errors
    /// The group is unknown or the disk failed.
    pub fn has_chunk(&mut self, group: GroupId, id: ChunkId) -> Result<bool> {
        self.with_whole(group, |store, state| {
            store.index_group(group, state)?;
            Ok(state.incoming.contains(&id) || store.is_durable(group, state, id)?)
        })
    }

    /// The chunks of a manifest that must be sent.
    ///
    /// # Errors
    /// As [`has_chunk`](Store::has_chunk).
    pub fn missing(&mut self, manifest: &Manifest) -> Result<Vec<ChunkId>> {
        let mut missing = Vec::new();
        for (id, _) in &manifest.chunks {
            if !self.has_chunk(manifest.group, *id)? {
                missing.push(*id);
            }
        }
        Ok(missing)
    }

    /// Takes a sealed chunk of a group whose keys were imported. Idempotent. It is kept until the move is staged or the
    /// session ends; nothing refers to it yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it is not what its name says, [`StoreError::Full`], or the disk failed.
    pub fn put_chunk(&mut self, group: GroupId, id: ChunkId, sealed: &[u8]) -> Result<()> {
        self.with_whole(group, |store, state| {
            store.index_group(group, state)?;
            if state.incoming.contains(&id) || store.is_durable(group, state, id)? {
                return Ok(());
            }
            chunk::open(&state.keys, id, sealed).map_err(|why| StoreError::Refused {
                group,
                why: why.to_owned(),
            })?;
            let takes = on_disk(sealed.len() as u64);
            let room = store.room(group, state, takes)?;
            if !room.fits(takes) {
                return Err(room.refusal(takes));
            }
            store.used = store.used.map(|used| used + takes);
            let temp = store.disk.temp(sealed)?;
            store
                .put_on_shelf(group, state, &temp, id)
                .inspect_err(|_| store.disk.discard(&temp))?;
            state.incoming.insert(id);
            Ok(())
        })
    }

    /// Writes STAGED: every chunk of the manifest is here, verified and durable, and this host can restore the generation.
    /// `epoch` is the one the group will have here. Told twice it answers the same.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when something is missing, does not fit, or a later epoch of the group is known here.
    pub fn stage(
        &mut self,
        tx: TxId,
        manifest: &Manifest,
        epoch: u32,
        source: HostKey,
    ) -> Result<Closure> {
        let group = manifest.group;
        let closure = closure(manifest);
        let known = self.tombstone(group)?;
        self.with_whole(group, |store, state| {
            if let Some(info) = state.staged(tx) {
                return match store
                    .entries(group, state)?
                    .iter()
                    .any(|e| is_staged(&e.record, tx, closure))
                {
                    true => Ok(closure),
                    false => Err(StoreError::Refused {
                        group,
                        why: format!("this move brought generation {} before", info.generation),
                    }),
                };
            }
            check_epoch(group, state, known.as_ref(), epoch)?;
            store.index_group(group, state)?;
            let info = store
                .check_manifest(group, state, manifest)
                .map_err(|why| StoreError::Refused { group, why })?;
            let shelves: BTreeSet<u8> = state.incoming.iter().map(|id| id.0[0]).collect();
            store.sync_shelves(group, state, &shelves)?;
            let record = JournalRecord::Staged {
                tx,
                generation: info.generation,
                epoch,
                closure,
                source,
            };
            let from = state.mark.offset;
            store.append(group, state, Body::Generation { record, info })?;
            state.blobs = None;
            for id in std::mem::take(&mut state.incoming) {
                if let Some(len) = store.disk.len(&store.disk.chunk(group, id))? {
                    store.enter(group, state, id, len);
                }
            }
            store.hints.advance(group, from, state.mark.offset);
            Ok(closure)
        })
    }

    /// Reads and verifies everything that a manifest promises.
    fn check_manifest(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        manifest: &Manifest,
    ) -> std::result::Result<Info, String> {
        let info = open_head(&state.keys, group, &manifest.head)?;
        if info.generation != manifest.generation
            || matches!(info.generation.0, 0 | u64::MAX)
            || info.lease > manifest.lease
        {
            return Err("its head is not that of the manifest".to_owned());
        }
        for (id, _) in &manifest.chunks {
            let here = state.incoming.contains(id)
                || self
                    .is_durable(group, state, *id)
                    .map_err(|e| e.to_string())?;
            if !here {
                return Err(format!("chunk {} has not come", hex::encode(id.0)));
            }
        }
        self.read_whole(group, state, &info)?;
        let needed: BTreeSet<ChunkId> = self.closure_of(group, state, &info)?.into_iter().collect();
        if needed != manifest.chunks.iter().map(|(id, _)| *id).collect() {
            return Err("its chunks are not those of its head".to_owned());
        }
        Ok(info)
    }

    /// Lets go of what came for a move that was given up before STAGED. A group that has no record yet vanishes.
    ///
    /// # Errors
    /// The disk failed; what is left is swept later.
    pub fn unstage(&mut self, group: GroupId) -> Result<()> {
        self.with(group, |store, state| {
            state.incoming.clear();
            if state.unsettled && state.damage.is_none() {
                store.settle(group, state)?;
            }
            if state.is_empty() || state.damage.is_some() {
                Ok(())
            } else {
                store.sweep(group, state, &BTreeSet::new()).map(drop)
            }
        })?;
        if self.groups.get(&group).is_some_and(GroupState::is_empty) {
            self.groups.remove(&group);
            self.clear_away(group);
        }
        Ok(())
    }
}

fn is_staged(record: &JournalRecord, wanted: TxId, which: Closure) -> bool {
    matches!(record, JournalRecord::Staged { tx, closure, .. } if *tx == wanted && *closure == which)
}

fn check_epoch(
    group: GroupId,
    state: &GroupState,
    tombstone: Option<&Tombstone>,
    epoch: u32,
) -> Result<()> {
    let known = state
        .lease
        .max(tombstone.map_or(Lease(0), |t| t.lease))
        .epoch();
    if epoch > known {
        return Ok(());
    }
    Err(StoreError::Refused {
        group,
        why: format!(
            "it would come with epoch {epoch}, and epoch {known} of it is already known here"
        ),
    })
}
