//! Lenses that reach into a sub-record, a variant, or each element of a list or a map.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::Lens;
use super::keys::{Keys, key_before};
use super::run::{At, Dir, LensError, Move, Run, run_all};
use crate::cbor;
use crate::loss::{LossReason, LossReport};
use crate::value::{Map, Value};

/// Lenses that are run on a value, together with what they are told.
struct Inner<'a> {
    moves: Vec<Move<'a>>,
    /// Whether they speak of the value itself, as the field `""`, and not of a record's fields.
    whole: bool,
}

impl<'a> Inner<'a> {
    fn new(lenses: &'a [Lens], dir: Dir) -> Inner<'a> {
        let mut moves: Vec<_> = lenses.iter().map(|lens| Move::Lens(lens, dir)).collect();
        if dir == Dir::Down {
            moves.reverse();
        }
        Inner {
            moves,
            whole: lenses.iter().any(Lens::is_of_whole),
        }
    }

    /// The same lenses the other way.
    fn back(&self) -> Inner<'a> {
        let back = |step: &Move<'a>| match *step {
            Move::Lens(lens, dir) => Move::Lens(lens, dir.back()),
            code => code,
        };
        Inner {
            moves: self.moves.iter().rev().map(back).collect(),
            whole: self.whole,
        }
    }

    /// Runs them on `value`; null stays null.
    fn run(
        &self,
        value: &mut Value,
        base: Option<&Value>,
        keys: &Keys,
        run: &mut Run<'_>,
    ) -> Result<(), LensError> {
        if self.whole {
            return self.run_on_whole(value, base, keys, run);
        }
        match value {
            Value::Map(inner) => {
                run_all(&self.moves, inner, base.and_then(Value::as_map), keys, run)
            }
            Value::Null => Ok(()),
            _ => Err(LensError::NotARecord(run.at(""))),
        }
    }

    fn run_on_whole(
        &self,
        value: &mut Value,
        base: Option<&Value>,
        keys: &Keys,
        run: &mut Run<'_>,
    ) -> Result<(), LensError> {
        let mut record = Map::new();
        record.insert("", std::mem::take(value));
        let base = match base {
            Some(base) => {
                run.fuel.make(base)?;
                let mut record = Map::new();
                record.insert("", base.clone());
                Some(record)
            }
            None => None,
        };
        let done = run_all(&self.moves, &mut record, base.as_ref(), keys, run);
        *value = record.remove("").unwrap_or_default();
        match done {
            Ok(()) if !record.is_empty() => Err(LensError::NotARecord(run.at(""))),
            done => done,
        }
    }
}

impl Lens {
    /// Whether it speaks of the value itself that it is run on.
    fn is_of_whole(&self) -> bool {
        match self {
            Lens::Convert { field, .. }
            | Lens::MapEnum { field, .. }
            | Lens::In { field, .. }
            | Lens::Each { field, .. }
            | Lens::Variant { field, .. }
            | Lens::Wrap { field }
            | Lens::Unwrap { field } => field.is_empty(),
            _ => false,
        }
    }
}

pub(super) fn within(
    lenses: &[Lens],
    dir: Dir,
    record: &mut Map,
    field: &str,
    base: Option<&Map>,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(inner) = record.get_mut(field) else {
        return Ok(());
    };
    let base = base.and_then(|base| base.get(field));
    let lenses = Inner::new(lenses, dir);
    inside(run, At::Name(field.to_owned()), |run| {
        lenses.run(inner, base, keys.field(field), run)
    })
}

pub(super) fn variant(
    lenses: &[Lens],
    dir: Dir,
    record: &mut Map,
    (field, variant): (&str, &str),
    base: Option<&Map>,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(Value::Map(choice)) = record.get_mut(field) else {
        return Ok(());
    };
    if choice.len() != 1 {
        return Ok(());
    }
    let Some(inner) = choice.get_mut(variant) else {
        return Ok(());
    };
    let base = base
        .and_then(|base| base.get(field))
        .and_then(Value::as_map)
        .and_then(|choice| choice.get(variant));
    let keys = keys.field(field).field(variant);
    let lenses = Inner::new(lenses, dir);
    inside(run, At::Name(field.to_owned()), |run| {
        inside(run, At::Name(variant.to_owned()), |run| {
            lenses.run(inner, base, keys, run)
        })
    })
}

