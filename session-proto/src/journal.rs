//! The records in a group's journal. Together with a census of live instances they decide who owns the group;
//! the heart keeps no other truth.

use serde::{Deserialize, Serialize};

use crate::{Build, Generation, Lease, Revision, TxId};

/// BLAKE3 over the whole closure of a group that moves: manifest, chunks, newest generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Closure(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl std::fmt::Debug for Closure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "closure:{:02x}{:02x}{:02x}{:02x}",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

/// Ed25519 public key of a host.
pub type HostKey = [u8; 32];

/// One durable step in a group's life.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalRecord {
    /// The group came into being here.
    Opened {
        /// App id.
        app: String,
    },
    /// Whoever lacks this lease is refused from now on.
    Lease(Lease),
    /// The next `Lease` of this journal goes to an instance of other code: what the group ran in before, which is where an undo
    /// leads; `None` when it goes that way back. Without a `Lease` after it, it has not happened.
    CameFrom(Option<Build>),
    /// A snapshot is complete. Written by the store itself, last in its order of fsyncs.
    Stored {
        /// Its number.
        generation: Generation,
        /// The app's mutation counter in it.
        revision: Revision,
        /// Lease of the holder that saved it.
        lease: Lease,
    },
    /// A restore of this generation was adopted, lived 30 s and saved again.
    Proven(Generation),
    /// Put to sleep: no instance holds it. (Absence is no harm: a census without a holder says the same.)
    Slept(Generation),
    /// A restore failed; blames (generation, build). Two blames of one generation quarantine it.
    Blamed {
        /// The generation that was restored.
        generation: Generation,
        /// Build id of the code that failed.
        build: String,
    },
    /// No automatic wake any more: the user decides.
    Quarantined,
    /// The user or an operation took it out of quarantine.
    Reprieved,
    /// Source, step 1 of a move.
    Preparing {
        /// This move.
        tx: TxId,
        /// Generation that goes.
        generation: Generation,
        /// Epoch before the move.
        epoch: u32,
        /// What goes.
        closure: Closure,
    },
    /// Destination, step 2: everything is here and verified; neither run nor forgotten until the source has decided.
    Staged {
        /// This move.
        tx: TxId,
        /// Generation that came.
        generation: Generation,
        /// Epoch it will have here.
        epoch: u32,
        /// What came.
        closure: Closure,
        /// Who must sign RELEASED or ABORTED.
        source: HostKey,
    },
    /// Source, step 3, the commit point: from here on only the destination may run it.
    Released {
        /// This move.
        tx: TxId,
        /// The destination's key.
        destination: HostKey,
        /// Its name for people.
        destination_name: String,
        /// Epoch after the move.
        epoch: u32,
        /// What went.
        closure: Closure,
    },
    /// Destination, step 4.
    Owned {
        /// This move.
        tx: TxId,
        /// Epoch from now on.
        epoch: u32,
    },
    /// Source, step 5: the destination has acknowledged; what is left is a tombstone.
    Done {
        /// This move.
        tx: TxId,
    },
    /// Either side: the move did not happen; the group is where it was.
    Aborted {
        /// This move.
        tx: TxId,
    },
    /// The holder closed it (or the user asked to forget it): in the trash.
    Closed,
}

/// A record with its place in the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JournalEntry {
    /// 0 for the first record of the group on this host.
    pub sequence: u64,
    /// What happened.
    pub record: JournalRecord,
}
