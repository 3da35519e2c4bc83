//! Before the commit point, on the host that the group was to leave: every failure ends here, with ABORTED on disk before
//! anybody may run the group again.

use std::collections::BTreeSet;

use overwinter_proto::JournalRecord;
use overwinter_proto::journal::HostKey;
use overwinter_proto::transfer::Message;

use super::AGAIN_MS;
use super::source::*;
use super::stream::Host;
use crate::adopt::RECORD_MS;
use crate::effect::Outcome;
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::session::{Fate, Moved, Session};

impl Session {
    pub(crate) fn stream_lost_for_departure(&mut self, group: GroupId, peer: PeerId, why: &str) {
        match self.groups.get_mut(&group).map(|g| &mut g.home) {
            Some(Home::Departing(departure)) if departure.peer == peer => {
                self.abort_departure(group, why, None);
            }
            Some(Home::Released(departed)) if departed.peer == Some(peer) => {
                departed.peer = None;
                if matches!(
                    departed.stage,
                    DepartedStage::Unacknowledged { until: Some(_) }
                ) {
                    self.acknowledgement_is_late(group);
                }
            }
            _ => {}
        }
    }

    /// Before the commit point: the move does not happen. If PREPARING may be on disk, ABORTED must be before anybody runs
    /// the group again. A RELEASED that may or may not be on disk has told nobody yet, and ABORTED after it takes it back.
    pub(crate) fn abort_departure(&mut self, group: GroupId, why: &str, tell: Option<PeerId>) {
        let Some(Home::Departing(departure)) = self.groups.get(&group).map(|g| g.home.clone())
        else {
            return;
        };
        let mut all: BTreeSet<PeerId> = tell.into_iter().collect();
        // While it is being packed the other host has not heard of it; a late offer is answered when it asks for chunks.
        if !matches!(
            departure.stage,
            DepartureStage::Packing { needed: None, .. }
        ) {
            all.insert(departure.peer);
        }
        match &departure.stage {
            DepartureStage::Packing { .. }
            | DepartureStage::Offered { .. }
            | DepartureStage::Sending { .. } => self.aborted(group, departure, why, all),
            DepartureStage::Preparing { .. }
            | DepartureStage::Prepared { .. }
            | DepartureStage::Committing { .. } => self.record_abort(group, why, all),
            DepartureStage::Aborting {
                store,
                until,
                why,
                tell,
            } => {
                let (store, until, why) = (*store, *until, why.clone());
                all.extend(tell.iter().copied());
                let stage = DepartureStage::Aborting {
                    store,
                    until,
                    why,
                    tell: all,
                };
                self.set_stage(group, stage);
            }
        }
    }

    fn record_abort(&mut self, group: GroupId, why: &str, tell: BTreeSet<PeerId>) {
        let Some(Home::Departing(departure)) = self.groups.get(&group).map(|g| &g.home) else {
            return;
        };
        let tx = departure.tx;
        let store = self.record(group, JournalRecord::Aborted { tx });
        let stage = DepartureStage::Aborting {
            store: Some(store),
            until: self.now.after(RECORD_MS),
            why: why.to_owned(),
            tell,
        };
        self.set_stage(group, stage);
    }

    /// A former session stopped between PREPARING and its end.
    pub(crate) fn abort_after_recovery(&mut self, group: GroupId, tx: TxId) {
        // No stream has this number any more: nobody is told until somebody asks.
        let peer = PeerId(u64::MAX);
        let departure = Departure {
            tx,
            peer,
            to: Host {
                key: HostKey::default(),
                name: String::new(),
            },
            was_live: false,
            stage: DepartureStage::Aborting {
                store: None,
                until: self.now,
                why: "the session ended in its middle".to_owned(),
                tell: BTreeSet::new(),
            },
        };
        self.set_home(group, Home::Departing(departure));
    }

    /// The journal cannot be written: the operation ends, the group stays undecided, and it is tried again.
    pub(super) fn try_aborting_later(&mut self, group: GroupId, why: &str, tell: BTreeSet<PeerId>) {
        let text = format!(
            "Its move did not happen ({why}), but that could not be written down, so it cannot be opened yet. Its state is kept; free disk space, and it comes back by itself."
        );
        self.finish(group, Goal::Move, Outcome::Failed, &text);
        self.set_error(group, &text);
        let stage = DepartureStage::Aborting {
            store: None,
            until: self.now.after(AGAIN_MS),
            why: why.to_owned(),
            tell,
        };
        self.set_stage(group, stage);
    }

    /// A step of a departure took too long.
    pub(crate) fn departure_timed_out(&mut self, group: GroupId) {
        let Some(Home::Departing(departure)) = self.groups.get(&group).map(|g| g.home.clone())
        else {
            return;
        };
        match departure.stage {
            DepartureStage::Aborting {
                store: Some(_),
                why,
                tell,
                ..
            } => {
                self.try_aborting_later(group, &why, tell);
            }
            DepartureStage::Aborting {
                store: None,
                why,
                tell,
                ..
            } => {
                self.record_abort(group, &why, tell);
            }
            DepartureStage::Offered { .. } | DepartureStage::Prepared { .. } => {
                let text = format!("{} did not answer in time", departure.to.name);
                self.abort_departure(group, &text, None);
            }
            _ => self.abort_departure(group, "this host's store did not answer in time", None),
        }
    }

    /// It stays here, as asleep as before, and wakes again if it was awake.
    pub(super) fn aborted(
        &mut self,
        group: GroupId,
        departure: Departure,
        why: &str,
        tell: BTreeSet<PeerId>,
    ) {
        let tx = departure.tx;
        let fate = Fate::Aborted;
        let source = self.config.own_key;
        let moved = Moved {
            group,
            source,
            fate,
            release: None,
        };
        self.moved.insert(tx, moved);
        for peer in tell {
            let signature = Vec::new();
            self.say(peer, Message::Aborted { tx, signature });
        }
        let text = format!("It was not moved: {why}. It is here with all its work; try again.");
        self.set_home(group, Home::Asleep(Rest::Still));
        self.set_error(group, &text);
        self.finish(group, Goal::Move, Outcome::Failed, &text);
        if departure.was_live {
            self.begin_wake(group, Reason::Wake);
        }
    }
}
