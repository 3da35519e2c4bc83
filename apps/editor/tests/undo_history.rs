//! A buffer rebuilt from base and log undoes and redoes exactly as the one that was written down: text by text, and with
//! the same steps joined. Random edits, made the way a person's edits reach a text buffer.
//!
//! Starts an X server of its own (Xvfb) and fails where there is none.

mod support;

use std::sync::Arc;

use gtk4::prelude::*;
use overwinter_editor::history::{fold, iter_at, rebuild, selection, whole_text};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What a person does to a text buffer.
#[derive(Clone, Debug)]
enum Does {
    /// Types characters, each a user action, over the selection if there is one.
    Type(String),
    Backspace,
    DeleteForward,
    Click(prop::sample::Index),
    Select(prop::sample::Index, prop::sample::Index),
    /// Several changes that are one step: replace all, paste over a selection.
    Replace(String, String),
    /// A change that code makes, outside of any user action.
    Program(prop::sample::Index, String),
    ProgramDelete(prop::sample::Index, prop::sample::Index),
    Undo,
    Redo,
    Save,
}

fn does() -> impl Strategy<Value = Does> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => "[a-c é\n]{1,5}".prop_map(Does::Type),
        3 => Just(Does::Backspace),
        2 => Just(Does::DeleteForward),
        3 => index().prop_map(Does::Click),
        2 => (index(), index()).prop_map(|(a, b)| Does::Select(a, b)),
        1 => ("[a-c]", "[x-z ]{0,3}").prop_map(|(from, to)| Does::Replace(from, to)),
        1 => (index(), "[p-r \n]{1,4}").prop_map(|(at, text)| Does::Program(at, text)),
        1 => (index(), index()).prop_map(|(a, b)| Does::ProgramDelete(a, b)),
        4 => Just(Does::Undo),
        2 => Just(Does::Redo),
        1 => Just(Does::Save),
    ]
}

fn length(buffer: &gtk4::TextBuffer) -> usize {
    buffer.char_count() as usize
}

fn at(buffer: &gtk4::TextBuffer, index: &prop::sample::Index) -> gtk4::TextIter {
    buffer.iter_at_offset(index.index(length(buffer) + 1) as i32)
}

fn act(buffer: &gtk4::TextBuffer, does: &Does, save: impl Fn()) {
    match does {
        Does::Type(text) => {
            for character in text.chars() {
                buffer.begin_user_action();
                buffer.delete_selection(true, true);
                buffer.insert_interactive_at_cursor(&character.to_string(), true);
                buffer.end_user_action();
            }
        }
        Does::Backspace => {
            if !buffer.delete_selection(true, true) {
                buffer.backspace(&mut buffer.iter_at_mark(&buffer.get_insert()), true, true);
            }
        }
        Does::DeleteForward => {
            let mut start = buffer.iter_at_mark(&buffer.get_insert());
            let mut end = start;
            if end.forward_char() {
                buffer.delete_interactive(&mut start, &mut end, true);
            }
        }
        Does::Click(to) => buffer.place_cursor(&at(buffer, to)),
        Does::Select(a, b) => buffer.select_range(&at(buffer, a), &at(buffer, b)),
        Does::Replace(from, to) => {
            buffer.begin_user_action();
            let mut search = buffer.start_iter();
            while let Some((mut start, mut end)) =
                search.forward_search(from, gtk4::TextSearchFlags::TEXT_ONLY, None)
            {
                buffer.delete(&mut start, &mut end);
                buffer.insert(&mut start, to);
                search = start;
            }
            buffer.end_user_action();
        }
        Does::Program(to, text) => buffer.insert(&mut at(buffer, to), text),
        Does::ProgramDelete(a, b) => buffer.delete(&mut at(buffer, a), &mut at(buffer, b)),
        Does::Undo => buffer.undo(),
        Does::Redo => buffer.redo(),
        Does::Save => save(),
    }
}

/// A buffer's text, selection and whether it counts as changed.
type Seen = (String, (u32, u32), bool, bool, bool);

fn seen(buffer: &gtk4::TextBuffer) -> Seen {
    let text = whole_text(buffer).into();
    (
        text,
        selection(buffer),
        buffer.is_modified(),
        buffer.can_undo(),
        buffer.can_redo(),
    )
}

/// Everything a buffer shows on the way back to its oldest state, forth to its newest, and back again.
fn walk(buffer: &gtk4::TextBuffer) -> Vec<Seen> {
    let mut all = vec![seen(buffer)];
    for _ in 0..2 {
        while buffer.can_undo() {
            buffer.undo();
            all.push(seen(buffer));
        }
        while buffer.can_redo() {
            buffer.redo();
            all.push(seen(buffer));
        }
    }
    all
}

