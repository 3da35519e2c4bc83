//! The store on the disk of this machine: what a session does with it from day to day.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use common::{G1, G2, Random, numbers, snapshot};
use overwinter_proto::{
    Generation, GroupId, JournalRecord, Lease, Revision, Snapshot, TxId, journal::Closure,
};
use overwinter_store::{Store, StoreError};
use proptest::prelude::*;

fn bytes_under(dir: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let meta = entry.metadata().unwrap();
        sum += if meta.is_dir() {
            bytes_under(&entry.path())
        } else {
            meta.len()
        };
    }
    sum
}

#[test]
fn what_is_put_comes_back_also_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/new/store");
    let (mut store, report) = Store::open(&path).unwrap();
    assert!(report.created && report.damaged.is_empty());
    assert!(report.key_warning.contains("master key"));
    let one = snapshot("a", 1, b"first".to_vec());
    let two = snapshot("a", 2, b"second".to_vec());
    assert_eq!(
        store.put(G1, Lease::FIRST, Revision(1), &one).unwrap(),
        Generation(1)
    );
    assert_eq!(
        store.put(G1, Lease::FIRST, Revision(2), &two).unwrap(),
        Generation(2)
    );
    assert_eq!(
        store.put(G1, Lease::FIRST, Revision(2), &two).unwrap(),
        Generation(2),
        "told twice, answered twice"
    );
    drop(store);
    let (mut store, report) = Store::open(&path).unwrap();
    assert!(
        !report.created
            && report.damaged.is_empty()
            && report.index.is_none()
            && report.strangers.is_empty()
    );
    assert_eq!(
        (report.groups, report.read),
        (1, 0),
        "the index vouches for what was closed in order"
    );
    assert_eq!(store.groups().unwrap(), [G1]);
    assert!(store.get(G1, Generation(1)).unwrap() == one);
    assert!(store.get(G1, Generation(2)).unwrap() == two);
    assert!(matches!(
        store.get(G1, Generation(3)),
        Err(StoreError::UnknownGeneration {
            newest: Some(Generation(2)),
            ..
        })
    ));
    assert!(matches!(
        store.get(G2, Generation(1)),
        Err(StoreError::UnknownGroup(_))
    ));
    let info = &store.generations(G1).unwrap()[1];
    assert_eq!(
        (info.revision, info.lease, info.title.as_str()),
        (Revision(2), Lease::FIRST, "a")
    );
}

#[test]
fn a_store_can_live_on_a_thread_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let worker = std::thread::spawn(move || {
        store.put(G1, Lease::FIRST, Revision(1), &snapshot("a", 1, vec![1]))
    });
    assert_eq!(worker.join().unwrap().unwrap(), Generation(1));
}

#[test]
fn an_old_lease_is_refused_and_a_released_group_takes_no_saves() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let s = snapshot("a", 1, b"x".to_vec());
    let second = Lease::FIRST.next_holder();
    store.record(G1, &JournalRecord::Lease(second)).unwrap();
    assert!(
        matches!(store.put(G1, Lease::FIRST, Revision(1), &s), Err(StoreError::StaleLease { current, .. }) if current == second)
    );
    store.put(G1, second, Revision(1), &s).unwrap();
    let manifest = store.manifest(G1, Generation(1)).unwrap();
    let closure = overwinter_store::closure(&manifest);
    let preparing = |tx, closure| JournalRecord::Preparing {
        tx,
        generation: Generation(1),
        epoch: 1,
        closure,
    };
    let release = |tx, closure| JournalRecord::Released {
        tx,
        destination: [1; 32],
        destination_name: "b".to_owned(),
        epoch: 2,
        closure,
    };
    let released = release(TxId(5), closure);
    let refused = |store: &mut Store, record: &JournalRecord| {
        let outcome = store.record(G1, record);
        assert!(
            matches!(outcome, Err(StoreError::Refused { .. })),
            "{outcome:?}"
        );
    };
    refused(&mut store, &released);
    store.record(G1, &preparing(TxId(5), closure)).unwrap();
    refused(&mut store, &release(TxId(6), closure));
    refused(&mut store, &release(TxId(5), Closure([9; 32])));
    // Anything that happens in between, and a newer generation above all, calls it off.
    store.record(G1, &JournalRecord::Reprieved).unwrap();
    refused(&mut store, &released);
    store.put(G1, second, Revision(2), &s).unwrap();
    store.record(G1, &preparing(TxId(5), closure)).unwrap();
    refused(&mut store, &released);
    store
        .record(G1, &JournalRecord::Aborted { tx: TxId(5) })
        .unwrap();
    let manifest = store.manifest(G1, Generation(2)).unwrap();
    let closure = overwinter_store::closure(&manifest);
    let preparing = JournalRecord::Preparing {
        tx: TxId(7),
        generation: Generation(2),
        epoch: 1,
        closure,
    };
    store.record(G1, &preparing).unwrap();
    let released = release(TxId(7), closure);
    store.record(G1, &released).unwrap();
    let length = store.journal(G1).unwrap().len();
    store.record(G1, &released).unwrap();
    assert_eq!(
        store.journal(G1).unwrap().len(),
        length,
        "told twice, written once"
    );
    drop(store);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let s2 = snapshot("a", 2, b"y".to_vec());
    assert!(matches!(
        store.put(G1, second, Revision(2), &s2),
        Err(StoreError::StaleLease { .. })
    ));
    assert_eq!(store.journal(G1).unwrap().last().unwrap().record, released);
}

