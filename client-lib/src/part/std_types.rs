//! The standard library's types as parts. Their form is the one serde has for them, except that a list of `u8` is bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::read::wanted;
use super::{Part, Reader, Shapes, Writer};
use crate::bridge::BridgeError;
use crate::schema::{IntKind, KeyShape, Shape};
use crate::value::{Map, Value, key_order};

impl Part for bool {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Bool
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.bool(*self);
        Ok(())
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        match value {
            Value::Bool(v) => Ok(v),
            other => Err(wanted("a bool", &other)),
        }
    }
}

fn read_int<T: TryFrom<i128>>(value: &Value, name: &str) -> Result<T, BridgeError> {
    match value {
        Value::Int(v) => {
            T::try_from(*v).map_err(|_| BridgeError::new(format!("{v} does not fit {name}")))
        }
        other => Err(wanted("a whole number", other)),
    }
}

/// What the elements of a list can be known by: `#[state(key = …)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a list",
    label = "not a key",
    note = "a key is text, a whole number, a bool, a char or an array of bytes: something that is either equal or not"
)]
pub trait Key {}

macro_rules! ints {
    ($($type:ident $kind:ident),*) => {$(
        impl Part for $type {
            fn shape(_: &mut Shapes) -> Shape {
                Shape::Int(IntKind::$kind)
            }
            fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
                out.int(*self as i128);
                Ok(())
            }
            fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
                read_int(&value, stringify!($type))
            }
        }
        impl Key for $type {}
        impl MapKey for $type {
            const SHAPE: KeyShape = KeyShape::Int;
            fn text(&self) -> std::borrow::Cow<'_, str> {
                self.to_string().into()
            }
            fn parse(text: String) -> Result<Self, BridgeError> {
                text.parse().map_err(|_| BridgeError::new(format!("the key `{text}` is not a {}", stringify!($type))))
            }
        }
    )*};
}

ints!(i8 I8, i16 I16, i32 I32, i64 I64, isize I64, i128 I128, u16 U16, u32 U32, u64 U64, usize U64);

impl Part for u128 {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Int(IntKind::U128)
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.int(
            i128::try_from(*self)
                .map_err(|_| BridgeError::new(format!("{self} is beyond 64 bits")))?,
        );
        Ok(())
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        read_int(&value, "u128")
    }
}

impl Part for u8 {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Int(IntKind::U8)
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.int(*self);
        Ok(())
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        read_int(&value, "u8")
    }
    fn list_shape(_: &mut Shapes) -> Shape {
        Shape::Bytes
    }
    fn write_list(items: &[Self], out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.bytes(items);
        Ok(())
    }
    fn read_list(value: Value, _: &mut Reader<'_>) -> Result<Vec<Self>, BridgeError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            // As serde writes them.
            Value::List(items) => items.iter().map(|item| read_int(item, "u8")).collect(),
            other => Err(wanted("bytes", &other)),
        }
    }
}

impl Key for u8 {}
impl Key for bool {}
impl Key for char {}
impl Key for String {}
impl Key for Arc<str> {}
impl<const N: usize> Key for [u8; N] {}

impl Part for f64 {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Float
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.float(*self);
        Ok(())
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        match value {
            Value::Float(v) => Ok(v),
            Value::Int(v) => Ok(v as f64),
            other => Err(wanted("a number", &other)),
        }
    }
}

impl Part for f32 {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Float
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.float((*self).into());
        Ok(())
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        f64::read(value, from).map(|v| v as f32)
    }
}

impl Part for char {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Char
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.text(self.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        let mut chars = value.as_text().unwrap_or_default().chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(wanted("one character", &value)),
        }
    }
}

macro_rules! texts {
    ($($type:ty),*) => {$(
        impl Part for $type {
            fn shape(_: &mut Shapes) -> Shape {
                Shape::Text
            }
            fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
                out.text(self);
                Ok(())
            }
            fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
                match value {
                    Value::Text(v) => Ok(v.into()),
                    other => Err(wanted("text", &other)),
                }
            }
        }
    )*};
}

texts!(String, Box<str>, Arc<str>, Rc<str>);

