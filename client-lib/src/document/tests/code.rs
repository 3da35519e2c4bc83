//! Steps with code: the writer makes the image that an older program reads, and runs nobody else's code.

use super::*;
use crate::StepError;

mod v1 {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Poem", version = 1)]
    pub struct Poem {
        pub name: String,
        pub text: String,
        pub rest: Rest,
    }
}

mod v2 {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Poem", version = 2)]
    #[state(lens(1 => 2, rename("name", "title"), with = super::into_lines, back = super::into_text))]
    pub struct Poem {
        pub title: String,
        pub lines: Vec<String>,
        pub marks: Vec<u64>,
        pub rest: Rest,
    }
}

mod v3 {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Poem", version = 3)]
    #[state(lens(1 => 2, rename("name", "title"), with = super::into_lines, back = super::into_text))]
    #[state(lens(2 => 3, add("rhymes", true)))]
    pub struct Poem {
        pub title: String,
        pub lines: Vec<String>,
        pub marks: Vec<u64>,
        pub rhymes: bool,
        pub rest: Rest,
    }
}

fn field<'a>(record: &'a Value, name: &str) -> Result<&'a Value, StepError> {
    let field = record.as_map().and_then(|record| record.get(name));
    field.ok_or_else(|| format!("`{name}` is missing").into())
}

/// Text becomes lines; marks are numbers of lines and come from the base.
fn into_lines(older: &Value, base: Option<&Value>) -> Result<Value, StepError> {
    let mut newer = older.as_map().ok_or("not a record")?.clone();
    let text = field(older, "text")?.as_text().ok_or("no text")?;
    let lines: Vec<Value> = text.lines().map(Value::from).collect();
    let marks = match base {
        Some(base) => field(base, "marks")?.clone(),
        None => Value::List(Vec::new()),
    };
    newer.remove("text");
    newer.insert("lines", lines);
    newer.insert("marks", marks);
    Ok(Value::Map(newer))
}

fn into_text(newer: &Value, _: Option<&Value>) -> Result<Value, StepError> {
    let mut older = newer.as_map().ok_or("not a record")?.clone();
    let Value::List(lines) = field(newer, "lines")? else {
        return Err("no lines".into());
    };
    let lines: Vec<_> = lines.iter().filter_map(Value::as_text).collect();
    if lines.contains(&"unsayable") {
        return Err("there is no such text".into());
    }
    assert!(!lines.contains(&"unthinkable"), "nobody thought of it");
    older.insert("text", lines.join("\n"));
    older.remove("lines");
    older.remove("marks");
    Ok(Value::Map(older))
}

fn poem() -> v3::Poem {
    v3::Poem {
        title: "Herbst".into(),
        lines: vec!["one".into(), "two".into()],
        marks: vec![1],
        rhymes: false,
        rest: Rest::default(),
    }
}

#[test]
fn code_that_panics_keeps_no_state_from_being_saved() {
    let mut poem = poem();
    poem.lines.push("unthinkable".into());
    let bytes = save(&poem).unwrap();
    assert_eq!(restore::<v3::Poem>(&bytes).unwrap().value, poem);
    let error = restore::<v1::Poem>(&bytes).unwrap_err();
    assert!(
        matches!(error, StateError::NoWay { oldest: 2, .. }),
        "{error}"
    );
}

#[test]
fn an_older_version_reads_the_image_and_the_newer_gets_everything_back() {
    let bytes = save(&poem()).unwrap();
    let mut old = restore::<v1::Poem>(&bytes).unwrap();
    assert_eq!(
        (old.value.name.as_str(), old.value.text.as_str()),
        ("Herbst", "one\ntwo")
    );
    assert_eq!(
        old.provenance.digest().unwrap(),
        old.provenance.digest_after(&old.value).unwrap()
    );
    assert!(old.loss.iter().all(|loss| loss.kept));
    let lost: Vec<_> = old
        .loss
        .iter()
        .map(|loss| (loss.path.as_str(), loss.reason))
        .collect();
    assert_eq!(
        lost,
        [
            ("marks", LossReason::LeftByCode),
            ("rhymes", LossReason::LeftByCode)
        ]
    );

    old.value.text.push_str("\nthree");
    let edited = v1::Poem {
        text: "changed".into(),
        ..old.value.clone()
    };
    assert_ne!(
        old.provenance.digest().unwrap(),
        old.provenance.digest_after(&edited).unwrap()
    );
    let saved = save_with_origin(&old.value, old.origin.as_ref()).unwrap();
    let new = restore::<v3::Poem>(&saved.bytes).unwrap();
    assert_eq!(new.value.lines, ["one", "two", "three"]);
    assert_eq!(
        (new.value.marks.as_slice(), new.value.rhymes),
        (&[1][..], false)
    );
    assert!(
        new.loss.is_empty() && new.origin.is_none(),
        "{:?}",
        new.loss
    );
}

