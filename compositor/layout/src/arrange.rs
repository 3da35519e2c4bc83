//! From wishes to places.

use std::collections::BTreeMap;

use crate::arrangement::{Arrangement, Fill, Slot, Stand, Visibility};
use crate::desktop::Desktop;
use crate::geometry::{Point, Rect};
use crate::output::OutputId;
use crate::strip::within_tile;
use crate::window::{Window, WindowId};
use crate::workspace::{Workspace, WorkspaceId};

/// So much of a floating window's title bar can always be grabbed, logical pixels.
pub(crate) const REACH: (i32, i32) = (64, 32);

/// What stands above what, before heights count. See [`Desktop::layer_of`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Layer {
    Behind,
    Tiles,
    FilledTile,
    Floating,
    Fullscreen,
}

/// A workspace, and where it stands.
struct Ground {
    output: Rect,
    usable: Rect,
    host: Option<OutputId>,
    shown: bool,
    /// The root of the family that was used last; a tile or not.
    active: Option<(WindowId, bool)>,
    /// By name.
    tiles: Vec<(WindowId, Rect)>,
}

impl Ground {
    fn tile(&self, id: WindowId) -> Option<&Rect> {
        let found = self.tiles.binary_search_by_key(&id, |(w, _)| *w);
        Some(&self.tiles.get(found.ok()?)?.1)
    }
}

impl Desktop {
    /// Where everything is.
    pub fn arrange(&self) -> Arrangement {
        let rects = self.output_rects();
        let focus = self.focused();
        let grounds = self.grounds(&rects, focus);
        let mut slots = Vec::with_capacity(self.windows.len());
        for (id, window) in self.windows() {
            // Every window is on a workspace (1): as many slots as windows.
            if let Some(ground) = grounds.get(&window.workspace) {
                slots.push((id, self.slot(id, window, ground, focus)));
            }
        }
        let mut arrangement = Arrangement {
            stands: Vec::new(),
            slots,
            stack: Vec::new(),
            focus,
        };
        arrangement.stack = self.stack(&arrangement, &grounds);
        for (output, rect) in rects {
            let Some(known) = self.outputs.get(&output) else {
                continue;
            };
            if let Some(workspace) = self.shown_on(output) {
                arrangement.stands.push(Stand {
                    output,
                    rect,
                    usable: known.usable(rect),
                    workspace,
                    covered_by: self.cover_of(&arrangement, workspace, &grounds),
                });
            }
        }
        arrangement
    }

    fn grounds(
        &self,
        rects: &[(OutputId, Rect)],
        focus: Option<WindowId>,
    ) -> BTreeMap<WorkspaceId, Ground> {
        let mut used: BTreeMap<WorkspaceId, (_, WindowId)> = BTreeMap::new();
        let mut tile: BTreeMap<WorkspaceId, (_, WindowId)> = BTreeMap::new();
        for (id, w) in self.windows().filter(|(_, w)| !self.is_hidden(w)) {
            let key = ((focus == Some(id), w.used, w.height), id);
            let latest = used.entry(w.workspace).or_insert(key);
            *latest = key.max(*latest);
            if w.tiled {
                let latest = tile.entry(w.workspace).or_insert(key);
                *latest = key.max(*latest);
            }
        }
        let ground = |(id, workspace): (&WorkspaceId, &Workspace)| {
            let (output, usable) = self.ground_among(workspace, rects);
            let active = used.get(id).and_then(|(_, w)| {
                let window = self.windows.get(w)?;
                Some((self.root_of(*w, window), window.tiled))
            });
            let host = self.host_of(workspace.home);
            let mut tiles = self.tiles_of(*id, usable, tile.get(id).map(|(_, w)| *w));
            tiles.sort_by_key(|(id, _)| *id);
            let ground = Ground {
                output,
                usable,
                host,
                shown: host.is_some_and(|h| self.shown_on(h) == Some(*id)),
                active,
                tiles,
            };
            (*id, ground)
        };
        self.workspaces.iter().map(ground).collect()
    }

