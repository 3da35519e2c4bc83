//! What the derive adds to the time that an author's crate takes to check, beside what serde's two derives add for the same
//! types. Three crates that differ in their derives alone are checked in turns, and the fastest of each counts.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::{Findings, Row, millis};

/// Records in each crate, of eight fields each.
const TYPES: usize = 60;
const TURNS: usize = 7;

const NONE: &str = "";
const SERDE: &str = "#[derive(serde::Serialize, serde::Deserialize)]";
const OURS: &str = "#[derive(overwinter::State)]";

pub fn take(findings: &mut Findings) -> Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let above = root.join("target/bench/compile");
    let mut crates = Vec::new();
    for (name, derive) in [("none", NONE), ("serde", SERDE), ("ours", OURS)] {
        crates.push(write_crate(root, &above.join(name), name, derive)?);
    }
    // The first check is of what is beneath, too.
    for folder in &crates {
        check(folder, &above)?;
    }
    let mut best = [Duration::MAX; 3];
    for _ in 0..TURNS {
        for (folder, best) in crates.iter().zip(&mut best) {
            *best = (*best).min(check(folder, &above)?);
        }
    }
    let [none, serde, ours] = best;
    findings.note(format!(
        "cargo check of {TYPES} records: {:.0} ms without derives, {:.0} with serde's, {:.0} with ours",
        millis(none),
        millis(serde),
        millis(ours)
    ));
    findings.row(Row::beside(
        "derive on 60 records, added to cargo check; peer: serde's two, ms",
        millis(ours.saturating_sub(none)),
        millis(serde.saturating_sub(none)),
        2.0,
    ));
    Ok(())
}

fn write_crate(root: &Path, folder: &Path, name: &str, derive: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder.join("src"))?;
    let library = root.join("client-lib").canonicalize()?;
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"compile-{name}\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\noverwinter = {{ path = {library:?} }}\n"
        ),
    )?;
    // The versions of everything beneath are those of this tree.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src/lib.rs"), source(derive))?;
    Ok(folder.to_owned())
}

fn source(derive: &str) -> String {
    // In all three the same types, the field for what is unknown included, so that they differ in their derives alone.
    let skip = if derive == SERDE {
        "#[serde(skip)] "
    } else {
        ""
    };
    let mut source = String::new();
    for n in 0..TYPES {
        let inner = match n {
            0 => "u32".to_owned(),
            n => format!("Option<Part{}>", n - 1),
        };
        let _ = writeln!(
            source,
            "{derive}\npub struct Part{n} {{\n    pub id: u64, pub name: String, pub on: bool, pub at: f64,\n    \
             pub tags: Vec<String>, pub size: Option<u32>, pub inner: {inner},\n    {skip}pub rest: overwinter::Rest,\n}}"
        );
    }
    source
}

/// How long the crate itself takes, whatever is beneath being there.
fn check(folder: &Path, target: &Path) -> Result<Duration> {
    let file = folder.join("src/lib.rs");
    fs::write(&file, fs::read(&file)?)?;
    let start = Instant::now();
    let done = Command::new("cargo")
        .args(["check", "--offline", "--quiet", "--target-dir"])
        .arg(target.join("target"))
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .context("cargo check")?;
    let took = start.elapsed();
    ensure!(
        done.status.success(),
        "cargo check in {}: {}",
        folder.display(),
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(took)
}
