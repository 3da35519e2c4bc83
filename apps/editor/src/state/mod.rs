//! How each release writes a document down.
//!
//! A release that is out is never changed: a newer one says by its lenses how the older one's state becomes its own and
//! the other way round, so that either can take up what the other has left, with what the user did meanwhile.

pub mod release_1;
pub mod release_2;

use overwinter::State;

use crate::document::Document;

/// A release's form of a document.
pub trait Saved: State + Send + From<Document> + Into<Document> + 'static {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Scroll;

    /// A document in which nothing is as it is in a new one.
    fn example() -> Document {
        Document {
            path: Some("/home/ada/notes.md".into()),
            etag: Some("1:2".into()),
            base: "one\ntwo\n".into(),
            history: vec!["{\ni 0 x\n}\nu 1\n".into()],
            undone: 1,
            caret: 3,
            anchor: 1,
            scroll: Scroll {
                top: 4,
                above: -2,
                left: 7,
            },
            language: Some("markdown".into()),
            search: "tw".into(),
            searching: true,
            search_focused: true,
            zoom: 1.5,
            wrap: true,
            width: 700,
            height: 500,
            maximized: true,
            ..Document::default()
        }
    }

    overwinter::compatibility!(first: release_1::Document, || example().into());
    overwinter::compatibility!(second: release_2::Document, || example().into());
}
