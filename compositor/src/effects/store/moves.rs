//! The store worker's part in moves: manifests and chunks out, chunks in.

use std::collections::BTreeSet;

use overwinter_proto::transfer::{ChunkId, Manifest, Message};
use overwinter_proto::{Generation, GroupId, TxId};
use overwinter_session::StoreReply;
use overwinter_session::ids::{PeerId, StoreId};
use overwinter_store::{StoreError, closure};

use super::{Arriving, IN_FLIGHT, SPARE_SPACE, Worker, failed, gone_is_fine, refused};

impl Worker {
    // ── source ───────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn pack(&mut self, group: GroupId, tx: TxId, peer: PeerId) -> StoreReply {
        let packed = self.store.generations(group).and_then(|mut generations| {
            let newest = generations.pop().map_or(Generation(0), |g| g.generation);
            let manifest = self.store.manifest(group, newest)?;
            Ok((manifest, self.store.wrap_keys_for_move(group)?))
        });
        let (manifest, keys) = match packed {
            Ok(packed) => packed,
            Err(e) => return failed(&e),
        };
        let Some(peer) = self.peers.get(&peer) else {
            return refused("the other host has hung up; the group stays here");
        };
        let reply = StoreReply::Packed {
            closure: closure(&manifest),
            generation: manifest.generation,
        };
        peer.outbox.say(&Message::Offer { tx, manifest, keys });
        reply
    }

    pub(super) fn send_more(&mut self, peer: PeerId) {
        while let Some(at) = self.sending.iter().position(|s| s.peer == peer) {
            let Some(to) = self.peers.get_mut(&peer) else {
                return self.peer_gone(peer);
            };
            let Some(sending) = self.sending.get_mut(at) else {
                return;
            };
            if to.in_flight >= IN_FLIGHT && !sending.left.is_empty() {
                return;
            }
            let reply = match sending.left.pop_front() {
                None => StoreReply::Sent,
                Some(id) => match self.store.chunk(sending.group, id) {
                    Ok(bytes) => {
                        let tx = sending.tx;
                        to.outbox.say(&Message::Chunk { tx, id, bytes });
                        to.in_flight += 1;
                        continue;
                    }
                    Err(e) => failed(&e),
                },
            };
            if let Some(ended) = self.sending.remove(at) {
                self.reply(ended.id, reply);
            }
        }
    }

    // ── destination ──────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn unpack(
        &mut self,
        id: StoreId,
        tx: TxId,
        peer: PeerId,
        manifest: Manifest,
        keys: &[u8],
    ) -> Option<StoreReply> {
        let Some(to) = self.peers.get(&peer) else {
            return Some(refused("the other host has hung up"));
        };
        if let Err(e) = self.store.import_keys(manifest.group, keys) {
            return Some(failed(&e));
        }
        let missing: BTreeSet<ChunkId> = match self.store.missing(&manifest) {
            Ok(missing) => missing.into_iter().collect(),
            Err(e) => return Some(self.give_up(manifest.group, &e)),
        };
        let needed: u64 = manifest
            .chunks
            .iter()
            .filter(|(id, _)| missing.contains(id))
            .fold(SPARE_SPACE, |sum, (_, size)| sum.saturating_add(*size));
        match self.store.space_left() {
            Ok(left) if left >= needed => {}
            Ok(left) => {
                return Some(self.give_up(manifest.group, &StoreError::Full { needed, left }));
            }
            Err(e) => return Some(self.give_up(manifest.group, &e)),
        }
        let chunks = missing.iter().copied().collect();
        to.outbox.say(&Message::Need { tx, chunks });
        let arriving = Arriving {
            id,
            peer,
            manifest,
            missing,
        };
        self.arriving.insert(tx, arriving);
        self.settle_arrival(tx);
        None
    }

    /// Nothing of a group that cannot come stays behind: neither its keys nor its folders.
    fn give_up(&mut self, group: GroupId, why: &StoreError) -> StoreReply {
        if let Err(e) = self.store.unstage(group) {
            tracing::warn!(%group, "what came of it is swept at the next start: {e}");
        }
        failed(why)
    }

    pub(super) fn chunk(&mut self, peer: PeerId, tx: TxId, id: ChunkId, bytes: &[u8]) {
        let Some(arriving) = self.arriving.get_mut(&tx).filter(|a| a.peer == peer) else {
            return tracing::debug!("a chunk of a move that is not under way");
        };
        if !arriving.missing.contains(&id) {
            return tracing::debug!("a chunk that was not asked for");
        }
        match self.store.put_chunk(arriving.manifest.group, id, bytes) {
            Ok(()) => {
                arriving.missing.remove(&id);
                self.settle_arrival(tx);
            }
            Err(e) => {
                if let Some(arriving) = self.arriving.remove(&tx) {
                    self.reply(arriving.id, failed(&e));
                }
            }
        }
    }

    /// Tells that everything has come, if it has.
    fn settle_arrival(&mut self, tx: TxId) {
        if !self.arriving.get(&tx).is_some_and(|a| a.missing.is_empty()) {
            return;
        }
        let Some(Arriving { id, manifest, .. }) = self.arriving.remove(&tx) else {
            return;
        };
        let reply = StoreReply::Arrived {
            closure: closure(&manifest),
            generation: manifest.generation,
            app: manifest.app.clone(),
            title: manifest.title.clone(),
        };
        self.arrived.insert(tx, manifest);
        self.reply(id, reply);
    }

    /// The record OWNED has made the generation the store's own; this says which one it is.
    pub(super) fn admit(&mut self, group: GroupId, tx: TxId) -> StoreReply {
        self.arrived.remove(&tx);
        let blobs = self.store.blobs(group).unwrap_or_default();
        if !blobs.is_empty() {
            (self.answer)(super::Answer::Blobs { group, blobs });
        }
        match self.store.generations(group).map(|mut g| g.pop()) {
            Ok(Some(newest)) => StoreReply::Written(newest.generation),
            Ok(None) => refused("nothing of this group is stored here"),
            Err(e) => failed(&e),
        }
    }

    pub(super) fn drop_staged(&mut self, group: GroupId, tx: TxId) -> StoreReply {
        self.arriving.remove(&tx);
        self.arrived.remove(&tx);
        gone_is_fine(self.store.unstage(group))
    }

    pub(super) fn peer_gone(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        let why = "the other host has hung up before everything was carried over";
        let mut ids = Vec::new();
        self.sending.retain(|s| {
            let lost = s.peer == peer;
            if lost {
                ids.push(s.id);
            }
            !lost
        });
        self.arriving.retain(|_, a| {
            let lost = a.peer == peer;
            if lost {
                ids.push(a.id);
            }
            !lost
        });
        for id in ids {
            self.reply(id, refused(why));
        }
    }
}
