//! Promises between versions, kept by tests: [`compatibility!`](crate::compatibility).
//!
//! Beside the author's `Cargo.toml` lie, committed,
//!
//! * `state.lock`: of each released version its schema and the step that leads to it;
//! * `state/<id>/<version>.cbor`: a *golden* state of each released version.
//!
//! The tests that the macro makes fail when
//!
//! 1. a schema changed without a new version, or the step to a released version changed;
//! 2. the lenses applied to version N's schema do not give version N+1's;
//! 3. a golden state of any version cannot be brought up to this one;
//! 4. this version's state cannot be read by an older one, or does not come back whole from there;
//! 5. the lens laws do not hold for made-up states (GetPut exactly, PutGet where no loss is told).
//!
//! A new version is written down by `OVERWINTER_STATE=accept cargo test`. What is written down is never overwritten.
//!
//! ```
//! # use overwinter::{Rest, State};
//! #[derive(State)]
//! #[state(id = "org.example.Notes/document", version = 1)]
//! struct Note { text: String, rest: Rest }
//!
//! #[cfg(test)]
//! mod tests {
//!     use super::*;
//!
//!     // The golden state is made up; or give one: `compatibility!(Note, example)` with `fn example() -> Note`.
//!     overwinter::compatibility!(Note);
//! }
//! ```

mod checks;
mod lock;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

pub use lock::{Lock, Locked};

use crate::State;

/// The environment variable that lets the tests write down a new version; its value is `accept`.
pub const ACCEPT: &str = "OVERWINTER_STATE";

/// Makes tests that hold a state type to its promises; see [`compat`](mod@crate::compat).
///
/// * `compatibility!(Document)`: in a test module of its own.
/// * `compatibility!(Document, example)`: the golden state is what the function `example` returns.
/// * `compatibility!(document: Document)`, `compatibility!(document: Document, example)`: in a module called `document`, so
///   that several can stand side by side.
#[macro_export]
macro_rules! compatibility {
    ($module:ident : $state:ty $(, $example:expr)?) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            $crate::compatibility!($state $(, $example)?);
        }
    };
    ($state:ty $(, $example:expr)?) => {
        fn compatibility() -> $crate::compat::Compatibility<$state> {
            let compatibility = $crate::compat::Compatibility::new(env!("CARGO_MANIFEST_DIR"));
            $(let compatibility = compatibility.with_example($example);)?
            compatibility
        }

        #[test]
        fn the_schema_is_locked() -> $crate::compat::Outcome {
            compatibility().schema_is_locked()
        }

        #[test]
        fn the_lenses_lead_from_schema_to_schema() -> $crate::compat::Outcome {
            compatibility().lenses_fit_the_schemas()
        }

        #[test]
        fn golden_states_of_all_versions_come_up() -> $crate::compat::Outcome {
            compatibility().goldens_come_up()
        }

        #[test]
        fn all_versions_read_this_ones_state_and_give_it_back() -> $crate::compat::Outcome {
            compatibility().golden_goes_down_and_back()
        }

        #[test]
        fn the_lens_laws_hold() -> $crate::compat::Outcome {
            compatibility().lens_laws_hold()
        }
    };
}

/// Why a version breaks its promises: text for people, with what to do.
#[derive(Clone, PartialEq, Eq)]
pub struct Incompatible(String);

/// What a check says.
pub type Outcome = Result<(), Incompatible>;

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As it is displayed: it is what a failing test prints.
impl fmt::Debug for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Incompatible {}

/// The checks for one state type; what the tests of [`compatibility!`](crate::compatibility) call.
pub struct Compatibility<T> {
    /// Where `state.lock` is.
    folder: PathBuf,
    example: Option<fn() -> T>,
    accept: bool,
    state: PhantomData<T>,
}

impl<T: State> Compatibility<T> {
    /// The checks for `T`, whose crate is in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Compatibility {
            folder: folder.into(),
            example: None,
            accept: std::env::var_os(ACCEPT).is_some_and(|value| value == "accept"),
            state: PhantomData,
        }
    }

    /// With a function that gives the golden state of a new version. Without one it is made up from the schema, which fields
    /// with `#[state(opaque)]` do not allow.
    #[must_use]
    pub fn with_example(mut self, example: fn() -> T) -> Self {
        self.example = Some(example);
        self
    }

    /// Whether a new version is written down, instead of what the environment says.
    #[must_use]
    pub fn accepting(mut self, accept: bool) -> Self {
        self.accept = accept;
        self
    }
}
