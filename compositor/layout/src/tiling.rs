//! Tiles: how windows get into the strip of their workspace, and about in it.

use crate::desktop::Desktop;
use crate::geometry::{Limits, Margins, Rect};
use crate::op::{Direction, Refused};
use crate::place::Share;
use crate::strip::{Column, Frame, MOST_ROWS, Strip};
use crate::window::WindowId;
use crate::workspace::WorkspaceId;

impl Desktop {
    /// Where tiles may be within the usable area, and the gap between them.
    pub(crate) fn tile_area(&self, usable: Rect) -> (Rect, i32) {
        let gap = self.options.gap.min(usable.w / 8).min(usable.h / 8).max(0);
        (usable.without(Margins::all(gap)), gap)
    }

    /// The workspace's tiles on the desktop.
    pub(crate) fn tiles_of(
        &self,
        workspace: WorkspaceId,
        usable: Rect,
        active: Option<WindowId>,
    ) -> Vec<(WindowId, Rect)> {
        let Some(w) = self.workspaces.get(&workspace) else {
            return Vec::new();
        };
        let (area, gap) = self.tile_area(usable);
        let limits = |w| self.tile_limits(w);
        w.strip.arrange(&Frame {
            area,
            gap,
            limits: &limits,
            active,
        })
    }

    fn tile_limits(&self, window: WindowId) -> Option<Limits> {
        let known = self.windows.get(&window)?;
        (!self.is_hidden(known)).then_some(known.limits)
    }

    /// The tile whose column is to be seen: the last one that had the focus.
    pub(crate) fn active_tile(&self, workspace: WorkspaceId) -> Option<WindowId> {
        let focus = self.focused();
        self.of_workspace(workspace)
            .filter(|(_, w)| w.tiled && !self.is_hidden(w))
            .max_by_key(|(id, w)| (focus == Some(*id), w.used, w.height, *id))
            .map(|(id, _)| id)
    }

    /// The view of the workspace holds on to the column that is active now.
    pub(crate) fn settle_view(&mut self, workspace: WorkspaceId) {
        let (_, usable) = self.ground(workspace);
        let (area, gap) = self.tile_area(usable);
        let active = self.active_tile(workspace);
        let Some(w) = self.workspaces.get_mut(&workspace) else {
            return;
        };
        let mut strip = std::mem::take(&mut w.strip);
        strip.settle(&Frame {
            area,
            gap,
            limits: &|w| self.tile_limits(w),
            active,
        });
        if let Some(w) = self.workspaces.get_mut(&workspace) {
            w.strip = strip;
        }
    }

    /// Into the strip: where it was before, else in a column of its own to the right of the active one.
    pub(crate) fn make_tile(&mut self, id: WindowId) {
        let Some(workspace) = self.windows.get(&id).map(|w| w.workspace) else {
            return;
        };
        let active = self.active_tile(workspace);
        let width = self.options.column;
        let Some(window) = self.windows.get_mut(&id) else {
            return;
        };
        let former = window.former_tile.take();
        window.tiled = true;
        if let Some(w) = self.workspaces.get_mut(&workspace) {
            let beside = active.and_then(|a| w.strip.find(a)).map(|(c, _)| c + 1);
            match former {
                Some(place) => w.strip.restore(id, place),
                None => w
                    .strip
                    .insert_column(beside.unwrap_or(usize::MAX), id, width),
            }
        }
        self.moved.insert(workspace);
    }

    pub(crate) fn make_floating(&mut self, id: WindowId) {
        let Some(workspace) = self.windows.get(&id).map(|w| w.workspace) else {
            return;
        };
        let former = self
            .workspaces
            .get_mut(&workspace)
            .and_then(|w| w.strip.remove(id));
        if let Some(window) = self.windows.get_mut(&id) {
            window.tiled = false;
            window.former_tile = former;
        }
        self.moved.insert(workspace);
    }

    /// The strip that a tile is in, and its column and row.
    fn tile(&mut self, id: WindowId) -> Result<(&mut Strip, usize, usize), Refused> {
        let workspace = self.get(id)?.workspace;
        let found = self.workspaces.get_mut(&workspace).and_then(|w| {
            let (c, r) = w.strip.find(id)?;
            Some((&mut w.strip, c, r))
        });
        let found = found.ok_or(Refused::NotATile)?;
        self.moved.insert(workspace);
        Ok(found)
    }

