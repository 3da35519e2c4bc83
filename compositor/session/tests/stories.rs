//! Each flow told once, from the first word to the last, with what goes wrong in it.

mod world;

use overwinter_session::ids::*;
use overwinter_session::proto::JournalRecord;
use overwinter_session::{Event, Outcome};
use world::app::Mood;
use world::{APP, World, build};

/// A session with one app that has this many documents, each edited and saved.
fn desk(documents: usize) -> (World, InstanceId, Vec<GroupId>) {
    desk_of(1, documents)
}

fn desk_of(hosts: usize, documents: usize) -> (World, InstanceId, Vec<GroupId>) {
    let mut world = World::new(hosts, 7);
    let app = world.launch_by_hand(0);
    world.run();
    let groups: Vec<GroupId> = (0..documents).map(|_| world.open(0, app)).collect();
    for group in &groups {
        world.edit(0, *group);
        world.edit(0, *group);
        world.autosave(0, *group);
        world.run();
    }
    (world, app, groups)
}

fn hibernate(world: &mut World, groups: Vec<GroupId>) -> OperationId {
    let operation = world.operation(0);
    world.tell(0, Event::Hibernate { operation, groups });
    operation
}

fn wake(world: &mut World, groups: Vec<GroupId>) -> OperationId {
    let operation = world.operation(0);
    world.tell(0, Event::Wake { operation, groups });
    operation
}

fn update(world: &mut World) -> OperationId {
    let (operation, app) = (world.operation(0), APP.to_owned());
    world.tell(0, Event::Update { operation, app });
    operation
}

fn undo(world: &mut World) -> OperationId {
    let (operation, app) = (world.operation(0), APP.to_owned());
    world.tell(0, Event::UndoUpdate { operation, app });
    operation
}

fn install(world: &mut World, version: &str) {
    let (app, build) = (APP.to_owned(), build(version));
    world.hosts[0].on_disk = build.clone();
    world.tell(0, Event::BuildOnDisk { app, build });
}

fn mood(world: &mut World, mood: Mood) {
    for app in world.hosts[0].apps.values_mut() {
        app.mood = mood;
    }
}

fn version(world: &World, group: GroupId) -> String {
    let view = world.hosts[0].session.as_ref().unwrap().view();
    let group = view.groups.iter().find(|g| g.group == group).unwrap();
    group.version.clone()
}

fn content(world: &World, host: usize, group: GroupId) -> Vec<u64> {
    let Some(app) = world.holder(host, group) else {
        world.fail("nobody holds it");
    };
    let copies = world.hosts[host].apps[&app].copies.values();
    let held = copies
        .into_iter()
        .find(|c| c.group == group && c.lease.is_some());
    held.unwrap().content.0.clone()
}

fn text_of(world: &World, operation: OperationId, group: GroupId) -> String {
    let (_, results) = &world.results[&operation];
    let found = results.iter().find(|r| r.group == group);
    found.map(|r| r.text.clone()).unwrap_or_default()
}

// ── sleep and wake ───────────────────────────────────────────────────────────────────────────────────────────────────

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

// ── failed wakes ─────────────────────────────────────────────────────────────────────────────────────────────────────

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

// ── update ───────────────────────────────────────────────────────────────────────────────────────────────────────────

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

// ── a new session ────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn apps_that_outlive_the_session_keep_their_windows() {
    let (mut world, app, groups) = desk(2);
    world.edit(0, groups[0]);
    let before = content(&world, 0, groups[0]);
    hibernate(&mut world, vec![groups[1]]);
    world.run();
    world.crash(0, false);
    world.restart(0);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(world.holder(0, groups[0]), Some(app));
    assert_eq!(content(&world, 0, groups[0]), before);
    assert_eq!(world.state(0, groups[1]), "asleep");
    hibernate(&mut world, vec![]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    world.heal_and_check();
}

