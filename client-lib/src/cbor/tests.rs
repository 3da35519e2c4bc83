use proptest::prelude::*;

use super::*;
use crate::value::{Map, Value};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// Any value, with whole numbers in range and every float.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(1_i128 << 64)..(1_i128 << 64)).prop_map(Value::Int),
        (-300_i128..300).prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        any::<f32>().prop_map(|f| Value::Float(f.into())),
        (-2048_i32..2048).prop_map(|i| Value::Float(f64::from(i) / 64.0)),
        ".{0,12}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            prop::collection::vec((".{0,30}", inner), 0..8)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

#[test]
fn known_encodings() {
    // From RFC 8949, appendix A.
    let cases: [(Value, &str); 16] = [
        (Value::Int(0), "00"),
        (Value::Int(23), "17"),
        (Value::Int(24), "1818"),
        (Value::Int(1000), "1903e8"),
        (Value::Int(18446744073709551615), "1bffffffffffffffff"),
        (Value::Int(-18446744073709551616), "3bffffffffffffffff"),
        (Value::Int(-100), "3863"),
        (Value::Float(0.0), "f90000"),
        (Value::Float(-0.0), "f98000"),
        (Value::Float(1.1), "fb3ff199999999999a"),
        (Value::Float(65504.0), "f97bff"),
        (Value::Float(100000.0), "fa47c35000"),
        (Value::Float(5.960464477539063e-8), "f90001"),
        (Value::Float(0.00006103515625), "f90400"),
        (Value::Float(f64::NEG_INFINITY), "f9fc00"),
        (Value::Text("ü".into()), "62c3bc"),
    ];
    for (value, expected) in cases {
        assert_eq!(hex(&encode(&value).unwrap()), expected, "{value:?}");
        assert_eq!(decode(&unhex(expected)).unwrap(), value);
    }
}

#[test]
fn keys_are_ordered_by_their_encoding() {
    let mut map = Map::new();
    for key in ["aa", "b", "", "a", "ab"] {
        map.insert(key, Value::Null);
    }
    let keys: Vec<_> = map.iter().map(|(k, _)| k).collect();
    assert_eq!(keys, ["", "a", "b", "aa", "ab"]);
}

#[test]
fn every_other_form_is_refused() {
    use DecodeProblem::*;
    let cases = [
        ("", Truncated),
        ("1817", NotDeterministic), // 23 in two bytes
        ("190017", NotDeterministic),
        ("9f00ff", NotDeterministic),             // indefinite list
        ("fb3ff0000000000000", NotDeterministic), // 1.0 as a double
        ("f97e01", NotDeterministic),             // another NaN
        ("5bffffffffffffffff", Truncated),        // 2^64-1 bytes promised
        ("9bffffffffffffffff", Truncated),
        ("bb7fffffffffffffff", Truncated),
        ("0000", TrailingBytes),
        ("a2616100616100", DuplicateKey),
        ("a2616200616100", KeyOrder),
        ("a10000", KeyNotText),
        ("61ff", BadText),
        ("c000", Unsupported), // a tag
        ("f7", Unsupported),   // undefined
    ];
    for (bytes, problem) in cases {
        assert_eq!(
            decode(&unhex(bytes)).map_err(|e| e.problem),
            Err(problem),
            "{bytes}"
        );
    }
}

#[test]
fn a_duplicate_key_is_refused_where_it_stands() {
    // {"a": 0, "b": 1, "a": 2}
    let error = decode(&unhex("a3616100616201616102")).unwrap_err();
    assert_eq!(
        error,
        DecodeError {
            offset: 7,
            problem: DecodeProblem::DuplicateKey
        }
    );
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep = vec![0x81; 100_000];
    assert_eq!(decode(&deep).unwrap_err().problem, DecodeProblem::TooDeep);

    let mut wide = vec![0x99, 0xff, 0xff];
    wide.extend(std::iter::repeat_n(0xf6, 0xffff));
    let limits = Limits {
        nodes: 1000,
        ..Limits::default()
    };
    assert_eq!(
        decode_within(&wide, limits).unwrap_err().problem,
        DecodeProblem::TooManyValues
    );
    let limits = Limits {
        bytes: 1000,
        ..Limits::default()
    };
    assert_eq!(
        decode_within(&wide, limits).unwrap_err().problem,
        DecodeProblem::TooLarge
    );

    let mut value = Value::Null;
    for _ in 0..=MAX_DEPTH {
        value = Value::List(vec![value]);
    }
    assert_eq!(encode(&value), Err(EncodeError::TooDeep));
    assert_eq!(
        encode(&Value::Int(1 << 64)),
        Err(EncodeError::IntOutOfRange(1 << 64))
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in any_value()) {
        let bytes = encode(&value).unwrap();
        prop_assert_eq!(decode(&bytes).unwrap(), value);
    }

    #[test]
    fn a_public_decoder_agrees(value in any_value()) {
        let bytes = encode(&value).unwrap();
        let public: ciborium::Value = ciborium::from_reader(bytes.as_slice()).unwrap();
        let back = crate::bridge::to_value(&public).unwrap();
        prop_assert_eq!(back, value);
    }

    #[test]
    fn random_bytes_never_panic_and_have_one_form(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = decode(&bytes) {
            prop_assert_eq!(encode(&value).unwrap(), bytes);
        }
    }

    #[test]
    fn damaged_bytes_never_panic(value in any_value(), cut in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let bytes = encode(&value).unwrap();
        let at = cut.index(bytes.len());
        prop_assert!(decode(&bytes[..at]).is_err());
        let mut flipped = bytes;
        flipped[at] ^= 1 << bit;
        if let Ok(value) = decode(&flipped) {
            prop_assert_eq!(encode(&value).unwrap(), flipped);
        }
    }
}
