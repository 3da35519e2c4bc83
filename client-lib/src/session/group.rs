//! One copy of a group in this process.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::document::AnyDocument;
use super::messages::{Job, Opened, SaveJob};
use super::{Inner, UI_WAIT};
use crate::document::Origin;

/// A change is saved when the user has paused this long: short enough that sleep finds nothing left to do, long enough
/// that a typist's burst is one save.
const QUIET: Duration = Duration::from_millis(300);
/// A change waits no longer than this, so that with encoding and storing a crash loses at most a second.
const AT_MOST: Duration = Duration::from_millis(700);

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no session, or it does not know this group: a plain window.
    Alone,
    /// It is the group: it holds the lease and saves.
    Live,
    /// Restored and inert, until it is adopted.
    Trial,
    /// Its successor was adopted: inert, kept for undo.
    Retired,
    /// Closed, released or discarded.
    Gone,
}

/// What the session calls a copy.
#[derive(Debug, Clone)]
pub(super) struct Attached {
    pub group: String,
    pub copy: u64,
    /// Only a live copy has one.
    pub lease: Option<u64>,
}

/// One copy of a group in this process. Clones are the same copy.
#[derive(Clone)]
pub struct Group(Rc<Copy>);

struct Copy {
    key: u64,
    session: Weak<Inner>,
    standing: Cell<Standing>,
    attached: RefCell<Option<Attached>>,
    ever_attached: Cell<bool>,
    revision: Cell<u64>,
    stored: Cell<Option<u64>>,
    cookies: RefCell<Vec<String>>,
    document: RefCell<Option<Rc<dyn AnyDocument>>>,
    origin: RefCell<Option<Origin>>,
    pending: Cell<Option<Pending>>,
    saving: Cell<bool>,
}

/// An autosave that is due.
#[derive(Clone, Copy)]
struct Pending {
    first: Instant,
    last: Instant,
}

impl Group {
    pub(super) fn new(key: u64, standing: Standing, session: Weak<Inner>) -> Group {
        Group(Rc::new(Copy {
            key,
            session,
            standing: Cell::new(standing),
            attached: RefCell::default(),
            ever_attached: Cell::new(false),
            revision: Cell::new(0),
            stored: Cell::new(None),
            cookies: RefCell::default(),
            document: RefCell::default(),
            origin: RefCell::default(),
            pending: Cell::new(None),
            saving: Cell::new(false),
        }))
    }

    /// Something changed that the user would miss. Bumps the revision and has it saved within a second. Cheap enough for every
    /// keystroke. While the copy is on trial or retired nothing happens: what it shows is not its own yet, or no more.
    pub fn changed(&self) {
        if matches!(self.standing(), Standing::Live | Standing::Alone) {
            self.0.revision.set(self.0.revision.get() + 1);
            self.autosave();
        }
    }

    /// How many changes the group has seen.
    pub fn revision(&self) -> u64 {
        self.0.revision.get()
    }

    /// Whether the newest change survives a power cut.
    pub fn is_stored(&self) -> bool {
        self.0.stored.get() == Some(self.0.revision.get())
    }

    /// Where this copy stands.
    pub fn standing(&self) -> Standing {
        self.0.standing.get()
    }

    /// The group's id for life, 32 hexadecimal digits; none while it stands alone.
    pub fn id(&self) -> Option<String> {
        self.0
            .attached
            .borrow()
            .as_ref()
            .map(|attached| attached.group.clone())
    }

    /// A single-use word that ties one more window to this group, for toolkits that bind windows themselves; the GTK
    /// integration does it. Waits for the session at most one second; none without a session.
    pub fn cookie(&self) -> Option<String> {
        if let Some(cookie) = self.0.cookies.borrow_mut().pop() {
            return Some(cookie);
        }
        let session = self
            .0
            .session
            .upgrade()
            .filter(|session| session.connected.get())?;
        let Attached { group, copy, .. } = self.attached()?;
        let (reply, answer) = mpsc::channel();
        session.worker.send(Job::NewCookie { group, copy, reply });
        answer.recv_timeout(UI_WAIT).ok().flatten()
    }

    /// The user closed the document and wants it closed. The document itself is the app's to take down. Does nothing for a
    /// copy that was let go of: its windows may report their end without harm.
    pub fn close(&self) {
        let Some(session) = self.0.session.upgrade() else {
            return;
        };
        if let (
            Standing::Live,
            Some(Attached {
                group,
                lease: Some(lease),
                ..
            }),
        ) = (self.standing(), self.attached())
        {
            session.worker.send(Job::Closed { group, lease });
        }
        session.drop_group(self);
    }

    pub(super) fn key(&self) -> u64 {
        self.0.key
    }

    pub(super) fn attached(&self) -> Option<Attached> {
        self.0.attached.borrow().clone()
    }

    pub(super) fn was_never_attached(&self) -> bool {
        !self.0.ever_attached.get()
    }

    /// Whether this is the copy of `group` that holds `lease`.
    pub(super) fn holds(&self, group: &str, lease: u64) -> bool {
        self.standing() == Standing::Live
            && self
                .0
                .attached
                .borrow()
                .as_ref()
                .is_some_and(|a| a.group == group && a.lease == Some(lease))
    }

