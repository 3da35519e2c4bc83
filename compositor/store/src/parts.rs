//! The parts of a generation: the snapshot, its windows' pictures, its blobs, its secrets.
//!
//! Each is cut and named by content on its own, so that what did not change is not written again: a save that differs in
//! one field writes the snapshot, whatever hangs on it. Blobs come before the save that names them
//! ([`put_blob`](Store::put_blob)) and are read when they are asked for ([`blob`](Store::blob)), a piece at a time.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::File,
    io::Write,
    os::unix::fs::FileExt,
};

use overwinter_proto::{
    BlobHash, BlobRef, Build, Generation, GroupId, JournalRecord, Lease, Revision, Secrets,
    Snapshot,
    parts::{MAX_BLOB, MAX_BLOBS},
    snapshot::{Picture, WindowSnapshot},
    transfer::ChunkId,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    blocks::Batch,
    error::{Result, StoreError},
    group::{Body, GroupState, Info, Part},
    reading::Reading,
    store::{MAX_SNAPSHOT, Store},
};

/// So much of a blob is in memory at a time.
const PIECE: usize = 16 << 20;

/// What is saved beside a snapshot.
#[derive(Debug, Default)]
pub struct Parts {
    /// What the state refers to: every one given by [`Store::put_blob`], or of a generation that is there.
    pub blobs: Vec<BlobRef>,
    /// Sealed apart from everything else.
    pub secrets: Secrets,
    /// Where the windows' pictures come from.
    pub pictures: Pictures,
}

/// Where the pictures of a save come from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// The snapshot brings them.
    #[default]
    Given,
    /// Each window looks as in the generation before; what the snapshot brings does not count.
    AsBefore,
}

/// What is needed to restore a state; its blobs are read when they are needed.
#[derive(Debug)]
pub struct Stored {
    /// The snapshot, without pictures.
    pub snapshot: Snapshot,
    /// What the state refers to.
    pub blobs: Vec<BlobRef>,
    /// Empty where they cannot be read.
    pub secrets: Secrets,
    /// What of it cannot be read though the rest can, for people.
    pub lacks: Option<String>,
}

/// The picture of the window of this name.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pictured {
    window: String,
    picture: Picture,
}

/// One line of the list of blobs, which is ordered by hash.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) hash: BlobHash,
    pub(crate) part: Part,
}

impl Store {
    /// As [`put`](Store::put), with the parts that the snapshot does not hold itself.
    ///
    /// # Errors
    /// As [`put`](Store::put), and [`StoreError::NoBlob`].
    pub fn put_with(
        &mut self,
        group: GroupId,
        lease: Lease,
        revision: Revision,
        snapshot: &Snapshot,
        parts: &Parts,
    ) -> Result<Generation> {
        let (bytes, pictures) = apart(snapshot, parts.pictures);
        let size = bytes.len() as u64 + pictures.as_ref().map_or(0, |p| p.len() as u64);
        if size > MAX_SNAPSHOT || parts.blobs.len() > MAX_BLOBS {
            return Err(StoreError::TooLarge {
                size,
                limit: MAX_SNAPSHOT,
            });
        }
        self.ensure(group)?;
        let stored = self.with_whole(group, |store, state| {
            if lease < state.lease {
                return Err(StoreError::StaleLease {
                    group,
                    given: lease,
                    current: state.lease,
                });
            }
            let mut batch = Batch::default();
            let from = state.mark.offset;
            let written = store
                .write_parts(group, state, &bytes, pictures.as_deref(), parts, &mut batch)
                .and_then(|written| store.commit(group, state, lease, revision, snapshot, written));
            match written {
                Ok(generation) => {
                    store.keep(group, state, batch, from);
                    Ok(generation)
                }
                Err(e) => {
                    // After an unknown outcome the journal may refer to the chunks: they stay.
                    if !state.unsettled {
                        store.undo(group, batch);
                    }
                    Err(e)
                }
            }
        });
        if stored.is_err() {
            self.drop_if_empty(group);
        }
        stored
    }

