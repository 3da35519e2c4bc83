//! The ways to the store's master key, for whoever opens a store: the session, and the command line where none runs.
//!
//! * [`service`]: the user's keyring, through the Secret Service.
//! * [`passphrase`]: where a word comes from.
//! * [`open`]: a store is opened by the first slot that opens.
//! * [`slots`]: slots are added, removed, filled anew; the master key is changed.
//!
//! What it promises:
//!
//! 1. Nothing waits without a deadline: not for a keyring that is locked, not for a service that never answers.
//! 2. Nobody is asked anything (a keyring to be unlocked) unless the caller allows it.
//! 3. A key is in the keyring before a slot depends on it, and leaves the keyring after no slot does any more. Cut short
//!    anywhere, the store opens as before.
//! 4. Each store's key is its own: stores of one user do not mix.
//! 5. No key and no word is logged or left in memory that is given back.

pub mod open;
pub mod passphrase;
pub mod service;
pub mod slots;

pub use open::{Asked, Closed, Opened, open};
pub use passphrase::Passphrase;
pub use service::{Owner, Service, Trouble};
pub use slots::{Refused, Slots, Tended, add, remove, rotate, tend};
