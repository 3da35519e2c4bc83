//! The note taker under calloop.

mod note;

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, Mode, PostAction};
use note::{Note, Screen, Typed};
use overwinter::{AppInfo, Reason, Session, loops};

fn main() -> calloop::Result<()> {
    let (screen, mut typed) = (Screen::default(), Typed::default());
    let shown = screen.clone();
    let session = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
        .live("Notes", move |note| shown.show(note))
        .connect();
    if session.reason() == Reason::Launch {
        session.add(Note::default());
    }

    let mut event_loop = EventLoop::<bool>::try_new()?;
    let handle = event_loop.handle();
    handle
        .insert_source(loops::calloop::Source::new(&session), |(), session, end| {
            *end = session.has_ended();
        })
        .map_err(|e| e.error)?;
    let input = Generic::new(std::io::stdin(), Interest::READ, Mode::Level);
    handle
        .insert_source(input, move |_, _, end| {
            match typed.lines()? {
                Some(lines) => lines.into_iter().for_each(|line| screen.type_in(line)),
                None => *end = true,
            }
            Ok(PostAction::Continue)
        })
        .map_err(|e| e.error)?;
    let mut end = false;
    while !end {
        event_loop.dispatch(None, &mut end)?;
    }
    session.flush();
    Ok(())
}
