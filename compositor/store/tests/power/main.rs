//! The power goes at every single operation, and what was not synced is lost, kept, or torn; the disk fills up; it fails once
//! or several times: everything that the store has acknowledged reads back bit for bit, and nothing older passes for the newest.
//!
//! `OVERWINTER_TEST_SEED=n` plays one seed again, `OVERWINTER_TEST_SEEDS=n` so many, from `OVERWINTER_TEST_FROM=n` on.

#[path = "../common/mod.rs"]
mod common;
mod oracle;
mod script;

use common::{Fault, FaultFs, Random, Unsynced, fates};
use oracle::Oracle;
use script::{Step, random_script, script};

/// What happens to a step that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    /// It is done again.
    Patient,
    /// It is left at that, where nothing of it can have happened.
    Careless,
}

/// Runs the steps. Returns what was acknowledged, and the step in which the power went.
fn play(fs: &FaultFs, steps: &[Step], mood: Mood) -> (Oracle, Option<Step>) {
    let mut oracle = Oracle::default();
    let mut store = None;
    for step in std::iter::once(&Step::Reopen).chain(steps) {
        let Err(e) = oracle.run(fs, &mut store, step) else {
            continue;
        };
        if fs.is_dead() {
            return (oracle, Some(step.clone()));
        }
        let context = format!("in {step:?}, after\n{}", fs.tail());
        assert!(!fs.is_full() || e.is_full(), "{context}: {e}");
        let unknown = matches!(e, overwinter_store::StoreError::Unknown { .. });
        if let Some(open) = store.as_mut().filter(|_| !unknown) {
            fs.hold(|| oracle.check_open(open, step, &context));
        }
        fs.heal();
        if mood == Mood::Careless && Oracle::may_give_up(step, &e) {
            continue;
        }
        match oracle.run(fs, &mut store, step) {
            Ok(()) => {}
            Err(_) if fs.is_dead() => return (oracle, Some(step.clone())),
            Err(e) => panic!("{context}: again: {e}"),
        }
    }
    (oracle, None)
}

/// Runs the steps with these faults on the way; then the power goes, if it has not yet, and what is left is looked at.
fn survive(fs: &FaultFs, steps: &[Step], mood: Mood, unsynced: &[Unsynced], what: &str) {
    let (oracle, unanswered) = play(fs, steps, mood);
    for fate in unsynced {
        let tail = fs.tail();
        let context =
            format!("{what}, {mood:?}, unsynced {fate:?}, in {unanswered:?}, after\n{tail}");
        oracle.check(&fs.after_power_cut(*fate), unanswered.as_ref(), &context);
    }
}

/// How many operations the script takes.
fn count() -> u64 {
    let fs = FaultFs::default();
    survive(
        &fs,
        &script(),
        Mood::Patient,
        &[Unsynced::Lost],
        "at the end",
    );
    fs.ops()
}

#[test]
fn a_run_can_be_replayed() {
    let runs = [FaultFs::default(), FaultFs::default()];
    for fs in &runs {
        play(fs, &script(), Mood::Patient);
    }
    assert!(runs[0].all_files() == runs[1].all_files());
    assert_eq!(runs[0].ops(), runs[1].ops());
}

#[test]
fn a_power_cut_at_every_operation_loses_nothing_acknowledged() {
    for at in 0..=count() {
        let fs = FaultFs::default();
        fs.fail_at(at, Fault::PowerCut);
        let what = format!("power cut at operation {at}");
        survive(&fs, &script(), Mood::Patient, &fates(at), &what);
    }
}

#[test]
fn a_second_power_cut_during_recovery_loses_nothing_either() {
    for at in (0..count()).step_by(7) {
        let fs = FaultFs::default();
        fs.fail_at(at, Fault::PowerCut);
        let (oracle, unanswered) = play(&fs, &script(), Mood::Patient);
        for again in 0.. {
            let found = fs.after_power_cut(Unsynced::Mixed(at));
            found.fail_at(again, Fault::PowerCut);
            let opened = found.store().is_ok();
            let context = format!(
                "power cut at {at} and at {again} of the recovery, in {unanswered:?}, after\n{}",
                found.tail()
            );
            let found = found.after_power_cut(Unsynced::Mixed(again));
            oracle.check(&found, unanswered.as_ref(), &context);
            if opened {
                break;
            }
        }
    }
}

