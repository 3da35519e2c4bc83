//! Errands: between any two of their steps the store is whole and can be used, and what they find is true all the same.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::{FaultFs, G1, G2, Random, Unsynced, numbers, snapshot};
use overwinter_proto::{Generation, GroupId, Lease, Revision, Snapshot};
use overwinter_store::{
    Collection, Count, Errand, Examination, Export, Import, Progress, Step, Store, StoreError,
    Which,
};

const NEW: GroupId = GroupId(77);

fn put(store: &mut Store, group: GroupId, n: u64, state: Vec<u8>) -> Snapshot {
    let s = snapshot("a", n, state);
    store.put(group, Lease::FIRST, Revision(n), &s).unwrap();
    s
}

fn filled() -> FaultFs {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    for n in 1..=3 {
        put(&mut store, G1, n, format!("text {n}").into_bytes());
    }
    put(&mut store, G2, 1, Random(5).bytes(300_000));
    drop(store);
    fs
}

/// Does a step, and says whether it was the last one.
fn step<E: Errand>(errand: &mut E, store: &mut Store) -> Option<E::Outcome> {
    match errand.step(store).unwrap() {
        Step::More(far) => {
            assert!(far.done <= far.total && far.total > 0, "{far:?}");
            None
        }
        Step::Done(outcome) => Some(outcome),
    }
}

#[test]
fn what_changes_between_two_steps_of_an_examination_is_no_damage() {
    // After each number of steps once.
    for pause in 0.. {
        let (mut store, _) = filled().store().unwrap();
        let mut examination = Examination::new(false);
        let mut steps = 0;
        let health = loop {
            if steps == pause {
                put(&mut store, G1, 4, b"text 4".to_vec());
                store.retain(G1, &[]).unwrap();
                store.collect(true, &mut |_| {}).unwrap();
                store.forget(G2).unwrap();
                put(&mut store, NEW, 1, b"new".to_vec());
            }
            if let Some(health) = step(&mut examination, &mut store) {
                break health;
            }
            steps += 1;
        };
        assert!(health.is_sound(), "after {pause} steps: {health:?}");
        if pause > steps {
            assert!(steps > 6, "{steps} steps");
            return;
        }
        assert_eq!(numbers(&mut store, G1), [Generation(4)]);
        assert_eq!(numbers(&mut store, NEW), [Generation(1)]);
    }
}

#[test]
fn what_changes_between_two_steps_of_a_collection_or_a_count_is_not_lost() {
    for pause in 0..12 {
        let (mut store, _) = filled().store().unwrap();
        store.retain(G1, &[]).unwrap();
        let (mut collection, mut count) = (Collection::new(true), Count::default());
        let (mut collected, mut counted) = (None, None);
        let mut kept = None;
        for steps in 0..20 {
            if steps == pause {
                kept = Some(put(&mut store, G1, 4, b"text 4".to_vec()));
                store.forget(G2).unwrap();
            }
            if collected.is_none() {
                collected = step(&mut collection, &mut store);
            }
            if counted.is_none() {
                counted = step(&mut count, &mut store);
            }
        }
        assert!(collected.is_some_and(|c| c.left_alone.is_empty()));
        assert!(counted.is_some_and(|c| c.iter().any(|u| u.group == G1.to_string())));
        assert_eq!(store.get(G1, Generation(4)).ok(), kept, "after {pause}");
        assert!(store.examine(false, &mut |_| {}).unwrap().is_sound());
    }
}

#[test]
fn a_generation_that_goes_out_is_kept_until_it_has_gone() {
    let (mut store, _) = FaultFs::default().store().unwrap();
    let wanted = put(&mut store, G1, 1, Random(7).bytes(10 << 20));
    let mut file = Vec::new();
    let mut export = Export::new(G1, Which::Newest, &mut file);
    let mut steps = 0;
    let generation = loop {
        if let Some(generation) = step(&mut export, &mut store) {
            break generation;
        }
        steps += 1;
        put(
            &mut store,
            G1,
            1 + steps,
            format!("text {steps}").into_bytes(),
        );
        store.retain(G1, &[]).unwrap();
        store.collect(true, &mut |_| {}).unwrap();
    };
    assert!(steps >= 5, "10 MiB in {steps} steps");
    assert_eq!(generation, Generation(1));
    store.retain(G1, &[]).unwrap();
    assert_eq!(
        numbers(&mut store, G1),
        [Generation(1 + steps)],
        "let go of"
    );

    let mut import = Import::new(&file[..], NEW);
    let mut steps = 0;
    while step(&mut import, &mut store).is_none() {
        steps += 1;
        assert!(
            !numbers_if_any(&mut store).contains(&NEW),
            "not yet a group"
        );
        store.collect(true, &mut |_| {}).unwrap();
    }
    assert!(steps >= 5, "10 MiB in {steps} steps");
    assert!(store.get(NEW, Generation(1)).unwrap() == wanted);
}

fn numbers_if_any(store: &mut Store) -> Vec<GroupId> {
    store.groups().unwrap()
}

