//! Lenses as the data that travels: each a map with one entry.
//!
//! Reading takes time and memory in proportion to the data, whatever it is: what is not understood becomes [`Lens::Unknown`]
//! as a whole, an unknown option included, since it may change what the lens means.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::Lens;
use crate::bridge;
use crate::value::{Map, Value};

impl Lens {
    /// The lens as it travels.
    pub fn to_value(&self) -> Value {
        let (name, options) = match self {
            Lens::Rename { from, to } => ("rename", options([("from", from), ("to", to)])),
            Lens::Add {
                field,
                kind,
                default,
            } => ("add", with_default(field, *kind, default)),
            Lens::Remove {
                field,
                kind,
                default,
            } => ("remove", with_default(field, *kind, default)),
            Lens::Hoist { host, field } => ("hoist", options([("host", host), ("field", field)])),
            Lens::Plunge { host, field } => ("plunge", options([("host", host), ("field", field)])),
            Lens::Wrap { field } => ("wrap", options([("field", field)])),
            Lens::Unwrap { field } => ("unwrap", options([("field", field)])),
            Lens::Convert { field, from, to } => {
                let mut convert = options([("field", field)]);
                convert.insert("from", from.name());
                convert.insert("to", to.name());
                ("convert", convert)
            }
            Lens::MapEnum {
                field,
                pairs,
                other_up,
                other_down,
            } => {
                let mut map_enum = options([("field", field)]);
                let pair = |(before, after): &(String, String)| texts([before, after]);
                map_enum.insert("pairs", pairs.iter().map(pair).collect::<Vec<_>>());
                for (name, other) in [("other_up", other_up), ("other_down", other_down)] {
                    if let Some(other) = other {
                        map_enum.insert(name, other.as_str());
                    }
                }
                ("map-enum", map_enum)
            }
            Lens::Split {
                field,
                separator,
                into,
            } => {
                let mut split = options([("field", field), ("separator", separator)]);
                split.insert("into", texts(into));
                ("split", split)
            }
            Lens::Join {
                fields,
                separator,
                into,
            } => {
                let mut join = options([("into", into), ("separator", separator)]);
                join.insert("fields", texts(fields));
                ("join", join)
            }
            Lens::In { field, lenses } => ("in", with_lenses(field, lenses)),
            Lens::Each { field, lenses } => ("each", with_lenses(field, lenses)),
            Lens::Variant {
                field,
                variant,
                lenses,
            } => {
                let mut of = with_lenses(field, lenses);
                of.insert("variant", variant.as_str());
                ("variant", of)
            }
            Lens::Unknown(value) => return value.clone(),
        };
        Value::Map(
            [(name.to_owned(), Value::Map(options))]
                .into_iter()
                .collect(),
        )
    }

    /// Reads a travelling lens; one that is not understood becomes [`Lens::Unknown`].
    pub fn read(value: &Value) -> Lens {
        understood(value).unwrap_or_else(|| Lens::Unknown(value.clone()))
    }

    /// Lenses as they travel.
    pub(crate) fn list_to_value(lenses: &[Lens]) -> Value {
        Value::List(lenses.iter().map(Lens::to_value).collect())
    }
}

fn options<const N: usize>(entries: [(&str, &String); N]) -> Map {
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::Text(value.clone())))
        .collect()
}

fn with_default(field: &String, kind: crate::Kind, default: &Value) -> Map {
    let mut options = options([("field", field)]);
    options.insert("kind", kind.name());
    options.insert("default", default.clone());
    options
}

fn with_lenses(field: &String, lenses: &[Lens]) -> Map {
    let mut options = options([("field", field)]);
    options.insert("lenses", Lens::list_to_value(lenses));
    options
}

fn texts<'a>(items: impl IntoIterator<Item = &'a String>) -> Value {
    Value::List(
        items
            .into_iter()
            .map(|item| Value::Text(item.clone()))
            .collect(),
    )
}

fn understood(value: &Value) -> Option<Lens> {
    let outer = value.as_map().filter(|outer| outer.len() == 1)?;
    let (name, options) = outer.iter().next()?;
    let options = Options {
        map: options.as_map()?,
        read: Cell::new(0),
    };
    let lens = match name {
        "rename" => Lens::Rename {
            from: options.text("from")?,
            to: options.text("to")?,
        },
        "add" => Lens::Add {
            field: options.text("field")?,
            kind: options.word("kind")?,
            default: options.get("default")?.clone(),
        },
        "remove" => Lens::Remove {
            field: options.text("field")?,
            kind: options.word("kind")?,
            default: options.get("default")?.clone(),
        },
        "hoist" => Lens::Hoist {
            host: options.text("host")?,
            field: options.text("field")?,
        },
        "plunge" => Lens::Plunge {
            host: options.text("host")?,
            field: options.text("field")?,
        },
        "wrap" => Lens::Wrap {
            field: options.text("field")?,
        },
        "unwrap" => Lens::Unwrap {
            field: options.text("field")?,
        },
        "convert" => Lens::Convert {
            field: options.text("field")?,
            from: options.word("from")?,
            to: options.word("to")?,
        },
        "map-enum" => Lens::MapEnum {
            field: options.text("field")?,
            pairs: options.list("pairs", pair)?,
            other_up: options.text_if_any("other_up")?,
            other_down: options.text_if_any("other_down")?,
        },
        "split" => Lens::Split {
            field: options.text("field")?,
            separator: options.filled_text("separator")?,
            into: options.names("into")?,
        },
        "join" => Lens::Join {
            fields: options.names("fields")?,
            separator: options.filled_text("separator")?,
            into: options.text("into")?,
        },
        "in" => Lens::In {
            field: options.text("field")?,
            lenses: options.lenses()?,
        },
        "each" => Lens::Each {
            field: options.text("field")?,
            lenses: options.lenses()?,
        },
        "variant" => Lens::Variant {
            field: options.text("field")?,
            variant: options.text("variant")?,
            lenses: options.lenses()?,
        },
        _ => return None,
    };
    options.all_read().then_some(lens)
}

fn pair(value: &Value) -> Option<(String, String)> {
    match value {
        Value::List(items) => match items.as_slice() {
            [Value::Text(before), Value::Text(after)] => Some((before.clone(), after.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// A lens's options, which are all to be read.
struct Options<'a> {
    map: &'a Map,
    read: Cell<usize>,
}

impl<'a> Options<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let value = self.map.get(name)?;
        self.read.set(self.read.get() + 1);
        Some(value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_text().map(str::to_owned)
    }

    fn filled_text(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// `Some(None)` where it is left out.
    fn text_if_any(&self, name: &str) -> Option<Option<String>> {
        match self.get(name) {
            None => Some(None),
            Some(value) => Some(Some(value.as_text()?.to_owned())),
        }
    }

    fn word<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        bridge::from_value(Value::Text(self.text(name)?)).ok()
    }

    fn list<T>(&self, name: &str, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        match self.get(name)? {
            Value::List(items) => items.iter().map(item).collect(),
            _ => None,
        }
    }

    /// At least one name.
    fn names(&self, name: &str) -> Option<Vec<String>> {
        self.list(name, |item| item.as_text().map(str::to_owned))
            .filter(|names| !names.is_empty())
    }

    fn lenses(&self) -> Option<Vec<Lens>> {
        self.list("lenses", |lens| Some(Lens::read(lens)))
    }

    fn all_read(&self) -> bool {
        self.read.get() == self.map.len()
    }
}

impl Serialize for Lens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Lens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Lens::read(&value))
    }
}
