//! What a state's fields are made of: [`Part`], by derive or for the types of the standard library.
//!
//! A part says its shape, writes itself in one pass, and reads itself from a [`Value`] with a place to report what it has no
//! room for. Serde is not in between: serde's own reading drops unknown fields without a word.

mod bytes;
mod read;
mod shapes;
mod std_types;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use bytes::{ByteSink, Trouble};
pub use read::{Items, Reader, RecordReader, Variant};
pub use shapes::{FieldShape, Shapes, VariantShape, opaque};
pub use std_types::{Key, ListOf, MapKey};
pub use write::{RecordWriter, ValueSink, Writer};

use crate::bridge::{self, BridgeError};
use crate::schema::Shape;
use crate::value::{Map, Value};

/// A piece of state: a number, a list, a record within a record. Use `#[derive(State)]` without `id`.
///
/// ```
/// use overwinter::{Rest, State, Value};
///
/// #[derive(State)]
/// struct Fold { id: u64, label: String, rest: Rest }
///
/// #[derive(State)]
/// enum Mode {
///     Plain,
///     Code { language: String, rest: Rest },
///     #[state(other)]
///     Other(Value), // a variant that a newer version wrote: kept as it is
/// }
///
/// #[derive(State)]
/// #[state(sealed)] // unknown fields are dropped, and the loss report says so
/// struct Point { x: f64, y: f64 }
/// ```
///
/// A part has no version: it changes together with the roots that hold it, by lenses that reach into it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in a state",
    label = "not a part of a state",
    note = "derive `State` for it (without `id` and `version`: it is a part)",
    note = "for a type that only has serde's traits, write `#[state(opaque)]` on the field"
)]
pub trait Part: Sized {
    /// Whether unknown things within it are kept or refused, never dropped.
    const OPEN: bool = true;
    /// Whether no list within it has elements that drop what they do not know and cannot be told apart by a key.
    const SOUND: bool = true;

    /// What it is made of.
    fn shape(shapes: &mut Shapes) -> Shape;

    /// Writes it: exactly one value.
    ///
    /// # Errors
    /// When it cannot be kept, for example nests too deeply.
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError>;

    /// Reads what [`write`](Self::write) or another version's has written.
    ///
    /// # Errors
    /// When `value` does not fit.
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError>;

    /// What stands for a field that is missing; none: the field is needed.
    #[doc(hidden)]
    fn missing() -> Option<Self> {
        None
    }

    /// The shape of a list of these: bytes are not a list of numbers.
    #[doc(hidden)]
    fn list_shape(shapes: &mut Shapes) -> Shape {
        Shape::List(Box::new(Self::shape(shapes)))
    }

    #[doc(hidden)]
    fn write_list(items: &[Self], out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.list(items.len())?;
        for (index, item) in items.iter().enumerate() {
            item.write(out)
                .map_err(|e| e.inside(format!("[{index}]")))?;
        }
        out.end();
        Ok(())
    }

    #[doc(hidden)]
    fn read_list(value: Value, from: &mut Reader<'_>) -> Result<Vec<Self>, BridgeError> {
        let Value::List(items) = value else {
            return Err(read::wanted("a list", &value));
        };
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| from.at_index(index, |from| Self::read(item, from)))
            .collect()
    }
}

/// A part as a [`Value`].
///
/// # Errors
/// As [`Part::write`].
pub fn to_value<T: Part>(part: &T) -> Result<Value, BridgeError> {
    let mut sink = ValueSink::default();
    part.write(&mut Writer::new(&mut sink))?;
    Ok(sink.finish())
}

/// The fields of a root that stay on this host. One that does not fit any more starts over with its default.
#[doc(hidden)]
pub struct LocalReader(pub Map);

impl LocalReader {
    pub fn field<T: Part>(&mut self, name: &str, default: impl FnOnce() -> T) -> T {
        let mut silent = crate::loss::LossReport::default();
        self.0
            .remove(name)
            .and_then(|value| T::read(value, &mut Reader::new(&mut silent)).ok())
            .unwrap_or_else(default)
    }

    pub fn opaque<T: serde::de::DeserializeOwned>(
        &mut self,
        name: &str,
        default: impl FnOnce() -> T,
    ) -> T {
        self.0
            .remove(name)
            .and_then(|value| bridge::from_value(value).ok())
            .unwrap_or_else(default)
    }
}
