//! The main job from start to end: open, sleep, wake, update, undo, move. One session, two real files, one real editor.
//!
//! Each step is a method that makes its checks through the [`Report`]. A step that cannot be carried out at all ends the
//! story with an error; a check that does not hold is written down and the story goes on.
//!
//! Used by the `overwinter-demo` program and by the end-to-end test.

mod document;
mod history;
mod moving;
mod open;
mod sleep;
mod update;
mod wake;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::atspi::{Content, Reader, TextView};
use crate::host::Hosts;
use crate::input::Hands;
use crate::install;
use crate::report::{Report, Seen};
use crate::screen::{self, Picture};
use crate::session::{Session, Wish};
use crate::wait;

use document::Document;

/// The files of this project that are opened: prose and code, so that the editor has something to colour.
const FILES: [&str; 2] = ["docs/architecture.md", "session-proto/src/transfer.rs"];

/// The stage on which the story is played.
pub struct Story {
    report: Report,
    documents: Vec<Document>,
    eyes: Reader,
    hands: Hands,
    /// How the desktop looks without windows.
    empty: Picture,
    a: Session,
    hosts: Hosts,
    base: tempfile::TempDir,
}

/// Plays the whole story and gives the report, whatever came of it.
///
/// # Errors
/// Only when not even the report can be made.
pub fn play(folder: Option<PathBuf>, backend: &'static str, aloud: bool) -> Result<Report> {
    let mut report = Report::new(folder, aloud)?;
    report.step("1-start  a private session: own runtime folder, bus, launcher, compositor");
    let mut story = match Story::start(report, backend) {
        Ok(story) => story,
        Err((mut report, error)) => {
            report.note("the session starts", Err(error), std::time::Duration::ZERO);
            return Ok(report);
        }
    };
    if let Err(error) = story.acts() {
        let logs = story.a.logs();
        story
            .report
            .note("the story goes on", Err(error), std::time::Duration::ZERO);
        eprintln!("{logs}");
    }
    Ok(story.report)
}

impl Story {
    fn acts(&mut self) -> Result<()> {
        self.open()?;
        self.hibernate()?;
        self.wake()?;
        self.update()?;
        self.travel()
    }

    /// Step 1.
    fn start(mut report: Report, backend: &'static str) -> Result<Self, (Report, anyhow::Error)> {
        match Self::set_up(&mut report, backend) {
            Ok(parts) => {
                let (base, hosts, a, eyes, hands, empty) = parts;
                Ok(Story {
                    report,
                    documents: Vec::new(),
                    eyes,
                    hands,
                    empty,
                    a,
                    hosts,
                    base,
                })
            }
            Err(error) => Err((report, error)),
        }
    }

