//! The doctor: looks at every byte that counts, repairs what can be repaired, and names what cannot.
//!
//! What can be: a chunk that is missing or damaged and lies whole in the trash, entries of the index that are wrong, files and
//! folders that others may use, files that were left lying. What cannot: anything whose bytes are nowhere else. That is told
//! with the group's title and its last good generation.

use std::collections::{BTreeSet, HashSet, VecDeque};

use overwinter_proto::{Generation, GroupId, transfer::ChunkId};
use serde::{Deserialize, Serialize};

use crate::{
    errand::{Errand, Progress, Step},
    error::{Result, StoreError},
    group::{GroupState, Info, Part},
    reading::Reading,
    store::Store,
};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whose; none for the store as a whole.
    pub group: Option<String>,
    /// Title of its main window, where it can still be read.
    pub title: Option<String>,
    /// What is wrong, for people.
    pub what: String,
    /// It has been repaired.
    pub repaired: bool,
    /// Of what cannot be repaired: the newest generation that reads back whole.
    pub last_good: Option<u64>,
}

/// How the store is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Groups that were looked at.
    pub groups: usize,
    /// Their generations.
    pub generations: usize,
    /// Their chunks, each read and verified once.
    pub chunks: usize,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// Names in the folder that are none of the store's.
    pub strangers: Vec<String>,
    /// What there is to say about how the master key is kept; empty when nothing.
    pub key_warning: String,
}

impl Health {
    /// Nothing was wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Something is wrong that was not repaired.
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|f| !f.repaired)
    }
}

/// [`Store::examine`] in steps.
#[derive(Default)]
pub struct Examination {
    repair: bool,
    begun: bool,
    health: Health,
    tombstones: VecDeque<GroupId>,
    groups: VecDeque<GroupId>,
    /// How many there were.
    total: usize,
    looking: Option<Looking>,
}

impl std::fmt::Debug for Examination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Examination({} groups left)", self.groups.len())
    }
}

/// So many small files are looked at in one step.
const SMALL_FILES: usize = 64;

/// So many entries of the index.
const ENTRIES: usize = 4096;

/// A group that is being looked at.
struct Looking {
    group: GroupId,
    /// Generations that are still to be read.
    infos: VecDeque<Info>,
    reading: Option<(Info, Reading)>,
    /// Parts that were found whole.
    sound: HashSet<Part>,
    /// Chunks that were looked at.
    seen: HashSet<ChunkId>,
    /// What is wrong with which.
    bad: Vec<(Generation, String)>,
    good: Option<Generation>,
    /// None: not begun.
    entries: Option<Entries>,
    done: u64,
    total: u64,
}

/// What the index says of a group.
struct Entries {
    /// Still to be looked at: chunk, sealed length.
    left: Vec<(ChunkId, u64)>,
    wrong: Vec<ChunkId>,
}

impl Examination {
    /// `repair`: it also repairs what can be.
    pub fn new(repair: bool) -> Examination {
        Examination {
            repair,
            ..Examination::default()
        }
    }

    fn begin(&mut self, store: &mut Store) -> Result<()> {
        self.begun = true;
        let strangers = crate::open::strangers(&store.disk)?;
        self.health.strangers = strangers;
        let mut groups: BTreeSet<GroupId> = store.groups()?.into_iter().collect();
        for folder in ["groups", "keys", "objects", "tombstones"] {
            let (more, strangers) = store.disk.groups_in(folder)?;
            self.health.strangers.extend(strangers);
            match folder {
                "tombstones" => self.tombstones = more.into(),
                _ => groups.extend(more),
            }
        }
        // A group that is just coming has nothing yet that could be wrong.
        let coming = |g: &GroupId| store.groups.get(g).is_some_and(GroupState::is_empty);
        groups.retain(|g| !coming(g));
        let unknown = |g: &GroupId| !groups.contains(g) && !coming(g);
        let stale: Vec<GroupId> = store.hints.groups().into_iter().filter(unknown).collect();
        self.total = groups.len();
        self.groups = groups.into_iter().collect();
        self.health
            .findings
            .extend(store.examine_folder(self.repair)?);
        for group in stale {
            let what = "the index speaks of a group that is not here".to_owned();
            if self.repair {
                store.hints.forget(group);
            }
            self.health.findings.push(Finding {
                repaired: self.repair,
                ..finding(group, None, what)
            });
        }
        Ok(())
    }

