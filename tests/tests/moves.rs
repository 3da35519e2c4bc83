//! Moves that are cut off: either host is killed after each durable record, or disappears in the middle. Whatever happens,
//! the group is found on exactly one host, with every word that was typed into it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use overwinter_tests::atspi::Reader;
use overwinter_tests::host::Hosts;
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::install;
use overwinter_tests::session::{Said, Session, Wish};
use overwinter_tests::story::expect;
use overwinter_tests::wait;

/// In the file.
const WRITTEN: &str = "written before\n";
/// Typed, and in no file.
const TYPED: &str = "typed and never saved\n";

/// Which host dies.
#[derive(Clone, Copy, PartialEq)]
enum Dies {
    Source,
    Destination,
}

/// Two hosts, each with a session and the editor; a document with unsaved words is open on the first.
struct Stage {
    a: Session,
    b: Session,
    rsh: String,
    hosts: Hosts,
    /// What the document must hold wherever it is.
    text: String,
    _base: tempfile::TempDir,
}

impl Stage {
    fn new(
        on_a: BTreeMap<String, String>,
        on_b: BTreeMap<String, String>,
        written: &str,
    ) -> Result<Self> {
        let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
        let mut hosts = Hosts::new(base.path())?;
        let home = base.path().join("home");
        let session = |place: &overwinter_tests::place::Place, name: &str| {
            Session::prepare(Wish {
                place: place.clone(),
                home: Some(home.clone()),
                ..Wish::headless(base.path().join(name))
            })
        };
        let (mut a, mut b) = (session(&hosts.a, "a")?, session(&hosts.b, "b")?);
        install::editor(&a, 2)?;
        install::editor(&b, 2)?;
        a.restart(on_a)?;
        b.restart(on_b)?;
        let rsh = hosts.start_sshd(&b)?;

        let file = home.join("notes.txt");
        fs::write(&file, written)?;
        let text = format!("{TYPED}{written}");
        let eyes = Reader::new(&a)?;
        let said = a.overwinter(&["launch", install::EDITOR, &file.display().to_string()])?;
        ensure!(said.code == 0, "overwinter launch: {}", said.err);
        expect(&eyes, "notes.txt", "the file's text", |c| c.text == written)?;
        let mut hands = Hands::new(&a)?;
        hands.tap(modifier::CTRL, key::HOME)?;
        hands.type_text(TYPED)?;
        expect(&eyes, "notes.txt", "what was typed", |c| c.text == text)?;
        Ok(Stage {
            a,
            b,
            rsh,
            hosts,
            text,
            _base: base,
        })
    }

    fn move_to_b(&self) -> Result<Said> {
        let program = self.hosts.program_on_b();
        let to = self.hosts.name_of_b();
        self.a.overwinter(&[
            "move",
            "--to",
            to,
            "--rsh",
            &self.rsh,
            "--remote-program",
            &program,
        ])
    }

    /// Windows with the whole text on A and on B, after both were asked to wake whatever they may.
    fn found(&self) -> Result<(usize, usize)> {
        let mut found = [0, 0];
        for (session, count) in [&self.a, &self.b].into_iter().zip(&mut found) {
            // Fails where there is nothing to wake: what counts is what is there afterwards.
            let said = session.overwinter(&["wake", "--all"])?;
            let eyes = Reader::new(session)?;
            if session.running(install::EDITOR_PROGRAM)?.is_empty() {
                continue;
            }
            let views = wait::until_within(
                Duration::from_secs(15),
                "the editor shows its windows",
                || {
                    let views = eyes.views()?;
                    let idle = session.running(install::EDITOR_PROGRAM)?.is_empty();
                    Ok((!views.is_empty() || idle).then_some(views))
                },
            )
            .with_context(|| format!("{}{}", said.out, said.err))?;
            for view in &views {
                let content = eyes.content(view)?;
                ensure!(
                    content.text == self.text,
                    "a window shows {:?}",
                    content.text
                );
            }
            *count = views.len();
        }
        Ok((found[0], found[1]))
    }
}

