//! A note taker with one kind of document and no toolkit: each line typed is added to the note.
//!
//! Run it inside a session and put it to sleep (`overwinter hibernate`), wake it, update it: the note goes along. Everything
//! that makes it overwinter is marked with a `*`; without a session manager it is an ordinary program.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::rc::Rc;

use overwinter::{AppInfo, Arrival, Document, Group, Reason, Rest, Session, State};
use rustix::event::{PollFd, PollFlags, poll};

// * What is kept, and how version 1 (which said `text` and knew no pins) becomes version 2.
#[derive(State)]
#[state(id = "org.example.Notes/document", version = 2)]
#[state(lens(1 => 2, rename("text", "lines"), add("pinned", false)))]
struct Note {
    lines: Vec<String>,
    pinned: bool,
    rest: Rest,
}

struct Page {
    group: Group,
    note: RefCell<Note>,
    visible: Cell<bool>,
}

// * How it is taken from the screen and put back.
impl Document for Page {
    type State = Note;

    fn title(&self) -> String {
        "Notes".into()
    }

    fn capture(&self) -> Note {
        let Note {
            lines,
            pinned,
            rest,
        } = &*self.note.borrow();
        Note {
            lines: lines.clone(),
            pinned: *pinned,
            rest: rest.clone(),
        }
    }

    fn adopt(&self) {
        self.visible.set(true);
        println!("{}", self.note.borrow().lines.join("\n"));
    }

    fn retire(&self) {
        self.visible.set(false);
    }

    fn discard(&self) {
        self.visible.set(false);
    }
}

fn main() -> std::io::Result<()> {
    let page: Rc<RefCell<Option<Rc<Page>>>> = Rc::default();
    let ended = Rc::new(Cell::new(false));

    let build = {
        let page = page.clone();
        move |group: &Group, note: Note, visible: bool| {
            let new = Page {
                group: group.clone(),
                note: note.into(),
                visible: visible.into(),
            };
            page.borrow_mut().insert(Rc::new(new)).clone() as Rc<dyn Document<State = Note>>
        }
    };

    // * Say who we are and how a note comes back.
    let (rebuild, end) = (build.clone(), ended.clone());
    let session = Session::builder(AppInfo::new("org.example.Notes", "2.0"))
        .documents(move |group, arrival: Arrival<Note>| Ok(rebuild(group, arrival.state, false)))
        .on_quit(move || end.set(true))
        .connect();
    if session.reason() == Reason::Launch {
        let empty = Note {
            lines: Vec::new(),
            pinned: false,
            rest: Rest::default(),
        };
        session.open("Notes", |group| build(group, empty, true));
    }

    let mut input = BufReader::new(File::from(std::io::stdin().as_fd().try_clone_to_owned()?));
    while !ended.get() {
        let typed = {
            let mut fds = [
                PollFd::from_borrowed_fd(input.get_ref().as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(session.as_fd(), PollFlags::IN), // * one more descriptor in the loop
            ];
            poll(&mut fds, None)?;
            !fds[0].revents().is_empty()
        };
        session.dispatch(); // *
        // What was read ahead is taken at once: the descriptor will not announce it again.
        while typed || !input.buffer().is_empty() {
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                ended.set(true);
                break;
            }
            if let Some(page) = page.borrow().as_ref().filter(|page| page.visible.get()) {
                page.note
                    .borrow_mut()
                    .lines
                    .push(line.trim_end().to_owned());
                page.group.changed(); // * saved within a second
            }
            if input.buffer().is_empty() {
                break;
            }
        }
    }
    session.flush(); // *
    Ok(())
}
