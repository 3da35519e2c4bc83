//! The envelope a group's saved state travels and rests in: what the app said, where its windows stood, how they looked.

use serde::{Deserialize, Serialize};

use crate::{Build, Revision};

/// Most an app may hand over as the state of one group: 256 MiB. A bound for memory, not a design limit: larger parts are blobs.
pub const MAX_STATE: usize = 256 << 20;

/// A group's saved state. Immutable once stored; its number is the store's [`Generation`](crate::Generation).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The app's id, as its .desktop file is called: `org.overwinter.Editor`.
    pub app: String,
    /// The code that wrote it.
    pub build: Build,
    /// Which of the app's own mutations it contains.
    pub revision: Revision,
    /// Title of the group's main window, for lists and errors.
    pub title: String,
    /// The app's version-independent state, opaque to the session.
    #[serde(with = "serde_bytes")]
    pub state: Vec<u8>,
    /// The group's windows, lowest first.
    pub windows: Vec<WindowSnapshot>,
}

/// One window of a group: where it stood and how it looked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WindowSnapshot {
    /// The app's own name for it within the group: "main", "inspector".
    pub name: String,
    /// Title as the client set it.
    pub title: String,
    /// Where it stood.
    pub place: Placement,
    /// How it looked; absent for windows marked sensitive or never drawn.
    pub picture: Option<Picture>,
}

/// Where a window stood. All in logical pixels of the whole desktop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Placement {
    /// Left edge of the window geometry.
    pub x: i32,
    /// Top edge of the window geometry.
    pub y: i32,
    /// Width of the window geometry (without shadows).
    pub width: i32,
    /// Height of the window geometry.
    pub height: i32,
    /// Stacking: of two windows of one desktop the one with the larger number stood above.
    pub above: u32,
    /// Fills the work area.
    pub maximized: bool,
    /// Fills the output.
    pub fullscreen: bool,
    /// Had the keyboard focus.
    pub focused: bool,
}

/// A copy of a window's pixels, shadows included.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// Width in buffer pixels.
    pub width: u32,
    /// Height in buffer pixels.
    pub height: u32,
    /// Buffer pixels per logical pixel, in 120ths (fractional-scale's unit).
    pub scale_120: u32,
    /// Where the window geometry starts within the picture, logical pixels.
    pub geometry_x: i32,
    /// See `geometry_x`.
    pub geometry_y: i32,
    /// Premultiplied ARGB8888 as wl_shm means it (little endian: B, G, R, A), row after row without padding:
    /// `4 * width * height` bytes.
    #[serde(with = "serde_bytes")]
    pub argb: Vec<u8>,
}

impl Picture {
    /// Whether the pixel count agrees with the size; a picture from disk or a peer is checked before it is drawn.
    pub fn is_whole(&self) -> bool {
        let pixels = u64::from(self.width) * u64::from(self.height);
        self.width > 0
            && self.height > 0
            && self.width <= 16384
            && self.height <= 16384
            && pixels * 4 == self.argb.len() as u64
    }
}

impl Snapshot {
    /// What a migration compares: BLAKE3 of the state alone.
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.state).as_bytes()
    }
}
