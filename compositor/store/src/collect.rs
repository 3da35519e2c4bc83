//! Collection: what the store takes, and getting back what nothing needs.

use std::{collections::VecDeque, path::Path};

use overwinter_proto::GroupId;

use crate::{
    blocks::RESERVE,
    disk::on_disk,
    errand::{Errand, Progress, Step},
    error::{Result, StoreError},
    group::GroupState,
    store::Store,
    sweep::Swept,
    trash::{Empty, Item},
};

/// What a group takes on the disk, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// The group.
    pub group: String,
    /// Title of its main window; none when it cannot be read.
    pub title: Option<String>,
    /// App id.
    pub app: Option<String>,
    /// Generations.
    pub generations: usize,
    /// Its chunks.
    pub chunks: u64,
    /// Its journal.
    pub journal: u64,
    /// Chunks of it that wait in the trash.
    pub trash: u64,
}

impl Usage {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.chunks + self.journal + self.trash
    }
}

/// What a collection gave back.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Collected {
    /// Chunks moved to the trash.
    pub chunks: usize,
    /// Bytes they take until the grace time is over.
    pub bytes: u64,
    /// Bytes that came back now.
    pub freed: u64,
    /// Groups that were closed seven days ago or earlier, and are forgotten now.
    #[serde(default)]
    pub forgotten: usize,
    /// Groups that were left alone because they cannot be read whole, and why.
    pub left_alone: Vec<String>,
}

/// How much the store takes, and may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that chunks, journals and trash take.
    pub used: u64,
    /// Of these, in the trash: a collection gives them back, as does a save that needs them.
    pub trash: u64,
    /// Bytes that they may take; none: all the disk.
    pub quota: Option<u64>,
}

/// What may still be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    left: u64,
    /// It is the quota that says so: bytes used, bytes allowed.
    quota: Option<(u64, u64)>,
}

impl Room {
    /// Whether so many bytes may be written. The disk's last ones are not for saves.
    pub(crate) fn fits(self, bytes: u64) -> bool {
        let reserve = if self.quota.is_some() { 0 } else { RESERVE };
        bytes.saturating_add(reserve) <= self.left
    }

    /// Why they may not.
    pub(crate) fn refusal(self, bytes: u64) -> StoreError {
        match self.quota {
            Some((used, quota)) => StoreError::Quota {
                needed: bytes,
                used,
                quota,
            },
            None => StoreError::Full {
                needed: bytes.saturating_add(RESERVE),
                left: self.left,
            },
        }
    }
}

/// [`Store::collect`] in steps: each sweeps one group, or unlinks some of what one group has in the trash.
#[derive(Debug)]
pub struct Collection {
    now: bool,
    /// Groups that are still to be swept; none: not begun.
    groups: Option<VecDeque<GroupId>>,
    /// Then: whose trash is still to be emptied.
    trash: Option<VecDeque<(GroupId, Vec<Item>)>>,
    total: usize,
    collected: Collected,
}

/// How long a group that was closed stays: seconds. Until then it can be exported by its id.
const CLOSED_FOR: u64 = 7 * 24 * 60 * 60;

/// So much of the trash is unlinked in one step.
const UNLINKED: usize = 256;

impl Collection {
    /// `now`: without the grace time.
    pub fn new(now: bool) -> Collection {
        Collection {
            now,
            groups: None,
            trash: None,
            total: 0,
            collected: Collected::default(),
        }
    }