fn rebuilt_like_the_original(
    base: &str,
    before: &[Does],
    after: &[Does],
) -> Result<(), TestCaseError> {
    let original = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    let (recorder, loss) = rebuild(&original, base, "");
    prop_assert_eq!(loss, None);
    before
        .iter()
        .for_each(|does| act(&original, does, || recorder.mark_saved(&original)));

    let copy = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    let written = recorder.log().written();
    let (again, loss) = rebuild(&copy, &recorder.base(), &written);
    prop_assert_eq!(loss, None);
    prop_assert_eq!(again.log().written(), written);
    let (caret, anchor) = selection(&original);
    copy.select_range(&iter_at(&copy, caret), &iter_at(&copy, anchor));
    prop_assert_eq!(seen(&copy), seen(&original));

    // Both go on in the same way: what comes later joins, or does not join, what was there.
    after
        .iter()
        .for_each(|does| act(&original, does, || recorder.mark_saved(&original)));
    after
        .iter()
        .for_each(|does| act(&copy, does, || again.mark_saved(&copy)));
    prop_assert_eq!(again.log().written(), recorder.log().written());
    prop_assert_eq!(walk(&copy), walk(&original));
    Ok(())
}

fn ten_thousand_insertions_are_rebuilt_at_once() {
    let original = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    let (recorder, _) = rebuild(&original, "", "");
    for n in 0..10_000 {
        act(
            &original,
            &Does::Type(if n % 7 == 0 { " ".into() } else { "x".into() }),
            || (),
        );
    }
    let started = std::time::Instant::now();
    let copy = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    let (_, loss) = rebuild(&copy, &recorder.base(), &recorder.log().written());
    println!("10,000 typed characters rebuilt in {:?}", started.elapsed());
    assert_eq!(loss, None);
    assert_eq!(whole_text(&copy), whole_text(&original));
}

/// A log that was shortened gives the same text, and the same steps back as far as it reaches.
fn a_long_history_is_shortened_where_nobody_notices() {
    let original = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    let (recorder, _) = rebuild(&original, "", "");
    let context = gtk4::glib::MainContext::default();
    let mut longest = 0;
    for n in 0..25_000 {
        act(
            &original,
            &Does::Type(if n % 7 == 0 { " ".into() } else { "x".into() }),
            || (),
        );
        if n % 100 == 50 {
            act(&original, &Does::Undo, || ());
        }
        longest = longest.max(recorder.log().len());
        while context.pending() {
            context.iteration(false);
        }
    }
    assert!(longest > fold::MOST_ENTRIES && recorder.log().len() < fold::MOST_ENTRIES);
    let copy = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    let (_, loss) = rebuild(&copy, &recorder.base(), &recorder.log().written());
    assert_eq!(loss, None);
    let mut steps = 0;
    while copy.can_undo() {
        assert!(
            whole_text(&copy) == whole_text(&original),
            "after {steps} steps back"
        );
        copy.undo();
        original.undo();
        steps += 1;
    }
    assert!(steps > 1000, "only {steps} steps were left");
}

fn a_log_that_does_not_fit_costs_history_and_no_text() {
    let buffer = sourceview5::Buffer::new(None).upcast::<gtk4::TextBuffer>();
    for written in [
        "i 99 x\n",
        "d 0 99 0 0\n",
        "u 1\n",
        "r\n",
        "gibberish\n",
        "i 0\n",
        "}\n}\nd 1 1 99 99\ni 400 x",
    ] {
        let (recorder, loss) = rebuild(&buffer, "text", written);
        assert!(loss.is_some(), "{written:?} fits nothing");
        assert_eq!(whole_text(&buffer), "text");
        assert_eq!(&*recorder.base(), "text");
        assert_eq!(recorder.base(), Arc::from("text"));
    }
}

/// One test: GTK belongs to the thread that initialized it.
#[test]
fn undo_history_survives() {
    let _display = support::Display::start();
    gtk4::init().expect("GTK finds the display");
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let histories = (
        "[a-c \n]{0,20}",
        prop::collection::vec(does(), 0..60),
        prop::collection::vec(does(), 0..20),
    );
    runner
        .run(&histories, |(base, before, after)| {
            rebuilt_like_the_original(&base, &before, &after)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    ten_thousand_insertions_are_rebuilt_at_once();
    a_log_that_does_not_fit_costs_history_and_no_text();
    a_long_history_is_shortened_where_nobody_notices();
}
