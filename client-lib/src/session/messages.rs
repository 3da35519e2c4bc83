//! What the threads say to each other.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use overwinter_proto::Reason;

use super::document::Captured;
use super::payload::Payload;
use super::requests::{Request, Trial};
use crate::document::{Origin, Provenance};
use crate::loss::LossReport;

/// What the worker is to do.
pub(super) enum Job {
    /// The bus says who owns the session's name now.
    OwnerChanged(Option<String>),
    Register {
        held: Vec<(String, u64, u64)>,
    },
    Incoming(Incoming),
    Open {
        key: u64,
        title: String,
        reply: Option<Sender<Result<Opened, String>>>,
    },
    NewCookie {
        group: String,
        copy: u64,
        reply: Sender<Option<String>>,
    },
    Save(SaveJob),
    /// The newest revision was handed over already.
    SaveAgain {
        key: u64,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        title: String,
    },
    CheckTrial(TrialCheck),
    Say {
        op: u64,
        outcome: Outcome,
        then_quit: bool,
    },
    /// What was answered to `op` before, once more.
    SayAgain {
        op: u64,
    },
    Closed {
        group: String,
        lease: u64,
    },
    /// A copy is no more: its key, and what the session calls it.
    Forget {
        key: u64,
        copy: Option<(String, u64)>,
    },
    Timer {
        key: u64,
        at: Instant,
    },
    /// Everything said before this has been delivered: have the process ended.
    Quit,
    Flush(Sender<()>),
    Stop,
}

/// A state to be encoded and sent.
pub(super) struct SaveJob {
    pub key: u64,
    pub op: u64,
    pub group: String,
    pub lease: u64,
    pub revision: u64,
    /// The session has heard of this revision, so that it has to be told even if nothing in it is new.
    pub heard_of: bool,
    pub title: String,
    pub captured: Box<dyn Captured>,
    pub origin: Option<Origin>,
    pub asked: Instant,
    pub deadline: Option<Duration>,
}

/// What became of a [`SaveJob`].
pub(super) enum SaveEnd {
    /// The session has it, or will.
    Sent,
    /// It is, byte for byte, what was handed over as this revision.
    SameAs(u64),
    /// It could not be encoded: another try is worth it only once something has changed.
    Failed,
    /// The session has not taken it.
    NotTaken,
}

/// A trial copy that was built, to be compared with what it was built from.
pub(super) struct TrialCheck {
    pub key: u64,
    pub op: u64,
    pub group: String,
    pub copy: u64,
    pub revision: u64,
    pub captured: Box<dyn Captured>,
    pub provenance: Provenance,
    /// BLAKE3 of the bytes that it was built from.
    pub whole: [u8; 32],
    pub loss: LossReport,
}

/// What came over the bus, from the session itself.
pub(super) enum Incoming {
    Request(Request),
    Restore {
        op: u64,
        group: String,
        copy: u64,
        reason: Reason,
        revision: u64,
        cookie: String,
        state: Payload,
        secrets: Payload,
        travelling: Payload,
    },
}

/// An answer that needs no work.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Released {
        group: String,
        lease: u64,
        revision: u64,
    },
    Changed {
        group: String,
        lease: u64,
        revision: u64,
    },
    Failed {
        group: String,
        why: String,
    },
    Names {
        held: bool,
    },
}

/// What the UI thread is told.
pub(super) enum ToUi {
    Registered(Registered),
    Lost,
    /// A session is there: say what is held.
    Appeared,
    Opened {
        key: u64,
        opened: Opened,
    },
    SaveFinished {
        key: u64,
        revision: u64,
        end: SaveEnd,
    },
    Timer {
        key: u64,
    },
    Trial(Box<Trial>),
    Request(Request),
    Quit,
}

pub(super) struct Registered {
    pub reason: Reason,
    pub kept: Vec<String>,
}

pub(super) struct Opened {
    pub group: String,
    pub lease: u64,
    pub copy: u64,
    pub cookie: String,
}
