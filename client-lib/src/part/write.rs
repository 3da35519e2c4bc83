//! Writing parts, in one pass and in the one order that deterministic CBOR has.

use serde::Serialize;

use super::{ByteSink, Part};
use crate::bridge::{self, BridgeError};
use crate::cbor::MAX_DEPTH;
use crate::state::Rest;
use crate::value::{Map, Value, key_order};

/// Takes what a [`Writer`] writes: a [`Value`] that is built, or bytes.
///
/// Calls come in the order of the encoding: within a map each `key` is followed by one value, keys come in the order of
/// [`Map`], and `end` closes the innermost list or map. Two kinds and no trait: this is called for every scalar of a document.
pub(crate) enum Sink<'a> {
    Value(&'a mut ValueSink),
    Bytes(&'a mut ByteSink),
}

impl<'a> From<&'a mut ValueSink> for Sink<'a> {
    fn from(sink: &'a mut ValueSink) -> Self {
        Sink::Value(sink)
    }
}

impl<'a> From<&'a mut ByteSink> for Sink<'a> {
    fn from(sink: &'a mut ByteSink) -> Self {
        Sink::Bytes(sink)
    }
}

/// Calls the same method of whichever sink it is.
macro_rules! to_sink {
    ($writer:ident.$method:ident($($argument:expr),*)) => {
        match &mut $writer.sink {
            Sink::Bytes(sink) => sink.$method($($argument),*),
            Sink::Value(sink) => sink.$method($($argument),*),
        }
    };
}

/// Where parts write themselves.
pub struct Writer<'a> {
    sink: Sink<'a>,
    depth: usize,
}

impl<'a> Writer<'a> {
    /// A writer into `sink`.
    pub(crate) fn new(sink: impl Into<Sink<'a>>) -> Writer<'a> {
        Writer::within(sink, 0)
    }

    /// A writer of what stands within `depth` lists and maps.
    pub(crate) fn within(sink: impl Into<Sink<'a>>, depth: usize) -> Writer<'a> {
        Writer {
            sink: sink.into(),
            depth,
        }
    }

    /// Nothing.
    pub fn null(&mut self) {
        to_sink!(self.null());
    }

    /// Yes or no.
    pub fn bool(&mut self, v: bool) {
        to_sink!(self.bool(v));
    }

    /// A whole number.
    pub fn int(&mut self, v: impl Into<i128>) {
        to_sink!(self.int(v.into()));
    }

    /// A floating-point number.
    pub fn float(&mut self, v: f64) {
        to_sink!(self.float(v));
    }

    /// Text.
    pub fn text(&mut self, v: &str) {
        to_sink!(self.text(v));
    }

    /// Raw bytes.
    pub fn bytes(&mut self, v: &[u8]) {
        to_sink!(self.bytes(v));
    }

    fn deeper(&mut self) -> Result<(), BridgeError> {
        if self.depth >= MAX_DEPTH {
            return Err(BridgeError::new(format!(
                "nests deeper than {MAX_DEPTH} levels"
            )));
        }
        self.depth += 1;
        Ok(())
    }

    /// Begins a list of `len` values, which [`end`](Self::end) closes.
    ///
    /// # Errors
    /// When it nests too deeply.
    pub fn list(&mut self, len: usize) -> Result<(), BridgeError> {
        self.deeper()?;
        to_sink!(self.list(len));
        Ok(())
    }

    /// Begins a map of `len` entries, which must come in the order of [`Map`] and which [`end`](Self::end) closes.
    ///
    /// # Errors
    /// When it nests too deeply.
    pub fn map(&mut self, len: usize) -> Result<(), BridgeError> {
        self.deeper()?;
        to_sink!(self.map(len));
        Ok(())
    }

    /// The next entry's name.
    pub fn key(&mut self, key: &str) {
        to_sink!(self.key(key));
    }

    /// As [`key`](Self::key), from a caller that is sure of the order.
    #[inline]
    fn known_key(&mut self, key: &'static str) {
        match &mut self.sink {
            Sink::Bytes(sink) => sink.known_key(key),
            Sink::Value(sink) => sink.key(key),
        }
    }

    /// Closes the innermost list or map.
    pub fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        to_sink!(self.end());
    }

    /// Begins a variant that carries one value, which follows; [`end`](Self::end) closes it.
    ///
    /// # Errors
    /// When it nests too deeply.
    pub fn variant(&mut self, name: &str) -> Result<(), BridgeError> {
        self.map(1)?;
        self.key(name);
        Ok(())
    }

    /// A variant that carries `data`.
    ///
    /// # Errors
    /// As [`Part::write`].
    pub fn wrapped<T: Part>(&mut self, name: &str, data: &T) -> Result<(), BridgeError> {
        self.variant(name)?;
        data.write(self).map_err(|e| e.inside(name))?;
        self.end();
        Ok(())
    }

    /// A value as it is.
    ///
    /// # Errors
    /// When it nests too deeply.
    pub fn value(&mut self, value: &Value) -> Result<(), BridgeError> {
        match value {
            Value::Null => self.null(),
            Value::Bool(v) => self.bool(*v),
            Value::Int(v) => self.int(*v),
            Value::Float(v) => self.float(*v),
            Value::Text(v) => self.text(v),
            Value::Bytes(v) => self.bytes(v),
            Value::List(items) => {
                self.list(items.len())?;
                for item in items {
                    self.value(item)?;
                }
                self.end();
            }
            Value::Map(map) => {
                crate::parts::note_map(map);
                self.map(map.len())?;
                for (key, value) in map.iter() {
                    self.key(key);
                    self.value(value)?;
                }
                self.end();
            }
        }
        Ok(())
    }

    /// A field that is kept by its serde traits.
    ///
    /// # Errors
    /// When its own `Serialize` fails or it nests too deeply.
    pub fn opaque<T: Serialize>(&mut self, value: &T) -> Result<(), BridgeError> {
        self.value(&bridge::to_value(value)?)
    }
}

/// Writes a record's fields, those of `rest` in between.
pub struct RecordWriter<'w, 's, 'r> {
    out: &'w mut Writer<'s>,
    names: std::slice::Iter<'r, &'static str>,
    /// Those of `rest` that are still to come.
    rest: std::iter::Peekable<std::vec::IntoIter<(&'r str, &'r Value)>>,
}

