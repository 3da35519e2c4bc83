//! A note taker with GTK 4, one text per window: the program of docs/guide.md.

use gtk4::prelude::*;
use gtk4::{Application, ApplicationWindow, TextView};
use overwinter::{AppInfo, Live, Reason, Rest, Session, State, gtk};

#[derive(State, Clone, Default)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note {
    text: String,
    rest: Rest,
}

fn show(app: &Application, note: &Live<Note>) {
    let view = TextView::new();
    let buffer = view.buffer();
    buffer.set_text(&note.get().text);

    let changed = note.clone();
    buffer.connect_changed(move |_| changed.changed()); // when it changed
    note.on_capture(move |note| {
        // what it is
        let (start, end) = buffer.bounds();
        note.text = buffer.text(&start, &end, true).into();
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
        let notes = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
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
