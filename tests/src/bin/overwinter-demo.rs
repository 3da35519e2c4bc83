//! Plays the walking session from start to end, prints what was checked, and leaves result.json and a picture of each step.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use overwinter_tests::story;

/// Plays the main job: open, sleep, wake, update, undo, move.
#[derive(Parser)]
struct Args {
    /// No window on this display, even where there is one
    #[arg(long)]
    headless: bool,
    /// Where result.json and the pictures go
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/demo"))]
    out: PathBuf,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let display = ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    let backend = if display && !args.headless {
        "nested"
    } else {
        "headless"
    };
    let report = story::play(Some(args.out.clone()), backend, true)?;
    report.save(&args.out.join("result.json"))?;
    println!("\n{}", report.table());
    println!("{}", shown(&args.out));
    Ok(if report.all_held() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn shown(folder: &Path) -> String {
    let folder = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    format!("pictures and result.json: {}", folder.display())
}
