//! Runs other people's programs in sessions of their own and tells how each fared.

mod desktop;
mod panel;
mod roster;
mod table;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use roster::Client;
use table::Outcome;
use trial::{Step, Trial};

/// Starts, uses, photographs and closes other people's programs, each in a session of its own.
#[derive(Parser)]
struct Args {
    /// Which programs; none: those that plain scripts/setup installs
    names: Vec<String>,
    /// Every program, and docs/compatibility.md is written anew
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// docs/compatibility.md is written from what these did now and the others did last
    #[arg(long, requires = "names")]
    write: bool,
    /// Only say which programs there are, and their packages
    #[arg(long)]
    list: bool,
    /// Only take the picture of a desktop in use, and put it here
    #[arg(long, conflicts_with_all = ["names", "all", "list"])]
    desktop: Option<PathBuf>,
    /// Where pictures and results go
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/clients"))]
    out: PathBuf,
    /// The table
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compatibility.md"))]
    table: PathBuf,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let all = roster::all();
    if args.list {
        for client in &all {
            println!("{:<24} {}", client.name, client.package);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &args.desktop {
        desktop::picture(file)?;
        println!("{}", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.names {
        ensure!(
            all.iter().any(|c| c.name == name),
            "no program is called {name:?}; `scripts/clients --list` names them"
        );
    }
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("creating {}", args.out.display()))?;
    let wanted = |client: &&Client| match args.names.is_empty() {
        true => args.all || client.basic,
        false => args.names.iter().any(|n| n == client.name),
    };
    let results = args.out.join("results.json");
    let mut outcomes = match args.all {
        true => Default::default(),
        false => table::load(&results)?,
    };
    let (mut passed, mut failed) = (0, 0);
    for client in all.iter().filter(wanted) {
        let outcome = attempt(client, &args.out);
        match &outcome.failure {
            None => passed += 1,
            Some(_) => failed += 1,
        }
        println!("{}", line(client, &outcome));
        outcomes.insert(client.name.to_owned(), outcome);
        table::save(&results, &outcomes)?;
    }
    if args.all || args.write {
        std::fs::write(&args.table, table::page(&all, &outcomes))
            .with_context(|| format!("writing {}", args.table.display()))?;
    }
    println!("{passed} passed, {failed} failed");
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// One program's trial, from a fresh session to its end.
fn attempt(client: &Client, out: &Path) -> Outcome {
    let mut outcome = Outcome {
        package: client.package.to_owned(),
        version: String::new(),
        held: Default::default(),
        without: client.without.to_vec(),
        note: client.note.to_owned(),
        failure: None,
    };
    let Some(version) = table::version_of(client.package) else {
        outcome.failure = Some(format!(
            "{} is not installed: scripts/setup --clients",
            client.package
        ));
        return outcome;
    };
    outcome.version = version;
    let tried = Trial::new(client.name, out).and_then(|mut trial| {
        let ran = (client.run)(&mut trial).and_then(|()| trial.compositor_is_well());
        outcome.held = trial.held().clone();
        if ran.is_err() {
            // What was on the screen says more than the error does.
            if let Ok(picture) = trial.look() {
                let _ = picture.save(&out.join(format!("{}-failed.png", client.name)));
            }
            let _ = std::fs::write(
                out.join(format!("{}-failed.log", client.name)),
                format!("{}\n{}", trial.session.logs(), trial.said()),
            );
        }
        ran
    });
    outcome.failure = match tried {
        Err(error) => Some(format!("{error:#}")),
        Ok(()) => missing(client, &outcome)
            .map(|step| format!("nothing was seen of it being {}", step.name())),
    };
    outcome
}

/// The first step that was to hold and did not.
fn missing(client: &Client, outcome: &Outcome) -> Option<Step> {
    Step::ALL
        .into_iter()
        .find(|s| !client.without.contains(s) && !outcome.held.contains_key(s))
}

fn line(client: &Client, outcome: &Outcome) -> String {
    let held: Vec<&str> = outcome.held.keys().map(|s| s.name()).collect();
    match &outcome.failure {
        None => format!("ok    {:<22} {}", client.name, held.join(", ")),
        Some(why) => format!(
            "FAIL  {:<22} {why} (held: {})",
            client.name,
            held.join(", ")
        ),
    }
}
