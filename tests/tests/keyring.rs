//! The store's key in a whole session: a real keyring keeps it, loses it, is locked; what the user is told, and that all work is
//! there again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use overwinter_tests::test_app::puppet::{Order, saved};
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::Payload;
use overwinter_tests::{proc, wait};
use serde_json::Value;

/// A real keyring beside the session; it ends when it is dropped.
struct Keyring(Child);

impl Drop for Keyring {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Keyring {
    fn start(stage: &Stage) -> Result<Keyring> {
        let log = fs::File::create(stage.session.base().join("log/keyring"))?;
        let mut child = stage
            .session
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .arg("--control-directory")
            .arg(stage.session.runtime().join("keyring"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("gnome-keyring-daemon: see scripts/setup")?;
        let mut password = child.stdin.take().context("no stdin")?;
        password.write_all(b"a password")?;
        drop(password);
        let keyring = Keyring(child);
        let named = "org.freedesktop.secrets";
        wait::until("the keyring has its name", || {
            let arguments = [
                "--session",
                "--print-reply=literal",
                "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus.NameHasOwner",
                &format!("string:{named}"),
            ];
            let said = stage.session.run("dbus-send", &arguments)?;
            Ok(String::from_utf8_lossy(&said)
                .contains("true")
                .then_some(()))
        })?;
        Ok(keyring)
    }
}

/// A keyring, and the session anew beside it: the end of a session is the end of its keyring, too.
fn start(stage: &mut Stage) -> Result<Keyring> {
    let keyring = Keyring::start(stage)?;
    stage.restart()?;
    Ok(keyring)
}

fn status(stage: &Stage) -> Result<Value> {
    let said = stage.session.overwinter(&["status", "--json"])?;
    ensure!(said.code == 0, "{said:?}\n{}", stage.session.logs());
    Ok(serde_json::from_str(&said.out)?)
}

fn slots_become(stage: &Stage, slots: &[&str]) -> Result<()> {
    wait::until(&format!("the slots are {slots:?}"), || {
        let now = status(stage)?["store"]["slots"].clone();
        ensure!(now == Value::from(slots), "they are {now}");
        Ok(Some(()))
    })
}

/// What the user was told with these words in it.
fn notices(stage: &Stage, words: &str) -> Result<Vec<String>> {
    let status = status(stage)?;
    let all = status["notices"].as_array().context("no notices")?;
    let texts = all.iter().filter_map(|n| n["text"].as_str());
    Ok(texts
        .filter(|text| text.contains(words))
        .map(str::to_owned)
        .collect())
}

#[test]
fn the_keyring_opens_the_store_and_a_keyring_that_lost_its_key_is_told_once() -> Result<()> {
    let mut stage = Stage::new()?;
    let (mut app, held) = stage.open("a draft")?;
    ensure!(app.autosave(&held, 1, b"half a sentence")? == 1);
    slots_become(&stage, &["key-file"])?;
    let warned = status(&stage)?["store"]["warning"].clone();
    ensure!(
        warned.as_str().is_some_and(|w| w.contains("unprotected")),
        "{warned}"
    );
    let shown = stage.session.overwinter(&["status"])?;
    ensure!(
        shown
            .out
            .contains("opened by key-file\nwarning: the master key"),
        "{shown:?}"
    );

    // A service answers: the next session has two slots.
    stage.crash()?;
    let keyring = start(&mut stage)?;
    slots_become(&stage, &["secret-service", "key-file"])?;
    ensure!(notices(&stage, "keyring")?.is_empty());

    // The keyring alone opens it, and is not left alone.
    stage.crash()?;
    drop(keyring);
    let master = stage.session.state().join("overwinter/store/master");
    fs::remove_file(&master)?;
    let keyring = start(&mut stage)?;
    stage.group_is(&held.group, "asleep")?;
    slots_become(&stage, &["secret-service", "key-file"])?;

    // The keyring is reset: the key file opens it, the user hears of it once.
    stage.crash()?;
    drop(keyring);
    fs::remove_dir_all(stage.session.base().join("data/keyrings"))?;
    let keyring = start(&mut stage)?;
    let lost = "did not have the key of the store";
    wait::until("the user is told", || {
        Ok((notices(&stage, lost)?.len() == 1).then_some(()))
    })?;
    for told in notices(&stage, lost)? {
        has_three_parts(&told, lost)?;
    }
    stage.crash()?;
    drop(keyring);
    fs::remove_file(&master)?;
    let _keyring = start(&mut stage)?;
    slots_become(&stage, &["secret-service", "key-file"])?;
    ensure!(notices(&stage, lost)?.is_empty(), "told again");
    stage.wakes_with(&held.group, b"half a sentence")?;
    Ok(())
}

#[test]
fn an_idle_session_is_not_woken_by_what_looked_after_the_keyring() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.crash()?;
    let _keyring = start(&mut stage)?;
    slots_become(&stage, &["secret-service", "key-file"])?;
    let pid = stage.session.compositor_pid().context("no compositor")?;
    let threads = || -> Result<Vec<String>> {
        let all = proc::wakeups(stage.session.place(), pid)?;
        Ok(all.into_iter().map(|(name, _)| name).collect())
    };
    wait::until("its threads have gone", || {
        let ours = ["keys", "keyring", "zbus::Connectio"];
        let left = threads()?;
        let left: Vec<_> = left
            .iter()
            .filter(|name| ours.contains(&name.as_str()) || name.starts_with("blocking"))
            .collect();
        ensure!(left.is_empty(), "{left:?} are left");
        Ok(Some(()))
    })
}

#[test]
fn without_a_way_to_the_key_there_is_a_plain_session_that_says_so() -> Result<()> {
    let mut stage = Stage::new()?;
    let (mut app, held) = stage.open("a draft")?;
    ensure!(app.autosave(&held, 1, b"half a sentence")? == 1);
    stage.crash()?;
    let keyring = start(&mut stage)?;
    slots_become(&stage, &["secret-service", "key-file"])?;
    stage.crash()?;
    drop(keyring);
    let store = stage.session.state().join("overwinter/store");
    let away = stage.session.base().join("away");
    fs::rename(store.join("master"), &away)?;
    stage.restart()?;
    let said = stage.session.overwinter(&["status"])?;
    ensure!(said.code != 0, "{said:?}");
    let logs = stage.session.logs();
    for words in [
        "no Secret Service is there",
        "Nothing in it was touched",
        "plain Wayland session",
    ] {
        ensure!(logs.contains(words), "{words}: {logs}");
    }
    // The key file is back from a backup, and so is everything.
    stage.crash()?;
    fs::rename(&away, store.join("master"))?;
    stage.restart()?;
    stage.wakes_with(&held.group, b"half a sentence")?;
    Ok(())
}

/// Bytes that nothing makes smaller.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

#[test]
fn a_save_beyond_the_quota_is_refused_and_the_app_lives_on() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.crash()?;
    let quota = ("OVERWINTER_STORE_QUOTA".to_owned(), "512K".to_owned());
    stage.session.restart(BTreeMap::from([quota]))?;
    let (mut app, held) = stage.open("a draft")?;
    ensure!(app.autosave(&held, 1, &noise(1, 100 << 10))? == 1);
    wait::until("what it takes is told", || {
        let store = status(&stage)?["store"].clone();
        ensure!(store["quota"] == 512 << 10, "{store}");
        let used = store["used"].as_u64().unwrap_or_default();
        Ok((used > 100 << 10).then_some(()))
    })?;
    ensure!(notices(&stage, "that it may")?.is_empty());
    let order = Order {
        op: 0,
        group: held.group.clone(),
        lease: held.lease,
        revision: 0,
    };
    // More than may ever be there.
    app.tell_well(&saved(&order, 2, Payload::Honest(noise(2, 1 << 20))))?;
    let refused = "a save that did not fit was refused";
    wait::until("the user is told", || {
        Ok((notices(&stage, refused)?.len() == 1).then_some(()))
    })?;
    for told in notices(&stage, refused)? {
        for words in [
            "of the 512.0 KiB",
            "“what the test app holds”",
            "overwinter store gc",
            "is kept",
        ] {
            ensure!(told.contains(words), "{words}: {told}");
        }
    }
    // It lives, and what fits is saved.
    stage.group_is(&held.group, "live")?;
    ensure!(app.autosave(&held, 3, b"a short end")? >= 2);
    // The last tenth is told once.
    ensure!(app.autosave(&held, 4, &noise(4, 320 << 10))? >= 3);
    wait::until("the user is told that little is left", || {
        Ok((notices(&stage, "that it may")?.len() == 2).then_some(()))
    })?;
    stage.put_to_sleep(app, &held, 5, b"the end")?;
    stage.wakes_with(&held.group, b"the end")?;
    Ok(())
}
