//! A store that an earlier release wrote opens in this one, is all there, and can be written to.

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use common::{G1, G2, Random, numbers, snapshot};
use overwinter_proto::{
    BlobHash, BlobRef, Generation, GroupId, JournalRecord, Lease, Revision, Secrets, Snapshot,
};
use overwinter_store::{Parts, Store, StoreError, Unlock};

const FORGOTTEN: GroupId = GroupId(0x3333);

fn golden(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format-{format}"))
}

/// What is in generation `n` of the first group: small, then cut into chunks, then small again.
fn letter(n: u64) -> Snapshot {
    let text = format!("Dear {n}, ").repeat(if n == 2 { 20_000 } else { 3 });
    snapshot("letter.txt", n, text.into_bytes())
}

/// Incompressible, so that there is a list of its chunks.
fn book() -> Snapshot {
    snapshot("book.txt", 7, Random(9).bytes(90_000))
}

const PICTURE: &[u8] = b"the content of a blob";

fn picture() -> BlobRef {
    BlobRef {
        hash: BlobHash(*blake3::hash(PICTURE).as_bytes()),
        len: PICTURE.len() as u64,
    }
}

fn secrets() -> Secrets {
    Secrets {
        staying: b"stays here".to_vec(),
        travelling: b"goes along".to_vec(),
    }
}

/// What the golden store was made by.
fn fill(store: &mut Store) {
    let opened = JournalRecord::Opened {
        app: "org.overwinter.Editor".to_owned(),
    };
    store.record(G1, &opened).unwrap();
    for n in 1..=3 {
        store
            .put(G1, Lease::FIRST, Revision(n), &letter(n))
            .unwrap();
    }
    store
        .record(G1, &JournalRecord::Proven(Generation(2)))
        .unwrap();
    store.retain(G1, &[]).unwrap();

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(PICTURE).unwrap();
    store.put_blob(G2, picture(), &file).unwrap();
    let parts = Parts {
        blobs: vec![picture()],
        secrets: secrets(),
        ..Parts::default()
    };
    store
        .put_with(G2, Lease::FIRST, Revision(7), &book(), &parts)
        .unwrap();

    store
        .put(FORGOTTEN, Lease::FIRST, Revision(1), &letter(1))
        .unwrap();
    store.forget(FORGOTTEN).unwrap();
    store
        .fill_slot(&Unlock::Passphrase("correct horse".to_owned().into()))
        .unwrap();
}

/// As git has lost the modes, and keeps no empty folders.
fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

#[test]
#[ignore = "makes the golden store, once for each format"]
fn make() {
    assert!(std::env::var_os("OVERWINTER_MAKE_GOLDEN").is_some());
    let dir = golden(overwinter_store::FORMAT);
    assert!(!dir.exists(), "it is never made again");
    let (mut store, _) = Store::open(&dir).unwrap();
    fill(&mut store);
    store.collect(true, &mut |_| {}).unwrap();
    drop(store);
    for no_truth in ["index", "lock"] {
        let path = dir.join(no_truth);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
    }
}

#[test]
fn a_store_of_each_former_format_is_all_there_and_can_be_written_to() {
    for format in 1..=overwinter_store::FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("store");
        copy(&golden(format), &dir);
        let (mut store, report) = Store::open(&dir).unwrap();
        assert!(
            !report.created && report.damaged.is_empty() && report.strangers.is_empty(),
            "{report:?}"
        );
        assert_eq!(store.groups().unwrap(), [G1, G2]);
        assert_eq!(numbers(&mut store, G1), [Generation(2), Generation(3)]);
        for n in [2, 3] {
            assert!(store.get(G1, Generation(n)).unwrap() == letter(n));
        }
        let records = store.journal(G1).unwrap();
        let proven = JournalRecord::Proven(Generation(2));
        assert!(records.iter().any(|entry| entry.record == proven));

        assert!(store.get(G2, Generation(1)).unwrap() == book());
        let stored = store.read(G2, Generation(1)).unwrap();
        assert_eq!((stored.blobs, stored.lacks), (vec![picture()], None));
        assert_eq!(stored.secrets, secrets());
        let mut content = Vec::new();
        store.blob(G2, picture().hash, &mut content).unwrap();
        assert_eq!(content, PICTURE);

        assert!(store.tombstone(FORGOTTEN).unwrap().is_some());
        let gone = store.put(FORGOTTEN, Lease::FIRST, Revision(2), &letter(2));
        assert!(matches!(gone, Err(StoreError::Forgotten(_))));
        let health = store.examine(false, &mut |_| {}).unwrap();
        assert!(health.is_sound(), "{health:?}");

        let next = store
            .put(G1, Lease::FIRST, Revision(4), &letter(4))
            .unwrap();
        assert_eq!(next, Generation(4));
        drop(store);
        // By the word alone, as on a machine where the key file is gone.
        fs::remove_file(dir.join("master")).unwrap();
        let options = overwinter_store::Options {
            unlock: vec![Unlock::Passphrase("correct horse".to_owned().into())],
            ..overwinter_store::Options::default()
        };
        let (mut store, _) = Store::open_with(&dir, options).unwrap();
        assert!(store.get(G1, Generation(4)).unwrap() == letter(4));
        drop(store);
        let now = format!("overwinter-store {}\n", overwinter_store::FORMAT);
        assert_eq!(fs::read_to_string(dir.join("format")).unwrap(), now);
    }
}

#[test]
fn a_store_of_a_later_format_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    copy(&golden(1), &dir);
    File::create(dir.join("format"))
        .unwrap()
        .write_all(b"overwinter-store 99\n")
        .unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names();
    let refused = Store::open(&dir).unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerFormat { found: 99, .. }),
        "{refused}"
    );
    assert_eq!(names(), before);
}