impl Part for PathBuf {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Text
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.text(
            self.to_str()
                .ok_or_else(|| BridgeError::new("the path is not UTF-8"))?,
        );
        Ok(())
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        String::read(value, from).map(PathBuf::from)
    }
}

impl Part for () {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Null
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.null();
        Ok(())
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        match value {
            Value::Null => Ok(()),
            other => Err(wanted("nothing", &other)),
        }
    }
    fn missing() -> Option<Self> {
        Some(())
    }
}

impl Part for Value {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Any
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        out.value(self)
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        Ok(value)
    }
    fn missing() -> Option<Self> {
        Some(Value::Null)
    }
}

impl<T: Part> Part for Option<T> {
    const OPEN: bool = T::OPEN;
    const SOUND: bool = T::SOUND;
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::Option(Box::new(T::shape(shapes)))
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        match self {
            Some(value) => value.write(out),
            None => {
                out.null();
                Ok(())
            }
        }
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        match value {
            Value::Null => Ok(None),
            value => T::read(value, from).map(Some),
        }
    }
    fn missing() -> Option<Self> {
        Some(None)
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<T: Part> Part for $pointer<T> {
            const OPEN: bool = T::OPEN;
            const SOUND: bool = T::SOUND;
            fn shape(shapes: &mut Shapes) -> Shape {
                T::shape(shapes)
            }
            fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
                T::write(self, out)
            }
            fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
                T::read(value, from).map($pointer::new)
            }
            fn missing() -> Option<Self> {
                T::missing().map($pointer::new)
            }
        }
    )*};
}

pointers!(Box, Rc, Arc);

/// A list, for `#[state(key = …)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list",
    label = "only the elements of a list are known by a key",
    note = "`#[state(key = …)]` stands on a `Vec` or `VecDeque`"
)]
pub trait ListOf {
    /// Its elements.
    type Item: Part;
}

impl<T: Part> ListOf for Vec<T> {
    type Item = T;
}

impl<T: Part> ListOf for VecDeque<T> {
    type Item = T;
}

impl<T: Part> Part for Vec<T> {
    const OPEN: bool = T::OPEN;
    const SOUND: bool = T::OPEN && T::SOUND;
    fn shape(shapes: &mut Shapes) -> Shape {
        T::list_shape(shapes)
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        T::write_list(self, out)
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        T::read_list(value, from)
    }
}

fn write_each<'a, T: Part + 'a>(
    items: impl ExactSizeIterator<Item = &'a T>,
    out: &mut Writer<'_>,
) -> Result<(), BridgeError> {
    out.list(items.len())?;
    for (index, item) in items.enumerate() {
        item.write(out)
            .map_err(|e| e.inside(format!("[{index}]")))?;
    }
    out.end();
    Ok(())
}

macro_rules! collections {
    ($($collection:ident<T $(: $bound:ident)?>),*) => {$(
        impl<T: Part $(+ $bound)?> Part for $collection<T> {
            const OPEN: bool = T::OPEN;
            const SOUND: bool = T::OPEN && T::SOUND;
            fn shape(shapes: &mut Shapes) -> Shape {
                Shape::List(Box::new(T::shape(shapes)))
            }
            fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
                write_each(self.iter(), out)
            }
            fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
                Ok(T::read_list(value, from)?.into_iter().collect())
            }
        }
    )*};
}

collections!(VecDeque<T>, BTreeSet<T: Ord>);

impl<T: Part + Ord + Hash, S: BuildHasher + Default> Part for HashSet<T, S> {
    const OPEN: bool = T::OPEN;
    const SOUND: bool = T::OPEN && T::SOUND;
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::List(Box::new(T::shape(shapes)))
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        // Equal sets are written equally.
        let mut items: Vec<_> = self.iter().collect();
        items.sort();
        write_each(items.into_iter(), out)
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        Ok(T::read_list(value, from)?.into_iter().collect())
    }
}

