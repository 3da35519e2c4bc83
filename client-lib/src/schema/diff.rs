//! What differs between two schemas, and which lens would lead from one to the other.

use std::collections::BTreeSet;
use std::fmt;

use super::admit::short;
use super::text::Name;
use super::{Around, Choice, IntKind, Record, Shape};
use crate::value::Kind;

/// One thing in which two schemas differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The record or enum it is in, from the root: names of fields, `::` and the
    /// name for what a variant carries, `[]` for the elements of a list or map.
    pub path: Vec<String>,
    /// What differs there.
    pub change: Change,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A field is new.
    NewField(String, Shape),
    /// A field is gone.
    GoneField(String, Shape),
    /// Something is of another shape: its name and the shapes before and after.
    Shape(String, Box<(Shape, Shape)>),
    /// A variant is new.
    NewVariant(String),
    /// A variant is gone.
    GoneVariant(String),
    /// Unknown fields or variants have a place now (true) or have none any more.
    Open(bool),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |name: &str| joined(&self.path, name);
        match &self.change {
            Change::NewField(name, shape) => write!(f, "`{}` is new: {}", at(name), short(shape)),
            Change::GoneField(name, shape) => {
                write!(f, "`{}` is gone; it was {}", at(name), short(shape))
            }
            Change::Shape(name, shapes) => {
                let (before, after) = &**shapes;
                write!(
                    f,
                    "`{}` was {} and is {}",
                    at(name),
                    short(before),
                    short(after)
                )
            }
            Change::NewVariant(name) => write!(f, "the variant `{}` is new", at(name)),
            Change::GoneVariant(name) => write!(f, "the variant `{}` is gone", at(name)),
            Change::Open(now) => {
                let place = match joined(&self.path, "").as_str() {
                    "" => "the state".to_owned(),
                    place => format!("`{place}`"),
                };
                let now = if *now {
                    "has a place now"
                } else {
                    "has no place any more"
                };
                write!(f, "what {place} does not know {now}")
            }
        }
    }
}

/// In a path, what a variant carries: `mode::Code`.
const VARIANT: &str = "::";

