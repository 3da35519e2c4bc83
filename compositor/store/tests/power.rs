//! The power goes at every single operation, and what was not synced is lost, kept, or torn: everything that the store has
//! acknowledged reads back bit for bit, and nothing older passes for the newest.

mod common;

use std::collections::BTreeMap;

use common::{Fault, FaultFs, G1, G2, Random, Unsynced, fates, numbers, snapshot};
use overwinter_proto::{Generation, GroupId, JournalRecord, Lease, Revision, Snapshot, TxId};
use overwinter_store::{Result, Store, StoreError};

/// What a session does, in an order that touches every durable step.
#[derive(Clone)]
enum Step {
    Record(GroupId, JournalRecord),
    Put(GroupId, Snapshot),
    Retain(GroupId),
    Forget(GroupId),
    Reopen,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Record(group, record) => write!(f, "record {group:?} {record:?}"),
            Step::Put(group, snapshot) => write!(f, "put {group:?} {:?}", snapshot.revision),
            Step::Retain(group) => write!(f, "retain {group:?}"),
            Step::Forget(group) => write!(f, "forget {group:?}"),
            Step::Reopen => f.write_str("reopen"),
        }
    }
}

/// Made once: drawing the document's bytes takes longer than storing them.
fn script() -> Vec<Step> {
    static SCRIPT: std::sync::OnceLock<Vec<Step>> = std::sync::OnceLock::new();
    SCRIPT.get_or_init(write_script).clone()
}

fn write_script() -> Vec<Step> {
    let mut random = Random(42);
    let small = |n: u64| {
        snapshot(
            "notes.txt",
            n,
            format!("some text {n} ").repeat(20).into_bytes(),
        )
    };
    // Two versions of a document of several chunks, the second differs in the middle.
    let document = random.bytes(300_000);
    let mut edited = document.clone();
    edited[150_000..150_100].fill(7);
    use JournalRecord as R;
    vec![
        Step::Record(
            G1,
            R::Opened {
                app: "org.overwinter.Editor".to_owned(),
            },
        ),
        Step::Record(G1, R::Lease(Lease::FIRST)),
        Step::Put(G1, small(1)),
        Step::Put(G2, snapshot("book.txt", 1, document)),
        Step::Put(G1, small(2)),
        Step::Record(G1, R::Proven(Generation(1))),
        Step::Put(G2, snapshot("book.txt", 2, edited)),
        Step::Put(G1, small(3)),
        Step::Retain(G1),
        Step::Reopen,
        Step::Retain(G2),
        Step::Put(G1, small(4)),
        Step::Record(G1, R::Slept(Generation(4))),
        Step::Forget(G2),
        Step::Put(G1, small(5)),
        Step::Retain(G1),
        Step::Put(G1, small(6)),
        Step::Retain(G1),
        Step::Record(G1, R::Aborted { tx: TxId(9) }),
    ]
}

/// What must be found again.
#[derive(Default, Clone)]
struct Oracle {
    snapshots: BTreeMap<GroupId, BTreeMap<Generation, Snapshot>>,
    records: BTreeMap<GroupId, Vec<JournalRecord>>,
    forgotten: Vec<GroupId>,
}

impl Oracle {
    fn retained(&mut self, group: GroupId) {
        let all = self.snapshots.entry(group).or_default();
        let newest = all.keys().last().copied();
        let proven = self
            .records
            .get(&group)
            .into_iter()
            .flatten()
            .rev()
            .find_map(|r| match r {
                JournalRecord::Proven(g) => Some(*g),
                _ => None,
            });
        all.retain(|g, _| Some(*g) == newest || Some(*g) == proven);
    }

    fn forget(&mut self, group: GroupId) {
        self.snapshots.remove(&group);
        self.records.remove(&group);
        self.forgotten.push(group);
    }
}

fn run(fs: &FaultFs, store: &mut Option<Store>, oracle: &mut Oracle, step: &Step) -> Result<()> {
    if let Step::Reopen = step {
        drop(store.take());
        let (again, mut report) = fs.store()?;
        if let Some((_, e)) = report.damaged.pop() {
            // The disk failed while one group was being looked at; it is asked again.
            assert!(!e.is_damage(), "{e}");
            return Err(e);
        }
        *store = Some(again);
        return Ok(());
    }
    let open = store.as_mut().unwrap();
    // Every other step, what was swept before is due.
    fs.pass(40);
    match step {
        Step::Record(group, record) => {
            open.record(*group, record)?;
            oracle
                .records
                .entry(*group)
                .or_default()
                .push(record.clone());
        }
        Step::Put(group, snapshot) => {
            let lease = Lease::FIRST;
            let generation = open.put(*group, lease, snapshot.revision, snapshot)?;
            oracle
                .snapshots
                .entry(*group)
                .or_default()
                .insert(generation, snapshot.clone());
            let record = JournalRecord::Stored {
                generation,
                revision: snapshot.revision,
                lease,
            };
            oracle.records.entry(*group).or_default().push(record);
        }
        Step::Retain(group) => {
            open.retain(*group, &[])?;
            oracle.retained(*group);
        }
        Step::Forget(group) => {
            open.forget(*group)?;
            oracle.forget(*group);
        }
        Step::Reopen => {}
    }
    Ok(())
}

