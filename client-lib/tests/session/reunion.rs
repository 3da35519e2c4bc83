//! A session that comes later, or comes back.

use overwinter::Standing;

use super::*;

#[test]
fn a_new_session_hears_what_is_held() {
    let (Scene { app, peer, bus }, page) = with_a_page("one");
    page.write("!");
    assert!(matches!(peer.hear(&app.session), Said::Saved { .. }));
    peer.connection.close().unwrap();
    pump(&app.session, || !app.session.is_connected());
    assert_eq!(page.group.standing(), Standing::Live);

    let next = Peer::start(&bus, "launch");
    let Said::Register { held, .. } = next.hear(&app.session) else {
        panic!("registers again")
    };
    assert_eq!(held, [(GROUP.to_owned(), LEASE, 1)]);
    pump(&app.session, || app.session.is_connected());
    next.begin_save(80, LEASE);
    assert!(matches!(
        next.hear(&app.session),
        Said::Saved {
            op: 80,
            revision: 1,
            ..
        }
    ));

    // And one that disagrees: the window lives on, the group does not.
    next.connection.close().unwrap();
    pump(&app.session, || !app.session.is_connected());
    let other = Peer::start_that(&bus, "launch", false);
    assert!(matches!(other.hear(&app.session), Said::Register { .. }));
    pump(&app.session, || page.group.standing() == Standing::Alone);
    assert_eq!(*app.asked.borrow(), ["disowned"]);
}

#[test]
fn copies_of_a_session_that_has_gone_are_dropped() {
    let Scene {
        app,
        peer,
        bus: _bus,
    } = scene("wake");
    peer.restore(90, 3, "wake", 12, &note("half awake"));
    assert!(matches!(
        peer.hear(&app.session),
        Said::Restored { op: 90, .. }
    ));
    peer.connection.close().unwrap();
    pump(&app.session, || app.quit.get());
    assert_eq!(*app.asked.borrow(), ["discard"]);
}

#[test]
fn an_app_that_was_there_first_joins_the_session() {
    let bus = PrivateBus::start();
    let app = App::start(&bus.address);
    let page = app.open("early");
    assert_eq!(page.group.standing(), Standing::Alone);
    let peer = Peer::start(&bus, "launch");
    assert!(matches!(peer.hear(&app.session), Said::Register { .. }));
    assert_eq!(peer.hear(&app.session), Said::OpenGroup("A note".into()));
    assert!(matches!(peer.hear(&app.session), Said::Saved { op: 0, .. }));
    assert_eq!(page.group.standing(), Standing::Live);
}

#[test]
fn what_the_former_session_did_not_store_is_handed_to_the_next() {
    let (Scene { app, peer, bus }, page) = with_a_page("one");
    page.write(" two");
    assert!(matches!(
        peer.hear(&app.session),
        Said::Saved {
            op: 0,
            revision: 1,
            ..
        }
    ));
    peer.connection.close().unwrap();
    pump(&app.session, || !app.session.is_connected());
    let next = Peer::start(&bus, "launch");
    assert!(matches!(next.hear(&app.session), Said::Register { .. }));
    let said = next.hear(&app.session);
    assert!(
        matches!(&said, Said::Saved { op: 0, revision: 1, state, .. } if !state.is_empty()),
        "{said:?}"
    );
}
