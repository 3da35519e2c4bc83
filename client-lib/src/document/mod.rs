//! A saved state as bytes, and the way between versions.
//!
//! One CBOR map: `overwinter` (layout, 1), `type`, `version`, `schema` and `chain_hash` (BLAKE3), `chain` (the steps that
//! lead to this version, as data, each with the id of the version that it leads from), `readable_from` (oldest version that
//! can read it), `body`; where there are any, `images` (by version: the `body` that a step's code made for it, and the paths
//! of what was `lost`), `local` (`host` tag and `fields`) and `origin` (the encoded state of a newer version that this
//! one was derived from).
//!
//! Which way state goes (design: *own steps win*):
//!
//! * The reader and the writer compare the ids of their versions: number, steps, schema. From the writer's version the
//!   *travelling* steps lead down to the last version both agree on; from there the reader's *own* steps lead up.
//! * Code never travels: the writer runs the way back when it saves and keeps what comes out as an *image*, from which an older
//!   program goes on. Without one the state says that nothing older can read it.
//! * Whoever had to go down keeps what was written as the *origin* and saves it along with its own body.
//! * Who goes up merges the body into the origin, so that everything comes back that the older version could not
//!   hold. The origin is given up once a version that knows all of its steps has restored it.

mod form;
mod origin;
mod read;
mod straight;
#[cfg(test)]
mod tests;
mod way;
mod write;

pub use form::Form;
pub use origin::Origin;
pub use read::{restore, restore_record, type_of};
pub use write::{save, save_record, save_with_origin};

use std::sync::Arc;

use read::Document;

use crate::cbor;
use crate::chain::VersionId;
use crate::error::StateError;
use crate::lens::{Fuel, Keys, LensError, Run, run_all};
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
    /// Oldest version that can read it.
    pub readable_from: u32,
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
    /// What was restored, to be read again when it is compared.
    bytes: Arc<[u8]>,
    id: VersionId,
    /// Whether travelling steps led down to the last version that the reader knows, so that all of it rides along as origin.
    travelled_down: bool,
}

impl Provenance {
    /// The version that wrote it.
    pub fn written_by(&self) -> VersionId {
        self.id
    }

    /// BLAKE3 of the body as it was written.
    ///
    /// # Errors
    /// Never for a state that was restored; the encoder's limits are the same.
    pub fn digest(&self) -> Result<[u8; 32], StateError> {
        hash_of(&Value::Map(Document::read(&self.bytes)?.body))
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
        let mut document = Document::read(&self.bytes)?;
        let written = Value::Map(std::mem::take(&mut document.body));
        let (back, is_the_same) = match document.back_from(form, &record.body, &written) {
            Err(StateError::Step(LensError::NoCode { .. } | LensError::Code { .. })) => {
                // No code leads back: what was read must be read the same again.
                if let Value::Map(body) = &written {
                    document.body = body.clone();
                }
                let again = document.bring_to(form, &mut Fuel::TRAVELLING.clone())?;
                let is_the_same = again.body == record.body;
                (record.body, is_the_same)
            }
            back => back?,
        };
        hash_of(&if is_the_same {
            written
        } else {
            Value::Map(back)
        })
    }
}

impl Document {
    /// `body`, which a program of the version `form` made of this state, as the version that wrote it has it; or as far back as
    /// an image leads. And whether that is what was `written`.
    fn back_from(
        &self,
        form: &Form,
        body: &Map,
        written: &Value,
    ) -> Result<(Map, bool), StateError> {
        let (own, theirs) = (form.line(), self.line());
        let way = way::Way::new(own, theirs, self.readable_from)?;
        let image = way.image.and_then(|version| self.images.get(&version));
        let Some(target) = image.map(|image| &image.body).or(written.as_map()) else {
            return Err(StateError::Malformed("its body is missing"));
        };
        let end = way.image.unwrap_or(theirs.chain.version());
        let down = own.chain.down(own.chain.version(), way.common);
        let moves: Vec<_> = down.chain(theirs.chain.up(way.common, end)).collect();
        let (mut fuel, mut silent) = (Fuel::TRAVELLING, LossReport::default());
        let mut run = Run::new(&mut fuel, &mut silent);
        let mut back = body.clone();
        // What a version declares to drop is taken from the original: the comparison is about everything else.
        run_all(&moves, &mut back, Some(target), Keys::none(), &mut run)?;
        let is_the_same = back == *target;
        Ok((back, is_the_same))
    }
}

fn hash_of(value: &Value) -> Result<[u8; 32], StateError> {
    Ok(*blake3::hash(&cbor::encode(value)?).as_bytes())
}
