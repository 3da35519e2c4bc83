//! One group's way from one instance to another: save, durable, trial, compare, ghost, let go, lease, adopt. Up to the
//! moment the old holder has let go, every failure leaves it where it is.

use crate::effect::{Outcome, ShellEffect, StoreRequest, ToApp};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::instance::Stage;
use crate::operation::Goal;
use crate::session::{Asked, Session};
use crate::sleep::{EXTENDED_MS, RELEASE_MS};
use crate::wake::{READ_MS, RESTORE_MS};

/// How often an app may answer `Changed` before the migration is left for another time. Keys are held from the first
/// fence on, so changes come from the app itself.
const ROUNDS: u8 = 3;

impl Session {
    /// Starts to bring a live, idle group into another instance.
    pub(crate) fn begin_migration(&mut self, group: GroupId, to: InstanceId, reason: Reason) {
        let migration = Migration {
            to,
            reason,
            changed: 0,
        };
        self.begin_save(group, Purpose::Migrate(migration));
    }

    /// The state is durable: it is read back, so that what is restored is what would survive.
    pub(crate) fn begin_trial(
        &mut self,
        group: GroupId,
        holder: Holder,
        migration: Migration,
        saved: SavedState,
    ) {
        let generation = saved.generation;
        let request = StoreRequest::Read { group, generation };
        let store = self.ask_store(group, Asked::Step, request);
        let until = self.now.after(READ_MS);
        let trying = Activity::Trying {
            migration,
            saved,
            stage: TrialStage::Reading { store, until },
        };
        self.set_home(group, Home::Live(holder, trying));
    }

    /// What the store read. True if it was asked for a trial.
    pub(crate) fn read_for_trial(
        &mut self,
        group: GroupId,
        id: StoreId,
        reply: &StoreReply,
    ) -> bool {
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        let Home::Live(
            holder,
            Activity::Trying {
                migration,
                saved,
                stage,
            },
        ) = &g.home
        else {
            return false;
        };
        if !matches!(stage, TrialStage::Reading { store, .. } if *store == id) {
            return false;
        }
        let (holder, migration, saved) = (holder.clone(), migration.clone(), saved.clone());
        match reply {
            // The old instance still has it.
            StoreReply::Read {
                state,
                lacks: Some(what),
                ..
            } => {
                self.drop_payload(*state);
                self.migration_failed(group, &format!("on disk {what}."));
            }
            StoreReply::Read { state, .. } if self.is_registered(migration.to) => {
                let (to, reason) = (migration.to, migration.reason);
                let (op, copy) = self.begin_restore(group, to, reason, saved.revision, *state);
                let stage = TrialStage::Restoring {
                    op,
                    copy,
                    until: self.now.after(RESTORE_MS.into()),
                    cap: self.now.after(EXTENDED_MS),
                };
                let trying = Activity::Trying {
                    migration,
                    saved,
                    stage,
                };
                self.set_home(group, Home::Live(holder, trying));
            }
            StoreReply::Read { state, .. } => {
                self.drop_payload(*state);
                self.migration_failed(group, "the new instance has ended.");
            }
            StoreReply::Failed { why, damaged } => {
                if *damaged {
                    self.mark_damaged(group, saved.generation);
                }
                self.migration_failed(group, why);
            }
            _ => self.migration_failed(group, "the store did not answer what was asked."),
        }
        true
    }

    /// The trial says what it contains: it must be the original, apart from what it declares as lost.
    pub(crate) fn trial_is_built(
        &mut self,
        group: GroupId,
        copy: CopyId,
        restored: Revision,
        digest: Digest,
        loss: &[(String, String)],
    ) {
        let op = self.new_op();
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let Home::Live(
            holder,
            Activity::Trying {
                migration, saved, ..
            },
        ) = &g.home
        else {
            return;
        };
        if digest != saved.digest && loss.is_empty() {
            self.migration_failed(
                group,
                "the copy in the new instance is not the same as the original, and it names no reason.",
            );
            return;
        }
        let (holder, revision) = (holder.clone(), saved.revision);
        let instance = holder.instance;
        let yielding = Activity::Yielding {
            migration: migration.clone(),
            op,
            saved: saved.clone(),
            copy,
            restored,
            until: self.now.after(RELEASE_MS),
        };
        let lease = self.set_home(group, Home::Live(holder, yielding));
        self.tell_loss(group, loss);
        self.shell(ShellEffect::ShowGhost { group });
        let message = ToApp::Release {
            op,
            group,
            lease,
            revision,
            how: LetGo::Stay,
        };
        self.send(instance, message);
    }

