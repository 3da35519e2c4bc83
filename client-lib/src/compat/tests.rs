//! The checks that `compatibility!` makes tests of, seen to fail when they should.

use std::path::Path;

use super::{Compatibility, Lock};
use crate::{Rest, State};

mod v1 {
    use super::*;
    #[derive(State)]
    #[state(id = "org.example.Notes/document", version = 1)]
    pub struct Note {
        pub file: Option<String>,
        pub caret: u64,
        pub folds: Vec<Fold>,
        pub mode: Mode,
        pub rest: Rest,
    }
    #[derive(State)]
    pub struct Fold {
        pub id: u64,
        pub rest: Rest,
    }
    #[derive(State)]
    pub enum Mode {
        Plain,
        Code,
        #[state(other)]
        Other(crate::Value),
    }
}

/// A second version with these attributes on its struct.
macro_rules! v2 {
    ($module:ident, $($attribute:tt)*) => {
        mod $module {
            use super::*;
            #[derive(State)]
            $($attribute)*
            pub struct Note {
                pub path: Option<String>,
                pub selection: Selection,
                pub folds: Vec<v1::Fold>,
                pub mode: v1::Mode,
                pub zoom: f64,
                pub rest: Rest,
            }
            #[derive(State)]
            pub struct Selection {
                pub caret: u64,
                pub rest: Rest,
            }
        }
    };
}

