//! What a state is made of, as data: the fields of a root and of every part within it, with their shapes.
//!
//! A [`Schema`] is about the saved data, not about Rust: names of types are not in it, so renaming a struct is no change,
//! while renaming a field is. Parts stand where they are used, generic ones as what they are instantiated with; a part that
//! holds itself is written as *so many parts up* ([`Shape::Up`]). Equal data has one schema, one canonical CBOR
//! form, and one hash: BLAKE3 of that form.
//!
//! As text (in `state.lock` and in messages) it reads like Rust:
//!
//! ```
//! use overwinter::{Rest, Schema, State};
//!
//! #[derive(State)]
//! struct Fold { id: u64, label: Option<String>, rest: Rest }
//!
//! #[derive(State)]
//! #[state(id = "org.example.Notes/document", version = 1)]
//! struct Note { text: String, #[state(key = id)] folds: Vec<Fold>, rest: Rest }
//!
//! let text = Note::schema().to_string();
//! assert_eq!(text, "\
//! {
//!     folds: [{
//!         id: u64,
//!         label: text?,
//!         ..
//!     } by id],
//!     text: text,
//!     ..
//! }");
//! assert_eq!(text.parse::<Schema>().unwrap().hash(), Note::schema_hash());
//! ```

mod admit;
mod apply;
mod diff;
mod parse;
mod sample;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub use admit::Misfit;
pub use apply::Unfit;
pub use diff::Difference;
pub use diff::{Change, lenses_for};
pub use parse::SchemaError;
pub(crate) use sample::Random;

use crate::cbor;
use crate::lens::Keys;
use crate::value::{INT_RANGE, Kind, Map, Value};

/// Parts within parts, at most; deeper ones are taken as [`Shape::Any`].
pub const MAX_DEPTH: usize = 32;

/// What a root's body is made of.
#[derive(Debug, Clone)]
pub struct Schema {
    root: Record,
    keys: Keys,
    hash: OnceLock<[u8; 32]>,
}

/// A record's fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// By name.
    pub fields: BTreeMap<String, Shape>,
    /// Whether unknown fields have a place (`rest`).
    pub open: bool,
}

/// An enum's variants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// By name: what a variant carries, if anything.
    pub variants: BTreeMap<String, Option<Shape>>,
    /// Whether unknown variants have a place (`other`).
    pub open: bool,
}

/// What stands in one place of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Anything at all: a [`Value`] that the program takes as it comes.
    Any,
    /// What serde makes of a type that only has serde's traits; what is inside is not looked at.
    Opaque,
    /// Nothing.
    Null,
    /// Yes or no.
    Bool,
    /// A whole number.
    Int(IntKind),
    /// A floating-point number.
    Float,
    /// Text of one character.
    Char,
    /// Text.
    Text,
    /// Raw bytes.
    Bytes,
    /// A reference to bytes that are kept apart.
    Blob,
    /// A placeholder for a value that is kept apart and sealed.
    Secret,
    /// Null or the shape within.
    Option(Box<Shape>),
    /// A list of any length.
    List(Box<Shape>),
    /// A list of records, each known by the field that is named.
    Keyed(Box<Shape>, String),
    /// A list of this length.
    Array(Box<Shape>, usize),
    /// A list of exactly these.
    Tuple(Vec<Shape>),
    /// Named values, all of one shape.
    Map(KeyShape, Box<Shape>),
    /// Named fields.
    Record(Record),
    /// One of several variants.
    Choice(Choice),
    /// The part so many parts up again; 1 is the innermost part around this place.
    Up(usize),
    /// Something of this kind: what is known of a field that a lens adds.
    Some(Kind),
}

/// What a map's keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyShape {
    /// Text.
    Text,
    /// Whole numbers, written in decimal.
    Int,
}

macro_rules! int_kinds {
    ($($kind:ident $type:ident),*) => {
        /// The width of a whole number: an older version may not be able to hold a newer one's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // named as in Rust
        pub enum IntKind {
            $($kind,)*
            /// Of whatever width: what a lens converts to.
            Some,
        }

        impl IntKind {
            /// Its name in Rust.
            pub fn name(self) -> &'static str {
                match self {
                    $(IntKind::$kind => stringify!($type),)*
                    IntKind::Some => "int",
                }
            }

            pub(crate) fn of(name: &str) -> Option<IntKind> {
                match name {
                    $(stringify!($type) => Some(IntKind::$kind),)*
                    "int" => Some(IntKind::Some),
                    _ => None,
                }
            }

            /// The numbers it holds, as far as state can carry them.
            pub fn range(self) -> std::ops::RangeInclusive<i128> {
                match self {
                    $(IntKind::$kind => {
                        let least = (<$type>::MIN as i128).max(*INT_RANGE.start());
                        let most = i128::try_from(<$type>::MAX).unwrap_or(i128::MAX).min(*INT_RANGE.end());
                        least..=most
                    })*
                    IntKind::Some => INT_RANGE,
                }
            }
        }
    };
}

int_kinds!(I8 i8, I16 i16, I32 i32, I64 i64, I128 i128, U8 u8, U16 u16, U32 u32, U64 u64, U128 u128);

impl Schema {
    /// The schema of a root with these fields.
    pub fn new(root: Record) -> Schema {
        let mut keys = Vec::new();
        find_keys(&root, &mut Vec::new(), &mut keys);
        let keys = Keys::new(keys.iter().map(|(path, key)| (path, key.as_str())));
        Schema {
            root,
            keys,
            hash: OnceLock::new(),
        }
    }

    /// The root's own fields.
    pub fn root(&self) -> &Record {
        &self.root
    }

