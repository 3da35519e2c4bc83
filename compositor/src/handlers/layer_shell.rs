//! wlr-layer-shell: panels, wallpapers, launchers, notifications.

use smithay::delegate_layer_shell;
use smithay::desktop::{LayerSurface, PopupKind};
use smithay::wayland::shell::wlr_layer::{
    Layer, LayerSurface as WlrLayerSurface, WlrLayerShellHandler, WlrLayerShellState,
};
use smithay::wayland::shell::xdg::PopupSurface;
use wayland_server::protocol::wl_output::WlOutput;

use crate::state::Overwinter;

impl WlrLayerShellHandler for Overwinter {
    fn shell_state(&mut self) -> &mut WlrLayerShellState {
        &mut self.protocols.layer_shell
    }

    fn new_layer_surface(
        &mut self,
        surface: WlrLayerSurface,
        output: Option<WlOutput>,
        _layer: Layer,
        namespace: String,
    ) {
        self.add_layer(LayerSurface::new(surface, namespace), output.as_ref());
    }

    fn new_popup(&mut self, _parent: WlrLayerSurface, popup: PopupSurface) {
        // It was made without a parent and got no place then.
        let positioner = popup.with_pending_state(|state| state.positioner);
        self.place_popup(&popup, positioner);
        self.popups.commit(PopupKind::Xdg(popup).wl_surface());
    }

    fn layer_destroyed(&mut self, surface: WlrLayerSurface) {
        self.remove_layer(surface.wl_surface());
    }
}

delegate_layer_shell!(Overwinter);
