//! The D-Bus face of a session, on a thread of its own that talks to the rest through channels only.
//!
//! Promises:
//! 1. Callers are known by their bus credentials: process number and start time, rechecked with every call. What a caller
//!    says of itself decides nothing.
//! 2. Calls of one app become [`BusEvent`]s in the order in which they were made, and [`BusEvent::CallerGone`] comes after
//!    the last of them.
//! 3. Every call is answered: by the session through its [`Reply`], or after [`ANSWER_WITHIN`] ([`BLOB_WITHIN`] for blobs) with
//!    `org.overwinter.Error.Busy`, or at once when it makes no sense.
//! 4. A payload is looked at (seals, size) before it is read; nothing a caller does later can change what was read. Blobs are
//!    passed on as the memfds that they came as.
//! 5. What is sent to one app arrives in the order of the commands, and never before the answer to its `Register`.
//! 6. Nothing waits without a deadline, and an idle bus thread is not woken.

mod blobs;
mod call;
mod caller;
mod control;
mod error;
mod group;
mod outgoing;
mod payload;
mod server;
mod session;
mod store;

use std::{os::fd::OwnedFd, time::Duration};

use overwinter_proto::{
    BlobHash, BlobRef, CopyId, GroupId, Lease, OpId, Revision, Secrets, launch::ProcessId,
};

pub use call::Reply;
pub use error::Refusal;
pub use group::GroupView;
pub use outgoing::ClientCall;
pub use payload::seal;
pub use server::{Bus, StartError};

/// How long a caller waits for the session thread. It answers within a frame; two seconds without an answer mean that
/// something is very wrong, and an app's user should not wait longer than that for an error.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// How long a caller waits for a blob to be written or read; libdbus gives up at 25 s.
pub const BLOB_WITHIN: Duration = Duration::from_secs(20);

/// How long an app may take to acknowledge a call (not to do the work) before that is reported.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);

/// Who called.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Caller {
    /// Unique name on the bus: one connection.
    pub name: String,
    /// The process at the other end of it.
    pub process: ProcessId,
}

/// What happened on the bus. Everything with a `reply` waits for it.
#[derive(Debug)]
pub enum BusEvent {
    /// `Session1.Register`. What is sent to the app by later commands arrives after the answer.
    Register {
        /// Who, by credentials.
        caller: Caller,
        /// The app id that it claims.
        app: String,
        /// For people.
        version: String,
        /// What it says it holds.
        held: Vec<(GroupId, Lease, Revision)>,
        /// The answer.
        reply: Reply<Registered>,
    },
    /// `Session1.OpenGroup`.
    OpenGroup {
        /// Who, by credentials.
        caller: Caller,
        /// Of the document.
        title: String,
        /// The answer.
        reply: Reply<Opened>,
    },
    /// `Session1.NewCookie`.
    NewCookie {
        /// Who, by credentials.
        caller: Caller,
        /// Which.
        group: GroupId,
        /// Which copy of it.
        copy: CopyId,
        /// The answer: the cookie.
        reply: Reply<String>,
    },
    /// `Blobs1.PutBlob`: the file is sealed and has that length; its content has not been looked at.
    PutBlob {
        /// Who, by credentials.
        caller: Caller,
        /// Which.
        group: GroupId,
        /// The caller's lease of it.
        lease: Lease,
        /// What it is said to be.
        blob: BlobRef,
        /// The content.
        file: OwnedFd,
        /// The answer, when it is durable.
        reply: Reply<()>,
    },
    /// `Blobs1.GetBlob`.
    GetBlob {
        /// Who, by credentials.
        caller: Caller,
        /// Which.
        group: GroupId,
        /// The caller's copy of it.
        copy: CopyId,
        /// Which blob.
        hash: BlobHash,
        /// The answer: a sealed memfd.
        reply: Reply<OwnedFd>,
    },
    /// Any other method of `Session1`.
    Said {
        /// Who, by credentials.
        caller: Caller,
        /// What.
        message: Said,
        /// Accepted or refused.
        reply: Reply<()>,
    },
    /// A method of `Control1`; the caller is of our user and not sandboxed.
    Control(Control),
    /// A method of `Store1`; the caller is of our user and not sandboxed.
    Store(StoreCall),
    /// A process that had called is not on the bus any more.
    CallerGone {
        /// Who.
        caller: Caller,
    },
    /// An app could not be told something: it has gone, refused the call or did not acknowledge it.
    NotDelivered {
        /// Unique name on the bus.
        to: String,
        /// Method of `Client1`.
        method: &'static str,
        /// For the log.
        why: String,
    },
    /// The bus is gone for good.
    Lost {
        /// For people.
        why: String,
    },
}

/// Answer to `Register`.
#[derive(Clone, PartialEq, Debug)]
pub struct Registered {
    /// Number of the session's start.
    pub incarnation: u64,
    /// Why the instance runs.
    pub reason: overwinter_proto::Reason,
    /// What it goes on holding.
    pub kept: Vec<GroupId>,
}

/// Answer to `OpenGroup`.
#[derive(Clone, PartialEq, Debug)]
pub struct Opened {
    /// The new group.
    pub group: GroupId,
    /// Its first lease.
    pub lease: Lease,
    /// Its first copy.
    pub copy: CopyId,
    /// For its first window.
    pub cookie: String,
}

