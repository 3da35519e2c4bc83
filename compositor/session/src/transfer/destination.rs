//! The host that a group comes to. What has come and is verified is STAGED: neither run nor forgotten until the source has
//! decided. OWNED is written before anything of it runs.

use overwinter_proto::JournalRecord;
use overwinter_proto::journal::Closure;
use overwinter_proto::transfer::{Manifest, Message};

use super::AGAIN_MS;
use super::stream::Host;
use crate::adopt::RECORD_MS;
use crate::effect::{Outcome, ShellEffect, StoreRequest};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::save::STORE_MS;
use crate::session::{Asked, Fate, Moved, Session};

/// A group on its way here.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub tx: TxId,
    /// The stream it comes on; `None` while there is none.
    pub peer: Option<PeerId>,
    pub source: Host,
    pub app: String,
    pub title: String,
    pub generation: Generation,
    /// The lease that it will have here before its first holder.
    pub lease: Lease,
    pub stage: ArrivalStage,
    /// The same source's next attempt, which waits for this one to be decided.
    pub next: Option<Box<Offer>>,
}

/// What a source offers.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub peer: PeerId,
    pub tx: TxId,
    pub manifest: Manifest,
    pub keys: Vec<u8>,
}

/// See [`Arrival`].
#[derive(Clone, Debug)]
pub(crate) enum ArrivalStage {
    /// Chunks come. Both must be there, and equal: what the store verified, and what the source prepared.
    Unpacking {
        store: StoreId,
        until: Instant,
        arrived: Option<Closure>,
        prepared: Option<Closure>,
    },
    /// The record that names its app is being written.
    Naming {
        store: StoreId,
        until: Instant,
        closure: Closure,
    },
    /// The record STAGED is being written.
    Staging {
        store: StoreId,
        until: Instant,
        closure: Closure,
    },
    /// Only the source can decide now. No deadline: it is asked on every stream.
    Staged { closure: Closure },
    /// Released by the source: it is made the store's own, and OWNED written. `None` between attempts.
    Admitting {
        store: Option<StoreId>,
        until: Instant,
        closure: Closure,
    },
    Owning {
        store: StoreId,
        until: Instant,
        closure: Closure,
    },
}

impl Arrival {
    /// What has been staged.
    pub fn closure(&self) -> Option<Closure> {
        match self.stage {
            ArrivalStage::Unpacking { .. } => None,
            ArrivalStage::Naming { closure, .. }
            | ArrivalStage::Staging { closure, .. }
            | ArrivalStage::Staged { closure }
            | ArrivalStage::Admitting { closure, .. }
            | ArrivalStage::Owning { closure, .. } => Some(closure),
        }
    }

    /// Whether the source may have heard, or the disk may say, that it is staged.
    pub(super) fn may_be_staged(&self) -> bool {
        !matches!(
            self.stage,
            ArrivalStage::Unpacking { .. } | ArrivalStage::Naming { .. }
        )
    }
}

impl Session {
    /// The source has sent everything and says what it should amount to.
    pub(crate) fn prepared(&mut self, peer: PeerId, tx: TxId, closure: Closure) {
        let found = self
            .arrivals
            .iter_mut()
            .find(|(_, a)| a.tx == tx && a.peer == Some(peer));
        let Some((group, arrival)) = found else {
            return;
        };
        let group = *group;
        if let ArrivalStage::Unpacking { prepared, .. } = &mut arrival.stage {
            *prepared = Some(closure);
            self.try_stage(group);
        }
    }

    fn try_stage(&mut self, group: GroupId) {
        let Some(arrival) = self.arrivals.get(&group) else {
            return;
        };
        let ArrivalStage::Unpacking {
            arrived: Some(arrived),
            prepared: Some(prepared),
            ..
        } = arrival.stage
        else {
            return;
        };
        if arrived != prepared {
            let why = "what arrived is not what was sent";
            return self.arrival_failed(group, why);
        }
        let app = arrival.app.clone();
        let store = self.record(group, JournalRecord::Opened { app });
        let until = self.now.after(RECORD_MS);
        let closure = arrived;
        self.set_arrival(
            group,
            ArrivalStage::Naming {
                store,
                until,
                closure,
            },
        );
    }

    fn set_arrival(&mut self, group: GroupId, stage: ArrivalStage) {
        if let Some(arrival) = self.arrivals.get_mut(&group) {
            arrival.stage = stage;
        }
    }

