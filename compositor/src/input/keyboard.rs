//! Keys: from any keyboard, with that keyboard's keymap, to a binding, a queue or the focused client.

use std::sync::Arc;

use overwinter_config::{Action, Keyboard};
use smithay::backend::input::KeyState;
use smithay::input::keyboard::{
    KeyboardTarget, Keycode, KeysymHandle, ModifiersState, XkbConfig, xkb,
};
use smithay::utils::SERIAL_COUNTER;
use smithay::wayland::input_method::InputMethodSeat;
use wayland_server::Resource;
use wayland_server::backend::ClientId;

use overwinter_session::ids::GroupId;

use super::bindings::{Pressed, binding};
use super::held::HeldKey;
use crate::shell::{Item, Listener};
use crate::state::Overwinter;

/// A keymap as text (XKB_KEYMAP_FORMAT_TEXT_V1). Cheap to clone; the same text is the same keymap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap(Arc<str>);

impl Keymap {
    /// Takes a keymap that a virtual keyboard brings, if it compiles.
    pub fn from_text(text: &str) -> Option<Keymap> {
        let context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
        let format = xkb::KEYMAP_FORMAT_TEXT_V1;
        xkb::Keymap::new_from_string(
            &context,
            text.to_owned(),
            format,
            xkb::KEYMAP_COMPILE_NO_FLAGS,
        )?;
        Some(Keymap(text.into()))
    }

    /// The keymap of this keyboard, if XKB knows such a one.
    pub fn of(keyboard: &Keyboard) -> Option<Keymap> {
        let config = xkb_config(keyboard);
        let words = [config.layout, config.variant, config.model];
        let mut all = words.into_iter().chain(config.options.as_deref());
        // The binding makes C strings of them.
        if all.any(|word| word.contains('\0')) {
            return None;
        }
        drop(all);
        let context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
        let keymap = xkb::Keymap::new_from_names(
            &context,
            config.rules,
            config.model,
            config.layout,
            config.variant,
            config.options.clone(),
            xkb::KEYMAP_COMPILE_NO_FLAGS,
        )?;
        Some(Keymap(
            keymap.get_as_string(xkb::KEYMAP_FORMAT_TEXT_V1).into(),
        ))
    }
}

/// In xkbcommon's words. What is empty is its default: the environment's `XKB_DEFAULT_*`, or its own.
pub(super) fn xkb_config(keyboard: &Keyboard) -> XkbConfig<'_> {
    XkbConfig {
        rules: "",
        model: &keyboard.model,
        layout: &keyboard.layout,
        variant: &keyboard.variant,
        options: Some(keyboard.options.join(",")),
    }
}

/// xkb's codes are evdev's plus 8.
const XKB_OFFSET: u32 = 8;

/// Where a key goes.
enum Route {
    Ours(Action),
    Held(GroupId),
    Client,
    Nowhere,
}

impl Overwinter {
    /// A key of a keyboard that has this keymap. `code` is xkb's (evdev's plus 8).
    pub fn key(&mut self, keymap: &Keymap, code: Keycode, state: KeyState, time: u32) {
        if !self.activate_keymap(keymap) {
            return;
        }
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        self.user_is_there();
        if self.shell.lock.is_some() && keyboard.is_grabbed() {
            // What is typed at a lock is for nobody else, an input method included.
            keyboard.unset_grab(self);
        }
        let before = keyboard.modifier_state();
        let (route, modifiers_changed) =
            keyboard.input_intercept(self, code, state, |this, modifiers, handle| {
                this.route(code, state, modifiers, &handle)
            });
        match route {
            Route::Ours(action) => {
                if let Err(why) = self.act(&action) {
                    tracing::info!(?action, "{why}");
                }
            }
            Route::Client => {
                match state {
                    KeyState::Pressed => self.input.sent.insert(code),
                    KeyState::Released => self.input.sent.remove(&code),
                };
                let serial = SERIAL_COUNTER.next_serial();
                keyboard.input_forward(self, code, state, serial, time, modifiers_changed);
            }
            Route::Held(group) => {
                let keymap = keymap.clone();
                self.hold_key(
                    group,
                    HeldKey {
                        keymap,
                        code,
                        state,
                        modifiers: before,
                        time,
                    },
                );
            }
            Route::Nowhere => {}
        }
        self.end_cycle_unless(&keyboard.modifier_state());
    }

    fn route(
        &self,
        code: Keycode,
        state: KeyState,
        modifiers: &ModifiersState,
        handle: &KeysymHandle<'_>,
    ) -> Route {
        if state == KeyState::Released {
            // A release goes where its press went.
            return if self.input.sent.contains(&code) {
                Route::Client
            } else {
                self.shell
                    .group_that_holds(code)
                    .map_or(Route::Nowhere, Route::Held)
            };
        }
        let pressed = Pressed {
            modifiers,
            plain: handle.raw_syms().first().copied(),
            latin: handle.raw_latin_sym_or_raw_current_sym(),
            modified: handle.modified_sym(),
        };
        let action = binding(&self.config.keys, &pressed);
        let listener = self.shell.listener();
        if matches!(listener, Listener::Locker(_)) {
            // A password may have to be typed with another layout.
            return match action {
                Some(Action::NextKeyboardLayout) => Route::Ours(Action::NextKeyboardLayout),
                _ => Route::Client,
            };
        }
        if let Some(action) = action
            && (*action == Action::ToggleShortcuts || !self.shortcuts_inhibited())
        {
            return Route::Ours(action.clone());
        }
        let Listener::Item(item) = listener else {
            return Route::Client;
        };
        match self.shell.group_of_item(item) {
            Some(id) if self.shell.group(id).is_some_and(|g| g.holds_keys()) => Route::Held(id),
            _ if matches!(item, Item::Ghost(_)) => Route::Nowhere,
            _ => Route::Client,
        }
    }

