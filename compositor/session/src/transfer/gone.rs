//! After the commit point, on the host that the group has left: it is told to the destination until that has
//! acknowledged, and never taken back.

use overwinter_proto::JournalRecord;
use overwinter_proto::transfer::Message;

use super::PEER_MS;
use super::source::*;
use super::stream::Host;
use crate::adopt::RECORD_MS;
use crate::effect::{Outcome, ShellEffect, StoreRequest};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::session::{Asked, Fate, Session};

impl Session {
    pub(super) fn committed(&mut self, group: GroupId, departure: Departure, what: Packed) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let (tx, peer) = (departure.tx, departure.peer);
        g.home = Home::Released(Departed {
            tx,
            destination: departure.to.key,
            destination_name: departure.to.name,
            epoch: g.lease.next_host().epoch(),
            closure: what.closure,
            peer: Some(peer),
            stage: DepartedStage::Unacknowledged {
                until: Some(self.now.after(PEER_MS)),
            },
        });
        let signature = Vec::new();
        self.say(peer, Message::Released { tx, signature });
    }

    /// The destination runs it.
    pub(crate) fn owned_there(&mut self, peer: PeerId, host: &Host, tx: TxId) {
        let released = self.groups.values().find_map(|g| match &g.home {
            Home::Released(d) if d.tx == tx && d.destination == host.key => Some((g.id, d.clone())),
            _ => None,
        });
        let Some((group, mut departed)) = released else {
            return;
        };
        match departed.stage {
            DepartedStage::Done => return self.say(peer, Message::Done { tx }),
            DepartedStage::Finishing { .. } => return,
            DepartedStage::Unacknowledged { .. } => {}
        }
        let store = self.record(group, JournalRecord::Done { tx });
        let until = self.now.after(RECORD_MS);
        departed.peer = Some(peer);
        departed.stage = DepartedStage::Finishing { store, until };
        self.set_home(group, Home::Released(departed));
        self.shell(ShellEffect::Forget { group });
    }

    pub(crate) fn done_stored(&mut self, group: GroupId, reply: &StoreReply) {
        let Some(Home::Released(departed)) = self.groups.get(&group).map(|g| g.home.clone()) else {
            return;
        };
        let durable = *reply == StoreReply::Recorded;
        let stage = if durable {
            DepartedStage::Done
        } else {
            // The destination is told again on the next stream, and acknowledges again.
            DepartedStage::Unacknowledged { until: None }
        };
        let text = format!("It lives on {} now.", departed.destination_name);
        self.finish(group, Goal::Move, Outcome::Done, &text);
        let (tx, peer) = (departed.tx, departed.peer);
        self.set_home(group, Home::Released(Departed { stage, ..departed }));
        if durable {
            if let Some(peer) = peer {
                self.say(peer, Message::Done { tx });
            }
            self.ask_store(group, Asked::Step, StoreRequest::Bury { group });
        }
    }

    /// The acknowledgement does not come: the group is not here any more all the same.
    pub(crate) fn acknowledgement_is_late(&mut self, group: GroupId) {
        let Some(Home::Released(departed)) = self.groups.get_mut(&group).map(|g| &mut g.home)
        else {
            return;
        };
        departed.stage = DepartedStage::Unacknowledged { until: None };
        departed.peer = None;
        let text = format!(
            "It was released to {0}, which has not confirmed yet. Only {0} can open it from now on; its state is kept there, and here until it is confirmed. Connect the two again to finish.",
            departed.destination_name
        );
        self.finish(group, Goal::Move, Outcome::Done, &text);
        self.notice(Some(group), text);
    }

    /// Asked after a broken stream which way a move went: the journal knows.
    pub(crate) fn asked_to_decide(&mut self, peer: PeerId, tx: TxId, group: GroupId) {
        let signature = Vec::new();
        match self.groups.get_mut(&group).map(|g| &mut g.home) {
            Some(Home::Released(departed)) if departed.tx == tx => {
                departed.peer = Some(peer);
                return self.say(peer, Message::Released { tx, signature });
            }
            Some(Home::Departing(departure)) if departure.tx == tx => {
                // Asked on another stream than the one it travels on: that one is dead for the destination.
                if departure.peer != peer {
                    let text = "the other host has begun anew";
                    self.abort_departure(group, text, Some(peer));
                }
                return;
            }
            _ => {}
        }
        let fate = self.moved.get(&tx).map(|m| (m.group, m.fate));
        if fate == Some((group, Fate::Aborted)) {
            self.say(peer, Message::Aborted { tx, signature });
        }
    }
}
