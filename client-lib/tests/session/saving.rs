//! Edits are saved, and what cannot be is told.

use overwinter::{Reason, Standing, restore};

use super::*;

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
