//! Processes of applications: started, registered, ending, gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::*;

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub app: String,
    /// The code it runs; known when it has registered.
    pub build: Build,
    pub stage: Stage,
    /// What Register answers.
    pub reason: Reason,
    pub launch: Option<LaunchId>,
    /// It owns the app's well-known bus names, as far as we know.
    pub has_names: bool,
    pub registered_at: Instant,
    /// When it was stopped for being retired as a whole.
    pub frozen: bool,
}

/// How far a process has come.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// It runs and has not said Register.
    Starting,
    Registered,
    /// It let go of its last copy and ends by itself; after `until` it is ended.
    Ending {
        until: Option<Instant>,
    },
}

/// A start that was asked for and has not led to a registered instance.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub app: String,
    /// A kept older executable.
    pub build: Option<String>,
    pub reason: Reason,
    pub until: Instant,
    pub instance: Option<InstanceId>,
}

/// What is known of an application as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    /// What a start would run now, and since when we know.
    pub on_disk: Option<(Build, Instant)>,
    /// Which versions the user wants.
    pub choice: Choice,
    /// Build ids that an update was tried to by itself; each is tried once.
    pub tried: BTreeSet<String>,
    pub update: Option<crate::update::Update>,
    /// What the user asked for and is not begun.
    pub wish: Option<crate::update::Wish>,
}

pub(crate) type Instances = BTreeMap<InstanceId, Instance>;

use crate::blame::Fault;
use crate::effect::{Choice, Effect, ToApp};
use crate::group::*;
use crate::session::Session;

/// How long a process may take from its start to Register.
pub(crate) const START_MS: u64 = 10_000;
/// How long a process that let go of its last copy may take to end before it is ended.
const ENDING_MS: u64 = 10_000;

impl Session {
    /// Asks for a process of the app, or joins one that was asked for already.
    pub(crate) fn start(&mut self, app: &str, build: Option<String>, reason: Reason) -> LaunchId {
        let same = |(_, launch): &(&LaunchId, &Launch)| launch.app == app && launch.build == build;
        if let Some((id, _)) = self.launches.iter().find(same) {
            return *id;
        }
        let launch = self.new_launch();
        let new = Launch {
            app: app.to_owned(),
            build: build.clone(),
            reason,
            until: self.now.after(START_MS),
            instance: None,
        };
        self.launches.insert(launch, new);
        self.out.push(Effect::Start {
            launch,
            app: app.to_owned(),
            build,
            reason,
        });
        launch
    }

    pub(crate) fn started(&mut self, launch: LaunchId, instance: InstanceId) {
        let Some(asked) = self.launches.get_mut(&launch) else {
            // It was given up on; the process must not linger.
            if let Some(known) = self.instances.get(&instance) {
                let _ = known;
            } else {
                self.out.push(Effect::End { instance });
            }
            return;
        };
        asked.instance = Some(instance);
        let (app, reason) = (asked.app.clone(), asked.reason);
        if self.is_registered(instance) {
            // Its Register overtook the launcher's word.
            if let Some(known) = self.instances.get_mut(&instance) {
                known.launch = Some(launch);
                known.reason = reason;
            }
            self.launched(launch, instance);
            return;
        }
        let new = Instance {
            app,
            build: Build::default(),
            stage: Stage::Starting,
            reason,
            launch: Some(launch),
            has_names: true,
            registered_at: self.now,
            frozen: false,
        };
        self.instances.entry(instance).or_insert(new);
    }

    pub(crate) fn start_failed(&mut self, launch: LaunchId, why: &str) {
        let Some(asked) = self.launches.remove(&launch) else {
            return;
        };
        let build = asked
            .build
            .or_else(|| self.on_disk(&asked.app).map(|b| b.id));
        if let Some(instance) = asked.instance
            && self.instances.remove(&instance).is_some()
        {
            self.out.push(Effect::End { instance });
        }
        let waiting = |g: &&Group| {
            matches!(
                &g.home,
                Home::Asleep(Rest::Waking(Waking {
                    stage: WakeStage::Gathering { host: Host::Starting(l), .. },
                    ..
                })) if *l == launch
            )
        };
        let groups: Vec<GroupId> = self.groups.values().filter(waiting).map(|g| g.id).collect();
        for group in groups {
            let build = build.clone().unwrap_or_default();
            let text = format!("its app could not be started: {why}");
            self.wake_failed(group, &text, Fault::Start { build });
        }
    }

