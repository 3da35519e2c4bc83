//! Keys that wait: typed at a ghost, or at a group that is being migrated. They reach the new window in order, or nobody.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use overwinter_session::Event;
use overwinter_session::ids::GroupId;
use smithay::backend::input::KeyState;
use smithay::input::keyboard::{Keycode, ModifiersState};
use smithay::utils::SERIAL_COUNTER;

use super::Keymap;
use crate::shell::{Item, Shell};
use crate::state::Overwinter;

/// Presses. More than anyone types while a window wakes.
const MOST: usize = 256;
/// Who typed longer than this ago no longer expects the keys to arrive.
const LONGEST: Duration = Duration::from_secs(10);

/// A key that waits.
#[derive(Debug, Clone)]
pub struct HeldKey {
    /// The keymap (and so the layout) it was typed with.
    pub keymap: Keymap,
    /// xkb's code.
    pub code: Keycode,
    /// Down or up.
    pub state: KeyState,
    /// Modifiers before it.
    pub modifiers: ModifiersState,
    /// When it was typed, as clients see time.
    pub time: u32,
}

/// A group's queue.
#[derive(Debug, Default)]
pub struct HeldKeys {
    queue: VecDeque<HeldKey>,
    presses: usize,
    since: Option<Instant>,
    refusing: bool,
}

impl HeldKeys {
    /// Keeps a key; false when it is refused. The release of a kept press is always kept.
    fn push(&mut self, key: HeldKey) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if key.state == KeyState::Pressed {
            if self.presses >= MOST || since.elapsed() >= LONGEST {
                self.refusing = true;
                return false;
            }
            self.presses += 1;
        }
        self.queue.push_back(key);
        true
    }

    /// Whether a press of this key waits without its release.
    fn has_open_press(&self, code: Keycode) -> bool {
        let last = self.queue.iter().rev().find(|k| k.code == code);
        last.is_some_and(|k| k.state == KeyState::Pressed)
    }

    /// Whether later keys were refused.
    pub fn refusing(&self) -> bool {
        self.refusing
    }

    /// Drops everything: a failed wake redirects nothing.
    pub fn discard(&mut self) {
        *self = HeldKeys::default();
    }

    fn take(&mut self) -> VecDeque<HeldKey> {
        std::mem::take(self).queue
    }
}

impl Shell {
    /// The group in whose queue the release of this key belongs.
    pub fn group_that_holds(&self, code: Keycode) -> Option<GroupId> {
        self.group_ids()
            .find(|id| self.group(*id).is_some_and(|g| g.held.has_open_press(code)))
    }
}

impl Overwinter {
    /// Queues a key for a group; the first one typed at a ghost wakes it.
    pub(super) fn hold_key(&mut self, group: GroupId, key: HeldKey) {
        let pressed = key.state == KeyState::Pressed;
        let Some(state) = self.shell.group_mut(group) else {
            return;
        };
        let kept = state.held.push(key);
        let touched = pressed && state.touch();
        if !kept {
            tracing::warn!(?group, "a key is refused: too many wait, or for too long");
            self.shell.ghosts_changed(group);
            self.schedule_frame();
        }
        if touched {
            self.emit(Event::GhostTouched { group });
        }
    }

    /// Hands the queue to the group's window: focus first, then each key with the modifiers it was typed with, the present
    /// modifiers last.
    pub fn deliver_held(&mut self, group: GroupId) {
        // The keyboard is the locker's: they wait until it is unlocked.
        if self.shell.lock.is_some() {
            return;
        }
        let Some(keys) = self.shell.group_mut(group).map(|g| g.held.take()) else {
            return;
        };
        if keys.is_empty() {
            return;
        }
        let focused = self
            .shell
            .focus()
            .filter(|f| self.shell.group_of_item(*f) == Some(group));
        let window = match focused {
            Some(Item::Window(id)) => Some(id),
            _ => self.shell.shown_windows_of(group).last().copied(),
        };
        let surface = window
            .and_then(|id| self.shell.window(id))
            .map(|w| w.wl_surface().clone());
        let (Some(surface), Some(keyboard)) = (surface, self.seat.get_keyboard()) else {
            tracing::warn!(
                ?group,
                keys = keys.len(),
                "held keys are discarded: the group has no window"
            );
            return;
        };
        self.end_popup_grab_of_others(Some(&surface));
        let (present_keymap, present_modifiers) = (self.active_keymap(), keyboard.modifier_state());
        keyboard.set_focus(self, Some(surface), SERIAL_COUNTER.next_serial());
        for key in keys {
            if self.activate_keymap(&key.keymap) {
                self.impose_modifiers(key.modifiers);
                self.forward(key.code, key.state, key.time);
            }
        }
        self.activate_keymap(&present_keymap);
        self.impose_modifiers(present_modifiers);
        self.tell_modifiers();
        self.keyboard_refocus();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: u32, state: KeyState) -> HeldKey {
        HeldKey {
            keymap: Keymap::of(&overwinter_config::Keyboard::default()).unwrap(),
            code: Keycode::new(code),
            state,
            modifiers: ModifiersState::default(),
            time: 0,
        }
    }

    #[test]
    fn a_queue_takes_so_many_and_still_the_releases() {
        let mut held = HeldKeys::default();
        let press = key(38, KeyState::Pressed);
        for _ in 0..MOST {
            assert!(held.push(press.clone()));
        }
        assert!(!held.refusing());
        assert!(!held.push(press.clone()));
        assert!(held.refusing());
        assert!(held.has_open_press(press.code));
        assert!(held.push(HeldKey {
            state: KeyState::Released,
            ..press.clone()
        }));
        assert!(!held.has_open_press(press.code));
        assert_eq!(held.take().len(), MOST + 1);
        assert!(held.push(press), "an emptied queue takes keys again");
    }
}
