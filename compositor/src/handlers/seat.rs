//! wl_seat: focus changes and the pointer's image.

use smithay::delegate_cursor_shape;
use smithay::delegate_seat;
use smithay::input::pointer::CursorImageStatus;
use smithay::input::{Seat, SeatHandler, SeatState};
use smithay::wayland::selection::data_device::set_data_device_focus;
use smithay::wayland::selection::primary_selection::set_primary_focus;
use smithay::wayland::tablet_manager::TabletSeatHandler;
use wayland_server::Resource;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

impl SeatHandler for Overwinter {
    type KeyboardFocus = WlSurface;
    type PointerFocus = WlSurface;
    type TouchFocus = WlSurface;

    fn seat_state(&mut self) -> &mut SeatState<Overwinter> {
        &mut self.protocols.seat
    }

    fn focus_changed(&mut self, seat: &Seat<Overwinter>, focused: Option<&WlSurface>) {
        self.x11_focus(focused);
        let client = focused.and_then(|surface| self.display.get_client(surface.id()).ok());
        set_data_device_focus(&self.display, seat, client.clone());
        set_primary_focus(&self.display, seat, client);
    }

    fn cursor_image(&mut self, _seat: &Seat<Overwinter>, image: CursorImageStatus) {
        // The client that is left takes its image along; on a frame the frame's is shown.
        let image = self.frame_cursor().unwrap_or(image);
        self.show_cursor(image);
    }
}

impl Overwinter {
    /// The pointer looks like this from now on.
    pub fn show_cursor(&mut self, image: CursorImageStatus) {
        self.backend.cursor_changed(&image);
        self.input.cursor = image;
        if self.backend.draws_cursor() {
            self.schedule_frame();
        }
    }
}

// cursor-shape asks for it; there are no tablets.
impl TabletSeatHandler for Overwinter {}

delegate_seat!(Overwinter);
delegate_cursor_shape!(Overwinter);
