//! The index: every implementation behaves alike, and whatever happens to the process that keeps it costs a rescan.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{G1, RedbIndex, numbers, snapshot};
use overwinter_proto::{Generation, Lease, Revision};
use overwinter_store::{
    OpenReport, Options, Store,
    index::{
        Change, Deadlines, Index, MAX_VALUE, MemIndex, PAGE, Pair, ProcessIndex, SledIndex, Table,
    },
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_overwinter-index");

fn put(table: Table, key: &[u8], value: &[u8]) -> Change {
    Change::Put {
        table,
        key: key.to_vec(),
        value: value.to_vec(),
    }
}

fn pair(key: &[u8], value: &[u8]) -> Pair {
    (key.to_vec(), value.to_vec())
}

fn behaves(index: &mut dyn Index) {
    let chunks = Table::Chunks;
    assert_eq!(index.scan(chunks, b"", None).unwrap(), []);
    let changes = [
        put(chunks, b"a1", b"x"),
        put(chunks, b"a2", b"y"),
        put(chunks, b"b", b"z"),
        put(Table::Heads, b"a1", b"other table"),
    ];
    index.apply(&changes).unwrap();
    let all = [pair(b"a1", b"x"), pair(b"a2", b"y"), pair(b"b", b"z")];
    assert_eq!(index.scan(chunks, b"", None).unwrap(), all);
    assert_eq!(index.scan(chunks, b"a", None).unwrap(), all[..2]);
    assert_eq!(index.scan(chunks, b"a", Some(b"a1")).unwrap(), all[1..2]);
    assert_eq!(index.scan(chunks, b"b1", None).unwrap(), []);
    let (table, key) = (chunks, b"a1".to_vec());
    // In order: what is put after it was removed is there.
    let again = [
        Change::Remove { table, key },
        put(chunks, b"a1", b"new"),
        Change::Remove {
            table,
            key: b"never there".to_vec(),
        },
    ];
    index.apply(&again).unwrap();
    assert_eq!(
        index.scan(chunks, b"a1", None).unwrap(),
        [pair(b"a1", b"new")]
    );
    let prefix = b"a".to_vec();
    index
        .apply(&[Change::RemovePrefix { table, prefix }])
        .unwrap();
    assert_eq!(index.scan(chunks, b"", None).unwrap(), all[2..]);
    let heads = index.scan(Table::Heads, b"", None).unwrap();
    assert_eq!(heads, [pair(b"a1", b"other table")]);

    let many: Vec<Change> = (0..PAGE as u32 + 10)
        .map(|n| put(chunks, &[b"m".as_slice(), &n.to_be_bytes()].concat(), b"v"))
        .collect();
    index.apply(&many).unwrap();
    let first = index.scan(chunks, b"m", None).unwrap();
    assert_eq!(first.len(), PAGE);
    let rest = index.scan(chunks, b"m", Some(&first[PAGE - 1].0)).unwrap();
    assert_eq!(rest.len(), 10);
    index
        .apply(&[put(Table::Heads, b"big", &[7; MAX_VALUE])])
        .unwrap();
    index.flush().unwrap();
}

/// A value that is too large is refused; after an error an index is only good for starting over.
fn refuses_and_starts_over(index: &mut dyn Index) {
    let large = put(Table::Heads, b"large", &[0; MAX_VALUE + 1]);
    assert!(index.apply(&[large]).is_err());
    index.start_over().unwrap();
    assert_eq!(index.scan(Table::Chunks, b"", None).unwrap(), []);
    index.apply(&[put(Table::Heads, b"h", b"v")]).unwrap();
    index.flush().unwrap();
}

fn starts_over_and_is_found_again(index: &mut dyn Index) {
    let found = index.scan(Table::Heads, b"", None).unwrap();
    assert_eq!(found, [pair(b"h", b"v")]);
}

#[test]
fn in_memory() {
    let mut index = MemIndex::default();
    behaves(&mut index);
    refuses_and_starts_over(&mut index);
}

#[test]
fn on_sled() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let mut opened = SledIndex::open(&path).unwrap();
    assert!(opened.created && opened.rebuilt.is_none());
    behaves(&mut opened.index);
    refuses_and_starts_over(&mut opened.index);
    drop(opened);
    let mut opened = SledIndex::open(&path).unwrap();
    assert!(!opened.created && opened.rebuilt.is_none());
    starts_over_and_is_found_again(&mut opened.index);
}

#[test]
fn on_redb() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let mut index = RedbIndex::open(&path).unwrap();
    behaves(&mut index);
    refuses_and_starts_over(&mut index);
    drop(index);
    starts_over_and_is_found_again(&mut RedbIndex::open(&path).unwrap());
}

fn process(dir: &Path, idle: Duration) -> ProcessIndex {
    let deadlines = Deadlines {
        idle,
        ..Deadlines::default()
    };
    let (index, rebuilt) = ProcessIndex::open(Path::new(PROGRAM), dir, deadlines).unwrap();
    assert_eq!(rebuilt, None);
    index
}

#[test]
fn in_a_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let long = Duration::from_secs(60);
    let mut index = process(&path, long);
    behaves(&mut index);
    refuses_and_starts_over(&mut index);
    drop(index);
    starts_over_and_is_found_again(&mut process(&path, long));
}

/// Asked rarely, it says goodbye between any two questions, and while it is asked.
#[test]
fn in_a_process_that_never_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let mut index = process(&path, Duration::from_millis(1));
    behaves(&mut index);
    for n in 0..20_u8 {
        index.apply(&[put(Table::Heads, &[n], b"v")]).unwrap();
        until("the index process has gone", || child().is_none());
    }
    assert_eq!(index.scan(Table::Heads, b"", None).unwrap().len(), 22);
}

