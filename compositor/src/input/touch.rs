//! Touch screens: a finger belongs to the surface that it went down on, until it is lifted.

use smithay::backend::input::TouchSlot;
use smithay::input::touch::{DownEvent, MotionEvent, UpEvent};
use smithay::utils::{Logical, Point, SERIAL_COUNTER};

use super::pointer::{Under, under};
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
        if let Under::Other { root, .. } = &found {
            self.layer_pressed(root);
        }
        if let Some(item) = found.item()
            && (!touch.is_grabbed() || matches!(found, Under::Ghost(_)))
        {
            self.raise_and_focus(item);
        }
        let focus = under(&self.shell, at).surface();
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
        let event = UpEvent {
            slot,
            serial: SERIAL_COUNTER.next_serial(),
            time,
        };
        touch.up(self, &event);
    }

    /// The touch events since the last frame belong together.
    pub fn touch_frame(&mut self) {
        if let Some(touch) = self.seat.get_touch() {
            touch.frame(self);
        }
    }

    /// The touch screen takes its events back (a palm, a gesture of its own).
    pub fn touch_cancelled(&mut self) {
        if let Some(touch) = self.seat.get_touch() {
            touch.cancel(self);
        }
    }
}
