//! Somebody asked for groups by another way than a click: they are brought to where a click would have brought them.

use overwinter_layout::Op;
use overwinter_session::ids::GroupId;

use super::group::Phase;
use super::{Item, Shell};
use crate::state::Overwinter;

impl Overwinter {
    /// Puts these groups on top, the one that had the focus last above the others and with the focus: what somebody expects
    /// who wakes them by name. What is typed from now on is theirs, ghosts or not.
    pub fn present(&mut self, groups: &[GroupId]) {
        let mut groups: Vec<GroupId> = groups.to_vec();
        groups.sort_by_key(|group| self.shell.last_focused(*group));
        groups.retain(|group| self.shell.main_item(*group).is_some());
        let last = groups.pop();
        for group in groups {
            if let Some(item) = self.shell.main_item(group) {
                let mut ops = self.raise_siblings(item);
                ops.push(Op::Raise(item.name()));
                self.layout_all(ops);
            }
        }
        if let Some(item) = last.and_then(|group| self.shell.main_item(group)) {
            self.raise_and_focus(item);
        }
    }

    /// Of all groups that are waking, presents the one that had the focus last; the others stay where they are in the stack.
    pub fn present_last_focused(&mut self) {
        let waking = self.shell.groups.iter();
        let waking = waking.filter(|(_, g)| g.phase == (Phase::Ghost { waking: true }));
        let last = waking.max_by_key(|(group, _)| self.shell.last_focused(**group));
        if let Some(group) = last.map(|(group, _)| *group) {
            self.present(&[group]);
        }
    }
}

impl Shell {
    /// The focus may have changed: if that was the user's choice, its group is the last one chosen.
    pub(super) fn note_choice(&mut self) {
        let group = self.focus().and_then(|item| self.group_of_item(item));
        let now = self.next_id();
        if self.focus_is_chosen()
            && let Some(group) = group.and_then(|g| self.groups.get_mut(&g))
        {
            group.chosen = now;
        }
    }

    /// Orders groups by when the user last chose one. After a restart nobody has chosen any: then it is by what the
    /// pictures from the store say.
    fn last_focused(&self, group: GroupId) -> (u64, bool, u32) {
        let chosen = self.groups.get(&group).map_or(0, |g| g.chosen);
        let ghosts = self.ghosts_of(group);
        let focused = |id| self.ghosts.get(id).is_some_and(|g| g.focused);
        let height = self.main_item(group).map_or(0, |i| self.height(i));
        (chosen, ghosts.iter().any(focused), height)
    }

    /// What stands for the group: the ghost that had the focus, else the topmost ghost or window.
    fn main_item(&self, group: GroupId) -> Option<Item> {
        let standing = self.standing();
        let items = || {
            let items = standing.iter().rev().copied();
            items.filter(|item| self.group_of_item(*item) == Some(group))
        };
        let focused = |item: &Item| match item {
            Item::Ghost(id) => self.ghosts.get(id).is_some_and(|g| g.focused),
            Item::Window(_) => false,
        };
        items().find(focused).or_else(|| items().next())
    }
}
