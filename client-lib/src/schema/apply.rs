//! What lenses make of a schema.

use std::fmt;

use super::{Choice, Difference, IntKind, Record, Schema, Shape, diff};
use crate::lens::{Lens, Scalar};

/// Why a lens does not fit the schema that it is applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The lens, as its author wrote it.
    pub lens: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.lens, self.problem)
    }
}

impl std::error::Error for Unfit {}

impl Schema {
    /// What `lenses` make of the schema on the way up. Of a field that they add only the kind is known.
    ///
    /// # Errors
    /// When one does not fit: it speaks of a field that is not there, or of another shape.
    pub fn apply(&self, lenses: &[Lens]) -> Result<Schema, Unfit> {
        let mut root = self.root().clone();
        for lens in lenses {
            up(lens, &mut root).map_err(|problem| Unfit {
                lens: written(lens),
                problem,
            })?;
        }
        Ok(Schema::new(root))
    }

    /// Where a schema that [`apply`](Self::apply) made is not the one it should be; empty when it is.
    pub fn misfits(&self, wanted: &Schema) -> Vec<Difference> {
        diff::misfits(self.root(), wanted.root())
    }
}

fn take(record: &mut Record, field: &str) -> Result<Shape, String> {
    record
        .fields
        .remove(field)
        .ok_or_else(|| format!("the older version has no field `{field}`"))
}

fn put(record: &mut Record, field: &str, shape: Shape) -> Result<(), String> {
    match record.fields.insert(field.to_owned(), shape) {
        None => Ok(()),
        Some(_) => Err(format!("there is a field `{field}` already")),
    }
}

fn up(lens: &Lens, record: &mut Record) -> Result<(), String> {
    match lens {
        Lens::Rename { from, to } => {
            let shape = take(record, from)?;
            put(record, to, shape)
        }
        Lens::Add { field, kind, .. } => put(record, field, Shape::Some(*kind)),
        Lens::Remove { field, default, .. } => {
            let shape = take(record, field)?;
            super::admit::admits(&shape, default, None).map_err(|misfit| {
                format!(
                    "its default does not fit the older version's `{field}`: {}",
                    misfit.problem
                )
            })
        }
        Lens::Hoist { host, field } => hoist(record, host, field),
        Lens::Plunge { host, field } => {
            let shape = take(record, field)?;
            let new = || {
                Shape::Record(Record {
                    open: true,
                    ..Record::default()
                })
            };
            let host = record.fields.entry(host.clone()).or_insert_with(new);
            put(inner(host)?, field, shape)
        }
        Lens::Wrap { field } => change(record, field, |shape| match shape {
            Shape::Option(item) => Ok(Shape::List(item)),
            item => Ok(Shape::List(Box::new(item))),
        }),
        Lens::Unwrap { field } => change(record, field, |shape| match shape {
            Shape::List(item) | Shape::Keyed(item, _) => Ok(Shape::Option(item)),
            other => Err(format!(
                "`{field}` is no list but {}",
                super::admit::short(&other)
            )),
        }),
        Lens::Convert { field, from, to } => {
            change(record, field, |shape| convert(field, shape, *from, *to))
        }
        Lens::MapEnum {
            field,
            pairs,
            other_up,
            other_down,
        } => change(record, field, |mut shape| {
            map_enum(
                choice(field, &mut shape)?,
                pairs,
                other_up.as_deref(),
                other_down.is_some(),
            );
            Ok(shape)
        }),
        Lens::Split { field, into, .. } => {
            text(field, &take(record, field)?)?;
            into.iter()
                .try_for_each(|field| put(record, field, Shape::Text))
        }
        Lens::Join { fields, into, .. } => {
            for field in fields {
                text(field, &take(record, field)?)?;
            }
            put(record, into, Shape::Text)
        }
        Lens::In { field, lenses } => change(record, field, |mut shape| {
            inside(lenses, may_change(unwrapped(&mut shape))?)?;
            Ok(shape)
        }),
        Lens::Each { field, lenses } => change(record, field, |mut shape| {
            inside(lenses, may_change(elements(field, &mut shape)?)?)?;
            Ok(shape)
        }),
        Lens::Variant {
            field,
            variant,
            lenses,
        } => change(record, field, |mut shape| {
            let data = choice(field, &mut shape)?.variants.get_mut(variant);
            match data {
                Some(Some(data)) => inside(lenses, may_change(data)?)?,
                Some(None) => return Err(format!("the variant `{variant}` carries nothing")),
                None => {
                    return Err(format!(
                        "`{field}` has no variant `{variant}` in the older version"
                    ));
                }
            }
            Ok(shape)
        }),
        Lens::Unknown(_) => Err("this library does not know it".to_owned()),
    }
}

