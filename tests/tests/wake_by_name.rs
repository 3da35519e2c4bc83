//! Who wakes a group by its name goes on typing in it: it comes up on top with the focus, and of all of them the last one used.

use std::fs;

use anyhow::{Result, ensure};
use overwinter_tests::atspi::Reader;
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::install;
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::story::{expect, still};
use overwinter_tests::wait;

#[test]
fn what_was_woken_by_name_is_typed_into() -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let mut session = Session::prepare(Wish::headless(base.path().join("s")))?;
    install::editor(&session, 1)?;
    session.restart(Default::default())?;
    let eyes = Reader::new(&session)?;
    for name in ["first.txt", "second.txt", "third.txt"] {
        let before = still(&session)?;
        let file = session.home().join(name);
        fs::write(&file, "text\n")?;
        session.overwinter(&["launch", install::EDITOR, &file.display().to_string()])?;
        expect(&eyes, name, "the file's text", |c| c.text == "text\n")?;
        wait::until("its window is on screen", || {
            let around = before.difference(&still(&session)?, before.whole()).1;
            Ok(around.filter(|r| r.width > 300))
        })?;
    }
    let sleep = |which: &[&str]| -> Result<()> {
        let said = session.overwinter(&[&["hibernate"], which].concat())?;
        ensure!(said.code == 0, "{}", said.err);
        Ok(())
    };
    let wake = |which: &str| -> Result<()> {
        let said = session.overwinter(&["wake", which])?;
        ensure!(said.code == 0, "{}", said.err);
        Ok(())
    };
    // The third stays open, with the focus.
    sleep(&["first.txt", "second.txt"])?;
    wake("first.txt")?;
    let mut hands = Hands::new(&session)?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("zero\n")?;
    expect(&eyes, "first.txt", "what was typed", |c| {
        c.text == "zero\ntext\n"
    })?;
    sleep(&["first.txt"])?;
    wake("--all")?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("more\n")?;
    expect(&eyes, "first.txt", "what was typed next", |c| {
        c.text == "more\nzero\ntext\n"
    })?;
    for other in ["second.txt", "third.txt"] {
        expect(&eyes, other, "nothing typed", |c| c.text == "text\n")?;
    }
    Ok(())
}
