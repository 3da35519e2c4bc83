//! Waking: a place to live and the state are fetched at the same time, a trial is made, and then it is adopted.

use crate::blame::Fault;
use crate::effect::{Outcome, ShellEffect, StoreRequest, ToApp};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::instance::Stage;
use crate::operation::Goal;
use crate::session::{Asked, Session};
use crate::sleep::EXTENDED_MS;

/// How long the store may take to read a snapshot.
pub(crate) const READ_MS: u64 = 30_000;
/// How long an app may take to make a copy from a state, unless it asks for more.
pub(crate) const RESTORE_MS: u32 = 15_000;

impl Session {
    /// A ghost was clicked, focused or typed at.
    pub(crate) fn ghost_touched(&mut self, group: GroupId) {
        if self.is_being_moved(group) {
            let text = self.on_its_way(group);
            return self.notice(Some(group), text);
        }
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        match &mut g.home {
            Home::Asleep(Rest::Still) => self.begin_wake(group, Reason::Wake),
            Home::Asleep(Rest::Settling { wake }) => *wake = Some(Reason::Wake),
            Home::Live(_, Activity::LettingGo { touched, .. }) => *touched = true,
            Home::Released(_) | Home::Departing(_) | Home::Quarantined => {
                let text = self.why_not_awake(group);
                self.notice(Some(group), text);
            }
            _ => {}
        }
    }

    /// Why a group cannot be woken just so.
    pub(crate) fn why_not_awake(&self, group: GroupId) -> String {
        match self.groups.get(&group) {
            Some(g) => match &g.home {
                Home::Released(departed) => format!(
                    "“{}” lives on {} now and cannot be woken here. Nothing is lost: go on there, or move it back from there.",
                    g.title, departed.destination_name
                ),
                Home::Departing(_) => self.on_its_way(group),
                Home::Quarantined => format!(
                    "“{}” could not be restored and rests. Its stored state is kept; `overwinter wake {}` tries again.",
                    g.title, g.id
                ),
                _ => format!("“{}” cannot be woken now; try again.", g.title),
            },
            None => self.why_not_here(group),
        }
    }

    fn on_its_way(&self, group: GroupId) -> String {
        let title = self.groups.get(&group).map_or("", |g| &g.title);
        format!(
            "“{title}” is on its way to another host. It is kept here until that host has it; wait for the move to end."
        )
    }

