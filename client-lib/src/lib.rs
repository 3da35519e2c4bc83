//! Make an application overwinter: nothing its user has open is ever lost to an update, a crash, sleep or a reboot.
//!
//! An author says what a document's state is ([`State`], by derive), where it is ([`Live`]), and what to do when it appears.
//! Everything else, talking to the session, saving in the background, carrying state between versions, is done here. Without a
//! session manager the very same program is a plain application: every call is a cheap no-op.
//!
//! `docs/guide.md` leads from an empty crate to an app that sleeps, is updated and downgraded.
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
//! use overwinter::{AppInfo, Live, Reason, Rest, Session, State, Turn};
//!
//! #[derive(State, Clone, Default)]
//! #[state(id = "org.example.Notes/document", version = 1)]
//! struct Note { text: String, rest: Rest }
//!
//! let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
//!     .live("A note", |note: &Live<Note>| {
//!         // Build its window here, an inert one; it shows what `shown.get()` says.
//!         let shown = note.clone();
//!         note.on_turn(move |turn| match turn {
//!             Turn::Adopted => println!("{}", shown.get().text), // it is the document now: show it
//!             Turn::Retired => println!("(elsewhere)"),          // another copy is: hide it, stay in memory
//!             _ => {}
//!         });
//!     })
//!     .connect(); // at most a second; stands alone when there is no session
//!
//! if session.reason() == Reason::Launch {
//!     let note = session.add(Note::default());
//!     note.edit(|note| note.text.push_str("saved within a second"));
//! }
//! while !session.has_ended() {
//!     session.wait(None)?; // or any main loop: see `loops`
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Live`] is the short form of [`Document`], a trait for apps that do more when a copy is adopted, retired or discarded;
//! [`RawDocument`] is the same without Rust types, for interfaces to other languages.
//!
//! With feature `gtk` (GTK 4.8 or newer), in the application's `startup`, so that only the primary instance registers:
//!
//! ```text
//! let session = overwinter::gtk::connect(builder, &app);  // served by GLib; gives up and takes back the app's bus name,
//!                                                         // quits the app after its last copy
//! overwinter::gtk::show(&window, &note);                  // the window of a `Live` document; or, piece by piece,
//! let tied = overwinter::gtk::bind(&window, &group, "main");   // before the window is presented, and
//! tied.ready();                                           // content is set: the next frame replaces the ghost
//! ```
//!
//! A trial copy's windows are presented like any others: the compositor keeps them from view until the copy is adopted.
//!
//! # Promises
//!
//! 1. A request to let go of an older revision than the current one is answered `Changed`; nothing is let go of.
//! 2. After [`Document::retire`] or before [`Document::adopt`] a copy saves nothing; what is changed in it then counts once it is
//!    adopted.
//! 3. State from outside never panics, never takes unbounded memory or time, and is never dropped in silence: see [`LossReport`].

// The derive writes `::overwinter`, here too.
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
pub mod uri;
pub mod value;

mod blob;
/// The guide's code, compiled.
#[cfg(all(doctest, feature = "gtk"))]
#[doc = include_str!("../../docs/guide.md")]
mod guide {}

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

mod chain;
mod document;
mod error;
mod host;
mod loss;
mod parts;
mod secret;
mod state;

pub use blob::{Blob, BlobError};
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
pub use parts::{Parts, restore_with_parts, save_with_parts};
pub use schema::Schema;
pub use secret::{OnMove, Secret, Stays, Travels, Zeroize};
pub use session::{AppInfo, Arrival, Document, Group, Live, RawDocument, Session, Standing, Turn};
pub use state::{Record, Rest, State};
pub use uri::{DocUri, Located, Places};
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
