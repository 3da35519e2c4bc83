//! The lens laws over random records and random chains of lenses that fit them.

use proptest::prelude::*;

use super::*;
use crate::loss::LossReport;
use crate::value::Map;

fn try_run(
    moves: &[Move<'_>],
    record: &mut Map,
    base: Option<&Map>,
    mut fuel: Fuel,
) -> (Result<(), LensError>, LossReport) {
    let mut loss = LossReport::default();
    let mut run = Run::new(&mut fuel, &mut loss);
    (run_all(moves, record, base, Keys::none(), &mut run), loss)
}

fn run(moves: &[Move<'_>], record: &Map, base: Option<&Map>) -> (Map, LossReport) {
    let mut record = record.clone();
    let (done, loss) = try_run(moves, &mut record, base, Fuel::TRAVELLING);
    done.expect("a lens that fits its record runs");
    (record, loss)
}

fn up(lenses: &[Lens], record: &Map, base: Option<&Map>) -> (Map, LossReport) {
    run(
        &lenses
            .iter()
            .map(|l| Move::Lens(l, Dir::Up))
            .collect::<Vec<_>>(),
        record,
        base,
    )
}

fn down(lenses: &[Lens], record: &Map, base: Option<&Map>) -> (Map, LossReport) {
    run(
        &lenses
            .iter()
            .rev()
            .map(|l| Move::Lens(l, Dir::Down))
            .collect::<Vec<_>>(),
        record,
        base,
    )
}

/// A stream of small choices that proptest can shrink.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % n.max(1)
    }

    fn scalar(&mut self) -> Value {
        match self.below(9) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 1),
            2 => Value::Int(self.below(3) as i128 - 1),
            3 => Value::Int((1 << 60) + 1),
            4 => Value::Float(self.below(8) as f64 / 4.0),
            5 => Value::Text("7".into()),
            6 => Value::Text(["a", "b", "c", "d"][self.below(4)].into()),
            7 => Value::Bytes(vec![1, 2]),
            _ => Value::Text("007".into()),
        }
    }

    fn value(&mut self) -> Value {
        match self.below(9) {
            6 => {
                let len = self.below(4);
                Value::List((0..len).map(|_| self.element()).collect())
            }
            7 => Value::Map(
                ["k", "l"]
                    .into_iter()
                    .take(self.below(3))
                    .map(|name| (name.to_owned(), self.element()))
                    .collect(),
            ),
            8 => {
                Value::Text(["Selma Lagerlöf", "Anna Maria Roos", " ", "b "][self.below(4)].into())
            }
            0 => {
                let len = self.below(4);
                Value::List((0..len).map(|_| self.scalar()).collect())
            }
            1 => Value::Map(
                [(["a", "b", "c"][self.below(3)].to_owned(), self.scalar())]
                    .into_iter()
                    .collect(),
            ),
            _ => self.scalar(),
        }
    }

    /// A record in a list or a map.
    fn element(&mut self) -> Value {
        let mut element = Map::new();
        element.insert("id", self.below(5) as i32);
        element.insert("x", self.below(3) as i32);
        Value::Map(element)
    }

    fn record(&mut self) -> Map {
        let mut record = Map::new();
        for i in 0..6 {
            if self.below(5) != 0 {
                let value = self.value();
                record.insert(format!("f{i}"), value);
            }
        }
        record
    }

    /// Changes some fields in place; their kinds stay, as a program of that version would keep them.
    fn edit(&mut self, record: &Map) -> Map {
        record
            .iter()
            .map(|(name, value)| {
                let value = match (self.below(3), value) {
                    (0, Value::Bool(v)) => Value::Bool(!v),
                    (0, Value::Int(v)) => Value::Int(v / 2 + 1),
                    (0, Value::Float(v)) => Value::Float(v + 0.25),
                    (0, Value::Text(_)) => Value::Text(["a", "b", "8", "zz"][self.below(4)].into()),
                    (0, Value::List(items)) if !items.is_empty() => {
                        Value::List(items[1..].to_vec())
                    }
                    (1, Value::List(items)) => {
                        Value::List(items.iter().map(|item| self.edit_inner(item)).collect())
                    }
                    (0 | 1, Value::Map(inner)) if is_of_records(inner) => Value::Map(
                        inner
                            .iter()
                            .map(|(name, item)| (name.to_owned(), self.edit_inner(item)))
                            .collect(),
                    ),
                    _ => value.clone(),
                };
                (name.to_owned(), value)
            })
            .collect()
    }

    fn edit_inner(&mut self, element: &Value) -> Value {
        match element {
            Value::Map(inner) => Value::Map(self.edit(inner)),
            other => other.clone(),
        }
    }

    /// A lens that fits each of the elements.
    fn inner_lens(&mut self, new: String, elements: &[Value]) -> Lens {
        if let [Value::Map(_), ..] = elements {
            return match self.below(4) {
                0 => Lens::Rename {
                    from: "x".into(),
                    to: new,
                },
                1 => Lens::Plunge {
                    host: new,
                    field: "id".into(),
                },
                _ => Lens::add(new, self.scalar()),
            };
        }
        let from = Scalar::Int;
        let to = [Scalar::Float, Scalar::Text][self.below(2)];
        Lens::Convert {
            field: String::new(),
            from,
            to,
        }
    }

    /// A lens that fits `record`, whose new names never occurred before.
    fn lens(&mut self, record: &Map, fresh: &mut usize) -> Lens {
        *fresh += 1;
        let new = format!("n{fresh}");
        let fields: Vec<(String, Value)> = record.clone().into_iter().collect();
        let Some((field, value)) = fields.get(self.below(fields.len())).cloned() else {
            return Lens::add(new, self.scalar());
        };
        let scalars = [Scalar::Bool, Scalar::Int, Scalar::Float, Scalar::Text];
        match self.below(14) {
            0 => Lens::Rename {
                from: field,
                to: new,
            },
            1 => Lens::add(new, self.value()),
            2 => Lens::Remove {
                field,
                kind: value.kind(),
                default: self.scalar_of(&value),
            },
            3 => Lens::Plunge { host: new, field },
            4 => match value {
                Value::Map(map) if !map.is_empty() => {
                    let inner = map
                        .iter()
                        .next()
                        .map(|(name, _)| name.to_owned())
                        .unwrap_or_default();
                    // A name that is taken outside would displace what stands there.
                    if record.contains_key(&inner) {
                        return Lens::Rename {
                            from: field,
                            to: new,
                        };
                    }
                    Lens::Hoist {
                        host: field,
                        field: inner,
                    }
                }
                _ => Lens::Plunge { host: new, field },
            },
            5 => Lens::Wrap { field },
            6 if matches!(value, Value::List(_)) => Lens::Unwrap { field },
            7 if matches!(value, Value::Map(_)) => {
                let lenses = vec![Lens::add(new, self.scalar())];
                Lens::In { field, lenses }
            }
            8 if matches!(value, Value::Text(_) | Value::Map(_)) => {
                // A stand-in replaces a record by text, and later lenses may need the record.
                let is_text = matches!(value, Value::Text(_));
                let pairs = [("a", "x"), ("b", "x"), ("c", "z")];
                let pairs = pairs
                    .iter()
                    .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                    .collect();
                let other_up = (is_text && self.below(2) == 0).then(|| "x".to_owned());
                let other_down = (is_text && self.below(2) == 0).then(|| "c".to_owned());
                Lens::MapEnum {
                    field,
                    pairs,
                    other_up,
                    other_down,
                }
            }
            10 => match &value {
                Value::List(items) if same_sort(items) => Lens::Each {
                    lenses: vec![self.inner_lens(new, items)],
                    field,
                },
                Value::Map(inner) if is_of_records(inner) => Lens::Each {
                    lenses: vec![self.inner_lens(new, &[Value::Map(Map::new())])],
                    field,
                },
                _ => Lens::Wrap { field },
            },
            11 if matches!(value, Value::Text(_)) => Lens::Split {
                field,
                separator: " ".into(),
                into: vec![new.clone(), format!("{new}b")],
            },
            12 => {
                let texts: Vec<String> = fields
                    .iter()
                    .filter(|(_, value)| matches!(value, Value::Text(_)))
                    .map(|(name, _)| name.clone())
                    .collect();
                if texts.len() < 2 {
                    return Lens::add(new, self.scalar());
                }
                Lens::Join {
                    fields: texts,
                    separator: ", ".into(),
                    into: new,
                }
            }
            13 => match &value {
                Value::Map(inner) if is_of_records(inner) && inner.len() == 1 => Lens::Variant {
                    variant: ["k", "l"][self.below(2)].to_owned(),
                    lenses: vec![Lens::add(new, self.scalar())],
                    field,
                },
                _ => Lens::Wrap { field },
            },
            9 if scalars.iter().any(|s| s.is_kind_of(&value)) => {
                let from = scalars
                    .into_iter()
                    .find(|s| s.is_kind_of(&value))
                    .unwrap_or(Scalar::Int);
                Lens::Convert {
                    field,
                    from,
                    to: scalars[self.below(4)],
                }
            }
            _ => Lens::Rename {
                from: field,
                to: new,
            },
        }
    }

    /// A default of the same kind as `value`.
    fn scalar_of(&mut self, value: &Value) -> Value {
        match value {
            Value::Bool(_) => Value::Bool(false),
            Value::Int(_) => Value::Int(0),
            Value::Float(_) => Value::Float(0.0),
            Value::Text(_) => Value::Text(String::new()),
            Value::Bytes(_) => Value::Bytes(Vec::new()),
            Value::List(_) => Value::List(Vec::new()),
            Value::Map(_) => Value::Map(Map::new()),
            Value::Null => Value::Null,
        }
    }
}

