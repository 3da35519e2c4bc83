//! The shared byte vectors: what Rust, C and Python say of the same values and states. `OVERWINTER_ACCEPT_VECTORS=1` writes what
//! Rust says; the other two are held to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use overwinter::{
    Chain, Encoded, Form, Origin, Rest, Schema, State, Value, cbor, restore, restore_record, save,
    save_record,
};
use serde_json::{Value as Json, json};

mod note {
    //! The forms of `states.json`, as a Rust program has them.

    use overwinter::{Rest, State, Value};

    #[derive(State)]
    pub struct Fold1 {
        pub id: u64,
        pub from: u32,
        pub rest: Rest,
    }

    #[derive(State)]
    pub enum Mode1 {
        Plain,
        Code {
            language: String,
            rest: Rest,
        },
        #[state(other)]
        Other(Value),
    }

    #[derive(State)]
    #[state(id = "org.example.Vectors/note", version = 1)]
    pub struct Note1 {
        pub text: String,
        pub caret: i64,
        pub file: Option<String>,
        pub name: String,
        pub mode: Mode1,
        #[state(key = id)]
        pub folds: Vec<Fold1>,
        pub rest: Rest,
    }

    #[derive(State)]
    pub struct Fold2 {
        pub id: u64,
        pub start: u32,
        pub rest: Rest,
    }

    #[derive(State)]
    pub enum Mode2 {
        Prose,
        Code {
            language: String,
            rest: Rest,
        },
        #[state(other)]
        Other(Value),
    }

    #[derive(State)]
    #[state(id = "org.example.Vectors/note", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), add("wrap", true), each("folds", rename("from", "start")),
        map_enum("mode", "Plain" => "Prose")))]
    pub struct Note2 {
        pub text: String,
        pub caret: i64,
        pub path: Option<String>,
        pub name: String,
        pub mode: Mode2,
        pub wrap: bool,
        #[state(key = id)]
        pub folds: Vec<Fold2>,
        pub rest: Rest,
    }

    #[derive(State)]
    pub struct Fold3 {
        pub id: u64,
        pub start: u32,
        pub open: bool,
        pub rest: Rest,
    }

    #[derive(State)]
    pub struct View {
        pub caret: i64,
        pub zoom: f64,
        pub rest: Rest,
    }

    #[derive(State)]
    #[state(id = "org.example.Vectors/note", version = 3)]
    #[state(lens(1 => 2, rename("file", "path"), add("wrap", true), each("folds", rename("from", "start")),
        map_enum("mode", "Plain" => "Prose")))]
    #[state(lens(2 => 3, plunge("view", "caret"), within("view", add("zoom", 1.0)), convert("wrap", bool => int),
        split("name", " " => "given", "surname"), each("folds", add("open", false))))]
    pub struct Note3 {
        pub text: String,
        pub path: Option<String>,
        pub given: String,
        pub surname: String,
        pub mode: Mode2,
        pub view: View,
        pub wrap: i64,
        #[state(key = id)]
        pub folds: Vec<Fold3>,
        pub rest: Rest,
    }

    #[derive(State)]
    pub struct Place1 {
        pub pos: i64,
        pub width: i64,
        pub rest: Rest,
    }

    #[derive(State)]
    pub enum Lang1 {
        Plain,
        Code {
            lang: String,
            rest: Rest,
        },
        #[state(other)]
        Other(Value),
    }

    #[derive(State)]
    #[state(id = "org.example.Vectors/kinds", version = 1)]
    pub struct Kinds1 {
        pub at: Place1,
        pub first: String,
        pub last: String,
        pub gone: i64,
        pub many: Vec<String>,
        pub mode: Lang1,
        pub one: Option<String>,
        pub rest: Rest,
    }

    #[derive(State)]
    pub struct Place2 {
        pub width: i64,
        pub rest: Rest,
    }

    #[derive(State)]
    pub enum Lang2 {
        Plain,
        Code {
            language: String,
            rest: Rest,
        },
        #[state(other)]
        Other(Value),
    }

    #[derive(State)]
    #[state(id = "org.example.Vectors/kinds", version = 2)]
    #[state(lens(1 => 2, hoist("at", "pos"), join("first", "last", " " => "name"), remove("gone", 5),
        variant("mode", "Code", rename("lang", "language")), wrap("one"), unwrap("many")))]
    pub struct Kinds2 {
        pub at: Place2,
        pub pos: i64,
        pub name: String,
        pub many: Option<String>,
        pub mode: Lang2,
        pub one: Vec<String>,
        pub rest: Rest,
    }
}

