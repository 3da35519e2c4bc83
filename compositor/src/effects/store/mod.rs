//! The store worker: one thread that owns the store, encodes and decodes snapshots, and moves chunks between the store and
//! the streams. Jobs are done in the order in which they come; nothing here is waited for by the main thread. What may take
//! long is an errand ([`errands`]): done in steps, while no job waits.

pub mod errands;
mod fault;
mod moves;
mod space;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};

use overwinter_bus::{Refusal, Reply};
use overwinter_proto::snapshot::WindowSnapshot;
use overwinter_proto::transfer::{ChunkId, Manifest};
use overwinter_proto::{
    BlobHash, BlobRef, Build, Generation, GroupId, JournalRecord, Revision, Snapshot, TxId,
};
use overwinter_session::event::GroupHistory;
use overwinter_session::ids::{OperationId, PeerId, StoreId};
use overwinter_session::{Aside, StoreReply, StoreRequest};
use overwinter_store::{Parts, Pictures, Progress, Space, Store, StoreError, closure};

pub use errands::{Ended, Errand, Imported};
pub use fault::Fault;

use self::errands::Errands;
use super::choices::Choices;
use super::payloads::Payload;
use super::peer::{Credit, Outbox};
use crate::protocols::xdg_session_management::KeptSessions;

/// Chunks on their way to one peer at a time: enough to keep a link busy, little enough for memory (4 MiB each).
const IN_FLIGHT: usize = 4;

/// What is kept free on the disk when groups arrive, so that a move does not fill it to the last byte.
const SPARE_SPACE: u64 = 16 << 20;

/// Something to do.
#[derive(Debug)]
pub enum Job {
    /// What the heart asks.
    Request {
        /// Comes back.
        id: StoreId,
        /// What.
        request: StoreRequest,
        /// What belongs to it.
        with: Box<With>,
    },
    /// A blob for the next save.
    PutBlob {
        /// Whose.
        group: GroupId,
        /// What it should be.
        blob: BlobRef,
        /// Sealed, of that length.
        file: OwnedFd,
    },
    /// Hand a blob out. Answered on its own.
    GetBlob {
        /// Whose.
        group: GroupId,
        /// Which.
        hash: BlobHash,
        /// To whom.
        reply: Reply<OwnedFd>,
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
    /// Something that may take long: a step of it is done whenever nothing else waits.
    Errand {
        /// Comes back.
        operation: OperationId,
        /// What.
        errand: Errand,
    },
    /// Something short to do with the store.
    With(WithStore),
    /// Find out how much the store takes.
    Measure,
    /// Write what the user chose. It has nothing to do with the store but that it must come to the disk too.
    Choices(Choices),
    /// Write where windows stand. As above.
    WindowSessions(KeptSessions),
    /// The session ends: nothing that comes after this is done.
    End,
}

/// What is done with the store, by whoever asks for it.
pub struct WithStore(Box<dyn FnOnce(&mut Store) + Send>);

impl WithStore {
    /// This. What comes of it, it tells by itself.
    pub fn new(what: impl FnOnce(&mut Store) + Send + 'static) -> WithStore {
        WithStore(Box::new(what))
    }
}

impl std::fmt::Debug for WithStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WithStore(…)")
    }
}

/// What the heart does not know of its requests.
#[derive(Debug, Default)]
pub struct With {
    /// `Write`: the state and its parts.
    pub payload: Option<Payload>,
    /// `Write`: the group's windows as they are.
    pub windows: Vec<WindowSnapshot>,
    /// `Write`: whether they have pictures.
    pub pictures: Pictures,
    /// `Retain`: blobs that a save on its way needs.
    pub waiting: BTreeSet<BlobHash>,
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// Something was not kept (choices that could not be written, a save for which there is no room): what the user is to be told.
    NotKept(String),
    /// The store takes this much from now on.
    Space(Space),
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
        payload: Payload,
        /// What it contains.
        revision: Revision,
        /// Who wrote it.
        build: Build,
        /// What cannot be read of what belongs to it, for people.
        lacks: Option<String>,
    },
    /// A group that came has these blobs.
    Blobs {
        /// Which.
        group: GroupId,
        /// By generation.
        blobs: BTreeMap<Generation, Vec<BlobRef>>,
    },
    /// To `PutBlob`.
    BlobPut {
        /// Whose.
        group: GroupId,
        /// Which.
        blob: BlobRef,
        /// Whether it is durable.
        outcome: Result<(), Refusal>,
    },
    /// How far an errand is.
    Progress {
        /// Which.
        operation: OperationId,
        /// How far.
        far: Progress,
    },
    /// An errand has ended.
    Errand {
        /// Which.
        operation: OperationId,
        /// How.
        ended: Ended,
    },
    /// To `Windows`.
    Windows {
        /// Which.
        group: GroupId,
        /// Lowest first; empty when they cannot be read.
        windows: Vec<WindowSnapshot>,
    },
}

