//! Bytes back to a value, for bytes that nobody vouches for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::way::Brought;
use super::{Form, LAYOUT, Provenance, Restored};
use crate::cbor;
use crate::chain::{Chain, Line, VersionId};
use crate::error::StateError;
use crate::host;
use crate::lens::Fuel;
use crate::loss::{LossReason, LossReport};
use crate::state::{Record, State};
use crate::value::{Map, Value};

/// How much a state and the origins within it may be together.
pub(super) struct Budget {
    /// Most states within each other. Each is another version than the one around it.
    levels: usize,
    /// Bytes that are read, each as often as a state around it is read.
    bytes: usize,
    /// Values, as in [`cbor::Limits`].
    nodes: usize,
}

impl Default for Budget {
    /// Twice what one state may be in values, and four times in bytes, as the inner ones lie within the outer ones.
    fn default() -> Self {
        let one = cbor::Limits::default();
        Budget {
            levels: 17,
            bytes: 4 * one.bytes,
            nodes: 2 * one.nodes,
        }
    }
}

impl Budget {
    /// Decodes one level.
    fn decode(&mut self, bytes: &[u8]) -> Result<Value, StateError> {
        self.levels = self
            .levels
            .checked_sub(1)
            .ok_or(StateError::TooManyOrigins)?;
        let one = cbor::Limits::default();
        let mut limits = cbor::Limits {
            bytes: one.bytes.min(self.bytes),
            nodes: one.nodes.min(self.nodes),
        };
        let allowed = limits.nodes;
        let value = cbor::decode_counting(bytes, &mut limits)?;
        self.nodes -= allowed - limits.nodes;
        self.bytes -= bytes.len();
        Ok(value)
    }
}

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
    if provenance.travelled_down {
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
    let mut document = Document::read(bytes)?;
    if document.type_id != form.type_id {
        return Err(StateError::OtherType {
            expected: form.type_id.clone().into_owned(),
            found: document.type_id,
        });
    }
    let mut fuel = Fuel::TRAVELLING;
    let Brought {
        body,
        mut loss,
        origin_is_merged,
    } = document.bring_to(form, &mut fuel)?;
    let origin = document.origin_for(form, origin_is_merged)?;
    let local = document.local_fields(&mut loss);
    let provenance = Provenance {
        travelled_down: document.is_new_to(form.line()),
        id: document.id,
        bytes: document.bytes,
    };
    if provenance.travelled_down {
        // The origin is the document itself.
        loss.mark_all_kept();
    }
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
    Document::read(bytes).map(|document| document.type_id)
}

/// The outer map, checked.
pub(super) struct Document {
    pub(super) bytes: Arc<[u8]>,
    pub(super) type_id: String,
    pub(super) id: VersionId,
    pub(super) chain: Chain,
    /// Oldest version that can make anything of it.
    pub(super) readable_from: u32,
    pub(super) body: Map,
    /// Bodies of older versions, which only code could make.
    pub(super) images: BTreeMap<u32, Image>,
    pub(super) local: Option<Map>,
    pub(super) origin: Option<Kept>,
}

/// An origin within a state.
pub(super) struct Kept {
    pub(super) bytes: Arc<[u8]>,
    /// What is in it; none where it cannot be read: it must not keep the state around it from being restored.
    pub(super) document: Option<Box<Document>>,
}

/// The body as an older version reads it.
pub(super) struct Image {
    pub(super) body: Map,
    /// What had no place in it, in the names of the version that wrote.
    pub(super) lost: Vec<String>,
}

impl Document {
    pub(super) fn read(bytes: &[u8]) -> Result<Document, StateError> {
        Document::read_within(bytes, &mut Budget::default())
    }

