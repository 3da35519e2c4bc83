//! Between a `GtkTextBuffer` and its log: writing down what happens, and making it happen again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use gtk4::prelude::*;
use gtk4::{TextBuffer, glib};
use tracing::error;

use super::{Entry, Log, fold};

/// Writes down what happens to a buffer. Lives as long as its signal handlers, that is, as long as the buffer.
pub struct Recorder {
    base: RefCell<Arc<str>>,
    log: RefCell<Log>,
    now: Cell<Now>,
    /// The log is about to be shortened.
    folding: Cell<bool>,
    /// What an undo that is under way has done so far: (put in, characters).
    effects: RefCell<Vec<(bool, u32)>>,
}

/// Who is changing the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    /// The user, or code on their behalf: to be written down.
    Editing,
    /// GTK's undo.
    Undoing,
    /// GTK's redo.
    Redoing,
    /// Loading: not to be written down.
    Loading,
}

impl Recorder {
    /// Starts to write down what happens to `buffer`, whose text came about by `log` from `base`.
    fn attach(buffer: &TextBuffer, base: Arc<str>, log: Log) -> Rc<Self> {
        let recorder = Rc::new(Self {
            base: RefCell::new(base),
            log: RefCell::new(log),
            now: Cell::new(Now::Editing),
            folding: Cell::new(false),
            effects: RefCell::default(),
        });
        recorder.connect(buffer);
        recorder
    }

    /// The text the log starts from.
    pub fn base(&self) -> Arc<str> {
        self.base.borrow().clone()
    }

    /// The log, to look at.
    pub fn log(&self) -> std::cell::Ref<'_, Log> {
        self.log.borrow()
    }

    /// Declares the text of `buffer` unchanged, as after saving it to its file.
    pub fn mark_saved(self: &Rc<Self>, buffer: &TextBuffer) {
        self.write(buffer, &Entry::Modified(false));
        buffer.set_modified(false);
    }

    /// Replaces everything by `text`, without a way back: another file was loaded.
    pub fn load(&self, buffer: &TextBuffer, text: Arc<str>) {
        self.now.set(Now::Loading);
        fill(buffer, &text);
        self.now.set(Now::Editing);
        self.log.replace(Log::default());
        self.base.replace(text);
    }

    fn write(self: &Rc<Self>, buffer: &TextBuffer, entry: &Entry) {
        let pushed = self.log.borrow_mut().push(entry);
        if let Err(why) = pushed {
            self.start_over(buffer, why);
        }
        if self.log.borrow().len() > fold::MOST_ENTRIES && !self.folding.replace(true) {
            let recorder = Rc::downgrade(self);
            // When nothing else is to do: it takes some ten milliseconds.
            glib::idle_add_local_full(glib::Priority::LOW, move || {
                if let Some(recorder) = recorder.upgrade() {
                    recorder.fold();
                }
                glib::ControlFlow::Break
            });
        }
    }

    /// Shortens the log; the buffer is not touched.
    fn fold(&self) {
        self.folding.set(false);
        let folded = fold::fold(&self.base.borrow(), &self.log.borrow());
        match folded {
            Ok(Some((base, log))) => {
                self.base.replace(base);
                self.log.replace(log);
            }
            Ok(None) => {}
            Err(broken) => {
                error!(%broken, "the undo log could not be shortened; it is kept as it is")
            }
        }
    }

    /// The log and the buffer disagree. The text is what matters: it becomes the base of a new log. Undo goes on to work
    /// here; a restored copy would start with an empty history.
    fn start_over(&self, buffer: &TextBuffer, why: &str) {
        error!(
            why,
            "the undo log does not fit the text; it starts anew from the text as it is"
        );
        self.base.replace(whole_text(buffer).as_str().into());
        self.log.replace(Log::default());
    }

    fn connect(self: &Rc<Self>, buffer: &TextBuffer) {
        let recorder = self.clone();
        buffer.connect_insert_text(move |buffer, at, text| {
            recorder.inserting(buffer, at.offset(), text)
        });
        let recorder = self.clone();
        buffer.connect_delete_range(move |buffer, start, end| {
            recorder.deleting(buffer, start.offset(), end.offset())
        });
        let recorder = self.clone();
        buffer.connect_begin_user_action(move |buffer| recorder.boundary(buffer, &Entry::Begin));
        let recorder = self.clone();
        buffer.connect_end_user_action(move |buffer| recorder.boundary(buffer, &Entry::End));
        let recorder = self.clone();
        buffer.connect_undo(move |_| recorder.stepping(Now::Undoing));
        let recorder = self.clone();
        buffer.connect_redo(move |_| recorder.stepping(Now::Redoing));
        for signal in ["undo", "redo"] {
            let recorder = self.clone();
            buffer.connect_local(signal, true, move |values| {
                if let Some(Ok(buffer)) = values.first().map(|v| v.get::<TextBuffer>()) {
                    recorder.stepped(&buffer);
                }
                None
            });
        }
    }

    fn inserting(self: &Rc<Self>, buffer: &TextBuffer, at: i32, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.now.get() {
            Now::Editing => self.write(
                buffer,
                &Entry::Insert {
                    at: unsigned(at),
                    text: text.to_owned(),
                },
            ),
            Now::Undoing => self.effects.borrow_mut().push((true, chars(text))),
            Now::Redoing | Now::Loading => {}
        }
    }

    fn deleting(self: &Rc<Self>, buffer: &TextBuffer, start: i32, end: i32) {
        let (start, end) = (start.min(end), start.max(end));
        if start == end {
            return;
        }
        let (at, len) = (unsigned(start), unsigned(end - start));
        match self.now.get() {
            Now::Editing => {
                let (caret, anchor) = selection(buffer);
                self.write(
                    buffer,
                    &Entry::Delete {
                        at,
                        len,
                        caret,
                        anchor,
                    },
                );
            }
            Now::Undoing => self.effects.borrow_mut().push((false, len)),
            Now::Redoing | Now::Loading => {}
        }
    }

    fn boundary(self: &Rc<Self>, buffer: &TextBuffer, entry: &Entry) {
        if self.now.get() == Now::Editing {
            self.write(buffer, entry);
        }
    }

    fn stepping(&self, step: Now) {
        if self.now.get() == Now::Editing {
            self.now.set(step);
            self.effects.borrow_mut().clear();
        }
    }

    fn stepped(self: &Rc<Self>, buffer: &TextBuffer) {
        let entry = match self.now.get() {
            Now::Undoing => {
                let ops = self.log.borrow().undone_by(&self.effects.borrow());
                ops.map(|ops| Entry::Undo { ops })
            }
            Now::Redoing => Some(Entry::Redo),
            Now::Editing | Now::Loading => return,
        };
        self.now.set(Now::Editing);
        match entry {
            Some(entry) => self.write(buffer, &entry),
            None => self.start_over(buffer, "an undo took back what the log does not know"),
        }
    }
}

