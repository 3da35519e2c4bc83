//! What happens to the session. Every event is legal in every state; one that no longer applies changes nothing.

use overwinter_proto::journal::{Closure, HostKey, JournalEntry};
use overwinter_proto::transfer::Message;

use crate::ids::*;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    // ── instances ────────────────────────────────────────────────────────────────────────────────────────────────────
    /// The launcher started the process asked for by `Effect::Start`. It has not registered yet.
    Started {
        /// The request.
        launch: LaunchId,
        /// The number this process will have (drawn by the shell).
        instance: InstanceId,
    },
    /// The launcher could not start it.
    StartFailed {
        /// The request.
        launch: LaunchId,
        /// For people.
        why: String,
    },
    /// A process said Register over D-Bus; its identity was taken from its credentials. An instance that the session did
    /// not start itself (from a terminal) comes without an earlier `Started`.
    Registered {
        /// Which.
        instance: InstanceId,
        /// Its app id.
        app: String,
        /// The code it runs, from its executable.
        build: Build,
        /// What it says it holds.
        held: Vec<(GroupId, Lease, Revision)>,
    },
    /// The process has ended, or its bus connection is gone for good: a crash unless it was asked to end.
    InstanceGone {
        /// Which.
        instance: InstanceId,
    },
    /// Something an app said.
    App {
        /// Who, by credentials.
        instance: InstanceId,
        /// What.
        message: FromApp,
    },
    /// The code on disk of an app is another than before (or was seen for the first time).
    BuildOnDisk {
        /// App id.
        app: String,
        /// What a start would run now.
        build: Build,
    },

    // ── store ────────────────────────────────────────────────────────────────────────────────────────────────────────
    /// The store finished a request. A reply may be missing for ever (the worker died): the heart's deadline decides.
    Store {
        /// The request.
        id: StoreId,
        /// Its end.
        reply: StoreReply,
    },

    /// A group that was never here sleeps in the store from now on: somebody imported it.
    Imported(GroupHistory),

    // ── windows ──────────────────────────────────────────────────────────────────────────────────────────────────────
    /// All input sent to the group before `ShellEffect::Fence` has been handled by its client (or the client does not
    /// answer and the time is up).
    FenceDone {
        /// Which.
        group: GroupId,
        /// The fence.
        op: OpId,
    },
    /// A ghost was clicked, focused or typed at.
    GhostTouched {
        /// Which.
        group: GroupId,
    },
    /// The adopted copy's windows have replaced the ghost on screen.
    Shown {
        /// Which.
        group: GroupId,
    },

    /// The keyboard focus is with this group now (an update takes it last), or with none.
    Focused {
        /// Which.
        group: Option<GroupId>,
    },

    // ── the user's wishes ────────────────────────────────────────────────────────────────────────────────────────────
    /// Put to sleep. Empty: all that can.
    Hibernate {
        /// Announce the end under this number.
        operation: OperationId,
        /// Which.
        groups: Vec<GroupId>,
    },
    /// Wake. Empty: all that sleep.
    Wake {
        /// Announce the end under this number.
        operation: OperationId,
        /// Which.
        groups: Vec<GroupId>,
    },
    /// Migrate an app's groups to the code on disk. Empty: every stale app.
    Update {
        /// Announce the end under this number.
        operation: OperationId,
        /// App id or empty.
        app: String,
    },
    /// Bring an app's groups back to the build they came from.
    UndoUpdate {
        /// Announce the end under this number.
        operation: OperationId,
        /// App id.
        app: String,
    },
    /// Put groups without a holder into the trash.
    Forget {
        /// Announce the end under this number.
        operation: OperationId,
        /// Which.
        groups: Vec<GroupId>,
    },
    /// Hand groups to the host at the other end of `peer`. Empty: all.
    Move {
        /// Announce the end under this number.
        operation: OperationId,
        /// Which.
        groups: Vec<GroupId>,
        /// The stream.
        peer: PeerId,
        /// A transaction number for each group that may move (fresh, random; more than needed is fine).
        txs: Vec<TxId>,
    },
    /// Take what comes from the host at the other end of `peer`.
    Receive {
        /// Announce the end under this number.
        operation: OperationId,
        /// The stream.
        peer: PeerId,
    },

    // ── other hosts ──────────────────────────────────────────────────────────────────────────────────────────────────
    /// A message from a peer; signatures are checked by the shell before (a bad one closes the stream instead).
    Peer {
        /// The stream.
        peer: PeerId,
        /// What it says. Chunks do not come this way: the store worker takes them and reports `StoreReply::Need` and so on.
        message: Message,
    },
    /// The stream is closed or broken.
    PeerGone {
        /// The stream.
        peer: PeerId,
    },

    // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    /// The time of `Session::next_deadline` has come.
    Tick,
}

