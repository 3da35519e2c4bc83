//! Schemas: text and data, differences, what lenses make of them.

use super::{Random, Schema, lenses_for};
use crate::lens::Lens;
use crate::value::{Map, Value};

fn schema(text: &str) -> Schema {
    text.parse().unwrap()
}

const RICH: &str = "{ a: text?, \"odd name\": [u8], b: map(int: bool), c: [{ id: u64, n: ^1?, .. } by id], d: (char, bytes), \
    e: enum { A, B: float, C: { x: any }, .. }?, f: [[i32; 3]], g: blob, h: secret, i: opaque, j: null, k: map(text: text) }";

#[test]
fn text_is_read_as_it_is_written() {
    let rich = schema(RICH);
    assert_eq!(schema(&rich.to_string()), rich);
    assert_eq!(schema(&rich.to_string()).hash(), rich.hash());
}

#[test]
fn other_text_is_refused_with_the_place() {
    for (text, problem) in [
        ("", "not a schema: { expected at ``"),
        ("{ a }", "not a schema: : expected at `}`"),
        ("{ a: txt }", "not a schema: a shape expected at `txt }`"),
        ("{ a: [text }", "not a schema: ] expected at `}`"),
        (
            "{ a: text, a: text }",
            "not a schema: another name expected at `}`",
        ),
        ("{} x", "not a schema: the end expected at `x`"),
    ] {
        assert_eq!(
            text.parse::<Schema>().unwrap_err().to_string(),
            problem,
            "{text}"
        );
    }
    assert!(
        format!("{{ a: {}", "[".repeat(100_000))
            .parse::<Schema>()
            .is_err()
    );
}

#[test]
fn samples_fit_and_repeat() {
    let rich = schema(RICH);
    for seed in 0..300 {
        let body = rich.sample(seed);
        rich.admits(&body)
            .unwrap_or_else(|misfit| panic!("{misfit} in {body:?}"));
        assert_eq!(body, rich.sample(seed));
        let edited = Random::new(seed).edit(&rich, &body);
        rich.admits(&edited).unwrap();
    }
}

#[test]
fn a_misfit_is_told_with_its_place() {
    let s = schema("{ folds: [{ start: u8 }], mode: enum { A, B } }");
    let fold = |start: i32| {
        Value::Map(
            [("start".to_owned(), Value::from(start))]
                .into_iter()
                .collect(),
        )
    };
    let body = |start, mode: &str| {
        [
            ("folds".to_owned(), Value::List(vec![fold(start)])),
            ("mode".to_owned(), mode.into()),
        ]
        .into_iter()
        .collect()
    };
    assert_eq!(s.admits(&body(3, "A")), Ok(()));
    let told = |start, mode| s.admits(&body(start, mode)).unwrap_err().to_string();
    assert_eq!(told(300, "A"), "`folds[0].start`: 300 does not fit u8");
    assert_eq!(told(3, "C"), "`mode`: \"C\" is none of the variants A, B");
    let mut more = body(3, "A");
    more.insert("x", 1);
    assert_eq!(
        s.admits(&more).unwrap_err().to_string(),
        "`x`: this version knows no such field"
    );
    more.remove("x");
    more.remove("mode");
    assert_eq!(
        s.admits(&more).unwrap_err().to_string(),
        "`mode`: a choice of A, B is missing here"
    );
}

