//! Starts applications and sees them end, in a process of its own, so that neither a replaced nor a crashed compositor takes
//! an app with it, and so that the compositor is the parent of nobody.
//!
//! * [`server`]: what the `overwinter-launcher` binary runs.
//! * [`Client`]: the session's end of the socket; its descriptor is non-blocking and made for an event loop.
//!
//! The words on the socket are [`overwinter_proto::launch`]: one CBOR message a packet.

mod client;
mod process;
pub mod server;

pub use client::{Client, ClientError};
pub use process::start_time;

/// Largest packet either side sends: argv and environment of one start fit; a kernel socket buffer holds several.
pub const MAX_PACKET: usize = 128 << 10;
