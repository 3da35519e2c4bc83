//! Groups go to another host, and are on exactly one.

use super::*;
use overwinter_session::Outcome;
use overwinter_session::proto::JournalRecord;

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
