//! The end of the session: first every group that can is put to sleep, then the session ends.
//!
//! Promises:
//! 1. Nobody is kept waiting for ever: a group that is not saved within [`PATIENCE`] (or, where the end is not to be
//!    stopped, [`HURRY`]) counts as one that cannot be.
//! 2. Whoever asked is told which groups could not be saved, and unless the end was to come anyway the session goes on.
//! 3. What the store was asked to write is on disk before the process ends; a stream to another host that takes nothing does not
//!    delay it.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use calloop::RegistrationToken;
use calloop::timer::{TimeoutAction, Timer};
use overwinter_bus::{OperationState, Reply};
use overwinter_session::Event;
use overwinter_session::ids::OperationId;

use super::peer::Outbox;
use super::store::Job;
use super::{Incoming, signals};
use crate::driver::Driver;
use crate::state::Overwinter;

/// A user who is asked waits this long: less than the command line does, which is then told the reason. An app that asks for
/// more time to save may take as long.
const PATIENCE: Duration = Duration::from_secs(50);

/// Who ends the session anyway, or shuts the machine down, waits this long: apps have 5 s to save, and systemd kills what is
/// not gone after 90 s.
const HURRY: Duration = Duration::from_secs(12);

/// How long the store may take to write what it was asked to.
const STORE: Duration = Duration::from_secs(10);

/// How long streams may take to write what was still to be said, once the store has finished. A live peer takes it at once.
const STREAMS: Duration = Duration::from_secs(1);

/// The session is about to end.
#[derive(Debug)]
pub struct Quitting {
    operation: OperationId,
    /// It ends even if groups cannot be saved.
    anyway: bool,
    timer: Option<RegistrationToken>,
}

impl Driver {
    /// `Control1.Quit` and `QuitUnsaved`. Asked again, it is the same quitting, from now on perhaps a less patient one.
    pub(crate) fn quit_for_user(
        &mut self,
        state: &mut Overwinter,
        anyway: bool,
        reply: Reply<u64>,
    ) {
        let operation = match &self.quitting {
            Some(quitting) => quitting.operation,
            None => self.operations.begin(),
        };
        reply.send(Ok(operation.0));
        self.quit(state, operation, anyway);
    }

    /// A key asks for the end. What cannot be saved is told, and the session goes on.
    pub(crate) fn quit_by_key(&mut self, state: &mut Overwinter) {
        if self.quitting.is_none() {
            let operation = self.operations.begin();
            self.quit(state, operation, false);
        }
    }

    /// A signal asks for the end. Asked twice, it comes at once.
    pub(crate) fn quit_for_signal(&mut self, state: &mut Overwinter, signal: i32) {
        tracing::info!("{}: the session ends", signals::name(signal));
        match &self.quitting {
            Some(quitting) if quitting.anyway => self.end_session(state),
            Some(quitting) => self.quit(state, quitting.operation, true),
            None => {
                let operation = self.operations.begin();
                self.quit(state, operation, true);
            }
        }
    }

    fn quit(&mut self, state: &mut Overwinter, operation: OperationId, anyway: bool) {
        let begun = self.quitting.take();
        let first = begun.is_none();
        let was_anyway = begun.as_ref().is_some_and(|q| q.anyway);
        if let Some(token) = begun.and_then(|q| q.timer) {
            state.handle.remove(token);
        }
        let anyway = anyway || was_anyway;
        let within = if anyway { HURRY } else { PATIENCE };
        let timer = Timer::from_duration(within);
        let timer = state.handle.insert_source(timer, |_, (), state| {
            if let Some(driver) = &mut state.driver {
                driver.inbox.push_back(Incoming::QuitIsDue);
            }
            TimeoutAction::Drop
        });
        self.quitting = Some(Quitting {
            operation,
            anyway,
            timer: timer
                .inspect_err(|e| tracing::error!("no timer: {}", e.error))
                .ok(),
        });
        if first {
            let groups = Vec::new();
            self.tell_heart(state, Event::Hibernate { operation, groups });
        }
    }

    /// Some group takes too long.
    pub(crate) fn quit_is_due(&mut self, state: &mut Overwinter) {
        let Some(quitting) = &mut self.quitting else {
            return;
        };
        // The timer that told this is gone.
        quitting.timer = None;
        let operation = quitting.operation;
        if quitting.anyway {
            for name in self.unsaved() {
                tracing::warn!(
                    "{name} was not put to sleep in time; its last stored state is kept"
                );
            }
            return self.end_session(state);
        }
        self.quitting = None;
        let why = self.why_not_ended();
        self.end_operation(operation, Err(why));
    }

