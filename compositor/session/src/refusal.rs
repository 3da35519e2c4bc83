//! Who may say what. The driver asks [`Session::may`] before it hands an app's message to `step`, so that the caller on
//! D-Bus gets its error at once. `step` relies on nothing of this: it ignores what does not fit.

use crate::event::FromApp;
use crate::group::{Home, OtherKind};
use crate::ids::*;
use crate::instance::Stage;
use crate::session::Session;

/// Why an app's message is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// `org.overwinter.Error.NotRegistered`
    #[error("this process has not called Register; nothing was done. Call it first, then again")]
    NotRegistered,
    /// `org.overwinter.Error.Ending`
    #[error("this process let go of its last group and is ending; nothing new can be opened in it")]
    Ending,
    /// `org.overwinter.Error.NotHolder`. A group of another app is answered like one that does not exist.
    #[error(
        "the caller does not hold the current lease of {0}; it keeps its copy and should ask the user what to do with it"
    )]
    NotHolder(GroupId),
    /// `org.overwinter.Error.NoSuchCopy`
    #[error(
        "the caller has no such copy of {0}; nothing was done. It should drop what it has of it, or call Register again"
    )]
    NoSuchCopy(GroupId),
}

impl Session {
    /// Whether the instance may say this now. Duplicates of what was accepted are accepted.
    pub fn may(&self, instance: InstanceId, message: &FromApp) -> Result<(), Refusal> {
        let stage = self.instances.get(&instance).map(|i| &i.stage);
        let ending = match stage {
            None | Some(Stage::Starting) => return Err(Refusal::NotRegistered),
            Some(Stage::Ending { .. }) => true,
            Some(Stage::Registered) => false,
        };
        match message {
            FromApp::OpenGroup { .. } if ending => Err(Refusal::Ending),
            FromApp::OpenGroup { .. } | FromApp::Names { .. } => Ok(()),
            FromApp::Released {
                op, group, lease, ..
            } if self.was_released(instance, *group, *op, *lease) => Ok(()),
            FromApp::Saved { group, lease, .. }
            | FromApp::Released { group, lease, .. }
            | FromApp::Changed { group, lease, .. }
            | FromApp::Closed { group, lease } => {
                if self.holds(instance, *group, *lease) {
                    Ok(())
                } else {
                    Err(Refusal::NotHolder(*group))
                }
            }
            FromApp::Restored { group, copy, .. } => {
                if self.has_copy(instance, *group, *copy) {
                    Ok(())
                } else {
                    Err(Refusal::NoSuchCopy(*group))
                }
            }
            FromApp::Failed { group, .. } | FromApp::ExtendDeadline { group, .. } => {
                if self.has_any_copy(instance, *group) {
                    Ok(())
                } else {
                    Err(Refusal::NoSuchCopy(*group))
                }
            }
        }
    }

    /// Whether the instance is the group's holder under exactly this lease.
    pub fn holds(&self, instance: InstanceId, group: GroupId, lease: Lease) -> bool {
        self.groups
            .get(&group)
            .is_some_and(|g| g.lease == lease && g.holder().is_some_and(|h| h.instance == instance))
    }

    /// Whether the instance has this copy of the group: as its holder, as a trial or retired (for NewCookie).
    pub fn has_copy(&self, instance: InstanceId, group: GroupId, copy: CopyId) -> bool {
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        let holds = g
            .holder()
            .is_some_and(|h| h.instance == instance && h.copy == copy);
        let other = g
            .others
            .get(&copy)
            .is_some_and(|o| o.instance == instance && o.kind != OtherKind::Refused);
        holds || other
    }

    fn has_any_copy(&self, instance: InstanceId, group: GroupId) -> bool {
        self.groups.get(&group).is_some_and(|g| {
            g.holder().is_some_and(|h| h.instance == instance)
                || g.others.values().any(|o| o.instance == instance)
        })
    }

    fn was_released(&self, instance: InstanceId, group: GroupId, op: OpId, lease: Lease) -> bool {
        self.groups
            .get(&group)
            .is_some_and(|g| g.let_go == Some((instance, op, lease)))
    }

    /// The groups that this instance holds; what Register answers as `kept`.
    pub fn kept(&self, instance: InstanceId) -> Vec<GroupId> {
        let held = |g: &&crate::group::Group| g.holder().is_some_and(|h| h.instance == instance);
        self.groups.values().filter(held).map(|g| g.id).collect()
    }

    /// Why this instance runs; what Register answers as `reason`.
    pub fn reason_for(&self, instance: InstanceId) -> Reason {
        self.instances
            .get(&instance)
            .map_or(Reason::Launch, |i| i.reason)
    }

    /// The current lease of a group that lives or sleeps here.
    pub fn lease_of(&self, group: GroupId) -> Option<Lease> {
        let g = self.groups.get(&group)?;
        (!matches!(g.home, Home::Released(_))).then_some(g.lease)
    }
}
