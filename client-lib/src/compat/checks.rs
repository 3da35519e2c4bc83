//! The five checks.

use super::lock::{golden_path, write_golden};
use super::{ACCEPT, Compatibility, Incompatible, Lock, Locked, Outcome};
use crate::cbor;
use crate::chain::{Chain, Code, Step};
use crate::document::{Form, restore, restore_record, save_record};
use crate::loss::{LossReason, LossReport};
use crate::parts;
use crate::schema::{Difference, Random, Schema, lenses_for};
use crate::state::{Record, State};
use crate::value::Map;

/// Made-up states per step and law.
const ROUNDS: u64 = 100;

impl<T: State> Compatibility<T> {
    /// The schema, and the step that leads to it, are the ones that are written down for this version.
    ///
    /// # Errors
    /// When they are not; the message says what changed, and which lens would do.
    pub fn schema_is_locked(&self) -> Outcome {
        let lock = Lock::read(&self.folder)?;
        let (id, version) = (T::TYPE_ID, T::VERSION);
        let Some(locked) = lock.get(id, version) else {
            return self.accept_version(&lock);
        };
        let differences = locked.schema.differences(T::schema());
        if !differences.is_empty() {
            return fail(changed::<T>(&differences));
        }
        if let Some(step) = own_step::<T>(version)
            && locked
                .step
                .is_some_and(|locked| step_hash(step) != Some(locked))
        {
            return fail(format!(
                "{id}: the lens {} => {version} changed, but version {version} is released (state.lock): states that were made \
                 by the old one are out there. Take the change back, or make it in a lens {version} => {}.",
                step.from,
                version + 1
            ));
        }
        if !golden_path(&self.folder, id, version).exists() {
            if !self.accept {
                return fail(format!(
                    "{id}: version {version} has no golden state. {}",
                    how_to_accept()
                ));
            }
            return self.write_golden();
        }
        Ok(())
    }

    /// A version that is not written down yet.
    fn accept_version(&self, lock: &Lock) -> Outcome {
        let (id, version) = (T::TYPE_ID, T::VERSION);
        if !self.accept {
            return fail(format!(
                "{id}: version {version} is not in state.lock yet. {}",
                how_to_accept()
            ));
        }
        self.check_lenses(lock)?;
        if !golden_path(&self.folder, id, version).exists() {
            self.write_golden()?;
        }
        let locked = Locked {
            schema: T::schema().clone(),
            step: own_step::<T>(version).and_then(step_hash),
        };
        Lock::add(&self.folder, id, version, locked)
    }

    fn write_golden(&self) -> Outcome {
        let value = match self.example {
            Some(example) => example(),
            None => made_up::<T>()?,
        };
        // Blobs and secrets are collected and let go of: what is committed names them and holds none.
        let (record, _) = parts::collect(|| value.to_record());
        let record = record.map_err(|error| Incompatible(error.to_string()))?;
        // Without what belongs to the host that the test ran on.
        let record = Record {
            local: Map::new(),
            ..record
        };
        let bytes = save_record(&Form::of::<T>(), record, None)
            .map_err(|error| Incompatible(error.to_string()))?
            .bytes;
        write_golden(&golden_path(&self.folder, T::TYPE_ID, T::VERSION), &bytes)
    }

    /// From each released version lenses lead to this one, and applied to its schema they give the next one's.
    ///
    /// # Errors
    /// When they do not; the message names the fields, the lens, and what is missing.
    pub fn lenses_fit_the_schemas(&self) -> Outcome {
        self.check_lenses(&Lock::read(&self.folder)?)
    }

    fn check_lenses(&self, lock: &Lock) -> Outcome {
        let chain = T::chain();
        for (version, _) in lock.older(T::TYPE_ID, T::VERSION) {
            if version < chain.oldest() {
                return fail(format!(
                    "{}: version {version} is released (state.lock), but no lens leads from it to version {}: who has a state \
                     of it would lose it. Put the lens {version} => {} back.",
                    T::TYPE_ID,
                    T::VERSION,
                    version + 1
                ));
            }
        }
        chain
            .steps()
            .iter()
            .try_for_each(|step| check_step::<T>(lock, step))
    }

    /// Golden states of all released versions can be restored by this one.
    ///
    /// # Errors
    /// When one cannot, or something in it has no place that no lens speaks of.
    pub fn goldens_come_up(&self) -> Outcome {
        let lock = Lock::read(&self.folder)?;
        let this = lock.get(T::TYPE_ID, T::VERSION).map(|_| T::VERSION);
        let versions = lock
            .older(T::TYPE_ID, T::VERSION)
            .map(|(version, _)| version);
        for version in versions.chain(this) {
            let bytes = self.golden(version)?;
            comes_up::<T>(&bytes).map_err(|why| {
                let id = T::TYPE_ID;
                Incompatible(format!(
                    "{id}: the golden state of version {version} does not come up to {}: {why}",
                    T::VERSION
                ))
            })?;
        }
        Ok(())
    }