#[derive(State)]
#[state(id = "org.example.Vectors/other", version = 1)]
struct Other {
    rest: Rest,
}

#[test]
fn vectors_of_values_hold_in_rust() {
    check("values.json", |vectors| {
        for vector in items(vectors, "values") {
            let value = untagged(&vector["value"]);
            let bytes = cbor::encode(&value).unwrap();
            assert_eq!(cbor::decode(&bytes).unwrap(), value);
            vector["cbor"] = json!(hex::encode(bytes));
        }
        for vector in items(vectors, "refused") {
            let bytes = hex::decode(vector["cbor"].as_str().unwrap()).unwrap();
            assert!(cbor::decode(&bytes).is_err(), "{vector}");
        }
    });
}

#[test]
fn vectors_of_states_hold_in_rust() {
    check("states.json", |vectors| {
        let mut saved = BTreeMap::new();
        let mut kept: BTreeMap<String, Option<Origin>> = BTreeMap::new();
        for step in items(vectors, "steps") {
            let name = step["name"].as_str().unwrap().to_owned();
            let form = form(step["form"].as_str().unwrap());
            let of = step["of"].as_str().map(|of: &str| &saved[of]);
            match (step["do"].as_str().unwrap(), of) {
                ("save", None) => {
                    let origin = step["along"].as_str().and_then(|of| kept[of].as_ref());
                    let Encoded { bytes, .. } =
                        save_record(&form, record(&step["state"]), origin).unwrap();
                    if origin.is_none() {
                        (again(step["form"].as_str().unwrap()))(&bytes);
                    }
                    step["bytes"] = json!(hex::encode(&bytes));
                    saved.insert(name, bytes);
                }
                ("restore", Some(bytes)) => {
                    let restored = restore_record(&form, bytes).unwrap();
                    step["state"] = tagged(&Value::Map(restored.value.body));
                    step["loss"] = restored
                        .loss
                        .iter()
                        .map(|loss| {
                            json!({"path": loss.path, "reason": loss.reason.to_string(), "kept": loss.kept})
                        })
                        .collect();
                    kept.insert(name, restored.origin);
                }
                ("refuse", Some(bytes)) => {
                    restore_record(&form, bytes).unwrap_err();
                }
                _ => panic!("{step}"),
            }
        }
    });
}

#[test]
fn vectors_hold_in_c() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("vectors");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = library();
    succeeds(
        Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(here.join("include"))
            .arg(here.join("tests/vectors.c"))
            .arg(&library)
            .arg("-o")
            .arg(&program),
    );
    succeeds(
        Command::new(&program)
            .args([
                folder_of_vectors().join("values.json"),
                folder_of_vectors().join("states.json"),
            ])
            .env("LD_LIBRARY_PATH", library.parent().unwrap()),
    );
}

#[test]
fn vectors_hold_in_python() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
    succeeds(
        Command::new("/usr/bin/python3")
            .args(["-W", "error", "-m", "unittest", "discover", "-s", "tests"])
            .current_dir(package)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", ".")
            .env("LD_LIBRARY_PATH", library().parent().unwrap()),
    );
}

