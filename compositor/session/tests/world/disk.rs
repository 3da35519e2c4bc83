//! A disk: journals and snapshots that are durable exactly when the request has been carried out, whether or not anybody
//! has been told. It may be full (requests fail) or stuck (no answers).

use std::collections::{BTreeMap, BTreeSet};

use overwinter_session::event::GroupHistory;
use overwinter_session::ids::*;
use overwinter_session::proto::JournalRecord;
use overwinter_session::proto::journal::{Closure, JournalEntry};
use overwinter_session::proto::transfer::{ChunkId, Manifest, Message};
use overwinter_session::{StoreReply, StoreRequest};

use super::app::Content;
use super::{APP, World};

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub groups: BTreeMap<GroupId, Shelf>,
    pub staged: BTreeMap<TxId, Staged>,
    pub full: bool,
    /// What is read has lost its secrets.
    pub secretless: bool,
    /// Does what it is asked and never says so.
    pub mute: bool,
    /// Does not even do it.
    pub stuck: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Shelf {
    pub journal: Vec<JournalRecord>,
    pub snapshots: BTreeMap<Generation, Stored>,
    pub highest: u64,
    pub title: String,
}

#[derive(Clone, Debug)]
pub struct Stored {
    pub content: Content,
    pub revision: Revision,
    pub lease: Lease,
    pub build: Build,
    pub flipped: bool,
}

/// What has come of a group from another host.
#[derive(Clone, Debug)]
pub struct Staged {
    pub group: GroupId,
    pub manifest: Manifest,
    pub content: Option<Content>,
    /// Who waits for it: lives in memory only.
    pub waits: Option<StoreId>,
}

impl Disk {
    pub fn forget_memory(&mut self) {
        for staged in self.staged.values_mut() {
            staged.waits = None;
        }
    }

    pub fn histories(&self) -> Vec<GroupHistory> {
        let history = |(group, shelf): (&GroupId, &Shelf)| GroupHistory {
            group: *group,
            app: if shelf.snapshots.is_empty() {
                String::new()
            } else {
                APP.to_owned()
            },
            title: shelf.title.clone(),
            build: shelf
                .snapshots
                .values()
                .next_back()
                .map(|s| s.build.clone()),
            entries: shelf
                .journal
                .iter()
                .enumerate()
                .map(|(n, record)| JournalEntry {
                    sequence: n as u64,
                    record: record.clone(),
                })
                .collect(),
        };
        self.groups.iter().map(history).collect()
    }

    pub fn holds(&self, group: GroupId, content: &Content) -> bool {
        self.groups.get(&group).is_some_and(|shelf| {
            shelf
                .snapshots
                .values()
                .any(|s| s.content.contains(content))
        })
    }

    fn shelf(&mut self, group: GroupId) -> &mut Shelf {
        self.groups.entry(group).or_default()
    }
}

pub fn group_of(request: &StoreRequest) -> GroupId {
    match request {
        StoreRequest::Write { group, .. }
        | StoreRequest::Read { group, .. }
        | StoreRequest::Record { group, .. }
        | StoreRequest::Retain { group, .. }
        | StoreRequest::Pack { group, .. }
        | StoreRequest::SendChunks { group, .. }
        | StoreRequest::Admit { group, .. }
        | StoreRequest::DropStaged { group, .. }
        | StoreRequest::Bury { group } => *group,
        StoreRequest::Unpack { manifest, .. } => manifest.group,
    }
}

fn closure_of(group: GroupId, generation: Generation, content: &Content) -> Closure {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&group.0.to_be_bytes());
    bytes[16..24].copy_from_slice(&generation.0.to_be_bytes());
    bytes[24..].copy_from_slice(&content.sum().to_be_bytes());
    Closure(bytes)
}

/// Whether the newest move of this journal's group leads away from here and has not been called off.
fn undecided(journal: &[JournalRecord]) -> bool {
    let moves = journal.iter().rev().find(|r| {
        matches!(
            r,
            JournalRecord::Preparing { .. }
                | JournalRecord::Released { .. }
                | JournalRecord::Aborted { .. }
                | JournalRecord::Owned { .. }
        )
    });
    matches!(
        moves,
        Some(JournalRecord::Preparing { .. } | JournalRecord::Released { .. })
    )
}

fn failed(why: &str, damaged: bool) -> StoreReply {
    let why = why.to_owned();
    StoreReply::Failed { why, damaged }
}

impl World {
    /// Carries out one request. `None` if no answer comes (yet).
    pub fn store(
        &mut self,
        host: usize,
        id: StoreId,
        request: StoreRequest,
        content: Option<Content>,
    ) -> Option<StoreReply> {
        let disk = &self.hosts[host].disk;
        let (mute, stuck, full) = (disk.mute, disk.stuck, disk.full);
        if stuck {
            return None;
        }
        let reads = matches!(request, StoreRequest::Read { .. });
        let reply = if full && !reads {
            Some(failed("the disk is full.", false))
        } else {
            self.do_store(host, id, request, content)
        };
        match reply {
            Some(StoreReply::Read { state, .. }) if mute => {
                self.hosts[host].payloads.remove(&state);
                None
            }
            reply => reply.filter(|_| !mute),
        }
    }

