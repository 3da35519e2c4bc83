//! The table of survivors, put together from the last run against each compositor.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::attacks;
use crate::host::Which;
use crate::round::Outcome;

const ALL: [Which; 3] = [Which::Overwinter, Which::Weston, Which::Sway];

/// Keeps the outcomes of a whole run.
///
/// # Errors
/// When they cannot be written.
pub fn keep(folder: &Path, which: Which, outcomes: &[Outcome]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = folder.join(which.name()).with_extension("json");
    fs::write(&file, serde_json::to_vec_pretty(outcomes)?)
        .with_context(|| format!("writing {}", file.display()))
}

/// Writes the table.
///
/// # Errors
/// When it cannot be written; a compositor that was not tried has an empty column.
pub fn write(folder: &Path, file: &Path) -> Result<()> {
    let mut columns: Vec<Vec<Outcome>> = Vec::new();
    for which in ALL {
        let kept = fs::read(folder.join(which.name()).with_extension("json")).unwrap_or_default();
        columns.push(serde_json::from_slice(&kept).unwrap_or_default());
    }
    let mut text = String::from(HEAD);
    for attack in &attacks::ALL {
        text += &format!("| {} | {} |", attack.name, attack.about);
        for column in &columns {
            let cell = column.iter().find(|o| o.name == attack.name);
            text += &format!(" {} |", cell.map_or("not tried".into(), cell_of));
        }
        text.push('\n');
    }
    text += "| seeds | wild clients |";
    for column in &columns {
        let seeds: Vec<&Outcome> = column
            .iter()
            .filter(|o| o.name.starts_with("seed "))
            .collect();
        let passed = seeds.iter().filter(|o| o.passed()).count();
        let worst = seeds.iter().map(|o| o.worst_ms).max().unwrap_or(0);
        let ended = seeds.iter().filter(|o| is_gone(o)).count();
        let ended = if ended > 0 {
            format!(", {ended} × gone")
        } else {
            String::new()
        };
        text += &format!(" {passed} of {}{ended}, {worst} ms |", seeds.len());
    }
    text.push('\n');
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

fn is_gone(outcome: &Outcome) -> bool {
    outcome
        .why
        .iter()
        .any(|w| w.starts_with("the compositor is gone"))
}

fn cell_of(outcome: &Outcome) -> String {
    if outcome.absent {
        return "not spoken".into();
    }
    match outcome.why.first() {
        None => format!("held, {} ms, {} MiB", outcome.worst_ms, outcome.peak_mib),
        Some(why) => format!(
            "**{}**",
            why.replace('|', "/").lines().next().unwrap_or_default()
        ),
    }
}

const HEAD: &str = "\
# Hostile clients

Written by `scripts/hostile`; do not edit. What was thrown at this compositor, and the same at weston and sway of Debian 13
(headless, pixman). Ours is a debug build, which waits longer and checks more. *Held*: it still runs, another client was answered all along (the longest wait is told) and could open a window
afterwards, memory stayed within bounds (the peak of the process so far is told) and came back, the log has no panic.

`scripts/hostile --seed N` plays one wild client again and tells every request; `scripts/hostile --attack NAME` one attack.

| attack | what is done | overwinter | weston | sway |
| --- | --- | --- | --- | --- |
";
