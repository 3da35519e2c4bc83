//! Moves between hosts: at most one runner and at least one durable copy, always. The record RELEASED on the source is the
//! commit point: before it every failure leaves the group with the source, after it only the destination may run it.

pub(crate) mod abort;
pub(crate) mod destination;
pub(crate) mod gone;
mod offer;
pub(crate) mod source;
pub(crate) mod stream;

/// How long a peer may take to answer.
pub(crate) const PEER_MS: u64 = 60_000;
/// How long the bytes of one group may take on their way.
pub(crate) const CHUNKS_MS: u64 = 600_000;
/// After how long something that must happen and could not is tried again.
pub(crate) const AGAIN_MS: u64 = 10_000;
