//! The doctor: looks at every byte that counts, repairs what can be repaired, and names what cannot.
//!
//! What can be: a chunk that is missing or damaged and lies whole in the trash, entries of the index that are wrong. What
//! cannot: anything whose bytes are nowhere else. That is told with the group's title and its last good generation.

use std::collections::{BTreeMap, BTreeSet};

use overwinter_proto::{Generation, GroupId, transfer::ChunkId};
use serde::Serialize;

use crate::{
    collect::Progress,
    error::{Result, StoreError},
    group::{GroupState, Info},
    store::Store,
};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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

impl Store {
    /// Reads and verifies every journal, generation, chunk, tombstone and index entry. `repair`: also repairs what can be.
    ///
    /// # Errors
    /// The store's own folders cannot be read. What is wrong with single groups is in the answer.
    pub fn examine(&mut self, repair: bool, progress: &mut dyn FnMut(Progress)) -> Result<Health> {
        let mut health = Health {
            strangers: crate::open::strangers(&self.disk)?,
            key_warning: crate::open::key_warning(&self.disk)?,
            ..Health::default()
        };
        let mut groups: BTreeSet<GroupId> = self.groups()?.into_iter().collect();
        for folder in ["groups", "keys", "objects", "tombstones"] {
            let (more, strangers) = self.disk.groups_in(folder)?;
            health.strangers.extend(strangers);
            match folder {
                "tombstones" => self.examine_tombstones(&more, &mut health),
                _ => groups.extend(more),
            }
        }
        let total = groups.len();
        for (done, group) in groups.into_iter().enumerate() {
            progress(Progress { done, total });
            self.examine_group(group, repair, &mut health);
        }
        if repair {
            self.hints.flush();
        }
        Ok(health)
    }

    fn examine_tombstones(&mut self, groups: &[GroupId], health: &mut Health) {
        for group in groups {
            if let Err(e) = self.tombstone(*group) {
                health.findings.push(finding(*group, None, e.to_string()));
            }
        }
    }

    fn examine_group(&mut self, group: GroupId, repair: bool, health: &mut Health) {
        let examined = self.with(group, |store, state| {
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
                health.findings.push(told(group, title.clone(), &e));
            }
            store.examine_chunks(group, state, repair, health);
            store.examine_index(group, state, repair, health);
            Ok(())
        });
        match examined {
            Ok(()) => {}
            Err(StoreError::UnknownGroup(_) | StoreError::Forgotten(_)) => {
                let what = "files without a key: what is left of a group that was forgotten or never began; \
                            the next collection or opening removes them"
                    .to_owned();
                health.findings.push(finding(group, None, what));
            }
            Err(e) => health.findings.push(told(group, None, &e)),
        }
    }

    fn examine_chunks(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        repair: bool,
        health: &mut Health,
    ) {
        // What is wrong with each chunk; none: it is whole.
        let mut looked_at: BTreeMap<ChunkId, Option<String>> = BTreeMap::new();
        let mut bad: Vec<(Generation, String)> = Vec::new();
        let infos: Vec<Info> = state.roots().cloned().collect();
        for info in &infos {
            // Lists are chunks too: they come first, and are repaired before they are followed.
            for part in info.parts() {
                for (id, _) in &part.chunks {
                    self.examine_chunk(group, state, *id, repair, health, &mut looked_at);
                }
            }
            let wrong = match self.closure_of(group, state, info) {
                Err(what) => Some(what),
                Ok(ids) => {
                    for id in &ids {
                        self.examine_chunk(group, state, *id, repair, health, &mut looked_at);
                    }
                    let of = |id| looked_at.get(id).cloned().flatten();
                    ids.iter().find_map(of)
                }
            };
            let wrong = wrong.or_else(|| self.read_whole(group, state, info).err());
            bad.extend(wrong.map(|what| (info.generation, what)));
        }
        health.chunks += looked_at.len();
        let good = |info: &&Info| !bad.iter().any(|(g, _)| *g == info.generation);
        let last_good = state.generations.values().rev().find(good);
        let last_good = last_good.map(|info| info.generation.0);
        for (generation, what) in bad {
            health.findings.push(Finding {
                last_good,
                ..finding(
                    group,
                    state.title(),
                    format!("generation {generation}: {what}"),
                )
            });
        }
    }

    fn examine_chunk(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        id: ChunkId,
        repair: bool,
        health: &mut Health,
        looked_at: &mut BTreeMap<ChunkId, Option<String>>,
    ) {
        if looked_at.contains_key(&id) {
            return;
        }
        let path = self.disk.chunk(group, id);
        let in_place = self.open_chunk(state, id, &path);
        let wrong = match (in_place, self.in_trash(group, id)) {
            (Ok(()), _) => None,
            // A group that is not whole is left alone altogether.
            (Err(why), Some(trashed))
                if state.damage.is_none() && self.open_chunk(state, id, &trashed).is_ok() =>
            {
                let put_back = repair && matches!(self.put_back(group, state, id), Ok(true));
                health.findings.push(Finding {
                    repaired: put_back,
                    ..finding(
                        group,
                        state.title(),
                        format!("{why}; it lies whole in the trash"),
                    )
                });
                None
            }
            (Err(why), _) => {
                // No save may refer to it: it writes the chunk anew, and the generation is whole again.
                state.verified.remove(&id);
                Some(why)
            }
        };
        looked_at.insert(id, wrong);
    }

    fn open_chunk(
        &self,
        state: &GroupState,
        id: ChunkId,
        path: &std::path::Path,
    ) -> std::result::Result<(), String> {
        let name = hex::encode(id.0);
        match self.disk.vfs.read(path, crate::chunk::MAX_SEALED) {
            Err(e) => Err(format!("chunk {name} cannot be read ({e})")),
            Ok(sealed) => match crate::chunk::open(&state.keys, id, &sealed) {
                Ok(_) => Ok(()),
                Err(why) => Err(format!("{why} ({name})")),
            },
        }
    }

    /// An entry that vouches for a chunk that is not there, or has another length, is wrong.
    fn examine_index(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        repair: bool,
        health: &mut Health,
    ) {
        let entries = self.hints.chunks(group).unwrap_or_default();
        let there = |id: &ChunkId| self.disk.len(&self.disk.chunk(group, *id)).ok().flatten();
        let wrong: Vec<ChunkId> = entries
            .iter()
            .filter(|(id, len)| there(id) != Some(**len))
            .map(|(id, _)| *id)
            .collect();
        if wrong.is_empty() {
            return;
        }
        if repair {
            for id in &wrong {
                self.hints.remove_chunk(group, *id);
                state.durable.remove(id);
            }
        }
        let n = wrong.len();
        let what = format!("the index vouches for {n} chunks that are not there as it says");
        health.findings.push(Finding {
            repaired: repair,
            ..finding(group, state.title(), what)
        });
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
