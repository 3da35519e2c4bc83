//! Three releases of one program, played against each other.

use overwinter_derive::State;

mod code;
mod hostile;
mod identity;
mod merge;

use super::*;
use crate::host;
use crate::state::Rest;
use crate::{Chain, Lens, Loss, LossReason, StateError};

mod v1 {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Notes/document", version = 1)]
    pub struct Note {
        pub file: Option<String>,
        pub pos: Pos,
        pub text: String,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(sealed)]
    pub struct Pos {
        pub caret: u64,
    }
}

mod v2 {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Notes/document", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), add("wrap", true)))]
    pub struct Note {
        pub path: Option<String>,
        pub pos: super::v1::Pos,
        pub text: String,
        pub wrap: bool,
        pub rest: Rest,
    }
}

mod v3 {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Notes/document", version = 3)]
    #[state(lens(1 => 2, rename("file", "path"), add("wrap", true)))]
    #[state(lens(2 => 3, hoist("pos", "caret"), add("zoom", 1.0), add("folds", [])))]
    pub struct Note {
        pub path: Option<String>,
        pub caret: u64,
        pub text: String,
        #[state(default = true)]
        pub wrap: bool,
        pub zoom: f64,
        pub folds: Vec<(u32, u32)>,
        #[state(local)]
        pub scroll: f64,
        pub rest: Rest,
    }
}

fn newest() -> v3::Note {
    v3::Note {
        path: Some("/a".into()),
        caret: 7,
        text: "Grüße".into(),
        wrap: false,
        zoom: 1.5,
        folds: vec![(1, 4)],
        scroll: 12.5,
        rest: Rest::default(),
    }
}

fn paths(loss: &LossReport) -> Vec<&str> {
    loss.iter().map(|Loss { path, .. }| path.as_str()).collect()
}

#[test]
fn the_same_version_gets_everything_back() {
    let back = restore::<v3::Note>(&save(&newest()).unwrap()).unwrap();
    assert_eq!(back.value, newest());
    assert!(back.loss.is_empty() && back.origin.is_none());
    assert_eq!(
        back.provenance.digest().unwrap(),
        back.provenance.digest_after(&back.value).unwrap()
    );
}

#[test]
fn up_through_ones_own_steps() {
    let old = v1::Note {
        file: Some("/a".into()),
        pos: v1::Pos { caret: 3 },
        text: "t".into(),
        rest: Rest::default(),
    };
    let back = restore::<v3::Note>(&save(&old).unwrap()).unwrap();
    assert_eq!(back.value.caret, 3);
    assert_eq!(
        (back.value.path.as_deref(), back.value.wrap, back.value.zoom),
        (Some("/a"), true, 1.0)
    );
    assert!(back.loss.is_empty() && back.origin.is_none());
    assert_eq!(
        back.provenance.digest().unwrap(),
        back.provenance.digest_after(&back.value).unwrap()
    );
}

#[test]
fn version_one_reads_three_edits_and_three_gets_everything_back() {
    let bytes = save(&newest()).unwrap();
    let mut old = restore::<v1::Note>(&bytes).unwrap();
    assert_eq!(
        (old.value.file.as_deref(), old.value.pos.caret),
        (Some("/a"), 7)
    );
    assert!(old.value.rest.0.is_empty());
    let mut lost = paths(&old.loss);
    lost.sort_unstable();
    assert_eq!(lost, ["folds", "wrap", "zoom"]);
    assert!(old.loss.iter().all(|loss| loss.kept));
    // The round trip holds already: nothing but the declared was lost.
    assert_eq!(
        old.provenance.digest().unwrap(),
        old.provenance.digest_after(&old.value).unwrap()
    );

    old.value.text.push('!');
    old.value.pos.caret = 8;
    let saved = save_with_origin(&old.value, old.origin.as_ref()).unwrap();
    let new = restore::<v3::Note>(&saved.bytes).unwrap();
    let expected = v3::Note {
        text: "Grüße!".into(),
        caret: 8,
        scroll: 0.0,
        ..newest()
    };
    assert_eq!(new.value, expected);
    assert!(new.loss.is_empty(), "{:?}", new.loss);
    assert!(new.origin.is_none());
}

