//! Gestures on a touchpad: they go to whoever has the pointer, as they come.

use smithay::backend::input::{
    Event as _, GestureBeginEvent as _, GestureEndEvent as _, GesturePinchUpdateEvent as _,
    GestureSwipeUpdateEvent as _, InputBackend, InputEvent,
};
use smithay::input::pointer::{
    GestureHoldBeginEvent, GestureHoldEndEvent, GesturePinchBeginEvent, GesturePinchEndEvent,
    GesturePinchUpdateEvent, GestureSwipeBeginEvent, GestureSwipeEndEvent, GestureSwipeUpdateEvent,
};
use smithay::utils::SERIAL_COUNTER;

use crate::state::Overwinter;

impl Overwinter {
    /// Takes an event of a touchpad, if it is one of a gesture.
    pub(super) fn gesture<B: InputBackend>(&mut self, event: &InputEvent<B>) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let serial = SERIAL_COUNTER.next_serial();
        match event {
            InputEvent::GestureSwipeBegin { event } => pointer.gesture_swipe_begin(
                self,
                &GestureSwipeBeginEvent {
                    serial,
                    time: event.time_msec(),
                    fingers: event.fingers(),
                },
            ),
            InputEvent::GestureSwipeUpdate { event } => pointer.gesture_swipe_update(
                self,
                &GestureSwipeUpdateEvent {
                    time: event.time_msec(),
                    delta: event.delta(),
                },
            ),
            InputEvent::GestureSwipeEnd { event } => pointer.gesture_swipe_end(
                self,
                &GestureSwipeEndEvent {
                    serial,
                    time: event.time_msec(),
                    cancelled: event.cancelled(),
                },
            ),
            InputEvent::GesturePinchBegin { event } => pointer.gesture_pinch_begin(
                self,
                &GesturePinchBeginEvent {
                    serial,
                    time: event.time_msec(),
                    fingers: event.fingers(),
                },
            ),
            InputEvent::GesturePinchUpdate { event } => pointer.gesture_pinch_update(
                self,
                &GesturePinchUpdateEvent {
                    time: event.time_msec(),
                    delta: event.delta(),
                    scale: event.scale(),
                    rotation: event.rotation(),
                },
            ),
            InputEvent::GesturePinchEnd { event } => pointer.gesture_pinch_end(
                self,
                &GesturePinchEndEvent {
                    serial,
                    time: event.time_msec(),
                    cancelled: event.cancelled(),
                },
            ),
            InputEvent::GestureHoldBegin { event } => pointer.gesture_hold_begin(
                self,
                &GestureHoldBeginEvent {
                    serial,
                    time: event.time_msec(),
                    fingers: event.fingers(),
                },
            ),
            InputEvent::GestureHoldEnd { event } => pointer.gesture_hold_end(
                self,
                &GestureHoldEndEvent {
                    serial,
                    time: event.time_msec(),
                    cancelled: event.cancelled(),
                },
            ),
            _ => {}
        }
    }
}
