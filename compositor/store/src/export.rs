//! One group as one file: a generation, its keys, its chunks; what a move would send, without the other host.
//!
//! A line that says what it is, then the transfer's own messages in its own frames (`Offer`, `Chunk` …, `Finished`). Whoever
//! has the file can read the group: its keys are in it. It comes back as a new group, so that no group is ever in two places.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    io::{self, Read, Write},
};

use overwinter_proto::{
    Build, Generation, GroupId, JournalRecord, Lease, TxId,
    transfer::{ChunkId, MAX_FRAME, Message},
};

use crate::{
    errand::{Errand, Progress, STEP, Step},
    error::{Result, StoreError},
    group::{Body, GroupState, Info},
    keys::GroupKeys,
    moves::open_head,
    reading::Reading,
    store::Store,
};

/// The first bytes of such a file.
const MAGIC: &[u8] = b"overwinter-group 1\n";

/// An export is no move: nothing is decided about it.
const NO_MOVE: TxId = TxId(0);

/// Which generation of a group goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest. Where it, or the journal that says which it is, is damaged there is none.
    Newest,
    /// The newest that is whole, whatever came after it.
    LastGood,
}

/// [`Store::export`] in steps: first all of the generation is verified, then it is written, some megabytes each time. Meanwhile
/// the generation is kept, whatever is dropped.
pub struct Export<W> {
    group: GroupId,
    which: Which,
    to: W,
    stage: Sending,
    /// The generation that is being kept.
    held: Option<Generation>,
}

enum Sending {
    Begin,
    /// Candidates that are still to be tried, newest first.
    Verify {
        others: VecDeque<Info>,
        info: Box<Info>,
        reading: Box<Reading>,
    },
    Chunks {
        left: VecDeque<ChunkId>,
        total: u64,
    },
}

impl<W> std::fmt::Debug for Export<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Export({}, {:?})", self.group, self.which)
    }
}

impl<W: Write> Export<W> {
    /// `to`: readable by the user alone; the caller syncs it.
    pub fn new(group: GroupId, which: Which, to: W) -> Export<W> {
        Export {
            group,
            which,
            to,
            stage: Sending::Begin,
            held: None,
        }
    }

    fn step_on(&mut self, store: &mut Store) -> Result<Step<Generation>> {
        let group = self.group;
        store.with(group, |store, state| {
            if let Some(what) = state.damage.clone()
                && self.which == Which::Newest
            {
                return Err(store.damaged(group, state, what));
            }
            if state.unsettled {
                store.settle(group, state)?;
            }
            match &mut self.stage {
                Sending::Begin => {
                    let mut all: VecDeque<Info> = state
                        .generations
                        .values()
                        .rev()
                        // Secrets that stay on their host do not go out.
                        .map(Info::without_secrets)
                        .collect();
                    if self.which == Which::Newest {
                        all.truncate(1);
                    }
                    self.take_next(state, all)
                }
                Sending::Verify { .. } => self.verify(store, state),
                Sending::Chunks { .. } => self.send(store, state),
            }
        })
    }

    /// Begins with the next candidate.
    fn take_next(
        &mut self,
        state: &mut GroupState,
        mut others: VecDeque<Info>,
    ) -> Result<Step<Generation>> {
        let group = self.group;
        self.let_go(state);
        let info = others.pop_front().ok_or_else(|| {
            let why = match state.generations.is_empty() {
                true => "it has no generation yet",
                false => "none of its generations is whole",
            };
            StoreError::Refused {
                group,
                why: why.to_owned(),
            }
        })?;
        state.held.push(info.generation);
        self.held = Some(info.generation);
        let reading = Reading::new(&info, HashSet::new());
        self.stage = Sending::Verify {
            others,
            info: info.into(),
            reading: reading.into(),
        };
        Ok(Step::More(Progress { done: 0, total: 1 }))
    }

    fn verify(&mut self, store: &mut Store, state: &mut GroupState) -> Result<Step<Generation>> {
        let group = self.group;
        let Sending::Verify {
            others,
            info,
            reading,
        } = &mut self.stage
        else {
            return self.take_next(state, VecDeque::new());
        };
        let generation = info.generation;
        let known = state.generations.get(&generation);
        if known.map(Info::without_secrets).as_ref() != Some(&**info) {
            let why = format!("generation {generation} was taken back while it was read");
            return Err(StoreError::Refused { group, why });
        }
        let mut read = |id| Ok(store.read_chunk(group, state, id)?.1);
        let ids = match reading.step(&mut read) {
            Ok(false) => {
                let (read, of) = reading.far();
                let half = Progress {
                    done: read.min(of),
                    // Reading is half of it.
                    total: of.saturating_mul(2).max(1),
                };
                return Ok(Step::More(half));
            }
            Ok(true) => store.closure_of(group, state, info),
            Err(what) => Err(what),
        };
        match ids {
            Ok(ids) => self.head(store, state, ids),
            Err(what) if self.which == Which::Newest => {
                Err(store.damaged(group, state, format!("in generation {generation} {what}")))
            }
            Err(what) => {
                tracing::warn!("{group:?}: generation {generation} is not exported: {what}");
                let others = std::mem::take(others);
                self.take_next(state, others)
            }
        }
    }