    pub(super) fn is_copy(&self, group: &str, copy: u64) -> bool {
        self.0
            .attached
            .borrow()
            .as_ref()
            .is_some_and(|a| a.group == group && a.copy == copy)
    }

    pub(super) fn set_standing(&self, standing: Standing) {
        self.0.standing.set(standing);
        if standing != Standing::Live {
            self.0.pending.set(None);
            if let Some(attached) = self.0.attached.borrow_mut().as_mut() {
                attached.lease = None;
            }
        }
    }

    pub(super) fn attach(&self, opened: Opened) {
        self.0.standing.set(Standing::Live);
        self.0.ever_attached.set(true);
        self.0.cookies.borrow_mut().push(opened.cookie);
        *self.0.attached.borrow_mut() = Some(Attached {
            group: opened.group,
            copy: opened.copy,
            lease: Some(opened.lease),
        });
    }

    pub(super) fn start_trial(
        &self,
        group: String,
        copy: u64,
        revision: u64,
        cookie: String,
        origin: Option<Origin>,
    ) {
        self.0.ever_attached.set(true);
        self.0.revision.set(revision);
        self.0.stored.set(Some(revision));
        self.0.cookies.borrow_mut().push(cookie);
        *self.0.origin.borrow_mut() = origin;
        *self.0.attached.borrow_mut() = Some(Attached {
            group,
            copy,
            lease: None,
        });
    }

    pub(super) fn adopt(&self, lease: u64) {
        if let Some(attached) = self.0.attached.borrow_mut().as_mut() {
            attached.lease = Some(lease);
        }
        self.0.standing.set(Standing::Live);
        if let Some(document) = self.document() {
            document.adopt();
        }
    }

    pub(super) fn retire(&self) {
        self.set_standing(Standing::Retired);
        if let Some(document) = self.document() {
            document.retire();
        }
    }

    /// Gone first, told second: a window that goes down may well report that it was closed, and that is not the user's wish.
    pub(super) fn discard(&self) {
        self.set_standing(Standing::Gone);
        if let Some(document) = self.document() {
            document.discard();
        }
    }

    pub(super) fn disown(&self) {
        self.set_standing(Standing::Alone);
        *self.0.attached.borrow_mut() = None;
        if let Some(document) = self.document() {
            document.disowned();
        }
    }

    pub(super) fn document(&self) -> Option<Rc<dyn AnyDocument>> {
        self.0.document.borrow().clone()
    }

    pub(super) fn set_document(&self, document: Rc<dyn AnyDocument>) {
        *self.0.document.borrow_mut() = Some(document);
    }

    pub(super) fn forget_document(&self) {
        let document = self.0.document.borrow_mut().take();
        drop(document);
    }

    pub(super) fn title(&self) -> String {
        self.document()
            .map(|document| document.title())
            .unwrap_or_default()
    }

    pub(super) fn stored(&self, revision: u64) {
        self.0.stored.set(self.0.stored.get().max(Some(revision)));
    }

    pub(super) fn save_finished(&self) {
        self.0.saving.set(false);
    }

    /// Takes the state and hands it to the worker. Only a live copy is asked.
    pub(super) fn save(&self, op: u64, deadline: Option<Duration>) {
        let (Some(session), Some(document)) = (self.0.session.upgrade(), self.document()) else {
            return;
        };
        let Some(Attached {
            group,
            lease: Some(lease),
            ..
        }) = self.attached()
        else {
            return;
        };
        self.0.pending.set(None);
        self.0.saving.set(true);
        session.worker.send(Job::Save(SaveJob {
            key: self.key(),
            op,
            group,
            lease,
            revision: self.revision(),
            title: document.title(),
            captured: document.capture(),
            origin: self.0.origin.borrow().clone(),
            asked: Instant::now(),
            deadline,
        }));
    }

    /// Has the newest revision saved soon.
    pub(super) fn autosave(&self) {
        if self.standing() != Standing::Live {
            return;
        }
        let now = Instant::now();
        match self.0.pending.get() {
            Some(pending) => self.0.pending.set(Some(Pending {
                last: now,
                ..pending
            })),
            None => {
                self.0.pending.set(Some(Pending {
                    first: now,
                    last: now,
                }));
                self.wait(QUIET);
            }
        }
    }

    fn wait(&self, after: Duration) {
        if let Some(session) = self.0.session.upgrade() {
            session.worker.send(Job::Timer {
                key: self.key(),
                at: Instant::now() + after,
            });
        }
    }

    /// The timer has run out: save, unless the user goes on typing and may.
    pub(super) fn autosave_due(&self) {
        let Some(pending) = self.0.pending.get() else {
            return;
        };
        let now = Instant::now();
        let wanted = (pending.last + QUIET).min(pending.first + AT_MOST);
        if now < wanted {
            self.wait(wanted - now);
        } else if self.0.saving.get() {
            // The worker is still at the former one: a second would only queue behind it.
            self.wait(QUIET);
        } else {
            self.save(0, None);
        }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("id", &self.id())
            .field("standing", &self.standing())
            .field("revision", &self.revision())
            .finish()
    }
}