    /// The store's answer. True if it was about an arrival.
    pub(crate) fn arrival_stored(
        &mut self,
        group: GroupId,
        id: StoreId,
        reply: &StoreReply,
    ) -> bool {
        let Some(arrival) = self.arrivals.get_mut(&group) else {
            return false;
        };
        let waits = match &arrival.stage {
            ArrivalStage::Unpacking { store, .. }
            | ArrivalStage::Naming { store, .. }
            | ArrivalStage::Staging { store, .. }
            | ArrivalStage::Owning { store, .. } => *store == id,
            ArrivalStage::Admitting { store, .. } => *store == Some(id),
            ArrivalStage::Staged { .. } => false,
        };
        if !waits {
            return false;
        }
        let (now, tx) = (self.now, arrival.tx);
        let until = now.after(RECORD_MS);
        match (&mut arrival.stage, reply) {
            (
                ArrivalStage::Unpacking { arrived, .. },
                StoreReply::Arrived {
                    closure,
                    generation,
                    app,
                    title,
                },
            ) => {
                *arrived = Some(*closure);
                arrival.generation = *generation;
                arrival.app.clone_from(app);
                arrival.title.clone_from(title);
                self.try_stage(group);
            }
            (ArrivalStage::Naming { closure, .. }, StoreReply::Recorded) => {
                let closure = *closure;
                let record = JournalRecord::Staged {
                    tx,
                    generation: arrival.generation,
                    epoch: arrival.lease.epoch(),
                    closure,
                    source: arrival.source.key,
                };
                let store = self.record(group, record);
                self.set_arrival(
                    group,
                    ArrivalStage::Staging {
                        store,
                        until,
                        closure,
                    },
                );
            }
            (ArrivalStage::Staging { closure, .. }, StoreReply::Recorded) => {
                let closure = *closure;
                arrival.stage = ArrivalStage::Staged { closure };
                let source = arrival.source.key;
                if let Some(peer) = arrival.peer {
                    self.say(peer, Message::Staged { tx, closure });
                } else if let Some(peer) = self.stream_to(&source) {
                    // Its own stream broke meanwhile, and the next one is there already.
                    self.ask_to_decide(peer, group);
                }
            }
            (ArrivalStage::Admitting { closure, .. }, StoreReply::Written(generation)) => {
                let closure = *closure;
                arrival.generation = *generation;
                let epoch = arrival.lease.epoch();
                let store = self.record(group, JournalRecord::Owned { tx, epoch });
                self.set_arrival(
                    group,
                    ArrivalStage::Owning {
                        store,
                        until,
                        closure,
                    },
                );
            }
            (ArrivalStage::Owning { .. }, StoreReply::Recorded) => self.own(group),
            (ArrivalStage::Admitting { .. } | ArrivalStage::Owning { .. }, reply) => {
                let why = match reply {
                    StoreReply::Failed { why, .. } => why.clone(),
                    _ => "the store did not answer what was asked".to_owned(),
                };
                self.admission_failed(group, &why);
            }
            (_, StoreReply::Failed { why, .. }) => self.arrival_failed(group, why),
            _ => self.arrival_failed(group, "the store did not answer what was asked"),
        }
        true
    }

    /// It will not come, and the source is told before it has let go.
    pub(crate) fn arrival_failed(&mut self, group: GroupId, why: &str) {
        let Some(arrival) = self.arrivals.get(&group) else {
            return;
        };
        let (tx, peer) = (arrival.tx, arrival.peer);
        if let Some(peer) = peer {
            self.refuse(peer, tx, why);
        }
        self.drop_arrival(group, why);
    }

    /// Drops what came for a move that does not happen.
    fn drop_arrival(&mut self, group: GroupId, why: &str) {
        let Some(arrival) = self.arrivals.remove(&group) else {
            return;
        };
        let tx = arrival.tx;
        if arrival.may_be_staged() {
            self.record(group, JournalRecord::Aborted { tx });
        }
        let moved = Moved {
            group,
            source: arrival.source.key,
            fate: Fate::Aborted,
            release: None,
        };
        self.moved.insert(tx, moved);
        self.ask_store(group, Asked::Step, StoreRequest::DropStaged { group, tx });
        let text = format!(
            "It did not come: {why}. It is still on {}.",
            arrival.source.name
        );
        self.finish(group, Goal::Receive, Outcome::Failed, &text);
        if let Some(next) = arrival.next {
            let Offer {
                peer,
                tx,
                manifest,
                keys,
            } = *next;
            self.offered(peer, arrival.source, tx, manifest, keys);
        }
    }

    /// Asks the source which way a staged move went.
    pub(crate) fn ask_to_decide(&mut self, peer: PeerId, group: GroupId) {
        if let Some(arrival) = self.arrivals.get_mut(&group) {
            arrival.peer = Some(peer);
            let tx = arrival.tx;
            self.say(peer, Message::Decide { tx, group });
        }
    }

    /// The source has decided: it is ours. The shell has checked the signature.
    pub(crate) fn source_released(&mut self, peer: PeerId, host: &Host, tx: TxId) {
        if self.moved.get(&tx).is_some_and(|m| m.fate == Fate::Owned) {
            return self.say(peer, Message::Owned { tx });
        }
        let found = self
            .arrivals
            .iter_mut()
            .find(|(_, a)| a.tx == tx && a.source.key == host.key);
        let Some((group, arrival)) = found else {
            return;
        };
        let group = *group;
        arrival.peer = Some(peer);
        if let ArrivalStage::Staged { closure } = arrival.stage {
            self.admit(group, closure);
        }
    }

