//! The editor without a session manager is an ordinary editor; and the way in which the other tests read its text works.

use std::fs;

use anyhow::{Context, Result, ensure};
use overwinter_tests::atspi::Reader;
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::place::programs;
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::story::{expect, still};
use overwinter_tests::wait;

#[test]
fn the_editor_edits_where_no_session_manager_is() -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let session = Session::start(Wish {
        keeps: false,
        ..Wish::headless(base.path().join("s"))
    })?;
    let empty = still(&session)?;
    let file = session.home().join("notes.txt");
    fs::write(&file, "one\ntwo\n")?;
    let path = file.display().to_string();
    let mut editor = session.spawn(programs().join("overwinter-editor-1"), &[&path])?;
    let eyes = Reader::new(&session)?;
    let (view, content) = expect(&eyes, "notes.txt", "the file's text", |c| {
        c.text == "one\ntwo\n"
    })?;
    assert_eq!(view.pid, editor.id());
    assert_eq!(content.selection, None);
    let shown = wait::until("the window is on screen", || {
        let now = still(&session)?;
        let around = empty.difference(&now, empty.whole()).1;
        Ok(around.filter(|r| r.width > 300))
    })?;

    let mut hands = Hands::new(&session)?;
    hands.click(shown.middle())?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("zero\n")?;
    expect(&eyes, "notes.txt", "a typed line", |c| {
        c.text == "zero\none\ntwo\n" && c.caret == 5
    })?;
    hands.tap(modifier::SHIFT, key::RIGHT)?;
    hands.tap(modifier::SHIFT, key::RIGHT)?;
    expect(&eyes, "notes.txt", "a selection", |c| {
        c.selection == Some((5, 7))
    })?;

    // What is copied in the editor is pasted by another program.
    hands.tap(modifier::CTRL, key::C)?;
    wait::until("the selection is on the clipboard", || {
        let pasted = session.run("wl-paste", &["--no-newline"])?;
        ensure!(pasted == b"on", "{:?}", String::from_utf8_lossy(&pasted));
        Ok(Some(()))
    })?;
    hands.tap(modifier::CTRL, key::Z)?;
    expect(&eyes, "notes.txt", "less after undo", |c| {
        c.text.len() < "zero\none\ntwo\n".len()
    })?;
    editor.kill()?;
    editor.wait().context("the editor")?;
    Ok(())
}
