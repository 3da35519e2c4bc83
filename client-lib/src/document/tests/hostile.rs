//! States that nobody vouches for: a typed error or a state, within bounded memory and time, and no panic.

use proptest::prelude::*;

use super::*;
use crate::Step;
use crate::cbor::DecodeProblem;

const TYPE: &str = "org.example.Victim";

fn victim() -> Form {
    Form::new(TYPE, [1; 32], Chain::new(1, vec![]).unwrap())
}

/// A state of version 2 whose way down to version 1 is `lenses`.
fn state(lenses: Vec<Lens>, body: Map) -> Vec<u8> {
    let steps = vec![Step::new(1, lenses).with_schema([1; 32])];
    let attacker = Form::new(TYPE, [2; 32], Chain::new(2, steps).unwrap());
    save_record(
        &attacker,
        Record {
            body,
            local: Map::new(),
        },
        None,
    )
    .unwrap()
    .bytes
}

fn refused(lenses: Vec<Lens>, body: Map) -> StateError {
    restore_record(&victim(), &state(lenses, body)).unwrap_err()
}

fn list(len: usize, item: &Value) -> Map {
    let mut body = Map::new();
    body.insert("list", vec![item.clone(); len]);
    body
}

fn each(lenses: Vec<Lens>) -> Lens {
    Lens::Each {
        field: "list".into(),
        lenses,
    }
}

#[test]
fn steps_that_make_too_much_run_out_of_fuel() {
    let out_of_fuel = StateError::Step(LensError::OutOfFuel);
    let empty = Value::Map(Map::new());
    // A long default in each of many elements.
    let bomb = each(vec![Lens::remove("x", "x".repeat(1 << 20))]);
    assert_eq!(refused(vec![bomb], list(10_000, &empty)), out_of_fuel);
    // A long name.
    let bomb = each(vec![Lens::remove("x".repeat(1 << 20), 0)]);
    assert_eq!(refused(vec![bomb], list(10_000, &empty)), out_of_fuel);
    // Elements that double with every lens: each new list holds a copy of a list.
    let mut grown = Value::from(0);
    let mut bombs = Vec::new();
    for level in 0..12 {
        grown = Value::List(vec![grown; 2]);
        bombs.push(each(vec![Lens::remove(format!("x{level}"), grown.clone())]));
    }
    assert_eq!(refused(bombs, list(1000, &empty)), out_of_fuel);
    // Texts joined to ever longer ones.
    let join = Lens::Split {
        field: "whole".into(),
        separator: "x".repeat(1 << 16),
        into: vec!["a".into(); 60_000]
            .into_iter()
            .chain(["b".into()])
            .collect(),
    };
    let mut body = Map::new();
    body.insert("b", "end");
    assert_eq!(refused(vec![join], body), out_of_fuel);
    // Nesting.
    let bombs = vec![
        Lens::Unwrap {
            field: "list".into()
        };
        5000
    ];
    assert_eq!(refused(bombs, list(1, &empty)), out_of_fuel);
}

#[test]
fn elements_beside_each_other_may_all_grow_deeper() {
    let item = Value::Map([("v".to_owned(), Value::Int(1))].into_iter().collect());
    let lenses = vec![each(vec![Lens::Unwrap { field: "v".into() }])];
    let back = restore_record(&victim(), &state(lenses, list(10_000, &item))).unwrap();
    let Some(Value::List(items)) = back.value.body.get("list") else {
        panic!("the list is there")
    };
    assert_eq!(items.len(), 10_000);
}

#[test]
fn lenses_that_do_not_fit_are_refused_with_their_place() {
    let inner = Lens::Each {
        field: "x".into(),
        lenses: vec![],
    };
    let item = Value::Map([("x".to_owned(), Value::Int(1))].into_iter().collect());
    assert_eq!(
        refused(vec![each(vec![inner])], list(2, &item)),
        StateError::Step(LensError::NotAList("list[0].x".into()))
    );
    assert_eq!(
        refused(vec![each(vec![Lens::add("a", 1)])], list(2, &Value::Int(1))),
        StateError::Step(LensError::NotARecord("list[0]".into()))
    );
    let join = Lens::Split {
        field: "a".into(),
        separator: " ".into(),
        into: vec!["list".into()],
    };
    assert!(matches!(
        refused(vec![join], list(1, &Value::Null)),
        StateError::Step(LensError::NotText(_))
    ));
    assert_eq!(
        refused(vec![Lens::Unknown(Value::from("fold"))], Map::new()),
        StateError::Step(LensError::UnknownLens)
    );
}

#[test]
fn losses_without_end_are_counted_and_not_listed() {
    let item = Value::Map([("x".to_owned(), Value::Int(1))].into_iter().collect());
    let lenses = vec![each(vec![Lens::add("x", 0)])];
    let back = restore_record(&victim(), &state(lenses, list(5000, &item))).unwrap();
    assert_eq!(
        (back.loss.iter().count(), back.loss.unlisted()),
        (1000, 4000)
    );
    let long = "x".repeat(100_000);
    let mut body = Map::new();
    body.insert(long.as_str(), 1);
    let back = restore_record(&victim(), &state(vec![Lens::add(long, 0)], body)).unwrap();
    assert!(paths(&back.loss)[0].len() < 1000);
}

