//! The copy that a new version replaced takes over again when that version dies at once: its GTK windows are shown and bound anew.

use anyhow::{Context, Result, ensure};
use overwinter_tests::atspi::Reader;
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::install;
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::story::{expect, still};
use overwinter_tests::wait;
use serde_json::Value;

/// The one group there is.
fn group(session: &Session) -> Result<Value> {
    let said = session.overwinter(&["status", "--json"])?;
    let status: Value = serde_json::from_str(&said.out)?;
    let groups = status["groups"].as_array().context("groups")?;
    ensure!(groups.len() == 1, "{status}");
    Ok(groups[0].clone())
}

#[test]
fn a_retired_window_is_shown_and_bound_again() -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let session = Session::prepare(Wish::headless(base.path().join("s")))?;
    install::editor(&session, 1)?;
    let mut session = session;
    session.restart(Default::default())?;
    let empty = still(&session)?;
    let file = session.home().join("notes.txt");
    std::fs::write(&file, "one\n")?;
    let path = file.display().to_string();
    session.overwinter(&["launch", install::EDITOR, &path])?;
    let eyes = Reader::new(&session)?;
    let (view, _) = expect(&eyes, "notes.txt", "the file's text", |c| c.text == "one\n")?;
    let old = view.pid;
    let shown = wait::until("the window is on screen", || {
        let around = empty.difference(&still(&session)?, empty.whole()).1;
        Ok(around.filter(|r| r.width > 300))
    })?;
    let mut hands = Hands::new(&session)?;
    hands.click(shown.middle())?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("zero\n")?;
    expect(&eyes, "notes.txt", "a typed line", |c| {
        c.text == "zero\none\n"
    })?;

    // 2.0 takes over, and dies before it has saved anything of its own.
    install::editor(&session, 2)?;
    let new = wait::until("2.0 holds the group", || {
        let pid = group(&session)?["pid"].as_u64().unwrap_or_default() as u32;
        Ok((pid != 0 && pid != old).then_some(pid))
    })?;
    let new = rustix::process::Pid::from_raw(new as i32).context("a process id")?;
    rustix::process::kill_process(new, rustix::process::Signal::KILL)?;

    let status = wait::until("the old copy is the group again", || {
        let group = group(&session)?;
        Ok((group["pid"] == old && group["state"] == "live").then_some(group))
    })?;
    ensure!(status["version"] == "1.0", "{status}");
    let (view, _) = expect(&eyes, "notes.txt", "what was typed", |c| {
        c.text == "zero\none\n"
    })?;
    ensure!(view.pid == old);
    wait::until("its window is on screen", || {
        let around = empty.difference(&still(&session)?, empty.whole()).1;
        Ok(around.filter(|r| r.width > 300))
    })?;
    hands.click(shown.middle())?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("and on\n")?;
    expect(&eyes, "notes.txt", "a line typed into it", |c| {
        c.text == "and on\nzero\none\n"
    })?;

    // Bound, not merely shown: put to sleep it leaves its picture, and what was typed comes back.
    let said = session.overwinter(&["hibernate", "--all"])?;
    ensure!(said.code == 0, "{}", said.err);
    wait::until("it sleeps", || {
        Ok((group(&session)?["state"] == "asleep").then_some(()))
    })?;
    let picture = empty.difference(&still(&session)?, empty.whole()).1;
    ensure!(
        picture.is_some_and(|r| r.width > 300),
        "no ghost stands in: {picture:?}"
    );
    let said = session.overwinter(&["wake", "--all"])?;
    ensure!(said.code == 0, "{}", said.err);
    expect(&eyes, "notes.txt", "all that was typed", |c| {
        c.text == "and on\nzero\none\n"
    })?;
    Ok(())
}
