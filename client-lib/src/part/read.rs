//! Reading parts, with a place to tell what they had no room for.

use std::cmp::Ordering;

use serde::de::DeserializeOwned;

use super::Part;
use crate::bridge::{self, BridgeError};
use crate::loss::{LossReason, LossReport};
use crate::state::Rest;
use crate::value::{Kind, Map, Value, key_order};

/// What reading a part carries along: where it is, and the loss report.
pub struct Reader<'a> {
    loss: &'a mut LossReport,
    path: Vec<Step>,
}

enum Step {
    Name(&'static str),
    Key(String),
    Index(usize),
}

impl<'a> Reader<'a> {
    /// A reader at the root.
    pub fn new(loss: &'a mut LossReport) -> Reader<'a> {
        Reader {
            loss,
            path: Vec::new(),
        }
    }

    fn at<T>(
        &mut self,
        step: Step,
        read: impl FnOnce(&mut Self) -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        self.path.push(step);
        let read = read(self);
        let step = self.path.pop();
        read.map_err(|error| match step {
            Some(Step::Name(name)) => error.inside(name),
            Some(Step::Key(key)) => error.inside(key),
            Some(Step::Index(index)) => error.inside(format!("[{index}]")),
            None => error,
        })
    }

    /// Reads something within, whose name is known to the program.
    ///
    /// # Errors
    /// As `read`, with the name.
    pub fn at_name<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        self.at(Step::Name(name), read)
    }

    /// Reads an entry of a map.
    ///
    /// # Errors
    /// As `read`, with the key.
    pub fn at_key<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        self.at(Step::Key(key.to_owned()), read)
    }

    /// Reads an element of a list.
    ///
    /// # Errors
    /// As `read`, with the index.
    pub fn at_index<T>(
        &mut self,
        index: usize,
        read: impl FnOnce(&mut Self) -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        self.at(Step::Index(index), read)
    }

    /// Tells that what is called `name` here could not be carried over.
    pub fn lose(&mut self, name: &str, reason: LossReason) {
        let mut path = self.here();
        if !path.is_empty() {
            path.push('.');
        }
        self.loss.note(path + name, reason);
    }

    /// Tells that what stands here could not be carried over.
    pub fn lose_here(&mut self, reason: LossReason) {
        self.loss.note(self.here(), reason);
    }

    fn here(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            let dot = if path.is_empty() { "" } else { "." };
            path.push_str(&match step {
                Step::Name(name) => format!("{dot}{name}"),
                Step::Key(key) => format!("{dot}{key}"),
                Step::Index(index) => format!("[{index}]"),
            });
        }
        path
    }
}

/// A record's fields, read in the order of [`Map`].
pub struct RecordReader<'r, 'a, 'n> {
    from: &'r mut Reader<'a>,
    names: std::slice::Iter<'n, &'static str>,
    fields: std::iter::Peekable<std::vec::IntoIter<(String, Value)>>,
    unknown: Vec<(String, Value)>,
}

impl<'r, 'a, 'n> RecordReader<'r, 'a, 'n> {
    /// The fields of `value`; `names` are those this version knows, in the order of [`Map`] and of reading.
    ///
    /// # Errors
    /// When it is not a record.
    pub fn new(
        value: Value,
        names: &'n [&'static str],
        from: &'r mut Reader<'a>,
    ) -> Result<Self, BridgeError> {
        match value {
            Value::Map(fields) => Ok(Self::of(fields, names, from)),
            other => Err(wanted("a record", &other)),
        }
    }

    /// Likewise, of a record.
    pub fn of(fields: Map, names: &'n [&'static str], from: &'r mut Reader<'a>) -> Self {
        RecordReader {
            from,
            names: names.iter(),
            fields: fields.into_iter().peekable(),
            unknown: Vec::new(),
        }
    }

    /// The next field's name, and its value unless it is missing.
    fn next(&mut self) -> (&'static str, Option<Value>) {
        let name = self.names.next().copied().unwrap_or_default();
        while let Some((key, _)) = self.fields.peek() {
            match key_order(key, name) {
                Ordering::Less => self.unknown.extend(self.fields.next()),
                Ordering::Equal => return (name, self.fields.next().map(|(_, value)| value)),
                Ordering::Greater => break,
            }
        }
        (name, None)
    }

    /// The next field.
    ///
    /// # Errors
    /// When it is missing or does not fit.
    pub fn field<T: Part>(&mut self) -> Result<T, BridgeError> {
        match self.next() {
            (name, Some(value)) => self.from.at_name(name, |from| T::read(value, from)),
            (name, None) => T::missing().ok_or_else(|| missing(name)),
        }
    }

    /// The next field, or `default` when it is missing.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn field_or<T: Part>(&mut self, default: impl FnOnce() -> T) -> Result<T, BridgeError> {
        match self.next() {
            (name, Some(value)) => self.from.at_name(name, |from| T::read(value, from)),
            (_, None) => Ok(default()),
        }
    }

    /// The next field, which is kept by its serde traits.
    ///
    /// # Errors
    /// When it is missing or does not fit.
    pub fn opaque<T: DeserializeOwned>(&mut self) -> Result<T, BridgeError> {
        match self.next() {
            (name, Some(value)) => bridge::from_value(value).map_err(|e| e.inside(name)),
            // As serde has it: a missing Option is None.
            (name, None) => bridge::from_value(Value::Null).map_err(|_| missing(name)),
        }
    }

    /// The next field, which is kept by its serde traits, or `default` when it is missing.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn opaque_or<T: DeserializeOwned>(
        &mut self,
        default: impl FnOnce() -> T,
    ) -> Result<T, BridgeError> {
        match self.next() {
            (name, Some(value)) => bridge::from_value(value).map_err(|e| e.inside(name)),
            (_, None) => Ok(default()),
        }
    }

    /// All fields that were not read, to be kept.
    pub fn rest(self) -> Rest {
        Rest(self.unknown.into_iter().chain(self.fields).collect())
    }

    /// All fields that were not read are dropped, and reported.
    pub fn sealed(self) {
        for (name, _) in self.unknown.into_iter().chain(self.fields) {
            self.from.lose(&name, LossReason::UnknownField);
        }
    }
}

