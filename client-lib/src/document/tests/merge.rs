//! What comes back from the origin, element by element.

use super::*;

mod old {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Book", version = 1)]
    pub struct Book {
        pub folds: Vec<Fold>,
        pub lines: Vec<Line>,
        pub pages: std::collections::BTreeMap<String, Page>,
        pub author: String,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    pub struct Fold {
        pub number: u64,
        pub from: u64,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    pub struct Line {
        pub text: String,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    pub struct Page {
        pub notes: Vec<Fold>,
        pub rest: Rest,
    }
}

mod new {
    use super::*;
    #[derive(Debug, Clone, PartialEq, State)]
    #[state(id = "org.example.Book", version = 2)]
    #[state(lens(1 => 2,
        each("folds", rename("number", "id"), add("color", "red")),
        rename("folds", "regions"),
        each("lines", add("bold", false)),
        each("pages", each("notes", rename("number", "id"), add("color", "red"))),
        split("author", " " => "first", "last")))]
    pub struct Book {
        #[state(key = id)]
        pub regions: Vec<Fold>,
        pub lines: Vec<Line>,
        pub pages: std::collections::BTreeMap<String, Page>,
        pub first: String,
        pub last: String,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    pub struct Fold {
        pub id: u64,
        pub from: u64,
        pub color: String,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    pub struct Line {
        pub text: String,
        pub bold: bool,
        pub rest: Rest,
    }
    #[derive(Debug, Clone, PartialEq, State)]
    pub struct Page {
        #[state(key = id)]
        pub notes: Vec<Fold>,
        pub rest: Rest,
    }
}

fn fold(id: u64, color: &str) -> new::Fold {
    new::Fold {
        id,
        from: id * 10,
        color: color.into(),
        rest: Rest::default(),
    }
}

fn line(text: &str, bold: bool) -> new::Line {
    new::Line {
        text: text.into(),
        bold,
        rest: Rest::default(),
    }
}

fn book() -> new::Book {
    let page = new::Page {
        notes: vec![fold(7, "green"), fold(8, "black")],
        rest: Rest::default(),
    };
    new::Book {
        regions: vec![fold(1, "blue"), fold(2, "white"), fold(3, "red")],
        lines: vec![line("a", true), line("b", false), line("c", true)],
        pages: [("one".to_owned(), page)].into(),
        first: "Selma".into(),
        last: "Lagerlöf".into(),
        rest: Rest::default(),
    }
}

/// What version 2 has after version 1 made `edit`.
fn after(edit: impl FnOnce(&mut old::Book)) -> Restored<new::Book> {
    let mut older = restore::<old::Book>(&save(&book()).unwrap()).unwrap();
    assert_eq!(older.value.author, "Selma Lagerlöf");
    assert_eq!(
        paths(&older.loss),
        [
            "pages.one.notes[0].color",
            "pages.one.notes[1].color",
            "lines[0].bold",
            "lines[2].bold",
            "folds[0].color",
            "folds[1].color",
        ]
    );
    edit(&mut older.value);
    let saved = save_with_origin(&older.value, older.origin.as_ref()).unwrap();
    restore::<new::Book>(&saved.bytes).unwrap()
}

#[test]
fn nothing_edited_is_everything_back() {
    let back = after(|_| {});
    assert_eq!(back.value, book());
    assert!(back.loss.is_empty());
}

#[test]
fn elements_with_a_key_are_the_same_wherever_they_stand() {
    let back = after(|book| {
        book.folds.remove(1);
        book.folds.reverse();
        book.folds[0].from = 31;
        book.folds.insert(
            0,
            old::Fold {
                number: 9,
                from: 90,
                rest: Rest::default(),
            },
        );
        let notes = &mut book.pages.get_mut("one").unwrap().notes;
        notes.reverse();
        notes.truncate(1);
    });
    let third = new::Fold {
        from: 31,
        ..fold(3, "red")
    };
    assert_eq!(back.value.regions, [fold(9, "red"), third, fold(1, "blue")]);
    assert_eq!(back.value.pages["one"].notes, [fold(8, "black")]);
    assert!(back.loss.is_empty());
}

#[test]
fn elements_without_a_key_are_known_by_their_place_and_neighbours() {
    let edited = after(|book| book.lines[0].text = "A".into());
    assert_eq!(
        edited.value.lines,
        [line("A", true), line("b", false), line("c", true)]
    );

    let inserted = after(|book| {
        let new = old::Line {
            text: "new".into(),
            rest: Rest::default(),
        };
        book.lines.insert(1, new);
    });
    assert_eq!(
        inserted.value.lines,
        [
            line("a", true),
            line("new", false),
            line("b", false),
            line("c", true)
        ]
    );
    let deleted = after(|book| drop(book.lines.remove(0)));
    assert_eq!(deleted.value.lines, [line("b", false), line("c", true)]);
    assert!(inserted.loss.is_empty() && deleted.loss.is_empty());

    let both = after(|book| {
        book.lines.remove(0);
        book.lines[0].text = "B".into();
    });
    assert_eq!(both.value.lines, [line("B", false), line("c", true)]);
    let told: Vec<_> = both
        .loss
        .iter()
        .map(|loss| (loss.path.as_str(), loss.reason))
        .collect();
    assert_eq!(told, [("lines", LossReason::Unpaired)]);
}

#[test]
fn elements_without_a_key_that_changed_places_keep_what_is_theirs() {
    let swapped = after(|book| book.lines.swap(0, 1));
    assert_eq!(
        swapped.value.lines,
        [line("b", false), line("a", true), line("c", true)]
    );
    // As many as before, but not the same.
    let moved_up = after(|book| {
        book.lines.remove(0);
        book.lines.push(old::Line {
            text: "new".into(),
            rest: Rest::default(),
        });
    });
    assert_eq!(
        moved_up.value.lines,
        [line("b", false), line("c", true), line("new", false)]
    );
    assert!(swapped.loss.is_empty());
    // It may as well have been "a" that was moved and edited.
    assert_eq!(paths(&moved_up.loss), ["lines"]);
    // An edit does not cost its neighbours theirs.
    let edited = after(|book| {
        let new = |text: &str| old::Line {
            text: text.into(),
            rest: Rest::default(),
        };
        book.lines.insert(0, new("first"));
        book.lines[2] = new("B");
        book.lines.push(new("last"));
    });
    let bold: Vec<_> = edited.value.lines.iter().map(|line| line.bold).collect();
    assert_eq!(bold, [false, true, false, true, false]);
}

#[test]
fn split_texts_are_joined_edited_and_split_again() {
    let back = after(|book| book.author = "Astrid Anna Lindgren".into());
    assert_eq!(
        (back.value.first.as_str(), back.value.last.as_str()),
        ("Astrid", "Anna Lindgren")
    );
}

/// Version `n` of a document that gains the field `f<n>` with every version; all that `n` knows is in `fields`.
fn version(n: u32) -> Form {
    let step = |n| crate::Step::new(n, vec![Lens::add(format!("f{}", n + 1), 0)]);
    let chain = Chain::new(n, (1..n).map(step).collect()).unwrap();
    Form::new("org.example.Many", [n as u8; 32], chain)
}

#[test]
fn down_and_up_and_down_again_gets_everything_back() {
    let mut body = Map::new();
    for n in 1..=5 {
        body.insert(format!("f{n}"), 100 + n);
    }
    let mut saved = save_record(
        &version(5),
        Record {
            body: body.clone(),
            local: Map::new(),
        },
        None,
    )
    .unwrap();
    for n in [3, 1, 4, 2, 5] {
        let mut back = restore_record(&version(n), &saved.bytes).unwrap();
        assert_eq!(
            back.value.body.len(),
            n as usize,
            "version {n} sees its own fields"
        );
        for (name, value) in back.value.body.iter() {
            assert_eq!(Some(value), body.get(name), "version {n}, {name}");
        }
        // Each edits what it knows: the newest edit of a field wins.
        body.insert("f1", 1000 + n);
        back.value.body.insert("f1", 1000 + n);
        let name = format!("f{n}");
        body.insert(name.as_str(), 2000 + n);
        back.value.body.insert(name.as_str(), 2000 + n);
        saved = save_record(&version(n), back.value, back.origin.as_ref()).unwrap();
    }
    let back = restore_record(&version(5), &saved.bytes).unwrap();
    assert_eq!(back.value.body, body);
    assert!(back.origin.is_none() && back.loss.is_empty());
}
