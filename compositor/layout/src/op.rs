//! Everything that can happen to the layout.

use crate::geometry::{Edges, Limits, Margins, Point, Rect, Size};
use crate::output::{OutputId, OutputIdentity, OutputMode};
use crate::place::Share;
use crate::window::{Opening, WindowId};

/// A side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Upwards.
    Up,
    /// Downwards.
    Down,
}

/// What happens. Legal at any time: one that makes no sense is [`Refused`] and changes nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// An output was plugged in. One that was here before is recognised.
    Plug {
        /// What it is.
        identity: OutputIdentity,
        /// How it looks.
        mode: OutputMode,
    },
    /// An output is gone.
    Unplug(OutputId),
    /// An output has another mode, scale or position.
    SetMode(OutputId, OutputMode),
    /// What panels keep for themselves on an output: the sum of the exclusive zones at each edge.
    Reserve(OutputId, Margins),

    /// Windows open here from now on; the focus goes to what was used last here.
    FocusOutput(OutputId),
    /// Shows the workspace of this name, where it is; one that does not exist is made on the focused output.
    ShowWorkspace(String),
    /// Shows the next (or former) workspace of the focused output.
    StepWorkspace {
        /// The former one.
        back: bool,
    },
    /// Another name for a workspace.
    RenameWorkspace {
        /// As it is called.
        name: String,
        /// As it is to be called.
        to: String,
    },
    /// The workspace belongs to this output from now on.
    MoveWorkspace {
        /// The workspace.
        name: String,
        /// Its new home.
        to: OutputId,
    },

    /// A window or ghost appears.
    Open(WindowId, Opening),
    /// It is gone.
    Close(WindowId),
    /// `new` stands where `old` stood, in every respect: a window for its ghost, or a ghost for its window.
    Replace {
        /// Known.
        old: WindowId,
        /// Unknown.
        new: WindowId,
    },
    /// It is a ghost from now on, at the same place.
    Sleep {
        /// The window.
        window: WindowId,
        /// The focus stays on the ghost (keys typed meanwhile are held for it) instead of going to another window.
        keep_focus: bool,
    },
    /// It is a live window again, at the same place.
    Wake(WindowId),
    /// The shell hides it for a while, or no longer. It keeps its place.
    Conceal(WindowId, bool),
    /// It is a dialog of this window, or of none.
    SetParent(WindowId, Option<WindowId>),
    /// Whether it takes the focus instead of its parent.
    SetModal(WindowId, bool),
    /// What its client accepts.
    SetLimits(WindowId, Limits),
    /// The client answered the last configure with this size. (A commit that answers an earlier one is not told: the
    /// client is still on its way.)
    Drew(WindowId, Size),

    /// The user chose it, or its client showed a valid activation token: it gets the focus, wherever it is.
    Focus {
        /// The window.
        window: WindowId,
        /// Also comes to the top.
        raise: bool,
    },
    /// Its client wants the focus and has no right to it: it is marked urgent.
    Demand(WindowId),
    /// Nothing has the focus: the desktop was clicked, say.
    Unfocus,
    /// If nothing has the focus, what was used last on the focused output gets it, without being anybody's choice.
    Inherit,
    /// The focus goes to the neighbour.
    FocusSide(Direction),
    /// To the top, with its family.
    Raise(WindowId),
    /// To the bottom, with its family.
    Lower(WindowId),

    /// Floats, or is a tile.
    SetFloating(WindowId, bool),
    /// Fills the usable area, or no longer.
    SetMaximised(WindowId, bool),
    /// Fills the output, or no longer.
    SetFullscreen {
        /// The window.
        window: WindowId,
        /// Whether.
        on: bool,
        /// On this one, else on the one it is on.
        output: Option<OutputId>,
    },
    /// Put away, or back.
    SetMinimised(WindowId, bool),
    /// To another workspace, with its family; one that does not exist is made on the focused output.
    Send {
        /// The window.
        window: WindowId,
        /// Name of the workspace.
        workspace: String,
        /// The focus goes with it.
        follow: bool,
    },
    /// A floating window has this window geometry, relative to its output's corner.
    Put(WindowId, Rect),
    /// The column (left, right) or the row (up, down) of a tile changes places with its neighbour.
    Shift(WindowId, Direction),
    /// Into the column at this side, as its last row; a tile that shares its column gets one of its own at this side.
    Merge {
        /// The window.
        window: WindowId,
        /// The neighbour is to the right.
        right: bool,
    },
    /// Width of the column of a tile.
    SetWidth(WindowId, Share),
    /// Weight of a tile among the rows of its column.
    SetHeight(WindowId, Share),

    /// A drag begins with a press at this point of the desktop.
    BeginMove(WindowId, Point),
    /// As [`BeginMove`](Op::BeginMove), of these edges.
    BeginResize(WindowId, Edges, Point),
    /// The pointer is here. Without a drag: refused.
    Drag(Point),
    /// Released: what is dragged stays where it is, or becomes a tile where the pointer is.
    Drop,
    /// Not after all: everything as before the drag.
    CancelDrag,
}

impl Op {
    /// Outputs and panels: what changes no wish.
    pub(crate) fn is_of_hardware(&self) -> bool {
        matches!(
            self,
            Op::Plug { .. } | Op::Unplug(_) | Op::SetMode(..) | Op::Reserve(..)
        )
    }
}

/// Why something was not done. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// See the message.
    #[error("there is no such window")]
    NoSuchWindow,
    /// See the message.
    #[error("there is a window of this name already")]
    WindowExists,
    /// See the message.
    #[error("there is no such output, or it is not plugged in")]
    NoSuchOutput,
    /// See the message.
    #[error("an output is plugged in at this connector already: unplug it first")]
    ConnectorTaken,
    /// See the message.
    #[error("there is no such workspace")]
    NoSuchWorkspace,
    /// See the message.
    #[error("a workspace of this name exists, or the name is empty")]
    NameTaken,
    /// See the message.
    #[error("a window cannot be its own ancestor, and dialogs of dialogs end somewhere")]
    Lineage,
    /// See the message.
    #[error("the window is put away; show it first")]
    NotShown,
    /// See the message.
    #[error("the window is not a tile")]
    NotATile,
    /// See the message.
    #[error("the window does not float, or fills the desktop")]
    NotFloating,
    /// See the message.
    #[error("the window fills the desktop; take it back to its own size first")]
    Fills,
    /// See the message.
    #[error("nobody is there to answer: the window sleeps")]
    Asleep,
    /// See the message.
    #[error("there is nothing at that side")]
    NothingThere,
    /// See the message.
    #[error("nothing is being dragged")]
    NoDrag,
    /// See the message.
    #[error("something else is being dragged")]
    Dragging,
}
