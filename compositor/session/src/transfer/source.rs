//! The host that a group leaves. `Departing` ends at the commit point, the record RELEASED; `Released` is for ever, unless
//! the group is moved back by the host that owns it.

use std::collections::BTreeSet;

use overwinter_proto::JournalRecord;
use overwinter_proto::journal::{Closure, HostKey};
use overwinter_proto::transfer::{ChunkId, Message};

use super::stream::{Host, Role};
use super::{CHUNKS_MS, PEER_MS};
use crate::adopt::RECORD_MS;
use crate::effect::{Outcome, StoreRequest};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::operation::{Goal, Part};
use crate::save::STORE_MS;
use crate::session::{Asked, Fate, Session};

/// A group that sleeps here and is on its way elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    pub tx: TxId,
    pub peer: PeerId,
    pub to: Host,
    /// It is woken again if it stays.
    pub was_live: bool,
    pub stage: DepartureStage,
}

/// What goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Packed {
    pub closure: Closure,
    pub generation: Generation,
}

/// See [`Departure`].
#[derive(Clone, Debug)]
pub(crate) enum DepartureStage {
    Packing {
        store: StoreId,
        until: Instant,
        /// The store sends the offer itself: the answer to it may overtake the word that it was made.
        needed: Option<Vec<ChunkId>>,
    },
    /// The offer is out.
    Offered { what: Packed, until: Instant },
    Sending {
        what: Packed,
        store: StoreId,
        until: Instant,
    },
    /// The record PREPARING is being written.
    Preparing {
        what: Packed,
        store: StoreId,
        until: Instant,
    },
    /// The destination verifies and stages.
    Prepared { what: Packed, until: Instant },
    /// The record RELEASED is being written: the commit point.
    Committing {
        what: Packed,
        store: StoreId,
        until: Instant,
    },
    /// The record ABORTED is being written; until it is durable nobody may run the group.
    Aborting {
        /// `None` while a failed attempt waits for the next.
        store: Option<StoreId>,
        until: Instant,
        why: String,
        /// Streams that wait to hear of it.
        tell: BTreeSet<PeerId>,
    },
}

/// A group that lives on another host.
#[derive(Clone, Debug)]
pub(crate) struct Departed {
    pub tx: TxId,
    pub destination: HostKey,
    pub destination_name: String,
    /// Epoch after the move.
    pub epoch: u32,
    pub closure: Closure,
    pub peer: Option<PeerId>,
    pub stage: DepartedStage,
}

/// See [`Departed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DepartedStage {
    /// The destination has not said yet that it owns it. No deadline: it is asked again on the next stream.
    Unacknowledged {
        until: Option<Instant>,
    },
    /// The record DONE is being written.
    Finishing {
        store: StoreId,
        until: Instant,
    },
    Done,
}

impl Departure {
    pub fn generation(&self) -> Option<Generation> {
        self.stage.packed().map(|p| p.generation)
    }
}

impl DepartureStage {
    pub fn packed(&self) -> Option<Packed> {
        match self {
            DepartureStage::Offered { what, .. }
            | DepartureStage::Sending { what, .. }
            | DepartureStage::Preparing { what, .. }
            | DepartureStage::Prepared { what, .. }
            | DepartureStage::Committing { what, .. } => Some(*what),
            DepartureStage::Packing { .. } | DepartureStage::Aborting { .. } => None,
        }
    }
}

impl Session {
    /// The next group of a move, one at a time.
    pub(crate) fn advance_source(&mut self, peer: PeerId) -> bool {
        let Some(stream) = self.streams.get(&peer) else {
            return false;
        };
        let id = stream.operation;
        let parts = self
            .operations
            .get(&id)
            .map(|o| o.parts.clone())
            .unwrap_or_default();
        let underway = parts.iter().find_map(|(group, part)| match part {
            Part::Underway { was_live } => Some((*group, *was_live)),
            _ => None,
        });
        if let Some((group, was_live)) = underway {
            let still = self.groups.get(&group).is_some_and(Group::is_still);
            if still {
                self.begin_departure(id, group, peer, was_live);
            }
            return still;
        }
        let waiting = parts.iter().find(|(_, part)| *part == Part::Waiting);
        if let Some((group, _)) = waiting {
            return self.begin_move_of(id, *group);
        }
        self.say_finished(peer)
    }

