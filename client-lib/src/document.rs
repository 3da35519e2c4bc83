//! A saved state as bytes, and the way between versions.
//!
//! One CBOR map: `overwinter` (layout, 1), `type`, `version`, `schema` and `chain_hash` (BLAKE3), `chain` (the steps that
//! lead to this version, as data), `readable_from` (oldest version they lead down to), `body`; where there are any, `local`
//! (`host` tag and `fields`) and `origin` (the encoded state of a newer version that this one was derived from).
//!
//! Which way state goes (design: *own steps win*):
//!
//! * The reader and the writer compare their steps. From the writer's version the *travelling* steps lead down to the last
//!   version both agree on; from there the reader's *own* steps lead up.
//! * Whoever had to go down keeps what was written as the *origin* and saves it along with its own body.
//! * Who goes up merges the body into the origin, so that everything comes back that the older version could not
//!   hold. The origin is given up once a version that knows all of its steps has restored it.

use std::sync::Arc;

use crate::cbor;
use crate::chain::Chain;
use crate::error::StateError;
use crate::host;
use crate::lens::{Dir, Fuel, Lens, Run, apply_all};
use crate::loss::{LossReason, LossReport};
use crate::state::{Record, State};
use crate::value::{Map, Value};

/// Layout of the outer map.
const LAYOUT: i128 = 1;

/// Most origins within origins. Each is a newer version than the one around it.
const MOST_ORIGINS: usize = 16;

/// A saved state: its bytes and what identifies its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What to keep.
    pub bytes: Vec<u8>,
    /// BLAKE3 of the canonical body alone: equal for equal content, whatever else travels along.
    pub digest: [u8; 32],
}

/// What a newer version wrote and this one cannot hold. Save it along: see [`save_with_origin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    bytes: Arc<[u8]>,
}

impl Origin {
    /// BLAKE3 of the origin, its name for life.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }
}

/// A state brought back.
#[derive(Debug)]
pub struct Restored<T> {
    /// The state.
    pub value: T,
    /// What could not be carried.
    pub loss: LossReport,
    /// To be saved along from now on.
    pub origin: Option<Origin>,
    /// Where the state came from.
    pub provenance: Provenance,
}

/// Where a restored state came from: enough to tell whether anything was lost on the way.
#[derive(Debug, Clone)]
pub struct Provenance {
    body: Map,
    chain: Chain,
}

/// Saves `value`.
///
/// # Errors
/// When a field cannot be serialized, nests too deeply, or holds a number beyond 64 bits.
pub fn save<T: State>(value: &T) -> Result<Vec<u8>, StateError> {
    save_with_origin(value, None).map(|encoded| encoded.bytes)
}

/// Saves `value` and, with it, what a newer version left to be kept ([`Restored::origin`]).
///
/// # Errors
/// As [`save`].
pub fn save_with_origin<T: State>(
    value: &T,
    origin: Option<&Origin>,
) -> Result<Encoded, StateError> {
    let record = value.to_record()?;
    let chain = T::chain().to_value()?;
    let body = Value::Map(record.body);
    let digest = hash_of(&body)?;

    let mut document = Map::new();
    document.insert("overwinter", Value::Int(LAYOUT));
    document.insert("type", T::TYPE_ID);
    document.insert("version", T::VERSION);
    document.insert("schema", Value::Bytes(T::schema_hash().to_vec()));
    document.insert("chain_hash", Value::Bytes(hash_of(&chain)?.to_vec()));
    document.insert("chain", chain);
    document.insert("readable_from", T::chain().oldest());
    document.insert("body", body);
    if let (false, Some(tag)) = (record.local.is_empty(), host::tag()) {
        let mut local = Map::new();
        local.insert("host", Value::Bytes(tag.to_vec()));
        local.insert("fields", record.local);
        document.insert("local", local);
    }
    if let Some(origin) = origin {
        document.insert("origin", Value::Bytes(origin.bytes.to_vec()));
    }
    Ok(Encoded {
        bytes: cbor::encode(&Value::Map(document))?,
        digest,
    })
}