/// What an app says; see `org.overwinter.Session1` for each.
#[derive(Clone, PartialEq, Debug)]
#[allow(
    missing_docs,
    reason = "each is documented in org.overwinter.Session1.xml, argument by argument"
)]
pub enum FromApp {
    /// A new group. `group`, `copy` and `cookie` are fresh (drawn by the shell); the answer has gone out already.
    OpenGroup {
        group: GroupId,
        copy: CopyId,
        title: String,
    },
    /// `payload` is `None` when the app says that the revision is stored already.
    Saved {
        op: OpId,
        group: GroupId,
        lease: Lease,
        revision: Revision,
        title: String,
        digest: Digest,
        payload: Option<PayloadId>,
    },
    Restored {
        op: OpId,
        group: GroupId,
        copy: CopyId,
        revision: Revision,
        digest: Digest,
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

/// How a store request ended. `Failed` says that nothing of it is relied on; a write that may or may not have happened is
/// settled by the journal when the session recovers.
#[derive(Clone, PartialEq, Debug)]
pub enum StoreReply {
    /// A record is durable.
    Recorded,
    /// A snapshot is durable under this number.
    Written(Generation),
    /// A snapshot was read; its state is kept by the shell under this name.
    Read {
        /// The app's state.
        state: PayloadId,
        /// Which mutations it contains.
        revision: Revision,
        /// Code that wrote it.
        build: Build,
        /// What belongs to it and cannot be read, for people.
        lacks: Option<String>,
    },
    /// Source: the group's manifest is made and chunks can be served.
    Packed {
        /// What will go.
        closure: Closure,
        /// Which generation.
        generation: Generation,
    },
    /// Source: every chunk that the peer needed has been handed to the stream.
    Sent,
    /// Destination: every chunk has come and is verified, under the closure named.
    Arrived {
        /// What came.
        closure: Closure,
        /// Which generation.
        generation: Generation,
        /// App id.
        app: String,
        /// Title.
        title: String,
    },
    /// It did not happen.
    Failed {
        /// For people: what happened, what was kept, what to do.
        why: String,
        /// True when bytes on disk are not what was written (a flipped bit), so that an older generation is to be tried.
        damaged: bool,
    },
}

/// What the journals say of one group; input of `recover`.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupHistory {
    /// Which.
    pub group: GroupId,
    /// App id from its newest snapshot; empty where none can be read.
    pub app: String,
    /// Title from its newest snapshot.
    pub title: String,
    /// Code that wrote its newest snapshot, where it can be read.
    pub build: Option<Build>,
    /// Every record, oldest first.
    pub entries: Vec<JournalEntry>,
}

/// A live instance that registered again before `recover`; those that come later come as `Event::Registered`.
#[derive(Clone, PartialEq, Debug)]
pub struct Present {
    /// Which.
    pub instance: InstanceId,
    /// Its app id.
    pub app: String,
    /// The code it runs.
    pub build: Build,
    /// What it says it holds.
    pub held: Vec<(GroupId, Lease, Revision)>,
}

/// This host's own key, needed to tell whose signature counts.
pub type OwnKey = HostKey;
