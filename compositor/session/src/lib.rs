//! The heart of Overwinter: groups, instances, sleep, migration and moves as pure state machines.
//!
//! [`Session::step`](session::Session::step) takes the time and an [`Event`] and returns [`Effect`]s. It has no clock, no thread, no file and no
//! socket: ids and randomness are inputs, maps are ordered, every event is legal in every state. The state is never stored:
//! [`Session::recover`](session::Session::recover) rebuilds it from the journals and a census of live instances.

pub mod effect;
pub mod event;
pub mod ids;
pub mod view;

pub use effect::{Effect, ShellEffect, StoreRequest, ToApp};
pub use event::{Event, FromApp, StoreReply};
pub use overwinter_proto as proto;
