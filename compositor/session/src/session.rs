//! The session as a whole: one event in, effects out.
//!
//! How to use it, from the driver's side:
//! 1. `Session::new`, or `Session::recover` with what the journals say; carry out the effects.
//! 2. For what an app says over D-Bus: ask [`Session::may`], answer the caller, then [`Session::step`].
//!    For Register: `step(Registered)`, then answer with [`Session::reason_for`] and [`Session::kept`], then carry out the effects.
//! 3. Carry out effects; whatever comes of them is an event.
//! 4. Arm one timer at [`Session::next_deadline`]; its end is `Event::Tick`.

use std::collections::{BTreeMap, BTreeSet};

use overwinter_proto::JournalRecord;
use overwinter_proto::journal::{Closure, HostKey};

use crate::aside::Aside;
use crate::effect::{Choice, Effect, ShellEffect, StoreRequest, ToApp};
use crate::event::{Event, FromApp};
use crate::group::{Group, Pending};
use crate::ids::*;
use crate::instance::{App, Instances, Launch};
use crate::operation::Operation;
use crate::transfer::destination::Arrival;
use crate::transfer::stream::Stream;

/// What the driver decides once.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Number of this session's start, larger than any before on this host (seconds of the epoch will do).
    pub incarnation: u32,
    /// This host's key.
    pub own_key: HostKey,
    /// This host's name for people.
    pub own_name: String,
    /// Whether groups are migrated as soon as new code is on disk.
    pub update_by_itself: bool,
    /// How long retired copies are kept for undo, in milliseconds.
    pub probation_ms: u64,
    /// Whether instances that hold nothing but retired copies are stopped meanwhile. Off: an instance that owns a bus name
    /// must never be stopped, and not every app has told us its names yet.
    pub freeze_retired: bool,
    /// What former sessions were told to remember (`Effect::Remember`), by app.
    pub choices: BTreeMap<String, Choice>,
}

impl Config {
    /// The usual.
    pub fn new(incarnation: u32, own_key: HostKey, own_name: impl Into<String>) -> Config {
        Config {
            incarnation,
            own_key,
            own_name: own_name.into(),
            update_by_itself: true,
            // Long enough to work with the new version and dislike it.
            probation_ms: 10 * 60_000,
            freeze_retired: false,
            choices: BTreeMap::new(),
        }
    }
}

/// The heart. See the module.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) config: Config,
    pub(crate) now: Instant,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) instances: Instances,
    pub(crate) launches: BTreeMap<LaunchId, Launch>,
    pub(crate) apps: BTreeMap<String, App>,
    pub(crate) operations: BTreeMap<OperationId, Operation>,
    pub(crate) streams: BTreeMap<PeerId, Stream>,
    /// Groups that come from another host, until they are owned here.
    pub(crate) arrivals: BTreeMap<GroupId, Arrival>,
    /// How every move ended that is not under way any more.
    pub(crate) moved: BTreeMap<TxId, Moved>,
    /// Groups whose journal has begun and knows no snapshot: only an app that is still alive has anything of them. With
    /// the newest lease, and whether the journal says `Opened`.
    pub(crate) bare: BTreeMap<GroupId, (Lease, bool)>,
    /// Groups whose journal cannot be read.
    pub(crate) aside: BTreeMap<GroupId, Aside>,
    /// Groups that have ended: nobody's claim brings them back.
    pub(crate) ended: BTreeSet<GroupId>,
    pub(crate) asks: BTreeMap<StoreId, Ask>,
    pub(crate) focus: Option<GroupId>,
    pub(crate) out: Vec<Effect>,
    next_op: u32,
    next_copy: u64,
    next_store: u64,
    next_launch: u64,
}

/// How a move ended, as the journal has it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Moved {
    /// Who decided it: the host that the group was to leave.
    pub source: HostKey,
    pub group: GroupId,
    pub fate: Fate,
    /// What its RELEASED was about, for a host that owns it by that.
    pub release: Option<(u32, Closure, HostKey)>,
}

/// See [`Moved`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It did not happen.
    Aborted,
    /// The group came here and was owned under this epoch.
    Owned,
}

