//! What `overwinter` says when something is wrong: what happened, what was kept, what to do; and its exit code, by which a
//! script knows whether anything may have been changed.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use overwinter_tests::place::programs;
use overwinter_tests::session::{Said, Session, Wish};
use overwinter_tests::test_app::stage::{Stage, has_three_parts};

/// It was refused before anything was begun.
fn is_refused(said: &Said, happened: &str) -> Result<()> {
    ensure!(said.code == 2, "{said:?}");
    ensure!(said.out.is_empty(), "errors are not output: {said:?}");
    has_three_parts(&said.err, happened)
}

/// It was begun and failed; what the user reads has these words.
fn fails(said: &Said, happened: &str) -> Result<()> {
    ensure!(said.code == 1, "{said:?}");
    has_three_parts(&format!("{}{}", said.out, said.err), happened)
}

#[test]
fn without_a_session_every_command_says_so() -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let session = Session::prepare(Wish::headless(base.path().join("s")))?;
    for arguments in [
        &["status"][..],
        &["hibernate", "--all"],
        &["move", "--to", "lamp"],
        &["quit"],
    ] {
        let said = session.overwinter(arguments)?;
        is_refused(&said, "no Overwinter session runs on this bus")?;
    }
    let mut command = session.command(programs().join("overwinter"));
    let nowhere = format!("unix:path={}", base.path().join("nothing").display());
    let output = command
        .arg("status")
        .env("DBUS_SESSION_BUS_ADDRESS", nowhere)
        .output()?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    has_three_parts(&text, "the session bus cannot be reached")?;
    // The picture is another matter: it needs a compositor and no session.
    let picture = base.path().join("picture.png");
    let said = session.overwinter(&["screenshot", &picture.display().to_string()])?;
    is_refused(&said, "no Wayland compositor can be reached")?;
    ensure!(!picture.exists(), "a picture of nothing");
    Ok(())
}

#[test]
fn a_group_that_is_not_clear_is_not_touched() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, one) = stage.open("twins")?;
    let two = app.open("twins")?;
    let session = &stage.session;
    let said = session.overwinter(&["hibernate", "triplets"])?;
    is_refused(&said, "no group is called `triplets`")?;
    let said = session.overwinter(&["hibernate", "twins"])?;
    is_refused(&said, "may be any of")?;
    for held in [&one, &two] {
        let digits = held.group.get(..8).context("a short id")?;
        ensure!(said.err.contains(digits), "{said:?}");
        stage.group_is(&held.group, "live")?;
    }
    let said = session.overwinter(&["launch", "org.example.Nothing"])?;
    ensure!(
        said.code == 1 && said.out.contains("install it"),
        "{said:?}"
    );
    for asked in [&["update"][..], &["update", "--undo"]] {
        let said = session.overwinter(&[asked, &["org.example.Nothing"]].concat())?;
        ensure!(said.code != 0, "{said:?}");
        has_three_parts(&said.err, "There is no app org.example.Nothing here")?;
    }
    let said = session.overwinter(&["move", "--to", "lamp", "--no-wait", &one.group])?;
    is_refused(&said, "--no-wait cannot be had")?;
    let said = session.overwinter(&["move", "--to", "-oProxyCommand=x", &one.group])?;
    ensure!(said.code == 2, "{said:?}");
    let nowhere = "/nonexistent/picture.png";
    fails(&session.overwinter(&["screenshot", nowhere])?, nowhere)?;
    stage.goes_on()
}

/// `overwinter move` of one group by a remote shell that is this script.
fn moved_by(stage: &Stage, group: &str, script: &str, more: &[&str]) -> Result<Said> {
    let rsh = format!("sh -c '{script}'");
    let mut arguments = vec!["move", group, "--to", "lamp", "--rsh", &rsh];
    arguments.extend(more);
    stage.session.overwinter(&arguments)
}

#[test]
fn a_move_that_comes_to_nothing_names_the_reason_and_leaves_the_group_live() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("homebody")?;
    ensure!(app.autosave(&held, 1, b"at home")? == 1);
    for (script, more, happened) in [
        ("exit 255", &[][..], "did not get through"),
        ("exit 127", &[], "it has no program `overwinter`"),
        ("exit 2", &[], "no session there takes groups"),
        // Takes all and says nothing: the stream ends with the command's patience.
        (
            "exec tail -f /dev/null",
            &["--timeout", "1"],
            "had not ended after 1 s and its stream was closed",
        ),
        // Talks for ever, of something else.
        (
            "exec yes",
            &["--timeout", "5"],
            "not everything went to lamp",
        ),
    ] {
        let said = moved_by(&stage, &held.group, script, more)?;
        fails(&said, happened).with_context(|| script.to_owned())?;
        ensure!(!said.err.contains("It goes on"), "{said:?}");
        let status = stage.group_is(&held.group, "live")?;
        ensure!(status["pid"] == app.pid, "{status}");
        let status: serde_json::Value =
            serde_json::from_str(&stage.session.overwinter(&["status", "--json"])?.out)?;
        ensure!(
            status["operations"] == serde_json::json!([]),
            "the move is not over: {status}"
        );
    }
    stage.goes_on()
}

/// What docs/status.md promises is what a program reads, by name.
#[test]
fn status_as_json_has_every_field_that_is_documented() -> Result<()> {
    let stage = Stage::new()?;
    let (mut app, held) = stage.open("documented")?;
    ensure!(app.autosave(&held, 1, b"x")? == 1);
    let page = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/status.md"));
    let page = std::fs::read_to_string(page)?;
    let (_, example) = page.split_once("```json").context("no example")?;
    let (example, _) = example.split_once("```").context("no end")?;
    let promised: serde_json::Value = serde_json::from_str(example)?;
    let said = stage.session.overwinter(&["status", "--json"])?;
    let told: serde_json::Value = serde_json::from_str(&said.out)?;
    ensure!(
        said.out.lines().count() >= 1 && said.err.is_empty(),
        "{said:?}"
    );
    for at in ["/session", "/groups/0", "/instances/0", "/apps/0", ""] {
        let names = |value: &serde_json::Value| -> Result<Vec<String>> {
            let object = value.pointer(at).and_then(serde_json::Value::as_object);
            Ok(object
                .with_context(|| format!("no {at}"))?
                .keys()
                .cloned()
                .collect())
        };
        let (promised, told) = (names(&promised)?, names(&told)?);
        for name in promised {
            ensure!(told.contains(&name), "{at} has no {name:?}: {told:?}");
        }
    }
    Ok(())
}
