//! The short form: a document whose state is one value.
//!
//! [`Live`] owns the state; whoever changes it through [`edit`](Live::edit) has it saved within a second. It is a
//! [`Document`](super::Document) whose methods are written already: what is left to the app are hooks.

use std::any::{Any, TypeId};
use std::cell::{RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;

use overwinter_proto::Reason;

use super::document::{AnyDocument, Arrival, Captured, CapturedState, Decoder, Kind};
use super::{Builder, Group, Session, Standing};
use crate::loss::LossReport;
use crate::state::State;

/// What a [`Live`] document's state can be: a [`State`] that can be copied for the thread that encodes it.
pub trait LiveState: State + Clone + Send + Sync + 'static {}

impl<T: State + Clone + Send + Sync + 'static> LiveState for T {}

/// One document, owned together with its place in the session. Clones are the same document.
///
/// ```no_run
/// use overwinter::{AppInfo, Live, Reason, Rest, Session, State, Turn};
///
/// #[derive(State, Clone, Default)]
/// #[state(id = "org.example.Notes/document", version = 1)]
/// struct Note { text: String, rest: Rest }
///
/// let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
///     .live("A note", |note: &Live<Note>| {
///         // A note appears: a new one, or one that comes back. Build its window here, then:
///         let shown = note.clone();
///         note.on_turn(move |turn| match turn {
///             Turn::Adopted => println!("{}", shown.get().text), // show it
///             Turn::Retired => println!("(elsewhere)"),          // hide it
///             _ => {}
///         });
///     })
///     .connect();
/// if session.reason() == Reason::Launch {
///     let note = session.add(Note::default());
///     note.edit(|note| note.text.push_str("saved within a second"));
/// }
/// while !session.has_ended() {
///     session.wait(None)?; // or any other main loop: see `overwinter::loops`
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Live<T>(Rc<Kept<T>>);

/// A turn in the life of a [`Live`] document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// It is the document from now on: show it; effects on files and network are allowed. Comes first for a document that the user
    /// opens, and once more for a retired one that is taken back.
    Adopted,
    /// Another copy has taken over: hide the windows, become inert, stay in memory.
    Retired,
    /// Destroy the windows and forget everything. Nothing is asked, nothing is written.
    Discarded,
    /// A new session does not know this document: it goes on as a plain window.
    Disowned,
}

struct Kept<T> {
    group: Group,
    state: RefCell<Arc<T>>,
    hooks: RefCell<Hooks<T>>,
    reason: Reason,
    loss: LossReport,
}

struct Hooks<T> {
    title: Rc<dyn Fn(&T) -> String>,
    capture: Option<Rc<Capture<T>>>,
    turn: Vec<Rc<dyn Fn(Turn)>>,
}

type Capture<T> = dyn Fn(&mut T) -> Result<(), String>;

impl<T> Hooks<T> {
    fn new(title: &str) -> Self {
        let title = title.to_owned();
        Hooks {
            title: Rc::new(move |_| title.clone()),
            capture: None,
            turn: Vec::new(),
        }
    }
}

impl<T: LiveState> Live<T> {
    fn new(group: &Group, title: &str, arrival: Arrival<T>) -> Self {
        Live(Rc::new(Kept {
            group: group.clone(),
            state: RefCell::new(Arc::new(arrival.state)),
            hooks: RefCell::new(Hooks::new(title)),
            reason: arrival.reason,
            loss: arrival.loss,
        }))
    }

    /// The state as it is now. Cheap, however large it is; later edits do not show in it.
    pub fn get(&self) -> Arc<T> {
        self.0.state.borrow().clone()
    }

