//! Falling asleep: fence, save, durable, ghost, let go. And what remains when a holder lets go or dies in any other way.

use overwinter_proto::JournalRecord;

use crate::effect::{Outcome, ShellEffect, ToApp};
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::session::{Asked, Session};

/// The shell gives a client 700 ms to handle its input; this guards the shell.
pub(crate) const FENCE_MS: u64 = 1_000;
/// How long an app may take to hand over its state, unless it asks for more.
pub(crate) const SAVE_MS: u32 = 5_000;
/// How far an app can push its deadline by asking for more time.
pub(crate) const EXTENDED_MS: u64 = 60_000;
/// How long an app may take to let go.
pub(crate) const RELEASE_MS: u64 = 3_000;
/// A restore is good when the app has lived this long with it.
pub(crate) const PROBE_MS: u64 = 30_000;

impl Session {
    /// Starts to put a live, idle group to sleep.
    pub(crate) fn begin_sleep(&mut self, group: GroupId, reason: Reason) {
        self.begin_save(group, Purpose::Sleep { reason });
    }

    /// First step of every save: all input that was sent must have been handled.
    pub(crate) fn begin_save(&mut self, group: GroupId, purpose: Purpose) {
        let op = self.new_op();
        let until = self.now.after(FENCE_MS);
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Some(holder) = g.holder().cloned() else {
            return;
        };
        let hold = matches!(purpose, Purpose::Migrate(_));
        let stage = SaveStage::Fencing { until };
        g.home = Home::Live(holder, Activity::Saving { purpose, op, stage });
        self.shell(ShellEffect::Fence { group, op, hold });
    }

    pub(crate) fn fence_done(&mut self, group: GroupId, fence: OpId) {
        let (now, lease) = (self.now, self.groups.get(&group).map(|g| g.lease));
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Live(holder, Activity::Saving { purpose, op, stage }) = &mut g.home else {
            return;
        };
        if *op != fence || !matches!(stage, SaveStage::Fencing { .. }) {
            return;
        }
        *stage = SaveStage::Asked {
            until: now.after(SAVE_MS.into()),
            cap: now.after(EXTENDED_MS),
        };
        let reason = match purpose {
            Purpose::Sleep { reason } => *reason,
            Purpose::Migrate(migration) => migration.reason,
        };
        let (instance, op) = (holder.instance, *op);
        let message = ToApp::BeginSave {
            op,
            group,
            lease: lease.unwrap_or_default(),
            reason,
            deadline_ms: SAVE_MS,
        };
        self.send(instance, message);
    }

    /// The app asks for more time.
    pub(crate) fn extend_deadline(&mut self, group: GroupId, asked: OpId, ms: u32) {
        let later = self.now.after(ms.into());
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let (op, until, cap) = match &mut g.home {
            Home::Live(
                _,
                Activity::Saving {
                    op,
                    stage: SaveStage::Asked { until, cap },
                    ..
                },
            ) => (*op, until, *cap),
            Home::Live(_, Activity::Trying { stage, .. }) => match stage {
                TrialStage::Restoring { op, until, cap, .. } => (*op, until, *cap),
                TrialStage::Reading { .. } => return,
            },
            Home::Asleep(Rest::Waking(Waking { stage, .. })) => match stage {
                WakeStage::Restoring { op, until, cap, .. } => (*op, until, *cap),
                WakeStage::Gathering { .. } => return,
            },
            _ => return,
        };
        if op == asked {
            *until = later.min(cap).max(*until);
        }
    }

