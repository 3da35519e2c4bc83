//! The pointer: what is under it, and where its buttons go.

use smithay::backend::input::ButtonState;
use smithay::desktop::utils::under_from_surface_tree;
use smithay::desktop::{PopupPointerGrab, WindowSurfaceType};
use smithay::input::pointer::{AxisFrame, ButtonEvent, MotionEvent, PointerHandle};
use smithay::utils::{Logical, Point, SERIAL_COUNTER};
use wayland_server::protocol::wl_surface::WlSurface;

use overwinter_layout::Edges;

use super::DragKind;
use crate::shell::{FramePart, Item, Shell, Standing};
use crate::state::Overwinter;

/// linux/input-event-codes.h
pub(super) const BTN_LEFT: u32 = 0x110;
const BTN_RIGHT: u32 = 0x111;

/// What is under the pointer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Under {
    Nothing,
    Ghost(Item),
    /// The frame of a window or a ghost.
    Frame(Item, FramePart),
    Window {
        item: Item,
        surface: WlSurface,
        origin: Point<f64, Logical>,
    },
    /// A layer surface (`root`) or the locker's.
    Other {
        root: WlSurface,
        surface: WlSurface,
        origin: Point<f64, Logical>,
    },
}

impl Under {
    pub(super) fn item(&self) -> Option<Item> {
        match self {
            Under::Nothing | Under::Other { .. } => None,
            Under::Ghost(item) | Under::Frame(item, _) | Under::Window { item, .. } => Some(*item),
        }
    }

    pub(super) fn surface(self) -> Option<(WlSurface, Point<f64, Logical>)> {
        match self {
            Under::Window {
                surface, origin, ..
            }
            | Under::Other {
                surface, origin, ..
            } => Some((surface, origin)),
            Under::Nothing | Under::Ghost(_) | Under::Frame(..) => None,
        }
    }
}

pub(super) fn under(shell: &Shell, at: Point<f64, Logical>) -> Under {
    for standing in shell.order() {
        let item = match standing {
            Standing::Item(item) => {
                let clip = shell.clip_of(item).map(|c| c.to_f64());
                if clip.is_some_and(|clip| !clip.contains(at)) {
                    continue;
                }
                item
            }
            Standing::Layer(layer) => {
                let origin = layer.rect.loc.to_f64();
                let found = layer
                    .surface
                    .surface_under(at - origin, WindowSurfaceType::ALL);
                if let Some((surface, offset)) = found {
                    let root = layer.surface.wl_surface().clone();
                    let origin = origin + offset.to_f64();
                    return Under::Other {
                        root,
                        surface,
                        origin,
                    };
                }
                continue;
            }
            Standing::Unmanaged(unmanaged) => {
                let (root, at_root) = (&unmanaged.surface, unmanaged.rect.loc);
                let found = under_from_surface_tree(root, at, at_root, WindowSurfaceType::ALL);
                let Some((surface, origin)) = found else {
                    continue;
                };
                return Under::Other {
                    root: root.clone(),
                    surface,
                    origin: origin.to_f64(),
                };
            }
            Standing::Lock(cover) => {
                let root = cover.surface.wl_surface();
                let kinds = WindowSurfaceType::ALL;
                let found = under_from_surface_tree(root, at, cover.rect.loc, kinds);
                let Some((surface, offset)) = found else {
                    continue;
                };
                return Under::Other {
                    root: root.clone(),
                    surface,
                    origin: offset.to_f64(),
                };
            }
        };
        let frame = || shell.frame_part(item, at);
        match item {
            Item::Window(id) => {
                let Some(window) = shell.window(id) else {
                    continue;
                };
                let origin = window.surface_origin();
                let found = window
                    .window
                    .surface_under(at - origin.to_f64(), WindowSurfaceType::ALL);
                if let Some((surface, offset)) = found {
                    let origin = (origin + offset).to_f64();
                    return Under::Window {
                        item,
                        surface,
                        origin,
                    };
                }
            }
            Item::Ghost(id) => {
                if shell
                    .ghost(id)
                    .is_some_and(|g| g.rect().to_f64().contains(at))
                {
                    return Under::Ghost(item);
                }
            }
        }
        if let Some(part) = frame() {
            return Under::Frame(item, part);
        }
    }
    Under::Nothing
}

