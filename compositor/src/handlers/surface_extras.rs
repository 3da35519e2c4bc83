//! What surfaces may carry besides a buffer: viewport, fractional scale, one-pixel buffers, presentation feedback.

use smithay::delegate_fractional_scale;
use smithay::delegate_presentation;
use smithay::delegate_single_pixel_buffer;
use smithay::delegate_viewporter;
use smithay::wayland::compositor::with_states;
use smithay::wayland::fractional_scale::{FractionalScaleHandler, with_fractional_scale};
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

impl FractionalScaleHandler for Overwinter {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        let scale = self.output.current_scale().fractional_scale();
        with_states(&surface, |states| {
            with_fractional_scale(states, |f| f.set_preferred_scale(scale))
        });
    }
}

delegate_viewporter!(Overwinter);
delegate_fractional_scale!(Overwinter);
delegate_single_pixel_buffer!(Overwinter);
delegate_presentation!(Overwinter);