/// Elements that one lens fits all of.
fn same_sort(items: &[Value]) -> bool {
    items.iter().all(|item| matches!(item, Value::Map(inner) if inner.contains_key("x") && inner.contains_key("id")))
        || items.iter().all(|item| matches!(item, Value::Int(_)))
}

fn is_of_records(map: &Map) -> bool {
    !map.is_empty() && map.iter().all(|(_, item)| matches!(item, Value::Map(inner) if inner.contains_key("x") && inner.contains_key("id")))
}

/// A record of the older version and the lenses to the newer.
fn scene(choices: &mut Choices<'_>) -> (Map, Vec<Lens>) {
    let older = choices.record();
    let mut current = older.clone();
    let mut lenses = Vec::new();
    let mut fresh = 0;
    for _ in 0..choices.below(7) {
        let lens = choices.lens(&current, &mut fresh);
        current = up(std::slice::from_ref(&lens), &current, None).0;
        lenses.push(lens);
    }
    (older, lenses)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// What a newer version wrote comes back exactly from an older one that changed nothing.
    #[test]
    fn get_put(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut choices = Choices(bytes.iter());
        let (older, lenses) = scene(&mut choices);
        let newer = choices.edit(&up(&lenses, &older, None).0);
        let (seen, _) = down(&lenses, &newer, None);
        let (back, _) = up(&lenses, &seen, Some(&newer));
        prop_assert_eq!(back, newer, "{:?}", lenses);
    }

    /// And the same the other way: the older version's record survives the newer one.
    #[test]
    fn get_put_upwards(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut choices = Choices(bytes.iter());
        let (older, lenses) = scene(&mut choices);
        let (seen, _) = up(&lenses, &older, None);
        let (back, _) = down(&lenses, &seen, Some(&older));
        prop_assert_eq!(back, older, "{:?}", lenses);
    }

    /// What an older version edited is what it finds again, unless a loss was reported.
    #[test]
    fn put_get(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut choices = Choices(bytes.iter());
        let (older, lenses) = scene(&mut choices);
        let newer = choices.edit(&up(&lenses, &older, None).0);
        let edited = choices.edit(&down(&lenses, &newer, None).0);
        let (merged, loss) = up(&lenses, &edited, Some(&newer));
        // A list that a newer version emptied may stand for a part that the older one has no field for (see the module).
        let fields = |record: &Map| record.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        if loss.is_empty() && fields(&edited) == fields(&older) {
            prop_assert_eq!(down(&lenses, &merged, None).0, edited, "{:?}", lenses);
        }
    }

    /// The same chain over records that it was not made for: an error or a record, never a panic, bounded fuel.
    #[test]
    fn a_strangers_chain_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        other in prop::collection::vec(any::<u8>(), 0..60),
        fuel in 0..200_u64,
    ) {
        let (_, lenses) = scene(&mut Choices(bytes.iter()));
        let mut choices = Choices(other.iter());
        let (mut record, base) = (choices.record(), choices.record());
        let dir = if fuel % 2 == 0 { Dir::Up } else { Dir::Down };
        let moves: Vec<_> = lenses.iter().map(|l| Move::Lens(l, dir)).collect();
        let _ = try_run(&moves, &mut record, Some(&base), Fuel::new(fuel));
    }

    #[test]
    fn a_lens_travels(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for lens in scene(&mut Choices(bytes.iter())).1 {
            prop_assert_eq!(Lens::read(&lens.to_value()), lens);
        }
    }
}

