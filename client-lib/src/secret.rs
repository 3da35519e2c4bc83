//! Values that are kept beside the state, never in it.
//!
//! A [`Secret`] stands in the state as a placeholder, a random number that says nothing. Its value travels apart: it is in no body,
//! no dump, no log and no `Debug`, and the store seals it apart. When a document moves to another host its secrets stay behind,
//! unless their type says that they [travel](Travels).
//!
//! ```
//! use overwinter::{Rest, Secret, State, Travels};
//!
//! #[derive(State)]
//! struct Account {
//!     user: String,
//!     password: Secret<String>,         // after a move it has to be asked for again
//!     draft_key: Secret<Vec<u8>, Travels>, // goes along
//!     rest: Rest,
//! }
//!
//! let password = Secret::<String>::new("hunter2".to_owned());
//! assert_eq!(format!("{password:?}"), "Secret(…)");
//! assert_eq!(password.reveal().map(String::as_str), Some("hunter2"));
//! ```

use std::fmt;
use std::marker::PhantomData;

pub use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::bridge::BridgeError;
use crate::cbor;
use crate::loss::{LossReason, LossReport};
use crate::part::{Part, Reader, Shapes, ValueSink, Writer};
use crate::parts::{self, SecretId};
use crate::schema::Shape;
use crate::value::Value;

/// What becomes of a secret when its document moves to another host.
pub trait OnMove: 'static {
    /// Whether it goes along.
    const TRAVELS: bool;
}

/// It stays on the host where it was made. The default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {}

/// It goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travels {}

impl OnMove for Stays {
    const TRAVELS: bool = false;
}

impl OnMove for Travels {
    const TRAVELS: bool = true;
}

/// A value that is kept apart from the state and shown nowhere. It may be absent: never set, or left behind by a move. Memory
/// that holds it is wiped when it is dropped.
///
/// Two are equal when they are the same secret: one a clone of the other, or restored from it. A new value makes a new secret.
pub struct Secret<T: Zeroize, M: OnMove = Stays> {
    /// None: never set.
    id: Option<SecretId>,
    value: Option<Zeroizing<T>>,
    moves: PhantomData<fn() -> M>,
}

impl<T: Zeroize, M: OnMove> Secret<T, M> {
    /// A secret.
    pub fn new(value: T) -> Self {
        Secret {
            id: Some(parts::new_secret_id()),
            value: Some(Zeroizing::new(value)),
            moves: PhantomData,
        }
    }

    /// No secret.
    pub const fn none() -> Self {
        Secret {
            id: None,
            value: None,
            moves: PhantomData,
        }
    }

    /// The value, if it is here.
    pub fn reveal(&self) -> Option<&T> {
        self.value.as_deref()
    }

    /// Whether there was a value that has been left behind: time to ask the user for it again.
    pub fn is_left_behind(&self) -> bool {
        self.id.is_some() && self.value.is_none()
    }
}

impl<T: Zeroize, M: OnMove> Default for Secret<T, M> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T: Zeroize, M: OnMove> From<T> for Secret<T, M> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize + Clone, M: OnMove> Clone for Secret<T, M> {
    fn clone(&self) -> Self {
        Secret {
            id: self.id,
            value: self.value.clone(),
            moves: PhantomData,
        }
    }
}

impl<T: Zeroize, M: OnMove> PartialEq for Secret<T, M> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.value.is_some() == other.value.is_some()
    }
}

impl<T: Zeroize, M: OnMove> Eq for Secret<T, M> {}

impl<T: Zeroize, M: OnMove> fmt::Debug for Secret<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.value.is_some() {
            "Secret(…)"
        } else {
            "Secret()"
        })
    }
}

impl<T: Part + Zeroize, M: OnMove> Part for Secret<T, M> {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Secret
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        let Some(id) = self.id else {
            out.null();
            return Ok(());
        };
        if let Some(value) = &self.value {
            let mut sink = ValueSink::default();
            let written = value.write(&mut Writer::new(&mut sink));
            let mut value = sink.finish();
            let bytes = cbor::encode(&value).map(Zeroizing::new);
            wipe(&mut value);
            // Not their own words, which may say what the value is.
            let (Ok(()), Ok(bytes)) = (written, bytes) else {
                return Err(BridgeError::new("a secret's value cannot be written"));
            };
            parts::collect_secret(id, M::TRAVELS, bytes)?;
        }
        out.value(&Value::Map(parts::secret_value(id)))
    }

    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        if value == Value::Null {
            return Ok(Self::none());
        }
        let id = value.as_map().and_then(parts::secret_of);
        let id = id.ok_or_else(|| BridgeError::new("expected a secret's placeholder"))?;
        let value = parts::take_secret(id).and_then(|bytes| value_of(&bytes));
        if value.is_none() {
            from.lose_here(LossReason::SecretLeftBehind);
        }
        Ok(Secret {
            id: Some(id),
            value,
            moves: PhantomData,
        })
    }

    fn missing() -> Option<Self> {
        Some(Self::none())
    }
}

/// The value in `bytes`. One that is damaged, or of another type than this version's, is as good as left behind: it is no reason to
/// lose the document, and neither why nor where is told, as that may say what the value is.
fn value_of<T: Part + Zeroize>(bytes: &[u8]) -> Option<Zeroizing<T>> {
    let value = cbor::decode(bytes).ok()?;
    let mut silent = LossReport::default();
    let value = T::read(value, &mut Reader::new(&mut silent)).ok()?;
    Some(Zeroizing::new(value))
}

/// Overwrites what a value holds.
fn wipe(value: &mut Value) {
    match value {
        Value::Text(text) => text.zeroize(),
        Value::Bytes(bytes) => bytes.zeroize(),
        Value::Int(v) => v.zeroize(),
        Value::Float(v) => v.zeroize(),
        Value::Bool(v) => v.zeroize(),
        Value::Null => {}
        Value::List(items) => items.iter_mut().for_each(wipe),
        Value::Map(map) => {
            for (_, mut value) in std::mem::take(map) {
                wipe(&mut value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{LossReason, Parts, Rest, Secret, restore_with_parts, save_with_parts};

    #[derive(crate::State)]
    #[state(id = "org.example.Safe/safe", version = 1)]
    struct Safe {
        name: String,
        pin: Secret<u32>,
        rest: Rest,
    }

    /// A secret's type is in no schema.
    #[derive(crate::State)]
    #[state(id = "org.example.Safe/safe", version = 1)]
    struct Other {
        name: String,
        pin: Secret<u8>,
        rest: Rest,
    }

    #[test]
    fn a_secret_of_another_type_is_left_behind_and_said_nowhere() {
        let safe = Safe {
            name: "mine".into(),
            pin: Secret::new(31_415_926),
            rest: Rest::default(),
        };
        let (saved, parts) = save_with_parts(&safe, None, &Parts::default()).unwrap();
        let back = restore_with_parts::<Other>(&saved.bytes, &parts).unwrap();
        assert_eq!(back.value.name, "mine");
        assert!(back.value.pin.is_left_behind());
        let told: Vec<_> = back.loss.iter().map(|l| (&*l.path, &l.reason)).collect();
        assert_eq!(told, [("pin", &LossReason::SecretLeftBehind)]);
        // Whoever can read it gets it back.
        let (again, kept) = save_with_parts(&back.value, None, &parts).unwrap();
        let back = restore_with_parts::<Safe>(&again.bytes, &kept).unwrap();
        assert_eq!(back.value.pin.reveal(), Some(&31_415_926));
    }
}
