//! Rebuilds the session from what the journals say and who is alive. There is no other truth: what the journals do not say
//! has not happened.

use std::collections::{BTreeMap, BTreeSet};

use overwinter_proto::JournalRecord;
use overwinter_proto::journal::{Closure, HostKey};

use crate::effect::{Effect, ShellEffect};
use crate::event::{GroupHistory, Present};
use crate::group::*;
use crate::ids::*;
use crate::session::{Config, Fate, Moved, Session};
use crate::transfer::destination::{Arrival, ArrivalStage};
use crate::transfer::source::{Departed, DepartedStage};
use crate::transfer::stream::Host;

/// A group's journal, read from its first record to its last.
#[derive(Default)]
struct Past {
    app: String,
    lease: Lease,
    snapshots: BTreeMap<Generation, (Revision, Lease)>,
    proven: Option<Generation>,
    blames: BTreeMap<Generation, Vec<String>>,
    quarantined: bool,
    closed: bool,
    opened: bool,
    came_from: Option<Build>,
    /// It came from another host and nothing here has held it since.
    arrived: bool,
    /// Said, and true with the next lease.
    will_come_from: Option<Option<Build>>,
    /// It is this host's, unless `gone`.
    owned: bool,
    /// PREPARING without an end.
    preparing: Option<TxId>,
    gone: Option<Gone>,
    staged: Option<StagedHere>,
    moved: Vec<(TxId, Moved)>,
}

/// RELEASED, and whether DONE followed.
struct Gone {
    tx: TxId,
    destination: HostKey,
    name: String,
    epoch: u32,
    closure: Closure,
    done: bool,
}

/// STAGED without an end.
struct StagedHere {
    tx: TxId,
    generation: Generation,
    epoch: u32,
    closure: Closure,
    source: HostKey,
}

impl Past {
    fn read(history: &GroupHistory, own: HostKey) -> Past {
        let mut past = Past {
            app: history.app.clone(),
            ..Past::default()
        };
        for entry in &history.entries {
            past.add(history.group, own, &entry.record);
        }
        past
    }

    fn add(&mut self, group: GroupId, own: HostKey, record: &JournalRecord) {
        match record {
            JournalRecord::Opened { app } => {
                self.opened = true;
                self.app.clone_from(app);
            }
            JournalRecord::Lease(lease) => {
                self.owned = true;
                self.arrived = false;
                // Somebody held it after that: it was closed in vain.
                self.closed = false;
                self.lease = self.lease.max(*lease);
                if let Some(from) = self.will_come_from.take() {
                    self.came_from = from;
                }
            }
            JournalRecord::CameFrom(from) => self.will_come_from = Some(from.clone()),
            JournalRecord::Stored {
                generation,
                revision,
                lease,
            } => {
                // A staged group's snapshot becomes this host's with OWNED, not before.
                self.owned |= self.staged.is_none() && self.gone.is_none();
                self.lease = self.lease.max(*lease);
                self.snapshots.insert(*generation, (*revision, *lease));
            }
            JournalRecord::Proven(generation) => self.proven = self.proven.max(Some(*generation)),
            JournalRecord::Slept(_) => self.closed = false,
            JournalRecord::Blamed { generation, build } => {
                self.blames
                    .entry(*generation)
                    .or_default()
                    .push(build.clone());
            }
            JournalRecord::Quarantined => self.quarantined = true,
            JournalRecord::Reprieved => {
                self.quarantined = false;
                self.blames.clear();
            }
            JournalRecord::Preparing { tx, .. } => self.preparing = Some(*tx),
            JournalRecord::Released {
                tx,
                destination,
                destination_name,
                epoch,
                closure,
            } => {
                self.preparing = None;
                self.gone = Some(Gone {
                    tx: *tx,
                    destination: *destination,
                    name: destination_name.clone(),
                    epoch: *epoch,
                    closure: *closure,
                    done: false,
                });
            }
            JournalRecord::Done { tx } => {
                if let Some(gone) = self.gone.as_mut().filter(|g| g.tx == *tx) {
                    gone.done = true;
                    self.snapshots.clear();
                    self.proven = None;
                }
            }
            JournalRecord::Staged {
                tx,
                generation,
                epoch,
                closure,
                source,
            } => {
                self.staged = Some(StagedHere {
                    tx: *tx,
                    generation: *generation,
                    epoch: *epoch,
                    closure: *closure,
                    source: *source,
                });
            }
            JournalRecord::Owned { tx, epoch } => self.own(group, own, *tx, *epoch),
            JournalRecord::Aborted { tx } => self.abort(group, own, *tx),
            JournalRecord::Closed => self.closed = true,
        }
    }