/// What an app says; see `org.overwinter.Session1.xml` for each, argument by argument.
#[derive(Clone, PartialEq, Debug)]
#[allow(
    missing_docs,
    reason = "each is documented in org.overwinter.Session1.xml"
)]
pub enum Said {
    Saved {
        op: OpId,
        group: GroupId,
        lease: Lease,
        revision: Revision,
        title: String,
        digest: [u8; 32],
        /// `None`: that revision is stored already.
        state: Option<Vec<u8>>,
        /// What the state refers to.
        blobs: Vec<BlobRef>,
        secrets: Secrets,
    },
    Restored {
        op: OpId,
        group: GroupId,
        copy: CopyId,
        revision: Revision,
        digest: [u8; 32],
        loss: Vec<(String, String)>,
    },
    Released {
        op: OpId,
        group: GroupId,
        lease: Lease,
        revision: Revision,
    },
    Changed {
        op: OpId,
        group: GroupId,
        lease: Lease,
        revision: Revision,
    },
    Failed {
        op: OpId,
        group: GroupId,
        why: String,
    },
    Closed {
        group: GroupId,
        lease: Lease,
    },
    ExtendDeadline {
        op: OpId,
        group: GroupId,
        ms: u32,
    },
    Names {
        op: OpId,
        held: bool,
    },
}

/// How an operation stands; see `Control1.Operation`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperationState {
    /// "running", "done" or "failed".
    pub state: &'static str,
    /// (group, outcome, text).
    pub results: Vec<(String, String, String)>,
}

/// What is asked over `Control1`; see `org.overwinter.Control1.xml` for each. `Reply<u64>` is the operation's number.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "each is documented in org.overwinter.Control1.xml"
)]
pub enum Control {
    Status {
        reply: Reply<String>,
    },
    Hibernate {
        groups: Vec<GroupId>,
        reply: Reply<u64>,
    },
    Wake {
        groups: Vec<GroupId>,
        reply: Reply<u64>,
    },
    Update {
        app: String,
        reply: Reply<u64>,
    },
    UndoUpdate {
        app: String,
        reply: Reply<u64>,
    },
    Move {
        groups: Vec<GroupId>,
        stream: OwnedFd,
        reply: Reply<u64>,
    },
    Receive {
        stream: OwnedFd,
        reply: Reply<u64>,
    },
    Launch {
        app: String,
        files: Vec<String>,
        reply: Reply<u64>,
    },
    Forget {
        groups: Vec<GroupId>,
        reply: Reply<u64>,
    },
    Quit {
        /// `QuitUnsaved`: even if groups cannot be saved.
        anyway: bool,
        reply: Reply<u64>,
    },
    Operation {
        operation: u64,
        reply: Reply<OperationState>,
    },
}

/// What is asked over `Store1`; see `org.overwinter.Store1.xml` for each. `Reply<u64>` is the operation's number.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "each is documented in org.overwinter.Store1.xml"
)]
pub enum StoreCall {
    Usage {
        reply: Reply<u64>,
    },
    Collect {
        now: bool,
        reply: Reply<u64>,
    },
    Examine {
        repair: bool,
        reply: Reply<u64>,
    },
    Export {
        group: GroupId,
        /// `ExportLastGood`: not the newest generation, but the newest whole one.
        last_good: bool,
        file: OwnedFd,
        reply: Reply<u64>,
    },
    Import {
        file: OwnedFd,
        reply: Reply<u64>,
    },
    Keys {
        reply: Reply<u64>,
    },
    AddKey {
        kind: String,
        secret: Secret,
        reply: Reply<u64>,
    },
    RemoveKey {
        kind: String,
        reply: Reply<u64>,
    },
    RotateKey {
        secret: Secret,
        reply: Reply<u64>,
    },
}

/// Something that is in no log.
pub struct Secret(zeroize::Zeroizing<Vec<u8>>);

impl Secret {
    pub(crate) fn new(bytes: Vec<u8>) -> Secret {
        Secret(zeroize::Zeroizing::new(bytes))
    }

    /// What it is.
    pub fn into_bytes(self) -> zeroize::Zeroizing<Vec<u8>> {
        self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the session wants done on the bus.
#[derive(Debug)]
pub enum BusCommand {
    /// Call an app.
    Call {
        /// Unique name on the bus.
        to: String,
        /// What.
        call: ClientCall,
    },
    /// These are all groups there are: objects appear, change and go accordingly.
    Groups(Vec<GroupView>),
    /// Announce the end of an operation.
    OperationEnded {
        /// Which.
        operation: u64,
        /// How.
        state: OperationState,
    },
    /// Tell how far an operation of `Store1` is.
    Progress {
        /// Which.
        operation: u64,
        /// Parts that are done.
        done: u64,
        /// Parts that there are.
        total: u64,
    },
    /// Something in `Status` is different now.
    Changed,
    /// Say [`BusEvent::CallerGone`] for this one as soon as all its calls have been handled: its process has ended, and what is
    /// left of its connection may be held by a child.
    ExpectGone {
        /// Unique name on the bus.
        name: String,
    },
}