    /// Changes the state, and has it saved within a second. What is changed in a copy that is on trial or retired is saved once it
    /// is adopted.
    ///
    /// # Panics
    /// When called within `change` itself, or while [`write`](Self::write)'s guard is held.
    pub fn edit<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.write())
    }

    /// The same as a guard: once it has been written through and is dropped, the state counts as changed.
    ///
    /// # Panics
    /// While another such guard is held.
    pub fn write(&self) -> Writing<'_, T> {
        Writing {
            state: self.0.state.borrow_mut(),
            group: &self.0.group,
            written: false,
        }
    }

    /// Something changed that [`on_capture`](Self::on_capture) will read: has it saved within a second.
    pub fn changed(&self) {
        self.0.group.changed();
    }

    /// Where the truth is a widget's own buffer: reads it into the state, each time right before that is saved. Must be cheap, and
    /// must not edit this document. What cannot be read back yet (a scroll position before the first layout) is left as it is.
    ///
    /// ```no_run
    /// # use overwinter::{Live, Rest, State};
    /// # #[derive(State, Clone)]
    /// # #[state(id = "org.example.Notes/document", version = 1)]
    /// # struct Note { text: String, rest: Rest }
    /// # struct Buffer; impl Buffer { fn text(&self) -> String { String::new() } fn on_changed(&self, _: impl Fn() + 'static) {} }
    /// fn tie(note: &Live<Note>, buffer: std::rc::Rc<Buffer>) {
    ///     let changed = note.clone();
    ///     buffer.on_changed(move || changed.changed());
    ///     note.on_capture(move |note| note.text = buffer.text());
    /// }
    /// ```
    pub fn on_capture(&self, read: impl Fn(&mut T) + 'static) {
        self.on_try_capture(move |state| {
            read(state);
            Ok(())
        });
    }

    /// [`on_capture`](Self::on_capture) for a buffer that may fail to be read. The session hears the words of the error; the
    /// document stays as it is and is asked again after its next change.
    pub fn on_try_capture(&self, read: impl Fn(&mut T) -> Result<(), String> + 'static) {
        self.0.hooks.borrow_mut().capture = Some(Rc::new(read));
    }

    /// How it is called in lists and messages, said anew each time it is saved.
    pub fn on_title(&self, title: impl Fn(&T) -> String + 'static) {
        self.0.hooks.borrow_mut().title = Rc::new(title);
    }

    /// Calls back at each turn of its life, beside those set before.
    pub fn on_turn(&self, turn: impl Fn(Turn) + 'static) {
        self.0.hooks.borrow_mut().turn.push(Rc::new(turn));
    }

    /// Its place in the session: revision, standing, cookies for windows.
    pub fn group(&self) -> &Group {
        &self.0.group
    }

    /// Why it is here: [`Reason::Launch`] for one that the user opened.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What of it could not be carried to this version or host.
    pub fn loss(&self) -> &LossReport {
        &self.0.loss
    }

    /// Whether it is the document: neither on trial nor retired nor gone.
    pub fn is_live(&self) -> bool {
        matches!(self.0.group.standing(), Standing::Live | Standing::Alone)
    }

    /// The user closed it and wants it closed; its windows are the app's to take down. See [`Group::close`].
    pub fn close(&self) {
        self.0.group.close();
    }

    fn turn(&self, turn: Turn) {
        self.0.turn(turn);
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Live(self.0.clone())
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the state: logs are no place for what people write.
        f.debug_tuple("Live").field(&self.0.group).finish()
    }
}

impl<T> Kept<T> {
    fn turn(&self, turn: Turn) {
        // Not borrowed while the app's own code runs.
        let hooks = self.hooks.borrow().turn.clone();
        hooks.iter().for_each(|hook| hook(turn));
    }
}

impl<T: LiveState> AnyDocument for Kept<T> {
    fn title(&self) -> String {
        let (title, state) = (
            self.hooks.borrow().title.clone(),
            self.state.borrow().clone(),
        );
        title(&state)
    }

