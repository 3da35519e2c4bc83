//! A group: where it is, who holds it, what of it is durable. Each state is a variant that carries its data.
//!
//! ```text
//!              Fence, BeginSave, Write           Release(quit)            Released
//! Live(Working) ────────────► Live(Saving) ────────► Live(LettingGo) ────────────► Asleep(Still)
//!   ▲  ▲                          │ migrate                                          │ touch
//!   │  │ any failure              ▼              Release(stay)         Released      ▼
//!   │  └─────────────────── Live(Trying) ────────► Live(Yielding) ─────────┐   Asleep(Waking)
//!   │                                                                      ▼         │ Restored
//!   └────────────────────────────────────────────── Adopt ◄────────── Leasing ◄──────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::*;
use crate::transfer::source::{Departed, Departure};

/// One group that lives, sleeps or lived here.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub id: GroupId,
    pub app: String,
    pub title: String,
    /// Newest lease that was handed out or asked to be made durable: no older one counts.
    pub lease: Lease,
    pub home: Home,
    /// Copies without lease: trials and retired ones.
    pub others: BTreeMap<CopyId, OtherCopy>,
    /// What is durable and not given up to deletion.
    pub snapshots: BTreeMap<Generation, Snap>,
    pub proven: Option<Generation>,
    /// Its record is being written: until that is answered it may be proven or not.
    pub proving: Option<Generation>,
    /// The one write that is under way.
    pub writing: Option<Writing>,
    /// What is written next; a newer save takes its place.
    pub pending: Option<Pending>,
    /// Builds that failed to restore a generation, as the journal has it.
    pub blames: BTreeMap<Generation, Vec<String>>,
    /// Builds not to be tried first for a generation in this incarnation: blamed ones, and those that did not start.
    pub distrusted: BTreeSet<(Generation, String)>,
    /// The build it was migrated from: where an undo leads.
    pub came_from: Option<Build>,
    /// The `Opened` record failed and is owed before the next write.
    pub owes_opened: bool,
    /// The last record asked of the store, if it was PREPARING and nothing has followed it.
    pub preparing: Option<TxId>,
    /// Who was the last to release it, answering which request: a duplicate gets the same answer.
    pub let_go: Option<(InstanceId, OpId, Lease)>,
    /// Its last holder died: the next wake is a recovery.
    pub crashed: bool,
    /// The last thing that went wrong.
    pub error: Option<String>,
}

/// Where a group is: exactly one of these.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// An instance holds it.
    Live(Holder, Activity),
    /// The lease of its next holder is being made durable; until then nobody holds it.
    Leasing(Succession),
    /// Nothing runs; its newest snapshot and its ghost are what there is.
    Asleep(Rest),
    /// Asleep and on its way to another host; before the commit point.
    Departing(Departure),
    /// Another host runs it.
    Released(Departed),
    /// Wakes only when the user says so.
    Quarantined,
    /// Its end is being written down.
    Closing { store: StoreId, until: Instant },
}

/// Who has the lease.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub instance: InstanceId,
    pub copy: CopyId,
    pub since: Instant,
    /// The generation it was restored from.
    pub from: Option<Generation>,
    /// The newest of its revisions that is durable.
    pub stored: Option<(Revision, Generation)>,
    pub proof: Proof,
    pub shown: Shown,
    /// It was asked to let go in this way, did not answer in time, and may yet.
    pub unanswered: Option<(OpId, LetGo)>,
}

/// Whether the generation the holder came from has proven itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// It lives; nothing more is known.
    Lives,
    /// It has saved again; what is left is the time.
    SavedAgain,
    /// It is written down, or there is nothing to prove.
    Settled,
}

/// Whether the holder's windows have replaced the ghost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    Awaited { until: Instant },
    Yes,
}

/// A copy that holds no lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OtherCopy {
    pub instance: InstanceId,
    pub kind: OtherKind,
}

/// See [`OtherCopy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OtherKind {
    /// Being made, or waiting to be adopted.
    Trial,
    /// It will not be adopted, and is discarded when the update that wanted it is over: discarding the last copy ends
    /// the process that the next group is to live in.
    Refused,
    /// Its successor was adopted; kept for undo.
    Retired { since: Instant },
}

