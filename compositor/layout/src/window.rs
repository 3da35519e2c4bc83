//! A window as the layout knows it: what it wishes, not where it is.

use crate::geometry::{Edges, Limits, Rect, Size};
use crate::place::{Place, TilePlace};
use crate::workspace::WorkspaceId;

/// A window's name; the caller gives it. A ghost is a window like any other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WindowId(pub u64);

/// What is asked for when a window is opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Opening {
    /// It is a dialog of this one.
    pub parent: Option<WindowId>,
    /// A dialog that takes the focus instead of its parent.
    pub modal: bool,
    /// The size that the client chose, or that its picture has.
    pub size: Size,
    /// What the client accepts.
    pub limits: Limits,
    /// Where it stood before.
    pub place: Option<Place>,
    /// Whether it floats; without: as the options, its limits and its being a dialog say. A `place` counts more.
    pub floats: Option<bool>,
    /// It may take the focus: its client showed a valid activation token, or the user asked for it.
    pub focus: bool,
    /// It is a ghost.
    pub asleep: bool,
}

/// A window's wishes. Where that puts it is in the [`Arrangement`](crate::Arrangement).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The window it is a dialog of.
    pub parent: Option<WindowId>,
    /// Takes the focus instead of its parent.
    pub modal: bool,
    /// What the client accepts.
    pub limits: Limits,
    /// Where it floats when it does, relative to its output's corner.
    pub floating: Rect,
    /// It is a tile.
    pub tiled: bool,
    /// Fills the usable area.
    pub maximised: bool,
    /// Fills the output.
    pub fullscreen: bool,
    /// Put away by the user.
    pub minimised: bool,
    /// Put away by the shell: a dialog whose group's ghost stands in.
    pub concealed: bool,
    /// A ghost.
    pub asleep: bool,
    /// Asks to be looked at.
    pub urgent: bool,
    /// The tile that it was before it floated.
    pub(crate) former_tile: Option<TilePlace>,
    /// How high it stands. Grows with each raise and stays otherwise.
    pub(crate) height: u32,
    /// When it last got the focus by somebody's choice, in the desktop's own counting; 0 for never.
    pub(crate) used: u64,
    /// Edges that the last resize dragged: the opposite ones stay when the client takes another size.
    pub(crate) dragged: Edges,
}

impl Window {
    /// It fills the output or its usable area.
    pub fn fills(&self) -> bool {
        self.maximised || self.fullscreen
    }

    /// How high it stands: of two windows the one with the larger number was raised later.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// It is put away.
    pub fn is_away(&self) -> bool {
        self.minimised || self.concealed
    }
}