/// Runs the script until it fails. Returns what was acknowledged, and the step that was not.
fn play(fs: &FaultFs) -> (Oracle, Option<Step>) {
    play_steps(fs, &script())
}

fn play_steps(fs: &FaultFs, steps: &[Step]) -> (Oracle, Option<Step>) {
    let mut oracle = Oracle::default();
    let Ok((store, _)) = fs.store() else {
        return (oracle, Some(Step::Reopen));
    };
    let mut store = Some(store);
    for step in steps {
        if run(fs, &mut store, &mut oracle, step).is_err() {
            return (oracle, Some(step.clone()));
        }
    }
    (oracle, None)
}

/// Opens what is left and compares it with what was acknowledged; then goes on working with it.
fn check(fs: &FaultFs, oracle: &Oracle, unanswered: Option<&Step>, context: &str) {
    let (mut store, report) = fs.store().unwrap_or_else(|e| panic!("{context}: {e}"));
    assert!(report.damaged.is_empty(), "{context}: {report:?}");
    assert!(report.strangers.is_empty(), "{context}: {report:?}");
    let listed = store.groups().unwrap();
    for (group, records) in &oracle.records {
        let forgetting = matches!(unanswered, Some(Step::Forget(g)) if g == group);
        if forgetting && !listed.contains(group) {
            assert!(
                matches!(store.journal(*group), Err(StoreError::Forgotten(_))),
                "{context}"
            );
            continue;
        }
        check_records(&mut store, *group, records, unanswered, context);
        check_snapshots(&mut store, oracle, *group, unanswered, context);
    }
    for group in &oracle.forgotten {
        assert!(!listed.contains(group), "{context}");
        assert!(
            matches!(
                store.get(*group, Generation(1)),
                Err(StoreError::Forgotten(_))
            ),
            "{context}"
        );
        assert!(store.tombstone(*group).unwrap().is_some(), "{context}");
    }
    for group in listed.iter().filter(|g| !oracle.records.contains_key(g)) {
        let begun = matches!(unanswered, Some(Step::Record(g, _) | Step::Put(g, _)) if g == group);
        assert!(begun, "{context}: {group} came out of nothing");
    }
    drop(store);
    let (mut store, report) = fs.store().unwrap();
    assert!(
        report.torn.is_empty(),
        "{context}: what was cut off once stays cut off"
    );
    let next = snapshot("after", 99, b"life goes on".to_vec());
    let generation = store
        .put(G1, Lease::FIRST, Revision(99), &next)
        .unwrap_or_else(|e| panic!("{context}: {e}"));
    assert_eq!(store.get(G1, generation).unwrap(), next, "{context}");
    assert_eq!(
        numbers(&mut store, G1).last(),
        Some(&generation),
        "{context}"
    );
}

fn check_records(
    store: &mut Store,
    group: GroupId,
    acknowledged: &[JournalRecord],
    unanswered: Option<&Step>,
    context: &str,
) {
    let found: Vec<_> = store
        .journal(group)
        .unwrap_or_else(|e| panic!("{context}: {e}"))
        .into_iter()
        .map(|e| e.record)
        .collect();
    // A journal that was compacted says nothing of generations that were dropped.
    let there = numbers(store, group);
    let is_there = |r: &JournalRecord| !matches!(r, JournalRecord::Stored { generation, .. } if !there.contains(generation));
    let found: Vec<_> = found.into_iter().filter(is_there).collect();
    let acknowledged: Vec<_> = acknowledged
        .iter()
        .filter(|r| is_there(r))
        .cloned()
        .collect();
    assert!(
        found.starts_with(&acknowledged),
        "{context}: {acknowledged:?} became {found:?}"
    );
    match &found[acknowledged.len()..] {
        [] => {}
        [JournalRecord::Stored { revision, .. }] => {
            assert!(
                matches!(unanswered, Some(Step::Put(g, s)) if *g == group && s.revision == *revision),
                "{context}"
            );
        }
        [record] => assert!(
            matches!(unanswered, Some(Step::Record(g, r)) if *g == group && r == record),
            "{context}"
        ),
        more => panic!("{context}: {more:?}"),
    }
}

