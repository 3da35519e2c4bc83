//! Release 2.0: text can be zoomed and wrapped; caret and anchor have become one thing, and the file is called by its path.

use overwinter::{Rest, State};

use crate::document::{self, Scroll};

/// A document as release 2.0 writes it. Positions are in characters.
#[derive(State, Clone, PartialEq, Debug)]
#[state(id = "org.overwinter.Editor/document", version = 2)]
#[state(lens(
    1 => 2,
    rename("file", "path"),
    plunge("selection", "caret"),
    plunge("selection", "anchor"),
    add("zoom", 1.0),
    add("wrap", false)
))]
pub struct Document {
    /// Path of its file.
    pub path: Option<String>,
    /// The file's entity tag when it was read or written last.
    pub etag: Option<String>,
    /// The text that the history starts from.
    pub base: String,
    /// The operation log.
    pub history: String,
    /// How many steps of it are undone.
    pub undone: u32,
    /// Caret and selection.
    pub selection: Selection,
    /// What part of the text is seen.
    pub scroll: Scroll,
    /// GtkSourceView's id of the language.
    pub language: Option<String>,
    /// What was searched for last.
    pub search: String,
    /// Whether the search bar is open.
    pub searching: bool,
    /// Whether keys go to it.
    pub search_focused: bool,
    /// Size of the text; 1 is normal.
    pub zoom: f64,
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// Width of the window, in logical pixels.
    pub width: i32,
    /// Height of the window, in logical pixels.
    pub height: i32,
    /// Whether it is maximized.
    pub maximized: bool,
    /// What other releases know.
    pub rest: Rest,
}

/// Caret and selection, in characters.
#[derive(State, Clone, Copy, PartialEq, Debug)]
#[state(sealed)]
pub struct Selection {
    /// Where the caret is.
    pub caret: u32,
    /// The other end of the selection; the caret itself when nothing is selected.
    pub anchor: u32,
}

impl super::Saved for Document {}

impl From<document::Document> for Document {
    fn from(document: document::Document) -> Self {
        Self {
            path: document.path,
            etag: document.etag,
            base: document.base.as_ref().to_owned(),
            history: document.history.concat(),
            undone: document.undone,
            selection: Selection {
                caret: document.caret,
                anchor: document.anchor,
            },
            scroll: document.scroll,
            language: document.language,
            search: document.search,
            searching: document.searching,
            search_focused: document.search_focused,
            zoom: document.zoom,
            wrap: document.wrap,
            width: document.width,
            height: document.height,
            maximized: document.maximized,
            rest: document.rest,
        }
    }
}

impl From<Document> for document::Document {
    fn from(state: Document) -> Self {
        Self {
            path: state.path,
            etag: state.etag,
            base: state.base.into(),
            history: vec![state.history.into()],
            undone: state.undone,
            caret: state.selection.caret,
            anchor: state.selection.anchor,
            scroll: state.scroll,
            language: state.language,
            search: state.search,
            searching: state.searching,
            search_focused: state.search_focused,
            zoom: state.zoom,
            wrap: state.wrap,
            width: state.width,
            height: state.height,
            maximized: state.maximized,
            rest: state.rest,
        }
    }
}