    #[allow(
        clippy::type_complexity,
        reason = "taken apart at once by its one caller"
    )]
    fn set_up(
        report: &mut Report,
        backend: &'static str,
    ) -> Result<(tempfile::TempDir, Hosts, Session, Reader, Hands, Picture)> {
        // Short, since sockets lie in it.
        let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
        let hosts = Hosts::new(base.path())?;
        let wish = Wish {
            place: hosts.a.clone(),
            backend,
            home: Some(base.path().join("home")),
            ..Wish::headless(base.path().join("a"))
        };
        let mut a = Session::prepare(wish)?;
        install::editor(&a, 1)?;
        report.check("the session starts: bus, launcher, compositor", || {
            a.restart(BTreeMap::new())?;
            let parts = [
                "dbus-daemon",
                "overwinter-launcher",
                "overwinter-compositor",
            ];
            for part in parts {
                ensure!(!a.running(part)?.is_empty(), "{part} does not run");
            }
            Ok("all three run")
        });
        let mut empty = None;
        report.check(
            "another program's screenshot shows an output of 1280x800",
            || {
                let picture = screen::grab(&a)?;
                let size = (picture.width, picture.height);
                ensure!(size == (1280, 800), "it is {size:?}");
                empty = Some(picture);
                Ok(Seen::from("grim took it"))
            },
        );
        let empty = empty.context("no picture of the empty desktop")?;
        let eyes = Reader::new(&a)?;
        let hands = Hands::new(&a)?;
        report.picture("01-start", &empty)?;
        Ok((base, hosts, a, eyes, hands, empty))
    }

    /// Where the files of this project lie.
    fn project() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    /// A picture of the output once two in a row are the same.
    fn still(&self) -> Result<Picture> {
        still(&self.a)
    }

    /// Makes a check: see [`Report::check`].
    fn check<S: Into<Seen>>(
        &mut self,
        what: &str,
        look: impl FnOnce(&mut Self) -> Result<S>,
    ) -> bool {
        let start = Instant::now();
        let outcome = look(self).map(Into::into);
        self.report.note(what, outcome, start.elapsed())
    }

    /// Waits until a document has exactly this text; says where it does not.
    fn expect_text(&self, name: &str, goal: &str) -> Result<Content> {
        let mut last = String::new();
        let seen = std::cell::RefCell::new(&mut last);
        let found = self.expect(name, "the text that is due", |c| {
            c.text.clone_into(&mut seen.borrow_mut());
            c.text == goal
        });
        found.map(|f| f.1).with_context(|| difference(&last, goal))
    }

    /// See [`calm`].
    fn calm(&self) -> Result<Picture> {
        calm(&self.a)
    }

    fn keep_picture(&self, name: &str) -> Result<()> {
        let picture = self.calm()?;
        self.report.picture(name, &picture)
    }

    /// Waits until exactly one window shows a document of this name with what is expected.
    fn expect(
        &self,
        name: &str,
        what: &str,
        fits: impl Fn(&Content) -> bool,
    ) -> Result<(TextView, Content)> {
        expect(&self.eyes, name, what, fits)
    }
}

/// A picture of a session's output once two in a row are the same.
///
/// # Errors
/// When it never stands still, or grim fails.
pub fn still(session: &Session) -> Result<Picture> {
    still_for(session, Duration::ZERO)
}

/// A picture that has not changed for [`CALM`], so that what fades away by itself (a scroll bar) is gone.
///
/// # Errors
/// See [`still`].
pub fn calm(session: &Session) -> Result<Picture> {
    still_for(session, CALM)
}

/// GTK hides scroll bars a second after the last motion.
const CALM: Duration = Duration::from_millis(1400);

fn still_for(session: &Session, time: Duration) -> Result<Picture> {
    let mut last = screen::grab(session)?;
    let mut since = Instant::now();
    wait::until("the picture stands still", || {
        let next = screen::grab(session)?;
        if next != last {
            last = next;
            since = Instant::now();
            return Ok(None);
        }
        Ok((since.elapsed() >= time).then(|| last.clone()))
    })
}

/// Waits until exactly one window shows a document of this name, and its content is as expected.
///
/// # Errors
/// Names what was seen instead.
pub fn expect(
    eyes: &Reader,
    name: &str,
    what: &str,
    fits: impl Fn(&Content) -> bool,
) -> Result<(TextView, Content)> {
    let mut known: Option<TextView> = None;
    wait::until(&format!("{name} has {what}"), || {
        let view = match known.clone() {
            Some(view) => view,
            None => {
                let mut views = eyes.views()?;
                views.retain(|v| v.window.contains(name));
                ensure!(views.len() == 1, "{} windows show it", views.len());
                views.remove(0)
            }
        };
        match eyes.content(&view) {
            Ok(content) if fits(&content) => Ok(Some((view, content))),
            Ok(content) => {
                known = Some(view);
                let start: String = content.text.chars().take(60).collect();
                anyhow::bail!(
                    "{} characters, caret {}, selection {:?}, beginning {start:?}",
                    content.text.chars().count(),
                    content.caret,
                    content.selection
                )
            }
            Err(error) => {
                known = None;
                Err(error)
            }
        }
    })
}

/// Where two texts part.
fn difference(text: &str, goal: &str) -> String {
    let same = text
        .chars()
        .zip(goal.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let part = |t: &str| {
        t.chars()
            .skip(same.saturating_sub(20))
            .take(60)
            .collect::<String>()
    };
    format!(
        "from character {same} on it is {:?}, not {:?}",
        part(text),
        part(goal)
    )
}
