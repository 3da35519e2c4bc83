//! A process that writes is killed at any moment, for real: what it was answered is there.

mod common;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use common::{G1, Random, numbers, snapshot};
use overwinter_proto::{Generation, Lease, Revision, Snapshot};
use overwinter_store::{Limits, Options, Store};

const FOLDER: &str = "OVERWINTER_TEST_WRITER";

fn open(dir: &Path) -> (Store, overwinter_store::OpenReport) {
    let options = Options {
        limits: Limits {
            journal: 4_000,
            ..Limits::default()
        },
        index_program: Some(env!("CARGO_BIN_EXE_overwinter-index").into()),
        ..Options::default()
    };
    Store::open_with(dir, options).unwrap()
}

/// What is stored as this revision.
fn content(revision: u64) -> Snapshot {
    let mut random = Random(revision | 1 << 20);
    let len = if random.below(4) == 0 { 200_000 } else { 2_000 };
    snapshot("a", revision, random.bytes(len))
}

/// Not a test by itself: the process that is killed. It says what it has been answered.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(FOLDER) else {
        return;
    };
    let (mut store, _) = open(Path::new(&dir));
    let mut revision = store
        .generations(G1)
        .ok()
        .and_then(|all| all.last().map(|i| i.revision.0))
        .unwrap_or(0);
    let mut out = std::io::stderr();
    loop {
        revision += 1;
        let put = store.put(G1, Lease::FIRST, Revision(revision), &content(revision));
        writeln!(out, "stored {} {revision}", put.unwrap().0).unwrap();
        if revision.is_multiple_of(3) {
            store.retain(G1, &[]).unwrap();
        }
    }
}

#[test]
fn a_writer_killed_at_any_moment_loses_nothing_that_it_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(77);
    let long = std::env::var_os("OVERWINTER_TEST_LONG").is_some();
    for round in 0..if long { 1_000 } else { 25 } {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stderr.take().unwrap()).lines();
        let stored = |line: &str| {
            let mut numbers = line.strip_prefix("stored ")?.split(' ');
            let mut next = || numbers.next()?.parse::<u64>().ok();
            Some((next()?, next()?))
        };
        // Somewhere within what it does next, or while it opens the store.
        let patience = random.below(9);
        let mut last = None;
        for _ in 0..patience {
            let line = lines.next().expect("the writer goes on").unwrap();
            last = Some(stored(&line).unwrap_or_else(|| panic!("round {round}: {line}")));
        }
        for _ in 0..random.below(200) {
            std::thread::yield_now();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        last = lines
            .map_while(Result::ok)
            .filter_map(|line| stored(&line))
            .last()
            .or(last);

        let (mut store, report) = open(dir.path());
        assert!(report.damaged.is_empty(), "round {round}: {report:?}");
        let Some((generation, revision)) = last else {
            continue;
        };
        let all = store.generations(G1).unwrap();
        let newest = all.last().unwrap();
        assert!(
            newest.generation.0 >= generation,
            "round {round}: an older one passes for the newest"
        );
        assert!(newest.revision.0 >= revision, "round {round}");
        for info in &all {
            let read = store.get(G1, info.generation).unwrap();
            assert!(
                read == content(info.revision.0),
                "round {round}: {}",
                info.generation
            );
        }
        assert_eq!(
            numbers(&mut store, G1).last(),
            Some(&Generation(newest.generation.0))
        );
    }
}