/// Brings back what [`save`] wrote, in this or any other version of the program.
///
/// # Errors
/// For bytes that are damaged, of another type, from a version that no way leads from, or whose travelling steps
/// misbehave. Never panics; memory and time are bounded by [`cbor::Limits`] and [`Fuel::TRAVELLING`].
pub fn restore<T: State>(bytes: &[u8]) -> Result<Restored<T>, StateError> {
    let document = Document::read(bytes, MOST_ORIGINS)?;
    if document.type_id != T::TYPE_ID {
        return Err(StateError::OtherType {
            expected: T::TYPE_ID,
            found: document.type_id,
        });
    }
    let own = T::chain();
    let mut loss = LossReport::default();
    let origin = document.origin_for(own)?;
    let body = document.bring_to(own, &mut loss, &mut Fuel::TRAVELLING.clone())?;
    let local = document.local_fields(&mut loss);
    let value = T::from_record(Record { body, local }, &mut loss)?;
    if common(own, &document.chain)? < document.chain.version() {
        // The origin is the document itself.
        loss.mark_all_kept();
    }
    let provenance = Provenance {
        body: document.body,
        chain: document.chain,
    };
    Ok(Restored {
        value,
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

impl Provenance {
    /// BLAKE3 of the body as it was written.
    ///
    /// # Errors
    /// Never for a state that was restored; the encoder's limits are the same.
    pub fn digest(&self) -> Result<[u8; 32], StateError> {
        hash_of(&Value::Map(self.body.clone()))
    }

    /// Saves `value` again, brings it back to the writer's version, and hashes the body: equal to [`digest`](Self::digest)
    /// when nothing was lost on the way here.
    ///
    /// # Errors
    /// When `value` cannot be saved or a step back fails.
    pub fn digest_after<T: State>(&self, value: &T) -> Result<[u8; 32], StateError> {
        let mut body = value.to_record()?.body;
        let own = T::chain();
        let common = common(own, &self.chain)?;
        let back: Vec<(&Lens, Dir)> = self.chain.route_from(own, common);
        let mut silent = LossReport::default();
        let mut run = Run {
            fuel: &mut Fuel::TRAVELLING.clone(),
            loss: &mut silent,
            path: Vec::new(),
        };
        // What a version declares to drop is taken from the original: the comparison is about everything else.
        apply_all(&back, &mut body, Some(&self.body), &mut run)?;
        hash_of(&Value::Map(body))
    }
}

fn hash_of(value: &Value) -> Result<[u8; 32], StateError> {
    Ok(*blake3::hash(&cbor::encode(value)?).as_bytes())
}

fn common(own: &Chain, theirs: &Chain) -> Result<u32, StateError> {
    own.last_common(theirs).ok_or(StateError::NoWay {
        reader: own.version(),
        writer: theirs.version(),
        oldest: theirs.oldest(),
    })
}

/// The outer map, checked.
struct Document {
    bytes: Arc<[u8]>,
    type_id: String,
    chain: Chain,
    body: Map,
    local: Option<Map>,
    origin: Option<Box<Document>>,
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

    /// The body as a program with the chain `own` sees it, merged into the origin where there is one.
    fn bring_to(
        &self,
        own: &Chain,
        loss: &mut LossReport,
        fuel: &mut Fuel,
    ) -> Result<Map, StateError> {
        let common = common(own, &self.chain)?;
        let route = own.route_from(&self.chain, common);
        let mut own_fuel = Fuel::OWN;
        let travels = common < self.chain.version();
        let base = match &self.origin {
            // Only a pure way up writes into what a newer version knew.
            Some(origin) if !travels && !route.is_empty() => self.base(origin, own, loss, fuel),
            _ => None,
        };
        if let Some(base) = &base {
            let mut body = self.body.clone();
            let mut merged = LossReport::default();
            let mut run = Run {
                fuel: &mut *fuel,
                loss: &mut merged,
                path: Vec::new(),
            };
            if apply_all(&route, &mut body, Some(base), &mut run).is_ok() {
                loss.append(merged);
                return Ok(body);
            }
            loss.note("", LossReason::OriginUnreadable);
        }
        let mut body = self.body.clone();
        let fuel = if travels { fuel } else { &mut own_fuel };
        apply_all(
            &route,
            &mut body,
            None,
            &mut Run {
                fuel,
                loss,
                path: Vec::new(),
            },
        )?;
        if body.depth() > cbor::MAX_DEPTH {
            return Err(StateError::Unwritable(cbor::EncodeError::TooDeep));
        }
        Ok(body)
    }

    /// The origin as `own` sees it. An origin that cannot be read must not keep the body from being restored.
    fn base(
        &self,
        origin: &Document,
        own: &Chain,
        loss: &mut LossReport,
        fuel: &mut Fuel,
    ) -> Option<Map> {
        if origin.type_id == self.type_id
            && let Ok(base) = origin.bring_to(own, &mut LossReport::default(), fuel)
        {
            return Some(base);
        }
        loss.note("", LossReason::OriginUnreadable);
        None
    }

    /// What a program with the chain `own` must save along: the innermost state that it does not know all steps of.
    fn origin_for(&self, own: &Chain) -> Result<Option<Origin>, StateError> {
        if common(own, &self.chain)? < self.chain.version() {
            return Ok(Some(Origin {
                bytes: self.bytes.clone(),
            }));
        }
        match &self.origin {
            // An origin that shares no version with this program is not this program's to give up.
            Some(origin) => Ok(origin.origin_for(own).unwrap_or(Some(Origin {
                bytes: origin.bytes.clone(),
            }))),
            None => Ok(None),
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

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
