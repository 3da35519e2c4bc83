//! What hangs on a state while it is saved and restored: blobs and secrets.
//!
//! A part that writes itself hands its blobs and secrets to whoever collects them on this thread; one that reads itself finds
//! them the same way. So they may sit anywhere in a state, and the bytes of the state are the same with and without them.
//!
//! In the body a blob is `{"$blob": hash, "len": n}`, a secret `{"$secret": id}`. What refers to them without being a [`Blob`] or a
//! [`Secret`](crate::Secret) of this program (unknown fields, the origin) is found by that form, and carried.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use overwinter_proto::parts::{MAX_BLOBS, MAX_SECRETS};
use overwinter_proto::{BlobHash, BlobRef, Secrets};
use zeroize::{Zeroize, Zeroizing};

use crate::blob::{Blob, Source};
use crate::bridge::BridgeError;
use crate::cbor;
use crate::document::{Encoded, Origin, Restored, restore, save_with_origin};
use crate::error::StateError;
use crate::state::State;
use crate::value::{Map, Value};

const BLOB: &str = "$blob";
const LEN: &str = "len";
const SECRET: &str = "$secret";

/// A secret's placeholder: random, drawn anew for each value.
pub(crate) type SecretId = [u8; 16];

/// The parts of a saved state that are not in its bytes.
#[derive(Clone, Default)]
pub struct Parts {
    pub(crate) blobs: BTreeMap<BlobRef, Blob>,
    pub(crate) secrets: BTreeMap<SecretId, SecretValue>,
    /// Secrets that the state refers to.
    wanted: BTreeSet<SecretId>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretValue {
    travels: bool,
    /// CBOR.
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("blobs", &self.blobs.len())
            .field("secrets", &self.secrets.len())
            .finish()
    }
}

impl Parts {
    /// The blobs that the state refers to, each once. Those that it only carries along are not here to be read.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.blobs.values()
    }

    /// The secrets, in the two sections that docs/protocol.md describes: those that stay on this host and those that go along
    /// with a move.
    ///
    /// # Errors
    /// When a section is larger than 1 MiB.
    pub fn secrets(&self) -> Result<Secrets, StateError> {
        Ok(Secrets {
            staying: self.section(false)?,
            travelling: self.section(true)?,
        })
    }

    fn section(&self, travels: bool) -> Result<Vec<u8>, StateError> {
        let of = self.secrets.iter().filter(|(_, s)| s.travels == travels);
        let mut map = Map::new();
        for (id, secret) in of {
            map.insert(hex(id), Value::Bytes(secret.bytes.to_vec()));
        }
        if map.is_empty() {
            return Ok(Vec::new());
        }
        let encoded = cbor::encode(&Value::Map(map.clone()));
        for (_, value) in map {
            if let Value::Bytes(mut bytes) = value {
                bytes.zeroize();
            }
        }
        match encoded? {
            section if section.len() > MAX_SECRETS => Err(StateError::SecretsTooLarge),
            section => Ok(section),
        }
    }

    /// Takes the sections of secrets in. What is not one is told in the log and left out, rather than the work.
    pub(crate) fn take_secrets(&mut self, secrets: &Secrets) {
        for (section, travels) in [(&secrets.staying, false), (&secrets.travelling, true)] {
            if section.is_empty() {
                continue;
            }
            let Ok(Value::Map(map)) = cbor::decode(section) else {
                tracing::warn!("the document's secrets cannot be read; it comes without them");
                continue;
            };
            for (id, value) in map {
                if let (Some(id), Value::Bytes(bytes)) = (unhex(&id), value) {
                    let bytes = Arc::new(Zeroizing::new(bytes));
                    self.secrets.insert(id, SecretValue { travels, bytes });
                }
            }
        }
    }
}

/// Saves `value` with everything that hangs on it. `carried` is what a former restore gave and is still referred to.
///
/// # Errors
/// As [`save`](crate::save), and when there are too many blobs or secrets.
pub fn save_with_parts<T: State>(
    value: &T,
    origin: Option<&Origin>,
    carried: &Parts,
) -> Result<(Encoded, Parts), StateError> {
    let (encoded, mut parts) = collect(|| save_with_origin(value, origin));
    let encoded = encoded?;
    parts.carry(carried);
    parts.check()?;
    Ok((encoded, parts))
}

