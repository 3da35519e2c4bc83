//! Panels, wallpapers, notifications, launchers: surfaces of wlr-layer-shell, arranged along the edges of their outputs.
//!
//! What holds at any time:
//!
//! 1. A layer surface has a place as soon as its client committed it first; it is configured to exactly that size.
//! 2. Those that reserve room are arranged first, the highest layer first and otherwise in the order they came, each within
//!    what the former left; then the others.
//! 3. The keyboard is theirs only if they ask for it and, unless they ask for all of it, were opened above the windows or
//!    clicked just before.
//! 4. One that named its output is told to go when that goes; any other moves to an output that is there, or waits for one.
//!
//! Numbers come from clients: they are cut to [`FAR`] before anything is counted with them.

use std::collections::BTreeMap;

use smithay::backend::renderer::utils::with_renderer_surface_state;
use smithay::desktop::LayerSurface;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::shell::wlr_layer::{
    Anchor, ExclusiveZone, KeyboardInteractivity, Layer as Height, LayerSurfaceCachedState,
};
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::outputs::{Head, HeadId};
use crate::state::Overwinter;

/// No output is wider or higher.
const FAR: i32 = 1 << 15;

/// Highest first.
const HEIGHTS: [Height; 4] = [
    Height::Overlay,
    Height::Top,
    Height::Bottom,
    Height::Background,
];

/// A layer surface.
#[derive(Debug)]
pub struct Layer {
    /// Smithay's helper: surfaces, popups.
    pub surface: LayerSurface,
    /// Where it stands on the desktop.
    pub rect: Rectangle<i32, Logical>,
    /// Its output; none while there is none for it.
    pub head: Option<HeadId>,
    /// Its client chose that output.
    named: bool,
    /// It was committed and told its size.
    initialized: bool,
    /// Has a buffer.
    mapped: bool,
    /// Where an embedder wants it, whatever its anchors say.
    put: Option<Point<i32, Logical>>,
}

impl Layer {
    fn wish(&self) -> LayerSurfaceCachedState {
        self.surface.cached_state()
    }

    /// Which of the four it stands in.
    pub fn height(&self) -> Height {
        self.wish().layer
    }

    /// Whether it wants the keyboard when it is clicked.
    pub fn takes_keyboard(&self) -> bool {
        self.wish().keyboard_interactivity != KeyboardInteractivity::None
    }

    /// Above the windows and for typing: it is the user who opened it.
    fn takes_keys_when_opened(&self) -> bool {
        let wish = self.wish();
        wish.keyboard_interactivity == KeyboardInteractivity::OnDemand
            && matches!(wish.layer, Height::Top | Height::Overlay)
    }

    /// Above the windows and with all keys for itself: a launcher, a password prompt.
    fn takes_all_keys(&self) -> bool {
        let wish = self.wish();
        self.mapped
            && wish.keyboard_interactivity == KeyboardInteractivity::Exclusive
            && matches!(wish.layer, Height::Top | Height::Overlay)
    }
}

/// All layer surfaces.
#[derive(Debug, Default)]
pub struct Layers {
    list: Vec<Layer>,
    /// Each output's part of the desktop.
    areas: BTreeMap<HeadId, Rectangle<i32, Logical>>,
    /// What is left for windows of each output.
    zones: BTreeMap<HeadId, Rectangle<i32, Logical>>,
    /// The one that was clicked and wants keys.
    clicked: Option<WlSurface>,
}

impl Layers {
    /// The layer surface whose root this is.
    pub fn of(&self, surface: &WlSurface) -> Option<&Layer> {
        self.list.iter().find(|l| l.surface.wl_surface() == surface)
    }

    fn of_mut(&mut self, surface: &WlSurface) -> Option<&mut Layer> {
        self.list
            .iter_mut()
            .find(|l| l.surface.wl_surface() == surface)
    }

    /// Those that can be seen at this height, topmost first.
    pub fn at(&self, height: Height) -> impl Iterator<Item = &Layer> {
        let seen = move |l: &&Layer| l.mapped && l.head.is_some() && l.height() == height;
        self.list.iter().rev().filter(seen)
    }

    /// All of them, seen or not.
    pub fn all(&self) -> impl Iterator<Item = &Layer> {
        self.list.iter()
    }

    /// The one that has the keyboard instead of the focused window.
    pub fn with_keyboard(&self) -> Option<&WlSurface> {
        let all = [Height::Overlay, Height::Top]
            .into_iter()
            .flat_map(|height| self.at(height))
            .find(|l| l.takes_all_keys());
        let clicked = || {
            let layer = self.of(self.clicked.as_ref()?)?;
            (layer.mapped && layer.takes_keyboard()).then_some(layer)
        };
        all.or_else(clicked).map(|l| l.surface.wl_surface())
    }

