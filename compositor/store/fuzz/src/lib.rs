//! What is tried on each target. Everything runs on a disk in memory. A panic is a finding; so is memory or time beyond the
//! fuzzer's limits, wrong data, and another group's loss.

#[allow(dead_code, missing_docs)]
#[path = "../../tests/common/faultfs.rs"]
mod faultfs;
pub mod forge;

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use faultfs::{FaultFs, Unsynced};
use forge::{Group, Info, Master, Part};
use overwinter_proto::{
    BlobHash, BlobRef, Build, Generation, GroupId, JournalRecord, Lease, Revision, Snapshot, TxId,
    snapshot::{Picture, Placement, WindowSnapshot},
    transfer::{Manifest, Message},
};
use overwinter_store::{OpenReport, Options, Parts, Result, Store, StoreError, Unlock, Which};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The group that is tampered with, one that is not, one that was forgotten.
const G1: GroupId = GroupId(0x1111_0000_0000_0000_0000_0000_0000_0001);
const G2: GroupId = GroupId(0x2222_0000_0000_0000_0000_0000_0000_0002);
const G3: GroupId = GroupId(0x3333_0000_0000_0000_0000_0000_0000_0003);

/// Above every lease.
const LAST: Lease = Lease(u64::MAX);
const SERVICE: [u8; 32] = [5; 32];
const WORD: &str = "winter";

fn place(name: &str) -> PathBuf {
    Path::new("/home/store").join(name)
}

fn open(fs: &FaultFs) -> Result<(Store, OpenReport)> {
    let options = Options {
        vfs: Arc::new(fs.clone()),
        index: Some(Box::new(overwinter_store::index::MemIndex::default())),
        unlock: vec![Unlock::SecretService(Zeroizing::new(SERVICE))],
        ..Options::default()
    };
    Store::open_with(Path::new("/home/store"), options)
}

fn letter(n: u64) -> Snapshot {
    let window = WindowSnapshot {
        name: "main".to_owned(),
        title: format!("letter {n}"),
        place: Placement::default(),
        picture: Some(Picture {
            width: 2,
            height: 1,
            scale_120: 120,
            geometry_x: 0,
            geometry_y: 0,
            argb: vec![n as u8; 8],
        }),
    };
    Snapshot {
        app: "org.overwinter.Editor".to_owned(),
        build: Build::default(),
        revision: Revision(n),
        title: format!("letter {n}"),
        state: format!("Dear {n}").into_bytes(),
        windows: vec![window],
    }
}

/// The store that every try begins with.
struct Base {
    fs: FaultFs,
    master: Master,
    group: Group,
    bodies: Vec<Vec<u8>>,
    file: Vec<u8>,
    manifest: Manifest,
    keys: Vec<u8>,
}

#[derive(Deserialize)]
struct Travelling {
    #[serde(with = "serde_bytes")]
    secret: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Body {
    Record(JournalRecord),
    Generation { record: JournalRecord, info: Info },
    Dropped(Vec<Generation>),
}

impl Base {
    fn new() -> Base {
        let fs = FaultFs::default();
        let (mut store, _) = open(&fs).expect("a new store");
        let blob = BlobRef {
            hash: BlobHash(*blake3::hash(b"blob").as_bytes()),
            len: 4,
        };
        for group in [G1, G2, G3] {
            for n in 1..=2 {
                let put = store.put(group, Lease::FIRST, Revision(n), &letter(n));
                put.expect("room");
            }
        }
        let path = std::env::temp_dir().join(format!("overwinter-fuzz-{}", std::process::id()));
        std::fs::write(&path, b"blob").expect("a file");
        let file = std::fs::File::open(&path).expect("a file");
        store.put_blob(G1, blob, &file).expect("room");
        std::fs::remove_file(&path).expect("a file");
        let parts = Parts {
            blobs: vec![blob],
            ..Parts::default()
        };
        let put = store.put_with(G1, Lease::FIRST, Revision(3), &letter(3), &parts);
        put.expect("room");
        store.forget(G3).expect("a group");
        let mut file = Vec::new();
        store
            .export(G1, Which::Newest, &mut file, &mut |_| {})
            .expect("a group");
        let manifest = store.manifest(G1, Generation(3)).expect("a group");
        let keys = store.wrap_keys_for_move(G1).expect("a group");
        let travelling: Travelling = overwinter_proto::decode(&keys).expect("keys");
        drop(store);
        let group = Group {
            id: G1,
            secret: travelling.secret,
        };
        let bodies = bodies(&fs, &group);
        let master = Master::from_file(&fs.all_files()[&place("master")]);
        Base {
            fs,
            master,
            group,
            bodies,
            file,
            manifest,
            keys,
        }
    }

