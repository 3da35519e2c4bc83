//! From ghost to window. A ghost goes in the very frame in which the window that takes its place is first drawn; until then
//! it stands.

use std::time::Duration;

use overwinter_layout::Op;
use overwinter_session::Event;
use overwinter_session::ids::{CopyId, GroupId};

use super::desktop::size_of;
use super::group::Phase;
use super::{GhostId, Item, Visibility, WindowId, WindowMode};
use crate::state::Overwinter;

/// Ghosts whose window does not exist in the adopted copy are waited for this long.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// Groups that arrive one after the other: one that did not have the focus where it comes from leaves it to the one that had,
/// for so long.
const ARRIVAL: Duration = Duration::from_secs(2);

impl Overwinter {
    /// The copy is the group from now on; its windows replace the ghosts as they become ready.
    pub(super) fn begin_swap(&mut self, group: GroupId, copy: CopyId) {
        let Some(state) = self.shell.groups.get(&group) else {
            self.emit(Event::Shown { group });
            return;
        };
        if state.holder == Some(copy) && state.phase == Phase::Live {
            self.wake_windows(group);
            self.release_hold(group);
            self.emit(Event::Shown { group });
            return;
        }
        // Another copy's windows may still stand there: never a frame without picture.
        if !self.shell.shown_windows_of(group).is_empty() {
            self.show_ghost(group);
        }
        let Some(state) = self.shell.groups.get_mut(&group) else {
            return;
        };
        state.adopt(copy);
        state.phase = Phase::Swapping { late: false };
        for id in self.windows_of_copy(group, copy) {
            if let Some(window) = self.shell.window_mut(id)
                && window.mapped
            {
                // A retired copy that is taken back has shown its content before and has nothing more to restore.
                let shown_before = window.visibility == Visibility::Retired;
                window.visibility = Visibility::Restoring;
                if let Some(binding) = window.binding.as_mut() {
                    binding.ready |= shown_before;
                }
            }
        }
        self.after(LEFTOVERS, move |state| state.swap_is_late(group, copy));
        self.schedule_frame();
        self.try_swap(group);
    }

    fn swap_is_late(&mut self, group: GroupId, copy: CopyId) {
        if let Some(state) = self.shell.groups.get_mut(&group)
            && state.holder == Some(copy)
            && let Phase::Swapping { late } = &mut state.phase
        {
            *late = true;
            self.try_swap(group);
        }
    }

    fn windows_of_copy(&self, group: GroupId, copy: CopyId) -> Vec<WindowId> {
        let bound = self.shell.windows().filter(|w| {
            w.binding
                .as_ref()
                .is_some_and(|b| b.group == group && b.copy == copy)
        });
        bound.map(|w| w.id).collect()
    }

    /// Replaces every ghost whose window is ready; ends the swap when none is left to wait for.
    pub(super) fn try_swap(&mut self, group: GroupId) {
        let Some(state) = self.shell.groups.get(&group) else {
            return;
        };
        let (Phase::Swapping { late }, Some(copy)) = (state.phase, state.holder) else {
            return;
        };
        let windows = self.windows_of_copy(group, copy);
        for id in &windows {
            let waits = self
                .shell
                .window(*id)
                .is_some_and(|w| w.mapped && w.visibility == Visibility::Restoring);
            if !waits {
                continue;
            }
            let ghost = self.ghost_for(group, *id);
            let fits = self.fits(*id, ghost);
            if let Some(window) = self.shell.window(*id) {
                tracing::debug!(
                    ?id,
                    ?ghost,
                    fits,
                    size = ?window.rect().size,
                    binding = ?window.binding,
                    "a window of the adopted copy"
                );
            }
            if fits {
                self.replace(ghost, *id);
            }
        }
        let ghosts = self.shell.ghosts_of(group);
        let shown = windows.iter().any(|id| self.shell.is_shown(*id));
        let pending = windows.iter().any(|id| !self.shell.is_shown(*id));
        tracing::debug!(?group, ?ghosts, shown, pending, late, "a swap goes on");
        let nothing_to_show = windows.is_empty() && ghosts.is_empty();
        let done = nothing_to_show || (shown && (ghosts.is_empty() || late) && (!pending || late));
        if done {
            self.finish_swap(group, &ghosts);
        }
    }

    /// The ghost that this window replaces: the one of its name, else the only one without a namesake.
    fn ghost_for(&self, group: GroupId, id: WindowId) -> Option<GhostId> {
        let name = &self.shell.window(id)?.binding.as_ref()?.name;
        let ghosts = self.shell.ghosts_of(group);
        let named = |g: &GhostId| self.shell.ghost(*g).is_some_and(|g| g.name == *name);
        ghosts.iter().copied().find(named).or(match ghosts[..] {
            [only] => Some(only),
            _ => None,
        })
    }

