//! The way from the version that wrote to the version that reads.

use super::Form;
use super::read::Document;
use crate::cbor;
use crate::chain::Line;
use crate::error::StateError;
use crate::lens::{Fuel, Move, Run, run_all};
use crate::loss::{LossReason, LossReport};
use crate::value::Map;

/// From one version to another.
pub(super) struct Way<'a> {
    /// The last version that both know.
    pub common: u32,
    /// The version whose image it starts from, where only code could go further; else it starts from the body.
    pub image: Option<u32>,
    pub moves: Vec<Move<'a>>,
}

impl<'a> Way<'a> {
    /// From what `theirs` wrote to `own`: down by the travelling steps, from an image where those need code, and up by one's
    /// own.
    pub fn new(own: Line<'a>, theirs: Line<'a>, readable_from: u32) -> Result<Way<'a>, StateError> {
        let common = common(own, theirs)?;
        if common < readable_from {
            return Err(no_way(own, theirs, readable_from));
        }
        let image = theirs.chain.first_code_from(common).map(|step| step.from);
        let start = image.unwrap_or(theirs.chain.version());
        let down = theirs.chain.down(start, common);
        let up = own.chain.up(common, own.chain.version());
        Ok(Way {
            common,
            image,
            moves: down.chain(up).collect(),
        })
    }
}

fn no_way(own: Line<'_>, theirs: Line<'_>, oldest: u32) -> StateError {
    StateError::NoWay {
        reader: own.chain.version(),
        writer: theirs.chain.version(),
        oldest,
    }
}

/// The last version that both know.
pub(super) fn common(own: Line<'_>, theirs: Line<'_>) -> Result<u32, StateError> {
    own.last_common(&theirs).ok_or_else(|| {
        let first = own.chain.oldest().max(theirs.chain.oldest());
        if first <= own.chain.version().min(theirs.chain.version()) {
            return StateError::OtherSchema { version: first };
        }
        no_way(own, theirs, theirs.chain.oldest())
    })
}

/// A body as the reader's version has it.
pub(super) struct Brought {
    pub body: Map,
    pub loss: LossReport,
    /// Whether what the origin keeps for this version came back; false when it could not be read.
    pub origin_is_merged: bool,
}

impl Document {
    /// The body as a program of the version `form` sees it, merged into the origin where there is one. Takes it out of the
    /// document.
    pub(super) fn bring_to(&mut self, form: &Form, fuel: &mut Fuel) -> Result<Brought, StateError> {
        let own = form.line();
        let base = self.base(form, fuel)?;
        let theirs = Line {
            chain: &self.chain,
            schema: self.id.schema,
        };
        let way = Way::new(own, theirs, self.readable_from)?;
        let mut loss = LossReport::default();
        let mut body = std::mem::take(&mut self.body);
        if let Some(version) = way.image {
            let image = self.images.remove(&version);
            let image = image.ok_or_else(|| no_way(own, theirs, version + 1))?;
            for path in image.lost {
                loss.note(path, LossReason::LeftByCode);
            }
            body = image.body;
        }
        let mut origin_is_merged = base.is_ok();
        if let Ok(Some(base)) = &base {
            let (mut merged, mut merged_loss) = (body.clone(), LossReport::default());
            let mut run = Run::new(&mut *fuel, &mut merged_loss);
            let done = run_all(&way.moves, &mut merged, Some(base), &form.keys, &mut run);
            if done.is_ok() && merged.depth() <= cbor::MAX_DEPTH {
                loss.append(merged_loss);
                return Ok(Brought {
                    body: merged,
                    loss,
                    origin_is_merged,
                });
            }
            origin_is_merged = false;
        }
        if !origin_is_merged {
            loss.note("", LossReason::OriginUnreadable);
        }
        let mut own_fuel = Fuel::OWN;
        let travels = way.common < self.id.number;
        let fuel = if travels { fuel } else { &mut own_fuel };
        let mut run = Run::new(fuel, &mut loss);
        run_all(&way.moves, &mut body, None, &form.keys, &mut run)?;
        // What was decoded nests no deeper than may be written.
        if !way.moves.is_empty() && body.depth() > cbor::MAX_DEPTH {
            return Err(StateError::Unwritable(cbor::EncodeError::TooDeep));
        }
        Ok(Brought {
            body,
            loss,
            origin_is_merged,
        })
    }

    /// Whether steps lead to it that `own` does not know.
    pub(super) fn is_new_to(&self, own: Line<'_>) -> bool {
        own.last_common(&self.line()) != Some(self.id.number)
    }
}
