//! Moving and resizing by the pointer.
//!
//! While a window is moved, or a floating one resized, its wish stays what it was: the drag is laid over it, and dropping makes it
//! the wish. So cancelling needs no undo. The sizes of tiles depend on each other: there the wish changes as the pointer moves,
//! and what it was is kept.

use crate::desktop::Desktop;
use crate::geometry::{Edges, Point, Rect, Size};
use crate::op::Refused;
use crate::place::Share;
use crate::window::{Window, WindowId};
use crate::windows::anchored;
use crate::workspace::WorkspaceId;

/// A tile or a window that fills the desktop is lifted off only by a pull of so many pixels: a click is no drag.
const PULL: i32 = 8;
/// No window gets smaller than this by dragging.
const SMALLEST: i32 = 32;

/// What the pointer drags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Drag {
    pub window: WindowId,
    kind: Kind,
    start: Point,
    at: Point,
    /// Where the window was.
    from: Rect,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Move { lifted: bool },
    Resize(Edges),
    ResizeTile { edges: Edges, before: TileBefore },
}

/// What the size of a tile was.
#[derive(Clone, PartialEq, Eq, Debug)]
struct TileBefore {
    width: Share,
    height: Share,
    /// The row that gives what the dragged one takes, its weight, and the height of the two together.
    neighbour: Option<(WindowId, Share, i32)>,
}

impl Drag {
    pub fn is_resize(&self) -> bool {
        !matches!(self.kind, Kind::Move { .. })
    }

    /// It follows the pointer.
    pub fn is_lifted(&self) -> bool {
        matches!(self.kind, Kind::Move { lifted: true })
    }

    fn delta(&self) -> Point {
        Point::new(self.at.x - self.start.x, self.at.y - self.start.y)
    }

    /// Where it puts the window, on the desktop.
    pub fn rect(&self, window: &Window) -> Option<Rect> {
        let delta = self.delta();
        match self.kind {
            Kind::Move { lifted: true } if window.maximised => {
                // Its own size again, with the pointer as far along the title bar as it was.
                let size = window.floating.size();
                let along = i64::from(self.start.x - self.from.x) * i64::from(size.w);
                let along = (along / i64::from(self.from.w.max(1))) as i32;
                Some(Rect::of(Point::new(self.start.x - along, self.from.y), size).moved(delta))
            }
            Kind::Move { lifted: true } => Some(self.from.moved(delta)),
            Kind::Resize(edges) => {
                let along = |length: i32, delta: i32, low: bool, high: bool| match (low, high) {
                    (true, _) => length - delta,
                    (_, true) => length + delta,
                    _ => length,
                };
                let wished = Size::new(
                    along(self.from.w, delta.x, edges.left, edges.right).max(SMALLEST),
                    along(self.from.h, delta.y, edges.top, edges.bottom).max(SMALLEST),
                );
                let size = window.limits.nearest(wished);
                Some(anchored(self.from, edges, size))
            }
            Kind::Move { lifted: false } | Kind::ResizeTile { .. } => None,
        }
    }

    /// The edges that it drags.
    pub fn edges(&self) -> Option<Edges> {
        match self.kind {
            Kind::Resize(edges) | Kind::ResizeTile { edges, .. } => Some(edges),
            Kind::Move { .. } => None,
        }
    }
}

impl Desktop {
    fn may_drag(&self, id: WindowId) -> Result<&Window, Refused> {
        let window = self.get(id)?;
        if self.drag.is_some() {
            return Err(Refused::Dragging);
        }
        if !self.can_have_focus(id) {
            return Err(Refused::NotShown);
        }
        if window.fullscreen {
            return Err(Refused::Fills);
        }
        Ok(window)
    }

    pub(crate) fn begin_move(&mut self, id: WindowId, at: Point) -> Result<(), Refused> {
        let window = self.may_drag(id)?;
        let lifted = !window.tiled && !window.maximised;
        self.begin(id, Kind::Move { lifted }, at);
        Ok(())
    }

