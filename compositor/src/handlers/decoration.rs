//! Who draws title bars. A client that says who should is heard; where it leaves the choice the configuration decides. Clients that
//! speak neither protocol draw their own.

use overwinter_config::Decorations;
use smithay::delegate_kde_decoration;
use smithay::reexports::wayland_protocols::xdg::decoration::zv1::server::zxdg_decoration_manager_v1::ZxdgDecorationManagerV1;
use smithay::reexports::wayland_protocols::xdg::decoration::zv1::server::zxdg_toplevel_decoration_v1::{
    Mode, Request, ZxdgToplevelDecorationV1,
};
use smithay::reexports::wayland_protocols_misc::server_decoration::server::org_kde_kwin_server_decoration::{
    Mode as KdeMode, OrgKdeKwinServerDecoration,
};
use smithay::wayland::shell::kde::decoration::{KdeDecorationHandler, KdeDecorationState};
use smithay::wayland::shell::xdg::ToplevelSurface;
use smithay::wayland::shell::xdg::decoration::{
    XdgDecorationHandler, XdgDecorationManagerGlobalData, XdgDecorationState,
};
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, WEnum, delegate_dispatch, delegate_global_dispatch,
};

use crate::state::Overwinter;

impl Overwinter {
    /// The client would have this mode, or leaves the choice.
    fn decorate(&mut self, toplevel: &ToplevelSurface, wish: Option<Mode>) {
        let mode = wish.unwrap_or(match self.appearance.decorations {
            Decorations::Client => Mode::ClientSide,
            Decorations::Server => Mode::ServerSide,
        });
        toplevel.with_pending_state(|state| state.decoration_mode = Some(mode));
        if let Some(id) = self.shell.window_of(toplevel.wl_surface()) {
            self.frame_window(id, mode == Mode::ServerSide);
        }
        if toplevel.is_initial_configure_sent() {
            toplevel.send_configure();
        }
    }
}

impl XdgDecorationHandler for Overwinter {
    fn new_decoration(&mut self, toplevel: ToplevelSurface) {
        if !toplevel.is_initial_configure_sent() {
            return self.decorate(&toplevel, None);
        }
        // Most clients say in the same breath what they would have: they are heard out. SDL 2.26, told before that to draw its own
        // title bar, takes its window away for good.
        toplevel.with_pending_state(|state| state.decoration_mode = None);
        self.handle.insert_idle(move |this| {
            let unsaid = || toplevel.with_pending_state(|state| state.decoration_mode.is_none());
            if toplevel.alive() && unsaid() {
                this.decorate(&toplevel, None);
            }
        });
    }

    fn request_mode(&mut self, toplevel: ToplevelSurface, mode: Mode) {
        self.decorate(&toplevel, Some(mode));
    }

    fn unset_mode(&mut self, toplevel: ToplevelSurface) {
        self.decorate(&toplevel, None);
    }
}

impl KdeDecorationHandler for Overwinter {
    fn kde_decoration_state(&self) -> &KdeDecorationState {
        &self.protocols.kde_decoration
    }

    fn request_mode(
        &mut self,
        surface: &WlSurface,
        decoration: &OrgKdeKwinServerDecoration,
        mode: WEnum<KdeMode>,
    ) {
        let id = self.shell.window_of(surface);
        let server = matches!(mode, WEnum::Value(KdeMode::Server)) && id.is_some();
        if let Some(id) = id {
            self.frame_window(id, server);
            if let Some(window) = self.shell.window(id).filter(|w| w.is_configured()) {
                window.send_pending();
            }
        }
        // None at all is what a client gets that says so: no frame, and no title bar of its own either.
        decoration.mode(match mode {
            WEnum::Value(KdeMode::None) => KdeMode::None,
            _ if server => KdeMode::Server,
            _ => KdeMode::Client,
        });
    }
}

/// As smithay has it, but that a frame goes with the object that asked for it: the client draws its own title bar from then on.
impl Dispatch<ZxdgToplevelDecorationV1, ToplevelSurface> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        decoration: &ZxdgToplevelDecorationV1,
        request: Request,
        toplevel: &ToplevelSurface,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        let ends = matches!(request, Request::Destroy);
        <XdgDecorationState as Dispatch<ZxdgToplevelDecorationV1, ToplevelSurface, Self>>::request(
            this, client, decoration, request, toplevel, display, data_init,
        );
        // The surface may have another window by now, which this is no word about.
        if ends && toplevel.alive() {
            this.decorate(toplevel, Some(Mode::ClientSide));
        }
    }
}

delegate_global_dispatch!(Overwinter: [ZxdgDecorationManagerV1: XdgDecorationManagerGlobalData] => XdgDecorationState);
delegate_dispatch!(Overwinter: [ZxdgDecorationManagerV1: ()] => XdgDecorationState);
delegate_kde_decoration!(Overwinter);
