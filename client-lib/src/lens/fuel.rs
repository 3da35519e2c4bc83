//! A bound for the work that steps from a stranger may do, and for what they may make.

use super::LensError;
use crate::cbor::MAX_DEPTH;
use crate::value::Value;

/// How much work steps may do and how much they may make.
#[derive(Debug, Clone, Copy)]
pub struct Fuel {
    /// Values touched plus 64-byte units compared or moved. None: without limit.
    work: Option<u64>,
    /// Values made plus 64-byte units of text and names, each at most some 100 bytes of memory. None: without limit.
    makes: Option<u64>,
    /// Levels of nesting that may be added.
    levels: u64,
}

impl Fuel {
    /// Enough for any honest chain over a document of 64 MiB; ends after seconds and a few hundred MiB at the worst.
    pub const TRAVELLING: Fuel = Fuel {
        work: Some(64 << 20),
        makes: Some(4 << 20),
        levels: MAX_DEPTH as u64,
    };
    /// For one's own steps, which are part of the program.
    pub const OWN: Fuel = Fuel {
        work: None,
        makes: None,
        levels: u64::MAX,
    };

    /// `amount` units of work and of making, and as many levels of nesting as a document may have.
    pub const fn new(amount: u64) -> Fuel {
        Fuel {
            work: Some(amount),
            makes: Some(amount),
            levels: MAX_DEPTH as u64,
        }
    }

    pub(super) fn spend(&mut self, amount: u64) -> Result<(), LensError> {
        take(&mut self.work, amount)
    }

    /// Pays for comparing or looking through `value` once.
    pub(super) fn spend_on(&mut self, value: &Value) -> Result<(), LensError> {
        match self.work {
            Some(left) => self.spend(value.weight(left)),
            None => Ok(()),
        }
    }

    /// Pays for a copy of `value`.
    pub(super) fn make(&mut self, value: &Value) -> Result<(), LensError> {
        self.spend_on(value)?;
        match self.makes {
            Some(left) => take(&mut self.makes, value.weight(left)),
            None => Ok(()),
        }
    }

    /// Pays for a new text of `len` bytes.
    pub(super) fn make_text(&mut self, len: usize) -> Result<(), LensError> {
        take(&mut self.makes, 1 + (len / 64) as u64)
    }

    /// Pays for one more level of nesting, so that recursion over the result stays bounded.
    pub(super) fn deepen(&mut self) -> Result<(), LensError> {
        self.levels = self.levels.checked_sub(1).ok_or(LensError::OutOfFuel)?;
        Ok(())
    }

    /// Levels that are left. Elements beside each other each start with the same: see [`Fuel::set_levels`].
    pub(super) fn levels(&self) -> u64 {
        self.levels
    }

    pub(super) fn set_levels(&mut self, levels: u64) {
        self.levels = levels;
    }
}

fn take(left: &mut Option<u64>, amount: u64) -> Result<(), LensError> {
    if let Some(left) = left {
        *left = left.checked_sub(amount).ok_or(LensError::OutOfFuel)?;
    }
    Ok(())
}
