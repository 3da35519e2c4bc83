//! Opening: the lock, the format, the master key, and what a crash left behind.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    disk::Disk,
    error::{Result, StoreError},
    frame,
    hints::Hints,
    index::{self, Deadlines, Index, IndexError, MemIndex, ProcessIndex},
    journal::{Found, MAX_SMALL},
    keys::Master,
    migrate::{migrate, write_format},
    slots::{self, SlotKind, Unlock},
    store::{OpenReport, Options, Store},
    trash::{Empty, Trash},
};

/// The format that this release writes, and the newest it reads.
pub const FORMAT: u64 = 1;

pub(crate) const FORMAT_WORD: &str = "overwinter-store ";
const FOLDERS: [&str; 6] = ["objects", "groups", "keys", "tombstones", "trash", "slots"];
/// Names that a store which was never finished may have beside `format`.
const BEGINNINGS: [&str; 3] = ["lock", "tmp", "lost+found"];
const KNOWN: [&str; 13] = [
    "format",
    "lock",
    "master",
    "tmp",
    "objects",
    "groups",
    "keys",
    "tombstones",
    "trash",
    "slots",
    "rotation",
    "master.next",
    "index",
];

const KEY_WARNING: &str = "the master key lies unprotected in the store's folder, readable by this user alone: whoever copies \
                           the folder can read what sleeps in it";

impl Store {
    /// As [`open`](Store::open), on another disk or with another index.
    ///
    /// # Errors
    /// As [`open`](Store::open).
    pub fn open_with(dir: &Path, options: Options) -> Result<(Store, OpenReport)> {
        let mut disk = Disk::new(options.vfs, dir.to_owned());
        make_folder(&disk, dir)?;
        // Before anything is touched: a newer store is not ours to lock either.
        check_format(&disk)?;
        let path = disk.path("lock");
        let lock = disk
            .vfs
            .lock(&path)
            .map_err(|e| disk.fail("lock", &path, 0, e))?;
        let Some(lock) = lock else {
            return Err(StoreError::Locked {
                dir: dir.to_owned(),
            });
        };
        let found = check_format(&disk)?;
        let created = found.is_none();
        let (master, key_warning) = prepare(&mut disk, found, &options.unlock)?;
        let (index, rebuilt) = match options.index {
            Some(index) => (index, None),
            None => open_index(options.index_program, &disk.path("index")),
        };
        let (trash, more) = Trash::read(&disk)?;
        let mut store = Store {
            disk,
            master,
            former: None,
            hints: Hints::new(index),
            groups: std::collections::BTreeMap::new(),
            trash,
            limits: options.limits,
            used: None,
            _lock: lock,
        };
        let mut report = OpenReport {
            created,
            groups: 0,
            read: 0,
            torn: Vec::new(),
            damaged: Vec::new(),
            index: rebuilt,
            forgotten: Vec::new(),
            strangers: strangers(&store.disk)?,
            key_warning,
        };
        if let Err(e) = store.finish_rotation() {
            // With both keys at hand everything that is sound can be read; what is not is told group by group.
            if store.former.is_none() {
                return Err(e);
            }
            tracing::warn!("the change of the master key is completed another time: {e}");
        }
        report.strangers.extend(more);
        store.look_around(&mut report)?;
        if let Err(e) = store.empty_trash(Empty::Due, None) {
            tracing::warn!("the trash is emptied another time: {e}");
        }
        Ok((store, report))
    }

