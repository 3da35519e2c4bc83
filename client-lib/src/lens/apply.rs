//! Running lenses.

use super::fuel::Fuel;
use super::scalar::convert;
use super::{Lens, Scalar};
use crate::loss::{LossReason, LossReport};
use crate::value::{Kind, Map, Value};

/// Which way a lens is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// From the older version to the newer.
    Up,
    /// From the newer version to the older.
    Down,
}

impl Dir {
    fn back(self) -> Dir {
        match self {
            Dir::Up => Dir::Down,
            Dir::Down => Dir::Up,
        }
    }
}

/// Why a lens could not be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LensError {
    /// The lens needs a sub-record where something else is.
    #[error("`{0}` is not a record, but a step between versions needs one there")]
    NotARecord(String),
    /// The lens needs a list where something else is.
    #[error("`{0}` is not a list, but a step between versions needs one there")]
    NotAList(String),
    /// A travelling step of a kind that this library does not know.
    #[error("the state needs a step between versions that this program does not know")]
    UnknownLens,
    /// Travelling steps did more work than they may.
    #[error("the steps that travel with the state do more work than is allowed")]
    OutOfFuel,
}

/// What a run carries along: fuel, where it is, and what it could not carry over.
pub(crate) struct Run<'a> {
    pub fuel: &'a mut Fuel,
    pub loss: &'a mut LossReport,
    /// Names of the enclosing records.
    pub path: Vec<String>,
}

impl Run<'_> {
    fn at(&self, field: &str) -> String {
        let mut path = self.path.join(".");
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(field);
        path
    }

    fn lose(&mut self, field: &str, reason: LossReason) {
        let path = self.at(field);
        self.loss.note(path, reason);
    }
}

/// Runs `steps` in order on `record`. `base` is the record as the far end last knew it.
pub(crate) fn apply_all(
    steps: &[(&Lens, Dir)],
    record: &mut Map,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(base) = base else {
        return steps
            .iter()
            .try_for_each(|(lens, dir)| apply(lens, *dir, record, None, run));
    };
    // Each step needs the base as it looks behind that step: bring the far end's one back, step by step.
    let mut bases = Vec::with_capacity(steps.len());
    let mut current = Value::Map(base.clone());
    for (lens, dir) in steps.iter().rev() {
        run.fuel.spend_on(&current)?;
        bases.push(current.clone());
        let mut silent = LossReport::default();
        let mut back = Run {
            fuel: &mut *run.fuel,
            loss: &mut silent,
            path: run.path.clone(),
        };
        if let Value::Map(map) = &mut current {
            apply(lens, dir.back(), map, None, &mut back)?;
        }
    }
    for ((lens, dir), base) in steps.iter().zip(bases.iter().rev()) {
        apply(lens, *dir, record, base.as_map(), run)?;
    }
    Ok(())
}

fn apply(
    lens: &Lens,
    dir: Dir,
    record: &mut Map,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    run.fuel.spend(1)?;
    use Dir::{Down, Up};
    match (lens, dir) {
        (Lens::Rename { from, to }, Up) | (Lens::Rename { from: to, to: from }, Down) => {
            rename(record, from, to, run);
        }
        (
            Lens::Add {
                field,
                kind,
                default,
            },
            Up,
        )
        | (
            Lens::Remove {
                field,
                kind,
                default,
            },
            Down,
        ) => {
            introduce(record, field, *kind, default, base, run)?;
        }
        (Lens::Add { field, default, .. }, Down) => {
            withdraw(record, field, default, LossReason::NotYetKnown, run)?
        }
        (Lens::Remove { field, default, .. }, Up) => {
            withdraw(record, field, default, LossReason::Removed, run)?
        }
        (Lens::Hoist { host, field }, Up) | (Lens::Plunge { host, field }, Down) => {
            hoist(record, host, field, base, run)?;
        }
        (Lens::Hoist { host, field }, Down) | (Lens::Plunge { host, field }, Up) => {
            plunge(record, host, field, run)?;
        }
        (Lens::Wrap { field }, Up) | (Lens::Unwrap { field }, Down) => {
            wrap(record, field, base, run)?
        }
        (Lens::Wrap { field }, Down) | (Lens::Unwrap { field }, Up) => unwrap(record, field, run)?,
        (Lens::Convert { field, from, to }, Up)
        | (
            Lens::Convert {
                field,
                from: to,
                to: from,
            },
            Down,
        ) => {
            convert_field(record, field, (*from, *to), base, run)?;
        }
        (Lens::MapEnum { field, .. }, _) => map_enum(lens, dir, record, field, base, run)?,
        (Lens::In { field, lenses }, _) => within(lenses, dir, record, field, base, run)?,
        (Lens::Unknown(_), _) => return Err(LensError::UnknownLens),
    }
    Ok(())
}

