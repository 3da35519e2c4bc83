//! What travels beside a group's state: blobs, known by their content, and secrets, sealed apart.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Largest blob: 1 GiB. A bound for the disk; blobs pass through memory in pieces.
pub const MAX_BLOB: u64 = 1 << 30;

/// Most blobs that one state may refer to, and most that may wait for a save that names them.
pub const MAX_BLOBS: usize = 16 << 10;

/// Most bytes of blobs that may wait for a save that names them, for each group.
pub const MAX_WAITING: u64 = 4 << 30;

/// Largest section of secrets: passwords and keys, not documents.
pub const MAX_SECRETS: usize = 1 << 20;

/// BLAKE3 of a blob's content; its name within a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobHash(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl BlobHash {
    /// The name of this content.
    pub fn of(content: &[u8]) -> BlobHash {
        BlobHash(*blake3::hash(content).as_bytes())
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob:{}", hex::encode(&self.0[..4]))
    }
}

/// A blob, as a state refers to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct BlobRef {
    /// Its name.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub len: u64,
}

/// The secrets of a state, in two sections that only the app reads. Shown by no `Debug`; memory is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Those that stay on the host: a move leaves them out.
    pub staying: Vec<u8>,
    /// Those that go along with a move.
    pub travelling: Vec<u8>,
}

impl Secrets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.staying.is_empty() && self.travelling.is_empty()
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.staying.zeroize();
        self.travelling.zeroize();
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let secrets = Secrets {
            staying: b"hunter2".to_vec(),
            travelling: b"hunter3".to_vec(),
        };
        let shown = format!("{secrets:?} {secrets:#?}");
        assert!(
            !shown.contains("hunter") && !shown.contains("104"),
            "{shown}"
        );
    }
}
