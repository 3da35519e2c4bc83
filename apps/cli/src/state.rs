//! `state show`: a saved state in a form that people read.

mod lenses;
mod notation;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use overwinter::cbor::{self, Limits};
use overwinter::{Map, Value};

use crate::bus::Trouble;
use notation::Printer;

/// Most origins within origins that are opened; as many as a restore takes.
const ORIGINS: usize = 16;

/// What comes first and what last, whatever its name; all else in between as it stands.
const HEAD: [&str; 7] = [
    "overwinter",
    "type",
    "version",
    "readable_from",
    "schema",
    "chain_hash",
    "chain",
];
const TAIL: [&str; 4] = ["images", "local", "body", "origin"];

/// Prints the state in `file`, or on standard input where it is `-`.
///
/// # Errors
/// A file that cannot be read, or that is not a saved state: what it is instead and where that shows.
pub fn show(file: &Path, full: bool) -> Result<(), Trouble> {
    let name = match file.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => file.display().to_string(),
    };
    let unreadable = |e: io::Error| Trouble::failed(format!("{name} cannot be read: {e}"));
    let bytes = read(file).map_err(unreadable)?;
    let text = notation(&bytes, full).map_err(|why| Trouble::failed(format!("{name} {why}")))?;
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::failed(format!(
            "standard output cannot be written: {e}"
        ))),
        _ => Ok(()),
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    // One byte more than is accepted, so that what is too large is told from what is not.
    let most = Limits::default().bytes as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// A saved state in diagnostic notation, or why it is none.
fn notation(bytes: &[u8], full: bool) -> Result<String, String> {
    let value = cbor::decode(bytes).map_err(|e| {
        let begins: String = bytes.iter().take(16).map(|b| b.escape_ascii().to_string()).collect();
        let length = bytes.len();
        format!("is not a saved state, or a damaged one ({length} bytes, beginning with \"{begins}\"): {e}")
    })?;
    let Value::Map(document) = value else {
        return Err("is CBOR, but not a saved state: it is not a map".into());
    };
    if !document.contains_key("overwinter") {
        let keys: Vec<&str> = document.iter().map(|(key, _)| key).take(4).collect();
        return Err(format!(
            "is CBOR, but not a saved state: at the top there is no \"overwinter\" with the number of its layout (there is {keys:?})"
        ));
    }
    let mut printer = Printer::new(full);
    self::document(&mut printer, &document, ORIGINS);
    let mut text = printer.finish();
    text.push('\n');
    Ok(text)
}

/// The outer map, and in it those of its origins.
fn document(printer: &mut Printer, document: &Map, origins: usize) {
    let known = |name: &str| HEAD.contains(&name) || TAIL.contains(&name);
    let others = document
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !known(name));
    let order = HEAD.into_iter().chain(others).chain(TAIL);
    let entries: Vec<_> = order
        .filter_map(|name| document.get(name).map(|value| (name, value)))
        .collect();
    printer.lines(("{", "}"), &entries, |p, (name, value)| {
        p.key(name);
        match (*name, value) {
            ("chain", Value::List(steps)) => p.lines(("[", "]"), steps, |p, step| {
                p.value(step);
                if let Some(words) = lenses::in_words(step) {
                    p.comment(&words);
                }
            }),
            ("origin", Value::Bytes(bytes)) => origin(p, bytes, origins),
            _ => p.value(value),
        }
    });
}

/// An origin is shown as what it is. One that cannot be read does no harm to the state that it rides along with.
fn origin(printer: &mut Printer, bytes: &[u8], origins: usize) {
    let raw = Value::Bytes(bytes.to_vec());
    let Some(left) = origins.checked_sub(1) else {
        printer.value(&raw);
        return printer.comment("more former versions within each other than a restore opens");
    };
    match cbor::decode(bytes) {
        Ok(Value::Map(inner)) => {
            printer.verbatim("<<");
            document(printer, &inner, left);
            printer.verbatim(">>");
        }
        Ok(_) => {
            printer.value(&raw);
            printer.comment("not a saved state");
        }
        Err(e) => {
            printer.value(&raw);
            printer.comment(&format!("in these bytes {e}"));
        }
    }
}

#[cfg(test)]
mod tests;