impl<'w, 's, 'r> RecordWriter<'w, 's, 'r> {
    /// Begins a record with the fields `names`, which are in the order of [`Map`] and are then written in that order.
    ///
    /// # Errors
    /// When it nests too deeply.
    pub fn new(
        out: &'w mut Writer<'s>,
        names: &'r [&'static str],
        rest: Option<&'r Rest>,
    ) -> Result<Self, BridgeError> {
        // What this version knows it knows better.
        let unknown = |(name, _): &(&str, &Value)| !names.contains(name);
        // An empty Vec, the usual case, is not on the heap.
        let rest: Vec<_> =
            rest.map_or_else(Vec::new, |rest| rest.0.iter().filter(unknown).collect());
        out.map(names.len() + rest.len())?;
        Ok(RecordWriter {
            out,
            names: names.iter(),
            rest: rest.into_iter().peekable(),
        })
    }

    fn next(&mut self) -> &'static str {
        let name = self.names.next().copied().unwrap_or_default();
        if self.rest.len() > 0 {
            self.rest_before(Some(name));
        }
        // The derive has sorted the names, and what is unknown goes in between where it belongs.
        self.out.known_key(name);
        name
    }

    fn rest_before(&mut self, name: Option<&str>) {
        while let Some((key, value)) = self
            .rest
            .next_if(|(key, _)| name.is_none_or(|name| key_order(key, name).is_lt()))
        {
            self.out.key(key);
            // Its depth was checked when it was read.
            if self.out.value(value).is_err() {
                self.out.null();
            }
        }
    }

    /// The next field.
    ///
    /// # Errors
    /// As [`Part::write`].
    pub fn field<T: Part>(&mut self, value: &T) -> Result<(), BridgeError> {
        let name = self.next();
        value.write(self.out).map_err(|e| e.inside(name))
    }

    /// The next field, which is kept by its serde traits.
    ///
    /// # Errors
    /// When its own `Serialize` fails.
    pub fn opaque<T: Serialize>(&mut self, value: &T) -> Result<(), BridgeError> {
        let name = self.next();
        self.out.opaque(value).map_err(|e| e.inside(name))
    }

    /// No field is left.
    pub fn end(mut self) {
        self.rest_before(None);
        self.out.end();
    }
}

/// Builds a [`Value`].
#[derive(Default)]
pub struct ValueSink {
    open: Vec<Open>,
    done: Value,
}

enum Open {
    List(Vec<Value>),
    Map(Map, String),
}

impl ValueSink {
    /// What was written.
    pub fn finish(self) -> Value {
        self.done
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.done = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(map, key)) => {
                // In order it goes to the end; a part that breaks the order still makes a proper map.
                if let Err((key, value)) = map.push_last(std::mem::take(key), value) {
                    map.insert(key, value);
                }
            }
        }
    }
}

impl ValueSink {
    fn null(&mut self) {
        self.put(Value::Null);
    }
    fn bool(&mut self, v: bool) {
        self.put(Value::Bool(v));
    }
    fn int(&mut self, v: i128) {
        self.put(Value::Int(v));
    }
    fn float(&mut self, v: f64) {
        self.put(Value::Float(v));
    }
    fn text(&mut self, v: &str) {
        self.put(Value::Text(v.to_owned()));
    }
    fn bytes(&mut self, v: &[u8]) {
        self.put(Value::Bytes(v.to_owned()));
    }
    fn list(&mut self, len: usize) {
        self.open.push(Open::List(Vec::with_capacity(len)));
    }
    fn map(&mut self, _: usize) {
        self.open.push(Open::Map(Map::new(), String::new()));
    }
    fn key(&mut self, key: &str) {
        if let Some(Open::Map(_, next)) = self.open.last_mut() {
            key.clone_into(next);
        }
    }
    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::List(items)) => self.put(Value::List(items)),
            Some(Open::Map(map, _)) => self.put(Value::Map(map)),
            None => {}
        }
    }
}