    /// Modifiers that a virtual keyboard sets outright.
    pub fn set_modifiers(
        &mut self,
        keymap: &Keymap,
        depressed: u32,
        latched: u32,
        locked: u32,
        layout: u32,
    ) {
        if !self.activate_keymap(keymap) {
            return;
        }
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        let modifiers = keyboard.with_xkb_state(self, |context| {
            let Ok(xkb) = context.xkb().lock() else {
                return ModifiersState::default();
            };
            // SAFETY: the keymap is used for a scratch state that does not outlive this closure.
            let mut scratch = xkb::State::new(unsafe { xkb.keymap() });
            scratch.update_mask(depressed, latched, locked, 0, 0, layout);
            let mut modifiers = ModifiersState::default();
            modifiers.update_with(&scratch);
            modifiers
        });
        self.impose_modifiers(modifiers);
        self.end_cycle_unless(&modifiers);
    }

    /// Makes these the seat's modifiers and tells the focused client.
    pub(super) fn impose_modifiers(&mut self, modifiers: ModifiersState) {
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        if keyboard.set_modifier_state(modifiers) != 0 {
            self.tell_modifiers();
        }
    }

    /// Tells the focused client what the modifiers are.
    pub(super) fn tell_modifiers(&mut self) {
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        let now = keyboard.modifier_state();
        if let Some(focus) = keyboard.current_focus() {
            let seat = self.seat.clone();
            KeyboardTarget::modifiers(&focus, &seat, self, now, SERIAL_COUNTER.next_serial());
        }
    }

    /// Makes a keyboard's keymap the one that clients read keys by; true when it is.
    pub(super) fn activate_keymap(&mut self, keymap: &Keymap) -> bool {
        if self.input.active == *keymap {
            return true;
        }
        let Some(keyboard) = self.seat.get_keyboard() else {
            return false;
        };
        match keyboard.set_keymap_from_string(self, keymap.0.to_string()) {
            Ok(()) => {
                self.input.active = keymap.clone();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a virtual keyboard's keymap cannot be used: its keys are ignored");
                false
            }
        }
    }

    /// Real keyboards have this keymap from now on.
    pub fn change_seat_keymap(&mut self, keymap: Keymap) {
        let real = self.input.active == self.input.seat_keymap;
        self.input.seat_keymap = keymap.clone();
        if real {
            self.activate_keymap(&keymap);
        }
    }

    /// The next layout of real keyboards, after the last one the first.
    pub fn next_keyboard_layout(&mut self) -> Result<(), String> {
        let keymap = self.input.seat_keymap.clone();
        self.activate_keymap(&keymap);
        let keyboard = self.seat.get_keyboard();
        let keyboard = keyboard.ok_or("there is no keyboard")?;
        let several = keyboard.with_xkb_state(self, |mut context| {
            let several = context
                .xkb()
                .lock()
                .is_ok_and(|xkb| xkb.layouts().count() > 1);
            if several {
                context.cycle_next_layout();
            }
            several
        });
        if several {
            Ok(())
        } else {
            Err("there is only one layout: write several into [keyboard] layout, \"us,de\"".into())
        }
    }

    /// Num Lock on or off.
    pub fn lock_numbers(&mut self, on: bool) {
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        let num_lock = on;
        self.impose_modifiers(ModifiersState {
            num_lock,
            ..keyboard.modifier_state()
        });
    }

    /// The keymap that clients read keys by at the moment.
    pub(super) fn active_keymap(&self) -> Keymap {
        self.input.active.clone()
    }

    /// Whether this client is the input method that has the keyboard now.
    pub fn is_grabbing_input_method(&self, client: &ClientId) -> bool {
        let method = self.input.input_method.as_ref().and_then(|m| m.client());
        method.is_some_and(|method| method.id() == *client)
            && self.seat.input_method().keyboard_grabbed()
    }

    /// A key of the input method that grabbed the keyboard: it goes past that grab, or it would come back to the input method.
    pub fn key_of_input_method(
        &mut self,
        keymap: &Keymap,
        code: Keycode,
        state: KeyState,
        time: u32,
    ) {
        if !self.activate_keymap(keymap) {
            return;
        }
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        let focus = keyboard.current_focus();
        let Some(client) = focus.and_then(|f| self.display.get_client(f.id()).ok()) else {
            return;
        };
        let serial = SERIAL_COUNTER.next_serial();
        for resource in keyboard.client_keyboards(&client) {
            let code = code.raw().saturating_sub(XKB_OFFSET);
            resource.key(serial.into(), time, code, state.into());
        }
    }

    /// A keyboard goes away: what it holds down is released.
    pub fn keyboard_gone(&mut self, keymap: &Keymap, pressed: &[Keycode]) {
        let time = self.now_ms();
        for code in pressed {
            self.key(keymap, *code, KeyState::Released, time);
        }
    }

    /// Sends one key to the focused client, past bindings and queues.
    pub(super) fn forward(&mut self, code: Keycode, state: KeyState, time: u32) {
        let Some(keyboard) = self.seat.get_keyboard() else {
            return;
        };
        match state {
            KeyState::Pressed => self.input.sent.insert(code),
            KeyState::Released => self.input.sent.remove(&code),
        };
        keyboard.input_forward(self, code, state, SERIAL_COUNTER.next_serial(), time, false);
    }
}
