//! A group goes to sleep and wakes, and what is typed meanwhile.

use super::*;
use overwinter_session::Outcome;
use overwinter_session::proto::JournalRecord;

#[test]
fn a_document_sleeps_and_its_app_ends_with_the_last_one() {
    let (mut world, app, groups) = desk(2);
    let first = hibernate(&mut world, vec![groups[0]]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    assert_eq!(world.state(0, groups[1]), "live");
    assert!(world.hosts[0].screen.ghosts.contains(&groups[0]));
    assert!(world.hosts[0].apps.contains_key(&app));
    assert_eq!(world.outcome(first, groups[0]), Some(Outcome::Done));

    hibernate(&mut world, vec![]);
    world.run();
    assert_eq!(world.state(0, groups[1]), "asleep");
    assert!(world.hosts[0].apps.is_empty());
    world.heal_and_check();
}

#[test]
fn both_ghosts_are_touched_and_wake_in_one_new_process() {
    let (mut world, _, groups) = desk(2);
    let before = [content(&world, 0, groups[0]), content(&world, 0, groups[1])];
    hibernate(&mut world, vec![]);
    world.run();
    world.touch(0, groups[0]);
    world.touch(0, groups[1]);
    world.run();
    assert_eq!(world.hosts[0].apps.len(), 1);
    for (group, before) in groups.iter().zip(before) {
        assert_eq!(world.state(0, *group), "live");
        assert_eq!(content(&world, 0, *group), before);
    }
    assert!(world.hosts[0].screen.ghosts.is_empty());
    world.heal_and_check();
}

#[test]
fn unsaved_edits_are_in_what_sleeps() {
    let (mut world, _, groups) = desk(1);
    world.edit(0, groups[0]);
    let before = content(&world, 0, groups[0]);
    hibernate(&mut world, vec![groups[0]]);
    world.run();
    wake(&mut world, vec![]);
    world.run();
    assert_eq!(content(&world, 0, groups[0]), before);
}

#[test]
fn an_edit_between_save_and_release_cancels_the_sleep() {
    let (mut world, app, groups) = desk(1);
    mood(&mut world, Mood::Restless);
    let operation = hibernate(&mut world, vec![groups[0]]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert!(world.hosts[0].screen.ghosts.is_empty());
    assert!(world.hosts[0].apps.contains_key(&app));
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    world.heal_and_check();
}

#[test]
fn a_silent_app_stays_open_and_the_user_is_told() {
    let (mut world, _, groups) = desk(2);
    mood(&mut world, Mood::Silent);
    let operation = hibernate(&mut world, vec![]);
    world.pass(10_000);
    for group in &groups {
        assert_eq!(world.state(0, *group), "live");
        assert_eq!(world.outcome(operation, *group), Some(Outcome::Failed));
        assert!(text_of(&world, operation, *group).contains("try again"));
    }
    world.heal_and_check();
}

#[test]
fn a_late_answer_to_release_still_puts_it_to_sleep() {
    let (mut world, app, groups) = desk(1);
    hibernate(&mut world, vec![groups[0]]);
    // The app's answer to Release is on its way while the session gives up.
    let mut guard = 0;
    while world.state(0, groups[0]) != "releasing" {
        assert!(world.stir());
        guard += 1;
        assert!(guard < 1000);
    }
    let lane = world::Lane::ToApp(0, app);
    while world.lanes.contains_key(&lane) {
        world.advance(lane);
    }
    let held_back = world.lanes.remove(&world::Lane::FromApp(0, app)).unwrap();
    world.pass(4_000);
    assert_eq!(world.state(0, groups[0]), "live");
    for item in held_back {
        world.push(world::Lane::FromApp(0, app), item);
    }
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    assert!(world.hosts[0].screen.ghosts.contains(&groups[0]));
    world.heal_and_check();
}

#[test]
fn a_ghost_touched_while_its_app_lets_go_wakes_at_once() {
    let (mut world, _, groups) = desk(1);
    hibernate(&mut world, vec![groups[0]]);
    while world.state(0, groups[0]) != "releasing" {
        assert!(world.stir());
    }
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    // Not in the process that was told to end.
    assert_eq!(world.hosts[0].apps.len(), 1);
    world.heal_and_check();
}

#[test]
fn a_full_disk_keeps_the_window_open_and_says_why() {
    let (mut world, _, groups) = desk(1);
    world.edit(0, groups[0]);
    let before = content(&world, 0, groups[0]);
    world.hosts[0].disk.full = true;
    let operation = hibernate(&mut world, vec![groups[0]]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(content(&world, 0, groups[0]), before);
    assert!(text_of(&world, operation, groups[0]).contains("the disk is full"));
    world.heal_and_check();
}

#[test]
fn a_store_that_never_answers_is_given_up_on() {
    let (mut world, _, groups) = desk(1);
    world.edit(0, groups[0]);
    world.hosts[0].disk.mute = true;
    let operation = hibernate(&mut world, vec![groups[0]]);
    world.pass(35_000);
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    world.heal_and_check();
}

#[test]
fn an_app_that_dies_while_saving_leaves_its_last_stored_state() {
    let (mut world, _, groups) = desk(1);
    let stored = content(&world, 0, groups[0]);
    world.edit(0, groups[0]);
    mood(&mut world, Mood::Fainting);
    let operation = hibernate(&mut world, vec![groups[0]]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(content(&world, 0, groups[0]), stored);
    world.heal_and_check();
}

#[test]
fn a_document_of_which_nothing_was_stored_ends_with_a_word() {
    let (mut world, app, _) = desk(0);
    let group = world.open(0, app);
    world.run();
    world.kill(0, app);
    world.run();
    assert_eq!(world.state(0, group), "none");
    assert!(world.notices.iter().any(|n| n.contains("Nothing was kept")));
    world.heal_and_check();
}

#[test]
fn nobody_is_told_to_wake_what_was_never_stored() {
    let (mut world, app, _) = desk(0);
    let group = world.open(0, app);
    world.run();
    world.edit(0, group);
    mood(&mut world, Mood::Fainting);
    let operation = hibernate(&mut world, vec![group]);
    world.run();
    assert_eq!(world.state(0, group), "none");
    assert_eq!(world.outcome(operation, group), Some(Outcome::Failed));
    let text = text_of(&world, operation, group);
    assert!(text.contains("nothing could be kept"), "{text}");
    assert!(!text.contains("Wake it"), "{text}");
    world.heal_and_check();
}

#[test]
fn a_save_on_its_way_when_the_app_dies_is_kept() {
    let (mut world, app, _) = desk(0);
    let group = world.open(0, app);
    world.edit(0, group);
    world.autosave(0, group);
    world.advance(world::Lane::FromApp(0, app));
    world.kill(0, app);
    world.advance(world::Lane::FromApp(0, app));
    world.touch(0, group);
    world.run();
    assert_eq!(world.state(0, group), "live");
    assert_eq!(content(&world, 0, group).len(), 1);
    world.heal_and_check();
}

#[test]
fn autosaves_pile_up_as_one() {
    let (mut world, app, groups) = desk(1);
    for _ in 0..10 {
        world.edit(0, groups[0]);
        world.autosave(0, groups[0]);
        world.advance(world::Lane::FromApp(0, app));
    }
    world.run();
    let stored = world.hosts[0].disk.groups[&groups[0]]
        .journal
        .iter()
        .filter(|r| matches!(r, JournalRecord::Stored { .. }))
        .count();
    assert_eq!(
        stored, 3,
        "one before, the first, and the newest of the rest"
    );
    world.heal_and_check();
}

#[test]
fn a_closed_document_is_gone_and_nothing_brings_it_back() {
    let (mut world, _, groups) = desk(2);
    world.close(0, groups[0]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "none");
    world.crash(0, true);
    world.restart(0);
    world.run();
    assert_eq!(world.state(0, groups[0]), "none");
    assert_eq!(world.state(0, groups[1]), "asleep");
    world.heal_and_check();
}

#[test]
fn what_is_read_back_never_covers_what_was_typed_meanwhile() {
    let (mut world, app, groups) = desk(1);
    hibernate(&mut world, vec![groups[0]]);
    let read = |world: &World| {
        let under_way = world.lanes.get(&world::Lane::Store(0, groups[0]));
        under_way.is_some_and(|items| {
            let read = |i: &world::Item| {
                matches!(
                    i,
                    world::Item::Store(_, overwinter_session::StoreRequest::Read { .. }, _)
                )
            };
            items.iter().any(read)
        })
    };
    while !read(&world) {
        assert!(world.stir());
    }
    // While its stored state is being read to be written again, the user types and the app saves.
    world.edit(0, groups[0]);
    world.autosave(0, groups[0]);
    world.advance(world::Lane::FromApp(0, app));
    world.run();
    let typed = content(&world, 0, groups[0]);
    world.kill(0, app);
    world.run();
    world.touch(0, groups[0]);
    world.run();
    assert_eq!(content(&world, 0, groups[0]), typed);
    world.heal_and_check();
}

#[test]
fn a_ghost_touched_while_its_app_dies_wakes_in_a_living_one() {
    let (mut world, app, groups) = desk(1);
    hibernate(&mut world, vec![groups[0]]);
    while world.state(0, groups[0]) != "releasing" {
        assert!(world.stir());
    }
    world.touch(0, groups[0]);
    world.kill(0, app);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_ne!(world.holder(0, groups[0]), Some(app));
    world.heal_and_check();
}
