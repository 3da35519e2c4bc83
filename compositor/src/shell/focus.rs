//! Focus: click to focus and raise; when the focused window goes, the one that was used before takes over. The layout decides; here
//! it takes effect.

use overwinter_layout::Op;
use smithay::input::keyboard::ModifiersState;
use smithay::utils::SERIAL_COUNTER;
use wayland_server::protocol::wl_surface::WlSurface;

use overwinter_session::Event;

use super::{Item, Listener, Visibility, WindowId};
use crate::state::Overwinter;

/// Going round what had the focus, the latest first.
#[derive(Debug)]
pub(super) struct Cycle {
    order: Vec<overwinter_layout::WindowId>,
    at: usize,
}

impl Overwinter {
    /// Puts it on top and gives it the focus, wherever it is: what a click does. A modal dialog takes the focus instead of its
    /// parent.
    pub fn raise_and_focus(&mut self, item: Item) {
        if !self.shell.stands(item) {
            return;
        }
        self.shell.layers.let_go_of_keyboard();
        let mut ops = self.raise_siblings(item);
        ops.push(Op::Focus {
            window: item.name(),
            raise: true,
        });
        self.layout_all(ops);
        self.focus_moved();
        self.touch_ghost(item);
        self.pointer_refocus();
    }

    /// Ghosts of one group come up together: what raises the others, lowest first.
    pub(super) fn raise_siblings(&self, item: Item) -> Vec<Op> {
        let Item::Ghost(id) = item else {
            return Vec::new();
        };
        let group = self.shell.ghost(id).map(|g| g.group);
        let ghosts = group.map_or_else(Vec::new, |group| self.shell.ghosts_of(group));
        let others = ghosts.into_iter().filter(|g| *g != id);
        others.map(|g| Op::Raise(Item::Ghost(g).name())).collect()
    }

    /// A ghost that is clicked, focused by the user or typed at wants to wake.
    pub fn touch_ghost(&mut self, item: Item) {
        let Item::Ghost(id) = item else { return };
        let Some(group) = self.shell.ghost(id).map(|g| g.group) else {
            return;
        };
        if self.shell.groups.get_mut(&group).is_some_and(|g| g.touch()) {
            self.emit(Event::GhostTouched { group });
        }
    }

    /// Gives a window the focus, without raising it.
    pub(super) fn focus_window(&mut self, id: WindowId) {
        self.layout_all([Op::Focus {
            window: Item::Window(id).name(),
            raise: false,
        }]);
    }

    /// Something else has the focus: clients are told.
    pub(super) fn focus_moved(&mut self) {
        let surface = match self.shell.focus() {
            Some(Item::Window(id)) => self.shell.window(id),
            _ => None,
        };
        let surface = surface.map(|w| w.wl_surface().clone());
        self.end_popup_grab_of_others(surface.as_ref());
        self.refresh_activated();
        self.keyboard_refocus();
        // Its frame looks different.
        self.schedule_frame();
    }

    /// Tells each window whether it is the active one. One that a fence took the focus from goes on looking active: its
    /// picture is about to be taken, and is to be what the user saw.
    pub fn refresh_activated(&mut self) {
        let pictured: Vec<_> = self
            .shell
            .groups
            .values()
            .filter_map(|g| g.had_focus)
            .collect();
        let focus = self.shell.focus();
        for window in self.shell.windows.values() {
            let active = focus == Some(Item::Window(window.id)) || pictured.contains(&window.id);
            if window.window.set_activated(active) && window.is_configured() {
                window.send_pending();
            }
        }
    }

    /// Brings the keyboard's Wayland focus in line with the shell's: nothing while the group's input is held.
    pub fn keyboard_refocus(&mut self) {
        let surface = match self.shell.listener() {
            Listener::Locker(surface) => surface,
            Listener::Layer(surface) => Some(surface),
            Listener::Item(Item::Window(id)) => self.surface_for_keys(id),
            Listener::Item(Item::Ghost(_)) | Listener::Nobody => None,
        };
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        let old = keyboard.current_focus();
        if old != surface {
            if [&old, &surface]
                .into_iter()
                .flatten()
                .any(|s| !self.hears(s))
            {
                self.input.focus_moved = true;
                return;
            }
            keyboard.set_focus(self, surface, SERIAL_COUNTER.next_serial());
            self.review_constraint();
        }
    }

    /// The focused window's surface, unless its group's keys are held.
    fn surface_for_keys(&self, id: WindowId) -> Option<WlSurface> {
        let group = self.shell.group_of(id).and_then(|g| self.shell.group(g));
        if group.is_some_and(|g| g.holds_keys()) {
            return None;
        }
        let window = self.shell.window(id)?;
        Some(window.wl_surface().clone())
    }

    /// If nothing has the focus, the window that was used last takes it. Ghosts do not: nobody touched them.
    pub(super) fn inherit_focus(&mut self) {
        self.layout_all([Op::Inherit]);
    }

    /// Alt+Tab: goes on to what had the focus before that, with Shift back. The order is that of the moment in which it began; what
    /// is meant comes to the top, and has the focus once no modifier is held any more. So ghosts that are passed over sleep on.
    pub fn cycle_focus(&mut self, backwards: bool) {
        let mut cycle = self.shell.cycle.take().unwrap_or_else(|| Cycle {
            order: self.shell.desktop.recent(),
            at: 0,
        });
        let desktop = &self.shell.desktop;
        let meant = cycle.order.get(cycle.at).copied();
        cycle.order.retain(|w| desktop.window(*w).is_some());
        let at = meant.and_then(|w| cycle.order.iter().position(|o| *o == w));
        let count = cycle.order.len();
        if count == 0 {
            return;
        }
        let step = if backwards { count - 1 } else { 1 };
        cycle.at = (at.unwrap_or(0) + step) % count;
        let meant = cycle.order[cycle.at];
        self.shell.cycle = Some(cycle);
        self.layout_all([Op::Raise(meant)]);
        let modifiers = self.seat.get_keyboard().map(|k| k.modifier_state());
        self.end_cycle_unless(&modifiers.unwrap_or_default());
    }

    /// Modifiers are held or not: when none is, what Alt+Tab came to has the focus.
    pub fn end_cycle_unless(&mut self, held: &ModifiersState) {
        if held.alt || held.logo || held.ctrl {
            return;
        }
        let Some(cycle) = self.shell.cycle.take() else {
            return;
        };
        let meant = cycle.order.get(cycle.at);
        if let Some(item) = meant.and_then(|name| self.shell.item_of(*name)) {
            self.raise_and_focus(item);
        }
    }

    /// Super+Q: asks the focused window to close.
    pub fn close_focused(&mut self) {
        if let Some(Item::Window(id)) = self.shell.focus()
            && let Some(window) = self.shell.window(id)
        {
            window.close();
        }
    }

    /// Decides whether a window that got its first buffer is shown.
    pub fn decide_visibility(&mut self, id: WindowId) {
        let visibility = self.visibility_of(id);
        if let Some(window) = self.shell.window_mut(id) {
            window.visibility = visibility;
        }
        match visibility {
            Visibility::MayAsk => self.show_later_if_unbound(id),
            Visibility::Restoring => self.show_unready_later(id),
            Visibility::Shown | Visibility::Retired => {}
        }
    }
}