    pub(crate) fn begin_resize(
        &mut self,
        id: WindowId,
        edges: Edges,
        at: Point,
    ) -> Result<(), Refused> {
        let window = self.may_drag(id)?;
        if window.asleep {
            return Err(Refused::Asleep);
        }
        if window.maximised {
            return Err(Refused::Fills);
        }
        let kind = match self.before_resize(id, edges) {
            Some(before) => Kind::ResizeTile { edges, before },
            None => Kind::Resize(edges),
        };
        self.begin(id, kind, at);
        Ok(())
    }

    fn begin(&mut self, window: WindowId, kind: Kind, at: Point) {
        let from = self.rect_of(window);
        let at = at.sane();
        self.drag = Some(Drag {
            window,
            kind,
            start: at,
            at,
            from,
        });
    }

    fn before_resize(&self, id: WindowId, edges: Edges) -> Option<TileBefore> {
        let strip = &self
            .workspaces
            .get(&self.windows.get(&id)?.workspace)?
            .strip;
        let place = strip.place_of(id)?;
        let neighbour = (edges.top || edges.bottom)
            .then(|| {
                self.tile_beside(
                    id,
                    if edges.top {
                        crate::Direction::Up
                    } else {
                        crate::Direction::Down
                    },
                )
            })
            .flatten();
        let neighbour = neighbour.and_then(|n| {
            let both = self.rect_of(n).h + self.rect_of(id).h;
            Some((n, strip.place_of(n)?.height, both))
        });
        Some(TileBefore {
            width: place.width,
            height: place.height,
            neighbour,
        })
    }

    pub(crate) fn drag_to(&mut self, to: Point) -> Result<(), Refused> {
        let drag = self.drag.as_mut().ok_or(Refused::NoDrag)?;
        drag.at = to.sane();
        let delta = drag.delta();
        if let Kind::Move { lifted } = &mut drag.kind {
            *lifted |= delta.x.abs().max(delta.y.abs()) >= PULL;
        }
        if let Kind::ResizeTile { edges, before } = drag.kind.clone() {
            let (window, from) = (drag.window, drag.from);
            self.resize_tile(window, from, edges, &before, delta);
        }
        Ok(())
    }

    fn resize_tile(
        &mut self,
        id: WindowId,
        from: Rect,
        edges: Edges,
        before: &TileBefore,
        by: Point,
    ) {
        let Some(workspace) = self.windows.get(&id).map(|w| w.workspace) else {
            return;
        };
        let (_, usable) = self.ground(workspace);
        let (area, gap) = self.tile_area(usable);
        let Some(strip) = self.workspaces.get_mut(&workspace).map(|w| &mut w.strip) else {
            return;
        };
        let Some((c, r)) = strip.find(id) else { return };
        if edges.left || edges.right {
            let whole = i64::from(area.w + gap);
            let grown = if edges.left { -by.x } else { by.x };
            let width = Share::of(i64::from(from.w + gap) + i64::from(grown), whole);
            let old = strip.columns()[c].width.share_of(area.w + gap);
            strip.set_width(c, width);
            if edges.left {
                strip.shift_view(old - width.share_of(area.w + gap));
            }
        }
        if let Some((neighbour, theirs, both)) = before.neighbour
            && let Some((nc, nr)) = strip.find(neighbour)
        {
            let grown = if edges.top { -by.y } else { by.y };
            let weight = before.height.weight() + theirs.weight();
            let height = i64::from((from.h + grown).clamp(1, (both - 1).max(1)));
            let own = Share::of(
                weight * height / i64::from(both.max(1)),
                Share::WHOLE.weight(),
            );
            strip.set_height(c, r, own);
            let rest = weight - own.weight();
            strip.set_height(nc, nr, Share::of(rest, Share::WHOLE.weight()));
        }
        self.moved.insert(workspace);
    }