#[test]
fn stored_and_staged_are_written_with_their_snapshot_only() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let record = JournalRecord::Stored {
        generation: Generation(1),
        revision: Revision(1),
        lease: Lease::FIRST,
    };
    assert!(matches!(
        store.record(G1, &record),
        Err(StoreError::Refused { .. })
    ));
    assert!(matches!(
        store.record(G1, &JournalRecord::Closed),
        Err(StoreError::UnknownGroup(_))
    ));
    assert_eq!(store.groups().unwrap(), []);
}

#[test]
fn only_what_changed_of_a_large_document_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut document = Random(7).bytes(8 << 20);
    let first = snapshot("book", 1, document.clone());
    store.put(G1, Lease::FIRST, Revision(1), &first).unwrap();
    let once = bytes_under(&dir.path().join("objects"));
    assert!(once >= 8 << 20);
    // 80 KiB in the middle change, and a line is inserted near the start.
    document[4_000_000..4_080_000].copy_from_slice(&Random(8).bytes(80_000));
    document.splice(1000..1000, b"one more line".iter().copied());
    let second = snapshot("book", 2, document);
    store.put(G1, Lease::FIRST, Revision(2), &second).unwrap();
    let twice = bytes_under(&dir.path().join("objects"));
    // At most the chunks around two places (1 MiB each at worst, and one neighbour) and the list of chunks.
    assert!(twice - once < 4 << 20, "{} bytes more", twice - once);
    assert!(store.get(G1, Generation(1)).unwrap() == first);
    assert!(store.get(G1, Generation(2)).unwrap() == second);
    // The first goes: only what it alone needed.
    let swept = store.retain(G1, &[]).unwrap();
    assert_eq!(swept.generations, 1);
    assert!(swept.chunks > 0 && swept.bytes <= twice - once + (3 << 20));
    assert_eq!(
        bytes_under(&dir.path().join("objects")),
        twice - swept.bytes
    );
    assert!(store.get(G1, Generation(2)).unwrap() == second);
    assert!(matches!(
        store.get(G1, Generation(1)),
        Err(StoreError::UnknownGeneration { .. })
    ));
}

#[test]
fn groups_share_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let s = snapshot("a", 1, b"the same in both".to_vec());
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    let (a, b) = (
        store.manifest(G1, Generation(1)).unwrap(),
        store.manifest(G2, Generation(1)).unwrap(),
    );
    assert_ne!(
        a.chunks[0].0, b.chunks[0].0,
        "the same bytes have another name in each group"
    );
}

#[test]
fn newest_and_proven_outlive_every_retention() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    for n in 1..=6 {
        store
            .put(
                G1,
                Lease::FIRST,
                Revision(n),
                &snapshot("a", n, vec![n as u8; 100]),
            )
            .unwrap();
    }
    store
        .record(G1, &JournalRecord::Proven(Generation(2)))
        .unwrap();
    store.retain(G1, &[Generation(4)]).unwrap();
    assert_eq!(numbers(&mut store, G1), [2, 4, 6].map(Generation));
    drop(store);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.retain(G1, &[]).unwrap();
    assert_eq!(numbers(&mut store, G1), [2, 6].map(Generation));
    assert!(store.generations(G1).unwrap()[0].proven);
    for n in [2, 6] {
        assert!(store.get(G1, Generation(n)).unwrap() == snapshot("a", n, vec![n as u8; 100]));
    }
    assert_eq!(
        store
            .put(G1, Lease::FIRST, Revision(7), &snapshot("a", 7, vec![]))
            .unwrap(),
        Generation(7),
        "numbers are not used twice"
    );
}