    /// Writes everything that is not there yet; nothing refers to it when this returns.
    fn write_parts(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        bytes: &[u8],
        pictures: Option<&[u8]>,
        parts: &Parts,
        batch: &mut Batch,
    ) -> Result<Written> {
        let blobs = self.list_of(group, state, &parts.blobs)?;
        let body = self.write_part(group, state, bytes, batch)?;
        let mut write = |store: &mut Store, bytes: Option<&[u8]>| {
            bytes
                .map(|bytes| store.write_part(group, state, bytes, batch))
                .transpose()
        };
        let some = |section: &'_ [u8]| (!section.is_empty()).then(|| section.to_vec());
        let given = write(self, pictures)?;
        let blobs = write(self, blobs.as_deref())?;
        let secrets = write(
            self,
            some(&parts.secrets.staying)
                .map(Zeroizing::new)
                .as_deref()
                .map(Vec::as_slice),
        )?;
        let travelling = write(
            self,
            some(&parts.secrets.travelling)
                .map(Zeroizing::new)
                .as_deref()
                .map(Vec::as_slice),
        )?;
        let pictures = match parts.pictures {
            Pictures::Given => given,
            Pictures::AsBefore => state
                .generations
                .last_key_value()
                .and_then(|(_, former)| former.pictures.clone()),
        };
        self.place(group, state, batch)?;
        Ok(Written {
            body,
            pictures,
            blobs,
            secrets,
            travelling,
        })
    }

    fn commit(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        lease: Lease,
        revision: Revision,
        snapshot: &Snapshot,
        written: Written,
    ) -> Result<Generation> {
        let next = state.highest.0.checked_add(1);
        let generation = Generation(next.ok_or_else(|| StoreError::Refused {
            group,
            why: "its generations have used up all numbers".to_owned(),
        })?);
        let info = Info {
            generation,
            revision,
            lease,
            app: Info::short(&snapshot.app),
            build: Build {
                version: Info::short(&snapshot.build.version),
                id: Info::short(&snapshot.build.id),
            },
            title: Info::short(&snapshot.title),
            len: written.body.len,
            listed: written.body.listed,
            chunks: written.body.chunks,
            pictures: written.pictures,
            blobs: written.blobs,
            secrets: written.secrets,
            travelling: written.travelling,
        };
        if let Some((newest, former)) = state.generations.last_key_value()
            && former.same_save(&info)
        {
            return Ok(*newest);
        }
        let record = JournalRecord::Stored {
            generation,
            revision,
            lease,
        };
        self.append(group, state, Body::Generation { record, info })?;
        Ok(generation)
    }

    /// The list of the blobs that a save names, as bytes.
    fn list_of(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        blobs: &[BlobRef],
    ) -> Result<Option<Vec<u8>>> {
        if blobs.is_empty() {
            return Ok(None);
        }
        self.read_blobs(group, state);
        let known = state.blobs.get_or_insert_default();
        let wanted: BTreeSet<&BlobRef> = blobs.iter().collect();
        let mut lines = Vec::with_capacity(wanted.len());
        for BlobRef { hash, len } in wanted {
            match known.get(hash) {
                Some(part) if part.len == *len => lines.push(Line {
                    hash: *hash,
                    part: part.clone(),
                }),
                _ => return Err(StoreError::NoBlob { group, hash: *hash }),
            }
        }
        Ok(Some(overwinter_proto::encode(&lines)))
    }

    /// Where the blobs of a generation are.
    ///
    /// # Errors
    /// What is wrong with their list, for people.
    pub(crate) fn blobs_of(
        &self,
        group: GroupId,
        state: &GroupState,
        info: &Info,
    ) -> std::result::Result<BTreeMap<BlobHash, Part>, String> {
        let Some(part) = &info.blobs else {
            return Ok(BTreeMap::new());
        };
        let list = self.read_part(group, state, part)?;
        let lines: Vec<Line> =
            overwinter_proto::decode(&list).map_err(|e| format!("its list of blobs is {e}"))?;
        Ok(lines
            .into_iter()
            .map(|line| (line.hash, line.part))
            .collect())
    }

