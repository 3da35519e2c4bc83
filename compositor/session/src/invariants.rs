//! What always holds, numbered. `verify_invariants` is called after every step in the property tests; a violation is a bug
//! of ours, never anybody's bad behaviour.
//!
//! 1. A group has at most one lease holder, which is a registered instance; its home is exactly one of the variants.
//!    Trial and retired copies hold no lease. Who adopts has a lease that is durable.
//! 2. An app is told to let go only of a revision that is durable.
//! 3. The newest durable generation and the newest proven one are kept while the group exists.
//! 4. Every operation ends: what waits has a deadline or waits for something that has one; a part that is under way belongs
//!    to a group that is busy with just that.
//! 5. (One app's failure never stops another group's operation: nothing in the state says so; the tests' stories do.)
//! 6. A group is never nowhere: without holder it has something durable or being made so.
//! 7. At most one write of a group is under way; something waits only behind one.
//! 8. A group that is on its way to another host, or lives there, has no holder, no trial and no write of its own.
//! 9. RELEASED is asked for only while PREPARING is the last record.
//! 10. A trial belongs to the wake or migration that made it.
//! 11. An update hands over one group at a time.
//! 12. Every payload has one owner.

use std::collections::BTreeSet;

use crate::group::*;
use crate::ids::*;
use crate::instance::Stage;
use crate::operation::{Goal, Part};
use crate::session::Session;
use crate::transfer::source::DepartureStage;
use crate::update::UpdateStage;

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invariant {number}: {what}")]
pub struct Violation {
    /// Which, see the module.
    pub number: u8,
    /// What was found.
    pub what: String,
}

type Checked = Result<(), Violation>;

fn hold(number: u8, holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        let what = what();
        Err(Violation { number, what })
    }
}

impl Session {
    /// Checks what can be seen in the state at rest, between two events.
    pub fn verify_invariants(&self) -> Result<(), Violation> {
        for g in self.groups.values() {
            self.verify_holder(g)?;
            self.verify_durable(g)?;
            self.verify_trials(g)?;
            verify_absence(g)?;
        }
        self.verify_operations()?;
        self.verify_waits()?;
        self.verify_updates()?;
        self.verify_payloads()
    }

    fn verify_holder(&self, g: &Group) -> Checked {
        let id = g.id;
        if let Some(holder) = g.holder() {
            hold(1, self.is_registered(holder.instance), || {
                format!(
                    "{id} is held by {:?}, which is not registered",
                    holder.instance
                )
            })?;
            hold(1, !g.others.contains_key(&holder.copy), || {
                format!("the holder's copy of {id} is a trial or retired too")
            })?;
        }
        let at_home = |o: &OtherCopy| self.instances.contains_key(&o.instance);
        hold(1, g.others.values().all(at_home), || {
            format!("{id} has a copy in an instance that is gone")
        })
    }

    fn verify_durable(&self, g: &Group) -> Checked {
        let id = g.id;
        let released = match &g.home {
            Home::Live(_, Activity::LettingGo { generation, .. }) => Some(*generation),
            Home::Live(_, Activity::Yielding { saved, .. }) => Some(saved.generation),
            Home::Leasing(succession) => Some(succession.generation),
            _ => None,
        };
        if let Some(generation) = released {
            hold(2, g.snapshots.contains_key(&generation), || {
                format!("{id} is let go of at {generation:?}, which is not durable")
            })?;
        }
        if let Home::Live(
            _,
            Activity::LettingGo {
                revision,
                generation,
                ..
            },
        ) = &g.home
        {
            let snap = g.snapshots.get(generation);
            hold(2, snap.is_some_and(|s| s.revision == *revision), || {
                format!("{id} is let go of at {revision:?}, which {generation:?} is not")
            })?;
        }
        let proven = g.proven.is_none_or(|n| g.snapshots.contains_key(&n));
        hold(3, proven, || {
            format!("the proven generation of {id} is gone")
        })?;
        let somewhere = g.holder().is_some()
            || !g.snapshots.is_empty()
            || g.writing.is_some()
            || matches!(g.home, Home::Released(_) | Home::Closing { .. });
        hold(6, somewhere, || format!("{id} is nowhere"))?;
        hold(7, g.pending.is_none() || g.writing.is_some(), || {
            format!("a save of {id} waits behind no write")
        })
    }

    fn verify_trials(&self, g: &Group) -> Checked {
        let wanted = match &g.home {
            Home::Live(_, Activity::Yielding { copy, .. }) => Some(*copy),
            Home::Live(
                _,
                Activity::Trying {
                    stage: TrialStage::Restoring { copy, .. },
                    ..
                },
            ) => Some(*copy),
            Home::Leasing(succession) => Some(succession.copy),
            Home::Asleep(Rest::Waking(Waking {
                stage: WakeStage::Restoring { copy, .. },
                ..
            })) => Some(*copy),
            _ => None,
        };
        let astray = g
            .others
            .iter()
            .find(|(copy, o)| o.kind == OtherKind::Trial && Some(**copy) != wanted);
        hold(10, astray.is_none(), || {
            format!("{:?} of {} is a trial that nobody waits for", astray, g.id)
        })
    }

