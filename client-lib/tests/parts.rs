//! Blobs and secrets between the library and a session: given once, named with every state, fetched when they are read.
#![allow(missing_docs)]

mod stage;

use std::cell::RefCell;
use std::rc::Rc;

use overwinter::{
    AppInfo, Arrival, Blob, Document, Group, LossReason, LossReport, Parts, Rest, Secret, Session,
    State, StateError, Travels, restore_with_parts, save, save_with_parts,
};
use stage::*;

#[derive(Debug, Clone, PartialEq, State)]
struct Picture {
    name: String,
    pixels: Blob,
    rest: Rest,
}

#[derive(Debug, Clone, PartialEq, State)]
#[state(id = "org.example.Album/album", version = 1)]
struct Album {
    title: String,
    pictures: Vec<Picture>,
    password: Secret<String>,
    key: Secret<Vec<u8>, Travels>,
    rest: Rest,
}

const PASSWORD: &str = "correct horse battery staple";
const KEY: &[u8] = b"a key that goes along";

fn pixels(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(seed)).collect()
}

fn picture(name: &str, pixels: Vec<u8>) -> Picture {
    Picture {
        name: name.to_owned(),
        pixels: Blob::new(pixels),
        rest: Rest::default(),
    }
}

fn album() -> Album {
    Album {
        title: "Holidays".to_owned(),
        pictures: vec![
            picture("small", pixels(3, 1000)),
            picture("large", pixels(5, 300_000)),
        ],
        password: Secret::new(PASSWORD.to_owned()),
        key: Secret::new(KEY.to_vec()),
        rest: Rest::default(),
    }
}

fn has(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

struct Page {
    album: RefCell<Album>,
    loss: LossReport,
}

impl Document for Page {
    type State = Album;
    fn title(&self) -> String {
        self.album.borrow().title.clone()
    }
    fn capture(&self) -> Album {
        self.album.borrow().clone()
    }
    fn adopt(&self) {}
    fn retire(&self) {}
    fn discard(&self) {}
}

struct AlbumApp {
    session: Session,
    pages: Rc<RefCell<Vec<Rc<Page>>>>,
}

fn start(bus: &PrivateBus) -> AlbumApp {
    let pages: Rc<RefCell<Vec<Rc<Page>>>> = Rc::default();
    let shown = pages.clone();
    let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
        .bus(&bus.address)
        .documents(move |_: &Group, arrival: Arrival<Album>| {
            let page = Rc::new(Page {
                album: arrival.state.into(),
                loss: arrival.loss,
            });
            shown.borrow_mut().push(page.clone());
            Ok(page as Rc<dyn Document<State = Album>>)
        })
        .connect();
    AlbumApp { session, pages }
}

/// An app with an open album that the session has asked to save; what it gave and said.
struct Saved {
    app: AlbumApp,
    peer: Peer,
    group: Group,
    page: Rc<Page>,
    puts: Vec<Vec<u8>>,
    state: Vec<u8>,
    along: Along,
    _bus: PrivateBus,
}

/// The next Saved, and the blobs that were given before it.
fn next_saved(peer: &Peer, session: &Session) -> (Vec<Vec<u8>>, Vec<u8>, Along) {
    let mut puts = Vec::new();
    loop {
        match peer.hear(session) {
            Said::PutBlob { hash, lease: LEASE } => puts.push(hash),
            Said::Saved { state, along, .. } => return (puts, state, along),
            other => panic!("{other:?}"),
        }
    }
}

fn saved_with(busy: u32) -> Saved {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "launch");
    *peer.busy.lock().unwrap() = busy;
    let app = start(&bus);
    assert!(matches!(peer.hear(&app.session), Said::Register { .. }));
    let page = Rc::new(Page {
        album: album().into(),
        loss: LossReport::default(),
    });
    let shown = page.clone();
    let group = app.session.open("Holidays", |_: &Group| {
        shown as Rc<dyn Document<State = Album>>
    });
    assert!(matches!(peer.hear(&app.session), Said::OpenGroup(_)));
    let (puts, state, along) = next_saved(&peer, &app.session);
    Saved {
        app,
        peer,
        group,
        page,
        puts,
        state,
        along,
        _bus: bus,
    }
}

fn saved() -> Saved {
    saved_with(0)
}

