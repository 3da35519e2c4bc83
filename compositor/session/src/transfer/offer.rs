//! The first step of a move, on the receiving host: whether what is offered may come.

use overwinter_proto::transfer::{Manifest, Message};

use super::CHUNKS_MS;
use super::destination::{Arrival, ArrivalStage, Offer};
use super::stream::Host;
use crate::effect::StoreRequest;
use crate::group::*;
use crate::ids::*;
use crate::operation::Part;
use crate::session::{Asked, Fate, Moved, Session};

impl Session {
    pub(crate) fn offered(
        &mut self,
        peer: PeerId,
        host: Host,
        tx: TxId,
        manifest: Manifest,
        keys: Vec<u8>,
    ) {
        let group = manifest.group;
        if let Some(arrival) = self.arrivals.get_mut(&group) {
            if arrival.tx == tx {
                return;
            }
            if arrival.source.key == host.key && arrival.may_be_staged() {
                let offer = Offer {
                    peer,
                    tx,
                    manifest,
                    keys,
                };
                arrival.next = Some(Box::new(offer));
                return;
            }
            let why = "it is already on its way here from another host";
            return self.refuse_offer(peer, &host, group, tx, why);
        }
        if let Err(why) = self.may_come(&manifest, tx) {
            return self.refuse_offer(peer, &host, group, tx, &why);
        }
        let (app, title) = (manifest.app.clone(), manifest.title.clone());
        let (generation, lease) = (manifest.generation, manifest.lease.next_host());
        let request = StoreRequest::Unpack {
            tx,
            peer,
            manifest,
            keys,
        };
        let store = self.ask_store(group, Asked::Step, request);
        let stage = ArrivalStage::Unpacking {
            store,
            until: self.now.after(CHUNKS_MS),
            arrived: None,
            prepared: None,
        };
        let arrival = Arrival {
            tx,
            peer: Some(peer),
            source: host,
            app,
            title,
            generation,
            lease,
            stage,
            next: None,
        };
        self.arrivals.insert(group, arrival);
        self.expect_from(peer, group);
    }

    /// Notes the group in the operation that receives.
    pub(super) fn expect_from(&mut self, peer: PeerId, group: GroupId) {
        let Some(id) = self.streams.get(&peer).map(|s| s.operation) else {
            return;
        };
        if let Some(operation) = self.operations.get_mut(&id) {
            operation.parts.retain(|(g, _)| *g != group);
            operation
                .parts
                .push((group, Part::Underway { was_live: true }));
        }
    }

    /// A group comes only if this host has not owned it under that epoch or a later one.
    pub(super) fn may_come(&self, manifest: &Manifest, tx: TxId) -> Result<(), String> {
        if self.ended.contains(&manifest.group) {
            return Err("it was closed on that host".into());
        }
        if self.moved.contains_key(&tx) {
            return Err("that move has ended already".into());
        }
        match self.groups.get(&manifest.group).map(|g| &g.home) {
            None => Ok(()),
            Some(Home::Released(departed)) if manifest.lease.epoch() >= departed.epoch => Ok(()),
            Some(Home::Released(departed)) => Err(format!(
                "that host has owned it later (epoch {}) than the sender (epoch {})",
                departed.epoch,
                manifest.lease.epoch()
            )),
            Some(_) => Err("that host holds it itself".into()),
        }
    }

    /// Refuses, and remembers: the source's signed ABORTED will follow, and must be understood.
    pub(super) fn refuse_offer(
        &mut self,
        peer: PeerId,
        host: &Host,
        group: GroupId,
        tx: TxId,
        why: &str,
    ) {
        let moved = Moved {
            group,
            source: host.key,
            fate: Fate::Aborted,
            release: None,
        };
        self.moved.entry(tx).or_insert(moved);
        self.refuse(peer, tx, why);
    }

    pub(super) fn refuse(&mut self, peer: PeerId, tx: TxId, why: &str) {
        let why = why.to_owned();
        self.say(peer, Message::Refuse { tx, why });
    }
}
