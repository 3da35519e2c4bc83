//! What bad input gets, IV: snapshots and journals with a flipped bit, and a full disk. See `bad_input.rs` for what is held each time.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use overwinter_tests::session::Session;
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::Do;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::Value;

fn store(session: &Session) -> PathBuf {
    session.state().join("overwinter/store")
}

/// Every chunk that is stored for a group.
fn chunks(stage: &Stage, group: &str) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for shelf in fs::read_dir(store(&stage.session).join("objects").join(group))? {
        for chunk in fs::read_dir(shelf?.path())? {
            found.insert(chunk?.path());
        }
    }
    Ok(found)
}

/// Flips one bit in the middle of a file; done twice it is as before.
fn flip(file: &Path) -> Result<()> {
    let middle = fs::read(file)?.len() / 2;
    flip_at(file, &[middle])
}

/// Flips one bit in each of these bytes.
fn flip_at(file: &Path, places: &[usize]) -> Result<()> {
    let mut bytes = fs::read(file)?;
    for at in places {
        *bytes.get_mut(*at).context("nothing to flip there")? ^= 0x10;
    }
    Ok(fs::write(file, bytes)?)
}

/// Where a journal's records begin (docs/store-format.md): what lies before is a name, two checked slots, and zeros.
const FIRST_RECORD: usize = 1536;

fn journal(session: &Session, group: &str) -> PathBuf {
    store(session).join("groups").join(group).join("journal")
}

#[test]
fn a_flipped_bit_in_the_newest_snapshot_falls_back_to_the_one_before_and_says_so() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("fragile")?;
    ensure!(app.autosave(&held, 1, b"the former")? == 1);
    let former = chunks(&stage, &held.group)?;
    stage.put_to_sleep(app, &held, 2, b"the newest")?;
    let all = chunks(&stage, &held.group)?;
    let newest: Vec<_> = all.difference(&former).collect();
    ensure!(!newest.is_empty(), "nothing was written");
    for chunk in &newest {
        flip(chunk)?;
    }
    let (app, held) = stage.wakes_with(&held.group, b"the former")?;
    let status = stage.group_is(&held.group, "live")?;
    has_three_parts(
        &status["error"].to_string(),
        "Generation 2 is damaged on disk",
    )?;
    stage.goes_on()?;
    // What is saved from now on is sound.
    stage.put_to_sleep(app, &held, 3, b"sound again")?;
    stage.wakes_with(&held.group, b"sound again")?;
    Ok(())
}

#[test]
fn a_group_whose_every_snapshot_is_damaged_rests_until_they_are_brought_back() -> Result<()> {
    let stage = Stage::new()?;
    let (app, held) = stage.open("broken")?;
    let group = held.group.clone();
    stage.put_to_sleep(app, &held, 1, b"precious")?;
    let all = chunks(&stage, &group)?;
    for chunk in &all {
        flip(chunk)?;
    }
    let text = stage.begin(&["wake", &group])?.fails()?;
    has_three_parts(&text, "damaged")?;
    let status = stage.status(&group)?.context("it is gone")?;
    ensure!(
        status["state"] == "asleep" || status["state"] == "quarantined",
        "{status}"
    );
    ensure!(chunks(&stage, &group)? == all, "something was thrown away");

    // A backup is played in.
    for chunk in &all {
        flip(chunk)?;
    }
    // The process that was started for the first try may be there still; it has nothing and ends when it is told.
    let wake = stage.begin(&["wake", &group])?;
    let mut app = loop {
        let mut app = stage.next_puppet()?;
        if app.register("1.0").is_ok()
            && stage
                .status(&group)?
                .is_some_and(|g| g["state"] == "waking")
        {
            break app;
        }
    };
    let (wish, _) = app.wake_up()?;
    ensure!(wish.state == b"precious", "{wish:?}");
    ensure!(wake.end()?.code == 0);
    stage.goes_on()
}

/// A group that sleeps with two generations.
fn sleeps(stage: &Stage, title: &str) -> Result<String> {
    let (mut app, held) = stage.open(title)?;
    ensure!(app.autosave(&held, 1, b"the former")? == 1);
    stage.put_to_sleep(app, &held, 2, b"the newest")?;
    Ok(held.group)
}

/// What is shown of a group whose journal is damaged; nothing can be done with it, and nothing is done to its file.
fn is_set_aside(stage: &Stage, group: &str, happened: &str) -> Result<Value> {
    let file = journal(&stage.session, group);
    let before = fs::read(&file)?;
    let status = stage.status(group)?.context("it is not shown")?;
    ensure!(status["state"] == "quarantined", "{status}");
    has_three_parts(&status["error"].to_string(), happened)?;
    let told = stage.told(group)?;
    ensure!(told.len() == 1 && told[0].contains(happened), "{told:?}");
    let text = stage.begin(&["wake", group])?.fails()?;
    has_three_parts(&text, happened)?;
    ensure!(fs::read(&file)? == before, "its journal was written to");
    Ok(status)
}