fn joined(path: &[String], name: &str) -> String {
    let mut text = String::new();
    for part in path.iter().map(String::as_str).chain([name]) {
        if !text.is_empty() && part != "[]" && !part.is_empty() && !part.starts_with(VARIANT) {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// How strictly two schemas are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As they are.
    Equal,
    /// What is known of a shape only by its kind fits every shape of that kind, and places for unknown things do not count:
    /// no lens makes or takes them.
    Fits,
}

/// What differs between two roots.
pub(super) fn records(before: &Record, after: &Record) -> Vec<Difference> {
    compare(before, after, Mode::Equal)
}

/// What differs between what lenses have made of a root and the root that they should lead to.
pub(super) fn misfits(made: &Record, wanted: &Record) -> Vec<Difference> {
    compare(made, wanted, Mode::Fits)
}

fn compare(before: &Record, after: &Record, mode: Mode) -> Vec<Difference> {
    let mut compare = Compare {
        mode,
        path: Vec::new(),
        found: Vec::new(),
        unrolled: 0,
    };
    compare.fields(before, after, None, None);
    compare.found
}

/// How often a part within itself is followed when only one side writes it out.
const MOST_UNROLLED: usize = 4;

struct Compare {
    mode: Mode,
    path: Vec<String>,
    found: Vec<Difference>,
    unrolled: usize,
}

type Outer<'a> = Option<&'a Around<'a>>;

impl Compare {
    fn tell(&mut self, change: Change) {
        self.found.push(Difference {
            path: self.path.clone(),
            change,
        });
    }

    fn open(&mut self, before: bool, after: bool) {
        if before != after && self.mode == Mode::Equal {
            self.tell(Change::Open(after));
        }
    }

    fn fields(&mut self, before: &Record, after: &Record, a: Outer<'_>, b: Outer<'_>) {
        self.open(before.open, after.open);
        let names: BTreeSet<_> = before.fields.keys().chain(after.fields.keys()).collect();
        for name in names {
            match (before.fields.get(name), after.fields.get(name)) {
                (Some(before), Some(after)) => self.shapes(name, before, after, a, b),
                (Some(before), None) => self.tell(Change::GoneField(name.clone(), before.clone())),
                (None, Some(after)) => self.tell(Change::NewField(name.clone(), after.clone())),
                (None, None) => {}
            }
        }
    }

    fn variants(&mut self, before: &Choice, after: &Choice, a: Outer<'_>, b: Outer<'_>) {
        self.open(before.open, after.open);
        let names: BTreeSet<_> = before
            .variants
            .keys()
            .chain(after.variants.keys())
            .collect();
        for name in names {
            match (before.variants.get(name), after.variants.get(name)) {
                (Some(before), Some(after)) => {
                    let null = Shape::Null;
                    let (before, after) = (
                        before.as_ref().unwrap_or(&null),
                        after.as_ref().unwrap_or(&null),
                    );
                    self.shapes(&format!("{VARIANT}{name}"), before, after, a, b);
                }
                // Where the other version has a place for it no lens is needed.
                (Some(_), None) if self.mode == Mode::Fits && after.open => {}
                (None, Some(_)) if self.mode == Mode::Fits && before.open => {}
                (Some(_), None) => self.tell(Change::GoneVariant(name.clone())),
                (None, Some(_)) => self.tell(Change::NewVariant(name.clone())),
                (None, None) => {}
            }
        }
    }

    /// Compares what is called `name`.
    fn shapes(&mut self, name: &str, before: &Shape, after: &Shape, a: Outer<'_>, b: Outer<'_>) {
        let differ = |this: &mut Self| {
            this.tell(Change::Shape(
                name.to_owned(),
                Box::new((before.clone(), after.clone())),
            ));
        };
        match (before, after) {
            (Shape::Record(x), Shape::Record(y)) => {
                let (a, b) = (&around(before, a), &around(after, b));
                self.within(name, |this| this.fields(x, y, Some(a), Some(b)));
            }
            (Shape::Choice(x), Shape::Choice(y)) => {
                let (a, b) = (&around(before, a), &around(after, b));
                self.within(name, |this| this.variants(x, y, Some(a), Some(b)));
            }
            (Shape::Option(x), Shape::Option(y)) => self.inner(name, "", x, y, (a, b), differ),
            (Shape::List(x), Shape::List(y)) => self.inner(name, "[]", x, y, (a, b), differ),
            (Shape::Keyed(x, j), Shape::Keyed(y, k)) if j == k => {
                self.inner(name, "[]", x, y, (a, b), differ);
            }
            // A key is no data: no lens gives it.
            (Shape::List(x) | Shape::Keyed(x, _), Shape::List(y) | Shape::Keyed(y, _))
                if self.mode == Mode::Fits =>
            {
                self.inner(name, "[]", x, y, (a, b), differ);
            }
            (Shape::Array(x, m), Shape::Array(y, n)) if m == n => {
                self.inner(name, "[]", x, y, (a, b), differ)
            }
            (Shape::Map(j, x), Shape::Map(k, y)) if j == k => {
                self.inner(name, "[]", x, y, (a, b), differ)
            }
            (Shape::Tuple(x), Shape::Tuple(y)) if x.len() == y.len() => {
                let differs = x.iter().zip(y).any(|(x, y)| self.differ(x, y, a, b));
                if differs {
                    differ(self);
                }
            }
            (Shape::Up(m), Shape::Up(n)) if m == n => {}
            (Shape::Up(n), after)
                if !matches!(after, Shape::Up(_)) && self.unrolled < MOST_UNROLLED =>
            {
                match Around::up(a, *n) {
                    Some((before, a)) => self.unroll(|this| this.shapes(name, before, after, a, b)),
                    None => differ(self),
                }
            }
            (before, Shape::Up(n))
                if !matches!(before, Shape::Up(_)) && self.unrolled < MOST_UNROLLED =>
            {
                match Around::up(b, *n) {
                    Some((after, b)) => self.unroll(|this| this.shapes(name, before, after, a, b)),
                    None => differ(self),
                }
            }
            (Shape::Some(kind), after) if self.mode == Mode::Fits => {
                if !of_kind(*kind, after) {
                    differ(self);
                }
            }
            (Shape::Int(IntKind::Some), Shape::Int(_)) if self.mode == Mode::Fits => {}
            (before, after) if before == after => {}
            _ => differ(self),
        }
    }

    fn within(&mut self, name: &str, compare: impl FnOnce(&mut Self)) {
        let parts = usize::from(!name.is_empty());
        self.path.extend((parts > 0).then(|| name.to_owned()));
        compare(self);
        self.path.truncate(self.path.len() - parts);
    }

    /// What a list or an option holds: differences inside a record are told there, all others of the whole.
    fn inner(
        &mut self,
        name: &str,
        step: &str,
        before: &Shape,
        after: &Shape,
        (a, b): (Outer<'_>, Outer<'_>),
        differ: impl FnOnce(&mut Self),
    ) {
        let named = matches!(
            (before, after),
            (Shape::Record(_), Shape::Record(_)) | (Shape::Choice(_), Shape::Choice(_))
        );
        if !named {
            if self.differ(before, after, a, b) {
                differ(self);
            }
        } else if step.is_empty() {
            self.shapes(name, before, after, a, b);
        } else {
            self.within(name, |this| this.shapes(step, before, after, a, b));
        }
    }

    fn unroll(&mut self, compare: impl FnOnce(&mut Self)) {
        self.unrolled += 1;
        compare(self);
        self.unrolled -= 1;
    }

    fn differ(&mut self, before: &Shape, after: &Shape, a: Outer<'_>, b: Outer<'_>) -> bool {
        let found = self.found.len();
        self.shapes("", before, after, a, b);
        let differ = self.found.len() > found;
        self.found.truncate(found);
        differ
    }
}

fn around<'a>(shape: &'a Shape, outer: Outer<'a>) -> Around<'a> {
    Around { shape, outer }
}

/// Whether a default of this kind can stand for `shape`.
fn of_kind(kind: Kind, shape: &Shape) -> bool {
    match shape {
        Shape::Any | Shape::Opaque | Shape::Up(_) | Shape::Secret | Shape::Blob => true,
        Shape::Option(inner) => kind == Kind::Any || of_kind(kind, inner),
        Shape::Null => kind == Kind::Any,
        Shape::Bool => kind == Kind::Bool,
        Shape::Int(_) => kind == Kind::Int,
        Shape::Float => kind == Kind::Float,
        Shape::Char | Shape::Text => kind == Kind::Text,
        Shape::Bytes => kind == Kind::Bytes,
        Shape::List(_) | Shape::Keyed(..) | Shape::Array(..) | Shape::Tuple(_) => {
            kind == Kind::List
        }
        Shape::Map(..) | Shape::Record(_) => kind == Kind::Map,
        Shape::Choice(_) => matches!(kind, Kind::Text | Kind::Map),
        Shape::Some(other) => *other == kind,
    }
}

/// The lenses that would lead over these differences, as the author would write them; `None` where only code could.
pub fn lenses_for(differences: &[Difference]) -> Option<String> {
    let mut lenses = Vec::new();
    let mut done = BTreeSet::new();
    for difference in differences {
        if done.insert(difference.path.clone()) {
            let here: Vec<_> = differences
                .iter()
                .filter(|d| d.path == difference.path)
                .collect();
            lenses.extend(lenses_at(&difference.path, &here)?);
        }
    }
    Some(lenses.join(", "))
}

fn lenses_at(path: &[String], here: &[&Difference]) -> Option<Vec<String>> {
    let new: Vec<_> = here.iter().filter_map(|d| as_new(d)).collect();
    let gone: Vec<_> = here.iter().filter_map(|d| as_gone(d)).collect();
    let mut lenses = Vec::new();
    let mut renamed = BTreeSet::new();
    for (before, shape) in &gone {
        let alike: Vec<_> = new.iter().filter(|(_, other)| other == shape).collect();
        match alike.as_slice() {
            // Only one field could be meant.
            [(after, _)] if gone.iter().filter(|(_, other)| other == shape).count() == 1 => {
                lenses.push(format!("rename({before:?}, {after:?})"));
                renamed.extend([*before, *after]);
            }
            _ => {}
        }
    }
    for (name, shape) in gone.iter().filter(|(name, _)| !renamed.contains(name)) {
        lenses.push(format!("remove({name:?}, {})", default_of(shape)?));
    }
    for (name, shape) in new.iter().filter(|(name, _)| !renamed.contains(name)) {
        lenses.push(format!("add({name:?}, {})", default_of(shape)?));
    }
    let mut of_variants = Vec::new();
    for difference in here {
        if let Change::Shape(name, shapes) = &difference.change {
            if name.starts_with(VARIANT) {
                let path: Vec<_> = path.iter().chain([name]).cloned().collect();
                of_variants.extend(reach(&path, vec![conversion("", &shapes.0, &shapes.1)?]));
            } else {
                lenses.push(conversion(name, &shapes.0, &shapes.1)?);
            }
        }
    }
    let lenses = reach(path, lenses).into_iter().chain(of_variants);
    Some(lenses.chain(enum_lens(path, here)).collect())
}

fn as_new<'a>(difference: &'a &Difference) -> Option<(&'a str, &'a Shape)> {
    match &difference.change {
        Change::NewField(name, shape) => Some((name, shape)),
        _ => None,
    }
}

fn as_gone<'a>(difference: &'a &Difference) -> Option<(&'a str, &'a Shape)> {
    match &difference.change {
        Change::GoneField(name, shape) => Some((name, shape)),
        _ => None,
    }
}

