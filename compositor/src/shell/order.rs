//! What is seen above what, and who hears the keyboard: decided here and nowhere else, so that what is drawn, what is under the
//! pointer and what gets frames can never differ, and nothing is above a lock.

use smithay::wayland::shell::wlr_layer::Layer as Height;
use wayland_server::protocol::wl_surface::WlSurface;

use super::layers::Layer;
use super::{Item, Shell, Unmanaged, WindowMode};

/// One thing that is seen.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// The locker's surface, and then nothing else.
    Lock(&'a WlSurface),
    /// A panel, a wallpaper, a launcher.
    Layer(&'a Layer),
    /// An X11 client's menu or tooltip.
    Unmanaged(&'a Unmanaged),
    /// A window or a ghost.
    Item(Item),
}

/// Who hears the keyboard.
#[derive(Debug, Clone, PartialEq)]
pub enum Listener {
    /// The session is locked: the locker's surface, if it has shown one.
    Locker(Option<WlSurface>),
    /// A layer surface.
    Layer(WlSurface),
    /// What has the focus.
    Item(Item),
    /// Nobody.
    Nobody,
}

impl Shell {
    /// All that is seen, topmost first. A fullscreen window covers the panels as long as it is the topmost.
    pub fn order(&self) -> impl Iterator<Item = Standing<'_>> {
        let locked = self.lock.is_some();
        let locker = self
            .lock
            .iter()
            .filter_map(|l| l.surface())
            .map(Standing::Lock);
        let layers = move |height: Height, wanted: bool| {
            let layers = self.layers.at(height).map(Standing::Layer);
            layers.filter(move |_| wanted && !locked)
        };
        let covers = self.topmost_is_fullscreen();
        let unmanaged = self.unmanaged.iter().rev().map(Standing::Unmanaged);
        let items = self.stack().iter().rev().copied().map(Standing::Item);
        locker
            .chain(layers(Height::Overlay, true))
            .chain(unmanaged.filter(move |_| !locked))
            .chain(layers(Height::Top, !covers))
            .chain(items.filter(move |_| !locked))
            .chain(layers(Height::Top, covers))
            .chain(layers(Height::Bottom, true))
            .chain(layers(Height::Background, true))
    }

    fn topmost_is_fullscreen(&self) -> bool {
        let mode = match self.stack().last() {
            Some(Item::Window(id)) => self.window(*id).map(|w| w.mode),
            Some(Item::Ghost(id)) => self.ghost(*id).map(|g| g.mode),
            None => None,
        };
        mode == Some(WindowMode::Fullscreen)
    }

    /// Who hears the keyboard (save that a group's keys may be held).
    pub fn listener(&self) -> Listener {
        if let Some(lock) = &self.lock {
            return Listener::Locker(lock.surface().cloned());
        }
        if let Some(surface) = self.layers.with_keyboard() {
            return Listener::Layer(surface.clone());
        }
        self.focus().map_or(Listener::Nobody, Listener::Item)
    }
}