    /// The next click was elsewhere.
    pub fn let_go_of_keyboard(&mut self) {
        self.clicked = None;
    }

    /// Where outputs are.
    pub fn areas(&self) -> impl Iterator<Item = (HeadId, Rectangle<i32, Logical>)> {
        self.areas.iter().map(|(head, area)| (*head, *area))
    }

    /// What is left of this output for windows.
    pub fn zone(&self, head: HeadId) -> Option<Rectangle<i32, Logical>> {
        self.zones.get(&head).copied()
    }

    /// Gives each its place on the outputs there are (the first one first); true when what is left for windows is another now.
    fn arrange(&mut self, outputs: &[(HeadId, Rectangle<i32, Logical>)]) -> bool {
        self.areas = outputs.iter().copied().collect();
        let before = std::mem::take(&mut self.zones);
        for (head, area) in outputs {
            let zone = self.arrange_on(*head, *area);
            self.zones.insert(*head, zone);
        }
        self.zones != before
    }

    /// As above, on one; answers with what is left of it.
    fn arrange_on(
        &mut self,
        head: HeadId,
        output: Rectangle<i32, Logical>,
    ) -> Rectangle<i32, Logical> {
        let mut zone = output;
        for reserving in [true, false] {
            for height in HEIGHTS {
                let here = |l: &&mut Layer| l.initialized && l.head == Some(head);
                let here = self.list.iter_mut().filter(here);
                for layer in here.filter(|l| l.height() == height) {
                    let wish = layer.wish();
                    if reserves(&wish) == reserving {
                        layer.rect = place(output, zone, &wish);
                        layer.rect.loc = layer.put.unwrap_or(layer.rect.loc);
                        zone = left_over(zone, &wish);
                    }
                }
            }
        }
        zone
    }
}

fn reserves(wish: &LayerSurfaceCachedState) -> bool {
    matches!(wish.exclusive_zone, ExclusiveZone::Exclusive(n) if n > 0)
}

/// Where along one axis: `low` and `high` say to which ends it is anchored.
fn along(
    (start, length): (i32, i32),
    wanted: i32,
    (low, low_margin): (bool, i32),
    (high, high_margin): (bool, i32),
) -> (i32, i32) {
    let stretched = wanted == 0;
    let size = if stretched {
        length - low_margin - high_margin
    } else {
        wanted
    };
    let at = match (low, high) {
        (true, false) => start + low_margin,
        (false, true) => start + length - size - high_margin,
        _ if stretched => start + low_margin,
        _ => start + (length - size) / 2,
    };
    (at, size.max(1))
}

fn cut(number: i32) -> i32 {
    number.clamp(-FAR, FAR)
}

/// Where the surface goes: within `zone`, unless it asks not to be moved aside.
fn place(
    output: Rectangle<i32, Logical>,
    zone: Rectangle<i32, Logical>,
    wish: &LayerSurfaceCachedState,
) -> Rectangle<i32, Logical> {
    let room = match wish.exclusive_zone {
        ExclusiveZone::DontCare => output,
        ExclusiveZone::Exclusive(_) | ExclusiveZone::Neutral => zone,
    };
    let (anchor, margin) = (wish.anchor, wish.margin);
    let (x, width) = along(
        (room.loc.x, room.size.w),
        wish.size.w.clamp(0, FAR),
        (anchor.contains(Anchor::LEFT), cut(margin.left)),
        (anchor.contains(Anchor::RIGHT), cut(margin.right)),
    );
    let (y, height) = along(
        (room.loc.y, room.size.h),
        wish.size.h.clamp(0, FAR),
        (anchor.contains(Anchor::TOP), cut(margin.top)),
        (anchor.contains(Anchor::BOTTOM), cut(margin.bottom)),
    );
    Rectangle::new((x, y).into(), (width, height).into())
}

/// The edge that a reserved strip lies along: the only one it is anchored to, or the one between two that it spans.
fn edge(anchor: Anchor) -> Option<Anchor> {
    let across = Anchor::LEFT | Anchor::RIGHT;
    let upright = Anchor::TOP | Anchor::BOTTOM;
    [
        (Anchor::TOP, across),
        (Anchor::BOTTOM, across),
        (Anchor::LEFT, upright),
        (Anchor::RIGHT, upright),
    ]
    .into_iter()
    .find(|(edge, ends)| anchor == *edge || anchor == *edge | *ends)
    .map(|(edge, _)| edge)
}

