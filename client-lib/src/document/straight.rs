//! The short way from a value to the bytes that are kept: written once, where they stand in the end.
//!
//! `body` is the first name of the outer map in the order that deterministic CBOR has, so all else is written behind it.

use std::ops::Range;

use super::Form;
use super::write::{write_identity, write_local};
use crate::cbor::{self, major, write_head};
use crate::error::StateError;
use crate::part::{ByteSink, Trouble, Writer};
use crate::state::State;
use crate::value::{Map, Value};

const BODY: &str = "body";

/// A document and where its body is.
pub(super) struct Straight {
    pub bytes: Vec<u8>,
    pub body: Range<usize>,
}

/// Writes `value` on the short way. None where it does not lead: when steps need code to make images of the body, and when
/// the state refers to what is kept beside it.
///
/// # Errors
/// As [`save`](super::save).
pub(super) fn write<T: State>(form: &Form, value: &T) -> Result<Option<Straight>, StateError> {
    let chain = form.chain();
    if chain.last_code_up_to(chain.version()).is_some() {
        return Ok(None);
    }
    let mut others = Map::new();
    write_identity(&mut others, form);
    others.insert("readable_from", chain.oldest());
    write_local(&mut others, value.local_fields()?);
    // A map of at most 23 entries has a head of one byte, and no name that is shorter than "body" comes before it.
    let (Ok(entries), true) = (
        u8::try_from(others.len() + 1),
        others.len() < 23 && others.iter().all(|(name, _)| name.len() >= BODY.len()),
    ) else {
        return Ok(None);
    };

    let mut bytes = Vec::new();
    write_head(&mut bytes, major::MAP, entries.into());
    write_head(&mut bytes, major::TEXT, BODY.len() as u64);
    bytes.extend_from_slice(BODY.as_bytes());
    let start = bytes.len();
    let mut sink = ByteSink::after(bytes);
    value.write_body(&mut Writer::within(&mut sink, 1))?;
    let refers = sink.refers() || others.get("local").is_some_and(mentions);
    let mut bytes = match sink.finish() {
        Ok(bytes) if !refers => bytes,
        Err(Trouble::Unwritable(e)) => return Err(e.into()),
        Ok(_) | Err(Trouble::Order) => return Ok(None),
    };
    let body = start..bytes.len();
    for (name, value) in others.iter() {
        write_head(&mut bytes, major::TEXT, name.len() as u64);
        bytes.extend_from_slice(name.as_bytes());
        cbor::encode_onto(&mut bytes, value, 1)?;
    }
    Ok(Some(Straight { bytes, body }))
}

/// Whether a name within begins with `$`: it may stand for something that is kept beside the state.
fn mentions(value: &Value) -> bool {
    match value {
        Value::Map(map) => map
            .iter()
            .any(|(name, value)| name.starts_with('$') || mentions(value)),
        Value::List(items) => items.iter().any(mentions),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::document::{restore, save, save_record, save_with_origin};
    use crate::state::Rest;

    #[derive(Debug, Clone, PartialEq, crate::State)]
    #[state(id = "org.example.Notes/straight", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), add("wrap", true)))]
    struct Note {
        path: Option<String>,
        wrap: bool,
        folds: Vec<Fold>,
        marks: BTreeMap<String, u8>,
        big: i128,
        #[state(local)]
        scroll_px: f64,
        rest: Rest,
    }

    #[derive(Debug, Clone, PartialEq, crate::State)]
    struct Fold {
        until: u64,
        from: u64,
        rest: Rest,
    }

    fn note() -> Note {
        let mut rest = Rest::default();
        rest.0.insert("a", "first of all");
        rest.0
            .insert("unknown", Value::List(vec![Value::Null, 1.5.into()]));
        let fold = Fold {
            until: 300,
            from: 5,
            rest: rest.clone(),
        };
        Note {
            path: Some("/ü".into()),
            wrap: false,
            folds: vec![fold; 30],
            marks: [("long name".into(), 1), ("b".into(), 2)].into(),
            big: -5,
            scroll_px: 2.5,
            rest,
        }
    }

    #[test]
    fn both_ways_lead_to_the_same_bytes() {
        let note = note();
        let form = Form::of::<Note>();
        let straight = write(&form, &note).unwrap().expect("the short way");
        let long = save_record(&form, note.to_record().unwrap(), None).unwrap();
        assert_eq!(straight.bytes, long.bytes);
        assert_eq!(save(&note).unwrap(), long.bytes);
        assert_eq!(save_with_origin(&note, None).unwrap(), long);
        assert_eq!(restore::<Note>(&straight.bytes).unwrap().value, note);
    }

    #[test]
    fn what_refers_to_something_beside_the_state_goes_the_long_way() {
        let mut note = note();
        let mut blob = Map::new();
        blob.insert("$blob", Value::Bytes(vec![0; 32]));
        note.folds[3].rest.0.insert("picture", blob);
        assert!(write(&Form::of::<Note>(), &note).unwrap().is_none());
    }

    #[test]
    fn both_ways_refuse_what_cannot_be_written() {
        let mut large = note();
        large.big = i128::MAX;
        let form = Form::of::<Note>();
        let long = save_record(&form, large.to_record().unwrap(), None).unwrap_err();
        assert_eq!(save(&large).unwrap_err(), long);

        let mut deep = note();
        let mut value = Value::Null;
        for _ in 0..crate::cbor::MAX_DEPTH - 1 {
            value = Value::List(vec![value]);
        }
        deep.rest.0.insert("deep", value.clone());
        assert!(save_record(&form, deep.to_record().unwrap(), None).is_err());
        assert!(save(&deep).is_err());
        let Value::List(mut less) = value else {
            panic!("it is a list")
        };
        deep.rest.0.insert("deep", less.remove(0));
        assert!(save(&deep).is_ok());
    }
}