    /// A process said Register.
    pub(crate) fn registered(
        &mut self,
        instance: InstanceId,
        app: String,
        build: Build,
        held: Vec<(GroupId, Lease, Revision)>,
    ) {
        let now = self.now;
        let known = self.instances.entry(instance).or_insert_with(|| Instance {
            app: app.clone(),
            build: build.clone(),
            stage: Stage::Starting,
            reason: Reason::Launch,
            launch: None,
            has_names: true,
            registered_at: now,
            frozen: false,
        });
        if matches!(known.stage, Stage::Starting) {
            known.stage = Stage::Registered;
            known.registered_at = now;
        }
        known.app.clone_from(&app);
        known.build = build;
        let launch = known.launch;
        for (group, lease, revision) in held {
            self.claimed(instance, &app, group, lease, revision);
        }
        if let Some(launch) = launch {
            self.launched(launch, instance);
        }
        self.consider_update(&app);
    }

    /// An instance that outlived a session says what it holds. The lease decides.
    fn claimed(
        &mut self,
        instance: InstanceId,
        app: &str,
        group: GroupId,
        lease: Lease,
        revision: Revision,
    ) {
        if self.ended.contains(&group)
            || self.arrivals.contains_key(&group)
            // Nothing could be stored for it. The app keeps all it has.
            || self.aside.contains_key(&group)
        {
            return;
        }
        let holder = |copy, stored| Holder {
            instance,
            copy,
            since: Instant::default(),
            from: None,
            stored,
            proof: Proof::Settled,
            shown: Shown::Yes,
            unanswered: None,
        };
        let copy = self.new_copy();
        let registered = self.is_registered(instance);
        if let Some(g) = self.groups.get_mut(&group) {
            if g.app != app || g.lease != lease || !g.is_still() || !registered {
                return;
            }
            let newest = g.newest().and_then(|n| Some((n, g.snapshots.get(&n)?)));
            // Only what was saved under this very lease is surely a revision of this holder.
            let stored = newest
                .filter(|(_, snap)| snap.lease == lease && snap.revision <= revision)
                .map(|(n, snap)| (snap.revision, n));
            let mut holder = holder(copy, stored);
            holder.since = self.now;
            g.home = Home::Live(holder, Activity::Working);
            self.shell(crate::effect::ShellEffect::Swap { group, copy });
            return;
        }
        self.claimed_unsaved(instance, app, group, lease, holder(copy, None));
    }

    /// Opened, and nothing of it stored, before the former session ended; it may never have come to the disk.
    fn claimed_unsaved(
        &mut self,
        instance: InstanceId,
        app: &str,
        group: GroupId,
        lease: Lease,
        mut holder: Holder,
    ) {
        let (known, opened) = self.bare.get(&group).copied().unwrap_or_default();
        if known > lease || !self.is_registered(instance) {
            return;
        }
        self.bare.remove(&group);
        holder.since = self.now;
        let home = Home::Live(holder, Activity::Working);
        let new = Group::new(group, app.to_owned(), String::new(), lease, home);
        self.groups.insert(group, new);
        if !opened {
            self.record_opened(group, app.to_owned());
        }
        if known != lease {
            self.record(group, overwinter_proto::JournalRecord::Lease(lease));
        }
    }

    /// The process that was asked for is here: whoever waits for it goes on.
    fn launched(&mut self, launch: LaunchId, instance: InstanceId) {
        if self.launches.remove(&launch).is_none() {
            return;
        }
        let mut wanted = false;
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        for group in ids {
            let Some(g) = self.groups.get_mut(&group) else {
                continue;
            };
            if let Home::Asleep(Rest::Waking(Waking {
                stage: WakeStage::Gathering { host, .. },
                ..
            })) = &mut g.home
                && *host == Host::Starting(launch)
            {
                *host = Host::Here(instance);
                wanted = true;
                self.try_restore(group);
            }
        }
        wanted |= self.update_got_instance(launch, instance);
        if !wanted {
            self.end_if_idle(instance);
        }
    }

    /// The process is no more.
    pub(crate) fn instance_gone(&mut self, instance: InstanceId) {
        let Some(gone) = self.instances.get_mut(&instance) else {
            return;
        };
        // Whatever wakes because of this does not wake in there.
        gone.stage = Stage::Ending { until: None };
        if let Some(launch) = gone.launch
            && let Some(asked) = self.launches.get_mut(&launch)
        {
            asked.instance = None;
            self.start_failed(launch, "it ended before it had registered.");
        }
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        for group in ids {
            self.gone_from(group, instance);
        }
        self.instances.remove(&instance);
    }

