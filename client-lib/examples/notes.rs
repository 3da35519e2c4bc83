//! A note taker without toolkit or loop library: each line typed is added to the note.
//!
//! Run it inside a session and put it to sleep (`overwinter hibernate`), wake it, update it: the note goes along. Without a
//! session manager it is an ordinary program.

mod note;

use std::os::fd::AsFd;

use note::{Note, Screen, Typed};
use overwinter::{AppInfo, Reason, Session};
use rustix::event::{PollFd, PollFlags, poll};

fn main() -> std::io::Result<()> {
    let (screen, mut typed) = (Screen::default(), Typed::default());
    let shown = screen.clone();
    let session = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
        .live("Notes", move |note| shown.show(note))
        .connect();
    if session.reason() == Reason::Launch {
        session.add(Note::default());
    }

    let input = std::io::stdin();
    while !session.has_ended() {
        let readable = {
            let mut fds = [
                PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(session.as_fd(), PollFlags::IN), // one more descriptor in the loop
            ];
            poll(&mut fds, None)?;
            !fds[0].revents().is_empty()
        };
        session.dispatch();
        if readable {
            match typed.lines()? {
                Some(lines) => lines.into_iter().for_each(|line| screen.type_in(line)),
                None => break,
            }
        }
    }
    session.flush();
    Ok(())
}