v2!(v2, #[state(id = "org.example.Notes/document", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), plunge("selection", "caret"), add("zoom", 1.0)))]);
v2!(one_taken_out, #[state(id = "org.example.Notes/document", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), plunge("selection", "caret")))]);
v2!(none_left, #[state(id = "org.example.Notes/document", version = 2)]);
v2!(another_default, #[state(id = "org.example.Notes/document", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), plunge("selection", "caret"), add("zoom", 2.0)))]);
v2!(wrong_default, #[state(id = "org.example.Notes/document", version = 2)]
    #[state(lens(1 => 2, rename("file", "path"), plunge("selection", "caret"), add("zoom", 1)))]);
v2!(not_bumped, #[state(id = "org.example.Notes/document", version = 1)]);

fn of<T: State>(folder: &Path) -> Compatibility<T> {
    Compatibility::new(folder).accepting(false)
}

fn accept<T: State>(folder: &Path) {
    of::<T>(folder).accepting(true).schema_is_locked().unwrap();
}

fn all<T: State>(folder: &Path) -> Vec<String> {
    let checks = of::<T>(folder);
    let outcomes = [
        checks.schema_is_locked(),
        checks.lenses_fit_the_schemas(),
        checks.goldens_come_up(),
        checks.golden_goes_down_and_back(),
        checks.lens_laws_hold(),
    ];
    outcomes
        .into_iter()
        .filter_map(Result::err)
        .map(|why| why.to_string())
        .collect()
}

fn released() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    accept::<v1::Note>(folder.path());
    accept::<v2::Note>(folder.path());
    folder
}

#[test]
fn two_releases_keep_their_promises() {
    let folder = released();
    assert_eq!(all::<v1::Note>(folder.path()), [""; 0]);
    assert_eq!(all::<v2::Note>(folder.path()), [""; 0]);
    for golden in ["1.cbor", "2.cbor"] {
        assert!(
            folder
                .path()
                .join("state/org.example.Notes/document")
                .join(golden)
                .exists()
        );
    }
}

#[test]
fn a_new_version_is_not_written_down_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let why = of::<v1::Note>(folder.path())
        .schema_is_locked()
        .unwrap_err()
        .to_string();
    assert_eq!(
        why,
        "org.example.Notes/document: version 1 is not in state.lock yet. When it is ready: OVERWINTER_STATE=accept cargo test, \
         then commit state.lock and the folder state."
    );
    assert!(!folder.path().join("state.lock").exists());
}

#[test]
fn a_schema_that_changed_without_a_new_version_is_told_with_the_lens() {
    let folder = released();
    let why = of::<not_bumped::Note>(folder.path())
        .accepting(true)
        .schema_is_locked()
        .unwrap_err()
        .to_string();
    assert_eq!(
        why,
        "org.example.Notes/document: the schema changed, but it is still called version 1, which is released (state.lock):
    `caret` is gone; it was u64
    `file` is gone; it was text?
    `path` is new: text?
    `selection` is new: record
    `zoom` is new: float
Give it a new version, and say how the one becomes the other:
    #[state(id = \"org.example.Notes/document\", version = 2)]
    #[state(lens(1 => 2, rename(\"file\", \"path\"), remove(\"caret\", 0), add(\"selection\", { \"caret\": 0 }), add(\"zoom\", 0.0)))]
When it is ready: OVERWINTER_STATE=accept cargo test, then commit state.lock and the folder state.
(If version 1 was never released: delete its section in state.lock and state/org.example.Notes/document/1.cbor, and write \
         both anew the same way.)"
    );
}

#[test]
fn a_lens_that_is_taken_out_is_missed() {
    let folder = released();
    let whys = all::<one_taken_out::Note>(folder.path());
    assert!(
        whys[0].contains("the lens 1 => 2 changed, but version 2 is released"),
        "{whys:#?}"
    );
    assert_eq!(
        whys[1],
        "org.example.Notes/document: the lens 1 => 2 does not lead to version 2. What it makes of version 1, and version 2:\n    \
         `zoom` is new: float\nThis is missing: add(\"zoom\", 0.0)"
    );
    assert_eq!(
        whys[2],
        "org.example.Notes/document: the golden state of version 1 does not come up to 2: `zoom`: a float is missing here"
    );
    assert_eq!(whys.len(), 4, "the way down and back, {whys:#?}");
}

#[test]
fn all_lenses_taken_out_are_missed() {
    let folder = released();
    let whys = all::<none_left::Note>(folder.path());
    assert_eq!(
        whys[0],
        "org.example.Notes/document: version 1 is released (state.lock), but no lens leads from it to version 2: who has a state of \
         it would lose it. Put the lens 1 => 2 back."
    );
    assert!(
        whys[1].contains("the golden state of version 1 does not come up to 2"),
        "{whys:#?}"
    );
}

#[test]
fn a_released_step_cannot_change_and_defaults_have_to_fit() {
    let folder = released();
    let whys = all::<another_default::Note>(folder.path());
    assert!(
        whys[0].contains("Take the change back, or make it in a lens 2 => 3."),
        "{whys:#?}"
    );

    let folder = tempfile::tempdir().unwrap();
    accept::<v1::Note>(folder.path());
    let why = of::<wrong_default::Note>(folder.path())
        .accepting(true)
        .schema_is_locked()
        .unwrap_err();
    assert!(
        why.to_string().contains("`zoom` was some int and is float"),
        "{why}"
    );
    assert!(
        Lock::read(folder.path())
            .unwrap()
            .get("org.example.Notes/document", 2)
            .is_none()
    );
}

#[test]
fn what_is_released_is_never_overwritten() {
    let folder = released();
    let lock = std::fs::read(folder.path().join("state.lock")).unwrap();
    let golden = folder
        .path()
        .join("state/org.example.Notes/document/1.cbor");
    let bytes = std::fs::read(&golden).unwrap();
    accept::<v1::Note>(folder.path());
    accept::<v2::Note>(folder.path());
    let _ = of::<not_bumped::Note>(folder.path())
        .accepting(true)
        .schema_is_locked()
        .unwrap_err();
    assert_eq!(
        std::fs::read(folder.path().join("state.lock")).unwrap(),
        lock
    );
    assert_eq!(std::fs::read(golden).unwrap(), bytes);
}

#[test]
fn a_lost_golden_state_and_a_damaged_lock_are_told() {
    let folder = released();
    std::fs::remove_file(
        folder
            .path()
            .join("state/org.example.Notes/document/1.cbor"),
    )
    .unwrap();
    let why = of::<v2::Note>(folder.path())
        .goldens_come_up()
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("version 1 is released (state.lock), but its golden state cannot be read"),
        "{why}"
    );

    let path = folder.path().join("state.lock");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("zoom: float", "zoom: u8")).unwrap();
    let why = of::<v2::Note>(folder.path())
        .schema_is_locked()
        .unwrap_err()
        .to_string();
    assert!(why.contains("it was edited by hand"), "{why}");
}

#[test]
fn an_opaque_field_needs_an_example() {
    #[derive(State)]
    #[state(id = "org.example.Notes/opaque", version = 1)]
    struct Note {
        #[state(opaque)]
        when: std::time::Duration,
        rest: Rest,
    }
    let folder = tempfile::tempdir().unwrap();
    let why = of::<Note>(folder.path())
        .accepting(true)
        .schema_is_locked()
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("compatibility!(…, example), with fn example() -> …"),
        "{why}"
    );
    let with_example = of::<Note>(folder.path())
        .accepting(true)
        .with_example(|| Note {
            when: std::time::Duration::from_secs(3),
            rest: Rest::default(),
        });
    with_example.schema_is_locked().unwrap();
    assert_eq!(all::<Note>(folder.path()), [""; 0]);
}