/// Kills one host after a record; looks; lets it come back; looks; moves again; looks.
fn killed_after(record: &str, dies: Dies) -> Result<()> {
    let fault = BTreeMap::from([(
        "OVERWINTER_FAULT".to_owned(),
        format!("after-record:{record}"),
    )]);
    let (on_a, on_b) = match dies {
        Dies::Source => (fault, BTreeMap::new()),
        Dies::Destination => (BTreeMap::new(), fault),
    };
    let mut stage = Stage::new(on_a, on_b, WRITTEN)?;
    let first = stage.move_to_b()?;
    let dead = match dies {
        Dies::Source => &mut stage.a,
        Dies::Destination => &mut stage.b,
    };
    dead.wait_for_compositor_end(wait::PATIENCE)
        .with_context(|| format!("it was to die after {record}; move said {first:?}"))?;
    dead.crash()?;
    dead.restart(BTreeMap::new())?;

    let (a, b) = stage.found()?;
    ensure!(
        a + b <= 1,
        "after {record} the group runs on both hosts ({a} windows on A, {b} on B)"
    );

    let second = stage.move_to_b()?;
    let (a, b) = stage.found()?;
    let logs = || {
        format!(
            "first {first:?}\nsecond {second:?}\n{}{}",
            stage.a.logs(),
            stage.b.logs()
        )
    };
    ensure!(
        a + b == 1,
        "after {record} and a second move there are {a} windows on A and {b} on B\n{}",
        logs()
    );
    ensure!(
        b == 1,
        "after {record} and a second move the group is still on A\n{}",
        logs()
    );
    Ok(())
}

#[test]
fn the_source_dies_after_preparing() -> Result<()> {
    killed_after("preparing", Dies::Source)
}

#[test]
fn the_destination_dies_after_staged() -> Result<()> {
    killed_after("staged", Dies::Destination)
}

#[test]
fn the_source_dies_after_released() -> Result<()> {
    killed_after("released", Dies::Source)
}

#[test]
fn the_destination_dies_after_owned() -> Result<()> {
    killed_after("owned", Dies::Destination)
}

#[test]
fn the_source_dies_after_done() -> Result<()> {
    killed_after("done", Dies::Source)
}

/// The destination dies with the group staged, the source dies once it has written that the move did not happen.
#[test]
fn both_die_when_the_move_is_aborted() -> Result<()> {
    let fault = |record: &str| {
        BTreeMap::from([(
            "OVERWINTER_FAULT".to_owned(),
            format!("after-record:{record}"),
        )])
    };
    let mut stage = Stage::new(fault("aborted"), fault("staged"), WRITTEN)?;
    let first = stage.move_to_b()?;
    for session in [&mut stage.b, &mut stage.a] {
        session
            .wait_for_compositor_end(wait::PATIENCE)
            .with_context(|| format!("{first:?}"))?;
        session.crash()?;
        session.restart(BTreeMap::new())?;
    }
    let (a, b) = stage.found()?;
    ensure!(
        (a, b) == (1, 0),
        "aborted, but there are {a} windows on A and {b} on B"
    );
    let second = stage.move_to_b()?;
    let (a, b) = stage.found()?;
    ensure!(
        (a, b) == (0, 1),
        "after a second move there are {a} windows on A and {b} on B: {second:?}"
    );
    Ok(())
}

/// A remote shell through which only the first bytes come; then it is silent, and at last the cable is pulled.
#[test]
fn a_destination_that_disappears_leaves_the_group_with_the_source() -> Result<()> {
    // More than is let through, whatever compression makes of it.
    let long: String = (0..6000_u32)
        .map(|n| format!("{:08x}\n", n.wrapping_mul(2_654_435_761)))
        .collect();
    let mut stage = Stage::new(BTreeMap::new(), BTreeMap::new(), &long)?;
    let stall = stage.a.base().join("stall");
    fs::write(
        &stall,
        "exec 3<&0 4>&1\n\
         limit=$1; shift\n\
         ( exec <&3 3<&- 4>&-; head -c $limit; exec cat >/dev/null ) | \"$@\" >&4 3<&- 4>&- &\n\
         exec <&- >&- 3<&- 4>&-\n\
         wait\n",
    )?;
    let direct = stage.rsh.clone();
    stage.rsh = format!("sh {} 12000 {direct}", stall.display());
    let eyes = Reader::new(&stage.a)?;
    let said = std::thread::scope(|scope| -> Result<Said> {
        let moving = scope.spawn(|| stage.move_to_b());
        // The move has begun when the window has gone to sleep.
        wait::until("A puts the group to sleep", || {
            Ok(eyes.views()?.is_empty().then_some(()))
        })?;
        stage.hosts.set_cable(false)?;
        moving
            .join()
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the move panicked")))
    })?;
    assert_eq!(said.code, 1, "{said:?}");
    let words = format!("{}{}", said.out, said.err);
    ensure!(
        words.contains("It is here with all its work"),
        "it does not say what was kept: {words}"
    );

    let (a, b) = stage.found()?;
    ensure!(
        (a, b) == (1, 0),
        "there are {a} windows on A and {b} on B: {words}"
    );
    // With the cable in again, nothing of the lost attempt is in the way.
    stage.hosts.set_cable(true)?;
    stage.rsh = direct;
    let again = stage.move_to_b()?;
    let (a, b) = stage.found()?;
    ensure!(
        (a, b) == (0, 1),
        "there are {a} windows on A and {b} on B: {again:?}"
    );
    Ok(())
}
