//! The undo history of a document as data: an operation log that can be replayed.
//!
//! `GtkTextBuffer` keeps its undo stack to itself, so the editor writes down what the stack was fed: every insertion and
//! deletion, where user actions begin and end, each undo and redo, and each save. Fed to a fresh buffer in the same order
//! the log rebuilds the very same stack: steps merge and split where they did before, because GTK itself does it again.
//!
//! What holds:
//! 1. Base text and log give the text at any time, without GTK ([`Log::text`]): text is safe even where an undo stack is
//!    not.
//! 2. The log only grows at its end; what was written stays as it is (sealed pieces are shared, so a copy is cheap).
//! 3. Positions are counted in characters (Unicode scalar values), as GTK counts them.
//!
//! The written form is UTF-8, one entry a line, so that a saved state can be read by people:
//!
//! ```text
//! i AT TEXT               insert; \n, \r and \\ are escaped
//! d AT LEN CARET ANCHOR   delete LEN characters; GTK tells backspace from delete by the selection
//! {  and  }               a user action begins, ends
//! u OPS                   undo of one step, which took back OPS insertions and deletions
//! r                       redo of one step
//! m 0|1                   the text was declared unchanged (saved) or changed
//! ```

pub mod fold;
mod log;
mod replay;
mod text;

pub use log::{Broken, Entry, Log};
pub use replay::{Recorder, iter_at, rebuild, selection, whole_text};
pub use text::Text;
