//! xdg-shell: what clients ask for their windows.

use smithay::delegate_xdg_dialog;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::ResizeEdge;
use smithay::utils::Serial;
use smithay::wayland::shell::xdg::dialog::XdgDialogHandler;
use smithay::wayland::shell::xdg::{
    Configure, PopupSurface, PositionerState, ToplevelSurface, XdgShellHandler, XdgShellState,
};
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::protocol::wl_seat::WlSeat;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::input::{DragKind, edges_of};
use crate::shell::{ModeWish, WindowSurface};
use crate::state::Overwinter;

impl XdgShellHandler for Overwinter {
    fn xdg_shell_state(&mut self) -> &mut XdgShellState {
        &mut self.protocols.xdg_shell
    }

    fn new_toplevel(&mut self, surface: ToplevelSurface) {
        let wl_surface = surface.wl_surface().clone();
        let id = self.shell.add_window(WindowSurface::toplevel(surface));
        self.bind_new_toplevel(id, &wl_surface);
    }

    fn toplevel_destroyed(&mut self, surface: ToplevelSurface) {
        if let Some(id) = self.shell.window_of(surface.wl_surface()) {
            self.remove_window(id);
        }
    }

    fn new_popup(&mut self, surface: PopupSurface, positioner: PositionerState) {
        self.new_popup_surface(surface, positioner);
    }

    fn ack_configure(&mut self, surface: WlSurface, configure: Configure) {
        if let Configure::Popup(configure) = configure {
            self.popup_acked(&surface, configure.state);
        }
    }

    fn popup_destroyed(&mut self, _surface: PopupSurface) {
        self.popups.cleanup();
        // A menu gives the keyboard to what it stood on, which may not be what has the focus.
        self.input.focus_moved = true;
        // At once: the surface still lives, so that it can be told that the pointer left it.
        self.pointer_refocus();
        self.schedule_frame();
    }

    fn reposition_request(
        &mut self,
        surface: PopupSurface,
        positioner: PositionerState,
        token: u32,
    ) {
        self.place_popup(&surface, positioner);
        surface.send_repositioned(token);
    }

    fn grab(&mut self, surface: PopupSurface, seat: WlSeat, serial: Serial) {
        self.grab_popup(surface, &seat, serial);
    }

    fn move_request(&mut self, surface: ToplevelSurface, _seat: WlSeat, serial: Serial) {
        if let Some(id) = self.shell.window_of(surface.wl_surface()) {
            self.drag_asked_by_client(id, DragKind::Move, serial);
        }
    }

    fn resize_request(
        &mut self,
        surface: ToplevelSurface,
        _seat: WlSeat,
        serial: Serial,
        edges: ResizeEdge,
    ) {
        if let Some(id) = self.shell.window_of(surface.wl_surface()) {
            self.drag_asked_by_client(id, DragKind::Resize(edges_of(edges)), serial);
        }
    }

    fn maximize_request(&mut self, surface: ToplevelSurface) {
        self.mode_request(&surface, ModeWish::Maximized(true));
    }

    fn unmaximize_request(&mut self, surface: ToplevelSurface) {
        self.mode_request(&surface, ModeWish::Maximized(false));
    }

    fn fullscreen_request(&mut self, surface: ToplevelSurface, output: Option<WlOutput>) {
        let output = output.and_then(|o| self.layout_output(&o));
        self.mode_request(&surface, ModeWish::Fullscreen(true, output));
    }

    fn unfullscreen_request(&mut self, surface: ToplevelSurface) {
        self.mode_request(&surface, ModeWish::Fullscreen(false, None));
    }

    fn minimize_request(&mut self, surface: ToplevelSurface) {
        if let Some(id) = self.shell.window_of(surface.wl_surface()) {
            self.wish_mode(id, ModeWish::Minimized(true));
        }
    }

    fn title_changed(&mut self, surface: ToplevelSurface) {
        let id = self.shell.window_of(surface.wl_surface());
        if id
            .and_then(|id| self.shell.window(id))
            .is_some_and(|w| w.framed)
        {
            self.schedule_frame();
        }
    }

    fn parent_changed(&mut self, surface: ToplevelSurface) {
        if let Some(id) = self.shell.window_of(surface.wl_surface()) {
            self.parent_changed_of(id);
        }
    }
}

impl XdgDialogHandler for Overwinter {
    fn modal_changed(&mut self, toplevel: ToplevelSurface, modal: bool) {
        if let Some(id) = self.shell.window_of(toplevel.wl_surface()) {
            self.set_modal(id, modal);
        }
    }
}

delegate_xdg_dialog!(Overwinter);
