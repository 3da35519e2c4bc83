//! `overwinter-bench NAME`: measures one thing of the session as its user meets it, prints a table and keeps the rows in
//! `target/bench/NAME.json`. Whether a goal is met is told, never asserted: a slow machine is no bug.

use std::path::Path;
use std::process::ExitCode;

use overwinter_tests::bench::{self, Bench};

fn main() -> ExitCode {
    if let Some(opened) = bench::store::many::child() {
        return match opened {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("overwinter-bench: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(name) = std::env::args().nth(1) else {
        for bench in bench::ALL {
            println!("{:<10} {}", bench.name, bench.about);
        }
        return ExitCode::SUCCESS;
    };
    let Some(bench) = bench::ALL.into_iter().find(|bench| bench.name == name) else {
        let names = bench::ALL.map(|bench| bench.name).join(", ");
        eprintln!(
            "overwinter-bench: nothing here is named {name:?}; nothing was measured. There are: {names}"
        );
        return ExitCode::from(2);
    };
    match measure(bench) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("overwinter-bench: {name} could not be measured: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(bench: Bench) -> anyhow::Result<ExitCode> {
    let findings = (bench.run)()?;
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench"))
        .join(bench.name)
        .with_extension("json");
    findings.save(&file)?;
    print!("{}", findings.table());
    let shown = file.canonicalize().unwrap_or(file);
    println!("rows: {}", shown.display());
    Ok(if findings.failures().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
