//! wl_surface and what belongs to it: smithay's, with the end of a surface heard of while it can still be told something.

use smithay::wayland::compositor::{
    CompositorState, RegionUserData, SubsurfaceUserData, SurfaceUserData,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_callback::WlCallback;
use wayland_server::protocol::wl_compositor::WlCompositor;
use wayland_server::protocol::wl_region::WlRegion;
use wayland_server::protocol::wl_subcompositor::WlSubcompositor;
use wayland_server::protocol::wl_subsurface::WlSubsurface;
use wayland_server::protocol::wl_surface::{self, WlSurface};
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, delegate_dispatch, delegate_global_dispatch,
};

use crate::state::Overwinter;

// What `delegate_compositor!` does, with the end of a surface looked at first.
delegate_global_dispatch!(Overwinter: [WlCompositor: ()] => CompositorState);
delegate_global_dispatch!(Overwinter: [WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(Overwinter: [WlCompositor: ()] => CompositorState);
delegate_dispatch!(Overwinter: [WlRegion: RegionUserData] => CompositorState);
delegate_dispatch!(Overwinter: [WlCallback: ()] => CompositorState);
delegate_dispatch!(Overwinter: [WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(Overwinter: [WlSubsurface: SubsurfaceUserData] => CompositorState);

impl Dispatch<WlSurface, SurfaceUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        surface: &WlSurface,
        request: wl_surface::Request,
        data: &SurfaceUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if matches!(request, wl_surface::Request::Destroy) {
            this.lift_fingers_from(surface);
        }
        <CompositorState as Dispatch<WlSurface, SurfaceUserData, Self>>::request(
            this, client, surface, request, data, display, init,
        );
    }

    fn destroyed(this: &mut Self, client: ClientId, surface: &WlSurface, data: &SurfaceUserData) {
        <CompositorState as Dispatch<WlSurface, SurfaceUserData, Self>>::destroyed(
            this, client, surface, data,
        );
    }
}
