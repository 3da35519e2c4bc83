//! The compositor alone beside weston, sway, cage and labwc of Debian 13: all headless, all drawn by pixman, all run by the same
//! user in the same root, with the same clients.
//!
//! Each figure is taken from each of them in turn, ten times; what is compared is the median of each.

mod animate;
mod take;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use overwinter_hostile::host::{Host, Places, Which};
use overwinter_hostile::spec::Spec;

use super::stage::pass;
use super::{Findings, Row, median, short, spread};
use crate::place::programs;

/// How often everything is taken; `OVERWINTER_BENCH_TIMES` sets another number, for a look.
const TIMES: usize = 10;

/// How long an idle compositor is watched.
const IDLE: Duration = Duration::from_secs(10);

/// A figure: what it is called, with whom ours is compared.
struct Figure {
    name: &'static str,
    beside: Beside,
}

enum Beside {
    /// The best of the others.
    Best,
    /// One of them.
    One(Which),
    /// A number that stands for itself.
    Goal(f64),
}

const FIGURES: [Figure; 10] = [
    Figure {
        name: "exec to the first client served, ms",
        beside: Beside::One(Which::Cage),
    },
    Figure {
        name: "100 runs of wayland-info, ms",
        beside: Beside::Best,
    },
    Figure {
        name: "memory of an idle session (Pss), KiB",
        beside: Beside::One(Which::Sway),
    },
    Figure {
        name: "memory for each window of weston-simple-shm (Pss), KiB",
        beside: Beside::One(Which::Sway),
    },
    Figure {
        name: "main thread woken in 10 s of idleness, count",
        beside: Beside::Goal(0.0),
    },
    Figure {
        name: "processor time for a frame with 50 animated subsurfaces, µs",
        beside: Beside::Best,
    },
    Figure {
        name: "key typed until it is presented (foot), µs",
        beside: Beside::One(Which::Sway),
    },
    Figure {
        name: "wl_display.sync, median, µs",
        beside: Beside::Best,
    },
    Figure {
        name: "wl_display.sync, 99th percentile, µs",
        beside: Beside::Best,
    },
    Figure {
        name: "screenshot by grim, ms",
        beside: Beside::One(Which::Sway),
    },
];

/// What was taken: by figure and compositor.
#[derive(Default)]
pub(super) struct Taken(BTreeMap<(usize, &'static str), Vec<f64>>);

impl Taken {
    fn add(&mut self, figure: usize, which: Which, number: f64) {
        self.0
            .entry((figure, which.name()))
            .or_default()
            .push(number);
    }

    fn median(&self, figure: usize, which: Which) -> Option<f64> {
        self.0
            .get(&(figure, which.name()))
            .map(|all| median(all.clone()))
    }
}

/// Takes all figures and writes docs/compositor-numbers.md.
pub fn run() -> Result<Findings> {
    let places = places()?;
    let spec = Arc::new(Spec::find()?);
    let times = std::env::var("OVERWINTER_BENCH_TIMES").ok();
    let times = times.and_then(|n| n.parse().ok()).unwrap_or(TIMES);
    let mut findings = Findings::default();
    let mut taken = Taken::default();
    for turn in 0..times {
        // Nobody is always the first after the pause.
        for n in 0..Which::ALL.len() {
            let which = Which::ALL[(n + turn) % Which::ALL.len()];
            findings.measure(
                &format!("{}, {} of {times}", which.name(), turn + 1),
                |_| take::one(which, &places, &spec, &mut taken),
            );
        }
        findings.measure(&format!("idleness, {} of {times}", turn + 1), |_| {
            idleness(&places, &mut taken)
        });
    }
    rows(&taken, &mut findings);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compositor-numbers.md");
    fs::write(&file, table(&taken, times))
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(findings)
}

/// Debian 13 with our compositor in it.
fn places() -> Result<Places> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let said = Command::new(here.join("scripts/peers")).output()?;
    ensure!(
        said.status.success(),
        "scripts/peers: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    let root = PathBuf::from(String::from_utf8(said.stdout)?.trim());
    let inside = Path::new("/opt/overwinter");
    let there = root.join("opt/overwinter");
    fs::create_dir_all(&there)?;
    let program = there.join("overwinter-compositor");
    fs::copy(programs().join("overwinter-compositor"), &program)
        .context("copying overwinter-compositor to where the others are")?;
    let version = Command::new("chroot")
        .arg(&root)
        .arg(inside.join("overwinter-compositor"))
        .arg("--version")
        .output()?;
    ensure!(
        version.status.success(),
        "our compositor does not run on Debian 13: {}",
        String::from_utf8_lossy(&version.stderr)
    );
    Ok(Places {
        programs: inside.to_owned(),
        peers: Some(root),
        together: true,
    })
}

/// All of them at once, since nothing is to happen.
fn idleness(places: &Places, taken: &mut Taken) -> Result<()> {
    let mut hosts = Vec::new();
    for which in Which::ALL {
        hosts.push(Host::start(which, places, "idle")?);
    }
    pass(Duration::from_secs(3))?;
    let count = |host: &Host| -> Result<u64> {
        let file = format!("/proc/{0}/task/{0}/status", host.pid());
        let status = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|l| l.trim().parse().ok())
            .context("no count of wake-ups")
    };
    let before: Vec<u64> = hosts.iter().map(count).collect::<Result<_>>()?;
    pass(IDLE)?;
    for (host, before) in hosts.iter().zip(before) {
        #[expect(clippy::cast_precision_loss, reason = "a count of wake-ups")]
        taken.add(4, host.which(), (count(host)? - before) as f64);
    }
    Ok(())
}

/// Memory of a compositor and of what it started, in KiB.
pub(super) fn memory(host: &Host) -> Result<f64> {
    let mut sum = 0.0;
    for pid in family(host.pid()) {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|l| l.strip_prefix("Pss:"));
        let number = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        sum += number.unwrap_or(0.0);
    }
    ensure!(sum > 0.0, "/proc does not say how much memory it has");
    Ok(sum)
}