pub(super) fn each(
    lenses: &[Lens],
    dir: Dir,
    record: &mut Map,
    field: &str,
    base: Option<&Map>,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let base = base.and_then(|base| base.get(field));
    let inner = Inner::new(lenses, dir);
    let keys = keys.field(field);
    match record.get_mut(field) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::List(items)) => {
            let base = match base {
                Some(Value::List(base)) => Some(base.as_slice()),
                _ => None,
            };
            let elements = Elements {
                inner,
                lenses,
                dir,
                keys,
            };
            inside(run, At::Name(field.to_owned()), |run| {
                elements.run(items, base, run)
            })
        }
        Some(Value::Map(entries)) => {
            let base = base.and_then(Value::as_map);
            inside(run, At::Name(field.to_owned()), |run| {
                each_entry(&inner, entries, base, keys.items(), run)
            })
        }
        Some(_) => Err(LensError::NotAList(run.at(field))),
    }
}

fn inside<'r>(
    run: &mut Run<'r>,
    at: At,
    work: impl FnOnce(&mut Run<'r>) -> Result<(), LensError>,
) -> Result<(), LensError> {
    run.path.push(at);
    let done = work(run);
    run.path.pop();
    done
}

/// Elements stand beside each other: what one adds in depth the next one may add, too.
struct Depth {
    at_first: u64,
    least: u64,
}

impl Depth {
    fn new(run: &Run<'_>) -> Depth {
        let levels = run.fuel.levels();
        Depth {
            at_first: levels,
            least: levels,
        }
    }

    fn next(&mut self, run: &mut Run<'_>) {
        self.least = self.least.min(run.fuel.levels());
        run.fuel.set_levels(self.at_first);
    }

    fn finish(self, run: &mut Run<'_>) {
        run.fuel.set_levels(self.least);
    }
}

fn each_entry(
    inner: &Inner<'_>,
    entries: &mut Map,
    base: Option<&Map>,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let mut depth = Depth::new(run);
    for (name, value) in entries.iter_mut() {
        let base = base.and_then(|base| base.get(name));
        run.fuel.spend(1 + (name.len() / 64) as u64)?;
        inside(run, At::Name(name.to_owned()), |run| {
            inner.run(value, base, keys, run)
        })?;
        depth.next(run);
    }
    depth.finish(run);
    Ok(())
}

/// The elements of one list.
struct Elements<'a> {
    inner: Inner<'a>,
    lenses: &'a [Lens],
    dir: Dir,
    /// The list's own, as they are called on the side that is made.
    keys: &'a Keys,
}

