//! A bound for the work that steps from a stranger may do.

use super::LensError;
use crate::cbor::MAX_DEPTH;
use crate::value::Value;

/// How much work steps may do: nodes touched plus 64-byte units copied, and levels of nesting added.
#[derive(Debug, Clone, Copy)]
pub struct Fuel {
    /// None: without limit.
    left: Option<u64>,
    levels: u64,
}

impl Fuel {
    /// Enough for any honest chain over a document of 64 MiB.
    pub const TRAVELLING: Fuel = Fuel::new(64 << 20);
    /// For one's own steps, which are part of the program.
    pub const OWN: Fuel = Fuel {
        left: None,
        levels: u64::MAX,
    };

    /// `amount` units, and as many levels of nesting as a document may have.
    pub const fn new(amount: u64) -> Fuel {
        Fuel {
            left: Some(amount),
            levels: MAX_DEPTH as u64,
        }
    }

    pub(super) fn spend(&mut self, amount: u64) -> Result<(), LensError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(amount).ok_or(LensError::OutOfFuel)?;
        }
        Ok(())
    }

    /// Pays for copying or comparing `value` once.
    pub(super) fn spend_on(&mut self, value: &Value) -> Result<(), LensError> {
        match self.left {
            Some(left) => self.spend(value.weight(left)),
            None => Ok(()),
        }
    }

    /// Pays for one more level of nesting, so that recursion over the result stays bounded.
    pub(super) fn deepen(&mut self) -> Result<(), LensError> {
        self.levels = self.levels.checked_sub(1).ok_or(LensError::OutOfFuel)?;
        Ok(())
    }
}
