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
//! Everything below is for the UI thread; nothing here is `Send`, no callback runs on another thread, and no call waits
//! longer than a second.
//!
//! ```text
//! // One object per group (a document with its windows). All methods run on the UI thread.
//! pub trait Document: 'static {
//!     type State: State + Send + 'static;
//!     fn title(&self) -> String;
//!     fn capture(&self) -> Self::State;   // cheap: hand over owned data (String, Arc); encoding happens elsewhere
//!     fn adopt(&self);                    // the trial copy is the group now: effects on files and network allowed
//!     fn retire(&self);                   // hide the windows, become inert, stay in memory (adopt may follow)
//!     fn discard(&self);                  // destroy the windows, forget everything
//!     fn disowned(&self) {}               // a new session does not know this group: go on as a plain window
//! }
//!
//! let session = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
//!     .documents(|group: &Group, arrival: Arrival<Note>| -> Result<Rc<dyn Document<State = Note>>, String> {
//!         // Build an inert trial copy from arrival.state. arrival.reason and arrival.loss say why and what was lost.
//!     })
//!     .names(|hold: bool| -> Result<(), String> { … })   // give up / take back well-known bus names (gtk does it for you)
//!     .on_quit(|| …)                                      // the last copy is gone: end the process
//!     .connect();                                         // at most one second; alone when there is no session
//!
//! session.reason()                       // Reason::Launch: open what the user asked for. Anything else: restores follow, open nothing
//! let group = session.open("Untitled", |group: &Group| -> Rc<dyn Document<State = Note>> { … });
//! group.changed();                       // after every change the user would miss: bumps the revision, schedules an autosave
//! group.close();                         // the user closed the document
//! group.is_stored();                     // the newest change survives a power cut
//!
//! // any main loop: poll the fd for reading, then dispatch
//! session.as_fd(); session.dispatch();
//! ```
//!
//! With feature `gtk` (GTK 4.8 or newer):
//!
//! ```text
//! // in GApplication::startup (so that only the primary instance registers):
//! let session = overwinter::gtk::connect(builder, &app);           // dispatches on GLib's main context, gives up and takes back app's bus name,
//!                                                                   // holds the app until its first restore, quits it with its last copy
//! let window = overwinter::gtk::bind(&window, &group, "main");      // before the window is realized (or after: binds at once)
//! window.ready();                                                   // real content is set: the next painted frame replaces the ghost
//! ```
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
#[cfg(feature = "gtk")]
pub mod gtk;
pub mod lens;
pub mod session;
pub mod value;

mod chain;
mod document;
mod error;
mod host;
mod loss;
mod state;

pub use chain::{Chain, Step};
pub use document::{
    Encoded, Origin, Provenance, Restored, restore, save, save_with_origin, type_of,
};
pub use error::StateError;
pub use lens::Lens;
pub use loss::{Loss, LossReason, LossReport};
pub use overwinter_derive::State;
pub use overwinter_proto::Reason;
pub use session::{AppInfo, Arrival, Document, Group, Session, Standing};
pub use state::{Record, Rest, State};
pub use value::{Kind, Map, Value};

/// What the derive writes; not for people.
#[doc(hidden)]
pub mod private {
    pub use crate::lens::Scalar;
    pub use crate::state::{RecordReader, RecordWriter};
}
