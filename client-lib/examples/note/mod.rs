//! A note taker's own logic: what a note is, and how lines get into it. The examples beside this folder are the same program under
//! different main loops.

#![allow(dead_code)] // no example needs all of it

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::rc::Rc;

use overwinter::{Live, Rest, State, Turn};

/// What is kept, and how version 1, which knew no pins, becomes version 2.
#[derive(State, Clone, Default)]
#[state(id = "org.example.Notes/document", version = 2)]
#[state(lens(1 => 2, add("pinned", false)))]
pub struct Note {
    pub lines: Vec<String>,
    pub pinned: bool,
    pub rest: Rest,
}

/// The one note that is on the screen.
#[derive(Clone, Default)]
pub struct Screen(Rc<RefCell<Option<Live<Note>>>>);

impl Screen {
    /// Shows a note that appears, for as long as it is the document.
    pub fn show(&self, note: &Live<Note>) {
        let (screen, own) = (self.clone(), note.clone());
        note.on_turn(move |turn| match turn {
            Turn::Adopted => {
                println!("now: {}", own.get().lines.join(" / "));
                *screen.0.borrow_mut() = Some(own.clone());
            }
            Turn::Retired => println!("elsewhere"),
            _ => {}
        });
    }

    /// The user types a line.
    pub fn type_in(&self, line: String) {
        if let Some(note) = self.0.borrow().as_ref().filter(|note| note.is_live()) {
            note.edit(|note| note.lines.push(line));
        }
    }
}

/// Lines from the standard input, without waiting for a whole one.
#[derive(Default)]
pub struct Typed(Vec<u8>);

impl Typed {
    /// What is there, once the input is readable; none at its end.
    pub fn lines(&mut self) -> io::Result<Option<Vec<String>>> {
        let mut piece = [0; 4096];
        let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let read = input.read(&mut piece)?;
        self.0.extend(piece.iter().take(read));
        let mut lines = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).take(end).collect();
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        Ok((read > 0).then_some(lines))
    }
}
