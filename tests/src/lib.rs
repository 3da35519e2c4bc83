//! The whole session with real clients: what it takes to start one, to use it with hands and eyes, and to see from the
//! outside what became of it.
//!
//! * [`session`]: a private session on its own buses, and its end.
//! * [`host`]: a second host, made of namespaces.
//! * [`input`], [`screen`], [`atspi`], [`proc`]: hands, eyes, a screen reader, the kernel's word.
//! * [`wire`], [`witness`]: clients that misbehave, and one that sees whether it suffers from it.
//! * [`install`]: applications in a private prefix.
//! * [`notes`]: the life of an example, whatever it is written in.
//! * [`bench`]: figures, taken from the outside.
//!
//! Checks read the truth from the outside only: texts through AT-SPI, the clipboard as another client reads it, `/proc`,
//! pixels taken by grim; never a property, log or flag of the code under test.

pub mod atspi;
pub mod bench;
pub mod host;
pub mod input;
pub mod install;
pub mod notes;
pub mod place;
pub mod proc;
pub mod recorder;
pub mod report;
pub mod screen;
pub mod session;
pub mod story;
pub mod test_app;
pub mod wait;
pub mod wire;
pub mod witness;
