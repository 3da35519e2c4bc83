//! What the session wants done. Effects carry ids, may run twice, and end done, failed or unknown; their order in the Vec is
//! no barrier: whatever cannot be taken back waits for the event that says that the earlier step is durable.

use std::collections::BTreeSet;

use overwinter_proto::JournalRecord;
use overwinter_proto::transfer::Message;

use crate::ids::*;

/// One thing to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Say something to an app over D-Bus. No reply is awaited here; a dead app shows as `InstanceGone` or by a deadline.
    Send {
        /// To whom.
        instance: InstanceId,
        /// What.
        message: ToApp,
    },
    /// Ask the store worker. Requests of one group are carried out in the order given.
    Store {
        /// Comes back in `Event::Store`.
        id: StoreId,
        /// What.
        request: StoreRequest,
    },
    /// Start the app's code on disk. Answered by `Started` or `StartFailed`; `Registered` follows.
    Start {
        /// The request.
        launch: LaunchId,
        /// App id.
        app: String,
        /// A kept older executable instead of the one on disk: the build's id.
        build: Option<String>,
        /// What Register answers as the reason.
        reason: Reason,
    },
    /// End a process that has nothing left (or does not answer and holds nothing): SIGTERM, later SIGKILL.
    End {
        /// Which.
        instance: InstanceId,
    },
    /// Stop (or continue) a process all of whose copies are retired.
    Freeze {
        /// Which.
        instance: InstanceId,
        /// True to stop.
        frozen: bool,
    },
    /// Change what is on screen.
    Shell(ShellEffect),
    /// Say something to another host.
    Peer {
        /// The stream.
        peer: PeerId,
        /// What. `Released` and `Aborted` come without signature: the shell signs.
        message: Message,
    },
    /// Close the stream to another host.
    ClosePeer {
        /// Which.
        peer: PeerId,
    },
    /// An operation has ended, or one more of its groups has.
    Progress {
        /// Which.
        operation: OperationId,
        /// True when nothing more will follow.
        ended: bool,
        /// What became of each group so far.
        results: Vec<GroupResult>,
    },
    /// No other effect will use this payload: forget it. A payload that came in with an event is used up by exactly one
    /// effect, be it now or later: `Write` (until its reply), `Restore` (when it is sent) or this one.
    DropPayload(PayloadId),
    /// The user's choice of versions is another: keep it for the next session's `Config::choices`.
    Remember {
        /// App id.
        app: String,
        /// What the user chose; nothing, when it is the usual again.
        choice: Choice,
    },
    /// Tell the user (a notification; the log).
    Notice {
        /// About which group, if any.
        group: Option<GroupId>,
        /// What happened, what was kept, what to do.
        text: String,
    },
}

/// Which versions of an app the user wants. It is about the app, not about a group: no group's journal has it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Choice {
    /// Build ids that the user went back from: not updated to by itself.
    pub declined: BTreeSet<String>,
    /// What is used instead of a declined build.
    pub instead: Option<Build>,
}

/// What became of a group in an operation.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupResult {
    /// Which.
    pub group: GroupId,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, what was kept, what to do.
    pub text: String,
}

/// See [`GroupResult`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As asked.
    Done,
    /// It was that way already, or cannot be asked of this group.
    Skipped,
    /// It is where it was.
    Failed,
}

/// What is said to an app; see `org.overwinter.Client1` for each.
#[derive(Clone, PartialEq, Debug)]
#[allow(
    missing_docs,
    reason = "each is documented in org.overwinter.Client1.xml, argument by argument"
)]
pub enum ToApp {
    BeginSave {
        op: OpId,
        group: GroupId,
        lease: Lease,
        reason: Reason,
        deadline_ms: u32,
    },
    Stored {
        group: GroupId,
        lease: Lease,
        revision: Revision,
        generation: Generation,
    },
    /// The shell draws a fresh cookie, tells the compositor, and reads `state` from where `StoreReply::Read` put it. `copy` is
    /// drawn by the heart, with its top bit set; the shell's own (`OpenGroup`) have it clear.
    Restore {
        op: OpId,
        group: GroupId,
        copy: CopyId,
        reason: Reason,
        revision: Revision,
        state: PayloadId,
        deadline_ms: u32,
    },
    Adopt {
        op: OpId,
        group: GroupId,
        copy: CopyId,
        lease: Lease,
    },
    Discard {
        op: OpId,
        group: GroupId,
        copy: CopyId,
    },
    Release {
        op: OpId,
        group: GroupId,
        lease: Lease,
        revision: Revision,
        how: LetGo,
    },
    YieldNames {
        op: OpId,
    },
    TakeNames {
        op: OpId,
    },
}