    /// The old holder has let go (or died with nothing but what is durable): the copy takes over.
    pub(crate) fn yielded(&mut self, group: GroupId, alive: bool) {
        let now = self.now;
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Live(
            holder,
            Activity::Yielding {
                migration,
                op,
                saved,
                copy,
                restored,
                ..
            },
        ) = g.home.clone()
        else {
            return;
        };
        let retired = alive.then_some(holder.copy);
        if alive {
            g.let_go = Some((holder.instance, op, g.lease));
            let kind = OtherKind::Retired { since: now };
            let instance = holder.instance;
            g.others.insert(holder.copy, OtherCopy { instance, kind });
        }
        let from = self
            .instances
            .get(&holder.instance)
            .map(|i| i.build.clone());
        let there = self.groups.get(&group).is_some_and(|g| {
            g.others
                .get(&copy)
                .is_some_and(|o| o.kind == OtherKind::Trial)
        });
        if there {
            let why = Why::Migrated {
                reason: migration.reason,
                from,
                retired,
            };
            self.succeed(group, migration.to, copy, restored, saved.generation, why);
            return;
        }
        let text = format!(
            "It could not go on in the new instance, which has ended. Its state (generation {}) is kept, and it goes on in the old one.",
            saved.generation
        );
        self.finish(
            group,
            Goal::of_migration(migration.reason),
            Outcome::Failed,
            &text,
        );
        let known = (saved.revision, saved.generation);
        if !retired.is_some_and(|copy| self.return_to(group, copy, known, &text)) {
            self.set_error(group, &text);
            self.come_to_rest(group, true);
        }
    }

    /// The app answered a request to retire its copy after the session had given up on it: the copy is inert by now, and
    /// is made the holder again.
    pub(crate) fn released_late_to_stay(&mut self, group: GroupId) {
        let now = self.now;
        self.abandon_activity(group, "its app let go of it meanwhile");
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Some(holder) = g.holder().cloned() else {
            return;
        };
        for copy in g.others.values_mut().filter(|o| o.kind == OtherKind::Trial) {
            copy.kind = OtherKind::Refused;
        }
        let kind = OtherKind::Retired { since: now };
        let instance = holder.instance;
        g.others.insert(holder.copy, OtherCopy { instance, kind });
        let text = "Its app let go of it too late to be migrated; it goes on in the same instance.";
        let returned = holder
            .stored
            .is_some_and(|known| self.return_to(group, holder.copy, known, text));
        if !returned {
            self.come_to_rest(group, true);
        }
    }

    /// The app was changed after the save: once more from the fence.
    pub(crate) fn changed_while_migrating(&mut self, group: GroupId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Live(
            holder,
            Activity::Yielding {
                migration, copy, ..
            },
        ) = g.home.clone()
        else {
            return;
        };
        if migration.changed >= ROUNDS {
            self.migration_failed(group, "the app keeps changing it by itself.");
            return;
        }
        if let Some(trial) = g.others.get_mut(&copy) {
            trial.kind = OtherKind::Refused;
        }
        g.home = Home::Live(holder, Activity::Working);
        self.shell(ShellEffect::DropGhost { group });
        let again = Migration {
            changed: migration.changed + 1,
            ..migration
        };
        self.begin_save(group, Purpose::Migrate(again));
    }

    /// Before the old holder has let go: it keeps the group.
    pub(crate) fn migration_failed(&mut self, group: GroupId, why: &str) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Live(holder, activity) = g.home.clone() else {
            return;
        };
        let (reason, unanswered) = match &activity {
            Activity::Saving {
                purpose: Purpose::Migrate(m),
                ..
            } => (m.reason, None),
            Activity::Trying { migration, .. } => (migration.reason, None),
            Activity::Yielding { migration, op, .. } => {
                (migration.reason, Some((*op, LetGo::Stay)))
            }
            _ => return,
        };
        for copy in g.others.values_mut().filter(|o| o.kind == OtherKind::Trial) {
            copy.kind = OtherKind::Refused;
        }
        let holder = Holder {
            unanswered: unanswered.or(holder.unanswered),
            ..holder
        };
        g.home = Home::Live(holder, Activity::Working);
        let text = format!(
            "It was not brought into the other version: {why} It goes on in the version it ran before, with all its work; `overwinter update` tries again."
        );
        g.error = Some(text.clone());
        self.shell(ShellEffect::DropGhost { group });
        self.finish(group, Goal::of_migration(reason), Outcome::Failed, &text);
    }

    pub(crate) fn is_registered(&self, instance: InstanceId) -> bool {
        self.instances
            .get(&instance)
            .is_some_and(|i| matches!(i.stage, Stage::Registered))
    }
}
