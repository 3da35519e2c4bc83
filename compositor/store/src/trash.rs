//! The trash: chunks that nothing needed when they were swept, kept for a while.
//!
//! A chunk is renamed to `trash/<when>-<group>-<id>` and unlinked after a grace time, when nothing needs it still. If
//! something does after all (which would be a bug of ours, or a journal brought back from a backup), it is read from
//! there and put back. Nothing here is synced: a power cut that undoes a rename leaves a chunk where the next collection finds it.

use std::{collections::BTreeMap, path::PathBuf};

use overwinter_proto::{GroupId, transfer::ChunkId};

use crate::{
    disk::{Disk, on_disk},
    error::Result,
    group::GroupState,
    store::Store,
};

/// When it was swept, whose it is, which one.
pub(crate) type Item = (u64, GroupId, ChunkId);

/// What lies in the trash, oldest first, with what it takes on the disk.
#[derive(Default)]
pub(crate) struct Trash {
    items: BTreeMap<Item, u64>,
    bytes: u64,
}

fn path(disk: &Disk, (when, group, id): Item) -> PathBuf {
    disk.path("trash")
        .join(format!("{when:016x}-{group}-{}", hex::encode(id.0)))
}

fn parse(name: &str) -> Option<Item> {
    let (when, rest) = name.split_once('-')?;
    let (group, hex) = rest.split_once('-')?;
    let mut id = [0; 32];
    hex::decode_to_slice(hex, &mut id).ok()?;
    let item = (
        u64::from_str_radix(when, 16).ok()?,
        group.parse().ok()?,
        ChunkId(id),
    );
    Some(item)
}

impl Trash {
    /// What lies there; names that are none of ours are left alone and told.
    pub(crate) fn read(disk: &Disk) -> Result<(Trash, Vec<String>)> {
        let dir = disk.path("trash");
        let entries = disk
            .vfs
            .list(&dir)
            .map_err(|e| disk.fail("list", &dir, 0, e))?;
        let (mut trash, mut strangers) = (Trash::default(), Vec::new());
        for entry in entries {
            match parse(&entry.name) {
                Some(item) => {
                    let len = disk.len(&dir.join(&entry.name))?.unwrap_or_default();
                    trash.add(item, on_disk(len));
                }
                None => strangers.push(format!("trash/{}", entry.name)),
            }
        }
        Ok((trash, strangers))
    }

    fn add(&mut self, item: Item, len: u64) {
        self.bytes += len;
        self.items.insert(item, len);
    }

    fn remove(&mut self, item: Item) {
        self.bytes -= self.items.remove(&item).unwrap_or_default();
    }

    /// What a group has there takes this much.
    pub(crate) fn of(&self, group: GroupId) -> u64 {
        let own = self.items.iter().filter(|((_, g, _), _)| *g == group);
        own.map(|(_, len)| len).sum()
    }

    /// Bytes of all of it.
    pub(crate) fn total(&self) -> u64 {
        self.items.values().sum()
    }

    fn find(&self, group: GroupId, id: ChunkId) -> Option<Item> {
        let found = |(_, g, i): &&Item| (*g, *i) == (group, id);
        self.items.keys().find(found).copied()
    }
}

/// Which of the trash goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// What has lain there for the grace time, and the oldest of what is too much.
    Due,
    /// All of it: the room is needed.
    All,
}

impl Store {
    /// Moves a chunk that nothing needs to the trash. The index has forgotten it before.
    pub(crate) fn throw_out(&mut self, group: GroupId, id: ChunkId, len: u64) -> Result<()> {
        let item = (self.disk.vfs.now(), group, id);
        self.disk
            .rename(&self.disk.chunk(group, id), &path(&self.disk, item))?;
        self.trash.add(item, on_disk(len));
        Ok(())
    }

    /// Where a chunk lies in the trash, if it does.
    pub(crate) fn in_trash(&self, group: GroupId, id: ChunkId) -> Option<PathBuf> {
        Some(path(&self.disk, self.trash.find(group, id)?))
    }

