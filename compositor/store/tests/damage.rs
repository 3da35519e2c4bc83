//! Damage: every byte of a small store is changed in turn, files are cut, removed and swapped. What is read is right, or the
//! reader is told.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{FaultFs, G1, G2, Unsynced, numbers, snapshot};
use overwinter_proto::{Generation, GroupId, JournalRecord, Lease, Revision, Snapshot};
use overwinter_store::{Store, StoreError};

/// A store of two groups, with three and one generations, and of one that was forgotten.
fn small_store() -> (FaultFs, Vec<Snapshot>) {
    small_store_on(FaultFs::default())
}

fn small_store_on(fs: FaultFs) -> (FaultFs, Vec<Snapshot>) {
    let (mut store, _) = fs.store().unwrap();
    let snapshots: Vec<_> = (1..=3)
        .map(|n| snapshot("letter.txt", n, format!("Dear {n}").into_bytes()))
        .collect();
    store
        .record(
            G1,
            &JournalRecord::Opened {
                app: "org.overwinter.Editor".to_owned(),
            },
        )
        .unwrap();
    for s in &snapshots {
        store.put(G1, Lease::FIRST, s.revision, s).unwrap();
    }
    store
        .put(G2, Lease::FIRST, Revision(1), &snapshots[0])
        .unwrap();
    let gone = GroupId(3);
    store
        .put(gone, Lease::FIRST, Revision(1), &snapshots[0])
        .unwrap();
    store.forget(gone).unwrap();
    drop(store);
    (fs, snapshots)
}

/// What a reader gets is right or a typed error; returns whether anything of the group was refused.
fn honest(store: &mut Store, group: GroupId, expected: &[Snapshot], context: &str) -> bool {
    let mut refused = false;
    let newest = Generation(expected.len() as u64);
    match store.generations(group) {
        Ok(list) => assert_eq!(
            list.last().map(|i| i.generation),
            Some(newest),
            "{context}: older data passes for the newest"
        ),
        Err(e) => {
            assert!(e.is_damage(), "{context}: {e}");
            refused = true;
        }
    }
    for (n, snapshot) in expected.iter().enumerate() {
        let generation = Generation(n as u64 + 1);
        match store.get(group, generation) {
            Ok(read) => assert!(read == *snapshot, "{context}: wrong data"),
            Err(StoreError::Damaged {
                group: named,
                last_good,
                ..
            }) => {
                assert_eq!(named, group, "{context}");
                if let Some(good) = last_good {
                    assert!(
                        store.get(group, good).unwrap() == expected[good.0 as usize - 1],
                        "{context}"
                    );
                }
                refused = true;
            }
            Err(e) => panic!("{context}: not a word about damage: {e}"),
        }
    }
    match store.journal(group) {
        Ok(entries) => {
            let stored = entries
                .iter()
                .filter(|e| matches!(e.record, JournalRecord::Stored { .. }))
                .count();
            assert_eq!(stored, expected.len(), "{context}");
        }
        Err(e) => {
            assert!(e.is_damage(), "{context}: {e}");
            refused = true;
        }
    }
    refused
}

/// Opens a store in which one file was changed, and reads everything. Returns whether the change was noticed.
fn read_all(fs: &FaultFs, snapshots: &[Snapshot], context: &str) -> bool {
    let (mut store, report) = match fs.store() {
        Ok(opened) => opened,
        Err(
            StoreError::Master { .. }
            | StoreError::NotAStore { .. }
            | StoreError::NewerFormat { .. },
        ) => return true,
        Err(e) => panic!("{context}: {e}"),
    };
    let listed = store.groups().unwrap();
    let one = honest(&mut store, G1, snapshots, context);
    let two = honest(&mut store, G2, &snapshots[..1], context);
    assert!(
        listed.contains(&G1) && listed.contains(&G2),
        "{context}: a group vanished without a word"
    );
    assert!(
        !(one && two),
        "{context}: damage to one group's file stops the other"
    );
    one || two || !report.damaged.is_empty()
}

fn changed(fs: &FaultFs, path: &Path, bytes: &[u8]) -> FaultFs {
    let copy = fs.after_power_cut(Unsynced::Kept);
    copy.overwrite(path, bytes);
    copy
}

/// Bytes of a journal's front that mean nothing (padding) or are there twice (the witness).
fn may_change_unnoticed(path: &Path, at: usize) -> bool {
    path.ends_with("journal") && (24..1536).contains(&at) || path.ends_with("lock")
}

#[test]
fn a_flipped_bit_in_any_byte_is_told_or_harmless() {
    let (fs, snapshots) = small_store();
    for (path, bytes) in fs.all_files() {
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            let context = format!("{} byte {at}", path.display());
            let noticed = read_all(&changed(&fs, &path, &bad), &snapshots, &context);
            assert!(
                noticed || may_change_unnoticed(&path, at),
                "{context}: not noticed"
            );
        }
    }
}

#[test]
fn a_file_cut_at_any_length_is_told() {
    let (fs, snapshots) = small_store();
    for (path, bytes) in fs.all_files() {
        for len in 0..bytes.len() {
            let context = format!("{} cut to {len} of {} bytes", path.display(), bytes.len());
            assert!(
                read_all(&changed(&fs, &path, &bytes[..len]), &snapshots, &context),
                "{context}: not noticed"
            );
        }
        let longer = [bytes.as_slice(), b"more"].concat();
        let context = format!("{} with four bytes more", path.display());
        let noticed = read_all(&changed(&fs, &path, &longer), &snapshots, &context);
        // Behind the witness it is a record that was never acknowledged.
        assert!(
            noticed || path.ends_with("journal") || path.ends_with("lock"),
            "{context}: not noticed"
        );
    }
}

