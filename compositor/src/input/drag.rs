//! Moving and resizing windows by the pointer. The client hears nothing of the pointer meanwhile.

use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::ResizeEdge;
use smithay::utils::{Logical, Point, Rectangle, SERIAL_COUNTER, Serial, Size};
use wayland_server::Resource;

use crate::shell::{Item, ResizeAnchor, WindowId, WindowMode};
use crate::state::Overwinter;

/// No window gets smaller than this by dragging.
const SMALLEST: i32 = 32;

/// The edges that move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edges {
    /// Left.
    pub left: bool,
    /// Right.
    pub right: bool,
    /// Top.
    pub top: bool,
    /// Bottom.
    pub bottom: bool,
}

impl From<ResizeEdge> for Edges {
    fn from(edge: ResizeEdge) -> Edges {
        use ResizeEdge::{Bottom, BottomLeft, BottomRight, Left, Right, Top, TopLeft, TopRight};
        Edges {
            left: matches!(edge, Left | TopLeft | BottomLeft),
            right: matches!(edge, Right | TopRight | BottomRight),
            top: matches!(edge, Top | TopLeft | TopRight),
            bottom: matches!(edge, Bottom | BottomLeft | BottomRight),
        }
    }
}

/// What a drag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DragKind {
    /// Moves the window or ghost.
    Move,
    /// Resizes the window.
    Resize(Edges),
}

/// A drag that goes on until its button is released.
#[derive(Debug, Clone, Copy)]
pub struct Drag {
    item: Item,
    kind: DragKind,
    pointer: Point<f64, Logical>,
    from: Rectangle<i32, Logical>,
}

impl Overwinter {
    /// A client asks for a drag with the serial of a press that it got.
    pub fn drag_asked_by_client(&mut self, id: WindowId, kind: DragKind, serial: Serial) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let Some(window) = self.shell.window(id) else {
            return;
        };
        let own = window.wl_surface().id();
        let pressed_there = pointer
            .grab_start_data()
            .and_then(|start| start.focus)
            .is_some_and(|(surface, _)| surface.id().same_client_as(&own));
        if !pointer.has_grab(serial) || !pressed_there {
            return;
        }
        let time = self.now_ms();
        pointer.unset_grab(self, serial, time);
        self.start_drag(Item::Window(id), kind);
    }

    /// As [`drag_asked_by_client`](Self::drag_asked_by_client), by a client that names no press: it has to hold one on that
    /// window.
    pub fn drag_asked_by_holder(&mut self, id: WindowId, kind: DragKind) {
        let (Some(pointer), Some(window)) = (self.seat.get_pointer(), self.shell.window(id)) else {
            return;
        };
        let pressed = pointer.grab_start_data().and_then(|start| start.focus);
        if pressed.is_none_or(|(surface, _)| surface != *window.wl_surface()) {
            return;
        }
        let (serial, time) = (SERIAL_COUNTER.next_serial(), self.now_ms());
        pointer.unset_grab(self, serial, time);
        self.start_drag(Item::Window(id), kind);
    }

    /// Starts a drag at the pointer.
    pub(super) fn start_drag(&mut self, item: Item, kind: DragKind) {
        let (Some(from), Some(pointer)) = (self.shell.rect_of(item), self.seat.get_pointer())
        else {
            return;
        };
        if let Item::Window(id) = item
            && self
                .shell
                .window(id)
                .is_none_or(|w| w.mode != WindowMode::Floating)
        {
            return;
        }
        let at = pointer.current_location();
        self.input.drag = Some(Drag {
            item,
            kind,
            pointer: at,
            from,
        });
        let time = self.now_ms();
        self.pointer_to(at, time);
        self.pointer_frame();
    }

    /// The pointer moved during a drag.
    pub(super) fn drag_to(&mut self, at: Point<f64, Logical>) {
        let Some(drag) = self.input.drag else { return };
        let delta: Point<i32, Logical> = (at - drag.pointer).to_i32_round();
        match (drag.kind, drag.item) {
            (DragKind::Move, item) => {
                self.shell.move_item(item, drag.from.loc + delta);
                self.reconstrain_popups(item);
            }
            (DragKind::Resize(edges), Item::Window(id)) => {
                self.resize_to(id, edges, drag.from, delta)
            }
            (DragKind::Resize(_), Item::Ghost(_)) => {}
        }
        self.schedule_frame();
    }

    fn resize_to(
        &mut self,
        id: WindowId,
        edges: Edges,
        from: Rectangle<i32, Logical>,
        delta: Point<i32, Logical>,
    ) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        let (min, max) = window.size_limits();
        let along = |length: i32, delta: i32, low: bool, high: bool, min: i32, max: i32| {
            let wanted = length
                + if low {
                    -delta
                } else if high {
                    delta
                } else {
                    0
                };
            let max = if max > 0 { max } else { i32::from(u16::MAX) };
            wanted.clamp(min.max(SMALLEST).min(max), max)
        };
        let size = Size::from((
            along(from.size.w, delta.x, edges.left, edges.right, min.w, max.w),
            along(from.size.h, delta.y, edges.top, edges.bottom, min.h, max.h),
        ));
        window.anchor = Some(ResizeAnchor { edges, from });
        window.window.set_resizing(true);
        window.set_size(Some(size));
        window.send_pending();
    }

    /// The button was released, or the window is gone.
    pub(super) fn end_drag(&mut self) {
        let Some(drag) = self.input.drag.take() else {
            return;
        };
        if let (DragKind::Resize(_), Item::Window(id)) = (drag.kind, drag.item)
            && let Some(window) = self.shell.window_mut(id)
        {
            window.window.set_resizing(false);
            window.send_pending();
        }
        self.pointer_refocus();
    }

    /// A window goes: whatever drags it ends.
    pub fn end_drag_of(&mut self, id: WindowId) {
        if self.input.drag.is_some_and(|d| d.item == Item::Window(id)) {
            self.end_drag();
        }
    }
}
