//! The store's answers, each to whoever waits for it. One that comes when nobody waits any more still counts where it says
//! that something is durable.

use crate::event::StoreReply;
use crate::ids::*;
use crate::session::{Asked, Session};

impl Session {
    pub(crate) fn store_says(&mut self, id: StoreId, reply: StoreReply) {
        let Some(ask) = self.asks.remove(&id) else {
            if let StoreReply::Read { state, .. } = reply {
                self.drop_payload(state);
            }
            return;
        };
        let group = ask.group;
        match (ask.what, &reply) {
            (asked @ Asked::Write { .. }, StoreReply::Written(generation)) => {
                self.written(group, id, asked, *generation);
            }
            (Asked::Write { .. }, StoreReply::Failed { why, .. }) => {
                self.write_failed(group, id, why);
            }
            (Asked::Write { .. }, _) => {
                self.write_failed(
                    group,
                    id,
                    "the store answered something else than was asked.",
                );
            }
            (Asked::Opened, StoreReply::Recorded) => {}
            (Asked::Opened, _) => {
                if let Some(g) = self.groups.get_mut(&group) {
                    g.owes_opened = true;
                }
            }
            (Asked::Proven(generation), StoreReply::Recorded) => {
                if let Some(g) = self.groups.get_mut(&group) {
                    let there = g.snapshots.contains_key(&generation);
                    g.proven = g.proven.max(there.then_some(generation));
                    g.proving = g.proving.filter(|n| *n != generation);
                }
                self.retain(group);
            }
            // Perhaps it is on disk all the same: it stays among what is kept.
            (Asked::Proven(_), _) => {}
            (Asked::Step, _) => {
                let taken = self.read_back(group, id, &reply)
                    || self.read_for_wake(group, id, &reply)
                    || self.read_for_trial(group, id, &reply)
                    || self.leased(group, id, &reply)
                    || self.departure_stored(group, id, &reply)
                    || self.arrival_stored(group, id, &reply)
                    || self.closing_stored(group, id, &reply);
                if let StoreReply::Read { state, .. } = reply
                    && !taken
                {
                    self.drop_payload(state);
                }
            }
        }
    }
}
