//! Outputs: known by what they are, whether they are plugged in or not.

use serde::{Deserialize, Serialize};

use crate::geometry::{Margins, Point, Rect, Scale, Size};
use crate::workspace::WorkspaceId;

/// An output smaller than this (logical pixels, either way) is treated as if it had this size.
const SMALLEST: i32 = 64;
/// However much panels ask for, this much remains for windows, either way.
pub(crate) const LEAST_USABLE: i32 = 48;

/// An output's name for as long as the desktop lives. The same monitor gets the same one each time it comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OutputId(pub u32);

/// What an output is: socket and monitor.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputIdentity {
    /// The socket: `DP-1`.
    pub connector: String,
    /// The monitor's maker.
    pub make: String,
    /// The monitor's model.
    pub model: String,
    /// The monitor's serial number; many have none.
    pub serial: String,
}

impl OutputIdentity {
    /// How surely the two are one output; `None` when they are not.
    ///
    /// A monitor with a serial number is recognised at any socket (docks number theirs anew each time). One without is
    /// recognised at its own socket only. Of two monitors that claim one serial number the socket tells which is which.
    pub(crate) fn likeness(&self, other: &OutputIdentity) -> Option<u8> {
        let monitor = self.make == other.make && self.model == other.model;
        let socket = self.connector == other.connector;
        let serial = self.serial == other.serial;
        match (monitor, socket, serial) {
            (true, true, true) => Some(3),
            (true, false, true) if !self.serial.is_empty() => Some(2),
            _ if *self == OutputIdentity::default() => Some(0),
            _ => None,
        }
    }
}

/// How an output looks at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputMode {
    /// Device pixels, as the user sees it: width and height are swapped by a quarter turn.
    pub pixels: Size,
    /// Device pixels per logical one.
    pub scale: Scale,
    /// Where the user wants its top left corner. Without, or where another output is already: to the right of the others.
    pub position: Option<Point>,
}

/// An output that was seen or heard of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// What it is.
    pub identity: OutputIdentity,
    /// Whether it is plugged in.
    pub connected: bool,
    /// How it looks, or looked last.
    pub mode: OutputMode,
    /// What panels keep for themselves.
    pub reserved: Margins,
    /// Workspaces that were shown on it, the latest last.
    pub(crate) history: Vec<WorkspaceId>,
}

impl Output {
    /// One that only a saved place told of: not plugged in, and of an ordinary size.
    pub(crate) fn unseen(identity: OutputIdentity) -> Output {
        Output {
            identity,
            connected: false,
            mode: OutputMode {
                pixels: Size::new(1280, 800),
                scale: Scale::ONE,
                position: None,
            },
            reserved: Margins::default(),
            history: Vec::new(),
        }
    }

    /// Extent in logical pixels.
    pub fn size(&self) -> Size {
        let along = |pixels: i32| {
            self.mode
                .scale
                .logical(pixels.clamp(1, 1 << 16))
                .max(SMALLEST)
        };
        Size::new(along(self.mode.pixels.w), along(self.mode.pixels.h))
    }

    /// `rect` without what panels keep for themselves.
    pub(crate) fn usable(&self, rect: Rect) -> Rect {
        rect.without(self.reserved.within(rect.size(), LEAST_USABLE))
    }

    /// `workspace` is what was shown last.
    pub(crate) fn note_shown(&mut self, workspace: WorkspaceId) {
        self.history.retain(|w| *w != workspace);
        self.history.push(workspace);
    }
}

/// Where the connected outputs stand: those with a position of their own first, each other to the right of all before it.
/// Nothing depends on the order in which they were plugged in.
pub(crate) fn side_by_side<'a>(
    connected: impl Iterator<Item = (OutputId, &'a Output)> + Clone,
) -> Vec<(OutputId, Rect)> {
    let mut placed: Vec<(OutputId, Rect)> = Vec::new();
    for (id, output) in connected.clone() {
        if let Some(at) = output.mode.position {
            let rect = Rect::of(at.sane(), output.size());
            if placed.iter().all(|(_, other)| other.common(rect).is_none()) {
                placed.push((id, rect));
            }
        }
    }
    for (id, output) in connected {
        if placed.iter().all(|(other, _)| *other != id) {
            let x = placed.iter().map(|(_, r)| r.right()).max().unwrap_or(0);
            placed.push((id, Rect::of(Point::new(x, 0), output.size())));
        }
    }
    placed.sort_by_key(|(id, _)| *id);
    placed
}
