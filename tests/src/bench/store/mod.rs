//! What a durable snapshot costs beside the plainest possible durable write of the same bytes, and beside other programs. Runs
//! in `target/bench`, which is on a real disk where `/tmp` may not be.

pub mod many;
mod peers;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use overwinter_proto::{Build, Generation, GroupId, Lease, Revision, Snapshot};
use overwinter_store::Store;

use super::{Findings, Row, median, millis};

/// Takes all figures.
pub fn run() -> Result<Findings> {
    let above = crate::place::programs().join("../bench");
    fs::create_dir_all(&above)?;
    let dir = tempfile::Builder::new()
        .prefix("store-")
        .tempdir_in(&above)?;
    fs::create_dir_all(dir.path().join("plain"))?;
    let mut findings = Findings::default();
    let (mut store, _) = Store::open(&dir.path().join("store"))?;
    findings.measure("small snapshots", |f| small(&mut store, dir.path(), f));
    findings.measure("a big document", |f| big(&mut store, dir.path(), f));
    findings.measure("large blobs", |f| {
        peers::throughput(&mut store, dir.path(), f)
    });
    findings.measure("restic and borg", |f| {
        peers::backups(&mut store, dir.path(), f)
    });
    drop(store);
    findings.measure("many groups", |f| many::measure(dir.path(), f));
    Ok(findings)
}

fn small(store: &mut Store, dir: &Path, findings: &mut Findings) -> Result<()> {
    let group = GroupId(1);
    let (mut ours, mut plainest) = (Vec::new(), Vec::new());
    for n in 0..51 {
        let s = snapshot(noise(64 << 10, n + 1));
        plainest.push(millis(timed(|| {
            Ok(plain(&dir.join("plain"), &n.to_string(), &s.state)?)
        })?));
        ours.push(millis(timed(|| {
            Ok(store.put(group, Lease::FIRST, Revision(n), &s)?)
        })?));
    }
    findings.row(Row::beside(
        "64 KiB snapshot, durable; peer: plain write and fsync, ms",
        median(ours),
        median(plainest),
        3.0,
    ));
    Ok(())
}

fn big(store: &mut Store, dir: &Path, findings: &mut Findings) -> Result<()> {
    let (mut plainest, mut firsts, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut more, mut reads) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let group = GroupId(2 + u128::from(n));
        let mut document = noise(100 << 20, 7 + n);
        let s = snapshot(document.clone());
        rustix::fs::sync();
        plainest.push(millis(timed(|| {
            Ok(plain(&dir.join("plain"), "big", &document)?)
        })?));
        let empty = size(&dir.join("store/objects"));
        firsts.push(millis(timed(|| {
            Ok(store.put(group, Lease::FIRST, Revision(1), &s)?)
        })?));
        let first = size(&dir.join("store/objects"));
        document[50 << 20..51 << 20].copy_from_slice(&noise(1 << 20, 800 + n));
        let s = snapshot(document);
        seconds.push(millis(timed(|| {
            Ok(store.put(group, Lease::FIRST, Revision(2), &s)?)
        })?));
        let second = size(&dir.join("store/objects"));
        #[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
        more.push((second - first) as f64 / (first - empty) as f64 * 100.0);
        reads.push(millis(timed(|| Ok(store.get(group, Generation(2))?))?));
    }
    let first = median(firsts);
    findings.row(Row::beside(
        "100 MiB document, first; peer: plain write and fsync, ms",
        first,
        median(plainest),
        None,
    ));
    findings.row(Row::beside(
        "100 MiB, 1 % changed; peer: our first save, ms",
        median(seconds),
        first,
        0.35,
    ));
    findings.row(Row::alone(
        "100 MiB, 1 % changed: more disk, percent",
        median(more),
        3.0,
    ));
    findings.row(Row::alone(
        "100 MiB, read and verified, ms",
        median(reads),
        None,
    ));
    Ok(())
}

/// Bytes that do not compress, from a xorshift generator.
fn noise(len: usize, mut x: u64) -> Vec<u8> {
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

fn snapshot(state: Vec<u8>) -> Snapshot {
    Snapshot {
        app: "bench".to_owned(),
        build: Build::default(),
        revision: Revision(0),
        title: "bench".to_owned(),
        state,
        windows: Vec::new(),
    }
}

fn plain(dir: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let temp = dir.join("temp");
    let mut file = File::create(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temp, dir.join(name))?;
    File::open(dir)?.sync_all()
}

fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let of = |e: fs::DirEntry| {
        e.metadata()
            .map_or(0, |m| if m.is_dir() { size(&e.path()) } else { m.len() })
    };
    entries.map(of).sum()
}
