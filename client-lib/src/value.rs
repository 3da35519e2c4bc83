//! The one data model that state is kept in: eight kinds of value, maps with text keys.
//!
//! Two values are equal exactly when their encodings are equal: map keys have one order, `NaN` is one
//! value, and `-0.0` differs from `0.0`.

use std::cmp::Ordering;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Smallest and largest integer that CBOR can carry in a plain integer (major types 1 and 0).
pub const INT_RANGE: std::ops::RangeInclusive<i128> = -(1_i128 << 64)..=(1_i128 << 64) - 1;

/// A piece of state, independent of any Rust type.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing: `None`, `()`.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number within [`INT_RANGE`]; the encoder refuses others.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// UTF-8 text.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Named values; see [`Map`].
    Map(Map),
}

/// What sort of thing a [`Value`] is; carried by lenses that add or remove a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Any value at all (used where the default is null).
    Any,
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A floating-point number.
    Float,
    /// UTF-8 text.
    Text,
    /// Raw bytes.
    Bytes,
    /// Values in order.
    List,
    /// Named values.
    Map,
}

impl Kind {
    /// Its name in a lens.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Any => "any",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::List => "list",
            Kind::Map => "map",
        }
    }

    /// Whether `value` may stand where this kind is asked for. Null always may: it is "absent".
    pub fn admits(self, value: &Value) -> bool {
        matches!(value, Value::Null) || self == Kind::Any || self == value.kind()
    }
}

impl Value {
    /// The kind of this value; null is [`Kind::Any`].
    pub fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Any,
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) => Kind::Int,
            Value::Float(_) => Kind::Float,
            Value::Text(_) => Kind::Text,
            Value::Bytes(_) => Kind::Bytes,
            Value::List(_) => Kind::List,
            Value::Map(_) => Kind::Map,
        }
    }

    /// The map inside, if this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text inside, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How deeply lists and maps nest: 0 for a scalar, 1 for a list of scalars.
    pub fn depth(&self) -> usize {
        match self {
            Value::List(items) => 1 + items.iter().map(Value::depth).max().unwrap_or(0),
            Value::Map(map) => map.depth(),
            _ => 0,
        }
    }

    /// A measure of how much work it is to copy or compare this value: one per node plus one per
    /// 64 bytes of text. Stops counting once `limit` is passed.
    pub(crate) fn weight(&self, limit: u64) -> u64 {
        let mut total = 0;
        self.add_weight(&mut total, limit);
        total
    }

    fn add_weight(&self, total: &mut u64, limit: u64) {
        if *total > limit {
            return;
        }
        *total += 1;
        match self {
            Value::Text(text) => *total += (text.len() / 64) as u64,
            Value::Bytes(bytes) => *total += (bytes.len() / 64) as u64,
            Value::List(items) => items.iter().for_each(|v| v.add_weight(total, limit)),
            Value::Map(map) => map.iter().for_each(|(_, v)| v.add_weight(total, limit)),
            _ => {}
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => {
                (a.is_nan() && b.is_nan()) || a.to_bits() == b.to_bits()
            }
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

macro_rules! from {
    ($($from:ty => $variant:ident: $convert:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Value::$variant($convert(value))
            }
        }
    )*};
}

from! {
    bool => Bool: |v| v,
    i32 => Int: i128::from,
    i64 => Int: i128::from,
    u32 => Int: i128::from,
    u64 => Int: i128::from,
    f64 => Float: |v| v,
    &str => Text: str::to_owned,
    String => Text: |v| v,
    Vec<Value> => List: |v| v,
    Map => Map: |v| v,
}

/// Named values, ordered as deterministic CBOR orders keys: shorter keys first, then by their bytes
/// (RFC 8949 §4.2.1). No key occurs twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    entries: Vec<(String, Value)>,
}

