//! An application's life in a session.
//!
//! Three threads' worth of work, and only the first is the author's: the *UI thread* owns the documents and is never
//! blocked longer than a second (one bus call when the app starts and one when a document opens); the *worker* encodes, hashes,
//! decodes, and talks on the bus in one strict order; zbus's own thread accepts calls and hands them to the worker.
//!
//! Invariants:
//! 1. A copy saves only while it is live: never before it is adopted, never after it is retired.
//! 2. A copy is let go of only at exactly the revision asked for.
//! 3. The same request (same op) gets the same answer again and is not carried out twice.
//! 4. A request that names a lease other than the copy's own changes nothing.
//! 5. What the UI thread says first is heard first: the worker is a queue.

mod answers;
mod blobs;
mod bus;
mod document;
mod group;
mod live;
mod messages;
mod payload;
mod raw;
mod requests;
mod wake;
mod worker;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use overwinter_proto::Reason;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use document::{Arrival, Document};
pub use group::{Group, Standing};
pub use live::{Live, LiveState, Turn, Writing};
pub use raw::RawDocument;

use document::{AnyDocument, Kind, erase};
use group::Attached;
use live::Shows;
use messages::{Job, Opened, Registered, ToUi};
use requests::Answered;
use wake::Wake;
use worker::Worker;

use crate::state::State;

/// Longest that the UI thread waits for the session: when it connects and when a document opens.
const UI_WAIT: Duration = Duration::from_secs(1);

/// Answers to requests that are remembered, so that a request that comes again is answered again. The session asks for one
/// thing at a time per group; this covers many groups.
const ANSWERS_KEPT: usize = 256;

/// Who the application is.
#[derive(Debug, Clone)]
pub struct AppInfo {
    id: String,
    version: String,
}

impl AppInfo {
    /// `id` as the .desktop file is called (`org.example.Notes`), `version` for people.
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Self {
        AppInfo {
            id: id.into(),
            version: version.into(),
        }
    }
}

/// The connection to the session, for the UI thread. Clones are the same connection.
#[derive(Clone)]
pub struct Session(Rc<Inner>);

/// What the app has said of itself so far; ends with [`Builder::connect`].
pub struct Builder {
    info: AppInfo,
    bus: Option<String>,
    kinds: Vec<Kind>,
    shows: Shows,
    names: Option<Box<NamesHook>>,
    on_quit: Option<Box<dyn Fn()>>,
}

type NamesHook = dyn Fn(bool) -> Result<(), String>;

struct Inner {
    worker: Worker,
    from_worker: mpsc::Receiver<ToUi>,
    wake: Wake,
    kinds: Vec<Kind>,
    shows: Shows,
    names: RefCell<Option<Box<NamesHook>>>,
    on_quit: RefCell<Option<Box<dyn Fn()>>>,
    groups: RefCell<Vec<Group>>,
    next_key: Cell<u64>,
    connected: Cell<bool>,
    ever_registered: Cell<bool>,
    reason: Cell<Reason>,
    quitting: Cell<bool>,
    answered: RefCell<VecDeque<(u64, Answered)>>,
}

impl Session {
    /// Starts to describe the app to the session.
    pub fn builder(info: AppInfo) -> Builder {
        Builder {
            info,
            bus: None,
            kinds: Vec::new(),
            shows: Vec::new(),
            names: None,
            on_quit: None,
        }
    }

    /// Why this process runs. [`Reason::Launch`]: open what the user asked for. Anything else: documents are about to be
    /// restored; open nothing of your own accord.
    pub fn reason(&self) -> Reason {
        self.0.reason.get()
    }

    /// Whether there is a session right now. Without one everything works but sleep, update and move.
    pub fn is_connected(&self) -> bool {
        self.0.connected.get()
    }

