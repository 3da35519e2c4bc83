//! Make an application overwinter: nothing its user has open is ever lost to an update, a crash, sleep or a reboot.
//!
//! An author writes three things: what a document's state is ([`State`], by derive), how it is taken from and put
//! onto the screen ([`Document`]), and when it changed ([`Group::changed`]). Everything else, talking to the session,
//! saving in the background, carrying state between versions, is done here. Without a session manager the very same
//! program is a plain application: every call is a cheap no-op.
//!
//! # State
//!
//! ```
//! use overwinter::{Rest, State, restore, save};
//!
//! #[derive(State)]
//! #[state(id = "org.example.Notes/document", version = 2)]
//! #[state(lens(1 => 2, rename("file", "path"), hoist("pos", "caret"), add("wrap", true)))]
//! struct Note {
//!     path: Option<String>,        // fields are plain serde types
//!     caret: u64,
//!     #[state(default = true)]
//!     wrap: bool,
//!     #[state(local)]
//!     scroll_px: f64,              // stays on this host
//!     rest: Rest,                  // what other versions know and this one does not
//! }
//!
//! let note = Note { path: None, caret: 3, wrap: false, scroll_px: 0.0, rest: Rest::default() };
//! let bytes = save(&note)?;
//! let back = restore::<Note>(&bytes)?;
//! assert_eq!(back.value.caret, 3);
//! assert!(back.loss.is_empty());
//! # Ok::<(), overwinter::StateError>(())
//! ```
//!
//! # Life in a session
//!
//! Everything below is for the UI thread: nothing here is `Send`, no callback runs on another thread, and no call waits
//! longer than a second.
//!
//! ```no_run
//! use std::{cell::RefCell, rc::Rc};
//! use overwinter::{AppInfo, Arrival, Document, Group, Reason, Rest, Session, State};
//!
//! #[derive(State)]
//! #[state(id = "org.example.Notes/document", version = 1)]
//! struct Note { text: String, rest: Rest }
//!
//! struct Page { group: Group, text: RefCell<String> }
//!
//! impl Document for Page {
//!     type State = Note;
//!     fn title(&self) -> String { "A note".into() }
//!     fn capture(&self) -> Note { Note { text: self.text.borrow().clone(), rest: Rest::default() } } // cheap: see there
//!     fn adopt(&self) { /* the copy is the group now: effects on files and network are allowed */ }
//!     fn retire(&self) { /* hide the windows, become inert, stay in memory */ }
//!     fn discard(&self) { /* destroy the windows, forget everything */ }
//! }
//!
//! fn show(group: &Group, text: String) -> Rc<dyn Document<State = Note>> {
//!     Rc::new(Page { group: group.clone(), text: text.into() }) // and its window; see `gtk::bind`
//! }
//!
//! let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
//!     .documents(|group, arrival: Arrival<Note>| Ok(show(group, arrival.state.text))) // an inert trial copy
//!     .on_quit(|| std::process::exit(0))
//!     .connect(); // at most a second; stands alone when there is no session
//!
//! if session.reason() == Reason::Launch {
//!     let group = session.open("A note", |group| show(group, String::new()));
//!     group.changed(); // after every change the user would miss: saved within a second
//! }
//! // In any main loop: when `session.as_fd()` is readable, `session.dispatch()`.
//! ```
//!
//! With feature `gtk` (GTK 4.8 or newer), in the application's `startup`, so that only the primary instance registers:
//!
//! ```text
//! let session = overwinter::gtk::connect(builder, &app);       // served by GLib; gives up and takes back the app's bus name,
//!                                                              // quits the app after its last copy
//! let tied = overwinter::gtk::bind(&window, &group, "main");   // before the window is presented
//! tied.ready();                                                // content is set: the next frame replaces the ghost
//! ```
//!
//! A trial copy's windows are presented like any others: the compositor keeps them from view until the copy is adopted.
//!
//! # Promises
//!
//! 1. A request to let go of an older revision than the current one is answered `Changed`; nothing is let go of.
//! 2. After [`Document::retire`] or before [`Document::adopt`] a copy saves nothing.
//! 3. State from outside never panics, never takes unbounded memory or time, and is never dropped in silence: see [`LossReport`].

#[cfg(test)]
extern crate self as overwinter;

pub mod bridge;
pub mod cbor;
pub mod compat;
#[cfg(feature = "gtk")]
pub mod gtk;
pub mod lens;
pub mod loops;
pub mod part;
pub mod schema;
pub mod session;
pub mod value;

mod chain;
mod document;
mod error;
mod host;
mod loss;
mod state;

pub use chain::{Chain, Code, Step, StepError, StepFn, VersionId};
pub use document::{
    Encoded, Form, Origin, Provenance, Restored, restore, restore_record, save, save_record,
    save_with_origin, type_of,
};
pub use error::StateError;
pub use lens::Lens;
pub use loss::{Loss, LossReason, LossReport};
pub use overwinter_derive::State;
pub use overwinter_proto::Reason;
pub use part::Part;
pub use schema::Schema;
pub use session::{AppInfo, Arrival, Document, Group, Live, RawDocument, Session, Standing, Turn};
pub use state::{Record, Rest, State};
pub use value::{Kind, Map, Value};

/// What the derive writes; not for people.
#[doc(hidden)]
pub mod private {
    pub use crate::bridge::to_value as serde_value;
    pub use crate::lens::Scalar;
    pub use crate::part::{
        FieldShape, Key, ListOf, LocalReader, Reader, RecordReader, RecordWriter, Shapes, Variant,
        VariantShape, Writer, opaque, to_value,
    };
    pub type Result<T> = std::result::Result<T, crate::bridge::BridgeError>;
}
