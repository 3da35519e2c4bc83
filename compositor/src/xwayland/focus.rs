//! The X server's own input focus follows the session's: a window that has the keyboard by Wayland gets no key by X11 before it
//! has that too.

use smithay::input::keyboard::KeyboardTarget;
use smithay::input::{Seat, SeatHandler, SeatState};
use smithay::utils::SERIAL_COUNTER;
use smithay::xwayland::X11Surface;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

/// Smithay gives X11 windows the X focus as part of the Wayland focus that its seats keep. Ours is the surface's, whatever that
/// is of; so the X focus alone is given by a seat without a keyboard.
struct NoKeyboard(SeatState<NoKeyboard>);

impl SeatHandler for NoKeyboard {
    type KeyboardFocus = WlSurface;
    type PointerFocus = WlSurface;
    type TouchFocus = WlSurface;

    fn seat_state(&mut self) -> &mut SeatState<NoKeyboard> {
        &mut self.0
    }
}

/// Which X11 window has the X focus.
pub struct Focus {
    nobody: NoKeyboard,
    seat: Seat<NoKeyboard>,
    window: Option<X11Surface>,
}

impl Default for Focus {
    fn default() -> Focus {
        let mut nobody = NoKeyboard(SeatState::new());
        Focus {
            seat: nobody.0.new_seat("x11"),
            nobody,
            window: None,
        }
    }
}

impl std::fmt::Debug for Focus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Focus").field(&self.window).finish()
    }
}

impl Focus {
    /// Nobody has it; there is no server that would have to be told.
    pub fn forget(&mut self) {
        self.window = None;
    }

    /// Whether some X11 window has it.
    pub fn is_set(&self) -> bool {
        self.window.is_some()
    }

    fn set(&mut self, window: Option<X11Surface>) {
        let id = |window: &Option<X11Surface>| window.as_ref().map(X11Surface::window_id);
        if id(&self.window) == id(&window) {
            return;
        }
        let serial = SERIAL_COUNTER.next_serial();
        if let Some(former) = self.window.take().filter(X11Surface::alive) {
            former.leave(&self.seat, &mut self.nobody, serial);
        }
        if let Some(window) = &window {
            window.enter(&self.seat, &mut self.nobody, Vec::new(), serial);
        }
        self.window = window;
    }
}

impl Overwinter {
    /// The keyboard has gone to this surface.
    pub fn x11_focus(&mut self, surface: Option<&WlSurface>) {
        let window = surface.and_then(|s| self.x11.windows.of_surface(s));
        let window = window.map(|known| known.surface.clone());
        self.x11.focus.set(window);
    }
}