    /// Brings a group into being: a document that the user opens or creates. `build` makes the document and its windows; it
    /// may already use the group, for example to bind windows.
    ///
    /// Waits for the session at most one second; without an answer the group stands alone until there is one.
    pub fn open<S: State + Send + 'static>(
        &self,
        title: &str,
        build: impl FnOnce(&Group) -> Rc<dyn Document<State = S>>,
    ) -> Group {
        self.open_any(title, |group| erase(build(group)))
    }

    fn open_any(&self, title: &str, build: impl FnOnce(&Group) -> Rc<dyn AnyDocument>) -> Group {
        let group = self.0.new_group(Standing::Alone);
        if self.0.connected.get() {
            let (reply, answer) = mpsc::channel();
            self.0.worker.send(Job::Open {
                key: group.key(),
                title: title.to_owned(),
                reply: Some(reply),
            });
            if let Ok(Ok(opened)) = answer.recv_timeout(UI_WAIT) {
                group.attach(opened);
            }
        }
        group.set_document(build(&group));
        group.autosave();
        group
    }

    /// Every group of this process that is on screen or on trial, in the order in which they came.
    pub fn groups(&self) -> Vec<Group> {
        self.0.groups.borrow().clone()
    }

    /// Carries out what has arrived. Call it on the UI thread whenever [`as_fd`](AsFd::as_fd) is readable; it never waits.
    pub fn dispatch(&self) {
        self.0.wake.clear();
        loop {
            match self.0.from_worker.try_recv() {
                Ok(message) => self.0.handle(message),
                Err(mpsc::TryRecvError::Empty) => return,
                Err(mpsc::TryRecvError::Disconnected) => return self.0.worker_gone(),
            }
        }
    }

    /// Waits until something has arrived, at most `at_most`, and carries it out: a main loop for those who have none.
    ///
    /// # Errors
    /// When the system refuses to wait. A signal that arrives meanwhile ends the wait and is no error.
    pub fn wait(&self, at_most: Option<Duration>) -> std::io::Result<()> {
        let at_most = at_most.map(|at_most| Timespec {
            tv_sec: at_most.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        });
        match poll(&mut [PollFd::new(self, PollFlags::IN)], at_most.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        self.dispatch();
        Ok(())
    }

    /// Whether the last copy has been let go of, so that the process is to end. See [`Builder::on_quit`] to be called back.
    pub fn has_ended(&self) -> bool {
        self.0.quitting.get()
    }

    /// Has everything said and changed so far delivered, waiting at most a second. Call it before the process ends.
    pub fn flush(&self) {
        self.groups().iter().for_each(Group::save_what_waits);
        self.0.worker.flush(UI_WAIT);
    }

    /// Sets how well-known bus names are given up and taken back, replacing the builder's.
    #[cfg(feature = "gtk")]
    pub(crate) fn set_names(&self, names: impl Fn(bool) -> Result<(), String> + 'static) {
        *self.0.names.borrow_mut() = Some(Box::new(names));
    }
}

impl AsFd for Session {
    /// Readable when [`dispatch`](Session::dispatch) has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wake.as_fd()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("connected", &self.is_connected())
            .field("groups", &self.0.groups.borrow().len())
            .finish()
    }
}

impl Builder {
    /// How documents of one type come back: `restore` builds an inert trial copy, its windows included, and returns it. The
    /// copy has no effect on files or network until [`Document::adopt`].
    ///
    /// An error, or a panic, in `restore` is told to the user and leaves nothing behind.
    pub fn documents<S: State + Send + 'static>(
        mut self,
        restore: impl Fn(&Group, Arrival<S>) -> Result<Rc<dyn Document<State = S>>, String> + 'static,
    ) -> Self {
        self.kinds.push(Kind::new(restore));
        self
    }

    /// How well-known bus names are given up (`false`) and taken back (`true`) on the app's own connection. The GTK
    /// integration does it for a GApplication.
    pub fn names(mut self, names: impl Fn(bool) -> Result<(), String> + 'static) -> Self {
        self.names = Some(Box::new(names));
        self
    }

    /// What ends the process once its last copy has been let go of.
    pub fn on_quit(mut self, quit: impl Fn() + 'static) -> Self {
        self.on_quit = Some(Box::new(quit));
        self
    }

    /// Another bus than `DBUS_SESSION_BUS_ADDRESS` names.
    pub fn bus(mut self, address: impl Into<String>) -> Self {
        self.bus = Some(address.into());
        self
    }

    #[cfg(feature = "gtk")]
    pub(crate) fn has_names(&self) -> bool {
        self.names.is_some()
    }

    #[cfg(feature = "gtk")]
    pub(crate) fn has_quit(&self) -> bool {
        self.on_quit.is_some()
    }

    /// Registers with the session, waiting for it at most one second. Without a session, or without a bus, the app stands
    /// alone and joins as soon as a session appears.
    pub fn connect(self) -> Session {
        let wake = Wake::new();
        let (to_ui, from_worker) = mpsc::channel();
        let decoders = self.kinds.iter().map(Kind::decoder).collect();
        let (worker, registered) =
            Worker::start(self.info, self.bus, decoders, to_ui, wake.handle());
        let inner = Rc::new(Inner {
            worker,
            from_worker,
            wake,
            kinds: self.kinds,
            shows: self.shows,
            names: RefCell::new(self.names),
            on_quit: RefCell::new(self.on_quit),
            groups: RefCell::default(),
            next_key: Cell::new(1),
            connected: Cell::new(false),
            ever_registered: Cell::new(false),
            reason: Cell::new(Reason::Launch),
            quitting: Cell::new(false),
            answered: RefCell::default(),
        });
        if let Ok(Some(registered)) = registered.recv_timeout(UI_WAIT) {
            inner.registered(registered);
        }
        Session(inner)
    }
}

