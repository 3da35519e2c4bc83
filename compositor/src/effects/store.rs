//! The store worker: one thread that owns the store, encodes and decodes snapshots, and moves chunks between the store and
//! the streams. Jobs are done in the order in which they come; nothing here is waited for by the main thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, mpsc};

use overwinter_proto::snapshot::WindowSnapshot;
use overwinter_proto::transfer::{ChunkId, Manifest, Message};
use overwinter_proto::{Build, Generation, GroupId, JournalRecord, Revision, Snapshot, TxId};
use overwinter_session::event::GroupHistory;
use overwinter_session::ids::{PeerId, StoreId};
use overwinter_session::{StoreReply, StoreRequest};
use overwinter_store::{Store, StoreError, closure};

use super::peer::{Credit, Outbox};

/// Chunks on their way to one peer at a time: enough to keep a link busy, little enough for memory (4 MiB each).
const IN_FLIGHT: usize = 4;

/// What is kept free on the disk when groups arrive, so that a move does not fill it to the last byte.
const SPARE_SPACE: u64 = 16 << 20;

/// Something to do.
#[derive(Debug)]
pub enum Job {
    /// What the heart asks. `state` and `windows` go with `Write`.
    Request {
        /// Comes back.
        id: StoreId,
        /// What.
        request: StoreRequest,
        /// The app's state.
        state: Option<Arc<Vec<u8>>>,
        /// The group's windows as they are.
        windows: Vec<WindowSnapshot>,
    },
    /// The windows of a stored generation, for its ghost.
    Windows {
        /// Which.
        group: GroupId,
        /// Which.
        generation: Generation,
    },
    /// A stream has begun.
    Peer {
        /// Which.
        peer: PeerId,
        /// The way to it.
        outbox: Outbox,
    },
    /// A stream has ended.
    PeerGone {
        /// Which.
        peer: PeerId,
    },
    /// A chunk was written to a stream: the next one may follow.
    Room {
        /// Which.
        peer: PeerId,
    },
    /// A chunk came.
    Chunk {
        /// From where.
        peer: PeerId,
        /// For which move.
        tx: TxId,
        /// Its name.
        id: ChunkId,
        /// Sealed.
        bytes: Vec<u8>,
        /// Lets the next one be read.
        credit: Credit,
    },
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// To a request, except a `Read` that worked.
    Reply {
        /// The request.
        id: StoreId,
        /// Its end.
        reply: StoreReply,
    },
    /// To `Read`.
    Read {
        /// The request.
        id: StoreId,
        /// The app's state.
        state: Vec<u8>,
        /// What it contains.
        revision: Revision,
        /// Who wrote it.
        build: Build,
    },
    /// To `Windows`.
    Windows {
        /// Which.
        group: GroupId,
        /// Lowest first; empty when they cannot be read.
        windows: Vec<WindowSnapshot>,
    },
}

/// The test hook `OVERWINTER_FAULT=after-record:NAME`: the process aborts as soon as the first record of that name is
/// durable. Names: preparing, staged, released, owned, done, aborted. For tests of moves; harmless otherwise.
#[derive(Clone, Debug, Default)]
pub struct Fault(Option<String>);

impl Fault {
    /// From the environment.
    pub fn from_env() -> Fault {
        let value = std::env::var("OVERWINTER_FAULT").unwrap_or_default();
        Fault(value.strip_prefix("after-record:").map(str::to_owned))
    }

    fn strike(&self, record: &JournalRecord) {
        if self
            .0
            .as_deref()
            .is_some_and(|name| Some(name) == name_of(record))
        {
            std::process::abort();
        }
    }
}

fn name_of(record: &JournalRecord) -> Option<&'static str> {
    match record {
        JournalRecord::Preparing { .. } => Some("preparing"),
        JournalRecord::Staged { .. } => Some("staged"),
        JournalRecord::Released { .. } => Some("released"),
        JournalRecord::Owned { .. } => Some("owned"),
        JournalRecord::Done { .. } => Some("done"),
        JournalRecord::Aborted { .. } => Some("aborted"),
        _ => None,
    }
}

/// Everything the journals say, for the heart's recovery. A group that cannot be read is left alone and told in the log.
///
/// # Errors
/// When the store's folder cannot be read at all.
pub fn histories(store: &mut Store) -> Result<Vec<GroupHistory>, StoreError> {
    let mut all = Vec::new();
    for group in store.groups()? {
        let entries = match store.journal(group) {
            Ok(entries) => entries,
            Err(e) => {
                tracing::warn!("{e}");
                continue;
            }
        };
        let newest = store.generations(group).unwrap_or_default().pop();
        let build = newest.as_ref().map(|info| info.build.clone());
        let (app, title) = newest
            .map(|info| (info.app, info.title))
            .unwrap_or_default();
        all.push(GroupHistory {
            group,
            app,
            title,
            build,
            entries,
        });
    }
    Ok(all)
}