/// A store request without an answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Ask {
    pub group: GroupId,
    pub what: Asked,
}

/// See [`Ask`].
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Asked {
    Write {
        app: String,
        title: String,
        op: OpId,
        revision: Revision,
        lease: Lease,
        build: Build,
    },
    Opened,
    Proven(Generation),
    /// Whoever waits for it knows its id.
    Step,
}

/// The session's own copy ids have this bit set, the shell's have not.
const OWN_COPIES: u64 = 1 << 63;

impl Session {
    /// A session in which nothing has happened yet.
    pub fn new(mut config: Config) -> Session {
        let choices = std::mem::take(&mut config.choices).into_iter();
        let known = |choice| App {
            choice,
            ..App::default()
        };
        let apps = choices.map(|(app, choice)| (app, known(choice)));
        let apps = apps.collect();
        Session {
            config,
            now: Instant::default(),
            groups: BTreeMap::new(),
            instances: Instances::new(),
            launches: BTreeMap::new(),
            apps,
            operations: BTreeMap::new(),
            streams: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            moved: BTreeMap::new(),
            bare: BTreeMap::new(),
            aside: BTreeMap::new(),
            ended: BTreeSet::new(),
            asks: BTreeMap::new(),
            focus: None,
            out: Vec::new(),
            next_op: 0,
            next_copy: 0,
            next_store: 0,
            next_launch: 0,
        }
    }