#[test]
fn a_forgotten_group_leaves_a_tombstone_and_nothing_readable() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let s = snapshot("secret", 1, b"top secret".to_vec());
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    store.put(G2, Lease::FIRST, Revision(1), &s).unwrap();
    store.forget(G1).unwrap();
    store.forget(G1).unwrap();
    for sub in ["keys", "groups", "objects"] {
        assert!(!dir.path().join(sub).join(G1.to_string()).exists(), "{sub}");
    }
    assert!(matches!(
        store.get(G1, Generation(1)),
        Err(StoreError::Forgotten(_))
    ));
    assert!(matches!(
        store.put(G1, Lease::FIRST, Revision(2), &s),
        Err(StoreError::Forgotten(_))
    ));
    assert!(matches!(
        store.forget(GroupId(99)),
        Err(StoreError::UnknownGroup(_))
    ));
    assert_eq!(store.tombstone(G1).unwrap().unwrap().lease, Lease::FIRST);
    assert_eq!(store.groups().unwrap(), [G2]);
    drop(store);
    let (mut store, report) = Store::open(dir.path()).unwrap();
    assert!(report.damaged.is_empty() && report.forgotten.is_empty());
    assert_eq!(store.groups().unwrap(), [G2]);
    assert!(store.get(G2, Generation(1)).unwrap() == s);
}

#[test]
fn a_full_disk_is_refused_before_it_is_full() {
    let fs = common::FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    let s = snapshot("a", 1, b"x".to_vec());
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    fs.set_space(1 << 20);
    assert_eq!(store.space_left().unwrap(), 1 << 20);
    let before = fs.all_files();
    let large = snapshot("a", 2, Random(1).bytes(3 << 20));
    match store.put(G1, Lease::FIRST, Revision(2), &large) {
        Err(StoreError::Full { needed, left }) => assert!(needed > 3 << 20 && left == 1 << 20),
        other => panic!("{other:?}"),
    }
    assert!(
        matches!(
            store.put(G2, Lease::FIRST, Revision(1), &s),
            Err(StoreError::Full { .. })
        ),
        "the reserve is for journals"
    );
    assert_eq!(fs.all_files(), before, "everything is as it was");
    store
        .record(G1, &JournalRecord::Slept(Generation(1)))
        .unwrap();
    store.forget(G1).unwrap();
}

#[test]
fn a_store_of_a_newer_release_and_a_folder_of_other_things_are_left_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("format"), "overwinter-store 2\n").unwrap();
    assert!(matches!(
        Store::open(dir.path()),
        Err(StoreError::NewerFormat {
            found: 2,
            known: 1,
            ..
        })
    ));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("thesis.tex"), "…").unwrap();
    assert!(matches!(
        Store::open(other.path()),
        Err(StoreError::NotAStore { .. })
    ));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
}

#[test]
fn strangers_in_the_folder_are_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    fs::write(dir.path().join("notes"), "mine").unwrap();
    fs::write(dir.path().join("groups/readme"), "mine").unwrap();
    let (_, report) = Store::open(dir.path()).unwrap();
    assert_eq!(report.strangers, ["notes", "groups/readme"]);
    assert!(dir.path().join("notes").exists() && dir.path().join("groups/readme").exists());
}

#[test]
fn a_key_file_that_others_may_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let master = dir.path().join("master");
    assert_eq!(
        fs::metadata(&master).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::set_permissions(&master, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, report) = Store::open(dir.path()).unwrap();
    assert!(
        report.key_warning.contains("chmod 600"),
        "{}",
        report.key_warning
    );
}

