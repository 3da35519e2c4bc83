//! What a type says of itself to be kept: [`State`], usually by derive.

use serde::{Deserialize, Serialize};

use crate::bridge::BridgeError;
use crate::chain::Chain;
use crate::error::StateError;
use crate::loss::LossReport;
use crate::part::{ValueSink, Writer};
use crate::schema::Schema;
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
///   `map_enum("field", "old" => "new", …, else_up = "x", else_down = "y")`, `split("whole", " " => "first", "last")`,
///   `join("first", "last", " " => "whole")`, and lenses that reach inside: `within("sub", …)`, `each("list", …)`,
///   `variant("field", "Variant", …)`. Defaults are literals, `null`, `[…]` and `{ "key": value }`. What no lens can say is
///   said by code: `with = up, back = down`, two functions (see [`StepFn`](crate::StepFn)).
/// * `sealed`: fields that this version does not know are not kept. Without it a field `rest: Rest` is required.
///
/// On a field:
///
/// * `default` or `default = expression`: for a field that is missing.
/// * `name = "text"`: another name in the state.
/// * `key = id`: on a list; the field of its elements that no two of them share and that never changes. What two versions did
///   to the same element is merged then.
/// * `opaque`: for a type that only has serde's traits. It is kept as a whole, and what is inside is not looked at.
/// * `local`: stays on this host (takes `default`, else the type's own).
///
/// Where a `state.lock` lies beside the crate's `Cargo.toml`, each step is told the schema of the version that it leads from; a damaged
/// one is a compile error. That the schema did not change without a new version is what the generated tests see to: a derive
/// looks at one type, not at the parts that it is made of.
///
/// Fields are [`Part`](crate::Part)s: the standard library's types, and structs and enums with `#[derive(State)]` without
/// `id` and `version`. Tests that hold the type to its promises are made by [`compatibility!`](crate::compatibility).
///
/// ```
/// use overwinter::{Rest, State, Value, restore, save};
///
/// #[derive(State)]
/// #[state(id = "org.example.Notes/document", version = 2)]
/// #[state(lens(1 => 2, add("mode", "Plain"), each("folds", rename("uuid", "id"))))]
/// struct Note {
///     #[state(key = id)]
///     folds: Vec<Fold>,
///     mode: Mode,
///     rest: Rest,
/// }
///
/// #[derive(State)]
/// struct Fold { id: u64, from: u32, to: u32, rest: Rest }
///
/// #[derive(State)]
/// enum Mode { Plain, Code { language: String, rest: Rest }, #[state(other)] Other(Value) }
///
/// let note = Note { folds: vec![], mode: Mode::Plain, rest: Rest::default() };
/// assert!(matches!(restore::<Note>(&save(&note)?)?.value.mode, Mode::Plain));
/// # Ok::<(), overwinter::StateError>(())
/// ```
pub trait State: Sized {
    /// The type's name for ever.
    const TYPE_ID: &'static str;
    /// Version of the schema.
    const VERSION: u32;

    /// What the body is made of.
    fn schema() -> &'static Schema;

    /// The steps from the oldest version that can be read to [`VERSION`](Self::VERSION).
    fn chain() -> &'static Chain;

    /// Writes the fields that travel, as one record.
    ///
    /// # Errors
    /// When a field cannot be kept.
    fn write_body(&self, out: &mut Writer<'_>) -> Result<(), BridgeError>;

    /// The fields that stay on this host.
    ///
    /// # Errors
    /// When a field cannot be kept.
    fn local_fields(&self) -> Result<Map, BridgeError>;

    /// The value from a record of this very version.
    ///
    /// # Errors
    /// When a field is missing or does not fit.
    fn from_record(record: Record, loss: &mut LossReport) -> Result<Self, StateError>;

    /// The value as a record.
    ///
    /// # Errors
    /// When a field cannot be kept.
    fn to_record(&self) -> Result<Record, BridgeError> {
        let mut sink = ValueSink::default();
        self.write_body(&mut Writer::new(&mut sink))?;
        match sink.finish() {
            Value::Map(body) => Ok(Record {
                body,
                local: self.local_fields()?,
            }),
            _ => Err(BridgeError::new("a state is a record")),
        }
    }

    /// BLAKE3 of the schema.
    fn schema_hash() -> [u8; 32] {
        Self::schema().hash()
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
