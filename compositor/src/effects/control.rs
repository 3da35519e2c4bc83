//! The command line and whoever else controls the session: every request is an operation with a number and an end.

use std::os::fd::OwnedFd;

use overwinter_bus::{BusCommand, Control, OperationState, Refusal, Reply};
use overwinter_proto::{GroupId, TxId};
use overwinter_session::Event;
use overwinter_session::ids::{OperationId, PeerId};

use super::bus::no_random;
use super::peer;
use super::store::Job;
use crate::driver::Driver;
use crate::state::Overwinter;

impl Driver {
    /// A method of `Control1` was called by somebody who may.
    pub(crate) fn control(&mut self, state: &mut Overwinter, control: Control) {
        match control {
            Control::Status { reply } => reply.send(self.status(state).map_err(Refusal::Failed)),
            Control::Hibernate { groups, reply } => {
                self.operation(state, reply, |operation| Event::Hibernate {
                    operation,
                    groups,
                });
            }
            Control::Wake { groups, reply } => {
                let named = groups.clone();
                self.operation(state, reply, |operation| Event::Wake { operation, groups });
                match named.as_slice() {
                    [] => state.present_last_focused(),
                    named => state.present(named),
                }
            }
            Control::Update { app, reply } | Control::UndoUpdate { app, reply }
                if !app.is_empty() && !self.knows_app(&app) =>
            {
                reply.send(Err(Refusal::Failed(format!(
                    "There is no app {app} here. Nothing was changed; `overwinter status` names those that have something open."
                ))));
            }
            Control::Update { app, reply } => {
                self.operation(state, reply, |operation| Event::Update { operation, app });
            }
            Control::UndoUpdate { app, reply } => {
                self.operation(state, reply, |operation| Event::UndoUpdate {
                    operation,
                    app,
                });
            }
            Control::Forget { groups, reply } => {
                self.operation(state, reply, |operation| Event::Forget {
                    operation,
                    groups,
                });
            }
            Control::Move {
                groups,
                stream,
                reply,
            } => self.begin_move(state, groups, stream, reply),
            Control::Receive { stream, reply } => match self.open_peer(stream) {
                Ok(peer) => {
                    self.operation(state, reply, |operation| Event::Receive { operation, peer })
                }
                Err(refusal) => reply.send(Err(refusal)),
            },
            Control::Launch { app, files, reply } => {
                let operation = self.operations.begin();
                reply.send(Ok(operation.0));
                self.launch_for_user(state, operation, &app, &files);
            }
            Control::Quit { anyway, reply } => self.quit_for_user(state, anyway, reply),
            Control::Operation { operation, reply } => {
                let known = self.operations.get(OperationId(operation)).cloned();
                reply.send(known.ok_or_else(|| {
                    Refusal::Failed(format!(
                        "there is no operation {operation}, or it ended long ago"
                    ))
                }));
            }
        }
    }

    /// Whether this app is installed, or has groups.
    fn knows_app(&self, app: &str) -> bool {
        self.apps.contains_key(app)
            || self
                .session
                .view()
                .groups
                .iter()
                .any(|group| group.app == app)
    }

    fn operation(
        &mut self,
        state: &mut Overwinter,
        reply: Reply<u64>,
        event: impl FnOnce(OperationId) -> Event,
    ) {
        let operation = self.operations.begin();
        reply.send(Ok(operation.0));
        self.tell_heart(state, event(operation));
    }

    fn begin_move(
        &mut self,
        state: &mut Overwinter,
        groups: Vec<GroupId>,
        stream: OwnedFd,
        reply: Reply<u64>,
    ) {
        // More than needed is fine; a group that is opened meanwhile does not go.
        let count = self.session.view().groups.len().max(groups.len());
        let txs = (0..count)
            .map(|_| Ok(TxId(u64::from_be_bytes(super::random()?))))
            .collect::<Result<Vec<TxId>, _>>();
        let txs = match txs {
            Ok(txs) => txs,
            Err(e) => return reply.send(Err(no_random(e))),
        };
        match self.open_peer(stream) {
            Ok(peer) => self.operation(state, reply, |operation| Event::Move {
                operation,
                groups,
                peer,
                txs,
            }),
            Err(refusal) => reply.send(Err(refusal)),
        }
    }

    fn open_peer(&mut self, stream: OwnedFd) -> Result<PeerId, Refusal> {
        self.last_peer += 1;
        let peer = PeerId(self.last_peer);
        let sender = self.sender.clone();
        let hear = move |heard| drop(sender.send(super::Incoming::Peer(heard)));
        let outbox = peer::open(peer, stream, self.jobs.clone(), hear).map_err(|e| {
            Refusal::Failed(format!("the stream cannot be used: {e}; nothing was moved"))
        })?;
        self.job(Job::Peer {
            peer,
            outbox: outbox.clone(),
        });
        self.peers.insert(peer, outbox);
        Ok(peer)
    }

    /// The end of an operation that is about no group.
    pub(crate) fn end_operation(
        &mut self,
        operation: OperationId,
        outcome: Result<String, String>,
    ) {
        if let Some(end) = self.operations.end(operation, outcome) {
            self.announce(operation, end);
        }
    }

    /// Tells everybody how an operation ended.
    pub(crate) fn announce(&mut self, operation: OperationId, state: OperationState) {
        if let Some(bus) = &self.bus {
            bus.command(BusCommand::OperationEnded {
                operation: operation.0,
                state,
            });
        }
    }
}
