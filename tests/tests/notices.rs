//! What goes wrong is told to the user, not to the log alone: `overwinter status` has it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::Do;
use overwinter_tests::wait;

/// `overwinter status` says this, in three parts.
fn is_told(stage: &Stage, about: &str, happened: &str) -> Result<()> {
    let told = wait::until("the user is told", || {
        let said = stage.session.overwinter(&["status"])?;
        let line = said.out.lines().find(|line| line.contains(happened));
        Ok(line.map(str::to_owned))
    })?;
    ensure!(told.starts_with(about.get(..8).unwrap_or(about)), "{told}");
    has_three_parts(&told, happened)
}

#[test]
fn a_crash_is_told_with_what_was_kept() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("a draft")?;
    app.autosave(&held, 1, b"half a sentence")?;
    app.end(&Do::End)?;
    is_told(&stage, &held.group, "ended unexpectedly")?;
    stage.group_is(&held.group, "asleep")?;
    stage.wakes_with(&held.group, b"half a sentence")?;
    Ok(())
}

#[test]
fn a_journal_that_cannot_be_read_is_told() -> Result<()> {
    let mut stage = Stage::new()?;
    let (mut app, held) = stage.open("a draft")?;
    app.autosave(&held, 1, b"half a sentence")?;
    stage.session.crash()?;
    let journal = stage
        .session
        .state()
        .join("overwinter/store/groups")
        .join(&held.group)
        .join("journal");
    let mut bytes = fs::read(&journal).with_context(|| journal.display().to_string())?;
    // Behind the name and the slots, where the records are.
    let middle = 1536 + (bytes.len() - 1536) / 2;
    *bytes.get_mut(middle).context("an empty journal")? ^= 0x40;
    fs::write(&journal, &bytes)?;
    stage.session.restart(BTreeMap::new())?;
    let said = stage.session.overwinter(&["status"])?;
    let short = held.group.get(..8).unwrap_or_default();
    ensure!(
        said.out.lines().any(|line| line.starts_with(short)),
        "{said:?}"
    );
    Ok(())
}
