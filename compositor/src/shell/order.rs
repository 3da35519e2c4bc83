//! What is seen above what, and who hears the keyboard: decided here and nowhere else, so that what is drawn, what is under the
//! pointer and what gets frames can never differ, and nothing is above a lock.

use smithay::utils::Point;
use smithay::wayland::shell::wlr_layer::Layer as Height;
use wayland_server::protocol::wl_surface::WlSurface;

use super::layers::Layer;
use super::lock::Cover;
use super::{Item, Shell, Unmanaged};
use crate::outputs::HeadId;

/// One thing that is seen.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// The locker's surfaces, and then nothing else.
    Lock(&'a Cover),
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
    /// All that is seen, topmost first. A fullscreen window covers the panels of its output as long as it, or its dialog, is what
    /// was used last there.
    pub fn order(&self) -> impl Iterator<Item = Standing<'_>> {
        let locked = self.lock.is_some();
        let locker = self
            .lock
            .iter()
            .flat_map(|l| l.covers())
            .map(Standing::Lock);
        let covered: Vec<HeadId> = self.covered().collect();
        let is_covered = move |l: &Layer| l.head.is_some_and(|h| covered.contains(&h));
        let layers = move |height: Height| {
            let layers = self.layers.at(height);
            layers.filter(move |_| !locked)
        };
        let (free, hidden): (Vec<_>, Vec<_>) =
            layers(Height::Top).partition(|layer| !is_covered(layer));
        let unmanaged = self.unmanaged.iter().rev().map(Standing::Unmanaged);
        let items = self.stack().iter().rev().copied().map(Standing::Item);
        locker
            .chain(layers(Height::Overlay).map(Standing::Layer))
            .chain(unmanaged.filter(move |_| !locked))
            .chain(free.into_iter().map(Standing::Layer))
            .chain(items.filter(move |_| !locked))
            .chain(hidden.into_iter().map(Standing::Layer))
            .chain(layers(Height::Bottom).map(Standing::Layer))
            .chain(layers(Height::Background).map(Standing::Layer))
    }

    /// Outputs that a fullscreen window covers.
    fn covered(&self) -> impl Iterator<Item = HeadId> {
        let stands = self.arrangement.stands.iter();
        let covered = stands.filter(|s| s.covered_by.is_some());
        covered.filter_map(|stand| {
            let here = Point::from((stand.rect.x, stand.rect.y));
            let mut areas = self.layers.areas();
            areas.find_map(|(head, area)| (area.loc == here).then_some(head))
        })
    }

    /// Who hears the keyboard (save that a group's keys may be held).
    pub fn listener(&self) -> Listener {
        if let Some(lock) = &self.lock {
            return Listener::Locker(lock.listener().cloned());
        }
        if let Some(surface) = self.layers.with_keyboard() {
            return Listener::Layer(surface.clone());
        }
        self.focus().map_or(Listener::Nobody, Listener::Item)
    }
}