/// Starts the worker. `answer` is called on its thread. It ends when every sender of jobs is gone.
///
/// # Errors
/// When no thread can be started.
pub fn start(
    store: Store,
    fault: Fault,
    answer: impl Fn(Answer) + Send + 'static,
) -> std::io::Result<(mpsc::Sender<Job>, std::thread::JoinHandle<()>)> {
    let (jobs, todo) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("store".into())
        .spawn(move || {
            let mut worker = Worker {
                store,
                fault,
                answer: Box::new(answer),
                peers: BTreeMap::new(),
                sending: VecDeque::new(),
                arriving: BTreeMap::new(),
                arrived: BTreeMap::new(),
            };
            for job in todo {
                worker.work(job);
            }
        })?;
    Ok((jobs, thread))
}

struct Peer {
    outbox: Outbox,
    in_flight: usize,
}

/// Chunks that a peer needs.
struct Sending {
    id: StoreId,
    group: GroupId,
    tx: TxId,
    peer: PeerId,
    left: VecDeque<ChunkId>,
}

/// A group that comes.
struct Arriving {
    id: StoreId,
    peer: PeerId,
    manifest: Manifest,
    missing: BTreeSet<ChunkId>,
}

struct Worker {
    store: Store,
    fault: Fault,
    answer: Box<dyn Fn(Answer) + Send>,
    peers: BTreeMap<PeerId, Peer>,
    sending: VecDeque<Sending>,
    arriving: BTreeMap<TxId, Arriving>,
    /// Complete, and neither staged nor dropped yet.
    arrived: BTreeMap<TxId, Manifest>,
}

fn failed(error: &StoreError) -> StoreReply {
    StoreReply::Failed {
        why: error.to_string(),
        damaged: error.is_damage(),
    }
}

fn refused(why: impl Into<String>) -> StoreReply {
    StoreReply::Failed {
        why: why.into(),
        damaged: false,
    }
}

