//! What a type of state says of itself, as data: what a program without Rust types has to give.

use std::borrow::Cow;

use crate::chain::{Chain, Line, VersionId};
use crate::lens::Keys;
use crate::state::State;

/// What identifies a type of state and its version: type id, schema hash, and the chain of steps to its version.
///
/// A Rust program has one by [`Form::of`]; programs in other languages build theirs as data and keep [`Record`](crate::Record)s
/// with [`save_record`](crate::save_record) and [`restore_record`](crate::restore_record).
///
/// ```
/// use overwinter::{Chain, Form, Lens, Record, Step, Value, restore_record, save_record};
///
/// let step = Step::new(1, vec![Lens::add("wrap", true)]);
/// let form = Form::new("org.example.Notes/document", [0; 32], Chain::new(2, vec![step])?);
/// let mut record = Record::default();
/// record.body.insert("text", "hello");
/// record.body.insert("wrap", false);
/// let saved = save_record(&form, record.clone(), None)?;
/// assert_eq!(restore_record(&form, &saved.bytes)?.value, record);
/// # Ok::<(), overwinter::StateError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    pub(super) type_id: Cow<'static, str>,
    pub(super) schema_hash: [u8; 32],
    pub(super) chain: Cow<'static, Chain>,
    pub(super) keys: Cow<'static, Keys>,
}

impl Form {
    /// A form as data. The version is the one that `chain` leads to; `schema_hash` is the caller's own BLAKE3 of its schema.
    pub fn new(type_id: impl Into<String>, schema_hash: [u8; 32], chain: Chain) -> Form {
        Form {
            type_id: Cow::Owned(type_id.into()),
            schema_hash,
            chain: Cow::Owned(chain),
            keys: Cow::Borrowed(Keys::none()),
        }
    }

    /// With the lists whose elements have a key, in the names of this version.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Form {
        self.keys = Cow::Owned(keys);
        self
    }

    /// The form of a Rust type.
    pub fn of<T: State>() -> Form {
        Form {
            type_id: Cow::Borrowed(T::TYPE_ID),
            schema_hash: T::schema_hash(),
            chain: Cow::Borrowed(T::chain()),
            keys: Cow::Borrowed(T::schema().keys()),
        }
    }

    /// The type's name for ever.
    pub fn type_id(&self) -> &str {
        &self.type_id
    }

    /// Version of the schema.
    pub fn version(&self) -> u32 {
        self.chain.version()
    }

    /// The steps from the oldest version that can be read to [`version`](Self::version).
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What tells this version from all others.
    pub fn id(&self) -> VersionId {
        VersionId {
            number: self.version(),
            schema: Some(self.schema_hash),
            chain: self.chain.hash(),
        }
    }

    pub(super) fn line(&self) -> Line<'_> {
        Line {
            chain: &self.chain,
            schema: Some(self.schema_hash),
        }
    }
}
