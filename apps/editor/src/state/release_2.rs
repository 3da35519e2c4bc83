//! State of release 2.

/// x
pub struct Document(crate::document::Document);
impl From<crate::document::Document> for Document {
    fn from(d: crate::document::Document) -> Self {
        Self(d)
    }
}
impl From<Document> for crate::document::Document {
    fn from(d: Document) -> Self {
        d.0
    }
}
impl super::Saved for Document {}
