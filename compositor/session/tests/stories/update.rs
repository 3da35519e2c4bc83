//! New code on disk: window after window goes over, and back again.

use super::*;
use overwinter_session::Outcome;

#[test]
fn new_code_on_disk_takes_over_window_after_window() {
    let (mut world, old, groups) = desk(3);
    for group in &groups {
        world.edit(0, *group);
    }
    let before: Vec<_> = groups.iter().map(|g| content(&world, 0, *g)).collect();
    install(&mut world, "2.0");
    world.run();
    for (group, before) in groups.iter().zip(before) {
        assert_eq!(version(&world, *group), "2.0");
        assert_eq!(content(&world, 0, *group), before);
    }
    // The old process keeps its retired copies for undo, and ends with them.
    assert!(world.hosts[0].apps.contains_key(&old));
    world.pass(11 * 60_000);
    assert!(!world.hosts[0].apps.contains_key(&old));
    world.heal_and_check();
}

#[test]
fn undo_carries_later_edits_back_and_a_second_update_goes_up_again() {
    let (mut world, old, groups) = desk(2);
    install(&mut world, "2.0");
    world.run();
    for group in &groups {
        world.edit(0, *group);
    }
    let typed: Vec<_> = groups.iter().map(|g| content(&world, 0, *g)).collect();
    let operation = undo(&mut world);
    world.run();
    for (group, typed) in groups.iter().zip(&typed) {
        assert_eq!(world.outcome(operation, *group), Some(Outcome::Done));
        assert_eq!(version(&world, *group), "1.0");
        assert_eq!(
            world.holder(0, *group),
            Some(old),
            "the old process took it back"
        );
        assert_eq!(content(&world, 0, *group), *typed);
    }
    // It stays that way by itself.
    world.pass(60_000);
    assert_eq!(version(&world, groups[0]), "1.0");
    let operation = update(&mut world);
    world.run();
    for (group, typed) in groups.iter().zip(&typed) {
        assert_eq!(world.outcome(operation, *group), Some(Outcome::Done));
        assert_eq!(version(&world, *group), "2.0");
        assert_eq!(content(&world, 0, *group), *typed);
    }
    assert_eq!(
        world.hosts[0].apps.len(),
        2,
        "the second update went into the living process"
    );
    world.heal_and_check();
}

#[test]
fn undo_starts_the_kept_executable_when_the_old_process_has_gone() {
    let (mut world, old, groups) = desk(1);
    install(&mut world, "2.0");
    world.run();
    world.kill(0, old);
    world.run();
    undo(&mut world);
    world.run();
    assert_eq!(version(&world, groups[0]), "1.0");
    world.heal_and_check();
}

#[test]
fn undo_is_there_after_a_restart_of_the_session() {
    let (mut world, _, groups) = desk(2);
    install(&mut world, "2.0");
    world.run();
    world.crash(0, true);
    world.restart(0);
    world.run();
    wake(&mut world, vec![groups[0]]);
    world.run();
    assert_eq!(version(&world, groups[0]), "2.0");
    world.edit(0, groups[0]);
    let typed = content(&world, 0, groups[0]);
    let operation = undo(&mut world);
    world.run();
    for group in &groups {
        assert_eq!(world.outcome(operation, *group), Some(Outcome::Done));
    }
    assert_eq!(version(&world, groups[0]), "1.0");
    assert_eq!(content(&world, 0, groups[0]), typed);
    // The one that slept meanwhile follows when it wakes.
    wake(&mut world, vec![]);
    world.run();
    assert_eq!(version(&world, groups[1]), "1.0");
    world.heal_and_check();
}

#[test]
fn a_version_that_was_undone_is_not_taken_up_again_after_a_restart() {
    let (mut world, _, groups) = desk(2);
    install(&mut world, "2.0");
    world.run();
    hibernate(&mut world, vec![groups[1]]);
    world.run();
    undo(&mut world);
    world.run();
    assert_eq!(version(&world, groups[0]), "1.0");
    for power in [false, true] {
        // The apps outlive the session, or nothing does.
        world.crash(0, power);
        world.restart(0);
        world.run();
        wake(&mut world, vec![groups[0]]);
        world.run();
        assert_eq!(version(&world, groups[0]), "1.0", "power: {power}");
    }
    // What slept all the time wakes in what was gone back to.
    wake(&mut world, vec![]);
    world.run();
    assert_eq!(version(&world, groups[1]), "1.0");

    // Asked for it is taken up after all, and that lasts as well.
    update(&mut world);
    world.run();
    assert_eq!(version(&world, groups[0]), "2.0");
    world.crash(0, true);
    world.restart(0);
    world.run();
    wake(&mut world, vec![]);
    world.run();
    assert_eq!(version(&world, groups[0]), "2.0");
    world.heal_and_check();
}