    fn own(&mut self, group: GroupId, own: HostKey, tx: TxId, epoch: u32) {
        let staged = self.staged.take().filter(|s| s.tx == tx);
        self.owned = true;
        self.arrived = true;
        self.gone = None;
        // What it ran in elsewhere is not here.
        self.came_from = None;
        self.quarantined = false;
        self.closed = false;
        self.lease = self.lease.max(Lease(u64::from(epoch) << 32));
        if let Some(staged) = staged {
            self.snapshots.retain(|n, _| *n >= staged.generation);
            self.proven = self.proven.filter(|n| *n >= staged.generation);
            // STAGED brought it; its revision is known when it has been read.
            self.snapshots
                .entry(staged.generation)
                .or_insert((Revision(0), self.lease));
            let moved = Moved {
                group,
                source: staged.source,
                fate: Fate::Owned,
                release: Some((epoch, staged.closure, own)),
            };
            self.moved.push((tx, moved));
        }
    }

    fn abort(&mut self, group: GroupId, own: HostKey, tx: TxId) {
        let mut source = own;
        if self.preparing == Some(tx) {
            self.preparing = None;
        }
        // RELEASED that was written without its answer having been seen told nobody.
        if self.gone.as_ref().is_some_and(|g| g.tx == tx) {
            self.gone = None;
        }
        if let Some(staged) = self.staged.take_if(|s| s.tx == tx) {
            source = staged.source;
        }
        let moved = Moved {
            group,
            source,
            fate: Fate::Aborted,
            release: None,
        };
        self.moved.push((tx, moved));
    }
}

impl Session {
    /// A session that goes on where the former one stopped, whatever it was doing. `census` are the instances that are
    /// alive and have registered again; who holds a group is decided by its lease in the journal.
    pub fn recover(
        config: Config,
        now: Instant,
        histories: Vec<GroupHistory>,
        census: Vec<Present>,
    ) -> (Session, Vec<Effect>) {
        let own = config.own_key;
        let mut session = Session::new(config);
        session.now = now;
        let (mut unfinished, mut arrived) = (Vec::new(), Vec::new());
        for history in histories {
            let past = Past::read(&history, own);
            unfinished.extend(past.preparing.map(|tx| (history.group, tx)));
            arrived.extend(past.arrived.then_some(history.group));
            session.restore_group(history, past);
        }
        for present in census {
            let Present {
                instance,
                app,
                build,
                held,
            } = present;
            session.registered(instance, app, build, held);
        }
        for (group, tx) in unfinished {
            session.abort_unfinished(group, tx);
        }
        let ghosts: Vec<(GroupId, Generation)> = session
            .groups
            .values()
            .filter(|g| {
                matches!(
                    g.home,
                    Home::Asleep(_) | Home::Quarantined | Home::Departing(_)
                )
            })
            .filter_map(|g| Some((g.id, g.newest()?)))
            .collect();
        for (group, generation) in ghosts {
            session.shell(ShellEffect::PlaceGhost { group, generation });
        }
        for group in arrived {
            session.tell_arrived(group);
        }
        session.settle();
        let effects = std::mem::take(&mut session.out);
        (session, effects)
    }

