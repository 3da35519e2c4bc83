//! Blame: a restore that fails is held against (generation, build), and two quarantine the generation, so that nothing
//! crashes in a loop. Tried are the newest generation, with the build on disk and then with the one that wrote it; then the
//! newest proven one.

use overwinter_proto::JournalRecord;

use crate::effect::Outcome;
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::session::Session;

/// Blames that quarantine a generation: one may be the code's fault, the second is a loop.
pub(crate) const BLAMES: usize = 2;

impl Session {
    /// Writes down that a build failed with a generation.
    pub(crate) fn blame(&mut self, group: GroupId, generation: Generation, build: String) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        g.blames.entry(generation).or_default().push(build.clone());
        g.distrusted.insert((generation, build.clone()));
        self.record(group, JournalRecord::Blamed { generation, build });
    }

    /// A sleeping group that no generation can be tried of any more rests until the user decides.
    pub(crate) fn quarantine_if_hopeless(&mut self, group: GroupId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        if !g.is_still() || g.next_to_try().is_some() || g.snapshots.is_empty() {
            return;
        }
        g.home = Home::Quarantined;
        let text = self.why_not_awake(group);
        self.record(group, JournalRecord::Quarantined);
        self.set_error(group, &text);
        self.finish(group, Goal::Wake, Outcome::Failed, &text);
        self.finish(group, Goal::Move, Outcome::Failed, &text);
        self.notice(Some(group), text);
    }

    /// The user says that it is to be tried once more.
    pub(crate) fn reprieve(&mut self, group: GroupId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        if !matches!(g.home, Home::Quarantined) {
            return;
        }
        g.blames.clear();
        g.distrusted.clear();
        // What could not be read may be readable again: a disk was mounted, a backup played in.
        for snap in g.snapshots.values_mut() {
            snap.damaged = false;
        }
        g.home = Home::Asleep(Rest::Still);
        self.record(group, JournalRecord::Reprieved);
    }
}

/// Whose fault a failed wake is: two blames quarantine a generation, so only a restore that failed is blamed on it. That
/// a program does not start (it is just being replaced, a library is missing) says nothing about the state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// This build could not restore it.
    Restore { build: String },
    /// This build could not be started: another is tried before it.
    Start { build: String },
    /// The disk's, the session's, nobody's.
    Ours,
}

impl Group {
    /// The generation that the next wake restores: the newest, and when that has failed twice the newest proven one.
    pub fn next_to_try(&self) -> Option<Generation> {
        let tried = |n: &Generation| self.blames.get(n).map_or(0, Vec::len) >= BLAMES;
        let newest = self.newest();
        // A damaged newest generation leaves the one before it; that is what it is kept for.
        let proven = self
            .proven
            .filter(|n| self.snapshots.get(n).is_some_and(|s| !s.damaged));
        newest
            .filter(|n| !tried(n))
            .or(proven.filter(|n| !tried(n)))
    }
}