/// What is known of a durable snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Snap {
    pub revision: Revision,
    pub lease: Lease,
    pub build: Option<Build>,
    /// Its bytes on disk are not what was written.
    pub damaged: bool,
}

/// A write that the store has not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Writing {
    pub store: StoreId,
    pub op: OpId,
    pub revision: Revision,
    pub digest: Digest,
    pub lease: Lease,
    pub until: Instant,
}

/// A save that waits for the write under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub payload: PayloadId,
    pub op: OpId,
    pub revision: Revision,
    pub digest: Digest,
    pub lease: Lease,
    pub title: String,
    pub build: Build,
}

/// What a live group is busy with.
#[derive(Clone, Debug)]
pub(crate) enum Activity {
    Working,
    /// It saves, to be put to sleep or to be migrated.
    Saving {
        purpose: Purpose,
        op: OpId,
        stage: SaveStage,
    },
    /// It is durable and was asked to let go, to sleep.
    LettingGo {
        op: OpId,
        revision: Revision,
        generation: Generation,
        until: Instant,
        /// Its ghost was touched meanwhile: it wakes as soon as it sleeps.
        touched: bool,
    },
    /// A copy of it is being made in the next instance.
    Trying {
        migration: Migration,
        saved: SavedState,
        stage: TrialStage,
    },
    /// The copy is good, and the old holder was asked to let go.
    Yielding {
        migration: Migration,
        op: OpId,
        saved: SavedState,
        copy: CopyId,
        /// The revision that the copy calls its own.
        restored: Revision,
        until: Instant,
    },
}

/// What a save is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Sleep { reason: Reason },
    Migrate(Migration),
}

/// A group's way from one instance to another.
#[derive(Clone, Debug)]
pub(crate) struct Migration {
    pub to: InstanceId,
    pub reason: Reason,
    /// How often the app has answered `Changed`.
    pub changed: u8,
}

/// The durable state that a migration carries over.
#[derive(Clone, Debug)]
pub(crate) struct SavedState {
    pub revision: Revision,
    pub generation: Generation,
    pub digest: Digest,
}

/// How far a save has come.
#[derive(Clone, Debug)]
pub(crate) enum SaveStage {
    /// Earlier input is being handled.
    Fencing { until: Instant },
    /// The app was asked for its state.
    Asked { until: Instant, cap: Instant },
    /// The app says that its newest revision is stored: it is read back, to be written again with the windows as they
    /// stand now.
    ReadingBack {
        store: StoreId,
        revision: Revision,
        digest: Digest,
        until: Instant,
    },
    /// The store writes it.
    Storing,
}

/// How far a trial has come.
#[derive(Clone, Debug)]
pub(crate) enum TrialStage {
    Reading {
        store: StoreId,
        until: Instant,
    },
    Restoring {
        op: OpId,
        copy: CopyId,
        until: Instant,
        cap: Instant,
    },
}

/// A copy that becomes the holder as soon as its lease is durable.
#[derive(Clone, Debug)]
pub(crate) struct Succession {
    pub instance: InstanceId,
    pub copy: CopyId,
    pub store: StoreId,
    pub until: Instant,
    /// What the copy contains, in its own count, and where that is durable.
    pub revision: Revision,
    pub generation: Generation,
    pub why: Why,
}

/// See [`Succession`].
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// The group wakes.
    Woken,
    /// The group is migrated; its old copy is retired.
    Migrated {
        reason: Reason,
        from: Option<Build>,
        /// The copy that it came from, unless that died.
        retired: Option<CopyId>,
    },
    /// What should have replaced this copy failed.
    Returned { failure: String },
}

impl Why {
    /// What an undo leads to from here on, where this changes it: going back leads nowhere further.
    pub(crate) fn undo_leads_to(&self) -> Option<Option<Build>> {
        match self {
            Why::Migrated { reason, from, .. } => {
                Some(from.clone().filter(|_| *reason != Reason::Rollback))
            }
            Why::Woken | Why::Returned { .. } => None,
        }
    }
}