#[test]
fn blobs_are_given_once_and_secrets_go_apart() {
    let stage = saved();
    let Saved {
        ref app,
        ref peer,
        ref along,
        ..
    } = stage;
    assert_eq!(stage.puts.len(), 2);
    assert_eq!(along.blobs.len(), 2);
    assert!(stage.state.len() < 2000, "the blobs are not in it");
    for secret in [PASSWORD.as_bytes(), KEY] {
        assert!(!has(&stage.state, secret), "no secret is in the state");
    }
    assert!(has(&along.secrets, PASSWORD.as_bytes()) && !has(&along.secrets, KEY));
    assert!(has(&along.travelling, KEY) && !has(&along.travelling, PASSWORD.as_bytes()));
    assert!(!format!("{:?}", stage.page.album.borrow()).contains("horse"));

    // One field, then one picture more: only what is new is given.
    stage.page.album.borrow_mut().title = "Easter".to_owned();
    stage.group.changed();
    let (puts, _, along) = next_saved(peer, &app.session);
    assert_eq!((puts.len(), along.blobs.len()), (0, 2));
    let new = picture("new", pixels(7, 70_000));
    stage.page.album.borrow_mut().pictures.push(new.clone());
    stage.group.changed();
    let (puts, _, along) = next_saved(peer, &app.session);
    assert_eq!(puts, [new.pixels.hash().to_vec()]);
    assert_eq!(along.blobs.len(), 3);
}

#[test]
fn a_session_that_lacks_a_blob_or_is_busy_gets_it() {
    let stage = saved_with(2);
    assert_eq!(stage.puts.len(), 2, "asked again until it is taken");
    stage.peer.shelf.lock().unwrap().clear();
    stage.page.album.borrow_mut().title = "Easter".to_owned();
    stage.group.changed();
    let (puts, _, along) = next_saved(&stage.peer, &stage.app.session);
    assert_eq!((puts.len(), along.blobs.len()), (2, 2));
}

#[test]
fn a_trial_fetches_blobs_when_they_are_read_and_gives_none_again() {
    let Saved {
        app,
        peer,
        state,
        along,
        _bus,
        ..
    } = saved();
    peer.restore_with(90, 8, "wake", 1, &state, &along);
    let Said::Restored { digest, loss, .. } = peer.hear(&app.session) else {
        panic!("not restored");
    };
    assert_eq!(loss, []);
    let page = app.pages.borrow().last().unwrap().clone();
    let album = page.album.borrow().clone();
    assert_eq!(album.password.reveal().map(String::as_str), Some(PASSWORD));
    assert_eq!(album.key.reveal().map(Vec::as_slice), Some(KEY));
    assert!(album.pictures.iter().all(|p| !p.pixels.is_here()));
    assert!(
        peer.hears_nothing_more(&app.session),
        "nothing is fetched unasked"
    );
    let body = overwinter::restore_record(&overwinter::Form::of::<Album>(), &state).unwrap();
    assert_eq!(digest, body.provenance.digest().unwrap());

    let large = album.pictures[1].pixels.clone();
    let read = std::thread::spawn(move || large.read());
    assert!(matches!(
        peer.hear(&app.session),
        Said::GetBlob { copy: 8, .. }
    ));
    assert_eq!(read.join().unwrap().unwrap(), pixels(5, 300_000));

    // Adopted and changed, it names both and gives neither.
    peer.ask("Adopt", &(91_u64, GROUP, 8_u64, LEASE)).unwrap();
    pump(&app.session, || app.session.groups().len() == 1);
    page.album.borrow_mut().title = "Easter".to_owned();
    app.session.groups()[0].changed();
    let (puts, _, along) = next_saved(&peer, &app.session);
    assert_eq!((puts.len(), along.blobs.len()), (0, 2));
    assert!(has(&along.secrets, PASSWORD.as_bytes()));

    // The small one leaves the document while somebody may still read it: the session is asked to keep it.
    let kept = page.album.borrow_mut().pictures.remove(0);
    app.session.groups()[0].changed();
    drop(album);
    let (_, state, along) = next_saved(&peer, &app.session);
    assert_eq!(along.blobs.len(), 2);
    assert!(!has(&state, &kept.pixels.hash()));
    drop(kept);
    page.album.borrow_mut().title = "Easter Monday".to_owned();
    app.session.groups()[0].changed();
    let (_, _, along) = next_saved(&peer, &app.session);
    assert_eq!(along.blobs.len(), 1);
}

