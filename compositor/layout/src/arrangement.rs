//! What comes out: where everything is, and what has changed since.

use crate::geometry::{Edges, Point, Rect, Size};
use crate::output::OutputId;
use crate::window::WindowId;
use crate::windows::anchored;
use crate::workspace::WorkspaceId;

/// Whether the user sees a window, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visibility {
    /// On the glass (others may stand before it).
    Shown,
    /// A tile that the view has scrolled past.
    OutOfView,
    /// Its workspace is not shown.
    OtherWorkspace,
    /// It, or what it is a dialog of, is put away.
    Away,
    /// No output is plugged in.
    NoOutput,
}

/// How a window fills the desktop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fill {
    /// As large as it is.
    Own,
    /// The usable area.
    Maximised,
    /// The output.
    Fullscreen,
}

/// Where a window is. Also those that are not shown have a rectangle: the one in which they will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The output that its workspace stands on.
    pub output: Option<OutputId>,
    /// Window geometry on the desktop, logical pixels. Its size is what the client is to be asked for.
    pub rect: Rect,
    /// Whether it is seen.
    pub visibility: Visibility,
    /// Drawn within this only: a tile that is scrolled half out of view does not reach into the next output.
    pub clip: Option<Rect>,
    /// How it fills the desktop.
    pub fill: Fill,
    /// A tile: its client is to draw no shadow and no round corners.
    pub tiled: bool,
    /// A resize is going on.
    pub resizing: bool,
    /// Edges that the last resize drags or dragged.
    pub dragged: Edges,
    /// It has the focus: its client draws it as active.
    pub focused: bool,
    /// Asks to be looked at.
    pub urgent: bool,
    /// A ghost.
    pub asleep: bool,
}

impl Slot {
    /// Where the window goes while its client is still drawing another size: edges that are not dragged stay where they are.
    pub fn at_for(&self, drawn: Size) -> Point {
        if self.tiled || self.fill != Fill::Own {
            return self.rect.at();
        }
        anchored(self.rect, self.dragged, drawn).at()
    }

    /// Whether the client has to hear of the difference.
    pub fn asks_for_another(&self, before: &Slot) -> bool {
        let told = |s: &Slot| (s.rect.size(), s.fill, s.tiled, s.resizing, s.focused);
        told(self) != told(before)
    }
}

/// An output, and what it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stand {
    /// The output.
    pub output: OutputId,
    /// All of it, on the desktop.
    pub rect: Rect,
    /// Without what panels keep for themselves.
    pub usable: Rect,
    /// The workspace that it shows.
    pub workspace: WorkspaceId,
    /// A window that fills it and has been used last: panels go behind it.
    pub covered_by: Option<WindowId>,
}

/// Where everything is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Arrangement {
    /// Outputs that are plugged in.
    pub stands: Vec<Stand>,
    /// Every window, by its name.
    pub slots: Vec<(WindowId, Slot)>,
    /// Those that are shown, lowest first.
    pub stack: Vec<WindowId>,
    /// Who has the focus.
    pub focus: Option<WindowId>,
}

/// One difference between two arrangements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Outputs, or what they show.
    Stands,
    /// A window that was not there.
    Came(WindowId, Slot),
    /// A window is somewhere else, or otherwise.
    Changed {
        /// Which.
        window: WindowId,
        /// Before.
        from: Slot,
        /// Now.
        to: Slot,
    },
    /// A window that is not there any more.
    Went(WindowId),
    /// What stands above what, or what is shown at all.
    Stack,
    /// Who has the focus.
    Focus {
        /// Before.
        from: Option<WindowId>,
        /// Now.
        to: Option<WindowId>,
    },
}

impl Arrangement {
    /// A window's slot.
    pub fn slot(&self, window: WindowId) -> Option<&Slot> {
        let found = self.slots.binary_search_by_key(&window, |(id, _)| *id);
        Some(&self.slots.get(found.ok()?)?.1)
    }

    /// The topmost window at this point of the desktop, by window geometry.
    pub fn at(&self, point: Point) -> Option<WindowId> {
        let hit = |id: &WindowId| {
            self.slot(*id).is_some_and(|s| {
                s.rect.contains(point) && s.clip.is_none_or(|clip| clip.contains(point))
            })
        };
        self.stack.iter().rev().copied().find(hit)
    }

    /// What has changed since `before`: outputs, then windows by name, then stack and focus.
    pub fn since(&self, before: &Arrangement) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.stands != before.stands {
            changes.push(Change::Stands);
        }
        let (mut old, mut new) = (before.slots.iter().peekable(), self.slots.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (Some((a, from)), Some((b, to))) if a == b => {
                    if from != to {
                        changes.push(Change::Changed {
                            window: *a,
                            from: *from,
                            to: *to,
                        });
                    }
                    old.next();
                    new.next();
                }
                (Some((gone, _)), Some((b, _))) if gone < b => {
                    changes.push(Change::Went(*gone));
                    old.next();
                }
                (_, Some((came, slot))) => {
                    changes.push(Change::Came(*came, *slot));
                    new.next();
                }
                (Some((gone, _)), None) => {
                    changes.push(Change::Went(*gone));
                    old.next();
                }
                (None, None) => break,
            }
        }
        if self.stack != before.stack {
            changes.push(Change::Stack);
        }
        if self.focus != before.focus {
            changes.push(Change::Focus {
                from: before.focus,
                to: self.focus,
            });
        }
        changes
    }
}
