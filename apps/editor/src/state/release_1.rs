//! Release 1.0: the first.

use overwinter::{Rest, State};

use crate::document::{self, Scroll};

/// A document as release 1.0 writes it. Positions are in characters.
#[derive(State, Clone, PartialEq, Debug)]
#[state(id = "org.overwinter.Editor/document", version = 1)]
pub struct Document {
    /// Path of its file.
    pub file: Option<String>,
    /// The file's entity tag when it was read or written last.
    pub etag: Option<String>,
    /// The text that the history starts from.
    pub base: String,
    /// The operation log.
    pub history: String,
    /// How many steps of it are undone.
    pub undone: u32,
    /// Where the caret is.
    pub caret: u32,
    /// The other end of the selection.
    pub anchor: u32,
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
    /// Width of the window, in logical pixels.
    pub width: i32,
    /// Height of the window, in logical pixels.
    pub height: i32,
    /// Whether it is maximized.
    pub maximized: bool,
    /// What other releases know.
    pub rest: Rest,
}

impl super::Saved for Document {}

impl From<document::Document> for Document {
    fn from(document: document::Document) -> Self {
        Self {
            file: document.path,
            etag: document.etag,
            base: document.base.as_ref().to_owned(),
            history: document.history.concat(),
            undone: document.undone,
            caret: document.caret,
            anchor: document.anchor,
            scroll: document.scroll,
            language: document.language,
            search: document.search,
            searching: document.searching,
            search_focused: document.search_focused,
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
            path: state.file,
            etag: state.etag,
            base: state.base.into(),
            history: vec![state.history.into()],
            undone: state.undone,
            caret: state.caret,
            anchor: state.anchor,
            scroll: state.scroll,
            language: state.language,
            search: state.search,
            searching: state.searching,
            search_focused: state.search_focused,
            width: state.width,
            height: state.height,
            maximized: state.maximized,
            rest: state.rest,
            ..Self::default()
        }
    }
}