/// Makes `buffer`, which is to be fresh and not yet shown, what `log` makes of `base`: text and undo stack. From then on
/// the returned recorder writes the same log on.
///
/// A log that does not lead to the text that it should (it is checked without GTK as well) costs the undo history, never
/// text: what is missing is told in the second value.
pub fn rebuild(buffer: &TextBuffer, base: &str, written: &str) -> (Rc<Recorder>, Option<String>) {
    // As many steps as the log holds: a history that forgets by count would forget other steps after each restore.
    buffer.set_max_undo_levels(0);
    let (log, entries) = match Log::read(written) {
        Ok(read) => read,
        Err(broken) => return plain(buffer, base, broken.to_string()),
    };
    let text = match Log::text(base, &entries) {
        Ok(text) => text,
        Err(broken) => return plain(buffer, base, broken.to_string()),
    };
    fill(buffer, base);
    let mut log = log;
    for _ in 0..replay(buffer, &entries) {
        // Saved in the midst of a user action: it is over.
        let _ = log.push(&Entry::End);
    }
    if whole_text(buffer) != text {
        error!(
            "replaying the undo history gave another text; the text is kept, the history is not"
        );
        return plain(
            buffer,
            &text,
            "the undo history does not lead to the text".into(),
        );
    }
    (Recorder::attach(buffer, base.into(), log), None)
}

/// A buffer with the text alone.
fn plain(buffer: &TextBuffer, text: &str, why: String) -> (Rc<Recorder>, Option<String>) {
    fill(buffer, text);
    // Changed against its file as far as anyone can tell.
    buffer.set_modified(true);
    (
        Recorder::attach(buffer, text.into(), Log::default()),
        Some(why),
    )
}

/// Puts in the base text, out of reach for undo, caret at its start.
fn fill(buffer: &TextBuffer, text: &str) {
    buffer.begin_irreversible_action();
    buffer.set_text(text);
    buffer.end_irreversible_action();
    buffer.set_modified(false);
    buffer.place_cursor(&buffer.start_iter());
}

/// Gives how many user actions were still open at the end; they are closed.
fn replay(buffer: &TextBuffer, entries: &[Entry]) -> u32 {
    let mut open = 0u32;
    for entry in entries {
        match *entry {
            Entry::Begin => {
                open += 1;
                buffer.begin_user_action();
            }
            // GTK calls an end without a beginning a programming error.
            Entry::End if open > 0 => {
                open -= 1;
                buffer.end_user_action();
            }
            Entry::End => {}
            Entry::Insert { at, ref text } => buffer.insert(&mut iter_at(buffer, at), text),
            Entry::Delete {
                at,
                len,
                caret,
                anchor,
            } => {
                if selection(buffer) != (caret, anchor) {
                    buffer.select_range(&iter_at(buffer, caret), &iter_at(buffer, anchor));
                }
                buffer.delete(
                    &mut iter_at(buffer, at),
                    &mut iter_at(buffer, at.saturating_add(len)),
                );
            }
            Entry::Undo { .. } => buffer.undo(),
            Entry::Redo => buffer.redo(),
            Entry::Modified(modified) => buffer.set_modified(modified),
        }
    }
    for _ in 0..open {
        buffer.end_user_action();
    }
    open
}

/// Caret and anchor (the other end of the selection), in characters.
pub fn selection(buffer: &TextBuffer) -> (u32, u32) {
    let at = |mark| unsigned(buffer.iter_at_mark(&mark).offset());
    (at(buffer.get_insert()), at(buffer.selection_bound()))
}

/// The iterator at a position; the end for one beyond it.
pub fn iter_at(buffer: &TextBuffer, at: u32) -> gtk4::TextIter {
    buffer.iter_at_offset(i32::try_from(at).unwrap_or(i32::MAX))
}

/// The whole text, hidden parts included.
pub fn whole_text(buffer: &TextBuffer) -> glib::GString {
    let (start, end) = buffer.bounds();
    buffer.text(&start, &end, true)
}

/// GTK's offsets are never negative where one is asked for.
fn unsigned(offset: i32) -> u32 {
    u32::try_from(offset).unwrap_or(0)
}

fn chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}
