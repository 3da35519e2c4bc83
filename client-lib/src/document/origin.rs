//! What a newer version wrote and an older one cannot hold: kept, saved along, and given back.

use std::sync::Arc;

use super::read::Document;
use super::way::common;
use crate::chain::Chain;
use crate::error::StateError;
use crate::lens::Fuel;
use crate::loss::{LossReason, LossReport};
use crate::value::Map;

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

impl Document {
    /// The origin as `own` sees it. An origin that cannot be read must not keep the body from being restored.
    pub(super) fn base(
        &self,
        origin: &Document,
        own: &Chain,
        loss: &mut LossReport,
        fuel: &mut Fuel,
    ) -> Option<Map> {
        if origin.type_id == self.type_id
            && let Ok(base) = origin.bring_to(own, &mut LossReport::default(), fuel)
        {
            return Some(base);
        }
        loss.note("", LossReason::OriginUnreadable);
        None
    }

    /// What a program with the chain `own` must save along: the innermost state that it does not know all steps of.
    pub(super) fn origin_for(&self, own: &Chain) -> Result<Option<Origin>, StateError> {
        if common(own, &self.chain)? < self.chain.version() {
            return Ok(Some(Origin {
                bytes: self.bytes.clone(),
            }));
        }
        match &self.origin {
            // An origin that shares no version with this program is not this program's to give up.
            Some(origin) => Ok(origin.origin_for(own).unwrap_or(Some(Origin {
                bytes: origin.bytes.clone(),
            }))),
            None => Ok(None),
        }
    }
}
