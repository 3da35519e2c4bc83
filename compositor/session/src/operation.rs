//! What somebody asked for, and what became of each group. An operation only waits: groups go their own way and tell how
//! it ended; whatever cannot begin yet begins when the group is at rest.

use overwinter_proto::JournalRecord;

use crate::adopt::RECORD_MS;
use crate::effect::{Effect, GroupResult, Outcome, ShellEffect};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::session::Session;
use crate::update::Wish;

/// What an operation wants of each of its groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Goal {
    Sleep,
    Wake,
    Update,
    Undo,
    Forget,
    /// To another host.
    Move,
    /// From another host.
    Receive,
}

impl Goal {
    pub fn of_migration(reason: Reason) -> Goal {
        match reason {
            Reason::Rollback => Goal::Undo,
            _ => Goal::Update,
        }
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub goal: Goal,
    /// In the order asked.
    pub parts: Vec<(GroupId, Part)>,
    /// More groups may follow (a stream that receives).
    pub open: bool,
    /// Something is new since the last `Progress`.
    pub news: bool,
}

/// How far one group of an operation is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Part {
    Waiting,
    Underway { was_live: bool },
    Ended { outcome: Outcome, text: String },
}

impl Part {
    pub fn ended(outcome: Outcome, text: impl Into<String>) -> Part {
        let text = text.into();
        Part::Ended { outcome, text }
    }
}

impl Session {
    pub(crate) fn open_operation(
        &mut self,
        id: OperationId,
        goal: Goal,
        groups: impl IntoIterator<Item = GroupId>,
        open: bool,
    ) {
        let mut parts: Vec<(GroupId, Part)> = Vec::new();
        for group in groups {
            if parts.iter().all(|(g, _)| *g != group) {
                parts.push((group, Part::Waiting));
            }
        }
        let operation = Operation {
            goal,
            parts,
            open,
            news: true,
        };
        self.operations.entry(id).or_insert(operation);
    }

    fn groups_or_all(&self, asked: Vec<GroupId>, fits: impl Fn(&Group) -> bool) -> Vec<GroupId> {
        if asked.is_empty() {
            self.groups
                .values()
                .filter(|g| fits(g))
                .map(|g| g.id)
                .collect()
        } else {
            asked
        }
    }

    pub(crate) fn ask_hibernate(&mut self, id: OperationId, groups: Vec<GroupId>) {
        let awake = |g: &Group| g.holder().is_some() || g.is_waking() || g.is_migrating();
        let groups = self.groups_or_all(groups, awake);
        self.open_operation(id, Goal::Sleep, groups, false);
    }

    pub(crate) fn ask_wake(&mut self, id: OperationId, groups: Vec<GroupId>) {
        // To be named is a reprieve; to be among all is not.
        for group in &groups {
            self.reprieve(*group);
        }
        let asleep = |g: &Group| matches!(g.home, Home::Asleep(_));
        let groups = self.groups_or_all(groups, asleep);
        self.open_operation(id, Goal::Wake, groups, false);
    }

    pub(crate) fn ask_update(&mut self, id: OperationId, app: String) {
        let apps: Vec<String> = match app.is_empty() {
            true => self.apps.keys().cloned().collect(),
            false => vec![app],
        };
        let mut parts = Vec::new();
        for app in apps {
            let Some(target) = self.on_disk(&app) else {
                continue;
            };
            let stale = self.stale_groups(&app, &target.id);
            self.choose(&app, |choice| {
                choice.declined.remove(&target.id);
            });
            if let Some(known) = self.apps.get_mut(&app)
                && !stale.is_empty()
            {
                known.wish = Some(Wish::Update);
            }
            parts.extend(stale);
        }
        self.open_operation(id, Goal::Update, parts, false);
    }

    pub(crate) fn ask_undo(&mut self, id: OperationId, app: String) {
        let mut parts = Vec::new();
        if let Some(target) = self.undo_target(&app) {
            parts = self.stale_groups(&app, &target.id);
            let asleep = |g: &&Group| g.app == app && matches!(g.home, Home::Asleep(_));
            parts.extend(self.groups.values().filter(asleep).map(|g| g.id));
            if let Some(known) = self.apps.get_mut(&app) {
                known.wish = Some(Wish::Undo);
            }
        } else {
            self.notice(
                None,
                format!("{app}: there is no earlier version to go back to. Nothing was changed."),
            );
        }
        self.open_operation(id, Goal::Undo, parts, false);
    }

    pub(crate) fn ask_forget(&mut self, id: OperationId, groups: Vec<GroupId>) {
        self.open_operation(id, Goal::Forget, groups, false);
    }

    /// Marks what operations with this goal wait for.
    pub(crate) fn set_part(&mut self, group: GroupId, goal: Goal, part: Part) {
        for operation in self.operations.values_mut().filter(|o| o.goal == goal) {
            for (g, p) in &mut operation.parts {
                if *g == group && *p == Part::Waiting {
                    *p = part.clone();
                }
            }
        }
    }