    fn slot(
        &self,
        id: WindowId,
        window: &Window,
        ground: &Ground,
        focus: Option<WindowId>,
    ) -> Slot {
        let drag = self.drag.as_ref().filter(|d| d.window == id);
        let dragged = drag.and_then(|d| d.rect(window));
        let lifted = drag.is_some_and(|d| d.is_lifted());
        let rect = dragged
            .unwrap_or_else(|| place_in(window, ground.tile(id), ground.output, ground.usable));
        let fill = match (lifted, window.fullscreen, window.maximised) {
            (false, true, _) => Fill::Fullscreen,
            (false, false, true) => Fill::Maximised,
            _ => Fill::Own,
        };
        let tile = window.tiled && !lifted && fill == Fill::Own;
        let visibility = if self.is_hidden(window) {
            Visibility::Away
        } else if ground.host.is_none() {
            Visibility::NoOutput
        } else if lifted {
            Visibility::Shown
        } else if !ground.shown {
            Visibility::OtherWorkspace
        } else if tile && rect.common(ground.output).is_none() {
            Visibility::OutOfView
        } else {
            Visibility::Shown
        };
        Slot {
            workspace: window.workspace,
            output: ground.host,
            rect,
            visibility,
            clip: tile.then_some(ground.output),
            fill,
            tiled: tile,
            resizing: drag.is_some_and(|d| d.is_resize()),
            dragged: drag.and_then(|d| d.edges()).unwrap_or(window.dragged),
            focused: focus == Some(id),
            urgent: window.urgent,
            asleep: window.asleep,
        }
    }