/// While a store is made the disk fails once; it is opened again, and the power goes anywhere after that.
#[test]
fn a_power_cut_after_a_beginning_that_failed_leaves_a_store_that_opens() {
    let beginning = FaultFs::default();
    play(&beginning, &[], Mood::Patient);
    for at in 0..beginning.ops() {
        for cut in at + 1..at + 1 + beginning.ops() {
            let fs = FaultFs::default();
            let failure = Fault::Once(std::io::ErrorKind::Other);
            fs.fail_with(vec![(at, failure), (cut, Fault::PowerCut)]);
            let unsynced: Vec<_> = (0..10).map(Unsynced::Mixed).collect();
            let what = format!("failure {at}, power cut {cut}");
            survive(&fs, &[], Mood::Patient, &unsynced, &what);
        }
    }
}

/// A single operation fails, or the disk fills up; then the same process tries again, and at last the power goes.
fn fails_and_goes_on(fault: Fault) {
    for at in 0..=count() {
        let fs = FaultFs::default();
        fs.fail_at(at, fault);
        let what = format!("{fault:?} at operation {at}");
        survive(&fs, &script(), Mood::Patient, &[Unsynced::Lost], &what);
    }
}

#[test]
fn a_full_disk_at_every_operation_leaves_everything_as_it_was() {
    fails_and_goes_on(Fault::Full);
}

#[test]
fn an_input_output_error_at_every_operation_loses_nothing_acknowledged() {
    fails_and_goes_on(Fault::Once(std::io::ErrorKind::Other));
}

#[test]
fn these_tests_notice_a_disk_that_lies_about_any_sync() {
    for part in [
        "/journal",
        "/objects/",
        "/keys",
        "/tombstones",
        "/tmp/",
        "/home/store",
    ] {
        let fs = FaultFs::default();
        fs.lie_about(part);
        let (oracle, _) = play(&fs, &script(), Mood::Patient);
        let after = fs.after_power_cut(Unsynced::Lost);
        let checked = std::panic::catch_unwind(|| oracle.check(&after, None, "a disk that lies"));
        assert!(
            checked.is_err(),
            "a disk that lies about {part} was not noticed"
        );
    }
}

/// What goes wrong in one run, and how the steps are done again.
fn troubles(random: &mut Random, ops: u64) -> (Vec<(u64, Fault)>, Mood) {
    use std::io::ErrorKind as E;
    let mut at = || random.next() % ops;
    let first = at();
    let later = first + at();
    let once = [E::Other, E::StorageFull][random.below(2)];
    let mut faults = match random.below(8) {
        0 => vec![],
        1 => vec![(first, Fault::Full)],
        2 => vec![(first, Fault::Once(once))],
        3 => vec![
            (first, Fault::Once(once)),
            (first + 1, Fault::Once(E::Other)),
        ],
        4 => vec![(first, Fault::Once(once)), (later, Fault::PowerCut)],
        5 => vec![(first, Fault::Full), (later, Fault::PowerCut)],
        _ => vec![(first, Fault::PowerCut)],
    };
    // The very next operation may fail again: what is tried in place of what failed.
    faults.dedup_by_key(|(at, _)| *at);
    let mood = if random.below(2) == 0 {
        Mood::Patient
    } else {
        Mood::Careless
    };
    (faults, mood)
}

/// A run that anyone can repeat.
fn play_seed(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let steps = random_script(&mut random);
    let dry = FaultFs::seeded(seed);
    let (oracle, failed) = play(&dry, &steps, Mood::Patient);
    assert!(failed.is_none(), "seed {seed}: {failed:?}");
    let (faults, mood) = troubles(&mut random, dry.ops());
    let unsynced = match random.below(4) {
        0 => Unsynced::Lost,
        1 => Unsynced::Kept,
        _ => Unsynced::Mixed(random.next()),
    };
    let what = format!("seed {seed}, {faults:?}");
    if faults.is_empty() {
        return oracle.check(&dry.after_power_cut(unsynced), None, &what);
    }
    let fs = FaultFs::seeded(seed);
    fs.fail_with(faults);
    survive(&fs, &steps, mood, &[unsynced], &what);
}

#[test]
fn ten_thousand_seeds_lose_nothing_acknowledged() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    if let Some(seed) = number("OVERWINTER_TEST_SEED") {
        return play_seed(seed);
    }
    let from = number("OVERWINTER_TEST_FROM").unwrap_or(0);
    let seeds = from..from + number("OVERWINTER_TEST_SEEDS").unwrap_or(10_000);
    for seed in seeds {
        if seed % 10_000 == 0 && seed > from {
            eprintln!("seeds {from} to {seed}: all is well");
        }
        let played = std::panic::catch_unwind(|| play_seed(seed));
        if let Err(panic) = played {
            eprintln!("again with OVERWINTER_TEST_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