    /// The lists whose elements are known by a key.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// BLAKE3 of the schema's canonical CBOR form.
    pub fn hash(&self) -> [u8; 32] {
        *self.hash.get_or_init(|| {
            let form = self.root.to_value();
            // A schema has no numbers and nests no deeper than MAX_DEPTH parts allow; its text stands in if that ever changes.
            let bytes = cbor::encode(&form).unwrap_or_else(|_| self.to_string().into_bytes());
            *blake3::hash(&bytes).as_bytes()
        })
    }

    /// The canonical form: records as `{"record": {name: shape, …}, "open": bool}`, enums as `{"enum": {name: shape or null, …},
    /// "open": bool}`, scalars by their name in the text form, all else as a map with one name.
    pub fn to_value(&self) -> Value {
        self.root.to_value()
    }

    /// Whether a body fits, and nothing is in it that this version does not know.
    ///
    /// # Errors
    /// Names the first place that does not fit.
    pub fn admits(&self, body: &Map) -> Result<(), Misfit> {
        admit::record(&self.root, body)
    }

    /// Whether a program of this version can hold a body: as [`admits`](Self::admits), but what the version does not know may be
    /// there wherever there is a place for it.
    ///
    /// # Errors
    /// Names the first place that does not fit.
    pub fn holds(&self, body: &Map) -> Result<(), Misfit> {
        admit::record_with_unknown(&self.root, body)
    }

    /// What differs from `newer`, in the order of the fields; empty when they are equal.
    pub fn differences(&self, newer: &Schema) -> Vec<Difference> {
        diff::records(&self.root, &newer.root)
    }

    /// A body that fits, made up from `seed`; the same seed gives the same body.
    pub fn sample(&self, seed: u64) -> Map {
        Random::new(seed).body(self)
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Schema) -> bool {
        self.root == other.root
    }
}

impl Eq for Schema {}

fn find_keys(record: &Record, path: &mut Vec<String>, keys: &mut Vec<(Vec<String>, String)>) {
    for (name, shape) in &record.fields {
        path.push(name.clone());
        find_keys_in(shape, path, keys);
        path.pop();
    }
}

fn find_keys_in(shape: &Shape, path: &mut Vec<String>, keys: &mut Vec<(Vec<String>, String)>) {
    match shape {
        Shape::Keyed(item, key) => {
            keys.push((path.clone(), key.clone()));
            path.push(Keys::ELEMENT.to_owned());
            find_keys_in(item, path, keys);
            path.pop();
        }
        Shape::List(item) | Shape::Array(item, _) | Shape::Map(_, item) => {
            path.push(Keys::ELEMENT.to_owned());
            find_keys_in(item, path, keys);
            path.pop();
        }
        Shape::Option(inner) => find_keys_in(inner, path, keys),
        Shape::Record(record) => find_keys(record, path, keys),
        Shape::Choice(choice) => {
            for (name, data) in &choice.variants {
                if let Some(data) = data {
                    path.push(name.clone());
                    find_keys_in(data, path, keys);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

impl Record {
    fn to_value(&self) -> Value {
        let fields = self.fields.iter().map(|(n, s)| (n.clone(), s.to_value()));
        form("record", fields.collect(), self.open)
    }
}

fn form(sort: &str, named: Map, open: bool) -> Value {
    let mut map = Map::new();
    map.insert(sort, named);
    map.insert("open", open);
    Value::Map(map)
}

impl Shape {
    /// As [`Schema::to_value`] says.
    pub fn to_value(&self) -> Value {
        let one =
            |name: &str, value: Value| Value::Map([(name.to_owned(), value)].into_iter().collect());
        let list = |items: Vec<Value>| Value::List(items);
        match self {
            Shape::Option(inner) => one("option", inner.to_value()),
            Shape::List(item) => one("list", item.to_value()),
            Shape::Keyed(item, key) => {
                one("keyed", list(vec![item.to_value(), key.as_str().into()]))
            }
            Shape::Array(item, len) => {
                one("array", list(vec![item.to_value(), (*len as u64).into()]))
            }
            Shape::Tuple(items) => one("tuple", list(items.iter().map(Shape::to_value).collect())),
            Shape::Map(keys, item) => one(keys.name(), item.to_value()),
            Shape::Record(record) => record.to_value(),
            Shape::Choice(choice) => {
                let data =
                    |data: &Option<Shape>| data.as_ref().map_or(Value::Null, Shape::to_value);
                let variants = choice.variants.iter().map(|(n, s)| (n.clone(), data(s)));
                form("enum", variants.collect(), choice.open)
            }
            Shape::Up(parts) => one("up", (*parts as u64).into()),
            scalar => Value::Text(scalar.to_string()),
        }
    }

    /// A list with this key where the shape is a list; anything else stays as it is.
    pub(crate) fn keyed(self, key: &str) -> Shape {
        match self {
            Shape::List(item) => Shape::Keyed(item, key.to_owned()),
            other => other,
        }
    }
}

impl KeyShape {
    fn name(self) -> &'static str {
        match self {
            KeyShape::Text => "map",
            KeyShape::Int => "int-map",
        }
    }
}

/// The record that holds a part within a part: where [`Shape::Up`] leads.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    shape: &'a Shape,
    outer: Option<&'a Around<'a>>,
}

impl<'a> Around<'a> {
    /// The part `parts` up and what is around it.
    fn up(
        this: Option<&'a Around<'a>>,
        parts: usize,
    ) -> Option<(&'a Shape, Option<&'a Around<'a>>)> {
        let mut around = this?;
        for _ in 1..parts {
            around = around.outer?;
        }
        Some((around.shape, around.outer))
    }
}
