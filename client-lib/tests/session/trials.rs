//! A restored copy is inert until it is adopted.

use std::os::fd::{AsFd, OwnedFd};

use overwinter::{Reason, Standing, restore};
use zbus::zvariant;

use super::*;

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