#[test]
fn a_missing_file_is_told() {
    let (fs, snapshots) = small_store();
    // That a group was forgotten is told by its tombstone alone.
    let is_alone = |p: &PathBuf| p.ends_with("lock") || p.to_string_lossy().contains("tombstones");
    for path in fs.all_files().into_keys().filter(|p| !is_alone(p)) {
        let copy = fs.after_power_cut(Unsynced::Kept);
        copy.delete(&path);
        assert!(
            read_all(&copy, &snapshots, &path.display().to_string()),
            "{}: not noticed",
            path.display()
        );
        assert_eq!(
            copy.all_files()
                .keys()
                .filter(|p| !p.ends_with("lock"))
                .count()
                + 1,
            fs.all_files()
                .keys()
                .filter(|p| !p.ends_with("lock"))
                .count(),
            "{}: opening a damaged store removed or made something",
            path.display()
        );
    }
}

#[test]
fn a_journal_rolled_back_to_an_older_copy_of_another_store_is_told() {
    let (fs, snapshots) = small_store();
    let journals: Vec<PathBuf> = fs
        .all_files()
        .into_keys()
        .filter(|p| p.ends_with("journal"))
        .collect();
    let (a, b) = (
        fs.all_files()[&journals[0]].clone(),
        fs.all_files()[&journals[1]].clone(),
    );
    assert!(read_all(
        &changed(&fs, &journals[0], &b),
        &snapshots,
        "the other group's journal"
    ));
    assert!(read_all(
        &changed(&fs, &journals[1], &a),
        &snapshots,
        "the other group's journal"
    ));
    let (other, _) = small_store_on(FaultFs::seeded(1));
    assert!(read_all(
        &changed(&fs, &journals[0], &other.all_files()[&journals[0]]),
        &snapshots,
        "another store's journal"
    ));
}

#[test]
fn the_error_names_title_and_last_good_generation_and_the_group_is_otherwise_left_alone() {
    let (fs, snapshots) = small_store();
    let before = fs.all_files();
    let (mut store, _) = fs.store().unwrap();
    // The chunk of the newest generation: the file that was not there before it.
    let newest = store.manifest(G1, Generation(3)).unwrap().chunks[0].0;
    let path = before
        .keys()
        .find(|p| p.ends_with(hex::encode(newest.0)))
        .unwrap()
        .clone();
    drop(store);
    let mut bad = before[&path].clone();
    bad[60] ^= 4;
    let fs = changed(&fs, &path, &bad);
    let (mut store, _) = fs.store().unwrap();
    let e = store.get(G1, Generation(3)).unwrap_err();
    assert!(
        matches!(
            &e,
            StoreError::Damaged {
                last_good: Some(Generation(2)),
                ..
            }
        ),
        "{e}"
    );
    let text = e.to_string();
    assert!(
        text.contains("letter.txt")
            && text.contains("generation is 2")
            && text.contains(&G1.to_string()),
        "{text}"
    );
    assert!(
        matches!(
            store.manifest(G1, Generation(3)),
            Err(StoreError::Damaged { .. })
        ),
        "a damaged group does not move"
    );
    assert!(store.get(G1, Generation(2)).unwrap() == snapshots[1]);
    assert!(
        store.retain(G1, &[]).is_ok(),
        "inline chunk lists are in the journal: a damaged chunk does not stop a sweep"
    );
    // Saving the very same content again heals the chunk: a dedup hit counts only when it reads back.
    let again = store
        .put(
            G1,
            Lease::FIRST,
            Revision(4),
            &Snapshot {
                revision: Revision(3),
                ..snapshots[2].clone()
            },
        )
        .unwrap();
    assert!(store.get(G1, again).unwrap() == snapshots[2]);
    assert!(store.get(G1, Generation(3)).unwrap() == snapshots[2]);
}

#[test]
fn a_group_that_the_disk_does_not_give_out_stops_no_other() {
    let (fs, snapshots) = small_store();
    let mut refused = BTreeSet::new();
    for (path, named) in [
        ("groups/1111", G1),
        ("groups/2222", G2),
        ("keys/1111", G1),
        ("keys/2222", G2),
    ] {
        let fs = fs.after_power_cut(Unsynced::Kept);
        fs.refuse(path);
        let (mut store, report) = fs.store().unwrap();
        let groups: Vec<_> = report.damaged.iter().map(|(group, _)| *group).collect();
        assert_eq!(groups, [named], "{path}: {report:?}");
        let other = if named == G1 { G2 } else { G1 };
        let newest = *numbers(&mut store, other).last().unwrap();
        assert!(store.get(other, newest).unwrap() == snapshots[newest.0 as usize - 1]);
        assert!(store.groups().unwrap().contains(&named));
        assert!(store.get(named, Generation(1)).is_err());
        fs.heal();
        // It was left alone, and is whole as soon as the disk gives it out again.
        assert!(store.get(named, Generation(1)).unwrap() == snapshots[0]);
        refused.insert(path);
    }
    assert_eq!(refused.len(), 4);
}