#[test]
fn a_body_is_held_with_what_is_unknown_where_there_is_a_place_for_it() {
    fn map<const N: usize>(entries: [(&str, Value); N]) -> Map {
        let entries = entries.into_iter();
        entries.map(|(name, value)| (name.into(), value)).collect()
    }
    let s = schema("{ caret: { at: u8, .. }, mode: enum { A, .. }, size: { w: u8 } }");
    let body = |caret: Map, mode: Value, size: Map| {
        map([
            ("caret", caret.into()),
            ("mode", mode),
            ("size", size.into()),
        ])
    };
    let (at, w) = (|at: i32| ("at", at.into()), ("w", Value::from(1)));
    let known = body(map([at(1)]), "A".into(), map([w.clone()]));
    s.admits(&known).unwrap();
    s.holds(&known).unwrap();
    let x = ("x", Value::from(2));
    let other = Value::Map(map([("C", 3.into())]));
    let more = body(map([at(1), x.clone()]), other, map([w.clone()]));
    s.admits(&more).unwrap_err();
    s.holds(&more).unwrap();
    let told = |body: Map| s.holds(&body).unwrap_err().to_string();
    assert_eq!(
        told(body(map([at(1)]), "A".into(), map([w.clone(), x.clone()]))),
        "`size.x`: this version knows no such field"
    );
    assert_eq!(
        told(body(map([at(300), x]), "A".into(), map([w]))),
        "`caret.at`: 300 does not fit u8"
    );
    let mut stray = known;
    stray.insert("x", 1);
    assert_eq!(told(stray), "`x`: this version knows no such field");
}

#[test]
fn differences_come_with_the_lens_that_would_do() {
    for (before, after, told, lens) in [
        (
            "{ file: text? }",
            "{ path: text? }",
            "`file` is gone; it was text?|`path` is new: text?",
            r#"rename("file", "path")"#,
        ),
        (
            "{}",
            "{ wrap: bool }",
            "`wrap` is new: bool",
            r#"add("wrap", false)"#,
        ),
        (
            "{ old: [text] }",
            "{}",
            "`old` is gone; it was [text]",
            r#"remove("old", [])"#,
        ),
        (
            "{ n: u32 }",
            "{ n: float }",
            "`n` was u32 and is float",
            r#"convert("n", int => float)"#,
        ),
        (
            "{ n: u32 }",
            "{ n: [u32] }",
            "`n` was u32 and is [u32]",
            r#"wrap("n")"#,
        ),
        (
            "{ caret: { at: u32 } }",
            "{ caret: { at: u32, zoom: float } }",
            "`caret.zoom` is new: float",
            r#"within("caret", add("zoom", 0.0))"#,
        ),
        (
            "{ a: { folds: [{ id: u32 }] } }",
            "{ a: { folds: [{ key: u32 }] } }",
            "`a.folds[].id` is gone; it was u32|`a.folds[].key` is new: u32",
            r#"within("a", each("folds", rename("id", "key")))"#,
        ),
        (
            "{ n: [u32] }",
            "{ n: [float] }",
            "`n` was [u32] and is [float]",
            r#"each("n", convert("", int => float))"#,
        ),
        (
            "{ mode: enum { C: { a: text }, W: u8 } }",
            "{ mode: enum { C: { b: text }, W: text } }",
            "`mode::C.a` is gone; it was text|`mode::C.b` is new: text|`mode::W` was u8 and is text",
            r#"variant("mode", "C", rename("a", "b")), variant("mode", "W", convert("", int => text))"#,
        ),
        (
            "{ mode: enum { A, B } }",
            "{ mode: enum { A, C } }",
            "the variant `mode.B` is gone|the variant `mode.C` is new",
            r#"map_enum("mode", "B" => "C")"#,
        ),
    ] {
        let differences = schema(before).differences(&schema(after));
        let lines: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(lines.join("|"), told);
        assert_eq!(lenses_for(&differences).as_deref(), Some(lens));
    }
    let to_code = schema("{ a: { x: text } }").differences(&schema("{ a: text }"));
    assert_eq!(lenses_for(&to_code), None);
}

fn rename(from: &str, to: &str) -> Lens {
    Lens::Rename {
        from: from.into(),
        to: to.into(),
    }
}