    /// A group's files as such, and its journal.
    fn open(&mut self, store: &mut Store, group: GroupId) {
        let (repair, health) = (self.repair, &mut self.health);
        let modes = store.examine_modes(&store.files_of(group), Some(group), repair);
        let examined = store.with(group, |store, state| {
            let title = state.title();
            health.groups += 1;
            health.generations += state.generations.len();
            // From the disk again, whatever this process believes.
            if state.damage.is_none()
                && !state.unsettled
                && let Err(e) = store.entries(group, state)
            {
                health.findings.push(told(group, title.clone(), &e));
            }
            if let Some(what) = state.damage.clone() {
                let e = store.damaged(group, state, what);
                health.findings.push(told(group, title, &e));
            }
            Ok(Looking::new(group, state))
        });
        health.findings.extend(modes);
        match examined {
            Ok(looking) => self.looking = Some(looking),
            Err(e) if e.is_gone() => health.findings.extend(store.examine_rest(group, repair)),
            Err(e) => health.findings.push(told(group, None, &e)),
        }
    }
}

impl Errand for Examination {
    type Outcome = Health;

    fn step(&mut self, store: &mut Store) -> Result<Step<Health>> {
        if !self.begun {
            self.begin(store)?;
        } else if let Some(looking) = &mut self.looking {
            if looking.step(store, self.repair, &mut self.health) {
                self.looking = None;
            }
        } else if !self.tombstones.is_empty() {
            let few = self.tombstones.len().min(SMALL_FILES);
            for group in self.tombstones.drain(..few) {
                if let Err(e) = store.tombstone(group) {
                    self.health
                        .findings
                        .push(finding(group, None, e.to_string()));
                }
            }
        } else if let Some(group) = self.groups.pop_front() {
            self.open(store, group);
        } else {
            if self.repair {
                store.hints.flush();
            }
            self.health.key_warning = crate::open::key_warning(&store.disk)?;
            return Ok(Step::Done(std::mem::take(&mut self.health)));
        }
        let busy = usize::from(self.looking.is_some());
        let done = self.total - self.groups.len() - busy;
        let (much, all) = self.looking.as_ref().map_or((0, 1), Looking::far);
        Ok(Step::More(Progress::of_groups(done, self.total, much, all)))
    }
}

impl Looking {
    fn new(group: GroupId, state: &GroupState) -> Looking {
        let infos: VecDeque<Info> = state.roots().cloned().collect();
        let bytes = |info: &Info| info.parts().map(|part| part.len).sum::<u64>();
        Looking {
            group,
            total: infos.iter().map(bytes).fold(1, u64::saturating_add),
            infos,
            reading: None,
            sound: HashSet::new(),
            seen: HashSet::new(),
            bad: Vec::new(),
            good: None,
            entries: None,
            done: 0,
        }
    }

    fn far(&self) -> (u64, u64) {
        // Blobs are not in the sum from the start: at worst the last of them are read while it says that all is done.
        let now = self.reading.as_ref().map_or(0, |(info, reading)| {
            reading.far().0.min(info.parts().map(|part| part.len).sum())
        });
        (self.done + now, self.total)
    }

    /// Looks on. True: that was all of this group, or it is gone.
    fn step(&mut self, store: &mut Store, repair: bool, health: &mut Health) -> bool {
        let group = self.group;
        let looked = store.with(group, |store, state| {
            if self.reading.is_none() {
                let next = self.infos.pop_front();
                let sound = std::mem::take(&mut self.sound);
                self.reading = next.map(|info| {
                    let reading = Reading::new(&info, sound.clone());
                    self.sound = sound;
                    (info, reading)
                });
            }
            if self.reading.is_some() {
                self.read_on(store, state, repair, health);
                return Ok(false);
            }
            Ok(self.examine_index(store, state, repair, health))
        });
        match looked {
            Ok(false) => return false,
            Ok(true) => self.tell(store, health),
            // Forgotten meanwhile.
            Err(e) => tracing::debug!("{group:?} is left out: {e}"),
        }
        true
    }

