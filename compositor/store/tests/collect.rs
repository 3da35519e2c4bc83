//! What nothing needs goes, after a while; what is needed never does; a journal stays short; a quota is kept.

mod common;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use common::{FaultFs, G1, G2, Unsynced, numbers, snapshot};
use overwinter_proto::{Generation, GroupId, JournalRecord, Lease, Revision, TxId};
use overwinter_store::{Limits, Store, StoreError, Which};

fn put(store: &mut Store, n: u64, text: &str) -> Generation {
    let s = snapshot("a", n, text.as_bytes().to_vec());
    store.put(G1, Lease::FIRST, Revision(n), &s).unwrap()
}

fn files(fs: &FaultFs, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = fs.all_files();
    let folder = format!("/{folder}/");
    all.retain(|path, _| path.to_string_lossy().contains(&folder));
    all
}

#[test]
fn what_is_swept_lies_in_the_trash_for_the_grace_time() {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    put(&mut store, 1, "one");
    put(&mut store, 2, "two");
    let objects = files(&fs, "objects").len();
    let swept = store.retain(G1, &[]).unwrap();
    assert!(swept.chunks > 0 && swept.bytes > 0, "{swept:?}");
    assert_eq!(files(&fs, "objects").len(), objects - swept.chunks);
    assert_eq!(files(&fs, "trash").len(), swept.chunks);
    fs.pass(60);
    assert_eq!(store.collect(false, &mut |_| {}).unwrap().freed, 0);
    assert_eq!(files(&fs, "trash").len(), swept.chunks, "not yet");
    drop(store);
    fs.pass(1);
    let (mut store, _) = fs.store().unwrap();
    assert_eq!(files(&fs, "trash").len(), 0, "due when it was opened");
    assert_eq!(numbers(&mut store, G1), [Generation(2)]);
    store.get(G1, Generation(2)).unwrap();
}

#[test]
fn a_clock_that_goes_back_keeps_no_trash_for_ever_and_too_much_goes_early() {
    let fs = FaultFs::default();
    let limits = Limits {
        trash: 20_000,
        grace: Duration::from_secs(u64::MAX),
        ..Limits::default()
    };
    let (mut store, _) = fs.store_within(limits).unwrap();
    for n in 1..20 {
        put(&mut store, n, &format!("text {n}"));
        store.retain(G1, &[]).unwrap();
        let lying = files(&fs, "trash").len() as u64;
        assert!(lying * 4096 <= limits.trash, "{lying} chunks");
    }
    assert!(!files(&fs, "trash").is_empty());
    store.collect(true, &mut |_| {}).unwrap();
    assert!(files(&fs, "trash").is_empty(), "asked for the room at once");
}

#[test]
fn a_swept_chunk_that_is_needed_after_all_is_read_and_put_back() {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    put(&mut store, 1, "one");
    let whole = fs.all_files();
    put(&mut store, 2, "two");
    store.retain(G1, &[]).unwrap();
    drop(store);
    // The journal as it was before: brought back from a backup.
    let journal = whole.keys().find(|p| p.ends_with("journal")).unwrap();
    let fs = fs.after_power_cut(Unsynced::Kept);
    fs.overwrite(journal, &whole[journal]);
    let (mut store, report) = fs.store().unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
    let expected = snapshot("a", 1, b"one".to_vec());
    assert!(store.get(G1, Generation(1)).unwrap() == expected);
    // What came later is what nothing needs now.
    for _ in 0..2 {
        fs.pass(1_000);
        store.collect(false, &mut |_| {}).unwrap();
    }
    assert!(files(&fs, "trash").is_empty());
    assert!(store.get(G1, Generation(1)).unwrap() == expected);
    drop(store);
    let (mut store, _) = fs.after_power_cut(Unsynced::Lost).store().unwrap();
    assert!(store.get(G1, Generation(1)).unwrap() == expected);
}

#[test]
fn a_collection_takes_what_a_cut_short_save_left_and_nothing_else() {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    put(&mut store, 1, "one");
    let s = snapshot("b", 1, vec![5; 300_000]);
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    let before = files(&fs, "objects");
    drop(store);
    let stray = before.keys().next().unwrap().parent().unwrap().to_owned();
    let shelf = stray.file_name().unwrap().to_string_lossy().into_owned();
    let stray = stray.join(shelf.clone() + &"0".repeat(62));
    fs.make(&stray, b"a chunk that no record names");
    fs.make(&stray.with_file_name("a stranger"), b"not ours");
    let (mut store, _) = fs.store().unwrap();
    let mut steps = Vec::new();
    let collected = store
        .collect(false, &mut |p| steps.push((p.done, p.total)))
        .unwrap();
    assert_eq!(
        (collected.chunks, steps),
        (1, vec![(1000, 2000), (2000, 2000)])
    );
    assert!(collected.left_alone.is_empty());
    let after = files(&fs, "objects");
    assert_eq!(after.len(), before.len() + 1, "the stranger stays");
    assert!(
        before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes))
    );
}