    /// A disk of its own, with the same on it.
    fn disk(&self) -> FaultFs {
        self.fs.after_power_cut(Unsynced::Kept)
    }

    fn with_file(&self, name: &str, bytes: &[u8]) -> FaultFs {
        let fs = self.disk();
        fs.make(&place(name), bytes);
        fs
    }

    fn journal(&self) -> String {
        format!("groups/{G1}/journal")
    }
}

/// What the journal of the first group says, opened by what the page says.
fn bodies(fs: &FaultFs, group: &Group) -> Vec<Vec<u8>> {
    let file = &fs.all_files()[&place(&format!("groups/{G1}/journal"))];
    let mut rest = &file[3 * 512..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        all.push(group.record(&rest[4..36 + len]));
        rest = &rest[36 + len + 32..];
    }
    all
}

thread_local! {
    static BASE: RefCell<Option<&'static Base>> = const { RefCell::new(None) };
}

fn base() -> &'static Base {
    BASE.with(|base| {
        *base
            .borrow_mut()
            .get_or_insert_with(|| Box::leak(Box::new(Base::new())))
    })
}

/// Pieces, each with its length before it.
fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let [a, b, rest @ ..] = data {
        let len = usize::from(u16::from_le_bytes([*a, *b])).min(rest.len());
        let (piece, left) = rest.split_at(len);
        all.push(piece);
        data = left;
    }
    all
}

/// The same, for seeds.
pub fn in_pieces(pieces: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in pieces {
        all.extend((piece.len() as u16).to_le_bytes());
        all.extend(*piece);
    }
    all
}

/// A session's day with a store of which nobody knows what is in it.
fn live(fs: &FaultFs, mut store: Store) {
    let groups = store.groups().expect("the folders can be listed");
    for group in &groups {
        read(&mut store, *group);
    }
    store.usage().expect("counting needs no whole journals");
    store
        .examine(true, &mut |_| {})
        .expect("the doctor always comes");
    // A swept chunk that is needed, a group that cannot be read: told, not a failure of the whole.
    store
        .collect(true, &mut |_| {})
        .expect("what is damaged is left alone");
    if let Ok(before) = store.generations(G1) {
        let newest = before.last().map(|i| i.generation);
        let next = letter(99);
        if let Ok(generation) = store.put(G1, LAST, Revision(99), &next) {
            assert!(Some(generation) > newest || newest.is_none());
            assert_eq!(store.get(G1, generation).expect("just stored"), next);
            let newest = store.generations(G1).expect("just stored").pop();
            assert_eq!(newest.map(|i| i.generation), Some(generation));
        }
        let _ = store.record(G1, &JournalRecord::Proven(Generation(1)));
        let _ = store.retain(G1, &[]);
    }
    // Whatever became of the one, the other is as it was.
    if groups.contains(&G2) {
        assert_eq!(store.get(G2, Generation(2)).expect("untouched"), letter(2));
    }
    let before = said(&mut store);
    drop(store);
    let (mut store, _) = open(fs).expect("it opened before");
    assert_eq!(said(&mut store), before, "opened anew");
}

