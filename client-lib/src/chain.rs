//! The steps from the oldest version a program knows to its own, and what tells versions apart.

use std::fmt;

use crate::cbor;
use crate::error::StateError;
use crate::lens::{Dir, Lens, Move};
use crate::value::{Map, Value};

/// Most steps that may travel with a state.
const MOST_STEPS: usize = 1024;
/// Most lenses in all steps that travel with a state, those within sub-records counted once.
const MOST_LENSES: usize = 8192;

/// A BLAKE3 hash.
type Hash = [u8; 32];

/// What a step's code may fail with: any error, whose text is shown.
pub type StepError = Box<dyn std::error::Error + Send + Sync>;

/// A step's own code, for one direction: makes the record of the version that it leads to.
///
/// It gets the whole record of the version that it comes from and, where there is one, the record as the other side last
/// knew it, from which it takes what the first cannot hold.
pub type StepFn = fn(&Value, Option<&Value>) -> Result<Value, StepError>;

/// What changed from one version to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The older version.
    pub from: u32,
    /// The newer version; always one more.
    pub to: u32,
    /// The changes, in order.
    pub lenses: Vec<Lens>,
    /// What lenses cannot say. It comes after the lenses on the way up, and before them on the way down: both functions speak
    /// the names of the newer version.
    pub code: Code,
    /// Hash of the schema of version `from`, where it is known.
    pub schema: Option<Hash>,
}

/// Whether a step needs code, and where that is.
#[derive(Clone, Copy)]
pub enum Code {
    /// The lenses say it all.
    None,
    /// There is code in the program that wrote the state; none travels.
    Elsewhere,
    /// In this program.
    Here {
        /// From the older version to the newer.
        up: StepFn,
        /// And back; none where no older version can make anything of it.
        back: Option<StepFn>,
    },
}

impl Code {
    fn is_some(&self) -> bool {
        !matches!(self, Code::None)
    }
}

/// Two are equal when both or neither need code: as data they are the same then.
impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        self.is_some() == other.is_some()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::None => "None",
            Code::Elsewhere => "Elsewhere",
            Code::Here { back: None, .. } => "Here, up only",
            Code::Here { .. } => "Here",
        })
    }
}

impl Step {
    /// The step from version `from` to the next one.
    pub fn new(from: u32, lenses: Vec<Lens>) -> Step {
        Step {
            from,
            // No version follows the last one: `Chain::new` refuses such a step.
            to: from.saturating_add(1),
            lenses,
            code: Code::None,
            schema: None,
        }
    }

    /// With code for what lenses cannot say. Without a way `back` no older version can read what this program writes.
    #[must_use]
    pub fn with_code(mut self, up: StepFn, back: Option<StepFn>) -> Step {
        self.code = Code::Here { up, back };
        self
    }

    /// With the hash of the schema that version `from` has.
    #[must_use]
    pub fn with_schema(mut self, schema: Hash) -> Step {
        self.schema = Some(schema);
        self
    }

    /// Whether both change the same, whatever schemas they lead from.
    fn same_change(&self, other: &Step) -> bool {
        (self.from, self.to) == (other.from, other.to)
            && self.lenses == other.lenses
            && self.code == other.code
    }

    /// The step as it travels, without the id of the version that it leads from.
    fn change_to_value(&self) -> Map {
        let mut step = Map::new();
        step.insert("from", self.from);
        step.insert("to", self.to);
        step.insert("lenses", Lens::list_to_value(&self.lenses));
        if self.code.is_some() {
            step.insert("code", true);
        }
        step
    }

