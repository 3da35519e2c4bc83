//! The author's `state.lock`, as far as the derive needs it: the schema hash of each released version. Whether a schema is the
//! one that its hash tells of is seen by the tests that `overwinter::compatibility!` makes; they see nested shapes, too.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Released versions and the BLAKE3 of their schemas.
#[derive(Debug, Default, PartialEq)]
pub struct Lock(BTreeMap<(String, u32), [u8; 32]>);

impl Lock {
    /// The `state.lock` of the crate that is being compiled; none where there is none (yet).
    pub fn of_crate() -> Result<Option<Lock>, String> {
        let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else {
            return Ok(None);
        };
        match std::fs::read_to_string(Path::new(&folder).join("state.lock")) {
            Ok(text) => Lock::parse(&text).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("state.lock cannot be read: {error}")),
        }
    }

    /// The schema hash of a version.
    pub fn schema(&self, id: &str, version: u32) -> Option<&[u8; 32]> {
        self.0.get(&(id.to_owned(), version))
    }

    fn parse(text: &str) -> Result<Lock, String> {
        let mut lock = Lock::default();
        let mut lines = text.lines().zip(1..).peekable();
        while let Some((line, number)) = lines.next() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, version) =
                title(line).ok_or_else(|| damaged(number, "`[id version]` is wanted here"))?;
            let mut hash = None;
            // Up to the next title: values, and then the schema, whose lines are indented or begin with a brace.
            while let Some((line, number)) = lines.next_if(|(line, _)| !line.starts_with('[')) {
                if let Some(text) = line.strip_prefix("schema = ") {
                    let read = unhex(text).ok_or_else(|| damaged(number, "no hash"))?;
                    if hash.replace(read).is_some() {
                        return Err(damaged(number, "a second hash"));
                    }
                } else if !is_known(line) {
                    return Err(damaged(number, &format!("`{line}` is unknown")));
                }
            }
            let hash = hash.ok_or_else(|| damaged(number, "no `schema = …` follows"))?;
            if lock.0.insert((id.to_owned(), version), hash).is_some() {
                return Err(damaged(
                    number,
                    &format!("[{id} {version}] stands there twice"),
                ));
            }
        }
        Ok(lock)
    }
}

fn damaged(line: usize, why: &str) -> String {
    format!("state.lock is damaged in line {line}: {why}; take it from the history")
}

fn title(line: &str) -> Option<(&str, u32)> {
    let (id, version) = line
        .strip_prefix('[')?
        .strip_suffix(']')?
        .rsplit_once(' ')?;
    Some((id, version.parse().ok()?))
}

fn is_known(line: &str) -> bool {
    line.trim().is_empty()
        || line.starts_with(['#', ' ', '{', '}'])
        || line
            .strip_prefix("step = ")
            .is_some_and(|text| unhex(text).is_some())
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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# What each released version is made of.

[org.example.Notes/document 1]
schema = 287d6280ac9fe35e48413d657774b6b5f72cd79b7179140650b4957f73580d30
{
    text: text,
    ..
}

[org.example.Notes/document 2]
schema = 06ea42d4c28de4e5ee325868c9142c310ad825f6549aa49a90ad1bf581f1e9b2
step = df05f15a9f64b393166a5ab7eefb9727ee45d35667d44b611189e0e480cf3308
{
    marks: [
        u32
    ],
    text: text,
    ..
}
";

    fn why(text: &str) -> String {
        Lock::parse(text).unwrap_err()
    }

    #[test]
    fn the_hash_of_each_version_is_found() {
        let lock = Lock::parse(TEXT).unwrap();
        let first = |version| Some(lock.schema("org.example.Notes/document", version)?[0]);
        assert_eq!(
            (first(1), first(2), first(3)),
            (Some(0x28), Some(0x06), None)
        );
        assert_eq!(lock.schema("org.example.Other/document", 1), None);
        assert_eq!(
            Lock::parse("# nothing is released yet\n"),
            Ok(Lock::default())
        );
    }

    #[test]
    fn what_is_damaged_is_told_with_its_line() {
        assert_eq!(
            why(&TEXT.replace("[org.example.Notes/document 1]", "<<<<<<< ours")),
            "state.lock is damaged in line 3: `[id version]` is wanted here; take it from the history"
        );
        assert_eq!(
            why(&TEXT.replace("document 2]", "document two]")),
            "state.lock is damaged in line 10: `[id version]` is wanted here; take it from the history"
        );
        assert_eq!(
            why(&TEXT.replace("30\n", "\n")),
            "state.lock is damaged in line 4: no hash; take it from the history"
        );
        assert_eq!(
            why(&TEXT.replace("schema = 06", "scheme = 06")),
            "state.lock is damaged in line 11: `scheme = 06ea42d4c28de4e5ee325868c9142c310ad825f6549aa49a90ad1bf581f1e9b2` is \
             unknown; take it from the history"
        );
        assert_eq!(
            why(&TEXT.replace("document 2]", "document 1]")),
            "state.lock is damaged in line 10: [org.example.Notes/document 1] stands there twice; take it from the history"
        );
        assert_eq!(
            why("[org.example.Notes/document 1]\n{\n}\n"),
            "state.lock is damaged in line 1: no `schema = …` follows; take it from the history"
        );
    }
}
