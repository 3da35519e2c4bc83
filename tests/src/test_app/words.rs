//! What a test and `overwinter-test-app` say to each other. Fields are called as in `session-proto/dbus`.

#![allow(
    missing_docs,
    reason = "the fields are those of the D-Bus interfaces, documented there"
)]

use serde::{Deserialize, Serialize};

/// App to test.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum FromApp {
    /// It runs and is on the bus, under this unique name.
    Hello { pid: u32, name: String },
    /// The session calls Client1. The call itself was answered at once.
    Asked(Asked),
    /// What came of the last [`Do`].
    Answer(Answer),
}

/// A call of `org.overwinter.Client1`.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Asked {
    BeginSave {
        op: u64,
        group: String,
        lease: u64,
        reason: String,
    },
    Stored {
        group: String,
        lease: u64,
        revision: u64,
        generation: u64,
    },
    Restore {
        op: u64,
        group: String,
        copy: u64,
        reason: String,
        revision: u64,
        state: Vec<u8>,
        secrets: Vec<u8>,
        travelling: Vec<u8>,
    },
    Adopt {
        op: u64,
        group: String,
        copy: u64,
        lease: u64,
    },
    Discard {
        op: u64,
        group: String,
        copy: u64,
    },
    Release {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        how: String,
    },
    YieldNames {
        op: u64,
    },
    TakeNames {
        op: u64,
    },
}

/// Test to app: make this call of `org.overwinter.Session1`, or end.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Do {
    Register {
        app: String,
        version: String,
    },
    OpenGroup {
        title: String,
    },
    Saved {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        digest: Vec<u8>,
        payload: Payload,
    },
    /// Saved, with what hangs on the state.
    SavedWith {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        digest: Vec<u8>,
        payload: Payload,
        beside: Beside,
    },
    /// The call of Blobs1; the payload is always sent as a file.
    PutBlob {
        group: String,
        lease: u64,
        hash: Vec<u8>,
        len: u64,
        payload: Payload,
    },
    /// The call of Blobs1; answered by `Blob`.
    GetBlob {
        group: String,
        copy: u64,
        hash: Vec<u8>,
    },
    Restored {
        op: u64,
        group: String,
        copy: u64,
        revision: u64,
        digest: Vec<u8>,
    },
    Released {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
    },
    Changed {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
    },
    Failed {
        op: u64,
        group: String,
        why: String,
    },
    Closed {
        group: String,
        lease: u64,
    },
    Names {
        op: u64,
        held: bool,
    },
    /// End as a program does that is done.
    End,
    /// End as a program does that has a bug.
    Abort,
}

/// What hangs on a state.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub struct Beside {
    /// Hash and length of each blob.
    pub blobs: Vec<(Vec<u8>, u64)>,
    /// That stay on this host.
    pub secrets: Vec<u8>,
    /// That go along with a move.
    pub travelling: Vec<u8>,
}

/// A payload, honest or not.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Payload {
    /// Inline when small, else a sealed memfd: as the contract says.
    Honest(Vec<u8>),
    /// Inline, whatever the size.
    Inline(Vec<u8>),
    /// A memfd without any seal.
    Unsealed(Vec<u8>),
    /// A memfd that may still be written to.
    Writable(Vec<u8>),
    /// A sealed memfd of so many zero bytes that take no memory.
    Sparse(u64),
    /// Bytes and a sealed memfd with the same bytes.
    Both(Vec<u8>),
    /// Two sealed memfds.
    Two(Vec<u8>),
    /// The end of a pipe that nobody writes to.
    Pipe,
}

/// What the session answered.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Answer {
    Registered {
        reason: String,
        kept: Vec<String>,
    },
    Opened {
        group: String,
        lease: u64,
        copy: u64,
    },
    /// The content of a blob.
    Blob(Vec<u8>),
    /// It was taken.
    Taken,
    /// A D-Bus error of this name with this text.
    Refused {
        name: String,
        text: String,
    },
}
