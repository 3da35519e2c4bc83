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
use overwinter_editor::window::{DocWindow, Role};

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
}
