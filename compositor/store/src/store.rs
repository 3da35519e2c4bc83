//! The store: put, get, record, and what they stand on.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use overwinter_proto::{
    Build, Generation, GroupId, JournalRecord, Lease, Revision, Snapshot, journal::JournalEntry,
};

use crate::{
    disk::Disk,
    error::{Result, StoreError},
    frame,
    group::{Body, GroupState, Info},
    hints::Hints,
    index::Index,
    keys::{GroupKeys, Master},
    parts::Parts,
    slots::Unlock,
    trash::Trash,
    vfs::{RealFs, Vfs},
};

/// Largest encoded snapshot: the largest state and its pictures. A bound for memory, not a design limit.
pub const MAX_SNAPSHOT: u64 = 2 * overwinter_proto::snapshot::MAX_STATE as u64;

/// A store that this process has opened and locked. Calls block on the disk: they belong on a thread of their own.
pub struct Store {
    pub(crate) disk: Disk,
    pub(crate) master: Master,
    /// The one before, while a rotation is not completed: some files are still sealed under it.
    pub(crate) former: Option<Master>,
    pub(crate) hints: Hints,
    pub(crate) groups: BTreeMap<GroupId, GroupState>,
    pub(crate) trash: Trash,
    pub(crate) limits: Limits,
    /// Bytes that the store takes, once asked; kept up from then on.
    pub(crate) used: Option<u64>,
    /// Held until the store is dropped.
    pub(crate) _lock: Box<dyn Send>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.disk.dir.display())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.hints.flush();
    }
}

/// What a store may take, and when it tidies up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A save that would make chunks, journals and trash take more than this many bytes is refused. None: all the disk.
    pub quota: Option<u64>,
    /// A journal of at least this many bytes is compacted.
    pub journal: u64,
    /// How long a swept chunk stays in the trash.
    pub grace: Duration,
    /// So many bytes may lie in the trash; of more, the oldest go early.
    pub trash: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            quota: None,
            // Some thousand saves.
            journal: 1 << 20,
            // Long enough to see that something is missing, short enough that it is not noticed on the disk.
            grace: Duration::from_secs(600),
            trash: 256 << 20,
        }
    }
}

/// With what a store is opened; the default is the disk of this machine and an index in `DIR/index`.
pub struct Options {
    /// The disk.
    pub vfs: Arc<dyn Vfs>,
    /// What opens the slots of the master key; the key file, where there is one, needs nothing. A new store gets these
    /// slots, and a key file when they are not two.
    pub unlock: Vec<Unlock>,
    /// What it may take.
    pub limits: Limits,
    /// An index to use instead of the one in `DIR/index`.
    pub index: Option<Box<dyn Index>>,
    /// The program that keeps the one in `DIR/index`; else it is looked for beside the one that runs.
    pub index_program: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            vfs: Arc::new(RealFs),
            unlock: Vec::new(),
            limits: Limits::default(),
            index: None,
            index_program: None,
        }
    }
}

/// What happened when a store was opened. Everything but `damaged` is ordinary.
#[derive(Debug)]
pub struct OpenReport {
    /// A new store was made.
    pub created: bool,
    /// Groups in it.
    pub groups: usize,
    /// Groups whose journal was read now, because the index did not vouch for it.
    pub read: usize,
    /// Groups whose last, never acknowledged record was cut off.
    pub torn: Vec<GroupId>,
    /// Groups that cannot be read whole, or not at all just now. Their files were left alone, all others can be used.
    pub damaged: Vec<(GroupId, StoreError)>,
    /// Why the index was built anew, if it was.
    pub index: Option<String>,
    /// Groups whose forgetting was cut short and has now been completed.
    pub forgotten: Vec<GroupId>,
    /// Names in the folder that are none of the store's. They were left alone.
    pub strangers: Vec<String>,
    /// A plain word about how the master key is kept; empty when there is nothing to warn of.
    pub key_warning: String,
}

