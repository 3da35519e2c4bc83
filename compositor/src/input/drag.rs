//! Moving and resizing windows by the pointer. The client hears nothing of the pointer meanwhile. Where the window goes is the
//! layout's business (`overwinter_layout`).

use overwinter_layout::{self as layout, Edges, Op};
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::ResizeEdge;
use smithay::utils::{Logical, Point, SERIAL_COUNTER, Serial};
use wayland_server::Resource;

use crate::shell::{Item, WindowId};
use crate::state::Overwinter;

/// The edges that move.
pub fn edges_of(edge: ResizeEdge) -> Edges {
    use ResizeEdge::{Bottom, BottomLeft, BottomRight, Left, Right, Top, TopLeft, TopRight};
    Edges {
        left: matches!(edge, Left | TopLeft | BottomLeft),
        right: matches!(edge, Right | TopRight | BottomRight),
        top: matches!(edge, Top | TopLeft | TopRight),
        bottom: matches!(edge, Bottom | BottomLeft | BottomRight),
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
}

fn point_to(at: Point<f64, Logical>) -> layout::Point {
    let at = at.to_i32_round::<i32>();
    layout::Point::new(at.x, at.y)
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
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let at = pointer.current_location();
        let (name, from) = (item.name(), point_to(at));
        let begun = match kind {
            DragKind::Move => self.layout(Op::BeginMove(name, from)),
            DragKind::Resize(edges) => self.layout(Op::BeginResize(name, edges, from)),
        };
        if let Err(refused) = begun {
            tracing::debug!(?item, ?kind, %refused, "no drag");
            return;
        }
        self.input.drag = Some(Drag { item });
        let time = self.now_ms();
        self.pointer_to(at, time);
        self.pointer_frame();
    }

    /// The pointer moved during a drag.
    pub(super) fn drag_to(&mut self, at: Point<f64, Logical>) {
        if self.input.drag.is_some() && self.layout(Op::Drag(point_to(at))).is_err() {
            // Something happened to the window that ended it.
            self.input.drag = None;
        }
    }

    /// The button was released, or the window is gone.
    pub(super) fn end_drag(&mut self) {
        if self.input.drag.take().is_none() {
            return;
        }
        if let Err(refused) = self.layout(Op::Drop) {
            tracing::debug!(%refused, "the drag had ended before");
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