    fn sweep(&mut self, store: &mut Store, group: GroupId) -> Result<()> {
        if store.is_over(group)? {
            store.forget(group)?;
            self.collected.forgotten += 1;
            return Ok(());
        }
        let swept = store.with_whole(group, |store, state| {
            // What was given for a save that is still to come is needed.
            let waiting = state.blobs.iter().flatten().map(|(hash, _)| *hash);
            let waiting = waiting.collect();
            let swept = store.sweep(group, state, &waiting)?;
            // A closed group's journal says by its age when that was.
            if !state.is_closed() {
                store.compact_if_long(group, state)?;
            }
            Ok(swept)
        });
        match swept {
            Ok(Swept { chunks, bytes, .. }) => {
                self.collected.chunks += chunks;
                self.collected.bytes += bytes;
            }
            Err(e) if e.is_damage() => self.collected.left_alone.push(e.to_string()),
            Err(e) if e.is_gone() => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Unlinks some of what is due. False: there is no more.
    fn empty(&mut self, store: &mut Store) -> Result<bool> {
        let which = if self.now { Empty::All } else { Empty::Due };
        let trash = self
            .trash
            .get_or_insert_with(|| store.due(which).into_iter().collect());
        let Some((group, mut items)) = trash.pop_front() else {
            return Ok(false);
        };
        let rest = items.split_off(items.len().min(UNLINKED));
        if !rest.is_empty() {
            trash.push_front((group, rest));
        }
        self.collected.freed += store.unlink_due(group, items, &mut None)?;
        Ok(true)
    }
}

impl Errand for Collection {
    type Outcome = Collected;

    fn step(&mut self, store: &mut Store) -> Result<Step<Collected>> {
        let groups = match &mut self.groups {
            Some(groups) => groups,
            None => {
                let all: VecDeque<GroupId> = store.groups()?.into();
                self.total = all.len();
                self.groups.insert(all)
            }
        };
        if let Some(group) = groups.pop_front() {
            let left = groups.len();
            self.sweep(store, group)?;
            let done = self.total - left;
            return Ok(Step::More(Progress::of_groups(done, self.total, 0, 1)));
        }
        Ok(if self.empty(store)? {
            Step::More(Progress::of_groups(self.total, self.total, 0, 1))
        } else {
            Step::Done(std::mem::take(&mut self.collected))
        })
    }
}

/// [`Store::usage`] in steps: each counts one group.
#[derive(Debug, Default)]
pub struct Count {
    groups: Option<VecDeque<GroupId>>,
    all: Vec<Usage>,
}

impl Errand for Count {
    type Outcome = Vec<Usage>;

    fn step(&mut self, store: &mut Store) -> Result<Step<Vec<Usage>>> {
        let groups = match &mut self.groups {
            Some(groups) => groups,
            None => self.groups.insert(store.groups()?.into()),
        };
        if let Some(group) = groups.pop_front() {
            self.all.extend(store.usage_of(group)?);
            let (done, left) = (self.all.len(), groups.len());
            return Ok(Step::More(Progress::of_groups(done, done + left, 0, 1)));
        }
        let mut all = std::mem::take(&mut self.all);
        all.sort_by_key(|usage| std::cmp::Reverse(usage.total()));
        Ok(Step::Done(all))
    }
}

impl Store {
    /// Whether a group was closed so long ago that nobody wants it back. One that cannot be read is not.
    fn is_over(&mut self, group: GroupId) -> Result<bool> {
        if !self
            .with(group, |_, state| Ok(state.is_closed()))
            .unwrap_or(false)
        {
            return Ok(false);
        }
        let written = |path: std::path::PathBuf| self.disk.vfs.written(&path).ok();
        let closed = written(self.disk.journal(group));
        let (Some(closed), Some(made)) = (closed, written(self.disk.path("format"))) else {
            return Ok(false);
        };
        // Before there was a store nothing was closed: the clock was wrong.
        Ok(closed >= made && self.disk.vfs.now().saturating_sub(closed) >= CLOSED_FOR)
    }

    /// Moves to the trash every chunk that nothing needs (a save or a move that was cut short may have left some), and
    /// unlinks what has been there for the grace time; `now`: all of it. Groups that were closed seven days ago are forgotten.
    ///
    /// # Errors
    /// The disk failed. A group that is damaged is no error: it is left alone.
    pub fn collect(&mut self, now: bool, progress: &mut dyn FnMut(Progress)) -> Result<Collected> {
        self.run(Collection::new(now), progress)
    }

    /// How much the store takes. The first time, every file is looked at.
    ///
    /// # Errors
    /// The disk failed.
    pub fn space(&mut self) -> Result<Space> {
        Ok(Space {
            used: self.used()?,
            trash: self.trash.total(),
            quota: self.limits.quota,
        })
    }

    /// How much the store takes, if that is known without looking at its files.
    pub fn known_space(&self) -> Option<Space> {
        Some(Space {
            used: self.used?,
            trash: self.trash.total(),
            quota: self.limits.quota,
        })
    }

    /// How many bytes the store may take; none: all the disk.
    pub fn quota(&self) -> Option<u64> {
        self.limits.quota
    }

    fn used(&mut self) -> Result<u64> {
        Ok(match self.used {
            Some(used) => used,
            None => *self.used.insert(self.used_now()?),
        })
    }

    /// What each group takes, largest first.
    ///
    /// # Errors
    /// The disk failed.
    pub fn usage(&mut self) -> Result<Vec<Usage>> {
        self.run(Count::default(), &mut |_| {})
    }

    /// None: it is gone.
    fn usage_of(&mut self, group: GroupId) -> Result<Option<Usage>> {
        let known = self.with(group, |_, state| {
            let newest = state.generations.values().next_back();
            let named = newest.map(|i| (i.title.clone(), i.app.clone()));
            Ok((state.generations.len(), named))
        });
        let (generations, named) = match known {
            Err(e) if e.is_gone() => return Ok(None),
            known => known.unwrap_or_default(),
        };
        let (title, app) = named.unzip();
        let journal = self.disk.len(&self.disk.journal(group))?;
        Ok(Some(Usage {
            group: group.to_string(),
            title,
            app,
            generations,
            chunks: self.takes(&self.disk.objects(group))?,
            journal: on_disk(journal.unwrap_or_default()),
            trash: self.trash.of(group),
        }))
    }

    fn takes(&self, dir: &Path) -> Result<u64> {
        let entries = match self.disk.vfs.list(dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(self.disk.fail("list", dir, 0, e)),
        };
        let mut sum = 0;
        for entry in entries {
            let path = dir.join(&entry.name);
            sum += match entry.folder {
                true => self.takes(&path)?,
                false => on_disk(self.disk.len(&path)?.unwrap_or_default()),
            };
        }
        Ok(sum)
    }

    /// Bytes that may still be written. When they are few, the trash is emptied first.
    pub(crate) fn room(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        wanted: u64,
    ) -> Result<Room> {
        let room = self.room_now()?;
        if room.fits(wanted) || self.empty_trash(Empty::All, Some((group, state)))? == 0 {
            return Ok(room);
        }
        self.room_now()
    }

    fn room_now(&mut self) -> Result<Room> {
        let left = self.disk.space_left()?;
        let disk = Room { left, quota: None };
        let Some(quota) = self.limits.quota else {
            return Ok(disk);
        };
        let used = self.used()?;
        let allowed = quota.saturating_sub(used);
        Ok(if allowed < left.saturating_sub(RESERVE) {
            Room {
                left: allowed,
                quota: Some((used, quota)),
            }
        } else {
            disk
        })
    }

    fn used_now(&self) -> Result<u64> {
        ["objects", "groups", "trash"]
            .iter()
            .map(|folder| self.takes(&self.disk.path(folder)))
            .sum()
    }
}
