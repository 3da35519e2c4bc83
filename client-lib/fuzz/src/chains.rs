//! Steps and states made of the fuzzer's bytes. Few names, so that lenses meet the fields that they speak of.

use arbitrary::{Result, Unstructured};
use overwinter::bridge::from_value;
use overwinter::{Lens, Map, Step, Value};

const NAMES: [&str; 6] = ["", "a", "b", "c", "id", "aa"];
const KINDS: [&str; 9] = [
    "any", "bool", "int", "float", "text", "bytes", "list", "map", "no such",
];
const SCALARS: [&str; 4] = ["bool", "int", "float", "text"];
const SEPARATORS: [&str; 4] = [",", ", ", "ü", ""];

/// The steps to some version, a state of that version, and another one of the oldest.
pub fn steps_and_bodies(u: &mut Unstructured<'_>) -> Result<(Vec<Step>, Map, Map)> {
    let count = u.int_in_range(0..=6)?;
    let mut steps = Vec::new();
    for from in 1..=count {
        let lenses = lenses(u, 2)?.into_iter();
        // As it travels: what this version of the library does not know is kept as unknown.
        let lenses = lenses.filter_map(|lens| from_value::<Lens>(lens).ok());
        steps.push(Step::new(from, lenses.collect()));
    }
    Ok((steps, map(u, 3)?, map(u, 3)?))
}

fn lenses(u: &mut Unstructured<'_>, depth: usize) -> Result<Vec<Value>> {
    let count = u.int_in_range(0..=4)?;
    (0..count).map(|_| lens(u, depth)).collect()
}

fn lens(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let mut options = Map::new();
    let mut put = |name: &str, value: Value| drop(options.insert(name, value));
    let last = if depth == 0 { 10 } else { 13 };
    let name = match u.int_in_range(0..=last)? {
        0 => {
            put("from", word(u, &NAMES)?);
            put("to", word(u, &NAMES)?);
            "rename"
        }
        n @ (1 | 2) => {
            put("field", word(u, &NAMES)?);
            put("kind", word(u, &KINDS)?);
            put("default", value(u, 2)?);
            if n == 1 { "add" } else { "remove" }
        }
        n @ (3 | 4) => {
            put("host", word(u, &NAMES)?);
            put("field", word(u, &NAMES)?);
            if n == 3 { "hoist" } else { "plunge" }
        }
        n @ (5 | 6) => {
            put("field", word(u, &NAMES)?);
            if n == 5 { "wrap" } else { "unwrap" }
        }
        7 => {
            put("field", word(u, &NAMES)?);
            put("from", word(u, &SCALARS)?);
            put("to", word(u, &SCALARS)?);
            "convert"
        }
        8 => {
            put("field", word(u, &NAMES)?);
            let pairs = (0..u.int_in_range(0..=3)?)
                .map(|_| Ok(Value::List(vec![word(u, &NAMES)?, word(u, &NAMES)?])));
            put("pairs", Value::List(pairs.collect::<Result<_>>()?));
            for other in ["other_up", "other_down"] {
                if u.arbitrary()? {
                    put(other, word(u, &NAMES)?);
                }
            }
            "map-enum"
        }
        9 => {
            put("field", word(u, &NAMES)?);
            put("separator", word(u, &SEPARATORS)?);
            put("into", words(u)?);
            "split"
        }
        10 => {
            put("fields", words(u)?);
            put("separator", word(u, &SEPARATORS)?);
            put("into", word(u, &NAMES)?);
            "join"
        }
        n => {
            put("field", word(u, &NAMES)?);
            put("lenses", Value::List(lenses(u, depth - 1)?));
            if n == 13 {
                put("variant", word(u, &NAMES)?);
            }
            ["in", "each", "variant"][n - 11]
        }
    };
    Ok(Value::Map(
        [(name.to_owned(), Value::Map(options))]
            .into_iter()
            .collect(),
    ))
}

fn word(u: &mut Unstructured<'_>, words: &[&str]) -> Result<Value> {
    Ok(Value::from(*u.choose(words)?))
}

fn words(u: &mut Unstructured<'_>) -> Result<Value> {
    let count = u.int_in_range(0..=3)?;
    let words = (0..count).map(|_| word(u, &NAMES));
    Ok(Value::List(words.collect::<Result<_>>()?))
}

fn map(u: &mut Unstructured<'_>, depth: usize) -> Result<Map> {
    let count = u.int_in_range(0..=4)?;
    let mut map = Map::new();
    for _ in 0..count {
        map.insert(*u.choose(&NAMES)?, value(u, depth - 1)?);
    }
    Ok(map)
}

fn value(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let last = if depth == 0 { 6 } else { 8 };
    Ok(match u.int_in_range(0..=last)? {
        0 => Value::Null,
        1 => Value::Bool(u.arbitrary()?),
        2 => Value::Int(i128::from(u.arbitrary::<i64>()?)),
        3 => Value::Float(u.arbitrary()?),
        4 => Value::Text(u.arbitrary()?),
        5 => word(u, &["", "a", "b,c", "a, b, c", "12", "true", "1.5"])?,
        6 => Value::Bytes(u.arbitrary()?),
        7 => {
            let count = u.int_in_range(0..=4)?;
            let items = (0..count).map(|_| value(u, depth - 1));
            Value::List(items.collect::<Result<_>>()?)
        }
        _ => Value::Map(map(u, depth)?),
    })
}