/// Everything the journals say, for the heart's recovery; and the groups that cannot be read, which are set aside.
///
/// # Errors
/// When the store's folder cannot be read at all.
pub fn histories(store: &mut Store) -> Result<(Vec<GroupHistory>, Vec<Aside>), StoreError> {
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    for group in store.groups()? {
        match history(store, group) {
            Ok(history) => all.push(history),
            Err(e) => unreadable.push(aside(group, &e)),
        }
    }
    Ok((all, unreadable))
}

/// What one group's journal says.
fn history(store: &mut Store, group: GroupId) -> Result<GroupHistory, StoreError> {
    let entries = store.journal(group)?;
    let newest = store.generations(group).unwrap_or_default().pop();
    let build = newest.as_ref().map(|info| info.build.clone());
    let (app, title) = newest
        .map(|info| (info.app, info.title))
        .unwrap_or_default();
    Ok(GroupHistory {
        group,
        app,
        title,
        build,
        entries,
    })
}

/// A group whose journal cannot be read.
fn aside(group: GroupId, error: &StoreError) -> Aside {
    let StoreError::Damaged {
        title,
        what,
        last_good,
        ..
    } = error
    else {
        return Aside {
            group,
            title: String::new(),
            generation: None,
            why: format!("{error}. The group rests; start the session again when that is done."),
        };
    };
    let name = title.as_ref().map(|t| format!(" (“{t}”)"));
    let good = match last_good {
        Some(generation) => format!(
            "Its last good generation is {generation}, which can be exported and imported as a group of its own"
        ),
        None => "None of its generations is known to be good".to_owned(),
    };
    Aside {
        group,
        title: title.clone().unwrap_or_default(),
        generation: *last_good,
        why: format!(
            "Group {group}{} is damaged on disk: {what}. It rests, and all its files are kept as they are. {good}. To have the rest \
             of it again, bring that file back from a backup and start the session again; `overwinter doctor` names all that is \
             damaged.",
            name.unwrap_or_default()
        ),
    }
}

