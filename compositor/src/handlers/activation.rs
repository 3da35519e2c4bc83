//! xdg-activation: a client asks for focus with a token that came from an input event. One whose token did not, or is too old,
//! is marked as asking to be looked at: the focus is not taken from what the user works in.

use std::time::Duration;

use overwinter_layout::Op;
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

/// With a token that a client asked for: who asked had the keyboard or the pointer, and may pass the focus on.
struct Entitled(bool);

impl XdgActivationHandler for Overwinter {
    fn activation_state(&mut self) -> &mut XdgActivationState {
        &mut self.protocols.activation
    }

    fn token_created(&mut self, _token: XdgActivationToken, data: XdgActivationTokenData) -> bool {
        let entitled = Entitled(has_input(&data));
        data.user_data.insert_if_missing_threadsafe(|| entitled);
        true
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
        let Some(id) = self.shell.window_of(&root_of(&surface)) else {
            return;
        };
        let item = Item::Window(id);
        // One that the session gave out itself comes from the user.
        let entitled = data.user_data.get::<Entitled>().is_none_or(|e| e.0);
        if entitled && data.timestamp.elapsed() < TOKEN_LIFE {
            self.raise_and_focus(item);
        } else if self.shell.stands(item) {
            self.layout_all([Op::Demand(item.name())]);
        }
    }
}

/// Whether who asked had the keyboard or the pointer when it did.
fn has_input(data: &XdgActivationTokenData) -> bool {
    let Some((serial, seat)) = &data.serial else {
        return false;
    };
    let Some(seat) = Seat::<Overwinter>::from_resource(seat) else {
        return false;
    };
    let keyboard = seat.get_keyboard().and_then(|k| k.last_enter());
    let pointer = seat.get_pointer().and_then(|p| p.last_enter());
    [keyboard, pointer]
        .into_iter()
        .flatten()
        .any(|enter| serial.is_no_older_than(&enter))
}

delegate_xdg_activation!(Overwinter);
