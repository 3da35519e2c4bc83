//! xdg-activation: a client asks for focus with a token that came from an input event.

use std::time::Duration;

use smithay::delegate_xdg_activation;
use smithay::input::Seat;
use smithay::wayland::xdg_activation::{
    XdgActivationHandler, XdgActivationState, XdgActivationToken, XdgActivationTokenData,
};
use wayland_server::protocol::wl_surface::WlSurface;

use super::root_of;
use crate::shell::Item;
use crate::state::Overwinter;

/// A token that is older than this was not used for the click it was made by.
const TOKEN_LIFE: Duration = Duration::from_secs(10);

impl XdgActivationHandler for Overwinter {
    fn activation_state(&mut self) -> &mut XdgActivationState {
        &mut self.protocols.activation
    }

    fn token_created(&mut self, _token: XdgActivationToken, data: XdgActivationTokenData) -> bool {
        // Only who had the keyboard or pointer when it asked may pass focus on.
        let Some((serial, seat)) = data.serial else {
            return false;
        };
        let Some(seat) = Seat::<Overwinter>::from_resource(&seat) else {
            return false;
        };
        let keyboard = seat.get_keyboard().and_then(|k| k.last_enter());
        let pointer = seat.get_pointer().and_then(|p| p.last_enter());
        [keyboard, pointer]
            .into_iter()
            .flatten()
            .any(|enter| serial.is_no_older_than(&enter))
    }

    fn request_activation(
        &mut self,
        token: XdgActivationToken,
        data: XdgActivationTokenData,
        surface: WlSurface,
    ) {
        self.protocols.activation.remove_token(&token);
        self.protocols
            .activation
            .retain_tokens(|_, data| data.timestamp.elapsed() < TOKEN_LIFE);
        if data.timestamp.elapsed() >= TOKEN_LIFE {
            return;
        }
        if let Some(id) = self.shell.window_of(&root_of(&surface)) {
            self.raise_and_focus(Item::Window(id));
        }
    }
}

delegate_xdg_activation!(Overwinter);
