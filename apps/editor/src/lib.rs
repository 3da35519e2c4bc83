//! Overwinter Editor: a text editor in which nothing has to be closed.
//!
//! Each document has its own window and is one *group* of the session: it sleeps, wakes, moves and is updated alone, with
//! its text, caret, selection, scroll position and undo history. Without a session it is a plain, good text editor.
//!
//! | module | promises |
//! | --- | --- |
//! | [`history`] | the undo history as data, replayed into a fresh buffer |
//! | [`document`] | everything a document's window is made of, whichever release wrote it |
//! | [`state`] | how each release writes that down, and the lenses between them |
//! | [`window`] | a document on the screen: from a [`document::Document`] and back |
//! | [`app`] | the application: its windows, files from outside, quitting |
//! | [`session`] | the tie to the session: registering, saving, restoring, letting go |

pub mod app;
pub mod dialog;
pub mod document;
pub mod files;
pub mod history;
pub mod release;
pub mod search;
pub mod session;
pub mod state;
pub mod window;