#[test]
fn undo_of_an_app_that_sleeps_as_a_whole_wakes_it_in_the_former_version() {
    let (mut world, _, groups) = desk(1);
    install(&mut world, "2.0");
    world.run();
    hibernate(&mut world, vec![]);
    world.run();
    world.crash(0, false);
    world.restart(0);
    world.run();
    let operation = undo(&mut world);
    world.run();
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Done));
    assert_eq!(world.state(0, groups[0]), "asleep");
    wake(&mut world, vec![]);
    world.run();
    assert_eq!(version(&world, groups[0]), "1.0");
    // There is nothing further to go back to.
    let again = undo(&mut world);
    world.run();
    assert_eq!(version(&world, groups[0]), "1.0");
    assert_ne!(world.outcome(again, groups[0]), Some(Outcome::Failed));
    world.heal_and_check();
}

#[test]
fn a_copy_that_is_not_the_original_is_refused() {
    let (mut world, _, groups) = desk(2);
    world.hosts[0].mood = Mood::Forgetful;
    install(&mut world, "2.0");
    world.run();
    for group in &groups {
        assert_eq!(version(&world, *group), "1.0");
        assert_eq!(world.state(0, *group), "live");
    }
    assert_eq!(
        world.hosts[0].apps.len(),
        1,
        "the new version has nothing and ended"
    );
    world.heal_and_check();
}

#[test]
fn a_declared_loss_is_told_and_accepted() {
    let (mut world, _, groups) = desk(1);
    world.hosts[0].mood = Mood::Lossy;
    install(&mut world, "2.0");
    world.run();
    assert_eq!(version(&world, groups[0]), "2.0");
    assert!(world.notices.iter().any(|n| n.contains("/fold")));
}

#[test]
fn a_silent_old_version_keeps_its_windows() {
    let (mut world, _, groups) = desk(2);
    mood(&mut world, Mood::Silent);
    install(&mut world, "2.0");
    let operation = update(&mut world);
    world.pass(120_000);
    for group in &groups {
        assert_eq!(version(&world, *group), "1.0");
        assert_eq!(world.outcome(operation, *group), Some(Outcome::Failed));
    }
    world.heal_and_check();
}

#[test]
fn one_window_that_keeps_changing_does_not_stop_the_others() {
    let (mut world, old, groups) = desk(2);
    install(&mut world, "2.0");
    // The first is caught in the middle of its way.
    while world.state(0, groups[0]) != "migrating" {
        assert!(world.stir());
    }
    world.hosts[0].apps.get_mut(&old).unwrap().mood = Mood::Restless;
    while version(&world, groups[0]) == "1.0" && world.state(0, groups[0]) == "migrating" {
        assert!(world.stir());
    }
    world.hosts[0].apps.get_mut(&old).unwrap().mood = Mood::Honest;
    world.run();
    assert_eq!(version(&world, groups[1]), "2.0");
    assert_eq!(world.state(0, groups[0]), "live");
    world.heal_and_check();
}

#[test]
fn a_new_version_that_dies_at_once_gives_the_window_back_to_the_old_copy() {
    let (mut world, old, groups) = desk(1);
    let before = content(&world, 0, groups[0]);
    install(&mut world, "2.0");
    world.run();
    let new = world.holder(0, groups[0]).unwrap();
    assert_ne!(new, old);
    world.kill(0, new);
    world.run();
    assert_eq!(world.holder(0, groups[0]), Some(old));
    assert_eq!(content(&world, 0, groups[0]), before);
    world.heal_and_check();
}

#[test]
fn the_focused_window_goes_last() {
    let (mut world, _, groups) = desk(3);
    let focused = groups[0];
    let group = Some(focused);
    world.tell(0, Event::Focused { group });
    install(&mut world, "2.0");
    while version(&world, focused) == "1.0" {
        assert!(world.stir());
    }
    for group in &groups {
        assert_eq!(version(&world, *group), "2.0");
    }
}

#[test]
fn sleep_after_an_update_ends_both_processes() {
    let (mut world, _, groups) = desk(1);
    install(&mut world, "2.0");
    world.run();
    hibernate(&mut world, vec![]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    assert!(world.hosts[0].apps.is_empty());
    world.heal_and_check();
}