    fn capture(&self) -> Result<Box<dyn Captured>, String> {
        let read = self.hooks.borrow().capture.clone();
        let mut state = self.state.borrow().clone();
        if let Some(read) = read {
            // Into a copy: one that fails or panics halfway leaves no half-read state behind.
            read(Arc::make_mut(&mut state))?;
            *self.state.borrow_mut() = state.clone();
        }
        Ok(Box::new(CapturedState::<Arc<T>, T>::new(state)))
    }

    fn adopt(&self) {
        self.turn(Turn::Adopted);
    }
    fn retire(&self) {
        self.turn(Turn::Retired);
    }
    fn discard(&self) {
        self.turn(Turn::Discarded);
    }
    fn disowned(&self) {
        self.turn(Turn::Disowned);
    }

    /// Hooks may own the document that owns them.
    fn forget(&self) {
        // No title is asked for any more: this may be called within an edit.
        let hooks = self.hooks.replace(Hooks::new(""));
        drop(hooks);
    }
}

/// Write access to a [`Live`] document's state; see [`Live::write`].
pub struct Writing<'a, T> {
    state: RefMut<'a, Arc<T>>,
    group: &'a Group,
    written: bool,
}

impl<T> Deref for Writing<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T: Clone> DerefMut for Writing<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.written = true;
        // Copies the state only while the worker is still encoding the former one.
        Arc::make_mut(&mut self.state)
    }
}

impl<T> Drop for Writing<'_, T> {
    fn drop(&mut self) {
        if self.written {
            self.group.changed();
        }
    }
}

impl<T> fmt::Debug for Writing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writing").field(&self.group).finish()
    }
}

/// What the builder was told of one type of [`Live`] document.
struct Show<T> {
    title: String,
    show: Box<ShowOne<T>>,
}

type ShowOne<T> = dyn Fn(&Live<T>);

/// [`Show`] of each type.
pub(super) type Shows = Vec<(TypeId, Rc<dyn Any>)>;

impl Builder {
    /// The app has documents whose state is a `T`. `show` builds the window of each that appears, opened by the user
    /// ([`Session::add`]) or brought back; the document has no effect on files or network until [`Turn::Adopted`]. `title` names it
    /// in lists until [`Live::on_title`] says better.
    ///
    /// A panic in `show` while a document is brought back is told to the session, which keeps the state.
    pub fn live<T: LiveState>(mut self, title: &str, show: impl Fn(&Live<T>) + 'static) -> Self {
        let show = Rc::new(Show {
            title: title.to_owned(),
            show: Box::new(show),
        });
        self.shows.push((TypeId::of::<T>(), show.clone()));
        let bring_back = move |group: &Group, arrival: Arrival<T>| {
            let live = Live::new(group, &show.title, arrival);
            (show.show)(&live);
            Ok(live.0 as Rc<dyn AnyDocument>)
        };
        self.kinds.push(Kind::with(Decoder::of::<T>(), bring_back));
        self
    }
}

impl Session {
    /// A document that the user opens or creates. It is shown as [`Builder::live`] was told, and saved.
    ///
    /// Waits for the session at most one second; without an answer the document stands alone until there is one.
    ///
    /// # Panics
    /// When the builder was not told of documents with this type of state.
    pub fn add<T: LiveState>(&self, state: T) -> Live<T> {
        let known = |(id, _): &&(TypeId, Rc<dyn Any>)| *id == TypeId::of::<T>();
        let show = self.0.shows.iter().find(known);
        let show = show.and_then(|(_, show)| show.clone().downcast::<Show<T>>().ok());
        let show = show.expect("Builder::live is called for each type of document");
        let mut added = None;
        self.open_any(&show.title, |group| {
            let arrival = Arrival {
                state,
                loss: LossReport::default(),
                reason: Reason::Launch,
            };
            let live = Live::new(group, &show.title, arrival);
            (show.show)(&live);
            live.turn(Turn::Adopted);
            added.insert(live).0.clone()
        });
        added.expect("the closure above has run")
    }
}
