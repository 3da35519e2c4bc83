//! The heart's wishes about windows, one method each.

use std::time::Duration;

use overwinter_layout::Op;
use overwinter_session::ids::{Generation, GroupId, OpId};
use overwinter_session::{Event, ShellEffect};
use smithay::utils::SERIAL_COUNTER;
use wayland_server::Resource;
use wayland_server::backend::ClientId;

use super::group::{Fence, Phase};
use super::{Item, Shell, Visibility, WindowId};
use crate::state::Overwinter;

/// A client that does not answer a fence within this time is not waited for: its unsaved input is then at risk only if it
/// is stuck, and a stuck client will not answer BeginSave either.
const FENCE: Duration = Duration::from_secs(1);

impl Shell {
    /// Pictures that [`ShellEffect::PlaceGhost`] asked for: to be read from the store and given to
    /// [`Overwinter::place_ghost`].
    pub fn take_wanted_pictures(&mut self) -> Vec<(GroupId, Generation)> {
        std::mem::take(&mut self.wanted)
    }
}

impl Overwinter {
    /// Carries out one of the heart's wishes.
    pub fn apply(&mut self, effect: ShellEffect) {
        tracing::debug!(?effect, "the heart wishes");
        match effect {
            ShellEffect::Fence { group, op, hold } => self.fence(group, op, hold),
            ShellEffect::ShowGhost { group } => self.show_ghost(group),
            ShellEffect::DropGhost { group } => self.drop_ghost(group),
            ShellEffect::PlaceGhost { group, generation } => {
                self.shell.wanted.push((group, generation))
            }
            ShellEffect::Swap { group, copy } => self.begin_swap(group, copy),
            ShellEffect::Waking { group } => self.waking(group),
            ShellEffect::WakeFailed { group } => self.wake_failed(group),
            ShellEffect::Forget { group } => self.forget_group(group),
        }
    }

    fn fence(&mut self, group: GroupId, op: OpId, hold: bool) {
        let shown = self.shell.shown_windows_of(group);
        let chosen = self.shell.focus_is_chosen();
        let focused = self.shell.focus();
        let Some(state) = self.shell.groups.get_mut(&group) else {
            self.emit(Event::FenceDone { group, op });
            return;
        };
        state.hold = hold;
        state.had_focus = None;
        let focused = focused.filter(|f| self.shell.group_of_item(*f) == Some(group));
        if let Some(item) = focused {
            if let (Item::Window(id), Some(state)) = (item, self.shell.groups.get_mut(&group)) {
                state.had_focus = Some(id);
                state.had_chosen_focus = chosen;
            }
            if hold {
                self.keyboard_refocus();
            } else {
                self.sleep_windows(group);
            }
        }
        let client = shown.first().and_then(|id| self.client_of(*id));
        let serial: u32 = SERIAL_COUNTER.next_serial().into();
        let sent = client
            .as_ref()
            .is_some_and(|client| self.send_fence(client, serial));
        match (client, self.shell.groups.get_mut(&group)) {
            (Some(client), Some(state)) if sent => {
                state.fences.push(Fence { op, serial, client });
                self.after(FENCE, move |state| {
                    state.fence_ends(|f| f.op == op && f.serial == serial)
                });
            }
            _ => self.emit(Event::FenceDone { group, op }),
        }
    }

    /// Ends the fences that match: answered, out of time, or their client is gone.
    pub(crate) fn fence_ends(&mut self, matches: impl Fn(&Fence) -> bool) {
        let mut ended = Vec::new();
        for (group, state) in &mut self.shell.groups {
            state.fences.retain(|fence| {
                let ends = matches(fence);
                if ends {
                    ended.push((*group, fence.op));
                }
                !ends
            });
        }
        for (group, op) in ended {
            self.emit(Event::FenceDone { group, op });
        }
    }

    fn client_of(&self, id: WindowId) -> Option<ClientId> {
        let surface = self.shell.window(id)?.wl_surface().id();
        Some(self.display.get_client(surface).ok()?.id())
    }

    fn waking(&mut self, group: GroupId) {
        if let Some(state) = self.shell.groups.get_mut(&group)
            && matches!(state.phase, Phase::Ghost { .. })
        {
            state.phase = Phase::Ghost { waking: true };
            self.shell.mark_ghosts(group);
            self.schedule_frame();
        }
    }

    fn wake_failed(&mut self, group: GroupId) {
        let ghosts = !self.shell.ghosts_of(group).is_empty();
        if let Some(state) = self.shell.groups.get_mut(&group) {
            state.phase = if ghosts {
                Phase::Ghost { waking: false }
            } else {
                Phase::Live
            };
            state.hold = false;
            state.held.discard();
            state.forget_touch();
            self.shell.mark_ghosts(group);
            if !ghosts {
                self.wake_windows(group);
            }
            self.keyboard_refocus();
            self.schedule_frame();
        }
    }

    /// The group's windows are about to sleep: the focus goes to another group's, and falls to none of these.
    fn sleep_windows(&mut self, group: GroupId) {
        let sleep = |item: Item| Op::Sleep {
            window: item.name(),
            keep_focus: false,
        };
        let ops: Vec<Op> = self.windows_among(group).map(sleep).collect();
        self.layout_all(ops);
    }

    /// The group's windows that stand for themselves are awake after all, or again.
    pub(super) fn wake_windows(&mut self, group: GroupId) {
        let asleep = |item: &Item| {
            let known = self.shell.desktop.window(item.name());
            known.is_some_and(|w| w.asleep)
        };
        let asleep = self.windows_among(group).filter(asleep);
        let ops: Vec<Op> = asleep.map(|item| Op::Wake(item.name())).collect();
        if !ops.is_empty() {
            self.layout_all(ops);
        }
    }

    /// The windows, dialogs included, that stand for the group; no ghosts.
    fn windows_among(&self, group: GroupId) -> impl Iterator<Item = Item> {
        let standing = self.shell.standing().into_iter();
        standing.filter(move |item| {
            matches!(item, Item::Window(_)) && self.shell.group_of_item(*item) == Some(group)
        })
    }

    fn forget_group(&mut self, group: GroupId) {
        for id in self.shell.ghosts_of(group) {
            self.remove_ghost(id);
        }
        for id in self.shell.shown_windows_of(group) {
            if let Some(window) = self.shell.window_mut(id) {
                window.visibility = Visibility::Retired;
            }
            self.hide_window(id);
        }
        self.fence_ends_of(group);
        self.shell.groups.remove(&group);
        self.shell.grants.retain(|_, grant| grant.group != group);
        self.pointer_refocus();
        self.schedule_frame();
    }

    fn fence_ends_of(&mut self, group: GroupId) {
        let fences = self
            .shell
            .groups
            .get_mut(&group)
            .map(|g| std::mem::take(&mut g.fences));
        for fence in fences.unwrap_or_default() {
            self.emit(Event::FenceDone {
                group,
                op: fence.op,
            });
        }
    }
}
