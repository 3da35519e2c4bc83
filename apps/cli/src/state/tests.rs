use std::collections::BTreeMap;

use overwinter::{Chain, Form, Lens, Map, Record, Step, Value, restore_record, save_record};

use super::notation;

const ID: &str = "org.example.Notes/document";

fn form(version: u32) -> Form {
    let steps = [
        Step::new(
            1,
            vec![Lens::Rename {
                from: "file".into(),
                to: "path".into(),
            }],
        ),
        Step::new(2, vec![Lens::add("wrap", true)]),
    ];
    let steps = steps.into_iter().take(version as usize - 1).collect();
    Form::new(ID, [7; 32], Chain::new(version, steps).unwrap())
}

/// A state of version 3 with something of every kind.
fn saved() -> Vec<u8> {
    saved_with("/a/\u{1b}[31m/b", "snow\n")
}

/// Likewise, with control characters nowhere: the other program's notation lacks JSON's escapes for them.
fn saved_plain() -> Vec<u8> {
    saved_with("/a/\"b\"\\c", "snow and ")
}

fn saved_with(path: &str, line: &str) -> Vec<u8> {
    let mut record = Record::default();
    record.body.insert("path", path);
    record.body.insert("wrap", false);
    record.body.insert("caret", Value::Int(-12));
    record.body.insert("zoom", 1.25);
    record.body.insert("picture", Value::Bytes(vec![9; 1000]));
    record.body.insert("text", line.repeat(200));
    record
        .body
        .insert("undo", Value::List((0..300).map(Value::Int).collect()));
    record.body.insert("nothing", Value::Null);
    record.body.insert("nan", f64::NAN);
    save_record(&form(3), record, None).unwrap().bytes
}

/// The same after version 1 has read it and saved it again.
fn with_origin(newer: &[u8]) -> Vec<u8> {
    let old = restore_record(&form(1), newer).unwrap();
    save_record(&form(1), old.value, old.origin.as_ref())
        .unwrap()
        .bytes
}

/// Diagnostic notation read by somebody else's program, back to bytes, and those read by a third one's.
fn read_back(notation: &str) -> ciborium::Value {
    let item = cbor_diag::parse_diag(notation).unwrap();
    let mut value = ciborium::from_reader(item.to_bytes().as_slice()).unwrap();
    without_order(&mut value);
    value
}

fn as_ciborium_sees(bytes: &[u8]) -> ciborium::Value {
    let mut value = ciborium::from_reader(bytes).unwrap();
    without_order(&mut value);
    value
}

/// Entries by name: `show` puts the head first. NaN, which equals nothing, by a word. Embedded states likewise.
fn without_order(value: &mut ciborium::Value) {
    match value {
        ciborium::Value::Map(entries) => {
            let mut by_name = BTreeMap::new();
            for (key, mut value) in std::mem::take(entries) {
                without_order(&mut value);
                if let (Some("origin"), Some(bytes)) = (key.as_text(), value.as_bytes()) {
                    value = as_ciborium_sees(bytes);
                }
                by_name.insert(key.as_text().unwrap().to_owned(), value);
            }
            *entries = by_name
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect();
        }
        ciborium::Value::Array(items) => items.iter_mut().for_each(without_order),
        ciborium::Value::Float(v) if v.is_nan() => *value = "NaN".into(),
        _ => {}
    }
}

#[test]
fn shown_in_full_it_is_the_state_to_the_letter() {
    for bytes in [saved_plain(), with_origin(&saved_plain())] {
        let shown = notation(&bytes, true).unwrap();
        assert_eq!(read_back(&shown), as_ciborium_sees(&bytes), "{shown}");
    }
}

#[test]
fn the_head_comes_first_and_the_chain_as_it_was_written() {
    let shown = notation(&saved(), false).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "{",
            "  \"overwinter\": 1,",
            "  \"type\": \"org.example.Notes/document\",",
            "  \"version\": 3,"
        ]
    );
    assert!(
        shown.contains(r#"/ 1 => 2, rename("file", "path") /"#),
        "{shown}"
    );
    assert!(
        shown.contains(r#"/ 2 => 3, add("wrap", true) /"#),
        "{shown}"
    );
    assert!(shown.find("\"chain\"") < shown.find("\"body\""));
}

#[test]
fn what_is_long_is_cut_short_and_nothing_reaches_the_terminal_raw() {
    let shown = notation(&saved(), false).unwrap();
    assert!(shown.contains("/ 1000 bytes /"), "{shown}");
    assert!(shown.contains("/ 1000 bytes of text /"), "{shown}");
    assert!(shown.contains("/ 280 more of 300 items /"), "{shown}");
    assert!(shown.contains(r"/a/\u001b[31m/b"), "{shown}");
    assert!(!shown.contains('\u{1b}'));
    assert!(shown.len() < 4000);
}

#[test]
fn the_origin_stands_within() {
    let shown = notation(&with_origin(&saved()), false).unwrap();
    assert!(shown.contains("\"version\": 1,"), "{shown}");
    assert!(shown.contains("\"origin\": <<{"), "{shown}");
    assert!(shown.contains("    \"version\": 3,"), "{shown}");
    assert!(shown.ends_with("}>>\n}\n"), "{shown}");
}

#[test]
fn an_origin_that_cannot_be_read_is_shown_as_it_is() {
    let Ok(Value::Map(mut document)) = overwinter::cbor::decode(&with_origin(&saved())) else {
        panic!("a state is a map")
    };
    document.insert("origin", Value::Bytes(vec![0xa1, 0x61]));
    let bytes = overwinter::cbor::encode(&Value::Map(document)).unwrap();
    let shown = notation(&bytes, false).unwrap();
    assert!(
        shown.contains(
            "\"origin\": h'a161' / in these bytes not readable at byte 0: the data ends too early /"
        ),
        "{shown}"
    );
}

#[test]
fn what_is_no_state_is_told_with_the_place() {
    let saved = saved();
    let error = notation(&saved[..saved.len() / 2], false).unwrap_err();
    assert!(error.contains("not readable at byte"), "{error}");
    assert!(error.contains("the data ends too early"), "{error}");

    let error = notation(b"#!/bin/sh\n", false).unwrap_err();
    assert!(
        error.contains(r##"(10 bytes, beginning with "#!/bin/sh\n")"##),
        "{error}"
    );
    assert!(error.contains("at byte"), "{error}");

    let mut foreign = Map::new();
    foreign.insert("name", "something else");
    let foreign = overwinter::cbor::encode(&Value::Map(foreign)).unwrap();
    let error = notation(&foreign, false).unwrap_err();
    assert!(error.contains("is CBOR, but not a saved state"), "{error}");
    assert!(error.contains("\"name\""), "{error}");
    assert!(notation(&[], false).is_err());
}

#[test]
fn a_state_cut_off_anywhere_is_told_and_never_panics() {
    let bytes = with_origin(&saved());
    for end in (0..bytes.len()).step_by(3) {
        assert!(notation(&bytes[..end], false).is_err(), "cut at {end}");
    }
    for at in (0..bytes.len()).step_by(5) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x20;
        let _ = notation(&flipped, true);
    }
}
