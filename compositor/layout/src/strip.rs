//! The tiles of a workspace: a strip of columns, wider than the output if it must be, of which the view shows a part.
//!
//! - Opening or closing a window resizes nobody in another column.
//! - The active column stays where it is on screen when columns come and go beside it; the view moves no further than is
//!   needed to see all of it.
//! - There is no void at the left of the strip, and none at its right while something is out of view at its left.

use crate::geometry::{Limits, Rect, Size};
use crate::order;
use crate::place::{Share, TilePlace};
use crate::window::WindowId;

/// A column has at most so many rows: even the smallest output has a few pixels for each.
pub(crate) const MOST_ROWS: usize = 8;

/// Windows above each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Column {
    pub key: u64,
    pub width: Share,
    pub rows: Vec<Row>,
}

/// One window of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub key: u64,
    pub window: WindowId,
    pub height: Share,
}

/// Which column stays where on screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Anchor {
    column: u64,
    /// Its left edge, from the left of the usable area.
    x: i32,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Strip {
    columns: Vec<Column>,
    anchor: Option<Anchor>,
}

/// What the strip is laid out in.
pub(crate) struct Frame<'a> {
    /// Where tiles may be: usable area without the outer gap.
    pub area: Rect,
    /// Between tiles.
    pub gap: i32,
    /// The client's limits of a window that is shown; `None` for one that is put away: it keeps its row and needs no room.
    pub limits: &'a dyn Fn(WindowId) -> Option<Limits>,
    /// All of its column is in view.
    pub active: Option<WindowId>,
}

/// A column as it is seen.
struct Seen {
    /// Left edge, from the left of the area.
    x: i32,
    /// 0 when all of its windows are put away.
    w: i32,
    /// Those that are not put away: weight and least height of each.
    rows: Vec<(WindowId, (i64, i32))>,
}

impl Frame<'_> {
    fn see(&self, column: &Column, x: i32) -> Seen {
        let mut rows = Vec::with_capacity(column.rows.len());
        let mut least = 1;
        for row in &column.rows {
            if let Some(limits) = (self.limits)(row.window) {
                least = least.max(limits.min.w);
                rows.push((row.window, (row.height.weight(), limits.min.h)));
            }
        }
        let share = column.width.share_of(self.area.w + self.gap) - self.gap;
        let w = share.max(least).min(self.area.w);
        let w = if rows.is_empty() { 0 } else { w };
        Seen { x, w, rows }
    }
}

impl Strip {
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn windows(&self) -> impl Iterator<Item = WindowId> {
        self.columns
            .iter()
            .flat_map(|c| c.rows.iter().map(|r| r.window))
    }

    /// Column and row.
    pub fn find(&self, window: WindowId) -> Option<(usize, usize)> {
        self.columns.iter().enumerate().find_map(|(c, column)| {
            let row = column.rows.iter().position(|r| r.window == window)?;
            Some((c, row))
        })
    }

    pub fn place_of(&self, window: WindowId) -> Option<TilePlace> {
        let (c, r) = self.find(window)?;
        let (column, row) = (&self.columns[c], &self.columns[c].rows[r]);
        Some(TilePlace {
            column: column.key,
            row: row.key,
            width: column.width,
            height: row.height,
        })
    }

    /// A column of its own that becomes the `index`th.
    pub fn insert_column(&mut self, index: usize, window: WindowId, width: Share) {
        let index = index.min(self.columns.len());
        let key = self.key_at(index);
        let row = Row {
            key: order::anew(0),
            window,
            height: Share::HALF,
        };
        let rows = vec![row];
        self.columns.insert(index, Column { key, width, rows });
    }

    /// A key for a column that is put before the one at `index`.
    fn key_at(&mut self, index: usize) -> u64 {
        let around = |columns: &[Column]| {
            let low = index.checked_sub(1).map(|i| columns[i].key);
            order::between(low, columns.get(index).map(|c| c.key))
        };
        around(&self.columns).unwrap_or_else(|| {
            let anchored = self.anchored();
            for (n, column) in self.columns.iter_mut().enumerate() {
                column.key = order::anew(n);
            }
            if let (Some(anchor), Some(i)) = (&mut self.anchor, anchored) {
                anchor.column = self.columns[i].key;
            }
            around(&self.columns).unwrap_or(order::anew(self.columns.len()))
        })
    }