    /// A group has come into the store by a file, and sleeps here from now on as after a start. Its id is fresh.
    pub(crate) fn imported(&mut self, history: GroupHistory) {
        let id = history.group;
        let known = self.groups.contains_key(&id)
            || self.arrivals.contains_key(&id)
            || self.bare.contains_key(&id)
            || self.aside.contains_key(&id)
            || self.ended.contains(&id);
        if known {
            return;
        }
        let past = Past::read(&history, self.config.own_key);
        self.restore_group(history, past);
        if let Some(generation) = self.groups.get(&id).and_then(Group::newest) {
            let group = id;
            self.shell(ShellEffect::PlaceGhost { group, generation });
        }
    }

    fn restore_group(&mut self, history: GroupHistory, past: Past) {
        let id = history.group;
        self.moved.extend(past.moved);
        if past.closed && past.staged.is_none() {
            self.ended.insert(id);
            return;
        }
        if let Some(staged) = past.staged {
            let arrival = Arrival {
                tx: staged.tx,
                peer: None,
                source: Host {
                    key: staged.source,
                    name: "the other host".to_owned(),
                },
                app: past.app.clone(),
                title: history.title.clone(),
                generation: staged.generation,
                lease: Lease(u64::from(staged.epoch) << 32),
                stage: ArrivalStage::Staged {
                    closure: staged.closure,
                },
                next: None,
            };
            self.arrivals.insert(id, arrival);
        }
        let home = match past.gone {
            Some(gone) => Home::Released(Departed {
                tx: gone.tx,
                destination: gone.destination,
                destination_name: gone.name,
                epoch: gone.epoch,
                closure: gone.closure,
                peer: None,
                stage: match gone.done {
                    true => DepartedStage::Done,
                    false => DepartedStage::Unacknowledged { until: None },
                },
            }),
            // Opened, and nothing stored: there is nothing here to go on with. Its app may still be alive and say so.
            None if !past.owned || past.snapshots.is_empty() => {
                if !self.arrivals.contains_key(&id) {
                    self.bare.insert(id, (past.lease, past.opened));
                }
                return;
            }
            None if past.quarantined => Home::Quarantined,
            None => Home::Asleep(Rest::Still),
        };
        let mut group = Group::new(id, past.app, history.title, past.lease, home);
        group.came_from = past.came_from;
        let newest = past.snapshots.keys().next_back().copied();
        // The journal names generations that were deleted long ago: what `retain` keeps is what there is.
        let kept: BTreeSet<Generation> = past
            .snapshots
            .keys()
            .rev()
            .take(2)
            .copied()
            .chain(past.proven)
            .collect();
        for (generation, (revision, lease)) in past.snapshots {
            let build = history.build.clone().filter(|_| Some(generation) == newest);
            let snap = Snap {
                revision,
                lease,
                build,
                damaged: false,
            };
            if kept.contains(&generation) {
                group.snapshots.insert(generation, snap);
            }
        }
        group.proven = past.proven.filter(|n| group.snapshots.contains_key(n));
        for (generation, builds) in &past.blames {
            let pairs = builds.iter().map(|build| (*generation, build.clone()));
            group.distrusted.extend(pairs);
        }
        group.blames = past.blames;
        self.groups.insert(id, group);
    }

    /// It was to wake when it had come, and the session ended before it could.
    fn tell_arrived(&mut self, group: GroupId) {
        let still = self.groups.get(&group).filter(|g| g.is_still());
        if let Some(g) = still {
            let text = format!(
                "“{}” came here from another host, and the session ended before it was open here. It is kept as it came, asleep; \
                 click on its ghost to go on.",
                g.title
            );
            self.notice(Some(group), text);
        }
    }

    /// PREPARING without an end: the destination cannot have been told RELEASED. ABORTED is written before the group may
    /// run again.
    fn abort_unfinished(&mut self, group: GroupId, tx: TxId) {
        let still = self
            .groups
            .get(&group)
            .is_some_and(|g| matches!(g.home, Home::Asleep(Rest::Still) | Home::Quarantined));
        if still {
            self.abort_after_recovery(group, tx);
        }
    }
}