    /// Tells operations how something ended that was under way for them.
    pub(crate) fn finish(&mut self, group: GroupId, goal: Goal, outcome: Outcome, text: &str) {
        for operation in self.operations.values_mut() {
            // A move begins with sleep: what keeps a group awake keeps it here.
            let first_step =
                operation.goal == Goal::Move && goal == Goal::Sleep && outcome != Outcome::Done;
            if operation.goal != goal && !first_step {
                continue;
            }
            for (g, part) in &mut operation.parts {
                if *g == group && matches!(part, Part::Underway { .. }) {
                    *part = Part::ended(outcome, text);
                    operation.news = true;
                }
            }
        }
    }

    /// Whether a move has begun with it and has not ended.
    pub(crate) fn is_being_moved(&self, group: GroupId) -> bool {
        self.operations.values().any(|o| {
            let underway =
                |(g, part): &(GroupId, Part)| *g == group && matches!(part, Part::Underway { .. });
            o.goal == Goal::Move && o.parts.iter().any(underway)
        })
    }

    /// The groups of an app that are under way for operations with this goal.
    pub(crate) fn underway(&self, goal: Goal, app: &str) -> Vec<GroupId> {
        let of_app = |id: &GroupId| self.groups.get(id).is_some_and(|g| g.app == app);
        self.operations
            .values()
            .filter(|o| o.goal == goal)
            .flat_map(|o| &o.parts)
            .filter(|(g, part)| matches!(part, Part::Underway { .. }) && of_app(g))
            .map(|(g, _)| *g)
            .collect()
    }

    /// Begins what can begin, and announces what has ended.
    pub(crate) fn advance_operations(&mut self) -> bool {
        if self.sweep_refused() {
            return true;
        }
        let ids: Vec<OperationId> = self.operations.keys().copied().collect();
        for id in ids {
            let Some(operation) = self.operations.get(&id) else {
                continue;
            };
            let goal = operation.goal;
            let waiting: Vec<GroupId> = operation
                .parts
                .iter()
                .filter(|(_, part)| *part == Part::Waiting)
                .map(|(group, _)| *group)
                .collect();
            for group in waiting {
                if let Some(part) = self.begin_part(id, group, goal) {
                    self.put_part(id, group, part);
                    return true;
                }
            }
            self.announce(id);
        }
        false
    }

    pub(crate) fn put_part(&mut self, id: OperationId, group: GroupId, new: Part) {
        let Some(operation) = self.operations.get_mut(&id) else {
            return;
        };
        for (g, part) in &mut operation.parts {
            if *g == group {
                operation.news |= matches!(new, Part::Ended { .. });
                *part = new.clone();
            }
        }
    }

    /// What a waiting part becomes now; `None` if it has to wait on.
    fn begin_part(&mut self, id: OperationId, group: GroupId, goal: Goal) -> Option<Part> {
        let underway = Some(Part::Underway { was_live: true });
        let Some(g) = self.groups.get(&group) else {
            return match goal {
                Goal::Move => None,
                _ => Some(Part::ended(Outcome::Failed, self.why_not_here(group))),
            };
        };
        match goal {
            // Where it will be is decided by the move.
            Goal::Wake | Goal::Forget if self.is_being_moved(group) => None,
            Goal::Sleep => match &g.home {
                Home::Live(_, Activity::Working) => {
                    self.begin_sleep(group, Reason::Wake);
                    underway
                }
                Home::Live(..) if g.is_falling_asleep() => underway,
                Home::Live(..) | Home::Leasing(_) => None,
                Home::Asleep(Rest::Still | Rest::Settling { wake: None }) => {
                    Some(Part::ended(Outcome::Skipped, "It is asleep already."))
                }
                Home::Asleep(_) => None,
                _ => Some(Part::ended(Outcome::Skipped, self.why_not_awake(group))),
            },
            Goal::Wake => match &g.home {
                Home::Asleep(Rest::Still) => {
                    // The part must be under way before a failure can be told.
                    self.set_part(group, goal, Part::Underway { was_live: false });
                    self.begin_wake(group, Reason::Wake);
                    self.part_of(id, group)
                }
                Home::Asleep(_) if g.is_waking() => underway,
                Home::Asleep(_) => {
                    self.ghost_touched(group);
                    underway
                }
                Home::Leasing(s) if matches!(s.why, Why::Woken) => underway,
                Home::Live(h, Activity::Working) if matches!(h.shown, Shown::Awaited { .. }) => {
                    underway
                }
                Home::Live(_, Activity::Working) => {
                    Some(Part::ended(Outcome::Skipped, "It is awake already."))
                }
                Home::Live(..) | Home::Leasing(_) | Home::Closing { .. } => None,
                _ => Some(Part::ended(Outcome::Failed, self.why_not_awake(group))),
            },
            Goal::Forget => match &g.home {
                Home::Asleep(Rest::Still) | Home::Quarantined => {
                    self.begin_forget(group);
                    underway
                }
                Home::Asleep(Rest::Settling { .. }) => None,
                _ => Some(Part::ended(
                    Outcome::Failed,
                    "It is not asleep. It was left as it is; put it to sleep first, or close it in its app.",
                )),
            },
            Goal::Update | Goal::Undo => {
                let app = self.apps.get(&g.app);
                let wished = app.is_some_and(|a| a.wish.is_some() || a.update.is_some());
                if !wished && goal == Goal::Undo && matches!(g.home, Home::Asleep(_)) {
                    let text = "It is asleep and wakes in the version that was gone back to.";
                    return Some(Part::ended(Outcome::Done, text));
                }
                let text = "It needs no change of version.";
                (!wished).then(|| Part::ended(Outcome::Skipped, text))
            }
            // These begin in their streams' turn.
            Goal::Move | Goal::Receive => None,
        }
    }