impl Elements<'_> {
    fn run(
        &self,
        items: &mut [Value],
        base: Option<&[Value]>,
        run: &mut Run<'_>,
    ) -> Result<(), LensError> {
        let partners = match base {
            Some(base) => self.partners(items, base, run)?,
            None => Vec::new(),
        };
        let mut depth = Depth::new(run);
        for (index, item) in items.iter_mut().enumerate() {
            run.fuel.spend(1)?;
            let partner = partners.get(index).copied().flatten();
            let base = base.zip(partner).and_then(|(base, at)| base.get(at));
            inside(run, At::Index(index), |run| {
                self.inner.run(item, base, self.keys.items(), run)
            })?;
            depth.next(run);
        }
        depth.finish(run);
        Ok(())
    }

    /// For each item the place of the same element in the base: by key, else by content and place.
    fn partners(
        &self,
        items: &[Value],
        base: &[Value],
        run: &mut Run<'_>,
    ) -> Result<Vec<Option<usize>>, LensError> {
        if let Some(key) = self.keys.key() {
            return self.partners_by_key(items, base, key, run);
        }
        // What is equal at both ends is the same, and so is, between them, what is equal wherever it stands.
        let seen = self.seen(base, run)?;
        items.iter().try_for_each(|item| run.fuel.spend_on(item))?;
        let head = items.iter().zip(&seen).take_while(|(a, b)| a == b).count();
        let most = items.len().min(seen.len()) - head;
        let (ends, seen_ends) = (items.iter().rev(), seen.iter().rev());
        let tail = ends
            .zip(seen_ends)
            .take(most)
            .take_while(|(a, b)| a == b)
            .count();
        let (end, base_end) = (items.len() - tail, base.len() - tail);
        let mut partners: Vec<Option<usize>> = (0..head).map(Some).collect();
        let mut left = Equals::among(&seen, head..base_end, run)?;
        for item in items.get(head..end).unwrap_or_default() {
            partners.push(left.take(item, run)?);
        }
        partners.extend((base_end..base.len()).map(Some));
        // Of a list that is as long as it was, what still stands at a place that nothing else has come from was edited there.
        let mut gone = left.places();
        let mut unpaired = false;
        for (index, partner) in partners.iter_mut().enumerate() {
            if partner.is_none() {
                let stays = items.len() == base.len() && gone.remove(&index);
                *partner = stays.then_some(index);
                unpaired |= !stays;
            }
        }
        if unpaired && !gone.is_empty() {
            run.lose("", LossReason::Unpaired);
        }
        Ok(partners)
    }

    fn partners_by_key(
        &self,
        items: &[Value],
        base: &[Value],
        key: &str,
        run: &mut Run<'_>,
    ) -> Result<Vec<Option<usize>>, LensError> {
        let Some(key) = key_before(key, self.lenses, self.dir) else {
            run.lose("", LossReason::Unpaired);
            return Ok(Vec::new());
        };
        let seen = self.seen(base, run)?;
        let mut places = BTreeMap::new();
        for (index, element) in seen.iter().enumerate() {
            if let Some(name) = Name::of(element, &key) {
                places.entry(name).or_insert(index);
            }
        }
        // Taken out, so that no two elements are the same one.
        Ok(items
            .iter()
            .map(|item| places.remove(&Name::of(item, &key)?))
            .collect())
    }

    /// The base's elements as the side that `items` come from sees them.
    fn seen(&self, base: &[Value], run: &mut Run<'_>) -> Result<Vec<Value>, LensError> {
        let back = self.inner.back();
        let mut silent = LossReport::default();
        let mut silent = Run::new(&mut *run.fuel, &mut silent);
        let mut depth = Depth::new(&silent);
        let mut seen = Vec::with_capacity(base.len());
        for element in base {
            silent.fuel.make(element)?;
            let mut element = element.clone();
            back.run(&mut element, None, Keys::none(), &mut silent)?;
            depth.next(&mut silent);
            seen.push(element);
        }
        silent.fuel.set_levels(depth.at_first);
        Ok(seen)
    }
}

/// Elements of a list by their content, and where they stand.
struct Equals(BTreeMap<Vec<u8>, VecDeque<usize>>);

impl Equals {
    fn among(seen: &[Value], places: Range<usize>, run: &mut Run<'_>) -> Result<Equals, LensError> {
        let mut equals = Equals(BTreeMap::new());
        for (index, element) in seen.iter().enumerate().take(places.end).skip(places.start) {
            let content = content(element, run)?;
            equals.0.entry(content).or_default().push_back(index);
        }
        Ok(equals)
    }

    /// The place of the first that is left of those equal to `item`.
    fn take(&mut self, item: &Value, run: &mut Run<'_>) -> Result<Option<usize>, LensError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let places = self.0.get_mut(&content(item, run)?);
        Ok(places.and_then(VecDeque::pop_front))
    }

    /// Where those stand that are left.
    fn places(self) -> BTreeSet<usize> {
        self.0.into_values().flatten().collect()
    }
}

/// What tells a value from others. What nests too deeply to be told is like nothing else but its kind: the result of lenses that
/// make such a thing is refused later on.
fn content(value: &Value, run: &mut Run<'_>) -> Result<Vec<u8>, LensError> {
    run.fuel.make(value)?;
    Ok(cbor::encode(value).unwrap_or_default())
}

/// What an element is known by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    Int(i128),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Name<'a> {
    fn of(element: &'a Value, key: &str) -> Option<Name<'a>> {
        match element.as_map()?.get(key)? {
            Value::Int(int) => Some(Name::Int(*int)),
            Value::Text(text) => Some(Name::Text(text)),
            Value::Bytes(bytes) => Some(Name::Bytes(bytes)),
            _ => None,
        }
    }
}
