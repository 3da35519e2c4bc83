//! The library on a real bus, against the session's side of the protocol as the contract words it.
#![allow(missing_docs)]

mod stage;

use std::os::fd::{AsFd, OwnedFd};

use overwinter::{Reason, Standing, restore};
use stage::*;
use zbus::zvariant;

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

#[test]
fn without_a_bus_everything_is_a_no_op() {
    let app = App::start("unix:path=/nonexistent/bus");
    assert!(!app.session.is_connected());
    assert_eq!(app.session.reason(), Reason::Launch);
    let page = app.open("text");
    page.group.changed();
    assert_eq!(
        (page.group.standing(), page.group.revision()),
        (Standing::Alone, 1)
    );
    assert_eq!(page.group.cookie(), None);
    page.group.close();
    assert!(app.session.groups().is_empty());
}

#[test]
fn an_edit_is_saved_within_a_second_and_known_to_be_stored() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    assert_eq!(page.group.cookie().as_deref(), Some("cookie"));
    assert_eq!(page.group.cookie().as_deref(), Some("another"));
    page.text.borrow_mut().push_str(" two");
    page.group.changed();
    page.group.changed();
    assert!(!page.group.is_stored());
    let Said::Saved {
        op: 0,
        group,
        lease: LEASE,
        revision: 2,
        title,
        state,
        digest,
        ..
    } = peer.hear(&app.session)
    else {
        panic!("one autosave for both changes")
    };
    assert_eq!((group.as_str(), title.as_str()), (GROUP, "A note"));
    let restored = restore::<Note>(&state).unwrap();
    assert_eq!(restored.value.text, "one two");
    assert_eq!(restored.provenance.digest().unwrap().as_slice(), digest);
    peer.ask("Stored", &(GROUP, LEASE, 2_u64, 2_u64)).unwrap();
    pump(&app.session, || page.group.is_stored());
}

#[test]
fn a_typist_without_pause_is_saved_all_the_same() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    let mut saved = None;
    pump(&app.session, || {
        page.write("!");
        saved = peer.try_hear();
        saved.is_some()
    });
    assert!(
        matches!(saved, Some(Said::Saved { op: 0, .. })),
        "{saved:?}"
    );
}

#[test]
fn a_megabyte_travels_in_one_sealed_memfd() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("");
    *page.text.borrow_mut() = "ü".repeat(1 << 19);
    page.group.changed();
    peer.begin_save(5, LEASE);
    let Said::Saved {
        op: 5,
        state,
        sealed: true,
        ..
    } = peer.hear(&app.session)
    else {
        panic!("a large state comes sealed")
    };
    assert_eq!(restore::<Note>(&state).unwrap().value.text.len(), 1 << 20);
}

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
fn a_trial_is_inert_until_it_is_adopted() {
    let Scene {
        app,
        peer,
        bus: _bus,
    } = scene("wake");
    assert_eq!(app.session.reason(), Reason::Wake);
    let state = note("slept well");
    peer.restore(40, 3, "wake", 12, &state);
    let Said::Restored {
        op: 40,
        copy: 3,
        revision: 12,
        digest,
        loss,
    } = peer.hear(&app.session)
    else {
        panic!("a trial is announced")
    };
    let original = restore::<Note>(&state)
        .unwrap()
        .provenance
        .digest()
        .unwrap();
    assert_eq!(digest, original);
    assert!(loss.is_empty());
    let page = app.last_page();
    assert_eq!(page.group.standing(), Standing::Trial);
    assert_eq!(page.group.cookie().as_deref(), Some("trial-cookie"));
    page.group.changed();
    assert_eq!(page.group.revision(), 12, "nothing is saved on trial");
    // A save is refused: nothing holds a lease here.
    peer.begin_save(41, LEASE);
    assert!(matches!(
        peer.hear(&app.session),
        Said::Failed { op: 41, .. }
    ));

    peer.ask("Adopt", &(42_u64, GROUP, 3_u64, LEASE + 1))
        .unwrap();
    pump(&app.session, || page.group.standing() == Standing::Live);
    assert_eq!(*app.asked.borrow(), ["adopt"]);
    // What was typed into the trial counts from now on, as one change.
    assert_eq!(page.group.revision(), 13);
    page.text.borrow_mut().push('!');
    page.group.changed();
    let saved = peer.hear(&app.session);
    assert!(
        matches!(&saved, Said::Saved { op: 0, lease, revision: 14, .. } if *lease == LEASE + 1),
        "{saved:?}"
    );
}