#[test]
fn an_origin_survives_a_version_in_between() {
    let one = restore::<v1::Note>(&save(&newest()).unwrap()).unwrap();
    let mut saved = save_with_origin(&one.value, one.origin.as_ref()).unwrap();
    // Version 2 takes it up, gets back what it knows (wrap), turns it, and keeps what only 3 knows.
    let mut two = restore::<v2::Note>(&saved.bytes).unwrap();
    assert!(!two.value.wrap);
    assert_eq!(two.value.pos.caret, 7);
    two.value.wrap = true;
    two.value.text.push('?');
    saved = save_with_origin(&two.value, two.origin.as_ref()).unwrap();
    // Down to 1 again, from 2 with its origin inside, and straight up to 3.
    let mut again = restore::<v1::Note>(&saved.bytes).unwrap();
    again.value.text.push('!');
    saved = save_with_origin(&again.value, again.origin.as_ref()).unwrap();
    let three = restore::<v3::Note>(&saved.bytes).unwrap();
    assert_eq!(three.value.text, "Grüße?!");
    assert!(three.value.wrap, "what 2 changed is there");
    assert_eq!(
        (three.value.zoom, three.value.folds.as_slice()),
        (1.5, &[(1, 4)][..]),
        "what 3 had is there"
    );
    assert!(three.origin.is_none());
}

#[test]
fn a_broken_version_is_told_by_its_digest() {
    let back = restore::<v1::Note>(&save(&newest()).unwrap()).unwrap();
    let broken = v1::Note {
        text: "gone".into(),
        ..back.value
    };
    assert_ne!(
        back.provenance.digest().unwrap(),
        back.provenance.digest_after(&broken).unwrap()
    );
}

mod branch {
    use super::*;
    /// Another line of development that calls its version 2 something else.
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Notes/document", version = 2)]
    #[state(lens(1 => 2, rename("file", "uri"), add("spell", "de")))]
    pub struct Note {
        pub uri: Option<String>,
        pub pos: super::v1::Pos,
        pub text: String,
        pub spell: String,
        pub rest: Rest,
    }
}

#[test]
fn branches_that_share_a_number_meet_at_their_last_common_version() {
    let back = restore::<branch::Note>(&save(&newest()).unwrap()).unwrap();
    assert_eq!(
        (back.value.uri.as_deref(), back.value.spell.as_str()),
        (Some("/a"), "de")
    );
    assert!(back.origin.is_some());
    let mut other = back.value.clone();
    other.spell = "fr".into();
    let saved = save_with_origin(&other, back.origin.as_ref()).unwrap();
    let home = restore::<v3::Note>(&saved.bytes).unwrap();
    assert_eq!(home.value.path.as_deref(), Some("/a"));
    assert!(
        home.origin.is_some(),
        "the branch's own fields are kept for the branch"
    );
}

#[test]
fn unknown_fields_ride_along() {
    let mut note = newest();
    note.rest.0.insert("from-a-plugin", "x");
    let back = restore::<v3::Note>(&save(&note).unwrap()).unwrap();
    assert_eq!(back.value, note);

    #[derive(Debug, State)]
    #[state(id = "org.example.Notes/document", version = 3, sealed)]
    #[state(lens(1 => 2, rename("file", "path"), add("wrap", true)))]
    #[state(lens(2 => 3, hoist("pos", "caret"), add("zoom", 1.0), add("folds", [])))]
    struct Sealed {
        text: String,
    }
    let sealed = restore::<Sealed>(&save(&note).unwrap()).unwrap();
    assert_eq!(sealed.value.text, note.text);
    assert!(paths(&sealed.loss).contains(&"from-a-plugin"));
}