    fn begin_move_of(&mut self, id: OperationId, group: GroupId) -> bool {
        let part = match self.groups.get(&group).map(|g| &g.home) {
            Some(Home::Live(_, Activity::Working)) => {
                self.put_part(id, group, Part::Underway { was_live: true });
                self.begin_sleep(group, Reason::Move);
                return true;
            }
            Some(Home::Asleep(Rest::Still)) => Part::Underway { was_live: false },
            // Whatever it is busy with ends by itself.
            Some(Home::Live(..) | Home::Leasing(_) | Home::Asleep(_) | Home::Closing { .. }) => {
                return false;
            }
            Some(Home::Quarantined | Home::Departing(_) | Home::Released(_)) => {
                Part::ended(Outcome::Skipped, self.why_not_awake(group))
            }
            None => Part::ended(Outcome::Failed, self.why_not_here(group)),
        };
        self.put_part(id, group, part);
        true
    }

    fn say_finished(&mut self, peer: PeerId) -> bool {
        let until = self.now.after(PEER_MS);
        let Some(stream) = self.streams.get_mut(&peer) else {
            return false;
        };
        let Role::Source { finished, .. } = &mut stream.role else {
            return false;
        };
        if std::mem::replace(finished, true) {
            return false;
        }
        stream.until = Some(until);
        self.say(peer, Message::Finished);
        true
    }

    fn begin_departure(&mut self, id: OperationId, group: GroupId, peer: PeerId, was_live: bool) {
        let Some(stream) = self.streams.get_mut(&peer) else {
            return;
        };
        let (Role::Source { txs, .. }, Some(to)) = (&mut stream.role, stream.hello.clone()) else {
            return;
        };
        let Some(tx) = txs.pop_front() else {
            let text = "It was not moved: there was no number for its move. It is here as before; try again.";
            self.put_part(id, group, Part::ended(Outcome::Failed, text));
            if was_live {
                self.begin_wake(group, Reason::Wake);
            }
            return;
        };
        let request = StoreRequest::Pack { group, tx, peer };
        let store = self.ask_store(group, Asked::Step, request);
        let until = self.now.after(STORE_MS);
        let departure = Departure {
            tx,
            peer,
            to,
            was_live,
            stage: DepartureStage::Packing {
                store,
                until,
                needed: None,
            },
        };
        self.set_home(group, Home::Departing(departure));
    }

    fn departing(&self, peer: PeerId, tx: TxId) -> Option<(GroupId, Departure)> {
        self.groups.values().find_map(|g| match &g.home {
            Home::Departing(d) if d.tx == tx && d.peer == peer => Some((g.id, d.clone())),
            _ => None,
        })
    }

    pub(super) fn set_stage(&mut self, group: GroupId, new: DepartureStage) {
        if let Some(g) = self.groups.get_mut(&group)
            && let Home::Departing(Departure { stage, .. }) = &mut g.home
        {
            *stage = new;
        }
    }

    /// The destination wants it, and these chunks.
    pub(crate) fn needed(&mut self, peer: PeerId, tx: TxId, chunks: Vec<ChunkId>) {
        let Some((group, departure)) = self.departing(peer, tx) else {
            // The offer went out after the move had been called off.
            let moved = self.moved.get(&tx);
            if moved.is_some_and(|m| m.fate == Fate::Aborted) {
                let signature = Vec::new();
                self.say(peer, Message::Aborted { tx, signature });
            }
            return;
        };
        match departure.stage {
            DepartureStage::Packing { store, until, .. } => {
                let needed = Some(chunks);
                let stage = DepartureStage::Packing {
                    store,
                    until,
                    needed,
                };
                self.set_stage(group, stage);
            }
            DepartureStage::Offered { what, .. } => {
                self.send_chunks(group, tx, peer, what, chunks);
            }
            _ => {}
        }
    }

    fn send_chunks(
        &mut self,
        group: GroupId,
        tx: TxId,
        peer: PeerId,
        what: Packed,
        chunks: Vec<ChunkId>,
    ) {
        let request = StoreRequest::SendChunks {
            group,
            tx,
            peer,
            chunks,
        };
        let store = self.ask_store(group, Asked::Step, request);
        let until = self.now.after(CHUNKS_MS);
        self.set_stage(group, DepartureStage::Sending { what, store, until });
    }

    /// The destination does not want it.
    pub(crate) fn refused(&mut self, peer: PeerId, tx: TxId, why: &str) {
        if let Some((group, departure)) = self.departing(peer, tx) {
            let text = format!("{} refused it: {why}", departure.to.name);
            self.abort_departure(group, &text, None);
        }
    }

    /// The store's answer. True if it was about a departure.
    pub(crate) fn departure_stored(
        &mut self,
        group: GroupId,
        id: StoreId,
        reply: &StoreReply,
    ) -> bool {
        match self.groups.get(&group).map(|g| &g.home) {
            Some(Home::Departing(departure)) => {
                let departure = departure.clone();
                self.departing_stored(group, departure, id, reply)
            }
            Some(Home::Released(departed)) => {
                let waits =
                    matches!(departed.stage, DepartedStage::Finishing { store, .. } if store == id);
                if waits {
                    self.done_stored(group, reply);
                }
                waits
            }
            _ => false,
        }
    }

