//! Which window shows which group: cookies granted over D-Bus, redeemed over Wayland.

use std::time::Duration;

use calloop::timer::{TimeoutAction, Timer};
use overwinter_layout::Slot;
use overwinter_session::ids::{CopyId, GroupId};
use wayland_server::Resource;

use super::desktop::size_of;
use super::group::{Group, Phase};
use super::{Item, Shell, Visibility, WindowId, WindowMode};
use crate::client;
use crate::state::Overwinter;

/// An unbound window of a restoring client is shown after this: it may be asking a question.
const MAY_ASK: Duration = Duration::from_millis(500);
/// An adopted window that never says `ready` is shown after this (overwinter-v1).
const UNREADY: Duration = Duration::from_secs(2);

/// What a cookie is good for, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The group.
    pub group: GroupId,
    /// Which copy of it.
    pub copy: CopyId,
    /// The process that got the cookie over D-Bus; its Wayland client alone may use it.
    pub pid: i32,
    /// The copy is a trial (a restore), not a new group.
    pub trial: bool,
}

/// A window that says which group it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The group.
    pub group: GroupId,
    /// Which copy of it.
    pub copy: CopyId,
    /// The app's own name for this window.
    pub name: String,
    /// `ready` was said and waits for the commit.
    pub ready_pending: bool,
    /// The restored content is committed.
    pub ready: bool,
    /// It had a buffer for so long that `ready` is no longer waited for.
    pub overdue: bool,
}

impl Shell {
    /// Makes a cookie known. The first one of a new group makes the group known too.
    pub fn grant(&mut self, cookie: String, grant: Grant) {
        let group = self
            .groups
            .entry(grant.group)
            .or_insert_with(|| Group::new(None, Phase::Live));
        if !grant.trial && group.holder.is_none() {
            group.holder = Some(grant.copy);
        }
        self.grants.insert(cookie, grant);
    }

    /// Uses a cookie up; `pid` is the Wayland client's process.
    pub fn redeem(
        &mut self,
        cookie: &str,
        name: String,
        pid: i32,
    ) -> Result<Binding, &'static str> {
        match self.grants.get(cookie) {
            None => Err("the cookie is unknown or was used before"),
            Some(grant) if grant.pid != pid => Err("the cookie belongs to another process"),
            Some(_) => {
                let grant = self.grants.remove(cookie).ok_or("the cookie is gone")?;
                Ok(Binding {
                    group: grant.group,
                    copy: grant.copy,
                    name,
                    ready_pending: false,
                    ready: false,
                    overdue: false,
                })
            }
        }
    }

    /// Cookies of a process that has ended are worth nothing.
    pub fn revoke(&mut self, pid: i32) {
        self.grants.retain(|_, grant| grant.pid != pid);
    }

    /// Whether a restore in this process has not bound its window yet.
    fn expects_window(&self, pid: i32) -> bool {
        self.grants.values().any(|g| g.trial && g.pid == pid)
    }

    /// Where the window of this name stands now: its ghost, else the holder's window.
    fn counterpart(&self, of: &Binding) -> Option<Slot> {
        let ghost = self
            .ghosts
            .values()
            .find(|g| g.group == of.group && g.name == of.name);
        if let Some(ghost) = ghost {
            return self.slot(Item::Ghost(ghost.id)).copied();
        }
        let holder = self.groups.get(&of.group)?.holder?;
        let window = self.windows.values().find(|w| {
            w.mapped
                && w.binding
                    .as_ref()
                    .is_some_and(|b| b.group == of.group && b.copy == holder && b.name == of.name)
        })?;
        self.slot(Item::Window(window.id)).copied()
    }
}

impl Overwinter {
    /// Whether this window may be on the desktop, by who holds its group.
    pub(super) fn visibility_of(&self, id: WindowId) -> Visibility {
        let Some(window) = self.shell.window(id) else {
            return Visibility::Shown;
        };
        if let Some(binding) = &window.binding {
            let Some(group) = self.shell.group(binding.group) else {
                return Visibility::Retired;
            };
            return if group.holder == Some(binding.copy) {
                match group.phase {
                    Phase::Live => Visibility::Shown,
                    Phase::Ghost { .. } => Visibility::Retired,
                    Phase::Swapping { .. } => Visibility::Restoring,
                }
            } else if group.retired.contains(&binding.copy) {
                Visibility::Retired
            } else {
                Visibility::Restoring
            };
        }
        let parent_hidden = self
            .shell
            .parent_of(id)
            .is_some_and(|p| !self.shell.is_shown(p));
        let restoring = self
            .pid_of(id)
            .is_some_and(|pid| self.shell.expects_window(pid));
        if restoring || (parent_hidden && self.shell.group_of(id).is_some()) {
            Visibility::MayAsk
        } else {
            Visibility::Shown
        }
    }