    /// Writes what says what follows.
    fn head(
        &mut self,
        store: &mut Store,
        state: &mut GroupState,
        ids: Vec<ChunkId>,
    ) -> Result<Step<Generation>> {
        let Sending::Verify { info, .. } = &self.stage else {
            return self.take_next(state, VecDeque::new());
        };
        let manifest = store.manifest_of(self.group, state, info, &ids)?;
        let offer = Message::Offer {
            tx: NO_MOVE,
            manifest,
            keys: state.keys.to_travel(),
        };
        let failed = |e| StoreError::File("write", e);
        self.to.write_all(MAGIC).map_err(failed)?;
        write_frame(&mut self.to, &offer).map_err(failed)?;
        let total = ids.len() as u64;
        self.stage = Sending::Chunks {
            left: ids.into(),
            total,
        };
        Ok(Step::More(Progress { done: 1, total: 2 }))
    }

    fn send(&mut self, store: &mut Store, state: &mut GroupState) -> Result<Step<Generation>> {
        let group = self.group;
        let Sending::Chunks { left, total } = &mut self.stage else {
            return self.take_next(state, VecDeque::new());
        };
        let failed = |e| StoreError::File("write", e);
        let mut sent = 0;
        while sent < STEP {
            let Some(id) = left.pop_front() else {
                write_frame(&mut self.to, &Message::Finished).map_err(failed)?;
                self.to.flush().map_err(failed)?;
                let generation = self.held.unwrap_or_default();
                self.let_go(state);
                return Ok(Step::Done(generation));
            };
            let read = store.read_chunk(group, state, id);
            let (bytes, _) = read.map_err(|what| store.damaged(group, state, what))?;
            sent += bytes.len();
            let tx = NO_MOVE;
            write_frame(&mut self.to, &Message::Chunk { tx, id, bytes }).map_err(failed)?;
        }
        let total = *total;
        Ok(Step::More(Progress {
            done: (2 * total).saturating_sub(left.len() as u64),
            total: 2 * total,
        }))
    }

    /// The generation may be dropped again.
    fn let_go(&mut self, state: &mut GroupState) {
        if let Some(generation) = self.held.take()
            && let Some(at) = state.held.iter().position(|g| *g == generation)
        {
            state.held.remove(at);
        }
    }
}

impl<W: Write> Errand for Export<W> {
    /// The generation that went out.
    type Outcome = Generation;

    fn step(&mut self, store: &mut Store) -> Result<Step<Generation>> {
        let step = self.step_on(store);
        if step.is_err()
            && let Some(state) = store.groups.get_mut(&self.group)
        {
            self.let_go(state);
        }
        step
    }
}

/// [`Store::import`] in steps: chunks are taken in, then all is read again, then the group begins to be. One that is dropped
/// before its end leaves files that the next opening removes.
pub struct Import<R> {
    group: GroupId,
    from: R,
    stage: Taking,
}

enum Taking {
    Begin,
    Chunks {
        info: Box<Info>,
        left: BTreeSet<ChunkId>,
        total: u64,
    },
    Verify {
        info: Box<Info>,
        reading: Box<Reading>,
    },
}

impl<R> std::fmt::Debug for Import<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Import({})", self.group)
    }
}

impl<R: Read> Import<R> {
    /// `group`: a fresh id.
    pub fn new(from: R, group: GroupId) -> Import<R> {
        Import {
            group,
            from,
            stage: Taking::Begin,
        }
    }

    fn refused(&self, why: impl Into<String>) -> StoreError {
        StoreError::Refused {
            group: self.group,
            why: why.into(),
        }
    }

    fn begin(&mut self, store: &mut Store) -> Result<Step<Generation>> {
        let group = self.group;
        let is_nothing = |state: &GroupState| state.is_empty() && state.incoming.is_empty();
        match store.with_whole(group, |_, state| Ok(is_nothing(state))) {
            Err(StoreError::UnknownGroup(_)) => {}
            Ok(true) => store.unstage(group)?,
            _ => return Err(self.refused("there is, or was, a group of this id")),
        }
        let mut magic = [0; MAGIC.len()];
        let read = self.from.read_exact(&mut magic);
        if read.is_err() || magic != MAGIC {
            return Err(
                self.refused("the file is not an exported group of a form that is known here")
            );
        }
        let Message::Offer { manifest, keys, .. } = read_frame(&mut self.from, group)? else {
            return Err(self.refused("the file does not begin with what it holds"));
        };
        let keys = GroupKeys::from_travel(&keys).map_err(|why| self.refused(why))?;
        let info =
            open_head(&keys, manifest.group, &manifest.head).map_err(|why| self.refused(why))?;
        store.create(group, keys)?;
        let left: BTreeSet<ChunkId> = manifest.chunks.iter().map(|(id, _)| *id).collect();
        let total = left.len() as u64;
        let info = Info {
            generation: Generation(1),
            lease: Lease::FIRST,
            app: Info::short(&info.app),
            title: Info::short(&info.title),
            build: Build {
                version: Info::short(&info.build.version),
                id: Info::short(&info.build.id),
            },
            ..info
        };
        self.stage = Taking::Chunks {
            info: info.into(),
            left,
            total,
        };
        Ok(Step::More(Progress {
            done: 0,
            total: 2 * total.max(1),
        }))
    }

