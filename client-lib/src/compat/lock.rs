//! `state.lock` and golden states: what was released, and never changes any more.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::Incompatible;
use crate::Schema;

const NAME: &str = "state.lock";

const HEAD: &str = "\
# What each released version of this crate's states is made of. A released version never changes.
# New versions are written by `OVERWINTER_STATE=accept cargo test`; commit this file and the folder `state`.
";

/// The versions that are written down in a `state.lock`.
#[derive(Debug, Default)]
pub struct Lock {
    versions: BTreeMap<(String, u32), Locked>,
}

/// One version in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its schema.
    pub schema: Schema,
    /// BLAKE3 of the step that leads to it from the version before, as it travels; none where it is the oldest.
    pub step: Option<[u8; 32]>,
}

impl Lock {
    /// The `state.lock` in `folder`; an empty one where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(folder: &Path) -> Result<Lock, Incompatible> {
        match fs::read_to_string(folder.join(NAME)) {
            Ok(text) => Lock::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(Incompatible(format!("state.lock cannot be read: {error}"))),
        }
    }

    /// Reads the text of a `state.lock`.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn parse(text: &str) -> Result<Lock, Incompatible> {
        let mut lock = Lock::default();
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| [line, "\n"])
            .collect();
        // Lines within a schema are indented or a lone brace, so a `[` in the first column begins a version.
        let sections = text
            .split("\n[")
            .map(|section| section.trim_start_matches(['[', '\n']));
        for section in sections.filter(|section| !section.trim().is_empty()) {
            let (id, version, locked) = parse_section(section)
                .map_err(|why| Incompatible(format!("state.lock is damaged: {why}")))?;
            if lock
                .versions
                .insert((id.clone(), version), locked)
                .is_some()
            {
                return Err(Incompatible(format!(
                    "state.lock is damaged: [{id} {version}] stands there twice"
                )));
            }
        }
        Ok(lock)
    }

    /// A version of a state.
    pub fn get(&self, id: &str, version: u32) -> Option<&Locked> {
        self.versions.get(&(id.to_owned(), version))
    }

    /// All versions of a state that are older than `version`, oldest first.
    pub fn older<'a>(
        &'a self,
        id: &'a str,
        version: u32,
    ) -> impl Iterator<Item = (u32, &'a Locked)> {
        let of_id = self
            .versions
            .iter()
            .filter(move |((name, number), _)| name == id && *number < version);
        of_id.map(|((_, number), locked)| (*number, locked))
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for ((id, version), locked) in &self.versions {
            text.push_str(&format!(
                "\n[{id} {version}]\nschema = {}\n",
                hex(&locked.schema.hash())
            ));
            if let Some(step) = &locked.step {
                text.push_str(&format!("step = {}\n", hex(step)));
            }
            text.push_str(&format!("{}\n", locked.schema));
        }
        text
    }

    /// Adds a version to the `state.lock` in `folder`, unless it is there already.
    pub(super) fn add(
        folder: &Path,
        id: &str,
        version: u32,
        locked: Locked,
    ) -> Result<(), Incompatible> {
        let failed =
            |error: io::Error| Incompatible(format!("state.lock cannot be written: {error}"));
        let path = folder.join(NAME);
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = open.map_err(failed)?;
        // Tests of several types run at once.
        file.lock().map_err(failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let mut lock = Lock::parse(&text)?;
        lock.versions
            .entry((id.to_owned(), version))
            .or_insert(locked);
        replace(&mut file, &lock.text()).map_err(failed)
    }
}

fn replace(file: &mut File, text: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    let end = file.stream_position()?;
    file.set_len(end)
}

fn parse_section(section: &str) -> Result<(String, u32, Locked), String> {
    let (title, body) = section
        .split_once("]\n")
        .ok_or("a title `[id version]` is not closed")?;
    let (id, version) = title
        .rsplit_once(' ')
        .ok_or_else(|| format!("[{title}] has no version"))?;
    let version = version
        .parse()
        .map_err(|_| format!("[{title}] has no version"))?;
    let at = body
        .find('{')
        .ok_or_else(|| format!("[{title}] has no schema"))?;
    let (values, schema) = body.split_at(at);
    let schema: Schema = schema
        .parse()
        .map_err(|error| format!("[{title}]: {error}"))?;
    let (mut hash, mut step) = (None, None);
    for line in values.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line
            .split_once(" = ")
            .ok_or_else(|| format!("[{title}]: `{line}`"))?;
        let value = unhex(value).ok_or_else(|| format!("[{title}]: `{value}` is not a hash"))?;
        match name {
            "schema" => hash = Some(value),
            "step" => step = Some(value),
            _ => return Err(format!("[{title}]: `{name}` is unknown")),
        }
    }
    if hash != Some(schema.hash()) {
        return Err(format!(
            "[{title}]: the schema is not the one its hash tells of; it was edited by hand"
        ));
    }
    Ok((id.to_owned(), version, Locked { schema, step }))
}

/// Where the golden state of a version lies.
pub(super) fn golden_path(folder: &Path, id: &str, version: u32) -> PathBuf {
    folder
        .join("state")
        .join(id)
        .join(format!("{version}.cbor"))
}

/// Writes a golden state that is not there yet.
pub(super) fn write_golden(path: &Path, bytes: &[u8]) -> Result<(), Incompatible> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create_new(path)?.write_all(bytes)
    };
    write().map_err(|error| Incompatible(format!("{} cannot be written: {error}", path.display())))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim().as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?).ok()?;
    }
    Some(hash)
}
