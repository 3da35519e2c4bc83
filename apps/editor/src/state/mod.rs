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