/// A process and all that came of it.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .filter_map(|c| c.parse::<u32>().ok()),
        );
        at += 1;
    }
    all
}

fn rows(taken: &Taken, findings: &mut Findings) {
    for (n, figure) in FIGURES.iter().enumerate() {
        let Some(ours) = taken.median(n, Which::Overwinter) else {
            continue;
        };
        let others = Which::ALL.into_iter().skip(1);
        let best = others
            .clone()
            .filter_map(|w| taken.median(n, w))
            .reduce(f64::min);
        let row = match &figure.beside {
            Beside::Goal(goal) => Row::alone(figure.name, ours, *goal),
            Beside::One(which) => match taken.median(n, *which) {
                Some(peer) => Row::beside(figure.name, ours, peer, 1.0),
                None => Row::alone(figure.name, ours, None),
            },
            Beside::Best => match best {
                Some(peer) => Row::beside(figure.name, ours, peer, 1.0),
                None => Row::alone(figure.name, ours, None),
            },
        };
        findings.row(row);
        for which in Which::ALL {
            if let Some(all) = taken.0.get(&(n, which.name())) {
                findings.note(format!(
                    "{}: {}: {}",
                    figure.name,
                    which.name(),
                    spread(all)
                ));
            }
        }
    }
}

/// For docs/.
fn table(taken: &Taken, times: usize) -> String {
    let mut text = format!(
        "# The compositor in numbers\n\nWritten by `scripts/bench compositor`; do not edit. Medians of {times} interleaved \
         repetitions on one machine, beside the compositors of Debian 13: all headless, drawn by pixman, run by the same user in \
         the same root. Less is better; a dash: it does not speak what this takes.\n\n| | ours"
    );
    for which in Which::ALL.into_iter().skip(1) {
        text += &format!(" | {}", which.name());
    }
    text += " | goal |\n| --- | --- | --- | --- | --- | --- | --- |\n";
    for (n, figure) in FIGURES.iter().enumerate() {
        text += &format!("| {} |", figure.name);
        for which in Which::ALL {
            let cell = taken.median(n, which).map_or_else(|| "–".to_owned(), short);
            text += &format!(" {cell} |");
        }
        text += &match &figure.beside {
            Beside::Best => " ≤ the best |\n".to_owned(),
            Beside::One(which) => format!(" ≤ {} |\n", which.name()),
            Beside::Goal(goal) => format!(" {goal} |\n"),
        };
    }
    text
}
