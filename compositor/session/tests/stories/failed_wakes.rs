//! A wake that fails, and what cannot be read back.

use super::*;
use overwinter_session::Outcome;
use overwinter_session::proto::JournalRecord;

#[test]
fn two_failed_restores_quarantine_and_the_user_may_reprieve() {
    let (mut world, _, groups) = desk(1);
    hibernate(&mut world, vec![]);
    world.run();
    world.hosts[0].mood = Mood::Fragile;
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "quarantined");
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "quarantined");
    world.hosts[0].mood = Mood::Honest;
    let operation = wake(&mut world, groups.clone());
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Done));
    world.heal_and_check();
}

#[test]
fn an_app_that_does_not_start_quarantines_nothing() {
    let (mut world, _, groups) = desk(1);
    hibernate(&mut world, vec![]);
    world.run();
    world.hosts[0].starts_fail = true;
    for _ in 0..4 {
        world.touch(0, groups[0]);
        world.run();
        assert_eq!(world.state(0, groups[0]), "asleep");
    }
    world.hosts[0].starts_fail = false;
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
}

#[test]
fn a_flipped_bit_wakes_the_generation_before() {
    let (mut world, _, groups) = desk(1);
    let before = content(&world, 0, groups[0]);
    world.edit(0, groups[0]);
    hibernate(&mut world, vec![]);
    world.run();
    world.flip_a_bit(0, groups[0]);
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(content(&world, 0, groups[0]), before);
    assert!(world.notices.iter().any(|n| n.contains("damaged")));
    world.heal_and_check();
}

#[test]
fn a_restore_that_crashes_the_new_build_is_tried_with_the_one_that_wrote_it() {
    let (mut world, _, groups) = desk(1);
    hibernate(&mut world, vec![]);
    world.run();
    install(&mut world, "2.0");
    world.hosts[0].mood = Mood::Fragile;
    world.touch(0, groups[0]);
    world.run();
    world.hosts[0].mood = Mood::Honest;
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(version(&world, groups[0]), "1.0");
    world.heal_and_check();
}

#[test]
fn a_generation_is_proven_by_living_and_saving_again() {
    let (mut world, _, groups) = desk(1);
    hibernate(&mut world, vec![]);
    world.run();
    world.touch(0, groups[0]);
    world.run();
    world.edit(0, groups[0]);
    world.autosave(0, groups[0]);
    world.pass(31_000);
    let journal = &world.hosts[0].disk.groups[&groups[0]].journal;
    assert!(
        journal
            .iter()
            .any(|r| matches!(r, JournalRecord::Proven(_)))
    );
    world.heal_and_check();
}

fn session_of(world: &mut World) -> &mut overwinter_session::Session {
    world.hosts[0].session.as_mut().unwrap()
}

#[test]
fn a_group_that_cannot_be_read_is_shown_and_left_alone() {
    let (mut world, app, groups) = desk(1);
    let lost = GroupId(u128::MAX);
    let why = "It is damaged. It is kept. Bring it back.";
    let aside = overwinter_session::Aside {
        group: lost,
        title: "lost".into(),
        generation: Some(Generation(3)),
        why: why.into(),
    };
    session_of(&mut world).set_aside(vec![aside]);
    let view = session_of(&mut world).view();
    let shown = view.groups.iter().find(|g| g.group == lost).unwrap();
    assert_eq!(
        (shown.state, shown.generation),
        ("quarantined", Generation(3))
    );
    assert_eq!(shown.error.as_deref(), Some(why));

    let operation = wake(&mut world, vec![lost, groups[0]]);
    world.run();
    assert_eq!(world.outcome(operation, lost), Some(Outcome::Failed));
    // Nor does an app's claim make it what it may not be.
    let held = vec![(lost, Lease::FIRST, Revision(1))];
    let (now, name, build) = (world.now, APP.to_owned(), build("1"));
    let event = Event::Registered {
        instance: app,
        app: name,
        build,
        held,
    };
    let session = session_of(&mut world);
    let effects = session.step(now, event);
    assert!(!format!("{effects:?}").contains("Lease"), "{effects:?}");
    assert!(!session.kept(app).contains(&lost));
    assert_eq!(
        session
            .view()
            .groups
            .iter()
            .filter(|g| g.group == lost)
            .count(),
        1
    );
}

#[test]
fn secrets_that_are_damaged_on_disk_are_never_stored_as_none_while_the_app_has_them() {
    let (mut world, app, groups) = desk(1);
    world.hosts[0].disk.secretless = true;
    // It is asked for what is stored already, which is read back to be stored with the windows.
    let operation = hibernate(&mut world, groups.clone());
    world.run();
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    assert_eq!(world.holder(0, groups[0]), Some(app));
    install(&mut world, "2.0");
    world.run();
    assert_eq!(version(&world, groups[0]), "1.0");

    // Nobody has them any more: the work is there, and the user is told.
    world.kill(0, app);
    world.run();
    wake(&mut world, groups.clone());
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    let view = session_of(&mut world).view();
    let error = view.groups[0].error.clone().unwrap_or_default();
    assert!(error.contains("its secrets are damaged"), "{error}");
    world.heal_and_check();
}
