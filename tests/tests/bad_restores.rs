//! What bad input gets, III: apps that cannot, do not or falsely restore what they are given. See `bad_input.rs` for what is
//! held each time.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use overwinter_tests::install;
use overwinter_tests::place::programs;
use overwinter_tests::test_app::puppet::{failed, released, restored, saved};
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::{Asked, Do, Payload};
use overwinter_tests::test_app::{APP, PROGRAM};

#[test]
fn a_restore_that_fails_twice_quarantines_the_group_with_its_snapshot() -> Result<()> {
    let stage = Stage::new()?;
    let (app, held) = stage.open("unreadable")?;
    let group = held.group.clone();
    stage.put_to_sleep(app, &held, 1, b"precious")?;

    let (wake, mut app) = stage.touch(&group)?;
    let wish = app.asked_to_restore()?;
    app.say(&failed(&wish, "the moon is in the wrong place"))?;
    let text = wake.fails()?;
    has_three_parts(&text, "the moon is in the wrong place")?;
    let status = stage.group_is(&group, "asleep")?;
    has_three_parts(
        &status["error"].to_string(),
        "the moon is in the wrong place",
    )?;
    ensure!(status["generation"] == 1, "{status}");
    // It has nothing left to do, and was told so.
    app.is_gone()?;

    let (wake, mut app) = stage.touch(&group)?;
    app.asked_to_restore()?;
    app.end(&Do::Abort)?;
    let text = wake.fails()?;
    has_three_parts(&text, "It was not woken")?;
    let status = stage.group_is(&group, "quarantined")?;
    has_three_parts(
        &status["error"].to_string(),
        "could not be restored and rests",
    )?;
    ensure!(status["generation"] == 1, "{status}");
    let table = stage.session.overwinter(&["status"])?.out;
    ensure!(table.contains("quarantined"), "{table}");
    stage.goes_on()?;

    // As the text says: naming it tries again. It is all there.
    stage.wakes_with(&group, b"precious")?;
    Ok(())
}

#[test]
fn a_restore_that_is_never_answered_leaves_the_group_asleep() -> Result<()> {
    let stage = Stage::new()?;
    let (app, held) = stage.open("silent")?;
    let group = held.group.clone();
    stage.put_to_sleep(app, &held, 1, b"precious")?;
    let (wake, mut app) = stage.touch(&group)?;
    let wish = app.asked_to_restore()?;
    app.stop(true)?;
    let text = wake.fails()?;
    has_three_parts(&text, "did not restore it in time")?;
    stage.group_is(&group, "asleep")?;
    stage.goes_on()?;

    // Its answer comes too late: the copy is nobody's, and is to be dropped.
    app.stop(false)?;
    app.discarded(wish.copy)?;
    let _ = app.tell(&restored(&wish, &wish.state))?;
    stage.group_is(&group, "asleep")?;
    app.end(&Do::End)?;
    stage.wakes_with(&group, b"precious")?;
    Ok(())
}

#[test]
fn a_migration_with_a_copy_that_is_not_the_same_keeps_the_old_one() -> Result<()> {
    let stage = Stage::new()?;
    let (mut old, held) = stage.open("twin")?;
    ensure!(old.autosave(&held, 1, b"the original")? == 1);

    // The session notices the other program by itself.
    let program = other_build(&stage)?;
    install::app(
        &stage.session,
        APP,
        "Test App",
        "2.0",
        &program,
        PROGRAM,
        "",
    )?;
    let op = old.asked("YieldNames", |asked| match asked {
        Asked::YieldNames { op } => Some(*op),
        _ => None,
    })?;
    old.tell_well(&Do::Names { op, held: false })?;
    let mut new = stage.next_puppet()?;
    ensure!(new.register("2.0")? == "migrate");
    let order = old.asked_to_save()?;
    old.tell_well(&saved(&order, 1, Payload::Honest(b"the original".to_vec())))?;
    let wish = new.asked_to_restore()?;
    ensure!(
        wish.state == b"the original" && wish.reason == "migrate",
        "{wish:?}"
    );
    new.tell_well(&restored(&wish, b"something else"))?;
    new.discarded(wish.copy)?;
    let status = stage.group_is(&held.group, "live")?;
    ensure!(status["pid"] == old.pid, "{status}");
    ensure!(status["version"] == "1.0", "{status}");
    has_three_parts(&status["error"].to_string(), "not the same as the original")?;
    // The copy is not the group, whatever it says.
    let mut thief = order.clone();
    thief.op = 0;
    new.is_refused(
        &saved(&thief, 5, Payload::Honest(b"mine".to_vec())),
        "NotHolder",
    )?;
    new.is_refused(&released(&thief), "NotHolder")?;
    new.end(&Do::End)?;

    // The old one still holds it and goes on.
    ensure!(old.autosave(&held, 2, b"more of the original")? == 2);
    stage.goes_on()
}

/// The same program with another build id, as another release has.
fn other_build(stage: &Stage) -> Result<PathBuf> {
    let mut bytes = fs::read(programs().join(PROGRAM))?;
    // Elf_Nhdr: name of 4 bytes, type NT_GNU_BUILD_ID, then the name and the id itself.
    let mark = [3, 0, 0, 0, b'G', b'N', b'U', 0];
    let at = bytes.windows(mark.len()).position(|w| w == mark);
    match at {
        Some(at) => *bytes.get_mut(at + mark.len()).context("cut off")? ^= 0xff,
        None => bytes.push(0),
    }
    let file = stage.session.base().join("test-app-2");
    fs::write(&file, bytes)?;
    Ok(file)
}
