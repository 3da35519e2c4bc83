//! Made-up bodies that fit a schema.

use overwinter_proto::{BlobHash, BlobRef};

use super::{Around, Choice, IntKind, KeyShape, Record, Schema, Shape};
use crate::parts;
use crate::value::{Map, Value};

/// SplitMix64 (Steele, Lea, Flood 2014): enough chance for tests, the same everywhere.
pub(crate) struct Random(u64);

/// Nesting beyond which lists stay empty and options are null, so that parts that hold themselves come to an end.
const SHALLOW: usize = 6;

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not zero.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn body(&mut self, schema: &Schema) -> Map {
        self.record(schema.root(), None, 0)
    }

    fn record(&mut self, record: &Record, around: Option<&Around<'_>>, depth: usize) -> Map {
        record
            .fields
            .iter()
            .map(|(name, shape)| (name.clone(), self.value(shape, around, depth + 1)))
            .collect()
    }

    /// A value for `shape`.
    fn value(&mut self, shape: &Shape, around: Option<&Around<'_>>, depth: usize) -> Value {
        match shape {
            Shape::Null => Value::Null,
            Shape::Blob => self.blob(),
            Shape::Secret => self.secret(),
            Shape::Any | Shape::Opaque | Shape::Some(_) => self.text(),
            Shape::Bool => Value::Bool(self.below(2) == 0),
            Shape::Int(kind) => self.int(*kind),
            Shape::Float => Value::Float(self.below(64) as f64 / 8.0 - 2.0),
            Shape::Char => Value::Text(["a", "é", "雪"][self.below(3)].to_owned()),
            Shape::Text => self.text(),
            Shape::Bytes => Value::Bytes((0..self.below(5)).map(|_| self.next() as u8).collect()),
            Shape::Option(inner) => {
                if depth > SHALLOW || self.below(3) == 0 {
                    Value::Null
                } else {
                    self.value(inner, around, depth + 1)
                }
            }
            Shape::List(item) => Value::List(self.items(item, around, depth)),
            Shape::Keyed(item, key) => {
                let mut items = self.items(item, around, depth);
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Map(item) = item {
                        let distinct = match item.get(key) {
                            Some(Value::Int(_)) => Value::Int(index as i128),
                            _ => Value::Text(format!("{index}")),
                        };
                        item.insert(key.clone(), distinct);
                    }
                }
                Value::List(items)
            }
            Shape::Array(item, len) => Value::List(
                (0..*len)
                    .map(|_| self.value(item, around, depth + 1))
                    .collect(),
            ),
            Shape::Tuple(items) => Value::List(
                items
                    .iter()
                    .map(|item| self.value(item, around, depth + 1))
                    .collect(),
            ),
            Shape::Map(keys, item) => {
                let len = if depth > SHALLOW { 0 } else { self.below(4) };
                (0..len)
                    .map(|index| {
                        let name = match keys {
                            KeyShape::Text => format!("k{index}"),
                            KeyShape::Int => index.to_string(),
                        };
                        (name, self.value(item, around, depth + 1))
                    })
                    .collect::<Map>()
                    .into()
            }
            Shape::Record(record) => {
                let around = Around {
                    shape,
                    outer: around,
                };
                self.record(record, Some(&around), depth).into()
            }
            Shape::Choice(choice) => {
                let around = Around {
                    shape,
                    outer: around,
                };
                self.variant(choice, &around, depth)
            }
            Shape::Up(parts) => match Around::up(around, *parts) {
                Some((shape, around)) => self.value(shape, around, depth + 1),
                None => Value::Null,
            },
        }
    }

    fn items(&mut self, item: &Shape, around: Option<&Around<'_>>, depth: usize) -> Vec<Value> {
        let len = if depth > SHALLOW { 0 } else { self.below(4) };
        (0..len)
            .map(|_| self.value(item, around, depth + 1))
            .collect()
    }

    fn variant(&mut self, choice: &Choice, around: &Around<'_>, depth: usize) -> Value {
        // Deep down, one without data, if there is one: a variant may hold its own kind.
        let plain = depth > SHALLOW && choice.variants.values().any(Option::is_none);
        let variants: Vec<_> = choice
            .variants
            .iter()
            .filter(|(_, data)| !plain || data.is_none())
            .collect();
        let Some((name, data)) = variants.get(self.below(variants.len())) else {
            return Value::Null;
        };
        match data {
            None => Value::Text((*name).clone()),
            Some(data) => {
                let data = self.value(data, Some(around), depth + 1);
                Value::Map([((*name).clone(), data)].into_iter().collect())
            }
        }
    }

    fn text(&mut self) -> Value {
        Value::Text(["", "a", "snow", "überwintern", "7", "two words"][self.below(6)].to_owned())
    }

    /// The name of a blob; its bytes are nowhere.
    fn blob(&mut self) -> Value {
        let bytes = self.next().to_le_bytes();
        Value::Map(parts::blob_value(BlobRef {
            hash: BlobHash::of(&bytes),
            len: bytes.len() as u64,
        }))
    }

    /// None, or the placeholder of one that was left behind.
    fn secret(&mut self) -> Value {
        if self.below(3) == 0 {
            return Value::Null;
        }
        let id = u128::from(self.next()) << 64 | u128::from(self.next());
        Value::Map(parts::secret_value(id.to_le_bytes()))
    }

    fn int(&mut self, kind: IntKind) -> Value {
        let range = kind.range();
        Value::Int(match self.below(6) {
            0 => *range.start(),
            1 => *range.end(),
            2 => 0,
            _ => (self.below(100) as i128).clamp(*range.start(), *range.end()),
        })
    }

    /// Another body that fits `schema`: some of the fields are those of another sample.
    pub(crate) fn edit(&mut self, schema: &Schema, body: &Map) -> Map {
        let other = self.body(schema);
        body.iter()
            .map(|(name, value)| {
                let other = other.get(name).filter(|_| self.below(3) == 0);
                (name.to_owned(), other.unwrap_or(value).clone())
            })
            .collect()
    }
}
