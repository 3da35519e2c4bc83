//! A step of a chain as its author wrote it.

use overwinter::{Map, Value};

use super::notation::Printer;

/// The names of a lens's parts in the order in which an author gives them. Those not listed follow as they stand.
const PARTS: [&str; 7] = ["host", "field", "from", "to", "default", "pairs", "lenses"];

/// `1 => 2, rename("file", "path"), add("wrap", true)`; none for what is no step.
pub fn in_words(step: &Value) -> Option<String> {
    let step = step.as_map()?;
    let (from, to) = (step.get("from")?, step.get("to")?);
    let mut words = format!("{} => {}", flat(from), flat(to));
    if let Some(Value::List(lenses)) = step.get("lenses") {
        for lens in lenses {
            words += ", ";
            words += &in_short(lens);
        }
    }
    if step.get("code") == Some(&Value::Bool(true)) {
        words += ", and code";
    }
    Some(words)
}

/// `rename("file", "path")`.
fn in_short(lens: &Value) -> String {
    let parts = match lens.as_map().map(|map| (map.len(), map.iter().next())) {
        Some((1, Some((name, Value::Map(parts))))) => (name, parts),
        _ => return flat(lens),
    };
    let (name, parts) = parts;
    let name = match name {
        "in" => "within".to_owned(),
        name => name.replace('-', "_"),
    };
    format!("{name}({})", arguments(parts).join(", "))
}

fn arguments(parts: &Map) -> Vec<String> {
    let known = PARTS
        .into_iter()
        .filter_map(|name| parts.get(name).map(|value| (name, value)));
    let others = parts.iter().filter(|(name, _)| !PARTS.contains(name));
    known
        .chain(others)
        .flat_map(|(name, value)| argument(name, value))
        .collect()
}

fn argument(name: &str, value: &Value) -> Vec<String> {
    match (name, value) {
        ("lenses", Value::List(lenses)) => lenses.iter().map(in_short).collect(),
        ("pairs", Value::List(pairs)) => pairs.iter().map(pair).collect(),
        // The default says it, and what was not said need not be repeated.
        ("kind", _) | (_, Value::Null) if name != "default" => Vec::new(),
        (name, value) if PARTS.contains(&name) => vec![flat(value)],
        (name, value) => vec![format!("{name} = {}", flat(value))],
    }
}

fn pair(pair: &Value) -> String {
    match pair {
        Value::List(sides) => sides.iter().map(flat).collect::<Vec<_>>().join(" => "),
        other => flat(other),
    }
}

fn flat(value: &Value) -> String {
    let mut printer = Printer::new(false);
    printer.value(value);
    printer.finish()
}

#[cfg(test)]
mod tests {
    use overwinter::Lens;
    use overwinter::bridge::to_value;

    use super::*;

    #[test]
    fn a_lens_reads_as_it_was_written() {
        let cases = [
            (Lens::add("wrap", true), r#"add("wrap", true)"#),
            (Lens::add("path", Value::Null), r#"add("path", null)"#),
            (
                Lens::Rename {
                    from: "file".into(),
                    to: "path".into(),
                },
                r#"rename("file", "path")"#,
            ),
            (
                Lens::Hoist {
                    host: "pos".into(),
                    field: "caret".into(),
                },
                r#"hoist("pos", "caret")"#,
            ),
            (
                Lens::In {
                    field: "view".into(),
                    lenses: vec![Lens::Wrap {
                        field: "fold".into(),
                    }],
                },
                r#"within("view", wrap("fold"))"#,
            ),
            (
                Lens::MapEnum {
                    field: "mode".into(),
                    pairs: vec![("plain".into(), "text".into())],
                    other_up: None,
                    other_down: Some("plain".into()),
                },
                r#"map_enum("mode", "plain" => "text", other_down = "plain")"#,
            ),
        ];
        for (lens, expected) in cases {
            assert_eq!(in_short(&to_value(&lens).unwrap()), expected);
        }
    }

    #[test]
    fn a_lens_from_the_future_is_shown_as_it_stands() {
        let mut parts = Map::new();
        parts.insert("field", "a");
        parts.insert("how", 3_i64);
        let mut lens = Map::new();
        lens.insert("fold-twice", parts);
        assert_eq!(in_short(&Value::Map(lens)), r#"fold_twice("a", how = 3)"#);
        assert_eq!(in_short(&Value::Int(7)), "7");
    }
}
