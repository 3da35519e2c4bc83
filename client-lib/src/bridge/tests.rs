use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::value::Value;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f32),
    Line(i8, u64),
    Box { w: u16, label: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    small: u8,
    big: u64,
    negative: i64,
    letter: char,
    unit: (),
    pair: (bool, f64),
    shapes: Vec<Shape>,
    by_number: BTreeMap<i32, String>,
    by_shape: BTreeMap<String, Shape>,
    nothing: Option<u8>,
}

fn everything() -> Everything {
    Everything {
        small: 255,
        big: u64::MAX,
        negative: i64::MIN,
        letter: 'ß',
        unit: (),
        pair: (true, -0.5),
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Line(-1, 2),
            Shape::Box {
                w: 3,
                label: Some("l".into()),
            },
        ],
        by_number: [(-5, "five".into()), (40, "forty".into())].into(),
        by_shape: [("p".into(), Shape::Point)].into(),
        nothing: None,
    }
}

#[test]
fn serde_types_go_there_and_back_through_bytes() {
    let value = to_value(&everything()).unwrap();
    let bytes = crate::cbor::encode(&value).unwrap();
    let back: Everything = from_value(crate::cbor::decode(&bytes).unwrap()).unwrap();
    assert_eq!(back, everything());
}

#[test]
fn an_error_names_the_field() {
    let Value::Map(mut map) = to_value(&everything()).unwrap() else {
        panic!("a struct is a map")
    };
    let Some(Value::List(shapes)) = map.get_mut("shapes") else {
        panic!("a Vec is a list")
    };
    shapes[2] = to_value(&BTreeMap::from([("Line", (300, 2))])).unwrap();
    let error = from_value::<Everything>(Value::Map(map)).unwrap_err();
    assert_eq!(error.path(), "shapes[2].Line[0]");
    assert!(error.message().contains("300"), "{error}");
}

#[test]
fn keys_that_coincide_as_text_are_refused() {
    #[derive(Serialize)]
    struct Twice {
        a: u8,
        #[serde(flatten)]
        more: BTreeMap<&'static str, u8>,
    }
    assert!(
        to_value(&Twice {
            a: 1,
            more: [("a", 2)].into()
        })
        .is_err()
    );
    assert!(to_value(&BTreeMap::from([(vec![1_u8], 1)])).is_err());
}
