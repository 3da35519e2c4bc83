//! The heart of Overwinter: groups, instances, sleep, migration and moves as pure state machines.
//!
//! [`Session::step`](session::Session::step) takes the time and an [`Event`] and returns [`Effect`]s. It has no clock, no thread, no file and no
//! socket: ids and randomness are inputs, maps are ordered, every event is legal in every state. The state is never stored:
//! [`Session::recover`](session::Session::recover) rebuilds it from the journals and a census of live instances.

mod adopt;
mod answers;
mod aside;
mod blame;
mod deadline;
pub mod effect;
pub mod event;
mod group;
pub mod ids;
mod instance;
pub mod invariants;
mod migrate;
mod operation;
mod recover;
pub mod refusal;
mod save;
pub mod session;
mod sleep;
mod transfer;
mod update;
pub mod view;
mod wake;

pub use aside::Aside;
pub use effect::{Choice, Effect, GroupResult, Outcome, ShellEffect, StoreRequest, ToApp};
pub use event::{Event, FromApp, GroupHistory, Present, StoreReply};
pub use invariants::Violation;
pub use overwinter_proto as proto;
pub use refusal::Refusal;
pub use session::{Config, Session};
pub use transfer::stream::Terms;
pub use view::{GroupView, InstanceView, View};
