//! The short form: a document that is one value, saved as it is edited.
#![allow(missing_docs)]

mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use overwinter::session::Builder;
use overwinter::{AppInfo, Live, Reason, Session, Standing, Turn, restore};
use stage::*;

/// An app whose documents are [`Note`]s, and what happened to them.
struct Desk {
    session: Session,
    notes: Rc<RefCell<Vec<Live<Note>>>>,
    turns: Rc<RefCell<Vec<Turn>>>,
}

fn builder(address: &str) -> Builder {
    Session::builder(AppInfo::new("org.example.Notes", "1.0")).bus(address)
}

impl Desk {
    fn start(address: &str) -> Desk {
        let (notes, turns): (Rc<RefCell<Vec<_>>>, Rc<RefCell<Vec<_>>>) = Default::default();
        let (shown, told) = (notes.clone(), turns.clone());
        let session = builder(address)
            .live("A note", move |note: &Live<Note>| {
                let told = told.clone();
                note.on_turn(move |turn| told.borrow_mut().push(turn));
                shown.borrow_mut().push(note.clone());
            })
            .connect();
        Desk {
            session,
            notes,
            turns,
        }
    }

    fn add(&self, text: &str) -> Live<Note> {
        self.session.add(new(text))
    }
}

fn new(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        rest: Default::default(),
    }
}

fn text_of(said: &Said) -> String {
    match said {
        Said::Saved { state, .. } => restore::<Note>(state).unwrap().value.text,
        other => panic!("{other:?}"),
    }
}

/// A desk with one note that the session knows.
fn scene() -> (PrivateBus, Peer, Desk, Live<Note>) {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "launch");
    let desk = Desk::start(&bus.address);
    assert!(matches!(peer.hear(&desk.session), Said::Register { .. }));
    let note = desk.add("one");
    assert_eq!(peer.hear(&desk.session), Said::OpenGroup("A note".into()));
    assert_eq!(text_of(&peer.hear(&desk.session)), "one");
    (bus, peer, desk, note)
}

#[test]
fn edits_are_saved_and_reading_is_not_an_edit() {
    let (_bus, peer, desk, note) = scene();
    assert_eq!(*desk.turns.borrow(), [Turn::Adopted]);
    note.edit(|note| note.text.push_str(" two"));
    note.write().text.push_str(" three");
    assert_eq!(note.group().revision(), 2);
    assert_eq!(note.write().text.len(), "one two three".len());
    assert_eq!(note.group().revision(), 2, "nothing was written");
    assert_eq!(text_of(&peer.hear(&desk.session)), "one two three");
    // What was taken before an edit does not change with it.
    let before = note.get();
    note.on_title(|note| note.text.to_uppercase());
    note.edit(|note| note.text = "four".into());
    assert_eq!(before.text, "one two three");
    let said = peer.hear(&desk.session);
    assert!(
        matches!(&said, Said::Saved { title, .. } if title == "FOUR"),
        "{said:?}"
    );
}

#[test]
fn an_edit_that_panics_halfway_is_saved_as_far_as_it_went() {
    let (_bus, peer, desk, note) = scene();
    let edit = note.clone();
    let edited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        edit.edit(|note| {
            note.text = "half".into();
            panic!("as the test wants it");
        })
    }));
    assert!(edited.is_err());
    assert_eq!(text_of(&peer.hear(&desk.session)), "half");
}

#[test]
fn a_widget_s_own_buffer_is_read_when_it_is_saved() {
    let (_bus, peer, desk, note) = scene();
    let buffer = Rc::new(RefCell::new(Ok("typed".to_owned())));
    let read = buffer.clone();
    note.on_try_capture(move |note| {
        note.text = "half read".into();
        note.text = read.borrow().clone()?;
        Ok(())
    });
    note.changed();
    assert_eq!(text_of(&peer.hear(&desk.session)), "typed");
    assert_eq!(note.get().text, "typed");
    *buffer.borrow_mut() = Err("the buffer is gone".to_owned());
    note.changed();
    peer.begin_save(5, LEASE);
    let said = peer.hear(&desk.session);
    assert!(
        matches!(&said, Said::Failed { op: 5, why } if why == "the buffer is gone"),
        "{said:?}"
    );
    assert_eq!(
        note.get().text,
        "typed",
        "no half-read state is left behind"
    );
    note.on_capture(|_| {});
    note.edit(|note| note.text = "without".into());
    assert_eq!(text_of(&peer.hear(&desk.session)), "without");
}

#[test]
fn a_note_comes_back_through_the_same_function_and_late_keys_count() {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "wake");
    let desk = Desk::start(&bus.address);
    assert!(matches!(peer.hear(&desk.session), Said::Register { .. }));
    peer.restore(40, 3, "wake", 12, &note("slept"));
    assert!(matches!(
        peer.hear(&desk.session),
        Said::Restored { op: 40, .. }
    ));
    let note = desk.notes.borrow()[0].clone();
    assert_eq!(note.reason(), Reason::Wake);
    assert!(note.loss().is_empty());
    assert!(!note.is_live() && desk.turns.borrow().is_empty());
    note.edit(|note| note.text.push_str(" well"));
    assert!(peer.hears_nothing_more(&desk.session));
    peer.ask("Adopt", &(41_u64, GROUP, 3_u64, LEASE)).unwrap();
    let said = peer.hear(&desk.session);
    assert!(
        matches!(&said, Said::Saved { revision: 13, .. }),
        "{said:?}"
    );
    assert_eq!(text_of(&said), "slept well");
    peer.release(42, LEASE, 13, "quit");
    assert!(matches!(
        peer.hear(&desk.session),
        Said::Released { op: 42, .. }
    ));
    pump(&desk.session, || desk.session.has_ended());
    assert_eq!(*desk.turns.borrow(), [Turn::Adopted, Turn::Discarded]);
}

#[test]
fn a_note_that_was_restored_and_not_edited_is_not_saved_again() {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "wake");
    let desk = Desk::start(&bus.address);
    assert!(matches!(peer.hear(&desk.session), Said::Register { .. }));
    peer.restore(50, 3, "wake", 12, &note("slept"));
    assert!(matches!(
        peer.hear(&desk.session),
        Said::Restored { op: 50, .. }
    ));
    peer.ask("Adopt", &(51_u64, GROUP, 3_u64, LEASE)).unwrap();
    let note = desk.notes.borrow()[0].clone();
    pump(&desk.session, || note.is_live());
    // A widget that reports a change while it is laid out.
    note.changed();
    assert!(!note.group().is_stored());
    pump(&desk.session, || note.group().is_stored());
    assert_eq!(note.group().revision(), 12);
    assert!(peer.hears_nothing_more(&desk.session));
}

#[test]
fn what_hooks_hold_on_to_goes_with_the_document() {
    let desk = Desk::start("unix:path=/nonexistent/bus");
    let note = desk.add("one");
    assert_eq!(note.group().standing(), Standing::Alone);
    let held = Rc::new(Cell::new(()));
    let (hook, own) = (held.clone(), note.clone());
    note.on_turn(move |_| {
        hook.set(());
        let _ = own.get();
    });
    assert_eq!(Rc::strong_count(&held), 2);
    note.close();
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(note.get().text, "one");
    note.edit(|note| note.text.push('!'));
}
