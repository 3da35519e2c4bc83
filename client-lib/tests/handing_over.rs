//! What becomes of a state that the session does not take, or not yet: nothing of the user's hangs on one refusal.
#![allow(missing_docs)]

mod stage;

use std::cell::RefCell;
use std::rc::Rc;

use overwinter::{
    AppInfo, Blob, Live, Parts, Rest, Secret, Session, State, Turn, restore, save_with_origin,
    save_with_parts,
};
use stage::*;

#[derive(Debug, Clone, PartialEq, State)]
#[state(id = "org.example.Card/card", version = 1)]
struct Card {
    text: String,
    picture: Option<Blob>,
    rest: Rest,
}

#[derive(Debug, Clone, PartialEq, State)]
#[state(id = "org.example.Card/card", version = 2)]
#[state(lens(1 => 2, add("pin", null)))]
struct Locked {
    text: String,
    picture: Option<Blob>,
    pin: Secret<String>,
    rest: Rest,
}

const PIN: &str = "correct horse battery staple";

fn card(text: &str, picture: Option<Blob>) -> Card {
    Card {
        text: text.to_owned(),
        picture,
        rest: Rest::default(),
    }
}

struct Desk {
    session: Session,
    cards: Rc<RefCell<Vec<Live<Card>>>>,
    peer: Peer,
    _bus: PrivateBus,
}

fn desk() -> Desk {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "launch");
    let cards: Rc<RefCell<Vec<Live<Card>>>> = Rc::default();
    let shown = cards.clone();
    let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
        .bus(&bus.address)
        .live("A card", move |card: &Live<Card>| {
            shown.borrow_mut().push(card.clone());
        })
        .connect();
    assert!(matches!(peer.hear(&session), Said::Register { .. }));
    Desk {
        session,
        cards,
        peer,
        _bus: bus,
    }
}

impl Desk {
    fn open(&self, state: Card) -> Live<Card> {
        let card = self.session.add(state);
        assert!(matches!(self.hear(), Said::OpenGroup(_)));
        card
    }

    fn hear(&self) -> Said {
        self.peer.hear(&self.session)
    }

    fn saved(&self) -> (Vec<u8>, Along) {
        loop {
            match self.hear() {
                Said::Saved { state, along, .. } => return (state, along),
                Said::PutBlob { .. } | Said::GetBlob { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Brings `state` back as copy `copy`; it is built when this returns.
    fn restored(&self, copy: u64, state: &[u8], along: &Along) {
        self.peer
            .restore_with(80 + copy, copy, "wake", 1, state, along);
        assert!(matches!(self.hear(), Said::Restored { .. }));
    }

    fn adopted(&self, copy: u64) -> Live<Card> {
        let last = self.cards.borrow().last().cloned().unwrap();
        self.peer
            .ask("Adopt", &(180 + copy, GROUP, copy, LEASE))
            .unwrap();
        pump(&self.session, || last.is_live());
        last
    }
}

#[test]
fn a_state_that_was_not_taken_is_handed_over_again_unasked() {
    let desk = desk();
    // One more than it is asked for each state.
    *desk.peer.busy.lock().unwrap() = 4;
    desk.open(card("one", Some(Blob::new(b"a picture".as_slice()))));
    let (_, along) = desk.saved();
    assert_eq!(along.blobs.len(), 1);
}

#[test]
fn a_picture_that_is_lost_does_not_keep_the_rest_from_being_saved() {
    let desk = desk();
    desk.open(card("one", Some(Blob::new(b"a picture".as_slice()))));
    let (state, along) = desk.saved();
    desk.restored(8, &state, &along);
    let card = desk.adopted(8);
    desk.peer.shelf.lock().unwrap().clear();
    card.edit(|card| card.text.push_str(" two"));
    let (state, along) = desk.saved();
    assert_eq!(along.blobs, []);
    let read = restore::<Card>(&state).unwrap().value;
    assert_eq!(read.text, "one two");
    assert!(
        read.picture.is_some(),
        "it is still known that there was one"
    );
    // It is not looked for each time, and counts again once it is put there anew.
    card.edit(|card| card.text.push_str(" three"));
    assert!(matches!(desk.hear(), Said::Saved { .. }));
    card.edit(|card| card.picture = Some(Blob::new(b"a picture".as_slice())));
    assert_eq!(desk.saved().1.blobs.len(), 1);
}

#[test]
fn a_picture_that_the_session_still_finds_is_given_again() {
    let desk = desk();
    let picture = b"a picture".as_slice();
    desk.open(card("one", Some(Blob::new(picture))));
    let (state, along) = desk.saved();
    desk.restored(8, &state, &along);
    let card = desk.adopted(8);
    let hash = along.blobs[0].0.clone();
    *desk.peer.let_go.lock().unwrap() = Some(hash.clone());
    card.edit(|card| card.text.push_str(" two"));
    assert_eq!(
        desk.hear(),
        Said::GetBlob {
            copy: 8,
            hash: hash.clone()
        }
    );
    assert_eq!(desk.hear(), Said::PutBlob { lease: LEASE, hash });
    assert_eq!(desk.saved().1.blobs, along.blobs);
}

#[test]
fn a_copy_that_goes_takes_nothing_from_one_that_comes() {
    let desk = desk();
    // What an older program has of a state whose newer part holds a secret.
    let newer = Locked {
        text: "one".to_owned(),
        picture: None,
        pin: Secret::new(PIN.to_owned()),
        rest: Rest::default(),
    };
    let (newer, parts) = save_with_parts(&newer, None, &Parts::default()).unwrap();
    let older = restore::<Card>(&newer.bytes).unwrap();
    let state = save_with_origin(&older.value, older.origin.as_ref()).unwrap();
    let secrets = parts.secrets().unwrap();
    let along = Along {
        blobs: Vec::new(),
        secrets: secrets.staying.clone(),
        travelling: Vec::new(),
    };
    desk.restored(8, &state.bytes, &along);
    // The second is read before the app hears that the first goes.
    desk.peer.ask("Discard", &(70_u64, GROUP, 8_u64)).unwrap();
    desk.peer
        .restore_with(89, 9, "wake", 1, &state.bytes, &along);
    desk.session.flush();
    assert!(matches!(desk.hear(), Said::Restored { copy: 9, .. }));
    let card = desk.adopted(9);
    card.edit(|card| card.text.push_str(" two"));
    let (_, along) = desk.saved();
    assert!(
        along
            .secrets
            .windows(PIN.len())
            .any(|at| at == PIN.as_bytes()),
        "the secret rides along"
    );
}

#[test]
fn before_the_end_what_waits_for_a_pause_is_saved() {
    let desk = desk();
    let card = desk.open(card("one", None));
    desk.saved();
    card.edit(|card| card.text.push_str(" two"));
    desk.session.flush();
    assert!(matches!(desk.peer.try_hear(), Some(Said::Saved { .. })));
}

#[test]
fn a_document_may_be_closed_within_an_edit() {
    let desk = desk();
    let card = desk.open(card("one", None));
    card.on_turn(|turn| assert_eq!(turn, Turn::Adopted));
    card.edit(|text| {
        text.text.clear();
        card.close();
    });
    assert!(desk.session.groups().is_empty());
}