impl Overwinter {
    /// The pointer moved by this much.
    pub fn pointer_by(&mut self, delta: Point<f64, Logical>, time: u32) {
        if let Some(pointer) = self.seat.get_pointer() {
            self.user_is_there();
            self.pointer_relative(delta, time);
            self.pointer_goes(pointer.current_location() + delta, time);
        }
    }

    /// The pointer is there now: a device that says where, not how far.
    pub fn pointer_to(&mut self, at: Point<f64, Logical>, time: u32) {
        if let Some(pointer) = self.seat.get_pointer() {
            self.user_is_there();
            self.pointer_relative(at - pointer.current_location(), time);
            self.pointer_goes(at, time);
        }
    }

    fn pointer_goes(&mut self, at: Point<f64, Logical>, time: u32) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let at = self.within_bounds(&pointer, at);
        let at = self.outputs.nearest(at, pointer.current_location());
        let focus = if self.input.drag.is_some() {
            self.drag_to(at);
            None
        } else {
            self.look_at(&pointer, at)
        };
        self.input.over.clone_from(&focus);
        let serial = SERIAL_COUNTER.next_serial();
        pointer.motion(
            self,
            focus,
            &MotionEvent {
                location: at,
                serial,
                time,
            },
        );
        self.review_constraint();
        if self.backend.draws_cursor() || self.input.drag_icon.is_some() {
            self.schedule_frame();
        }
    }

    /// What client's surface is there; a frame that is there instead lights up, unless the pointer is held.
    fn look_at(
        &mut self,
        pointer: &PointerHandle<Overwinter>,
        at: Point<f64, Logical>,
    ) -> Option<(WlSurface, Point<f64, Logical>)> {
        let under = under(&self.shell, at);
        let frame = match under {
            Under::Frame(item, part) if !pointer.is_grabbed() => Some((item, part)),
            _ => None,
        };
        self.frame_entered(frame);
        under.surface().filter(|_| !self.frame_is_held())
    }

    /// Outputs went or moved: the pointer is on one of them, wherever it was.
    pub fn pointer_stays_on_outputs(&mut self) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let at = pointer.current_location();
        if self.outputs.nearest(at, at) != at {
            self.pointer_goes(at, self.now_ms());
            self.pointer_frame();
        }
    }

    /// A button of linux/input-event-codes.h.
    pub fn pointer_button(&mut self, button: u32, state: ButtonState, time: u32) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        self.user_is_there();
        match state {
            ButtonState::Pressed => {
                if self.press_is_ours(button, time) {
                    self.input.swallowed_buttons.insert(button);
                    return;
                }
            }
            ButtonState::Released => {
                // What moved while the button was held is looked at again.
                self.input.scene_moved = true;
                self.end_drag();
                self.frame_released(button);
                if self.input.swallowed_buttons.remove(&button) {
                    return;
                }
            }
        }
        let serial = SERIAL_COUNTER.next_serial();
        pointer.button(
            self,
            &ButtonEvent {
                serial,
                time,
                button,
                state,
            },
        );
    }

    /// Focus and raise; true when no client is to hear of the press: a drag with Super, or a ghost's waking click.
    fn press_is_ours(&mut self, button: u32, time: u32) -> bool {
        let Some(pointer) = self.seat.get_pointer() else {
            return true;
        };
        let at = pointer.current_location();
        let under = under(&self.shell, at);
        if let Under::Other { root, .. } = &under {
            if !pointer.is_grabbed() {
                self.layer_pressed(root);
                self.lock_pressed(root);
            }
            return false;
        }
        let Some(item) = under.item() else {
            return false;
        };
        let logo = self
            .seat
            .get_keyboard()
            .is_some_and(|k| k.modifier_state().logo);
        if logo && !pointer.is_grabbed() {
            if button == BTN_LEFT {
                self.start_drag(item, DragKind::Move);
                return true;
            }
            if button == BTN_RIGHT {
                self.start_drag(item, DragKind::Resize(self.nearest_corner(item, at)));
                return true;
            }
        }
        if let Under::Frame(item, part) = under
            && !pointer.is_grabbed()
        {
            self.frame_pressed(item, part, button, time);
            return true;
        }
        if pointer.is_grabbed() && !matches!(under, Under::Ghost(_)) {
            return false;
        }
        self.raise_and_focus(item);
        matches!(under, Under::Ghost(_))
    }

    fn nearest_corner(&self, item: Item, at: Point<f64, Logical>) -> Edges {
        let Some(rect) = self.shell.rect_of(item) else {
            return Edges::default();
        };
        let middle = rect.loc.to_f64() + rect.size.to_f64().to_point().downscale(2.0);
        let (left, top) = (at.x < middle.x, at.y < middle.y);
        Edges {
            left,
            right: !left,
            top,
            bottom: !top,
        }
    }

    /// Wheel or touchpad scrolling.
    pub fn pointer_axis(&mut self, frame: AxisFrame) {
        self.user_is_there();
        if let Some(pointer) = self.seat.get_pointer() {
            pointer.axis(self, frame);
        }
    }

    /// The events since the last frame belong together.
    pub fn pointer_frame(&mut self) {
        if let Some(pointer) = self.seat.get_pointer() {
            pointer.frame(self);
        }
    }

    /// The session is being locked: whatever holds pointer, keyboard or screen ends.
    pub fn end_grabs(&mut self) {
        self.end_drag();
        self.let_go_of_frames();
        let (serial, time) = (SERIAL_COUNTER.next_serial(), self.now_ms());
        if let Some(pointer) = self.seat.get_pointer() {
            pointer.unset_grab(self, serial, time);
        }
        if let Some(keyboard) = self.seat.get_keyboard() {
            keyboard.unset_grab(self);
        }
        if let Some(touch) = self.seat.get_touch() {
            touch.unset_grab(self);
        }
        self.lift_all_fingers();
    }

    /// Windows came, went or moved: the pointer may be over another one, or elsewhere on it, without having moved.
    pub fn pointer_refocus(&mut self) {
        self.input.scene_moved = false;
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        // A menu's grab goes along with what is beneath the pointer; a press, or what is dragged, holds on to what it has.
        let held = pointer
            .with_grab(|_, grab| !grab.is::<PopupPointerGrab<Overwinter>>())
            .unwrap_or(false);
        if self.input.drag.is_some() || held {
            return;
        }
        let at = pointer.current_location();
        let focus = self.look_at(&pointer, at);
        if self.input.over == focus {
            return;
        }
        let (old, new) = (pointer.current_focus(), focus.as_ref().map(|(s, _)| s));
        // Where a menu is over, its grab ends with this, and the keyboard goes from it to its window.
        let keyboard = self.seat.get_keyboard();
        let typed_into = keyboard.and_then(|keyboard| keyboard.current_focus());
        let menu_of = self.input.popup_grab.as_ref().map(|(root, _)| root);
        if [old.as_ref(), new, typed_into.as_ref(), menu_of]
            .into_iter()
            .flatten()
            .any(|s| !self.hears(s))
        {
            self.input.scene_moved = true;
            return;
        }
        self.input.over.clone_from(&focus);
        let (serial, time) = (SERIAL_COUNTER.next_serial(), self.now_ms());
        pointer.motion(
            self,
            focus,
            &MotionEvent {
                location: at,
                serial,
                time,
            },
        );
        pointer.frame(self);
        self.review_constraint();
    }
}
