//! Anything, in any order: random operations, moods and faults on two hosts, with every invariant checked after every
//! step. At the end everything is mended, and then nothing may be lost, nothing run twice, nothing still wait.
//!
//! `OVERWINTER_SIM_CASES=20000 cargo nextest run -p overwinter-session` runs longer.

mod world;

use overwinter_session::Event;
use overwinter_session::ids::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use world::app::Mood;
use world::{APP, World, build};

/// Something that happens.
#[derive(Clone, Debug)]
enum Op {
    /// So many steps of lanes.
    Stir(u8),
    /// Everything under way.
    Run,
    /// The clock goes to the next deadline.
    Tick,
    Pass(u16),
    Launch(usize),
    Open(usize, u8),
    Edit(usize, u8),
    Autosave(usize, u8),
    Close(usize, u8),
    Kill(usize, u8),
    AppMood(usize, u8, Mood),
    HostMood(usize, Mood),
    DiskFull(usize, bool),
    DiskMute(usize, bool),
    DiskStuck(usize, bool),
    FlipABit(usize, u8),
    Fences(usize, bool),
    Starts(usize, bool),
    Install(usize, bool),
    Focus(usize, u8),
    Touch(usize, u8),
    Hibernate(usize, Option<u8>),
    Wake(usize, Option<u8>),
    Update(usize),
    Undo(usize),
    Forget(usize, u8),
    Move(usize, Option<u8>),
    BreakStream,
    PowerCut(usize),
    SessionDies(usize),
    Restart(usize),
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        4 => Just(Mood::Honest),
        1 => Just(Mood::Silent),
        1 => Just(Mood::Refusing),
        1 => Just(Mood::Stuttering),
        1 => Just(Mood::Restless),
        1 => Just(Mood::Forgetful),
        1 => Just(Mood::Lossy),
        1 => Just(Mood::Fragile),
        1 => Just(Mood::Fainting),
        1 => Just(Mood::Startled),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let host = 0..2_usize;
    let h = || host.clone();
    let n = any::<u8>;
    prop_oneof![
        30 => any::<u8>().prop_map(|n| Op::Stir(n % 24)),
        8 => Just(Op::Run),
        6 => Just(Op::Tick),
        3 => any::<u16>().prop_map(Op::Pass),
        4 => h().prop_map(Op::Launch),
        10 => (h(), n()).prop_map(|(h, n)| Op::Open(h, n)),
        16 => (h(), n()).prop_map(|(h, n)| Op::Edit(h, n)),
        14 => (h(), n()).prop_map(|(h, n)| Op::Autosave(h, n)),
        1 => (h(), n()).prop_map(|(h, n)| Op::Close(h, n)),
        3 => (h(), n()).prop_map(|(h, n)| Op::Kill(h, n)),
        5 => (h(), n(), mood()).prop_map(|(h, n, m)| Op::AppMood(h, n, m)),
        3 => (h(), mood()).prop_map(|(h, m)| Op::HostMood(h, m)),
        2 => (h(), any::<bool>()).prop_map(|(h, b)| Op::DiskFull(h, b)),
        2 => (h(), any::<bool>()).prop_map(|(h, b)| Op::DiskMute(h, b)),
        1 => (h(), any::<bool>()).prop_map(|(h, b)| Op::DiskStuck(h, b)),
        1 => (h(), n()).prop_map(|(h, n)| Op::FlipABit(h, n)),
        1 => (h(), any::<bool>()).prop_map(|(h, b)| Op::Fences(h, b)),
        1 => (h(), any::<bool>()).prop_map(|(h, b)| Op::Starts(h, b)),
        3 => (h(), any::<bool>()).prop_map(|(h, b)| Op::Install(h, b)),
        2 => (h(), n()).prop_map(|(h, n)| Op::Focus(h, n)),
        8 => (h(), n()).prop_map(|(h, n)| Op::Touch(h, n)),
        8 => (h(), any::<Option<u8>>()).prop_map(|(h, n)| Op::Hibernate(h, n)),
        6 => (h(), any::<Option<u8>>()).prop_map(|(h, n)| Op::Wake(h, n)),
        4 => h().prop_map(Op::Update),
        4 => h().prop_map(Op::Undo),
        1 => (h(), n()).prop_map(|(h, n)| Op::Forget(h, n)),
        6 => (h(), any::<Option<u8>>()).prop_map(|(h, n)| Op::Move(h, n)),
        2 => Just(Op::BreakStream),
        2 => h().prop_map(Op::PowerCut),
        2 => h().prop_map(Op::SessionDies),
        6 => h().prop_map(Op::Restart),
    ]
}

fn pick<T: Copy>(all: &[T], n: u8) -> Option<T> {
    (!all.is_empty()).then(|| all[usize::from(n) % all.len()])
}

/// Groups that the host's session knows.
fn groups(world: &World, host: usize) -> Vec<GroupId> {
    let session = world.hosts[host].session.as_ref();
    let view = session.map(overwinter_session::Session::view);
    view.map(|v| v.groups.iter().map(|g| g.group).collect())
        .unwrap_or_default()
}