    fn read_on(
        &mut self,
        store: &mut Store,
        state: &mut GroupState,
        repair: bool,
        health: &mut Health,
    ) {
        let Some((info, mut reading)) = self.reading.take() else {
            return;
        };
        let (group, seen) = (self.group, &mut self.seen);
        // Dropped meanwhile: what it needed may be gone.
        let there = state.roots().any(|root| *root == info);
        let mut read = |id| {
            let first = seen.insert(id);
            let (read, found) = store.examine_chunk(group, state, id, repair);
            if first {
                health.chunks += 1;
                health.findings.extend(found);
            }
            read
        };
        match there.then(|| reading.step(&mut read)) {
            Some(Ok(false)) => {
                self.reading = Some((info, reading));
                return;
            }
            Some(Ok(true)) => self.good = self.good.max(Some(info.generation)),
            Some(Err(what)) => {
                // What else it has is looked at too: of one file that is brought back, nothing is learned about the others.
                let mut rest = |part: Part| {
                    for (id, _) in part.chunks {
                        drop(read(id));
                    }
                };
                info.parts().for_each(&mut rest);
                self.bad.push((info.generation, what));
            }
            None => {}
        }
        self.done += info.parts().map(|part| part.len).sum::<u64>();
        self.sound = reading.into_sound();
    }

    /// An entry that vouches for a chunk that is not there, or has another length, is wrong. True: all were looked at.
    fn examine_index(
        &mut self,
        store: &mut Store,
        state: &mut GroupState,
        repair: bool,
        health: &mut Health,
    ) -> bool {
        let group = self.group;
        let known = |store: &mut Store| store.hints.chunks(group).unwrap_or_default();
        let Entries { left, wrong } = self.entries.get_or_insert_with(|| Entries {
            left: known(store).into_iter().collect(),
            wrong: Vec::new(),
        });
        let right = |store: &Store, id, len| {
            let there = store.disk.len(&store.disk.chunk(group, id));
            there.ok().flatten() == Some(len)
        };
        for (id, len) in left.split_off(left.len().saturating_sub(ENTRIES)) {
            if !right(store, id, len) {
                wrong.push(id);
            }
        }
        if !left.is_empty() {
            return false;
        }
        if wrong.is_empty() {
            return true;
        }
        // What a collection took meanwhile is not in the index any more.
        let now = known(store);
        wrong.retain(|id| now.get(id).is_some_and(|len| !right(store, *id, *len)));
        if wrong.is_empty() {
            return true;
        }
        if repair {
            for id in wrong.iter() {
                store.hints.remove_chunk(group, *id);
                state.durable.remove(id);
            }
        }
        let n = wrong.len();
        let what = format!("the index vouches for {n} chunks that are not there as it says");
        health.findings.push(Finding {
            repaired: repair,
            ..finding(group, state.title(), what)
        });
        true
    }

    fn tell(&mut self, store: &mut Store, health: &mut Health) {
        let title = store.groups.get(&self.group).and_then(GroupState::title);
        for (generation, what) in std::mem::take(&mut self.bad) {
            let what = format!("generation {generation}: {what}");
            health.findings.push(Finding {
                last_good: self.good.map(|g| g.0),
                ..finding(self.group, title.clone(), what)
            });
        }
    }
}

impl Store {
    /// Reads and verifies every journal, generation, chunk, tombstone and index entry, and looks at the store's own files and
    /// folders. `repair`: also repairs what can be.
    ///
    /// # Errors
    /// The store's own folders cannot be read. What is wrong with single groups is in the answer.
    pub fn examine(&mut self, repair: bool, progress: &mut dyn FnMut(Progress)) -> Result<Health> {
        self.run(Examination::new(repair), progress)
    }

    /// The content of a chunk, and what there is to say about it though it can be read.
    fn examine_chunk(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        id: ChunkId,
        repair: bool,
    ) -> (std::result::Result<Vec<u8>, String>, Option<Finding>) {
        let path = self.disk.chunk(group, id);
        let why = match self.open_chunk(state, id, &path) {
            Ok(plain) => return (Ok(plain), None),
            Err(why) => why,
        };
        // No save may refer to it: it writes the chunk anew, and the generation is whole again.
        state.verified.remove(&id);
        let trashed = self.in_trash(group, id);
        let whole = trashed.and_then(|path| self.open_chunk(state, id, &path).ok());
        // A group that is not whole is left alone altogether.
        let Some(plain) = whole.filter(|_| state.damage.is_none()) else {
            return (Err(why), None);
        };
        let repaired = repair && matches!(self.put_back(group, state, id), Ok(true));
        let found = Finding {
            repaired,
            ..finding(
                group,
                state.title(),
                format!("{why}; it lies whole in the trash"),
            )
        };
        (Ok(plain), Some(found))
    }

