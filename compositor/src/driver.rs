//! Owns the heart: whatever happens becomes an [`Event`], what `step` answers is carried out.
//!
//! Promises:
//! 1. The heart is stepped on the main thread alone, with one event at a time, in the order in which things became known here.
//! 2. Nothing here blocks: other threads are told through channels, and tell through one ([`Incoming`]).
//! 3. One timer is armed, at the heart's next deadline; none when it waits for nothing. An idle session is not woken.
//! 4. What is random or fresh (group ids, copies, cookies, transactions, operations) is drawn here and nowhere else.
//!
//! How each effect is carried out stands in [`crate::effects`], one file for each part of the world.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use calloop::RegistrationToken;
use calloop::timer::{TimeoutAction, Timer};
use overwinter_bus::{Bus, BusCommand};
use overwinter_proto::Build;
use overwinter_proto::transfer::Message;
use overwinter_session::ids::{Instant, OperationId, PeerId, StoreId};
use overwinter_session::{Effect, Event, Outcome, Session, StoreReply, StoreRequest, View};
use overwinter_watch::{App, Change, Keeper, Watcher};

use crate::effects::Incoming;
use crate::effects::blobs::Blobs;
use crate::effects::choices::Choices;
use crate::effects::identity::{self, Identity};
use crate::effects::instances::Processes;
use crate::effects::keys::Keys;
use crate::effects::launch::Launcher;
use crate::effects::notices::Notices;
use crate::effects::operations::Operations;
use crate::effects::payloads::{Payload, Payloads};
use crate::effects::peer::{Heard, Outbox, What};
use crate::effects::quit::{self, Quitting};
use crate::effects::shell::Pictured;
use crate::effects::space::Taken;
use crate::effects::store::{Answer, Job, With};
use crate::state::Overwinter;

mod attach;

pub use attach::{attach, attach_or_warn};

/// The heart and everything it acts through.
pub struct Driver {
    pub(crate) session: Session,
    pub(crate) inbox: VecDeque<Incoming>,
    pub(crate) sender: calloop::channel::Sender<Incoming>,
    pub(crate) bus: Option<Bus>,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) launcher: Launcher,
    pub(crate) processes: Processes,
    pub(crate) payloads: Payloads,
    pub(crate) blobs: Blobs,
    pub(crate) pictured: Pictured,
    pub(crate) operations: Operations,
    pub(crate) errands: usize,
    pub(crate) notices: Notices,
    pub(crate) keys: Keys,
    pub(crate) taken: Taken,
    pub(crate) peers: BTreeMap<PeerId, Outbox>,
    pub(crate) apps: BTreeMap<String, App>,
    /// What a start of each app would run now.
    pub(crate) builds: BTreeMap<String, Build>,
    pub(crate) keeper: Keeper,
    pub(crate) choices: Choices,
    pub(crate) identity: Identity,
    pub(crate) incarnation: u32,
    pub(crate) host: String,
    pub(crate) quitting: Option<Quitting>,
    pub(crate) last_copy: u64,
    pub(crate) last_peer: u64,
    _watcher: Option<Watcher>,
    worker: JoinHandle<()>,
    timer: Option<(Instant, RegistrationToken)>,
    /// What was last told to those who watch.
    seen: View,
}

/// Tells the heart everything that happened since the last time, and carries out what it wants.
pub fn turn(state: &mut Overwinter) {
    let Some(mut driver) = state.driver.take() else {
        return;
    };
    let mut busy = false;
    loop {
        if let Some(event) = state.events.pop_front() {
            driver.tell_heart(state, event);
        } else if let Some(incoming) = driver.inbox.pop_front() {
            driver.take_in(state, incoming);
        } else {
            break;
        }
        busy = true;
    }
    if busy {
        driver.settle(state);
    }
    state.driver = Some(driver);
}

impl Driver {
    /// CLOCK_MONOTONIC, as the heart counts.
    pub(crate) fn now(&self, state: &Overwinter) -> Instant {
        Instant(u64::try_from(state.now().as_millis()).unwrap_or(u64::MAX))
    }

    /// One event in, its effects out.
    pub(crate) fn tell_heart(&mut self, state: &mut Overwinter, event: Event) {
        // An offer carries the group's keys: these are for no log.
        if !matches!(event, Event::Peer { .. }) {
            tracing::debug!(?event, "the heart hears");
        }
        let effects = self.session.step(self.now(state), event);
        self.carry_out(state, effects);
    }

    /// The app of a group, as those who watch were last told.
    pub(crate) fn app_of(&self, group: overwinter_session::ids::GroupId) -> Option<&str> {
        let group = self.seen.groups.iter().find(|g| g.group == group)?;
        Some(&group.app)
    }

