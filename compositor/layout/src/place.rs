//! A window's place as it outlives the window, the session and this version of the code.

use serde::{Deserialize, Serialize};

use crate::geometry::Rect;
use crate::output::OutputIdentity;

/// A part of the width of the usable area, or of a column's height.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Share(u32);

impl Share {
    /// The whole. Every number up to twelve divides it: thirds are thirds.
    const UNITS: u32 = 55_440;
    /// Half of it.
    pub const HALF: Share = Share(Share::UNITS / 2);
    /// All of it.
    pub const WHOLE: Share = Share(Share::UNITS);
    /// A column is never narrower, a row never lower.
    const LEAST: u32 = Share::UNITS / 40;

    /// `part` of `whole`; cut to between a fortieth and the whole. Rounded up, as shares of a length are rounded down: a length
    /// that the user dragged comes back to the pixel.
    pub fn of(part: i64, whole: i64) -> Share {
        let whole = whole.max(1);
        let units = part
            .saturating_mul(i64::from(Share::UNITS))
            .saturating_add(whole - 1)
            / whole;
        Share(u32::try_from(units).unwrap_or(0)).sane()
    }

    /// So much of a length, rounded down.
    pub(crate) fn share_of(self, length: i32) -> i32 {
        (i64::from(length) * i64::from(self.0) / i64::from(Share::UNITS)) as i32
    }

    pub(crate) fn weight(self) -> i64 {
        i64::from(self.0)
    }

    /// As a saved number may be anything.
    pub(crate) fn sane(self) -> Share {
        Share(self.0.clamp(Share::LEAST, Share::UNITS))
    }
}

/// A place among the tiles of a workspace.
///
/// Columns and rows have keys instead of indices: windows that return one by one, in any order, stand in their old order
/// again, and those with one column key in one column.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TilePlace {
    /// Its column's key: columns stand in the order of their keys.
    pub column: u64,
    /// Its own key within the column, from top to bottom.
    pub row: u64,
    /// The column's width, as a part of the usable area.
    pub width: Share,
    /// Its weight among the rows of its column.
    pub height: Share,
}

/// Where a window stands, for the store: what xdg-session-management, snapshots and ghosts come back to.
///
/// Additive: every field may be missing (it then has the value that an ordinary new window has) and a field that a later version
/// added is passed over. Nothing in it is believed: numbers are cut to what makes sense.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The output that its workspace belongs to. Not plugged in: the workspace is a guest elsewhere until it is.
    pub output: Option<OutputIdentity>,
    /// Name of its workspace.
    pub workspace: Option<String>,
    /// It floats, or it is a tile.
    pub floats: Option<bool>,
    /// Where it floats, or last floated: window geometry, relative to the output's corner.
    pub floating: Option<Rect>,
    /// Where it is a tile, or last was.
    pub tiled: Option<TilePlace>,
    /// Fills the usable area.
    pub maximised: bool,
    /// Fills the output; when it ends `maximised` counts again.
    pub fullscreen: bool,
    /// Put away.
    pub minimised: bool,
    /// Of two windows the one with the larger number stood above.
    pub above: u32,
}