impl<T: Part, const N: usize> Part for [T; N] {
    const OPEN: bool = T::OPEN;
    // Which element is which is told by its place.
    const SOUND: bool = T::SOUND;
    fn shape(shapes: &mut Shapes) -> Shape {
        match T::list_shape(shapes) {
            Shape::List(item) => Shape::Array(item, N),
            bytes => bytes,
        }
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        T::write_list(self, out)
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        let items = T::read_list(value, from)?;
        let len = items.len();
        items
            .try_into()
            .map_err(|_| BridgeError::new(format!("expected {N} elements, found {len}")))
    }
}

/// What a map can have as keys: text and whole numbers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a map in a state",
    note = "keys are text or whole numbers: state has text keys only"
)]
pub trait MapKey: Sized {
    /// What the schema says of it.
    const SHAPE: KeyShape;
    /// The key as text.
    fn text(&self) -> std::borrow::Cow<'_, str>;
    /// The key again.
    ///
    /// # Errors
    /// When it is not one.
    fn parse(text: String) -> Result<Self, BridgeError>;
}

macro_rules! text_keys {
    ($($type:ty),*) => {$(
        impl MapKey for $type {
            const SHAPE: KeyShape = KeyShape::Text;
            fn text(&self) -> std::borrow::Cow<'_, str> {
                (**self).into()
            }
            fn parse(text: String) -> Result<Self, BridgeError> {
                Ok(text.into())
            }
        }
    )*};
}

text_keys!(String, Box<str>, Arc<str>, Rc<str>);

fn write_map<'a, K: MapKey + 'a, V: Part + 'a>(
    entries: impl Iterator<Item = (&'a K, &'a V)>,
    out: &mut Writer<'_>,
) -> Result<(), BridgeError> {
    let mut entries: Vec<_> = entries.map(|(key, value)| (key.text(), value)).collect();
    entries.sort_by(|(a, _), (b, _)| key_order(a, b));
    out.map(entries.len())?;
    for (key, value) in entries {
        out.key(&key);
        value.write(out).map_err(|e| e.inside(key))?;
    }
    out.end();
    Ok(())
}

fn read_map<K: MapKey, V: Part, M: FromIterator<(K, V)>>(
    value: Value,
    from: &mut Reader<'_>,
) -> Result<M, BridgeError> {
    let Value::Map(entries) = value else {
        return Err(wanted("a map", &value));
    };
    let entry = |(key, value): (String, Value)| {
        let value = from.at_key(&key, |from| V::read(value, from))?;
        Ok((K::parse(key)?, value))
    };
    Map::into_iter(entries).map(entry).collect()
}

impl<K: MapKey + Ord, V: Part> Part for BTreeMap<K, V> {
    const OPEN: bool = V::OPEN;
    // Which entry is which is told by its key.
    const SOUND: bool = V::SOUND;
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::Map(K::SHAPE, Box::new(V::shape(shapes)))
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        write_map(self.iter(), out)
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        read_map(value, from)
    }
}

impl<K: MapKey + Hash + Eq, V: Part, S: BuildHasher + Default> Part for HashMap<K, V, S> {
    const OPEN: bool = V::OPEN;
    const SOUND: bool = V::SOUND;
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::Map(K::SHAPE, Box::new(V::shape(shapes)))
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        write_map(self.iter(), out)
    }
    fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
        read_map(value, from)
    }
}

macro_rules! tuples {
    ($($len:literal: $($type:ident $index:tt),*;)*) => {$(
        impl<$($type: Part),*> Part for ($($type,)*) {
            const OPEN: bool = $($type::OPEN)&&*;
            const SOUND: bool = $($type::SOUND)&&*;
            fn shape(shapes: &mut Shapes) -> Shape {
                Shape::Tuple(vec![$($type::shape(shapes)),*])
            }
            fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
                out.list($len)?;
                $(self.$index.write(out).map_err(|e| e.inside(concat!("[", $index, "]")))?;)*
                out.end();
                Ok(())
            }
            fn read(value: Value, from: &mut Reader<'_>) -> Result<Self, BridgeError> {
                let mut items = from.tuple(value, $len)?;
                Ok(($(items.next::<$type>($index, from)?,)*))
            }
        }
    )*};
}

tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
}
