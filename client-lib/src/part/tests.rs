use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Part, Reader, to_value};
use crate::bridge;
use crate::cbor;
use crate::loss::LossReport;
use crate::value::Value;
use crate::{Rest, State, restore, save};

fn read<T: Part>(value: Value) -> (Result<T, String>, Vec<String>) {
    let mut loss = LossReport::default();
    let read = T::read(value, &mut Reader::new(&mut loss)).map_err(|e| e.to_string());
    (read, loss.iter().map(|loss| loss.path.clone()).collect())
}

fn there_and_back<T: Part + PartialEq + std::fmt::Debug>(part: T) -> Value {
    let value = to_value(&part).unwrap();
    assert_eq!(
        cbor::decode(&cbor::encode(&value).unwrap()).unwrap(),
        value,
        "in canonical order"
    );
    let (back, loss) = read::<T>(value.clone());
    assert_eq!(back.unwrap(), part);
    assert!(loss.is_empty());
    value
}

#[test]
fn the_standard_librarys_types_come_back_in_the_form_that_serde_has_for_them() {
    macro_rules! same {
        ($($part:expr),* $(,)?) => {$(
            let serde = bridge::to_value(&$part).unwrap();
            assert_eq!(there_and_back($part), serde, stringify!($part));
        )*};
    }
    same!(
        true,
        -3_i8,
        u64::MAX,
        1.5_f64,
        'é',
        "text".to_owned(),
        Some(3_u32),
        None::<u32>,
        vec![Some(1_i64), None],
        (1_u32, "two".to_owned(), 3.0_f64),
        [1_u32, 2, 3],
        Box::new(4_u16),
        BTreeMap::from([
            ("bb".to_owned(), 1_u32),
            ("a".to_owned(), 2),
            ("c".to_owned(), 3)
        ]),
        BTreeMap::from([(10_i32, true), (-2, false)]),
        HashMap::<String, u32>::from_iter([("long".to_owned(), 1), ("b".to_owned(), 2)]),
        std::path::PathBuf::from("/a/b"),
    );
    assert_eq!(
        there_and_back(Arc::<str>::from("shared")),
        Value::from("shared")
    );
    assert_eq!(there_and_back(vec![1_u8, 2]), Value::Bytes(vec![1, 2]));
    assert_eq!(there_and_back([7_u8; 4]), Value::Bytes(vec![7; 4]));
    assert_eq!(
        there_and_back(HashSet::from(["b".to_owned(), "a".to_owned()])),
        Value::List(vec!["a".into(), "b".into()])
    );
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let list = Value::List(vec![Value::Int(1), Value::Int(300)]);
    assert_eq!(
        read::<Vec<u8>>(list.clone()).0,
        Err("300 does not fit u8".to_owned())
    );
    assert_eq!(
        read::<Vec<i8>>(list).0,
        Err("[1]: 300 does not fit i8".to_owned())
    );
    assert_eq!(
        read::<[u32; 2]>(Value::List(vec![])).0,
        Err("expected 2 elements, found 0".to_owned())
    );
    assert_eq!(
        read::<(u32, bool)>(Value::Null).0,
        Err("expected a list, found nothing".to_owned())
    );
    let map = Value::Map([("x".to_owned(), Value::Int(1))].into_iter().collect());
    assert_eq!(
        read::<BTreeMap<u32, i32>>(map).0,
        Err("the key `x` is not a u32".to_owned())
    );
}

#[derive(State, Debug, Clone, PartialEq)]
#[state(sealed)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(State, Debug, Clone, PartialEq)]
struct Fold {
    id: u64,
    #[state(name = "text")]
    label: Option<String>,
    #[state(default = 4)]
    level: u8,
    rest: Rest,
}

#[derive(State, Debug, Clone, PartialEq)]
struct Pair<T> {
    left: T,
    right: T,
    rest: Rest,
}

#[derive(State, Debug, Clone, PartialEq)]
struct Meters(f64);

#[derive(State, Debug, Clone, PartialEq)]
struct Span(u32, Meters);

#[derive(State, Debug, Clone, PartialEq)]
enum Mode {
    Plain,
    #[state(name = "source")]
    Code {
        language: String,
        at: Point,
        rest: Rest,
    },
    Wide(Meters),
    Both(u32, String),
    #[state(other)]
    Other(Value),
}

#[derive(State, Debug, Clone, PartialEq)]
#[state(sealed)]
enum Side {
    Left,
    Right,
}

#[derive(State, Debug, Clone, PartialEq)]
struct Tree {
    name: String,
    #[state(key = name)]
    children: Vec<Tree>,
    rest: Rest,
}

#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Default)]
struct Foreign {
    a: u32,
}

#[derive(State, Debug, Clone, PartialEq)]
#[state(id = "org.example.Parts/all", version = 1)]
struct All {
    folds: Vec<Fold>,
    point: Point,
    pair: Pair<Option<Mode>>,
    span: Span,
    modes: Vec<Mode>,
    side: Side,
    tree: Tree,
    #[state(opaque)]
    foreign: Foreign,
    #[state(local, opaque)]
    here: Foreign,
    rest: Rest,
}