/// A lens for an enum's variants, which stands in the record that holds the enum.
fn enum_lens(path: &[String], here: &[&Difference]) -> Option<String> {
    let mut gone = Vec::new();
    let mut new = Vec::new();
    for difference in here {
        match &difference.change {
            Change::GoneVariant(name) => gone.push(name),
            Change::NewVariant(name) => new.push(name),
            _ => {}
        }
    }
    let (field, outer) = path.split_last()?;
    let lens = match (gone.as_slice(), new.as_slice()) {
        ([], []) => return None,
        ([before], [after]) => format!("map_enum({field:?}, {before:?} => {after:?})"),
        (gone, new) => {
            let up = if gone.is_empty() {
                ""
            } else {
                ", else_up = \"…\""
            };
            let down = if new.is_empty() {
                ""
            } else {
                ", else_down = \"…\""
            };
            format!("map_enum({field:?}, …{up}{down})")
        }
    };
    reach(outer, vec![lens]).pop()
}

/// `lenses` within the record at `path`.
fn reach(path: &[String], lenses: Vec<String>) -> Vec<String> {
    if lenses.is_empty() || path.is_empty() {
        return lenses;
    }
    let mut text = lenses.join(", ");
    let mut rest = path;
    while let Some((last, outer)) = rest.split_last() {
        rest = outer;
        match (last.as_str(), outer.split_last()) {
            ("[]", Some((list, outer))) => {
                text = format!("each({list:?}, {text})");
                rest = outer;
            }
            (variant, Some((field, outer))) if variant.starts_with(VARIANT) => {
                text = format!(
                    "variant({field:?}, {:?}, {text})",
                    variant.trim_start_matches(VARIANT)
                );
                rest = outer;
            }
            (field, _) => text = format!("within({field:?}, {text})"),
        }
    }
    vec![text]
}