/// The order of two keys in a [`Map`], which is the bytewise order of their CBOR encodings.
pub(crate) fn key_order(a: &str, b: &str) -> Ordering {
    a.len()
        .cmp(&b.len())
        .then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(k, _)| key_order(k, key))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.find(key)
            .ok()
            .and_then(|i| self.entries.get(i))
            .map(|(_, v)| v)
    }

    /// The value under `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let index = self.find(key).ok()?;
        self.entries.get_mut(index).map(|(_, v)| v)
    }

    /// Whether there is a value under `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// Puts `value` under `key` and returns what stood there before.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        match self.find(&key) {
            Ok(index) => Some(std::mem::replace(&mut self.entries[index].1, value.into())),
            Err(index) => {
                self.entries.insert(index, (key, value.into()));
                None
            }
        }
    }

    /// Takes the value under `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.find(key)
            .ok()
            .map(|index| self.entries.remove(index).1)
    }

    /// Calls the entry `from` otherwise, in place, and returns what stood under `to` before. Does nothing where there is none.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Option<Value> {
        let (Ok(mut old), false) = (self.find(from), from == to) else {
            return None;
        };
        let (new, before) = match self.find(to) {
            Err(new) => (new, None),
            Ok(taken) => {
                old -= usize::from(taken < old);
                (taken, Some(self.entries.remove(taken).1))
            }
        };
        if let Some((key, _)) = self.entries.get_mut(old) {
            key.clear();
            key.push_str(to);
        }
        // What lies between moves up or down by one; nothing is allocated, as there may be many such records.
        if new > old {
            self.entries[old..new].rotate_left(1);
        } else {
            self.entries[new..=old].rotate_right(1);
        }
        before
    }

    /// An empty map with room for `len` entries and for one more, which a step between versions may add.
    pub(crate) fn with_room_for(len: usize) -> Map {
        Map {
            entries: Vec::with_capacity(len + 1),
        }
    }

    /// How deeply lists and maps nest, this map included: 1 for a map of scalars.
    pub fn depth(&self) -> usize {
        1 + self.iter().map(|(_, v)| v.depth()).max().unwrap_or(0)
    }

    /// All entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// All entries in key order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.entries.iter_mut().map(|(k, v)| (k.as_str(), v))
    }

    /// Appends an entry whose key must come after all others; gives it back when it does not.
    pub(crate) fn push_last(&mut self, key: String, value: Value) -> Result<(), (String, Value)> {
        match self.entries.last() {
            Some((last, _)) if key_order(last, &key) != Ordering::Less => Err((key, value)),
            _ => {
                self.entries.push((key, value));
                Ok(())
            }
        }
    }
}

impl FromIterator<(String, Value)> for Map {
    /// Collects entries in any order; of entries with the same key the last one stays.
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(iter: I) -> Self {
        let mut entries: Vec<_> = iter.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| key_order(a, b));
        // The sort is stable, so of equal keys the later one follows; keep that one.
        let mut unique: Vec<(String, Value)> = Vec::with_capacity(entries.len());
        for entry in entries {
            match unique.last_mut() {
                Some(last) if last.0 == entry.0 => *last = entry,
                _ => unique.push(entry),
            }
        }
        Map { entries: unique }
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(v) => serializer.serialize_bool(*v),
            Value::Int(v) => match (i64::try_from(*v), u64::try_from(*v)) {
                (Ok(v), _) => serializer.serialize_i64(v),
                (_, Ok(v)) => serializer.serialize_u64(v),
                _ => serializer.serialize_i128(*v),
            },
            Value::Float(v) => serializer.serialize_f64(*v),
            Value::Text(v) => serializer.serialize_str(v),
            Value::Bytes(v) => serializer.serialize_bytes(v),
            Value::List(v) => v.serialize(serializer),
            Value::Map(v) => v.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
                Value::deserialize(d)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
                Ok(Value::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
                Ok(Value::Int(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
                Ok(Value::Int(v.into()))
            }
            fn visit_i128<E>(self, v: i128) -> Result<Value, E> {
                Ok(Value::Int(v))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
                Ok(Value::Float(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Value, E> {
                Ok(Value::Text(v.to_owned()))
            }
            fn visit_string<E>(self, v: String) -> Result<Value, E> {
                Ok(Value::Text(v))
            }
            fn visit_bytes<E>(self, v: &[u8]) -> Result<Value, E> {
                Ok(Value::Bytes(v.to_owned()))
            }
            fn visit_byte_buf<E>(self, v: Vec<u8>) -> Result<Value, E> {
                Ok(Value::Bytes(v))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, Value>()? {
                    entries.push(entry);
                }
                Ok(Value::Map(entries.into_iter().collect()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Map(map) => Ok(map),
            other => Err(serde::de::Error::custom(format!(
                "expected a map, found {:?}",
                other.kind()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn renaming_in_place_is_taking_out_and_putting_in(
            names in prop::collection::btree_set("[a-d]{0,3}", 0..12),
            from in "[a-d]{0,3}",
            to in "[a-d]{0,3}",
        ) {
            let map: Map = names.iter().map(|name| (name.clone(), Value::from(name.as_str()))).collect();
            let mut expected = map.clone();
            let displaced = match expected.remove(&from) {
                Some(value) => expected.insert(to.as_str(), value).filter(|_| from != to),
                None => None,
            };
            let mut renamed = map;
            prop_assert_eq!(renamed.rename(&from, &to), displaced);
            prop_assert_eq!(renamed, expected);
        }
    }
}
