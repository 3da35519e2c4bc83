//! A saved state as bytes, and the way between versions.
//!
//! One CBOR map: `overwinter` (layout, 1), `type`, `version`, `schema` and `chain_hash` (BLAKE3), `chain` (the steps that
//! lead to this version, as data), `readable_from` (oldest version they lead down to), `body`; where there are any, `local`
//! (`host` tag and `fields`) and `origin` (the encoded state of a newer version that this one was derived from).
//!
//! Which way state goes (design: *own steps win*):
//!
//! * The reader and the writer compare their steps. From the writer's version the *travelling* steps lead down to the last
//!   version both agree on; from there the reader's *own* steps lead up.
//! * Whoever had to go down keeps what was written as the *origin* and saves it along with its own body.
//! * Who goes up merges the body into the origin, so that everything comes back that the older version could not
//!   hold. The origin is given up once a version that knows all of its steps has restored it.

mod form;
mod origin;
mod read;
#[cfg(test)]
mod tests;
mod way;
mod write;

pub use form::Form;
pub use origin::Origin;
pub use read::{restore, restore_record, type_of};
pub use write::{save, save_record, save_with_origin};

use crate::cbor;
use crate::chain::Chain;
use crate::error::StateError;
use crate::lens::{Dir, Fuel, Lens, Run, apply_all};
use crate::loss::LossReport;
use crate::state::{Record, State};
use crate::value::{Map, Value};

/// Layout of the outer map.
const LAYOUT: i128 = 1;

/// A saved state: its bytes and what identifies its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What to keep.
    pub bytes: Vec<u8>,
    /// BLAKE3 of the canonical body alone: equal for equal content, whatever else travels along.
    pub digest: [u8; 32],
}

/// A state brought back.
#[derive(Debug)]
pub struct Restored<T> {
    /// The state.
    pub value: T,
    /// What could not be carried.
    pub loss: LossReport,
    /// To be saved along from now on.
    pub origin: Option<Origin>,
    /// Where the state came from.
    pub provenance: Provenance,
}

/// Where a restored state came from: enough to tell whether anything was lost on the way.
#[derive(Debug, Clone)]
pub struct Provenance {
    body: Map,
    chain: Chain,
}

impl Provenance {
    /// BLAKE3 of the body as it was written.
    ///
    /// # Errors
    /// Never for a state that was restored; the encoder's limits are the same.
    pub fn digest(&self) -> Result<[u8; 32], StateError> {
        hash_of(&Value::Map(self.body.clone()))
    }

    /// Saves `value` again, brings it back to the writer's version, and hashes the body: equal to [`digest`](Self::digest)
    /// when nothing was lost on the way here.
    ///
    /// # Errors
    /// When `value` cannot be saved or a step back fails.
    pub fn digest_after<T: State>(&self, value: &T) -> Result<[u8; 32], StateError> {
        self.digest_after_record(&Form::of::<T>(), value.to_record()?)
    }

    /// As [`digest_after`](Self::digest_after), for a record whose type is known as data alone.
    ///
    /// # Errors
    /// As there.
    pub fn digest_after_record(&self, form: &Form, record: Record) -> Result<[u8; 32], StateError> {
        let mut body = record.body;
        let own = form.chain();
        let common = way::common(own, &self.chain)?;
        let back: Vec<(&Lens, Dir)> = self.chain.route_from(own, common);
        let mut silent = LossReport::default();
        let mut run = Run {
            fuel: &mut Fuel::TRAVELLING.clone(),
            loss: &mut silent,
            path: Vec::new(),
        };
        // What a version declares to drop is taken from the original: the comparison is about everything else.
        apply_all(&back, &mut body, Some(&self.body), &mut run)?;
        hash_of(&Value::Map(body))
    }

    /// Whether travelling steps led down to the last version that `own` knows, so that all of it rides along as origin.
    fn travelled_down(&self, own: &Chain) -> Result<bool, StateError> {
        Ok(way::common(own, &self.chain)? < self.chain.version())
    }
}

fn hash_of(value: &Value) -> Result<[u8; 32], StateError> {
    Ok(*blake3::hash(&cbor::encode(value)?).as_bytes())
}