fn record(entries: &[(&str, Value)]) -> Map {
    entries
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect()
}

#[test]
fn an_unknown_lens_is_kept_as_it_came_and_refused_when_run() {
    let value = crate::bridge::to_value(&record(&[("fold", Value::Int(3))])).unwrap();
    let lens = Lens::read(&value);
    assert_eq!(lens, Lens::Unknown(value.clone()));
    assert_eq!(lens.to_value(), value);
    let (done, _) = try_run(
        &[Move::Lens(&lens, Dir::Up)],
        &mut Map::new(),
        None,
        Fuel::OWN,
    );
    assert_eq!(done, Err(LensError::UnknownLens));
}

#[test]
fn an_unknown_option_makes_a_known_lens_unknown() {
    let rename = record(&[
        ("from", "a".into()),
        ("to", "b".into()),
        ("when", "c".into()),
    ]);
    let value = Value::Map(record(&[("rename", Value::Map(rename))]));
    assert!(matches!(Lens::read(&value), Lens::Unknown(_)));
}

#[test]
fn nesting_without_end_runs_out_of_fuel() {
    let lenses = vec![Lens::Wrap { field: "f".into() }; 5000];
    let moves: Vec<_> = lenses.iter().map(|l| Move::Lens(l, Dir::Up)).collect();
    let mut map = record(&[("f", Value::Int(1))]);
    let (done, _) = try_run(&moves, &mut map, None, Fuel::TRAVELLING);
    assert_eq!(done, Err(LensError::OutOfFuel));
}

#[test]
fn dropping_is_told_and_defaults_are_not() {
    let lenses = [Lens::add("wrap", true), Lens::add("zoom", 1.0)];
    let newer = record(&[("wrap", Value::Bool(true)), ("zoom", Value::Float(2.0))]);
    let (older, loss) = down(&lenses, &newer, None);
    assert!(older.is_empty());
    let told: Vec<_> = loss.iter().map(|l| l.path.as_str()).collect();
    assert_eq!(told, ["zoom"]);
}

/// Found by the laws over random chains.
#[test]
fn a_default_that_stands_in_for_nothing_is_reported() {
    let lenses = [
        Lens::Unwrap {
            field: "list".into(),
        },
        Lens::Hoist {
            host: "list".into(),
            field: "x".into(),
        },
        Lens::remove("x", 0),
    ];
    let older: Map = [("list".to_owned(), Value::List(Vec::new()))]
        .into_iter()
        .collect();
    let (newer, loss) = up(&lenses, &older, None);
    assert_eq!(
        loss.iter()
            .map(|loss| loss.path.as_str())
            .collect::<Vec<_>>(),
        ["x"]
    );
    assert_eq!(down(&lenses, &newer, Some(&older)).0, older);
}
