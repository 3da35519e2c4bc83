//! One copy of a group in this process.

mod saving;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::mpsc;

use super::document::AnyDocument;
use super::messages::{Job, Opened};
use super::{Inner, UI_WAIT};
use crate::document::Origin;
use saving::Saving;

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
    saving: Saving,
    cookies: RefCell<Vec<String>>,
    document: RefCell<Option<Rc<dyn AnyDocument>>>,
    origin: RefCell<Option<Origin>>,
}

impl Group {
    pub(super) fn new(key: u64, standing: Standing, session: Weak<Inner>) -> Group {
        Group(Rc::new(Copy {
            key,
            session,
            standing: Cell::new(standing),
            attached: RefCell::default(),
            ever_attached: Cell::new(false),
            saving: Saving::default(),
            cookies: RefCell::default(),
            document: RefCell::default(),
            origin: RefCell::default(),
        }))
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
            self.0.saving.cancel();
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
        self.0.saving.start_at(revision);
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
        self.count_what_was_typed();
    }

    pub(super) fn retire(&self) {
        self.set_standing(Standing::Retired);
        if let Some(document) = self.document() {
            document.retire();
        }
        // Hiding windows is no change; what is typed from here on is.
        self.is_built();
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
        if let Some(document) = document {
            document.forget();
        }
    }

    pub(super) fn title(&self) -> String {
        self.document()
            .map(|document| document.title())
            .unwrap_or_default()
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
