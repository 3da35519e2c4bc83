//! What xdg-shell forbids and smithay 0.7.0 lets pass, and one thing that it forbids and xdg-shell allows. The rest of the
//! dispatch is smithay's.

use smithay::backend::renderer::utils::with_renderer_surface_state;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_popup::XdgPopup;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_positioner::{
    self, XdgPositioner,
};
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_surface::XdgSurface;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::XdgToplevel;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_wm_base::{self, XdgWmBase};
use smithay::utils::IsAlive;
use smithay::wayland::compositor::{BufferAssignment, SurfaceAttributes, get_role, with_states};
use smithay::wayland::shell::xdg::{
    XDG_POPUP_ROLE, XDG_TOPLEVEL_ROLE, XdgPositionerUserData, XdgShellState,
    XdgShellSurfaceUserData, XdgSurfaceUserData, XdgWmBaseUserData,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, delegate_dispatch,
    delegate_global_dispatch,
};

use crate::state::Overwinter;

delegate_global_dispatch!(Overwinter: [XdgWmBase: ()] => XdgShellState);
delegate_dispatch!(Overwinter: [XdgPopup: XdgShellSurfaceUserData] => XdgShellState);
delegate_dispatch!(Overwinter: [XdgSurface: XdgSurfaceUserData] => XdgShellState);
delegate_dispatch!(Overwinter: [XdgToplevel: XdgShellSurfaceUserData] => XdgShellState);

impl Dispatch<XdgWmBase, XdgWmBaseUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        base: &XdgWmBase,
        request: xdg_wm_base::Request,
        data: &XdgWmBaseUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let xdg_wm_base::Request::GetXdgSurface { surface, .. } = &request {
            if this.has_a_role(surface) {
                base.post_error(xdg_wm_base::Error::Role, "the wl_surface has a role");
            } else if has_a_buffer(surface) {
                let code = xdg_wm_base::Error::InvalidSurfaceState;
                base.post_error(code, "the wl_surface has a buffer");
            }
        }
        <XdgShellState as Dispatch<XdgWmBase, XdgWmBaseUserData, Self>>::request(
            this, client, base, request, data, display, init,
        );
    }

    fn destroyed(this: &mut Self, client: ClientId, base: &XdgWmBase, data: &XdgWmBaseUserData) {
        <XdgShellState as Dispatch<XdgWmBase, XdgWmBaseUserData, Self>>::destroyed(
            this, client, base, data,
        );
    }
}

impl Dispatch<XdgPositioner, XdgPositionerUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        positioner: &XdgPositioner,
        mut request: xdg_positioner::Request,
        data: &XdgPositionerUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        // A rectangle without extent is a point to hang a menu on, and allowed; smithay ends the client for it.
        if let xdg_positioner::Request::SetAnchorRect { width, height, .. } = &mut request {
            for extent in [width, height] {
                if *extent == 0 {
                    *extent = 1;
                }
            }
        }
        <XdgShellState as Dispatch<XdgPositioner, XdgPositionerUserData, Self>>::request(
            this, client, positioner, request, data, display, init,
        );
    }

    fn destroyed(
        this: &mut Self,
        client: ClientId,
        positioner: &XdgPositioner,
        data: &XdgPositionerUserData,
    ) {
        <XdgShellState as Dispatch<XdgPositioner, XdgPositionerUserData, Self>>::destroyed(
            this, client, positioner, data,
        );
    }
}

impl Overwinter {
    /// A toplevel or popup whose objects are gone may become one again, as toolkits do that hide and show a window.
    fn has_a_role(&self, surface: &WlSurface) -> bool {
        match get_role(surface) {
            None => false,
            Some(XDG_TOPLEVEL_ROLE) => self.shell.window_of(surface).is_some(),
            Some(XDG_POPUP_ROLE) => self.popups.find_popup(surface).is_some_and(|p| p.alive()),
            Some(_) => true,
        }
    }
}

/// Attached or committed.
fn has_a_buffer(surface: &WlSurface) -> bool {
    let attached = with_states(surface, |states| {
        let mut attributes = states.cached_state.get::<SurfaceAttributes>();
        let buffer = &attributes.pending().buffer;
        matches!(buffer, Some(BufferAssignment::NewBuffer(_)))
    });
    attached || with_renderer_surface_state(surface, |s| s.buffer().is_some()).unwrap_or(false)
}