impl Inner {
    fn new_group(self: &Rc<Self>, standing: Standing) -> Group {
        let key = self.next_key.get();
        self.next_key.set(key + 1);
        let group = Group::new(key, standing, Rc::downgrade(self));
        self.groups.borrow_mut().push(group.clone());
        group
    }

    pub(super) fn find(&self, wanted: impl Fn(&Group) -> bool) -> Option<Group> {
        self.groups
            .borrow()
            .iter()
            .find(|group| wanted(group))
            .cloned()
    }

    pub(super) fn by_key(&self, key: u64) -> Option<Group> {
        self.find(|group| group.key() == key)
    }

    /// Forgets a copy; what is left of the process?
    pub(super) fn drop_group(&self, group: &Group) {
        self.groups
            .borrow_mut()
            .retain(|other| other.key() != group.key());
        group.set_standing(Standing::Gone);
        group.forget_document();
        self.worker.send(Job::Forget {
            key: group.key(),
            copy: group.attached().map(|at| (at.group, at.copy)),
        });
    }

    pub(super) fn answer(&self, op: u64, answer: Answered) {
        if op == 0 {
            return;
        }
        let mut answered = self.answered.borrow_mut();
        answered.retain(|(other, _)| *other != op);
        answered.push_back((op, answer));
        if answered.len() > ANSWERS_KEPT {
            answered.pop_front();
        }
    }

    fn registered(&self, registered: Registered) {
        self.connected.set(true);
        if !self.ever_registered.replace(true) {
            self.reason.set(registered.reason);
        }
        // Not borrowed while the app's own code runs.
        let groups = self.groups.borrow().clone();
        for group in groups {
            match (group.standing(), group.attached()) {
                (Standing::Live, Some(Attached { group: id, .. }))
                    if !registered.kept.contains(&id) =>
                {
                    tracing::warn!(
                        "the session does not know `{}` as ours; it goes on without sleep and updates",
                        group.title()
                    );
                    group.disown();
                }
                // What the former session did not store is to be stored by this one.
                (Standing::Live, _) if !group.is_stored() => group.autosave(),
                (Standing::Alone, None) if group.was_never_attached() => {
                    self.worker.send(Job::Open {
                        key: group.key(),
                        title: group.title(),
                        reply: None,
                    });
                }
                _ => {}
            }
        }
    }

    /// The session has gone. Copies on trial and retired ones were its affair: the next one does not know them.
    fn session_lost(&self) {
        self.connected.set(false);
        let mut dropped = false;
        // Not borrowed while the app's own code runs.
        let groups = self.groups.borrow().clone();
        for group in groups {
            if matches!(group.standing(), Standing::Trial | Standing::Retired) {
                group.discard();
                self.drop_group(&group);
                dropped = true;
            }
        }
        if dropped && self.groups.borrow().is_empty() {
            self.quit();
        }
    }

    /// The worker's thread has ended, which only a bug of ours can bring about: the app goes on without it.
    fn worker_gone(&self) {
        if !self.connected.replace(false) {
            return;
        }
        tracing::error!("the library's thread has ended; no sleep and no updates from here on");
        self.session_lost();
        let groups = self.groups.borrow().clone();
        for group in groups
            .iter()
            .filter(|group| group.standing() == Standing::Live)
        {
            group.disown();
        }
    }

    fn opened(&self, key: u64, opened: Opened) {
        if let Some(group) = self.by_key(key)
            && group.standing() == Standing::Alone
        {
            group.attach(opened);
            group.autosave();
        } else {
            // Closed by the user while the session was thinking.
            self.worker.send(Job::Closed {
                group: opened.group,
                lease: opened.lease,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_lives_on_without_the_thread() {
        let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
            .bus("unix:path=/nonexistent/bus")
            .connect();
        let group = session.0.new_group(Standing::Live);
        session.0.connected.set(true);
        session.0.worker.send(Job::Stop);
        while session.is_connected() {
            session.wait(Some(Duration::from_secs(10))).unwrap();
        }
        assert_eq!(group.standing(), Standing::Alone);
        group.changed();
        assert_eq!(group.revision(), 1);
        assert_eq!(group.cookie(), None);
        session.flush();
    }
}
