//! Reading a schema's text form again.

use std::str::FromStr;

use super::{Choice, IntKind, KeyShape, Record, Schema, Shape};

/// Why a text is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a schema: {wanted} expected at `{}`", rest.trim_start().chars().take(24).collect::<String>())]
pub struct SchemaError {
    wanted: &'static str,
    rest: String,
}

/// Deepest nesting that is read: bounds the recursion.
const DEEPEST: usize = 128;

impl FromStr for Schema {
    type Err = SchemaError;

    fn from_str(text: &str) -> Result<Schema, SchemaError> {
        let mut text = Text { rest: text.trim() };
        text.take("{", "{")?;
        let root = text.record(0)?;
        if !text.rest.trim().is_empty() {
            return text.fail("the end");
        }
        Ok(Schema::new(root))
    }
}

struct Text<'a> {
    rest: &'a str,
}

impl Text<'_> {
    fn fail<T>(&self, wanted: &'static str) -> Result<T, SchemaError> {
        Err(SchemaError {
            wanted,
            rest: self.rest.to_owned(),
        })
    }

    fn is(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, token: &str, wanted: &'static str) -> Result<(), SchemaError> {
        if self.is(token) {
            Ok(())
        } else {
            self.fail(wanted)
        }
    }

    fn name(&mut self) -> Result<String, SchemaError> {
        self.rest = self.rest.trim_start();
        if self.is("\"") {
            return self.quoted();
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return self.fail("a name");
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn quoted(&mut self) -> Result<String, SchemaError> {
        let mut name = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    self.rest = chars.as_str();
                    return Ok(name);
                }
                '\\' => match chars.next() {
                    Some('u') => {
                        let code: String = chars
                            .by_ref()
                            .skip_while(|c| *c == '{')
                            .take_while(|c| *c != '}')
                            .collect();
                        match u32::from_str_radix(&code, 16).ok().and_then(char::from_u32) {
                            Some(c) => name.push(c),
                            None => return self.fail("a character's number"),
                        }
                    }
                    Some(c) => name.push(c),
                    None => break,
                },
                c => name.push(c),
            }
        }
        self.fail("the end of a quoted name")
    }

    fn number(&mut self) -> Result<usize, SchemaError> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        match digits.parse() {
            Ok(number) => {
                self.rest = rest;
                Ok(number)
            }
            Err(_) => self.fail("a number"),
        }
    }

    /// The fields behind `{`.
    fn record(&mut self, depth: usize) -> Result<Record, SchemaError> {
        let mut record = Record::default();
        loop {
            if self.is("..") {
                record.open = true;
                self.take("}", "}")?;
                return Ok(record);
            }
            if self.is("}") {
                return Ok(record);
            }
            let name = self.name()?;
            self.take(":", ":")?;
            let shape = self.shape(depth + 1)?;
            if record.fields.insert(name, shape).is_some() {
                return self.fail("another name");
            }
            if !self.is(",") {
                self.take("}", ", or }")?;
                return Ok(record);
            }
        }
    }

    /// The variants behind `enum {`.
    fn choice(&mut self, depth: usize) -> Result<Choice, SchemaError> {
        let mut choice = Choice::default();
        loop {
            if self.is("..") {
                choice.open = true;
                self.take("}", "}")?;
                return Ok(choice);
            }
            if self.is("}") {
                return Ok(choice);
            }
            let name = self.name()?;
            let data = if self.is(":") {
                Some(self.shape(depth + 1)?)
            } else {
                None
            };
            if choice.variants.insert(name, data).is_some() {
                return self.fail("another name");
            }
            if !self.is(",") {
                self.take("}", ", or }")?;
                return Ok(choice);
            }
        }
    }

    fn shape(&mut self, depth: usize) -> Result<Shape, SchemaError> {
        if depth > DEEPEST {
            return self.fail("less nesting");
        }
        let mut shape = self.plain_shape(depth)?;
        while self.is("?") {
            shape = Shape::Option(Box::new(shape));
        }
        Ok(shape)
    }

    fn plain_shape(&mut self, depth: usize) -> Result<Shape, SchemaError> {
        if self.is("{") {
            return self.record(depth).map(Shape::Record);
        }
        if self.is("^") {
            return self.number().map(Shape::Up);
        }
        if self.is("[") {
            return self.list(depth);
        }
        if self.is("(") {
            return self.tuple(depth);
        }
        let before = self.rest;
        let name = self.name()?;
        Ok(match name.as_str() {
            "enum" => {
                self.take("{", "{")?;
                Shape::Choice(self.choice(depth)?)
            }
            "map" => {
                self.take("(", "(")?;
                let keys = match self.name()?.as_str() {
                    "text" => KeyShape::Text,
                    "int" => KeyShape::Int,
                    _ => return self.fail("text or int"),
                };
                self.take(":", ":")?;
                let item = self.shape(depth + 1)?;
                self.take(")", ")")?;
                Shape::Map(keys, Box::new(item))
            }
            "any" => Shape::Any,
            "opaque" => Shape::Opaque,
            "null" => Shape::Null,
            "bool" => Shape::Bool,
            "float" => Shape::Float,
            "char" => Shape::Char,
            "text" => Shape::Text,
            "bytes" => Shape::Bytes,
            "blob" => Shape::Blob,
            "secret" => Shape::Secret,
            other => match IntKind::of(other) {
                Some(kind) => Shape::Int(kind),
                None => {
                    self.rest = before;
                    return self.fail("a shape");
                }
            },
        })
    }

    fn list(&mut self, depth: usize) -> Result<Shape, SchemaError> {
        let item = Box::new(self.shape(depth + 1)?);
        let shape = if self.is(";") {
            Shape::Array(item, self.number()?)
        } else if self.is("by ") {
            Shape::Keyed(item, self.name()?)
        } else {
            Shape::List(item)
        };
        self.take("]", "]")?;
        Ok(shape)
    }

    fn tuple(&mut self, depth: usize) -> Result<Shape, SchemaError> {
        let mut items = Vec::new();
        while !self.is(")") {
            items.push(self.shape(depth + 1)?);
            if !self.is(",") {
                self.take(")", ", or )")?;
                break;
            }
        }
        Ok(Shape::Tuple(items))
    }
}
