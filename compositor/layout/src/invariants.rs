//! Checks of what [the crate](crate) promises.

use std::collections::BTreeSet;

use crate::arrange::REACH;
use crate::arrangement::{Arrangement, Fill, Slot, Visibility};
use crate::desktop::{DEEPEST, Desktop};
use crate::strip::MOST_ROWS;
use crate::window::{Window, WindowId};

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invariant {number}: {what}")]
pub struct Violation {
    /// Which, see [the crate](crate).
    pub number: u8,
    /// What was found.
    pub what: String,
}

type Checked = Result<(), Violation>;

fn hold(number: u8, holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds {
        return Ok(());
    }
    let what = what();
    Err(Violation { number, what })
}

impl Desktop {
    /// Checks what can be seen at rest, between two operations. For tests: it is not quick.
    ///
    /// # Errors
    /// A bug of ours.
    pub fn check(&self) -> Result<(), Violation> {
        let arrangement = self.arrange();
        self.check_membership()?;
        self.check_outputs(&arrangement)?;
        for (id, slot) in &arrangement.slots {
            if let Some(window) = self.windows.get(id) {
                self.check_slot(*id, window, slot)?;
            }
        }
        self.check_tiles(&arrangement)?;
        self.check_stack(&arrangement)?;
        self.check_focus(&arrangement)
    }

    fn check_membership(&self) -> Checked {
        let mut tiles = BTreeSet::new();
        for (workspace, w) in &self.workspaces {
            for id in w.strip.windows() {
                hold(1, tiles.insert(id), || format!("{id:?} is a tile twice"))?;
                let there = self
                    .windows
                    .get(&id)
                    .is_some_and(|w| w.workspace == *workspace && w.tiled);
                hold(1, there, || format!("{id:?} is a tile where it is not"))?;
            }
            let columns = w.strip.columns();
            let sorted = columns.is_sorted_by(|a, b| a.key < b.key)
                && columns
                    .iter()
                    .all(|c| c.rows.is_sorted_by(|a, b| a.key < b.key));
            hold(1, sorted, || {
                format!("the strip of {workspace:?} is out of order")
            })?;
            let sizes = columns
                .iter()
                .all(|c| (1..=MOST_ROWS).contains(&c.rows.len()));
            hold(1, sizes, || {
                format!("a column of {workspace:?} is empty or too full")
            })?;
        }
        for (id, w) in &self.windows {
            hold(1, w.tiled == tiles.contains(id), || {
                format!("{id:?} floats among the tiles")
            })?;
            hold(1, self.workspaces.contains_key(&w.workspace), || {
                format!("{id:?} is nowhere")
            })?;
            let Some(parent) = w.parent else { continue };
            let parent = self.windows.get(&parent);
            let together = parent.is_some_and(|p| p.workspace == w.workspace);
            hold(5, together, || format!("{id:?} has no parent beside it"))?;
            let depth = self.ancestry(*id).count();
            hold(5, depth <= DEEPEST, || format!("{id:?} has no root"))?;
        }
        Ok(())
    }

    fn check_outputs(&self, arrangement: &Arrangement) -> Checked {
        let mut shown = BTreeSet::new();
        for (n, stand) in arrangement.stands.iter().enumerate() {
            hold(2, shown.insert(stand.workspace), || {
                format!("{stand:?} shows another's workspace")
            })?;
            for other in &arrangement.stands[n + 1..] {
                let apart = stand.rect.common(other.rect).is_none();
                hold(2, apart, || format!("{stand:?} and {other:?} overlap"))?;
            }
            let inside = stand.rect.holds(stand.usable) && stand.usable.w > 0 && stand.usable.h > 0;
            hold(2, inside, || format!("{stand:?} has nothing usable"))?;
        }
        let connected = self.connected().count();
        hold(2, arrangement.stands.len() == connected, || {
            "an output shows nothing".into()
        })?;
        let names: BTreeSet<&str> = self.workspaces.values().map(|w| w.name.as_str()).collect();
        hold(2, names.len() == self.workspaces.len(), || {
            "two workspaces have one name".into()
        })
    }

