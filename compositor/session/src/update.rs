//! Bringing an app's groups into another version, side by side with the old one: names, start, then one group after the
//! other, the focused one last. One group's failure never stops the next.

use std::collections::{BTreeSet, VecDeque};

use crate::effect::{Choice, Effect, Outcome, ToApp};
use crate::group::{Group, Home, OtherKind};
use crate::ids::*;
use crate::instance::Stage;
use crate::operation::{Goal, Part};
use crate::session::Session;

/// How long an app may take to give its bus names away.
const NAMES_MS: u64 = 3_000;

/// Which way the user wants to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// To the code on disk.
    Update,
    /// Back to where the groups came from.
    Undo,
}

/// A hand-over of all of an app's groups to another build.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub target: Build,
    pub reason: Reason,
    /// What is still to be handed over, in this order.
    pub queue: VecDeque<GroupId>,
    /// What was tried; each group has one try.
    pub tried: BTreeSet<GroupId>,
    /// Instances that gave their names away for it.
    pub yielded: BTreeSet<InstanceId>,
    pub stage: UpdateStage,
}

/// How far an update has come.
#[derive(Clone, Debug)]
pub(crate) enum UpdateStage {
    YieldingNames {
        op: OpId,
        waiting: BTreeSet<InstanceId>,
        until: Instant,
    },
    Starting(LaunchId),
    Handing {
        to: InstanceId,
        current: Option<GroupId>,
    },
}

impl Session {
    /// The code on disk is another.
    pub(crate) fn build_on_disk(&mut self, app: String, build: Build) {
        let now = self.now;
        let known = self.apps.entry(app.clone()).or_default();
        if known
            .on_disk
            .as_ref()
            .is_some_and(|(b, _)| b.id == build.id)
        {
            return;
        }
        let declined = known.choice.declined.contains(&build.id);
        known.on_disk = Some((build, now));
        if !declined {
            self.choose(&app, |choice| choice.instead = None);
        }
        self.consider_update(&app);
    }

    /// Changes which versions of an app the user wants, and has that kept.
    pub(crate) fn choose(&mut self, app: &str, change: impl FnOnce(&mut Choice)) {
        let known = self.apps.entry(app.to_owned()).or_default();
        let before = known.choice.clone();
        change(&mut known.choice);
        if known.choice != before {
            let (app, choice) = (app.to_owned(), known.choice.clone());
            self.out.push(Effect::Remember { app, choice });
        }
    }

    /// Whether code newer than what runs is to be taken up without being asked.
    pub(crate) fn consider_update(&mut self, app: &str) {
        if !self.config.update_by_itself {
            return;
        }
        let Some(target) = self.on_disk(app) else {
            return;
        };
        let stale = !self.stale_groups(app, &target.id).is_empty();
        let Some(known) = self.apps.get_mut(app) else {
            return;
        };
        let refused =
            known.choice.declined.contains(&target.id) || known.tried.contains(&target.id);
        if stale && !refused && known.wish.is_none() && known.update.is_none() {
            known.wish = Some(Wish::Update);
        }
    }

    /// The app's live groups that another build than this one holds.
    pub(crate) fn stale_groups(&self, app: &str, build: &str) -> Vec<GroupId> {
        let elsewhere = |g: &&Group| {
            g.app == app
                && g.holder()
                    .is_some_and(|h| self.build_id(h.instance) != build)
        };
        self.groups
            .values()
            .filter(elsewhere)
            .map(|g| g.id)
            .collect()
    }

    /// The code that a wake uses: what is on disk, or what the user went back to.
    pub(crate) fn preferred_build(&self, app: &str) -> Option<Build> {
        let known = self.apps.get(app)?;
        known.choice.instead.clone().or_else(|| self.on_disk(app))
    }

    pub(crate) fn advance_updates(&mut self) -> bool {
        let apps: Vec<String> = self.apps.keys().cloned().collect();
        apps.iter().any(|app| self.advance_update(app))
    }

