//! keyboard-shortcuts-inhibit: a window that shows another desktop wants our keys, too. It gets them while it has the focus;
//! Super+Escape takes them back.

use smithay::delegate_keyboard_shortcuts_inhibit;
use smithay::wayland::keyboard_shortcuts_inhibit::{
    KeyboardShortcutsInhibitHandler, KeyboardShortcutsInhibitState, KeyboardShortcutsInhibitor,
    KeyboardShortcutsInhibitorSeat,
};

use crate::state::Overwinter;

impl KeyboardShortcutsInhibitHandler for Overwinter {
    fn keyboard_shortcuts_inhibit_state(&mut self) -> &mut KeyboardShortcutsInhibitState {
        &mut self.protocols.shortcuts_inhibit
    }

    fn new_inhibitor(&mut self, inhibitor: KeyboardShortcutsInhibitor) {
        inhibitor.activate();
    }
}

impl Overwinter {
    fn focused_inhibitor(&self) -> Option<KeyboardShortcutsInhibitor> {
        let focus = self.seat.get_keyboard()?.current_focus()?;
        self.seat.keyboard_shortcuts_inhibitor_for_surface(&focus)
    }

    /// Whether our keys are the focused window's at the moment.
    pub fn shortcuts_inhibited(&self) -> bool {
        self.focused_inhibitor().is_some_and(|i| i.is_active())
    }

    /// Takes our keys back from the focused window, or gives them to it again.
    pub fn toggle_shortcuts_inhibitor(&self) {
        match self.focused_inhibitor() {
            Some(inhibitor) if inhibitor.is_active() => inhibitor.inactivate(),
            Some(inhibitor) => inhibitor.activate(),
            None => {}
        }
    }
}

delegate_keyboard_shortcuts_inhibit!(Overwinter);