/// How a group sleeps.
#[derive(Clone, Debug)]
pub(crate) enum Rest {
    Still,
    /// The last holder's save is still being written; a wish to wake waits for it.
    Settling {
        wake: Option<Reason>,
    },
    Waking(Waking),
}

/// A group on its way from asleep to live.
#[derive(Clone, Debug)]
pub(crate) struct Waking {
    pub reason: Reason,
    pub generation: Generation,
    pub stage: WakeStage,
}

/// See [`Waking`].
#[derive(Clone, Debug)]
pub(crate) enum WakeStage {
    /// A place to live and the state are being fetched, at the same time.
    Gathering { host: Host, state: StateCopy },
    Restoring {
        instance: InstanceId,
        op: OpId,
        copy: CopyId,
        until: Instant,
        cap: Instant,
    },
}

/// Where a waking group will live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Host {
    Starting(LaunchId),
    Here(InstanceId),
}

/// The state of a waking group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StateCopy {
    Reading {
        store: StoreId,
        until: Instant,
    },
    Read {
        payload: PayloadId,
        revision: Revision,
    },
}

impl Group {
    pub fn new(id: GroupId, app: String, title: String, lease: Lease, home: Home) -> Group {
        Group {
            id,
            app,
            title,
            lease,
            home,
            others: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            proven: None,
            proving: None,
            writing: None,
            pending: None,
            blames: BTreeMap::new(),
            distrusted: BTreeSet::new(),
            came_from: None,
            owes_opened: false,
            preparing: None,
            let_go: None,
            crashed: false,
            error: None,
        }
    }

    pub fn holder(&self) -> Option<&Holder> {
        match &self.home {
            Home::Live(holder, _) => Some(holder),
            _ => None,
        }
    }

    pub fn holder_mut(&mut self) -> Option<&mut Holder> {
        match &mut self.home {
            Home::Live(holder, _) => Some(holder),
            _ => None,
        }
    }

    pub fn newest(&self) -> Option<Generation> {
        let whole = self.snapshots.iter().rev().find(|(_, snap)| !snap.damaged);
        whole.map(|(generation, _)| *generation)
    }

    pub fn is_working(&self) -> bool {
        matches!(self.home, Home::Live(_, Activity::Working))
    }

    pub fn is_still(&self) -> bool {
        matches!(self.home, Home::Asleep(Rest::Still))
    }

    /// Whether it is being put to sleep.
    pub fn is_falling_asleep(&self) -> bool {
        matches!(
            self.home,
            Home::Live(
                _,
                Activity::LettingGo { .. }
                    | Activity::Saving {
                        purpose: Purpose::Sleep { .. },
                        ..
                    }
            )
        )
    }

    /// Whether it is on its way to another instance on this host.
    pub fn is_migrating(&self) -> bool {
        match &self.home {
            Home::Live(_, activity) => matches!(
                activity,
                Activity::Trying { .. }
                    | Activity::Yielding { .. }
                    | Activity::Saving {
                        purpose: Purpose::Migrate(_),
                        ..
                    }
            ),
            Home::Leasing(succession) => !matches!(succession.why, Why::Woken),
            _ => false,
        }
    }

    /// Whether it is on its way to being live.
    pub fn is_waking(&self) -> bool {
        match &self.home {
            Home::Asleep(Rest::Waking(_) | Rest::Settling { wake: Some(_) }) => true,
            Home::Leasing(succession) => matches!(succession.why, Why::Woken),
            _ => false,
        }
    }

    /// The word for it on D-Bus and in status.
    pub fn state_word(&self) -> &'static str {
        match &self.home {
            Home::Live(_, Activity::Working) => "live",
            Home::Live(_, Activity::LettingGo { .. }) => "releasing",
            Home::Live(..) if self.is_migrating() => "migrating",
            Home::Live(..) => "saving",
            Home::Leasing(Succession {
                why: Why::Woken, ..
            }) => "waking",
            Home::Leasing(_) => "migrating",
            Home::Asleep(Rest::Waking(_) | Rest::Settling { wake: Some(_) }) => "waking",
            Home::Asleep(_) | Home::Closing { .. } => "asleep",
            Home::Departing(_) => "in-transit",
            Home::Released(_) => "released",
            Home::Quarantined => "quarantined",
        }
    }
}