#[test]
fn another_type_and_a_missing_way_are_told_apart() {
    #[derive(Debug, State)]
    #[state(id = "org.example.Other", version = 1, sealed)]
    struct Other {}
    let bytes = save(&newest()).unwrap();
    assert!(matches!(
        restore::<Other>(&bytes),
        Err(StateError::OtherType { .. })
    ));

    #[derive(Debug, State)]
    #[state(id = "org.example.Notes/document", version = 7, sealed)]
    struct Island {}
    assert_eq!(
        restore::<Island>(&bytes).unwrap_err(),
        StateError::NoWay {
            reader: 7,
            writer: 3,
            oldest: 1
        }
    );
    assert_eq!(
        restore::<v1::Note>(&[0xa0]).unwrap_err(),
        StateError::Malformed("its layout number is missing")
    );
    assert!(matches!(
        restore::<v1::Note>(&bytes[..bytes.len() - 1]),
        Err(StateError::Damaged(_))
    ));
}

#[test]
fn a_missing_field_and_a_wrong_type_name_the_field() {
    let mut document = cbor::decode(&save(&newest()).unwrap()).unwrap();
    let Value::Map(map) = &mut document else {
        panic!("a state is a map")
    };
    let Some(Value::Map(body)) = map.get_mut("body") else {
        panic!("a state has a body")
    };
    body.remove("text");
    let bytes = cbor::encode(&document).unwrap();
    assert_eq!(
        restore::<v3::Note>(&bytes).unwrap_err().to_string(),
        "the state does not fit: text: it is missing"
    );

    let Value::Map(map) = &mut document else {
        panic!("a state is a map")
    };
    let Some(Value::Map(body)) = map.get_mut("body") else {
        panic!("a state has a body")
    };
    body.insert("text", 5);
    let bytes = cbor::encode(&document).unwrap();
    let error = restore::<v3::Note>(&bytes).unwrap_err();
    assert!(
        matches!(&error, StateError::Field(field) if field.path() == "text"),
        "{error}"
    );
}

#[test]
fn local_fields_stay_on_their_host() {
    let mut document = cbor::decode(&save(&newest()).unwrap()).unwrap();
    let Value::Map(map) = &mut document else {
        panic!("a state is a map")
    };
    let Some(Value::Map(local)) = map.get_mut("local") else {
        // A host without machine id writes no local part at all.
        assert!(host::tag().is_none());
        return;
    };
    local.insert("host", Value::Bytes(vec![0; 16]));
    let back = restore::<v3::Note>(&cbor::encode(&document).unwrap()).unwrap();
    assert_eq!(back.value.scroll, 0.0);
    assert_eq!(paths(&back.loss), ["scroll"]);
}

#[test]
fn a_damaged_origin_does_not_take_the_body_with_it() {
    let old = restore::<v1::Note>(&save(&newest()).unwrap()).unwrap();
    // An origin of the right type whose body the reader's steps cannot bring back.
    let mut origin = cbor::decode(&save(&newest()).unwrap()).unwrap();
    let Value::Map(map) = &mut origin else {
        panic!("a state is a map")
    };
    map.insert("type", "org.example.Other");
    let origin = Origin {
        bytes: cbor::encode(&origin).unwrap().into(),
    };
    let saved = save_with_origin(&old.value, Some(&origin)).unwrap();
    let back = restore::<v3::Note>(&saved.bytes).unwrap();
    assert_eq!(back.value.text, newest().text);
    assert!(
        back.loss
            .iter()
            .any(|loss| loss.reason == LossReason::OriginUnreadable)
    );
}

proptest::proptest! {
    #[test]
    fn damaged_states_never_panic(at in proptest::prelude::any::<proptest::sample::Index>(), byte: u8) {
        let old = restore::<v1::Note>(&save(&newest()).unwrap()).unwrap();
        let mut bytes = save_with_origin(&old.value, old.origin.as_ref()).unwrap().bytes;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = restore::<v3::Note>(&bytes);
        let _ = restore::<v2::Note>(&bytes);
        let _ = restore::<branch::Note>(&bytes[..at]);
    }
}