/// Runs in a second process, started by the test below.
#[test]
fn holder_of_the_lock() {
    let Some(dir) = std::env::var_os("OVERWINTER_TEST_HOLD") else {
        return;
    };
    let _store = Store::open(Path::new(&dir)).unwrap();
    println!("\nheld");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder_of_the_lock", "--nocapture"])
        .env("OVERWINTER_TEST_HOLD", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|l| l == "held"));
    let e = Store::open(dir.path()).unwrap_err();
    assert!(matches!(e, StoreError::Locked { .. }), "{e}");
    assert!(e.to_string().contains("in use by another process"));
    drop(other.stdin.take());
    drop(lines);
    other.wait().unwrap();
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_lost_index_costs_a_rescan_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("index");
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let document = Random(3).bytes(2 << 20);
    let first = snapshot("book", 1, document.clone());
    store.put(G1, Lease::FIRST, Revision(1), &first).unwrap();
    drop(store);
    let objects = bytes_under(&dir.path().join("objects"));
    for n in 2..12 {
        let what = damage_index(&index, n);
        let (mut store, report) = Store::open(dir.path()).unwrap();
        assert!(report.damaged.is_empty(), "{what}: {report:?}");
        assert!(store.get(G1, Generation(1)).unwrap() == first, "{what}");
        // The same document under another revision: deduplicated, though the index knew nothing.
        store.put(G1, Lease::FIRST, Revision(n), &first).unwrap();
        assert_eq!(
            bytes_under(&dir.path().join("objects")),
            objects,
            "{what}: chunks were written again"
        );
        assert_eq!(numbers(&mut store, G1).len() as u64, n, "{what}");
        drop(store);
        let (_, report) = Store::open(dir.path()).unwrap();
        assert_eq!(
            (report.index, report.read),
            (None, 0),
            "{what}: the new index is whole"
        );
    }
}

fn damage_index(index: &Path, n: u64) -> &'static str {
    let of = |name: &str| index.join(name);
    match n {
        2 => fs::remove_dir_all(index).map(|()| "deleted").unwrap(),
        3 => fs::write(of("snap.00000000000000FF.generating"), b"torn")
            .map(|()| "a torn snapshot")
            .unwrap(),
        4 => fs::write(of("db"), b"").map(|()| "an empty log").unwrap(),
        5 => fs::write(of("conf"), b"no such thing")
            .map(|()| "another configuration")
            .unwrap(),
        6 => {
            fs::remove_dir_all(index).unwrap();
            fs::write(index, b"a file where the folder was")
                .map(|()| "a file")
                .unwrap()
        }
        7 => {
            let mut bytes = fs::read(of("db")).unwrap();
            let middle = bytes.len() / 2;
            bytes.truncate(middle);
            fs::write(of("db"), bytes).map(|()| "half a log").unwrap()
        }
        8 => {
            fs::create_dir_all(of("blobs")).unwrap();
            fs::write(of("blobs/1"), b"x").map(|()| "a blob").unwrap()
        }
        _ => {
            let mut bytes = fs::read(of("db")).unwrap();
            let mut random = Random(n);
            for _ in 0..200 {
                let at = random.below(bytes.len());
                bytes[at] ^= 0x55;
            }
            fs::write(of("db"), bytes)
                .map(|()| "changed bytes all over")
                .unwrap()
        }
    }
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let state = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        (0usize..400_000, any::<u64>()).prop_map(|(n, s)| Random(s | 1).bytes(n))
    ];
    (".{0,40}", any::<u64>(), state, 0usize..3, any::<i32>()).prop_map(
        |(title, revision, state, windows, x)| {
            let mut s = snapshot(&title, revision, state);
            let mut window = s.windows.remove(0);
            window.place.x = x;
            s.windows = vec![window; windows];
            s
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_sequence_of_snapshots_comes_back_bit_for_bit(snapshots in prop::collection::vec((any::<bool>(), any_snapshot()), 1..6)) {
        let fs = common::FaultFs::default();
        let (mut store, _) = fs.store().unwrap();
        let mut stored = Vec::new();
        for (n, (second, s)) in snapshots.iter().enumerate() {
            let group = if *second { G2 } else { G1 };
            let generation = store.put(group, Lease(n as u64), s.revision, s).unwrap();
            stored.push((group, generation, s));
            if n % 2 == 1 {
                drop(store);
                store = fs.after_power_cut(common::Unsynced::Lost).store().unwrap().0;
                drop(store);
                store = fs.store().unwrap().0;
            }
        }
        for (group, generation, s) in stored {
            prop_assert!(store.get(group, generation).unwrap() == *s);
        }
    }
}
