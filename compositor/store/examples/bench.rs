//! Prints what a save costs beside the plainest possible durable write of the same bytes:
//! `cargo run -p overwinter-store --release --example bench [FOLDER]`. The folder should be on a real disk.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use overwinter_proto::{Build, GroupId, Lease, Revision, Snapshot};
use overwinter_store::Store;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes that do not compress, from a xorshift generator.
fn noise(len: usize, mut x: u64) -> Vec<u8> {
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..len).map(|_| next()).collect()
}

fn snapshot(state: Vec<u8>) -> Snapshot {
    let build = Build::default();
    Snapshot {
        app: "bench".to_owned(),
        build,
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

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn timed<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<Duration> {
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

fn main() -> Outcome<()> {
    let above = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    let dir = above.join(format!("overwinter-bench-{}", std::process::id()));
    fs::create_dir_all(dir.join("plain"))?;
    let run = measure(&dir);
    fs::remove_dir_all(&dir)?;
    run
}

fn measure(dir: &Path) -> Outcome<()> {
    let (mut store, _) = Store::open(&dir.join("store"))?;
    let group = GroupId(1);
    let (mut ours, mut plainest) = (Vec::new(), Vec::new());
    for n in 0..51 {
        let s = snapshot(noise(64 << 10, n + 1));
        plainest.push(timed(|| {
            Ok(plain(&dir.join("plain"), &n.to_string(), &s.state)?)
        })?);
        ours.push(timed(|| {
            Ok(store.put(group, Lease::FIRST, Revision(n), &s)?)
        })?);
    }
    let (ours, plainest) = (median(ours), median(plainest));
    let ratio = ours.as_secs_f64() / plainest.as_secs_f64();
    println!(
        "64 KiB snapshot, durable   {ours:>10.2?}   plain write {plainest:.2?}, ratio {ratio:.2} (wanted ≤ 3)"
    );

    let big = GroupId(2);
    let mut document = noise(100 << 20, 7);
    let s = snapshot(document.clone());
    let first = timed(|| Ok(store.put(big, Lease::FIRST, Revision(1), &s)?))?;
    let before = size(&dir.join("store/objects"));
    document[50 << 20..51 << 20].copy_from_slice(&noise(1 << 20, 8));
    let s = snapshot(document);
    let second = timed(|| Ok(store.put(big, Lease::FIRST, Revision(2), &s)?))?;
    let more = (size(&dir.join("store/objects")) - before) as f64 / before as f64 * 100.0;
    let share = second.as_secs_f64() / first.as_secs_f64() * 100.0;
    println!("100 MiB document, first    {first:>10.2?}");
    println!(
        "… one percent changed      {second:>10.2?}   {share:.0} % of the first (wanted ≤ 35), {more:.2} % more disk (wanted ≤ 3)"
    );
    let newest = store
        .generations(big)?
        .pop()
        .map(|i| i.generation)
        .unwrap_or_default();
    let read = timed(|| Ok(store.get(big, newest)?))?;
    println!("… read and verified        {read:>10.2?}");
    Ok(())
}
