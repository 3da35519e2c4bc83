//! Three releases of one state, held to their promises as an author would: `state.lock` and the folder `state` beside this
//! crate's Cargo.toml are theirs. One step is code, and there are blobs and secrets.

use overwinter::{Blob, Rest, Secret, State, StepError, Travels, Value};

mod first {
    use super::*;

    #[derive(State, Default)]
    #[state(id = "org.example.Released/document", version = 1)]
    pub struct Note {
        pub picture: Blob,
        pub text: String,
        pub token: Secret<String>,
        pub rest: Rest,
    }
}

mod second {
    use super::*;

    /// A list of pictures, and a secret that goes along with a move.
    #[derive(State, Default)]
    #[state(id = "org.example.Released/document", version = 2)]
    #[state(lens(1 => 2, rename("picture", "pictures"), wrap("pictures"), add("key", null), add("words", 0)))]
    pub struct Note {
        pub pictures: Vec<Blob>,
        pub text: String,
        pub token: Secret<String>,
        pub key: Secret<Vec<u8>, Travels>,
        pub words: u32,
        pub rest: Rest,
    }
}

mod third {
    use super::*;

    /// The text has become a list of lines.
    #[derive(State, Default)]
    #[state(id = "org.example.Released/document", version = 3)]
    #[state(lens(1 => 2, rename("picture", "pictures"), wrap("pictures"), add("key", null), add("words", 0)))]
    #[state(lens(2 => 3, rename("text", "lines"), with = to_lines, back = to_text))]
    pub struct Note {
        pub pictures: Vec<Blob>,
        pub lines: Vec<String>,
        pub token: Secret<String>,
        pub key: Secret<Vec<u8>, Travels>,
        pub words: u32,
        pub rest: Rest,
    }

    fn to_lines(older: &Value, _: Option<&Value>) -> Result<Value, StepError> {
        replace(older, |lines| match lines {
            Value::Text(text) => Ok(Value::List(
                text.split('\n')
                    .map(|line| Value::Text(line.into()))
                    .collect(),
            )),
            _ => Err("a text is wanted"),
        })
    }

    fn to_text(newer: &Value, _: Option<&Value>) -> Result<Value, StepError> {
        replace(newer, |lines| {
            let Value::List(lines) = lines else {
                return Err("a list is wanted");
            };
            let lines: Option<Vec<_>> = lines.iter().map(Value::as_text).collect();
            Ok(Value::Text(lines.ok_or("lines are text")?.join("\n")))
        })
    }

    fn replace(
        state: &Value,
        by: impl Fn(&Value) -> Result<Value, &'static str>,
    ) -> Result<Value, StepError> {
        let mut state = state.as_map().ok_or("a record is wanted")?.clone();
        let lines = by(state.get("lines").ok_or("`lines` is missing")?)?;
        state.insert("lines", lines);
        Ok(Value::Map(state))
    }
}

/// With all that is kept apart.
fn example() -> third::Note {
    third::Note {
        pictures: vec![Blob::new("one"), Blob::new("two")],
        lines: vec!["a".into(), "b".into()],
        token: Secret::new("hunter2".into()),
        key: Secret::new(vec![1, 2, 3]),
        words: 2,
        rest: Rest::default(),
    }
}

// The first two are made up, from samples of every shape.
overwinter::compatibility!(of_1: first::Note);
overwinter::compatibility!(of_2: second::Note);
overwinter::compatibility!(of_3: third::Note, example);

#[test]
fn steps_know_the_schemas_that_are_locked() {
    let known: Vec<_> = third::Note::chain()
        .steps()
        .iter()
        .map(|step| step.schema)
        .collect();
    assert_eq!(
        known,
        [
            Some(first::Note::schema_hash()),
            Some(second::Note::schema_hash())
        ]
    );
}

#[test]
fn a_branch_with_another_schema_is_another_version() {
    /// As the first release but for a field: somebody's own branch, with the very steps that lead to the second.
    #[derive(State, Default)]
    #[state(id = "org.example.Released/document", version = 1)]
    struct Branch {
        picture: Blob,
        text: u32,
        token: Secret<String>,
        rest: Rest,
    }
    let note = second::Note {
        pictures: vec![Blob::new("one")],
        text: "hello".into(),
        ..second::Note::default()
    };
    let (saved, _) = overwinter::save_with_parts(&note, None, &Default::default()).unwrap();
    assert!(overwinter::restore::<first::Note>(&saved.bytes).is_ok());
    let Err(refused) = overwinter::restore::<Branch>(&saved.bytes) else {
        panic!("a state was taken for one of another branch");
    };
    assert!(
        matches!(refused, overwinter::StateError::OtherSchema { version: 1 }),
        "{refused:?}"
    );
}

#[test]
fn golden_states_hold_no_secret() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = folder.join("state/org.example.Released/document/3.cbor");
    let golden = std::fs::read(golden).unwrap();
    let holds = |text: &[u8]| golden.windows(text.len()).any(|part| part == text);
    assert!(holds(b"$secret"));
    assert!(!holds(b"hunter2"));
}
