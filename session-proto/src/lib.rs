//! What crosses a process or host boundary, and nothing else.
//!
//! * [`ids`]: the words that name groups, copies, instances, operations.
//! * [`snapshot`]: the envelope a sleeping or travelling group is kept in.
//! * [`parts`]: what travels beside the state: blobs by hash, secrets.
//! * [`journal`]: the records that decide who owns a group.
//! * [`transfer`]: the messages two hosts exchange when a group moves.
//! * [`bus`]: the D-Bus contract (`dbus/*.xml` is the text that other languages implement).
//! * [`launch`]: what the session and its launcher say to each other.
//! * `protocols/overwinter-v1.xml`: the Wayland extension that ties a window to its group.
//!
//! This crate does no I/O and knows no other crate of the workspace.

pub mod bus;
pub mod ids;
pub mod journal;
pub mod launch;
pub mod parts;
pub mod snapshot;
pub mod transfer;

pub use ids::*;
pub use journal::JournalRecord;
pub use parts::{BlobHash, BlobRef, Secrets};
pub use snapshot::Snapshot;

mod cbor;
pub use cbor::{DecodeError, decode, encode};