    /// Ready, active or not as it is going to be, and as large as the ghost (or as large as the client chose to be, being
    /// asked for the ghost's size).
    fn fits(&self, id: WindowId, ghost: Option<GhostId>) -> bool {
        let Some(window) = self.shell.window(id) else {
            return false;
        };
        let Some(binding) = &window.binding else {
            return false;
        };
        if binding.overdue {
            return true;
        }
        let active = window.window.is_activated();
        if !binding.ready || active != self.will_be_active(id) {
            return false;
        }
        let slot = ghost.and_then(|g| self.shell.slot(Item::Ghost(g)));
        slot.is_none_or(|slot| {
            let margins = window.frame_margins_in(WindowMode::of(slot));
            let wanted = margins.inner_size(size_of(slot.rect.size()));
            window.rect().size == wanted || window.window.current_size() == Some(wanted)
        })
    }

    /// One window takes one ghost's place, in the stack, on the desktop and in the focus.
    fn replace(&mut self, ghost: Option<GhostId>, id: WindowId) {
        let had_focus = ghost.is_some_and(|g| self.shell.focus() == Some(Item::Ghost(g)));
        let nobody_chose = !self.shell.focus_is_chosen();
        if let Some(ghost) = ghost.and_then(|g| self.give_way(g, id)) {
            // One from the store had the focus where it came from, and here nobody has chosen another.
            if !had_focus && nobody_chose && ghost.focused && ghost.source.is_none() {
                self.focus_window(id);
            }
        } else {
            self.show_window(id);
        }
        self.schedule_frame();
    }

    fn finish_swap(&mut self, group: GroupId, leftovers: &[GhostId]) {
        let focused_leftover = leftovers
            .iter()
            .any(|g| self.shell.focus() == Some(Item::Ghost(*g)));
        let heir = self.shell.shown_windows_of(group).last().copied();
        if let Some(id) = heir.filter(|_| focused_leftover) {
            self.focus_window(id);
        }
        for ghost in leftovers {
            self.remove_ghost(*ghost);
        }
        let mut arrived = false;
        if let Some(state) = self.shell.groups.get_mut(&group) {
            state.phase = Phase::Live;
            state.had_focus = None;
            arrived = std::mem::take(&mut state.arrived);
        }
        self.wake_windows(group);
        if arrived && !focused_leftover {
            self.after(ARRIVAL, Overwinter::inherit_focus);
        } else {
            self.inherit_focus();
        }
        self.release_hold(group);
        self.pointer_refocus();
        self.schedule_frame();
        self.emit(Event::Shown { group });
    }

    /// The ghosts are not needed after all: the holder's own windows again, each where its ghost stood.
    pub(super) fn drop_ghost(&mut self, group: GroupId) {
        for id in self.shell.ghosts_of(group) {
            let back = self.shell.ghost(id).and_then(|ghost| {
                ghost
                    .source
                    .or_else(|| self.window_named(group, &ghost.name))
            });
            let mapped = back.filter(|w| self.shell.window(*w).is_some_and(|w| w.mapped));
            if mapped.and_then(|w| self.give_way(id, w)).is_none() {
                self.remove_ghost(id);
            }
        }
        let mut had_focus = None;
        if let Some(state) = self.shell.groups.get_mut(&group) {
            state.phase = Phase::Live;
            state.forget_touch();
            had_focus = state.had_focus.take();
        }
        self.show_hidden_of_holder(group);
        self.wake_windows(group);
        let had_focus = had_focus.filter(|id| self.shell.is_shown(*id));
        match had_focus {
            Some(id) if self.shell.focus().is_none() => self.focus_window(id),
            _ => self.inherit_focus(),
        }
        self.refresh_activated();
        self.release_hold(group);
        self.pointer_refocus();
        self.schedule_frame();
    }

    fn window_named(&self, group: GroupId, name: &str) -> Option<WindowId> {
        let holder = self.shell.group(group)?.holder?;
        let named = |w: &&super::ShellWindow| {
            w.binding
                .as_ref()
                .is_some_and(|b| b.group == group && b.copy == holder && b.name == name)
        };
        self.shell.windows().find(named).map(|w| w.id)
    }

    /// Windows of the holder that had no ghost (mapped meanwhile), and dialogs that went with their parents.
    fn show_hidden_of_holder(&mut self, group: GroupId) {
        let holder = self.shell.group(group).and_then(|g| g.holder);
        let belongs = |w: &super::ShellWindow| match &w.binding {
            Some(binding) => binding.group == group && Some(binding.copy) == holder,
            None => self.shell.group_of(w.id) == Some(group),
        };
        let hidden: Vec<WindowId> = self
            .shell
            .windows()
            .filter(|w| {
                w.mapped
                    && !self.shell.is_shown(w.id)
                    && w.visibility == Visibility::Retired
                    && belongs(w)
            })
            .map(|w| w.id)
            .collect();
        for id in hidden {
            self.show_window(id);
            self.layout_all([Op::Raise(Item::Window(id).name())]);
        }
    }

    /// Input is no longer held: the focus is real again, and held keys follow it.
    pub(super) fn release_hold(&mut self, group: GroupId) {
        if let Some(state) = self.shell.groups.get_mut(&group) {
            state.hold = false;
        }
        self.keyboard_refocus();
        self.deliver_held(group);
    }
}