#[test]
fn a_missing_blob_is_named_and_everything_else_is_there() {
    let Saved {
        app,
        peer,
        state,
        along,
        _bus,
        ..
    } = saved();
    peer.shelf.lock().unwrap().clear();
    peer.restore_with(90, 8, "wake", 1, &state, &along);
    assert!(matches!(peer.hear(&app.session), Said::Restored { .. }));
    let album = app.pages.borrow().last().unwrap().album.borrow().clone();
    assert_eq!(album.title, "Holidays");
    let hash = blake3::hash(&pixels(3, 1000)).to_hex();
    let small = album.pictures[0].pixels.clone();
    let read = std::thread::spawn(move || small.read());
    assert!(matches!(peer.hear(&app.session), Said::GetBlob { .. }));
    let error = read.join().unwrap().unwrap_err().to_string();
    assert!(
        error.contains(hash.as_str()) && error.contains("no such blob here"),
        "{error}"
    );
}

#[test]
fn after_a_move_the_secret_is_left_behind_and_that_is_told() {
    let Saved {
        app,
        peer,
        state,
        along,
        _bus,
        ..
    } = saved();
    let moved = Along {
        secrets: Vec::new(),
        ..along
    };
    peer.restore_with(90, 8, "move", 1, &state, &moved);
    let Said::Restored { digest, loss, .. } = peer.hear(&app.session) else {
        panic!("not restored");
    };
    assert_eq!(loss.len(), 1);
    assert_eq!(loss[0].0, "password");
    let body = overwinter::restore_record(&overwinter::Form::of::<Album>(), &state).unwrap();
    assert_eq!(
        digest,
        body.provenance.digest().unwrap(),
        "the body is what it was"
    );
    let page = app.pages.borrow().last().unwrap().clone();
    let album = page.album.borrow();
    assert!(album.password.is_left_behind() && album.password.reveal().is_none());
    assert_eq!(album.key.reveal().map(Vec::as_slice), Some(KEY));
    assert!(
        page.loss
            .iter()
            .any(|l| l.reason == LossReason::SecretLeftBehind)
    );
}

#[test]
fn blobs_and_secrets_are_not_left_out_in_silence() {
    assert_eq!(save(&album()), Err(StateError::KeptApart));
}

#[test]
fn a_secret_is_written_nowhere_but_apart() {
    let error = save(&album()).unwrap_err().to_string();
    assert!(
        error.contains("secret") && !error.contains("horse"),
        "{error}"
    );
    let (encoded, parts) = save_with_parts(&album(), None, &Parts::default()).unwrap();
    assert!(!has(&encoded.bytes, PASSWORD.as_bytes()) && !format!("{parts:?}").contains("horse"));
    let back = restore_with_parts::<Album>(&encoded.bytes, &parts).unwrap();
    assert_eq!(
        back.value.password.reveal().map(String::as_str),
        Some(PASSWORD)
    );
    assert!(back.value.pictures.iter().all(|p| p.pixels.is_here()));
    assert!(back.loss.is_empty());
}

/// The album as an older program knows it: without pictures and secrets.
#[derive(Debug, Clone, PartialEq, State)]
#[state(id = "org.example.Album/album", version = 1)]
struct Plain {
    title: String,
    rest: Rest,
}

#[derive(Debug, Clone, PartialEq, State)]
#[state(id = "org.example.Album/album", version = 2)]
#[state(lens(1 => 2, add("cover", null), add("pin", null)))]
struct Covered {
    title: String,
    cover: Option<Blob>,
    pin: Secret<String>,
    rest: Rest,
}

#[test]
fn what_an_older_version_does_not_know_is_carried_with_its_blobs_and_secrets() {
    let new = Covered {
        title: "Holidays".to_owned(),
        cover: Some(Blob::new(pixels(9, 5000))),
        pin: Secret::new("0000-1111".to_owned()),
        rest: Rest::default(),
    };
    let (first, parts) = save_with_parts(&new, None, &Parts::default()).unwrap();
    let old = restore_with_parts::<Plain>(&first.bytes, &parts).unwrap();
    let mut edited = old.value;
    edited.title = "Easter".to_owned();
    let (second, carried) = save_with_parts(&edited, old.origin.as_ref(), &parts).unwrap();
    assert_eq!(carried.blobs().count(), 1);
    assert!(has(&carried.secrets().unwrap().staying, b"0000-1111"));
    let back = restore_with_parts::<Covered>(&second.bytes, &carried).unwrap();
    assert_eq!(back.value.title, "Easter");
    assert_eq!(back.value.cover.unwrap().read().unwrap(), pixels(9, 5000));
    assert_eq!(
        back.value.pin.reveal().map(String::as_str),
        Some("0000-1111")
    );
    // A secret that nothing refers to any more is gone.
    let plain = Plain {
        title: "Easter".to_owned(),
        rest: Rest::default(),
    };
    let (_, parts) = save_with_parts(&plain, None, &carried).unwrap();
    assert!(parts.secrets().unwrap().is_empty() && parts.blobs().count() == 0);
}