fn conversion(name: &str, before: &Shape, after: &Shape) -> Option<String> {
    let scalar = |shape: &Shape| match shape {
        Shape::Bool => Some("bool"),
        Shape::Int(_) => Some("int"),
        Shape::Float => Some("float"),
        Shape::Text => Some("text"),
        _ => None,
    };
    match (before, after) {
        (before, Shape::List(item)) if before == &**item => Some(format!("wrap({name:?})")),
        (Shape::Option(before), Shape::List(item)) if before == item => {
            Some(format!("wrap({name:?})"))
        }
        (Shape::List(item), Shape::Option(after)) if item == after => {
            Some(format!("unwrap({name:?})"))
        }
        (Shape::List(before), Shape::List(after))
        | (Shape::Map(_, before), Shape::Map(_, after)) => Some(format!(
            "each({name:?}, {})",
            conversion("", before, after)?
        )),
        (Shape::Option(before), Shape::Option(after)) => conversion(name, before, after),
        (before, after) => Some(format!(
            "convert({name:?}, {} => {})",
            scalar(before)?,
            scalar(after)?
        )),
    }
}

/// A value for a new field that the author may start from.
fn default_of(shape: &Shape) -> Option<String> {
    Some(match shape {
        Shape::Bool => "false".to_owned(),
        Shape::Int(_) => "0".to_owned(),
        Shape::Float => "0.0".to_owned(),
        Shape::Char => "\" \"".to_owned(),
        Shape::Text => "\"\"".to_owned(),
        Shape::List(_) | Shape::Keyed(..) => "[]".to_owned(),
        Shape::Map(..) => "{}".to_owned(),
        Shape::Tuple(items) => {
            let items: Option<Vec<_>> = items.iter().map(default_of).collect();
            format!("[{}]", items?.join(", "))
        }
        Shape::Record(record) => {
            let field = |(name, shape): (&String, &Shape)| {
                Some(format!("{name:?}: {}", default_of(shape)?))
            };
            let fields: Option<Vec<_>> = record.fields.iter().map(field).collect();
            format!("{{ {} }}", fields?.join(", "))
        }
        Shape::Choice(choice) => {
            let plain = choice.variants.iter().find(|(_, data)| data.is_none())?;
            format!("{:?}", Name(plain.0).0)
        }
        Shape::Null
        | Shape::Option(_)
        | Shape::Any
        | Shape::Some(_)
        | Shape::Blob
        | Shape::Secret => "null".to_owned(),
        Shape::Opaque | Shape::Bytes | Shape::Array(..) | Shape::Up(_) => return None,
    })
}
