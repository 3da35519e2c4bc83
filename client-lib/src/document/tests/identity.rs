//! What tells versions apart: number, steps, schema.

use super::*;
use crate::Step;

fn form(version: u32, schema: u8, steps: Vec<Step>) -> Form {
    Form::new(
        "org.example.Branches",
        [schema; 32],
        Chain::new(version, steps).unwrap(),
    )
}

fn record(entries: &[(&str, Value)]) -> Record {
    Record {
        body: entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        local: Map::new(),
    }
}

/// Version 2 in two branches, whose steps are the same but whose schemas differ.
fn branches() -> (Form, Form) {
    let step = || Step::new(1, vec![Lens::add("a", 0)]).with_schema([1; 32]);
    (form(2, 20, vec![step()]), form(2, 21, vec![step()]))
}

#[test]
fn the_same_number_and_steps_with_another_schema_are_another_version() {
    let (ours, theirs) = branches();
    assert_ne!(ours.id(), theirs.id());
    let saved = save_record(&theirs, record(&[("a", Value::Int(5))]), None).unwrap();
    let back = restore_record(&ours, &saved.bytes).unwrap();
    // Down to version 1, which both mean the same by, and up by one's own step.
    assert_eq!(back.value, record(&[("a", Value::Int(0))]));
    assert_eq!(paths(&back.loss), ["a"]);
    assert!(back.loss.iter().all(|loss| loss.kept) && back.origin.is_some());
    assert_eq!(back.provenance.written_by(), theirs.id());
}

#[test]
fn branches_that_share_nothing_are_told_apart() {
    let step = |schema| Step::new(1, vec![]).with_schema([schema; 32]);
    let (ours, theirs) = (form(2, 20, vec![step(1)]), form(2, 20, vec![step(2)]));
    let saved = save_record(&theirs, Record::default(), None).unwrap();
    assert_eq!(
        restore_record(&ours, &saved.bytes).unwrap_err(),
        StateError::OtherSchema { version: 1 }
    );
    let first = form(1, 9, vec![]);
    let saved = save_record(&form(1, 8, vec![]), Record::default(), None).unwrap();
    assert_eq!(
        restore_record(&first, &saved.bytes).unwrap_err(),
        StateError::OtherSchema { version: 1 }
    );
}

#[test]
fn what_a_branch_had_comes_back_to_it_and_nothing_nests_ever_deeper() {
    let mut branch = restore::<branch::Note>(&save(&newest()).unwrap()).unwrap();
    branch.value.spell = "fr".into();
    let mut length = 0;
    for round in 0..20 {
        let saved = save_with_origin(&branch.value, branch.origin.as_ref()).unwrap();
        let mut home = restore::<v3::Note>(&saved.bytes).unwrap();
        assert_eq!(
            (home.value.zoom, home.value.wrap),
            (1.5, false),
            "round {round}"
        );
        home.value.text.push('!');
        let saved = save_with_origin(&home.value, home.origin.as_ref()).unwrap();
        branch = restore::<branch::Note>(&saved.bytes).unwrap();
        assert_eq!(branch.value.spell, "fr", "round {round}");
        assert_eq!(branch.value.text, home.value.text);
        assert!(
            round == 0 || saved.bytes.len() <= length + 4,
            "{} bytes",
            saved.bytes.len()
        );
        length = saved.bytes.len();
    }
}

#[test]
fn a_chain_that_begins_later_meets_one_that_begins_earlier() {
    let steps = |from| {
        let all = vec![
            Step::new(1, vec![Lens::add("a", 1)]),
            Step::new(2, vec![Lens::add("b", 2)]),
        ];
        all.into_iter()
            .filter(move |step| step.from >= from)
            .collect()
    };
    let (long, short) = (form(3, 3, steps(1)), form(3, 3, steps(2)));
    let body = record(&[("a", Value::Int(7)), ("b", Value::Int(8))]);
    let saved = save_record(&long, body.clone(), None).unwrap();
    let back = restore_record(&short, &saved.bytes).unwrap();
    assert_eq!(back.value, body);
    assert!(back.origin.is_none());
}

#[test]
fn steps_that_are_not_what_they_say_are_refused() {
    let Value::Map(mut map) = cbor::decode(&save(&newest()).unwrap()).unwrap() else {
        panic!("a state is a map")
    };
    let Some(Value::List(steps)) = map.get_mut("chain") else {
        panic!("a state has steps")
    };
    let Some(Value::Map(step)) = steps.last_mut() else {
        panic!("there are steps")
    };
    step.insert(
        "lenses",
        Value::List(vec![Lens::add("zoom", 2.0).to_value()]),
    );
    let bytes = cbor::encode(&Value::Map(map)).unwrap();
    assert_eq!(
        restore::<v1::Note>(&bytes).unwrap_err(),
        StateError::Malformed("its steps are not those that it says they are")
    );
}
