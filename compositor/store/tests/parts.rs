//! Blobs, secrets and pictures: each written once, kept as long as a generation has it, carried by a move as it should be.

mod common;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use common::{G1, Random, snapshot};
use overwinter_proto::{
    BlobHash, BlobRef, Generation, JournalRecord, Lease, Revision, Secrets, TxId, parts::MAX_BLOB,
    snapshot::Picture,
};
use overwinter_store::{
    Options, Parts, Pictures, Store, StoreError, closure,
    index::MemIndex,
    vfs::{Entry, RealFs, Vfs, VfsFile},
};

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn name(bytes: &[u8]) -> BlobRef {
    BlobRef {
        hash: BlobHash::of(bytes),
        len: bytes.len() as u64,
    }
}

fn put_blob(store: &mut Store, bytes: &[u8]) -> BlobRef {
    store.put_blob(G1, name(bytes), &file_of(bytes)).unwrap();
    name(bytes)
}

fn read_blob(store: &mut Store, hash: BlobHash) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    store.blob(G1, hash, &mut bytes).map(|_| bytes)
}

fn save(store: &mut Store, revision: u64, state: &[u8], parts: &Parts) -> Generation {
    let snapshot = snapshot("album", revision, state.to_vec());
    store
        .put_with(G1, Lease::FIRST, Revision(revision), &snapshot, parts)
        .unwrap()
}

fn naming(blobs: &[BlobRef]) -> Parts {
    Parts {
        blobs: blobs.to_vec(),
        ..Parts::default()
    }
}

fn secrets() -> Secrets {
    Secrets {
        staying: b"a password that stays".to_vec(),
        travelling: b"a key that travels".to_vec(),
    }
}

/// Every file of the store's chunks.
fn chunks(dir: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            all.extend(chunks(&entry.path()));
        } else {
            all.insert(entry.path());
        }
    }
    all
}

#[test]
fn blobs_come_back_also_after_reopening_and_for_as_long_as_a_generation_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let contents: Vec<Vec<u8>> = [0, 1, 70_000, 20 << 20]
        .iter()
        .map(|len| Random(*len as u64 + 1).bytes(*len))
        .collect();
    let blobs: Vec<BlobRef> = contents.iter().map(|c| put_blob(&mut store, c)).collect();
    let one = save(&mut store, 1, b"one", &naming(&blobs));
    drop(store);
    let (mut store, report) = Store::open(dir.path()).unwrap();
    assert!(report.damaged.is_empty());
    for (blob, content) in blobs.iter().zip(&contents) {
        assert!(read_blob(&mut store, blob.hash).unwrap() == *content);
    }
    assert_eq!(store.blobs(G1).unwrap()[&one].len(), 4);

    let two = save(&mut store, 2, b"two", &naming(&blobs[..1]));
    store.retain(G1, &[one, two]).unwrap();
    read_blob(&mut store, blobs[3].hash).unwrap();
    store.retain(G1, &[two]).unwrap();
    assert!(matches!(
        read_blob(&mut store, blobs[3].hash),
        Err(StoreError::NoBlob { .. })
    ));
    assert!(read_blob(&mut store, blobs[0].hash).unwrap().is_empty());
    assert!(
        chunks(&dir.path().join("objects")).len() < 10,
        "the rest is gone"
    );
    let error = store.put_with(
        G1,
        Lease::FIRST,
        Revision(3),
        &snapshot("album", 3, vec![]),
        &naming(&blobs),
    );
    assert!(matches!(error, Err(StoreError::NoBlob { .. })));
}

#[test]
fn what_waits_for_its_save_is_kept_and_what_nothing_needs_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let one = save(&mut store, 1, b"one", &Parts::default());
    let waiting = put_blob(&mut store, &Random(1).bytes(200_000));
    let dropped = put_blob(&mut store, &Random(2).bytes(200_000));
    store
        .retain_with(G1, &[one], &[waiting.hash].into())
        .unwrap();
    assert!(matches!(
        read_blob(&mut store, dropped.hash),
        Err(StoreError::NoBlob { .. })
    ));
    let two = save(&mut store, 2, b"two", &naming(&[waiting]));
    store.retain(G1, &[two]).unwrap();
    read_blob(&mut store, waiting.hash).unwrap();
}