fn all() -> All {
    let fold = |id| Fold {
        id,
        label: None,
        level: 1,
        rest: Rest::default(),
    };
    All {
        folds: vec![fold(1), fold(2)],
        point: Point { x: 1.0, y: 2.0 },
        pair: Pair {
            left: None,
            right: Some(Mode::Plain),
            rest: Rest::default(),
        },
        span: Span(3, Meters(0.5)),
        modes: vec![
            Mode::Code {
                language: "rust".into(),
                at: Point { x: 0.0, y: 0.0 },
                rest: Rest::default(),
            },
            Mode::Wide(Meters(2.0)),
            Mode::Both(1, "b".into()),
        ],
        side: Side::Right,
        tree: Tree {
            name: "root".into(),
            children: vec![Tree {
                name: "leaf".into(),
                children: vec![],
                rest: Rest::default(),
            }],
            rest: Rest::default(),
        },
        foreign: Foreign { a: 1 },
        here: Foreign { a: 2 },
        rest: Rest::default(),
    }
}

#[test]
fn a_state_of_parts_comes_back_whole() {
    let back = restore::<All>(&save(&all()).unwrap()).unwrap();
    assert!(back.loss.is_empty(), "{:?}", back.loss);
    assert_eq!(back.value, all());
}

#[test]
fn a_schema_says_all_of_it_and_can_be_read_again() {
    let schema = All::schema();
    let expected = "\
{
    folds: [{
        id: u64,
        level: u8,
        text: text?,
        ..
    }],
    foreign: opaque,
    modes: [enum {
        Both: (u32, text),
        Plain,
        Wide: float,
        source: {
            at: {
                x: float,
                y: float,
            },
            language: text,
            ..
        },
        ..
    }],
    pair: {
        left: enum {
            Both: (u32, text),
            Plain,
            Wide: float,
            source: {
                at: {
                    x: float,
                    y: float,
                },
                language: text,
                ..
            },
            ..
        }?,
        right: enum {
            Both: (u32, text),
            Plain,
            Wide: float,
            source: {
                at: {
                    x: float,
                    y: float,
                },
                language: text,
                ..
            },
            ..
        }?,
        ..
    },
    point: {
        x: float,
        y: float,
    },
    side: enum {
        Left,
        Right,
    },
    span: (u32, float),
    tree: {
        children: [^1 by name],
        name: text,
        ..
    },
    ..
}";
    assert_eq!(schema.to_string(), expected);
    assert_eq!(&expected.parse::<crate::Schema>().unwrap(), schema);
    schema.admits(&all().to_record().unwrap().body).unwrap();
}

fn map(value: &mut Value) -> &mut crate::value::Map {
    match value {
        Value::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_fields_ride_along_in_order_and_sealed_parts_tell_what_they_drop() {
    let mut value = to_value(&all().folds[0]).unwrap();
    for (name, content) in [("a", 1), ("label", 2), ("zzzzzz", 3)] {
        map(&mut value).insert(name, Value::Int(content));
    }
    let (fold, loss) = read::<Fold>(value.clone());
    let fold = fold.unwrap();
    assert_eq!(fold.rest.0.len(), 3);
    assert!(loss.is_empty());
    assert_eq!(to_value(&fold).unwrap(), value);

    let mut body = Value::Map(all().to_record().unwrap().body);
    let Some(Value::List(modes)) = map(&mut body).get_mut("modes") else {
        panic!()
    };
    let at = map(map(&mut modes[0]).get_mut("source").unwrap())
        .get_mut("at")
        .unwrap();
    map(at).insert("z", Value::Int(1));
    let record = crate::Record {
        body: map(&mut body).clone(),
        local: Default::default(),
    };
    let mut loss = LossReport::default();
    All::from_record(record, &mut loss).unwrap();
    let told: Vec<_> = loss.iter().map(|loss| loss.to_string()).collect();
    assert_eq!(
        told,
        ["modes[0].source.at.z: this version has no place for it"]
    );
}

#[test]
fn a_known_field_is_written_once_even_if_it_is_in_rest() {
    let mut fold = all().folds.remove(0);
    fold.rest.0.insert("id", Value::Int(9));
    let value = to_value(&fold).unwrap();
    assert_eq!(value.as_map().unwrap().get("id"), Some(&Value::Int(1)));
    assert_eq!(value.as_map().unwrap().len(), 3);
}

#[test]
fn unknown_variants_are_kept_or_refused() {
    for unknown in [
        Value::from("New"),
        Value::Map([("New".to_owned(), Value::Int(1))].into_iter().collect()),
        Value::Int(3),
    ] {
        let mode = read::<Mode>(unknown.clone()).0.unwrap();
        assert_eq!(mode, Mode::Other(unknown.clone()));
        assert_eq!(to_value(&mode).unwrap(), unknown);
    }
    assert_eq!(
        read::<Side>("Up".into()).0,
        Err("there is no variant `Up`; this version knows Left, Right".to_owned())
    );
    assert_eq!(
        read::<Side>(Value::Int(1)).0,
        Err("expected a variant, found a whole number".to_owned())
    );
}

#[test]
fn a_missing_field_is_an_error_unless_it_is_an_option_or_has_a_default() {
    let mut value = to_value(&all().folds[0]).unwrap();
    map(&mut value).remove("text");
    map(&mut value).remove("level");
    let fold = read::<Fold>(value.clone()).0.unwrap();
    assert_eq!((fold.label, fold.level), (None, 4));
    map(&mut value).remove("id");
    assert_eq!(read::<Fold>(value).0, Err("id: it is missing".to_owned()));
}

#[test]
fn nesting_without_end_is_refused_when_written() {
    let mut tree = all().tree;
    for _ in 0..cbor::MAX_DEPTH {
        tree = Tree {
            name: "n".into(),
            children: vec![tree],
            rest: Rest::default(),
        };
    }
    let error = to_value(&tree).unwrap_err();
    assert_eq!(error.message(), "nests deeper than 128 levels");
}
