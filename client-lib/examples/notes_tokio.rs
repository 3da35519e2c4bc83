//! The note taker under tokio, on one thread.

mod note;

use note::{Note, Screen};
use overwinter::{AppInfo, Reason, Session, loops};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let screen = Screen::default();
    let ended = std::rc::Rc::new(Notify::new());
    let (shown, end) = (screen.clone(), ended.clone());
    let session = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
        .live("Notes", move |note| shown.show(note))
        .on_quit(move || end.notify_one())
        .connect();
    if session.reason() == Reason::Launch {
        session.add(Note::default());
    }

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let typing = async {
        while let Some(line) = lines.next_line().await? {
            screen.type_in(line);
        }
        Ok(())
    };
    // All on this thread: the session is served between the lines.
    let result = tokio::select! {
        typed = typing => typed,
        served = loops::tokio::serve(session.clone()) => served.map(drop),
        () = ended.notified() => Ok(()),
    };
    session.flush();
    // tokio reads the standard input on a thread of its own, which would be waited for.
    result.map(|()| std::process::exit(0))
}
