//! Succession: a copy becomes the holder. Its lease is durable before it hears of it, so that no earlier holder, and no
//! earlier session, can act for the group any more.

use overwinter_proto::JournalRecord;

use crate::blame::Fault;
use crate::effect::{Outcome, ShellEffect, ToApp};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::session::Session;
use crate::sleep::PROBE_MS;

/// How long one journal record may take to become durable.
pub(crate) const RECORD_MS: u64 = 30_000;
/// How long windows may take to appear before somebody who waits for them is told.
pub(crate) const SHOWN_MS: u64 = 5_000;

impl Session {
    /// Raises the lease for a copy; it is adopted when that is durable.
    pub(crate) fn succeed(
        &mut self,
        group: GroupId,
        instance: InstanceId,
        copy: CopyId,
        revision: Revision,
        generation: Generation,
        why: Why,
    ) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        g.lease = g.lease.next_holder();
        let lease = g.lease;
        // Before the lease, in the same journal: whoever finds the lease finds this.
        if let Some(from) = why.undo_leads_to() {
            self.record(group, JournalRecord::CameFrom(from));
        }
        let store = self.record(group, JournalRecord::Lease(lease));
        let succession = Succession {
            instance,
            copy,
            store,
            until: self.now.after(RECORD_MS),
            revision,
            generation,
            why,
        };
        self.set_home(group, Home::Leasing(succession));
    }

    /// The store's answer. True if it was about a lease.
    pub(crate) fn leased(&mut self, group: GroupId, id: StoreId, reply: &StoreReply) -> bool {
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        let Home::Leasing(succession) = &g.home else {
            return false;
        };
        if succession.store != id {
            return false;
        }
        match reply {
            StoreReply::Recorded => self.adopt(group),
            StoreReply::Failed { why, .. } => self.succession_failed(group, why, Fault::Ours),
            _ => self.succession_failed(
                group,
                "the store did not answer what was asked",
                Fault::Ours,
            ),
        }
        true
    }

    fn adopt(&mut self, group: GroupId) {
        let (now, op) = (self.now, self.new_op());
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Leasing(succession) = g.home.clone() else {
            return;
        };
        let Succession {
            instance,
            copy,
            revision,
            generation,
            why,
            ..
        } = succession;
        if let Some(from) = why.undo_leads_to() {
            g.came_from = from;
        }
        let keep = match &why {
            Why::Migrated { retired, .. } => *retired,
            Why::Woken | Why::Returned { .. } => None,
        };
        g.others.remove(&copy);
        // The adopting instance drops its other copies by itself.
        g.others.retain(|_, other| other.instance != instance);
        for (id, other) in &mut g.others {
            if Some(*id) != keep {
                other.kind = OtherKind::Refused;
            }
        }
        let returned = matches!(why, Why::Returned { .. });
        let holder = Holder {
            instance,
            copy,
            since: now,
            from: Some(generation),
            stored: Some((revision, generation)),
            // A copy that came back was never restored from anything just now.
            proof: if returned {
                Proof::Settled
            } else {
                Proof::Lives
            },
            shown: Shown::Awaited {
                until: now.after(SHOWN_MS),
            },
            unanswered: None,
        };
        g.home = Home::Live(holder, Activity::Working);
        g.let_go = None;
        g.crashed = false;
        let lease = g.lease;
        let adopt = ToApp::Adopt {
            op,
            group,
            copy,
            lease,
        };
        self.send(instance, adopt);
        self.shell(ShellEffect::Swap { group, copy });
        self.adopted(group, why);
    }

    fn adopted(&mut self, group: GroupId, why: Why) {
        match why {
            // Done when it is seen.
            Why::Woken => {}
            Why::Migrated { reason, .. } => {
                let goal = Goal::of_migration(reason);
                self.finish(
                    group,
                    goal,
                    Outcome::Done,
                    "It goes on in the new instance.",
                );
            }
            Why::Returned { failure } => self.set_error(group, &failure),
        }
    }

    /// The copy cannot become the holder.
    pub(crate) fn succession_failed(&mut self, group: GroupId, why: &str, fault: Fault) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Leasing(succession) = g.home.clone() else {
            return;
        };
        match succession.why {
            Why::Woken => self.wake_failed(group, why, fault),
            Why::Migrated {
                reason, retired, ..
            } => {
                if let Some(copy) = g.others.get_mut(&succession.copy) {
                    copy.kind = OtherKind::Refused;
                }
                if let Fault::Restore { build } = fault {
                    self.blame(group, succession.generation, build);
                }
                let text = format!(
                    "It could not go on in the new instance: {why} Its state (generation {}) is kept, and it goes on in the old one.",
                    succession.generation
                );
                self.finish(group, Goal::of_migration(reason), Outcome::Failed, &text);
                let known = (succession.revision, succession.generation);
                if !retired.is_some_and(|copy| self.return_to(group, copy, known, &text)) {
                    self.sleep_after_all(group, &text);
                }
            }
            Why::Returned { failure } => {
                let text = format!("{failure} The old copy could not be taken back either: {why}");
                self.sleep_after_all(group, &text);
            }
        }
    }

    /// Nobody can hold it now; it sleeps with what is durable, under its ghost.
    fn sleep_after_all(&mut self, group: GroupId, text: &str) {
        self.set_error(group, text);
        self.notice(
            Some(group),
            format!("{text} It is asleep; click on its ghost to go on."),
        );
        self.shell(ShellEffect::WakeFailed { group });
        self.come_to_rest(group, true);
    }

    /// Gives the group back to a retired copy that contains the newest revision. False if that copy is gone.
    pub(crate) fn return_to(
        &mut self,
        group: GroupId,
        copy: CopyId,
        (revision, generation): (Revision, Generation),
        failure: &str,
    ) -> bool {
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        let Some(other) = g.others.get(&copy) else {
            return false;
        };
        let instance = other.instance;
        let why = Why::Returned {
            failure: failure.to_owned(),
        };
        self.succeed(group, instance, copy, revision, generation, why);
        true
    }

    /// The new holder died at once. If nothing newer than what it came from is durable, the copy that it replaced is the
    /// newest there is, and takes over.
    pub(crate) fn return_to_retired(&mut self, group: GroupId, dead: &Holder) -> bool {
        let Some(g) = self.groups.get_mut(&group) else {
            return false;
        };
        if g.newest() != dead.from || g.writing.is_some() || g.pending.is_some() {
            return false;
        }
        let Some(generation) = dead.from else {
            return false;
        };
        let retired = |(_, other): &(&CopyId, &OtherCopy)| {
            matches!(other.kind, OtherKind::Retired { .. }) && other.instance != dead.instance
        };
        let Some(copy) = g.others.iter().find(retired).map(|(copy, _)| *copy) else {
            return false;
        };
        for copy in g.others.values_mut() {
            if copy.kind == OtherKind::Trial {
                copy.kind = OtherKind::Refused;
            }
        }
        let revision = g
            .snapshots
            .get(&generation)
            .map_or(Revision(0), |s| s.revision);
        let text = format!(
            "“{}” ended in the new version soon after it was brought there. Nothing is lost: its old copy goes on with the same state (generation {generation}).",
            g.title
        );
        self.finish(group, Goal::Wake, Outcome::Failed, &text);
        self.notice(Some(group), text.clone());
        self.shell(ShellEffect::PlaceGhost { group, generation });
        self.return_to(group, copy, (revision, generation), &text)
    }

    /// Its windows are on the screen.
    pub(crate) fn shown(&mut self, group: GroupId) {
        self.set_shown(group, "It is awake.");
    }

    pub(crate) fn set_shown(&mut self, group: GroupId, text: &str) {
        let Some(holder) = self.groups.get_mut(&group).and_then(Group::holder_mut) else {
            return;
        };
        if holder.shown != Shown::Yes {
            holder.shown = Shown::Yes;
            self.finish(group, Goal::Wake, Outcome::Done, text);
        }
    }

    /// Writes down that a generation has proven itself, when it has lived long enough.
    pub(crate) fn prove(&mut self, group: GroupId) {
        let now = self.now;
        let Some(holder) = self.groups.get_mut(&group).and_then(Group::holder_mut) else {
            return;
        };
        if holder.proof == Proof::SavedAgain && now >= holder.since.after(PROBE_MS) {
            holder.proof = Proof::Settled;
            if let Some(generation) = holder.from {
                self.record_proven(group, generation);
            }
        }
    }
}
