//! Everything a document's window is made of, whichever release wrote it.

use std::sync::Arc;

use overwinter::{Rest, State};

/// A document with the look and place of its window.
#[derive(Clone, PartialEq, Debug)]
pub struct Document {
    /// The file it was opened from or saved to last; `None` for a new one.
    pub path: Option<String>,
    /// What the file's content was known by when it was read or written last (GIO's entity tag): tells whether somebody
    /// else has written it since.
    pub etag: Option<String>,
    /// The text that `history` starts from.
    pub base: Arc<str>,
    /// The operation log in its written form, in pieces ([`crate::history`]). Base and log give the text.
    pub history: Vec<Arc<str>>,
    /// How many steps of the history are undone.
    pub undone: u32,
    /// Position of the caret, in characters.
    pub caret: u32,
    /// The other end of the selection; equal to the caret when nothing is selected.
    pub anchor: u32,
    /// What part of the text is seen.
    pub scroll: Scroll,
    /// GtkSourceView's id of the language whose colours are shown.
    pub language: Option<String>,
    /// What was searched for last.
    pub search: String,
    /// Whether the search bar is open.
    pub searching: bool,
    /// Whether keys go to the search bar, not to the text.
    pub search_focused: bool,
    /// Size of the text; 1 is normal.
    pub zoom: f64,
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// Width of the window when it is not maximized, in logical pixels.
    pub width: i32,
    /// Height likewise.
    pub height: i32,
    /// Whether the window is maximized.
    pub maximized: bool,
    /// What other releases know of a document and this one does not; kept for them.
    pub rest: Rest,
}

/// A scroll position that means the same in another font size: the line at the top, and how much of it is out of sight.
#[derive(State, Clone, Copy, PartialEq, Debug, Default)]
#[state(sealed)]
pub struct Scroll {
    /// Position of the first character of the topmost line that is seen, in characters.
    pub top: u32,
    /// Pixels of that line above the upper edge; negative where the view shows its upper margin.
    pub above: i32,
    /// Pixels of the text beyond the left edge.
    pub left: i32,
}

/// Smallest and largest zoom that a window accepts, from wherever.
pub const ZOOM: std::ops::RangeInclusive<f64> = 0.5..=4.0;

impl Default for Document {
    fn default() -> Self {
        Self {
            path: None,
            etag: None,
            base: Arc::from(""),
            history: Vec::new(),
            undone: 0,
            caret: 0,
            anchor: 0,
            scroll: Scroll::default(),
            language: None,
            search: String::new(),
            searching: false,
            search_focused: false,
            zoom: 1.0,
            wrap: false,
            width: 780,
            height: 560,
            maximized: false,
            rest: Rest::default(),
        }
    }
}

impl Document {
    /// What windows and lists call it: the file's name, or "Untitled".
    pub fn title_of(path: Option<&str>) -> String {
        path.and_then(|p| std::path::Path::new(p).file_name())
            .map_or_else(
                || "Untitled".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            )
    }
}
