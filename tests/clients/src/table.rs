//! What came of it: a line for each program, and the table in docs/compatibility.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::roster::Client;
use crate::trial::Step;

/// What came of one program's trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The program's Debian package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The steps that held, with what was seen.
    pub held: BTreeMap<Step, String>,
    /// The steps that do not make sense with it.
    pub without: Vec<Step>,
    /// What is worth knowing.
    pub note: String,
    /// Why it did not pass.
    pub failure: Option<String>,
}

impl Outcome {
    /// One sign for each step: held, not held, not asked.
    fn sign(&self, step: Step) -> &'static str {
        match (self.held.contains_key(&step), self.without.contains(&step)) {
            (true, _) => "yes",
            (false, true) => "–",
            (false, false) => "**no**",
        }
    }
}

/// The version of a package that is installed; `None` when it is not.
pub fn version_of(package: &str) -> Option<String> {
    let output = Command::new("dpkg-query")
        .args([
            "-W",
            "-f",
            "${db:Status-Status} ${source:Upstream-Version}",
            package,
        ])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.strip_prefix("installed ").map(str::to_owned)
}

/// The outcomes of earlier runs, by the program's name.
///
/// # Errors
/// When they cannot be read.
pub fn load(file: &Path) -> Result<BTreeMap<String, Outcome>> {
    match fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

/// Keeps them for the next run.
///
/// # Errors
/// When they cannot be written.
pub fn save(file: &Path, outcomes: &BTreeMap<String, Outcome>) -> Result<()> {
    let text = serde_json::to_string_pretty(outcomes)?;
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// The page.
pub fn page(clients: &[Client], outcomes: &BTreeMap<String, Outcome>) -> String {
    let passed = outcomes.values().filter(|o| o.failure.is_none()).count();
    let mut text = format!(
        "# Programs that were tried\n\n<!-- Written by scripts/clients --all. -->\n\
         {passed} of {} programs of Debian 12 pass; nobody wrote them for Overwinter. Each was started in a headless session of \
         its own, typed at and clicked on through virtual devices, photographed and closed by `scripts/clients`. *Typed* and \
         *clicked* mean that the effect was seen from outside: a file the program wrote, what another program could paste, a \
         title in the list of windows, pixels. *Closed* means that it ended by itself when a panel asked its window to close, or \
         at SIGTERM when it has none. – is what makes no sense with that program. After each trial the compositor was \
         still there and had logged no error.\n\n\
         | program | package | version | {} | what was seen |\n| --- | --- | --- |{} --- |\n",
        outcomes.len(),
        Step::ALL.map(Step::name).join(" | "),
        " --- |".repeat(Step::ALL.len()),
    );
    for client in clients {
        let Some(outcome) = outcomes.get(client.name) else {
            continue;
        };
        let signs = Step::ALL.map(|step| outcome.sign(step)).join(" | ");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {signs} | {} |",
            client.name,
            outcome.package,
            outcome.version,
            seen(outcome)
        );
    }
    text
}

/// What was seen, in a cell.
fn seen(outcome: &Outcome) -> String {
    let acted = [Step::Typed, Step::Clicked].map(|step| outcome.held.get(&step));
    let mut words: Vec<&str> = acted.into_iter().flatten().map(String::as_str).collect();
    words.push(&outcome.note);
    if let Some(failure) = &outcome.failure {
        words.push(failure);
    }
    words.retain(|w| !w.is_empty());
    words.join("; ").replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(held: &[Step], failure: Option<&str>) -> Outcome {
        Outcome {
            package: "weston".into(),
            version: "10.0.1".into(),
            held: held.iter().map(|s| (*s, s.name().to_owned())).collect(),
            without: vec![Step::Clicked],
            note: "a|note".into(),
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn a_step_that_did_not_hold_is_told_apart_from_one_that_makes_no_sense() {
        let outcome = outcome(&[Step::Started, Step::Typed], Some("it\ndid not close"));
        assert_eq!(outcome.sign(Step::Typed), "yes");
        assert_eq!(outcome.sign(Step::Clicked), "–");
        assert_eq!(outcome.sign(Step::Closed), "**no**");
        assert_eq!(seen(&outcome), "typed; a\\|note; it did not close");
    }

    #[test]
    fn the_page_counts_those_that_passed() {
        let clients = crate::roster::all();
        let outcomes = BTreeMap::from([
            (clients[0].name.to_owned(), outcome(&[], Some("no"))),
            (clients[1].name.to_owned(), outcome(&[Step::Started], None)),
        ]);
        let page = page(&clients, &outcomes);
        assert!(
            page.contains("\n1 of 2 programs of Debian 12 pass"),
            "{page}"
        );
        assert_eq!(page.lines().filter(|l| l.contains("| weston |")).count(), 2);
    }
}