#[test]
fn a_version_from_the_future_and_another_layout_say_so() {
    let future = Form::new(TYPE, [9; 32], Chain::new(9, vec![]).unwrap());
    let bytes = save_record(&future, Record::default(), None).unwrap().bytes;
    assert_eq!(
        restore_record(&victim(), &bytes).unwrap_err(),
        StateError::NoWay {
            reader: 1,
            writer: 9,
            oldest: 9
        }
    );
    assert_eq!(
        changed(&bytes, "overwinter", Value::Int(2)).unwrap_err(),
        StateError::Layout(2)
    );
}

fn changed(bytes: &[u8], field: &str, value: Value) -> Result<Restored<Record>, StateError> {
    let Value::Map(mut map) = cbor::decode(bytes).unwrap() else {
        panic!("a state is a map")
    };
    map.insert(field, value);
    restore_record(&victim(), &cbor::encode(&Value::Map(map)).unwrap())
}

#[test]
fn every_field_of_the_wrong_kind_is_told() {
    let bytes = state(vec![], Map::new());
    assert!(restore_record(&victim(), &bytes).is_ok());
    for field in [
        "overwinter",
        "type",
        "version",
        "schema",
        "chain_hash",
        "chain",
        "readable_from",
        "body",
        "local",
        "images",
        "origin",
    ] {
        for wrong in [
            Value::Null,
            Value::Bool(true),
            Value::Float(0.5),
            Value::List(vec![Value::Null]),
        ] {
            let error = changed(&bytes, field, wrong).unwrap_err();
            assert!(
                matches!(error, StateError::Malformed(_)),
                "{field}: {error}"
            );
        }
    }
    let numbers = [Value::Int(-1), Value::Int(1 << 40)];
    for number in numbers {
        assert!(changed(&bytes, "version", number.clone()).is_err());
        assert!(changed(&bytes, "readable_from", number).is_err());
    }
    let image = Value::Map(
        [("9".to_owned(), Value::Map(Map::new()))]
            .into_iter()
            .collect(),
    );
    assert!(changed(&bytes, "images", image).is_err());
}

#[test]
fn more_steps_than_allowed_are_refused() {
    let steps = (1..=1025).map(|n| Step::new(n, vec![])).collect();
    let form = Form::new(TYPE, [2; 32], Chain::new(1026, steps).unwrap());
    let bytes = save_record(&form, Record::default(), None).unwrap().bytes;
    assert!(matches!(
        restore_record(&victim(), &bytes),
        Err(StateError::Malformed(_))
    ));
}

/// A state around so many others.
fn nested(levels: usize, innermost: Vec<u8>) -> Vec<u8> {
    (0..levels).fold(innermost, |bytes, _| {
        let origin = Origin {
            bytes: bytes.into(),
        };
        save_record(&victim(), Record::default(), Some(&origin))
            .unwrap()
            .bytes
    })
}

#[test]
fn an_origin_that_cannot_be_read_is_kept_as_it_is() {
    let innermost = state(vec![], Map::new());
    let steps = vec![Step::new(1, vec![Lens::add("x", 1)]).with_schema([1; 32])];
    let newer = Form::new(TYPE, [2; 32], Chain::new(2, steps).unwrap());
    for origin in [vec![0xff; 9], innermost[..innermost.len() - 1].to_vec()] {
        let bytes = nested(1, origin.clone());
        let back = restore_record(&victim(), &bytes).unwrap();
        assert!(back.loss.is_empty(), "this version needs nothing of it");
        assert_eq!(&*back.origin.unwrap().bytes, origin.as_slice());
        let back = restore_record(&newer, &bytes).unwrap();
        assert_eq!(back.value.body.get("x"), Some(&Value::Int(1)));
        assert_eq!(
            back.loss.iter().next().unwrap().reason,
            LossReason::OriginUnreadable
        );
        assert_eq!(&*back.origin.unwrap().bytes, origin.as_slice());
    }
    let deep = restore_record(&newer, &nested(30, innermost)).unwrap();
    assert_eq!(deep.value.body.get("x"), Some(&Value::Int(1)));
}

#[test]
fn nesting_and_duplicate_keys_are_found_by_the_decoder() {
    let mut deep = save(&newest()).unwrap();
    deep.truncate(1);
    deep.extend(std::iter::repeat_n(0x81, 100_000));
    assert!(matches!(
        restore::<v3::Note>(&deep),
        Err(StateError::Damaged(_))
    ));
    let twice = [0xa2, 0x61, 0x61, 0x00, 0x61, 0x61, 0x00];
    let StateError::Damaged(error) = restore::<v3::Note>(&twice).unwrap_err() else {
        panic!("it is damaged")
    };
    assert_eq!(error.problem, DecodeProblem::DuplicateKey);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Well-formed states with any data in any place.
    #[test]
    fn any_value_anywhere_never_panics(
        field in prop::sample::select(vec!["chain", "body", "images", "local", "origin", "type", "schema"]),
        value in crate::cbor::tests::any_value(),
    ) {
        let _ = changed(&state(vec![each(vec![Lens::add("x", 1)])], list(2, &Value::Map(Map::new()))), field, value);
    }

    /// Any data as lenses, run on any data.
    #[test]
    fn any_lens_never_panics(
        lenses in prop::collection::vec(crate::cbor::tests::any_value(), 0..4),
        body in crate::cbor::tests::any_value(),
    ) {
        let lenses = lenses.iter().map(Lens::read).collect();
        let body = body.as_map().cloned().unwrap_or_default();
        let _ = restore_record(&victim(), &state(lenses, body));
    }
}
