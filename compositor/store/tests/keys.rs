//! The master key: its slots, its rotation, and what forgetting means.

mod common;

use common::{Fault, FaultFs, G1, G2, Unsynced, snapshot};
use overwinter_proto::{Generation, Lease, Revision};
use overwinter_store::{OpenReport, Result, SlotKind, Store, StoreError, Unlock};
use zeroize::Zeroizing;

fn word(word: &str) -> Unlock {
    Unlock::Passphrase(Zeroizing::new(word.to_owned()))
}

fn service(key: u8) -> Unlock {
    Unlock::SecretService(Zeroizing::new([key; 32]))
}

fn open(fs: &FaultFs, unlock: &[Unlock]) -> Result<(Store, OpenReport)> {
    fs.store_unlocked(unlock)
}

fn put(store: &mut Store, n: u64) {
    let s = snapshot("a", n, b"text".to_vec());
    store.put(G1, Lease::FIRST, Revision(n), &s).unwrap();
}

fn no_way<T: std::fmt::Debug>(opened: Result<T>) {
    assert!(
        matches!(opened, Err(StoreError::Master { .. })),
        "{opened:?}"
    );
}

#[test]
fn each_slot_opens_the_store_by_itself_and_nothing_else_does() {
    let fs = FaultFs::default();
    let (mut store, report) = open(&fs, &[]).unwrap();
    assert!(report.key_warning.contains("unprotected"));
    put(&mut store, 1);
    assert_eq!(store.slots().unwrap(), [SlotKind::KeyFile]);
    let refused = store.empty_slot(SlotKind::KeyFile);
    assert!(matches!(refused, Err(StoreError::LastSlot)));
    store.fill_slot(&service(1)).unwrap();
    let refused = store.empty_slot(SlotKind::KeyFile);
    assert!(
        matches!(refused, Err(StoreError::LastSlot)),
        "a keyring alone is easily lost"
    );
    store.fill_slot(&word("open")).unwrap();
    store.empty_slot(SlotKind::KeyFile).unwrap();
    let both = [SlotKind::Passphrase, SlotKind::SecretService];
    assert_eq!(store.slots().unwrap(), both);
    let refused = store.empty_slot(SlotKind::Passphrase);
    assert!(matches!(refused, Err(StoreError::LastSlot)));
    drop(store);
    let before = fs.all_files();
    no_way(open(&fs, &[]));
    no_way(open(&fs, &[word("closed")]));
    no_way(open(&fs, &[service(2)]));
    assert!(fs.all_files() == before, "nothing was touched");
    for unlock in [
        [word("open")].as_slice(),
        &[service(1)],
        &[service(2), word("open")],
    ] {
        let (mut store, report) = open(&fs, unlock).unwrap();
        assert_eq!(report.key_warning, "");
        assert!(
            report.damaged.is_empty() && report.strangers.is_empty(),
            "{report:?}"
        );
        store.get(G1, Generation(1)).unwrap();
    }
}

#[test]
fn a_new_store_gets_the_slots_that_it_is_opened_with() {
    let fs = FaultFs::default();
    let (store, _) = open(&fs, &[word("open"), service(1)]).unwrap();
    let both = [SlotKind::Passphrase, SlotKind::SecretService];
    assert_eq!(store.slots().unwrap(), both);
    let fs = FaultFs::default();
    let (store, _) = open(&fs, &[service(1)]).unwrap();
    let two = [SlotKind::KeyFile, SlotKind::SecretService];
    assert_eq!(store.slots().unwrap(), two);
}

#[test]
fn a_changed_or_cut_slot_does_not_open_and_takes_neither_memory_nor_time() {
    let fs = FaultFs::default();
    let slots = [service(1), Unlock::KeyFile];
    let (store, _) = open(&fs, &slots).unwrap();
    drop(store);
    let all = fs.all_files();
    let of = |name: &str| all.keys().find(|p| p.ends_with(name)).unwrap().clone();
    let (slot, key_file) = (of("slots/secret-service"), of("master"));
    let fs = fs.after_power_cut(Unsynced::Kept);
    fs.delete(&key_file);
    for at in 0..all[&slot].len() {
        let mut bad = all[&slot].clone();
        bad[at] ^= 1;
        fs.overwrite(&slot, &bad);
        no_way(open(&fs, &[service(1)]));
        fs.overwrite(&slot, &all[&slot][..at]);
        no_way(open(&fs, &[service(1)]));
    }
    // A passphrase's numbers are checked before they are believed.
    let fs = FaultFs::default();
    drop(open(&fs, &[word("open"), service(1)]).unwrap());
    let all = fs.all_files();
    let slot = all.keys().find(|p| p.ends_with("passphrase")).unwrap();
    for at in [11, 15, 19] {
        let mut bad = all[slot].clone();
        bad[at] = 0xff;
        fs.overwrite(slot, &bad);
        no_way(open(&fs, &[word("open")]));
    }
}

