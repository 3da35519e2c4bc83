//! Overwinter's snapshot store.
//!
//! How it is proved, at the size of every run of the tests and long (all of it from the repository's root; with `--release` it
//! takes a fifth of the time):
//!
//! | what | long |
//! | --- | --- |
//! | a simulated disk, seeds: `tests/power` | `OVERWINTER_TEST_SEEDS=1000000 cargo nextest run --release -p overwinter-store seeds`: an hour and a half of one core; `OVERWINTER_TEST_FROM=n` begins with seed n, `OVERWINTER_TEST_SEED=n` plays one again, `OVERWINTER_TEST_TAIL=n` shows more of what it did |
//! | the same, every operation of a script | `OVERWINTER_TEST_LONG=1 cargo nextest run --release -p overwinter-store power`: five times as many ways of losing what was not synced |
//! | a writer that is killed: `tests/kill.rs` | `OVERWINTER_TEST_LONG=1 cargo nextest run --release -p overwinter-store killed`: a thousand rounds, some minutes |
//! | every byte changed, every file cut at every length: `tests/damage.rs` | always all of it, seconds |
//! | what is read: `fuzz` | `scripts/fuzz journal 0`, and `slots`, `snapshot`, `transfer`: until stopped |
//! | the page on the format: `tests/reader.rs` | always |
//!
//! What it promises:
//!
//! 1. A generation that [`Store::put`] has answered reads back bit for bit, or the reader is told that it is damaged and
//!    which generation is the last good one. A power cut, a full disk or a killed process at any moment changes nothing.
//! 2. Older data is never presented as the newest: a journal that is not whole is an error, not a shorter journal. The one
//!    exception is a last record that was never acknowledged; it is cut off.
//! 3. Every record of [`Store::record`] is durable when the call returns, in order, and cannot be taken out again.
//! 4. The newest generation and the proven one are never dropped while the group exists.
//! 5. [`Store::forget`] makes a group unreadable for ever by removing its key, and remembers that it did.
//! 6. The index (`DIR/index`) may be deleted or damaged at any time. That costs a rescan.
//! 7. Nothing read from disk or sent by another host makes it panic.
//!
//! The files are described in `docs/store-format.md`, well enough to write a reader without this code. One process owns a
//! store at a time; calls block, and belong on a thread of their own.

mod blocks;
mod chunk;
mod collect;
mod compact;
mod disk;
mod doctor;
mod errand;
mod error;
mod export;
mod frame;
mod group;
mod hints;
pub mod index;
mod journal;
mod keys;
mod migrate;
mod moves;
mod open;
mod parts;
mod place;
mod reading;
mod slots;
mod store;
mod sweep;
mod together;
mod trash;
pub mod vfs;

pub use chunk::MAX_SEALED;
pub use collect::{Collected, Collection, Count, Space, Usage};
pub use doctor::{Examination, Finding, Health};
pub use errand::{Errand, Progress, Step};
pub use error::{Result, StoreError};
pub use export::{Export, Import, Which};
pub use moves::closure;
pub use open::FORMAT;
pub use parts::{Parts, Pictures, Stored};
pub use place::{state_folder, store_in};
pub use slots::{SlotKind, Unlock};
pub use store::{GenerationInfo, Limits, MAX_SNAPSHOT, OpenReport, Options, Store};
pub use sweep::{Swept, Tombstone};