    /// Learns which blobs the generations have. One whose list cannot be read has none; a save that needs them is refused.
    fn read_blobs(&self, group: GroupId, state: &mut GroupState) {
        if state.blobs.is_some() {
            return;
        }
        let mut known = BTreeMap::new();
        for info in state.roots() {
            match self.blobs_of(group, state, info) {
                Ok(blobs) => known.extend(blobs),
                Err(what) => tracing::warn!("{group:?}: in generation {} {what}", info.generation),
            }
        }
        state.blobs = Some(known);
    }

    /// Lets go of the blobs that no generation has, save those in `waiting`, and names the chunks of these.
    pub(crate) fn blobs_that_stay(
        &self,
        group: GroupId,
        state: &mut GroupState,
        waiting: &BTreeSet<BlobHash>,
    ) -> BTreeSet<ChunkId> {
        let before = state.blobs.take().unwrap_or_default();
        self.read_blobs(group, state);
        let mut needed = BTreeSet::new();
        for (hash, part) in before
            .into_iter()
            .filter(|(hash, _)| waiting.contains(hash))
        {
            needed.extend(part.chunks.iter().map(|(id, _)| *id));
            if let Ok(chunks) = self.chunks_of(group, state, &part) {
                needed.extend(chunks.into_iter().map(|(id, _)| id));
            }
            if let Some(known) = &mut state.blobs {
                known.entry(hash).or_insert(part);
            }
        }
        needed
    }

    /// Takes a blob for the next save that names it. When this returns a power cut cannot undo it; until a save names it,
    /// [`retain_with`](Store::retain_with) must be told to keep it. A blob that the group has already writes nothing.
    ///
    /// The file must not change meanwhile (a sealed memfd). It is read twice: first to see that it is what it should be.
    ///
    /// # Errors
    /// [`StoreError::BadBlob`], [`StoreError::Full`], or the disk failed. Nothing is kept of it then.
    pub fn put_blob(&mut self, group: GroupId, blob: BlobRef, file: &File) -> Result<()> {
        check_blob(blob, file)?;
        self.ensure(group)?;
        let put = self.with_whole(group, |store, state| {
            store.read_blobs(group, state);
            let mut batch = Batch::default();
            let written = store
                .write_blob(group, state, blob, file, &mut batch)
                .and_then(|part| store.place(group, state, &mut batch).map(|()| part));
            match written {
                Ok(part) => {
                    store.enter_batch(group, state, batch);
                    state.blobs.get_or_insert_default().insert(blob.hash, part);
                    Ok(())
                }
                Err(e) => {
                    store.undo(group, batch);
                    Err(e)
                }
            }
        });
        if put.is_err() {
            self.drop_if_empty(group);
        }
        put
    }

    fn write_blob(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        blob: BlobRef,
        file: &File,
        batch: &mut Batch,
    ) -> Result<Part> {
        let mut chunks = Vec::new();
        let mut outcome = Ok(());
        each_piece(blob, file, |piece| {
            match self.write_chunks(group, state, piece, batch) {
                Ok(more) => chunks.extend(more),
                Err(e) => outcome = Err(e),
            }
            outcome.is_ok()
        })?;
        outcome?;
        self.list_part(group, state, blob.len, chunks, batch)
    }

    /// Writes the content of a blob of the group to `to`; every byte of it is verified.
    ///
    /// # Errors
    /// [`StoreError::NoBlob`], [`StoreError::BlobDamaged`], or `to` fails.
    pub fn blob(&mut self, group: GroupId, hash: BlobHash, to: &mut dyn Write) -> Result<BlobRef> {
        self.with(group, |store, state| {
            store.read_blobs(group, state);
            let part = state
                .blobs
                .as_ref()
                .and_then(|known| known.get(&hash))
                .cloned();
            let part = part.ok_or(StoreError::NoBlob { group, hash })?;
            let damaged = |what: String| StoreError::BlobDamaged { group, hash, what };
            let mut hasher = blake3::Hasher::new();
            for (id, _) in store.chunks_of(group, state, &part).map_err(damaged)? {
                let (_, plain) = store.read_chunk(group, state, id).map_err(damaged)?;
                hasher.update(&plain);
                to.write_all(&plain).map_err(|e| StoreError::Io {
                    doing: "hand out",
                    path: store.disk.chunk(group, id),
                    source: e,
                })?;
            }
            if hasher.count() != part.len || hasher.finalize() != hash.0 {
                return Err(damaged("its chunks do not add up".to_owned()));
            }
            Ok(BlobRef {
                hash,
                len: part.len,
            })
        })
    }

