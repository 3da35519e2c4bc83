//! Enums whose variants are called otherwise, come or go.

use super::Lens;
use super::run::{Dir, LensError, Run};
use crate::loss::LossReason;
use crate::value::{Map, Value};

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

pub(super) fn map_enum(
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
