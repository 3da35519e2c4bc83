//! One byte stream to another host: who speaks first, what an old, undecided move needs, and what a broken stream means.

use std::collections::VecDeque;

use overwinter_proto::journal::{Closure, HostKey};
use overwinter_proto::transfer::{Message, PROTOCOL};

use super::PEER_MS;
use super::destination::{Arrival, ArrivalStage};
use super::source::DepartedStage;
use crate::effect::{Effect, Outcome};
use crate::group::Home;
use crate::ids::*;
use crate::operation::{Goal, Part};
use crate::session::Session;

/// One stream.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub operation: OperationId,
    pub role: Role,
    /// Who is at the other end, once it has said so.
    pub hello: Option<Host>,
    /// Until when the other end must have said or done what comes next, where there is something.
    pub until: Option<Instant>,
}

/// Which end this is.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Source {
        txs: VecDeque<TxId>,
        /// `Finished` was said.
        finished: bool,
    },
    Destination {
        /// `Finished` was heard.
        finished: bool,
    },
}

/// A host, as it calls itself. The stream is trusted to be private to it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Host {
    pub key: HostKey,
    pub name: String,
}

/// What a signature of `Released` or `Aborted` is about; the shell makes and checks it with
/// `overwinter_proto::transfer::release_text` and `abort_text`.
#[derive(Clone, PartialEq, Debug)]
pub struct Terms {
    /// The group.
    pub group: GroupId,
    /// Who signs: the host that the group leaves.
    pub source: HostKey,
    /// Epoch after the move, what goes and where; absent for a move that can only be aborted by now.
    pub release: Option<(u32, Closure, HostKey)>,
}

impl Session {
    /// What the signature of a move is about, for either end. `None` for a move that is not known here: close the stream.
    pub fn terms(&self, tx: TxId) -> Option<Terms> {
        for (group, arrival) in &self.arrivals {
            if arrival.tx == tx {
                let closure = arrival.closure();
                return Some(Terms {
                    group: *group,
                    source: arrival.source.key,
                    release: closure.map(|c| (arrival.lease.epoch(), c, self.config.own_key)),
                });
            }
        }
        for g in self.groups.values() {
            match &g.home {
                Home::Departing(d) if d.tx == tx => {
                    return Some(Terms {
                        group: g.id,
                        source: self.config.own_key,
                        release: None,
                    });
                }
                Home::Released(d) if d.tx == tx => {
                    return Some(Terms {
                        group: g.id,
                        source: self.config.own_key,
                        release: Some((d.epoch, d.closure, d.destination)),
                    });
                }
                _ => {}
            }
        }
        let moved = self.moved.get(&tx)?;
        Some(Terms {
            group: moved.group,
            source: moved.source,
            release: moved.release,
        })
    }

    /// A stream to the host with this key.
    pub(crate) fn stream_to(&self, key: &HostKey) -> Option<PeerId> {
        let to = |s: &Stream| s.hello.as_ref().is_some_and(|h| h.key == *key);
        let found = self.streams.iter().find(|(_, stream)| to(stream));
        found.map(|(peer, _)| *peer)
    }

    pub(crate) fn ask_move(
        &mut self,
        id: OperationId,
        groups: Vec<GroupId>,
        peer: PeerId,
        txs: Vec<TxId>,
    ) {
        let movable =
            |home: &Home| matches!(home, Home::Live(..) | Home::Leasing(_) | Home::Asleep(_));
        let groups = if groups.is_empty() {
            let all = self.groups.values().filter(|g| movable(&g.home));
            all.map(|g| g.id).collect()
        } else {
            groups
        };
        self.open_operation(id, Goal::Move, groups, false);
        let role = Role::Source {
            txs: txs.into(),
            finished: false,
        };
        self.open_stream(peer, id, role);
    }

    pub(crate) fn ask_receive(&mut self, id: OperationId, peer: PeerId) {
        self.open_operation(id, Goal::Receive, [], true);
        self.open_stream(peer, id, Role::Destination { finished: false });
    }

    fn open_stream(&mut self, peer: PeerId, operation: OperationId, role: Role) {
        if self.streams.contains_key(&peer) {
            return;
        }
        let source = matches!(role, Role::Source { .. });
        let stream = Stream {
            operation,
            role,
            hello: None,
            until: Some(self.now.after(PEER_MS)),
        };
        self.streams.insert(peer, stream);
        let hello = Message::Hello {
            protocol: PROTOCOL,
            name: self.config.own_name.clone(),
            key: self.config.own_key,
            source,
        };
        self.say(peer, hello);
    }

    pub(crate) fn say(&mut self, peer: PeerId, message: Message) {
        if self.streams.contains_key(&peer) {
            self.out.push(Effect::Peer { peer, message });
        }
    }

