//! What a type says of itself to be kept: [`State`], usually by derive.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bridge::{BridgeError, from_value, to_value};
use crate::chain::Chain;
use crate::error::StateError;
use crate::loss::{LossReason, LossReport};
use crate::value::{Map, Value};

/// A type whose values outlive the program that made them. Use `#[derive(State)]`.
///
/// On the struct, `#[state(…)]` takes:
///
/// * `id = "org.example.Notes/document"`: the type's name for ever (required).
/// * `version = 3` (required).
/// * `lens(2 => 3, …)`, one per version: [`rename("old", "new")`](crate::Lens::Rename), `add("field", default)`,
///   `remove("field", default)`, `hoist("sub", "field")`, `plunge("sub", "field")`, `wrap("field")`,
///   `unwrap("field")`, `convert("field", int => float)` (also `bool`, `text`),
///   `map_enum("field", "old" => "new", …, else_up = "x", else_down = "y")`, `within("sub", …)`. Defaults are literals,
///   `null`, `[…]` and `{ "key": value }`.
/// * `sealed`: fields that this version does not know are not kept. Without it a field `rest: Rest` is required.
///
/// On a field: `default` or `default = expression` (for a field that is missing), `name = "text"` (another name in
/// the state), `local` (stays on this host; needs a default).
pub trait State: Sized {
    /// The type's name for ever.
    const TYPE_ID: &'static str;
    /// Version of the schema.
    const VERSION: u32;
    /// The schema as text: one `name: type` per line, sorted.
    const SCHEMA: &'static str;

    /// The steps from the oldest version that can be read to [`VERSION`](Self::VERSION).
    fn chain() -> &'static Chain;

    /// The value as a record.
    ///
    /// # Errors
    /// When a field's own `Serialize` fails.
    fn to_record(&self) -> Result<Record, BridgeError>;

    /// The value from a record of this very version.
    ///
    /// # Errors
    /// When a field is missing or does not fit.
    fn from_record(record: Record, loss: &mut LossReport) -> Result<Self, StateError>;

    /// BLAKE3 of the schema.
    fn schema_hash() -> [u8; 32] {
        *blake3::hash(Self::SCHEMA.as_bytes()).as_bytes()
    }
}

/// A value's fields: those that travel and those that stay on this host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Fields that travel.
    pub body: Map,
    /// Fields that stay on this host.
    pub local: Map,
}

/// Fields that another version wrote and this one does not know. They are saved again as they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rest(pub Map);

/// Fields for [`State::to_record`]; used by the derive.
#[doc(hidden)]
#[derive(Default)]
pub struct RecordWriter(Record);

impl RecordWriter {
    pub fn field<T: Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), BridgeError> {
        self.0
            .body
            .insert(name, to_value(value).map_err(|e| e.inside(name))?);
        Ok(())
    }

    pub fn local<T: Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), BridgeError> {
        self.0
            .local
            .insert(name, to_value(value).map_err(|e| e.inside(name))?);
        Ok(())
    }

    pub fn rest(&mut self, rest: &Rest) {
        for (name, value) in rest.0.iter() {
            // What this version knows it knows better.
            if !self.0.body.contains_key(name) {
                self.0.body.insert(name, value.clone());
            }
        }
    }

    pub fn finish(self) -> Record {
        self.0
    }
}

/// Fields for [`State::from_record`]; used by the derive.
#[doc(hidden)]
pub struct RecordReader<'a> {
    record: Record,
    loss: &'a mut LossReport,
}

impl<'a> RecordReader<'a> {
    pub fn new(record: Record, loss: &'a mut LossReport) -> Self {
        RecordReader { record, loss }
    }

    pub fn field<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, StateError> {
        match self.record.body.remove(name) {
            Some(value) => Ok(from_value(value).map_err(|e| e.inside(name))?),
            // As serde has it: a missing Option is None.
            None => from_value(Value::Null).map_err(|_| StateError::Missing(name)),
        }
    }

    pub fn field_or<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        default: impl FnOnce() -> T,
    ) -> Result<T, StateError> {
        match self.record.body.remove(name) {
            Some(value) => Ok(from_value(value).map_err(|e| e.inside(name))?),
            None => Ok(default()),
        }
    }

    /// Local fields take no part in lenses: one that does not fit any more starts over with its default.
    pub fn local<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        default: impl FnOnce() -> T,
    ) -> T {
        self.record
            .local
            .remove(name)
            .and_then(|value| from_value(value).ok())
            .unwrap_or_else(default)
    }

    pub fn rest(self) -> Rest {
        Rest(self.record.body)
    }

    pub fn sealed(self) {
        for (name, _) in self.record.body.iter() {
            self.loss.note(name, LossReason::UnknownField);
        }
    }
}
