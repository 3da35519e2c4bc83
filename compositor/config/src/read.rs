//! Reading values: each reader takes a value and a place for it, and either fills that or notes a mistake.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::mistake::{Mistake, meant, position};

pub(crate) type Value<'t> = Spanned<DeValue<'t>>;
pub(crate) type Key<'t> = Spanned<DeString<'t>>;

/// Collects mistakes; the text tells where they are.
pub(crate) struct Reader<'a> {
    pub text: &'a str,
    pub mistakes: Vec<Mistake>,
}

/// Reads a table: one arm for each key that it knows.
macro_rules! section {
    ($reader:ident, $value:expr, { $($name:literal => |$entry:ident| $read:expr),+ $(,)? }) => {
        if let Some(table) = $reader.table($value) {
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    $($name => {
                        let $entry = value;
                        $read;
                    })+
                    _ => $reader.unknown(key, "key", &[$($name),+]),
                }
            }
        }
    };
}
pub(crate) use section;

impl<'a> Reader<'a> {
    pub fn mistake(&mut self, span: Range<usize>, what: String, cure: String) {
        let (line, column) = position(self.text, span.start);
        self.mistakes.push(Mistake {
            line,
            column,
            what,
            cure,
        });
    }

    /// A word that is none of those known here.
    pub fn unknown(&mut self, word: &Key, kind: &str, known: &[&str]) {
        let (span, word) = (word.span(), word.get_ref());
        let listed = known.join(", ");
        let cure = match meant(word, known) {
            Some(meant) => format!("did you mean `{meant}`? Known here: {listed}"),
            None => format!("known here: {listed}"),
        };
        self.mistake(span, format!("unknown {kind} `{word}`"), cure);
    }

    fn wrong(&mut self, value: &Value, cure: impl Display) {
        let what = match value.get_ref() {
            DeValue::String(s) => format!("`{s}` does not fit here"),
            DeValue::Integer(i) => format!("{} does not fit here", i.as_str()),
            DeValue::Float(f) => format!("{} does not fit here", f.as_str()),
            other => format!("a value of type {} does not fit here", other.type_str()),
        };
        self.mistake(value.span(), what, cure.to_string());
    }

    pub fn table<'v, 't>(&mut self, value: &'v Value<'t>) -> Option<&'v DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong(value, "write a table: `[name]` and its keys below");
        }
        table
    }

    pub fn array<'v, 't>(&mut self, value: &'v Value<'t>, cure: &str) -> &'v [Value<'t>] {
        match value.get_ref() {
            DeValue::Array(array) => array,
            _ => {
                self.wrong(value, cure);
                &[]
            }
        }
    }

    pub fn flag(&mut self, value: &Value, into: &mut bool) {
        match value.get_ref().as_bool() {
            Some(flag) => *into = flag,
            None => self.wrong(value, "write `true` or `false`"),
        }
    }

    pub fn string(&mut self, value: &Value, into: &mut String) {
        match value.get_ref().as_str() {
            // Goes to C libraries and environments: they end a string there.
            Some(s) if s.contains('\0') => self.wrong(value, "leave out the NUL character"),
            Some(s) => *into = s.to_owned(),
            None => self.wrong(value, "write it in quotes: \"...\""),
        }
    }

    pub fn strings(&mut self, value: &Value, into: &mut Vec<String>) {
        let cure = "write a list: [\"...\", \"...\"]";
        let mut read = Vec::new();
        for item in self.array(value, cure) {
            let mut string = String::new();
            self.string(item, &mut string);
            read.push(string);
        }
        *into = read;
    }

    pub fn integer(&mut self, value: &Value, range: RangeInclusive<i32>, into: &mut i32) {
        let read = value.get_ref().as_integer().and_then(|i| {
            let n = i32::from_str_radix(i.as_str(), i.radix()).ok()?;
            range.contains(&n).then_some(n)
        });
        let (least, most) = (range.start(), range.end());
        match read {
            Some(n) => *into = n,
            None => self.wrong(
                value,
                format!("write a whole number from {least} to {most}"),
            ),
        }
    }

    pub fn number(&mut self, value: &Value, range: RangeInclusive<f64>, into: &mut f64) {
        let read = match value.get_ref() {
            DeValue::Float(f) => f.as_str().parse().ok(),
            DeValue::Integer(i) if i.radix() == 10 => i.as_str().parse().ok(),
            _ => None,
        };
        let (least, most) = (range.start(), range.end());
        match read.filter(|n| range.contains(n)) {
            Some(n) => *into = n,
            None => self.wrong(value, format!("write a number from {least} to {most}")),
        }
    }

    /// One of some words.
    pub fn word<T: Copy>(&mut self, value: &Value, words: &[(&str, T)], into: &mut T) {
        let said = value.get_ref().as_str();
        if let Some((_, meaning)) = words.iter().find(|(word, _)| Some(*word) == said) {
            *into = *meaning;
            return;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        match said {
            Some(said) => {
                let key = Spanned::new(value.span(), said.into());
                self.unknown(&key, "word", &known);
            }
            None => self.wrong(value, format!("write one of \"{}\"", known.join("\", \""))),
        }
    }

    /// Text that is parsed further.
    pub fn parsed<T>(
        &mut self,
        value: &Value,
        cure: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            self.wrong(value, cure);
        }
        parsed
    }
}
