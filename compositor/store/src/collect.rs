//! Collection: what the store takes, and getting back what nothing needs.

use std::path::Path;

use overwinter_proto::GroupId;

use crate::{
    blocks::RESERVE,
    disk::on_disk,
    error::{Result, StoreError},
    group::GroupState,
    store::Store,
    sweep::Swept,
    trash::Empty,
};

/// How far something long has come, in groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Groups that are done.
    pub done: usize,
    /// Groups that there are.
    pub total: usize,
}

/// What a group takes on the disk, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Chunks moved to the trash.
    pub chunks: usize,
    /// Bytes they take until the grace time is over.
    pub bytes: u64,
    /// Bytes that came back now.
    pub freed: u64,
    /// Groups that were left alone because they cannot be read whole, and why.
    pub left_alone: Vec<String>,
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

impl Store {
    /// Moves to the trash every chunk that nothing needs (a save or a move that was cut short may have left some), and
    /// unlinks what has been there for the grace time; `now`: all of it.
    ///
    /// # Errors
    /// The disk failed. A group that is damaged is no error: it is left alone.
    pub fn collect(&mut self, now: bool, progress: &mut dyn FnMut(Progress)) -> Result<Collected> {
        let groups = self.groups()?;
        let mut collected = Collected::default();
        for (done, group) in groups.iter().enumerate() {
            let total = groups.len();
            progress(Progress { done, total });
            let swept = self.with_whole(*group, |store, state| {
                // What was given for a save that is still to come is needed.
                let waiting = state.blobs.iter().flatten().map(|(hash, _)| *hash);
                let waiting = waiting.collect();
                let swept = store.sweep(*group, state, &waiting)?;
                store.compact_if_long(*group, state)?;
                Ok(swept)
            });
            match swept {
                Ok(Swept { chunks, bytes, .. }) => {
                    collected.chunks += chunks;
                    collected.bytes += bytes;
                }
                Err(e) if e.is_damage() => collected.left_alone.push(e.to_string()),
                Err(e) => return Err(e),
            }
        }
        let which = if now { Empty::All } else { Empty::Due };
        collected.freed = self.empty_trash(which, None)?;
        Ok(collected)
    }

    /// What each group takes, largest first.
    ///
    /// # Errors
    /// The disk failed.
    pub fn usage(&mut self) -> Result<Vec<Usage>> {
        let mut all = Vec::new();
        for group in self.groups()? {
            let newest = self
                .with(group, |_, state| {
                    let newest = state.generations.values().next_back();
                    let named = newest.map(|i| (i.title.clone(), i.app.clone()));
                    Ok((state.generations.len(), named))
                })
                .ok();
            let (generations, named) = newest.unwrap_or_default();
            let (title, app) = named.unzip();
            let journal = self.disk.len(&self.disk.journal(group))?;
            all.push(Usage {
                group: group.to_string(),
                title,
                app,
                generations,
                chunks: self.takes(&self.disk.objects(group))?,
                journal: on_disk(journal.unwrap_or_default()),
                trash: self.trash.of(group),
            });
        }
        all.sort_by_key(|usage| std::cmp::Reverse(usage.total()));
        Ok(all)
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
        let used = match self.used {
            Some(used) => used,
            None => *self.used.insert(self.used_now()?),
        };
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