/// Puts a moved value in place; what stood there is lost and said so.
fn place(record: &mut Map, field: &str, value: Value, run: &mut Run<'_>) {
    if record.insert(field, value).is_some() {
        run.lose(field, LossReason::Displaced);
    }
}

fn rename(record: &mut Map, from: &str, to: &str, run: &mut Run<'_>) {
    if from != to
        && let Some(value) = record.remove(from)
    {
        place(record, to, value, run);
    }
}

fn introduce(
    record: &mut Map,
    field: &str,
    kind: Kind,
    default: &Value,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    // A value that came along in `rest` is the field itself, as a version that knows it wrote it.
    if record.get(field).is_some_and(|value| kind.admits(value)) {
        return Ok(());
    }
    let value = match base {
        // The far end knows the record: its field, or its lack of one.
        Some(base) => base
            .get(field)
            .map(|value| if kind.admits(value) { value } else { default }),
        None => Some(default),
    };
    if let Some(value) = value {
        run.fuel.spend_on(value)?;
        place(record, field, value.clone(), run);
    }
    Ok(())
}

fn withdraw(
    record: &mut Map,
    field: &str,
    default: &Value,
    reason: LossReason,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    run.fuel.spend_on(default)?;
    match record.remove(field) {
        Some(value) if value != *default => run.lose(field, reason),
        _ => {}
    }
    Ok(())
}

fn hoist(
    record: &mut Map,
    host: &str,
    field: &str,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let inner = match record.get_mut(host) {
        Some(Value::Map(inner)) => inner,
        None | Some(Value::Null) => return Ok(()),
        Some(_) => return Err(LensError::NotARecord(run.at(host))),
    };
    let Some(value) = inner.remove(field) else {
        return Ok(());
    };
    if inner.is_empty() && host != field {
        // Empty, null or absent: as the far end had it, else absent.
        match base.and_then(|base| base.get(host)) {
            None => drop(record.remove(host)),
            Some(Value::Null) => drop(record.insert(host, Value::Null)),
            Some(_) => {}
        }
    }
    if host == field {
        // The field takes its host's own place; what else the host held has nowhere to go.
        let rest = record.remove(host);
        if rest
            .as_ref()
            .and_then(Value::as_map)
            .is_some_and(|rest| !rest.is_empty())
        {
            run.lose(host, LossReason::Displaced);
        }
    }
    place(record, field, value, run);
    Ok(())
}

fn plunge(record: &mut Map, host: &str, field: &str, run: &mut Run<'_>) -> Result<(), LensError> {
    if host != field && !matches!(record.get(host), None | Some(Value::Map(_) | Value::Null)) {
        return Err(LensError::NotARecord(run.at(host)));
    }
    let Some(value) = record.remove(field) else {
        return Ok(());
    };
    run.fuel.deepen()?;
    if !matches!(record.get(host), Some(Value::Map(_))) {
        record.insert(host, Map::new());
    }
    if let Some(Value::Map(inner)) = record.get_mut(host) {
        run.path.push(host.to_owned());
        place(inner, field, value, run);
        run.path.pop();
    }
    Ok(())
}

fn wrap(
    record: &mut Map,
    field: &str,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(slot) = record.get_mut(field) else {
        return Ok(());
    };
    let known = base.and_then(|base| base.get(field));
    if let Some(known) = known {
        run.fuel.spend_on(known)?;
    }
    let (head, tail) = match known {
        Some(Value::List(items)) => (
            items.first().or(Some(&Value::Null)),
            items.get(1..).unwrap_or_default(),
        ),
        Some(Value::Null) => (known, &[][..]),
        _ => (None, &[][..]),
    };
    run.fuel.deepen()?;
    *slot = match (std::mem::take(slot), known) {
        (value, Some(known)) if head == Some(&value) => known.clone(),
        (Value::Null, _) => Value::List(Vec::new()),
        (value, _) => Value::List(std::iter::once(value).chain(tail.iter().cloned()).collect()),
    };
    Ok(())
}