fn said(store: &mut Store) -> Option<Vec<Generation>> {
    let all = store.generations(G1).ok()?;
    Some(all.into_iter().map(|i| i.generation).collect())
}

fn read(store: &mut Store, group: GroupId) {
    let _ = store.journal(group);
    let _ = store.tombstone(group);
    let blobs = store.blobs(group).unwrap_or_default();
    for blob in blobs.values().flatten() {
        let _ = store.blob(group, blob.hash, &mut std::io::sink());
    }
    for info in store.generations(group).unwrap_or_default() {
        let _ = store.read(group, info.generation);
        let _ = store.manifest(group, info.generation);
        if let Ok(snapshot) = store.get(group, info.generation) {
            let encoded = overwinter_proto::encode(&snapshot);
            assert_eq!(
                overwinter_proto::decode::<Snapshot>(&encoded).ok(),
                Some(snapshot)
            );
        }
    }
}

/// A journal from a stranger: the file as it is, or what lies behind its seals.
pub fn journal(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let base = base();
    let forged = mode % 4 > 0;
    let file = match mode % 4 {
        0 => data.to_vec(),
        // All of it acknowledged, or all but the last, or with what was there before.
        1 => base.group.journal(&pieces(data), usize::MAX),
        2 => {
            let bodies = pieces(data);
            base.group.journal(&bodies, bodies.len().saturating_sub(1))
        }
        _ => {
            let mut bodies: Vec<&[u8]> = base.bodies.iter().map(Vec::as_slice).collect();
            bodies.extend(pieces(data));
            base.group.journal(&bodies, usize::MAX)
        }
    };
    let fs = base.with_file(&base.journal(), &file);
    let (mut store, _) = open(&fs).expect("a group's damage is not the store's");
    if !forged {
        for n in 1..=3 {
            if let Ok(found) = store.get(G1, Generation(n)) {
                assert_eq!(found, letter(n));
            }
        }
    }
    live(&fs, store);
}

/// A snapshot and its parts from a stranger, behind seals that are right.
pub fn snapshot(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let base = base();
    let group = &base.group;
    let fs = base.disk();
    let chunk = |plain: &[u8]| {
        let id = group.chunk_id(plain);
        put_chunk(&fs, id, &group.chunk(id, 0, plain.len() as u32, plain));
        (id, plain.len() as u32)
    };
    let whole = |chunk: (overwinter_proto::transfer::ChunkId, u32)| Part {
        len: u64::from(chunk.1),
        listed: false,
        chunks: vec![chunk],
    };
    let mut bare = letter(1);
    bare.windows[0].picture = None;
    let good = whole(chunk(&overwinter_proto::encode(&bare)));
    let fuzzed = chunk(data);
    let mut info = Info {
        generation: Generation(4),
        revision: Revision(4),
        lease: Lease::FIRST,
        app: "a".to_owned(),
        build: Build::default(),
        title: "t".to_owned(),
        body: good,
        pictures: None,
        blobs: None,
    };
    match mode % 6 {
        0 => info.body = whole(fuzzed),
        1 => info.pictures = Some(whole(fuzzed)),
        2 => info.blobs = Some(whole(fuzzed)),
        // The list of the chunks.
        3 => {
            info.body.listed = true;
            info.body.chunks = vec![fuzzed];
        }
        4 => {
            let listed = Part {
                listed: true,
                ..whole(fuzzed)
            };
            info.blobs = Some(listed);
        }
        // A chunk that is packed, with any length and in any way.
        _ => {
            let [codec, a, b, c, d, body @ ..] = data else {
                return;
            };
            let plain = overwinter_proto::encode(&bare);
            let id = group.chunk_id(&plain);
            let len = u32::from_le_bytes([*a, *b, *c, *d]);
            put_chunk(&fs, id, &group.chunk(id, *codec, len, body));
        }
    }
    let record = JournalRecord::Stored {
        generation: info.generation,
        revision: info.revision,
        lease: info.lease,
    };
    let body = overwinter_proto::encode(&Body::Generation { record, info });
    let mut bodies: Vec<&[u8]> = base.bodies.iter().map(Vec::as_slice).collect();
    bodies.push(&body);
    let journal = group.journal(&bodies, usize::MAX);
    fs.make(&place(&base.journal()), &journal);
    let (store, _) = open(&fs).expect("a group's damage is not the store's");
    live(&fs, store);
}

