//! Carries the transfer stream of a move between a session and whatever byte stream leads to the other host.
//!
//! The courier understands nothing of what it carries: the two sessions speak `overwinter_proto::transfer`, the courier
//! [`pump`]s bytes. What it promises:
//!
//! 1. Every byte that one side wrote before its end reaches the other side, in order, or `pump` says that it did not.
//! 2. An end of one direction (half-close) is passed on after its last byte; the other direction goes on.
//! 3. It never waits for ever: without any byte in either direction for [`Limits::silence`] it gives up.
//!    With [`Limits::until`] it also ends a stream on which bytes still move.
//! 4. [`Carrier::finish`] leaves no child process behind.

mod carrier;
mod pump;

pub use carrier::{BadCommand, Carrier, Rsh, spawn_ssh};
pub use pump::{Carried, Ends, Limits, PumpError, pump};