#[test]
fn an_import_that_is_given_up_leaves_nothing_behind() {
    let fs = filled();
    let (mut store, _) = fs.store().unwrap();
    let mut file = Vec::new();
    store
        .export(G2, Which::Newest, &mut file, &mut |_| {})
        .unwrap();
    let before = fs.all_files();
    let mut import = Import::new(&file[..], NEW);
    assert_eq!(step(&mut import, &mut store), None);
    assert_eq!(step(&mut import, &mut store), None);
    drop(import);
    // Whoever looks finds no fault with what has just begun.
    let health = store.examine(false, &mut |_| {}).unwrap();
    assert!(health.is_sound(), "{health:?}");
    assert!(fs.all_files() != before);
    drop(store);
    let fs = fs.after_power_cut(Unsynced::Kept);
    let (mut store, report) = fs.store().unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
    assert_eq!(store.groups().unwrap(), [G1, G2]);
    assert!(
        fs.all_files()
            .keys()
            .all(|path| !path.to_string_lossy().contains(&NEW.to_string())),
        "something stayed"
    );
}

fn export(store: &mut Store, which: Which) -> (Result<Generation, StoreError>, Vec<u8>) {
    let mut file = Vec::new();
    let outcome = store.export(G1, which, &mut file, &mut |_: Progress| {});
    (outcome, file)
}

/// The one chunk that only this generation of `G1` needs.
fn chunk_of(fs: &FaultFs, store: &mut Store, generation: Generation) -> PathBuf {
    let mut own = store.manifest(G1, generation).unwrap().chunks;
    for other in numbers(store, G1).into_iter().filter(|g| *g != generation) {
        let others = store.manifest(G1, other).unwrap().chunks;
        own.retain(|chunk| !others.contains(chunk));
    }
    let name = hex::encode(own.first().unwrap().0.0);
    let mut files = fs.all_files().into_keys();
    files.find(|path| path.ends_with(&name)).unwrap()
}

#[test]
fn of_a_damaged_group_the_last_good_generation_goes_out_when_it_is_asked_for() {
    let fs = filled();
    let (mut store, _) = fs.store().unwrap();
    let good = store.get(G1, Generation(2)).unwrap();
    let newest = chunk_of(&fs, &mut store, Generation(3));
    fs.overwrite(&newest, b"nothing of the kind");
    let (refused, file) = export(&mut store, Which::Newest);
    let e = refused.unwrap_err();
    assert!(
        matches!(
            e,
            StoreError::Damaged {
                last_good: Some(Generation(2)),
                ..
            }
        ),
        "{e}"
    );
    for word in ["“a”", "kept", "generation is 2", "overwinter doctor"] {
        assert!(e.to_string().contains(word), "{e}");
    }
    assert!(file.is_empty(), "verified before it is written");
    let (done, file) = export(&mut store, Which::LastGood);
    assert_eq!(done.unwrap(), Generation(2));
    store.import(&mut &file[..], NEW, &mut |_| {}).unwrap();
    assert!(store.get(NEW, Generation(1)).unwrap() == good);
    drop(store);

    // The journal itself, in its last record.
    let journal = PathBuf::from(format!("/home/store/groups/{G1}/journal"));
    let mut bytes = fs.all_files()[&journal].clone();
    let end = bytes.len() - 50;
    bytes[end] ^= 4;
    fs.overwrite(&journal, &bytes);
    let (mut store, report) = fs.store().unwrap();
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    let before = fs.all_files();
    let (refused, _) = export(&mut store, Which::Newest);
    assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    let (done, _) = export(&mut store, Which::LastGood);
    assert_eq!(done.unwrap(), Generation(2));
    assert!(fs.all_files() == before, "it is left alone");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_that_others_may_use_or_that_were_left_lying_are_told_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let (mut store, _) = Store::open(&dir).unwrap();
    put(&mut store, G1, 1, b"text".to_vec());
    assert!(store.examine(false, &mut |_| {}).unwrap().is_sound());
    let (key, journal) = (
        dir.join(format!("keys/{G1}")),
        dir.join(format!("groups/{G1}/journal")),
    );
    for (path, wrong) in [
        (&dir, 0o755),
        (&dir.join("slots"), 0o770),
        (&dir.join("master"), 0o644),
        (&key, 0o640),
        (&journal, 0o400),
    ] {
        set_mode(path, wrong);
    }
    std::fs::write(dir.join("tmp/99"), "half of something").unwrap();
    let told = store.examine(false, &mut |_| {}).unwrap();
    assert_eq!(told.findings.len(), 6, "{told:?}");
    assert!(told.is_damaged());
    for path in [&key, &journal] {
        let name = path.display().to_string();
        let own = told.findings.iter().find(|f| f.what.contains(&name));
        assert_eq!(own.and_then(|f| f.group.clone()), Some(G1.to_string()));
    }
    assert_eq!(mode(&key), 0o640, "only told");
    let mended = store.examine(true, &mut |_| {}).unwrap();
    assert_eq!(mended.findings.len(), 6, "{mended:?}");
    assert!(!mended.is_damaged(), "{mended:?}");
    assert_eq!(
        (mode(&dir), mode(&key), mode(&journal)),
        (0o700, 0o600, 0o600)
    );
    assert!(!dir.join("tmp/99").exists());
    assert!(store.examine(true, &mut |_| {}).unwrap().is_sound());
    // What scripts read comes back from its text.
    let text = serde_json::to_string(&mended).unwrap();
    let read: overwinter_store::Health = serde_json::from_str(&text).unwrap();
    assert_eq!(read, mended);
}
