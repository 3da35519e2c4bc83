//! Text that is in no file stays until its user has let go of it, whatever happens while a question or a write is under way.
//!
//! Starts an X server of its own (Xvfb) and fails where there is none.

mod support;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gtk4::prelude::*;
use gtk4::{gio, glib};
use libadwaita as adw;
use libadwaita::prelude::*;
use overwinter_editor::app::App;
use overwinter_editor::document::Document;
use overwinter_editor::release::RELEASE_2;
use overwinter_editor::window::{DocWindow, Role, Saving};

/// Runs the main loop until there is a value.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let context = glib::MainContext::default();
    let until = Instant::now() + Duration::from_secs(30);
    let woken = glib::timeout_add_local(Duration::from_millis(20), || glib::ControlFlow::Continue);
    loop {
        if let Some(value) = look() {
            woken.remove();
            return value;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        context.iteration(true);
    }
}

/// A shown document with unsaved text, and how often it was told to be closed.
fn window(app: &Rc<App>, path: Option<&Path>) -> (Rc<DocWindow>, Rc<Cell<u32>>) {
    let document = Document {
        path: path.map(|path| path.to_str().expect("a UTF-8 path").to_owned()),
        ..Document::default()
    };
    let (window, _) = app.add_window(&document, Role::Live);
    let closed = Rc::new(Cell::new(0));
    let count = closed.clone();
    window.on_closed(move || count.set(count.get() + 1));
    window.window.present();
    window.view().buffer().insert_at_cursor("unsaved");
    (window, closed)
}

/// The question that `window` asks, once it asks.
fn question(window: &DocWindow) -> adw::MessageDialog {
    let parent = window.window.clone().upcast::<gtk4::Window>();
    wait_for("a question", || {
        gtk4::Window::list_toplevels()
            .into_iter()
            .filter_map(|top| top.downcast::<adw::MessageDialog>().ok())
            .find(|dialog| dialog.is_visible() && dialog.transient_for().as_ref() == Some(&parent))
    })
}

/// The question with these words in its heading.
fn question_titled(window: &DocWindow, words: &str) -> adw::MessageDialog {
    wait_for("another question", || {
        Some(question(window)).filter(|dialog| dialog.heading().is_some_and(|h| h.contains(words)))
    })
}

fn start<T: 'static>(doing: impl Future<Output = T> + 'static) -> Rc<Cell<Option<T>>> {
    let end = Rc::new(Cell::new(None));
    let told = end.clone();
    glib::spawn_future_local(async move { told.set(Some(doing.await)) });
    end
}

/// The revision has to count what is typed before a window has found its place: what does not count is let go of unsaved.
fn typing_counts_from_the_first_key_on(app: &Rc<App>) {
    let (window, _) = app.add_window(&Document::default(), Role::Live);
    let changes = Rc::new(Cell::new(0));
    let count = changes.clone();
    window.on_changed(move || count.set(count.get() + 1));
    window.view().buffer().insert_at_cursor("x");
    assert!(changes.get() > 0, "typed before the window was laid out");
    window.drop_copy();
}

fn a_copy_that_was_retired_meanwhile_is_not_closed(app: &Rc<App>) {
    let (window, closed) = window(app, None);
    let end = start(window.clone().ask_and_close());
    let question = question(&window);
    window.retire();
    question.response("discard");
    assert!(!wait_for("the answer's end", || end.take()));
    assert_eq!(closed.get(), 0);
    assert_eq!(app.gtk.windows().len(), 1, "it is kept for undo");
    window.drop_copy();
}

fn what_is_typed_while_the_file_is_written_keeps_the_window_open(app: &Rc<App>, folder: &Path) {
    let path = folder.join("written");
    let (window, closed) = window(app, Some(&path));
    let end = start(window.clone().ask_and_close());
    question(&window).response("save");
    // Runs right behind the one that was just woken: that one has begun to write, and ends in a later turn of the loop.
    let typing = window.clone();
    glib::spawn_future_local(async move {
        typing.view().buffer().insert_at_cursor(" and more");
    });
    assert!(!wait_for("the answer's end", || end.take()));
    assert_eq!(closed.get(), 0);
    assert!(window.view().buffer().is_modified());
    assert_eq!(
        std::fs::read_to_string(&path).expect("it was written"),
        "unsaved"
    );
    window.drop_copy();
}