/// The process that keeps the index: the only child of this one.
fn child() -> Option<i32> {
    let own = fs::read_dir("/proc/self/task").unwrap().flatten();
    own.filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<i32>>()
        })
        .next()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < end, "waited for: {what}");
        std::thread::yield_now();
    }
}

fn threads() -> BTreeSet<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            Some(format!("{} {}", task.file_name().display(), name.trim()))
        })
        .collect()
}

#[test]
fn an_idle_store_has_no_thread_and_no_process_that_could_wake_up() {
    let dir = tempfile::tempdir().unwrap();
    let before = threads();
    let (mut store, report) = Store::open(dir.path()).unwrap();
    assert_eq!(report.index, None, "the index is not in memory");
    let s = snapshot("a", 1, b"text".to_vec());
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    assert!(child().is_some());
    until("the index process has gone", || child().is_none());
    until("the thread that waited for it has gone too", || {
        threads() == before
    });
    assert!(store.get(G1, Generation(1)).unwrap() == s);
    let s = snapshot("a", 2, b"more text".to_vec());
    store.put(G1, Lease::FIRST, Revision(2), &s).unwrap();
    drop(store);
    assert_eq!(threads(), before);
    let (_, report) = Store::open(dir.path()).unwrap();
    assert_eq!((report.index, report.read), (None, 0));
}

fn opened(dir: &Path, program: &Path) -> (Store, OpenReport) {
    let options = Options {
        index_program: Some(program.to_owned()),
        ..Options::default()
    };
    Store::open_with(dir, options).unwrap()
}

/// Saves, reads and sweeps with whatever index there is; then a good program finds nothing wrong.
fn works(dir: &Path, program: &Path, mut meanwhile: impl FnMut(u64)) {
    let (mut store, report) = opened(dir, program);
    assert!(report.damaged.is_empty(), "{report:?}");
    let known = numbers_or_none(&mut store);
    for n in known + 1..known + 4 {
        let s = snapshot("a", n, format!("text {n}").into_bytes());
        store.put(G1, Lease::FIRST, Revision(n), &s).unwrap();
        meanwhile(n);
        store.retain(G1, &[]).unwrap();
        assert!(store.get(G1, Generation(n)).unwrap() == s);
    }
    drop(store);
    let (mut store, report) = opened(dir, Path::new(PROGRAM));
    assert!(report.damaged.is_empty(), "{report:?}");
    assert_eq!(numbers(&mut store, G1), [Generation(known + 3)]);
    store.get(G1, Generation(known + 3)).unwrap();
}

fn numbers_or_none(store: &mut Store) -> u64 {
    let all = store.generations(G1).unwrap_or_default();
    all.last().map_or(0, |info| info.generation.0)
}

#[test]
fn a_killed_index_process_costs_a_rescan_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    works(dir.path(), Path::new(PROGRAM), |_| {
        if let Some(pid) = child() {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    });
    works(dir.path(), Path::new(PROGRAM), |_| {});
}

fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("index-program");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn no_index_program_or_one_that_ends_or_talks_nonsense_loses_nothing() {
    for text in [
        "exit 3",
        "printf 'no such protocol, but long enough to be read as one' >&0; exec sleep 1000",
        "printf '\\005\\000\\000\\000abcde' >&0; exec sleep 1000",
        "printf '\\377\\377\\377\\377' >&0; exec sleep 1000",
        "exec head -c 100000 /dev/zero >&0",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (programs, store) = (dir.path().join("bin"), dir.path().join("store"));
        fs::create_dir(&programs).unwrap();
        works(&store, Path::new(PROGRAM), |_| {});
        works(&store, &script(&programs, text), |_| {});
        works(&store, Path::new("/nowhere/overwinter-index"), |_| {});
        works(&store, Path::new("/etc/hostname"), |_| {});
        until("no process is left behind", || child().is_none());
    }
}

#[test]
fn an_index_process_that_hangs_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "exec sleep 1000");
    let deadlines = Deadlines {
        answer: Duration::from_millis(50),
        ..Deadlines::default()
    };
    let e = ProcessIndex::open(&program, &dir.path().join("index"), deadlines).unwrap_err();
    assert!(e.to_string().contains("does not answer"), "{e}");
    until("it has gone", || child().is_none());
    // One that is stopped in the middle of its work.
    let path = dir.path().join("real");
    let (mut index, _) = ProcessIndex::open(
        Path::new(PROGRAM),
        &path,
        Deadlines {
            answer: Duration::from_secs(2),
            ..Deadlines::default()
        },
    )
    .unwrap();
    let pid = rustix::process::Pid::from_raw(child().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    index.flush().unwrap_err();
    until("it has gone", || child().is_none());
    index.start_over().unwrap();
    behaves(&mut index);
}

#[test]
fn the_index_process_ends_with_the_store_and_closes_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let s = snapshot("a", 1, b"text".to_vec());
    store.put(G1, Lease::FIRST, Revision(1), &s).unwrap();
    drop(store);
    assert_eq!(child(), None, "closing waits for it");
}

#[test]
fn a_store_works_with_an_index_on_redb() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, file) = (dir.path().join("store"), dir.path().join("index"));
    for read in [0, 0] {
        let options = Options {
            index: Some(Box::new(RedbIndex::open(&file).unwrap())),
            ..Options::default()
        };
        let (mut store, report) = Store::open_with(&folder, options).unwrap();
        assert_eq!(report.read, read, "the index vouches for what it knows");
        let n = numbers_or_none(&mut store) + 1;
        let s = snapshot("a", n, vec![n as u8; 300_000]);
        store.put(G1, Lease::FIRST, Revision(n), &s).unwrap();
        assert!(store.get(G1, Generation(n)).unwrap() == s);
    }
}
