//! Writes what the fuzzer starts from into `seeds/`: states of every version, with and without an origin.

use std::path::Path;

use overwinter::{Rest, Value, restore, save, save_with_origin};
use overwinter_fuzz::note::{First, Note, Second};

fn main() {
    let mut rest = Rest::default();
    rest.0.insert(
        "unknown",
        Value::List(vec![
            Value::Null,
            Value::Bool(true),
            Value::Bytes(vec![1, 2]),
        ]),
    );
    let newest = Note {
        path: Some("/a/b".into()),
        text: "snow".into(),
        caret: 3,
        wrap: false,
        zoom: 1.25,
        mark: vec!["x".into(), "y".into()],
        mode: "other".into(),
        scroll_px: 7.0,
        rest: rest.clone(),
    };
    let newest = save(&newest).expect("a state");
    let second = restore::<Second>(&newest).expect("a way down");
    let second = save_with_origin(&second.value, second.origin.as_ref())
        .expect("a state")
        .bytes;
    let first = restore::<First>(&newest).expect("a way down");
    let first = save_with_origin(&first.value, first.origin.as_ref())
        .expect("a state")
        .bytes;
    let first_alone = First {
        file: None,
        text: String::new(),
        rest,
    };
    let first_alone = save(&first_alone).expect("a state");
    let states = [
        ("newest", newest),
        ("second", second),
        ("first", first),
        ("first-alone", first_alone),
    ];
    for target in ["decode", "restore"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(target);
        std::fs::create_dir_all(&folder).expect("a folder for seeds");
        for (name, bytes) in &states {
            std::fs::write(folder.join(name), bytes).expect("a seed");
        }
    }
}