    fn admit(&mut self, group: GroupId, closure: Closure) {
        let Some(tx) = self.arrivals.get(&group).map(|a| a.tx) else {
            return;
        };
        let store = self.ask_store(group, Asked::Step, StoreRequest::Admit { group, tx });
        let until = self.now.after(STORE_MS);
        let store = Some(store);
        self.set_arrival(
            group,
            ArrivalStage::Admitting {
                store,
                until,
                closure,
            },
        );
    }

    /// Nobody else may run it, so it is kept and tried again until it works.
    fn admission_failed(&mut self, group: GroupId, why: &str) {
        let Some(closure) = self.arrivals.get(&group).and_then(Arrival::closure) else {
            return;
        };
        let text = format!(
            "It has come and is this host's, but cannot be opened yet: {why}. It is kept, and tried again every {} s; free disk space if there is none.",
            AGAIN_MS / 1000
        );
        self.finish(group, Goal::Receive, Outcome::Failed, &text);
        let until = self.now.after(AGAIN_MS);
        let store = None;
        self.set_arrival(
            group,
            ArrivalStage::Admitting {
                store,
                until,
                closure,
            },
        );
    }

    /// A step of an arrival took too long.
    pub(crate) fn arrival_timed_out(&mut self, group: GroupId) {
        match self.arrivals.get(&group).map(|a| a.stage.clone()) {
            Some(ArrivalStage::Admitting {
                store: None,
                closure,
                ..
            }) => self.admit(group, closure),
            Some(ArrivalStage::Admitting { .. } | ArrivalStage::Owning { .. }) => {
                self.admission_failed(group, "the store did not answer in time");
            }
            Some(_) => self.arrival_failed(group, "it took too long"),
            None => {}
        }
    }

    /// OWNED is durable: the group is asleep here, and wakes.
    fn own(&mut self, group: GroupId) {
        let Some(arrival) = self.arrivals.remove(&group) else {
            return;
        };
        let closure = arrival.closure();
        // That it is here proves that the former destination had it, whether or not that was acknowledged.
        let text = format!("It was on {} and is back.", arrival.source.name);
        self.finish(group, Goal::Move, Outcome::Done, &text);
        let home = Home::Asleep(Rest::Still);
        let mut new = Group::new(group, arrival.app, arrival.title, arrival.lease, home);
        let generation = arrival.generation;
        let snap = Snap {
            // Known when it has been read.
            revision: Revision(0),
            lease: arrival.lease,
            build: None,
            damaged: false,
        };
        new.snapshots.insert(generation, snap);
        self.groups.insert(group, new);
        let (tx, source, epoch) = (arrival.tx, arrival.source.key, arrival.lease.epoch());
        let moved = Moved {
            group,
            source,
            fate: Fate::Owned,
            release: closure.map(|c| (epoch, c, self.config.own_key)),
        };
        self.moved.insert(tx, moved);
        if let Some(peer) = arrival.peer.or_else(|| self.stream_to(&source)) {
            self.say(peer, Message::Owned { tx });
        }
        self.shell(ShellEffect::PlaceGhost { group, generation });
        let text = format!("It came from {} and is this host's.", arrival.source.name);
        self.finish(group, Goal::Receive, Outcome::Done, &text);
        self.begin_wake(group, Reason::Move);
    }

    /// The source says that the move did not happen.
    pub(crate) fn source_aborted(&mut self, host: &Host, tx: TxId) {
        let found = self
            .arrivals
            .iter()
            .find(|(_, a)| a.tx == tx && a.source.key == host.key);
        let Some((group, arrival)) = found else {
            return;
        };
        let decided = matches!(
            arrival.stage,
            ArrivalStage::Admitting { .. } | ArrivalStage::Owning { .. }
        );
        if !decided {
            let group = *group;
            self.drop_arrival(group, "the other host called the move off");
        }
    }

    pub(crate) fn stream_lost_for_arrival(&mut self, group: GroupId, peer: PeerId, why: &str) {
        let Some(arrival) = self.arrivals.get_mut(&group) else {
            return;
        };
        if arrival.next.as_ref().is_some_and(|next| next.peer == peer) {
            arrival.next = None;
        }
        if arrival.peer != Some(peer) {
            return;
        }
        arrival.peer = None;
        if !arrival.may_be_staged() {
            return self.drop_arrival(group, why);
        }
        if matches!(
            arrival.stage,
            ArrivalStage::Staging { .. } | ArrivalStage::Staged { .. }
        ) {
            let text = format!(
                "It is here but not yet this host's: {why} before {} had decided. It is kept; connect the two again to finish.",
                arrival.source.name
            );
            self.finish(group, Goal::Receive, Outcome::Failed, &text);
        }
    }
}
