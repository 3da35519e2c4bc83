//! The life of an example in a session, whatever it is written in. Everything is looked at from the outside.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::atspi::{Content, Reader};
use crate::input::{Hands, key, modifier};
use crate::install;
use crate::screen::{Picture, Rect};
use crate::session::{Session, Wish};
use crate::story::still;
use crate::wait::{self, PATIENCE};

/// An example as it is installed.
pub struct Example {
    /// Its id.
    pub id: &'static str,
    /// Its two versions, each a file that can be started.
    pub versions: [PathBuf; 2],
    /// What it needs in its environment.
    pub env: Vec<(&'static str, String)>,
    /// Whether `/proc` tells which of the two a process runs; of a script only the process itself knows.
    pub is_program: bool,
    /// What it calls its notes.
    pub title: &'static str,
    /// Whether its windows' titles say the version, too.
    pub tells_version: bool,
    /// Whether the caret is kept.
    pub keeps_caret: bool,
}

impl Example {
    fn window(&self, version: usize) -> String {
        if self.tells_version {
            format!("{} in {version}.0", self.title)
        } else {
            self.title.to_owned()
        }
    }

    fn same(&self, content: &Content, before: &Content) -> bool {
        content.text == before.text && (content.caret == before.caret || !self.keeps_caret)
    }
}

/// The story of one note: asleep and awake, updated under the user's hands, brought back with what was written since, and up
/// again.
///
/// # Errors
/// Which part of it did not come true.
pub fn lives(example: &Example) -> Result<()> {
    let (_base, session, empty) = start(example, 1)?;
    ask(&session, &["launch", example.id])?;
    let eyes = Reader::new(&session)?;
    let first = shown(&eyes, example, 1, |content| content.text.is_empty())?.0;
    let rect = window_on(&session, &empty)?;
    let mut hands = Hands::new(&session)?;
    hands.click(rect.middle())?;
    hands.type_text("winter is coming\nnothing has to be closed")?;
    hands.tap(0, key::HOME)?;
    let before = shown(&eyes, example, 1, |content| {
        content.text == "winter is coming\nnothing has to be closed"
            && (content.caret == 17 || !example.keeps_caret)
    })?
    .1;

    // Asleep: no process. Awake: another one, with the same text and caret.
    ask(&session, &["hibernate", example.title])?;
    wait::for_end(first, PATIENCE)?;
    ensure!(eyes.views()?.is_empty(), "somebody shows a window");
    ask(&session, &["wake", example.title])?;
    let second = shown(&eyes, example, 1, |content| example.same(content, &before))?.0;
    ensure!(second != first, "the process never ended");

    // Updated: the session sees by itself that 2.0 is there.
    put(&session, example, 2)?;
    let third = shown(&eyes, example, 2, |content| example.same(content, &before))?.0;
    ensure!(third != second, "one process cannot run two versions");
    hands.click(rect.middle())?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("2.0: ")?;
    let edited = format!("2.0: {}", before.text);
    shown(&eyes, example, 2, |content| content.text == edited)?;

    // And back, with what was written in 2.0; and up again.
    ask(&session, &["update", "--undo", example.id])?;
    shown(&eyes, example, 1, |content| content.text == edited)?;
    ask(&session, &["update", example.id])?;
    shown(&eyes, example, 2, |content| content.text == edited)?;
    Ok(())
}

/// A session in which a version is installed, and how its screen looks with nothing on it.
///
/// # Errors
/// What was seen instead.
pub fn start(example: &Example, version: usize) -> Result<(tempfile::TempDir, Session, Picture)> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let mut wish = Wish::headless(base.path().join("s"));
    for (name, value) in &example.env {
        wish.env.insert((*name).to_owned(), value.clone());
    }
    let mut session = Session::prepare(wish.clone())?;
    put(&session, example, version)?;
    session.restart(wish.env)?;
    let empty = still(&session)?;
    Ok((base, session, empty))
}

///
/// # Errors
/// What was seen instead.
pub fn window_on(session: &Session, empty: &Picture) -> Result<Rect> {
    wait::until("the window is on screen", || {
        let now = still(session)?;
        let around = empty.difference(&now, empty.whole()).1;
        Ok(around.filter(|r| r.width > 300))
    })
}

/// Waits until one window shows the note with what is expected, by a process that runs this version.
///
/// # Errors
/// What is shown instead.
pub fn shown(
    eyes: &Reader,
    example: &Example,
    version: usize,
    fits: impl Fn(&Content) -> bool,
) -> Result<(u32, Content)> {
    let goal = fs::read(&example.versions[version - 1])?;
    wait::until(&format!("version {version} shows the note"), || {
        let views = eyes.views()?;
        let [view] = views.as_slice() else {
            bail!("{} windows are shown", views.len());
        };
        ensure!(
            view.window == example.window(version),
            "{:?} is shown",
            view.window
        );
        if example.is_program {
            let code = fs::read(format!("/proc/{}/exe", view.pid))?;
            ensure!(code == goal, "process {} runs other code", view.pid);
        }
        let content = eyes.content(view)?;
        ensure!(fits(&content), "{content:?}");
        Ok(Some((view.pid, content)))
    })
}

fn put(session: &Session, example: &Example, version: usize) -> Result<()> {
    install::app(
        session,
        example.id,
        "Notes",
        &format!("{version}.0"),
        &example.versions[version - 1],
        "notes",
        "",
    )
}

/// Asks the session by its command line for something that it is to do.
///
/// # Errors
/// When it says no.
pub fn ask(session: &Session, arguments: &[&str]) -> Result<()> {
    let said = session.overwinter(arguments)?;
    ensure!(said.code == 0, "overwinter {arguments:?}: {said:?}");
    Ok(())
}
