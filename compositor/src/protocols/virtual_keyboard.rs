//! zwp_virtual_keyboard_v1: keyboards that are programs. Each brings its own keymap (wtype's has one key for each letter of
//! its text); its keys go the way of all input.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use smithay::backend::input::KeyState;
use smithay::input::keyboard::Keycode;
use smithay::reexports::wayland_protocols_misc::zwp_virtual_keyboard_v1::server::zwp_virtual_keyboard_manager_v1::{
    self, ZwpVirtualKeyboardManagerV1,
};
use smithay::reexports::wayland_protocols_misc::zwp_virtual_keyboard_v1::server::zwp_virtual_keyboard_v1::{
    self, ZwpVirtualKeyboardV1,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_keyboard::KeymapFormat;
use wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource};

use crate::client::is_privileged;
use crate::input::Keymap;
use crate::state::Overwinter;

/// Keymaps of real layouts have some 60 KiB.
const LARGEST_KEYMAP: u32 = 1 << 20;
/// xkb's codes are evdev's plus 8.
const XKB_OFFSET: u32 = 8;

/// What a virtual keyboard brought and holds down.
#[derive(Debug, Default)]
pub struct VirtualKeyboard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keymap: Option<Keymap>,
    pressed: BTreeSet<u32>,
}

/// Announces the manager.
pub fn create_global(display: &DisplayHandle) {
    display.create_global::<Overwinter, ZwpVirtualKeyboardManagerV1, ()>(1, ());
}

impl GlobalDispatch<ZwpVirtualKeyboardManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ZwpVirtualKeyboardManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ZwpVirtualKeyboardManagerV1, ()> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ZwpVirtualKeyboardManagerV1,
        request: zwp_virtual_keyboard_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        // There is one seat, so whichever seat object is named is ours.
        if let zwp_virtual_keyboard_manager_v1::Request::CreateVirtualKeyboard { id, .. } = request
        {
            data_init.init(id, VirtualKeyboard::default());
        }
    }
}

impl Dispatch<ZwpVirtualKeyboardV1, VirtualKeyboard> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        resource: &ZwpVirtualKeyboardV1,
        request: zwp_virtual_keyboard_v1::Request,
        data: &VirtualKeyboard,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use zwp_virtual_keyboard_v1::Request;
        match request {
            Request::Keymap { format, fd, size } => match read_keymap(format, fd, size) {
                Ok(keymap) => data.lock().keymap = Some(keymap),
                Err(why) => tracing::warn!(why, "a virtual keyboard's keymap cannot be used"),
            },
            Request::Key { time, key, state } => {
                let Some(keymap) = data.keymap_or_error(resource) else {
                    return;
                };
                let Some(code) = key.checked_add(XKB_OFFSET).filter(|c| *c <= 0xffff) else {
                    return;
                };
                let state = if state == 1 {
                    KeyState::Pressed
                } else {
                    KeyState::Released
                };
                let changes = match state {
                    KeyState::Pressed => data.lock().pressed.insert(code),
                    KeyState::Released => data.lock().pressed.remove(&code),
                };
                if changes && this.is_grabbing_input_method(&client.id()) {
                    this.key_of_input_method(&keymap, Keycode::new(code), state, time);
                } else if changes {
                    this.key(&keymap, Keycode::new(code), state, time);
                }
            }
            Request::Modifiers {
                mods_depressed,
                mods_latched,
                mods_locked,
                group,
            } => {
                let Some(keymap) = data.keymap_or_error(resource) else {
                    return;
                };
                this.set_modifiers(&keymap, mods_depressed, mods_latched, mods_locked, group);
            }
            _ => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, _: &ZwpVirtualKeyboardV1, data: &VirtualKeyboard) {
        let state = std::mem::take(&mut *data.lock());
        if let Some(keymap) = state.keymap {
            let pressed: Vec<_> = state.pressed.into_iter().map(Keycode::new).collect();
            this.keyboard_gone(&keymap, &pressed);
        }
    }
}

impl VirtualKeyboard {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keymap_or_error(&self, resource: &ZwpVirtualKeyboardV1) -> Option<Keymap> {
        let keymap = self.lock().keymap.clone();
        if keymap.is_none() {
            resource.post_error(
                zwp_virtual_keyboard_v1::Error::NoKeymap,
                "no usable keymap was set",
            );
        }
        keymap
    }
}

fn read_keymap(format: u32, fd: OwnedFd, size: u32) -> Result<Keymap, &'static str> {
    if format != KeymapFormat::XkbV1 as u32 {
        return Err("it is not in xkb's text format");
    }
    if size == 0 || size > LARGEST_KEYMAP {
        return Err("its size is out of bounds");
    }
    let mut bytes = vec![0; size as usize];
    // Read, not mapped: the sender may truncate the file at any time.
    File::from(fd)
        .read_exact_at(&mut bytes, 0)
        .map_err(|_| "its file is shorter than it says")?;
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "it is not text")?;
    Keymap::from_text(text).ok_or("it does not compile")
}
