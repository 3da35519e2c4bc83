//! Carries out the heart's wishes in the world, and turns what happens there into events: one file for each part of it.
//!
//! * [`bus`]: apps, over D-Bus; [`register`]: who they are; [`control`]: the command line.
//! * [`blobs`]: which blobs each group has; [`payloads`]: states on their way.
//! * [`store`]: the store worker's thread; [`errands`]: what is asked of it that may take long.
//! * [`keys`]: the ways to the store's master key; [`space`]: how much the store takes.
//! * [`peer`]: streams to other hosts; [`identity`]: this host's key, and whose word counts.
//! * [`choices`]: which versions the user wants.
//! * [`launch`]: processes; [`instances`]: which process is which instance.
//! * [`shell`]: windows, pictures, cookies.
//! * [`status`]: the session as JSON; [`operations`]: what was asked and how it ended; [`notices`]: what the user is told.
//! * [`wishes`]: what the user has done by keys and scripts.
//! * [`quit`], [`signals`]: the end of the session.
//!
//! Everything arrives at the main thread as an [`Incoming`], through one channel, in the order in which it was sent.

pub mod blobs;
pub mod bus;
pub mod choices;
pub mod control;
pub mod environment;
pub mod errands;
pub mod identity;
pub mod instances;
pub mod keys;
pub mod launch;
pub mod notices;
pub mod operations;
pub mod payloads;
pub mod peer;
pub mod quit;
pub mod register;
pub mod shell;
pub mod signals;
pub mod space;
pub mod status;
pub mod store;
pub mod wishes;

use overwinter_proto::launch::ProcessId;

/// What other threads tell the main thread.
#[derive(Debug)]
pub enum Incoming {
    /// From the bus thread.
    Bus(register::Told),
    /// From the store worker.
    Store(store::Answer),
    /// Something was done about the store's slots, or was not.
    Keys(keys::Told),
    /// From the watcher.
    Watch(overwinter_watch::Change),
    /// From a stream to another host.
    Peer(peer::Heard),
    /// The launcher's socket can be read.
    Launcher,
    /// The heart's deadline has come.
    Tick,
    /// A signal asks for the end.
    Signal(i32),
    /// The session was to have ended by now.
    QuitIsDue,
    /// What the user wants by a key or a script.
    Wish(wishes::Wish),
    /// A process that outlived its launcher has ended.
    Ended(ProcessId),
}

/// Fresh random bytes.
///
/// # Errors
/// When the system has none: nothing can be named then.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
