//! The format is what docs/store-format.md says: a reader written from that page alone, in another language, reads a store.

mod common;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{G1, G2, Random, snapshot};
use overwinter_proto::{BlobHash, BlobRef, Generation, JournalRecord, Lease, Revision};
use overwinter_store::{Parts, Store};
use serde_json::{Value, json};

fn read(dir: &Path) -> Output {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/store_reader.py");
    let run = Command::new("python3").arg(reader).arg(dir).output();
    run.expect("python3 (scripts/setup installs what the tests need)")
}

fn read_well(dir: &Path) -> Value {
    let output = read(dir);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_reader_written_from_the_page_alone_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let opened = JournalRecord::Opened {
        app: "org.overwinter.Editor".to_owned(),
    };
    store.record(G1, &opened).unwrap();
    let mut random = Random(11);
    let states = [b"first".to_vec(), Vec::new(), random.bytes(100_000)];
    for (n, state) in states.iter().enumerate() {
        let s = snapshot("letter.txt", n as u64 + 1, state.clone());
        store.put(G1, Lease::FIRST, s.revision, &s).unwrap();
    }
    store
        .record(G1, &JournalRecord::Proven(Generation(1)))
        .unwrap();
    store.retain(G1, &[]).unwrap();
    // Long enough for a list of chunks; the same everywhere, so that slow ciphers have little to do.
    let long = vec![7; 36 << 20];
    let mut blob = tempfile::tempfile().unwrap();
    let content = random.bytes(3_000);
    blob.write_all(&content).unwrap();
    blob.rewind().unwrap();
    let hash = BlobHash(*blake3::hash(&content).as_bytes());
    let blob_ref = BlobRef {
        hash,
        len: content.len() as u64,
    };
    store.put_blob(G2, blob_ref, &blob).unwrap();
    let s = snapshot("book.txt", 1, long.clone());
    let parts = Parts {
        blobs: vec![blob_ref],
        ..Parts::default()
    };
    store
        .put_with(G2, Lease::FIRST, Revision(1), &s, &parts)
        .unwrap();
    let busy = read(dir.path());
    assert!(!busy.status.success(), "it takes the lock");
    drop(store);

    let found = read_well(dir.path());
    let hash_of = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let generation = |title: &str, n: u64, state: &[u8], blobs: Value| {
        json!({
            "app": "org.overwinter.Editor", "title": title, "revision": n, "build": "1.0",
            "length": state.len(), "state": hash_of(&state[..state.len().min(65536)]), "windows": ["main"],
            "pictures": { "main": hash_of(&[n as u8; 32]) }, "blobs": blobs,
        })
    };
    let expected = json!({
        G1.to_string(): {
            "records": ["opened", "stored", "stored", "stored", "proven"],
            "generations": {
                "1": generation("letter.txt", 1, &states[0], json!([])),
                "3": generation("letter.txt", 3, &states[2], json!([])),
            },
        },
        G2.to_string(): {
            "records": ["stored"],
            "generations": { "1": generation("book.txt", 1, &long, json!([hex::encode(hash.0)])) },
        },
    });
    assert_eq!(found, expected);
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.metadata().unwrap().is_dir() {
            true => all.extend(files(&entry.path())),
            false => drop(all.insert(entry.path())),
        }
    }
    all
}

/// It does check what the page says is to be checked.
#[test]
fn the_reader_notices_a_changed_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let s = snapshot("letter.txt", 1, b"Dear".to_vec());
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    drop(store);
    read_well(dir.path());
    for folder in ["keys", "objects", "groups"] {
        for path in files(&dir.path().join(folder)) {
            let good = fs::read(&path).unwrap();
            for at in [0, good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 1;
                File::create(&path).unwrap().write_all(&bad).unwrap();
                let context = format!("{} byte {at}", path.display());
                assert!(!read(dir.path()).status.success(), "{context}: not noticed");
            }
            fs::write(&path, good).unwrap();
        }
    }
    read_well(dir.path());
}