    fn look_around(&mut self, report: &mut OpenReport) -> Result<()> {
        let (tombs, strangers) = self.disk.groups_in("tombstones")?;
        report.strangers.extend(strangers);
        for group in tombs {
            match self.finish_forgetting(group) {
                Ok(true) => report.forgotten.push(group),
                Ok(false) => {}
                Err(e) => report.damaged.push((group, e)),
            }
        }
        // A power cut may have left any of the three alone.
        let mut groups = Vec::new();
        for folder in ["groups", "keys", "objects"] {
            let (more, strangers) = self.disk.groups_in(folder)?;
            report.strangers.extend(strangers);
            groups.extend(more);
        }
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            // One group's failure is not the others'.
            if let Err(e) = self.look_at(group, report) {
                report.damaged.push((group, e));
            }
        }
        report.groups = self.groups()?.len();
        Ok(())
    }

    /// Reads a group's journal unless the index vouches for it, and clears away what never became a group.
    fn look_at(&mut self, group: overwinter_proto::GroupId, report: &mut OpenReport) -> Result<()> {
        let journal = self.disk.len(&self.disk.journal(group))?;
        let key = self.disk.len(&self.disk.key(group))?.is_some();
        let short = journal.is_none_or(|len| len <= frame::HEADER as u64);
        if !key && short {
            self.clear_away(group);
            return Ok(());
        }
        if key && !short && self.hints.head(group) == journal {
            return Ok(());
        }
        report.read += 1;
        let (mut state, found) = match self.load(group) {
            Err(StoreError::UnknownGroup(_)) => {
                self.clear_away(group);
                return Ok(());
            }
            loaded => loaded?,
        };
        if found == Found::Torn {
            report.torn.push(group);
        }
        if let Some(what) = state.damage.clone() {
            report
                .damaged
                .push((group, self.damaged(group, &state, what)));
        } else {
            self.index_group(group, &mut state)?;
        }
        Ok(())
    }
}

fn make_folder(disk: &Disk, dir: &Path) -> Result<()> {
    match disk.vfs.list(dir) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(above) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                make_folder(disk, above)?;
            }
            disk.mkdir(dir)
        }
        Err(e) => Err(disk.fail("list", dir, 0, e)),
    }
}