#[test]
fn the_same_restore_again_makes_no_second_copy() {
    let Scene {
        app,
        peer,
        bus: _bus,
    } = scene("wake");
    peer.restore(45, 3, "wake", 12, &note("once"));
    let first = peer.hear(&app.session);
    peer.restore(45, 3, "wake", 12, &note("once"));
    assert_eq!(peer.hear(&app.session), first);
    assert_eq!(app.pages.borrow().len(), 1);
}

#[test]
fn a_trial_that_changed_what_it_was_given_is_told_by_its_digest() {
    let Scene {
        app,
        peer,
        bus: _bus,
    } = scene("wake");
    let state = note("shouted");
    let original = restore::<Note>(&state)
        .unwrap()
        .provenance
        .digest()
        .unwrap();
    peer.restore(47, 4, "migrate", 1, &state);
    let Said::Restored { digest, .. } = peer.hear(&app.session) else {
        panic!("restored")
    };
    assert_ne!(
        digest, original,
        "this page gives back another text than it got"
    );
}

#[test]
fn a_document_that_cannot_be_shown_is_told_and_leaves_nothing_behind() {
    let Scene {
        app,
        peer,
        bus: _bus,
    } = scene("migrate");
    peer.restore(46, 3, "migrate", 1, &note("poison"));
    assert!(
        matches!(peer.hear(&app.session), Said::Failed { op: 46, why } if why.contains("cannot be shown"))
    );
    assert!(app.session.groups().is_empty());
}

#[test]
fn what_is_no_state_or_no_honest_payload_is_refused_and_the_app_goes_on() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    let refused = |op: u64, said: Said, word: &str| match said {
        Said::Failed { op: found, why } => {
            assert_eq!(found, op);
            assert!(why.contains(word), "{why}");
        }
        other => panic!("{other:?}"),
    };
    peer.restore(50, 2, "wake", 1, b"not a state");
    refused(50, peer.hear(&app.session), "damaged");
    peer.restore(51, 2, "wake", 1, &[]);
    refused(51, peer.hear(&app.session), "cannot be taken");

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let memfd = |size: u64, seals: SealFlags| -> OwnedFd {
        let fd = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, size).unwrap();
        fcntl_add_seals(&fd, seals).unwrap();
        fd
    };
    let send = |op: u64, fd: &OwnedFd| {
        let wire: (Vec<u8>, Vec<zvariant::Fd<'_>>) = (Vec::new(), vec![fd.as_fd().into()]);
        let none: (Vec<u8>, Vec<zvariant::Fd<'_>>) = (Vec::new(), Vec::new());
        peer.ask(
            "Restore",
            &(
                op, GROUP, 2_u64, "wake", 1_u64, "c", wire, &none, &none, 5000_u32,
            ),
        )
        .unwrap();
    };
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    send(52, &memfd(100, SealFlags::GROW));
    refused(52, peer.hear(&app.session), "seals");
    send(53, &memfd((256 << 20) + 1, seals));
    refused(53, peer.hear(&app.session), "most");
    send(54, &memfd(100, seals));
    refused(54, peer.hear(&app.session), "damaged");
    assert_eq!(page.group.standing(), Standing::Live);
    assert_eq!(app.session.groups().len(), 1);
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

#[test]
fn a_closed_document_is_told() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    page.group.close();
    assert_eq!(
        peer.hear(&app.session),
        Said::Closed {
            group: GROUP.into(),
            lease: LEASE
        }
    );
    page.write("!");
    assert!(peer.hears_nothing_more(&app.session));
}

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

/// Asks until the app has answered `Failed`, and gives its words.
fn failed(peer: &Peer, app: &App, op: u64) -> String {
    match peer.hear(&app.session) {
        Said::Failed { op: of, why } if of == op => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_that_comes_to_nothing_is_not_sent_again() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    page.group.changed();
    assert!(!page.group.is_stored());
    pump(&app.session, || page.group.is_stored());
    assert_eq!(
        page.group.revision(),
        0,
        "nobody has heard of the revision that was none"
    );
    assert!(peer.hears_nothing_more(&app.session));
    // Asked for, the number is enough; a revision that was spoken of is told all the same.
    page.group.changed();
    peer.begin_save(15, LEASE);
    let said = peer.hear(&app.session);
    assert!(
        matches!(&said, Said::Saved { op: 15, revision: 0, state, .. } if state.is_empty()),
        "{said:?}"
    );
    pump(&app.session, || page.group.revision() == 0);
    page.group.changed();
    peer.release(16, LEASE, 0, "stay");
    let changed = Said::Changed {
        op: 16,
        lease: LEASE,
        revision: 1,
    };
    assert_eq!(peer.hear(&app.session), changed);
    let said = peer.hear(&app.session);
    assert!(
        matches!(
            &said,
            Said::Saved {
                op: 0,
                revision: 1,
                ..
            }
        ),
        "{said:?}"
    );
}

#[test]
fn a_revision_is_encoded_once_however_often_it_is_asked_for() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    page.write("!");
    assert!(matches!(
        peer.hear(&app.session),
        Said::Saved {
            op: 0,
            revision: 1,
            ..
        }
    ));
    let captured = page.captured.get();
    peer.begin_save(17, LEASE);
    let said = peer.hear(&app.session);
    assert!(
        matches!(&said, Said::Saved { op: 17, revision: 1, state, .. } if !state.is_empty()),
        "not stored yet, so its bytes are sent again: {said:?}"
    );
    assert_eq!(page.captured.get(), captured);
}

#[test]
fn what_is_typed_into_an_inert_copy_counts_when_it_is_adopted() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    peer.release(75, LEASE, 0, "stay");
    assert!(matches!(
        peer.hear(&app.session),
        Said::Released { op: 75, .. }
    ));
    page.write(" and late keys");
    assert_eq!((page.group.revision(), page.group.is_stored()), (0, true));
    assert!(peer.hears_nothing_more(&app.session));
    peer.ask("Adopt", &(76_u64, GROUP, COPY, LEASE + 1))
        .unwrap();
    let Said::Saved {
        op: 0,
        lease,
        revision: 1,
        state,
        ..
    } = peer.hear(&app.session)
    else {
        panic!("saved by itself")
    };
    assert_eq!(lease, LEASE + 1);
    let text = restore::<Note>(&state).unwrap().value.text;
    assert_eq!(text, "one and late keys");
}

