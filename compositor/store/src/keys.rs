//! Keys: one master key per store, one secret per group, everything else derived.
//!
//! A group's secret lies in `keys/<group>`, wrapped under the master key. Unlinking that file makes the group's journal and
//! chunks unreadable. The secret moves with the group: chunk ids, cuts and seals are the same on every host.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use overwinter_proto::GroupId;
use serde::{Deserialize, Serialize};

/// Bytes of a nonce of XChaCha20-Poly1305: long enough to be drawn at random for ever.
pub(crate) const NONCE: usize = 24;
/// Bytes that sealing adds.
pub(crate) const TAG: usize = 16;

const MASTER_MAGIC: &str = "overwinter-master 1";
const WRAP_MAGIC: &[u8; 8] = b"OWKEY 1\n";
const TOMB_MAGIC: &[u8; 8] = b"OWTOMB1\n";

/// A cipher under one key. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Cipher {
        Cipher(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals; `aad` is what the sealed text is tied to.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE], aad: &[u8], msg: &[u8]) -> Vec<u8> {
        // The only failure is a message of 256 GiB or more; chunks and records are bounded far below.
        self.0
            .encrypt(XNonce::from_slice(nonce), Payload { msg, aad })
            .unwrap_or_default()
    }

    /// Opens, or `None` when a single bit of key, nonce, text or `aad` is another.
    pub(crate) fn open(&self, nonce: &[u8], aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
        if nonce.len() != NONCE {
            return None;
        }
        self.0
            .decrypt(XNonce::from_slice(nonce), Payload { msg, aad })
            .ok()
    }
}

/// The keys of one group, all derived from its 32-byte secret.
#[derive(Clone)]
pub struct GroupKeys {
    secret: [u8; 32],
    /// Key of the chunk ids.
    pub(crate) id: [u8; 32],
    /// Seed of the cuts.
    pub(crate) cut_seed: u64,
    /// Seals chunks and heads of moves.
    pub(crate) chunk: Cipher,
    /// Seals journal bodies.
    pub(crate) journal: Cipher,
    /// Key of the journal's chain of checksums.
    pub(crate) chain: [u8; 32],
    /// Key of nonces that must be the same each time.
    pub(crate) nonce: [u8; 32],
}

impl std::fmt::Debug for GroupKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GroupKeys(…)")
    }
}

/// The form in which keys travel (first form: plain, inside a private channel).
#[derive(Serialize, Deserialize)]
struct Travelling {
    format: u32,
    #[serde(with = "serde_bytes")]
    secret: Vec<u8>,
}

impl GroupKeys {
    /// All keys of a group, from its secret: 32 random bytes.
    pub(crate) fn from_secret(secret: [u8; 32]) -> GroupKeys {
        let derive = |context| blake3::derive_key(context, &secret);
        let seed = derive("overwinter store 1 cut seed");
        GroupKeys {
            secret,
            id: derive("overwinter store 1 chunk id"),
            cut_seed: u64::from_le_bytes([
                seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7],
            ]),
            chunk: Cipher::new(&derive("overwinter store 1 chunk cipher")),
            journal: Cipher::new(&derive("overwinter store 1 journal cipher")),
            chain: derive("overwinter store 1 journal chain"),
            nonce: derive("overwinter store 1 nonce"),
        }
    }

    pub(crate) fn same_as(&self, other: &GroupKeys) -> bool {
        self.secret == other.secret
    }

    pub(crate) fn to_travel(&self) -> Vec<u8> {
        overwinter_proto::encode(&Travelling {
            format: 1,
            secret: self.secret.to_vec(),
        })
    }

    pub(crate) fn from_travel(bytes: &[u8]) -> std::result::Result<GroupKeys, String> {
        let t: Travelling = overwinter_proto::decode(bytes).map_err(|e| e.to_string())?;
        match (t.format, <[u8; 32]>::try_from(t.secret)) {
            (1, Ok(secret)) => Ok(GroupKeys::from_secret(secret)),
            (1, Err(_)) => Err("the key is not 32 bytes".to_owned()),
            (n, _) => Err(format!("keys of form {n} are not known here")),
        }
    }
}

/// The store's master key.
pub(crate) struct Master {
    key: [u8; 32],
    wrap: Cipher,
    tomb: Cipher,
}

impl Master {
    /// A master key, from 32 random bytes.
    pub(crate) fn from_key(key: [u8; 32]) -> Master {
        Master {
            key,
            wrap: Cipher::new(&blake3::derive_key("overwinter store 1 key wrap", &key)),
            tomb: Cipher::new(&blake3::derive_key("overwinter store 1 tombstone", &key)),
        }
    }

    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Seals the way from this master key to another.
    pub(crate) fn rotation(&self) -> Cipher {
        let key = blake3::derive_key("overwinter store 1 rotation", &self.key);
        Cipher::new(&key)
    }

    /// The key file's text: three lines, so that a person sees what it is and a flipped bit is noticed.
    pub(crate) fn to_file(&self) -> Vec<u8> {
        format!(
            "{MASTER_MAGIC}\n{}\n{}\n",
            hex::encode(self.key),
            Master::check(&self.key)
        )
        .into_bytes()
    }

