//! A new session finds what the former one left.

use super::*;

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
