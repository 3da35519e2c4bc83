//! Popups: kept on the output, grabbed while a menu is open.

use smithay::desktop::{
    PopupKeyboardGrab, PopupKind, PopupManager, PopupPointerGrab, PopupUngrabStrategy,
    find_popup_root_surface, get_popup_toplevel_coords,
};
use smithay::input::Seat;
use smithay::input::pointer::Focus;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_wm_base;
use smithay::utils::{Logical, Rectangle, SERIAL_COUNTER, Serial};
use smithay::wayland::compositor::with_states;
use smithay::wayland::shell::xdg::{
    PopupState, PopupSurface, PositionerState, XdgPopupSurfaceData,
};
use wayland_server::Resource;
use wayland_server::protocol::wl_seat::WlSeat;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::shell::Item;
use crate::state::Overwinter;

impl Overwinter {
    /// A popup comes into being.
    pub fn new_popup_surface(&mut self, surface: PopupSurface, positioner: PositionerState) {
        if let Some(why) = stands_wrong(surface.wl_surface()) {
            // Whoever looks for its root, smithay included, would never come to an end, or only after a long way.
            set_no_parent(surface.wl_surface());
            let code = xdg_wm_base::Error::InvalidPopupParent;
            return surface.xdg_popup().post_error(code, why);
        }
        self.place_popup(&surface, positioner);
        if let Err(error) = self.popups.track_popup(PopupKind::Xdg(surface)) {
            tracing::warn!(%error, "a popup's parent is gone");
        }
    }

    /// Puts it where its positioner allows and the output has room.
    pub fn place_popup(&self, surface: &PopupSurface, positioner: PositionerState) {
        let kind = PopupKind::Xdg(surface.clone());
        let room = find_popup_root_surface(&kind)
            .ok()
            .and_then(|root| self.room_for_popup(&root, &kind));
        surface.with_pending_state(|state| {
            state.geometry = match room {
                Some(room) => positioner.get_unconstrained_geometry(room),
                None => positioner.get_geometry(),
            };
            state.positioner = positioner;
        });
    }

    /// A popup that showed itself before it was told where it stands, as it should not have, goes there as soon as it has heard
    /// of it. Any other goes there with its next commit; that is smithay's.
    pub fn popup_acked(&mut self, surface: &WlSurface, acked: PopupState) {
        let late = with_states(surface, |states| {
            let mut role = states.data_map.get::<XdgPopupSurfaceData>()?.lock().ok()?;
            let nowhere = role.current == PopupState::default();
            nowhere.then(|| role.current = acked)
        });
        if late.is_some() {
            self.input.scene_moved = true;
            self.schedule_frame();
        }
    }

    /// The output as seen from the popup's parent.
    fn room_for_popup(
        &self,
        root: &WlSurface,
        popup: &PopupKind,
    ) -> Option<Rectangle<i32, Logical>> {
        let parent = match self.shell.layers.of(root) {
            Some(layer) => layer.rect,
            None => self.shell.window(self.shell.window_of(root)?)?.rect(),
        };
        let mut room = self.area_around(parent);
        room.loc -= parent.loc;
        room.loc -= get_popup_toplevel_coords(popup);
        Some(room)
    }

    /// A menu takes all input until it is dismissed.
    pub fn grab_popup(&mut self, surface: PopupSurface, seat: &WlSeat, serial: Serial) {
        let Some(seat) = Seat::<Overwinter>::from_resource(seat) else {
            return;
        };
        let kind = PopupKind::Xdg(surface);
        let Ok(root) = find_popup_root_surface(&kind) else {
            return;
        };
        let window = self.shell.window_of(&root);
        let shown = window.is_some_and(|id| self.shell.is_seen(Item::Window(id)));
        if self.shell.lock.is_some() || !(shown || self.shell.layers.of(&root).is_some()) {
            let _ = PopupManager::dismiss_popup(&root, &kind);
            return;
        }
        let mut grab = match self.popups.grab_popup(root.clone(), kind, &seat, serial) {
            Ok(grab) => grab,
            Err(error) => {
                tracing::debug!(%error, "a popup grab was refused");
                return;
            }
        };
        if let Some(keyboard) = seat.get_keyboard() {
            let foreign = keyboard.is_grabbed()
                && !(keyboard.has_grab(serial)
                    || grab.previous_serial().is_some_and(|s| keyboard.has_grab(s)));
            if foreign {
                grab.ungrab(PopupUngrabStrategy::All);
                return;
            }
            keyboard.set_focus(self, grab.current_grab(), serial);
            keyboard.set_grab(self, PopupKeyboardGrab::new(&grab), serial);
        }
        if let Some(pointer) = seat.get_pointer() {
            let foreign = pointer.is_grabbed()
                && !(pointer.has_grab(serial)
                    || grab.previous_serial().is_none_or(|s| pointer.has_grab(s)));
            if foreign {
                grab.ungrab(PopupUngrabStrategy::All);
                return;
            }
            pointer.set_grab(self, PopupPointerGrab::new(&grab), serial, Focus::Keep);
        }
        self.input.popup_grab = Some((root, grab));
    }

