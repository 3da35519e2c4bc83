//! What an author writes for one kind of document, and the same without its type for the inside.

use std::any::Any;
use std::borrow::Borrow;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use overwinter_proto::Reason;

use super::Group;
use crate::document::{Encoded, Origin, Provenance, restore, save_with_origin};
use crate::error::StateError;
use crate::loss::LossReport;
use crate::parts::{self, Parts};
use crate::state::State;

/// One document with its windows. All methods are called on the UI thread.
pub trait Document: 'static {
    /// What is kept of it.
    type State: State + Send + 'static;

    /// Its title, for lists and messages.
    fn title(&self) -> String;

    /// Its state now. Must be cheap: hand over owned data (`String`, `Arc<…>`); encoding and hashing happen elsewhere.
    ///
    /// Also called on a trial copy right after it was built, to compare with what it was built from: what cannot be read back from
    /// widgets yet (a scroll position before the first layout) is to be given as it was restored.
    fn capture(&self) -> Self::State;

    /// [`capture`](Self::capture) for a document that may fail to say its state. The session hears the words of the error, or of
    /// a panic; the document stays as it is and is asked again after its next change.
    ///
    /// # Errors
    /// Whatever keeps the state from being taken, in words for the user.
    fn try_capture(&self) -> Result<Self::State, String> {
        Ok(self.capture())
    }

    /// The trial or retired copy is the group from now on: effects on files and network are allowed.
    fn adopt(&self);

    /// Another copy takes over: hide the windows, become inert, stay in memory. `adopt` or `discard` follows.
    fn retire(&self);

    /// Destroy the windows and forget everything. Nothing is asked, nothing is written.
    fn discard(&self);

    /// A new session does not know this group: it goes on as a plain window.
    fn disowned(&self) {}
}

/// A document's state as it arrives.
#[derive(Debug)]
pub struct Arrival<S> {
    /// The state.
    pub state: S,
    /// What could not be carried to this version or host.
    pub loss: LossReport,
    /// Why it arrives.
    pub reason: Reason,
}

/// A [`Document`] whatever its state's type.
pub(super) trait AnyDocument {
    fn title(&self) -> String;
    fn capture(&self) -> Result<Box<dyn Captured>, String>;
    fn adopt(&self);
    fn retire(&self);
    fn discard(&self);
    fn disowned(&self);
    /// Nothing is asked of it any more: what it holds on to may go.
    fn forget(&self) {}
}

/// Runs code of the author's; a panic in it becomes an error. (A program built with `panic = "abort"` ends as it asked to.)
pub(super) fn guarded<R>(
    doing: &str,
    work: impl FnOnce() -> Result<R, String>,
) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().copied();
        let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(format!(
            "the application panicked while {doing}: {}",
            words.unwrap_or("without a word")
        ))
    })
}

struct Erased<S>(Rc<dyn Document<State = S>>);

pub(super) fn erase<S: State + Send + 'static>(
    document: Rc<dyn Document<State = S>>,
) -> Rc<dyn AnyDocument> {
    Rc::new(Erased(document))
}

impl<S: State + Send + 'static> AnyDocument for Erased<S> {
    fn title(&self) -> String {
        self.0.title()
    }
    fn capture(&self) -> Result<Box<dyn Captured>, String> {
        Ok(Box::new(CapturedState::<S, S>::new(self.0.try_capture()?)))
    }
    fn adopt(&self) {
        self.0.adopt();
    }
    fn retire(&self) {
        self.0.retire();
    }
    fn discard(&self) {
        self.0.discard();
    }
    fn disowned(&self) {
        self.0.disowned();
    }
}

/// State on its way to the worker.
pub(super) trait Captured: Send {
    /// The state as bytes, and what hangs on it.
    fn encode(&self, origin: Option<&Origin>) -> (Result<Encoded, StateError>, Parts);
    fn digest_after(&self, provenance: &Provenance) -> Result<[u8; 32], StateError>;
}

/// An `S`, or what can be seen as one.
pub(super) struct CapturedState<B, S>(B, PhantomData<fn(S)>);

impl<B, S> CapturedState<B, S> {
    pub fn new(state: B) -> Self {
        CapturedState(state, PhantomData)
    }
}

impl<B: Borrow<S> + Send, S: State> Captured for CapturedState<B, S> {
    fn encode(&self, origin: Option<&Origin>) -> (Result<Encoded, StateError>, Parts) {
        parts::collect(|| save_with_origin(self.0.borrow(), origin))
    }
    fn digest_after(&self, provenance: &Provenance) -> Result<[u8; 32], StateError> {
        parts::collect(|| provenance.digest_after(self.0.borrow())).0
    }
}

/// State on its way from the worker.
pub(super) struct Decoded {
    pub state: Box<dyn Any + Send>,
    pub loss: LossReport,
    pub origin: Option<Origin>,
    pub provenance: Provenance,
}

/// How the worker reads one type of state.
#[derive(Clone)]
pub(super) struct Decoder {
    pub type_id: Arc<str>,
    pub decode: Arc<Decode>,
}

type Decode = dyn Fn(&[u8]) -> Result<Decoded, StateError> + Send + Sync;

impl Decoder {
    pub fn of<S: State + Send + 'static>() -> Decoder {
        Decoder {
            type_id: S::TYPE_ID.into(),
            decode: Arc::new(decode::<S>),
        }
    }
}

fn decode<S: State + Send + 'static>(bytes: &[u8]) -> Result<Decoded, StateError> {
    let restored = restore::<S>(bytes)?;
    Ok(Decoded {
        state: Box::new(restored.value),
        loss: restored.loss,
        origin: restored.origin,
        provenance: restored.provenance,
    })
}

type Build =
    dyn Fn(&Group, Box<dyn Any + Send>, LossReport, Reason) -> Result<Rc<dyn AnyDocument>, String>;

/// One type of document that the app can restore.
pub(super) struct Kind {
    decoder: Decoder,
    build: Box<Build>,
}

impl Kind {
    pub fn new<S: State + Send + 'static>(
        restore: impl Fn(&Group, Arrival<S>) -> Result<Rc<dyn Document<State = S>>, String> + 'static,
    ) -> Self {
        Kind::with(Decoder::of::<S>(), move |group, arrival| {
            restore(group, arrival).map(erase)
        })
    }

    /// A kind whose states `decoder` reads as an `S`.
    pub fn with<S: 'static>(
        decoder: Decoder,
        restore: impl Fn(&Group, Arrival<S>) -> Result<Rc<dyn AnyDocument>, String> + 'static,
    ) -> Self {
        let build = move |group: &Group, state: Box<dyn Any + Send>, loss, reason| {
            let state = state
                .downcast::<S>()
                .map_err(|_| "the state was decoded as another type".to_owned())?;
            let arrival = Arrival {
                state: *state,
                loss,
                reason,
            };
            restore(group, arrival)
        };
        Kind {
            decoder,
            build: Box::new(build),
        }
    }

    pub fn decoder(&self) -> Decoder {
        self.decoder.clone()
    }

    pub fn build(
        &self,
        group: &Group,
        decoded: Decoded,
        reason: Reason,
    ) -> Result<Rc<dyn AnyDocument>, String> {
        guarded("bringing a document back", || {
            (self.build)(group, decoded.state, decoded.loss, reason)
        })
    }
}
