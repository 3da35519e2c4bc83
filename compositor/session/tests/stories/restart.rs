//! A new session finds what the former one left.

use super::*;
use overwinter_session::Outcome;

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

#[test]
fn a_group_that_was_imported_sleeps_as_after_a_start_and_wakes() {
    use overwinter_session::proto::JournalRecord;
    use overwinter_session::proto::journal::JournalEntry;
    use overwinter_session::{Config, Effect, GroupHistory, Session, ShellEffect, StoreRequest};

    let group = GroupId(99);
    let generation = Generation(1);
    let records = [
        JournalRecord::Stored {
            generation,
            revision: Revision(4),
            lease: Lease::FIRST,
        },
        JournalRecord::Opened {
            app: APP.to_owned(),
        },
    ];
    let entry = |(sequence, record)| JournalEntry { sequence, record };
    let history = GroupHistory {
        group,
        app: APP.to_owned(),
        title: "book".to_owned(),
        build: Some(build("1.0")),
        entries: (0..).zip(records).map(entry).collect(),
    };
    let mut session = Session::new(Config::new(1, [0; 32], "here"));
    let effects = session.step(Instant(1), Event::Imported(history.clone()));
    let ghost = Effect::Shell(ShellEffect::PlaceGhost { group, generation });
    assert_eq!(effects, [ghost]);
    let view = session.view();
    let [seen] = view.groups.as_slice() else {
        panic!("{view:?}");
    };
    assert_eq!(
        (seen.state, seen.title.as_str(), seen.generation),
        ("asleep", "book", generation)
    );
    let again = session.step(Instant(2), Event::Imported(history));
    assert_eq!(again, [], "it is here already");
    let operation = OperationId(1);
    let groups = vec![group];
    let effects = session.step(Instant(3), Event::Wake { operation, groups });
    let reads = |effect: &Effect| matches!(effect, Effect::Store { request: StoreRequest::Read { group: g, .. }, .. } if *g == group);
    assert!(effects.iter().any(reads), "{effects:?}");
    assert!(effects.iter().any(|e| matches!(e, Effect::Start { .. })));
}

#[test]
fn a_group_that_was_said_to_sleep_on_is_there_after_a_restart() {
    let (mut world, _, groups) = desk(1);
    hibernate(&mut world, groups.clone());
    world.run();
    // The disk does it, and says so too late.
    world.hosts[0].disk.mute = true;
    let operation = world.operation(0);
    let event = Event::Forget {
        operation,
        groups: groups.clone(),
    };
    world.tell(0, event);
    world.pass(35_000);
    assert_eq!(world.outcome(operation, groups[0]), Some(Outcome::Failed));
    assert_eq!(world.state(0, groups[0]), "asleep");
    world.hosts[0].disk.mute = false;
    world.crash(0, true);
    world.restart(0);
    world.run();
    assert_eq!(world.state(0, groups[0]), "asleep");
    world.heal_and_check();
}