    fn part_of(&self, id: OperationId, group: GroupId) -> Option<Part> {
        let operation = self.operations.get(&id)?;
        let found = operation.parts.iter().find(|(g, _)| *g == group);
        found.map(|(_, part)| part.clone())
    }

    /// Tells how an operation stands, if that is news, and drops it when it has ended.
    fn announce(&mut self, id: OperationId) {
        let Some(operation) = self.operations.get_mut(&id) else {
            return;
        };
        let ended = !operation.open
            && operation
                .parts
                .iter()
                .all(|(_, part)| matches!(part, Part::Ended { .. }));
        if !std::mem::take(&mut operation.news) && !ended {
            return;
        }
        let results: Vec<GroupResult> = operation
            .parts
            .iter()
            .filter_map(|(group, part)| match part {
                Part::Ended { outcome, text } => Some(GroupResult {
                    group: *group,
                    outcome: *outcome,
                    text: text.clone(),
                }),
                _ => None,
            })
            .collect();
        if results.is_empty() && !ended {
            return;
        }
        self.out.push(Effect::Progress {
            operation: id,
            ended,
            results,
        });
        if ended {
            self.operations.remove(&id);
        }
    }

    // ── the end of a group ───────────────────────────────────────────────────────────────────────────────────────────

    /// The user closed it in its app, and wants it closed.
    pub(crate) fn closed(&mut self, group: GroupId) {
        self.abandon_activity(group, "it was closed");
        self.end_group(group, "It was closed.");
    }

    fn begin_forget(&mut self, group: GroupId) {
        let store = self.record(group, JournalRecord::Closed);
        let until = self.now.after(RECORD_MS);
        self.set_home(group, Home::Closing { store, until });
    }

    pub(crate) fn closing_stored(
        &mut self,
        group: GroupId,
        id: StoreId,
        reply: &StoreReply,
    ) -> bool {
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        if !matches!(g.home, Home::Closing { store, .. } if store == id) {
            return false;
        }
        match reply {
            StoreReply::Failed { why, .. } => self.forget_failed(group, why),
            _ => {
                let text = "It is in the trash for seven days.";
                self.finish(group, Goal::Forget, Outcome::Done, text);
                self.remove_group(group, text);
            }
        }
        true
    }

    pub(crate) fn forget_failed(&mut self, group: GroupId, why: &str) {
        let text = format!("It was not put into the trash: {why} It sleeps as before; try again.");
        self.set_home(group, Home::Asleep(Rest::Still));
        // The word that it was closed may still come to be written, or be there: this one after it takes it back.
        let newest = self.groups.get(&group).and_then(Group::newest);
        if let Some(generation) = newest {
            self.record(group, JournalRecord::Slept(generation));
        }
        self.finish(group, Goal::Forget, Outcome::Failed, &text);
    }

    /// The group is no more. That is written down, and where it cannot be, the group is a ghost again after a restart:
    /// better one too many than one too few.
    pub(crate) fn end_group(&mut self, group: GroupId, text: &str) {
        self.record(group, JournalRecord::Closed);
        self.remove_group(group, text);
    }

    pub(crate) fn remove_group(&mut self, group: GroupId, text: &str) {
        let Some(g) = self.groups.remove(&group) else {
            return;
        };
        if let Some(pending) = g.pending {
            self.drop_payload(pending.payload);
        }
        for (copy, other) in g.others {
            let op = self.new_op();
            self.send(
                other.instance,
                crate::effect::ToApp::Discard { op, group, copy },
            );
            self.end_of_copies(other.instance);
        }
        self.shell(ShellEffect::Forget { group });
        self.ended.insert(group);
        for goal in [
            Goal::Sleep,
            Goal::Wake,
            Goal::Update,
            Goal::Undo,
            Goal::Move,
        ] {
            self.finish(group, goal, Outcome::Skipped, text);
        }
    }
}