    /// Puts a chunk back from the trash, durably.
    pub(crate) fn put_back(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        id: ChunkId,
    ) -> Result<bool> {
        let Some(item) = self.trash.find(group, id) else {
            return Ok(false);
        };
        // Copied, not renamed: it is in one of the two places at any moment, whatever a power cut does to names.
        let file = path(&self.disk, item);
        let sealed = self.disk.read(&file, crate::chunk::MAX_SEALED)?;
        let temp = self.disk.temp(&sealed)?;
        self.put_on_shelf(group, state, &temp, id)?;
        self.sync_shelves(group, state, &[id.0[0]].into())?;
        self.disk.discard(&file);
        self.trash.remove(item);
        Ok(true)
    }

    /// Unlinks what is due, after looking again whether it is needed. `busy` is a group that is being worked on. Returns
    /// the bytes that came back; a group that cannot be read keeps what it has there.
    pub(crate) fn empty_trash(
        &mut self,
        which: Empty,
        mut busy: Option<(GroupId, &mut GroupState)>,
    ) -> Result<u64> {
        let mut freed = 0;
        for (group, items) in self.due(which) {
            freed += self.unlink_due(group, items, &mut busy)?;
        }
        Ok(freed)
    }

    /// What is to be unlinked, by group.
    pub(crate) fn due(&self, which: Empty) -> BTreeMap<GroupId, Vec<Item>> {
        let now = self.disk.vfs.now();
        let mut over = self.trash.bytes.saturating_sub(self.limits.trash);
        let mut due: BTreeMap<GroupId, Vec<Item>> = BTreeMap::new();
        for (item, len) in &self.trash.items {
            // A date in the future is a clock that was wrong.
            let old = !(item.0..=item.0.saturating_add(self.limits.grace.as_secs())).contains(&now);
            if which == Empty::All || old || over > 0 {
                over = over.saturating_sub(*len);
                due.entry(item.1).or_default().push(*item);
            }
        }
        due
    }

    /// Unlinks these of a group, after looking again whether they are needed.
    pub(crate) fn unlink_due(
        &mut self,
        group: GroupId,
        mut items: Vec<Item>,
        busy: &mut Option<(GroupId, &mut GroupState)>,
    ) -> Result<u64> {
        // What was put back or unlinked since is not there any more.
        items.retain(|item| self.trash.items.contains_key(item));
        let emptied = match busy {
            Some((which, state)) if *which == group => self.unlink_all(group, state, items),
            _ => self.with_any(group, |store, state| store.unlink_all(group, state, items)),
        };
        let freed = match emptied {
            Ok(bytes) => bytes,
            Err(e) if e.is_damage() => {
                tracing::debug!("{group:?} keeps its trash: {e}");
                0
            }
            Err(e) => return Err(e),
        };
        self.used = self.used.map(|used| used.saturating_sub(freed));
        Ok(freed)
    }

    /// As [`with`](Store::with); a group that is gone needs nothing.
    fn with_any(
        &mut self,
        group: GroupId,
        f: impl FnOnce(&mut Store, &mut GroupState) -> Result<u64>,
    ) -> Result<u64> {
        match self.with_whole(group, f) {
            Err(e) if e.is_gone() => self.drop_trash(group),
            other => other,
        }
    }

    fn unlink_all(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        items: Vec<Item>,
    ) -> Result<u64> {
        let needed = self.needed(group, state)?;
        let mut freed = 0;
        for item in items {
            let id = item.2;
            if needed.contains(&id) && self.disk.len(&self.disk.chunk(group, id))?.is_none() {
                tracing::error!(
                    "{group:?}: {id:?} was swept although it is needed; it is put back"
                );
                self.put_back(group, state, id)?;
                continue;
            }
            freed += self.unlink_item(item)?;
        }
        Ok(freed)
    }

    fn unlink_item(&mut self, item: Item) -> Result<u64> {
        let file = path(&self.disk, item);
        match self.disk.vfs.remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(self.disk.fail("remove", &file, 0, e));
            }
            _ => {}
        }
        let len = self.trash.items.get(&item).copied().unwrap_or_default();
        self.trash.remove(item);
        Ok(len)
    }

    /// Unlinks all that a group without a key has there.
    pub(crate) fn drop_trash(&mut self, group: GroupId) -> Result<u64> {
        let own: Vec<Item> = self
            .trash
            .items
            .keys()
            .filter(|(_, g, _)| *g == group)
            .copied()
            .collect();
        own.into_iter().map(|item| self.unlink_item(item)).sum()
    }
}
