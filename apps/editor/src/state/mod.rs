//! How each release writes a document down.

pub mod release_1;
pub mod release_2;

use crate::document::Document;

/// A release's form of a document.
pub trait Saved: From<Document> + Into<Document> {}
