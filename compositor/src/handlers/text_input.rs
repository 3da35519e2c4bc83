//! text-input-v3 and input-method-v2: how people type who need more than a keyboard. The input method is one privileged client; it
//! may take the keyboard of whoever has the focus, but never the locker's (see [`Overwinter::key`]).

use smithay::desktop::utils::bbox_from_surface_tree;
use smithay::desktop::{PopupKind, PopupManager};
use smithay::reexports::wayland_protocols_misc::zwp_input_method_v2::server::zwp_input_method_keyboard_grab_v2::ZwpInputMethodKeyboardGrabV2;
use smithay::reexports::wayland_protocols_misc::zwp_input_method_v2::server::zwp_input_method_manager_v2::ZwpInputMethodManagerV2;
use smithay::reexports::wayland_protocols_misc::zwp_input_method_v2::server::zwp_input_method_v2::{
    self, ZwpInputMethodV2,
};
use smithay::reexports::wayland_protocols_misc::zwp_input_method_v2::server::zwp_input_popup_surface_v2::ZwpInputPopupSurfaceV2;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::input_method::{
    InputMethodHandler, InputMethodKeyboardUserData, InputMethodManagerGlobalData,
    InputMethodManagerState, InputMethodPopupSurfaceUserData, InputMethodUserData, PopupSurface,
};
use smithay::wayland::text_input::{TextInputManagerState, TextInputSeat, TextInputUserData};
use wayland_protocols::wp::text_input::zv3::server::zwp_text_input_manager_v3::ZwpTextInputManagerV3;
use wayland_protocols::wp::text_input::zv3::server::zwp_text_input_v3::{self, ZwpTextInputV3};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, WEnum, delegate_dispatch, delegate_global_dispatch,
};

use crate::state::Overwinter;

/// No line is further away.
const FAR: i32 = 1 << 15;

impl InputMethodHandler for Overwinter {
    fn new_popup(&mut self, surface: PopupSurface) {
        self.place_candidates(&surface);
        if let Err(error) = self.popups.track_popup(PopupKind::from(surface)) {
            tracing::warn!(%error, "an input method's popup has no place");
        }
    }

    fn dismiss_popup(&mut self, surface: PopupSurface) {
        if let Some(parent) = surface.get_parent().map(|p| p.surface.clone()) {
            let _ = PopupManager::dismiss_popup(&parent, &PopupKind::from(surface));
        }
        self.schedule_frame();
    }

    fn popup_repositioned(&mut self, surface: PopupSurface) {
        self.place_candidates(&surface);
        self.schedule_frame();
    }

    fn parent_geometry(&self, parent: &WlSurface) -> Rectangle<i32, Logical> {
        if let Some(layer) = self.shell.layers.of(parent) {
            return Rectangle::from_size(layer.rect.size);
        }
        let window = self.shell.window_of(parent);
        let window = window.and_then(|id| self.shell.window(id));
        window.map(|w| w.geometry()).unwrap_or_default()
    }
}

impl Overwinter {
    /// The list of candidates goes below the line that is typed, or above it where there is no room, and stays on the output.
    pub fn place_candidates(&self, popup: &PopupSurface) {
        let Some(parent) = popup.get_parent().map(|p| &p.surface) else {
            return;
        };
        let origin = match self.shell.layers.of(parent) {
            Some(layer) => layer.rect.loc,
            None => {
                let window = self.shell.window_of(parent);
                match window.and_then(|id| self.shell.window(id)) {
                    Some(window) => window.surface_origin(),
                    None => return,
                }
            }
        };
        let size = bbox_from_surface_tree(popup.wl_surface(), (0, 0)).size;
        let room = self.area_around(Rectangle::new(origin, (1, 1).into()));
        let at = beside_line(room, origin, popup.text_input_rectangle(), size);
        popup.set_location(at);
    }
}

/// Where, relative to the surface at `origin`, something of this size stands beside the line. The line is a client's number.
fn beside_line(
    output: Rectangle<i32, Logical>,
    origin: Point<i32, Logical>,
    line: Rectangle<i32, Logical>,
    size: Size<i32, Logical>,
) -> Point<i32, Logical> {
    let cut = |n: i32| n.clamp(-FAR, FAR);
    let (x, top) = (origin.x + cut(line.loc.x), origin.y + cut(line.loc.y));
    let below = top + cut(line.size.h).max(0);
    let last = output.loc + output.size.to_point() - size.to_point();
    let y = if below <= last.y || top - size.h < output.loc.y {
        below
    } else {
        top - size.h
    };
    let x = x.min(last.x).max(output.loc.x);
    Point::from((x, y)) - origin
}