#[test]
fn after_a_rotation_old_keys_open_nothing_and_no_data_was_rewritten() {
    let fs = FaultFs::default();
    let (mut store, _) = open(&fs, &[service(1), Unlock::KeyFile]).unwrap();
    put(&mut store, 1);
    let s = snapshot("b", 1, b"to be forgotten".to_vec());
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    let before = fs.all_files();
    store.forget(G2).unwrap();
    store.rotate(&[service(2), Unlock::KeyFile]).unwrap();
    put(&mut store, 2);
    store.get(G1, Generation(1)).unwrap();
    assert!(store.tombstone(G2).unwrap().is_some());
    drop(store);
    let after = fs.all_files();
    for (path, bytes) in &before {
        let data = ["objects", "journal"];
        let is_data = data
            .iter()
            .any(|part| path.to_string_lossy().contains(part));
        if is_data && path.to_string_lossy().contains(&G1.to_string()) && !path.ends_with("journal")
        {
            assert!(
                after.get(path) == Some(bytes),
                "{} was rewritten",
                path.display()
            );
        }
    }
    let fs = fs.after_power_cut(Unsynced::Lost);
    let (mut store, report) = open(&fs, &[]).unwrap();
    assert!(
        report.damaged.is_empty() && report.strangers.is_empty(),
        "{report:?}"
    );
    store.get(G1, Generation(2)).unwrap();
    drop(store);
    // Who kept the forgotten group's files and gets the new master key reads nothing.
    let key = before
        .keys()
        .find(|p| p.ends_with(format!("keys/{G2}")))
        .unwrap();
    fs.make(key, &before[key]);
    let (mut store, _) = open(&fs, &[]).unwrap();
    assert!(store.get(G2, Generation(1)).is_err());
    assert!(store.wrap_keys_for_move(G2).is_err());
}

#[test]
fn a_rotation_cut_short_anywhere_has_happened_or_not() {
    let start = FaultFs::default();
    let (mut store, _) = open(&start, &[service(1), Unlock::KeyFile]).unwrap();
    put(&mut store, 1);
    let s = snapshot("b", 1, b"to be forgotten".to_vec());
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    store.forget(G2).unwrap();
    drop(store);
    let mut happened = [false; 2];
    for at in 0.. {
        let fs = start.after_power_cut(Unsynced::Kept);
        let (mut store, _) = open(&fs, &[]).unwrap();
        fs.fail_at(fs.ops() + at, Fault::PowerCut);
        // The key file goes, a slot comes, another changes.
        let cut = store.rotate(&[service(2), word("open")]).is_err();
        drop(store);
        for fate in [Unsynced::Lost, Unsynced::Kept, Unsynced::Mixed(at)] {
            let fs = fs.after_power_cut(fate);
            let new = !cut || fs.all_files().keys().any(|p| p.ends_with("rotation"));
            let opened = open(&fs, &[service(2)]).or_else(|_| open(&fs, &[service(1)]));
            let (mut store, report) =
                opened.unwrap_or_else(|e| panic!("cut at {at}, {fate:?}: {e}\n{}", fs.tail()));
            assert!(report.damaged.is_empty(), "{report:?}");
            store.get(G1, Generation(1)).unwrap();
            assert!(store.tombstone(G2).unwrap().is_some());
            drop(store);
            let files = fs.all_files();
            let is_there = |name: &str| files.keys().any(|p| p.ends_with(name));
            assert!(!is_there("rotation") && !is_there("master.next"));
            let now = !is_there("master");
            assert!(now || !new, "cut at {at}, {fate:?}: half of it");
            happened[usize::from(now)] = true;
            let right = if now { service(2) } else { service(1) };
            let fs = fs.after_power_cut(Unsynced::Lost);
            let (mut store, report) = open(&fs, &[right]).unwrap_or_else(|e| {
                panic!("cut at {at}, {fate:?}, {now}: {e}\n{:?}", files.keys())
            });
            assert!(report.damaged.is_empty(), "{report:?}");
            store.get(G1, Generation(1)).unwrap();
        }
        if !cut {
            break;
        }
    }
    assert_eq!(happened, [true, true]);
}

#[test]
fn a_rotation_that_lacks_a_slot_is_not_completed() {
    let start = FaultFs::default();
    let (mut store, _) = open(&start, &[service(1), Unlock::KeyFile]).unwrap();
    put(&mut store, 1);
    drop(store);
    let mut met = 0;
    for at in 0.. {
        let fs = start.after_power_cut(Unsynced::Kept);
        let (mut store, _) = open(&fs, &[]).unwrap();
        fs.fail_at(fs.ops() + at, Fault::PowerCut);
        let cut = store.rotate(&[service(2), Unlock::KeyFile]).is_err();
        drop(store);
        if !cut {
            break;
        }
        let fs = fs.after_power_cut(Unsynced::Kept);
        let files = fs.all_files();
        if !files.keys().any(|p| p.ends_with("rotation")) {
            continue;
        }
        met += 1;
        for name in ["master.next", "slots/secret-service.next"] {
            let (path, bytes) = files.iter().find(|(p, _)| p.ends_with(name)).unwrap();
            let fs = fs.after_power_cut(Unsynced::Kept);
            fs.delete(path);
            let kept = || {
                let mut files = fs.all_files();
                files.retain(|path, _| !path.components().any(|part| part.as_os_str() == "tmp"));
                files
            };
            let before = kept();
            no_way(open(&fs, &[service(2), service(1)]));
            assert!(kept() == before, "it was touched");
            fs.make(path, bytes);
            let (mut store, _) = open(&fs, &[service(2), service(1)]).unwrap();
            store.get(G1, Generation(1)).unwrap();
        }
    }
    assert!(met > 3, "{met}");
}