/// A generation, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationInfo {
    /// Its number.
    pub generation: Generation,
    /// The app's mutation counter in it.
    pub revision: Revision,
    /// Lease of the holder that saved it.
    pub lease: Lease,
    /// App id.
    pub app: String,
    /// The code that wrote it.
    pub build: Build,
    /// Title of the main window (at most 200 characters).
    pub title: String,
    /// Encoded length in bytes, before compression.
    pub size: u64,
    /// A restore of it was adopted, lived and saved again.
    pub proven: bool,
}

impl Store {
    /// Opens the store in a folder, and makes one when the folder is empty or missing.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::NewerFormat`], [`StoreError::NotAStore`], [`StoreError::Master`], or the disk
    /// failed. What is wrong with single groups is no error here: see [`OpenReport::damaged`].
    pub fn open(dir: &Path) -> Result<(Store, OpenReport)> {
        Store::open_with(dir, Options::default())
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        &self.disk.dir
    }

    /// Stores a snapshot. When this returns a power cut cannot undo it. The same save told twice (same lease, revision and
    /// content as the newest generation) is answered with the same number and writes nothing.
    ///
    /// # Errors
    /// [`StoreError::StaleLease`], [`StoreError::Full`], [`StoreError::TooLarge`], [`StoreError::Forgotten`],
    /// [`StoreError::Damaged`], or the disk failed. All former generations are kept in every case.
    pub fn put(
        &mut self,
        group: GroupId,
        lease: Lease,
        revision: Revision,
        snapshot: &Snapshot,
    ) -> Result<Generation> {
        self.put_with(group, lease, revision, snapshot, &Parts::default())
    }

    /// Reads a snapshot back; every byte of it is verified.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the last generation that reads back whole.
    pub fn get(&mut self, group: GroupId, generation: Generation) -> Result<Snapshot> {
        self.with_generation(group, generation, |store, state, info| {
            store.read_snapshot(group, state, info)
        })
    }

    /// The words for damage to a group, with the newest generation that still reads back whole.
    pub(crate) fn damaged(&self, group: GroupId, state: &GroupState, what: String) -> StoreError {
        let good = |info: &&Info| self.read_snapshot(group, state, info).is_ok();
        let last_good = state
            .generations
            .values()
            .rev()
            .find(good)
            .map(|i| i.generation);
        StoreError::Damaged {
            group,
            title: state.title(),
            what,
            last_good,
        }
    }

    /// Appends one of the heart's records. When this returns a power cut cannot undo it. `Opened` and `Lease` bring a group
    /// into being; `Stored` and `Staged` are written by [`put`](Store::put) and [`stage`](Store::stage) alone. `Released` is
    /// written only right after the `Preparing` of the same move, and only while that generation is the newest; told again, it
    /// is there already.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when the disk failed so that neither outcome is certain; everything else means not written.
    pub fn record(&mut self, group: GroupId, record: &JournalRecord) -> Result<()> {
        match record {
            JournalRecord::Stored { .. } | JournalRecord::Staged { .. } => {
                let why =
                    "this record is written together with its snapshot, never alone".to_owned();
                return Err(StoreError::Refused { group, why });
            }
            JournalRecord::Opened { .. } | JournalRecord::Lease(_) => self.ensure(group)?,
            _ => {}
        }
        let written = self.with_whole(group, |store, state| {
            if let JournalRecord::Released { tx, closure, .. } = record {
                if state.last.as_ref() == Some(record) {
                    return Ok(());
                }
                state
                    .may_release(*tx, *closure)
                    .map_err(|why| StoreError::Refused { group, why })?;
            }
            let from = state.mark.offset;
            store.append(group, state, Body::Record(record.clone()))?;
            store.hints.advance(group, from, state.mark.offset);
            Ok(())
        });
        if written.is_err() {
            self.drop_if_empty(group);
        }
        written
    }

    /// The heart's records of a group, oldest first, read from disk and verified. Sequences may have gaps.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the journal is not whole: a part of it is never passed off as all of it.
    pub fn journal(&mut self, group: GroupId) -> Result<Vec<JournalEntry>> {
        self.with_whole(group, |store, state| store.entries(group, state))
    }

