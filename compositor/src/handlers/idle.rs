//! ext-idle-notify: who wants to know that nobody is there; idle-inhibit: who says that somebody is, although no key is pressed.
//! An inhibitor counts only as long as its surface can be seen.

use smithay::delegate_idle_inhibit;
use smithay::delegate_idle_notify;
use smithay::wayland::idle_inhibit::IdleInhibitHandler;
use smithay::wayland::idle_notify::{IdleNotifierHandler, IdleNotifierState};
use wayland_server::Resource;
use wayland_server::protocol::wl_surface::WlSurface;

use super::root_of;
use crate::shell::Standing;
use crate::state::Overwinter;

impl IdleNotifierHandler for Overwinter {
    fn idle_notifier_state(&mut self) -> &mut IdleNotifierState<Self> {
        &mut self.protocols.idle
    }
}

impl IdleInhibitHandler for Overwinter {
    fn inhibit(&mut self, surface: WlSurface) {
        self.protocols.idle_inhibitors.push(surface);
    }

    fn uninhibit(&mut self, surface: WlSurface) {
        let inhibitors = &mut self.protocols.idle_inhibitors;
        // A surface may have several, and each counts.
        if let Some(at) = inhibitors.iter().position(|s| *s == surface) {
            inhibitors.swap_remove(at);
        }
    }
}

impl Overwinter {
    /// The user did something.
    pub fn user_is_there(&mut self) {
        self.protocols.idle.notify_activity(&self.seat);
    }

    /// Whether anybody who can be seen says that the user is there. Called after each round of the event loop: windows come,
    /// go and are hidden for many reasons.
    pub fn review_idle_inhibitors(&mut self) {
        self.protocols.idle_inhibitors.retain(Resource::is_alive);
        let inhibited = self
            .protocols
            .idle_inhibitors
            .iter()
            .any(|surface| self.is_seen(&root_of(surface)));
        self.protocols.idle.set_is_inhibited(inhibited);
    }

    fn is_seen(&self, root: &WlSurface) -> bool {
        let window = self.shell.window_of(root);
        self.shell.order().any(|standing| match standing {
            Standing::Lock(cover) => cover.surface.wl_surface() == root,
            Standing::Layer(layer) => layer.surface.wl_surface() == root,
            Standing::Unmanaged(unmanaged) => unmanaged.surface == *root,
            Standing::Item(item) => window.map(crate::shell::Item::Window) == Some(item),
        })
    }
}

delegate_idle_notify!(Overwinter);
delegate_idle_inhibit!(Overwinter);