fn check_snapshots(
    store: &mut Store,
    oracle: &Oracle,
    group: GroupId,
    unanswered: Option<&Step>,
    context: &str,
) {
    let acknowledged = oracle.snapshots.get(&group).cloned().unwrap_or_default();
    let found = numbers(store, group);
    for (generation, snapshot) in &acknowledged {
        if found.contains(generation) {
            let read = store
                .get(group, *generation)
                .unwrap_or_else(|e| panic!("{context}: {e}"));
            assert!(
                read == *snapshot,
                "{context}: generation {generation} is not what was stored"
            );
        } else {
            assert!(
                matches!(unanswered, Some(Step::Retain(g)) if *g == group),
                "{context}: generation {generation} is gone"
            );
        }
    }
    let newest = acknowledged.keys().last().copied();
    assert!(
        found.last().copied() >= newest,
        "{context}: an older generation passes for the newest"
    );
    for generation in found {
        store
            .get(group, generation)
            .unwrap_or_else(|e| panic!("{context}: {e}"));
    }
}

fn count() -> u64 {
    let fs = FaultFs::default();
    let (oracle, failed) = play(&fs);
    assert!(failed.is_none());
    check(
        &fs.after_power_cut(Unsynced::Lost),
        &oracle,
        None,
        "at the end",
    );
    fs.ops()
}

#[test]
fn a_run_can_be_replayed() {
    let runs = [FaultFs::default(), FaultFs::default()];
    for fs in &runs {
        play(fs);
    }
    assert!(runs[0].all_files() == runs[1].all_files());
    assert_eq!(runs[0].ops(), runs[1].ops());
}

#[test]
fn a_power_cut_at_every_operation_loses_nothing_acknowledged() {
    for at in 0..=count() {
        for unsynced in fates(at) {
            let fs = FaultFs::default();
            fs.fail_at(at, Fault::PowerCut);
            let (oracle, unanswered) = play(&fs);
            let context = format!(
                "power cut at operation {at}, unsynced {unsynced:?}, in {unanswered:?}, after\n{}",
                fs.tail()
            );
            check(
                &fs.after_power_cut(unsynced),
                &oracle,
                unanswered.as_ref(),
                &context,
            );
        }
    }
}

#[test]
fn a_second_power_cut_during_recovery_loses_nothing_either() {
    for at in (0..count()).step_by(5) {
        let fs = FaultFs::default();
        fs.fail_at(at, Fault::PowerCut);
        let (oracle, unanswered) = play(&fs);
        for again in 0.. {
            let found = fs.after_power_cut(Unsynced::Mixed(at));
            found.fail_at(again, Fault::PowerCut);
            let opened = found.store().is_ok();
            let context = format!(
                "power cut at {at} and at {again} of the recovery, in {unanswered:?}, after\n{}",
                found.tail()
            );
            check(
                &found.after_power_cut(Unsynced::Mixed(again)),
                &oracle,
                unanswered.as_ref(),
                &context,
            );
            if opened {
                break;
            }
        }
    }
}

/// A single operation fails, or the disk fills up; then the same process tries again, and at last the power goes.
fn fails_and_goes_on(fault: Fault) {
    for at in 0..=count() {
        let fs = FaultFs::default();
        fail_and_go_on(&fs, &script(), at, fault, Unsynced::Lost);
    }
}

fn fail_and_go_on(fs: &FaultFs, steps: &[Step], at: u64, fault: Fault, unsynced: Unsynced) {
    {
        fs.fail_at(at, fault);
        let mut oracle = Oracle::default();
        let mut store = match fs.store() {
            Ok((store, _)) => Some(store),
            Err(_) => {
                fs.heal();
                Some(fs.store().unwrap().0)
            }
        };
        for step in steps {
            let context = format!(
                "{fault:?} at operation {at}, in {step:?}, after\n{}",
                fs.tail()
            );
            match run(fs, &mut store, &mut oracle, step) {
                Ok(()) => {}
                Err(e) => {
                    assert!(fault != Fault::Full || e.is_full(), "{context}: {e}");
                    if let Some(open) = store
                        .as_mut()
                        .filter(|_| !matches!(e, StoreError::Unknown { .. }))
                    {
                        // In this very process, with the fault still there: all that was acknowledged can be read.
                        check_open(open, &oracle, step, &context);
                    }
                    fs.heal();
                    run(fs, &mut store, &mut oracle, step)
                        .unwrap_or_else(|e| panic!("{context}: again: {e}"));
                }
            }
        }
        drop(store);
        check(
            &fs.after_power_cut(unsynced),
            &oracle,
            None,
            &format!("{fault:?} at operation {at}, in {steps:?}"),
        );
    }
}