#[test]
fn a_version_after_the_code_needs_no_image() {
    let two = restore::<v2::Poem>(&save(&poem()).unwrap()).unwrap();
    assert_eq!(two.value.lines, poem().lines);
    assert_eq!(two.value.marks, poem().marks);
    assert_eq!(paths(&two.loss), ["rhymes"]);
}

#[test]
fn up_through_ones_own_code() {
    let old = v1::Poem {
        name: "a".into(),
        text: "x\ny".into(),
        rest: Rest::default(),
    };
    let new = restore::<v3::Poem>(&save(&old).unwrap()).unwrap();
    assert_eq!(new.value.lines, ["x", "y"]);
    assert_eq!(
        new.provenance.digest().unwrap(),
        new.provenance.digest_after(&new.value).unwrap()
    );
}

#[test]
fn where_the_way_back_fails_the_state_is_saved_and_says_from_when_on_it_is_readable() {
    let poem = v3::Poem {
        lines: vec!["unsayable".into()],
        ..poem()
    };
    let saved = save_with_origin(&poem, None).unwrap();
    assert_eq!(saved.readable_from, 2);
    assert_eq!(restore::<v3::Poem>(&saved.bytes).unwrap().value, poem);
    assert_eq!(
        restore::<v2::Poem>(&saved.bytes).unwrap().value.lines,
        poem.lines
    );
    assert_eq!(
        restore::<v1::Poem>(&saved.bytes).unwrap_err(),
        StateError::NoWay {
            reader: 1,
            writer: 3,
            oldest: 2
        }
    );
}

mod one_way {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Poem", version = 2)]
    #[state(lens(1 => 2, rename("name", "title"), with = super::into_lines, back = none))]
    pub struct Poem {
        pub title: String,
        pub lines: Vec<String>,
        pub marks: Vec<u64>,
        pub rest: Rest,
    }
}

#[test]
fn without_a_way_back_no_older_version_starts() {
    let old = v1::Poem {
        name: "a".into(),
        text: "x\ny".into(),
        rest: Rest::default(),
    };
    let new = restore::<one_way::Poem>(&save(&old).unwrap()).unwrap();
    // What was read is read the same again: that is all that can be compared.
    assert_eq!(
        new.provenance.digest().unwrap(),
        new.provenance.digest_after(&new.value).unwrap()
    );
    let broken = one_way::Poem {
        lines: Vec::new(),
        ..new.value.clone()
    };
    assert_ne!(
        new.provenance.digest().unwrap(),
        new.provenance.digest_after(&broken).unwrap()
    );
    let saved = save_with_origin(&new.value, None).unwrap();
    assert_eq!(saved.readable_from, 2);
    assert_eq!(
        restore::<v1::Poem>(&saved.bytes).unwrap_err(),
        StateError::NoWay {
            reader: 1,
            writer: 2,
            oldest: 2
        }
    );
}

#[test]
fn code_that_travels_is_never_run() {
    // As data, so that no function of this program could be run by mistake.
    let code = Chain::new(3, v3::Poem::chain().steps().to_vec())
        .unwrap()
        .to_value();
    let chain = Chain::read(3, &code).unwrap();
    assert!(matches!(chain.steps()[0].code, crate::Code::Elsewhere));
    let form = Form::new("org.example.Poem", v3::Poem::schema_hash(), chain);
    let record = restore_record(&form, &save(&poem()).unwrap())
        .unwrap()
        .value;
    let saved = save_record(&form, record, None).unwrap();
    assert_eq!(
        saved.readable_from, 2,
        "this program has no code for the way back"
    );
    assert_eq!(
        restore_record(
            &form,
            &save(&v1::Poem {
                name: String::new(),
                text: String::new(),
                rest: Rest::default()
            })
            .unwrap()
        )
        .unwrap_err(),
        StateError::Step(LensError::NoCode { from: 1, to: 2 })
    );
}

#[test]
fn a_state_whose_image_is_gone_is_refused() {
    let Value::Map(mut map) = cbor::decode(&save(&poem()).unwrap()).unwrap() else {
        panic!("a state is a map")
    };
    assert!(map.remove("images").is_some());
    let bytes = cbor::encode(&Value::Map(map)).unwrap();
    assert_eq!(
        restore::<v1::Poem>(&bytes).unwrap_err(),
        StateError::NoWay {
            reader: 1,
            writer: 3,
            oldest: 2
        }
    );
    assert!(restore::<v2::Poem>(&bytes).is_ok());
}
