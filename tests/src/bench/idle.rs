//! A session in which nothing happens: who wakes up, and how often, by the kernel's count of voluntary context switches.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::stage::{SHORT, Stage, pass};
use super::{Findings, Row};
use crate::{proc, story, wait};

/// How long is watched.
const TIME: Duration = Duration::from_secs(10);

pub fn take(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    stage.open(SHORT, 2000)?;
    let said = stage.session.overwinter(&["hibernate", SHORT])?;
    ensure!(
        said.code == 0,
        "overwinter hibernate: {} {}",
        said.out,
        said.err
    );
    wait::until("one window is left", || {
        Ok((stage.eyes.views()?.len() == 1).then_some(()))
    })?;
    story::calm(&stage.session)?;
    stage.rest()?;
    pass(Duration::from_secs(2))?;

    let watched: Vec<proc::Process> = stage.session.processes()?;
    let before = counts(stage, &watched);
    pass(TIME)?;
    let after = counts(stage, &watched);
    // Thread by thread: one that has ended meanwhile would hide what the others did.
    let woken: Counts = after
        .into_iter()
        .map(|(key, n)| {
            let more = n.saturating_sub(before.get(&key).copied().unwrap_or(0));
            (key, more)
        })
        .filter(|(_, n)| *n > 0)
        .collect();
    for program in [
        "overwinter-compositor",
        "overwinter-launcher",
        "overwinter-editor",
        "dbus-daemon",
    ] {
        let woke = woken.iter().filter(|(key, _)| key.0 == program);
        #[expect(clippy::cast_precision_loss, reason = "a count of wake-ups")]
        let rate = woke.map(|(_, n)| n).sum::<u64>() as f64 / TIME.as_secs_f64();
        let goal = (program == "overwinter-compositor").then_some(0.0);
        findings.row(Row::alone(
            &format!("idle session: {program} wakes up, times per second"),
            rate,
            goal,
        ));
    }
    for ((program, pid, thread), woke) in &woken {
        findings.note(format!(
            "idle: {program} ({pid}), thread {thread}: {woke} times in {} s",
            TIME.as_secs()
        ));
    }
    Ok(())
}

/// Program, process, thread.
type Counts = BTreeMap<(String, u32, String), u64>;

fn counts(stage: &Stage, processes: &[proc::Process]) -> Counts {
    let mut counts = Counts::new();
    for process in processes {
        let program = process
            .exe
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        // One that has ended does not wake up.
        for (thread, count) in proc::wakeups(stage.session.place(), process.pid).unwrap_or_default()
        {
            *counts
                .entry((program.to_string(), process.pid, thread))
                .or_default() += count;
        }
    }
    counts
}