    /// This version's golden state can be read by all released versions, each of which gives all of it back.
    ///
    /// # Errors
    /// When one cannot read it, or something is missing or changed afterwards.
    pub fn golden_goes_down_and_back(&self) -> Outcome {
        let lock = Lock::read(&self.folder)?;
        if lock.get(T::TYPE_ID, T::VERSION).is_none() {
            // The first check tells that there is none yet.
            return Ok(());
        }
        let bytes = self.golden(T::VERSION)?;
        let whole = restore_record(&Form::of::<T>(), &bytes)
            .map_err(|error| Incompatible(error.to_string()))?;
        for (version, locked) in lock.older(T::TYPE_ID, T::VERSION) {
            if version < readable_from::<T>() {
                continue;
            }
            let Some(form) = form_of::<T>(version, &locked.schema) else {
                continue;
            };
            goes_down(
                &form,
                &locked.schema,
                &Form::of::<T>(),
                &bytes,
                &whole.value.body,
            )
            .map_err(|why| {
                let id = T::TYPE_ID;
                Incompatible(format!(
                    "{id}: the golden state of version {} and version {version}: {why}",
                    T::VERSION
                ))
            })?;
        }
        Ok(())
    }

    /// GetPut and PutGet for each step between released versions that needs no code, with made-up states.
    ///
    /// # Errors
    /// When one does not hold, with the state that shows it.
    pub fn lens_laws_hold(&self) -> Outcome {
        let lock = Lock::read(&self.folder)?;
        for step in T::chain().steps().iter().filter(|step| !needs_code(step)) {
            let (Some(older), Some(newer)) = (
                schema_of::<T>(&lock, step.from),
                schema_of::<T>(&lock, step.to),
            ) else {
                continue;
            };
            let (Some(older_form), Some(newer_form)) =
                (form_of::<T>(step.from, older), form_of::<T>(step.to, newer))
            else {
                continue;
            };
            let laws = Laws {
                older,
                newer,
                older_form,
                newer_form,
            };
            for seed in 0..ROUNDS {
                laws.hold(seed).map_err(|why| {
                    let (id, from, to) = (T::TYPE_ID, step.from, step.to);
                    Incompatible(format!(
                        "{id}: the lens {from} => {to} breaks a law (seed {seed}): {why}"
                    ))
                })?;
            }
        }
        Ok(())
    }

    fn golden(&self, version: u32) -> Result<Vec<u8>, Incompatible> {
        let path = golden_path(&self.folder, T::TYPE_ID, version);
        std::fs::read(&path).map_err(|error| {
            Incompatible(format!(
                "{}: version {version} is released (state.lock), but its golden state cannot be read: {}: {error}",
                T::TYPE_ID,
                path.display()
            ))
        })
    }
}

fn fail(why: String) -> Outcome {
    Err(Incompatible(why))
}

fn how_to_accept() -> String {
    format!(
        "When it is ready: {ACCEPT}=accept cargo test, then commit state.lock and the folder state."
    )
}

fn listed(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("    {difference}\n"))
        .collect()
}

/// The message for a schema that changed without a new version.
fn changed<T: State>(differences: &[Difference]) -> String {
    let (id, version, next) = (T::TYPE_ID, T::VERSION, T::VERSION + 1);
    let lens = match lenses_for(differences) {
        Some(lenses) if lenses.is_empty() => format!("lens({version} => {next})"),
        Some(lenses) => format!("lens({version} => {next}, {lenses})"),
        None => format!("lens({version} => {next}, with = up, back = down)"),
    };
    format!(
        "{id}: the schema changed, but it is still called version {version}, which is released (state.lock):\n{}\
         Give it a new version, and say how the one becomes the other:\n    \
         #[state(id = {id:?}, version = {next})]\n    #[state({lens})]\n{}\n\
         (If version {version} was never released: delete its section in state.lock and state/{id}/{version}.cbor, and write \
         both anew the same way.)",
        listed(differences),
        how_to_accept(),
    )
}

fn needs_code(step: &Step) -> bool {
    step.code != Code::None
}

