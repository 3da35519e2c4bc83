//! The one entry for all input: a host's window, libinput's events and virtual devices all end up in [`Overwinter::key`],
//! [`Overwinter::pointer_to`], [`Overwinter::pointer_button`], [`Overwinter::pointer_axis`] and [`Overwinter::touch_down`].
//! Compositor bindings and the holding of keys happen there, before any client hears of them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use overwinter_config::Keyboard;
use smithay::backend::input::{
    AbsolutePositionEvent, Axis, Event as _, InputBackend, InputEvent, KeyboardKeyEvent,
    PointerAxisEvent, PointerButtonEvent, PointerMotionEvent, TouchEvent, TouchSlot,
};
use smithay::desktop::PopupGrab;
use smithay::input::Seat;
use smithay::input::keyboard::Keycode;
use smithay::input::pointer::{AxisFrame, CursorImageStatus};
use smithay::reexports::wayland_protocols_misc::zwp_input_method_v2::server::zwp_input_method_v2::ZwpInputMethodV2;
use smithay::utils::{Logical, Point};
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

mod bindings;
mod constraint;
mod drag;
mod frame;
mod gestures;
mod held;
mod keyboard;
mod pointer;
mod touch;

pub use drag::{Drag, DragKind, edges_of};
pub use frame::FrameInput;
pub use held::{HeldKey, HeldKeys};
pub use keyboard::Keymap;

/// Logical pixels that one detent of a wheel scrolls, where the backend gives detents only.
const DETENT: f64 = 15.0;

/// What input needs to remember.
#[derive(Debug)]
pub struct InputState {
    /// How the pointer looks.
    pub cursor: CursorImageStatus,
    /// What is dragged between clients.
    pub drag_icon: Option<WlSurface>,
    /// The layout of real keyboards.
    pub seat_keymap: Keymap,
    active: Keymap,
    sent: BTreeSet<Keycode>,
    swallowed_buttons: BTreeSet<u32>,
    drag: Option<Drag>,
    frame: FrameInput,
    /// The menu that takes all input, and the surface at its root.
    pub popup_grab: Option<(WlSurface, PopupGrab<Overwinter>)>,
    /// The surface that the pointer was last said to be over, and where that stood.
    over: Option<(WlSurface, Point<f64, Logical>)>,
    /// The fingers on the touch screen, and what they went down on.
    fingers: Vec<(TouchSlot, WlSurface)>,
    /// Buttons that pointers held which have gone.
    pub let_go: Vec<u32>,
    /// Something may have moved beneath the pointer.
    pub scene_moved: bool,
    /// The keyboard's focus waits until a client that goes has gone.
    pub focus_moved: bool,
    /// Who grabbed the keyboard as an input method.
    pub input_method: Option<ZwpInputMethodV2>,
    /// Whose wish to hold the pointer is granted.
    constrained: Option<WlSurface>,
}

impl InputState {
    /// Adds keyboard and pointer to the seat.
    pub fn new(seat: &mut Seat<Overwinter>, keyboard: &Keyboard) -> Result<InputState> {
        let ordinary = Keyboard::default();
        let (keyboard, keymap) = match Keymap::of(keyboard) {
            Some(keymap) => (keyboard, keymap),
            None => {
                tracing::warn!("XKB knows no such keyboard: {keyboard:?}; an ordinary one is used");
                let keymap = Keymap::of(&ordinary).context("no keymap: is xkb-data installed?")?;
                (&ordinary, keymap)
            }
        };
        let (delay, rate) = (keyboard.repeat_delay, keyboard.repeat_rate);
        seat.add_keyboard(keyboard::xkb_config(keyboard), delay, rate)
            .context("no keyboard: is xkb-data installed?")?;
        seat.add_pointer();
        Ok(InputState {
            cursor: CursorImageStatus::default_named(),
            drag_icon: None,
            active: keymap.clone(),
            seat_keymap: keymap,
            sent: BTreeSet::new(),
            swallowed_buttons: BTreeSet::new(),
            drag: None,
            frame: FrameInput::default(),
            popup_grab: None,
            over: None,
            fingers: Vec::new(),
            let_go: Vec::new(),
            scene_moved: false,
            focus_moved: false,
            input_method: None,
            constrained: None,
        })
    }
}

impl Overwinter {
    /// Takes an event of a real device (or of the window we are nested in).
    pub fn backend_input<B: InputBackend>(&mut self, event: &InputEvent<B>) {
        let keymap = self.input.seat_keymap.clone();
        match event {
            InputEvent::Keyboard { event } => {
                self.key(&keymap, event.key_code(), event.state(), event.time_msec())
            }
            InputEvent::PointerMotion { event } => {
                self.pointer_by(
                    Point::from((event.delta_x(), event.delta_y())),
                    event.time_msec(),
                );
                self.pointer_frame();
            }
            InputEvent::PointerMotionAbsolute { event } => {
                let at = self.area().loc.to_f64() + event.position_transformed(self.area().size);
                self.pointer_to(at, event.time_msec());
                self.pointer_frame();
            }
            InputEvent::PointerButton { event } => {
                self.pointer_button(event.button_code(), event.state(), event.time_msec());
                self.pointer_frame();
            }
            InputEvent::PointerAxis { event } => {
                let mut frame = AxisFrame::new(event.time_msec()).source(event.source());
                for axis in [Axis::Horizontal, Axis::Vertical] {
                    let v120 = event.amount_v120(axis);
                    let amount = event
                        .amount(axis)
                        .or(v120.map(|v| v / 120.0 * DETENT))
                        .unwrap_or(0.0);
                    if amount != 0.0 {
                        frame = frame.value(axis, amount);
                    }
                    if let Some(v120) = v120.filter(|v| *v != 0.0) {
                        frame = frame.v120(axis, v120 as i32);
                    }
                }
                self.pointer_axis(frame);
                self.pointer_frame();
            }
            InputEvent::TouchDown { event } => {
                self.touch_screen_found();
                let at = self.area().loc.to_f64() + event.position_transformed(self.area().size);
                self.touch_down(event.slot(), at, event.time_msec());
            }
            InputEvent::TouchMotion { event } => {
                let at = self.area().loc.to_f64() + event.position_transformed(self.area().size);
                self.touch_to(event.slot(), at, event.time_msec());
            }
            InputEvent::TouchUp { event } => self.touch_up(event.slot(), event.time_msec()),
            InputEvent::TouchFrame { .. } => self.touch_frame(),
            InputEvent::TouchCancel { .. } => self.touch_cancelled(),
            event => self.gesture(event),
        }
    }
}
