//! What surfaces may carry besides a buffer: viewport, fractional scale, one-pixel buffers, presentation feedback.

use smithay::delegate_fractional_scale;
use smithay::delegate_presentation;
use smithay::delegate_single_pixel_buffer;
use smithay::delegate_viewporter;
use smithay::wayland::fractional_scale::FractionalScaleHandler;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

impl FractionalScaleHandler for Overwinter {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        // Above all one that is on screen already hears of its own outputs' scale.
        self.tell_likely_scale(&surface);
        self.outputs.moved = true;
    }
}

delegate_viewporter!(Overwinter);
delegate_fractional_scale!(Overwinter);
delegate_single_pixel_buffer!(Overwinter);
delegate_presentation!(Overwinter);
