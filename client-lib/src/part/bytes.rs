//! Writing parts straight into deterministic CBOR, without a [`Value`](crate::Value) in between: a document of a megabyte is
//! saved after every pause in typing.

use crate::cbor::{EncodeError, major, write_float, write_head, write_int};

/// Appends CBOR to bytes.
#[derive(Default)]
pub(crate) struct ByteSink {
    out: Vec<u8>,
    /// The last key of each list and map that is open, as a range in `out`; empty before the first, and for lists.
    last_keys: Vec<(usize, usize)>,
    trouble: Option<Trouble>,
    refers: bool,
}

/// Why the bytes are not the encoding of what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A part gave its entries in another order than that of [`Map`](crate::Map); nothing is wrong with the value.
    Order,
    /// The value has no encoding.
    Unwritable(EncodeError),
}

impl ByteSink {
    /// Appends to `out`.
    pub fn after(out: Vec<u8>) -> ByteSink {
        ByteSink {
            out,
            ..ByteSink::default()
        }
    }

    /// Whether names occur that stand for something outside of the value: all of them begin with `$`.
    pub fn refers(&self) -> bool {
        self.refers
    }

    /// What was there before and what was written.
    ///
    /// # Errors
    /// When the bytes are not the encoding of what was written.
    pub fn finish(self) -> Result<Vec<u8>, Trouble> {
        match self.trouble {
            None => Ok(self.out),
            Some(trouble) => Err(trouble),
        }
    }
}

impl ByteSink {
    #[inline]
    pub fn null(&mut self) {
        self.out.push(0xf6);
    }

    #[inline]
    pub fn bool(&mut self, v: bool) {
        self.out.push(0xf4 | u8::from(v));
    }

    #[inline]
    pub fn int(&mut self, v: i128) {
        if let Err(e) = write_int(&mut self.out, v) {
            self.trouble = Some(Trouble::Unwritable(e));
        }
    }

    #[inline]
    pub fn float(&mut self, v: f64) {
        write_float(&mut self.out, v);
    }

    #[inline]
    pub fn text(&mut self, v: &str) {
        write_head(&mut self.out, major::TEXT, v.len() as u64);
        self.out.extend_from_slice(v.as_bytes());
    }

    #[inline]
    pub fn bytes(&mut self, v: &[u8]) {
        write_head(&mut self.out, major::BYTES, v.len() as u64);
        self.out.extend_from_slice(v);
    }

    #[inline]
    pub fn list(&mut self, len: usize) {
        write_head(&mut self.out, major::LIST, len as u64);
        self.last_keys.push((0, 0));
    }

    #[inline]
    pub fn map(&mut self, len: usize) {
        write_head(&mut self.out, major::MAP, len as u64);
        self.last_keys.push((0, 0));
    }

    #[inline]
    pub fn key(&mut self, key: &str) {
        let start = self.out.len();
        self.text(key);
        self.refers |= key.starts_with('$');
        if let Some(last) = self.last_keys.last_mut() {
            // The order of keys is that of their encodings (RFC 8949 §4.2.1); nothing comes before the first.
            let before = self.out.get(last.0..last.1);
            if before >= self.out.get(start..) {
                self.trouble.get_or_insert(Trouble::Order);
            }
            *last = (start, self.out.len());
        }
    }

    /// As [`key`](Self::key), from a caller that is sure of the order.
    #[inline]
    pub fn known_key(&mut self, key: &'static str) {
        self.refers |= key.starts_with('$');
        self.text(key);
    }

    #[inline]
    pub fn end(&mut self) {
        self.last_keys.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;

    use super::*;
    use crate::cbor::{decode, encode};
    use crate::part::{Part, Writer, to_value};
    use crate::value::Value;

    fn straight<T: Part>(value: &T) -> Result<Vec<u8>, Trouble> {
        let mut sink = ByteSink::default();
        value.write(&mut Writer::new(&mut sink)).unwrap();
        sink.finish()
    }

    proptest! {
        #[test]
        fn what_is_written_straight_is_what_the_value_encodes_to(
            numbers in prop::collection::hash_map(any::<i64>(), any::<f64>(), 0..40),
            names in prop::collection::btree_map(".{0,30}", prop::option::of(any::<(bool, i8, u64)>()), 0..40),
            texts in prop::collection::vec(".{0,300}", 0..30),
            bytes in any::<Vec<u8>>(),
        ) {
            let value = (numbers, names, texts, bytes);
            let expected = encode(&to_value(&value).unwrap()).unwrap();
            prop_assert_eq!(straight(&value).unwrap(), expected);
        }
    }

    #[test]
    fn what_has_no_encoding_is_told() {
        let error = EncodeError::IntOutOfRange(i128::MAX);
        assert_eq!(straight(&vec![i128::MAX]), Err(Trouble::Unwritable(error)));
    }

    #[test]
    fn entries_out_of_order_and_twice_are_told() {
        let mut ordered = ByteSink::default();
        let in_order = |keys: [&str; 3]| {
            let mut sink = ByteSink::default();
            let mut writer = Writer::new(&mut sink);
            writer.map(3).unwrap();
            for key in keys {
                writer.key(key);
                // What is within has an order of its own.
                writer.variant("z").unwrap();
                writer.null();
                writer.end();
            }
            writer.end();
            sink.finish()
        };
        assert!(decode(&in_order(["", "b", "aa"]).unwrap()).is_ok());
        for keys in [
            ["aa", "b", "c"],
            ["a", "a", "b"],
            ["a", "c", "b"],
            ["a", "", "b"],
        ] {
            assert_eq!(in_order(keys), Err(Trouble::Order), "{keys:?}");
        }
        ordered.key("$blob");
        assert!(ordered.refers());
    }

    #[test]
    fn what_was_there_stays() {
        let mut sink = ByteSink::after(vec![0x82]);
        let map: HashMap<String, u8> = BTreeMap::from([("a".to_owned(), 1)]).into_iter().collect();
        map.write(&mut Writer::new(&mut sink)).unwrap();
        Writer::new(&mut sink).text("x");
        let value = decode(&sink.finish().unwrap()).unwrap();
        assert!(matches!(value, Value::List(items) if items.len() == 2));
    }
}
