//! Running lenses and code in order, with what the far end last knew.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fuel::Fuel;
use super::keys::Keys;
use super::{Lens, apply, choice, inside, text};
use crate::chain::StepFn;
use crate::loss::{LossReason, LossReport};
use crate::value::{Map, Value};

/// Which way a lens is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// From the older version to the newer.
    Up,
    /// From the newer version to the older.
    Down,
}

impl Dir {
    pub(super) fn back(self) -> Dir {
        match self {
            Dir::Up => Dir::Down,
            Dir::Down => Dir::Up,
        }
    }
}

/// Why a lens could not be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LensError {
    /// The lens needs a sub-record where something else is.
    #[error("`{0}` is not a record, but a step between versions needs one there")]
    NotARecord(String),
    /// The lens needs a list or a map where something else is.
    #[error("`{0}` is not a list, but a step between versions needs one there")]
    NotAList(String),
    /// The lens needs text where something else is.
    #[error("`{0}` is not text, but a step between versions needs text there")]
    NotText(String),
    /// A travelling step of a kind that this library does not know.
    #[error("the state needs a step between versions that this program does not know")]
    UnknownLens,
    /// Travelling steps did more work than they may.
    #[error("the steps that travel with the state do more work than is allowed")]
    OutOfFuel,
    /// A step's own code failed.
    #[error("the step from version {from} to {to} failed: {problem}")]
    Code {
        /// The version that the code was run on.
        from: u32,
        /// The version that it was to make.
        to: u32,
        /// What it said.
        problem: String,
    },
    /// A step needs code, and there is none for this direction.
    #[error(
        "there is no way from version {from} to {to}: the step between them has no code for it"
    )]
    NoCode {
        /// The version that was there.
        from: u32,
        /// The version that was asked for.
        to: u32,
    },
}

/// One thing to be done on the way between two versions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Move<'a> {
    /// A lens, run in one direction.
    Lens(&'a Lens, Dir),
    /// A step's own code.
    Code {
        run: Option<StepFn>,
        /// The code for the other direction.
        undo: Option<StepFn>,
        from: u32,
        to: u32,
    },
}

impl Move<'_> {
    fn back(self) -> Self {
        match self {
            Move::Lens(lens, dir) => Move::Lens(lens, dir.back()),
            Move::Code {
                run,
                undo,
                from,
                to,
            } => Move::Code {
                run: undo,
                undo: run,
                from: to,
                to: from,
            },
        }
    }
}

/// A part of the path to where a run is.
#[derive(Debug)]
pub(super) enum At {
    Name(String),
    Index(usize),
}

/// What a run carries along: fuel, where it is, and what it could not carry over.
pub(crate) struct Run<'a> {
    pub(super) fuel: &'a mut Fuel,
    loss: &'a mut LossReport,
    pub(super) path: Vec<At>,
}

impl<'a> Run<'a> {
    pub fn new(fuel: &'a mut Fuel, loss: &'a mut LossReport) -> Run<'a> {
        Run {
            fuel,
            loss,
            path: Vec::new(),
        }
    }

    /// Where `field` is, from the root.
    pub(super) fn at(&self, field: &str) -> String {
        let mut path = String::new();
        for part in &self.path {
            match part {
                At::Index(index) => path.push_str(&format!("[{index}]")),
                At::Name(name) => join(&mut path, name),
            }
        }
        join(&mut path, field);
        path
    }

    pub(super) fn lose(&mut self, field: &str, reason: LossReason) {
        if self.loss.takes_more() {
            let path = self.at(field);
            self.loss.note(path, reason);
        } else {
            self.loss.note_unlisted();
        }
    }
}

