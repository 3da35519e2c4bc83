//! The note taker under GLib's main loop, without GTK.

mod note;

use note::{Note, Screen};
use overwinter::{AppInfo, Reason, Session, loops};

fn main() {
    let screen = Screen::default();
    let main_loop = glib::MainLoop::new(None, false);
    let (shown, quit) = (screen.clone(), main_loop.clone());
    let session = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
        .live("Notes", move |note| shown.show(note))
        .on_quit(move || quit.quit())
        .connect();
    loops::glib::attach(&session);
    if session.reason() == Reason::Launch {
        session.add(Note::default());
    }

    // GLib reads no plain files: the lines come from a thread.
    let (typed, lines) = async_channel::unbounded();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.for_each(|line| drop(typed.send_blocking(line)));
    });
    let end = main_loop.clone();
    glib::spawn_future_local(async move {
        while let Ok(line) = lines.recv().await {
            screen.type_in(line);
        }
        end.quit();
    });
    main_loop.run();
    session.flush();
}
