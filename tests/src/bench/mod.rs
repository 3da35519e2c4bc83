//! Figures as a user meets them, taken from the outside: the kernel's accounts of processes, frames as another client
//! captures them, the editor's text as a screen reader gets it.
//!
//! A bench gives rows; whether a goal is met is told, never asserted, since a slow machine is no bug. What cannot be measured
//! at all is an error.

mod compositor;
mod idle;
mod migrate;
mod save;
mod sleep;
mod stage;
mod state;
pub mod store;
mod walking;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// One figure. Smaller is better; the unit is the last word of the name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What was measured, and its unit.
    pub name: String,
    /// What we took.
    pub ours: f64,
    /// What somebody else's program takes for the same, where there is one.
    pub peer: Option<f64>,
    /// Ours divided by the peer's.
    pub ratio: Option<f64>,
    /// The most that we allow ourselves; for a figure with a peer, the highest ratio. None: told for comparison only.
    pub goal: Option<f64>,
    /// Whether the goal is met; none without a goal.
    pub met: Option<bool>,
}

impl Row {
    /// A figure that stands for itself.
    fn alone(name: &str, ours: f64, goal: impl Into<Option<f64>>) -> Self {
        let goal = goal.into();
        Row {
            name: name.to_owned(),
            ours,
            peer: None,
            ratio: None,
            goal,
            met: goal.map(|goal| ours <= goal),
        }
    }

    /// A figure beside another program's; the goal is a ratio.
    fn beside(name: &str, ours: f64, peer: f64, goal: impl Into<Option<f64>>) -> Self {
        let (goal, ratio) = (goal.into(), ours / peer);
        Row {
            name: name.to_owned(),
            ours,
            peer: Some(peer),
            ratio: Some(ratio),
            goal,
            met: goal.map(|goal| ratio <= goal),
        }
    }
}

/// What a bench has found out so far.
#[derive(Debug, Default)]
pub struct Findings {
    rows: Vec<Row>,
    notes: Vec<String>,
    failed: Vec<String>,
}

impl Findings {
    fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// What explains a figure: its spread, who is to blame.
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Takes a figure; one that cannot be taken does not stop the others.
    fn measure(&mut self, what: &str, take: impl FnOnce(&mut Self) -> Result<()>) -> bool {
        eprintln!("measuring {what}");
        let outcome = take(self);
        if let Err(error) = &outcome {
            self.failed.push(format!("{what}: {error:#}"));
        }
        outcome.is_ok()
    }

    /// What could not be measured, and why.
    pub fn failures(&self) -> &[String] {
        &self.failed
    }

    /// The table, then what explains it.
    pub fn table(&self) -> String {
        let mut text = line(["name", "ours", "peer", "ratio", "goal", "met"].map(str::to_owned));
        for row in &self.rows {
            let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), short);
            let met = match row.met {
                Some(true) => "met",
                Some(false) => "short",
                None => "-",
            };
            text += &line([
                row.name.clone(),
                short(row.ours),
                number(row.peer),
                number(row.ratio),
                row.goal
                    .map_or_else(|| "-".to_owned(), |g| format!("≤ {}", short(g))),
                met.to_owned(),
            ]);
        }
        for note in &self.notes {
            text += &format!("  {note}\n");
        }
        for failed in &self.failed {
            text += &format!("  NOT MEASURED  {failed}\n");
        }
        text
    }

    /// Writes the rows as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making {}", folder.display()))?;
        }
        std::fs::write(file, serde_json::to_vec_pretty(&self.rows)?)
            .with_context(|| format!("writing {}", file.display()))
    }
}

/// A bench by its name.
#[derive(Clone, Copy, Debug)]
pub struct Bench {
    /// What it is called.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// Takes its figures.
    pub run: fn() -> Result<Findings>,
}

/// Every bench. To add one: a module with `run() -> Result<Findings>` (see [`store`] for a short one) that takes each figure
/// by [`Findings::measure`] and tells it as a [`Row`]; then a line here. `scripts/bench NAME` does the rest.
pub const ALL: [Bench; 4] = [
    Bench {
        name: "walking",
        about: "save, sleep, wake, update and idleness of a whole session, with a document of 1 MiB",
        run: walking::run,
    },
    Bench {
        name: "store",
        about: "durable snapshots beside the plainest durable write of the same bytes, large blobs, many groups, restic and borg",
        run: store::run,
    },
    Bench {
        name: "state",
        about: "saved state beside serde_json, ciborium and postcard: time, size, bytes written, thirty lenses, compile time",
        run: state::run,
    },
    Bench {
        name: "compositor",
        about: "the compositor alone beside weston, sway, cage and labwc of Debian 13: start, memory, frames, latency",
        run: compositor::run,
    },
];

fn line([name, rest @ ..]: [String; 6]) -> String {
    let [ours, peer, ratio, goal, met] = rest;
    format!("{name:<66} {ours:>9} {peer:>9} {ratio:>7} {goal:>8}  {met}\n")
}

/// Enough digits to compare, none that mean nothing.
fn short(number: f64) -> String {
    if number == 0.0 || number.abs() >= 100.0 || number.fract() == 0.0 {
        format!("{number:.0}")
    } else if number.abs() >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle one; 0 of none.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}

/// Median and extremes in words.
fn spread(numbers: &[f64]) -> String {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(0.0, f64::max);
    format!(
        "median {} of {}, {} to {}",
        short(median(numbers.to_vec())),
        numbers.len(),
        short(least),
        short(most)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_goal_is_met() {
        assert_eq!(Row::alone("a, ms", 16.0, 16.0).met, Some(true));
        assert_eq!(Row::alone("a, ms", 16.1, 16.0).met, Some(false));
        assert_eq!(Row::alone("a, ms", 16.1, None).met, None);
        let row = Row::beside("b, ms", 6.0, 2.0, 2.5);
        assert_eq!((row.ratio, row.met), (Some(3.0), Some(false)));
    }

    #[test]
    fn what_failed_is_told_and_does_not_stop_the_rest() {
        let mut findings = Findings::default();
        assert!(!findings.measure("one", |_| anyhow::bail!("no such thing")));
        assert!(findings.measure("two", |f| {
            f.row(Row::alone("two, ms", 1.0, 2.0));
            Ok(())
        }));
        assert_eq!(findings.failures(), ["one: no such thing"]);
        assert!(findings.table().contains("NOT MEASURED  one"));
        assert!(findings.table().contains("met"));
    }

    #[test]
    fn the_middle_one_is_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![]), 0.0);
    }
}