/// Of the change alone: the schema that it leads from is locked by itself.
fn step_hash(step: &Step) -> Option<[u8; 32]> {
    let step = Step {
        schema: None,
        ..step.clone()
    };
    let alone = Chain::new(step.to, vec![step]).ok()?;
    Some(*blake3::hash(&cbor::encode(&alone.to_value()).ok()?).as_bytes())
}

fn own_step<T: State>(to: u32) -> Option<&'static Step> {
    T::chain().steps().iter().find(|step| step.to == to)
}

fn schema_of<T: State>(lock: &Lock, version: u32) -> Option<&Schema> {
    match lock.get(T::TYPE_ID, version) {
        _ if version == T::VERSION => Some(T::schema()),
        Some(locked) => Some(&locked.schema),
        None => None,
    }
}

/// A program of an older version, as far as state goes: its schema and the steps that it knows.
fn form_of<T: State>(version: u32, schema: &Schema) -> Option<Form> {
    let steps = T::chain().steps().iter().filter(|step| step.to <= version);
    let chain = Chain::new(version, steps.cloned().collect()).ok()?;
    Some(Form::new(T::TYPE_ID, schema.hash(), chain).with_keys(schema.keys().clone()))
}

/// The oldest version that this one's state can be read by.
fn readable_from<T: State>() -> u32 {
    let one_way = |step: &&Step| matches!(step.code, Code::Here { back: None, .. });
    let last = T::chain().steps().iter().rfind(one_way);
    last.map_or(T::chain().oldest(), |step| step.to)
}

fn check_step<T: State>(lock: &Lock, step: &Step) -> Outcome {
    let (id, from, to) = (T::TYPE_ID, step.from, step.to);
    let Some(older) = schema_of::<T>(lock, from) else {
        return fail(format!(
            "{id}: a lens leads from version {from}, but nothing says what that was: its section in state.lock is missing. Take it \
             from the history, or drop the lens if version {from} was never released."
        ));
    };
    let Some(newer) = schema_of::<T>(lock, to) else {
        return fail(format!(
            "{id}: version {to} is not in state.lock, but a lens leads through it"
        ));
    };
    if needs_code(step) {
        // What code does is seen on the golden states.
        return Ok(());
    }
    let made = older
        .apply(&step.lenses)
        .map_err(|unfit| Incompatible(format!("{id}: in the lens {from} => {to}, {unfit}")))?;
    let differences = made.misfits(newer);
    if !differences.is_empty() {
        let missing = match lenses_for(&differences) {
            Some(lenses) if !lenses.is_empty() => format!("This is missing: {lenses}"),
            _ => "No lens does this; code would: with = up, back = down".to_owned(),
        };
        return fail(format!(
            "{id}: the lens {from} => {to} does not lead to version {to}. What it makes of version {from}, and version {to}:\n{}{missing}",
            listed(&differences)
        ));
    }
    let (Some(older_form), Some(newer_form)) = (form_of::<T>(from, older), form_of::<T>(to, newer))
    else {
        return Ok(());
    };
    for seed in 0..ROUNDS {
        let body = older.sample(seed);
        brought(&older_form, &newer_form, body, newer).map_err(|why| {
            Incompatible(format!(
                "{id}: what the lens {from} => {to} makes is no state of version {to}: {why}"
            ))
        })?;
    }
    Ok(())
}

/// `body` as `reader` sees it, checked against its schema.
fn brought(writer: &Form, reader: &Form, body: Map, schema: &Schema) -> Result<Map, String> {
    let record = Record {
        body,
        local: Map::new(),
    };
    let bytes = save_record(writer, record, None)
        .map_err(|error| error.to_string())?
        .bytes;
    let body = restore_record(reader, &bytes)
        .map_err(|error| error.to_string())?
        .value
        .body;
    schema.admits(&body).map_err(|misfit| misfit.to_string())?;
    Ok(body)
}

fn comes_up<T: State>(bytes: &[u8]) -> Result<(), String> {
    let record = restore_record(&Form::of::<T>(), bytes).map_err(|error| error.to_string())?;
    T::schema()
        .admits(&record.value.body)
        .map_err(|misfit| misfit.to_string())?;
    let restored = restore::<T>(bytes).map_err(|error| error.to_string())?;
    let silent = |reason: LossReason| {
        matches!(
            reason,
            LossReason::UnknownField | LossReason::OriginUnreadable
        )
    };
    match restored.loss.iter().find(|loss| silent(loss.reason)) {
        Some(loss) => Err(loss.to_string()),
        None => Ok(()),
    }
}

