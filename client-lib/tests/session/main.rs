//! The library on a real bus, against the session's side of the protocol as the contract words it.
#![allow(missing_docs)]

#[path = "../stage/mod.rs"]
mod stage;

mod leaving;
mod reunion;
mod saving;
mod trials;

use stage::*;

struct Scene {
    // The app goes before the bus does.
    app: App,
    peer: Peer,
    bus: PrivateBus,
}

/// An app that the session has started for `reason`.
fn scene(reason: &'static str) -> Scene {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, reason);
    let app = App::start(&bus.address);
    assert!(app.session.is_connected());
    assert!(matches!(peer.hear(&app.session), Said::Register { held, .. } if held.is_empty()));
    Scene { app, peer, bus }
}

/// The same with one document open and stored at its present revision.
fn with_a_page(text: &str) -> (Scene, std::rc::Rc<Page>) {
    let scene = scene("launch");
    let page = scene.app.open(text);
    assert_eq!(
        scene.peer.hear(&scene.app.session),
        Said::OpenGroup("A note".into())
    );
    let Said::Saved {
        op: 0, revision: 0, ..
    } = scene.peer.hear(&scene.app.session)
    else {
        panic!("a new document is saved by itself")
    };
    scene
        .peer
        .ask("Stored", &(GROUP, LEASE, 0_u64, 1_u64))
        .unwrap();
    pump(&scene.app.session, || page.group.is_stored());
    (scene, page)
}

/// Asks until the app has answered `Failed`, and gives its words.
fn failed(peer: &Peer, app: &App, op: u64) -> String {
    match peer.hear(&app.session) {
        Said::Failed { op: of, why } if of == op => why,
        other => panic!("{other:?}"),
    }
}
