//! `overwinter doctor` and `overwinter store …` beside a running session: the session is asked, and goes on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use overwinter_tests::place::programs;
use overwinter_tests::session::{Said, Session};
use overwinter_tests::test_app::stage::Stage;
use overwinter_tests::test_app::words::Do;
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

/// What it says when it ends with this code, with these words in it.
fn ends(stage: &Stage, arguments: &[&str], code: i32, words: &[&str]) -> Result<Said> {
    let said = stage.session.overwinter(arguments)?;
    ensure!(
        said.code == code,
        "{arguments:?}: {said:?}\n{}",
        stage.session.logs()
    );
    for word in words {
        let told = said.out.contains(word) || said.err.contains(word);
        ensure!(told, "{arguments:?} does not say {word:?}: {said:?}");
    }
    Ok(said)
}

fn json(said: &Said) -> Result<Value> {
    serde_json::from_str(&said.out).with_context(|| said.out.clone())
}

#[test]
fn the_session_that_has_the_store_is_asked() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("a letter")?;
    ensure!(app.autosave(&held, 1, b"the former")? == 1);
    let former = chunks(&stage, &held.group)?;
    stage.put_to_sleep(app, &held, 2, b"the newest")?;
    let said = ends(
        &stage,
        &["doctor"],
        0,
        &["1 group, 2 generations", "all whole"],
    )?;
    ensure!(
        said.err.is_empty(),
        "a bar where there is no terminal: {said:?}"
    );
    // The folder that the session has is the session's, whatever it is called.
    let folder = store(&stage.session).join("../store").display().to_string();
    ends(&stage, &["doctor", "--store", &folder], 0, &["all whole"])?;
    let short = held.group.get(..8).context("a short id")?;
    ends(&stage, &["store", "du"], 0, &[short, "in all, 1 group"])?;
    let usage = json(&ends(&stage, &["store", "du", "--json"], 0, &[])?)?;
    ensure!(
        usage[0]["group"] == held.group && usage[0]["generations"] == 2,
        "{usage}"
    );
    ends(&stage, &["store", "gc", "--now"], 0, &[])?;

    let newest: Vec<PathBuf> = chunks(&stage, &held.group)?
        .difference(&former)
        .cloned()
        .collect();
    ensure!(!newest.is_empty(), "nothing was written");
    let aside = stage.session.base().join("aside");
    for (at, chunk) in newest.iter().enumerate() {
        fs::copy(chunk, aside.with_extension(at.to_string()))?;
        fs::write(chunk, "nothing of the kind")?;
    }
    ends(
        &stage,
        &["doctor"],
        1,
        &[short, "damaged: generation 2", "last good generation is 1"],
    )?;
    let health = json(&ends(&stage, &["doctor", "--json"], 1, &[])?)?;
    let findings = health["findings"].as_array().context("no findings")?;
    ensure!(
        findings
            .iter()
            .any(|f| f["last_good"] == 1 && f["repaired"] == false),
        "{health}"
    );
    let file = stage.session.base().join("letter").display().to_string();
    ends(&stage, &["store", "export", short, &file], 1, &["damaged"])?;
    ensure!(!Path::new(&file).exists(), "half a file");
    ends(
        &stage,
        &["store", "export", short, &file, "--last-good"],
        0,
        &["generation 1"],
    )?;
    for (at, chunk) in newest.iter().enumerate() {
        fs::copy(aside.with_extension(at.to_string()), chunk)?;
    }
    ends(&stage, &["doctor"], 0, &["all whole"])?;
    stage.wakes_with(&held.group, b"the newest")?;
    stage.goes_on()
}