    /// The operation that puts everything to sleep has ended: what is told of it, and whether the session ends with it.
    pub(crate) fn slept_for_quit(
        &mut self,
        state: &mut Overwinter,
        operation: OperationId,
        end: &mut OperationState,
    ) {
        let quitting = self.quitting.take_if(|q| q.operation == operation);
        let Some(quitting) = quitting else { return };
        if let Some(token) = quitting.timer {
            state.handle.remove(token);
        }
        let unsaved = self.unsaved();
        if unsaved.is_empty() || quitting.anyway {
            for name in unsaved {
                tracing::warn!("{name} was not put to sleep; its last stored state is kept");
            }
            return self.end_session(state);
        }
        end.state = "failed";
        let word = "failed".to_owned();
        end.results
            .push((String::new(), word, self.why_not_ended()));
    }

    fn end_session(&mut self, state: &Overwinter) {
        tracing::info!("the session ends");
        state.signal.stop();
    }

    fn why_not_ended(&self) -> String {
        format!(
            "The session was not ended: {} could not be put to sleep. It goes on with all its windows. Save or close what is named \
             and try again; `overwinter quit --force` ends it as it is.",
            self.unsaved().join(", ")
        )
    }

    /// Groups that an app still holds: what was typed into them since they were last stored would be lost.
    fn unsaved(&self) -> Vec<String> {
        let groups = self.session.view().groups;
        let held = groups.iter().filter(|g| g.holder.is_some());
        held.map(|g| format!("“{}” ({}, {})", g.title, g.app, g.group))
            .collect()
    }
}

/// The last of the session: the store does what it was asked to, and streams write what was to be said. Streams that take
/// nothing are not waited for longer than the store needs and [`STREAMS`].
pub fn finish<'a>(
    streams: impl Iterator<Item = &'a Outbox>,
    jobs: &mpsc::Sender<Job>,
    worker: JoinHandle<()>,
) {
    let (written, all_written) = mpsc::channel();
    for outbox in streams {
        outbox.close_and_tell(written.clone());
    }
    drop(written);
    // Streams hold senders too, so the worker is told: it ends with the jobs that were there before.
    let _ = jobs.send(Job::End);
    let (done, ended) = mpsc::channel();
    let waiting = std::thread::Builder::new().spawn(move || {
        let _ = worker.join();
        let _ = done.send(());
    });
    if waiting.is_err() || ended.recv_timeout(STORE).is_err() {
        tracing::warn!(
            "the store has not written everything within {} s; what was stored before is kept",
            STORE.as_secs()
        );
    }
    if all_written.recv_timeout(STREAMS) == Err(mpsc::RecvTimeoutError::Timeout) {
        tracing::warn!(
            "another host takes nothing more; what it was to be told, it is told when it asks again. No group is lost by that"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use overwinter_proto::transfer::{ChunkId, Message};
    use overwinter_proto::{GroupId, JournalRecord, Lease, TxId};
    use overwinter_session::StoreRequest;
    use overwinter_session::ids::{PeerId, StoreId};
    use overwinter_store::Store;

    use super::super::peer;
    use super::super::store::{self, Fault};
    use super::*;

    const GROUP: GroupId = GroupId(7);

    #[test]
    fn a_stream_that_takes_nothing_keeps_nobody_from_finishing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let (jobs, worker) = store::start(store, Fault::default(), drop).unwrap();
        // Nobody reads at the other end.
        let (stream, _deaf) = UnixStream::pair().unwrap();
        let outbox = peer::open(PeerId(1), stream.into(), jobs.clone(), drop).unwrap();
        outbox.say(&Message::Chunk {
            tx: TxId(1),
            id: ChunkId([1; 32]),
            bytes: vec![1; 4 << 20],
        });
        let records = [
            JournalRecord::Opened { app: "app".into() },
            JournalRecord::Lease(Lease(3)),
        ];
        for (id, record) in (1..).zip(records.clone()) {
            let group = GROUP;
            let request = StoreRequest::Record { group, record };
            let (id, with) = (StoreId(id), Box::default());
            jobs.send(Job::Request { id, request, with }).unwrap();
        }
        finish(std::iter::once(&outbox), &jobs, worker);
        // The worker has ended: the store is nobody's, and has what was asked for.
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let entries = store.journal(GROUP).unwrap();
        let written: Vec<_> = entries.into_iter().map(|e| e.record).collect();
        assert_eq!(written, records);
    }

    #[test]
    fn what_was_to_be_said_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let (jobs, worker) = store::start(store, Fault::default(), drop).unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        let outbox = peer::open(PeerId(1), here.into(), jobs.clone(), drop).unwrap();
        let (tell, heard) = mpsc::channel();
        let hear = move |h| drop(tell.send(h));
        let _other = peer::open(PeerId(2), there.into(), jobs.clone(), hear).unwrap();
        for n in 0..100 {
            outbox.say(&Message::Done { tx: TxId(n) });
        }
        finish(std::iter::once(&outbox), &jobs, worker);
        let said = heard
            .iter()
            .filter(|h| matches!(h.what, peer::What::Message(..)));
        assert_eq!(said.count(), 100);
    }
}
