//! What the kernel says about processes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::place::Place;

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Number, in the place's own pid namespace.
    pub pid: u32,
    /// What it runs; " (deleted)" is cut off.
    pub exe: PathBuf,
    /// Bytes of memory that are its alone or its share of what it shares. 0 when it cannot be read.
    pub pss: u64,
}

/// Every process of a session, known by its runtime folder in the environment it was started with.
///
/// # Errors
/// When there is no process table.
pub fn of_session(place: &Place, runtime: &Path) -> Result<Vec<Process>> {
    let mark = format!("XDG_RUNTIME_DIR={}", runtime.display());
    let proc = place.proc();
    let mut found = Vec::new();
    for entry in fs::read_dir(&proc).with_context(|| format!("reading {}", proc.display()))? {
        let Some(pid) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let folder = proc.join(format!("{pid}"));
        // It may end while it is looked at: then it is not there.
        let Ok(environment) = fs::read(folder.join("environ")) else {
            continue;
        };
        if !environment.split(|b| *b == 0).any(|v| v == mark.as_bytes()) {
            continue;
        }
        if let Ok(exe) = exe_of(&folder) {
            found.push(Process {
                pid,
                exe,
                pss: pss_of(&folder),
            });
        }
    }
    Ok(found)
}

/// Those of a session that run a program of this file name.
///
/// # Errors
/// See [`of_session`].
pub fn running(place: &Place, runtime: &Path, program: &str) -> Result<Vec<Process>> {
    let mut all = of_session(place, runtime)?;
    all.retain(|p| p.exe.file_name().is_some_and(|n| n == program));
    Ok(all)
}

fn exe_of(folder: &Path) -> std::io::Result<PathBuf> {
    let exe = fs::read_link(folder.join("exe"))?;
    let text = exe.to_string_lossy();
    Ok(match text.strip_suffix(" (deleted)") {
        Some(before) => PathBuf::from(before),
        None => exe,
    })
}

fn pss_of(folder: &Path) -> u64 {
    let rollup = fs::read_to_string(folder.join("smaps_rollup")).unwrap_or_default();
    let kib = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// How often each thread of a process has woken up by itself so far (voluntary context switches), by thread name.
///
/// # Errors
/// When the process is gone.
pub fn wakeups(place: &Place, pid: u32) -> Result<Vec<(String, u64)>> {
    let tasks = place.proc().join(format!("{pid}/task"));
    let mut threads = Vec::new();
    for entry in fs::read_dir(&tasks).with_context(|| format!("reading {}", tasks.display()))? {
        let status = fs::read_to_string(entry?.path().join("status"))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|l| l.strip_prefix(name))
                .map(|v| v.trim_matches([':', ' ', '\t']).to_owned())
        };
        let count = field("voluntary_ctxt_switches").and_then(|c| c.parse().ok());
        threads.push((field("Name").unwrap_or_default(), count.unwrap_or(0)));
    }
    Ok(threads)
}

/// Milliseconds of processor time that a process has used.
///
/// # Errors
/// When the process is gone.
pub fn cpu_ms(place: &Place, pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(place.proc().join(format!("{pid}/stat")))?;
    // The name is in brackets and may hold blanks and brackets: count from the last one.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|f| f.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok((ticks(11) + ticks(12)) * 1000 / per_second)
}

/// State letter of a process ("T" is stopped), from its status.
///
/// # Errors
/// When the process is gone.
pub fn state(place: &Place, pid: u32) -> Result<char> {
    let stat = fs::read_to_string(place.proc().join(format!("{pid}/stat")))?;
    let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    after.chars().next().context("an empty stat")
}