fn unwrap(record: &mut Map, field: &str, run: &mut Run<'_>) -> Result<(), LensError> {
    let Some(slot) = record.get_mut(field) else {
        return Ok(());
    };
    let items = match std::mem::take(slot) {
        Value::List(items) => items,
        Value::Null => return Ok(()),
        other => {
            *slot = other;
            return Err(LensError::NotAList(run.at(field)));
        }
    };
    // A list of one null cannot be told from an empty one afterwards.
    let more = items.len() > 1 || items.first() == Some(&Value::Null);
    *slot = items.into_iter().next().unwrap_or_default();
    if more {
        run.lose(field, LossReason::OnlyFirstKept);
    }
    Ok(())
}

fn convert_field(
    record: &mut Map,
    field: &str,
    (from, to): (Scalar, Scalar),
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(slot) = record.get_mut(field) else {
        return Ok(());
    };
    run.fuel.spend_on(slot)?;
    if let Some(known) = base.and_then(|base| base.get(field)) {
        run.fuel.spend_on(known)?;
        if convert(known, from) == *slot {
            *slot = known.clone();
            return Ok(());
        }
    }
    let converted = convert(slot, to);
    let exact = convert(&converted, from) == *slot;
    *slot = converted;
    if !exact {
        run.lose(field, LossReason::Inexact);
    }
    Ok(())
}

/// The name of an enum's variant: the value itself, or the one key of a record.
fn variant(value: &Value) -> Option<&str> {
    match value {
        Value::Text(name) => Some(name),
        Value::Map(map) if map.len() == 1 => map.iter().next().map(|(name, _)| name),
        _ => None,
    }
}

/// What `value` becomes in direction `dir`, and whether that is a stand-in.
fn mapped(lens: &Lens, dir: Dir, value: &Value) -> (Value, bool) {
    let (
        Lens::MapEnum {
            pairs,
            other_up,
            other_down,
            ..
        },
        Some(name),
    ) = (lens, variant(value))
    else {
        return (value.clone(), false);
    };
    let (found, other) = match dir {
        Dir::Up => (
            pairs
                .iter()
                .find(|(before, _)| before == name)
                .map(|(_, after)| after),
            other_up,
        ),
        Dir::Down => (
            pairs
                .iter()
                .find(|(_, after)| after == name)
                .map(|(before, _)| before),
            other_down,
        ),
    };
    match (found, other) {
        (Some(name), _) => (renamed(value, name), false),
        // A stand-in carries nothing: the data of the variant it stands for means nothing to it.
        (None, Some(other)) if other != name => (Value::Text(other.clone()), true),
        _ => (value.clone(), false),
    }
}

fn renamed(value: &Value, name: &str) -> Value {
    match value {
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(_, data)| (name.to_owned(), data.clone()))
                .collect(),
        ),
        _ => Value::Text(name.to_owned()),
    }
}

fn map_enum(
    lens: &Lens,
    dir: Dir,
    record: &mut Map,
    field: &str,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(slot) = record.get_mut(field) else {
        return Ok(());
    };
    run.fuel.spend_on(slot)?;
    if let Some(known) = base.and_then(|base| base.get(field)) {
        run.fuel.spend_on(known)?;
        let (back, stand_in) = mapped(lens, dir.back(), known);
        if back == *slot {
            *slot = known.clone();
            return Ok(());
        }
        // Several variants may share one name on this side: stay with the one the far end had.
        let same_name = variant(&back).is_some() && variant(&back) == variant(slot);
        if let Some(name) = variant(known).filter(|_| same_name && !stand_in) {
            *slot = renamed(slot, name);
            return Ok(());
        }
    }
    let (value, _) = mapped(lens, dir, slot);
    let exact = mapped(lens, dir.back(), &value).0 == *slot;
    *slot = value;
    if !exact {
        run.lose(field, LossReason::NoSuchVariant);
    }
    Ok(())
}

fn within(
    lenses: &[Lens],
    dir: Dir,
    record: &mut Map,
    field: &str,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let inner = match record.get_mut(field) {
        Some(Value::Map(inner)) => inner,
        None | Some(Value::Null) => return Ok(()),
        Some(_) => return Err(LensError::NotARecord(run.at(field))),
    };
    let mut steps: Vec<_> = lenses.iter().map(|lens| (lens, dir)).collect();
    if dir == Dir::Down {
        steps.reverse();
    }
    let base = base
        .and_then(|base| base.get(field))
        .and_then(Value::as_map);
    run.path.push(field.to_owned());
    let done = apply_all(&steps, inner, base, run);
    run.path.pop();
    done
}