    /// The blobs that each generation refers to, by generation. One whose list cannot be read is left out.
    ///
    /// # Errors
    /// The group cannot be read.
    pub fn blobs(&mut self, group: GroupId) -> Result<BTreeMap<Generation, Vec<BlobRef>>> {
        self.with(group, |store, state| {
            let listed = state
                .generations
                .values()
                .filter(|info| info.blobs.is_some());
            let of = |info: &Info| {
                let blobs = store.blobs_of(group, state, info).ok()?;
                Some((info.generation, refs(&blobs)))
            };
            Ok(listed.filter_map(of).collect())
        })
    }

    /// Reads what is needed to restore a state: all but pictures and blobs. Secrets that are damaged are left out, rather than
    /// the work, and that is said.
    ///
    /// # Errors
    /// As [`get`](Store::get).
    pub fn read(&mut self, group: GroupId, generation: Generation) -> Result<Stored> {
        self.with_generation(group, generation, |store, state, info| {
            let body = store.read_part(group, state, &info.body())?;
            let snapshot =
                overwinter_proto::decode(&body).map_err(|e| format!("the snapshot is {e}"))?;
            let mut lacks = None;
            let mut section = |part: Option<&Part>| {
                let read = part.map_or(Ok(Vec::new()), |part| store.read_part(group, state, part));
                read.unwrap_or_else(|what| {
                    lacks = Some(format!("its secrets cannot be read: {what}"));
                    Vec::new()
                })
            };
            let secrets = Secrets {
                staying: section(info.secrets.as_ref()),
                travelling: section(info.travelling.as_ref()),
            };
            Ok(Stored {
                snapshot,
                blobs: refs(&store.blobs_of(group, state, info)?),
                secrets,
                lacks,
            })
        })
    }

    pub(crate) fn with_generation<T>(
        &mut self,
        group: GroupId,
        generation: Generation,
        f: impl FnOnce(&Store, &GroupState, &Info) -> std::result::Result<T, String>,
    ) -> Result<T> {
        self.with(group, |store, state| {
            let Some(info) = state.generations.get(&generation) else {
                return Err(match state.damage.clone() {
                    Some(what) => store.damaged(group, state, what),
                    None => StoreError::UnknownGeneration {
                        group,
                        generation,
                        newest: state.newest(),
                    },
                });
            };
            f(store, state, info).map_err(|what| {
                store.damaged(group, state, format!("in generation {generation} {what}"))
            })
        })
    }

    /// The snapshot of a generation, pictures included.
    pub(crate) fn read_snapshot(
        &self,
        group: GroupId,
        state: &GroupState,
        info: &Info,
    ) -> std::result::Result<Snapshot, String> {
        let body = self.read_part(group, state, &info.body())?;
        let mut snapshot: Snapshot =
            overwinter_proto::decode(&body).map_err(|e| format!("the snapshot is {e}"))?;
        if let Some(part) = &info.pictures {
            let bytes = self.read_part(group, state, part)?;
            let pictures: Vec<Pictured> = overwinter_proto::decode(&bytes)
                .map_err(|e| format!("its list of pictures is {e}"))?;
            for Pictured { window, picture } in pictures {
                let bare = |w: &&mut WindowSnapshot| w.name == window && w.picture.is_none();
                if let Some(window) = snapshot.windows.iter_mut().find(bare) {
                    window.picture = Some(picture);
                }
            }
        }
        Ok(snapshot)
    }