fn put_chunk(fs: &FaultFs, id: overwinter_proto::transfer::ChunkId, file: &[u8]) {
    use overwinter_store::vfs::Vfs as _;
    let name = hex::encode(id.0);
    let shelf = place(&format!("objects/{G1}/{}", &name[..2]));
    let _ = fs.mkdir(&shelf);
    fs.make(&shelf.join(name), file);
}

/// A group that comes from elsewhere: as a file, as messages, as a move.
pub fn transfer(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let base = base();
    if mode % 8 == 0 {
        return message(data);
    }
    let fs = FaultFs::seeded(8);
    let (store, _) = open(&fs).expect("a new store");
    match mode % 8 {
        1 => import(&fs, store, data),
        2 => import(&fs, store, &[b"overwinter-group 1\n", data].concat()),
        3 => {
            let mut file = b"overwinter-group 1\n".to_vec();
            for body in pieces(data) {
                file.extend((body.len() as u32).to_be_bytes());
                file.extend(body);
            }
            import(&fs, store, &file);
        }
        // The head behind its seal; everything else as it should be.
        4 => {
            let manifest = Manifest {
                head: base.group.head(data),
                ..base.manifest.clone()
            };
            import(&fs, store, &with_offer(&base.file, manifest, &base.keys));
        }
        5 => {
            let Ok(manifest) = overwinter_proto::decode::<Manifest>(data) else {
                return;
            };
            arrive(&fs, store, &manifest);
        }
        6 => {
            let manifest = Manifest {
                head: base.group.head(data),
                ..base.manifest.clone()
            };
            arrive(&fs, store, &manifest);
        }
        // Keys and chunks.
        _ => {
            let all = pieces(data);
            let mut store = store;
            let _ = store.import_keys(G1, all.first().copied().unwrap_or(&base.keys));
            let _ = store.import_keys(G1, &base.keys);
            for (bytes, (id, _)) in all.iter().zip(&base.manifest.chunks) {
                let _ = store.put_chunk(G1, *id, bytes);
            }
            arrive(&fs, store, &base.manifest);
        }
    }
}

fn message(data: &[u8]) {
    let Ok(message) = overwinter_proto::decode::<Message>(data) else {
        return;
    };
    let encoded = overwinter_proto::encode(&message);
    assert_eq!(
        overwinter_proto::decode::<Message>(&encoded).ok(),
        Some(message)
    );
}

/// An exported file with another offer.
fn with_offer(file: &[u8], manifest: Manifest, keys: &[u8]) -> Vec<u8> {
    let (magic, rest) = file.split_at(b"overwinter-group 1\n".len());
    let old = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
    let offer = overwinter_proto::encode(&Message::Offer {
        tx: TxId(0),
        manifest,
        keys: keys.to_vec(),
    });
    let len = (offer.len() as u32).to_be_bytes();
    [magic, &len, &offer, &rest[4 + old..]].concat()
}

fn import(fs: &FaultFs, mut store: Store, file: &[u8]) {
    let empty = fs.all_files();
    if let Err(e) = store.import(&mut &*file, G1, &mut |_| {}) {
        assert!(matches!(e, StoreError::Refused { .. }), "{e}");
        assert!(fs.all_files() == empty, "something stayed");
    } else {
        let mut again = Vec::new();
        let exported = store.export(G1, Which::Newest, &mut again, &mut |_| {});
        assert_eq!(exported.expect("it just came"), Generation(1));
        let copied = store.import(&mut &again[..], G2, &mut |_| {});
        copied.expect("an export can be imported");
        store.forget(G2).expect("it just came");
    }
    live(fs, store);
}