    fn gone_from(&mut self, group: GroupId, instance: InstanceId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        g.others.retain(|_, other| other.instance != instance);
        let build = self.build_id(instance);
        let ended = "its app ended.";
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        match &g.home {
            Home::Live(holder, _) if holder.instance == instance => self.crashed(group),
            Home::Live(_, Activity::Trying { migration, .. }) if migration.to == instance => {
                self.migration_failed(group, "the new instance ended.");
            }
            Home::Leasing(succession) if succession.instance == instance => {
                self.succession_failed(group, ended, Fault::Restore { build });
            }
            Home::Asleep(Rest::Waking(waking)) => match &waking.stage {
                WakeStage::Restoring { instance: i, .. } if *i == instance => {
                    self.wake_failed(group, ended, Fault::Restore { build });
                }
                WakeStage::Gathering {
                    host: Host::Here(i),
                    ..
                } if *i == instance => {
                    self.wake_failed(group, ended, Fault::Ours);
                }
                _ => {}
            },
            _ => {}
        }
    }

    // ── copies ───────────────────────────────────────────────────────────────────────────────────────────────────────

    fn has_copies(&self, instance: InstanceId) -> bool {
        self.groups.values().any(|g| {
            g.holder().is_some_and(|h| h.instance == instance)
                || g.others.values().any(|o| o.instance == instance)
        })
    }

    /// Whether the instance holds a lease.
    pub(crate) fn is_at_work(&self, instance: InstanceId) -> bool {
        self.groups
            .values()
            .any(|g| g.holder().is_some_and(|h| h.instance == instance))
    }

    /// Whether a group is about to come to life in it.
    fn is_awaited(&self, instance: InstanceId) -> bool {
        let waking = self.groups.values().any(|g| {
            matches!(
                &g.home,
                Home::Asleep(Rest::Waking(Waking {
                    stage: WakeStage::Gathering { host: Host::Here(i), .. },
                    ..
                })) if *i == instance
            )
        });
        waking || self.update_goes_to(instance)
    }

    /// Discards the copies that nobody wants any more, as soon as that does not end a process that somebody waits for.
    pub(crate) fn sweep_refused(&mut self) -> bool {
        let mut found = None;
        for g in self.groups.values() {
            let refused = |(_, o): &(&CopyId, &OtherCopy)| {
                o.kind == OtherKind::Refused && !self.is_awaited(o.instance)
            };
            if let Some((copy, other)) = g.others.iter().find(refused) {
                found = Some((g.id, *copy, other.instance));
                break;
            }
        }
        let Some((group, copy, instance)) = found else {
            return false;
        };
        let op = self.new_op();
        self.forget_copy(group, copy);
        self.send(instance, ToApp::Discard { op, group, copy });
        self.end_of_copies(instance);
        true
    }

    /// It was told to drop a copy; if that was its last it ends by itself.
    pub(crate) fn end_of_copies(&mut self, instance: InstanceId) {
        if self.has_copies(instance) {
            return;
        }
        let until = Some(self.now.after(ENDING_MS));
        if let Some(i) = self.instances.get_mut(&instance)
            && matches!(i.stage, Stage::Registered)
        {
            i.stage = Stage::Ending { until };
        }
    }

    /// Ends a process that the session started for something that is not wanted any more.
    pub(crate) fn end_if_idle(&mut self, instance: InstanceId) {
        if self.has_copies(instance) || self.is_awaited(instance) {
            return;
        }
        if let Some(i) = self.instances.get_mut(&instance)
            && matches!(i.stage, Stage::Registered)
            && i.launch.is_some()
        {
            i.stage = Stage::Ending { until: None };
            self.out.push(Effect::End { instance });
        }
    }

    /// Lets the other versions of an app give their bus names away, so that a start does not end up in one of them.
    pub(crate) fn yield_before_start(&mut self, app: &str) {
        let owners: Vec<InstanceId> = self
            .instances
            .iter()
            .filter(|(_, i)| i.app == app && i.has_names && matches!(i.stage, Stage::Registered))
            .map(|(id, _)| *id)
            .collect();
        for instance in owners {
            let op = self.new_op();
            self.send(instance, ToApp::YieldNames { op });
        }
    }

    pub(crate) fn build_id(&self, instance: InstanceId) -> String {
        self.instances
            .get(&instance)
            .map(|i| i.build.id.clone())
            .unwrap_or_default()
    }

    pub(crate) fn on_disk(&self, app: &str) -> Option<Build> {
        let (build, _) = self.apps.get(app)?.on_disk.as_ref()?;
        Some(build.clone())
    }
}