    fn pid_of(&self, id: WindowId) -> Option<i32> {
        let surface = self.shell.window(id)?.wl_surface().id();
        Some(client::identity(&self.display.get_client(surface).ok()?)?.pid)
    }

    /// The window is bound (before or after its first configure, or its first buffer).
    pub fn bind_window(&mut self, id: WindowId, binding: Binding) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        window.binding = Some(binding);
        let mapped = window.mapped;
        if window.is_configured() {
            self.configure_as_ghost(id);
            if let Some(window) = self.shell.window(id) {
                window.send_pending();
            }
        }
        if mapped {
            self.decide_visibility(id);
            if self
                .shell
                .window(id)
                .is_some_and(|w| w.visibility != Visibility::Shown)
            {
                self.hide_window(id);
            }
        }
    }

    /// The window is an ordinary one from now on.
    pub fn unbind_window(&mut self, id: WindowId) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        let binding = window.binding.take();
        if window.mapped && window.visibility == Visibility::Restoring {
            self.show_window(id);
        }
        if let Some(binding) = binding {
            self.bound_window_gone(&binding);
        }
    }

    /// Asks a restored window for the size and state that its ghost has, before its first frame.
    pub(super) fn configure_as_ghost(&mut self, id: WindowId) {
        let Some(binding) = self.shell.window(id).and_then(|w| w.binding.clone()) else {
            return;
        };
        let held = self
            .shell
            .group(binding.group)
            .is_some_and(|g| g.holder == Some(binding.copy) && g.phase == Phase::Live);
        if held {
            return;
        }
        let Some(slot) = self.shell.counterpart(&binding) else {
            return;
        };
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        window.mode = WindowMode::of(&slot);
        let size = window.frame_margins().inner_size(size_of(slot.rect.size()));
        window.set_size(Some(size));
        window.window.set_mode(window.mode);
        // Toolkits draw a window that was never active as if it were (GTK): it is, until it has drawn once.
        window.window.set_activated(true);
    }

    /// After each commit of a window: `ready` takes effect.
    pub(super) fn bound_window_committed(&mut self, id: WindowId) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        let mapped = window.mapped;
        let Some(binding) = window.binding.as_mut() else {
            return;
        };
        if mapped {
            binding.ready |= std::mem::take(&mut binding.ready_pending);
        } else {
            binding.ready = false;
            binding.overdue = false;
        }
        let group = binding.group;
        if mapped {
            self.tell_restored_whether_active(id);
            self.try_swap(group);
        }
    }

    /// A hidden window that has drawn once is told whether it will be the active one.
    fn tell_restored_whether_active(&self, id: WindowId) {
        let active = self.will_be_active(id);
        if let Some(window) = self
            .shell
            .window(id)
            .filter(|w| w.visibility == Visibility::Restoring)
            && window.window.set_activated(active)
        {
            window.send_pending();
        }
    }

    /// Whether a window that is being restored has the focus once it is shown: its group has it.
    pub(super) fn will_be_active(&self, id: WindowId) -> bool {
        let group = self
            .shell
            .window(id)
            .and_then(|w| w.binding.as_ref())
            .map(|b| b.group);
        group.is_some() && self.shell.focus().and_then(|f| self.shell.group_of_item(f)) == group
    }

    /// A bound toplevel is gone.
    pub(super) fn bound_window_gone(&mut self, binding: &Binding) {
        self.try_swap(binding.group);
    }

    /// Shows a window that may be asking a question, unless it turns out to be a restored one.
    pub(super) fn show_later_if_unbound(&mut self, id: WindowId) {
        self.after(MAY_ASK, move |state| {
            let waits = state
                .shell
                .window(id)
                .is_some_and(|w| w.mapped && w.visibility == Visibility::MayAsk);
            if waits {
                tracing::debug!(?id, "an unbound window of a restoring client is shown");
                state.show_window(id);
                state.raise_and_focus(Item::Window(id));
            }
        });
    }

    /// Does not wait for `ready` for ever.
    pub(super) fn show_unready_later(&mut self, id: WindowId) {
        self.after(UNREADY, move |state| {
            let Some(window) = state.shell.window_mut(id) else {
                return;
            };
            let mapped = window.mapped;
            let Some(binding) = window.binding.as_mut() else {
                return;
            };
            if mapped && !binding.ready {
                binding.overdue = true;
                let group = binding.group;
                state.try_swap(group);
            }
        });
    }

    /// Runs `what` once, later.
    pub fn after(&mut self, delay: Duration, what: impl FnOnce(&mut Overwinter) + 'static) {
        let mut what = Some(what);
        let timer = self
            .handle
            .insert_source(Timer::from_duration(delay), move |_, (), state| {
                if let Some(what) = what.take() {
                    what(state);
                }
                TimeoutAction::Drop
            });
        if let Err(error) = timer {
            tracing::error!(%error, "a timer could not be armed");
        }
    }
}