#[test]
fn a_group_whose_journal_is_damaged_is_shown_as_such_and_wakes_when_that_is_brought_back()
-> Result<()> {
    let mut stage = Stage::new()?;
    let last = sleeps(&stage, "damaged at its end")?;
    let first = sleeps(&stage, "damaged from the start")?;
    let sound = sleeps(&stage, "sound")?;
    stage.crash()?;
    let files = [&last, &first].map(|group| journal(&stage.session, group));
    let end = fs::read(&files[0])?.len() - 1;
    flip_at(&files[0], &[end])?;
    flip_at(&files[1], &[FIRST_RECORD + 20])?;
    stage.restart()?;

    let status = is_set_aside(&stage, &last, "is damaged on disk: the last record")?;
    ensure!(
        status["generation"] == 2 && status["title"] == "what the test app holds",
        "{status}"
    );
    ensure!(
        status["error"]
            .to_string()
            .contains("last good generation is 2"),
        "{status}"
    );
    let status = is_set_aside(&stage, &first, "is damaged on disk: a record within")?;
    ensure!(status["generation"] == 0, "{status}");
    // The others are fine.
    let (app, held) = stage.wakes_with(&sound, b"the newest")?;
    stage.put_to_sleep(app, &held, 3, b"newer")?;
    stage.goes_on()?;

    // Backups are played in.
    stage.crash()?;
    flip_at(&files[0], &[end])?;
    flip_at(&files[1], &[FIRST_RECORD + 20])?;
    stage.restart()?;
    for group in [&last, &first] {
        ensure!(stage.told(group)?.is_empty());
        let status = stage.group_is(group, "asleep")?;
        ensure!(
            status["generation"] == 2 && status["error"].is_null(),
            "{status}"
        );
        let (mut app, _) = stage.wakes_with(group, b"the newest")?;
        app.end(&Do::End)?;
    }
    stage.wakes_with(&sound, b"newer")?;
    Ok(())
}

#[test]
fn a_flipped_bit_where_a_journal_holds_nothing_changes_nothing() -> Result<()> {
    let mut stage = Stage::new()?;
    let group = sleeps(&stage, "sound")?;
    stage.crash()?;
    // Zeros behind the journal's name and behind its slots, and one of the slots: there is another.
    flip_at(&journal(&stage.session, &group), &[100, 520, 700, 1100])?;
    stage.restart()?;
    let status = stage.group_is(&group, "asleep")?;
    ensure!(
        status["generation"] == 2 && status["error"].is_null(),
        "{status}"
    );
    stage.wakes_with(&group, b"the newest")?;
    Ok(())
}

/// Lays a small disk of its own under the store, in a mount namespace that ends with this test.
fn small_disk(session: &Session) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a small disk needs root, for a mount of its own: run it by sudo"
    );
    // SAFETY: a namespace of mounts changes no memory and closes no descriptor.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
    let folder = store(session);
    fs::create_dir_all(&folder)?;
    for arguments in [
        vec!["--make-rprivate".into(), PathBuf::from("/")],
        ["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"]
            .iter()
            .map(PathBuf::from)
            .chain([folder])
            .collect(),
    ] {
        let status = Command::new("mount").args(&arguments).status()?;
        ensure!(status.success(), "mount {arguments:?}: {status}");
    }
    Ok(())
}

/// Writes until nothing more fits.
fn fill(file: &Path) -> Result<()> {
    let mut ballast = fs::File::create(file)?;
    for size in [64 << 10, 4 << 10, 1] {
        while ballast.write_all(&vec![1; size]).is_ok() {}
    }
    Ok(())
}

#[test]
fn a_full_disk_keeps_the_group_open_until_there_is_room() -> Result<()> {
    let stage = Stage::prepared(small_disk)?;
    let (mut app, held) = stage.open("large")?;
    ensure!(app.autosave(&held, 1, b"small")? == 1);
    let ballast = store(&stage.session).join("ballast");
    fill(&ballast)?;
    // Random enough that no compression makes it fit.
    let large: Vec<u8> = (0..40_000_u32)
        .flat_map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes())
        .take(400_000)
        .collect();
    let hibernate = stage.begin(&["hibernate", &held.group])?;
    let order = app.asked_to_save()?;
    let payload = overwinter_tests::test_app::words::Payload::Honest(large.clone());
    app.tell_well(&overwinter_tests::test_app::puppet::saved(
        &order, 2, payload,
    ))?;
    let text = hibernate.fails()?;
    has_three_parts(&text, "the disk is full")?;
    ensure!(text.contains("Free space"), "{text}");
    let status = stage.group_is(&held.group, "live")?;
    ensure!(
        status["generation"] == 1 && status["pid"] == app.pid,
        "{status}"
    );

    fs::remove_file(&ballast)?;
    stage.goes_on()?;
    stage.put_to_sleep(app, &held, 2, &large)?;
    let (mut app, _) = stage.wakes_with(&held.group, &large)?;
    app.end(&Do::End)
}