/// What the store worker is asked.
#[derive(Clone, PartialEq, Debug)]
pub enum StoreRequest {
    /// Write a snapshot: the state under `payload`, with the placement and pictures that the shell takes of the group at the
    /// moment it carries out this effect. → `Written`.
    Write {
        /// Which.
        group: GroupId,
        /// App id.
        app: String,
        /// Code that saved it.
        build: Build,
        /// The holder's lease.
        lease: Lease,
        /// The app's mutation counter.
        revision: Revision,
        /// For lists.
        title: String,
        /// The state.
        payload: PayloadId,
        /// Whether somebody waits for it: the group is about to sleep or to change hands. Otherwise it is an autosave, for
        /// which older pictures are good enough.
        asked: bool,
    },
    /// Read a snapshot. → `Read`.
    Read {
        /// Which.
        group: GroupId,
        /// Which.
        generation: Generation,
    },
    /// Append a record, durable when answered. → `Recorded`.
    Record {
        /// Which.
        group: GroupId,
        /// What.
        record: JournalRecord,
    },
    /// Delete generations older than the newest except these.  → `Recorded`.
    Retain {
        /// Which.
        group: GroupId,
        /// The newest, the newest proven one, pinned origins.
        keep: Vec<Generation>,
    },
    /// Source: make the manifest, send `Offer` on the stream. → `Packed`.
    Pack {
        /// Which.
        group: GroupId,
        /// This move.
        tx: TxId,
        /// Where to.
        peer: PeerId,
    },
    /// Source: send the chunks of the peer's `Need`. → `Sent`.
    SendChunks {
        /// Which.
        group: GroupId,
        /// This move.
        tx: TxId,
        /// Where to.
        peer: PeerId,
        /// Which.
        chunks: Vec<overwinter_proto::transfer::ChunkId>,
    },
    /// Destination: an `Offer` came: is the app here, is there room; send `Need` on the stream (or answer `Failed`, and the
    /// heart refuses), take chunks as they come. → `Arrived` when all are here and verified.
    Unpack {
        /// This move.
        tx: TxId,
        /// Where from.
        peer: PeerId,
        /// What the peer offered.
        manifest: overwinter_proto::transfer::Manifest,
        /// The group's keys.
        keys: Vec<u8>,
    },
    /// Destination: make the arrived group the store's own (its chunks and generation become readable). → `Written`.
    Admit {
        /// Which.
        group: GroupId,
        /// This move.
        tx: TxId,
    },
    /// Destination: drop what came for a move that did not happen. → `Recorded`.
    DropStaged {
        /// Which.
        group: GroupId,
        /// This move.
        tx: TxId,
    },
    /// Source: the group lives elsewhere: drop chunks and keys, keep the tombstone. → `Recorded`.
    Bury {
        /// Which.
        group: GroupId,
    },
}

/// What the compositor does with windows. A group without windows (never mapped) makes all of these no-ops, and the fence is
/// answered at once.
#[derive(Clone, PartialEq, Debug)]
pub enum ShellEffect {
    /// Take keyboard focus off the group's windows and put a fence behind all input it was sent; answered by `FenceDone`.
    /// With `hold`, keys typed at the group from now on are held (a migration), else focus goes to the next window.
    Fence {
        /// Which.
        group: GroupId,
        /// Comes back.
        op: OpId,
        /// Hold keys for the next holder.
        hold: bool,
    },
    /// Picture the group's windows as they are on screen and show the pictures in their place; the windows are hidden.
    /// A ghost that is there already stays.
    ShowGhost {
        /// Which.
        group: GroupId,
    },
    /// The ghost is not needed: the holder's own windows again, in one frame; held keys go to them.
    DropGhost {
        /// Which.
        group: GroupId,
    },
    /// The group came from the store, or its holder died: put its ghost where the newest snapshot's placement says. The
    /// shell reads it itself. A ghost that is there already stays.
    PlaceGhost {
        /// Which.
        group: GroupId,
        /// Which.
        generation: Generation,
    },
    /// The copy is the group from now on: each of its windows replaces its ghost when it is ready; windows of other copies
    /// are hidden. Answered by `Shown` once.
    Swap {
        /// Which.
        group: GroupId,
        /// The adopted copy.
        copy: CopyId,
    },
    /// A wake has begun because of a touch: the ghost shows that it is waking; keys typed at it are held.
    Waking {
        /// Which.
        group: GroupId,
    },
    /// The wake failed: the ghost is an ordinary ghost again; held keys are discarded and never go elsewhere.
    WakeFailed {
        /// Which.
        group: GroupId,
    },
    /// The group ended or lives elsewhere: no ghost, no windows, nothing held.
    Forget {
        /// Which.
        group: GroupId,
    },
}