    fn advance_update(&mut self, app: &str) -> bool {
        let Some(known) = self.apps.get_mut(app) else {
            return false;
        };
        let Some(update) = &known.update else {
            return match known.wish.take() {
                Some(wish) => {
                    self.begin_update(app, wish);
                    true
                }
                None => false,
            };
        };
        match update.stage.clone() {
            UpdateStage::YieldingNames { waiting, until, .. } => {
                let still = waiting.iter().any(|i| self.is_registered(*i));
                if !still {
                    self.start_target(app);
                    true
                } else if self.now >= until {
                    self.fail_update(
                        app,
                        "the running version did not give its bus names away within 3 s.",
                    );
                    true
                } else {
                    false
                }
            }
            UpdateStage::Starting(launch) => {
                let gone = !self.launches.contains_key(&launch);
                if gone {
                    self.fail_update(app, "the other version could not be started.");
                }
                gone
            }
            UpdateStage::Handing { to, current } => self.advance_handing(app, to, current),
        }
    }

    fn begin_update(&mut self, app: &str, wish: Wish) {
        let target = match wish {
            Wish::Update => self.on_disk(app),
            Wish::Undo => self.undo_target(app),
        };
        let Some(target) = target else {
            return;
        };
        let (reason, goal) = match wish {
            Wish::Update => (Reason::Migrate, Goal::Update),
            Wish::Undo => (Reason::Rollback, Goal::Undo),
        };
        let on_disk = self.on_disk(app);
        let groups = self.stale_groups(app, &target.id);
        let focus = self.focus;
        let Some(known) = self.apps.get_mut(app) else {
            return;
        };
        match wish {
            Wish::Update => {
                known.tried.insert(target.id.clone());
                self.choose(app, |choice| choice.instead = None);
            }
            Wish::Undo => {
                if let Some(declined) = on_disk.filter(|b| b.id != target.id) {
                    let instead = Some(target.clone());
                    self.choose(app, |choice| {
                        choice.declined.insert(declined.id);
                        choice.instead = instead;
                    });
                }
            }
        }
        if groups.is_empty() {
            return;
        }
        let mut queue: VecDeque<GroupId> = groups.iter().copied().collect();
        if let Some(focus) = focus.filter(|f| queue.contains(f)) {
            queue.retain(|g| *g != focus);
            queue.push_back(focus);
        }
        for group in groups {
            self.set_part(group, goal, Part::Underway { was_live: true });
        }
        let op = self.new_op();
        let waiting: BTreeSet<InstanceId> = self
            .instances
            .iter()
            .filter(|(_, i)| {
                i.app == app
                    && i.build.id != target.id
                    && i.has_names
                    && matches!(i.stage, Stage::Registered)
            })
            .map(|(id, _)| *id)
            .collect();
        for instance in &waiting {
            self.send(*instance, ToApp::YieldNames { op });
        }
        let update = Update {
            target,
            reason,
            queue,
            tried: BTreeSet::new(),
            yielded: BTreeSet::new(),
            stage: UpdateStage::YieldingNames {
                op,
                waiting,
                until: self.now.after(NAMES_MS),
            },
        };
        if let Some(known) = self.apps.get_mut(app) {
            known.update = Some(update);
        }
    }

    /// Where an undo leads: the build that the app's live groups came from, or the sleeping ones where none is live.
    pub(crate) fn undo_target(&self, app: &str) -> Option<Build> {
        let of_app = || self.groups.values().filter(|g| g.app == app);
        let mut live = of_app().filter(|g| g.holder().is_some());
        let mut asleep = of_app().filter(|g| matches!(g.home, Home::Asleep(_)));
        live.find_map(|g| g.came_from.clone())
            .or_else(|| asleep.find_map(|g| g.came_from.clone()))
    }

    /// An app says whether it owns its names.
    pub(crate) fn names(&mut self, instance: InstanceId, answered: OpId, held: bool) {
        let Some(known) = self.instances.get_mut(&instance) else {
            return;
        };
        known.has_names = held;
        let app = known.app.clone();
        let update = self.apps.get_mut(&app).and_then(|a| a.update.as_mut());
        if let Some(update) = update
            && let UpdateStage::YieldingNames { op, waiting, .. } = &mut update.stage
            && *op == answered
            && !held
            && waiting.remove(&instance)
        {
            update.yielded.insert(instance);
        }
    }

