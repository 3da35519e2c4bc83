//! A value to the bytes that are kept.

use super::{Encoded, Form, LAYOUT, Origin, hash_of};
use crate::cbor;
use crate::error::StateError;
use crate::host;
use crate::state::{Record, State};
use crate::value::{Map, Value};

/// Saves `value`.
///
/// # Errors
/// When a field cannot be serialized, nests too deeply, or holds a number beyond 64 bits.
pub fn save<T: State>(value: &T) -> Result<Vec<u8>, StateError> {
    save_with_origin(value, None).map(|encoded| encoded.bytes)
}

/// Saves `value` and, with it, what a newer version left to be kept ([`Restored::origin`](super::Restored::origin)).
///
/// # Errors
/// As [`save`].
pub fn save_with_origin<T: State>(
    value: &T,
    origin: Option<&Origin>,
) -> Result<Encoded, StateError> {
    save_record(&Form::of::<T>(), value.to_record()?, origin)
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
    let body = Value::Map(body);
    let digest = hash_of(&body)?;

    let mut document = Map::new();
    write_identity(&mut document, form)?;
    document.insert("body", body);
    write_local(&mut document, local);
    if let Some(origin) = origin {
        document.insert("origin", Value::Bytes(origin.bytes.to_vec()));
    }
    Ok(Encoded {
        bytes: cbor::encode(&Value::Map(document))?,
        digest,
    })
}

/// What the state is, of which version, and the steps that lead there.
fn write_identity(document: &mut Map, form: &Form) -> Result<(), StateError> {
    let chain = form.chain.to_value()?;
    document.insert("overwinter", Value::Int(LAYOUT));
    document.insert("type", form.type_id.as_ref());
    document.insert("version", form.version());
    document.insert("schema", Value::Bytes(form.schema_hash.to_vec()));
    document.insert("chain_hash", Value::Bytes(hash_of(&chain)?.to_vec()));
    document.insert("chain", chain);
    document.insert("readable_from", form.chain.oldest());
    Ok(())
}

/// The fields that stay on this host; left out where the host has no name to tell it by.
fn write_local(document: &mut Map, fields: Map) {
    if let (false, Some(tag)) = (fields.is_empty(), host::tag()) {
        let mut local = Map::new();
        local.insert("host", Value::Bytes(tag.to_vec()));
        local.insert("fields", fields);
        document.insert("local", local);
    }
}