#[test]
fn after_a_power_cut_everything_stored_is_a_ghost() {
    let (mut world, _, groups) = desk(3);
    world.crash(0, true);
    world.restart(0);
    world.run();
    for group in &groups {
        assert_eq!(world.state(0, *group), "asleep");
        assert!(world.hosts[0].screen.ghosts.contains(group));
    }
    world.heal_and_check();
}

// ── move ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_whole_session_walks_to_another_host() {
    let (mut world, _, groups) = desk_of(2, 3);
    world.edit(0, groups[0]);
    let before: Vec<_> = groups.iter().map(|g| content(&world, 0, *g)).collect();
    hibernate(&mut world, vec![groups[2]]);
    world.run();
    let operation = world.move_groups(0, 1, vec![]);
    world.run();
    for (group, before) in groups.iter().zip(before) {
        assert_eq!(world.state(0, *group), "released");
        assert_eq!(world.state(1, *group), "live");
        assert_eq!(content(&world, 1, *group), before);
        assert_eq!(world.outcome(operation, *group), Some(Outcome::Done));
        assert!(world.hosts[0].disk.groups[group].snapshots.is_empty());
    }
    assert!(world.links.is_empty(), "both ends have closed the stream");
    // The source refuses, and says where it is.
    world.touch(0, groups[0]);
    assert!(world.notices.last().unwrap().contains("lives on host1"));
    let refused = wake(&mut world, vec![groups[0]]);
    world.run();
    assert_eq!(world.outcome(refused, groups[0]), Some(Outcome::Failed));
    world.heal_and_check();
}

#[test]
fn there_and_back_again() {
    let (mut world, _, groups) = desk_of(2, 1);
    world.move_groups(0, 1, vec![]);
    world.run();
    world.edit(1, groups[0]);
    let typed = content(&world, 1, groups[0]);
    world.move_groups(1, 0, vec![]);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(world.state(1, groups[0]), "released");
    assert_eq!(content(&world, 0, groups[0]), typed);
    world.move_groups(0, 1, vec![]);
    world.run();
    assert_eq!(world.state(1, groups[0]), "live");
    assert_eq!(content(&world, 1, groups[0]), typed);
    world.heal_and_check();
    for host in [0, 1] {
        assert!(world.journals_agree(host, groups[0]));
    }
}

#[test]
fn a_target_that_disappears_before_the_commit_point_leaves_the_window_where_it_was() {
    let (mut world, _, groups) = desk_of(2, 1);
    let before = content(&world, 0, groups[0]);
    let operation = world.move_groups(0, 1, vec![]);
    while world.state(0, groups[0]) != "in-transit" {
        assert!(world.stir());
    }
    let link = world.links[0];
    world.break_stream(link);
    world.run();
    assert_eq!(world.state(0, groups[0]), "live");
    assert_eq!(content(&world, 0, groups[0]), before);
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    world.heal_and_check();
}

#[test]
fn a_group_that_came_just_before_a_crash_is_told_of_and_wakes_when_touched() {
    let (mut world, _, groups) = desk_of(2, 1);
    let before = content(&world, 0, groups[0]);
    world.move_groups(0, 1, vec![]);
    let owned = |world: &World| {
        let disk = &world.hosts[1].disk.groups;
        let mut entries = disk.get(&groups[0]).into_iter().flat_map(|g| &g.journal);
        entries.any(|e| matches!(e, JournalRecord::Owned { .. }))
    };
    while !owned(&world) {
        assert!(world.stir());
    }
    world.crash(1, true);
    world.notices.clear();
    world.restart(1);
    world.run();
    assert_eq!(world.state(1, groups[0]), "asleep");
    assert!(world.hosts[1].screen.ghosts.contains(&groups[0]));
    let told = |world: &World| world.notices.iter().any(|n| n.contains("came here from"));
    assert!(told(&world), "{:?}", world.notices);
    world.touch(1, groups[0]);
    world.run();
    assert_eq!(world.state(1, groups[0]), "live");
    assert_eq!(content(&world, 1, groups[0]), before);
    // From now on it is at home here.
    world.notices.clear();
    world.crash(1, true);
    world.restart(1);
    world.run();
    assert!(!told(&world), "{:?}", world.notices);
    world.heal_and_check();
}