fn check_open(store: &mut Store, oracle: &Oracle, step: &Step, context: &str) {
    for (group, acknowledged) in &oracle.snapshots {
        if matches!(step, Step::Forget(g) | Step::Retain(g) if g == group) {
            continue;
        }
        for (generation, snapshot) in acknowledged {
            let read = store
                .get(*group, *generation)
                .unwrap_or_else(|e| panic!("{context}: {e}"));
            assert!(read == *snapshot, "{context}");
        }
        assert_eq!(
            numbers(store, *group).last(),
            acknowledged.keys().last(),
            "{context}"
        );
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
        let (oracle, failed) = play(&fs);
        assert!(failed.is_none());
        let after = fs.after_power_cut(Unsynced::Lost);
        let checked =
            std::panic::catch_unwind(|| check(&after, &oracle, None, "on a disk that lies"));
        assert!(
            checked.is_err(),
            "a disk that lies about {part} was not noticed"
        );
    }
}

/// Some steps, drawn at random: saves of all sizes, records, retentions, a forgetting, and the store opened anew.
fn random_script(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut revisions = BTreeMap::from([(G1, 0), (G2, 0)]);
    let mut forgotten = false;
    // What is edited again and again shares chunks with what was there before.
    let mut document = random.bytes(70_000);
    for _ in 0..4 + random.below(16) {
        let group = if forgotten || random.below(3) > 0 {
            G1
        } else {
            G2
        };
        let revision = revisions.entry(group).or_default();
        let step = match random.below(12) {
            0 => Step::Reopen,
            1 | 2 if *revision > 0 => Step::Retain(group),
            3 if *revision > 0 => {
                let proven = Generation(1 + random.below(*revision as usize) as u64);
                // Only one that is still there can be proven: it is the newest after every retention.
                match steps
                    .iter()
                    .any(|s| matches!(s, Step::Retain(g) if *g == group))
                {
                    true => Step::Record(group, JournalRecord::Slept(proven)),
                    false => Step::Record(group, JournalRecord::Proven(proven)),
                }
            }
            4 if *revision > 0 => Step::Record(group, JournalRecord::Reprieved),
            5 if group == G2 && *revision > 0 => {
                forgotten = true;
                Step::Forget(G2)
            }
            n => {
                *revision += 1;
                let state = if n > 9 {
                    let at = random.below(document.len() - 100);
                    document[at..at + 100].fill(*revision as u8);
                    document.clone()
                } else {
                    let len = random.below(3_000);
                    random.bytes(len)
                };
                Step::Put(group, snapshot("a", *revision, state))
            }
        };
        steps.push(step);
    }
    steps
}

/// A run that anyone can repeat: `OVERWINTER_TEST_SEED=n` plays one, `OVERWINTER_TEST_SEEDS=n` so many.
fn play_seed(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let steps = random_script(&mut random);
    let dry = FaultFs::seeded(seed);
    let (oracle, failed) = play_steps(&dry, &steps);
    assert!(failed.is_none(), "seed {seed}: {failed:?}");
    let at = random.next() % dry.ops();
    let unsynced = match random.below(4) {
        0 => Unsynced::Lost,
        1 => Unsynced::Kept,
        _ => Unsynced::Mixed(random.next()),
    };
    let fs = FaultFs::seeded(seed);
    match random.below(6) {
        0 => check(
            &dry.after_power_cut(unsynced),
            &oracle,
            None,
            &format!("seed {seed}"),
        ),
        1 => fail_and_go_on(&fs, &steps, at, Fault::Full, unsynced),
        2 => fail_and_go_on(
            &fs,
            &steps,
            at,
            Fault::Once(std::io::ErrorKind::Other),
            unsynced,
        ),
        _ => {
            fs.fail_at(at, Fault::PowerCut);
            let (oracle, unanswered) = play_steps(&fs, &steps);
            let context = format!(
                "seed {seed}, power cut at operation {at}, unsynced {unsynced:?}, in {unanswered:?}, after\n{}",
                fs.tail()
            );
            check(
                &fs.after_power_cut(unsynced),
                &oracle,
                unanswered.as_ref(),
                &context,
            );
        }
    }
}

#[test]
fn ten_thousand_seeds_lose_nothing_acknowledged() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    if let Some(seed) = number("OVERWINTER_TEST_SEED") {
        return play_seed(seed);
    }
    for seed in 0..number("OVERWINTER_TEST_SEEDS").unwrap_or(10_000) {
        let played = std::panic::catch_unwind(|| play_seed(seed));
        if let Err(panic) = played {
            eprintln!("again with OVERWINTER_TEST_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