    /// The names are free: an instance of the target build, running or started now.
    fn start_target(&mut self, app: &str) {
        let Some(target) = self.update_of(app).map(|u| u.target.clone()) else {
            return;
        };
        let running = self.instances.iter().find(|(_, i)| {
            i.app == app && i.build.id == target.id && matches!(i.stage, Stage::Registered)
        });
        let stage = match running.map(|(id, i)| (*id, i.has_names)) {
            Some((to, has_names)) => {
                if !has_names {
                    let op = self.new_op();
                    self.send(to, ToApp::TakeNames { op });
                }
                UpdateStage::Handing { to, current: None }
            }
            None => {
                let reason = self.update_of(app).map_or(Reason::Migrate, |u| u.reason);
                let is_on_disk = self.on_disk(app).is_some_and(|b| b.id == target.id);
                let kept = (!is_on_disk).then(|| target.id.clone());
                UpdateStage::Starting(self.start(app, kept, reason))
            }
        };
        if let Some(update) = self.update_mut(app) {
            update.stage = stage;
        }
    }

    /// The process that an update waits for has registered. False if none did.
    pub(crate) fn update_got_instance(&mut self, launch: LaunchId, instance: InstanceId) -> bool {
        let Some((app, build)) = self
            .instances
            .get(&instance)
            .map(|i| (i.app.clone(), i.build.clone()))
        else {
            return false;
        };
        let on_disk = self.on_disk(&app);
        let Some(update) = self.update_mut(&app) else {
            return false;
        };
        if !matches!(update.stage, UpdateStage::Starting(l) if l == launch) {
            return false;
        }
        if build.id != update.target.id && on_disk.is_none_or(|b| b.id != build.id) {
            let text = format!(
                "version {} was to be started, but {} came.",
                update.target.version, build.version
            );
            self.fail_update(&app, &text);
            return false;
        }
        // The disk may have changed once more between the start and now.
        update.target = build;
        update.stage = UpdateStage::Handing {
            to: instance,
            current: None,
        };
        true
    }

    fn advance_handing(&mut self, app: &str, to: InstanceId, current: Option<GroupId>) -> bool {
        if let Some(group) = current {
            let busy = self.groups.get(&group).is_some_and(Group::is_migrating);
            if busy {
                return false;
            }
            self.set_current(app, to, None);
            return true;
        }
        let target = self.update_of(app).map(|u| u.target.id.clone());
        let late = self.stale_groups(app, &target.unwrap_or_default());
        let alive = self.is_registered(to);
        let Some(update) = self.update_mut(app) else {
            return false;
        };
        // Opened in the old version while the update ran.
        for group in late {
            if !update.tried.contains(&group) && !update.queue.contains(&group) {
                update.queue.push_back(group);
            }
        }
        if !alive {
            self.fail_update(app, "the other version ended.");
            return true;
        }
        // A group that is busy otherwise lets the next one pass.
        let queue = update.queue.clone();
        for group in &queue {
            if self.hand_over(app, *group, to) {
                return true;
            }
        }
        if queue.is_empty() {
            self.conclude_update(app, to);
            return true;
        }
        false
    }

    /// Begins with one group, or finds that there is nothing to do for it. False if it is busy.
    fn hand_over(&mut self, app: &str, group: GroupId, to: InstanceId) -> bool {
        let Some(update) = self.update_of(app) else {
            return false;
        };
        let (reason, goal) = (update.reason, Goal::of_migration(update.reason));
        let state = self.groups.get(&group);
        let live = state.is_some_and(|g| g.holder().is_some());
        let working = state.is_some_and(Group::is_working);
        let there = state
            .and_then(Group::holder)
            .is_some_and(|h| h.instance == to);
        let in_between = state.is_some_and(|g| matches!(g.home, Home::Leasing(_)));
        if (live && !working) || in_between {
            return false;
        }
        if let Some(update) = self.update_mut(app) {
            update.queue.retain(|g| *g != group);
            update.tried.insert(group);
        }
        if live && !there {
            self.set_current(app, to, Some(group));
            self.begin_migration(group, to, reason);
        } else {
            let text =
                "It was not open any more when its turn came; it wakes in the version in use.";
            self.finish(group, goal, Outcome::Skipped, text);
        }
        true
    }

