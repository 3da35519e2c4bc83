//! Every wait has an end. Deadlines live in the states that wait; here they are found, and what happens at their end.

use crate::blame::Fault;
use crate::group::*;
use crate::ids::*;
use crate::instance::Stage;
use crate::session::Session;
use crate::sleep::PROBE_MS;
use crate::transfer::destination::ArrivalStage;
use crate::transfer::source::{DepartedStage, Departure, DepartureStage};
use crate::update::UpdateStage;

impl Session {
    /// When `Event::Tick` is due; `None` when nothing waits.
    pub fn next_deadline(&self) -> Option<Instant> {
        let probation = self.config.probation_ms;
        let groups = self.groups.values().filter_map(|g| g.until(probation));
        let launches = self.launches.values().map(|l| l.until);
        let endings = self.instances.values().filter_map(|i| match i.stage {
            Stage::Ending { until } => until,
            _ => None,
        });
        let arrivals = self.arrivals.values().filter_map(|a| a.stage.until());
        let streams = self.streams.values().filter_map(|s| s.until);
        let updates = self
            .apps
            .values()
            .filter_map(|a| match &a.update.as_ref()?.stage {
                UpdateStage::YieldingNames { until, .. } => Some(*until),
                _ => None,
            });
        groups
            .chain(launches)
            .chain(endings)
            .chain(arrivals)
            .chain(streams)
            .chain(updates)
            .min()
    }

    /// Ends one wait that is over time. False if there is none.
    pub(crate) fn expire(&mut self) -> bool {
        let now = self.now;
        let over = |until: Option<Instant>| until.is_some_and(|u| u <= now);
        let probation = self.config.probation_ms;
        if let Some(group) = self.groups.values().find(|g| over(g.until(probation))) {
            let id = group.id;
            self.expire_group(id);
            return true;
        }
        if let Some((id, _)) = self.launches.iter().find(|(_, l)| l.until <= now) {
            let id = *id;
            self.start_failed(id, "it did not register within 10 s.");
            return true;
        }
        let ending = self
            .instances
            .iter_mut()
            .find_map(|(id, i)| match &mut i.stage {
                Stage::Ending { until } if over(*until) => {
                    *until = None;
                    Some(*id)
                }
                _ => None,
            });
        if let Some(instance) = ending {
            self.out.push(crate::effect::Effect::End { instance });
            return true;
        }
        if let Some((id, _)) = self.arrivals.iter().find(|(_, a)| over(a.stage.until())) {
            let id = *id;
            self.arrival_timed_out(id);
            return true;
        }
        if let Some((id, _)) = self.streams.iter().find(|(_, s)| over(s.until)) {
            let id = *id;
            self.close_stream(id, "the other host did not answer in time");
            return true;
        }
        false
    }

    fn expire_group(&mut self, group: GroupId) {
        let now = self.now;
        let probation = self.config.probation_ms;
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        if let Some(writing) = g.writing.as_ref().filter(|w| w.until <= now) {
            let store = writing.store;
            return self.write_failed(group, store, "the store did not answer within 30 s.");
        }
        let mut over = false;
        for other in g.others.values_mut() {
            if let OtherKind::Retired { since } = other.kind
                && since.after(probation) <= now
            {
                other.kind = OtherKind::Refused;
                over = true;
            }
        }
        if over {
            return;
        }
        if let Some(holder) = g.holder() {
            if matches!(holder.shown, Shown::Awaited { until } if until <= now) {
                let text = "It is awake; its window has not appeared within 5 s.";
                return self.set_shown(group, text);
            }
            if holder.proof == Proof::SavedAgain && holder.since.after(PROBE_MS) <= now {
                return self.prove(group);
            }
        }
        match g.home.clone() {
            Home::Live(_, activity) => self.expire_activity(group, activity),
            Home::Leasing(_) => {
                self.succession_failed(group, "the store did not answer within 30 s.", Fault::Ours);
            }
            Home::Asleep(Rest::Waking(waking)) => self.expire_waking(group, waking.stage),
            Home::Asleep(_) | Home::Quarantined => {}
            Home::Departing(_) => self.departure_timed_out(group),
            Home::Released(departed) => match departed.stage {
                DepartedStage::Unacknowledged { .. } => self.acknowledgement_is_late(group),
                DepartedStage::Finishing { .. } => {
                    let (why, damaged) = ("the store did not answer".to_owned(), false);
                    let reply = crate::event::StoreReply::Failed { why, damaged };
                    self.done_stored(group, &reply);
                }
                DepartedStage::Done => {}
            },
            Home::Closing { .. } => {
                self.forget_failed(group, "the store did not answer within 30 s.")
            }
        }
    }