/// Brings back what [`save_with_parts`] wrote.
///
/// # Errors
/// As [`restore`]. A blob or secret that is missing is no error: the blob's `read` says so, the secret is absent and in the
/// loss report.
pub fn restore_with_parts<T: State>(
    bytes: &[u8],
    parts: &Parts,
) -> Result<Restored<T>, StateError> {
    find_in(parts.clone(), None, || restore::<T>(bytes))
}

impl Parts {
    /// Whether nothing hangs on the state.
    pub(crate) fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.secrets.is_empty()
    }

    /// What is referred to and comes from nowhere else.
    pub(crate) fn carry(&mut self, carried: &Parts) {
        for (name, blob) in &mut self.blobs {
            if let Some(known) = carried.blobs.get(name).filter(|_| !blob.is_here()) {
                *blob = known.clone();
            }
        }
        // Only what is still referred to: a secret that was replaced is gone.
        for id in &self.wanted {
            if let Some(secret) = carried.secrets.get(id) {
                self.secrets.entry(*id).or_insert_with(|| secret.clone());
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), StateError> {
        if self.blobs.len() > MAX_BLOBS {
            return Err(StateError::TooManyBlobs(self.blobs.len()));
        }
        Ok(())
    }
}

// ── on this thread ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Default)]
struct Scope {
    /// What is collected while a state is written.
    collected: Option<Parts>,
    /// What is found while a state is read.
    found: Option<Found>,
}

struct Found {
    parts: Parts,
    source: Option<Arc<dyn Source>>,
    /// Handed out and perhaps not here.
    handed_out: Vec<Blob>,
}

thread_local! {
    static SCOPE: RefCell<Scope> = RefCell::default();
}

fn with_scope<R>(f: impl FnOnce(&mut Scope) -> R) -> Option<R> {
    SCOPE.with(|scope| scope.try_borrow_mut().ok().map(|mut scope| f(&mut scope)))
}

/// Puts the scope back as it was, also when the author's code panics.
struct Restore(Option<Scope>);

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(former) = self.0.take() {
            with_scope(|scope| *scope = former);
        }
    }
}

/// Collects what is written by `save` on this thread.
pub(crate) fn collect<R>(save: impl FnOnce() -> R) -> (R, Parts) {
    let new = Scope {
        collected: Some(Parts::default()),
        found: None,
    };
    let _restore = Restore(with_scope(|scope| std::mem::replace(scope, new)));
    let result = save();
    let parts = with_scope(|scope| scope.collected.take()).flatten();
    (result, parts.unwrap_or_default())
}

/// Has what is read by `read` on this thread find its parts.
fn find_in<R>(parts: Parts, source: Option<Arc<dyn Source>>, read: impl FnOnce() -> R) -> R {
    find(parts, source, read).0
}

/// As above; gives the blobs that were handed out, too.
pub(crate) fn find<R>(
    parts: Parts,
    source: Option<Arc<dyn Source>>,
    read: impl FnOnce() -> R,
) -> (R, Vec<Blob>) {
    let new = Scope {
        collected: None,
        found: Some(Found {
            parts,
            source,
            handed_out: Vec::new(),
        }),
    };
    let _restore = Restore(with_scope(|scope| std::mem::replace(scope, new)));
    let result = read();
    let found = with_scope(|scope| scope.found.take()).flatten();
    (
        result,
        found.map(|found| found.handed_out).unwrap_or_default(),
    )
}

pub(crate) fn collect_blob(blob: &Blob) {
    let name = blob.name();
    with_scope(|scope| {
        if let Some(parts) = &mut scope.collected {
            let known = parts.blobs.entry(name).or_insert_with(|| blob.clone());
            if !known.is_here() {
                *known = blob.clone();
            }
        }
    });
}

/// Outside of a save there is nowhere to put it, and it goes nowhere else.
pub(crate) fn collect_secret(
    id: SecretId,
    travels: bool,
    bytes: Zeroizing<Vec<u8>>,
) -> Result<(), BridgeError> {
    let taken = with_scope(|scope| {
        let parts = scope.collected.as_mut()?;
        let bytes = Arc::new(bytes);
        parts.secrets.insert(id, SecretValue { travels, bytes });
        Some(())
    });
    taken.flatten().ok_or_else(|| {
        BridgeError::new("a secret is only written where its value can be kept apart: by `save_with_parts` or a session")
    })
}

pub(crate) fn find_blob(name: BlobRef) -> Blob {
    let found = with_scope(|scope| {
        let found = scope.found.as_mut()?;
        let known = found.parts.blobs.get(&name).cloned();
        let blob = known.unwrap_or_else(|| Blob::elsewhere(name, found.source.clone()));
        found.handed_out.push(blob.clone());
        Some(blob)
    });
    found
        .flatten()
        .unwrap_or_else(|| Blob::elsewhere(name, None))
}