    fn take_chunks(&mut self, store: &mut Store) -> Result<Step<Generation>> {
        let group = self.group;
        let Taking::Chunks { info, left, total } = &mut self.stage else {
            return self.verify(store);
        };
        let total = *total;
        let mut taken = 0;
        while taken < STEP {
            match read_frame(&mut self.from, group)? {
                Message::Chunk { id, bytes, .. } if left.remove(&id) => {
                    taken += bytes.len();
                    store.put_chunk(group, id, &bytes)?;
                }
                Message::Finished if left.is_empty() => {
                    let info = info.clone();
                    let reading = Reading::new(&info, HashSet::new());
                    self.stage = Taking::Verify {
                        info,
                        reading: reading.into(),
                    };
                    return Ok(Step::More(Progress { done: 1, total: 2 }));
                }
                _ => return Err(self.refused("the file does not hold what it says it holds")),
            }
        }
        Ok(Step::More(Progress {
            done: total - left.len() as u64,
            total: 2 * total.max(1),
        }))
    }

    fn verify(&mut self, store: &mut Store) -> Result<Step<Generation>> {
        let group = self.group;
        let Taking::Verify { info, reading } = &mut self.stage else {
            return self.take_chunks(store);
        };
        store.with_whole(group, |store, state| {
            let mut read = |id| Ok(store.read_chunk(group, state, id)?.1);
            match reading.step(&mut read) {
                Ok(true) => store.adopt(group, state, (**info).clone()).map(Step::Done),
                Ok(false) => {
                    let (read, of) = reading.far();
                    Ok(Step::More(Progress {
                        done: of.saturating_add(read.min(of)),
                        total: of.saturating_mul(2).max(1),
                    }))
                }
                Err(why) => Err(StoreError::Refused { group, why }),
            }
        })
    }
}

impl<R: Read> Errand for Import<R> {
    /// The number of its one generation.
    type Outcome = Generation;

    fn step(&mut self, store: &mut Store) -> Result<Step<Generation>> {
        let begun = !matches!(self.stage, Taking::Begin);
        let step = match &self.stage {
            Taking::Begin => self.begin(store),
            Taking::Chunks { .. } => self.take_chunks(store),
            Taking::Verify { .. } => self.verify(store),
        };
        if begun && step.is_err() {
            let group = self.group;
            if let Err(e) = store.unstage(group) {
                tracing::warn!("{group:?}: what came of it is swept at the next opening: {e}");
            }
        }
        step
    }
}

impl Store {
    /// Writes a generation of a group; secrets that stay on their host are left out. The caller makes the file readable by the
    /// user alone, and syncs it. Returns which generation it is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] (all of it is verified first), or the file cannot be written.
    pub fn export(
        &mut self,
        group: GroupId,
        which: Which,
        to: &mut dyn Write,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Generation> {
        self.run(Export::new(group, which, to), progress)
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
        self.run(Import::new(from, group), progress)
    }

    /// The first generation of a group whose chunks have all come and are whole.
    fn adopt(&mut self, group: GroupId, state: &mut GroupState, info: Info) -> Result<Generation> {
        let shelves = state.incoming.iter().map(|id| id.0[0]).collect();
        self.sync_shelves(group, state, &shelves)?;
        let (generation, revision, lease) = (info.generation, info.revision, info.lease);
        let record = JournalRecord::Stored {
            generation,
            revision,
            lease,
        };
        let app = info.app.clone();
        let from = state.mark.offset;
        self.append(group, state, Body::Generation { record, info })?;
        // The group is here. How it began is told to people only: a group that was moved has no such record either.
        let opened = Body::Record(JournalRecord::Opened { app });
        if let Err(e) = self.append(group, state, opened) {
            tracing::warn!("{group:?}: it came in, and that it did could not be noted: {e}");
        }
        for id in std::mem::take(&mut state.incoming) {
            // What cannot be looked at now is written anew by the next save that needs it.
            if let Ok(Some(len)) = self.disk.len(&self.disk.chunk(group, id)) {
                self.enter(group, state, id, len);
            }
        }
        state.blobs = None;
        self.hints.advance(group, from, state.mark.offset);
        Ok(generation)
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