    /// The newest revision is on disk: only now is the app told to let go, or a copy of it made.
    pub(crate) fn save_is_durable(
        &mut self,
        group: GroupId,
        revision: Revision,
        generation: Generation,
        digest: Digest,
    ) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let Home::Live(holder, Activity::Saving { purpose, .. }) = &g.home else {
            return;
        };
        let mut holder = holder.clone();
        holder.stored = Some((revision, generation));
        match purpose.clone() {
            Purpose::Migrate(migration) => {
                let saved = SavedState {
                    revision,
                    generation,
                    digest,
                };
                self.begin_trial(group, holder, migration, saved);
            }
            Purpose::Sleep { .. } => {
                let op = self.new_op();
                let instance = holder.instance;
                let letting_go = Activity::LettingGo {
                    op,
                    revision,
                    generation,
                    until: self.now.after(RELEASE_MS),
                    touched: false,
                };
                let lease = self.set_home(group, Home::Live(holder, letting_go));
                self.shell(ShellEffect::ShowGhost { group });
                let message = ToApp::Release {
                    op,
                    group,
                    lease,
                    revision,
                    how: LetGo::Quit,
                };
                self.send(instance, message);
            }
        }
    }

    /// Puts a group into a state; answers its lease.
    pub(crate) fn set_home(&mut self, group: GroupId, home: Home) -> Lease {
        match self.groups.get_mut(&group) {
            Some(g) => {
                g.home = home;
                g.lease
            }
            None => Lease::default(),
        }
    }

    /// The holder says that nothing of the group runs in it any more. True whatever it was asked.
    pub(crate) fn released(&mut self, group: GroupId, answered: OpId) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let Home::Live(holder, activity) = g.home.clone() else {
            return;
        };
        let late = holder.unanswered.filter(|(op, _)| *op == answered);
        let asked = match &activity {
            Activity::Yielding { op, .. } if *op == answered => {
                return self.yielded(group, true);
            }
            Activity::LettingGo { op, .. } if *op == answered => Some(LetGo::Quit),
            _ => late.map(|(_, how)| how),
        };
        if asked == Some(LetGo::Stay) {
            return self.released_late_to_stay(group);
        }
        let lease = g.lease;
        let touched = matches!(activity, Activity::LettingGo { touched: true, .. });
        let in_time = matches!(activity, Activity::LettingGo { .. });
        self.abandon_activity(group, "its app let go of it meanwhile");
        if let Some(g) = self.groups.get_mut(&group) {
            g.let_go = Some((holder.instance, answered, lease));
        }
        self.come_to_rest(group, !in_time);
        if asked.is_some() {
            self.end_of_copies(holder.instance);
        }
        // Only now: it must not wake in the process that ends.
        if touched {
            self.ghost_touched(group);
        }
    }

    /// Its holder is no more, or has let go: what is durable is what there is. A group of which nothing was ever durable
    /// has ended.
    pub(crate) fn come_to_rest(&mut self, group: GroupId, place_ghost: bool) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        for copy in g.others.values_mut() {
            copy.kind = OtherKind::Refused;
        }
        // Damaged or not: where something was ever stored, there is something to keep.
        let newest = g.newest().or(g.snapshots.keys().next_back().copied());
        if g.writing.is_some() || g.pending.is_some() {
            g.home = Home::Asleep(Rest::Settling { wake: None });
        } else {
            g.home = Home::Asleep(Rest::Still);
        }
        match newest {
            Some(generation) => {
                self.record(group, JournalRecord::Slept(generation));
                if place_ghost {
                    self.shell(ShellEffect::PlaceGhost { group, generation });
                }
                let text = format!("It is asleep, stored as generation {generation}.");
                self.finish(group, Goal::Sleep, Outcome::Done, &text);
                let text = "It was put to sleep again before it was seen.";
                self.finish(group, Goal::Wake, Outcome::Skipped, text);
                self.quarantine_if_hopeless(group);
            }
            None if self.groups.get(&group).is_some_and(Group::is_still) => {
                self.end_unsaved(group);
            }
            None => {}
        }
    }

    /// The last write of a sleeping group has ended.
    pub(crate) fn settle_rest(&mut self, group: GroupId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Asleep(Rest::Settling { wake }) = g.home else {
            return;
        };
        if g.writing.is_some() || g.pending.is_some() {
            return;
        }
        g.home = Home::Asleep(Rest::Still);
        let newest = g.newest().or(g.snapshots.keys().next_back().copied());
        let Some(generation) = newest else {
            return self.end_unsaved(group);
        };
        self.shell(ShellEffect::PlaceGhost { group, generation });
        self.quarantine_if_hopeless(group);
        if let Some(reason) = wake {
            self.begin_wake(group, reason);
        }
    }

    /// Its process ended before anything of it was stored: there is nothing to keep.
    fn end_unsaved(&mut self, group: GroupId) {
        let title = self.groups.get(&group).map(|g| g.title.clone());
        let text = format!(
            "“{}” has ended: its app stopped before anything of it was saved. Nothing was kept, because nothing had been stored; open it again from its file.",
            title.unwrap_or_default()
        );
        self.notice(Some(group), text.clone());
        let unsure = self
            .asks
            .values()
            .any(|ask| ask.group == group && matches!(ask.what, Asked::Write { .. }));
        if unsure {
            // A write that was given up on may yet turn out to have happened; then the group is back.
            self.remove_group(group, &text);
            self.ended.remove(&group);
        } else {
            self.end_group(group, &text);
        }
    }

    /// The holder lives on and was changed since the save: it keeps everything.
    pub(crate) fn changed(&mut self, group: GroupId, answered: OpId) {
        match self.groups.get(&group).map(|g| &g.home) {
            Some(Home::Live(_, Activity::LettingGo { op, .. })) if *op == answered => {
                let why = "it was changed while it was being put to sleep";
                self.stop_letting_go(group, why, false);
            }
            Some(Home::Live(_, Activity::Yielding { op, .. })) if *op == answered => {
                self.changed_while_migrating(group);
            }
            _ => {}
        }
    }

    /// The group is live again; its ghost goes. With `may_follow` its answer may yet come.
    pub(crate) fn stop_letting_go(&mut self, group: GroupId, why: &str, may_follow: bool) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Live(holder, Activity::LettingGo { op, .. }) = &g.home else {
            return;
        };
        let mut holder = holder.clone();
        if may_follow {
            holder.unanswered = Some((*op, LetGo::Quit));
        }
        g.home = Home::Live(holder, Activity::Working);
        self.shell(ShellEffect::DropGhost { group });
        let text = format!(
            "It was not put to sleep: {why}. It stays open with all its work; try again when it is at rest."
        );
        self.set_error(group, &text);
        self.finish(group, Goal::Sleep, Outcome::Failed, &text);
    }

    /// Whatever a live group was busy with ends with its holder; operations that wait are told.
    pub(crate) fn abandon_activity(&mut self, group: GroupId, why: &str) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let newest = g.newest();
        let what_is_kept = match newest {
            Some(generation) => format!(
                "its last stored generation, {generation}, is kept. Wake it to go on."
            ),
            None => "nothing of it was stored yet, so nothing could be kept. Open it again from its file.".to_owned(),
        };
        match &g.home {
            Home::Live(_, Activity::Saving { purpose, .. }) => {
                let goal = match purpose {
                    Purpose::Sleep { .. } => Goal::Sleep,
                    Purpose::Migrate(migration) => Goal::of_migration(migration.reason),
                };
                let text = format!("{why} while it was being saved; {what_is_kept}");
                self.finish(group, goal, Outcome::Failed, &text);
            }
            Home::Live(
                _,
                Activity::Trying { migration, .. } | Activity::Yielding { migration, .. },
            ) => {
                let goal = Goal::of_migration(migration.reason);
                let text = format!("{why} while it was being handed over; {what_is_kept}");
                self.finish(group, goal, Outcome::Failed, &text);
            }
            _ => {}
        }
    }

    /// Its holder died.
    pub(crate) fn crashed(&mut self, group: GroupId) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let Home::Live(holder, activity) = g.home.clone() else {
            return;
        };
        match activity {
            Activity::LettingGo { touched, .. } => {
                self.come_to_rest(group, true);
                if touched {
                    self.ghost_touched(group);
                }
                return;
            }
            // The trial has everything that is durable; with anything newer it is out of date.
            Activity::Yielding { ref saved, .. }
                if g.newest() == Some(saved.generation)
                    && g.writing.is_none()
                    && g.pending.is_none() =>
            {
                return self.yielded(group, false);
            }
            _ => {}
        }
        self.abandon_activity(group, "its app ended");
        let mut blamed = false;
        if let Some(generation) = holder.from
            && self.now < holder.since.after(PROBE_MS)
        {
            let build = self
                .instances
                .get(&holder.instance)
                .map(|i| i.build.id.clone());
            self.blame(group, generation, build.unwrap_or_default());
            blamed = true;
        }
        if blamed && self.return_to_retired(group, &holder) {
            return;
        }
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        g.crashed = true;
        let text = match g.newest() {
            Some(generation) => format!(
                "The app of “{}” ended unexpectedly. Its last stored state (generation {generation}) is kept and stands as a ghost; click on it to go on.",
                g.title
            ),
            None => format!("The app of “{}” ended unexpectedly.", g.title),
        };
        g.error = Some(text.clone());
        self.finish(group, Goal::Wake, Outcome::Failed, &text);
        self.notice(Some(group), text);
        self.come_to_rest(group, true);
    }
}