    fn check_slot(&self, id: WindowId, window: &Window, slot: &Slot) -> Checked {
        let (output, usable) = self.ground(window.workspace);
        let (rect, limits) = (slot.rect, window.limits);
        hold(3, rect.w > 0 && rect.h > 0, || {
            format!("{id:?} is empty: {slot:?}")
        })?;
        let right = match slot.fill {
            Fill::Fullscreen => rect == output,
            Fill::Maximised => rect == usable,
            Fill::Own => {
                let max = |v: i32, max: i32| max == 0 || v <= max;
                let min = |v: i32, min: i32, room: i32| v >= min.min(room) || slot.tiled;
                max(rect.w, limits.max.w)
                    && max(rect.h, limits.max.h)
                    && min(rect.w, limits.min.w, usable.w)
                    && min(rect.h, limits.min.h, usable.h)
            }
        };
        // A place from the store says what the client once accepted: it counts until the client draws.
        let restored = !limits_accept(window);
        let lifted = self
            .drag
            .as_ref()
            .is_some_and(|d| d.window == id && d.is_lifted());
        hold(3, right || restored || lifted, || {
            format!("{id:?} has a wrong size: {slot:?} {limits:?}")
        })?;
        let dragged = self.drag.as_ref().is_some_and(|d| d.window == id);
        if slot.fill == Fill::Own && !slot.tiled && !dragged && !window.tiled {
            let seen = usable.x.max(rect.x)..usable.right().min(rect.right());
            let bar = rect.y >= usable.y && rect.y + REACH.1.min(usable.h) <= usable.bottom();
            let reach = REACH.0.min(rect.w).min(usable.w);
            hold(4, seen.end - seen.start >= reach && bar, || {
                format!("{id:?} is out of reach: {slot:?}")
            })?;
        }
        Ok(())
    }

    fn check_tiles(&self, arrangement: &Arrangement) -> Checked {
        for id in self.workspaces.keys() {
            let (_, usable) = self.ground(*id);
            let active = self.active_tile(*id);
            let tiles = self.tiles_of(*id, usable, active);
            for (n, (w, rect)) in tiles.iter().enumerate() {
                let inside = rect.y >= usable.y && rect.bottom() <= usable.bottom();
                hold(4, inside, || {
                    format!("tile {w:?} reaches above or below {usable:?}: {rect:?}")
                })?;
                for (other, there) in &tiles[n + 1..] {
                    let apart = rect.common(*there).is_none();
                    hold(4, apart, || {
                        format!("tiles {w:?} {rect:?} and {other:?} {there:?} overlap")
                    })?;
                }
                let seen = usable.holds(*rect) || active != Some(*w);
                hold(4, seen, || {
                    format!("the active tile {w:?} is out of view: {rect:?}")
                })?;
            }
        }
        let tiled = |s: &Slot| s.tiled && s.visibility == Visibility::Shown;
        let clipped = arrangement
            .slots
            .iter()
            .all(|(_, s)| !tiled(s) || s.clip.is_some());
        hold(4, clipped, || "a tile is not clipped".into())
    }

    fn check_stack(&self, arrangement: &Arrangement) -> Checked {
        let position = |w: WindowId| arrangement.stack.iter().position(|s| *s == w);
        for (id, slot) in &arrangement.slots {
            let shown = slot.visibility == Visibility::Shown;
            hold(5, position(*id).is_some() == shown, || {
                format!("{id:?} is shown and not, {slot:?}")
            })?;
            let parent = self
                .windows
                .get(id)
                .and_then(|w| w.parent)
                .and_then(position);
            if let (Some(parent), Some(own)) = (parent, position(*id)) {
                hold(5, own > parent, || format!("{id:?} is below its parent"))?;
            }
        }
        let distinct: BTreeSet<&WindowId> = arrangement.stack.iter().collect();
        hold(5, distinct.len() == arrangement.stack.len(), || {
            "one is in the stack twice".into()
        })
    }

    fn check_focus(&self, arrangement: &Arrangement) -> Checked {
        let Some(focus) = arrangement.focus else {
            return Ok(());
        };
        let slot = arrangement.slot(focus);
        let seen = slot.is_some_and(|s| matches!(s.visibility, Visibility::Shown));
        // A tile that fills nothing and is in view by 4.
        hold(6, seen, || {
            format!("{focus:?} has the focus and is not seen: {slot:?}")
        })?;
        let blocked = self
            .windows
            .values()
            .any(|w| w.parent == Some(focus) && w.modal && !w.asleep && !w.is_away());
        hold(6, !blocked, || {
            format!("{focus:?} has the focus behind its modal dialog")
        })?;
        let asleep = self.windows.get(&focus).is_some_and(|w| w.asleep);
        let chosen = self.focus == Some(focus);
        hold(6, !asleep || chosen, || {
            format!("the ghost {focus:?} has a focus that nobody gave it")
        })?;
        let recent = self.recent();
        let distinct: BTreeSet<&WindowId> = recent.iter().collect();
        let whole = recent.first() == Some(&focus) && distinct.len() == recent.len();
        hold(7, whole, || {
            format!("alt-tab begins with {:?}", recent.first())
        })
    }
}

/// The client accepts the size that the window wishes to float with.
fn limits_accept(window: &Window) -> bool {
    let size = window.floating.size();
    window.limits.nearest(size) == size
}