    fn expire_activity(&mut self, group: GroupId, activity: Activity) {
        match activity {
            Activity::Working => {}
            Activity::Saving { op, stage, .. } => match stage {
                SaveStage::Fencing { .. } => self.fence_done(group, op),
                SaveStage::Asked { .. } => {
                    self.give_up_saving(group, "the app did not hand over its state in time.");
                }
                SaveStage::ReadingBack { .. } => {
                    self.give_up_saving(group, "the store did not answer within 30 s.");
                }
                SaveStage::Storing => {}
            },
            Activity::LettingGo { .. } => {
                let why = "its app did not answer within 3 s when it was asked to let go";
                self.stop_letting_go(group, why, true);
            }
            Activity::Trying { stage, .. } => match stage {
                TrialStage::Reading { .. } => {
                    self.migration_failed(group, "the store did not answer within 30 s.");
                }
                TrialStage::Restoring { .. } => {
                    self.migration_failed(group, "the new instance did not restore it in time.");
                }
            },
            Activity::Yielding { .. } => {
                let why = "the old instance did not answer within 3 s when it was asked to let go.";
                self.migration_failed(group, why);
            }
        }
    }

    fn expire_waking(&mut self, group: GroupId, stage: WakeStage) {
        match stage {
            WakeStage::Gathering { .. } => {
                self.wake_failed(group, "the store did not answer within 30 s.", Fault::Ours);
            }
            WakeStage::Restoring { instance, .. } => {
                let build = self.build_id(instance);
                let why = "its app did not restore it in time.";
                self.wake_failed(group, why, Fault::Restore { build });
            }
        }
    }
}

impl Group {
    /// The earliest end of anything that this group waits for.
    pub fn until(&self, probation_ms: u64) -> Option<Instant> {
        let writing = self.writing.as_ref().map(|w| w.until);
        let retired = self.others.values().filter_map(|o| match o.kind {
            OtherKind::Retired { since } => Some(since.after(probation_ms)),
            _ => None,
        });
        let shown = self.holder().and_then(|h| match h.shown {
            Shown::Awaited { until } => Some(until),
            Shown::Yes => None,
        });
        let proof = self.holder().and_then(|h| {
            let waits = h.proof == Proof::SavedAgain;
            waits.then(|| h.since.after(PROBE_MS))
        });
        let waits = [writing, shown, proof, self.home.until()];
        waits.into_iter().flatten().chain(retired).min()
    }
}

impl Home {
    /// When this state is left at the latest; `None` for those that may stay.
    pub fn until(&self) -> Option<Instant> {
        match self {
            Home::Live(_, activity) => activity.until(),
            Home::Leasing(succession) => Some(succession.until),
            Home::Asleep(Rest::Waking(Waking { stage, .. })) => match stage {
                WakeStage::Gathering { state, .. } => match state {
                    StateCopy::Reading { until, .. } => Some(*until),
                    // The start that it waits for has its own.
                    StateCopy::Read { .. } => None,
                },
                WakeStage::Restoring { until, .. } => Some(*until),
            },
            Home::Asleep(_) | Home::Quarantined => None,
            Home::Departing(Departure { stage, .. }) => Some(match stage {
                DepartureStage::Packing { until, .. }
                | DepartureStage::Offered { until, .. }
                | DepartureStage::Sending { until, .. }
                | DepartureStage::Preparing { until, .. }
                | DepartureStage::Prepared { until, .. }
                | DepartureStage::Committing { until, .. }
                | DepartureStage::Aborting { until, .. } => *until,
            }),
            Home::Released(departed) => match departed.stage {
                DepartedStage::Unacknowledged { until } => until,
                DepartedStage::Finishing { until, .. } => Some(until),
                DepartedStage::Done => None,
            },
            Home::Closing { until, .. } => Some(*until),
        }
    }
}

impl Activity {
    /// See [`Home::until`]. A write has its own deadline.
    pub fn until(&self) -> Option<Instant> {
        match self {
            Activity::Working => None,
            Activity::Saving { stage, .. } => match stage {
                SaveStage::Fencing { until }
                | SaveStage::Asked { until, .. }
                | SaveStage::ReadingBack { until, .. } => Some(*until),
                SaveStage::Storing => None,
            },
            Activity::LettingGo { until, .. } | Activity::Yielding { until, .. } => Some(*until),
            Activity::Trying { stage, .. } => match stage {
                TrialStage::Reading { until, .. } | TrialStage::Restoring { until, .. } => {
                    Some(*until)
                }
            },
        }
    }
}

impl ArrivalStage {
    /// When this state is left at the latest; a staged group may wait for ever.
    pub fn until(&self) -> Option<Instant> {
        match self {
            ArrivalStage::Unpacking { until, .. }
            | ArrivalStage::Naming { until, .. }
            | ArrivalStage::Staging { until, .. }
            | ArrivalStage::Admitting { until, .. }
            | ArrivalStage::Owning { until, .. } => Some(*until),
            ArrivalStage::Staged { .. } => None,
        }
    }
}
