//! The end of a session: everything that can be put to sleep is, and what cannot is named before anything ends.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use overwinter_tests::test_app::puppet::saved;
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::Payload;
use overwinter_tests::wait;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn quitting_names_what_cannot_be_put_to_sleep_and_goes_on_unless_forced() -> Result<()> {
    let mut stage = Stage::new()?;
    let (mut good, saves) = stage.open("a letter")?;
    let (mut deaf, stays) = stage.open("a stubborn one")?;
    good.autosave(&saves, 1, b"dear reader")?;
    deaf.autosave(&stays, 1, b"of an hour ago")?;

    let quitting = stage.begin(&["quit"])?;
    // The stubborn one never answers.
    let order = deaf.asked_to_save()?;
    ensure!(order.group == stays.group);
    good.fall_asleep(2, b"dear reader, yours")?;
    let text = quitting.fails()?;
    has_three_parts(&text, "The session was not ended")?;
    ensure!(text.contains(&stays.group), "{text}");
    stage.group_is(&saves.group, "asleep")?;
    stage.group_is(&stays.group, "live")?;
    stage.goes_on()?;

    let quitting = stage.begin(&["quit", "--force"])?;
    deaf.asked_to_save()?;
    let said = quitting.end()?;
    ensure!(said.out.contains("not put to sleep"), "{said:?}");
    stage.session.wait_for_compositor_end(wait::PATIENCE)?;
    stage.session.crash()?;
    deaf.is_gone()?;

    stage.session.restart(BTreeMap::new())?;
    stage.group_is(&saves.group, "asleep")?;
    stage.group_is(&stays.group, "asleep")?;
    stage.wakes_with(&stays.group, b"of an hour ago")?;
    Ok(())
}

#[test]
fn a_signal_puts_everything_to_sleep_and_says_what_was_not() -> Result<()> {
    let mut stage = Stage::new()?;
    let (mut good, saves) = stage.open("a letter")?;
    let (mut deaf, stays) = stage.open("a stubborn one")?;
    good.autosave(&saves, 1, b"dear reader")?;
    deaf.autosave(&stays, 1, b"of an hour ago")?;
    let pid = stage.session.compositor_pid().context("no compositor")?;
    let pid = Pid::from_raw(i32::try_from(pid)?).context("no process")?;
    kill_process(pid, Signal::TERM)?;
    deaf.asked_to_save()?;
    let order = good.asked_to_save()?;
    good.tell_well(&saved(
        &order,
        2,
        Payload::Honest(b"dear reader, yours".to_vec()),
    ))?;
    let order = good.asked_to_release()?;
    good.release(&order)?;
    stage.session.wait_for_compositor_end(wait::PATIENCE)?;
    let log = fs::read_to_string(stage.session.base().join("log/compositor.log"))?;
    let told = |line: &str| line.contains(&stays.group) && line.contains("not put to sleep");
    ensure!(log.lines().any(told), "{log}");
    ensure!(!log.contains("ERROR"), "{log}");
    stage.session.crash()?;

    stage.session.restart(BTreeMap::new())?;
    stage.group_is(&saves.group, "asleep")?;
    stage.wakes_with(&saves.group, b"dear reader, yours")?;
    Ok(())
}
