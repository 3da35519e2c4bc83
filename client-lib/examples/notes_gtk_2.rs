//! Version 2 of `notes_gtk`, as docs/guide.md makes it.

use gtk4::prelude::*;
use gtk4::{Application, ApplicationWindow, TextView};
use overwinter::{AppInfo, Live, Reason, Rest, Session, State, gtk};

#[derive(State, Clone, Default)]
#[state(id = "org.example.Notes/document", version = 2)]
#[state(lens(1 => 2, rename("text", "body"), add("pinned", false)))]
struct Note {
    body: String,
    pinned: bool,
    rest: Rest,
}

fn show(app: &Application, note: &Live<Note>) {
    let view = TextView::new();
    let buffer = view.buffer();
    buffer.set_text(&note.get().body);

    let changed = note.clone();
    buffer.connect_changed(move |_| changed.changed()); // when it changed
    note.on_capture(move |note| {
        // what it is
        let (start, end) = buffer.bounds();
        note.body = buffer.text(&start, &end, true).into();
    });

    let window = ApplicationWindow::builder()
        .application(app)
        .title("Note")
        .default_width(400)
        .default_height(300)
        .child(&view)
        .build();
    gtk::show(&window, note); // tied to the session, and presented
}

fn main() {
    let app = Application::builder()
        .application_id("org.example.Notes")
        .build();
    app.connect_startup(|app| {
        let own = app.clone();
        let notes = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
            .live("Note", move |note: &Live<Note>| show(&own, note));
        let session = gtk::connect(notes, app);
        // The session starts programs too, to bring something back; then nothing is opened of our own accord.
        let launched = std::cell::Cell::new(session.reason() == Reason::Launch);
        app.connect_activate(move |_| {
            if launched.replace(true) {
                session.add(Note::default());
            }
        });
    });
    app.run();
}
