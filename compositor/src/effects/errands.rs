//! `Store1`: whoever looks after the store of a running session. Each call is an operation that the store worker does in small
//! steps, beside everything else that it has to do.

use overwinter_bus::{BusCommand, Refusal, Reply, StoreCall};
use overwinter_proto::GroupId;
use overwinter_session::Event;
use overwinter_session::ids::OperationId;
use overwinter_store::{Progress, Which};

use super::bus::no_random;
use super::keys::{self, Task};
use super::store::{Ended, Errand, Job};
use crate::driver::Driver;
use crate::state::Overwinter;

/// Most errands that wait at a time: a person has one or two, and each may hold a file.
const MOST: usize = 16;

impl Driver {
    /// A method of `Store1` was called by somebody who may.
    pub(crate) fn store_call(&mut self, call: StoreCall) {
        match call {
            StoreCall::Usage { reply } => self.errand(Errand::Usage, reply),
            StoreCall::Collect { now, reply } => self.errand(Errand::Collect { now }, reply),
            StoreCall::Examine { repair, reply } => self.errand(Errand::Examine { repair }, reply),
            StoreCall::Export {
                group,
                last_good,
                file,
                reply,
            } => {
                let which = match last_good {
                    true => Which::LastGood,
                    false => Which::Newest,
                };
                self.errand(Errand::Export { group, which, file }, reply);
            }
            StoreCall::Import { file, reply } => match super::random() {
                Ok(id) => {
                    let group = GroupId(u128::from_be_bytes(id));
                    self.errand(Errand::Import { group, file }, reply);
                }
                Err(e) => reply.send(Err(no_random(e))),
            },
            StoreCall::Keys { reply } => self.key_call(Ok(Task::List), reply),
            StoreCall::AddKey {
                kind,
                secret,
                reply,
            } => {
                let task = keys::kind_of(&kind).and_then(|kind| {
                    let word = keys::word_of(secret)?;
                    Ok(Task::Add { kind, word })
                });
                self.key_call(task, reply);
            }
            StoreCall::RemoveKey { kind, reply } => {
                let task = keys::kind_of(&kind).map(|kind| Task::Remove { kind });
                self.key_call(task, reply);
            }
            StoreCall::RotateKey { secret, reply } => {
                let task = keys::word_of(secret).map(|word| Task::Rotate { word });
                self.key_call(task, reply);
            }
        }
    }

    fn errand(&mut self, errand: Errand, reply: Reply<u64>) {
        if self.errands >= MOST {
            return reply.send(Err(Refusal::Busy(format!(
                "{MOST} operations on the store wait already; nothing was begun. Ask again when one has ended"
            ))));
        }
        self.errands += 1;
        let operation = self.operations.begin();
        reply.send(Ok(operation.0));
        self.job(Job::Errand { operation, errand });
    }

    /// Forgets what was closed long ago, and drops what nobody needs. Nobody waits for it.
    pub(crate) fn tidy_up(&mut self) {
        self.errands += 1;
        let operation = self.operations.begin();
        let errand = Errand::Collect { now: false };
        self.job(Job::Errand { operation, errand });
    }

    /// Tells whoever watches how far it is.
    pub(crate) fn tell_progress(&mut self, operation: OperationId, far: Progress) {
        if let Some(bus) = &self.bus {
            bus.command(BusCommand::Progress {
                operation: operation.0,
                done: far.done,
                total: far.total,
            });
        }
    }

    /// The end of one. A group that came by it is here before anybody hears of that.
    pub(crate) fn errand_ended(
        &mut self,
        state: &mut Overwinter,
        operation: OperationId,
        ended: Ended,
    ) {
        self.errands = self.errands.saturating_sub(1);
        if let Some(imported) = ended.imported {
            self.blobs.stored(imported.history.group, imported.blobs);
            self.tell_heart(state, Event::Imported(imported.history));
        }
        if let Err(why) = &ended.outcome {
            tracing::warn!("{why}");
        }
        let group = ended.group.map(|group| group.to_string());
        let end = self
            .operations
            .end_about(operation, group.unwrap_or_default(), ended.outcome);
        if let Some(end) = end {
            self.announce(operation, end);
        }
    }
}