    fn open_chunk(
        &self,
        state: &GroupState,
        id: ChunkId,
        path: &std::path::Path,
    ) -> std::result::Result<Vec<u8>, String> {
        let name = hex::encode(id.0);
        let sealed = self.disk.vfs.read(path, crate::chunk::MAX_SEALED);
        let sealed = sealed.map_err(|e| format!("chunk {name} cannot be read ({e})"))?;
        crate::chunk::open(&state.keys, id, &sealed).map_err(|why| format!("{why} ({name})"))
    }

    /// What is left of a group that has no key any more, or never got one.
    fn examine_rest(&mut self, group: GroupId, repair: bool) -> Option<Finding> {
        let there = |dir: std::path::PathBuf| self.disk.vfs.list(&dir).is_ok();
        if !there(self.disk.group_dir(group)) && !there(self.disk.objects(group)) {
            return None;
        }
        let what = "files without a key: what is left of a group that was forgotten or never began";
        if repair {
            self.clear_away(group);
        }
        Some(Finding {
            repaired: repair,
            ..finding(group, None, what.to_owned())
        })
    }

    /// The folder itself: who may look into it, and what was left lying in `tmp`.
    fn examine_folder(&mut self, repair: bool) -> Result<Vec<Finding>> {
        let own = crate::open::own_files(&self.disk)?;
        let mut findings = self.examine_modes(&own, None, repair);
        let tmp = self.disk.path("tmp");
        let left = match self.disk.vfs.list(&tmp) {
            Ok(left) => left,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(self.disk.fail("list", &tmp, 0, e)),
        };
        if !left.is_empty() {
            // Nothing is being written between two steps.
            let mut repaired = repair;
            for entry in &left {
                let path = tmp.join(&entry.name);
                repaired = repaired && !entry.folder && self.disk.vfs.remove_file(&path).is_ok();
            }
            let what = format!("{} files were left lying in {}", left.len(), tmp.display());
            findings.push(Finding {
                repaired,
                ..of_the_store(what)
            });
        }
        Ok(findings)
    }

    /// A group's files and folders that must be there for it, and be nobody else's.
    fn files_of(&self, group: GroupId) -> Vec<std::path::PathBuf> {
        vec![
            self.disk.key(group),
            self.disk.group_dir(group),
            self.disk.journal(group),
            self.disk.objects(group),
        ]
    }

    /// Files must be 0600, folders 0700. One that is missing is another matter.
    fn examine_modes(
        &self,
        paths: &[std::path::PathBuf],
        group: Option<GroupId>,
        repair: bool,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for path in paths {
            if !matches!(self.disk.vfs.has_own_mode(path), Ok(false)) {
                continue;
            }
            let repaired = repair && self.disk.vfs.set_own_mode(path).is_ok();
            let what = format!(
                "others than the user may use {}, or the user may not; files are 0600 and folders 0700",
                path.display()
            );
            findings.push(Finding {
                group: group.map(|g| g.to_string()),
                repaired,
                ..of_the_store(what)
            });
        }
        findings
    }
}

fn of_the_store(what: String) -> Finding {
    Finding {
        group: None,
        title: None,
        what,
        repaired: false,
        last_good: None,
    }
}

fn finding(group: GroupId, title: Option<String>, what: String) -> Finding {
    Finding {
        group: Some(group.to_string()),
        title,
        what,
        repaired: false,
        last_good: None,
    }
}

/// What an error says, as a finding.
fn told(group: GroupId, title: Option<String>, e: &StoreError) -> Finding {
    match e {
        StoreError::Damaged {
            title: named,
            what,
            last_good,
            ..
        } => Finding {
            last_good: last_good.map(|g| g.0),
            ..finding(group, named.clone().or(title), what.clone())
        },
        other => finding(group, title, other.to_string()),
    }
}
