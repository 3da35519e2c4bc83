//! Whether a body fits a schema.

use super::{Around, Choice, IntKind, KeyShape, Record, Shape};
use crate::value::{Map, Value};

/// Where a body does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {problem}")]
pub struct Misfit {
    /// Where: `folds[3].start`.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

impl Misfit {
    fn new(problem: impl Into<String>) -> Misfit {
        Misfit {
            path: String::new(),
            problem: problem.into(),
        }
    }

    fn inside(mut self, part: &str) -> Misfit {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, part);
        self
    }
}

pub(super) fn record(shape: &Record, body: &Map) -> Result<(), Misfit> {
    fields(shape, body, Within::EXACT)
}

/// As [`record`], with what is unknown wherever there is a place for it.
pub(super) fn record_with_unknown(shape: &Record, body: &Map) -> Result<(), Misfit> {
    let within = Within {
        unknown: true,
        ..Within::EXACT
    };
    fields(shape, body, within)
}

/// What is looked at is inside something.
#[derive(Clone, Copy)]
struct Within<'a> {
    around: Option<&'a Around<'a>>,
    /// Whether fields and variants that are not in the schema may be where they have a place.
    unknown: bool,
}

impl Within<'_> {
    const EXACT: Within<'static> = Within {
        around: None,
        unknown: false,
    };
}

fn fields(shape: &Record, body: &Map, within: Within<'_>) -> Result<(), Misfit> {
    for (name, field) in &shape.fields {
        let value = body.get(name).ok_or_else(|| {
            Misfit::new(format!("a {} is missing here", short(field))).inside(name)
        })?;
        fits(field, value, within).map_err(|misfit| misfit.inside(name))?;
    }
    if within.unknown && shape.open {
        return Ok(());
    }
    match body
        .iter()
        .find(|(name, _)| !shape.fields.contains_key(*name))
    {
        Some((name, _)) => Err(Misfit::new("this version knows no such field").inside(name)),
        None => Ok(()),
    }
}

/// A shape in few words.
pub(super) fn short(shape: &Shape) -> String {
    match shape {
        Shape::Record(_) | Shape::Up(_) => "record".to_owned(),
        Shape::Choice(choice) => {
            let names: Vec<_> = choice.variants.keys().map(String::as_str).collect();
            format!("choice of {}", names.join(", "))
        }
        Shape::Option(inner) => format!("{}?", short(inner)),
        Shape::List(item) | Shape::Keyed(item, _) => format!("[{}]", short(item)),
        other => other.to_string(),
    }
}

pub(super) fn admits(
    shape: &Shape,
    value: &Value,
    around: Option<&Around<'_>>,
) -> Result<(), Misfit> {
    let within = Within {
        around,
        ..Within::EXACT
    };
    fits(shape, value, within)
}

fn fits(shape: &Shape, value: &Value, within: Within<'_>) -> Result<(), Misfit> {
    let is_such = match (shape, value) {
        (Shape::Any | Shape::Opaque | Shape::Blob | Shape::Secret, _) => true,
        (Shape::Null, Value::Null) | (Shape::Bool, Value::Bool(_)) => true,
        (Shape::Int(kind), Value::Int(v)) => return int(*kind, *v),
        (Shape::Float, Value::Float(_)) | (Shape::Text, Value::Text(_)) => true,
        (Shape::Char, Value::Text(text)) => text.chars().count() == 1,
        (Shape::Bytes, Value::Bytes(_)) => true,
        (Shape::Option(_), Value::Null) => true,
        (Shape::Option(inner), value) => return fits(inner, value, within),
        (Shape::List(item) | Shape::Keyed(item, _), Value::List(items)) => {
            return each(items.iter().map(|value| (&**item, value)), within);
        }
        (Shape::Array(item, len), Value::List(items)) if items.len() == *len => {
            return each(items.iter().map(|value| (&**item, value)), within);
        }
        (Shape::Tuple(shapes), Value::List(items)) if items.len() == shapes.len() => {
            return each(shapes.iter().zip(items), within);
        }
        (Shape::Map(keys, item), Value::Map(map)) => {
            for (name, value) in map.iter() {
                if *keys == KeyShape::Int && name.parse::<i128>().is_err() {
                    return Err(Misfit::new(format!(
                        "the key `{name}` is not a whole number"
                    )));
                }
                fits(item, value, within).map_err(|misfit| misfit.inside(&format!("[{name}]")))?;
            }
            true
        }
        (Shape::Record(record), Value::Map(map)) => {
            let around = Around {
                shape,
                outer: within.around,
            };
            let around = Some(&around);
            return fields(record, map, Within { around, ..within });
        }
        (Shape::Choice(choice), value) => {
            let around = Around {
                shape,
                outer: within.around,
            };
            let around = Some(&around);
            return variant(choice, value, Within { around, ..within });
        }
        (Shape::Up(parts), value) => match Around::up(within.around, *parts) {
            Some((shape, around)) => return fits(shape, value, Within { around, ..within }),
            None => false,
        },
        (Shape::Some(kind), value) => kind.admits(value),
        _ => false,
    };
    if is_such {
        return Ok(());
    }
    Err(Misfit::new(format!(
        "{} is wanted here, not {}",
        short(shape),
        described(value)
    )))
}

fn each<'a>(
    items: impl Iterator<Item = (&'a Shape, &'a Value)>,
    within: Within<'_>,
) -> Result<(), Misfit> {
    for (index, (shape, value)) in items.enumerate() {
        fits(shape, value, within).map_err(|misfit| misfit.inside(&format!("[{index}]")))?;
    }
    Ok(())
}

fn int(kind: IntKind, v: i128) -> Result<(), Misfit> {
    if kind.range().contains(&v) {
        return Ok(());
    }
    Err(Misfit::new(format!("{v} does not fit {}", kind.name())))
}

fn variant(choice: &Choice, value: &Value, within: Within<'_>) -> Result<(), Misfit> {
    let (name, data) = match value {
        Value::Text(name) => (name.as_str(), None),
        Value::Map(map) if map.len() == 1 => match map.iter().next() {
            Some((name, data)) => (name, Some(data)),
            None => ("", None),
        },
        _ => ("", None),
    };
    match (choice.variants.get(name), data) {
        (Some(None), None) => Ok(()),
        (Some(Some(shape)), Some(data)) => {
            fits(shape, data, within).map_err(|misfit| misfit.inside(name))
        }
        (None, _) if within.unknown && choice.open => Ok(()),
        _ => Err(Misfit::new(format!(
            "{} is none of the variants {}",
            described(value),
            choice
                .variants
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

/// A value in few words.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Float(v) => format!("{v:?}"),
        Value::Text(v) if v.chars().count() <= 24 => format!("{v:?}"),
        Value::Text(_) => "text".to_owned(),
        Value::Bytes(_) => "bytes".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a record".to_owned(),
    }
}
