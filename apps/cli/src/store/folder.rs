//! The store's folder, opened by this program: where no session runs, or it does not start.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::os::linux::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use overwinter_keyring::{Asked, Closed, Owner, Refused, Service};
use overwinter_proto::GroupId;
use overwinter_store::{Limits, Progress, SlotKind, Store, StoreError, Which};
use serde::Serialize;

use super::keeper::{Imported, Keeper, Slots};
use super::progress::Bar;
use super::words::Words;
use crate::bus::Trouble;
use crate::status::Group;

/// How long the keyring may take, the user's answer to its question included.
const KEYRING: Duration = Duration::from_secs(60);

/// A store that this program has locked.
pub struct Folder {
    store: Store,
    owner: Owner,
}

impl Folder {
    /// Opens the store in a folder. None is ever made.
    ///
    /// # Errors
    /// There is none, somebody else has it, or nothing opens it. Nothing was touched then.
    pub fn open(dir: &Path, words: &Words) -> Result<Folder, Trouble> {
        is_store(dir)?;
        let needed = SlotKind::filled_in(dir).contains(&SlotKind::Passphrase);
        let asked = Asked {
            service: service(),
            passphrase: needed.then(|| words.opening(dir)).transpose()?,
            limits: Limits::default(),
        };
        match overwinter_keyring::open(dir, asked) {
            Ok(opened) => Ok(Folder {
                store: opened.store,
                owner: Owner::of(dir),
            }),
            Err(Closed::Store(StoreError::Locked { dir })) => Err(Trouble::usage(locked(&dir))),
            // Something of it is damaged, or the word was wrong.
            Err(e @ (Closed::NoWay { .. } | Closed::Store(StoreError::Master { .. }))) => {
                Err(Trouble::failed(e.to_string()))
            }
            Err(e) => Err(Trouble::usage(e.to_string())),
        }
    }

    fn title(&mut self, group: GroupId) -> String {
        let generations = self.store.generations(group).unwrap_or_default();
        generations
            .last()
            .map(|g| g.title.clone())
            .unwrap_or_default()
    }
}

impl Keeper for Folder {
    fn groups(&mut self) -> Result<Vec<Group>, Trouble> {
        let ids = self.store.groups().map_err(failed)?;
        let named = |id: GroupId| Group {
            id: id.to_string(),
            title: self.title(id),
            ..Group::default()
        };
        Ok(ids.into_iter().map(named).collect())
    }

    fn quota(&mut self) -> Result<Option<u64>, Trouble> {
        // It is the session that is given one.
        Ok(None)
    }

    fn usage(&mut self) -> Result<String, Trouble> {
        json(&self.store.usage().map_err(failed)?)
    }

    fn collect(&mut self, now: bool) -> Result<String, Trouble> {
        let mut bar = Bar::new("collecting");
        let collected = self.store.collect(now, &mut |p| show(&mut bar, p));
        json(&collected.map_err(failed)?)
    }

    fn examine(&mut self, repair: bool) -> Result<String, Trouble> {
        let mut bar = Bar::new("examining");
        let health = self.store.examine(repair, &mut |p| show(&mut bar, p));
        json(&health.map_err(failed)?)
    }

    fn export(&mut self, group: &str, last_good: bool, to: &File) -> Result<u64, Trouble> {
        let mut bar = Bar::new("exporting");
        let id = group
            .parse::<GroupId>()
            .map_err(|e| Trouble::usage(e.to_string()))?;
        let which = match last_good {
            true => Which::LastGood,
            false => Which::Newest,
        };
        let mut to = BufWriter::new(to);
        let generation = self
            .store
            .export(id, which, &mut to, &mut |p| show(&mut bar, p))
            .map_err(|e| not("exported", e))?;
        let flushed = to.flush().map_err(|e| StoreError::File("write", e));
        flushed.map_err(failed)?;
        Ok(generation.0)
    }