/// Whether a program of an older version reads `bytes`, and a newer one finds `whole` again after it saved them.
fn goes_down(
    older: &Form,
    schema: &Schema,
    newer: &Form,
    bytes: &[u8],
    whole: &Map,
) -> Result<(), String> {
    let down = restore_record(older, bytes)
        .map_err(|error| format!("it cannot be read there: {error}"))?;
    schema
        .admits(&down.value.body)
        .map_err(|misfit| format!("it is no state there: {misfit}"))?;
    let again =
        save_record(older, down.value, down.origin.as_ref()).map_err(|error| error.to_string())?;
    let up = restore_record(newer, &again.bytes)
        .map_err(|error| format!("it cannot be read afterwards: {error}"))?;
    if up.value.body == *whole {
        return Ok(());
    }
    Err(format!(
        "it does not come back whole: {}",
        first_difference(whole, &up.value.body)
    ))
}

/// The first field in which two bodies differ.
fn first_difference(before: &Map, after: &Map) -> String {
    let fields = before.iter().chain(after.iter()).map(|(name, _)| name);
    match fields
        .into_iter()
        .find(|name| before.get(name) != after.get(name))
    {
        Some(name) => format!(
            "`{name}` was {:?} and is {:?}",
            before.get(name),
            after.get(name)
        ),
        None => "nothing differs".to_owned(),
    }
}

/// A golden state from the schema alone: of several the one that holds most.
fn made_up<T: State>() -> Result<T, Incompatible> {
    let bodies = (0..64).map(|seed| T::schema().sample(seed));
    let body =
        bodies.max_by_key(|body| cbor::encode(&body.clone().into()).map_or(0, |bytes| bytes.len()));
    let record = Record {
        body: body.unwrap_or_default(),
        local: Map::new(),
    };
    T::from_record(record, &mut LossReport::default()).map_err(|error| {
        Incompatible(format!(
            "{}: a golden state cannot be made up ({error}); give one: compatibility!(…, example), with fn example() -> …",
            T::TYPE_ID
        ))
    })
}

struct Laws<'a> {
    older: &'a Schema,
    newer: &'a Schema,
    older_form: Form,
    newer_form: Form,
}

impl Laws<'_> {
    fn hold(&self, seed: u64) -> Result<(), String> {
        let mut random = Random::new(seed);
        let newer = random.body(self.newer);
        let (saved, origin) = self.down(&newer)?;
        self.get_put(&newer, &saved, origin.as_ref())?;
        let edited = random.edit(self.older, &saved);
        self.put_get(&edited, origin.as_ref())
    }

    /// What the older version sees of `newer`, and what it keeps of it.
    fn down(&self, newer: &Map) -> Result<(Map, Option<crate::Origin>), String> {
        let bytes = saved(&self.newer_form, newer, None)?;
        let down =
            restore_record(&self.older_form, &bytes).map_err(|error| format!("down: {error}"))?;
        let body = down.value.body;
        self.older
            .admits(&body)
            .map_err(|misfit| format!("on the way down, {misfit}"))?;
        Ok((body, down.origin))
    }

    /// What the older version did not touch the newer one finds as it was.
    fn get_put(
        &self,
        newer: &Map,
        seen: &Map,
        origin: Option<&crate::Origin>,
    ) -> Result<(), String> {
        let bytes = saved(&self.older_form, seen, origin)?;
        let up =
            restore_record(&self.newer_form, &bytes).map_err(|error| format!("up: {error}"))?;
        if up.value.body == *newer {
            return Ok(());
        }
        Err(format!(
            "GetPut: down and up again, {}",
            first_difference(newer, &up.value.body)
        ))
    }

    /// What the older version edited it finds again after the newer one had it, unless a loss is told.
    fn put_get(&self, edited: &Map, origin: Option<&crate::Origin>) -> Result<(), String> {
        let bytes = saved(&self.older_form, edited, origin)?;
        let up =
            restore_record(&self.newer_form, &bytes).map_err(|error| format!("up: {error}"))?;
        self.newer
            .admits(&up.value.body)
            .map_err(|misfit| format!("on the way up, {misfit}"))?;
        if !up.loss.is_empty() {
            return Ok(());
        }
        let (again, _) = self.down(&up.value.body)?;
        if again == *edited {
            return Ok(());
        }
        Err(format!(
            "PutGet: up and down again, {}",
            first_difference(edited, &again)
        ))
    }
}

fn saved(form: &Form, body: &Map, origin: Option<&crate::Origin>) -> Result<Vec<u8>, String> {
    let record = Record {
        body: body.clone(),
        local: Map::new(),
    };
    Ok(save_record(form, record, origin)
        .map_err(|error| error.to_string())?
        .bytes)
}