pub(crate) fn take_secret(id: SecretId) -> Option<Arc<Zeroizing<Vec<u8>>>> {
    with_scope(|scope| {
        let found = scope.found.as_ref()?;
        Some(found.parts.secrets.get(&id)?.bytes.clone())
    })
    .flatten()
}

/// Notes what a state refers to, whoever wrote it.
pub(crate) fn note_references(body: &Map, local: &Map, origin: Option<&[u8]>) {
    let is_collected = with_scope(|scope| scope.collected.is_some());
    if is_collected != Some(true) {
        return;
    }
    let mut names = Names::default();
    names.in_map(body);
    names.in_map(local);
    if let Some(origin) = origin {
        names.in_document(origin, MOST_NESTED);
    }
    names.note();
}

/// Notes what a map that is written as it is stands for, if it is a reference.
pub(crate) fn note_map(map: &Map) {
    // Nearly none is: looked at before anything else is done.
    if map.len() <= 2 && (map.contains_key(BLOB) || map.contains_key(SECRET)) {
        let mut names = Names::default();
        names.in_map(map);
        names.note();
    }
}

/// States within states, as origins are.
const MOST_NESTED: usize = 16;

/// What is referred to.
#[derive(Default)]
struct Names {
    blobs: BTreeSet<BlobRef>,
    secrets: BTreeSet<SecretId>,
}

impl Names {
    fn note(self) {
        with_scope(|scope| {
            if let Some(parts) = &mut scope.collected {
                for name in self.blobs {
                    let blob = || Blob::elsewhere(name, None);
                    parts.blobs.entry(name).or_insert_with(blob);
                }
                parts.wanted.extend(self.secrets);
            }
        });
    }

    fn in_map(&mut self, map: &Map) {
        if let Some(name) = blob_of(map) {
            self.blobs.insert(name);
        } else if let Some(id) = secret_of(map) {
            self.secrets.insert(id);
        } else {
            map.iter().for_each(|(_, value)| self.in_value(value));
        }
    }

    fn in_value(&mut self, value: &Value) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.in_value(item)),
            Value::Map(map) => self.in_map(map),
            _ => {}
        }
    }

    fn in_document(&mut self, bytes: &[u8], nested: usize) {
        let (Ok(Value::Map(map)), Some(nested)) = (cbor::decode(bytes), nested.checked_sub(1))
        else {
            return;
        };
        self.in_map(&map);
        if let Some(Value::Bytes(origin)) = map.get("origin") {
            self.in_document(origin, nested);
        }
    }
}

// ── their form in the body ───────────────────────────────────────────────────────────────────────────────────────────────

/// How a blob stands in the body.
pub(crate) fn blob_value(name: BlobRef) -> Map {
    let mut map = Map::new();
    map.insert(BLOB, Value::Bytes(name.hash.0.to_vec()));
    map.insert(LEN, Value::Int(name.len.into()));
    map
}

/// The blob that such a map stands for.
pub(crate) fn blob_of(map: &Map) -> Option<BlobRef> {
    match (map.len(), map.get(BLOB), map.get(LEN)) {
        (2, Some(Value::Bytes(hash)), Some(Value::Int(len))) => Some(BlobRef {
            hash: BlobHash(hash.as_slice().try_into().ok()?),
            len: u64::try_from(*len).ok()?,
        }),
        _ => None,
    }
}

pub(crate) fn secret_value(id: SecretId) -> Map {
    let mut map = Map::new();
    map.insert(SECRET, Value::Bytes(id.to_vec()));
    map
}

pub(crate) fn secret_of(map: &Map) -> Option<SecretId> {
    match (map.len(), map.get(SECRET)) {
        (1, Some(Value::Bytes(id))) => id.as_slice().try_into().ok(),
        _ => None,
    }
}

pub(crate) fn new_secret_id() -> SecretId {
    let mut id = [0; 16];
    if getrandom::fill(&mut id).is_err() {
        // Unique is enough: it is a name, not a key.
        let name = format!(
            "{:?}{}{:p}",
            std::time::Instant::now(),
            std::process::id(),
            &id
        );
        id.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
    }
    id
}

fn hex(id: &SecretId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<SecretId> {
    let canonical = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = canonical.then(|| u128::from_str_radix(text, 16).ok())?;
    Some(number?.to_be_bytes())
}