    fn read_within(bytes: &[u8], budget: &mut Budget) -> Result<Document, StateError> {
        let Value::Map(mut map) = budget.decode(bytes)? else {
            return Err(StateError::Malformed("it is not a map"));
        };
        check_layout(&map)?;
        let Some(Value::Text(type_id)) = map.remove("type") else {
            return Err(StateError::Malformed("its type is missing"));
        };
        let (chain, id) = read_version(&map)?;
        let Some(Value::Map(body)) = map.remove("body") else {
            return Err(StateError::Malformed("its body is missing"));
        };
        let local = match map.remove("local") {
            None => None,
            Some(Value::Map(local)) => Some(local),
            Some(_) => return Err(StateError::Malformed("its local part is not a map")),
        };
        Ok(Document {
            bytes: bytes.into(),
            type_id,
            readable_from: number(&map, "readable_from").ok_or(StateError::Malformed(
                "the oldest version that can read it is missing",
            ))?,
            body,
            images: read_images(map.remove("images"), id.number)?,
            local,
            origin: read_origin(map.remove("origin"), budget)?,
            id,
            chain,
        })
    }

    pub(super) fn line(&self) -> Line<'_> {
        Line {
            chain: &self.chain,
            schema: self.id.schema,
        }
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

fn number(map: &Map, name: &str) -> Option<u32> {
    match map.get(name) {
        Some(Value::Int(number)) => u32::try_from(*number).ok(),
        _ => None,
    }
}

fn check_layout(map: &Map) -> Result<(), StateError> {
    match map.get("overwinter") {
        Some(Value::Int(LAYOUT)) => Ok(()),
        Some(Value::Int(other)) => Err(StateError::Layout(u64::try_from(*other).unwrap_or(0))),
        _ => Err(StateError::Malformed("its layout number is missing")),
    }
}

/// The chain and the id of the version that wrote, which have to fit each other.
fn read_version(map: &Map) -> Result<(Chain, VersionId), StateError> {
    let version = number(map, "version").ok_or(StateError::Malformed("its version is missing"))?;
    let hash = |name| match map.get(name) {
        Some(Value::Bytes(bytes)) => <[u8; 32]>::try_from(bytes.as_slice()).ok(),
        _ => None,
    };
    let schema = hash("schema").ok_or(StateError::Malformed("its schema hash is missing"))?;
    let steps = map
        .get("chain")
        .ok_or(StateError::Malformed("its steps are missing"))?;
    let chain = Chain::read(version, steps)?;
    let id = VersionId {
        number: version,
        schema: Some(schema),
        chain: chain.hash(),
    };
    match hash("chain_hash") {
        Some(said) if said == id.chain => Ok((chain, id)),
        _ => Err(StateError::Malformed(
            "its steps are not those that it says they are",
        )),
    }
}

fn read_images(images: Option<Value>, version: u32) -> Result<BTreeMap<u32, Image>, StateError> {
    let bad = StateError::Malformed("its images of older versions are damaged");
    let images = match images {
        None => return Ok(BTreeMap::new()),
        Some(Value::Map(images)) => images,
        Some(_) => return Err(bad),
    };
    let read = |(number, image): (String, Value)| {
        let number: u32 = number.parse().ok().filter(|number| *number < version)?;
        let Value::Map(mut image) = image else {
            return None;
        };
        let (Value::Map(body), Value::List(lost)) = (image.remove("body")?, image.remove("lost")?)
        else {
            return None;
        };
        let lost = lost.iter().map(|path| path.as_text().map(str::to_owned));
        let lost = lost.collect::<Option<_>>()?;
        Some((number, Image { body, lost }))
    };
    images
        .into_iter()
        .map(read)
        .collect::<Option<_>>()
        .ok_or(bad)
}

fn read_origin(origin: Option<Value>, budget: &mut Budget) -> Result<Option<Kept>, StateError> {
    match origin {
        None => Ok(None),
        Some(Value::Bytes(origin)) => {
            let document = Document::read_within(&origin, budget);
            if let Err(e) = &document {
                tracing::warn!("what another version added is kept, but cannot be read: {e}");
            }
            Ok(Some(Kept {
                bytes: origin.into(),
                document: document.ok().map(Box::new),
            }))
        }
        Some(_) => Err(StateError::Malformed("its origin is not bytes")),
    }
}
