//! The C interface of the `overwinter` client library.
//!
//! The rules, for every function:
//!
//! * **Threads**: everything belongs to one thread, the one that called `ow_session_connect` (the UI thread). Values, forms
//!   and saved bytes may be used on any one thread at a time.
//! * **Ownership**: a pointer that a function is documented to *take* is its own afterwards, whether it succeeds or not. A
//!   returned pointer is the caller's unless it is documented as *borrowed*; each type has its own free function, which
//!   accepts null.
//! * **Errors**: null or `false` means that nothing was done; [`ow_error`](error::ow_error) says what happened. Null where a
//!   pointer is needed, text that is not UTF-8, and a panic within the library are such errors, never a crash.
//! * **Strings** are UTF-8 and end with a zero byte.
//!
//! `include/overwinter.h` is made from this crate; a test keeps the two together.

#![allow(
    clippy::missing_safety_doc,
    reason = "the safety of every function here is the rules of the module"
)]

pub mod error;
pub mod form;
#[cfg(feature = "gtk")]
pub mod gtk;
pub mod session;
pub mod state;
pub mod value;

mod raw;
