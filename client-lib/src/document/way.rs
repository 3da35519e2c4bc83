//! The way from the version that wrote to the version that reads.

use super::read::Document;
use crate::cbor;
use crate::chain::Chain;
use crate::error::StateError;
use crate::lens::{Fuel, Run, apply_all};
use crate::loss::{LossReason, LossReport};
use crate::value::Map;

pub(super) fn common(own: &Chain, theirs: &Chain) -> Result<u32, StateError> {
    own.last_common(theirs).ok_or(StateError::NoWay {
        reader: own.version(),
        writer: theirs.version(),
        oldest: theirs.oldest(),
    })
}

impl Document {
    /// The body as a program with the chain `own` sees it, merged into the origin where there is one.
    pub(super) fn bring_to(
        &self,
        own: &Chain,
        loss: &mut LossReport,
        fuel: &mut Fuel,
    ) -> Result<Map, StateError> {
        let common = common(own, &self.chain)?;
        let route = own.route_from(&self.chain, common);
        let mut own_fuel = Fuel::OWN;
        let travels = common < self.chain.version();
        let base = match &self.origin {
            // Only a pure way up writes into what a newer version knew.
            Some(origin) if !travels && !route.is_empty() => self.base(origin, own, loss, fuel),
            _ => None,
        };
        if let Some(base) = &base {
            let mut body = self.body.clone();
            let mut merged = LossReport::default();
            let mut run = Run {
                fuel: &mut *fuel,
                loss: &mut merged,
                path: Vec::new(),
            };
            if apply_all(&route, &mut body, Some(base), &mut run).is_ok() {
                loss.append(merged);
                return Ok(body);
            }
            loss.note("", LossReason::OriginUnreadable);
        }
        let mut body = self.body.clone();
        let fuel = if travels { fuel } else { &mut own_fuel };
        apply_all(
            &route,
            &mut body,
            None,
            &mut Run {
                fuel,
                loss,
                path: Vec::new(),
            },
        )?;
        if body.depth() > cbor::MAX_DEPTH {
            return Err(StateError::Unwritable(cbor::EncodeError::TooDeep));
        }
        Ok(body)
    }
}
