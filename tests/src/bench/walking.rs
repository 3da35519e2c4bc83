//! The numbers that the walking session promises, on one stage.

use anyhow::Result;

use super::stage::Stage;
use super::{Findings, idle, migrate, save, sleep};

/// Takes all figures.
pub fn run() -> Result<Findings> {
    let mut findings = Findings::default();
    let mut stage = Stage::new()?;
    stage.open_long()?;
    findings.measure("saves", |f| save::take(&mut stage, f));
    findings.measure("sleep and wake", |f| sleep::take(&mut stage, f));
    findings.measure("an idle session", |f| idle::take(&mut stage, f));
    if !findings.failures().is_empty() {
        eprintln!("{}", stage.session.logs());
    }
    drop(stage);
    // A stage of its own, on which no ghost covers the document.
    findings.measure("an update while typing", |f| {
        let mut stage = Stage::new()?;
        stage.open_long()?;
        migrate::take(&mut stage, f).inspect_err(|_| eprintln!("{}", stage.session.logs()))
    });
    Ok(findings)
}