    pub(crate) fn cancel_drag(&mut self) -> Result<(), Refused> {
        let drag = self.drag.take().ok_or(Refused::NoDrag)?;
        if let Kind::ResizeTile { before, .. } = drag.kind {
            let workspace = self.get(drag.window)?.workspace;
            if let Some(w) = self.workspaces.get_mut(&workspace) {
                if let Some((c, r)) = w.strip.find(drag.window) {
                    w.strip.set_width(c, before.width);
                    w.strip.set_height(c, r, before.height);
                }
                if let Some((neighbour, height, _)) = before.neighbour
                    && let Some((c, r)) = w.strip.find(neighbour)
                {
                    w.strip.set_height(c, r, height);
                }
            }
            self.moved.insert(workspace);
        }
        Ok(())
    }

    /// Something happens to the window that makes dragging it pointless.
    pub(crate) fn forget_drag_of(&mut self, id: WindowId) {
        if self.drag.as_ref().is_some_and(|d| d.window == id) {
            // There is one: it cannot be refused.
            let _ = self.cancel_drag();
        }
    }

    pub(crate) fn drop_dragged(&mut self) -> Result<(), Refused> {
        let drag = self.drag.take().ok_or(Refused::NoDrag)?;
        let window = self.get(drag.window)?;
        let Some(rect) = drag.rect(window) else {
            return Ok(());
        };
        if let Kind::Resize(edges) = drag.kind {
            let (output, _) = self.ground(window.workspace);
            let window = self.get_mut(drag.window)?;
            window.floating = rect.moved(Point::new(-output.x, -output.y)).sane();
            window.dragged = edges;
            return Ok(());
        }
        let to = self.workspace_under(drag.at).unwrap_or(window.workspace);
        if window.tiled {
            self.drop_tile(drag.window, to, drag.at);
        } else {
            self.transfer(&self.family_of(drag.window), to);
            let (output, _) = self.ground(to);
            let window = self.get_mut(drag.window)?;
            window.maximised = false;
            window.dragged = Edges::default();
            window.floating = rect.moved(Point::new(-output.x, -output.y)).sane();
        }
        if self.focus == Some(drag.window)
            && let Some(w) = self.workspaces.get(&to)
        {
            self.seat = self.stand_of(w);
        }
        Ok(())
    }

    fn workspace_under(&self, at: Point) -> Option<WorkspaceId> {
        let rects = self.output_rects();
        let (output, _) = rects.iter().find(|(_, r)| r.contains(at))?;
        self.shown_on(*output)
    }

    /// Over the left or right quarter of a tile: a column beside it. Over its upper or lower half: a row above or below it.
    /// Over none: a column between those that it is between.
    fn drop_tile(&mut self, id: WindowId, to: WorkspaceId, at: Point) {
        let (_, usable) = self.ground(to);
        let tiles = self.tiles_of(to, usable, self.active_tile(to));
        let under = tiles.iter().find(|(_, r)| r.contains(at)).copied();
        if let Some(window) = self.windows.get_mut(&id) {
            window.maximised = false;
        }
        if under.is_some_and(|(w, _)| w == id) {
            return;
        }
        self.transfer(&self.family_of(id), to);
        let Some(strip) = self.workspaces.get_mut(&to).map(|w| &mut w.strip) else {
            return;
        };
        let Some(former) = strip.remove(id) else {
            return;
        };
        let spot = under.and_then(|(w, rect)| Some((strip.find(w)?, rect)));
        let Some(((c, r), rect)) = spot else {
            let passed = |c: &crate::strip::Column| {
                let own = |w: WindowId| tiles.iter().find(|(t, _)| *t == w);
                let rect = c.rows.iter().find_map(|r| own(r.window));
                rect.is_none_or(|(_, rect)| rect.middle().x < at.x)
            };
            let index = strip.columns().iter().take_while(|c| passed(c)).count();
            strip.insert_column(index, id, former.width);
            self.moved.insert(to);
            return;
        };
        let quarter = rect.w / 4;
        if at.x < rect.x + quarter {
            strip.insert_column(c, id, former.width);
        } else if at.x >= rect.right() - quarter {
            strip.insert_column(c + 1, id, former.width);
        } else {
            let below = usize::from(at.y >= rect.middle().y);
            if !strip.insert_row(c, r + below, id) {
                strip.insert_column(c + 1, id, former.width);
            }
        }
        self.moved.insert(to);
    }
}
