//! `overwinter-hostile`: throws hostile clients at a compositor and watches how everybody else fares.
//!
//! A round is one seed of [`overwinter_hostile::wild`] or one of the [`attacks`]. It passes when the compositor still runs, a witness on a connection
//! of its own was answered all along, a new window is drawn afterwards, memory stayed within bounds and came back, descriptors came back, processor time ended, and nothing in the log is a panic or an error of ours.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use overwinter_hostile::host::{Places, Which};
use overwinter_hostile::round::{Outcome, Round, Stage};
use overwinter_hostile::spec::Spec;
use overwinter_hostile::{attacks, table};

/// Hostile Wayland clients, at random and by name.
#[derive(Parser)]
#[command(name = "overwinter-hostile", args_override_self = true)]
struct Options {
    /// Whom they are thrown at.
    #[arg(long, value_enum, default_value = "overwinter")]
    against: Which,
    /// How many seeds are played.
    #[arg(long, default_value_t = 60)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// One seed alone, telling every request.
    #[arg(long)]
    seed: Option<u64>,
    /// Only attacks whose names contain this; `none` for seeds alone.
    #[arg(long)]
    attack: Vec<String>,
    /// Folder of our own programs.
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Debian 13 with weston and sway.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Folder where the last outcome for each compositor is kept.
    #[arg(long, default_value = "target/hostile")]
    kept: PathBuf,
    /// Write what is kept into this table when done.
    #[arg(long)]
    table: Option<PathBuf>,
    /// Tell every request.
    #[arg(long)]
    tell: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("overwinter-hostile: {error:#}. Nothing can be said about the compositor.");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<usize> {
    more_descriptors();
    let spec = Arc::new(Spec::find()?);
    let programs = match &options.programs {
        Some(folder) => folder.canonicalize()?,
        None => std::env::current_exe()?
            .parent()
            .map(Path::to_owned)
            .context("no folder")?,
    };
    let places = Places {
        programs,
        peers: options.peers.clone(),
        together: false,
    };
    let rounds = wanted(options)?;
    let mut stage = Stage::new(
        options.against,
        places,
        spec,
        options.tell || options.seed.is_some(),
    );
    let mut outcomes: Vec<Outcome> = Vec::new();
    for round in rounds {
        let outcome = stage.play(&round)?;
        println!("{}", outcome.line());
        outcomes.push(outcome);
    }
    let failed = outcomes.iter().filter(|o| !o.passed()).count();
    if options.attack.is_empty() && options.seed.is_none() {
        table::keep(&options.kept, options.against, &outcomes)?;
    }
    if let Some(file) = &options.table {
        table::write(&options.kept, file)?;
    }
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    Ok(failed)
}

fn wanted(options: &Options) -> Result<Vec<Round>> {
    if let Some(seed) = options.seed {
        return Ok(vec![Round::Seed(seed)]);
    }
    let named = |name: &str| {
        options.attack.is_empty() || options.attack.iter().any(|a| name.contains(a.as_str()))
    };
    let mut rounds: Vec<Round> = Vec::new();
    rounds.extend(
        attacks::ALL
            .iter()
            .enumerate()
            .filter(|(_, a)| named(a.name))
            .map(|(n, _)| Round::Attack(n)),
    );
    if options.attack.is_empty() || options.attack.iter().any(|a| a == "none") {
        rounds.extend((options.from..options.from.saturating_add(options.seeds)).map(Round::Seed));
    }
    ensure!(!rounds.is_empty(), "nothing is named {:?}", options.attack);
    Ok(rounds)
}

/// A thousand connections take more than a login gives.
fn more_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    let _ = setrlimit(Resource::Nofile, most);
}
