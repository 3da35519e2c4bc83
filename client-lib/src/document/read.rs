//! Bytes back to a value, for bytes that nobody vouches for.

use std::sync::Arc;

use super::way::common;
use super::{Form, LAYOUT, Provenance, Restored};
use crate::cbor;
use crate::chain::Chain;
use crate::error::StateError;
use crate::host;
use crate::lens::Fuel;
use crate::loss::{LossReason, LossReport};
use crate::state::{Record, State};
use crate::value::{Map, Value};

/// Most origins within origins. Each is a newer version than the one around it.
const MOST_ORIGINS: usize = 16;

/// Brings back what [`save`](super::save) wrote, in this or any other version of the program.
///
/// # Errors
/// For bytes that are damaged, of another type, from a version that no way leads from, or whose travelling steps
/// misbehave. Never panics; memory and time are bounded by [`cbor::Limits`] and [`Fuel::TRAVELLING`].
pub fn restore<T: State>(bytes: &[u8]) -> Result<Restored<T>, StateError> {
    let Restored {
        value: record,
        mut loss,
        origin,
        provenance,
    } = restore_record(&Form::of::<T>(), bytes)?;
    let mut unread = LossReport::default();
    let value = T::from_record(record, &mut unread)?;
    if provenance.travelled_down(T::chain())? {
        unread.mark_all_kept();
    }
    loss.append(unread);
    Ok(Restored {
        value,
        loss,
        origin,
        provenance,
    })
}

/// As [`restore`], for a type that is known as data alone.
///
/// # Errors
/// As [`restore`]; that the record fits its schema is the caller's to check.
pub fn restore_record(form: &Form, bytes: &[u8]) -> Result<Restored<Record>, StateError> {
    let document = Document::read(bytes, MOST_ORIGINS)?;
    if document.type_id != form.type_id {
        return Err(StateError::OtherType {
            expected: form.type_id.clone().into_owned(),
            found: document.type_id,
        });
    }
    let own = form.chain();
    let mut loss = LossReport::default();
    let origin = document.origin_for(own)?;
    let body = document.bring_to(own, &mut loss, &mut Fuel::TRAVELLING.clone())?;
    let local = document.local_fields(&mut loss);
    if common(own, &document.chain)? < document.chain.version() {
        // The origin is the document itself.
        loss.mark_all_kept();
    }
    let provenance = Provenance {
        body: document.body,
        chain: document.chain,
    };
    Ok(Restored {
        value: Record { body, local },
        loss,
        origin,
        provenance,
    })
}

/// The type id of a saved state, without restoring it.
///
/// # Errors
/// When the bytes are not a saved state.
pub fn type_of(bytes: &[u8]) -> Result<String, StateError> {
    Document::read(bytes, MOST_ORIGINS).map(|document| document.type_id)
}

/// The outer map, checked.
pub(super) struct Document {
    pub(super) bytes: Arc<[u8]>,
    pub(super) type_id: String,
    pub(super) chain: Chain,
    pub(super) body: Map,
    pub(super) local: Option<Map>,
    pub(super) origin: Option<Box<Document>>,
}

impl Document {
    fn read(bytes: &[u8], origins_left: usize) -> Result<Document, StateError> {
        let Value::Map(mut map) = cbor::decode(bytes)? else {
            return Err(StateError::Malformed("it is not a map"));
        };
        match map.get("overwinter") {
            Some(Value::Int(LAYOUT)) => {}
            Some(Value::Int(other)) => {
                return Err(StateError::Layout(u64::try_from(*other).unwrap_or(0)));
            }
            _ => return Err(StateError::Malformed("its layout number is missing")),
        }
        let Some(Value::Text(type_id)) = map.remove("type") else {
            return Err(StateError::Malformed("its type is missing"));
        };
        let version = match map.get("version") {
            Some(Value::Int(version)) => u32::try_from(*version).ok(),
            _ => None,
        };
        let version = version.ok_or(StateError::Malformed("its version is missing"))?;
        let chain = map
            .remove("chain")
            .ok_or(StateError::Malformed("its steps are missing"))?;
        let chain = Chain::read(version, chain)?;
        let Some(Value::Map(body)) = map.remove("body") else {
            return Err(StateError::Malformed("its body is missing"));
        };
        let local = match map.remove("local") {
            None => None,
            Some(Value::Map(local)) => Some(local),
            Some(_) => return Err(StateError::Malformed("its local part is not a map")),
        };
        let origin = match (map.remove("origin"), origins_left.checked_sub(1)) {
            (None, _) => None,
            (Some(Value::Bytes(origin)), Some(left)) => {
                Some(Box::new(Document::read(&origin, left)?))
            }
            (Some(Value::Bytes(_)), None) => return Err(StateError::TooManyOrigins),
            (Some(_), _) => return Err(StateError::Malformed("its origin is not bytes")),
        };
        Ok(Document {
            bytes: bytes.into(),
            type_id,
            chain,
            body,
            local,
            origin,
        })
    }

    fn local_fields(&self, loss: &mut LossReport) -> Map {
        let Some(local) = &self.local else {
            return Map::new();
        };
        let Some(Value::Map(fields)) = local.get("fields") else {
            return Map::new();
        };
        let here = match (local.get("host"), host::tag()) {
            (Some(Value::Bytes(there)), Some(here)) => there.as_slice() == here,
            _ => false,
        };
        if here {
            return fields.clone();
        }
        for (name, _) in fields.iter() {
            loss.note(name, LossReason::LocalToOtherHost);
        }
        Map::new()
    }
}
