//! Clipboard, primary selection, drag and drop, and data-control (ext and wlr) over them.

use std::os::fd::OwnedFd;

use smithay::delegate_data_control;
use smithay::delegate_data_device;
use smithay::delegate_ext_data_control;
use smithay::delegate_primary_selection;
use smithay::input::Seat;
use smithay::wayland::selection::data_device::{
    ClientDndGrabHandler, DataDeviceHandler, DataDeviceState, ServerDndGrabHandler,
};
use smithay::wayland::selection::ext_data_control::{
    DataControlHandler as ExtDataControlHandler, DataControlState as ExtDataControlState,
};
use smithay::wayland::selection::primary_selection::{
    PrimarySelectionHandler, PrimarySelectionState,
};
use smithay::wayland::selection::wlr_data_control::{DataControlHandler, DataControlState};
use smithay::wayland::selection::{SelectionHandler, SelectionSource, SelectionTarget};
use wayland_server::protocol::wl_data_source::WlDataSource;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

impl SelectionHandler for Overwinter {
    type SelectionUserData = ();

    fn new_selection(
        &mut self,
        target: SelectionTarget,
        source: Option<SelectionSource>,
        _seat: Seat<Self>,
    ) {
        self.wayland_selection(target, source.map(|source| source.mime_types()));
    }

    /// What is the compositor's own is what X11 clients have selected.
    fn send_selection(
        &mut self,
        target: SelectionTarget,
        mime_type: String,
        fd: OwnedFd,
        _seat: Seat<Self>,
        (): &(),
    ) {
        self.wayland_reads(target, mime_type, fd);
    }
}

impl DataDeviceHandler for Overwinter {
    fn data_device_state(&self) -> &DataDeviceState {
        &self.protocols.data_device
    }
}

impl ClientDndGrabHandler for Overwinter {
    fn started(
        &mut self,
        _source: Option<WlDataSource>,
        icon: Option<WlSurface>,
        _seat: Seat<Self>,
    ) {
        self.input.drag_icon = icon;
        self.schedule_frame();
    }

    fn dropped(&mut self, _target: Option<WlSurface>, _validated: bool, _seat: Seat<Self>) {
        self.input.drag_icon = None;
        self.schedule_frame();
    }
}

impl ServerDndGrabHandler for Overwinter {
    fn send(&mut self, _mime_type: String, _fd: OwnedFd, _seat: Seat<Self>) {}
}

impl PrimarySelectionHandler for Overwinter {
    fn primary_selection_state(&self) -> &PrimarySelectionState {
        &self.protocols.primary_selection
    }
}

impl DataControlHandler for Overwinter {
    fn data_control_state(&self) -> &DataControlState {
        &self.protocols.data_control
    }
}

impl ExtDataControlHandler for Overwinter {
    fn data_control_state(&self) -> &ExtDataControlState {
        &self.protocols.ext_data_control
    }
}

delegate_data_device!(Overwinter);
delegate_primary_selection!(Overwinter);
delegate_data_control!(Overwinter);
delegate_ext_data_control!(Overwinter);
