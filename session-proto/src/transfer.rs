//! What two hosts say to each other while groups move. Framing: each message is a 4-byte big-endian length, then that many
//! bytes of CBOR. Any byte stream carries it: ssh's, TLS's, a pipe's.
//!
//! One group is one transaction `tx`; several may share a stream. The order within a transaction is fixed:
//!
//! ```text
//! S→D Hello            D→S Hello
//! S→D Offer(tx)        D→S Need(tx, chunk ids)     or Refuse(tx)
//! S→D Chunk(tx) …      S→D Prepared(tx, H)         (S: PREPARING is on disk)
//!                      D→S Staged(tx, H)           (D: STAGED is on disk) or Refuse(tx)
//! S→D Released(tx, signature)                      (S: RELEASED is on disk: the commit point)
//!                      D→S Owned(tx)               (D: OWNED is on disk)
//! S→D Done(tx)                                     (S: DONE is on disk)
//! ```
//! Before `Released` S may send `Aborted(tx, signature)` and D answers nothing more. After a broken stream D asks with
//! `Decide(tx)` on the next one, and S answers `Released` or `Aborted` from its journal.

use serde::{Deserialize, Serialize};

use crate::{Generation, GroupId, Lease, TxId, journal::Closure, journal::HostKey};

/// Version of this protocol. A peer with another major number is refused by name.
pub const PROTOCOL: u32 = 1;

/// Largest frame on the stream: one chunk (≤ 4 MiB sealed) and its head.
pub const MAX_FRAME: u32 = 8 << 20;

/// Keyed BLAKE3 of a chunk's plain bytes; the key is the group's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChunkId(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl std::fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "chunk:{:02x}{:02x}{:02x}{:02x}",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

/// What the newest generation of a group is made of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The group.
    pub group: GroupId,
    /// App id, so that the destination can say at once that it is missing.
    pub app: String,
    /// Title, for errors.
    pub title: String,
    /// Newest generation.
    pub generation: Generation,
    /// Newest lease on the source.
    pub lease: Lease,
    /// Chunks in order: id and sealed size in bytes.
    pub chunks: Vec<(ChunkId, u64)>,
    /// The sealed head of the generation (list of chunk ids, sizes): opaque to the stream.
    #[serde(with = "serde_bytes")]
    pub head: Vec<u8>,
}

/// One message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// First on the stream, both ways.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Host name for people.
        name: String,
        /// Key with which this host signs.
        key: HostKey,
        /// True from the host that will send groups.
        source: bool,
    },
    /// S: this group could come.
    Offer {
        /// This move.
        tx: TxId,
        /// What it is made of.
        manifest: Manifest,
        /// The group's keys (id key, cut seed, cipher key), readable by D alone: the stream is private.
        #[serde(with = "serde_bytes")]
        keys: Vec<u8>,
    },
    /// D: it may come; these chunks are missing here.
    Need {
        /// This move.
        tx: TxId,
        /// Chunks to send.
        chunks: Vec<ChunkId>,
    },
    /// D: it may not come, and why. The group stays with S.
    Refuse {
        /// This move.
        tx: TxId,
        /// For people: what is missing, what to do.
        why: String,
    },
    /// S: a sealed chunk.
    Chunk {
        /// This move.
        tx: TxId,
        /// Its id.
        id: ChunkId,
        /// Sealed bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// S: all is sent, and PREPARING is durable.
    Prepared {
        /// This move.
        tx: TxId,
        /// What D must have.
        closure: Closure,
    },
    /// D: verified, and STAGED is durable.
    Staged {
        /// This move.
        tx: TxId,
        /// What D has.
        closure: Closure,
    },
    /// S: the commit point is durable.
    Released {
        /// This move.
        tx: TxId,
        /// Ed25519 over [`release_text`].
        #[serde(with = "serde_bytes")]
        signature: Vec<u8>,
    },
    /// S: this move did not happen.
    Aborted {
        /// This move.
        tx: TxId,
        /// Ed25519 over [`abort_text`].
        #[serde(with = "serde_bytes")]
        signature: Vec<u8>,
    },
    /// D: OWNED is durable.
    Owned {
        /// This move.
        tx: TxId,
    },
    /// S: DONE is durable.
    Done {
        /// This move.
        tx: TxId,
    },
    /// D, after a broken stream: which way did this move go?
    Decide {
        /// This move.
        tx: TxId,
        /// The group.
        group: GroupId,
    },
    /// S: no more groups will follow. D closes when the last transaction has ended.
    Finished,
}

/// The bytes that the source signs to release a group to a destination.
pub fn release_text(
    tx: TxId,
    group: GroupId,
    epoch: u32,
    closure: &Closure,
    destination: &HostKey,
) -> Vec<u8> {
    let mut text = b"overwinter released v1\0".to_vec();
    text.extend(tx.0.to_be_bytes());
    text.extend(group.0.to_be_bytes());
    text.extend(epoch.to_be_bytes());
    text.extend(closure.0);
    text.extend(destination);
    text
}

/// The bytes that the source signs to say that a move did not happen.
pub fn abort_text(tx: TxId, group: GroupId) -> Vec<u8> {
    let mut text = b"overwinter aborted v1\0".to_vec();
    text.extend(tx.0.to_be_bytes());
    text.extend(group.0.to_be_bytes());
    text
}
