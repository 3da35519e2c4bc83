//! Opening a store of many groups: how long it takes, and how much memory the process that opens it grows by, its index process
//! included. In a process of its own, which has done nothing else.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use overwinter_proto::{GroupId, Lease, Revision};
use overwinter_store::vfs::{Entry, RealFs, Vfs, VfsFile};
use overwinter_store::{Options, Store};

use super::super::{Findings, Row, median, millis};

const GROUPS: u64 = 10_000;

/// Names the folder to the process that opens it.
const FOLDER: &str = "OVERWINTER_BENCH_OPEN";

/// Takes the figures.
pub fn measure(dir: &Path, findings: &mut Findings) -> Result<()> {
    let folder = dir.join("many");
    fill(&folder)?;
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let child = Command::new(std::env::current_exe()?)
            .env(FOLDER, &folder)
            .stderr(Stdio::inherit())
            .output()
            .context("starting the process that opens the store")?;
        let said = String::from_utf8_lossy(&child.stdout);
        let mut numbers = said.split_whitespace().map(str::parse::<f64>);
        let (Some(Ok(time)), Some(Ok(size))) = (numbers.next(), numbers.next()) else {
            anyhow::bail!("the process that opens the store said {said:?}");
        };
        times.push(time);
        sizes.push(size);
    }
    findings.row(Row::alone(
        "10,000 groups, opened, ms",
        median(times),
        1000.0,
    ));
    findings.row(Row::alone(
        "10,000 groups, opened: memory, MiB",
        median(sizes),
        64.0,
    ));
    Ok(())
}

/// As they would have come to be over the years; nobody waits for each of them to be durable.
fn fill(folder: &Path) -> Result<()> {
    let options = Options {
        vfs: Arc::new(Lax),
        ..Options::default()
    };
    let (mut store, _) = Store::open_with(folder, options)?;
    for n in 0..GROUPS {
        let s = super::snapshot(super::noise(1_000, n + 1));
        store.put(GroupId(u128::from(n) + 1), Lease::FIRST, Revision(1), &s)?;
    }
    drop(store);
    rustix::fs::sync();
    Ok(())
}

/// What the process does that opens the store: the answer is on its standard output. None: this is not that process.
pub fn child() -> Option<Result<()>> {
    let folder = std::env::var_os(FOLDER)?;
    let opened = || {
        let before = memory("self")?;
        let start = Instant::now();
        let (store, report) = Store::open(Path::new(&folder))?;
        let time = millis(start.elapsed());
        ensure!(
            report.groups as u64 == GROUPS && report.read == 0,
            "{report:?}"
        );
        let mut after = memory("self")?;
        for task in fs::read_dir("/proc/self/task")? {
            let children = fs::read_to_string(task?.path().join("children"))?;
            for child in children.split_whitespace() {
                after += memory(child)?;
            }
        }
        drop(store);
        #[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
        let grown = after.saturating_sub(before) as f64 / f64::from(1 << 20);
        println!("{time} {grown}");
        Ok(())
    };
    Some(opened())
}

/// Bytes that a process has for itself, and its share of what it shares.
fn memory(pid: &str) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = pss.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("no Pss in smaps_rollup")? * 1024)
}

/// The disk of this machine, which nobody waits for.
struct Lax;

struct LaxFile(Box<dyn VfsFile>);

impl VfsFile for LaxFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Vfs for Lax {
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send>>> {
        RealFs.lock(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(LaxFile(RealFs.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(LaxFile(RealFs.open(path)?)))
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

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
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