    /// Takes one event at a moment and says what is to be done. Time never runs backwards: an earlier `now` counts as the
    /// last one.
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        self.take(event);
        self.settle();
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Started { launch, instance } => self.started(launch, instance),
            Event::StartFailed { launch, why } => self.start_failed(launch, &why),
            Event::Registered {
                instance,
                app,
                build,
                held,
            } => self.registered(instance, app, build, held),
            Event::InstanceGone { instance } => self.instance_gone(instance),
            Event::App { instance, message } => self.app_says(instance, message),
            Event::BuildOnDisk { app, build } => self.build_on_disk(app, build),
            Event::Store { id, reply } => self.store_says(id, reply),
            Event::Imported(history) => self.imported(history),
            Event::FenceDone { group, op } => self.fence_done(group, op),
            Event::GhostTouched { group } => self.ghost_touched(group),
            Event::Shown { group } => self.shown(group),
            Event::Focused { group } => self.focus = group,
            Event::Hibernate { operation, groups } => self.ask_hibernate(operation, groups),
            Event::Wake { operation, groups } => self.ask_wake(operation, groups),
            Event::Update { operation, app } => self.ask_update(operation, app),
            Event::UndoUpdate { operation, app } => self.ask_undo(operation, app),
            Event::Forget { operation, groups } => self.ask_forget(operation, groups),
            Event::Move {
                operation,
                groups,
                peer,
                txs,
            } => self.ask_move(operation, groups, peer, txs),
            Event::Receive { operation, peer } => self.ask_receive(operation, peer),
            Event::Peer { peer, message } => self.peer_says(peer, message),
            Event::PeerGone { peer } => self.peer_gone(peer),
            Event::Tick => {}
        }
    }

    /// Lets everything go on that can: what is over time first, then whatever waits for a group to be at rest. Each round
    /// starts or ends something, so it comes to an end; the bound is there for the day when it does not.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let changed = self.expire()
                || self.advance_operations()
                || self.advance_updates()
                || self.advance_moves();
            if !changed {
                return;
            }
        }
        debug_assert!(false, "the session does not come to rest");
    }

    fn app_says(&mut self, instance: InstanceId, message: FromApp) {
        if self.may(instance, &message).is_err() {
            if let FromApp::Saved {
                payload: Some(payload),
                ..
            } = message
            {
                self.out.push(Effect::DropPayload(payload));
            }
            return;
        }
        match message {
            FromApp::OpenGroup { group, copy, title } => {
                self.open_group(instance, group, copy, title);
            }
            FromApp::Saved {
                op,
                group,
                lease,
                revision,
                title,
                digest,
                payload,
            } => {
                let save = crate::save::Save {
                    op,
                    lease,
                    revision,
                    title,
                    digest,
                };
                self.saved(group, save, payload);
            }
            FromApp::Restored {
                op,
                group,
                copy,
                revision,
                digest,
                loss,
            } => self.restored(group, op, copy, revision, digest, loss),
            FromApp::Released { op, group, .. } => self.released(group, op),
            FromApp::Changed { op, group, .. } => self.changed(group, op),
            FromApp::Failed { op, group, why } => self.app_failed(instance, group, op, &why),
            FromApp::Closed { group, .. } => self.closed(group),
            FromApp::ExtendDeadline { op, group, ms } => self.extend_deadline(group, op, ms),
            FromApp::Names { op, held } => self.names(instance, op, held),
        }
    }

    // ── saying things ────────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn send(&mut self, instance: InstanceId, message: ToApp) {
        if let Some(i) = self.instances.get_mut(&instance)
            && std::mem::take(&mut i.frozen)
        {
            let frozen = false;
            self.out.push(Effect::Freeze { instance, frozen });
        }
        self.out.push(Effect::Send { instance, message });
    }

    pub(crate) fn shell(&mut self, effect: ShellEffect) {
        self.out.push(Effect::Shell(effect));
    }

    pub(crate) fn notice(&mut self, group: Option<GroupId>, text: impl Into<String>) {
        let text = text.into();
        self.out.push(Effect::Notice { group, text });
    }

    pub(crate) fn drop_payload(&mut self, payload: PayloadId) {
        self.out.push(Effect::DropPayload(payload));
    }

    pub(crate) fn ask_store(
        &mut self,
        group: GroupId,
        what: Asked,
        request: StoreRequest,
    ) -> StoreId {
        self.next_store += 1;
        let id = StoreId(self.next_store);
        self.asks.insert(id, Ask { group, what });
        self.out.push(Effect::Store { id, request });
        id
    }

    /// Appends a record to the group's journal; PREPARING is the last one only until something follows it.
    pub(crate) fn record(&mut self, group: GroupId, record: JournalRecord) -> StoreId {
        self.record_as(group, Asked::Step, record)
    }

    /// A record that is owed until it is durable.
    pub(crate) fn record_opened(&mut self, group: GroupId, app: String) {
        self.record_as(group, Asked::Opened, JournalRecord::Opened { app });
    }

    pub(crate) fn record_proven(&mut self, group: GroupId, generation: Generation) {
        let record = JournalRecord::Proven(generation);
        if let Some(g) = self.groups.get_mut(&group) {
            g.proving = Some(generation);
        }
        self.record_as(group, Asked::Proven(generation), record);
    }

    fn record_as(&mut self, group: GroupId, what: Asked, record: JournalRecord) -> StoreId {
        if let Some(g) = self.groups.get_mut(&group) {
            g.preparing = match &record {
                JournalRecord::Preparing { tx, .. } => Some(*tx),
                _ => None,
            };
        }
        self.ask_store(group, what, StoreRequest::Record { group, record })
    }

    pub(crate) fn write(&mut self, group: GroupId, app: String, save: Pending) -> StoreId {
        let what = Asked::Write {
            app: app.clone(),
            title: save.title.clone(),
            op: save.op,
            revision: save.revision,
            lease: save.lease,
            build: save.build.clone(),
        };
        let request = StoreRequest::Write {
            group,
            app,
            build: save.build,
            lease: save.lease,
            revision: save.revision,
            title: save.title,
            payload: save.payload,
            asked: save.op != OpId(0),
        };
        self.ask_store(group, what, request)
    }

    pub(crate) fn new_op(&mut self) -> OpId {
        self.next_op = self.next_op.wrapping_add(1).max(1);
        OpId(u64::from(self.config.incarnation) << 32 | u64::from(self.next_op))
    }

    pub(crate) fn new_copy(&mut self) -> CopyId {
        self.next_copy += 1;
        CopyId(OWN_COPIES | self.next_copy)
    }

    pub(crate) fn new_launch(&mut self) -> LaunchId {
        self.next_launch += 1;
        LaunchId(self.next_launch)
    }

    pub(crate) fn set_error(&mut self, group: GroupId, text: &str) {
        if let Some(g) = self.groups.get_mut(&group) {
            g.error = Some(text.to_owned());
        }
    }
}