    /// Into a column, as its `index`th row. False when that is full.
    pub fn insert_row(&mut self, column: usize, index: usize, window: WindowId) -> bool {
        let Some(column) = self.columns.get_mut(column) else {
            return false;
        };
        if column.rows.len() >= MOST_ROWS {
            return false;
        }
        let rows = &mut column.rows;
        let index = index.min(rows.len());
        let around = |rows: &[Row]| {
            let low = index.checked_sub(1).map(|i| rows[i].key);
            order::between(low, rows.get(index).map(|r| r.key))
        };
        let key = around(rows).unwrap_or_else(|| {
            for (n, row) in rows.iter_mut().enumerate() {
                row.key = order::anew(n);
            }
            around(rows).unwrap_or(order::anew(rows.len()))
        });
        let row = Row {
            key,
            window,
            height: Share::HALF,
        };
        rows.insert(index, row);
        true
    }

    /// Where it stood before.
    pub fn restore(&mut self, window: WindowId, place: TilePlace) {
        let key = order::sane(place.column);
        let row = Row {
            key: order::sane(place.row),
            window,
            height: place.height.sane(),
        };
        match self.columns.binary_search_by_key(&key, |c| c.key) {
            Ok(i) if self.columns[i].rows.len() < MOST_ROWS => {
                let rows = &mut self.columns[i].rows;
                let at = rows.partition_point(|r| r.key < row.key);
                if rows.get(at).is_some_and(|r| r.key == row.key) {
                    // Two claim one row (the same record used twice): below it.
                    self.insert_row(i, at + 1, window);
                } else {
                    rows.insert(at, row);
                }
            }
            Ok(i) => self.insert_column(i + 1, window, place.width.sane()),
            Err(i) => {
                let (width, rows) = (place.width.sane(), vec![row]);
                self.columns.insert(i, Column { key, width, rows });
            }
        }
    }

    pub fn remove(&mut self, window: WindowId) -> Option<TilePlace> {
        let place = self.place_of(window)?;
        let (c, r) = self.find(window)?;
        self.columns[c].rows.remove(r);
        if self.columns[c].rows.is_empty() {
            self.columns.remove(c);
        }
        Some(place)
    }

    /// `new` stands where `old` stood.
    pub fn rename(&mut self, old: WindowId, new: WindowId) {
        if let Some((c, r)) = self.find(old) {
            self.columns[c].rows[r].window = new;
        }
    }

    pub fn set_width(&mut self, column: usize, width: Share) {
        if let Some(column) = self.columns.get_mut(column) {
            column.width = width.sane();
        }
    }

    pub fn set_height(&mut self, column: usize, row: usize, height: Share) {
        if let Some(row) = self
            .columns
            .get_mut(column)
            .and_then(|c| c.rows.get_mut(row))
        {
            row.height = height.sane();
        }
    }

    /// The column changes places with another; keys stay where they are, so the others keep their order.
    pub fn swap_columns(&mut self, a: usize, b: usize) {
        if a < self.columns.len() && b < self.columns.len() {
            let (ka, kb) = (self.columns[a].key, self.columns[b].key);
            self.columns.swap(a, b);
            (self.columns[a].key, self.columns[b].key) = (ka, kb);
        }
    }

    /// As [`swap_columns`](Self::swap_columns), within a column.
    pub fn swap_rows(&mut self, column: usize, a: usize, b: usize) {
        let Some(column) = self.columns.get_mut(column) else {
            return;
        };
        let rows = &mut column.rows;
        if a < rows.len() && b < rows.len() {
            let (ka, kb) = (rows[a].key, rows[b].key);
            rows.swap(a, b);
            (rows[a].key, rows[b].key) = (ka, kb);
        }
    }

    /// The column that the view holds on to: the anchor's, or the one that moved up into its place.
    fn anchored(&self) -> Option<usize> {
        let anchor = self.anchor?;
        let i = self.columns.partition_point(|c| c.key < anchor.column);
        (!self.columns.is_empty()).then(|| i.min(self.columns.len() - 1))
    }