    /// What the popup's place depends on has moved: one that asked to be kept in sight (`set_reactive`) is placed anew.
    pub fn reconstrain_popups(&self, item: Item) {
        let Item::Window(id) = item else { return };
        let Some(window) = self.shell.window(id) else {
            return;
        };
        for (popup, _) in PopupManager::popups_for_surface(window.wl_surface()) {
            let PopupKind::Xdg(popup) = popup else {
                continue;
            };
            let positioner = popup.with_pending_state(|state| state.positioner);
            if positioner.reactive {
                self.place_popup(&popup, positioner);
                if let Err(error) = popup.send_pending_configure() {
                    tracing::debug!(%error, "a popup was not placed anew");
                }
            }
        }
    }

    /// The keyboard goes to this window (or to none): the open menu of any other is closed.
    pub fn end_popup_grab_of_others(&mut self, window: Option<&WlSurface>) {
        let of_others = |(root, _): &mut (WlSurface, _)| window != Some(&*root);
        let Some((root, mut grab)) = self.input.popup_grab.take_if(of_others) else {
            return;
        };
        // A grab whose client goes ends by itself.
        if grab.has_ended() || !self.hears(&root) {
            return;
        }
        grab.ungrab(PopupUngrabStrategy::All);
        let ours = |serial| serial == grab.serial() || Some(serial) == grab.previous_serial();
        let (serial, time) = (SERIAL_COUNTER.next_serial(), self.now_ms());
        if let Some(keyboard) = self.seat.get_keyboard()
            && keyboard.with_grab(|s, _| ours(s)) == Some(true)
        {
            keyboard.unset_grab(self);
        }
        if let Some(pointer) = self.seat.get_pointer()
            && pointer.with_grab(|s, _| ours(s)) == Some(true)
        {
            pointer.unset_grab(self, serial, time);
        }
    }

    /// Closes every menu there is: the session is being locked.
    pub fn dismiss_all_popups(&mut self) {
        let windows = self.shell.windows().map(|w| w.wl_surface());
        let layers = self.shell.layers.all().map(|l| l.surface.wl_surface());
        let roots: Vec<WlSurface> = windows.chain(layers).cloned().collect();
        for root in roots {
            self.dismiss_popups(&root);
        }
    }

    /// Closes every popup of a window (its picture is about to be taken, or it is hidden).
    pub fn dismiss_popups(&mut self, root: &WlSurface) {
        let popups: Vec<_> = PopupManager::popups_for_surface(root)
            .map(|(popup, _)| popup)
            .collect();
        if popups.is_empty() {
            return;
        }
        for popup in &popups {
            let _ = PopupManager::dismiss_popup(root, popup);
        }
        self.popups.cleanup();
    }
}

/// What a popup stands on; none for what is no popup.
fn parent_of(surface: &WlSurface) -> Option<WlSurface> {
    with_states(surface, |states| {
        let role = states.data_map.get::<XdgPopupSurfaceData>()?.lock().ok()?;
        role.parent.clone()
    })
}

/// How many popups may stand on one another. Each commit of one walks all those below it, and whoever looks for them all calls
/// itself for each; nobody opens menus of menus so far.
const HIGHEST: usize = 64;

/// What is wrong with the place where a popup stands.
fn stands_wrong(surface: &WlSurface) -> Option<&'static str> {
    // Whatever was there before holds no circle: each is looked at when it comes.
    let mut below = 0;
    for above in std::iter::successors(parent_of(surface), parent_of) {
        if above == *surface {
            return Some("a popup stands on itself");
        }
        below += 1;
        if below > HIGHEST {
            return Some("more than 64 popups stand on one another");
        }
    }
    None
}

fn set_no_parent(surface: &WlSurface) {
    with_states(surface, |states| {
        let role = states.data_map.get::<XdgPopupSurfaceData>();
        if let Some(Ok(mut role)) = role.map(|role| role.lock()) {
            role.parent = None;
        }
    });
}
