//! Sleep and migration: letting go of exactly what is stored.

use overwinter::Standing;

use super::*;

#[test]
fn sleep_saves_only_what_is_not_stored_and_lets_go_of_exactly_that() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    // Nothing changed: the number is enough.
    peer.begin_save(10, LEASE);
    let Said::Saved {
        op: 10,
        revision: 0,
        state,
        ..
    } = peer.hear(&app.session)
    else {
        panic!("confirmed")
    };
    assert!(state.is_empty());
    // The user types on: nothing is let go of.
    page.text.borrow_mut().push('!');
    page.group.changed();
    peer.release(11, LEASE, 0, "quit");
    assert_eq!(
        peer.hear(&app.session),
        Said::Changed {
            op: 11,
            lease: LEASE,
            revision: 1
        }
    );
    assert_eq!(page.group.standing(), Standing::Live);
    // Once more, in peace.
    peer.begin_save(12, LEASE);
    let saved = peer.hear(&app.session);
    assert!(
        matches!(
            &saved,
            Said::Saved {
                op: 12,
                revision: 1,
                ..
            }
        ),
        "{saved:?}"
    );
    peer.ask("Stored", &(GROUP, LEASE, 1_u64, 2_u64)).unwrap();
    peer.release(13, LEASE, 1, "quit");
    assert_eq!(
        peer.hear(&app.session),
        Said::Released {
            op: 13,
            lease: LEASE,
            revision: 1
        }
    );
    pump(&app.session, || app.quit.get());
    assert_eq!(*app.asked.borrow(), ["discard"]);
    assert_eq!(
        *app.names.borrow(),
        [false],
        "the names are free before the process ends"
    );
    assert_eq!(page.group.standing(), Standing::Gone);
}

#[test]
fn the_same_request_gets_the_same_answer_and_is_carried_out_once() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    page.write("!");
    peer.begin_save(20, LEASE);
    let first = peer.hear(&app.session);
    peer.begin_save(20, LEASE);
    assert_eq!(peer.hear(&app.session), first);
    peer.release(21, LEASE, 9, "stay");
    let changed = Said::Changed {
        op: 21,
        lease: LEASE,
        revision: 1,
    };
    assert_eq!(peer.hear(&app.session), changed);
    // Even when the answer would be another one by now.
    page.write("!");
    peer.release(21, LEASE, 9, "stay");
    assert_eq!(peer.hear(&app.session), changed);
    peer.release(22, LEASE, 2, "stay");
    let released = Said::Released {
        op: 22,
        lease: LEASE,
        revision: 2,
    };
    assert_eq!(peer.hear(&app.session), released);
    peer.release(22, LEASE, 2, "stay");
    assert_eq!(peer.hear(&app.session), released);
    assert_eq!(*app.asked.borrow(), ["retire"]);
}

#[test]
fn a_late_or_foreign_lease_changes_nothing() {
    let (Scene { app, peer, bus }, page) = with_a_page("one");
    peer.begin_save(30, LEASE + 1);
    assert!(matches!(
        peer.hear(&app.session),
        Said::Failed { op: 30, .. }
    ));
    peer.release(31, LEASE - 1, 0, "quit");
    assert!(matches!(
        peer.hear(&app.session),
        Said::Failed { op: 31, .. }
    ));
    page.write("!");
    peer.ask("Stored", &(GROUP, LEASE + 1, 1_u64, 3_u64))
        .unwrap();
    assert!(matches!(peer.hear(&app.session), Said::Saved { op: 0, .. }));
    assert!(!page.group.is_stored());

    // Somebody else on the bus is refused at the door.
    let stranger = zbus::blocking::connection::Builder::address(bus.address.as_str())
        .unwrap()
        .build()
        .unwrap();
    let name = peer.app.borrow().clone();
    let body = (32_u64, GROUP, LEASE, 1_u64, "quit");
    let refused = stranger.call_method(
        Some(name.as_str()),
        "/org/overwinter/Client",
        Some("org.overwinter.Client1"),
        "Release",
        &body,
    );
    assert!(
        matches!(&refused, Err(zbus::Error::MethodError(name, ..)) if name.ends_with("AccessDenied")),
        "{refused:?}"
    );
    assert!(app.asked.borrow().is_empty());
    assert_eq!(page.group.standing(), Standing::Live);
}

#[test]
fn migration_and_its_undo_within_one_process() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        old,
    ) = with_a_page("one");
    peer.ask("YieldNames", &60_u64).unwrap();
    assert_eq!(
        peer.hear(&app.session),
        Said::Names {
            op: 60,
            held: false
        }
    );
    peer.release(61, LEASE, 0, "stay");
    assert_eq!(
        peer.hear(&app.session),
        Said::Released {
            op: 61,
            lease: LEASE,
            revision: 0
        }
    );
    assert_eq!(old.group.standing(), Standing::Retired);
    old.write("!");
    assert_eq!(
        old.group.revision(),
        0,
        "a retired copy has no revisions of its own"
    );
    // Undo: the newest revision comes back as a new copy beside the retired one, which then goes.
    peer.restore(
        62,
        9,
        "rollback",
        5,
        &note("one, and typed in the new version"),
    );
    assert!(matches!(
        peer.hear(&app.session),
        Said::Restored { op: 62, .. }
    ));
    peer.ask("Adopt", &(63_u64, GROUP, 9_u64, LEASE + 5))
        .unwrap();
    pump(&app.session, || {
        app.last_page().group.standing() == Standing::Live
    });
    assert_eq!(*app.asked.borrow(), ["retire", "discard", "adopt"]);
    assert_eq!(old.group.standing(), Standing::Gone);
    peer.ask("TakeNames", &64_u64).unwrap();
    assert_eq!(peer.hear(&app.session), Said::Names { op: 64, held: true });
    assert!(!app.quit.get());
}

#[test]
fn a_retired_copy_can_be_adopted_again_and_a_discarded_one_ends_the_process() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    peer.release(70, LEASE, 0, "stay");
    peer.hear(&app.session);
    peer.ask("Adopt", &(71_u64, GROUP, COPY, LEASE + 1))
        .unwrap();
    pump(&app.session, || page.group.standing() == Standing::Live);
    peer.release(72, LEASE + 1, 0, "stay");
    peer.hear(&app.session);
    peer.ask("Discard", &(73_u64, GROUP, COPY)).unwrap();
    pump(&app.session, || app.quit.get());
    assert_eq!(
        *app.asked.borrow(),
        ["retire", "adopt", "retire", "discard"]
    );
}