#[test]
fn a_document_that_cannot_say_its_state_is_told_and_lives_on() {
    let (
        Scene {
            app,
            peer,
            bus: _bus,
        },
        page,
    ) = with_a_page("one");
    for (op, trouble, words) in [
        (81, "unsayable", "no words for it"),
        (82, "panic in capture", "panicked while saying its state"),
    ] {
        *page.text.borrow_mut() = trouble.to_owned();
        page.group.changed();
        peer.begin_save(op, LEASE);
        let why = failed(&peer, &app, op);
        assert!(why.contains(words), "{why}");
        assert_eq!(page.group.standing(), Standing::Live);
        assert!(!page.group.is_stored());
    }
    // Nothing was let go of, and the next change is saved as ever.
    *page.text.borrow_mut() = "fine again".to_owned();
    page.group.changed();
    peer.begin_save(84, LEASE);
    let Said::Saved { op: 84, state, .. } = peer.hear(&app.session) else {
        panic!("saved")
    };
    assert_eq!(restore::<Note>(&state).unwrap().value.text, "fine again");
    assert!(app.asked.borrow().is_empty());
}

#[test]
fn a_trial_that_cannot_say_its_state_is_told_and_leaves_nothing_behind() {
    let Scene {
        app,
        peer,
        bus: _bus,
    } = scene("wake");
    peer.restore(85, 3, "wake", 1, &note("panic in capture"));
    assert!(failed(&peer, &app, 85).contains("panicked"));
    assert_eq!(*app.asked.borrow(), ["discard"]);
    assert!(app.session.groups().is_empty());
    peer.restore(86, 4, "wake", 1, &note("panic in restore"));
    assert!(failed(&peer, &app, 86).contains("panicked while bringing"));
    peer.restore(87, 5, "wake", 1, &note("well"));
    assert!(matches!(
        peer.hear(&app.session),
        Said::Restored { op: 87, .. }
    ));
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