// What `delegate_text_input_manager!` does, with the requests looked at first.
delegate_global_dispatch!(Overwinter: [ZwpTextInputManagerV3: ()] => TextInputManagerState);
delegate_dispatch!(Overwinter: [ZwpTextInputManagerV3: ()] => TextInputManagerState);

impl Dispatch<ZwpTextInputV3, TextInputUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        input: &ZwpTextInputV3,
        request: zwp_text_input_v3::Request,
        data: &TextInputUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        use zwp_text_input_v3::Request;
        // Smithay 0.7.0 unwraps these. The protocol names no error for them, and a newer client may know more than we do.
        let unknown = match &request {
            Request::SetTextChangeCause { cause } => matches!(cause, WEnum::Unknown(_)),
            Request::SetContentType { hint, purpose } => {
                matches!(hint, WEnum::Unknown(_)) || matches!(purpose, WEnum::Unknown(_))
            }
            _ => false,
        };
        if unknown {
            tracing::debug!("a text input says what we do not know: passed over");
            return;
        }
        <TextInputManagerState as Dispatch<ZwpTextInputV3, TextInputUserData, Self>>::request(
            this, client, input, request, data, display, init,
        );
    }

    fn destroyed(
        this: &mut Self,
        client: ClientId,
        input: &ZwpTextInputV3,
        data: &TextInputUserData,
    ) {
        <TextInputManagerState as Dispatch<ZwpTextInputV3, TextInputUserData, Self>>::destroyed(
            this, client, input, data,
        );
    }
}

type MethodData = InputMethodUserData<Overwinter>;

// What `delegate_input_method_manager!` does; who grabs the keyboard is remembered, for its own keys pass the grab.
delegate_global_dispatch!(Overwinter: [ZwpInputMethodManagerV2: InputMethodManagerGlobalData] => InputMethodManagerState);
delegate_dispatch!(Overwinter: [ZwpInputMethodManagerV2: ()] => InputMethodManagerState);
delegate_dispatch!(Overwinter: [ZwpInputMethodKeyboardGrabV2: InputMethodKeyboardUserData<Overwinter>] => InputMethodManagerState);
delegate_dispatch!(Overwinter: [ZwpInputPopupSurfaceV2: InputMethodPopupSurfaceUserData] => InputMethodManagerState);

impl Dispatch<ZwpInputMethodV2, MethodData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        method: &ZwpInputMethodV2,
        request: zwp_input_method_v2::Request,
        data: &MethodData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if matches!(request, zwp_input_method_v2::Request::GrabKeyboard { .. }) {
            this.input.input_method = Some(method.clone());
        }
        <InputMethodManagerState as Dispatch<ZwpInputMethodV2, MethodData, Self>>::request(
            this, client, method, request, data, display, init,
        );
    }

    fn destroyed(this: &mut Self, client: ClientId, method: &ZwpInputMethodV2, data: &MethodData) {
        // The system's libwayland no longer knows whose it was.
        if this.input.input_method.as_ref() == Some(method) {
            this.input.input_method = None;
        }
        // The text input is told that nobody is there any more; not when it is going, too.
        let text = this.seat.text_input();
        if text.focus().is_some_and(|focus| !this.hears(&focus)) {
            text.set_focus(None);
        }
        <InputMethodManagerState as Dispatch<ZwpInputMethodV2, MethodData, Self>>::destroyed(
            this, client, method, data,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_stand_below_or_above_the_line_and_on_the_output() {
        let output = Rectangle::from_size((1280, 800).into());
        let place = |x, y| {
            let line = Rectangle::new((x, y).into(), (1, 16).into());
            beside_line(output, (100, 100).into(), line, (200, 150).into())
        };
        assert_eq!(place(10, 20), Point::from((10, 36)));
        assert_eq!(place(10, 600), Point::from((10, 450)));
        assert_eq!(place(1100, 20), Point::from((980, 36)));
        for n in [i32::MIN, i32::MAX] {
            place(n, n);
        }
    }
}
