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
    fields(shape, body, None)
}

fn fields(shape: &Record, body: &Map, around: Option<&Around<'_>>) -> Result<(), Misfit> {
    for (name, field) in &shape.fields {
        let value = body.get(name).ok_or_else(|| {
            Misfit::new(format!("a {} is missing here", short(field))).inside(name)
        })?;
        admits(field, value, around).map_err(|misfit| misfit.inside(name))?;
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
    let fits = match (shape, value) {
        (Shape::Any | Shape::Opaque | Shape::Blob | Shape::Secret, _) => true,
        (Shape::Null, Value::Null) | (Shape::Bool, Value::Bool(_)) => true,
        (Shape::Int(kind), Value::Int(v)) => return int(*kind, *v),
        (Shape::Float, Value::Float(_)) | (Shape::Text, Value::Text(_)) => true,
        (Shape::Char, Value::Text(text)) => text.chars().count() == 1,
        (Shape::Bytes, Value::Bytes(_)) => true,
        (Shape::Option(_), Value::Null) => true,
        (Shape::Option(inner), value) => return admits(inner, value, around),
        (Shape::List(item) | Shape::Keyed(item, _), Value::List(items)) => {
            return each(items.iter().map(|value| (&**item, value)), around);
        }
        (Shape::Array(item, len), Value::List(items)) if items.len() == *len => {
            return each(items.iter().map(|value| (&**item, value)), around);
        }
        (Shape::Tuple(shapes), Value::List(items)) if items.len() == shapes.len() => {
            return each(shapes.iter().zip(items), around);
        }
        (Shape::Map(keys, item), Value::Map(map)) => {
            for (name, value) in map.iter() {
                if *keys == KeyShape::Int && name.parse::<i128>().is_err() {
                    return Err(Misfit::new(format!(
                        "the key `{name}` is not a whole number"
                    )));
                }
                admits(item, value, around)
                    .map_err(|misfit| misfit.inside(&format!("[{name}]")))?;
            }
            true
        }
        (Shape::Record(record), Value::Map(map)) => {
            let around = Around {
                shape,
                outer: around,
            };
            return fields(record, map, Some(&around));
        }
        (Shape::Choice(choice), value) => {
            let around = Around {
                shape,
                outer: around,
            };
            return variant(choice, value, &around);
        }
        (Shape::Up(parts), value) => match Around::up(around, *parts) {
            Some((shape, around)) => return admits(shape, value, around),
            None => false,
        },
        (Shape::Some(kind), value) => kind.admits(value),
        _ => false,
    };
    if fits {
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
    around: Option<&Around<'_>>,
) -> Result<(), Misfit> {
    for (index, (shape, value)) in items.enumerate() {
        admits(shape, value, around).map_err(|misfit| misfit.inside(&format!("[{index}]")))?;
    }
    Ok(())
}

fn int(kind: IntKind, v: i128) -> Result<(), Misfit> {
    if kind.range().contains(&v) {
        return Ok(());
    }
    Err(Misfit::new(format!("{v} does not fit {}", kind.name())))
}

fn variant(choice: &Choice, value: &Value, around: &Around<'_>) -> Result<(), Misfit> {
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
            admits(shape, data, Some(around)).map_err(|misfit| misfit.inside(name))
        }
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