    /// Reads everything of a generation, blobs included, to see that it is there and what it should be.
    pub(crate) fn read_whole(
        &self,
        group: GroupId,
        state: &GroupState,
        info: &Info,
    ) -> std::result::Result<(), String> {
        let mut read = |id| Ok(self.read_chunk(group, state, id)?.1);
        Reading::new(info, HashSet::new()).finish(&mut read)
    }
}

/// Where the parts of a save were written.
struct Written {
    body: Part,
    pictures: Option<Part>,
    blobs: Option<Part>,
    secrets: Option<Part>,
    travelling: Option<Part>,
}

/// A [`Snapshot`] whose windows have no pictures.
#[derive(Serialize)]
struct Bare<'a> {
    app: &'a str,
    build: &'a Build,
    revision: Revision,
    title: &'a str,
    #[serde(with = "serde_bytes")]
    state: &'a [u8],
    windows: Vec<WindowSnapshot>,
}

/// The snapshot without pictures, and the pictures, as bytes.
fn apart(snapshot: &Snapshot, pictures: Pictures) -> (Vec<u8>, Option<Vec<u8>>) {
    let window = |w: &WindowSnapshot| WindowSnapshot {
        name: w.name.clone(),
        title: w.title.clone(),
        place: w.place,
        picture: None,
    };
    let bare = overwinter_proto::encode(&Bare {
        app: &snapshot.app,
        build: &snapshot.build,
        revision: snapshot.revision,
        title: &snapshot.title,
        state: &snapshot.state,
        windows: snapshot.windows.iter().map(window).collect(),
    });
    if pictures == Pictures::AsBefore {
        return (bare, None);
    }
    let pictured = |w: &WindowSnapshot| {
        Some(Pictured {
            window: w.name.clone(),
            picture: w.picture.clone()?,
        })
    };
    let taken: Vec<Pictured> = snapshot.windows.iter().filter_map(pictured).collect();
    let pictures = (!taken.is_empty()).then(|| overwinter_proto::encode(&taken));
    (bare, pictures)
}

fn refs(blobs: &BTreeMap<BlobHash, Part>) -> Vec<BlobRef> {
    let of = |(hash, part): (&BlobHash, &Part)| BlobRef {
        hash: *hash,
        len: part.len,
    };
    blobs.iter().map(of).collect()
}

fn bad(blob: BlobRef, why: impl Into<String>) -> StoreError {
    StoreError::BadBlob {
        hash: blob.hash,
        why: why.into(),
    }
}

/// Sees that a file is the blob that it should be.
fn check_blob(blob: BlobRef, file: &File) -> Result<()> {
    let len = file.metadata().map_or(0, |m| m.len());
    if len != blob.len {
        return Err(bad(
            blob,
            format!("it has {len} bytes instead of {}", blob.len),
        ));
    }
    if len > MAX_BLOB {
        return Err(bad(
            blob,
            format!("it has {len} bytes, the most is {MAX_BLOB}"),
        ));
    }
    let mut hasher = blake3::Hasher::new();
    each_piece(blob, file, |piece| {
        hasher.update(piece);
        true
    })?;
    if hasher.finalize() == blob.hash.0 {
        Ok(())
    } else {
        Err(bad(blob, "its content has another BLAKE3"))
    }
}

/// Hands the content over piece by piece, at least one, until `take` says no.
fn each_piece(blob: BlobRef, file: &File, mut take: impl FnMut(&[u8]) -> bool) -> Result<()> {
    let mut piece = vec![0; PIECE.min(usize::try_from(blob.len).unwrap_or(PIECE))];
    let mut at = 0;
    loop {
        let len = usize::try_from(blob.len - at).map_or(PIECE, |left| left.min(PIECE));
        // Positioned reads: where the sender left the shared file offset does not matter.
        file.read_exact_at(&mut piece[..len], at)
            .map_err(|e| bad(blob, format!("it cannot be read ({e})")))?;
        at += len as u64;
        if !take(&piece[..len]) || at >= blob.len {
            return Ok(());
        }
    }
}
