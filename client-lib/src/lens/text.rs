//! One text as several, and several as one.

use super::apply::place;
use super::run::{LensError, Run};
use crate::loss::LossReason;
use crate::value::{Map, Value};

/// Cuts the text in `field` at `separator` and puts the parts into the fields `into`.
pub(super) fn split(
    record: &mut Map,
    field: &str,
    separator: &str,
    into: &[String],
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(whole) = record.remove(field) else {
        return Ok(());
    };
    if let Some(base) = base {
        let known: Vec<_> = into.iter().map(|name| base.get(name)).collect();
        if joined(&known, separator, run).ok().flatten().as_ref() == Some(&whole) {
            for (name, part) in into.iter().zip(known) {
                if let Some(part) = part {
                    place(record, name, part.clone(), run)?;
                }
            }
            return Ok(());
        }
    }
    let parts = match &whole {
        Value::Null => vec![Value::Null; into.len()],
        Value::Text(text) => {
            run.fuel.make(&whole)?;
            cut(text, separator, into.len())
        }
        _ => return Err(LensError::NotText(run.at(field))),
    };
    let exact = joined(&parts.iter().map(Some).collect::<Vec<_>>(), separator, run)?;
    if exact.as_ref() != Some(&whole) {
        run.lose(field, LossReason::Inexact);
    }
    for (name, part) in into.iter().zip(parts) {
        place(record, name, part, run)?;
    }
    Ok(())
}

/// Joins the texts in `fields` and puts the whole into the field `into`.
pub(super) fn join(
    record: &mut Map,
    fields: &[String],
    separator: &str,
    into: &str,
    base: Option<&Map>,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let parts: Vec<Option<Value>> = fields.iter().map(|name| record.remove(name)).collect();
    let as_known: Vec<_> = parts.iter().map(Option::as_ref).collect();
    let Some(whole) = joined(&as_known, separator, run)? else {
        return Ok(());
    };
    let again = match &whole {
        Value::Text(text) => cut(text, separator, fields.len()),
        _ => vec![Value::Null; fields.len()],
    };
    let same = |again: &[Value]| again.iter().map(Some).eq(as_known.iter().copied());
    // Several wholes may have the same parts: stay with the one the far end had.
    if let Some(known @ Value::Text(text)) = base.and_then(|base| base.get(into)) {
        run.fuel.make(known)?;
        if same(&cut(text, separator, fields.len())) {
            return place(record, into, known.clone(), run);
        }
    }
    if !same(&again) {
        run.lose(into, LossReason::Inexact);
    }
    place(record, into, whole, run)
}

/// The parts of `text`, as many as are asked for.
fn cut(text: &str, separator: &str, parts: usize) -> Vec<Value> {
    let mut found: Vec<Value> = text.splitn(parts, separator).map(Value::from).collect();
    found.resize(parts, Value::Text(String::new()));
    found
}

/// The whole that the parts make: none where none is there, null where all are null.
fn joined(
    parts: &[Option<&Value>],
    separator: &str,
    run: &mut Run<'_>,
) -> Result<Option<Value>, LensError> {
    if parts
        .iter()
        .all(|part| matches!(part, None | Some(Value::Null)))
    {
        return Ok(parts.iter().flatten().next().map(|_| Value::Null));
    }
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            None | Some(Value::Null) => Some(""),
            Some(part) => part.as_text(),
        })
        .collect();
    let texts = texts.ok_or_else(|| LensError::NotText(run.at("")))?;
    let filled = texts.iter().rposition(|text| !text.is_empty());
    let texts = texts
        .get(..filled.map_or(0, |last| last + 1))
        .unwrap_or_default();
    let length = texts.iter().map(|text| text.len() + separator.len()).sum();
    run.fuel.make_text(length)?;
    Ok(Some(Value::Text(texts.join(separator))))
}
