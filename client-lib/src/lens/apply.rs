//! The lenses that move, make and convert fields of a record.

use super::run::{At, LensError, Run};
use super::scalar::{Scalar, convert};
use crate::loss::LossReason;
use crate::value::{Kind, Map, Value};

/// Puts a moved value in place; what stood there is lost and said so.
pub(super) fn place(
    record: &mut Map,
    field: &str,
    value: Value,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    // A long name in each of many records is a lot of text.
    run.fuel.make_text(field.len())?;
    if record.insert(field, value).is_some() {
        run.lose(field, LossReason::Displaced);
    }
    Ok(())
}

pub(super) fn rename(
    record: &mut Map,
    from: &str,
    to: &str,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    run.fuel.make_text(to.len())?;
    if record.rename(from, to).is_some() {
        run.lose(to, LossReason::Displaced);
    }
    Ok(())
}

pub(super) fn introduce(
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
        run.fuel.make(value)?;
        place(record, field, value.clone(), run)?;
    }
    Ok(())
}

pub(super) fn withdraw(
    record: &mut Map,
    field: &str,
    default: &Value,
    reason: LossReason,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    run.fuel.spend_on(default)?;
    // Where there was none (a field of a part that is absent), the way back makes the default of it, too.
    if record.remove(field).unwrap_or_default() != *default {
        run.lose(field, reason);
    }
    Ok(())
}

pub(super) fn hoist(
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
    place(record, field, value, run)
}

pub(super) fn plunge(
    record: &mut Map,
    host: &str,
    field: &str,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    if host != field && !matches!(record.get(host), None | Some(Value::Map(_) | Value::Null)) {
        return Err(LensError::NotARecord(run.at(host)));
    }
    let Some(value) = record.remove(field) else {
        return Ok(());
    };
    run.fuel.deepen()?;
    if !matches!(record.get(host), Some(Value::Map(_))) {
        run.fuel.make_text(host.len())?;
        record.insert(host, Map::new());
    }
    if let Some(Value::Map(inner)) = record.get_mut(host) {
        run.path.push(At::Name(host.to_owned()));
        let placed = place(inner, field, value, run);
        run.path.pop();
        placed?;
    }
    Ok(())
}

pub(super) fn wrap(
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
        run.fuel.make(known)?;
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

pub(super) fn unwrap(record: &mut Map, field: &str, run: &mut Run<'_>) -> Result<(), LensError> {
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

pub(super) fn convert_field(
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