    /// Every group that has at least one record, damaged ones included.
    ///
    /// # Errors
    /// The disk failed.
    pub fn groups(&mut self) -> Result<Vec<GroupId>> {
        let (mut groups, _) = self.disk.groups_in("groups")?;
        groups.retain(|group| !self.groups.get(group).is_some_and(GroupState::is_empty));
        Ok(groups)
    }

    /// The generations of a group, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the journal is not whole: older data is never presented as the newest.
    pub fn generations(&mut self, group: GroupId) -> Result<Vec<GenerationInfo>> {
        self.with_whole(group, |_, state| {
            let info = |i: &Info| GenerationInfo {
                generation: i.generation,
                revision: i.revision,
                lease: i.lease,
                app: i.app.clone(),
                build: i.build.clone(),
                title: i.title.clone(),
                size: i.len,
                proven: state.proven == Some(i.generation),
            };
            Ok(state.generations.values().map(info).collect())
        })
    }

    /// Bytes left on the store's disk.
    ///
    /// # Errors
    /// The disk failed.
    pub fn space_left(&self) -> Result<u64> {
        self.disk.space_left()
    }

    /// Makes the folders of a group unless there is one. Nothing in it counts before its first record.
    pub(crate) fn ensure(&mut self, group: GroupId) -> Result<()> {
        match self.with(group, |_, _| Ok(())) {
            Err(StoreError::UnknownGroup(_)) => {}
            known => return known,
        }
        let keys = GroupKeys::from_secret(self.disk.random()?);
        self.create(group, keys)
    }

    /// Makes the folders and the key file of a group; the key file last, so that it proves all the others.
    pub(crate) fn create(&mut self, group: GroupId, keys: GroupKeys) -> Result<()> {
        if self
            .disk
            .len(&self.disk.journal(group))?
            .is_some_and(|len| len > frame::HEADER as u64)
        {
            return Err(crate::journal::bare_damage(
                group,
                "its key file is missing",
            ));
        }
        let made = self.try_create(group, &keys);
        if made.is_err() {
            self.clear_away(group);
            made
        } else {
            let start = frame::start(&keys, group);
            let mut state = GroupState::new(keys, start);
            state.rooted = true;
            self.groups.insert(group, state);
            Ok(())
        }
    }

    fn try_create(&mut self, group: GroupId, keys: &GroupKeys) -> Result<()> {
        let (dir, objects) = (self.disk.group_dir(group), self.disk.objects(group));
        self.disk.remove_tree(&dir)?;
        self.disk.remove_tree(&objects)?;
        self.disk.mkdir(&dir)?;
        self.disk.mkdir(&objects)?;
        let temp = self.disk.temp(&frame::empty(keys, group))?;
        self.disk.rename(&temp, &self.disk.journal(group))?;
        self.disk.sync_dir(&dir)?;
        self.disk.sync_dir(&self.disk.path("groups"))?;
        self.disk.sync_dir(&self.disk.path("objects"))?;
        let wrapped = self.master.wrap(group, keys, &self.disk.random()?);
        self.disk.replace(&self.disk.key(group), &wrapped)
    }

    /// Removes what is left of a group that never had a record.
    pub(crate) fn drop_if_empty(&mut self, group: GroupId) {
        if self
            .groups
            .get(&group)
            .is_some_and(|s| s.is_empty() && s.incoming.is_empty())
        {
            self.groups.remove(&group);
            self.clear_away(group);
        }
    }

    /// Chunks, key, folder, in this order: cut short anywhere, the next opening knows it for what it is. Failing is no harm.
    pub(crate) fn clear_away(&mut self, group: GroupId) {
        let cleared = self
            .disk
            .remove_tree(&self.disk.objects(group))
            .and_then(|()| self.disk.unlink(&self.disk.key(group)))
            .and_then(|()| self.disk.remove_tree(&self.disk.group_dir(group)))
            .and_then(|()| self.drop_trash(group));
        self.used = None;
        if let Err(e) = cleared {
            tracing::debug!("{group:?}: left for the next opening: {e}");
        }
        self.hints.forget(group);
    }
}