/// Makes the way to a new store durable, before anything in it counts. Whoever made these folders may have died before
/// syncing them, so all of them are.
fn sync_way(disk: &Disk) -> Result<()> {
    for above in disk
        .dir
        .ancestors()
        .skip(1)
        .filter(|p| !p.as_os_str().is_empty())
    {
        match disk.vfs.sync_dir(above) {
            // A folder that this user may not read is not one that was made here.
            Err(e) if e.kind() != io::ErrorKind::PermissionDenied => {
                return Err(disk.fail("sync the folder", above, 0, e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The format of the store, one that this release knows. None: nothing is here yet.
fn check_format(disk: &Disk) -> Result<Option<u64>> {
    let not = |why: &str| StoreError::NotAStore {
        dir: disk.dir.clone(),
        why: why.to_owned(),
    };
    let Some(bytes) = disk.read_maybe(&disk.path("format"), MAX_SMALL)? else {
        let entries = disk
            .vfs
            .list(&disk.dir)
            .map_err(|e| disk.fail("list", &disk.dir, 0, e))?;
        return match entries
            .iter()
            .find(|e| !BEGINNINGS.contains(&e.name.as_str()))
        {
            Some(other) => Err(not(&format!(
                "it has no `format` file, but `{}`",
                other.name
            ))),
            None => Ok(None),
        };
    };
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let number = text
        .strip_prefix(FORMAT_WORD)
        .and_then(|t| t.strip_suffix('\n'))
        .and_then(|t| t.parse::<u64>().ok());
    match number {
        Some(found @ 1..=FORMAT) => Ok(Some(found)),
        Some(found) if found > FORMAT => Err(StoreError::NewerFormat {
            dir: disk.dir.clone(),
            found,
            known: FORMAT,
        }),
        _ => Err(not(
            "its `format` file does not say `overwinter-store` and a number",
        )),
    }
}

/// Makes what is missing, sweeps what a crash left half-written, finds the master key. Also says what there is to say about
/// how that is kept.
fn prepare(disk: &mut Disk, found: Option<u64>, given: &[Unlock]) -> Result<(Master, String)> {
    let tmp = disk.path("tmp");
    disk.mkdir(&tmp)?;
    for entry in disk
        .vfs
        .list(&tmp)
        .map_err(|e| disk.fail("list", &tmp, 0, e))?
    {
        disk.discard(&tmp.join(entry.name));
    }
    match found {
        None => {
            sync_way(disk)?;
            write_format(disk, FORMAT)?;
        }
        Some(found) => migrate(disk, found)?,
    }
    // Whoever wrote `format` may have been killed, or refused by the disk, before it was synced: a power cut that took it and
    // left a folder would leave something that is no store.
    disk.sync_dir(&disk.dir)?;
    for folder in FOLDERS {
        disk.mkdir(&disk.path(folder))?;
    }
    disk.sync_dir(&disk.dir)?;
    let path = disk.path("master");
    let master = match slots::unlock(disk, given)? {
        Some(master) => master,
        None if disk.groups_in("keys")?.0.is_empty()
            && disk.groups_in("tombstones")?.0.is_empty() =>
        {
            slots::first(disk, given)?
        }
        None => {
            return Err(StoreError::Master {
                path,
                why: "it is missing, and there are groups that need it".to_owned(),
            });
        }
    };
    Ok((master, key_warning(disk)?))
}

/// What there is to say about how the master key is kept; empty when nothing.
pub(crate) fn key_warning(disk: &Disk) -> Result<String> {
    if !slots::filled(disk)?.contains(&SlotKind::KeyFile) {
        return Ok(String::new());
    }
    let path = disk.path("master");
    let exposed = disk
        .vfs
        .is_exposed(&path)
        .map_err(|e| disk.fail("look at", &path, 0, e))?;
    Ok(match exposed {
        true => format!(
            "{KEY_WARNING}. Others may read it now: chmod 600 {}",
            path.display()
        ),
        false => KEY_WARNING.to_owned(),
    })
}

/// The index on disk, a new one when it is of no use, one in memory when not even that can be made.
fn open_index(program: Option<PathBuf>, dir: &Path) -> (Box<dyn Index>, Option<String>) {
    let opened = match program.or_else(index::program) {
        Some(program) => ProcessIndex::open(&program, dir, Deadlines::default()),
        None => Err(IndexError(
            "the program overwinter-index is not beside the one that runs".to_owned(),
        )),
    };
    match opened {
        Ok((index, rebuilt)) => {
            if let Some(why) = &rebuilt {
                tracing::warn!(
                    "the store's index was of no use ({why}); it is built anew, nothing is lost"
                );
            }
            (Box::new(index), rebuilt)
        }
        Err(e) => {
            tracing::warn!("the index is kept in memory for now: {}", e.0);
            // What is not told of the changes to come must not be believed by the next to open it.
            if let Err(e) = index::throw_away(dir) {
                tracing::warn!(
                    "the old index cannot be removed, delete {}: {e}",
                    dir.display()
                );
            }
            (
                Box::new(MemIndex::default()),
                Some(format!("kept in memory for now: {}", e.0)),
            )
        }
    }
}

/// The files and folders that the store has whatever groups are in it.
pub(crate) fn own_files(disk: &Disk) -> Result<Vec<PathBuf>> {
    let mut own = vec![disk.dir.clone()];
    own.extend(KNOWN.map(|name| disk.path(name)));
    let slots = disk.path("slots");
    match disk.vfs.list(&slots) {
        Ok(entries) => own.extend(entries.into_iter().map(|e| slots.join(e.name))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(disk.fail("list", &slots, 0, e)),
    }
    Ok(own)
}

pub(crate) fn strangers(disk: &Disk) -> Result<Vec<String>> {
    let entries = disk
        .vfs
        .list(&disk.dir)
        .map_err(|e| disk.fail("list", &disk.dir, 0, e))?;
    Ok(entries
        .into_iter()
        .map(|e| e.name)
        .filter(|n| !KNOWN.contains(&n.as_str()) && n != "lost+found")
        .collect())
}