    fn has_shown(&self, column: &Column) -> bool {
        column.rows.iter().any(|r| !self.is_away(r.window))
    }

    /// The nearest column at a side that is not all put away.
    fn column_beside(&self, id: WindowId, right: bool) -> Option<usize> {
        let strip = &self
            .workspaces
            .get(&self.windows.get(&id)?.workspace)?
            .strip;
        let (c, _) = strip.find(id)?;
        let shown = |i: &usize| strip.columns().get(*i).is_some_and(|c| self.has_shown(c));
        if right {
            (c + 1..strip.columns().len()).find(shown)
        } else {
            (0..c).rev().find(shown)
        }
    }

    /// The nearest row above or below that is not put away.
    fn row_beside(&self, id: WindowId, down: bool) -> Option<usize> {
        let strip = &self
            .workspaces
            .get(&self.windows.get(&id)?.workspace)?
            .strip;
        let (c, r) = strip.find(id)?;
        let rows = &strip.columns().get(c)?.rows;
        let shown = |i: &usize| rows.get(*i).is_some_and(|r| !self.is_away(r.window));
        if down {
            (r + 1..rows.len()).find(shown)
        } else {
            (0..r).rev().find(shown)
        }
    }

    /// The tile that the focus goes to from another: of a column the row last used.
    pub(crate) fn tile_beside(&self, id: WindowId, side: Direction) -> Option<WindowId> {
        let strip = &self
            .workspaces
            .get(&self.windows.get(&id)?.workspace)?
            .strip;
        let (c, _) = strip.find(id)?;
        match side {
            Direction::Up | Direction::Down => {
                let r = self.row_beside(id, side == Direction::Down)?;
                Some(strip.columns().get(c)?.rows.get(r)?.window)
            }
            Direction::Left | Direction::Right => {
                let column = self.column_beside(id, side == Direction::Right)?;
                let rows = strip.columns().get(column)?.rows.iter().map(|r| r.window);
                let shown = rows.filter(|w| !self.is_away(*w));
                shown.max_by_key(|w| self.windows.get(w).map(|w| (w.used, w.height)))
            }
        }
    }

    pub(crate) fn shift(&mut self, id: WindowId, side: Direction) -> Result<(), Refused> {
        self.get(id)?;
        let (right, down) = (side == Direction::Right, side == Direction::Down);
        let sideways = matches!(side, Direction::Left | Direction::Right);
        let other = if sideways {
            self.column_beside(id, right)
        } else {
            self.row_beside(id, down)
        };
        let (strip, column, row) = self.tile(id)?;
        let other = other.ok_or(Refused::NothingThere)?;
        if sideways {
            strip.swap_columns(column, other);
        } else {
            strip.swap_rows(column, row, other);
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, id: WindowId, right: bool) -> Result<(), Refused> {
        self.get(id)?;
        let beside = self.column_beside(id, right);
        let (strip, c, _) = self.tile(id)?;
        let place = strip.place_of(id).ok_or(Refused::NotATile)?;
        if strip.columns()[c].rows.len() > 1 {
            strip.remove(id);
            strip.insert_column(if right { c + 1 } else { c }, id, place.width);
            return Ok(());
        }
        let beside = beside.ok_or(Refused::NothingThere)?;
        let rows = strip.columns()[beside].rows.len();
        if rows >= MOST_ROWS {
            return Err(Refused::NothingThere);
        }
        // Its column goes with it.
        strip.remove(id);
        strip.insert_row(if right { beside - 1 } else { beside }, rows, id);
        Ok(())
    }

    pub(crate) fn set_width(&mut self, id: WindowId, width: Share) -> Result<(), Refused> {
        let (strip, c, _) = self.tile(id)?;
        strip.set_width(c, width);
        Ok(())
    }

    pub(crate) fn set_height(&mut self, id: WindowId, height: Share) -> Result<(), Refused> {
        let (strip, c, r) = self.tile(id)?;
        strip.set_height(c, r, height);
        Ok(())
    }
}
