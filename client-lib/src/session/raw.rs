//! Documents without Rust types: what an interface to another language stands on.
//!
//! A kind of document is given by its [`Form`] (type id, schema hash and steps as data), its state by a [`Record`] of
//! [`Value`](crate::Value)s, which [`cbor`](crate::cbor) turns into bytes and back. Everything else is as for
//! [`Document`](super::Document), and the same code carries it out.

use std::rc::Rc;
use std::sync::Arc;

use super::document::{AnyDocument, Arrival, Captured, Decoded, Decoder, Kind};
use super::{Builder, Group, Session};
use crate::document::{Encoded, Form, Origin, Provenance, Restored, restore_record, save_record};
use crate::error::StateError;
use crate::parts::{self, Parts};
use crate::state::Record;

/// One document with its windows, whose state is a record. All methods are called on the UI thread.
pub trait RawDocument: 'static {
    /// Its title, for lists and messages.
    fn title(&self) -> String;

    /// Its state now, as a record of the version of its [`Form`]; encoding and hashing happen elsewhere. Also called on a trial
    /// copy right after it was built: see [`Document::capture`](super::Document::capture).
    ///
    /// # Errors
    /// Whatever keeps the state from being taken, in words for the user. The session hears them; the document stays as it is.
    fn capture(&self) -> Result<Record, String>;

    /// As [`Document::adopt`](super::Document::adopt).
    fn adopt(&self);

    /// As [`Document::retire`](super::Document::retire).
    fn retire(&self);

    /// As [`Document::discard`](super::Document::discard).
    fn discard(&self);

    /// As [`Document::disowned`](super::Document::disowned).
    fn disowned(&self) {}
}

impl Builder {
    /// How documents of the kind `form` come back; the untyped counterpart of [`documents`](Builder::documents). That the record
    /// fits the form's schema is for `restore` to check: it is untrusted input.
    ///
    /// ```no_run
    /// use std::rc::Rc;
    /// use overwinter::session::{AppInfo, Arrival, Group, RawDocument, Session};
    /// use overwinter::{Chain, Form, Record};
    ///
    /// struct Page(Record);
    ///
    /// impl RawDocument for Page {
    ///     fn title(&self) -> String { "A note".into() }
    ///     fn capture(&self) -> Result<Record, String> { Ok(self.0.clone()) }
    ///     fn adopt(&self) {}
    ///     fn retire(&self) {}
    ///     fn discard(&self) {}
    /// }
    ///
    /// let form = Form::new("org.example.Notes/document", [0; 32], Chain::new(1, Vec::new())?);
    /// let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
    ///     .raw_documents(form.clone(), |_: &Group, arrival: Arrival<Record>| Ok(Rc::new(Page(arrival.state)) as _))
    ///     .connect();
    /// session.open_raw(&form, "A note", |_| Rc::new(Page(Record::default())));
    /// # Ok::<(), overwinter::StateError>(())
    /// ```
    pub fn raw_documents(
        mut self,
        form: Form,
        restore: impl Fn(&Group, Arrival<Record>) -> Result<Rc<dyn RawDocument>, String> + 'static,
    ) -> Self {
        let form = Arc::new(form);
        let read = form.clone();
        let decoder = Decoder {
            type_id: form.type_id().into(),
            decode: Arc::new(move |bytes| decode(&read, bytes)),
        };
        self.kinds.push(Kind::with(decoder, move |group, arrival| {
            restore(group, arrival).map(|document| erase(form.clone(), document))
        }));
        self
    }
}

impl Session {
    /// Brings a group of the kind `form` into being; the untyped counterpart of [`open`](Session::open).
    pub fn open_raw(
        &self,
        form: &Form,
        title: &str,
        build: impl FnOnce(&Group) -> Rc<dyn RawDocument>,
    ) -> Group {
        self.open_any(title, |group| erase(Arc::new(form.clone()), build(group)))
    }
}

struct Erased {
    form: Arc<Form>,
    document: Rc<dyn RawDocument>,
}

fn erase(form: Arc<Form>, document: Rc<dyn RawDocument>) -> Rc<dyn AnyDocument> {
    Rc::new(Erased { form, document })
}

impl AnyDocument for Erased {
    fn title(&self) -> String {
        self.document.title()
    }
    fn capture(&self) -> Result<Box<dyn Captured>, String> {
        Ok(Box::new(CapturedRecord {
            form: self.form.clone(),
            record: self.document.capture()?,
        }))
    }
    fn adopt(&self) {
        self.document.adopt();
    }
    fn retire(&self) {
        self.document.retire();
    }
    fn discard(&self) {
        self.document.discard();
    }
    fn disowned(&self) {
        self.document.disowned();
    }
}

struct CapturedRecord {
    form: Arc<Form>,
    record: Record,
}

impl Captured for CapturedRecord {
    fn encode(&self, origin: Option<&Origin>) -> (Result<Encoded, StateError>, Parts) {
        parts::collect(|| save_record(&self.form, self.record.clone(), origin))
    }
    fn digest_after(&self, provenance: &Provenance) -> Result<[u8; 32], StateError> {
        provenance.digest_after_record(&self.form, self.record.clone())
    }
}

fn decode(form: &Form, bytes: &[u8]) -> Result<Decoded, StateError> {
    let Restored {
        value,
        loss,
        origin,
        provenance,
    } = restore_record(form, bytes)?;
    Ok(Decoded {
        state: Box::new(value),
        loss,
        origin,
        provenance,
    })
}