/// A value that is read as a variant of an enum.
pub struct Variant(Value);

impl Variant {
    /// `value` as a variant.
    pub fn new(value: Value) -> Variant {
        Variant(value)
    }

    /// Its name; empty where `value` is no variant at all.
    pub fn name(&self) -> &str {
        match &self.0 {
            Value::Text(name) => name,
            Value::Map(map) if map.len() == 1 => map.iter().next().map_or("", |(name, _)| name),
            _ => "",
        }
    }

    /// What it carries; null where it carries nothing.
    pub fn data(self) -> Value {
        match self.0 {
            Value::Map(map) => map.into_iter().next().map_or(Value::Null, |(_, data)| data),
            _ => Value::Null,
        }
    }

    /// The value as it came.
    pub fn whole(self) -> Value {
        self.0
    }

    /// Checks that it carries nothing.
    ///
    /// # Errors
    /// When it does.
    pub fn unit<T>(self, variant: T) -> Result<T, BridgeError> {
        match self.0 {
            Value::Text(_) => Ok(variant),
            Value::Map(ref map) if map.iter().all(|(_, data)| *data == Value::Null) => Ok(variant),
            other => Err(wanted("a variant without data", &other)),
        }
    }

    /// The error for a variant that a sealed enum does not have.
    pub fn unknown(&self, known: &[&str]) -> BridgeError {
        match self.name() {
            "" => wanted("a variant", &self.0),
            name => BridgeError::new(format!(
                "there is no variant `{name}`; this version knows {}",
                known.join(", ")
            )),
        }
    }
}

pub(super) fn wanted(what: &str, found: &Value) -> BridgeError {
    let found = match found {
        Value::Null => "nothing",
        other => match other.kind() {
            Kind::Any => "something else",
            Kind::Bool => "a bool",
            Kind::Int => "a whole number",
            Kind::Float => "a float",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::List => "a list",
            Kind::Map => "a record",
        },
    };
    BridgeError::new(format!("expected {what}, found {found}"))
}

fn missing(name: &'static str) -> BridgeError {
    BridgeError::new("it is missing").inside(name)
}

/// The elements of a list whose length is known.
pub struct Items(std::vec::IntoIter<Value>);

impl Reader<'_> {
    /// The elements of `value`.
    ///
    /// # Errors
    /// When it is not a list of this length.
    pub fn tuple(&self, value: Value, len: usize) -> Result<Items, BridgeError> {
        match value {
            Value::List(items) if items.len() == len => Ok(Items(items.into_iter())),
            Value::List(items) => {
                let found = items.len();
                Err(BridgeError::new(format!(
                    "expected {len} elements, found {found}"
                )))
            }
            other => Err(wanted("a list", &other)),
        }
    }
}

impl Items {
    /// The next element, which is at `index`.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn next<T: Part>(&mut self, index: usize, from: &mut Reader<'_>) -> Result<T, BridgeError> {
        let value = self.0.next().unwrap_or_default();
        from.at_index(index, |from| T::read(value, from))
    }
}