/// Lenses within something: on its fields or, where they name the field `""`, on itself.
fn inside(lenses: &[Lens], shape: &mut Shape) -> Result<(), String> {
    lenses.iter().try_for_each(|lens| {
        let done = if is_of_the_value(lens) {
            let mut holder = Record::default();
            let itself = std::mem::replace(shape, Shape::Null);
            holder.fields.insert(String::new(), itself);
            let done = up(lens, &mut holder);
            *shape = holder.fields.remove("").unwrap_or(Shape::Null);
            done
        } else {
            inner(shape).and_then(|record| up(lens, record))
        };
        done.map_err(|problem| format!("{}: {problem}", written(lens)))
    })
}

fn is_of_the_value(lens: &Lens) -> bool {
    match lens {
        Lens::Wrap { field }
        | Lens::Unwrap { field }
        | Lens::Convert { field, .. }
        | Lens::MapEnum { field, .. }
        | Lens::In { field, .. }
        | Lens::Each { field, .. }
        | Lens::Variant { field, .. } => field.is_empty(),
        _ => false,
    }
}

fn text(field: &str, shape: &Shape) -> Result<(), String> {
    match shape {
        Shape::Text => Ok(()),
        other => Err(format!(
            "`{field}` is no text but {}",
            super::admit::short(other)
        )),
    }
}

fn unwrapped(shape: &mut Shape) -> &mut Shape {
    match shape {
        Shape::Option(inner) => unwrapped(inner),
        other => other,
    }
}

fn elements<'a>(field: &str, shape: &'a mut Shape) -> Result<&'a mut Shape, String> {
    match shape {
        Shape::Option(inner) => elements(field, inner),
        Shape::List(item) | Shape::Keyed(item, _) | Shape::Array(item, _) | Shape::Map(_, item) => {
            Ok(item)
        }
        other => Err(format!(
            "`{field}` is neither a list nor a map but {}",
            super::admit::short(other)
        )),
    }
}

/// Lenses do not follow a part into itself.
fn may_change(shape: &mut Shape) -> Result<&mut Shape, String> {
    if holds_itself(shape) {
        return Err(
            "lenses reach one level of a part that holds itself; change it by code: `with = …, back = …`".to_owned(),
        );
    }
    Ok(shape)
}

fn change(
    record: &mut Record,
    field: &str,
    change: impl FnOnce(Shape) -> Result<Shape, String>,
) -> Result<(), String> {
    let shape = change(take(record, field)?)?;
    put(record, field, shape)
}

fn hoist(record: &mut Record, host: &str, field: &str) -> Result<(), String> {
    let mut shape = take(record, host)?;
    let within = inner(&mut shape)?;
    let hoisted = take(within, field)?;
    // A sub-record left empty vanishes.
    if !within.fields.is_empty() {
        put(record, host, shape)?;
    }
    put(record, field, hoisted)
}

/// The record that `shape` is, to be changed.
fn inner(shape: &mut Shape) -> Result<&mut Record, String> {
    match may_change(unwrapped(shape))? {
        Shape::Record(record) => Ok(record),
        other => Err(format!("not a record but {}", super::admit::short(other))),
    }
}