/// What is left of the zone.
fn left_over(
    zone: Rectangle<i32, Logical>,
    wish: &LayerSurfaceCachedState,
) -> Rectangle<i32, Logical> {
    let ExclusiveZone::Exclusive(amount) = wish.exclusive_zone else {
        return zone;
    };
    let amount = i32::try_from(amount).unwrap_or(FAR).min(FAR);
    let Some(edge) = edge(wish.anchor) else {
        return zone;
    };
    let margin = match edge {
        Anchor::TOP => wish.margin.top,
        Anchor::BOTTOM => wish.margin.bottom,
        Anchor::LEFT => wish.margin.left,
        _ => wish.margin.right,
    };
    let strip = (amount + cut(margin)).max(0);
    let (width, height) = (zone.size.w, zone.size.h);
    let (wide, high) = (strip.min(width), strip.min(height));
    let (loc, size): (Point<i32, Logical>, Size<i32, Logical>) = match edge {
        Anchor::TOP => (
            zone.loc + Point::from((0, high)),
            (width, height - high).into(),
        ),
        Anchor::BOTTOM => (zone.loc, (width, height - high).into()),
        Anchor::LEFT => (
            zone.loc + Point::from((wide, 0)),
            (width - wide, height).into(),
        ),
        _ => (zone.loc, (width - wide, height).into()),
    };
    Rectangle::new(loc, size)
}

impl Overwinter {
    /// A client made a layer surface, for this output or for whichever is best. It is arranged with its first commit.
    pub fn add_layer(&mut self, surface: LayerSurface, output: Option<&WlOutput>) {
        let named = output.is_some();
        let head = match output {
            Some(output) => self.outputs.meant(output),
            None => self.head_in_use(),
        };
        let head = head.map(|h| h.id);
        if named && head.is_none() {
            // That output went before the client knew.
            surface.layer_surface().send_close();
        }
        self.shell.layers.list.push(Layer {
            surface,
            rect: Rectangle::default(),
            head,
            named,
            initialized: false,
            mapped: false,
            put: None,
        });
    }

    /// The output that the user looks at: where the pointer is.
    fn head_in_use(&self) -> Option<&Head> {
        let pointer = self.seat.get_pointer().map(|p| p.current_location());
        let here = pointer.and_then(|at| self.outputs.at(at));
        here.or_else(|| self.outputs.first())
    }

    /// The output is gone, or not in use any more.
    pub fn layers_of_output_gone(&mut self, head: HeadId) {
        let first = self.outputs.first().map(|h| h.id).filter(|h| *h != head);
        let (on, elsewhere): (Vec<_>, Vec<_>) = std::mem::take(&mut self.shell.layers.list)
            .into_iter()
            .partition(|l| l.head == Some(head));
        self.shell.layers.list = elsewhere;
        for mut layer in on {
            if layer.named {
                layer.surface.layer_surface().send_close();
                self.dismiss_popups(layer.surface.wl_surface());
            } else {
                layer.head = first;
                self.shell.layers.list.push(layer);
            }
        }
        self.keyboard_refocus();
    }

    /// A layer surface's root was committed.
    pub fn layer_committed(&mut self, surface: &WlSurface) {
        let Some(layer) = self.shell.layers.of_mut(surface) else {
            return;
        };
        // One that does not wait to be told its size, as it should, is told it now and shown as it is meanwhile.
        let has_buffer =
            with_renderer_surface_state(surface, |s| s.buffer().is_some()).unwrap_or(false);
        let was_mapped = std::mem::replace(&mut layer.mapped, has_buffer);
        let opens_for_keys = has_buffer && !was_mapped && layer.takes_keys_when_opened();
        let first = !layer.initialized;
        // One that takes its buffer away begins anew with its next commit.
        layer.initialized = has_buffer || !was_mapped;
        if opens_for_keys {
            self.shell.layers.clicked = Some(surface.clone());
        }
        if was_mapped && !has_buffer {
            self.dismiss_popups(&surface.clone());
        }
        self.arrange_layers(first.then_some(surface));
        if first && let Some(layer) = self.shell.layers.of(surface) {
            self.tell_window(surface, layer.head.map(|_| layer.rect));
        }
        self.keyboard_refocus();
        self.pointer_refocus();
        self.schedule_frame();
    }

    /// Puts a layer surface there for good; false when this is none. No client can ask for it: it is for who embeds the
    /// compositor.
    pub fn put_layer(&mut self, surface: &WlSurface, at: Point<i32, Logical>) -> bool {
        let Some(layer) = self.shell.layers.of_mut(surface) else {
            return false;
        };
        layer.put = Some(at);
        self.arrange_layers(None);
        self.pointer_refocus();
        self.schedule_frame();
        true
    }

    /// The layer surface is gone.
    pub fn remove_layer(&mut self, surface: &WlSurface) {
        self.shell
            .layers
            .list
            .retain(|l| l.surface.wl_surface() != surface);
        self.arrange_layers(None);
        self.keyboard_refocus();
        self.pointer_refocus();
        self.schedule_frame();
    }