    fn take_in(&mut self, state: &mut Overwinter, incoming: Incoming) {
        match incoming {
            Incoming::Bus(told) => self.bus_says(state, told),
            Incoming::Store(answer) => self.store_says(state, answer),
            Incoming::Keys(told) => self.keys_told(told),
            Incoming::Watch(change) => self.watch_says(state, change),
            Incoming::Peer(heard) => self.peer_says(state, heard),
            Incoming::Launcher => self.hear_launcher(state),
            Incoming::Tick => {
                self.timer = None;
                self.tell_heart(state, Event::Tick);
            }
            Incoming::Signal(signal) => self.quit_for_signal(state, signal),
            Incoming::QuitIsDue => self.quit_is_due(state),
            Incoming::Wish(wish) => self.hear_wish(state, wish),
            Incoming::Ended(process) => self.process_ended(state, process),
        }
    }

    fn store_says(&mut self, state: &mut Overwinter, answer: Answer) {
        match answer {
            Answer::Reply { id, reply } => {
                let generation = match &reply {
                    StoreReply::Written(generation) => Some(*generation),
                    _ => None,
                };
                self.blobs.written(id, generation);
                self.tell_heart(state, Event::Store { id, reply });
            }
            Answer::Blobs { group, blobs } => self.blobs.stored(group, blobs),
            Answer::BlobPut {
                group,
                blob,
                outcome,
            } => self.blobs.given(group, blob, &outcome),
            Answer::Read {
                id,
                payload,
                revision,
                build,
                lacks,
            } => {
                let reply = StoreReply::Read {
                    state: self.payloads.keep(payload),
                    revision,
                    build,
                    lacks,
                };
                self.tell_heart(state, Event::Store { id, reply });
            }
            Answer::Progress { operation, far } => self.tell_progress(operation, far),
            Answer::Errand { operation, ended } => self.errand_ended(state, operation, ended),
            Answer::NotKept(why) => self.notices.add(None, why),
            Answer::Space(space) => self.space_is(space),
            Answer::Windows { group, windows } => state.place_ghost(group, &windows),
        }
    }

    fn watch_says(&mut self, state: &mut Overwinter, change: Change) {
        match change {
            Change::Apps(apps) => self.apps = apps,
            Change::Build { app, build } => {
                tracing::info!(app, version = build.version, "code on disk");
                self.builds.insert(app.clone(), build.clone());
                self.tell_heart(state, Event::BuildOnDisk { app, build });
            }
        }
    }

    fn peer_says(&mut self, state: &mut Overwinter, heard: Heard) {
        let Heard { peer, what } = heard;
        // What came before the stream was closed here does not count any more.
        if !self.peers.contains_key(&peer) {
            return;
        }
        match what {
            What::Gone(why) => {
                tracing::info!("{why}");
                self.peers.remove(&peer);
                self.tell_heart(state, Event::PeerGone { peer });
            }
            What::Message(message, credit) => {
                let terms = match &message {
                    Message::Released { tx, .. } | Message::Aborted { tx, .. } => {
                        self.session.terms(*tx)
                    }
                    _ => None,
                };
                if identity::is_signed(&message, terms.as_ref()) {
                    self.tell_heart(state, Event::Peer { peer, message });
                } else {
                    tracing::warn!(
                        "the other host's signature does not fit what is known of the move; the stream is closed. What came stays where it was"
                    );
                    self.close_peer(peer);
                    self.tell_heart(state, Event::PeerGone { peer });
                }
                drop(credit);
            }
        }
    }

    fn close_peer(&mut self, peer: PeerId) {
        if let Some(outbox) = self.peers.remove(&peer) {
            outbox.close();
        }
    }

    /// Carries out what the heart wants. What comes of it is heard in the same turn or later, never in here.
    pub(crate) fn carry_out(&mut self, state: &mut Overwinter, effects: Vec<Effect>) {
        for effect in effects {
            let unpack = matches!(
                effect,
                Effect::Store {
                    request: StoreRequest::Unpack { .. },
                    ..
                }
            );
            if !unpack && !matches!(effect, Effect::Peer { .. }) {
                tracing::debug!(?effect, "the heart wants");
            }
            match effect {
                Effect::Send { instance, message } => self.send(state, instance, message),
                Effect::Store { id, request } => self.ask_store(state, id, request),
                Effect::Start {
                    launch,
                    app,
                    build,
                    reason,
                } => self.start(state, launch, &app, build.as_deref(), reason),
                Effect::End { instance } => self.end(instance),
                Effect::Freeze { instance, frozen } => self.freeze(instance, frozen),
                Effect::Shell(effect) => self.show(state, effect),
                Effect::Peer { peer, message } => self.say_to_peer(peer, message),
                Effect::ClosePeer { peer } => self.close_peer(peer),
                Effect::Progress {
                    operation,
                    ended,
                    results,
                } => self.progress(state, operation, ended, &results),
                Effect::DropPayload(payload) => drop(self.payloads.take(payload)),
                Effect::Remember { app, choice } => {
                    self.choices.set(app, choice);
                    self.job(Job::Choices(self.choices.clone()));
                }
                Effect::Notice { group, text } => self.notices.add(group, text),
            }
        }
    }

