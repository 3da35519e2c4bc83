//! Which host this is, told by a tag that gives nothing away, and a key that nobody else knows.

use std::fmt;
use std::sync::OnceLock;

/// What a host signs with, so that it knows again what it has made.
#[derive(Clone)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key that `id` makes, of which no tag says anything.
    pub fn of(id: &[u8]) -> Key {
        Key(blake3::derive_key(
            "overwinter 2026 document reference key",
            id,
        ))
    }

    /// A signature of `text`, short enough to travel with it.
    pub fn sign(&self, text: &str) -> [u8; 16] {
        let whole = blake3::keyed_hash(&self.0, text.as_bytes());
        let (short, _) = whole.as_bytes().split_at(16);
        short.try_into().unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The key of this host, the same until its machine id changes; none where the host has no machine id.
pub(crate) fn key() -> Option<Key> {
    static KEY: OnceLock<Option<Key>> = OnceLock::new();
    KEY.get_or_init(|| Some(Key::of(machine_id()?.as_bytes())))
        .clone()
}

/// A tag of this host, the same until its machine id changes; none where the host has no machine id.
///
/// The machine id itself is confidential (machine-id(5)), so it is only used as the key of a hash.
pub(crate) fn tag() -> Option<[u8; 16]> {
    static TAG: OnceLock<Option<[u8; 16]>> = OnceLock::new();
    *TAG.get_or_init(|| {
        let id = machine_id()?;
        let whole = blake3::derive_key("overwinter 2026 local state host tag", id.as_bytes());
        let (tag, _) = whole.split_first_chunk::<16>()?;
        Some(*tag)
    })
}

fn machine_id() -> Option<String> {
    let id = std::fs::read_to_string("/etc/machine-id").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}