/// Starts the worker. `answer` is called on its thread. It ends with [`Job::End`], or when every sender
/// of jobs is gone.
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
                errands: Errands::default(),
                telling: space::Telling::default(),
            };
            worker.run(&todo);
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
    errands: Errands,
    telling: space::Telling,
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
    /// Until the end: jobs as they come, and in between a step of an errand.
    fn run(&mut self, todo: &mpsc::Receiver<Job>) {
        loop {
            // A group that is on its way here is not to be collected.
            let arriving = !self.arriving.is_empty() || !self.arrived.is_empty();
            let job = if self.errands.is_empty() || arriving {
                todo.recv().ok()
            } else {
                match todo.try_recv() {
                    Ok(job) => Some(job),
                    Err(mpsc::TryRecvError::Empty) => {
                        self.errand();
                        continue;
                    }
                    Err(mpsc::TryRecvError::Disconnected) => None,
                }
            };
            match job {
                None | Some(Job::End) => return,
                Some(job) => {
                    self.work(job);
                    self.tell_space();
                }
            }
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Request { id, request, with } => {
                if let Some(reply) = self.request(id, request, *with) {
                    self.reply(id, reply);
                }
            }
            Job::PutBlob { group, blob, file } => {
                let put = self.store.put_blob(group, blob, &File::from(file));
                (self.answer)(Answer::BlobPut {
                    group,
                    blob,
                    outcome: put.map_err(|e| refusal_of(&e)),
                });
            }
            Job::GetBlob { group, hash, reply } => reply.send(self.get_blob(group, hash)),
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
            Job::Errand { operation, errand } => self.errands.add(operation, errand),
            Job::With(WithStore(what)) => what(&mut self.store),
            Job::Measure => {
                if let Err(e) = self.store.space() {
                    tracing::warn!("how much the store takes is unknown: {e}");
                }
            }
            Job::Choices(choices) => {
                if let Err(why) = choices.write() {
                    (self.answer)(Answer::NotKept(why));
                }
            }
            Job::WindowSessions(kept) => {
                if let Err(why) = kept.write() {
                    (self.answer)(Answer::NotKept(why));
                }
            }
            Job::End => {}
        }
    }

    fn reply(&self, id: StoreId, reply: StoreReply) {
        (self.answer)(Answer::Reply { id, reply });
    }

    /// `None`: the answer went out already or comes later.
    fn request(&mut self, id: StoreId, request: StoreRequest, with: With) -> Option<StoreReply> {
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
                let Some(Payload {
                    state,
                    blobs,
                    secrets,
                    ..
                }) = with.payload
                else {
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
                    windows: with.windows,
                };
                let parts = Parts {
                    blobs: blobs.iter().copied().collect(),
                    secrets: Arc::try_unwrap(secrets).unwrap_or_else(|shared| (*shared).clone()),
                    pictures: with.pictures,
                };
                let written = self
                    .store
                    .put_with(group, lease, revision, &snapshot, &parts);
                self.saved(&written);
                Some(written.map_or_else(|e| failed(&e), StoreReply::Written))
            }
            StoreRequest::Read { group, generation } => match self.store.read(group, generation) {
                Ok(stored) => {
                    let snapshot = stored.snapshot;
                    (self.answer)(Answer::Read {
                        id,
                        payload: Payload {
                            group,
                            state: Arc::new(snapshot.state),
                            blobs: Arc::new(stored.blobs.into_iter().collect()),
                            secrets: Arc::new(stored.secrets),
                        },
                        revision: snapshot.revision,
                        build: snapshot.build,
                        lacks: stored.lacks,
                    });
                    None
                }
                Err(e) => Some(failed(&e)),
            },
            StoreRequest::Record { group, record } => Some(self.record(group, &record)),
            StoreRequest::Retain { group, keep } => {
                let swept = self.store.retain_with(group, &keep, &with.waiting);
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

    fn get_blob(&mut self, group: GroupId, hash: BlobHash) -> Result<OwnedFd, Refusal> {
        let mut outcome = Ok(());
        let sealed = overwinter_bus::seal("overwinter-blob", |file| {
            outcome = self.store.blob(group, hash, file).map(drop);
            std::io::Result::Ok(())
        });
        outcome.map_err(|e| refusal_of(&e))?;
        sealed.map_err(|e| {
            Refusal::Failed(format!(
                "the system gives no memory for blob {hash} ({e}); it is kept. Ask again later"
            ))
        })
    }

    /// With their pictures or, where these are damaged, without; places of the last good generation rather than none: a
    /// ghost is how the user gets at the group.
    fn windows_of(
        &mut self,
        group: GroupId,
        generation: Generation,
    ) -> Result<Vec<WindowSnapshot>, StoreError> {
        let damage = match self.store.get(group, generation) {
            Ok(snapshot) => return Ok(snapshot.windows),
            Err(e) => e,
        };
        tracing::warn!("a plain ghost: {damage}");
        let good = match &damage {
            StoreError::Damaged { last_good, .. } => *last_good,
            _ => None,
        };
        let places = [Some(generation), good].into_iter().flatten();
        for generation in places {
            if let Ok(stored) = self.store.read(group, generation) {
                return Ok(stored.snapshot.windows);
            }
        }
        Err(damage)
    }

    fn windows(&mut self, group: GroupId, generation: Generation) {
        let windows = self.windows_of(group, generation).unwrap_or_else(|e| {
            tracing::warn!("no ghost: {e}");
            Vec::new()
        });
        (self.answer)(Answer::Windows { group, windows });
    }
}

/// The words for whoever gave or asked for a blob.
fn refusal_of(error: &StoreError) -> Refusal {
    let text = error.to_string();
    match error {
        StoreError::BadBlob { .. } => Refusal::BadPayload(text),
        StoreError::NoBlob { .. } | StoreError::UnknownGroup(_) => Refusal::MissingBlob(text),
        _ => Refusal::Failed(text),
    }
}

/// What should be gone and is not there is as it should be.
fn gone_is_fine(outcome: Result<(), StoreError>) -> StoreReply {
    match outcome {
        Ok(()) | Err(StoreError::UnknownGroup(_)) => StoreReply::Recorded,
        Err(e) => failed(&e),
    }
}