#[test]
fn a_group_goes_out_and_comes_back_as_another_that_wakes() -> Result<()> {
    let stage = Stage::new()?;
    let (app, held) = stage.open("a letter")?;
    stage.put_to_sleep(app, &held, 1, b"Dear reader")?;
    let file = stage.session.base().join("letter").display().to_string();
    ends(
        &stage,
        &["store", "export", &held.group, &file],
        0,
        &["generation 1", "can read the group"],
    )?;
    ends(
        &stage,
        &["store", "export", &held.group, &file],
        2,
        &["is there already"],
    )?;
    let said = ends(&stage, &["store", "import", &file, "--json"], 0, &[])?;
    let group = json(&said)?["group"]
        .as_str()
        .context("no group")?
        .to_owned();
    ensure!(group != held.group, "a group is in two places");
    // It is there at once, and the other one is as it was.
    stage.group_is(&group, "asleep")?;
    stage.group_is(&held.group, "asleep")?;
    let (mut app, _) = stage.wakes_with(&group, b"Dear reader")?;
    app.end(&Do::End)?;

    // By way of a pipe.
    let program = programs().join("overwinter").display().to_string();
    let script = format!(
        "'{program}' store export {} - | '{program}' store import - --json",
        held.group
    );
    let said = stage.session.run("sh", &["-c", &script])?;
    let told: Value = serde_json::from_slice(&said)?;
    stage.group_is(told["group"].as_str().context("no group")?, "asleep")?;
    fs::write(&file, "overwinter-group 1\nnothing of the kind")?;
    ends(&stage, &["store", "import", &file], 1, &[])?;
    ends(&stage, &["doctor"], 0, &["all whole"])?;
    stage.goes_on()
}

#[test]
fn another_store_is_opened_beside_the_session_and_its_own_from_another_bus_is_not() -> Result<()> {
    let stage = Stage::new()?;
    let (app, held) = stage.open("a letter")?;
    stage.put_to_sleep(app, &held, 1, b"Dear reader")?;
    let other = stage.session.base().join("other");
    overwinter_store::Store::open(&other)?;
    let named = other.display().to_string();
    ends(
        &stage,
        &["doctor", "--store", &named],
        0,
        &["0 groups", "all whole"],
    )?;
    let file = stage.session.base().join("letter").display().to_string();
    ends(&stage, &["store", "export", &held.group, &file], 0, &[])?;
    ends(
        &stage,
        &["store", "import", &file, "--store", &named],
        0,
        &[],
    )?;
    ends(
        &stage,
        &["doctor", "--store", &named],
        0,
        &["1 group,", "all whole"],
    )?;

    let mut stranger = stage.session.command(programs().join("overwinter"));
    let output = stranger
        .args(["doctor", "--repair"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let pid = stage.session.compositor_pid().context("no compositor")?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    ensure!(
        text.contains(&format!("in use by process {pid} (")),
        "{text}"
    );
    stage.goes_on()
}

#[test]
fn keys_come_and_go_beside_the_session() -> Result<()> {
    let mut stage = Stage::new()?;
    let (app, held) = stage.open("a letter")?;
    stage.put_to_sleep(app, &held, 1, b"Dear reader")?;
    let word = stage.session.base().join("word");
    fs::write(&word, "correct horse\n")?;
    let word = word.display().to_string();
    let key = ["store", "key"];
    ends(&stage, &key, 0, &["key-file"])?;
    let add = [&key[..], &["add", "passphrase", "--passphrase-file", &word]].concat();
    ends(&stage, &add, 0, &["passphrase\n"])?;
    let slots = json(&ends(&stage, &["store", "key", "--json"], 0, &[])?)?;
    ensure!(
        slots["slots"] == serde_json::json!(["passphrase", "key-file"]),
        "{slots}"
    );
    let remove = [&key[..], &["remove", "passphrase"]].concat();
    ends(&stage, &remove, 2, &["only key-file would be left"])?;
    let rotate = [&key[..], &["rotate", "--passphrase-file", &word]].concat();
    ends(&stage, &rotate, 0, &["a new master key"])?;
    // Both slots open what is there, and it is what was.
    stage.crash()?;
    let file = store(&stage.session).join("master");
    let aside = stage.session.base().join("aside");
    fs::rename(&file, &aside)?;
    ends(
        &stage,
        &["doctor", "--passphrase-file", &word],
        0,
        &["all whole"],
    )?;
    fs::rename(&aside, &file)?;
    stage.restart()?;
    stage.wakes_with(&held.group, b"Dear reader")?;
    stage.goes_on()
}