#[test]
fn a_compacted_journal_tells_the_same_story() {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    let opened = JournalRecord::Opened {
        app: "x".to_owned(),
    };
    store.record(G1, &opened).unwrap();
    put(&mut store, 1, "one");
    store
        .record(G1, &JournalRecord::Proven(Generation(1)))
        .unwrap();
    let mut longest = 0;
    for n in 2..200 {
        put(&mut store, n, &format!("text {n}"));
        if n == 100 {
            let blamed = JournalRecord::Blamed {
                generation: Generation(100),
                build: "b".to_owned(),
            };
            store.record(G1, &blamed).unwrap();
            store
                .record(G1, &JournalRecord::Aborted { tx: TxId(3) })
                .unwrap();
        }
        store.retain(G1, &[]).unwrap();
        let journals = files(&fs, "groups");
        longest = longest.max(journals.values().map(Vec::len).max().unwrap());
    }
    assert!(longest < 20_000, "{longest} bytes for two generations");
    let check = |store: &mut Store| {
        assert_eq!(numbers(store, G1), [Generation(1), Generation(199)]);
        let records: Vec<_> = store
            .journal(G1)
            .unwrap()
            .into_iter()
            .map(|e| e.record)
            .collect();
        let kept = |wanted: &JournalRecord| records.contains(wanted);
        assert_eq!(records[0], opened);
        assert!(kept(&JournalRecord::Proven(Generation(1))));
        assert!(kept(&JournalRecord::Aborted { tx: TxId(3) }));
        assert!(
            store.get(G1, Generation(199)).unwrap() == snapshot("a", 199, b"text 199".to_vec())
        );
    };
    check(&mut store);
    drop(store);
    let (mut store, report) = fs.after_power_cut(Unsynced::Lost).store().unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
    check(&mut store);
    assert_eq!(
        put(&mut store, 200, "next"),
        Generation(200),
        "no number twice"
    );
}

#[test]
fn a_quota_refuses_a_save_before_it_fails_and_keeps_what_is_there() {
    let fs = FaultFs::default();
    let limits = Limits {
        quota: Some(1 << 20),
        ..Limits::default()
    };
    let (mut store, _) = fs.store_within(limits).unwrap();
    let mut random = common::Random(3);
    let noise = random.bytes(600_000);
    let s = snapshot("a", 1, noise);
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    let before = fs.all_files();
    let other = snapshot("a", 2, random.bytes(600_000));
    let refused = store
        .put(G1, Lease::FIRST, Revision(2), &other)
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Quota { quota, used, .. } if quota == 1 << 20 && used > 600_000),
        "{refused}"
    );
    assert!(refused.is_full());
    assert!(fs.all_files() == before, "nothing was left behind");
    assert!(store.get(G1, Generation(1)).unwrap() == s);
    // What is only in the trash makes room at once.
    let small = snapshot("a", 2, b"small".to_vec());
    store.put(G1, Lease::FIRST, Revision(2), &small).unwrap();
    store.retain(G1, &[]).unwrap();
    store.put(G1, Lease::FIRST, Revision(3), &other).unwrap();
    let usage = store.usage().unwrap();
    assert_eq!(usage.len(), 1);
    assert_eq!(
        (usage[0].title.as_deref(), usage[0].generations),
        (Some("a"), 2)
    );
    assert!((600_000..1 << 20).contains(&usage[0].total()), "{usage:?}");
}

#[test]
fn a_closed_group_is_forgotten_after_seven_days_and_no_other_is() {
    const DAY: u64 = 24 * 60 * 60;
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    put(&mut store, 1, "closed");
    store.record(G1, &JournalRecord::Closed).unwrap();
    let s = snapshot("b", 1, b"asleep".to_vec());
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    // Until then it can be had back, as a group of its own.
    let mut file = Vec::new();
    store
        .export(G1, Which::Newest, &mut file, &mut |_| {})
        .unwrap();
    let mut forgotten = |days: u64| {
        fs.pass(days * DAY);
        store.collect(false, &mut |_| {}).unwrap().forgotten
    };
    assert_eq!(forgotten(6), 0);
    assert_eq!(forgotten(1), 1);
    assert_eq!(forgotten(365), 0, "who sleeps is waited for");
    assert_eq!(store.groups().unwrap(), [G2]);
    assert!(matches!(
        store.get(G1, Generation(1)),
        Err(StoreError::Forgotten(_))
    ));
    assert!(store.get(G2, Generation(1)).unwrap() == s);
    let again = GroupId(7);
    let came = store
        .import(&mut file.as_slice(), again, &mut |_| {})
        .unwrap();
    assert_eq!(store.get(again, came).unwrap().state, b"closed");
}