    fn set_current(&mut self, app: &str, to: InstanceId, current: Option<GroupId>) {
        if let Some(update) = self.update_mut(app) {
            update.stage = UpdateStage::Handing { to, current };
        }
    }

    /// Every group has had its turn.
    fn conclude_update(&mut self, app: &str, to: InstanceId) {
        let Some(update) = self.apps.get_mut(app).and_then(|a| a.update.take()) else {
            return;
        };
        if !self.is_at_work(to) {
            self.give_names_back(&update);
            self.end_if_idle(to);
        }
        if self.config.freeze_retired {
            self.freeze_retired(app);
        }
        self.consider_update(app);
    }

    /// Stops instances that hold nothing but retired copies and own no name.
    fn freeze_retired(&mut self, app: &str) {
        let retired: Vec<InstanceId> = self
            .instances
            .iter()
            .filter(|(id, i)| i.app == app && !i.has_names && !i.frozen && self.is_retired(**id))
            .map(|(id, _)| *id)
            .collect();
        for instance in retired {
            if let Some(i) = self.instances.get_mut(&instance) {
                i.frozen = true;
            }
            self.out.push(Effect::Freeze {
                instance,
                frozen: true,
            });
        }
    }

    /// Whether the instance has copies, and all of them are retired.
    pub(crate) fn is_retired(&self, instance: InstanceId) -> bool {
        let mut copies = self
            .groups
            .values()
            .flat_map(|g| g.others.values())
            .filter(|o| o.instance == instance)
            .peekable();
        !self.is_at_work(instance)
            && copies.peek().is_some()
            && copies.all(|o| matches!(o.kind, OtherKind::Retired { .. }))
    }

    /// The update as a whole came to nothing, or to an end in its middle.
    fn fail_update(&mut self, app: &str, why: &str) {
        let Some(update) = self.apps.get_mut(app).and_then(|a| a.update.take()) else {
            return;
        };
        let text = format!(
            "It was not brought into version {}: {why} It goes on in the version it ran before; `overwinter update` tries again.",
            update.target.version
        );
        let goal = Goal::of_migration(update.reason);
        let mut rest: BTreeSet<GroupId> = update.queue.iter().copied().collect();
        rest.extend(self.underway(goal, app));
        for group in rest {
            self.set_error(group, &text);
            self.finish(group, goal, Outcome::Failed, &text);
        }
        if let UpdateStage::Handing { to, .. } = update.stage {
            self.end_if_idle(to);
        }
        self.give_names_back(&update);
        self.notice(None, format!("{app}: {text}"));
        self.consider_update(app);
    }

    fn give_names_back(&mut self, update: &Update) {
        let waiting = match &update.stage {
            UpdateStage::YieldingNames { waiting, .. } => waiting.clone(),
            _ => BTreeSet::new(),
        };
        for instance in update.yielded.union(&waiting) {
            if self.is_registered(*instance) {
                let op = self.new_op();
                self.send(*instance, ToApp::TakeNames { op });
            }
        }
    }

    pub(crate) fn update_goes_to(&self, instance: InstanceId) -> bool {
        self.apps.values().any(|a| {
            matches!(
                a.update.as_ref().map(|u| &u.stage),
                Some(UpdateStage::Handing { to, .. }) if *to == instance
            )
        })
    }

    fn update_of(&self, app: &str) -> Option<&Update> {
        self.apps.get(app)?.update.as_ref()
    }

    fn update_mut(&mut self, app: &str) -> Option<&mut Update> {
        self.apps.get_mut(app)?.update.as_mut()
    }
}
