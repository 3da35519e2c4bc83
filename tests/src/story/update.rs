//! Step 5: Editor 2.0 is installed over 1.0 while 1.0 runs with unsaved edits; the session does the rest. Then back, with
//! everything typed since, and up again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Story;
use crate::input::{key, modifier};
use crate::install;
use crate::recorder::{Frame, Recorder};
use crate::report::Seen;
use crate::screen::Rect;
use crate::wait;

/// Typed while the windows migrate, one key after the other, again and again.
const SENTENCE: &str = "the quick brown fox jumps over the lazy dog and ";

/// Between two keys of the typist, who is faster than anybody: the session keeps 256 keys while a window is on its way and
/// refuses more, which no hand can reach in that time and a program without a rhythm can.
const RHYTHM: Duration = Duration::from_millis(15);

/// More keys than a migration can take.
const MOST_KEYS: usize = 4000;

impl Story {
    pub(super) fn update(&mut self) -> Result<()> {
        self.report
            .step("5-update Editor 2.0 is installed over 1.0, which runs with unsaved edits");
        let old = self
            .awake_editors()?
            .first()
            .map(|p| p.pid)
            .context("no editor runs")?;
        self.migrate_while_typing(old)?;
        self.keep_picture("06-updated")?;
        self.check(
            "nothing was closed: the old process still keeps the retired copies",
            |this| {
                let all = this.a.running(install::EDITOR_PROGRAM)?;
                ensure!(all.iter().any(|p| p.pid == old), "process {old} is gone");
                Ok(format!("process {old} is there, the new one beside it"))
            },
        );
        for index in [0, 1] {
            self.focus(index)?;
            self.check_undo(index);
        }
        self.focus(1)?;
        self.edit(1, "typed in two")?;
        self.back_and_up_again()
    }

    fn migrate_while_typing(&mut self, old: u32) -> Result<()> {
        let name = self.documents[1].name.clone();
        self.focus(1)?;
        self.hands.tap(modifier::CTRL, key::HOME)?;
        self.expect(&name, "the caret at the start", |c| c.caret == 0)?;
        let before = self.documents[1].content.text.clone();
        let recorder = Recorder::start(&self.a)?;
        let start = Instant::now();
        let mut typed = String::new();
        self.check(
            "the session notices by itself, starts 2.0 beside 1.0 and migrates both windows",
            |this| {
                install::editor(&this.a, 2)?;
                let mut due = Instant::now();
                for sign in SENTENCE.chars().cycle().take(MOST_KEYS) {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    due = Instant::now() + RHYTHM;
                    this.hands.type_text(&sign.to_string())?;
                    typed.push(sign);
                    // Looked at now and then: each look costs the editor time.
                    if sign == ' ' && this.both_run(2).is_ok() {
                        break;
                    }
                }
                let new = wait::until("both windows are shown by 2.0", || this.both_run(2))?;
                ensure!(new != old, "it is the same process");
                Ok(Seen {
                    words: format!("from process {old} to process {new}"),
                    ms: Some(start.elapsed().as_secs_f64() * 1000.0),
                    bytes: None,
                })
            },
        );
        self.check(
            &format!("{name}: no key typed meanwhile is lost or doubled"),
            |this| {
                let goal = format!("{typed}{before}");
                let content = this.expect_text(&name, &goal)?;
                this.documents[1].content = content;
                this.documents[1].redone.clone_from(&goal);
                Ok(format!("{} keys, in order", typed.len()))
            },
        );
        let frames = recorder.stop()?;
        let rects: Vec<Rect> = self.documents.iter().map(|d| d.rect).collect();
        self.check(
            "no frame between 1.0 and 2.0 is without a window's picture",
            |this| this.frames_are_full(&frames, &rects),
        );
        let other = self.documents[0].clone();
        self.check(
            &format!("{}: same text, caret and selection in 2.0", other.name),
            |this| {
                this.expect(&other.name, "what it had", |c| *c == other.content)?;
                Ok("equal")
            },
        );
        Ok(())
    }

    /// The process that shows both windows, if it runs this release; otherwise an error says who shows what.
    pub(super) fn both_run(&self, major: u32) -> Result<Option<u32>> {
        let views = self.eyes.views()?;
        let shown: Vec<(u32, &str)> = views.iter().map(|v| (v.pid, v.window.as_str())).collect();
        match shown[..] {
            [(first, _), (second, _)] if first == second => {
                let runs = self.runs(first, major).unwrap_or(false);
                ensure!(runs, "process {first} runs another release");
                Ok(Some(first))
            }
            _ => bail!("windows are shown by {shown:?}"),
        }
    }

    /// The editor's own undo works on what an earlier release typed.
    fn check_undo(&mut self, index: usize) {
        let document = self.documents[index].clone();
        let name = document.name.as_str();
        self.check(
            &format!("{name}: the editor's own Undo and Redo still work in 2.0"),
            |this| {
                this.hands.tap(modifier::CTRL, key::Z)?;
                let less =
                    |text: &str| text.chars().count() < document.content.text.chars().count();
                this.expect(name, "less text after Undo", |c| less(&c.text))?;
                this.hands.tap(modifier::CTRL | modifier::SHIFT, key::Z)?;
                let (_, content) = this.expect(name, "the same text after Redo", |c| {
                    c.text == document.content.text
                })?;
                this.documents[index].content = content;
                Ok("one step back, one step on")
            },
        );
    }

    fn back_and_up_again(&mut self) -> Result<()> {
        self.change(
            "update --undo brings 1.0 back, with everything typed in 2.0",
            &["update", "--undo", install::EDITOR],
            1,
        )?;
        self.keep_picture("07-undone")?;
        self.change(
            "a second update goes up to 2.0 again",
            &["update", install::EDITOR],
            2,
        )?;
        self.keep_picture("08-updated-again")
    }

    fn change(&mut self, what: &str, command: &[&str], major: u32) -> Result<()> {
        let documents = self.documents.clone();
        self.check(what, |this| {
            let start = Instant::now();
            let said = this.a.overwinter(command)?;
            ensure!(
                said.code == 0,
                "overwinter {command:?}: {} {}",
                said.out,
                said.err
            );
            wait::until("both windows run that release", || this.both_run(major))?;
            let took = start.elapsed();
            for document in &documents {
                this.expect(&document.name, "the same text", |c| {
                    c.text == document.content.text
                })?;
            }
            Ok(Seen {
                words: "both windows, same text".into(),
                ms: Some(took.as_secs_f64() * 1000.0),
                bytes: None,
            })
        });
        Ok(())
    }

    /// A frame without a window shows the empty desktop in its place.
    fn frames_are_full(&self, frames: &[Frame], rects: &[Rect]) -> Result<String> {
        for (number, frame) in frames.iter().enumerate() {
            for rect in rects {
                // Without the shadow's margin, which lets the desktop through.
                let inner = Rect {
                    x: rect.x + rect.width / 8,
                    y: rect.y + rect.height / 8,
                    width: rect.width * 3 / 4,
                    height: rect.height * 3 / 4,
                };
                let (differs, _) = frame.picture.difference(&self.empty, inner);
                let area = u64::from(inner.width) * u64::from(inner.height);
                let full = differs * 10 >= area * 9 && frame.picture.colours(inner) > 8;
                if !full {
                    self.report
                        .picture("failed-migration-frame", &frame.picture)?;
                }
                ensure!(
                    full,
                    "frame {number} of {} shows no window at {inner:?}",
                    frames.len()
                );
            }
        }
        Ok(format!(
            "{} frames were captured and looked at",
            frames.len()
        ))
    }
}
