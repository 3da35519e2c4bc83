//! Kinds of document: type id, schema, and the steps from one version to the next, as one JSON text.

use std::ffi::c_char;
use std::ptr;
use std::str::FromStr;

use overwinter::{Chain, Form, Lens, Map, Record, Schema, Step, Value};
use serde::Deserialize;

use crate::error::guarded;
use crate::raw;

/// A kind of document.
pub struct OwForm(pub(crate) Kind);

#[derive(Clone)]
pub(crate) struct Kind {
    pub form: Form,
    schema: Schema,
    local: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "type")]
    type_id: String,
    version: u32,
    schema: String,
    #[serde(default)]
    local: Vec<String>,
    #[serde(default)]
    steps: Vec<StepText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    from: u32,
    schema: String,
    lenses: Vec<Value>,
}

/// Reads a kind of document from JSON:
///
/// ```json
/// {
///   "type": "org.example.Notes/document",
///   "version": 2,
///   "schema": "{ lines: [text], pinned: bool, .. }",
///   "local": ["scroll_px"],
///   "steps": [
///     { "from": 1, "schema": "{ text: [text], .. }",
///       "lenses": [ { "rename": { "from": "text", "to": "lines" } },
///                   { "add": { "field": "pinned", "kind": "bool", "default": false } } ] }
///   ]
/// }
/// ```
///
/// `schema` is in the notation of `state.lock`: what the fields of this version are, and for each step those of the version
/// that it leads from. `..` is a place for fields that only other versions know. Fields named in `local` stay on their host;
/// they are not part of the schema, and are missing from a state that comes from another host. Each lens is written as it
/// travels, see docs/protocol.md. Fails when the steps do not lead to `version`, or do not make one schema of the other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_form_parse(json: *const c_char) -> *mut OwForm {
    guarded(ptr::null_mut(), || {
        let json = unsafe { raw::text(json) }?;
        Kind::parse(&json).map(|kind| raw::give(OwForm(kind)))
    })
}

/// Frees a kind of document; sessions that know it keep their own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_form_free(form: *mut OwForm) {
    unsafe { raw::free(form) };
}

impl Kind {
    fn parse(json: &str) -> Result<Kind, String> {
        let text: Text =
            serde_json::from_str(json).map_err(|e| format!("the form is not understood: {e}"))?;
        let schema = schema(&text.schema, text.version)?;
        let mut steps = Vec::new();
        for (index, step) in text.steps.iter().enumerate() {
            let lenses = lenses(step)?;
            let before = self::schema(&step.schema, step.from)?;
            let after = match text.steps.get(index + 1) {
                Some(next) => self::schema(&next.schema, next.from)?,
                None => schema.clone(),
            };
            agree(&before, &lenses, &after, step.from)?;
            steps.push(Step::new(step.from, lenses).with_schema(before.hash()));
        }
        let chain = Chain::new(text.version, steps).map_err(|e| e.to_string())?;
        Ok(Kind {
            form: Form::new(text.type_id, schema.hash(), chain).with_keys(schema.keys().clone()),
            schema,
            local: text.local,
        })
    }

    /// A record of this version from the map that a program built; what an unknown version left rides along.
    pub(crate) fn record(&self, value: Value, rest: &Map) -> Result<Record, String> {
        let Value::Map(mut body) = value else {
            return Err("the state is not a map".to_owned());
        };
        let mut local = Map::new();
        for name in &self.local {
            if let Some(value) = body.remove(name) {
                local.insert(name.clone(), value);
            }
        }
        self.fits(&body)?;
        // What others left comes from `rest`; a field of the program's own that is not in its schema is a slip.
        let known = &self.schema.root().fields;
        if let Some((name, _)) = body.iter().find(|(name, _)| !known.contains_key(*name)) {
            return Err(format!(
                "the state does not fit its schema: `{name}`: this version knows no such field"
            ));
        }
        for (name, value) in rest.iter() {
            body.insert(name, value.clone());
        }
        Ok(Record { body, local })
    }

    /// The map that a program gets, and what of the root it does not know. Within parts what is unknown stays where it is:
    /// a program that keeps the map it got, and changes it, keeps that too.
    pub(crate) fn value(&self, record: Record) -> Result<(Value, Map), String> {
        let Record { body, local } = record;
        let known = &self.schema.root().fields;
        let (mut value, rest): (Map, Map) = split(body, |name| known.contains_key(name));
        self.fits(&value)?;
        for (name, field) in local.iter() {
            value.insert(name, field.clone());
        }
        Ok((Value::Map(value), rest))
    }

    /// What of `rest` has no place in this version, which then cannot keep it; told by its names.
    pub(crate) fn homeless(&self, rest: &mut Map) -> Map {
        match self.schema.root().open {
            true => Map::new(),
            false => std::mem::take(rest),
        }
    }

    fn fits(&self, body: &Map) -> Result<(), String> {
        let fits = self.schema.holds(body);
        fits.map_err(|e| format!("the state does not fit its schema: {e}"))
    }
}

fn split(map: Map, known: impl Fn(&str) -> bool) -> (Map, Map) {
    let (mut yes, mut no) = (Map::new(), Map::new());
    for (name, value) in map.iter() {
        let side = if known(name) { &mut yes } else { &mut no };
        side.insert(name, value.clone());
    }
    (yes, no)
}

fn schema(text: &str, version: u32) -> Result<Schema, String> {
    Schema::from_str(text).map_err(|e| format!("version {version}: {e}"))
}

fn lenses(step: &StepText) -> Result<Vec<Lens>, String> {
    let mut lenses = Vec::new();
    for value in &step.lenses {
        match Lens::read(value) {
            Lens::Unknown(_) => {
                let text = serde_json::to_string(value).unwrap_or_default();
                return Err(format!(
                    "the step from version {}: not a lens: {text}",
                    step.from
                ));
            }
            lens => lenses.push(lens),
        }
    }
    Ok(lenses)
}

/// The lenses must make the next version's schema of this one's.
fn agree(before: &Schema, lenses: &[Lens], after: &Schema, from: u32) -> Result<(), String> {
    let made = before
        .apply(lenses)
        .map_err(|e| format!("the step from version {from}: {e}"))?;
    match made.misfits(after).first() {
        None => Ok(()),
        Some(difference) => Err(format!(
            "the step from version {from} does not lead to the schema of version {}: {difference}",
            from + 1
        )),
    }
}