    /// Reads a travelling step and the hash of the chain up to it. What is not understood makes it a step that cannot be run.
    fn read(value: &Value) -> Option<(Step, Hash)> {
        let map = value.as_map()?;
        let number = |name| match map.get(name) {
            Some(Value::Int(number)) => u32::try_from(*number).ok(),
            _ => None,
        };
        let hash = |name| match map.get(name) {
            Some(Value::Bytes(bytes)) => Hash::try_from(bytes.as_slice()).ok(),
            _ => None,
        };
        let Some(Value::List(lenses)) = map.get("lenses") else {
            return None;
        };
        let known =
            |name: &str| matches!(name, "from" | "to" | "lenses" | "code" | "schema" | "chain");
        let mut step = Step {
            from: number("from")?,
            to: number("to")?,
            lenses: lenses.iter().map(Lens::read).collect(),
            code: match map.get("code") {
                None => Code::None,
                Some(Value::Bool(true)) => Code::Elsewhere,
                Some(_) => return None,
            },
            schema: hash("schema"),
        };
        if map.iter().any(|(name, _)| !known(name)) {
            step.lenses.push(Lens::Unknown(value.clone()));
        }
        Some((step, hash("chain")?))
    }

    fn moves_up(&self) -> impl Iterator<Item = Move<'_>> {
        let lenses = self.lenses.iter().map(|lens| Move::Lens(lens, Dir::Up));
        let (up, back) = self.functions();
        lenses.chain(self.code.is_some().then_some(Move::Code {
            run: up,
            undo: back,
            from: self.from,
            to: self.to,
        }))
    }

    fn moves_down(&self) -> impl Iterator<Item = Move<'_>> {
        let lenses = self.lenses.iter().rev();
        let (up, back) = self.functions();
        let code = self.code.is_some().then_some(Move::Code {
            run: back,
            undo: up,
            from: self.to,
            to: self.from,
        });
        code.into_iter()
            .chain(lenses.map(|lens| Move::Lens(lens, Dir::Down)))
    }

    fn functions(&self) -> (Option<StepFn>, Option<StepFn>) {
        match self.code {
            Code::Here { up, back } => (Some(up), back),
            Code::None | Code::Elsewhere => (None, None),
        }
    }
}

/// What tells one version of a type from every other, branches that share a number included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionId {
    /// The number its author gave it.
    pub number: u32,
    /// Hash of its schema, where it is known.
    pub schema: Option<Hash>,
    /// Hash of all steps that lead to it.
    pub chain: Hash,
}

/// All steps up to a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    version: u32,
    steps: Vec<Step>,
    /// Hash of the steps up to each version, from the oldest to `version`: one more than there are steps.
    hashes: Vec<Hash>,
}