fn form(name: &str) -> Form {
    match name {
        "note-1" => Form::of::<note::Note1>(),
        "note-2" => Form::of::<note::Note2>(),
        "note-3" => Form::of::<note::Note3>(),
        "kinds-1" => Form::of::<note::Kinds1>(),
        "kinds-2" => Form::of::<note::Kinds2>(),
        "other-1" => Form::of::<Other>(),
        "branch-1" => {
            let schema: Schema = "{ text: text, .. }".parse().unwrap();
            let chain = Chain::new(1, Vec::new()).unwrap();
            Form::new("org.example.Vectors/note", schema.hash(), chain)
        }
        other => panic!("{other}"),
    }
}

/// A Rust program that has the type reads the state and writes the very same bytes.
fn again(form: &str) -> fn(&[u8]) {
    fn of<T: State>(bytes: &[u8]) {
        let restored = restore::<T>(bytes).unwrap();
        assert!(restored.loss.is_empty());
        assert_eq!(save(&restored.value).unwrap(), bytes);
    }
    match form {
        "note-1" => of::<note::Note1>,
        "note-2" => of::<note::Note2>,
        "note-3" => of::<note::Note3>,
        "kinds-1" => of::<note::Kinds1>,
        "kinds-2" => of::<note::Kinds2>,
        other => panic!("{other}"),
    }
}

fn folder_of_vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors")
}

/// The library that was built with this test.
fn library() -> PathBuf {
    overwinter_tests::place::programs().join("deps/liboverwinter_c.so")
}

/// Has the results put into the vectors, which must be what is there.
fn check(file: &str, fill_in: impl FnOnce(&mut Json)) {
    let path = folder_of_vectors().join(file);
    let known: Json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut found = known.clone();
    fill_in(&mut found);
    if std::env::var_os("OVERWINTER_ACCEPT_VECTORS").is_some() {
        let mut text = serde_json::to_string_pretty(&found).unwrap();
        text.push('\n');
        fs::write(&path, text).unwrap();
        return;
    }
    for part in ["values", "refused", "steps"] {
        let pairs = known[part].as_array().into_iter().flatten();
        for (known, found) in pairs.zip(found[part].as_array().into_iter().flatten()) {
            assert_eq!(known, found, "{file}");
        }
    }
}

fn items<'a>(vectors: &'a mut Json, part: &str) -> &'a mut Vec<Json> {
    vectors[part].as_array_mut().unwrap()
}

fn record(state: &Json) -> overwinter::Record {
    let Value::Map(body) = untagged(state) else {
        panic!("{state}");
    };
    overwinter::Record {
        body,
        ..Default::default()
    }
}

fn untagged(json: &Json) -> Value {
    match json {
        Json::Object(map) if map.len() == 1 => match map.iter().next().unwrap() {
            (name, Json::String(text)) if name == "$bytes" => {
                Value::Bytes(hex::decode(text).unwrap())
            }
            (name, Json::String(text)) if name == "$int" => Value::Int(text.parse().unwrap()),
            (name, Json::String(text)) if name == "$float" => Value::Float(text.parse().unwrap()),
            (name, value) => Value::Map([(name.clone(), untagged(value))].into_iter().collect()),
        },
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(name, value)| (name.clone(), untagged(value)))
                .collect(),
        ),
        Json::Array(items) => Value::List(items.iter().map(untagged).collect()),
        scalar => serde_json::from_value(scalar.clone()).unwrap(),
    }
}

fn tagged(value: &Value) -> Json {
    match value {
        Value::Bytes(bytes) => json!({"$bytes": hex::encode(bytes)}),
        Value::Int(int) if i64::try_from(*int).is_err() => json!({"$int": int.to_string()}),
        Value::Float(float) if !float.is_finite() => json!({"$float": float.to_string()}),
        Value::List(items) => items.iter().map(tagged).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(name, value)| (name.to_owned(), tagged(value)))
            .collect(),
        scalar => serde_json::to_value(scalar).unwrap(),
    }
}

fn succeeds(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