    fn import(&mut self, from: File) -> Result<Imported, Trouble> {
        let mut bar = Bar::new("importing");
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|e| failed(StoreError::Random(e.to_string())))?;
        let group = GroupId(u128::from_be_bytes(id));
        self.store
            .import(&mut BufReader::new(from), group, &mut |p| show(&mut bar, p))
            .map_err(|e| not("imported", e))?;
        Ok(Imported {
            group: group.to_string(),
            title: self.title(group),
        })
    }

    fn slots(&mut self) -> Result<Slots, Trouble> {
        let filled = self.store.slots().map_err(failed)?;
        Ok(Slots {
            slots: filled
                .into_iter()
                .rev()
                .map(|kind| kind.name().to_owned())
                .collect(),
            warning: self.store.key_warning().map_err(failed)?,
        })
    }

    fn fill(&mut self, slot: SlotKind, words: &Words) -> Result<String, Trouble> {
        let word = match slot {
            SlotKind::Passphrase => Some(words.new_one()?),
            _ => None,
        };
        overwinter_keyring::add(&mut self.store, service(), &self.owner, slot, word)
            .map_err(refused)
    }

    fn empty(&mut self, slot: SlotKind) -> Result<String, Trouble> {
        overwinter_keyring::remove(&mut self.store, service(), &self.owner, slot).map_err(refused)
    }

    fn rotate(&mut self, words: &Words) -> Result<String, Trouble> {
        let filled = self.store.slots().map_err(failed)?;
        let word = match filled.contains(&SlotKind::Passphrase) {
            true => Some(words.current()?),
            false => None,
        };
        overwinter_keyring::rotate(&mut self.store, service(), &self.owner, word).map_err(refused)
    }
}

fn service() -> Service {
    Service::asking(KEYRING)
}

/// The slots are as they were, but for a disk that failed.
fn refused(e: Refused) -> Trouble {
    match e {
        Refused::Store(StoreError::LastSlot) | Refused::Word(_) => Trouble::usage(e.to_string()),
        e => Trouble::failed(e.to_string()),
    }
}

fn show(bar: &mut Bar, Progress { done, total }: Progress) {
    bar.show(done, total);
}

fn json(value: &impl Serialize) -> Result<String, Trouble> {
    serde_json::to_string_pretty(value)
        .map_err(|e| Trouble::failed(format!("the answer cannot be written as JSON: {e}")))
}

fn failed(e: StoreError) -> Trouble {
    Trouble::failed(e.to_string())
}

/// The store's words for what comes from another host do not fit a file.
fn not(done: &str, e: StoreError) -> Trouble {
    match e {
        StoreError::Refused { why, .. } => Trouble::failed(format!(
            "nothing was {done}: {why}. The store is as it was. If the file came to harm on its way, bring it again from where \
             it was exported."
        )),
        e => failed(e),
    }
}

/// That there is a store, before anything is touched.
fn is_store(dir: &Path) -> Result<(), Trouble> {
    const HINT: &str = "Nothing was made or changed. `--store DIR` names another folder; a session makes its store when it \
                        first starts.";
    let no = |why: String| {
        Trouble::usage(format!(
            "there is no store in {}: {why}. {HINT}",
            dir.display()
        ))
    };
    let folder = std::fs::metadata(dir).map_err(|e| no(plain(&e)))?;
    if !folder.is_dir() {
        return Err(no("it is not a folder".to_owned()));
    }
    match std::fs::symlink_metadata(dir.join("format")) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(no(plain(&e))),
        Err(_) if dir.join("keys").is_dir() && dir.join("groups").is_dir() => {
            Err(Trouble::failed(format!(
                "{0} looks like a store that lost its file `format`. Nothing was changed. Bring that file back: it is the one \
                 line `overwinter-store 1`. Then run this again.",
                dir.display()
            )))
        }
        Err(_) => Err(no("the folder has no file `format`".to_owned())),
    }
}

fn plain(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not look into it".to_owned(),
        _ => e.to_string(),
    }
}

fn locked(dir: &Path) -> String {
    let by = holder(dir).map_or_else(
        || "another process".to_owned(),
        |(pid, name)| format!("process {pid} ({name})"),
    );
    format!(
        "the store {} is in use by {by}, which does not answer on this bus. Nothing was touched. Run this inside that session, \
         or end it first and run this again.",
        dir.display()
    )
}

/// Who has locked the folder, as far as the system tells.
fn holder(dir: &Path) -> Option<(u32, String)> {
    let inode = std::fs::metadata(dir.join("lock")).ok()?.st_ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 4310 fe:01:1234 0 EOF`
    let pid = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (pid, file) = (words.get(4)?, words.get(5)?);
        let ours = words.contains(&"FLOCK") && file.rsplit(':').next()? == inode.to_string();
        ours.then(|| pid.parse().ok())?
    })?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().to_owned()))
}

/// Whether this process has the folder's lock file open.
pub fn is_held_by(dir: &Path, pid: u32) -> bool {
    let Ok(lock) = std::fs::metadata(dir.join("lock")) else {
        return false;
    };
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
    files.into_iter().flatten().flatten().any(|file| {
        std::fs::metadata(file.path())
            .is_ok_and(|m| (m.st_dev(), m.st_ino()) == (lock.st_dev(), lock.st_ino()))
    })
}