    /// Wakes a group that sleeps still.
    pub(crate) fn begin_wake(&mut self, group: GroupId, reason: Reason) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        if !g.is_still() {
            return;
        }
        let Some(generation) = g.next_to_try() else {
            self.quarantine_if_hopeless(group);
            let text = self.why_not_awake(group);
            self.finish(group, Goal::Wake, Outcome::Failed, &text);
            return;
        };
        let reason = if g.crashed && reason == Reason::Wake {
            Reason::Recover
        } else {
            reason
        };
        let host = self.choose_host(group, generation, reason);
        let request = StoreRequest::Read { group, generation };
        let store = self.ask_store(group, Asked::Step, request);
        let until = self.now.after(READ_MS);
        let waking = Waking {
            reason,
            generation,
            stage: WakeStage::Gathering {
                host,
                state: StateCopy::Reading { store, until },
            },
        };
        self.set_home(group, Home::Asleep(Rest::Waking(waking)));
        self.shell(ShellEffect::Waking { group });
    }

    /// Where a group will live: a running instance of the right code, else one that starts. Older code beside the newest
    /// is not started just for a wake while an instance of the app is at work: bringing code up to date is the update's
    /// business, and an app may own its names only once.
    fn choose_host(&mut self, group: GroupId, generation: Generation, reason: Reason) -> Host {
        let Some(g) = self.groups.get(&group) else {
            return Host::Here(InstanceId(0));
        };
        let app = g.app.clone();
        let wanted = self.build_for(g, generation);
        let distrusted: Vec<String> = g
            .distrusted
            .iter()
            .filter(|(n, _)| *n == generation)
            .map(|(_, build)| build.clone())
            .collect();
        let fits = |id: &str| wanted.as_ref().is_none_or(|w| w.id == id);
        let leaving = self.apps.get(&app).and_then(|a| a.update.as_ref());
        let mut second = None;
        for (id, instance) in &self.instances {
            if instance.app != app || !matches!(instance.stage, Stage::Registered) {
                continue;
            }
            let build = &instance.build.id;
            if fits(build) && !(wanted.is_none() && distrusted.contains(build)) {
                return Host::Here(*id);
            }
            if leaving.is_none() && !distrusted.contains(build) && self.is_at_work(*id) {
                second = second.or(Some(*id));
            }
        }
        if let Some(id) = second {
            return Host::Here(id);
        }
        let on_disk = self.apps.get(&app).and_then(|a| a.on_disk.as_ref());
        let kept = wanted
            .map(|w| w.id)
            .filter(|id| on_disk.is_none_or(|(b, _)| b.id != *id));
        self.yield_before_start(&app);
        Host::Starting(self.start(&app, kept, reason))
    }

    /// The code a generation is to be restored with: what is on disk (or what the user went back to), unless that failed
    /// with it and the code that wrote it may still do.
    fn build_for(&self, g: &Group, generation: Generation) -> Option<Build> {
        let preferred = self.preferred_build(&g.app);
        let failed = |b: &Build| g.distrusted.contains(&(generation, b.id.clone()));
        let writer = g.snapshots.get(&generation).and_then(|s| s.build.clone());
        match (preferred, writer) {
            (Some(p), Some(w)) if failed(&p) && w.id != p.id && !failed(&w) => Some(w),
            (preferred, _) => preferred,
        }
    }

    /// What the store read. True if it was asked for a wake.
    pub(crate) fn read_for_wake(
        &mut self,
        group: GroupId,
        id: StoreId,
        reply: &StoreReply,
    ) -> bool {
        let Some(g) = self.groups.get_mut(&group) else {
            return false;
        };
        let Home::Asleep(Rest::Waking(Waking {
            generation,
            reason,
            stage: WakeStage::Gathering { state, .. },
        })) = &mut g.home
        else {
            return false;
        };
        if !matches!(state, StateCopy::Reading { store, .. } if *store == id) {
            return false;
        }
        let (generation, reason) = (*generation, *reason);
        match reply {
            StoreReply::Read {
                state: payload,
                revision,
                build,
                lacks,
            } => {
                *state = StateCopy::Read {
                    payload: *payload,
                    revision: *revision,
                };
                if let Some(snap) = g.snapshots.get_mut(&generation) {
                    snap.revision = *revision;
                    snap.build = Some(build.clone());
                }
                if let Some(what) = lacks {
                    let text = format!(
                        "Generation {generation} is restored without a part of it: {what}. Everything else of it is kept; enter \
                         again what is missing."
                    );
                    self.set_error(group, &text);
                    self.notice(Some(group), text);
                }
                self.try_restore(group);
            }
            StoreReply::Failed { why, damaged: true } => {
                self.mark_damaged(group, generation);
                self.wake_from_older(group, generation, reason, why);
            }
            StoreReply::Failed { why, .. } => self.wake_failed(group, why, Fault::Ours),
            _ => self.wake_failed(
                group,
                "the store did not answer what was asked",
                Fault::Ours,
            ),
        }
        true
    }

    /// The generation cannot be read: an older one may.
    fn wake_from_older(&mut self, group: GroupId, lost: Generation, reason: Reason, why: &str) {
        let older = self.groups.get(&group).and_then(|g| g.next_to_try());
        match older {
            Some(older) => {
                let text = format!(
                    "Generation {lost} is damaged on disk ({why}). Generation {older} from before it is restored instead; what was changed between them is lost. `overwinter doctor` checks the rest."
                );
                self.set_error(group, &text);
                self.notice(Some(group), text);
                self.set_home(group, Home::Asleep(Rest::Still));
                self.begin_wake(group, reason);
            }
            None => self.wake_failed(group, why, Fault::Ours),
        }
    }

    /// Makes the trial as soon as there is a place and a state.
    pub(crate) fn try_restore(&mut self, group: GroupId) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let Home::Asleep(Rest::Waking(Waking {
            reason,
            generation,
            stage:
                WakeStage::Gathering {
                    host: Host::Here(instance),
                    state: StateCopy::Read { payload, revision },
                },
        })) = g.home
        else {
            return;
        };
        let (op, copy) = self.begin_restore(group, instance, reason, revision, payload);
        let stage = WakeStage::Restoring {
            instance,
            op,
            copy,
            until: self.now.after(RESTORE_MS.into()),
            cap: self.now.after(EXTENDED_MS),
        };
        let waking = Waking {
            reason,
            generation,
            stage,
        };
        self.set_home(group, Home::Asleep(Rest::Waking(waking)));
    }

    /// Asks an instance for a trial.
    pub(crate) fn begin_restore(
        &mut self,
        group: GroupId,
        instance: InstanceId,
        reason: Reason,
        revision: Revision,
        state: PayloadId,
    ) -> (OpId, CopyId) {
        let (op, copy) = (self.new_op(), self.new_copy());
        if let Some(g) = self.groups.get_mut(&group) {
            let kind = OtherKind::Trial;
            g.others.insert(copy, OtherCopy { instance, kind });
        }
        let message = ToApp::Restore {
            op,
            group,
            copy,
            reason,
            revision,
            state,
            deadline_ms: RESTORE_MS,
        };
        self.send(instance, message);
        (op, copy)
    }

    /// A trial is built.
    pub(crate) fn restored(
        &mut self,
        group: GroupId,
        answered: OpId,
        built: CopyId,
        revision: Revision,
        digest: Digest,
        loss: Vec<(String, String)>,
    ) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        match &g.home {
            Home::Asleep(Rest::Waking(Waking {
                generation,
                stage:
                    WakeStage::Restoring {
                        instance, op, copy, ..
                    },
                ..
            })) if *op == answered && *copy == built => {
                let (generation, instance) = (*generation, *instance);
                self.tell_loss(group, &loss);
                self.succeed(group, instance, built, revision, generation, Why::Woken);
            }
            Home::Live(
                _,
                Activity::Trying {
                    stage: TrialStage::Restoring { op, copy, .. },
                    ..
                },
            ) if *op == answered && *copy == built => {
                self.trial_is_built(group, built, revision, digest, &loss);
            }
            _ => {}
        }
    }

    /// An app is never handed silence, and neither is its user.
    pub(crate) fn tell_loss(&mut self, group: GroupId, loss: &[(String, String)]) {
        if loss.is_empty() {
            return;
        }
        let parts: Vec<String> = loss
            .iter()
            .take(8)
            .map(|(path, reason)| format!("{path} ({reason})"))
            .collect();
        let text = format!(
            "Some of it could not be carried over: {}. The state it came from is kept as its earlier generation.",
            parts.join(", ")
        );
        self.notice(Some(group), text);
    }

    /// The wake came to nothing: the ghost stays, the group sleeps.
    pub(crate) fn wake_failed(&mut self, group: GroupId, why: &str, fault: Fault) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let (generation, trial) = match &g.home {
            Home::Asleep(Rest::Waking(waking)) => {
                let trial = match &waking.stage {
                    WakeStage::Restoring { copy, .. } => Some(*copy),
                    WakeStage::Gathering {
                        state: StateCopy::Read { payload, .. },
                        ..
                    } => {
                        let payload = *payload;
                        self.out.push(crate::effect::Effect::DropPayload(payload));
                        None
                    }
                    WakeStage::Gathering { .. } => None,
                };
                (waking.generation, trial)
            }
            Home::Leasing(Succession {
                why: Why::Woken,
                copy,
                generation,
                ..
            }) => (*generation, Some(*copy)),
            _ => return,
        };
        if let Some(copy) = trial.and_then(|copy| g.others.get_mut(&copy)) {
            copy.kind = OtherKind::Refused;
        }
        g.home = Home::Asleep(Rest::Still);
        let text = format!(
            "It was not woken: {why} Its stored state (generation {generation}) is kept and its ghost stays; click on it to try again."
        );
        g.error = Some(text.clone());
        match fault {
            Fault::Restore { build } => self.blame(group, generation, build),
            Fault::Start { build } => {
                if let Some(g) = self.groups.get_mut(&group) {
                    g.distrusted.insert((generation, build));
                }
            }
            Fault::Ours => {}
        }
        self.shell(ShellEffect::WakeFailed { group });
        self.finish(group, Goal::Wake, Outcome::Failed, &text);
        self.quarantine_if_hopeless(group);
    }

    /// The app cannot do what it was asked; it is as before.
    pub(crate) fn app_failed(&mut self, instance: InstanceId, group: GroupId, op: OpId, why: &str) {
        let why: String = format!("the app said: {}.", why.trim_end_matches('.'));
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        match &g.home {
            Home::Live(
                h,
                Activity::Saving {
                    op: o,
                    stage: SaveStage::Asked { .. },
                    ..
                },
            ) if *o == op && h.instance == instance => {
                self.give_up_saving(group, &why);
            }
            Home::Live(h, Activity::LettingGo { op: o, .. })
                if *o == op && h.instance == instance =>
            {
                self.stop_letting_go(group, why.trim_end_matches('.'), false);
            }
            Home::Live(h, Activity::Yielding { op: o, .. })
                if *o == op && h.instance == instance =>
            {
                self.migration_failed(group, &why);
            }
            Home::Live(
                _,
                Activity::Trying {
                    migration,
                    stage: TrialStage::Restoring { op: o, copy, .. },
                    ..
                },
            ) if *o == op && migration.to == instance => {
                let copy = *copy;
                self.forget_copy(group, copy);
                self.migration_failed(group, &why);
            }
            Home::Asleep(Rest::Waking(Waking {
                stage:
                    WakeStage::Restoring {
                        instance: i,
                        op: o,
                        copy,
                        ..
                    },
                ..
            })) if *o == op && *i == instance => {
                let copy = *copy;
                self.forget_copy(group, copy);
                let build = self.build_id(instance);
                self.wake_failed(group, &why, Fault::Restore { build });
                self.end_if_idle(instance);
            }
            _ => {}
        }
    }

    /// The copy is not there any more: nothing needs to be discarded.
    pub(crate) fn forget_copy(&mut self, group: GroupId, copy: CopyId) {
        if let Some(g) = self.groups.get_mut(&group) {
            g.others.remove(&copy);
        }
    }
}
