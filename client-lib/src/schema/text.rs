//! A schema as people read it.

use std::fmt::{self, Display, Formatter};

use super::{Choice, KeyShape, Record, Schema, Shape};
use crate::value::Kind;

impl Display for Schema {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        record(f, self.root(), 0)
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        shape(f, self, 0)
    }
}

/// A field's or variant's name, quoted where it could be taken for something else.
pub(super) struct Name<'a>(pub &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

pub(super) fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// The name of a shape that is one word.
pub(super) fn word(shape: &Shape) -> Option<&'static str> {
    Some(match shape {
        Shape::Any => "any",
        Shape::Opaque => "opaque",
        Shape::Null => "null",
        Shape::Bool => "bool",
        Shape::Int(kind) => kind.name(),
        Shape::Float => "float",
        Shape::Char => "char",
        Shape::Text => "text",
        Shape::Bytes => "bytes",
        Shape::Blob => "blob",
        Shape::Secret => "secret",
        _ => return None,
    })
}

fn shape(f: &mut Formatter<'_>, of: &Shape, depth: usize) -> fmt::Result {
    match of {
        Shape::Option(inner) => {
            shape(f, inner, depth)?;
            f.write_str("?")
        }
        Shape::List(item) => {
            f.write_str("[")?;
            shape(f, item, depth)?;
            f.write_str("]")
        }
        Shape::Keyed(item, key) => {
            f.write_str("[")?;
            shape(f, item, depth)?;
            write!(f, " by {}]", Name(key))
        }
        Shape::Array(item, len) => {
            f.write_str("[")?;
            shape(f, item, depth)?;
            write!(f, "; {len}]")
        }
        Shape::Tuple(items) => {
            f.write_str("(")?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                shape(f, item, depth)?;
            }
            f.write_str(")")
        }
        Shape::Map(keys, item) => {
            f.write_str(match keys {
                KeyShape::Text => "map(text: ",
                KeyShape::Int => "map(int: ",
            })?;
            shape(f, item, depth)?;
            f.write_str(")")
        }
        Shape::Record(of) => record(f, of, depth),
        Shape::Choice(of) => choice(f, of, depth),
        Shape::Up(parts) => write!(f, "^{parts}"),
        Shape::Some(kind) => f.write_str(match kind {
            Kind::Any => "something",
            Kind::Bool => "some bool",
            Kind::Int => "some int",
            Kind::Float => "some float",
            Kind::Text => "some text",
            Kind::Bytes => "some bytes",
            Kind::List => "some list",
            Kind::Map => "some record",
        }),
        scalar => f.write_str(word(scalar).unwrap_or("any")),
    }
}

fn line(f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    write!(f, "\n{:width$}", "", width = depth * 4)
}

fn record(f: &mut Formatter<'_>, of: &Record, depth: usize) -> fmt::Result {
    f.write_str("{")?;
    for (name, field) in &of.fields {
        line(f, depth + 1)?;
        write!(f, "{}: ", Name(name))?;
        shape(f, field, depth + 1)?;
        f.write_str(",")?;
    }
    end(f, of.open, depth)
}

fn choice(f: &mut Formatter<'_>, of: &Choice, depth: usize) -> fmt::Result {
    f.write_str("enum {")?;
    for (name, data) in &of.variants {
        line(f, depth + 1)?;
        write!(f, "{}", Name(name))?;
        if let Some(data) = data {
            f.write_str(": ")?;
            shape(f, data, depth + 1)?;
        }
        f.write_str(",")?;
    }
    end(f, of.open, depth)
}

fn end(f: &mut Formatter<'_>, open: bool, depth: usize) -> fmt::Result {
    if open {
        line(f, depth + 1)?;
        f.write_str("..")?;
    }
    line(f, depth)?;
    f.write_str("}")
}