#[test]
fn what_is_not_the_blob_that_it_should_be_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    save(&mut store, 1, b"one", &Parts::default());
    let objects = dir.path().join("objects");
    let before = chunks(&objects);
    let content = Random(1).bytes(100_000);
    let other = BlobRef {
        hash: BlobHash([7; 32]),
        ..name(&content)
    };
    let longer = BlobRef {
        len: 100_001,
        ..name(&content)
    };
    let file = tempfile::tempfile().unwrap();
    file.set_len(MAX_BLOB + 1).unwrap();
    let huge = BlobRef {
        hash: BlobHash([7; 32]),
        len: MAX_BLOB + 1,
    };
    for (blob, file, word) in [
        (other, &file_of(&content), "another BLAKE3"),
        (longer, &file_of(&content), "100000 bytes instead of"),
        (huge, &file, "the most"),
    ] {
        match store.put_blob(G1, blob, file) {
            Err(e @ StoreError::BadBlob { .. }) => assert!(e.to_string().contains(word), "{e}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(chunks(&objects), before);
}

#[test]
fn a_damaged_blob_is_named_and_the_state_is_there_until_it_is_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let content = Random(1).bytes(30_000);
    let before = chunks(dir.path());
    let blob = put_blob(&mut store, &content);
    let objects = dir.path().join("objects");
    let of_blob: Vec<PathBuf> = chunks(&objects).difference(&before).cloned().collect();
    let parts = Parts {
        secrets: secrets(),
        ..naming(&[blob])
    };
    let one = save(&mut store, 1, b"the state", &parts);
    drop(store);
    let mut bytes = fs::read(&of_blob[0]).unwrap();
    bytes[60] ^= 1;
    fs::write(&of_blob[0], bytes).unwrap();

    let (mut store, _) = Store::open(dir.path()).unwrap();
    let stored = store.read(G1, one).unwrap();
    assert_eq!(
        (stored.snapshot.state.as_slice(), &stored.blobs),
        (b"the state".as_slice(), &vec![blob])
    );
    assert!(stored.secrets == secrets());
    let error = read_blob(&mut store, blob.hash).unwrap_err();
    assert!(matches!(error, StoreError::BlobDamaged { .. }) && !error.is_damage());
    assert!(
        error.to_string().contains(&blob.hash.to_string()),
        "{error}"
    );
    assert!(
        store.manifest(G1, one).is_err(),
        "a move finds it before it begins"
    );
    put_blob(&mut store, &content);
    assert!(read_blob(&mut store, blob.hash).unwrap() == content);
    store.manifest(G1, one).unwrap();
}

#[test]
fn a_move_takes_the_blobs_along_and_leaves_the_secrets_that_stay() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut from, _) = Store::open(a.path()).unwrap();
    let (mut to, _) = Store::open(b.path()).unwrap();
    let content = Random(1).bytes(300_000);
    let blob = put_blob(&mut from, &content);
    let parts = Parts {
        secrets: secrets(),
        ..naming(&[blob])
    };
    let one = save(&mut from, 1, b"the state", &parts);
    let manifest = from.manifest(G1, one).unwrap();
    let without = Parts {
        secrets: Secrets {
            staying: b"another password".to_vec(),
            travelling: b"a key that travels".to_vec(),
        },
        ..naming(&[blob])
    };
    let two = save(&mut from, 1, b"the state", &without);
    let other = from.manifest(G1, two).unwrap();
    assert_eq!(
        manifest.chunks, other.chunks,
        "what stays is no part of what goes"
    );

    let tx = TxId(1);
    to.import_keys(G1, &from.wrap_keys_for_move(G1).unwrap())
        .unwrap();
    for id in to.missing(&manifest).unwrap() {
        to.put_chunk(G1, id, &from.chunk(G1, id).unwrap()).unwrap();
    }
    let staged = to.stage(tx, &manifest, 2, [3; 32]).unwrap();
    assert_eq!(staged, closure(&manifest));
    to.record(G1, &JournalRecord::Owned { tx, epoch: 2 })
        .unwrap();
    drop(to);
    let (mut to, _) = Store::open(b.path()).unwrap();
    let came = to.read(G1, one).unwrap();
    assert_eq!(came.snapshot.state, b"the state");
    assert_eq!(came.secrets.travelling, secrets().travelling);
    assert!(came.secrets.staying.is_empty());
    assert!(read_blob(&mut to, blob.hash).unwrap() == content);
    assert!(
        from.read(G1, one).unwrap().secrets == secrets(),
        "the source has it as before"
    );
}

#[test]
fn pictures_stand_while_the_state_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut first = snapshot("album", 1, b"one".to_vec());
    let one = store.put(G1, Lease::FIRST, Revision(1), &first).unwrap();
    let parts = Parts {
        pictures: Pictures::AsBefore,
        ..Parts::default()
    };
    let mut second = snapshot("album", 2, b"two".to_vec());
    second.windows[0].picture = None;
    second.windows[0].place.x = 77;
    let two = store
        .put_with(G1, Lease::FIRST, Revision(2), &second, &parts)
        .unwrap();
    store.retain(G1, &[two]).unwrap();
    assert!(store.get(G1, one).is_err());
    let found = store.get(G1, two).unwrap();
    assert_eq!(found.windows[0].place.x, 77);
    let picture = first.windows[0].picture.take();
    assert_eq!(found.windows[0].picture, picture);
}

// ── how much is written ──────────────────────────────────────────────────────────────────────────────────────────────────

/// The disk of this machine, with a count of the bytes that are written.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU64>);

struct CountingFile(Box<dyn VfsFile>, Arc<AtomicU64>);