    pub(crate) fn from_file(bytes: &[u8]) -> std::result::Result<Master, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
        let mut lines = text.split('\n');
        if lines.next() != Some(MASTER_MAGIC) {
            return Err(format!("its first line is not `{MASTER_MAGIC}`"));
        }
        let mut key = [0; 32];
        let digits = lines.next().unwrap_or_default();
        if digits.bytes().any(|b| b.is_ascii_uppercase())
            || hex::decode_to_slice(digits, &mut key).is_err()
        {
            return Err("its second line is not a key".to_owned());
        }
        if lines.next() != Some(&Master::check(&key))
            || lines.next() != Some("")
            || lines.next().is_some()
        {
            return Err("its checksum does not fit".to_owned());
        }
        Ok(Master::from_key(key))
    }

    fn check(key: &[u8; 32]) -> String {
        hex::encode(&blake3::derive_key("overwinter store 1 master check", key)[..8])
    }

    /// The content of `keys/<group>`.
    pub(crate) fn wrap(&self, group: GroupId, keys: &GroupKeys, nonce: &[u8; NONCE]) -> Vec<u8> {
        sealed_file(&self.wrap, WRAP_MAGIC, group, nonce, &keys.secret)
    }

    pub(crate) fn unwrap(
        &self,
        group: GroupId,
        file: &[u8],
    ) -> std::result::Result<GroupKeys, String> {
        let secret = open_file(&self.wrap, WRAP_MAGIC, group, file)?;
        let secret =
            <[u8; 32]>::try_from(secret).map_err(|_| "it does not hold a key".to_owned())?;
        Ok(GroupKeys::from_secret(secret))
    }

    /// The content of `tombstones/<group>`.
    pub(crate) fn seal_tombstone(
        &self,
        group: GroupId,
        body: &[u8],
        nonce: &[u8; NONCE],
    ) -> Vec<u8> {
        sealed_file(&self.tomb, TOMB_MAGIC, group, nonce, body)
    }

    pub(crate) fn open_tombstone(
        &self,
        group: GroupId,
        file: &[u8],
    ) -> std::result::Result<Vec<u8>, String> {
        open_file(&self.tomb, TOMB_MAGIC, group, file)
    }
}

fn sealed_file(
    cipher: &Cipher,
    magic: &[u8; 8],
    group: GroupId,
    nonce: &[u8; NONCE],
    body: &[u8],
) -> Vec<u8> {
    [
        magic.as_slice(),
        nonce,
        &cipher.seal(nonce, &aad(magic, group), body),
    ]
    .concat()
}

fn open_file(
    cipher: &Cipher,
    magic: &[u8; 8],
    group: GroupId,
    file: &[u8],
) -> std::result::Result<Vec<u8>, String> {
    let rest = file
        .strip_prefix(magic)
        .ok_or_else(|| "it does not start as it should".to_owned())?;
    let (nonce, sealed) = rest
        .split_at_checked(NONCE)
        .ok_or_else(|| "it is too short".to_owned())?;
    cipher
        .open(nonce, &aad(magic, group), sealed)
        .ok_or_else(|| {
            "its seal does not fit the master key (a changed byte, or a file of another store)"
                .to_owned()
        })
}

fn aad(magic: &[u8; 8], group: GroupId) -> Vec<u8> {
    [magic.as_slice(), &group.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_file_reads_back_and_every_flip_is_noticed() {
        let master = Master::from_key([7; 32]);
        let file = master.to_file();
        assert!(Master::from_file(&file).is_ok_and(|m| m.key == master.key));
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut bad = file.clone();
                bad[at] ^= 1 << bit;
                assert!(Master::from_file(&bad).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_wrapped_key_opens_for_its_group_and_master_only() {
        let (a, b) = (Master::from_key([1; 32]), Master::from_key([2; 32]));
        let keys = GroupKeys::from_secret([3; 32]);
        let file = a.wrap(GroupId(9), &keys, &[5; NONCE]);
        assert!(a.unwrap(GroupId(9), &file).unwrap().same_as(&keys));
        assert!(a.unwrap(GroupId(8), &file).is_err());
        assert!(b.unwrap(GroupId(9), &file).is_err());
        assert!(a.open_tombstone(GroupId(9), &file).is_err());
    }

    #[test]
    fn travelling_keys_are_checked() {
        let keys = GroupKeys::from_secret([3; 32]);
        assert!(
            GroupKeys::from_travel(&keys.to_travel())
                .unwrap()
                .same_as(&keys)
        );
        assert!(GroupKeys::from_travel(b"no").is_err());
        assert!(
            GroupKeys::from_travel(&overwinter_proto::encode(&Travelling {
                format: 1,
                secret: vec![1; 31]
            }))
            .is_err()
        );
        assert!(
            GroupKeys::from_travel(&overwinter_proto::encode(&Travelling {
                format: 2,
                secret: vec![1; 32]
            }))
            .is_err()
        );
    }
}
