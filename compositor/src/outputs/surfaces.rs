//! What surfaces are told: which outputs they are on, and the scale that they are best drawn at.

use smithay::desktop::PopupManager;
use smithay::input::pointer::CursorImageStatus;
use smithay::output::Output;
use smithay::utils::{Logical, Rectangle, Transform};
use smithay::wayland::compositor::{
    SurfaceData, TraversalAction, send_surface_state, with_states, with_surface_tree_downward,
};
use smithay::wayland::fractional_scale::with_fractional_scale;
use wayland_server::protocol::wl_surface::WlSurface;

use super::{Head, HeadId};
use crate::shell::{Item, WindowId};
use crate::state::Overwinter;

impl Overwinter {
    /// What is (or will be) on screen of a window, menus and all; none when it is hidden.
    pub fn extent_of(&self, id: WindowId) -> Option<Rectangle<i32, Logical>> {
        let window = self.shell.window(id)?;
        let mut extent = window.window.bbox_with_popups();
        extent.loc += window.surface_origin();
        self.shell.needs_frames(id).then_some(extent)
    }

    /// The outputs that an entry of the stack can be seen on.
    pub fn heads_of(&self, item: Item) -> Vec<HeadId> {
        let rect = match item {
            Item::Window(id) => self.extent_of(id),
            Item::Ghost(_) => self.shell.rect_of(item),
        };
        let heads = rect.map(|rect| self.outputs.under(rect).map(|h| h.id).collect());
        heads.unwrap_or_default()
    }

    /// Before a frame: surfaces that are on other outputs than they know hear of it.
    pub fn review_surfaces(&mut self) {
        if std::mem::take(&mut self.outputs.moved) {
            self.tell_surfaces_of_outputs();
        }
    }

    /// Every surface hears which outputs it is on, and how large it is best drawn.
    pub fn tell_surfaces_of_outputs(&mut self) {
        self.outputs.moved = false;
        for head in self.outputs.used() {
            // Or it would remember every surface that was ever on it.
            head.output.cleanup();
        }
        for window in self.shell.windows() {
            let extent = self.extent_of(window.id);
            self.tell_window(window.wl_surface(), extent);
        }
        for layer in self.shell.layers.all() {
            let head = layer.head.and_then(|id| self.outputs.get(id));
            self.tell_window(layer.surface.wl_surface(), head.map(Head::area));
        }
        for cover in self.shell.lock.iter().flat_map(|l| l.covers()) {
            self.tell_tree(cover.surface.wl_surface(), Some(cover.rect));
        }
        let pointer = self.seat.get_pointer().map(|p| p.current_location());
        let pointer = pointer.unwrap_or_default().to_i32_round();
        let here = Some(Rectangle::new(pointer, (1, 1).into()));
        if let CursorImageStatus::Surface(surface) = &self.input.cursor {
            self.tell_tree(surface, here);
        }
        if let Some(icon) = &self.input.drag_icon {
            self.tell_tree(icon, here);
        }
    }

    /// A window's tree of surfaces and its menus.
    pub(crate) fn tell_window(&self, root: &WlSurface, extent: Option<Rectangle<i32, Logical>>) {
        self.tell_tree(root, extent);
        for (popup, _) in PopupManager::popups_for_surface(root) {
            self.tell_tree(popup.wl_surface(), extent);
        }
    }

    fn tell_tree(&self, root: &WlSurface, extent: Option<Rectangle<i32, Logical>>) {
        let (mut on, mut off): (Vec<&Output>, Vec<&Output>) = (Vec::new(), Vec::new());
        let mut sharpest: Option<&Head> = None;
        for head in self.outputs.used() {
            if extent.is_none_or(|e| !head.area().overlaps(e)) {
                off.push(&head.output);
                continue;
            }
            on.push(&head.output);
            if sharpest.is_none_or(|s| head.scale() > s.scale()) {
                sharpest = Some(head);
            }
        }
        // What is on no output keeps the scale it was told: it would draw itself anew for nobody.
        let for_output = sharpest.map(|h| &h.output);
        with_surface_tree_downward(
            root,
            (),
            |_, _, ()| TraversalAction::DoChildren(()),
            |surface, states, ()| {
                for output in &off {
                    output.leave(surface);
                }
                for output in &on {
                    output.enter(surface);
                }
                if let Some(output) = for_output {
                    tell_scale(surface, states, output);
                }
            },
            |_, _, ()| true,
        );
    }

    /// The output is about to go: everything leaves it while clients still know it.
    pub(super) fn leave_output(&self, output: &Output) {
        let leave = |surface: &WlSurface| {
            with_surface_tree_downward(
                surface,
                (),
                |_, _, ()| TraversalAction::DoChildren(()),
                |surface, _, ()| output.leave(surface),
                |_, _, ()| true,
            );
        };
        let windows = self.shell.windows().map(|w| w.wl_surface().clone());
        let layers = self.shell.layers.all();
        let layers = layers.map(|l| l.surface.wl_surface().clone());
        for root in windows.chain(layers) {
            leave(&root);
            for (popup, _) in PopupManager::popups_for_surface(&root) {
                leave(popup.wl_surface());
            }
        }
        for cover in self.shell.lock.iter().flat_map(|l| l.covers()) {
            leave(cover.surface.wl_surface());
        }
        if let CursorImageStatus::Surface(surface) = &self.input.cursor {
            leave(surface);
        }
        if let Some(icon) = &self.input.drag_icon {
            leave(icon);
        }
    }

    /// A surface that is not on screen yet is best drawn for the output where it is likely to appear.
    pub fn tell_likely_scale(&self, surface: &WlSurface) {
        if let Some(output) = self.outputs.any_output() {
            with_states(surface, |states| tell_scale(surface, states, output));
        }
    }
}

fn tell_scale(surface: &WlSurface, states: &SurfaceData, output: &Output) {
    let scale = output.current_scale();
    let transform: Transform = output.current_transform();
    send_surface_state(surface, states, scale.integer_scale(), transform);
    with_fractional_scale(states, |f| f.set_preferred_scale(scale.fractional_scale()));
}