impl Worker {
    fn work(&mut self, job: Job) {
        match job {
            Job::Request {
                id,
                request,
                state,
                windows,
            } => {
                if let Some(reply) = self.request(id, request, state, windows) {
                    self.reply(id, reply);
                }
            }
            Job::Windows { group, generation } => self.windows(group, generation),
            Job::Peer { peer, outbox } => {
                let in_flight = 0;
                self.peers.insert(peer, Peer { outbox, in_flight });
            }
            Job::PeerGone { peer } => self.peer_gone(peer),
            Job::Room { peer } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.in_flight = peer.in_flight.saturating_sub(1);
                }
                self.send_more(peer);
            }
            Job::Chunk {
                peer,
                tx,
                id,
                bytes,
                credit,
            } => {
                self.chunk(peer, tx, id, &bytes);
                drop(credit);
            }
        }
    }

    fn reply(&self, id: StoreId, reply: StoreReply) {
        (self.answer)(Answer::Reply { id, reply });
    }

    /// `None`: the answer went out already or comes later.
    fn request(
        &mut self,
        id: StoreId,
        request: StoreRequest,
        state: Option<Arc<Vec<u8>>>,
        windows: Vec<WindowSnapshot>,
    ) -> Option<StoreReply> {
        match request {
            StoreRequest::Write {
                group,
                app,
                build,
                lease,
                revision,
                title,
                ..
            } => {
                let Some(state) = state else {
                    return Some(refused(
                        "the state to be stored is not there any more; what was stored before is kept",
                    ));
                };
                let snapshot = Snapshot {
                    app,
                    build,
                    revision,
                    title,
                    state: Arc::try_unwrap(state).unwrap_or_else(|shared| (*shared).clone()),
                    windows,
                };
                let written = self.store.put(group, lease, revision, &snapshot);
                Some(written.map_or_else(|e| failed(&e), StoreReply::Written))
            }
            StoreRequest::Read { group, generation } => match self.store.get(group, generation) {
                Ok(snapshot) => {
                    (self.answer)(Answer::Read {
                        id,
                        state: snapshot.state,
                        revision: snapshot.revision,
                        build: snapshot.build,
                    });
                    None
                }
                Err(e) => Some(failed(&e)),
            },
            StoreRequest::Record { group, record } => Some(self.record(group, &record)),
            StoreRequest::Retain { group, keep } => {
                let swept = self.store.retain(group, &keep);
                Some(swept.map_or_else(|e| failed(&e), |_| StoreReply::Recorded))
            }
            StoreRequest::Pack { group, tx, peer } => Some(self.pack(group, tx, peer)),
            StoreRequest::SendChunks {
                group,
                tx,
                peer,
                chunks,
            } => {
                let left = chunks.into();
                self.sending.push_back(Sending {
                    id,
                    group,
                    tx,
                    peer,
                    left,
                });
                self.send_more(peer);
                None
            }
            StoreRequest::Unpack {
                tx,
                peer,
                manifest,
                keys,
            } => self.unpack(id, tx, peer, manifest, &keys),
            StoreRequest::Admit { group, tx } => Some(self.admit(group, tx)),
            StoreRequest::DropStaged { group, tx } => Some(self.drop_staged(group, tx)),
            StoreRequest::Bury { group } => Some(gone_is_fine(self.store.forget(group))),
        }
    }

    fn record(&mut self, group: GroupId, record: &JournalRecord) -> StoreReply {
        let outcome = match record {
            JournalRecord::Staged {
                tx,
                epoch,
                closure: expected,
                source,
                ..
            } => {
                let Some(manifest) = self.arrived.get(tx) else {
                    return refused(
                        "what came for this move is not here any more; the group stays where it was",
                    );
                };
                if closure(manifest) != *expected {
                    return refused(
                        "what came is not what the other host announced; the group stays where it was",
                    );
                }
                self.store.stage(*tx, manifest, *epoch, *source).map(drop)
            }
            other => self.store.record(group, other),
        };
        match outcome {
            Ok(()) => {
                self.fault.strike(record);
                if let JournalRecord::Owned { tx, .. } | JournalRecord::Aborted { tx } = record {
                    self.arrived.remove(tx);
                }
                StoreReply::Recorded
            }
            Err(e) => failed(&e),
        }
    }

    // ── source ───────────────────────────────────────────────────────────────────────────────────────────────────────

    fn pack(&mut self, group: GroupId, tx: TxId, peer: PeerId) -> StoreReply {
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

    fn send_more(&mut self, peer: PeerId) {
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

    fn unpack(
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
        let missing = self
            .store
            .import_keys(manifest.group, keys)
            .and_then(|()| self.store.missing(&manifest));
        let missing: BTreeSet<ChunkId> = match missing {
            Ok(missing) => missing.into_iter().collect(),
            Err(e) => return Some(failed(&e)),
        };
        let needed: u64 = manifest
            .chunks
            .iter()
            .filter(|(id, _)| missing.contains(id))
            .fold(SPARE_SPACE, |sum, (_, size)| sum.saturating_add(*size));
        match self.store.space_left() {
            Ok(left) if left >= needed => {}
            Ok(left) => {
                let _ = self.store.unstage(manifest.group);
                return Some(failed(&StoreError::Full { needed, left }));
            }
            Err(e) => return Some(failed(&e)),
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

    fn chunk(&mut self, peer: PeerId, tx: TxId, id: ChunkId, bytes: &[u8]) {
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
    fn admit(&mut self, group: GroupId, tx: TxId) -> StoreReply {
        self.arrived.remove(&tx);
        match self.store.generations(group).map(|mut g| g.pop()) {
            Ok(Some(newest)) => StoreReply::Written(newest.generation),
            Ok(None) => refused("nothing of this group is stored here"),
            Err(e) => failed(&e),
        }
    }

    fn drop_staged(&mut self, group: GroupId, tx: TxId) -> StoreReply {
        self.arriving.remove(&tx);
        self.arrived.remove(&tx);
        gone_is_fine(self.store.unstage(group))
    }

    fn peer_gone(&mut self, peer: PeerId) {
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

    fn windows(&mut self, group: GroupId, generation: Generation) {
        let windows = match self.store.get(group, generation) {
            Ok(snapshot) => snapshot.windows,
            Err(e) => {
                tracing::warn!("no ghost: {e}");
                Vec::new()
            }
        };
        (self.answer)(Answer::Windows { group, windows });
    }
}

/// What should be gone and is not there is as it should be.
fn gone_is_fine(outcome: Result<(), StoreError>) -> StoreReply {
    match outcome {
        Ok(()) | Err(StoreError::UnknownGroup(_)) => StoreReply::Recorded,
        Err(e) => failed(&e),
    }
}