#[test]
fn lenses_lead_from_one_schema_to_the_next() {
    let before =
        schema("{ file: text?, caret: u32, anchor: u32, n: u8, one: text, view: { zoom: float } }");
    let after = schema(
        "{ path: text?, selection: { caret: u32, anchor: u32 }, n: float, one: [text], wrap: bool, mode: enum { A, B }, zoom: float }",
    );
    let lenses = [
        rename("file", "path"),
        Lens::Plunge {
            host: "selection".into(),
            field: "caret".into(),
        },
        Lens::Plunge {
            host: "selection".into(),
            field: "anchor".into(),
        },
        Lens::Convert {
            field: "n".into(),
            from: crate::lens::Scalar::Int,
            to: crate::lens::Scalar::Float,
        },
        Lens::Wrap {
            field: "one".into(),
        },
        Lens::add("wrap", false),
        Lens::add("mode", "A"),
        Lens::Hoist {
            host: "view".into(),
            field: "zoom".into(),
        },
    ];
    let made = before.apply(&lenses).unwrap();
    assert_eq!(made.misfits(&after), []);
    // Each of them is needed.
    for left_out in 0..lenses.len() {
        let mut fewer = lenses.to_vec();
        fewer.remove(left_out);
        let enough = before
            .apply(&fewer)
            .is_ok_and(|made| made.misfits(&after).is_empty());
        assert!(!enough, "{:?}", lenses[left_out]);
    }
}

#[test]
fn lenses_reach_into_lists_maps_and_variants() {
    let before = schema(
        "{ folds: [{ id: u8 } by id], n: map(text: u8), m: enum { C: { a: text }, D: u8 }?, name: text }",
    );
    let after = schema(
        "{ folds: [{ key: u8 } by key], n: map(text: float), m: enum { C: { b: text }, D: text }?, a: text, b: text }",
    );
    let to = |field: &str, from, to| Lens::Convert {
        field: field.into(),
        from,
        to,
    };
    use crate::lens::Scalar::{Float, Int, Text};
    let lenses = [
        Lens::Each {
            field: "folds".into(),
            lenses: vec![rename("id", "key")],
        },
        Lens::Each {
            field: "n".into(),
            lenses: vec![to("", Int, Float)],
        },
        Lens::Variant {
            field: "m".into(),
            variant: "C".into(),
            lenses: vec![rename("a", "b")],
        },
        Lens::Variant {
            field: "m".into(),
            variant: "D".into(),
            lenses: vec![to("", Int, Text)],
        },
        Lens::Split {
            field: "name".into(),
            separator: " ".into(),
            into: vec!["a".into(), "b".into()],
        },
    ];
    assert_eq!(before.apply(&lenses).unwrap().misfits(&after), []);
    let join = Lens::Join {
        fields: vec!["a".into(), "b".into()],
        separator: " ".into(),
        into: "name".into(),
    };
    let whole = after.apply(&[join]).unwrap();
    assert!(whole.root().fields.contains_key("name") && !whole.root().fields.contains_key("a"));
    for lens in &lenses {
        assert!(after.apply(std::slice::from_ref(lens)).is_err(), "{lens:?}");
    }
}

#[test]
fn a_lens_that_does_not_fit_is_named() {
    let s = schema("{ a: text, tree: { kids: [^1] } }");
    let told = |lens| s.apply(&[lens]).unwrap_err().to_string();
    assert_eq!(
        told(rename("b", "c")),
        r#"rename("b", "c"): the older version has no field `b`"#
    );
    assert_eq!(
        told(rename("tree", "a")),
        r#"rename("tree", "a"): there is a field `a` already"#
    );
    assert_eq!(
        told(Lens::Unwrap { field: "a".into() }),
        r#"unwrap("a"): `a` is no list but text"#
    );
    assert_eq!(
        told(Lens::remove("a", 1)),
        r#"remove("a", …): its default does not fit the older version's `a`: text is wanted here, not 1"#
    );
    let inside = Lens::In {
        field: "tree".into(),
        lenses: vec![Lens::add("x", 1)],
    };
    assert!(told(inside).contains("lenses reach one level of a part that holds itself"));
}

#[test]
fn new_variants_need_no_lens_where_the_older_version_has_a_place_for_them() {
    let after = schema("{ mode: enum { A, B } }");
    assert_eq!(schema("{ mode: enum { A, .. } }").misfits(&after), []);
    assert_eq!(schema("{ mode: enum { A } }").misfits(&after).len(), 1);
}
