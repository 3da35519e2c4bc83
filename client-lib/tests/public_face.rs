//! D-Bus is how the library talks, and nobody else's business: no type of zbus is in its public face.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources lie beside the tests") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// What names a type of zbus, also by the aliases that we have for some.
fn speaks_of_the_bus(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["zbus", "zvariant", "Wire", "CallError"]
        .iter()
        .any(|word| {
            code.match_indices(word).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                let after = code[at + word.len()..].chars().next();
                let within = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                !within(before) && !within(after)
            })
        })
}

#[test]
fn no_type_of_zbus_is_in_the_public_face() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let session = fs::read_to_string(root.join("session/mod.rs")).expect("readable");
    let mut speaking = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        if !text.lines().any(speaks_of_the_bus) {
            continue;
        }
        speaking += 1;
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        assert_eq!(
            file.parent(),
            Some(root.join("session").as_path()),
            "{} speaks of the bus",
            file.display()
        );
        assert!(
            session.lines().any(|line| line == format!("mod {name};"))
                && !session.contains(&format!("pub use {name}::")),
            "the module `{name}` speaks of the bus, so it and what is in it stay private"
        );
    }
    assert!(speaking >= 3, "the test looks at the right place");
    assert!(speaks_of_the_bus("pub fn give(bus: &zbus::Connection) {}"));
}