/// Whether a host takes a group that somebody offers it under this lease.
fn is_refused(world: &mut World, host: usize, group: GroupId, lease: Lease) -> bool {
    use overwinter_session::Effect;
    use overwinter_session::proto::transfer::{Manifest, Message, PROTOCOL};
    let peer = PeerId(777);
    let operation = world.operation(host);
    world.tell(host, Event::Receive { operation, peer });
    let message = Message::Hello {
        protocol: PROTOCOL,
        name: "an old backup".to_owned(),
        key: [9; 32],
        source: true,
    };
    world.tell(host, Event::Peer { peer, message });
    let manifest = Manifest {
        group,
        app: APP.to_owned(),
        title: String::new(),
        generation: Generation(1),
        lease,
        chunks: Vec::new(),
        head: Vec::new(),
    };
    let (tx, keys) = (TxId(5_000_000), Vec::new());
    let message = Message::Offer { tx, manifest, keys };
    let mut there = world.hosts[host].session.clone().expect("it runs");
    let effects = there.step(world.now, Event::Peer { peer, message });
    world.tell(host, Event::PeerGone { peer });
    effects.iter().any(|e| {
        matches!(
            e,
            Effect::Peer {
                message: Message::Refuse { .. },
                ..
            }
        )
    })
}

#[test]
fn an_old_backup_of_a_host_gives_nobody_its_groups() {
    let (mut world, _, groups) = desk_of(2, 1);
    let before_the_move = Lease::FIRST;
    world.move_groups(0, 1, vec![]);
    world.run();
    assert!(
        is_refused(&mut world, 1, groups[0], before_the_move),
        "it is at work there"
    );
    assert!(
        is_refused(&mut world, 0, groups[0], before_the_move),
        "it was let go of under a later epoch"
    );
    let after_the_move = before_the_move.next_host();
    assert!(
        !is_refused(&mut world, 0, groups[0], after_the_move),
        "its owner may bring it back"
    );
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

#[test]
fn a_commit_point_that_may_or_may_not_be_on_disk_is_taken_back_before_anything_runs() {
    let (mut world, _, groups) = desk_of(2, 1);
    world.move_groups(0, 1, vec![]);
    let committing = |world: &World| {
        let under_way = world.lanes.get(&world::Lane::Store(0, groups[0]));
        under_way.is_some_and(|items| {
            items
                .iter()
                .any(|i| format!("{i:?}").contains("record: Released"))
        })
    };
    while !committing(&world) {
        assert!(world.stir());
    }
    // The record is written, and nobody hears of it.
    world.hosts[0].disk.mute = true;
    world.advance(world::Lane::Store(0, groups[0]));
    world.pass(40_000);
    assert_eq!(
        world.state(0, groups[0]),
        "in-transit",
        "nobody may run it yet"
    );
    world.hosts[0].disk.mute = false;
    world.pass(60_000);
    assert_eq!(world.state(0, groups[0]), "live");
    world.edit(0, groups[0]);
    world.autosave(0, groups[0]);
    world.run();
    world.crash(0, true);
    world.restart(0);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    world.heal_and_check();
}

#[test]
fn one_group_that_cannot_be_packed_does_not_stop_the_others_from_moving() {
    let (mut world, _, groups) = desk_of(2, 2);
    hibernate(&mut world, vec![groups[0]]);
    world.run();
    world.flip_a_bit(0, groups[0]);
    let operation = world.move_groups(0, 1, vec![]);
    world.run();
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    assert_eq!(world.state(0, groups[0]), "asleep");
    assert_eq!(world.outcome(operation, groups[1]), Some(Outcome::Done));
    assert_eq!(world.state(1, groups[1]), "live");
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