impl VfsFile for CountingFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.0.write_at(offset, bytes)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Counting {
    fn count(&self, file: Box<dyn VfsFile>) -> Box<dyn VfsFile> {
        Box::new(CountingFile(file, self.0.clone()))
    }

    /// Bytes written since the last time.
    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Vfs for Counting {
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send>>> {
        RealFs.lock(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        RealFs.create(path).map(|file| self.count(file))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        RealFs.open(path).map(|file| self.count(file))
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        RealFs.read(path, limit)
    }
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        RealFs.len(path)
    }
    fn is_exposed(&self, path: &Path) -> io::Result<bool> {
        RealFs.is_exposed(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        RealFs.list(dir)
    }
    fn mkdir(&self, dir: &Path) -> io::Result<()> {
        RealFs.mkdir(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFs.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealFs.remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.sync_dir(dir)
    }
    fn written(&self, path: &Path) -> io::Result<u64> {
        RealFs.written(path)
    }
    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        RealFs.random(bytes)
    }
    fn space_left(&self, dir: &Path) -> io::Result<u64> {
        RealFs.space_left(dir)
    }
}

/// Bytes that do not pack.
fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Words as they stand in a text: some three letters to a byte when packed.
fn prose(len: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "winter", "the", "sleeps", "and", "a", "document", "which", "under", "session", "of",
        "moves", "to", "another", "host", "quietly", "snow",
    ];
    let numbers = noise(9, len);
    let words = numbers.iter().flat_map(|n| {
        let word = WORDS[usize::from(n % 16)].bytes();
        word.chain([b'0' + (n >> 4) % 10, b' '])
    });
    words.take(len).collect()
}

/// Bytes that an autosave writes, with everything that follows it, after the document was saved before.
fn autosave_writes(first: &[u8], second: &[u8]) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let disk = Counting::default();
    let options = Options {
        vfs: Arc::new(disk.clone()),
        index: Some(Box::new(MemIndex::default())),
        ..Options::default()
    };
    let (mut store, _) = Store::open_with(dir.path(), options).unwrap();
    let contents: Vec<Vec<u8>> = (0..4).map(|n| noise(n, 300_000)).collect();
    let blobs: Vec<BlobRef> = contents.iter().map(|c| put_blob(&mut store, c)).collect();
    let parts = |pictures| Parts {
        secrets: secrets(),
        pictures,
        ..naming(&blobs)
    };
    let (width, height) = (800, 600);
    let mut saved = snapshot("album", 1, first.to_vec());
    saved.windows[0].picture = Some(Picture {
        width,
        height,
        scale_120: 120,
        geometry_x: 0,
        geometry_y: 0,
        argb: noise(5, (4 * width * height) as usize),
    });
    let mut keep = Vec::new();
    for revision in 1..=2 {
        let generation = store
            .put_with(
                G1,
                Lease::FIRST,
                Revision(revision),
                &saved,
                &parts(Pictures::Given),
            )
            .unwrap();
        keep = vec![generation];
    }
    assert!(
        disk.take() > 3_000_000,
        "blobs and picture were written once"
    );

    saved.state = second.to_vec();
    saved.windows[0].picture = None;
    let generation = store
        .put_with(
            G1,
            Lease::FIRST,
            Revision(3),
            &saved,
            &parts(Pictures::AsBefore),
        )
        .unwrap();
    keep.push(generation);
    store.retain(G1, &keep).unwrap();
    let written = disk.take();
    let found = store.get(G1, generation).unwrap();
    assert!(found.state == second && found.windows[0].picture.is_some());
    written
}

#[test]
fn an_edit_of_one_field_writes_no_more_than_8_kib() {
    let first = prose(4_000);
    let mut second = first.clone();
    second[2000] = b'X';
    let written = autosave_writes(&first, &second);
    assert!(written <= 8 << 10, "{written} bytes");
}

#[test]
fn one_character_in_a_megabyte_writes_no_more_than_64_kib() {
    let first = prose(1 << 20);
    for at in [0, 10, 100_000, 524_288, (1 << 20) - 1] {
        let mut second = first.clone();
        second.insert(at, b'X');
        let written = autosave_writes(&first, &second);
        assert!(written <= 64 << 10, "{written} bytes at {at}");
    }
}

#[test]
fn secrets_that_are_damaged_are_left_out_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    save(&mut store, 1, b"the state", &Parts::default());
    let objects = dir.path().join("objects");
    let before = chunks(&objects);
    let parts = Parts {
        secrets: secrets(),
        ..Parts::default()
    };
    let one = save(&mut store, 1, b"the state", &parts);
    assert_eq!(store.read(G1, one).unwrap().lacks, None);
    for chunk in chunks(&objects).difference(&before) {
        fs::write(chunk, b"noise").unwrap();
    }
    let stored = store.read(G1, one).unwrap();
    assert_eq!(stored.snapshot.state, b"the state");
    assert!(stored.secrets == Secrets::default());
    let lacks = stored.lacks.unwrap();
    assert!(lacks.contains("its secrets cannot be read"), "{lacks}");
}