fn choice<'a>(field: &str, shape: &'a mut Shape) -> Result<&'a mut Choice, String> {
    match shape {
        Shape::Choice(choice) => Ok(choice),
        Shape::Option(within) => choice(field, within),
        other => Err(format!(
            "`{field}` is no enum but {}",
            super::admit::short(other)
        )),
    }
}

fn holds_itself(shape: &Shape) -> bool {
    match shape {
        Shape::Up(_) => true,
        Shape::Option(inner)
        | Shape::List(inner)
        | Shape::Keyed(inner, _)
        | Shape::Array(inner, _)
        | Shape::Map(_, inner) => holds_itself(inner),
        Shape::Tuple(items) => items.iter().any(holds_itself),
        Shape::Record(record) => record.fields.values().any(holds_itself),
        Shape::Choice(choice) => choice.variants.values().flatten().any(holds_itself),
        _ => false,
    }
}

fn convert(field: &str, shape: Shape, from: Scalar, to: Scalar) -> Result<Shape, String> {
    if let Shape::Option(inner) = shape {
        return convert(field, *inner, from, to).map(|shape| Shape::Option(Box::new(shape)));
    }
    let is_from = match from {
        Scalar::Bool => shape == Shape::Bool,
        Scalar::Int => matches!(shape, Shape::Int(_)),
        Scalar::Float => shape == Shape::Float,
        Scalar::Text => shape == Shape::Text,
    };
    if !is_from {
        return Err(format!(
            "`{field}` is {} in the older version, not {}",
            super::admit::short(&shape),
            scalar(from)
        ));
    }
    Ok(match to {
        Scalar::Bool => Shape::Bool,
        Scalar::Int => Shape::Int(IntKind::Some),
        Scalar::Float => Shape::Float,
        Scalar::Text => Shape::Text,
    })
}

/// Variants are called otherwise; where others are mapped to a stand-in, what is not named is gone.
fn map_enum(
    choice: &mut Choice,
    pairs: &[(String, String)],
    other_up: Option<&str>,
    any_down: bool,
) {
    let before = std::mem::take(&mut choice.variants);
    for (name, data) in before {
        match (pairs.iter().find(|(before, _)| *before == name), other_up) {
            (Some((_, after)), _) => drop(choice.variants.insert(after.clone(), data)),
            (None, None) => drop(choice.variants.insert(name, data)),
            (None, Some(other)) if other == name => drop(choice.variants.insert(name, data)),
            (None, Some(_)) => {}
        }
    }
    if let Some(other) = other_up {
        choice.variants.entry(other.to_owned()).or_insert(None);
    }
    // Whatever is new in the newer version has a stand-in on the way down.
    choice.open |= any_down;
}

fn scalar(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::Int => "int",
        Scalar::Float => "float",
        Scalar::Text => "text",
    }
}

/// A lens as its author writes it.
pub(crate) fn written(lens: &Lens) -> String {
    match lens {
        Lens::Rename { from, to } => format!("rename({from:?}, {to:?})"),
        Lens::Add { field, .. } => format!("add({field:?}, …)"),
        Lens::Remove { field, .. } => format!("remove({field:?}, …)"),
        Lens::Hoist { host, field } => format!("hoist({host:?}, {field:?})"),
        Lens::Plunge { host, field } => format!("plunge({host:?}, {field:?})"),
        Lens::Wrap { field } => format!("wrap({field:?})"),
        Lens::Unwrap { field } => format!("unwrap({field:?})"),
        Lens::Convert { field, from, to } => {
            format!("convert({field:?}, {} => {})", scalar(*from), scalar(*to))
        }
        Lens::MapEnum { field, .. } => format!("map_enum({field:?}, …)"),
        Lens::Split { field, .. } => format!("split({field:?}, …)"),
        Lens::Join { into, .. } => format!("join(…, {into:?})"),
        Lens::In { field, .. } => format!("within({field:?}, …)"),
        Lens::Each { field, .. } => format!("each({field:?}, …)"),
        Lens::Variant { field, variant, .. } => format!("variant({field:?}, {variant:?}, …)"),
        Lens::Unknown(_) => "a lens".to_owned(),
    }
}
