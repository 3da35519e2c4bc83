//! Clipboard and primary selection, both ways: an X11 selection is one of the compositor's to Wayland clients, a Wayland one is
//! one of the window manager's to X11 clients. X11 clients read them while an X11 window has the focus, as Wayland clients do.
//!
//! Smithay 0.7 has no drag and drop with X11 clients.

use std::os::fd::OwnedFd;

use smithay::wayland::selection::SelectionTarget;
use smithay::wayland::selection::data_device::{
    clear_data_device_selection, request_data_device_client_selection, set_data_device_selection,
};
use smithay::wayland::selection::primary_selection::{
    clear_primary_selection, request_primary_client_selection, set_primary_selection,
};

use crate::state::Overwinter;

/// Who has a selection.
#[derive(Debug, Default)]
enum Offer {
    #[default]
    Nobody,
    /// A Wayland client, of these types.
    Wayland(Vec<String>),
    /// An X11 client.
    X11,
}

/// Who has the selections.
#[derive(Debug, Default)]
pub struct Offers {
    clipboard: Offer,
    primary: Offer,
}

impl Offers {
    fn of(&mut self, selection: SelectionTarget) -> &mut Offer {
        match selection {
            SelectionTarget::Clipboard => &mut self.clipboard,
            SelectionTarget::Primary => &mut self.primary,
        }
    }
}

const BOTH: [SelectionTarget; 2] = [SelectionTarget::Clipboard, SelectionTarget::Primary];

impl Overwinter {
    /// A Wayland client has the selection now; without types nobody has.
    pub fn wayland_selection(&mut self, selection: SelectionTarget, types: Option<Vec<String>>) {
        *self.x11.offers.of(selection) = types.map_or(Offer::Nobody, Offer::Wayland);
        self.tell_offer(selection);
    }

    /// An Xwayland that is new hears what there is.
    pub(super) fn tell_offers(&mut self) {
        BOTH.into_iter().for_each(|s| self.tell_offer(s));
    }

    fn tell_offer(&mut self, selection: SelectionTarget) {
        if !self.x11.is_running() {
            return;
        }
        let types = match self.x11.offers.of(selection) {
            Offer::Wayland(types) => Some(types.clone()),
            Offer::Nobody => None,
            Offer::X11 => return,
        };
        if let Some(Err(error)) = self
            .x11
            .wm
            .as_mut()
            .map(|wm| wm.new_selection(selection, types))
        {
            tracing::debug!(%error, "X11 clients hear nothing of the selection");
        }
    }

    /// An X11 client has the selection now.
    pub(super) fn x11_selection(&mut self, selection: SelectionTarget, types: Vec<String>) {
        *self.x11.offers.of(selection) = Offer::X11;
        let (display, seat) = (&self.display, &self.seat);
        match selection {
            SelectionTarget::Clipboard => set_data_device_selection(display, seat, types, ()),
            SelectionTarget::Primary => set_primary_selection(display, seat, types, ()),
        }
    }

    /// The X11 client that had the selection lets it go.
    pub(super) fn x11_selection_gone(&mut self, selection: SelectionTarget) {
        let offer = self.x11.offers.of(selection);
        if !matches!(offer, Offer::X11) {
            return;
        }
        *offer = Offer::Nobody;
        let (display, seat) = (&self.display, &self.seat);
        match selection {
            SelectionTarget::Clipboard => clear_data_device_selection(display, seat),
            SelectionTarget::Primary => clear_primary_selection(display, seat),
        }
    }

    /// Xwayland has ended, and what its clients had selected with it.
    pub(super) fn forget_x11_offers(&mut self) {
        BOTH.into_iter().for_each(|s| self.x11_selection_gone(s));
    }

    /// An X11 client reads what a Wayland client has selected.
    pub(super) fn x11_reads(&mut self, selection: SelectionTarget, mime: String, fd: OwnedFd) {
        let asked = match selection {
            SelectionTarget::Clipboard => {
                request_data_device_client_selection(&self.seat, mime, fd)
                    .map_err(|e| e.to_string())
            }
            SelectionTarget::Primary => {
                request_primary_client_selection(&self.seat, mime, fd).map_err(|e| e.to_string())
            }
        };
        if let Err(error) = asked {
            tracing::debug!(error, "an X11 client gets nothing of the selection");
        }
    }

    /// A Wayland client reads what an X11 client has selected.
    pub fn wayland_reads(&mut self, selection: SelectionTarget, mime: String, fd: OwnedFd) {
        if !self.x11.is_running() {
            return;
        }
        let handle = self.handle.clone();
        let wm = self.x11.wm.as_mut();
        if let Some(Err(error)) = wm.map(|wm| wm.send_selection(selection, mime, fd, handle)) {
            tracing::debug!(%error, "a Wayland client gets nothing of an X11 selection");
        }
    }
}
