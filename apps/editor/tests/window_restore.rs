//! A window made from what another window captured looks the same, pixel by pixel, and captures the same again.
//!
//! Starts an X server of its own (Xvfb) and fails where there is none.

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gtk4::prelude::*;
use gtk4::{gdk, gio, glib};
use libadwaita::prelude::AdwApplicationWindowExt;
use overwinter_editor::app::App;
use overwinter_editor::document::Document;
use overwinter_editor::release::{RELEASE_1, RELEASE_2, Release};
use overwinter_editor::window::{DocWindow, Role};
use support::Display;

/// Runs the main loop until the condition holds.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let context = glib::MainContext::default();
    let until = Instant::now() + Duration::from_secs(30);
    let woken = glib::timeout_add_local(Duration::from_millis(20), || glib::ControlFlow::Continue);
    while !done() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        context.iteration(true);
    }
    woken.remove();
}

fn settled(window: &DocWindow) {
    let done = Rc::new(Cell::new(false));
    let told = done.clone();
    window.on_settled(move || told.set(true));
    wait_until("the window has settled", || done.get());
}

/// Runs the main loop until nothing is left to do and a frame has been painted since.
fn painted(window: &DocWindow) {
    let frames = Rc::new(Cell::new(0));
    let count = frames.clone();
    window.view().queue_draw();
    window.view().add_tick_callback(move |view, _| {
        count.set(count.get() + 1);
        view.queue_draw();
        if count.get() < 3 {
            glib::ControlFlow::Continue
        } else {
            glib::ControlFlow::Break
        }
    });
    let idle = Rc::new(Cell::new(false));
    let told = idle.clone();
    glib::idle_add_local_full(glib::Priority::LOW, move || {
        told.set(true);
        glib::ControlFlow::Break
    });
    wait_until("frames were painted", || frames.get() >= 3 && idle.get());
}

/// What the screen shows where the window shown last is: there is no window manager, so at the upper left.
fn picture(display: &Display, window: &DocWindow) -> Vec<[u8; 3]> {
    // Drawn anew as a whole: where GTK draws over parts of the frame before, the edges of letters depend on what was there.
    let content = window.window.content().expect("a window has content");
    content.set_opacity(0.5);
    painted(window);
    content.set_opacity(1.0);
    painted(window);
    gdk::Display::default().expect("there is a display").sync();
    display.picture(
        window.window.width() as usize,
        window.window.height() as usize,
    )
}

/// Compares pixel by pixel; pictures that differ are left in the target folder to be looked at.
fn assert_looks_the_same(now: &[[u8; 3]], before: &[[u8; 3]], window: &DocWindow, what: &str) {
    if now != before {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        for (name, picture) in [("before.ppm", before), ("now.ppm", now)] {
            let mut file = format!(
                "P6 {} {} 255\n",
                window.window.width(),
                window.window.height()
            )
            .into_bytes();
            file.extend(picture.as_flattened());
            std::fs::write(folder.join(name), file).expect("the folder can be written");
        }
        panic!(
            "{what}: other pixels; see before.ppm and now.ppm in {}",
            folder.display()
        );
    }
}

fn app(release: &'static Release) -> Rc<App> {
    let app = App::new(release);
    // Several of them live in this test: none is to find the other.
    app.gtk
        .set_flags(app.gtk.flags() | gio::ApplicationFlags::NON_UNIQUE);
    app.gtk
        .register(gio::Cancellable::NONE)
        .expect("GTK starts up");
    app
}

fn lines(count: usize) -> Arc<str> {
    (0..count)
        .map(|n| {
            format!(
                "    let line_{n} = \"text of line {n}\"; // é {}\n",
                "x".repeat(n % 50)
            )
        })
        .collect::<String>()
        .into()
}

/// Compares all but the long texts in words that can be read.
fn assert_same(now: &Document, before: &Document, when: &str) {
    let short = |document: &Document| Document {
        base: "".into(),
        history: Vec::new(),
        ..document.clone()
    };
    assert_eq!(short(now), short(before), "{when}");
    assert!(now == before, "{when}: other text or history");
}

/// Types, moves, selects, scrolls and undoes as a person would.
fn work_in(window: &DocWindow) {
    let view = window.view();
    let buffer = view.buffer();
    buffer.place_cursor(&buffer.iter_at_line(40).expect("it has that line"));
    for character in ["f", "n", " ", "n", "e", "w", "(", ")", "\n", "x"] {
        buffer.begin_user_action();
        buffer.insert_interactive_at_cursor(character, true);
        buffer.end_user_action();
    }
    buffer.undo();
    let start = buffer.iter_at_line(44).expect("it has that line");
    let mut end = start;
    end.forward_chars(70);
    buffer.select_range(&end, &start);
    let adjustment = view.vadjustment().expect("it scrolls");
    adjustment.set_value(333.0);
}

/// Opens the search bar, which takes what is selected, and stays in it.
fn search_in(window: &DocWindow) {
    let settings = gtk4::Settings::default().expect("there is a display");
    settings.set_gtk_enable_animations(false);
    gtk4::prelude::WidgetExt::activate_action(&window.window, "win.find", None)
        .expect("text can be searched");
    let focus = gtk4::prelude::RootExt::focus(&window.window);
    let entry = focus
        .and_downcast::<gtk4::Text>()
        .expect("keys go to the search bar");
    assert!(entry.text().contains("line 43"));
    entry.set_position(-1);
}