    /// Hands a job to the store worker.
    pub(crate) fn job(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            tracing::error!(
                "the store worker has ended; nothing can be stored any more. End the session and start it anew"
            );
        }
    }

    fn ask_store(&mut self, state: &mut Overwinter, id: StoreId, request: StoreRequest) {
        let mut with = Box::new(With::default());
        match &request {
            StoreRequest::Write {
                group,
                payload,
                asked,
                ..
            } => {
                with.payload = self.payloads.take(*payload);
                if let Some(Payload { group, blobs, .. }) = &with.payload {
                    self.blobs.writing(id, *group, blobs);
                }
                (with.windows, with.pictures) = self.windows_for(state, *group, *asked);
            }
            StoreRequest::Retain { group, keep } => {
                let on_the_way = self.payloads.blobs_of(*group, None);
                with.waiting = self.blobs.retain(*group, keep, on_the_way);
            }
            StoreRequest::Bury { group } => {
                self.blobs.forget(*group);
                self.pictured.remove(group);
            }
            StoreRequest::Unpack { manifest, .. } if !self.apps.contains_key(&manifest.app) => {
                let why = format!(
                    "{} is not installed on {}; install it there and move the group again",
                    manifest.app, self.host
                );
                let reply = StoreReply::Failed {
                    why,
                    damaged: false,
                };
                return state.emit(Event::Store { id, reply });
            }
            _ => {}
        }
        self.job(Job::Request { id, request, with });
    }

    fn say_to_peer(&mut self, peer: PeerId, mut message: Message) {
        match &mut message {
            Message::Released { tx, signature } => {
                let terms = self.session.terms(*tx);
                match terms.and_then(|t| self.identity.sign_release(*tx, &t)) {
                    Some(signed) => *signature = signed,
                    None => {
                        return tracing::error!("a move without terms cannot be released: {tx}");
                    }
                }
            }
            Message::Aborted { tx, signature } => match self.session.terms(*tx) {
                Some(terms) => *signature = self.identity.sign_abort(*tx, &terms),
                None => return tracing::error!("a move without terms cannot be aborted: {tx}"),
            },
            _ => {}
        }
        match self.peers.get(&peer) {
            Some(outbox) => outbox.say(&message),
            None => tracing::debug!("{peer:?} has gone"),
        }
    }

    fn progress(
        &mut self,
        state: &mut Overwinter,
        operation: OperationId,
        ended: bool,
        results: &[overwinter_session::GroupResult],
    ) {
        for result in results
            .iter()
            .filter(|r| ended && r.outcome == Outcome::Failed)
        {
            tracing::warn!(group = %result.group, "{}", result.text);
        }
        if let Some(mut end) = self.operations.progress(operation, ended, results) {
            self.slept_for_quit(state, operation, &mut end);
            self.announce(operation, end);
        }
    }

    /// After a turn: the timer stands at the next deadline, and whoever watches is told what is new.
    fn settle(&mut self, state: &mut Overwinter) {
        self.arm(state);
        let mut view = self.session.view();
        for instance in &mut view.instances {
            // It grows all the time; that alone is no news.
            instance.stale_ms = 0;
        }
        let noticed = self.notices.take_news();
        if view == self.seen {
            if noticed && let Some(bus) = &self.bus {
                bus.command(BusCommand::Changed);
            }
            return;
        }
        let groups = view.groups.iter().map(|g| overwinter_bus::GroupView {
            id: g.group,
            app: g.app.clone(),
            title: g.title.clone(),
            state: g.state.to_owned(),
            version: g.version.clone(),
            generation: g.generation.0,
            pid: self.pid_of(g.holder),
        });
        let groups = groups.collect();
        if let Some(bus) = &self.bus {
            bus.command(BusCommand::Groups(groups));
            bus.command(BusCommand::Changed);
        }
        self.seen = view;
    }

    fn arm(&mut self, state: &Overwinter) {
        let due = self.session.next_deadline();
        if due == self.timer.as_ref().map(|(at, _)| *at) {
            return;
        }
        if let Some((_, token)) = self.timer.take() {
            state.handle.remove(token);
        }
        let Some(due) = due else { return };
        let delay = Duration::from_millis(due.0).saturating_sub(state.now());
        let timer = state
            .handle
            .insert_source(Timer::from_duration(delay), |_, (), state| {
                if let Some(driver) = &mut state.driver {
                    driver.inbox.push_back(Incoming::Tick);
                }
                TimeoutAction::Drop
            });
        match timer {
            Ok(token) => self.timer = Some((due, token)),
            Err(e) => tracing::error!("no timer: {}", e.error),
        }
    }
}

impl Driver {
    /// The last of the session: what was to be said is said, what was to be stored is on disk.
    pub fn finish(self) {
        let Driver {
            bus,
            peers,
            jobs,
            worker,
            ..
        } = self;
        quit::finish(peers.values(), &jobs, worker);
        drop(bus);
    }
}
