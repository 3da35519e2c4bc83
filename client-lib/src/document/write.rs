//! A value to the bytes that are kept.

use super::straight::{self, Straight};
use super::{Encoded, Form, LAYOUT, Origin, hash_of};
use crate::cbor;
use crate::error::StateError;
use crate::host;
use crate::lens::{Fuel, Keys, LensError, Run, run_all};
use crate::loss::LossReport;
use crate::parts;
use crate::state::{Record, State};
use crate::value::{Map, Value};

/// Saves `value`.
///
/// # Errors
/// When a field cannot be serialized, nests too deeply, or holds a number beyond 64 bits; and when there are blobs or secrets,
/// which are no part of the bytes: see [`save_with_parts`](crate::save_with_parts).
pub fn save<T: State>(value: &T) -> Result<Vec<u8>, StateError> {
    let form = Form::of::<T>();
    let (saved, parts) = parts::collect(|| match straight::write(&form, value)? {
        Some(straight) => Ok(straight.bytes),
        None => save_record(&form, value.to_record()?, None).map(|encoded| encoded.bytes),
    });
    if !parts.is_empty() {
        return Err(StateError::KeptApart);
    }
    saved
}

/// Saves `value` and, with it, what a newer version left to be kept ([`Restored::origin`](super::Restored::origin)).
///
/// # Errors
/// As [`save`].
pub fn save_with_origin<T: State>(
    value: &T,
    origin: Option<&Origin>,
) -> Result<Encoded, StateError> {
    let form = Form::of::<T>();
    if origin.is_none()
        && let Some(Straight { bytes, body }) = straight::write(&form, value)?
    {
        let digest = blake3::hash(bytes.get(body).unwrap_or_default());
        return Ok(Encoded {
            bytes,
            digest: *digest.as_bytes(),
            readable_from: form.chain().oldest(),
        });
    }
    save_record(&form, value.to_record()?, origin)
}

/// As [`save_with_origin`], for a record whose type is known as data alone.
///
/// # Errors
/// When a value nests too deeply or holds a number beyond 64 bits.
pub fn save_record(
    form: &Form,
    record: Record,
    origin: Option<&Origin>,
) -> Result<Encoded, StateError> {
    let Record { body, local } = record;
    parts::note_references(&body, &local, origin.map(|origin| &*origin.bytes));
    let mut document = Map::new();
    write_identity(&mut document, form);
    let readable_from = write_images(&mut document, form, &body);
    let body = Value::Map(body);
    let digest = hash_of(&body)?;
    document.insert("body", body);
    write_local(&mut document, local);
    if let Some(origin) = origin {
        document.insert("origin", Value::Bytes(origin.bytes.to_vec()));
    }
    Ok(Encoded {
        bytes: cbor::encode(&Value::Map(document))?,
        digest,
        readable_from,
    })
}

/// What the state is, of which version, and the steps that lead there.
pub(super) fn write_identity(document: &mut Map, form: &Form) {
    document.insert("overwinter", Value::Int(LAYOUT));
    document.insert("type", form.type_id.as_ref());
    document.insert("version", form.version());
    document.insert("schema", Value::Bytes(form.schema_hash.to_vec()));
    document.insert("chain_hash", Value::Bytes(form.chain.hash().to_vec()));
    document.insert("chain", form.chain.to_value());
}

/// Where steps need code, which older programs lack, what it makes of the body for them; and the oldest version that can
/// read the state. Code that fails takes older versions the way to it, but never keeps a state from being saved.
fn write_images(document: &mut Map, form: &Form, body: &Map) -> u32 {
    let chain = form.chain();
    let mut readable_from = chain.oldest();
    let (mut at, mut image, mut images) = (chain.version(), None::<Map>, Map::new());
    while let Some(step) = chain.last_code_up_to(at) {
        let mut older = image.take().unwrap_or_else(|| body.clone());
        let moves: Vec<_> = chain.down(at, step.from).collect();
        let (mut fuel, mut silent) = (Fuel::OWN, LossReport::default());
        let mut run = Run::new(&mut fuel, &mut silent);
        match run_all(&moves, &mut older, None, Keys::none(), &mut run) {
            Ok(()) => {}
            Err(e) => {
                if !matches!(e, LensError::NoCode { .. }) {
                    tracing::warn!(
                        "no version before {} can read this `{}`: {e}",
                        step.to,
                        form.type_id
                    );
                }
                readable_from = step.to;
                break;
            }
        }
        at = step.from;
        let mut entry = Map::new();
        entry.insert("lost", lost(form, at, &older, body));
        entry.insert("body", older.clone());
        images.insert(at.to_string(), entry);
        image = Some(older);
    }
    if !images.is_empty() {
        document.insert("images", images);
    }
    document.insert("readable_from", readable_from);
    readable_from
}

/// What of `body` does not come back from its image at an older version: the paths, in the names of the newer.
fn lost(form: &Form, older: u32, image: &Map, body: &Map) -> Value {
    let moves: Vec<_> = form.chain().up(older, form.version()).collect();
    let mut again = image.clone();
    let (mut fuel, mut silent) = (Fuel::OWN, LossReport::default());
    let mut run = Run::new(&mut fuel, &mut silent);
    let mut paths = Vec::new();
    match run_all(&moves, &mut again, None, Keys::none(), &mut run) {
        Ok(()) => differences(body, &again, "", &mut paths),
        // It comes from nowhere else: all of it counts as lost.
        Err(_) => paths.extend(body.iter().map(|(name, _)| Value::from(name))),
    }
    Value::List(paths)
}

fn differences(body: &Map, again: &Map, path: &str, paths: &mut Vec<Value>) {
    for (name, value) in body.iter() {
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        match (value, again.get(name)) {
            (value, Some(other)) if value == other => {}
            (Value::Map(inner), Some(Value::Map(other))) => differences(inner, other, &path, paths),
            (Value::Null, None) => {}
            _ => paths.push(Value::Text(path)),
        }
    }
}

/// The fields that stay on this host; left out where the host has no name to tell it by.
pub(super) fn write_local(document: &mut Map, fields: Map) {
    if let (false, Some(tag)) = (fields.is_empty(), host::tag()) {
        let mut local = Map::new();
        local.insert("host", Value::Bytes(tag.to_vec()));
        local.insert("fields", fields);
        document.insert("local", local);
    }
}