    /// The columns as they are seen, with the view where it is.
    fn spread(&self, frame: &Frame) -> Vec<Seen> {
        let mut end: i32 = 0;
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let seen = frame.see(column, end);
            if seen.w > 0 {
                end = end.saturating_add(seen.w + frame.gap);
            }
            columns.push(seen);
        }
        let total = (end - frame.gap).max(0);
        let mut shift = match (self.anchored(), self.anchor) {
            (Some(i), Some(anchor)) => anchor.x - columns[i].x,
            _ => 0,
        };
        if let Some((c, _)) = frame.active.and_then(|w| self.find(w)) {
            let Seen { x, w, .. } = columns[c];
            shift = shift.clamp(-x, frame.area.w - w - x);
        }
        let least = (frame.area.w - total).min(0);
        shift = shift.clamp(least, 0);
        for column in &mut columns {
            column.x += shift;
        }
        columns
    }

    /// The view holds on to the active column where it now is.
    pub fn settle(&mut self, frame: &Frame) {
        let active = frame.active.and_then(|w| self.find(w));
        let column = active.map(|(c, _)| c).or(self.anchored()).unwrap_or(0);
        let spread = self.spread(frame);
        self.anchor = spread.get(column).map(|seen| Anchor {
            column: self.columns[column].key,
            x: seen.x,
        });
    }

    /// Moves the view with the left edge of the active column.
    pub fn shift_view(&mut self, by: i32) {
        if let Some(anchor) = &mut self.anchor {
            anchor.x = anchor.x.saturating_add(by);
        }
    }

    /// Every shown window's tile, in the coordinates of the frame's area.
    pub fn arrange(&self, frame: &Frame) -> Vec<(WindowId, Rect)> {
        let mut tiles = Vec::new();
        for Seen { x, w, rows } in self.spread(frame) {
            if let [(window, _)] = rows[..] {
                tiles.push((
                    window,
                    Rect::new(frame.area.x + x, frame.area.y, w, frame.area.h),
                ));
                continue;
            }
            let n = rows.len() as i32;
            let gap = frame.gap.min(frame.area.h / 2 / n.max(1));
            let parts: Vec<(i64, i32)> = rows.iter().map(|(_, part)| *part).collect();
            let heights = share_out(frame.area.h - gap * (n - 1).max(0), &parts);
            let mut y = frame.area.y;
            for ((window, _), h) in rows.into_iter().zip(heights) {
                tiles.push((window, Rect::new(frame.area.x + x, y, w, h)));
                y += h + gap;
            }
        }
        tiles
    }
}

/// `total` in parts by weight, none smaller than its least as long as all of these fit, and none ever empty. The parts add up
/// to `total`.
fn share_out(total: i32, parts: &[(i64, i32)]) -> Vec<i32> {
    let mut least: Vec<i32> = parts.iter().map(|(_, least)| (*least).max(1)).collect();
    if least.iter().map(|l| i64::from(*l)).sum::<i64>() > i64::from(total) {
        least.fill(1);
    }
    // Whoever would get too little gets its least; the others share what remains, and then another may get too little.
    let mut fixed = vec![false; parts.len()];
    loop {
        let held = least.iter().zip(&fixed).filter(|(_, fixed)| **fixed);
        let free = i64::from(total) - held.map(|(l, _)| i64::from(*l)).sum::<i64>();
        let sharing = parts.iter().zip(&fixed).filter(|(_, fixed)| !**fixed);
        let weights: i64 = sharing.map(|((weight, _), _)| weight).sum();
        let mut sizes = least.clone();
        let (mut before, mut given) = (0, 0);
        for (i, (weight, _)) in parts.iter().enumerate().filter(|(i, _)| !fixed[*i]) {
            before += weight;
            let edge = free * before / weights.max(1);
            sizes[i] = (edge - given) as i32;
            given = edge;
        }
        let small: Vec<usize> = (0..parts.len()).filter(|i| sizes[*i] < least[*i]).collect();
        if small.is_empty() {
            return sizes;
        }
        for i in small {
            fixed[i] = true;
        }
    }
}

/// The window's rectangle in its tile: all of it, unless the client accepts no such size.
pub(crate) fn within_tile(tile: Rect, limits: Limits) -> Rect {
    let one = |length: i32, max: i32| if max > 0 { length.min(max) } else { length };
    tile.centred(Size::new(
        one(tile.w, limits.max.w),
        one(tile.h, limits.max.h),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_heed_what_each_needs() {
        let w = Share::WHOLE.weight();
        assert_eq!(share_out(100, &[(w, 0), (w, 0), (w, 0)]), [33, 33, 34]);
        assert_eq!(share_out(100, &[(w, 60), (w, 0), (w, 0)]), [60, 20, 20]);
        assert_eq!(share_out(100, &[(w, 70), (w, 60)]), [50, 50], "cannot be");
        assert_eq!(share_out(10, &[(w, 0), (1, 0)]), [9, 1], "none is empty");
    }
}