    /// Gives every layer surface its place and tells those that get another size; `fresh` is told in any case. Windows that
    /// fill the room that is left follow it.
    pub fn arrange_layers(&mut self, fresh: Option<&WlSurface>) {
        let used = self.outputs.used();
        let outputs: Vec<_> = used.map(|h| (h.id, h.area())).collect();
        let first = outputs.first().map(|(head, _)| *head);
        for layer in &mut self.shell.layers.list {
            if layer.head.is_none() && !layer.named {
                layer.head = first;
            }
        }
        let zone_changed = self.shell.layers.arrange(&outputs);
        let ready = |l: &&Layer| l.initialized && l.head.is_some();
        for layer in self.shell.layers.list.iter().filter(ready) {
            let surface = layer.surface.layer_surface();
            surface.with_pending_state(|state| state.size = Some(layer.rect.size));
            if fresh == Some(surface.wl_surface()) {
                surface.send_configure();
            } else {
                surface.send_pending_configure();
            }
        }
        if zone_changed {
            self.refit_windows();
        }
    }

    /// A layer surface was clicked or touched: if it wants keys, it gets them until the next click elsewhere.
    pub fn layer_pressed(&mut self, root: &WlSurface) {
        let layers = &mut self.shell.layers;
        if layers.of(root).is_some_and(Layer::takes_keyboard) {
            layers.clicked = Some(root.clone());
            self.keyboard_refocus();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smithay::wayland::shell::wlr_layer::Margins;

    const OUTPUT: (i32, i32) = (1280, 800);

    fn output() -> Rectangle<i32, Logical> {
        Rectangle::from_size(OUTPUT.into())
    }

    fn wish(anchor: Anchor, size: (i32, i32), zone: i32) -> LayerSurfaceCachedState {
        LayerSurfaceCachedState {
            size: size.into(),
            anchor,
            exclusive_zone: zone.into(),
            ..LayerSurfaceCachedState::default()
        }
    }

    fn rect(x: i32, y: i32, w: i32, h: i32) -> Rectangle<i32, Logical> {
        Rectangle::new((x, y).into(), (w, h).into())
    }

    #[test]
    fn a_bar_spans_its_edge_and_takes_its_room() {
        let bar = wish(Anchor::TOP | Anchor::LEFT | Anchor::RIGHT, (0, 30), 30);
        assert_eq!(place(output(), output(), &bar), rect(0, 0, 1280, 30));
        let zone = left_over(output(), &bar);
        assert_eq!(zone, rect(0, 30, 1280, 770));
        let dock = wish(Anchor::LEFT, (48, 200), 48);
        assert_eq!(place(output(), zone, &dock), rect(0, 315, 48, 200));
        assert_eq!(left_over(zone, &dock), rect(48, 30, 1232, 770));
        // A wallpaper does not care who took what.
        let wallpaper = wish(Anchor::all(), (0, 0), -1);
        assert_eq!(place(output(), zone, &wallpaper), output());
        assert_eq!(left_over(zone, &wallpaper), zone);
    }

    #[test]
    fn margins_move_it_in_and_widen_what_it_reserves() {
        let mut bar = wish(Anchor::BOTTOM | Anchor::LEFT | Anchor::RIGHT, (0, 30), 30);
        bar.margin = Margins {
            top: 0,
            right: 10,
            bottom: 5,
            left: 10,
        };
        assert_eq!(place(output(), output(), &bar), rect(10, 765, 1260, 30));
        assert_eq!(left_over(output(), &bar), rect(0, 0, 1280, 765));
    }

    #[test]
    fn a_corner_or_two_opposite_edges_reserve_nothing() {
        for anchor in [
            Anchor::TOP | Anchor::LEFT,
            Anchor::LEFT | Anchor::RIGHT,
            Anchor::all(),
            Anchor::empty(),
        ] {
            assert_eq!(left_over(output(), &wish(anchor, (10, 10), 10)), output());
        }
        let corner = wish(Anchor::BOTTOM | Anchor::RIGHT, (100, 50), 0);
        assert_eq!(place(output(), output(), &corner), rect(1180, 750, 100, 50));
    }

    #[test]
    fn no_number_of_a_client_breaks_it() {
        for n in [i32::MIN, i32::MIN + 1, -1, 0, 1, i32::MAX] {
            for anchor in (0..16).filter_map(Anchor::from_bits) {
                let mut wish = wish(anchor, (0, 0), n);
                (wish.size.w, wish.size.h) = (n, n);
                wish.margin = Margins {
                    top: n,
                    right: n,
                    bottom: n,
                    left: n,
                };
                let at = place(output(), output(), &wish);
                assert!(at.size.w > 0 && at.size.h > 0);
                let zone = left_over(output(), &wish);
                assert!(output().contains_rect(zone) || zone.is_empty(), "{zone:?}");
            }
        }
    }
}