    fn verify_operations(&self) -> Checked {
        for (id, operation) in &self.operations {
            let ended = operation
                .parts
                .iter()
                .all(|(_, p)| matches!(p, Part::Ended { .. }));
            hold(4, !ended || operation.open, || {
                format!("{id:?} has ended and is still there")
            })?;
            for (group, part) in &operation.parts {
                if !matches!(part, Part::Underway { .. }) {
                    continue;
                }
                let busy = self.is_busy_with(*group, operation.goal);
                hold(4, busy, || {
                    format!(
                        "{id:?} waits for {group:?}, which is not busy with {:?}",
                        operation.goal
                    )
                })?;
            }
        }
        Ok(())
    }

    fn is_busy_with(&self, group: GroupId, goal: Goal) -> bool {
        if goal == Goal::Receive {
            return self.arrivals.contains_key(&group);
        }
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        let updating = || self.apps.get(&g.app).is_some_and(|a| a.update.is_some());
        match goal {
            Goal::Sleep => g.is_falling_asleep(),
            Goal::Wake => {
                let seen = |h: &Holder| matches!(h.shown, Shown::Awaited { .. });
                g.is_waking() || g.holder().is_some_and(seen)
            }
            Goal::Update | Goal::Undo => updating() || g.is_migrating(),
            Goal::Forget => matches!(g.home, Home::Closing { .. }),
            Goal::Move => {
                let settling = matches!(g.home, Home::Asleep(Rest::Settling { .. }));
                g.is_falling_asleep()
                    || settling
                    || g.is_waking()
                    || matches!(g.home, Home::Departing(_) | Home::Released(_))
            }
            Goal::Receive => false,
        }
    }

    fn verify_waits(&self) -> Checked {
        for g in self.groups.values() {
            let storing = matches!(
                g.home,
                Home::Live(
                    _,
                    Activity::Saving {
                        stage: SaveStage::Storing,
                        ..
                    }
                ) | Home::Asleep(Rest::Settling { .. })
            );
            hold(4, !storing || g.writing.is_some(), || {
                format!("{} waits for a write that is not under way", g.id)
            })?;
            if let Home::Asleep(Rest::Waking(Waking {
                stage: WakeStage::Gathering { host, state },
                ..
            })) = &g.home
            {
                let waits = match host {
                    Host::Starting(launch) => self.launches.contains_key(launch),
                    Host::Here(_) => matches!(state, StateCopy::Reading { .. }),
                };
                hold(4, waits, || format!("{} gathers nothing any more", g.id))?;
            }
        }
        Ok(())
    }

    fn verify_updates(&self) -> Checked {
        for (app, known) in &self.apps {
            let current = known.update.as_ref().and_then(|u| match u.stage {
                UpdateStage::Handing { current, .. } => current,
                _ => None,
            });
            let returning = |g: &&Group| {
                matches!(
                    &g.home,
                    Home::Leasing(Succession {
                        why: Why::Returned { .. },
                        ..
                    })
                )
            };
            let others = self
                .groups
                .values()
                .filter(|g| g.app == *app && g.is_migrating() && Some(g.id) != current)
                .filter(|g| !returning(g));
            let astray: Vec<GroupId> = others.map(|g| g.id).collect();
            // A group whose update failed in its middle may still be on its way back.
            let allowed = known.update.is_none();
            hold(11, astray.is_empty() || allowed, || {
                format!("{astray:?} of {app} are migrated at the same time as {current:?}")
            })?;
        }
        for (id, i) in &self.instances {
            if matches!(i.stage, Stage::Ending { .. }) {
                let at_work = self.is_at_work(*id);
                hold(1, !at_work, || {
                    format!("{id:?} is ending and holds a group")
                })?;
            }
        }
        Ok(())
    }

    fn verify_payloads(&self) -> Checked {
        let mut seen = BTreeSet::new();
        for g in self.groups.values() {
            let pending = g.pending.as_ref().map(|p| p.payload);
            let read = match &g.home {
                Home::Asleep(Rest::Waking(Waking {
                    stage:
                        WakeStage::Gathering {
                            state: StateCopy::Read { payload, .. },
                            ..
                        },
                    ..
                })) => Some(*payload),
                _ => None,
            };
            for payload in pending.into_iter().chain(read) {
                hold(12, seen.insert(payload), || {
                    format!("{payload:?} has two owners")
                })?;
            }
        }
        Ok(())
    }
}

fn verify_absence(g: &Group) -> Checked {
    let id = g.id;
    if !matches!(g.home, Home::Departing(_) | Home::Released(_)) {
        return Ok(());
    }
    let trial = g.others.values().any(|o| o.kind == OtherKind::Trial);
    hold(
        8,
        !trial && g.writing.is_none() && g.pending.is_none(),
        || format!("{id} is on its way or elsewhere, and something here is busy with it"),
    )?;
    if let Home::Departing(departure) = &g.home {
        let prepared = matches!(departure.stage, DepartureStage::Prepared { .. });
        hold(9, !prepared || g.preparing == Some(departure.tx), || {
            format!("{id} is prepared, and something followed PREPARING")
        })?;
    }
    Ok(())
}