fn join(path: &mut String, name: &str) {
    if !path.is_empty() && !name.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// Runs `moves` in order on `record`. `base` is the record as the far end last knew it, in whose names `keys` are.
pub(crate) fn run_all(
    moves: &[Move<'_>],
    record: &mut Map,
    base: Option<&Map>,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    let Some(base) = base else {
        return moves
            .iter()
            .try_for_each(|step| one(*step, record, None, Keys::none(), run));
    };
    let stages = stages(moves, base, keys, run)?;
    for (step, stage) in moves.iter().zip(stages.iter().rev()) {
        one(*step, record, stage.base.as_ref(), &stage.keys, run)?;
    }
    Ok(())
}

/// What the far end knew, as it looks behind one of the moves.
struct Stage {
    /// Of the base, the fields that the move looks at; none where no way leads back so far.
    base: Option<Map>,
    keys: Keys,
}

/// Brings the far end's base and keys back, move by move; the last move's stage comes first.
fn stages(
    moves: &[Move<'_>],
    base: &Map,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<Vec<Stage>, LensError> {
    let mut stages = Vec::with_capacity(moves.len());
    let (mut current, mut keys) = (Some(Cow::Borrowed(base)), keys.clone());
    for (left, step) in moves.iter().enumerate().rev() {
        let looked_at = match &current {
            Some(base) => Some(looked_at(*step, base, run.fuel)?),
            None => None,
        };
        stages.push(Stage {
            base: looked_at,
            keys: keys.clone(),
        });
        if let Move::Lens(lens, dir) = step
            && !keys.is_empty()
        {
            keys.before(lens, *dir);
        }
        if let (1.., Some(base)) = (left, current.take()) {
            if let Cow::Borrowed(base) = base {
                base.iter()
                    .try_for_each(|(_, value)| run.fuel.make(value))?;
            }
            current = undone(*step, base.into_owned(), run)?.map(Cow::Owned);
        }
    }
    Ok(stages)
}

/// Of `base`, what a move looks at: copying all of it for each of many moves would cost more than the moves.
fn looked_at(step: Move<'_>, base: &Map, fuel: &mut Fuel) -> Result<Map, LensError> {
    let Move::Lens(lens, dir) = step else {
        base.iter().try_for_each(|(_, value)| fuel.make(value))?;
        return Ok(base.clone());
    };
    let mut part = Map::new();
    for name in lens.looks_at(dir) {
        if let Some(value) = base.get(name) {
            fuel.make(value)?;
            part.insert(name, value.clone());
        }
    }
    Ok(part)
}

/// The base as it looks before the move; none where no code leads back.
fn undone(step: Move<'_>, mut base: Map, run: &mut Run<'_>) -> Result<Option<Map>, LensError> {
    let mut silent = LossReport::default();
    let mut back = Run::new(&mut *run.fuel, &mut silent);
    match one(step.back(), &mut base, None, Keys::none(), &mut back) {
        Ok(()) => Ok(Some(base)),
        Err(LensError::NoCode { .. } | LensError::Code { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn one(
    step: Move<'_>,
    record: &mut Map,
    base: Option<&Map>,
    keys: &Keys,
    run: &mut Run<'_>,
) -> Result<(), LensError> {
    match step {
        Move::Lens(lens, dir) => {
            // Moving entries within a big map is work, too.
            run.fuel.spend(1 + (record.len() / 16) as u64)?;
            lens.run(dir, record, base, keys, run)
        }
        Move::Code {
            run: code,
            from,
            to,
            ..
        } => {
            let code = code.ok_or(LensError::NoCode { from, to })?;
            by_code(code, (from, to), record, base)
        }
    }
}

fn by_code(
    code: StepFn,
    (from, to): (u32, u32),
    record: &mut Map,
    base: Option<&Map>,
) -> Result<(), LensError> {
    let failed = |problem: String| LensError::Code { from, to, problem };
    let base = base.map(|base| Value::Map(base.clone()));
    let before = Value::Map(std::mem::take(record));
    // The author's code, on values from outside: a mistake in it must not cost the document.
    let after = catch_unwind(AssertUnwindSafe(|| code(&before, base.as_ref())))
        .map_err(|_| failed("it panicked".to_owned()))?
        .map_err(|e| failed(e.to_string()))?;
    match after {
        Value::Map(after) => {
            *record = after;
            Ok(())
        }
        _ => Err(failed("it did not make a record".to_owned())),
    }
}

impl Lens {
    /// The fields of the far end's base that tell how the lens is run in direction `dir`.
    fn looks_at(&self, dir: Dir) -> Vec<&str> {
        use Dir::{Down, Up};
        match (self, dir) {
            (Lens::Add { field, .. }, Up) | (Lens::Remove { field, .. }, Down) => vec![field],
            (Lens::Hoist { host, .. }, Up) | (Lens::Plunge { host, .. }, Down) => vec![host],
            (Lens::Split { into, .. }, Up) | (Lens::Join { fields: into, .. }, Down) => {
                into.iter().map(String::as_str).collect()
            }
            (Lens::Split { field, .. }, Down) | (Lens::Join { into: field, .. }, Up) => vec![field],
            (
                Lens::Wrap { field }
                | Lens::Unwrap { field }
                | Lens::Convert { field, .. }
                | Lens::MapEnum { field, .. }
                | Lens::In { field, .. }
                | Lens::Each { field, .. }
                | Lens::Variant { field, .. },
                _,
            ) => vec![field],
            _ => Vec::new(),
        }
    }

    fn run(
        &self,
        dir: Dir,
        record: &mut Map,
        base: Option<&Map>,
        keys: &Keys,
        run: &mut Run<'_>,
    ) -> Result<(), LensError> {
        use Dir::{Down, Up};
        match (self, dir) {
            (Lens::Rename { from, to }, Up) | (Lens::Rename { from: to, to: from }, Down) => {
                apply::rename(record, from, to, run)
            }
            (
                Lens::Add {
                    field,
                    kind,
                    default,
                },
                Up,
            )
            | (
                Lens::Remove {
                    field,
                    kind,
                    default,
                },
                Down,
            ) => apply::introduce(record, field, *kind, default, base, run),
            (Lens::Add { field, default, .. }, Down) => {
                apply::withdraw(record, field, default, LossReason::NotYetKnown, run)
            }
            (Lens::Remove { field, default, .. }, Up) => {
                apply::withdraw(record, field, default, LossReason::Removed, run)
            }
            (Lens::Hoist { host, field }, Up) | (Lens::Plunge { host, field }, Down) => {
                apply::hoist(record, host, field, base, run)
            }
            (Lens::Hoist { host, field }, Down) | (Lens::Plunge { host, field }, Up) => {
                apply::plunge(record, host, field, run)
            }
            (Lens::Wrap { field }, Up) | (Lens::Unwrap { field }, Down) => {
                apply::wrap(record, field, base, run)
            }
            (Lens::Wrap { field }, Down) | (Lens::Unwrap { field }, Up) => {
                apply::unwrap(record, field, run)
            }
            (Lens::Convert { field, from, to }, Up)
            | (
                Lens::Convert {
                    field,
                    from: to,
                    to: from,
                },
                Down,
            ) => apply::convert_field(record, field, (*from, *to), base, run),
            (Lens::MapEnum { field, .. }, _) => {
                choice::map_enum(self, dir, record, field, base, run)
            }
            (
                Lens::Split {
                    field,
                    separator,
                    into,
                },
                Up,
            )
            | (
                Lens::Join {
                    into: field,
                    separator,
                    fields: into,
                },
                Down,
            ) => text::split(record, field, separator, into, base, run),
            (
                Lens::Split {
                    field,
                    separator,
                    into,
                },
                Down,
            )
            | (
                Lens::Join {
                    into: field,
                    separator,
                    fields: into,
                },
                Up,
            ) => text::join(record, into, separator, field, base, run),
            (Lens::In { field, lenses }, _) => {
                inside::within(lenses, dir, record, field, base, keys, run)
            }
            (Lens::Each { field, lenses }, _) => {
                inside::each(lenses, dir, record, field, base, keys, run)
            }
            (
                Lens::Variant {
                    field,
                    variant,
                    lenses,
                },
                _,
            ) => inside::variant(lenses, dir, record, (field, variant), base, keys, run),
            (Lens::Unknown(_), _) => Err(LensError::UnknownLens),
        }
    }
}
