//! Any `Serialize` into a [`Value`].

use serde::ser::{self, Serialize};

use super::BridgeError;
use crate::cbor::MAX_DEPTH;
use crate::value::{Map, Value};

/// Turns any serde type into a [`Value`].
///
/// # Errors
/// When the type's own `Serialize` fails, a map key is neither text nor a whole number nor a variant name, a key
/// occurs twice, or the value nests deeper than [`MAX_DEPTH`].
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, BridgeError> {
    value.serialize(ToValue { depth: MAX_DEPTH })
}

#[derive(Clone, Copy)]
struct ToValue {
    depth: usize,
}

impl ToValue {
    fn deeper(self) -> Result<ToValue, BridgeError> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(ToValue { depth }),
            None => Err(BridgeError::new(format!(
                "nests deeper than {MAX_DEPTH} levels"
            ))),
        }
    }
}

fn tagged(variant: &str, value: Value) -> Value {
    let mut map = Map::new();
    map.insert(variant, value);
    Value::Map(map)
}

impl ser::Serializer for ToValue {
    type Ok = Value;
    type Error = BridgeError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Record;
    type SerializeStruct = Record;
    type SerializeStructVariant = Record;

    fn serialize_bool(self, v: bool) -> Result<Value, BridgeError> {
        Ok(Value::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i16(self, v: i16) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i32(self, v: i32) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i64(self, v: i64) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i128(self, v: i128) -> Result<Value, BridgeError> {
        Ok(Value::Int(v))
    }
    fn serialize_u8(self, v: u8) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u16(self, v: u16) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u32(self, v: u32) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u64(self, v: u64) -> Result<Value, BridgeError> {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u128(self, v: u128) -> Result<Value, BridgeError> {
        match i128::try_from(v) {
            Ok(v) => Ok(Value::Int(v)),
            Err(_) => Err(BridgeError::new(format!("{v} is beyond 64 bits"))),
        }
    }
    fn serialize_f32(self, v: f32) -> Result<Value, BridgeError> {
        Ok(Value::Float(v.into()))
    }
    fn serialize_f64(self, v: f64) -> Result<Value, BridgeError> {
        Ok(Value::Float(v))
    }
    fn serialize_char(self, v: char) -> Result<Value, BridgeError> {
        Ok(Value::Text(v.into()))
    }
    fn serialize_str(self, v: &str) -> Result<Value, BridgeError> {
        Ok(Value::Text(v.to_owned()))
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<Value, BridgeError> {
        Ok(Value::Bytes(v.to_owned()))
    }
    fn serialize_none(self) -> Result<Value, BridgeError> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, BridgeError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Value, BridgeError> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, BridgeError> {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, BridgeError> {
        Ok(Value::Text(variant.to_owned()))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, BridgeError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, BridgeError> {
        let inner = value
            .serialize(self.deeper()?)
            .map_err(|e| e.inside(variant))?;
        Ok(tagged(variant, inner))
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<List, BridgeError> {
        Ok(List {
            items: Vec::new(),
            variant: None,
            inner: self.deeper()?,
        })
    }
    fn serialize_tuple(self, len: usize) -> Result<List, BridgeError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List, BridgeError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List, BridgeError> {
        Ok(List {
            items: Vec::new(),
            variant: Some(variant),
            inner: self.deeper()?.deeper()?,
        })
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Record, BridgeError> {
        Ok(Record {
            entries: Vec::new(),
            key: None,
            variant: None,
            inner: self.deeper()?,
        })
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Record, BridgeError> {
        self.serialize_map(Some(len))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Record, BridgeError> {
        Ok(Record {
            entries: Vec::new(),
            key: None,
            variant: Some(variant),
            inner: self.deeper()?.deeper()?,
        })
    }
}

struct List {
    items: Vec<Value>,
    variant: Option<&'static str>,
    inner: ToValue,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BridgeError> {
        let item = value
            .serialize(self.inner)
            .map_err(|e| e.inside(format!("[{}]", self.items.len())))?;
        self.items.push(item);
        Ok(())
    }

    fn finish(self) -> Value {
        match self.variant {
            Some(variant) => tagged(variant, Value::List(self.items)),
            None => Value::List(self.items),
        }
    }
}

macro_rules! list {
    ($($trait:ident :: $method:ident),*) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = BridgeError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BridgeError> {
                self.push(value)
            }
            fn end(self) -> Result<Value, BridgeError> {
                Ok(self.finish())
            }
        }
    )*};
}

list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

struct Record {
    entries: Vec<(String, Value)>,
    key: Option<String>,
    variant: Option<&'static str>,
    inner: ToValue,
}

impl Record {
    fn push<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), BridgeError> {
        let value = value
            .serialize(self.inner)
            .map_err(|e| e.inside(key.clone()))?;
        self.entries.push((key, value));
        Ok(())
    }

    fn finish(self) -> Result<Value, BridgeError> {
        let given = self.entries.len();
        let map: Map = self.entries.into_iter().collect();
        if map.len() != given {
            return Err(BridgeError::new("a key occurs twice in one map"));
        }
        Ok(match self.variant {
            Some(variant) => tagged(variant, Value::Map(map)),
            None => Value::Map(map),
        })
    }
}

impl ser::SerializeMap for Record {
    type Ok = Value;
    type Error = BridgeError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), BridgeError> {
        self.key = Some(match key.serialize(self.inner)? {
            Value::Text(text) => text,
            Value::Int(int) => int.to_string(),
            Value::Bool(bool) => bool.to_string(),
            other => {
                return Err(BridgeError::new(format!(
                    "a map key cannot be a {:?}",
                    other.kind()
                )));
            }
        });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BridgeError> {
        match self.key.take() {
            Some(key) => self.push(key, value),
            None => Err(BridgeError::new("a map value came without its key")),
        }
    }
    fn end(self) -> Result<Value, BridgeError> {
        self.finish()
    }
}

impl ser::SerializeStruct for Record {
    type Ok = Value;
    type Error = BridgeError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), BridgeError> {
        self.push(key.to_owned(), value)
    }
    fn end(self) -> Result<Value, BridgeError> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Record {
    type Ok = Value;
    type Error = BridgeError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), BridgeError> {
        self.push(key.to_owned(), value)
    }
    fn end(self) -> Result<Value, BridgeError> {
        self.finish()
    }
}
