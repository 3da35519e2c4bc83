//! Touch screens: a finger belongs to the surface that it went down on, until it is lifted.

use smithay::backend::input::TouchSlot;
use smithay::input::touch::{DownEvent, MotionEvent, UpEvent};
use smithay::utils::{Logical, Point, SERIAL_COUNTER};
use wayland_server::protocol::wl_surface::WlSurface;

use super::pointer::{Under, under};
use crate::shell::FramePart;
use crate::state::Overwinter;

impl Overwinter {
    /// There is a touch screen: clients hear that the seat has one.
    pub fn touch_screen_found(&mut self) {
        if self.seat.get_touch().is_none() {
            self.seat.add_touch();
        }
    }

    /// A finger goes down; as with a click, what is there is raised and gets the focus, and a ghost wakes.
    pub fn touch_down(&mut self, slot: TouchSlot, at: Point<f64, Logical>, time: u32) {
        let Some(touch) = self.seat.get_touch() else {
            return;
        };
        let found = under(&self.shell, at);
        self.user_is_there();
        if let Under::Other { root, .. } = &found
            && !touch.is_grabbed()
        {
            self.layer_pressed(root);
            self.lock_pressed(root);
        }
        if let Some(item) = found.item()
            && (!touch.is_grabbed() || matches!(found, Under::Ghost(_)))
        {
            self.raise_and_focus(item);
        }
        if let Under::Frame(item, FramePart::Button(button)) = found
            && !touch.is_grabbed()
        {
            self.frame_touched(slot, item, button);
        }
        let focus = under(&self.shell, at).surface();
        // All fingers belong to what the first one touched.
        let first = self.input.fingers.first().map(|(_, surface)| surface);
        if let Some(surface) = first.or(focus.as_ref().map(|(surface, _)| surface)) {
            let finger = (slot, surface.clone());
            self.input.fingers.push(finger);
        }
        let event = DownEvent {
            slot,
            location: at,
            serial: SERIAL_COUNTER.next_serial(),
            time,
        };
        touch.down(self, focus, &event);
    }

    /// A finger that is down moves.
    pub fn touch_to(&mut self, slot: TouchSlot, at: Point<f64, Logical>, time: u32) {
        let Some(touch) = self.seat.get_touch() else {
            return;
        };
        self.frame_touch_moved(slot, at);
        let focus = under(&self.shell, at).surface();
        let event = MotionEvent {
            slot,
            location: at,
            time,
        };
        touch.motion(self, focus, &event);
        if self.input.drag_icon.is_some() {
            self.schedule_frame();
        }
    }

    /// A finger is lifted.
    pub fn touch_up(&mut self, slot: TouchSlot, time: u32) {
        let Some(touch) = self.seat.get_touch() else {
            return;
        };
        self.input.fingers.retain(|(down, _)| *down != slot);
        let event = UpEvent {
            slot,
            serial: SERIAL_COUNTER.next_serial(),
            time,
        };
        touch.up(self, &event);
        self.frame_touch_lifted(slot);
    }

    /// A surface is about to be destroyed: for its client the fingers on it are lifted.
    pub fn lift_fingers_from(&mut self, surface: &WlSurface) {
        let on_it = |(slot, on): &(TouchSlot, WlSurface)| (on == surface).then_some(*slot);
        let slots: Vec<TouchSlot> = self.input.fingers.iter().filter_map(on_it).collect();
        if slots.is_empty() {
            return;
        }
        let time = self.now_ms();
        for slot in slots {
            self.touch_up(slot, time);
        }
        self.touch_frame();
    }

    /// No finger is down any more, as far as clients hear.
    pub fn lift_all_fingers(&mut self) {
        let time = self.now_ms();
        self.let_go_of_frames();
        for (slot, _) in std::mem::take(&mut self.input.fingers) {
            self.touch_up(slot, time);
        }
        self.touch_frame();
    }

    /// The touch events since the last frame belong together.
    pub fn touch_frame(&mut self) {
        if let Some(touch) = self.seat.get_touch() {
            touch.frame(self);
        }
    }

    /// The touch screen takes its events back (a palm, a gesture of its own).
    pub fn touch_cancelled(&mut self) {
        self.input.fingers.clear();
        self.let_go_of_frames();
        if let Some(touch) = self.seat.get_touch() {
            touch.cancel(self);
        }
    }
}