    fn do_store(
        &mut self,
        host: usize,
        id: StoreId,
        request: StoreRequest,
        content: Option<Content>,
    ) -> Option<StoreReply> {
        let disk = &mut self.hosts[host].disk;
        Some(match request {
            StoreRequest::Write {
                group,
                build,
                lease,
                revision,
                title,
                ..
            } => {
                let shelf = disk.shelf(group);
                shelf.highest += 1;
                let generation = Generation(shelf.highest);
                shelf.title = title;
                shelf.snapshots.insert(
                    generation,
                    Stored {
                        content: content.unwrap_or_default(),
                        revision,
                        lease,
                        build,
                        flipped: false,
                    },
                );
                shelf.journal.push(JournalRecord::Stored {
                    generation,
                    revision,
                    lease,
                });
                StoreReply::Written(generation)
            }
            StoreRequest::Read { group, generation } => {
                let lacks = disk
                    .secretless
                    .then(|| "its secrets are damaged".to_owned());
                match disk.shelf(group).snapshots.get(&generation) {
                    Some(s) if !s.flipped => {
                        let (content, revision) = (s.content.clone(), s.revision);
                        let build = s.build.clone();
                        let state = PayloadId(self.fresh());
                        self.hosts[host].payloads.insert(state, content);
                        StoreReply::Read {
                            state,
                            revision,
                            build,
                            lacks,
                        }
                    }
                    Some(_) => failed("its bytes are not what was written.", true),
                    None => failed("there is no such generation.", true),
                }
            }
            StoreRequest::Record { group, record } => {
                self.check_record(host, group, &record);
                self.hosts[host].disk.shelf(group).journal.push(record);
                StoreReply::Recorded
            }
            StoreRequest::Retain { group, keep } => {
                self.check_retain(host, group, &keep);
                let shelf = self.hosts[host].disk.shelf(group);
                let newest = shelf.snapshots.keys().next_back().copied();
                shelf
                    .snapshots
                    .retain(|n, _| keep.contains(n) || Some(*n) == newest);
                StoreReply::Recorded
            }
            StoreRequest::Pack { group, tx, peer } => return self.pack(host, group, tx, peer),
            StoreRequest::SendChunks {
                group, tx, peer, ..
            } => {
                let shelf = disk.shelf(group);
                let content = shelf
                    .snapshots
                    .values()
                    .next_back()
                    .map(|s| s.content.clone());
                let (id, bytes) = (ChunkId([0; 32]), Vec::new());
                let message = Message::Chunk { tx, id, bytes };
                self.send_to_peer(host, peer, message, content);
                StoreReply::Sent
            }
            StoreRequest::Unpack {
                tx, peer, manifest, ..
            } => {
                let group = manifest.group;
                disk.staged.insert(
                    tx,
                    Staged {
                        group,
                        manifest,
                        content: None,
                        waits: Some(id),
                    },
                );
                let chunks = vec![ChunkId([0; 32])];
                self.send_to_peer(host, peer, Message::Need { tx, chunks }, None);
                return None;
            }
            StoreRequest::Admit { group, tx } => {
                let Some(staged) = disk.staged.get(&tx).cloned() else {
                    return Some(failed("nothing of it has come.", false));
                };
                let Some(content) = staged.content else {
                    return Some(failed("not all of it has come.", false));
                };
                let generation = staged.manifest.generation;
                let lease = staged.manifest.lease;
                let shelf = disk.shelf(group);
                shelf.highest = shelf.highest.max(generation.0);
                let revision = Revision(content.0.len() as u64);
                let stored = Stored {
                    content,
                    revision,
                    lease,
                    build: super::build("1.0"),
                    flipped: false,
                };
                // No record: STAGED says what came, OWNED that it counts.
                shelf.snapshots.insert(generation, stored);
                StoreReply::Written(generation)
            }
            StoreRequest::DropStaged { tx, .. } => {
                disk.staged.remove(&tx);
                StoreReply::Recorded
            }
            StoreRequest::Bury { group } => {
                let shelf = disk.shelf(group);
                let done = matches!(shelf.journal.last(), Some(JournalRecord::Done { .. }));
                if done {
                    shelf.snapshots.clear();
                } else {
                    // The group may have come back since.
                    let back = shelf
                        .journal
                        .iter()
                        .rev()
                        .any(|r| matches!(r, JournalRecord::Done { .. }));
                    assert!(back, "{group:?} is buried alive");
                }
                StoreReply::Recorded
            }
        })
    }