/// Somebody else makes the file after a document was given its name: neither text goes without a word.
fn a_file_that_somebody_else_made_meanwhile_is_not_overwritten_unasked(
    app: &Rc<App>,
    folder: &Path,
) {
    let path = folder.join("new");
    let (window, _) = window(app, Some(&path));
    std::fs::write(&path, "theirs").expect("the folder can be written");
    let text = || std::fs::read_to_string(&path).expect("it is there");
    let end = start(window.clone().save());
    question(&window).response("cancel");
    assert_eq!(wait_for("the save's end", || end.take()), Saving::Cancelled);
    assert_eq!(text(), "theirs");
    assert!(window.view().buffer().is_modified());

    // A copy that was retired while the question stood writes nothing.
    let end = start(window.clone().save());
    let asked = question(&window);
    window.retire();
    asked.response("overwrite");
    assert_eq!(wait_for("the save's end", || end.take()), Saving::Cancelled);
    assert_eq!(text(), "theirs");

    window.adopt();
    let end = start(window.clone().save());
    question(&window).response("overwrite");
    assert_eq!(wait_for("the save's end", || end.take()), Saving::Done);
    assert_eq!(text(), "unsaved");
    window.drop_copy();
}

/// The second knows the file as the first has left it, and does not take it for somebody else's.
fn two_saves_at_once_ask_nothing(app: &Rc<App>, folder: &Path) {
    let path = folder.join("twice");
    let (window, _) = window(app, Some(&path));
    for _ in 0..2 {
        let ends = [start(window.clone().save()), start(window.clone().save())];
        for end in ends {
            assert_eq!(wait_for("the save's end", || end.take()), Saving::Done);
        }
        window.view().buffer().insert_at_cursor("more");
    }
    std::fs::remove_file(&path).expect("it was written");
    // What was deleted is made again.
    let end = start(window.clone().save());
    assert_eq!(wait_for("the save's end", || end.take()), Saving::Done);
    let text = std::fs::read_to_string(&path).expect("it was written");
    assert_eq!(text, "unsavedmoremore");
    window.drop_copy();
}

fn what_cannot_be_written_stays_in_the_window(app: &Rc<App>, folder: &Path) {
    let directory = folder.join("directory");
    std::fs::create_dir(&directory).expect("the folder can be written");
    let gone = folder.join("gone");
    std::fs::create_dir(&gone).expect("the folder can be written");
    for path in [&directory, &gone.join("file")] {
        let (window, closed) = window(app, Some(path));
        if path != &directory {
            let end = start(window.clone().save());
            assert_eq!(wait_for("the save's end", || end.take()), Saving::Done);
            window.view().buffer().insert_at_cursor(" and more");
            std::fs::remove_dir_all(&gone).expect("it is there");
        }
        let text = window.capture();
        let end = start(window.clone().ask_and_close());
        question(&window).response("save");
        if path == &directory {
            // A folder of that name is there already, so it is asked about; replacing it is refused.
            question_titled(&window, "exists").response("overwrite");
        }
        assert!(
            !wait_for("the answer's end", || end.take()),
            "it was closed"
        );
        assert_eq!(closed.get(), 0);
        assert!(window.view().buffer().is_modified());
        assert_eq!(window.capture().history, text.history);
        assert!(directory.is_dir());
        window.drop_copy();
    }
}

/// One test: GTK belongs to the thread that initialized it.
#[test]
fn unsaved_text_stays() {
    let _display = support::Display::start();
    let app = App::new(&RELEASE_2);
    app.gtk
        .set_flags(app.gtk.flags() | gio::ApplicationFlags::NON_UNIQUE);
    app.gtk
        .register(gio::Cancellable::NONE)
        .expect("GTK starts up");
    let folder = tempfile::tempdir().expect("a folder for files");
    typing_counts_from_the_first_key_on(&app);
    a_copy_that_was_retired_meanwhile_is_not_closed(&app);
    what_is_typed_while_the_file_is_written_keeps_the_window_open(&app, folder.path());
    a_file_that_somebody_else_made_meanwhile_is_not_overwritten_unasked(&app, folder.path());
    two_saves_at_once_ask_nothing(&app, folder.path());
    what_cannot_be_written_stays_in_the_window(&app, folder.path());
}
