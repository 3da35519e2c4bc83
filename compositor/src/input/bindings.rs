//! Which key does what: the compositor's own keys, as `[keys]` of the configuration says. They act at once, whatever is held,
//! and are never queued.

use std::collections::BTreeMap;

use overwinter_config::{Action, Chord};
use smithay::input::keyboard::{Keysym, ModifiersState};

/// A key that goes down.
#[derive(Debug, Clone, Copy)]
pub struct Pressed<'a> {
    /// What is held with it.
    pub modifiers: &'a ModifiersState,
    /// What the key is without any modifier, in the current layout.
    pub plain: Option<Keysym>,
    /// The same in a Latin layout: bindings work in a Greek one, too.
    pub latin: Option<Keysym>,
    /// What the modifiers make of it.
    pub modified: Keysym,
}

/// The binding of this key, if it has one.
///
/// A chord names the key without Shift (`Super+Shift+1`). What Shift makes of a key can be named as well, without Shift
/// (`Super+plus`).
pub fn binding<'a>(keys: &'a BTreeMap<Chord, Action>, key: &Pressed<'_>) -> Option<&'a Action> {
    let find = |shift: bool, sym: Keysym| {
        // A keyboard of one key each (wtype's) has Shift+Tab as a key of its own.
        let (shift, sym) = match sym {
            Keysym::ISO_Left_Tab => (true, Keysym::Tab),
            _ => (shift, lower(sym)),
        };
        keys.get(&Chord {
            logo: key.modifiers.logo,
            ctrl: key.modifiers.ctrl,
            alt: key.modifiers.alt,
            shift,
            keysym: sym.raw(),
        })
    };
    let held = key.modifiers.shift;
    let named = [key.plain, key.latin, Some(key.modified)];
    let found = named.into_iter().flatten().find_map(|sym| find(held, sym));
    found.or_else(|| {
        // A capital letter is its letter with Shift, and that was not found.
        let other = key.plain.map(lower) != Some(lower(key.modified));
        (held && other).then(|| find(false, key.modified)).flatten()
    })
}

/// Letters as they are without Shift, as configurations name them.
fn lower(sym: Keysym) -> Keysym {
    match sym.key_char() {
        Some(letter) if letter.is_ascii_uppercase() => {
            Keysym::new(u32::from(letter.to_ascii_lowercase()))
        }
        _ => sym,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: ModifiersState = ModifiersState {
        ctrl: false,
        alt: false,
        shift: false,
        caps_lock: false,
        logo: false,
        num_lock: false,
        iso_level3_shift: false,
        iso_level5_shift: false,
        serialized: smithay::input::keyboard::SerializedMods {
            depressed: 0,
            latched: 0,
            locked: 0,
            layout_effective: 0,
        },
    };

    fn chord(logo: bool, alt: bool, shift: bool, keysym: Keysym) -> Chord {
        Chord {
            logo,
            ctrl: false,
            alt,
            shift,
            keysym: keysym.raw(),
        }
    }

    fn press(modifiers: ModifiersState, plain: Keysym, modified: Keysym) -> Option<Action> {
        let keys = BTreeMap::from([
            (chord(false, true, false, Keysym::Tab), Action::NextWindow),
            (
                chord(false, true, true, Keysym::Tab),
                Action::PreviousWindow,
            ),
            (chord(true, false, false, Keysym::q), Action::Close),
            (chord(true, false, false, Keysym::plus), Action::Reload),
            (chord(true, false, true, Keysym::_1), Action::Quit),
        ]);
        let pressed = Pressed {
            modifiers: &modifiers,
            plain: Some(plain),
            latin: None,
            modified,
        };
        binding(&keys, &pressed).cloned()
    }

    #[test]
    fn bindings_need_exactly_their_modifiers() {
        let alt = ModifiersState { alt: true, ..NONE };
        let logo = ModifiersState { logo: true, ..NONE };
        let both = ModifiersState { alt: true, ..logo };
        assert_eq!(press(NONE, Keysym::Tab, Keysym::Tab), None);
        assert_eq!(
            press(alt, Keysym::Tab, Keysym::Tab),
            Some(Action::NextWindow)
        );
        assert_eq!(press(both, Keysym::Tab, Keysym::Tab), None);
        assert_eq!(press(logo, Keysym::q, Keysym::q), Some(Action::Close));
        assert_eq!(press(NONE, Keysym::q, Keysym::q), None);
    }

    #[test]
    fn shift_counts_by_the_key_or_by_what_it_makes_of_it() {
        let logo = ModifiersState { logo: true, ..NONE };
        let shift = ModifiersState {
            shift: true,
            ..logo
        };
        assert_eq!(
            press(shift, Keysym::equal, Keysym::plus),
            Some(Action::Reload)
        );
        assert_eq!(
            press(logo, Keysym::plus, Keysym::plus),
            Some(Action::Reload)
        );
        assert_eq!(press(logo, Keysym::equal, Keysym::equal), None);
        assert_eq!(press(shift, Keysym::_1, Keysym::exclam), Some(Action::Quit));
        assert_eq!(press(logo, Keysym::_1, Keysym::_1), None);
        // Caps Lock, or a keyboard that has capital letters only.
        assert_eq!(press(logo, Keysym::q, Keysym::Q), Some(Action::Close));
        assert_eq!(press(logo, Keysym::Q, Keysym::Q), Some(Action::Close));
        assert_eq!(press(shift, Keysym::q, Keysym::Q), None);
        let back = ModifiersState {
            alt: true,
            shift: true,
            ..NONE
        };
        assert_eq!(
            press(back, Keysym::Tab, Keysym::ISO_Left_Tab),
            Some(Action::PreviousWindow)
        );
        let alt = ModifiersState { alt: true, ..NONE };
        let own = Keysym::ISO_Left_Tab;
        assert_eq!(press(alt, own, own), Some(Action::PreviousWindow));
    }
}