impl Chain {
    /// The chain of a program's own type.
    ///
    /// # Errors
    /// When the steps do not follow on each other one by one up to `version`, or a lens nests too deeply to be written. The
    /// derive checks this while compiling.
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
        let hashes = hashes(first as u32, &steps)?;
        Ok(Chain {
            version,
            steps,
            hashes,
        })
    }

    /// Reads the chain that travels with a state of `version`.
    pub(crate) fn read(version: u32, value: &Value) -> Result<Chain, StateError> {
        let Value::List(items) = value else {
            return Err(StateError::Malformed("its steps are not a list of steps"));
        };
        if items.len() > MOST_STEPS {
            return Err(TOO_MANY_STEPS);
        }
        let read: Option<Vec<_>> = items.iter().map(Step::read).collect();
        let read = read.ok_or(StateError::Malformed("its steps are not a list of steps"))?;
        if read
            .iter()
            .map(|(step, _)| step.lenses.len())
            .sum::<usize>()
            > MOST_LENSES
        {
            return Err(TOO_MANY_STEPS);
        }
        let (steps, said): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let chain = Chain::new(version, steps)?;
        if chain.hashes.iter().zip(&said).any(|(is, said)| is != said) {
            return Err(StateError::Malformed(
                "its steps are not those that it says they are",
            ));
        }
        Ok(chain)
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

    /// Hash of all steps.
    pub fn hash(&self) -> Hash {
        // `new` has made one for each version.
        self.hashes.last().copied().unwrap_or_default()
    }

    /// Hash of the steps that lead to `version`; none for a version that the chain does not know.
    pub fn hash_at(&self, version: u32) -> Option<Hash> {
        let index = version.checked_sub(self.oldest())?;
        self.hashes.get(index as usize).copied()
    }

    /// The id of `version`, which this chain knows; `own_schema` is the schema of the version that it leads to.
    pub fn id_at(&self, version: u32, own_schema: Option<Hash>) -> Option<VersionId> {
        let schema = match self.step_from(version) {
            Some(step) => step.schema,
            None => own_schema,
        };
        Some(VersionId {
            number: version,
            schema,
            chain: self.hash_at(version)?,
        })
    }

    fn step_from(&self, version: u32) -> Option<&Step> {
        self.steps.get(version.checked_sub(self.oldest())? as usize)
    }

    /// The first step from `version` on of which part is code.
    pub(crate) fn first_code_from(&self, version: u32) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.from >= version && step.code.is_some())
    }

    /// The last step up to `version` of which part is code.
    pub(crate) fn last_code_up_to(&self, version: u32) -> Option<&Step> {
        self.steps
            .iter()
            .rfind(|step| step.to <= version && step.code.is_some())
    }

    /// The way from `from` up to `to`.
    pub(crate) fn up(&self, from: u32, to: u32) -> impl Iterator<Item = Move<'_>> {
        let steps = self.steps.iter();
        let steps = steps.filter(move |step| step.from >= from && step.to <= to);
        steps.flat_map(Step::moves_up)
    }

    /// The way from `from` down to `to`.
    pub(crate) fn down(&self, from: u32, to: u32) -> impl Iterator<Item = Move<'_>> {
        let steps = self.steps.iter().rev();
        let steps = steps.filter(move |step| step.from >= to && step.to <= from);
        steps.flat_map(Step::moves_down)
    }

    /// As it travels: each step with the id of the version that it leads from.
    pub(crate) fn to_value(&self) -> Value {
        let step = |(step, chain): (&Step, &Hash)| {
            let mut value = step.change_to_value();
            value.insert("chain", Value::Bytes(chain.to_vec()));
            if let Some(schema) = step.schema {
                value.insert("schema", Value::Bytes(schema.to_vec()));
            }
            Value::Map(value)
        };
        Value::List(self.steps.iter().zip(&self.hashes).map(step).collect())
    }
}

const TOO_MANY_STEPS: StateError =
    StateError::Malformed("more steps travel with it than are allowed");

/// The hash of the steps up to each version: of the number of the oldest at first, and then of the hash before and the
/// encoded step.
fn hashes(oldest: u32, steps: &[Step]) -> Result<Vec<Hash>, StateError> {
    let mut hash = *blake3::hash(&cbor::encode(&Value::from(oldest))?).as_bytes();
    let mut hashes = vec![hash];
    for step in steps {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&hash);
        hasher.update(&cbor::encode(&Value::Map(step.change_to_value()))?);
        hash = *hasher.finalize().as_bytes();
        hashes.push(hash);
    }
    Ok(hashes)
}

/// A chain with the schema of the version that it leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub chain: &'a Chain,
    pub schema: Option<Hash>,
}

impl<'a> Line<'a> {
    /// The newest version that both lines know and mean the same by. None when there is none.
    ///
    /// Versions are the same when their ids are: their numbers, the steps up to them, and their schemas. A chain that begins
    /// later than the other says nothing about the steps before, and where one side does not know a schema the steps
    /// decide.
    pub fn last_common(&self, other: &Line<'_>) -> Option<u32> {
        let first = self.chain.oldest().max(other.chain.oldest());
        let last = self.chain.version().min(other.chain.version());
        let mut common = None;
        for version in first..=last {
            if !self.same_schema(other, version) {
                break;
            }
            common = Some(version);
            let steps = (
                self.chain.step_from(version),
                other.chain.step_from(version),
            );
            match steps {
                (Some(ours), Some(theirs)) if ours.same_change(theirs) => {}
                _ => break,
            }
        }
        common
    }

    fn same_schema(&self, other: &Line<'_>, version: u32) -> bool {
        let schema = |line: &Line<'_>| line.chain.id_at(version, line.schema)?.schema;
        match (schema(self), schema(other)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        }
    }
}
