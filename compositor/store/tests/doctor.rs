//! The doctor finds every change, repairs what it can, and names the rest; a group goes out in one file and comes back.

mod common;

use std::path::PathBuf;

use common::{FaultFs, G1, G2, Unsynced, numbers, snapshot};
use overwinter_proto::{Generation, GroupId, JournalRecord, Lease, Revision};
use overwinter_store::{Progress, Store, StoreError, Which};

fn filled() -> FaultFs {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    for n in 1..=2 {
        let s = snapshot("letter.txt", n, format!("Dear {n}").into_bytes());
        store.put(G1, Lease::FIRST, Revision(n), &s).unwrap();
    }
    let mut random = common::Random(5);
    let s = snapshot("book.txt", 1, random.bytes(200_000));
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    drop(store);
    fs
}

/// A file of the group that only generation 2 needs: its snapshot's chunk.
fn chunk_of(fs: &FaultFs, generation: u64) -> PathBuf {
    let (mut store, _) = fs.store().unwrap();
    let of = |store: &mut Store, n| store.manifest(G1, Generation(n)).unwrap().chunks;
    let other = of(&mut store, 3 - generation);
    let own = of(&mut store, generation);
    let (id, _) = own.iter().find(|c| !other.contains(c)).unwrap();
    let name = hex::encode(id.0);
    fs.all_files()
        .into_keys()
        .find(|p| p.ends_with(&name))
        .unwrap()
}

#[test]
fn a_sound_store_is_called_sound() {
    let (mut store, _) = filled().store().unwrap();
    let mut steps = Vec::new();
    let mut step = |p: Progress| steps.push(p.done * 1000 / p.total);
    let health = store.examine(true, &mut step).unwrap();
    assert!(health.is_sound() && !health.is_damaged(), "{health:?}");
    assert_eq!((health.groups, health.generations), (2, 3));
    assert!(
        steps.is_sorted() && steps.first() == Some(&0) && steps.contains(&500),
        "{steps:?}"
    );
    assert!(health.chunks >= 4 && health.strangers.is_empty());
    assert!(health.key_warning.contains("master key"));
}

#[test]
fn every_changed_byte_of_what_counts_is_found_and_named() {
    let fs = filled();
    for (path, bytes) in fs.all_files() {
        let text = path.to_string_lossy().into_owned();
        if !text.contains("/objects/") && !text.contains("/groups/") {
            continue;
        }
        let step = (bytes.len() / 40).max(1);
        for at in (0..bytes.len()).step_by(step) {
            if text.ends_with("journal") && (24..1536).contains(&at) {
                continue;
            }
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            let fs = fs.after_power_cut(Unsynced::Kept);
            let (mut store, _) = fs.store().unwrap();
            // While it is open: what this process believes does not count.
            fs.overwrite(&path, &bad);
            let health = store.examine(true, &mut |_| {}).unwrap();
            assert!(health.is_damaged(), "{text} byte {at}: {health:?}");
            let own = |f: &overwinter_store::Finding| {
                f.group.as_deref().is_some_and(|g| text.contains(g))
            };
            assert!(
                health.findings.iter().all(own),
                "{text} byte {at}: {health:?}"
            );
        }
    }
}

#[test]
fn what_cannot_be_repaired_is_named_with_title_and_last_good_generation() {
    let fs = filled();
    let newest = chunk_of(&fs, 2);
    fs.overwrite(&newest, b"nothing of the kind");
    let before = fs.all_files();
    let (mut store, _) = fs.store().unwrap();
    let health = store.examine(true, &mut |_| {}).unwrap();
    let f = health
        .findings
        .iter()
        .find(|f| f.what.contains("generation 2"))
        .unwrap();
    assert_eq!(
        (f.title.as_deref(), f.last_good, f.repaired),
        (Some("letter.txt"), Some(1), false)
    );
    assert!(
        fs.all_files() == before,
        "what cannot be repaired is left alone"
    );
    store.get(G1, Generation(1)).unwrap();
}

#[test]
fn what_lies_in_the_trash_is_put_back() {
    let fs = filled();
    let chunk = chunk_of(&fs, 2);
    let bytes = fs.all_files()[&chunk].clone();
    let name = chunk.file_name().unwrap().to_string_lossy().into_owned();
    fs.delete(&chunk);
    fs.make(
        &PathBuf::from(format!("/home/store/trash/{:016x}-{G1}-{name}", 1_000)),
        &bytes,
    );
    let (mut store, _) = fs.store().unwrap();
    let health = store.examine(false, &mut |_| {}).unwrap();
    assert!(health.is_damaged(), "not repaired when not asked to");
    let health = store.examine(true, &mut |_| {}).unwrap();
    assert!(!health.is_sound() && !health.is_damaged(), "{health:?}");
    assert!(store.examine(true, &mut |_| {}).unwrap().is_sound());
    drop(store);
    assert!(
        fs.after_power_cut(Unsynced::Lost)
            .all_files()
            .contains_key(&chunk)
    );
}

#[test]
fn a_group_goes_out_in_one_file_and_comes_back_elsewhere_as_a_new_group() {
    let (mut store, _) = filled().store().unwrap();
    let mut file = Vec::new();
    assert_eq!(
        store
            .export(G2, Which::Newest, &mut file, &mut |_| {})
            .unwrap(),
        Generation(1)
    );
    let expected = store.get(G2, Generation(1)).unwrap();
    let elsewhere = FaultFs::seeded(9);
    let (mut other, _) = elsewhere.store().unwrap();
    let empty = elsewhere.all_files();
    let new = GroupId(77);
    // Cut or changed anywhere, it is refused and nothing of it stays.
    for at in (0..file.len()).step_by(file.len() / 60) {
        let mut bad = file.clone();
        bad[at] ^= 0x20;
        for bad in [&bad[..], &file[..at]] {
            let refused = other.import(&mut &*bad, new, &mut |_| {});
            assert!(
                matches!(refused, Err(StoreError::Refused { .. })),
                "at {at}: {refused:?}"
            );
            assert!(elsewhere.all_files() == empty, "at {at}: something stayed");
        }
    }
    let mut last = None;
    other
        .import(&mut &file[..], new, &mut |p| last = Some(p))
        .unwrap();
    assert!(last.is_some_and(|p| p.done < p.total && p.done * 2 >= p.total));
    drop(other);
    let (mut other, report) = elsewhere.after_power_cut(Unsynced::Lost).store().unwrap();
    assert!(
        report.damaged.is_empty() && report.torn.is_empty(),
        "{report:?}"
    );
    assert_eq!(numbers(&mut other, new), [Generation(1)]);
    assert!(other.get(new, Generation(1)).unwrap() == expected);
    let app = expected.app.clone();
    let records: Vec<_> = other
        .journal(new)
        .unwrap()
        .into_iter()
        .map(|e| e.record)
        .collect();
    assert!(records.contains(&JournalRecord::Opened { app }));
    let again = other.import(&mut &file[..], new, &mut |_| {});
    assert!(
        matches!(again, Err(StoreError::Refused { .. })),
        "no second one of an id"
    );
    assert!(other.examine(false, &mut |_| {}).unwrap().is_sound());
}
