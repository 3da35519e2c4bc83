//! Names that live within one incarnation of the session; those that outlive it are in `overwinter_proto::ids`.

pub use overwinter_proto::{
    Build, CopyId, Generation, GroupId, InstanceId, Lease, LetGo, OpId, Reason, Revision, TxId,
};

/// A moment on CLOCK_MONOTONIC, in milliseconds. Deadlines are counted on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// This many milliseconds later.
    #[must_use]
    pub fn after(self, ms: u64) -> Instant {
        Instant(self.0.saturating_add(ms))
    }
}

/// One request to the store; its reply carries it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StoreId(pub u64);

/// One request to start an app.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaunchId(pub u64);

/// One operation that somebody asked for over the control interface and whose end is announced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OperationId(pub u64);

/// One connected byte stream to another host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

/// A payload that the shell keeps outside the heart (megabytes of app state): the heart only passes the name on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PayloadId(pub u64);

/// BLAKE3 of a canonical state body.
pub type Digest = [u8; 32];
