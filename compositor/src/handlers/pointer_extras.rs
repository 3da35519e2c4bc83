//! What games and drawing programs ask of the pointer: to be locked or confined, relative motion, touchpad gestures.

use smithay::delegate_pointer_constraints;
use smithay::delegate_pointer_gestures;
use smithay::delegate_relative_pointer;
use smithay::input::pointer::PointerHandle;
use smithay::utils::{Logical, Point};
use smithay::wayland::pointer_constraints::PointerConstraintsHandler;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

impl PointerConstraintsHandler for Overwinter {
    fn new_constraint(&mut self, _surface: &WlSurface, _pointer: &PointerHandle<Self>) {
        self.review_constraint();
    }

    fn cursor_position_hint(
        &mut self,
        surface: &WlSurface,
        _pointer: &PointerHandle<Self>,
        location: Point<f64, Logical>,
    ) {
        self.pointer_hinted(surface, location);
    }
}

delegate_pointer_constraints!(Overwinter);
delegate_relative_pointer!(Overwinter);
delegate_pointer_gestures!(Overwinter);