    /// Shown windows, lowest first: by layer, then families by the height of their roots, and in each family parents below
    /// their children.
    fn stack(
        &self,
        arrangement: &Arrangement,
        grounds: &BTreeMap<WorkspaceId, Ground>,
    ) -> Vec<WindowId> {
        type Seen<'a> = (u32, WindowId, &'a Window, bool);
        let mut children: BTreeMap<WindowId, Vec<Seen>> = BTreeMap::new();
        let mut waiting: Vec<(Seen, Layer, (u32, WindowId))> = Vec::new();
        for ((id, window), (_, slot)) in self.windows().zip(&arrangement.slots) {
            let shown = slot.visibility == Visibility::Shown;
            let seen = (window.height, id, window, shown);
            match window.parent {
                Some(parent) => children.entry(parent).or_default().push(seen),
                None => waiting.push((seen, Layer::Behind, (window.height, id))),
            }
        }
        for siblings in children.values_mut() {
            // The last one is taken up first.
            siblings.sort_by_key(|(height, id, ..)| std::cmp::Reverse((*height, *id)));
        }
        let mut order = Vec::with_capacity(arrangement.slots.len());
        while let Some(((_, id, window, shown), parents, family)) = waiting.pop() {
            let own = grounds.get(&window.workspace);
            let own = own.map_or(Layer::Behind, |g| self.layer_of(id, window, g));
            let layer = parents.max(own);
            if shown {
                order.push((layer, family, order.len(), id));
            }
            for child in children.remove(&id).into_iter().flatten() {
                waiting.push((child, layer, family));
            }
        }
        order.sort();
        order.into_iter().map(|(_, _, _, id)| id).collect()
    }

    /// A window that fills the desktop stands before the others as long as it, or its dialog, is the one used last. When
    /// that is another one, it does not hide it: behind the tiles it goes for a tile, and among the floating ones it stands as high
    /// as it was raised.
    fn layer_of(&self, id: WindowId, window: &Window, ground: &Ground) -> Layer {
        let active = ground
            .active
            .is_some_and(|(root, _)| root == self.root_of(id, window));
        let for_a_tile = ground.active.is_some_and(|(_, tiled)| tiled);
        if self
            .drag
            .as_ref()
            .is_some_and(|d| d.window == id && d.is_lifted())
        {
            return Layer::Fullscreen;
        }
        match (window.fills(), active, window.tiled) {
            (true, true, _) if window.fullscreen => Layer::Fullscreen,
            (true, true, true) => Layer::FilledTile,
            (true, false, true) => Layer::Behind,
            (true, false, false) if for_a_tile => Layer::Behind,
            (false, _, true) => Layer::Tiles,
            (_, _, false) => Layer::Floating,
        }
    }

    fn cover_of(
        &self,
        arrangement: &Arrangement,
        workspace: WorkspaceId,
        grounds: &BTreeMap<WorkspaceId, Ground>,
    ) -> Option<WindowId> {
        let (active, _) = grounds.get(&workspace)?.active?;
        let covers = |id: &WindowId| {
            let slot = arrangement.slot(*id);
            let full = |s: &Slot| s.workspace == workspace && s.fill == Fill::Fullscreen;
            let window = self.windows.get(id);
            slot.is_some_and(full) && window.is_some_and(|w| self.root_of(*id, w) == active)
        };
        arrangement.stack.iter().rev().copied().find(covers)
    }

    /// All of the output that the workspace stands on, and what is usable of it.
    pub(crate) fn ground(&self, workspace: WorkspaceId) -> (Rect, Rect) {
        match self.workspaces.get(&workspace) {
            Some(w) => self.ground_among(w, &self.output_rects()),
            None => Default::default(),
        }
    }

    fn ground_among(&self, workspace: &Workspace, rects: &[(OutputId, Rect)]) -> (Rect, Rect) {
        let stand = self.stand_of(workspace);
        let Some(output) = self.outputs.get(&stand) else {
            return Default::default();
        };
        let placed = rects.iter().find(|(id, _)| *id == stand);
        // Without any output windows keep the places that they had.
        let rect = placed.map_or(Rect::of(Point::default(), output.size()), |(_, r)| *r);
        (rect, output.usable(rect))
    }

    /// Where one window is, on the desktop.
    pub(crate) fn rect_of(&self, id: WindowId) -> Rect {
        let Some(window) = self.windows.get(&id) else {
            return Rect::default();
        };
        let dragged = self.drag.as_ref().filter(|d| d.window == id);
        if let Some(rect) = dragged.and_then(|d| d.rect(window)) {
            return rect;
        }
        let (output, usable) = self.ground(window.workspace);
        let tile = (window.tiled && !window.fills()).then(|| {
            let active = self.active_tile(window.workspace);
            let tiles = self.tiles_of(window.workspace, usable, active);
            tiles.into_iter().find(|(w, _)| *w == id).map(|(_, r)| r)
        });
        place_in(window, tile.flatten().as_ref(), output, usable)
    }
}

/// Where a window is on its output.
fn place_in(window: &Window, tile: Option<&Rect>, output: Rect, usable: Rect) -> Rect {
    if window.fullscreen {
        return output;
    }
    if window.maximised {
        return usable;
    }
    match tile {
        Some(tile) => within_tile(*tile, window.limits),
        None => within_reach(window, output, usable),
    }
}

/// Where a floating window is: where it wishes to be, but no larger than there is room for, and with its title bar in reach.
fn within_reach(window: &Window, output: Rect, usable: Rect) -> Rect {
    let wish = window.floating.moved(output.at());
    let (least_w, least_h) = (window.limits.min.w.max(1), window.limits.min.h.max(1));
    let (w, h) = (
        wish.w.min(usable.w.max(least_w)),
        wish.h.min(usable.h.max(least_h)),
    );
    let (reach_w, reach_h) = (REACH.0.min(w).min(usable.w), REACH.1.min(usable.h));
    Rect::new(
        wish.x
            .clamp(usable.x - w + reach_w, usable.right() - reach_w),
        wish.y.clamp(usable.y, usable.bottom() - reach_h),
        w,
        h,
    )
}