    fn pack(&mut self, host: usize, group: GroupId, tx: TxId, peer: PeerId) -> Option<StoreReply> {
        let shelf = self.hosts[host].disk.shelf(group);
        let lease = shelf.journal.iter().filter_map(|r| match r {
            JournalRecord::Lease(lease) => Some(*lease),
            JournalRecord::Owned { epoch, .. } => Some(Lease(u64::from(*epoch) << 32)),
            _ => None,
        });
        let lease = lease.max().unwrap_or(Lease::FIRST);
        let Some((generation, stored)) = shelf.snapshots.iter().next_back() else {
            return Some(failed("there is nothing to send.", false));
        };
        if stored.flipped {
            return Some(failed("its bytes are not what was written.", true));
        }
        let (generation, closure) = (*generation, closure_of(group, *generation, &stored.content));
        let manifest = Manifest {
            group,
            app: APP.to_owned(),
            title: shelf.title.clone(),
            generation,
            lease,
            chunks: Vec::new(),
            head: Vec::new(),
        };
        let keys = Vec::new();
        self.send_to_peer(host, peer, Message::Offer { tx, manifest, keys }, None);
        Some(StoreReply::Packed {
            closure,
            generation,
        })
    }

    /// The last chunk of a move is here.
    pub fn chunk_came(
        &mut self,
        host: usize,
        tx: TxId,
        content: Content,
    ) -> Option<(StoreId, StoreReply)> {
        let staged = self.hosts[host].disk.staged.get_mut(&tx)?;
        staged.content = Some(content.clone());
        let id = staged.waits.take()?;
        let generation = staged.manifest.generation;
        let reply = StoreReply::Arrived {
            closure: closure_of(staged.group, generation, &content),
            generation,
            app: APP.to_owned(),
            title: staged.manifest.title.clone(),
        };
        Some((id, reply))
    }

    /// A bit flips in the newest snapshot of a group.
    pub fn flip_a_bit(&mut self, host: usize, group: GroupId) {
        let shelf = self.hosts[host].disk.shelf(group);
        if let Some(stored) = shelf.snapshots.values_mut().next_back() {
            stored.flipped = true;
            self.damaged.insert(group);
        }
    }

    /// No record follows a commit point but the ones that belong there.
    fn check_record(&mut self, host: usize, group: GroupId, record: &JournalRecord) {
        let shelf = self.hosts[host].disk.shelf(group);
        let last = shelf.journal.last().cloned();
        let leases: BTreeSet<Lease> = shelf
            .journal
            .iter()
            .filter_map(|r| match r {
                JournalRecord::Lease(lease) => Some(*lease),
                _ => None,
            })
            .collect();
        match record {
            JournalRecord::Released { tx, .. } => {
                let prepared =
                    matches!(&last, Some(JournalRecord::Preparing { tx: t, .. }) if t == tx);
                if !prepared {
                    self.fail(&format!("RELEASED follows {last:?}, not its PREPARING"));
                }
            }
            JournalRecord::Lease(_) if undecided(&shelf.journal) => {
                self.fail(&format!("{group:?} is held while its move is undecided"));
            }
            JournalRecord::Lease(lease) if leases.iter().any(|l| l >= lease) => {
                self.fail(&format!("{lease:?} was given before"));
            }
            _ => {}
        }
    }

    /// What is said to another host is durable on this one.
    pub fn check_said(&self, host: usize, message: &Message) {
        let journals = || {
            self.hosts[host]
                .disk
                .groups
                .values()
                .flat_map(|s| &s.journal)
        };
        let has = |found: &dyn Fn(&JournalRecord) -> bool| journals().any(found);
        use JournalRecord as R;
        let durable = match message {
            Message::Prepared { tx, .. } => {
                has(&|r| matches!(r, R::Preparing { tx: t, .. } if t == tx))
            }
            Message::Staged { tx, .. } => has(&|r| matches!(r, R::Staged { tx: t, .. } if t == tx)),
            Message::Released { tx, .. } => {
                has(&|r| matches!(r, R::Released { tx: t, .. } if t == tx))
            }
            Message::Owned { tx } => has(&|r| matches!(r, R::Owned { tx: t, .. } if t == tx)),
            Message::Done { tx } => has(&|r| matches!(r, R::Done { tx: t } if t == tx)),
            Message::Aborted { tx, .. } => {
                let prepared = has(&|r| matches!(r, R::Preparing { tx: t, .. } if t == tx));
                !prepared || has(&|r| matches!(r, R::Aborted { tx: t } if t == tx))
            }
            _ => true,
        };
        if !durable {
            self.fail(&format!("{message:?} was said before it was durable"));
        }
    }

    /// The newest generation and the newest proven one are never let go.
    fn check_retain(&mut self, host: usize, group: GroupId, keep: &[Generation]) {
        let shelf = self.hosts[host].disk.shelf(group);
        let proven = shelf.journal.iter().filter_map(|r| match r {
            JournalRecord::Proven(n) => Some(*n),
            _ => None,
        });
        let proven = proven.max().filter(|n| shelf.snapshots.contains_key(n));
        if proven.is_some_and(|n| !keep.contains(&n)) {
            self.fail(&format!("the proven generation of {group:?} is let go"));
        }
    }
}
