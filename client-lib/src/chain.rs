//! The steps from the oldest version a program knows to its own.

use serde::{Deserialize, Serialize};

use crate::bridge;
use crate::error::StateError;
use crate::lens::{Dir, Lens};
use crate::value::Value;

/// Most steps that may travel with a state.
const MOST_STEPS: usize = 1024;
/// Most lenses in all steps that travel with a state, those within sub-records counted once.
const MOST_LENSES: usize = 8192;

/// What changed from one version to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The older version.
    pub from: u32,
    /// The newer version; always one more.
    pub to: u32,
    /// The changes, in order.
    pub lenses: Vec<Lens>,
}

impl Step {
    /// The step from version `from` to the next one.
    pub fn new(from: u32, lenses: Vec<Lens>) -> Step {
        Step {
            from,
            // No version follows the last one: `Chain::new` refuses such a step.
            to: from.saturating_add(1),
            lenses,
        }
    }
}

/// All steps up to a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    version: u32,
    steps: Vec<Step>,
}

impl Chain {
    /// The chain of a program's own type.
    ///
    /// # Errors
    /// When the steps do not follow on each other one by one up to `version`. The derive checks this while compiling.
    pub fn new(version: u32, steps: Vec<Step>) -> Result<Chain, StateError> {
        let first = i64::from(version) - steps.len() as i64;
        let in_order = steps
            .iter()
            .zip(first..)
            .all(|(step, from)| i64::from(step.from) == from && i64::from(step.to) == from + 1);
        if first < 0 || !in_order {
            return Err(StateError::Malformed(
                "its steps do not follow on each other up to its version",
            ));
        }
        Ok(Chain { version, steps })
    }

    /// Reads the chain that travels with a state of `version`.
    pub(crate) fn read(version: u32, value: Value) -> Result<Chain, StateError> {
        #[derive(Deserialize)]
        struct Travelling {
            from: u32,
            to: u32,
            lenses: Vec<Value>,
        }
        let travelling: Vec<Travelling> = bridge::from_value(value)
            .map_err(|_| StateError::Malformed("its steps are not a list of steps"))?;
        let lenses: usize = travelling.iter().map(|step| step.lenses.len()).sum();
        if travelling.len() > MOST_STEPS || lenses > MOST_LENSES {
            return Err(StateError::Malformed(
                "more steps travel with it than are allowed",
            ));
        }
        let read = |step: Travelling| Step {
            from: step.from,
            to: step.to,
            lenses: step.lenses.into_iter().map(Lens::read).collect(),
        };
        Chain::new(version, travelling.into_iter().map(read).collect())
    }

    /// The version the chain leads to.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The oldest version the chain starts from.
    pub fn oldest(&self) -> u32 {
        // `new` made sure that there are not more steps than versions.
        self.version - self.steps.len() as u32
    }

    /// All steps, oldest first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn step_from(&self, version: u32) -> Option<&Step> {
        self.steps.get(version.checked_sub(self.oldest())? as usize)
    }

    /// The newest version up to which both chains tell the same story; none when they share no version at all.
    pub fn last_common(&self, other: &Chain) -> Option<u32> {
        let end = self.version.min(other.version);
        let mut version = self.oldest().max(other.oldest());
        if version > end {
            return None;
        }
        while version < end && self.step_from(version) == other.step_from(version) {
            version += 1;
        }
        Some(version)
    }

    /// The lenses from the end of `theirs` to the end of `self`: their way down to the last common version, then the
    /// own way up.
    pub(crate) fn route_from<'a>(&'a self, theirs: &'a Chain, common: u32) -> Vec<(&'a Lens, Dir)> {
        let down = theirs.steps.iter().rev().filter(|step| step.from >= common);
        let up = self.steps.iter().filter(|step| step.from >= common);
        let down = down.flat_map(|step| step.lenses.iter().rev().map(|lens| (lens, Dir::Down)));
        down.chain(up.flat_map(|step| step.lenses.iter().map(|lens| (lens, Dir::Up))))
            .collect()
    }

    /// As it travels.
    pub(crate) fn to_value(&self) -> Result<Value, StateError> {
        Ok(bridge::to_value(&self.steps)?)
    }
}
