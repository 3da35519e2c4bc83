//! What a newer version wrote and an older one cannot hold: kept, saved along, and given back.

use std::sync::Arc;

use super::Form;
use super::read::{Document, Kept};
use super::way::common;
use crate::cbor;
use crate::chain::Line;
use crate::error::StateError;
use crate::lens::Fuel;
use crate::value::{Map, Value};

/// What a newer version wrote and this one cannot hold. Save it along: see [`save_with_origin`](super::save_with_origin).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub(super) bytes: Arc<[u8]>,
}

impl Origin {
    /// BLAKE3 of the origin, its name for life.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }
}

/// The origin could not be read. It must not keep the body from being restored.
pub(super) struct Unreadable;

impl Document {
    /// The origin as `form` sees it, where it knows anything that the body does not. Fails as a whole only where the body could
    /// not be restored either.
    pub(super) fn base(
        &mut self,
        form: &Form,
        fuel: &mut Fuel,
    ) -> Result<Result<Option<Map>, Unreadable>, StateError> {
        let own = form.line();
        let (common, at_its_end) = (common(own, self.line())?, self.id.number);
        let is_own = common == at_its_end && common == own.chain.version();
        let origin = match &mut self.origin {
            None => return Ok(Ok(None)),
            Some(_) if is_own => return Ok(Ok(None)),
            Some(Kept {
                document: Some(origin),
                ..
            }) if origin.type_id == self.type_id => origin,
            Some(_) => return Ok(Err(Unreadable)),
        };
        // On the way up it does. On the way down only what is on the reader's own branch does.
        let knows_more = common == at_its_end || origin.shares_most(own) > Some(common);
        if !knows_more {
            return Ok(Ok(None));
        }
        match origin.bring_to(form, fuel) {
            Ok(brought) => Ok(Ok(Some(brought.body))),
            Err(_) => Ok(Err(Unreadable)),
        }
    }

    /// The newest version of `own` that this state or an origin in it knows.
    fn shares_most(&self, own: Line<'_>) -> Option<u32> {
        let inner = self.origin.as_ref().and_then(|kept| kept.document.as_ref());
        let inner = inner.and_then(|origin| origin.shares_most(own));
        own.last_common(&self.line()).max(inner)
    }

    /// What a program of the version `form` must save along: this state, if steps lead to it that the program does not
    /// know, and the origins in it of which the same is true. What was not merged is kept as it is.
    pub(super) fn origin_for(
        &self,
        form: &Form,
        merged: bool,
    ) -> Result<Option<Origin>, StateError> {
        let own = form.line();
        let kept = match &self.origin {
            Some(origin) if !merged && !self.is_new_to(own) => Some(origin.bytes.clone()),
            _ if !merged => Some(self.bytes.clone()),
            _ => self.unknown_to(own)?,
        };
        Ok(kept.map(|bytes| Origin { bytes }))
    }

    /// This state and the origins in it, without those that `own` knows all steps of: left in, they would nest ever deeper
    /// while two branches take turns.
    fn unknown_to(&self, own: Line<'_>) -> Result<Option<Arc<[u8]>>, StateError> {
        let inner = match &self.origin {
            Some(kept) => match &kept.document {
                Some(origin) => origin.unknown_to(own)?,
                None => Some(kept.bytes.clone()),
            },
            None => None,
        };
        if !self.is_new_to(own) {
            return Ok(inner);
        }
        if inner.as_ref() == self.origin.as_ref().map(|origin| &origin.bytes) {
            return Ok(Some(self.bytes.clone()));
        }
        let Value::Map(mut map) = cbor::decode(&self.bytes)? else {
            return Err(StateError::Malformed("it is not a map"));
        };
        match inner {
            Some(inner) => map.insert("origin", Value::Bytes(inner.to_vec())),
            None => map.remove("origin"),
        };
        Ok(Some(cbor::encode(&Value::Map(map))?.into()))
    }
}