fn apps(world: &World, host: usize) -> Vec<InstanceId> {
    world.hosts[host].apps.keys().copied().collect()
}

fn chosen(world: &World, host: usize, n: Option<u8>) -> Vec<GroupId> {
    n.and_then(|n| pick(&groups(world, host), n))
        .into_iter()
        .collect()
}

fn play(world: &mut World, op: &Op) {
    match *op {
        Op::Stir(n) => {
            for _ in 0..n {
                world.stir();
            }
        }
        Op::Run => world.run(),
        Op::Tick => {
            world.tick();
        }
        Op::Pass(ms) => world.pass(ms.into()),
        Op::Launch(h) => {
            if world.hosts[h].apps.len() < 4 {
                world.launch_by_hand(h);
            }
        }
        Op::Open(h, n) => {
            if let Some(app) = pick(&apps(world, h), n)
                && groups(world, h).len() < 8
            {
                world.open(h, app);
            }
        }
        Op::Kill(h, n) => {
            if let Some(app) = pick(&apps(world, h), n) {
                world.kill(h, app);
            }
        }
        Op::AppMood(h, n, mood) => {
            if let Some(app) = pick(&apps(world, h), n)
                && let Some(app) = world.hosts[h].apps.get_mut(&app)
            {
                app.mood = mood;
            }
        }
        Op::HostMood(h, mood) => world.hosts[h].mood = mood,
        Op::DiskFull(h, full) => world.hosts[h].disk.full = full,
        Op::DiskMute(h, mute) => world.hosts[h].disk.mute = mute,
        Op::DiskStuck(h, stuck) => world.hosts[h].disk.stuck = stuck,
        Op::Fences(h, answer) => world.hosts[h].fences_answer = answer,
        Op::Starts(h, fail) => world.hosts[h].starts_fail = fail,
        Op::Install(h, newer) => {
            let (app, build) = (APP.to_owned(), build(if newer { "2.0" } else { "1.0" }));
            world.hosts[h].on_disk = build.clone();
            world.tell(h, Event::BuildOnDisk { app, build });
        }
        Op::BreakStream => {
            if let Some(link) = world.links.first().copied() {
                world.break_stream(link);
            }
        }
        Op::PowerCut(h) => world.crash(h, true),
        Op::SessionDies(h) => world.crash(h, false),
        Op::Restart(h) => {
            if world.hosts[h].session.is_none() {
                world.restart(h);
            }
        }
        _ => wish(world, op),
    }
}

fn wish(world: &mut World, op: &Op) {
    let app = APP.to_owned();
    match *op {
        Op::Edit(h, n)
        | Op::Autosave(h, n)
        | Op::Close(h, n)
        | Op::Touch(h, n)
        | Op::FlipABit(h, n)
        | Op::Focus(h, n) => {
            let Some(group) = pick(&groups(world, h), n) else {
                return;
            };
            match op {
                Op::Edit(..) => world.edit(h, group),
                Op::Autosave(..) => world.autosave(h, group),
                Op::Close(..) => world.close(h, group),
                Op::Touch(..) => world.touch(h, group),
                Op::FlipABit(..) => world.flip_a_bit(h, group),
                _ => world.tell(h, Event::Focused { group: Some(group) }),
            }
        }
        _ => {}
    }
    let h = match *op {
        Op::Hibernate(h, _)
        | Op::Wake(h, _)
        | Op::Update(h)
        | Op::Undo(h)
        | Op::Forget(h, _)
        | Op::Move(h, _) => h,
        _ => return,
    };
    if world.hosts[h].session.is_none() {
        return;
    }
    if let Op::Move(from, n) = *op {
        let groups = chosen(world, from, n);
        if world.hosts[1 - from].session.is_some() && world.links.len() < 2 {
            world.move_groups(from, 1 - from, groups);
        }
        return;
    }
    let operation = world.operation(h);
    let event = match *op {
        Op::Hibernate(_, n) => Event::Hibernate {
            operation,
            groups: chosen(world, h, n),
        },
        Op::Wake(_, n) => Event::Wake {
            operation,
            groups: chosen(world, h, n),
        },
        Op::Update(_) => Event::Update { operation, app },
        Op::Undo(_) => Event::UndoUpdate { operation, app },
        Op::Forget(_, n) => {
            let groups = chosen(world, h, Some(n));
            // The user means it, whether or not it can be done.
            world.ended.extend(groups.iter().copied());
            Event::Forget { operation, groups }
        }
        _ => return,
    };
    world.tell(h, event);
}

fn cases() -> u32 {
    let asked = std::env::var("OVERWINTER_SIM_CASES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(1_000)
}

proptest! {
    #![proptest_config(Config {
        cases: cases(),
        max_shrink_iters: 4_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    })]

    #[test]
    fn whatever_happens_nothing_is_lost(
        seed in any::<u64>(),
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut world = World::new(2, seed);
        let app = world.launch_by_hand(0);
        world.run();
        let _ = world.open(0, app);
        for op in &ops {
            world.say(format!("── {op:?}"));
            play(&mut world, op);
        }
        world.heal_and_check();
    }
}