fn arrive(fs: &FaultFs, mut store: Store, manifest: &Manifest) {
    let base = base();
    let (mut from, _) = open(&base.disk()).expect("the source");
    let group = manifest.group;
    if store.import_keys(group, &base.keys).is_ok() {
        let missing = store.missing(manifest).expect("just imported");
        for id in missing {
            if let Ok(sealed) = from.chunk(G1, id) {
                store.put_chunk(group, id, &sealed).expect("as it was");
            }
        }
        if store.stage(TxId(7), manifest, 2, [1; 32]).is_ok() {
            store
                .stage(TxId(7), manifest, 2, [1; 32])
                .expect("told twice");
            let owned = JournalRecord::Owned {
                tx: TxId(7),
                epoch: 2,
            };
            store.record(group, &owned).expect("staged");
        } else {
            store.unstage(group).expect("given up");
        }
    }
    live(fs, store);
}

/// The small files that lead to the keys, as they are and behind their seals.
pub fn slots(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let base = base();
    let seal_slot = |plain: &[u8]| {
        let front = b"OWSLOT1\n";
        let aad = [front.as_slice(), b"Secret Service"].concat();
        [front.as_slice(), &forge::sealed(&SERVICE, &aad, plain)].concat()
    };
    let service = "slots/secret-service";
    // Not the key file, so that it is the slot that opens, or not.
    let without_master = |name: &str, bytes: &[u8]| {
        let fs = base.with_file(name, bytes);
        fs.delete(&place("master"));
        fs
    };
    let fs = match mode % 16 {
        0 => base.with_file("master", data),
        1 => without_master(service, data),
        2 => without_master(service, &seal_slot(data)),
        3 => return passphrase(data),
        4 => base.with_file("rotation", data),
        // One that has happened, to any other key, whose way back or forth may be wrong.
        5 => {
            let mut half = [0; 32];
            let len = data.len().min(32);
            half[..len].copy_from_slice(&data[..len]);
            let next = Master(half);
            let rest = &data[len..];
            let (forth, back) = match rest {
                [] => (
                    base.master.way(b"forth", &half),
                    next.way(b"back", &base.master.0),
                ),
                _ => (base.master.way(b"forth", rest), next.way(b"back", rest)),
            };
            let file = [b"OWROTA1\n\x01".as_slice(), &forth, &back].concat();
            let fs = base.with_file("rotation", &file);
            fs.make(&place("master.next"), &next.to_file());
            fs
        }
        6 => base.with_file(&format!("keys/{G1}"), data),
        7 => base.with_file(&format!("keys/{G1}"), &base.master.key_file(G1, data)),
        8 => base.with_file(&format!("tombstones/{G3}"), data),
        9 => base.with_file(
            &format!("tombstones/{G3}"),
            &base.master.tombstone(G3, data),
        ),
        10 => base.with_file(
            &format!("tombstones/{G1}"),
            &base.master.tombstone(G1, data),
        ),
        11 => base.with_file("format", data),
        12 => base.with_file("master.next", data),
        13 => base.with_file("slots/secret-service.next", data),
        14 => base.with_file("tmp/1", data),
        _ => match std::str::from_utf8(data) {
            Ok(name) if !name.is_empty() && !name.contains(['/', '\0']) => {
                base.with_file(&format!("trash/{name}"), b"something")
            }
            _ => return,
        },
    };
    let before = fs.all_files();
    match open(&fs) {
        // A slot that leads to another key: every group is told to be damaged.
        Ok((mut store, _)) if mode % 16 == 2 && *data != base.master.0[..] => {
            for group in store.groups().expect("the folders can be listed") {
                assert!(store.get(group, Generation(1)).is_err());
            }
        }
        Ok((store, _)) => live(&fs, store),
        Err(e) => {
            let told = matches!(
                e,
                StoreError::Master { .. }
                    | StoreError::NotAStore { .. }
                    | StoreError::NewerFormat { .. }
            );
            assert!(told, "{e}");
            let touched = mode % 16 != 14 && fs.all_files() != before;
            assert!(
                !touched || matches!(mode % 16, 4 | 5),
                "something was touched"
            );
        }
    }
}