    fn departing_stored(
        &mut self,
        group: GroupId,
        departure: Departure,
        id: StoreId,
        reply: &StoreReply,
    ) -> bool {
        let (tx, peer) = (departure.tx, departure.peer);
        let waits = match &departure.stage {
            DepartureStage::Packing { store, .. }
            | DepartureStage::Sending { store, .. }
            | DepartureStage::Preparing { store, .. }
            | DepartureStage::Committing { store, .. } => *store == id,
            DepartureStage::Aborting { store, .. } => *store == Some(id),
            DepartureStage::Offered { .. } | DepartureStage::Prepared { .. } => false,
        };
        if !waits {
            return false;
        }
        match (departure.stage.clone(), reply) {
            (
                DepartureStage::Packing { needed, .. },
                StoreReply::Packed {
                    closure,
                    generation,
                },
            ) => {
                let what = Packed {
                    closure: *closure,
                    generation: *generation,
                };
                let until = self.now.after(PEER_MS);
                self.set_stage(group, DepartureStage::Offered { what, until });
                if let Some(chunks) = needed {
                    self.send_chunks(group, tx, peer, what, chunks);
                }
            }
            (DepartureStage::Sending { what, .. }, StoreReply::Sent) => {
                let epoch = self.groups.get(&group).map_or(0, |g| g.lease.epoch());
                let record = JournalRecord::Preparing {
                    tx,
                    generation: what.generation,
                    epoch,
                    closure: what.closure,
                };
                let store = self.record(group, record);
                let until = self.now.after(RECORD_MS);
                self.set_stage(group, DepartureStage::Preparing { what, store, until });
            }
            (DepartureStage::Preparing { what, .. }, StoreReply::Recorded) => {
                let until = self.now.after(PEER_MS);
                self.set_stage(group, DepartureStage::Prepared { what, until });
                let closure = what.closure;
                self.say(peer, Message::Prepared { tx, closure });
            }
            (DepartureStage::Committing { what, .. }, StoreReply::Recorded) => {
                self.committed(group, departure, what);
            }
            (DepartureStage::Aborting { why, tell, .. }, StoreReply::Recorded) => {
                self.aborted(group, departure, &why, tell);
            }
            (DepartureStage::Aborting { why, tell, .. }, _) => {
                self.try_aborting_later(group, &why, tell);
            }
            (_, StoreReply::Failed { why, .. }) => self.abort_departure(group, why, None),
            _ => self.abort_departure(group, "the store did not answer what was asked", None),
        }
        true
    }

    /// The destination has everything on disk. Now, and only if nothing has happened to the group since PREPARING, it is
    /// let go for ever.
    pub(crate) fn staged_there(&mut self, peer: PeerId, host: &Host, tx: TxId, closure: Closure) {
        let Some((group, departure)) = self.departing(peer, tx) else {
            return;
        };
        let DepartureStage::Prepared { what, .. } = departure.stage else {
            return;
        };
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let untouched = g.preparing == Some(tx)
            && g.newest() == Some(what.generation)
            && g.writing.is_none()
            && g.pending.is_none();
        if closure != what.closure || host.key != departure.to.key || !untouched {
            let text = "what the other host has is not what was prepared here";
            return self.abort_departure(group, text, None);
        }
        let record = JournalRecord::Released {
            tx,
            destination: host.key,
            destination_name: host.name.clone(),
            epoch: g.lease.next_host().epoch(),
            closure,
        };
        let store = self.record(group, record);
        let until = self.now.after(RECORD_MS);
        self.set_stage(group, DepartureStage::Committing { what, store, until });
    }

    /// Groups that were put to sleep for a move whose stream ended meanwhile.
    pub(crate) fn wake_stranded(&mut self) -> bool {
        let live: Vec<OperationId> = self.streams.values().map(|s| s.operation).collect();
        let mut stranded = None;
        for (id, operation) in &self.operations {
            if operation.goal != Goal::Move || live.contains(id) {
                continue;
            }
            let still = operation.parts.iter().find_map(|(group, part)| match part {
                Part::Underway { was_live }
                    if self.groups.get(group).is_none_or(|g| g.is_still()) =>
                {
                    Some((*group, *was_live))
                }
                _ => None,
            });
            stranded = stranded.or(still.map(|(group, was_live)| (*id, group, was_live)));
        }
        let Some((id, group, was_live)) = stranded else {
            return false;
        };
        let text = "It was not moved: the connection to the other host was lost. It is here with all its work; try again.";
        self.put_part(id, group, Part::ended(Outcome::Failed, text));
        if was_live {
            self.begin_wake(group, Reason::Wake);
        }
        true
    }
}
