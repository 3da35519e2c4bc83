//! Each flow told once, from the first word to the last, with what goes wrong in it.

#[path = "../world/mod.rs"]
mod world;

mod failed_wakes;
mod moves;
mod restart;
mod sleep;
mod update;

use overwinter_session::Event;
use overwinter_session::ids::*;
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