/// What stands in a passphrase's slot is believed up to a GiB and some minutes; here, to what a fuzzer has time for.
fn passphrase(data: &[u8]) {
    let mut file = data.to_vec();
    for at in [10, 14, 18] {
        if let Some(high) = file.get_mut(at) {
            *high &= 0x80;
        }
    }
    if let Some(passes) = file.get_mut(13) {
        *passes &= 0xf0;
    }
    let fs = base().with_file("slots/passphrase", &file);
    fs.delete(&place("master"));
    let options = Options {
        vfs: Arc::new(fs.clone()),
        index: Some(Box::new(overwinter_store::index::MemIndex::default())),
        unlock: vec![Unlock::Passphrase(Zeroizing::new(WORD.to_owned()))],
        ..Options::default()
    };
    let opened = Store::open_with(Path::new("/home/store"), options);
    assert!(opened.is_err(), "nobody knows this word");
}

/// What the fuzzer starts from, by target and name.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let base = base();
    let files = base.fs.all_files();
    let file = |name: &str| files[&place(name)].as_slice();
    let mut all = Vec::new();
    let mut seed = |target, name: &str, mode: u8, bytes: &[u8]| {
        all.push((target, name.to_owned(), [&[mode], bytes].concat()));
    };
    let bodies: Vec<&[u8]> = base.bodies.iter().map(Vec::as_slice).collect();
    seed("journal", "file", 0, file(&base.journal()));
    seed("journal", "records", 1, &in_pieces(&bodies));
    seed("journal", "torn", 2, &in_pieces(&bodies));
    use JournalRecord as R;
    let records = [
        R::Opened {
            app: "a".to_owned(),
        },
        R::Lease(Lease(1 << 32)),
        R::CameFrom(Some(Build::default())),
        R::Proven(Generation(2)),
        R::Slept(Generation(3)),
        R::Blamed {
            generation: Generation(3),
            build: "b".to_owned(),
        },
        R::Quarantined,
        R::Reprieved,
        R::Owned {
            tx: TxId(1),
            epoch: 3,
        },
        R::Done { tx: TxId(1) },
        R::Aborted { tx: TxId(1) },
        R::Closed,
    ];
    let records = records.map(|r| overwinter_proto::encode(&Body::Record(r)));
    let mut records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let dropped = overwinter_proto::encode(&Body::Dropped(vec![Generation(1), Generation(2)]));
    records.push(&dropped);
    seed("journal", "more-records", 3, &in_pieces(&records));

    let bare = {
        let mut bare = letter(1);
        bare.windows[0].picture = None;
        bare
    };
    let encoded = overwinter_proto::encode(&bare);
    let id = base.group.chunk_id(&encoded);
    let packed = zstd::bulk::compress(&encoded, 3).expect("memory");
    #[derive(Serialize)]
    struct Pictured {
        window: &'static str,
        picture: Option<Picture>,
    }
    #[derive(Serialize)]
    struct Line {
        hash: BlobHash,
        part: Part,
    }
    let picture = letter(2).windows[0].picture.clone();
    let pictures = overwinter_proto::encode(&[Pictured {
        window: "main",
        picture,
    }]);
    let list = overwinter_proto::encode(&[(id, encoded.len() as u32)]);
    let part = Part {
        len: 4,
        listed: false,
        chunks: vec![(base.group.chunk_id(b"blob"), 4)],
    };
    let hash = BlobHash(*blake3::hash(b"blob").as_bytes());
    let blobs = overwinter_proto::encode(&[Line { hash, part }]);
    seed("snapshot", "snapshot", 0, &encoded);
    seed("snapshot", "pictures", 1, &pictures);
    seed("snapshot", "blobs", 2, &blobs);
    seed("snapshot", "list", 3, &list);
    seed("snapshot", "list-of-blobs", 4, &list);
    let len = (encoded.len() as u32).to_le_bytes();
    seed(
        "snapshot",
        "plain",
        5,
        &[&[0], len.as_slice(), &encoded].concat(),
    );
    seed(
        "snapshot",
        "packed",
        5,
        &[&[1], len.as_slice(), &packed].concat(),
    );

    let frames = frames(&base.file);
    seed("transfer", "file", 1, &base.file);
    seed("transfer", "frames", 3, &in_pieces(&frames));
    for (name, n) in [("offer", 0), ("chunk", 1), ("finished", frames.len() - 1)] {
        seed("transfer", name, 0, frames[n]);
    }
    let prepared = overwinter_proto::encode(&Message::Prepared {
        tx: TxId(1),
        closure: overwinter_store::closure(&base.manifest),
    });
    seed("transfer", "prepared", 0, &prepared);
    let manifest = overwinter_proto::encode(&base.manifest);
    seed("transfer", "manifest", 5, &manifest);
    let head = base.group.open_head(&base.manifest.head);
    seed("transfer", "head-of-file", 4, &head);
    seed("transfer", "head", 6, &head);
    let chunks: Vec<&[u8]> = std::iter::once(base.keys.as_slice()).collect();
    seed("transfer", "keys", 7, &in_pieces(&chunks));

    let slot = file("slots/secret-service");
    seed("slots", "master", 0, file("master"));
    seed("slots", "service", 1, slot);
    seed("slots", "service-plain", 2, &base.master.0);
    let front = [
        b"OWSLOT1\n".as_slice(),
        &[64, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
        &[3; 16],
    ];
    seed(
        "slots",
        "passphrase",
        3,
        &[&front.concat(), [4; 72].as_slice()].concat(),
    );
    let next = Master([3; 32]);
    let ways = [
        base.master.way(b"forth", &next.0),
        next.way(b"back", &base.master.0),
    ]
    .concat();
    seed(
        "slots",
        "rotation",
        4,
        &[b"OWROTA1\n\x01", ways.as_slice()].concat(),
    );
    seed("slots", "rotation-to", 5, &[5; 32]);
    seed("slots", "key", 6, file(&format!("keys/{G1}")));
    seed("slots", "key-plain", 7, &base.group.secret);
    seed("slots", "tombstone", 8, file(&format!("tombstones/{G3}")));
    seed("slots", "tombstone-plain", 9, &tombstone());
    seed("slots", "tombstone-of-another", 10, &tombstone());
    seed("slots", "format", 11, file("format"));
    seed("slots", "master-next", 12, file("master"));
    seed("slots", "service-next", 13, slot);
    let name = format!("{:016x}-{G1}-{}", 1_000, hex::encode([7; 32]));
    seed("slots", "trash", 15, name.as_bytes());
    all
}

fn tombstone() -> Vec<u8> {
    #[derive(Serialize)]
    struct Tombstone {
        lease: Lease,
        tx: Option<TxId>,
        #[serde(with = "serde_bytes")]
        key_file: Vec<u8>,
    }
    overwinter_proto::encode(&Tombstone {
        lease: Lease(3 << 32),
        tx: Some(TxId(4)),
        key_file: vec![8; 32],
    })
}

/// The messages of an exported file.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = &file[b"overwinter-group 1\n".len()..];
    let mut all = Vec::new();
    while let [a, b, c, d, more @ ..] = rest {
        let (body, left) = more.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        all.push(body);
        rest = left;
    }
    all
}
