//! The figures of one compositor, from its start to its end.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use overwinter_hostile::host::{Host, Places, Which, open_gate};
use overwinter_hostile::spec::Spec;
use overwinter_hostile::wire::{Conn, Global, Gone};
use rustix::process::{Pid, Signal, kill_process};

use super::super::stage::pass;
use super::super::{median, millis};
use super::{Taken, animate, memory};
use crate::wait;

/// How often a socket is looked for: far less than what is measured.
const BEAT: Duration = Duration::from_micros(200);

/// Until something new is at rest.
const SETTLE: Duration = Duration::from_millis(800);

const ROUND_TRIPS: usize = 2000;
const WINDOWS: u32 = 5;

/// Takes everything but idleness.
pub fn one(which: Which, places: &Places, spec: &Arc<Spec>, taken: &mut Taken) -> Result<()> {
    let mut host = Host::prepare(which, places, "bench")?;
    // Everybody waits at the gate by then.
    pass(Duration::from_millis(200))?;
    let start = Instant::now();
    host.go()?;
    host.await_socket(BEAT)?;
    let mut conn = Conn::open(&host.socket, spec)?;
    let (_, globals) = conn.globals().map_err(hung_up)?;
    taken.add(0, which, millis(start.elapsed()));

    let mut trips = Vec::new();
    for _ in 0..ROUND_TRIPS {
        trips.push(conn.round_trip().map_err(hung_up)?.as_secs_f64() * 1e6);
    }
    trips.sort_by(f64::total_cmp);
    taken.add(7, which, median(trips.clone()));
    taken.add(
        8,
        which,
        trips.get(ROUND_TRIPS * 99 / 100).copied().unwrap_or(0.0),
    );
    drop(conn);

    pass(SETTLE)?;
    taken.add(2, which, memory(&host)?);
    let hundred =
        "n=0; while [ $n -lt 100 ]; do wayland-info >/dev/null || exit 1; n=$((n+1)); done";
    taken.add(1, which, millis(timed(&host, &["sh", "-c", hundred])?));
    let (_, picture) = host.file("picture.png");
    // Not everybody lets others look at the screen.
    if let Ok(time) = timed(&host, &["grim", &picture.display().to_string()]) {
        taken.add(9, which, millis(time));
    }
    taken.add(3, which, windows(&host)?);
    taken.add(5, which, animate::frame(&host, spec)?);
    // Nor does everybody let others type.
    let is_typed = |(_, name, _): &Global| name == "zwp_virtual_keyboard_manager_v1";
    if globals.iter().any(is_typed) {
        taken.add(6, which, latency(&host)?);
    }
    Ok(())
}

fn hung_up(gone: Gone) -> anyhow::Error {
    anyhow!("the compositor and the client: {gone:?}")
}

/// How long a client takes from its start to its end.
fn timed(host: &Host, words: &[&str]) -> Result<Duration> {
    let mut child = host.client(words).spawn()?;
    pass(Duration::from_millis(50))?;
    let start = Instant::now();
    open_gate(&mut child)?;
    let status = child.wait()?;
    let time = start.elapsed();
    ensure!(status.success(), "{words:?} ended with {status}");
    Ok(time)
}

/// A client that runs until it is let go.
struct Running(Child);

impl Running {
    fn start(host: &Host, words: &[&str], log: Option<&Path>) -> Result<Running> {
        let mut command = host.client(words);
        if let Some(log) = log {
            command.stderr(Stdio::from(fs::File::create(log)?));
        }
        let mut child = command.spawn()?;
        open_gate(&mut child)?;
        Ok(Running(child))
    }

    /// Asks it to end, and waits for it.
    fn end(mut self) -> Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process")?, Signal::TERM)?;
        wait::for_end(self.0.id(), Duration::from_secs(5))?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What each window more takes, in KiB.
fn windows(host: &Host) -> Result<f64> {
    let before = memory(host)?;
    let all: Vec<Running> = (0..WINDOWS)
        .map(|_| Running::start(host, &["weston-simple-shm"], None))
        .collect::<Result<_>>()?;
    pass(SETTLE)?;
    let after = memory(host)?;
    drop(all);
    Ok((after - before) / f64::from(WINDOWS))
}

/// From a key to its letter on the screen, as foot is told, in µs.
fn latency(host: &Host) -> Result<f64> {
    let (log, _) = host.file("foot.log");
    let words = ["foot", "--log-level=info", "--presentation-timings", "cat"];
    let foot = Running::start(host, &words, Some(&log))?;
    wait::until("foot shows itself", || {
        let said = fs::read_to_string(&log)?;
        Ok(said.contains("presented").then_some(()))
    })?;
    pass(SETTLE)?;
    timed(host, &["wtype", "-d", "40", "abcdefghijklmnopqrstuvwxyz"])?;
    pass(Duration::from_millis(200))?;
    foot.end()?;
    let said = fs::read_to_string(&log)?;
    let totals: Vec<f64> = said
        .lines()
        .filter(|l| l.contains(": input - "))
        .filter_map(total)
        .collect();
    ensure!(
        totals.len() >= 10,
        "foot told of {} keys only:\n{said}",
        totals.len()
    );
    Ok(median(totals))
}

/// `info: render.c:204: input - 559 µs -> commit - 115 µs -> presented (total: 674 µs) (more than 0 frames)`
fn total(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once("(total: ")?;
    rest.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_foot_says() {
        let line = "info: render.c:204: input - 559 µs -> commit - 115 µs -> presented (total: 674 µs) (more than 0 frames)";
        assert_eq!(super::total(line), Some(674.0));
        assert_eq!(super::total("info: nothing"), None);
    }
}
