//! The compositor's own keys. They act at once, whatever is held, and are never queued.

use smithay::input::keyboard::{Keysym, ModifiersState};

use crate::state::Overwinter;

/// What a key of ours does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Alt+Tab.
    CycleForward,
    /// Alt+Shift+Tab.
    CycleBackward,
    /// Super+Q.
    Close,
    /// Super+Escape: takes our keys back from a window that wanted them for itself, or gives them again.
    ToggleShortcuts,
}

/// The binding of this key, if it is one.
pub fn binding(modifiers: &ModifiersState, sym: Keysym) -> Option<Action> {
    let (alt, logo) = (
        modifiers.alt && !modifiers.ctrl,
        modifiers.logo && !modifiers.ctrl,
    );
    match sym {
        Keysym::Tab if alt => Some(Action::CycleForward),
        Keysym::Tab | Keysym::ISO_Left_Tab if alt && modifiers.shift => Some(Action::CycleBackward),
        Keysym::ISO_Left_Tab if alt => Some(Action::CycleBackward),
        Keysym::Escape if logo => Some(Action::ToggleShortcuts),
        Keysym::q | Keysym::Q if logo => Some(Action::Close),
        _ => None,
    }
}

impl Overwinter {
    /// Does it.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::CycleForward => self.cycle_focus(false),
            Action::CycleBackward => self.cycle_focus(true),
            Action::Close => self.close_focused(),
            Action::ToggleShortcuts => self.toggle_shortcuts_inhibitor(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_need_their_modifier() {
        let none = ModifiersState::default();
        let alt = ModifiersState { alt: true, ..none };
        let back = ModifiersState { shift: true, ..alt };
        assert_eq!(binding(&none, Keysym::Tab), None);
        assert_eq!(binding(&alt, Keysym::Tab), Some(Action::CycleForward));
        assert_eq!(
            binding(&back, Keysym::ISO_Left_Tab),
            Some(Action::CycleBackward)
        );
        assert_eq!(binding(&none, Keysym::q), None);
    }
}
