//! Hands on the session: a Wayland client with a virtual pointer and a virtual keyboard. What it does goes the way that a
//! real mouse and keyboard go in the compositor.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_client::protocol::{wl_callback, wl_keyboard, wl_pointer, wl_registry, wl_seat};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, delegate_noop};
use wayland_protocols_misc::zwp_virtual_keyboard_v1::client::{
    zwp_virtual_keyboard_manager_v1::ZwpVirtualKeyboardManagerV1,
    zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1,
};
use wayland_protocols_wlr::virtual_pointer::v1::client::{
    zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1,
    zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1,
};

use crate::session::Session;

/// The compositor answers at once; this bounds one that hangs.
const ANSWER: Duration = Duration::from_secs(10);

/// linux/input-event-codes.h
const BTN_LEFT: u32 = 0x110;

/// A US layout in words that every xkb compiler resolves itself.
const KEYMAP: &str = "xkb_keymap {
    xkb_keycodes { include \"evdev+aliases(qwerty)\" };
    xkb_types { include \"complete\" };
    xkb_compat { include \"complete\" };
    xkb_symbols { include \"pc+us+inet(evdev)\" };
};\n";

/// Modifiers as bits of xkb's real modifiers.
pub mod modifier {
    /// Shift.
    pub const SHIFT: u32 = 1;
    /// Control.
    pub const CTRL: u32 = 4;
    /// Alt (Mod1).
    pub const ALT: u32 = 8;
    /// Super (Mod4).
    pub const SUPER: u32 = 64;
}

/// Keys by their evdev codes.
pub mod key {
    #![allow(missing_docs, reason = "linux/input-event-codes.h has the same names")]
    pub const ESC: u32 = 1;
    pub const BACKSPACE: u32 = 14;
    pub const TAB: u32 = 15;
    pub const ENTER: u32 = 28;
    pub const LEFT_CTRL: u32 = 29;
    pub const LEFT_SHIFT: u32 = 42;
    pub const LEFT_ALT: u32 = 56;
    pub const HOME: u32 = 102;
    pub const UP: u32 = 103;
    pub const PAGE_UP: u32 = 104;
    pub const LEFT: u32 = 105;
    pub const RIGHT: u32 = 106;
    pub const END: u32 = 107;
    pub const DOWN: u32 = 108;
    pub const PAGE_DOWN: u32 = 109;
    pub const DELETE: u32 = 111;
    pub const LEFT_META: u32 = 125;
    pub const A: u32 = 30;
    pub const C: u32 = 46;
    pub const Y: u32 = 21;
    pub const Z: u32 = 44;
}

#[derive(Default)]
struct Globals {
    seat: Option<wl_seat::WlSeat>,
    pointers: Option<ZwlrVirtualPointerManagerV1>,
    keyboards: Option<ZwpVirtualKeyboardManagerV1>,
    done: bool,
}

/// A mouse and a keyboard.
pub struct Hands {
    connection: Connection,
    queue: EventQueue<Globals>,
    globals: Globals,
    pointer: ZwlrVirtualPointerV1,
    keyboard: ZwpVirtualKeyboardV1,
    /// Size of the output, for absolute motion.
    extent: (u32, u32),
    /// Event times, milliseconds: each event is one later than the former, whatever the machine's speed.
    time: u32,
}

impl Hands {
    /// Plugs both in.
    ///
    /// # Errors
    /// When the compositor cannot be reached or knows no virtual devices.
    pub fn new(session: &Session) -> Result<Self> {
        let socket = session.wayland_socket();
        let stream = UnixStream::connect(&socket)
            .with_context(|| format!("connecting to {}", socket.display()))?;
        let connection = Connection::from_socket(stream)?;
        let mut queue = connection.new_event_queue();
        let handle = queue.handle();
        connection.display().get_registry(&handle, ());
        let mut globals = Globals::default();
        round_trip(&connection, &mut queue, &mut globals)?;
        let seat = globals.seat.clone().context("no seat")?;
        let pointers = globals
            .pointers
            .as_ref()
            .context("no zwlr_virtual_pointer_manager_v1")?;
        let keyboards = globals
            .keyboards
            .as_ref()
            .context("no zwp_virtual_keyboard_manager_v1")?;
        let pointer = pointers.create_virtual_pointer(Some(&seat), &handle, ());
        let keyboard = keyboards.create_virtual_keyboard(&seat, &handle, ());
        let mut file = tempfile::tempfile()?;
        file.write_all(KEYMAP.as_bytes())?;
        file.write_all(&[0])?;
        let length = u32::try_from(KEYMAP.len() + 1)?;
        keyboard.keymap(1, file.as_fd(), length);
        let mut hands = Hands {
            connection,
            queue,
            globals,
            pointer,
            keyboard,
            extent: (1280, 800),
            time: 1000,
        };
        hands.settle()?;
        Ok(hands)
    }

    /// The output has this size from now on; before that it is the usual one of a headless session.
    pub fn set_extent(&mut self, width: u32, height: u32) {
        self.extent = (width, height);
    }

    /// Moves the pointer.
    ///
    /// # Errors
    /// When the compositor is gone or does not answer.
    pub fn point(&mut self, (x, y): (u32, u32)) -> Result<()> {
        let time = self.tick();
        self.pointer
            .motion_absolute(time, x, y, self.extent.0, self.extent.1);
        self.pointer.frame();
        self.settle()
    }

    /// Moves there and clicks once with the left button.
    ///
    /// # Errors
    /// See [`Hands::point`].
    pub fn click(&mut self, at: (u32, u32)) -> Result<()> {
        self.point(at)?;
        self.button(true)?;
        self.button(false)
    }

    /// Presses the left button at one place and lets go at another.
    ///
    /// # Errors
    /// See [`Hands::point`].
    pub fn drag(&mut self, from: (u32, u32), to: (u32, u32)) -> Result<()> {
        self.point(from)?;
        self.button(true)?;
        for step in 1..=8_i64 {
            let between = |a: u32, b: u32| {
                let (a, b) = (i64::from(a), i64::from(b));
                u32::try_from(a + (b - a) * step / 8).unwrap_or(0)
            };
            self.point((between(from.0, to.0), between(from.1, to.1)))?;
        }
        self.button(false)
    }

    /// Turns the wheel; positive is down.
    ///
    /// # Errors
    /// See [`Hands::point`].
    pub fn scroll(&mut self, notches: i32) -> Result<()> {
        for _ in 0..notches.unsigned_abs() {
            let time = self.tick();
            let sign = notches.signum();
            self.pointer.axis_source(wl_pointer::AxisSource::Wheel);
            self.pointer.axis_discrete(
                time,
                wl_pointer::Axis::VerticalScroll,
                f64::from(sign) * 15.0,
                sign,
            );
            self.pointer.frame();
            self.settle()?;
        }
        Ok(())
    }

    /// Presses and releases a key while modifiers are held.
    ///
    /// # Errors
    /// See [`Hands::point`].
    pub fn tap(&mut self, modifiers: u32, code: u32) -> Result<()> {
        let held = [
            (modifier::SHIFT, key::LEFT_SHIFT),
            (modifier::CTRL, key::LEFT_CTRL),
            (modifier::ALT, key::LEFT_ALT),
            (modifier::SUPER, key::LEFT_META),
        ];
        let held: Vec<u32> = held
            .iter()
            .filter(|(bit, _)| modifiers & bit != 0)
            .map(|h| h.1)
            .collect();
        for code in &held {
            self.key(*code, true);
        }
        if !held.is_empty() {
            self.keyboard.modifiers(modifiers, 0, 0, 0);
        }
        self.key(code, true);
        self.key(code, false);
        for code in held.iter().rev() {
            self.key(*code, false);
        }
        if !held.is_empty() {
            self.keyboard.modifiers(0, 0, 0, 0);
        }
        self.settle()
    }

    /// Presses a key and leaves it held, or lets go of it.
    ///
    /// # Errors
    /// See [`Hands::point`].
    pub fn hold(&mut self, code: u32, down: bool) -> Result<()> {
        self.key(code, down);
        self.settle()
    }

    /// Says which modifiers are down, for keys that are held by [`Hands::hold`].
    ///
    /// # Errors
    /// See [`Hands::point`].
    pub fn set_modifiers(&mut self, modifiers: u32) -> Result<()> {
        self.keyboard.modifiers(modifiers, 0, 0, 0);
        self.settle()
    }

    /// Types text of letters, digits, blanks and the common signs of a US keyboard; `\n` is Enter.
    ///
    /// # Errors
    /// See [`Hands::point`]; and for a sign that is not on this keyboard.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        for sign in text.chars() {
            let (code, shifted) = key_of(sign).with_context(|| format!("no key for {sign:?}"))?;
            self.tap(if shifted { modifier::SHIFT } else { 0 }, code)?;
        }
        Ok(())
    }

    fn button(&mut self, down: bool) -> Result<()> {
        let time = self.tick();
        let state = if down {
            wl_pointer::ButtonState::Pressed
        } else {
            wl_pointer::ButtonState::Released
        };
        self.pointer.button(time, BTN_LEFT, state);
        self.pointer.frame();
        self.settle()
    }

    fn key(&mut self, code: u32, down: bool) {
        let time = self.tick();
        let state = if down {
            wl_keyboard::KeyState::Pressed
        } else {
            wl_keyboard::KeyState::Released
        };
        self.keyboard.key(time, code, state.into());
    }

    fn tick(&mut self) -> u32 {
        self.time = self.time.wrapping_add(8);
        self.time
    }

    fn settle(&mut self) -> Result<()> {
        round_trip(&self.connection, &mut self.queue, &mut self.globals)
    }
}

/// Evdev code of a sign on a US keyboard, and whether Shift is needed.
fn key_of(sign: char) -> Option<(u32, bool)> {
    const ROWS: [(&str, &str, u32); 4] = [
        ("1234567890-=", "!@#$%^&*()_+", 2),
        ("qwertyuiop[]", "QWERTYUIOP{}", 16),
        ("asdfghjkl;'`", "ASDFGHJKL:\"~", 30),
        ("\\zxcvbnm,./", "|ZXCVBNM<>?", 43),
    ];
    match sign {
        ' ' => return Some((57, false)),
        '\n' => return Some((key::ENTER, false)),
        '\t' => return Some((key::TAB, false)),
        _ => {}
    }
    for (plain, shifted, first) in ROWS {
        for (row, shift) in [(plain, false), (shifted, true)] {
            if let Some(index) = row.chars().position(|c| c == sign) {
                return Some((first + u32::try_from(index).ok()?, shift));
            }
        }
    }
    None
}

/// Waits until the compositor has handled everything that was sent.
fn round_trip(
    connection: &Connection,
    queue: &mut EventQueue<Globals>,
    globals: &mut Globals,
) -> Result<()> {
    let deadline = Instant::now() + ANSWER;
    globals.done = false;
    connection.display().sync(&queue.handle(), ());
    loop {
        queue.dispatch_pending(globals)?;
        if globals.done {
            return Ok(());
        }
        queue.flush()?;
        let Some(guard) = queue.prepare_read() else {
            continue;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("the compositor does not answer");
        }
        let timeout = Timespec::try_from(left)?;
        let mut fds = [PollFd::from_borrowed_fd(
            guard.connection_fd(),
            PollFlags::IN,
        )];
        if poll(&mut fds, Some(&timeout))? > 0 {
            guard.read()?;
        }
    }
}

impl Dispatch<wl_registry::WlRegistry, ()> for Globals {
    fn event(
        globals: &mut Self,
        registry: &wl_registry::WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        queue: &QueueHandle<Self>,
    ) {
        let wl_registry::Event::Global {
            name, interface, ..
        } = event
        else {
            return;
        };
        match interface.as_str() {
            "wl_seat" if globals.seat.is_none() => {
                globals.seat = Some(registry.bind(name, 1, queue, ()))
            }
            "zwlr_virtual_pointer_manager_v1" => {
                globals.pointers = Some(registry.bind(name, 1, queue, ()))
            }
            "zwp_virtual_keyboard_manager_v1" => {
                globals.keyboards = Some(registry.bind(name, 1, queue, ()))
            }
            _ => {}
        }
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for Globals {
    fn event(
        globals: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        globals.done = true;
    }
}

delegate_noop!(Globals: ignore wl_seat::WlSeat);
delegate_noop!(Globals: ignore ZwlrVirtualPointerManagerV1);
delegate_noop!(Globals: ignore ZwlrVirtualPointerV1);
delegate_noop!(Globals: ignore ZwpVirtualKeyboardManagerV1);
delegate_noop!(Globals: ignore ZwpVirtualKeyboardV1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_a_us_keyboard_has_them() {
        assert_eq!(key_of('1'), Some((2, false)));
        assert_eq!(key_of('!'), Some((2, true)));
        assert_eq!(key_of('q'), Some((16, false)));
        assert_eq!(key_of('Z'), Some((key::Z, true)));
        assert_eq!(key_of('a'), Some((key::A, false)));
        assert_eq!(key_of('\\'), Some((43, false)));
        assert_eq!(key_of('.'), Some((52, false)));
        assert_eq!(key_of('ü'), None);
    }
}