    pub(crate) fn peer_says(&mut self, peer: PeerId, message: Message) {
        let Some(stream) = self.streams.get(&peer) else {
            return;
        };
        if let Message::Hello {
            protocol,
            name,
            key,
            source,
        } = message
        {
            return self.hello(peer, protocol, Host { key, name }, source);
        }
        let Some(host) = stream.hello.clone() else {
            return self.close_stream(peer, "the other host did not say who it is");
        };
        match message {
            Message::Offer { tx, manifest, keys } => self.offered(peer, host, tx, manifest, keys),
            Message::Prepared { tx, closure } => self.prepared(peer, tx, closure),
            Message::Released { tx, .. } => self.source_released(peer, &host, tx),
            Message::Aborted { tx, .. } => self.source_aborted(&host, tx),
            Message::Done { .. } | Message::Hello { .. } | Message::Chunk { .. } => {}
            Message::Need { tx, chunks } => self.needed(peer, tx, chunks),
            Message::Refuse { tx, why } => self.refused(peer, tx, &why),
            Message::Staged { tx, closure } => self.staged_there(peer, &host, tx, closure),
            Message::Owned { tx } => self.owned_there(peer, &host, tx),
            Message::Decide { tx, group } => self.asked_to_decide(peer, tx, group),
            Message::Finished => {
                if let Some(stream) = self.streams.get_mut(&peer)
                    && let Role::Destination { finished } = &mut stream.role
                {
                    *finished = true;
                }
            }
        }
    }

    fn hello(&mut self, peer: PeerId, protocol: u32, host: Host, source: bool) {
        let Some(stream) = self.streams.get_mut(&peer) else {
            return;
        };
        if stream.hello.is_some() {
            return;
        }
        let we_are_source = matches!(stream.role, Role::Source { .. });
        if protocol != PROTOCOL {
            let text = format!(
                "{} speaks version {protocol} of the transfer protocol, this host speaks {PROTOCOL}; install the same release on both",
                host.name
            );
            return self.close_stream(peer, &text);
        }
        if source == we_are_source {
            let text = "both ends want the same side of the move; use `move` on one and `receive` on the other";
            return self.close_stream(peer, text);
        }
        if host.key == self.config.own_key {
            return self.close_stream(peer, "that is this host itself");
        }
        stream.hello = Some(host.clone());
        stream.until = None;
        self.take_up_old_moves(peer, &host);
    }

    /// Moves that a broken stream left undecided or unacknowledged.
    fn take_up_old_moves(&mut self, peer: PeerId, host: &Host) {
        let staged = |a: &Arrival| {
            a.source.key == host.key && matches!(a.stage, ArrivalStage::Staged { .. })
        };
        let undecided: Vec<GroupId> = self
            .arrivals
            .iter()
            .filter(|(_, a)| staged(a))
            .map(|(group, _)| *group)
            .collect();
        for group in undecided {
            self.ask_to_decide(peer, group);
        }
        let mut words = Vec::new();
        for g in self.groups.values_mut() {
            if let Home::Released(departed) = &mut g.home
                && departed.destination == host.key
                && !matches!(departed.stage, DepartedStage::Done)
            {
                departed.peer = Some(peer);
                let (tx, signature) = (departed.tx, Vec::new());
                words.push(Message::Released { tx, signature });
            }
        }
        for word in words {
            self.say(peer, word);
        }
    }

    /// Closes a stream for a reason that its operation is told.
    pub(crate) fn close_stream(&mut self, peer: PeerId, why: &str) {
        if self.streams.contains_key(&peer) {
            self.out.push(Effect::ClosePeer { peer });
            self.stream_ended(peer, why);
        }
    }

    pub(crate) fn peer_gone(&mut self, peer: PeerId) {
        self.stream_ended(peer, "the connection to the other host was lost");
    }

    fn stream_ended(&mut self, peer: PeerId, why: &str) {
        let Some(stream) = self.streams.remove(&peer) else {
            return;
        };
        let leaving: Vec<GroupId> = self.groups.keys().copied().collect();
        for group in leaving {
            self.stream_lost_for_departure(group, peer, why);
        }
        let coming: Vec<GroupId> = self.arrivals.keys().copied().collect();
        for group in coming {
            self.stream_lost_for_arrival(group, peer, why);
        }
        if let Some(operation) = self.operations.get_mut(&stream.operation) {
            operation.open = false;
            for (_, part) in &mut operation.parts {
                if *part == Part::Waiting {
                    let text = format!("It was not moved: {why}. It is here as before; try again.");
                    *part = Part::ended(Outcome::Failed, text);
                    operation.news = true;
                }
            }
        }
    }

    /// Goes on with what streams carry: the source's next group, the end of either side.
    pub(crate) fn advance_moves(&mut self) -> bool {
        let peers: Vec<PeerId> = self.streams.keys().copied().collect();
        for peer in peers {
            let Some(stream) = self.streams.get(&peer) else {
                continue;
            };
            let changed = match &stream.role {
                Role::Source { .. } if stream.hello.is_some() => self.advance_source(peer),
                Role::Source { .. } => false,
                Role::Destination { finished } => *finished && self.end_destination(peer),
            };
            if changed {
                return true;
            }
        }
        self.wake_stranded()
    }

    /// Everything has come that was going to: the destination closes.
    fn end_destination(&mut self, peer: PeerId) -> bool {
        let under_way = self.arrivals.values().any(|a| a.peer == Some(peer));
        if under_way {
            return false;
        }
        self.close_stream(peer, "everything has come");
        true
    }
}