fn a_window_made_from_a_capture_is_the_same(display: &Display, release: &'static Release) {
    let app = app(release);
    let path = Some("/nowhere/example.rs".to_owned());
    let document = Document {
        path,
        base: lines(400),
        width: 700,
        height: 500,
        ..Document::default()
    };
    let (window, loss) = app.add_window(&document, Role::Live);
    assert_eq!(loss, None);
    window.window.present();
    settled(&window);
    work_in(&window);
    search_in(&window);
    if release.zoom_and_wrap {
        gtk4::prelude::WidgetExt::activate_action(&window.window, "win.zoom-in", None)
            .expect("2.0 can zoom");
        gtk4::prelude::WidgetExt::activate_action(&window.window, "win.wrap", None)
            .expect("2.0 can wrap");
    }
    painted(&window);
    let before = window.capture();
    let picture_before = picture(display, &window);
    assert!(before.scroll.top > 0, "it was scrolled");
    assert_eq!(before.undone, 1);

    let (copy, loss) = app.add_window(&before, Role::Trial);
    assert_eq!(loss, None);
    assert_same(&copy.capture(), &before, "before it is shown");
    copy.window.present();
    settled(&copy);
    assert_same(&copy.capture(), &before, "once it has settled");
    painted(&copy);
    assert_same(&copy.capture(), &before, "later");
    let picture_after = picture(display, &copy);
    assert_looks_the_same(&picture_after, &picture_before, &copy, release.version);

    window.drop_copy();
    copy.adopt();
    copy.view().buffer().redo();
    assert_eq!(copy.capture().undone, 0);
    copy.retire();
    assert!(!copy.window.is_visible());
    copy.adopt();
    assert!(copy.window.is_visible());
    copy.drop_copy();
    let gone = [Rc::downgrade(&window), Rc::downgrade(&copy)];
    drop((window, copy));
    while glib::MainContext::default().iteration(false) {}
    assert!(
        gone.iter().all(|window| window.upgrade().is_none()),
        "windows are dropped with what they hold"
    );
    assert!(app.gtk.windows().is_empty(), "nothing is left of them");
}

fn changes_are_told_and_the_way_to_the_place_is_none() {
    let app = app(&RELEASE_2);
    let (window, _) = app.add_window(
        &Document {
            base: lines(300),
            ..Document::default()
        },
        Role::Live,
    );
    let changes = Rc::new(Cell::new(0));
    let count = changes.clone();
    window.on_changed(move || count.set(count.get() + 1));
    window.window.present();
    settled(&window);
    painted(&window);
    assert_eq!(changes.get(), 0, "showing a document does not change it");
    window.view().buffer().insert_at_cursor("x");
    assert!(changes.get() > 0);
    window.drop_copy();
}

fn a_large_document(display: &Display) {
    let app = app(&RELEASE_2);
    let base = lines(16_000);
    println!("document of {} bytes", base.len());
    let document = Document {
        path: Some("/nowhere/large.rs".into()),
        base,
        ..Document::default()
    };
    let (window, _) = app.add_window(&document, Role::Live);
    window.window.present();
    settled(&window);
    let buffer = window.view().buffer();
    let line = buffer.iter_at_line(9_000).expect("it has that line");
    buffer.place_cursor(&line);
    buffer.insert_at_cursor("typed");
    window
        .view()
        .scroll_to_mark(&buffer.get_insert(), 0.0, true, 0.0, 0.5);
    painted(&window);
    let started = Instant::now();
    let capture = window.capture();
    let state = overwinter_editor::state::release_2::Document::from(capture.clone());
    println!("the main thread's part of a save: {:?}", started.elapsed());
    assert_eq!(state.base.len(), capture.base.len());
    assert!(capture.scroll.top > 1000);
    let before = picture(display, &window);
    let started = Instant::now();
    let (copy, _) = app.add_window(&capture, Role::Trial);
    println!("built: {:?}", started.elapsed());
    copy.window.present();
    settled(&copy);
    println!("settled: {:?}", started.elapsed());
    // Lines out of sight may not be laid out yet, so the scroll bars, at the edges, may still grow: all else is there.
    let all_but_scroll_bars = |picture: Vec<[u8; 3]>| -> Vec<[u8; 3]> {
        let (width, height) = (
            window.window.width() as usize,
            window.window.height() as usize,
        );
        picture
            .chunks_exact(width)
            .take(height - 60)
            .flat_map(|line| &line[..width - 30])
            .copied()
            .collect()
    };
    assert!(
        all_but_scroll_bars(picture(display, &copy)) == all_but_scroll_bars(before),
        "other pixels than before"
    );
    assert_same(&copy.capture(), &capture, "the large one");
    copy.drop_copy();
    window.drop_copy();
}

/// One test: GTK belongs to the thread that initialized it.
#[test]
fn windows_come_back() {
    let display = support::Display::start();
    gtk4::init().expect("GTK finds the display");
    gtk4::Settings::default()
        .expect("there is a display")
        .set_gtk_cursor_blink(false);
    a_window_made_from_a_capture_is_the_same(&display, &RELEASE_1);
    a_window_made_from_a_capture_is_the_same(&display, &RELEASE_2);
    changes_are_told_and_the_way_to_the_place_is_none();
    a_large_document(&display);
}
