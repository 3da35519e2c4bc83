//! wl_compositor: commits.

use std::sync::OnceLock;

use smithay::backend::renderer::utils::on_commit_buffer_handler;
use smithay::desktop::{PopupKind, find_popup_root_surface};
use smithay::wayland::compositor::{
    CompositorClientState, CompositorHandler, CompositorState, get_parent, is_sync_subsurface,
};
use smithay::xwayland::XWaylandClientData;
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{Client, Resource};

use super::wl_surface::apply_places;
use crate::client::ClientState;
use crate::shell::ShellWindow;
use crate::state::Overwinter;

/// The surface at the root of a tree of subsurfaces.
pub fn root_of(surface: &WlSurface) -> WlSurface {
    let mut root = surface.clone();
    while let Some(parent) = get_parent(&root) {
        root = parent;
    }
    root
}

impl CompositorHandler for Overwinter {
    fn compositor_state(&mut self) -> &mut CompositorState {
        self.protocols.compositor.current()
    }

    fn client_compositor_state<'a>(&self, client: &'a Client) -> &'a CompositorClientState {
        if let Some(data) = client.get_data::<XWaylandClientData>() {
            return &data.compositor_state;
        }
        match client.get_data::<ClientState>() {
            Some(data) => &data.compositor,
            // Every other client is made by `add_client`; this keeps a mistake of ours from ending the session.
            None => {
                static STRANGER: OnceLock<CompositorClientState> = OnceLock::new();
                tracing::error!("a client without our data");
                STRANGER.get_or_init(CompositorClientState::default)
            }
        }
    }

    fn new_surface(&mut self, surface: &WlSurface) {
        self.protocols.compositor.keep(surface);
        self.tell_likely_scale(surface);
    }

    fn commit(&mut self, surface: &WlSurface) {
        apply_places(surface);
        on_commit_buffer_handler::<Overwinter>(surface);
        self.popups.commit(surface);
        self.input.scene_moved = true;
        if is_sync_subsurface(surface) {
            return;
        }
        let root = root_of(surface);
        if let Some(popup) = self.popups.find_popup(&root) {
            self.popup_committed(&popup);
            let shown = find_popup_root_surface(&popup)
                .ok()
                .and_then(|r| self.shell.window_of(&r));
            if shown.is_none_or(|id| self.shell.needs_frames(id)) {
                self.schedule_frame();
            }
        } else if let Some(id) = self.shell.window_of(&root) {
            let before = self.extent_of(id);
            self.window_committed(id, root == *surface);
            if self.shell.window(id).is_some_and(ShellWindow::is_restoring) {
                // It has no place of its own yet; any output's frame will do, and it waits for one.
                self.schedule_frame();
            }
            // Outputs that it is not on have nothing to draw.
            for extent in before.into_iter().chain(self.extent_of(id)) {
                self.schedule_frame_at(extent);
            }
        } else if self.shell.layers.of(&root).is_some() {
            if root == *surface {
                self.layer_committed(surface);
            }
            self.schedule_frame();
        } else if self.is_cursor_or_icon(&root)
            || self.is_lock(&root)
            || self.shell.unmanaged.iter().any(|u| u.surface == root)
        {
            self.schedule_frame();
        }
    }

    fn destroyed(&mut self, surface: &WlSurface) {
        self.overwinter_surface_gone(&surface.id());
        self.input.scene_moved = true;
        self.lock_surface_gone(surface);
        self.x11_surface_gone(surface);
        if self.shell.layers.of(surface).is_some() {
            self.remove_layer(surface);
        }
        self.schedule_frame();
    }
}

impl Overwinter {
    fn popup_committed(&self, popup: &PopupKind) {
        let PopupKind::Xdg(popup) = popup else { return };
        if !popup.is_initial_configure_sent()
            && let Err(error) = popup.send_configure()
        {
            tracing::warn!(%error, "a popup could not be configured");
        }
    }

    fn is_lock(&self, surface: &WlSurface) -> bool {
        let lock = self.shell.lock.as_ref();
        lock.is_some_and(|l| l.shows(surface))
    }

    fn is_cursor_or_icon(&self, surface: &WlSurface) -> bool {
        use smithay::input::pointer::CursorImageStatus::Surface;
        matches!(&self.input.cursor, Surface(s) if s == surface)
            || self.input.drag_icon.as_ref() == Some(surface)
    }
}
