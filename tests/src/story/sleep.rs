//! Step 3: one group sleeps while the other goes on, then both do; their pictures stay.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Story;
use crate::input::{key, modifier};
use crate::install;
use crate::report::Seen;
use crate::wait::{self, PATIENCE};

impl Story {
    pub(super) fn hibernate(&mut self) -> Result<()> {
        self.report.step(
            "3-sleep  one group hibernates, the other goes on; then the second; the memory is back",
        );
        let lower = self.documents[0].name.clone();
        // Selecting in one window ended the selection of the other: there is one primary selection.
        for index in 0..self.documents.len() {
            let document = self.documents[index].clone();
            let (_, content) = self.expect(&document.name, "its text", |c| {
                c.text == document.content.text
            })?;
            self.documents[index].content = content;
        }
        let before = self.calm()?;
        self.check(
            &format!("{lower} hibernates: its window is gone from the application"),
            |this| {
                let said = this.a.overwinter(&["hibernate", &lower])?;
                ensure!(
                    said.code == 0,
                    "overwinter hibernate: {} {}",
                    said.out,
                    said.err
                );
                wait::until("one window is left", || {
                    Ok((this.eyes.views()?.len() == 1).then_some(()))
                })?;
                Ok("the accessibility bus knows one window")
            },
        );
        self.check(
            &format!(
                "{lower}: its ghost is the same picture at the same place (whole screen compared)"
            ),
            |this| {
                let ghost = this.calm()?;
                before.slept(&ghost, 1)?;
                Ok("every pixel is equal, or as dim as ghosts are; and there is a moon")
            },
        );
        self.keep_picture("03-one-asleep")?;

        // The other goes on: it is typed into and undone, as before.
        let editors = self.awake_editors()?;
        self.hands.tap(0, key::RIGHT)?;
        let upper = self.documents[1].name.clone();
        self.check(
            &format!("{upper} goes on meanwhile, in the same process"),
            |this| {
                let now = this.awake_editors()?;
                ensure!(
                    editors.len() == 1 && now.len() == 1 && editors[0].pid == now[0].pid,
                    "{editors:?} {now:?}"
                );
                Ok(format!("process {}", now[0].pid))
            },
        );
        self.edit(1, "the other one sleeps")?;
        let before = self.calm()?;
        self.sleep_the_last(&before)?;
        self.keep_picture("04-both-asleep")
    }

    fn sleep_the_last(&mut self, before: &crate::screen::Picture) -> Result<()> {
        let name = self.documents[1].name.clone();
        let editor = self
            .awake_editors()?
            .first()
            .cloned()
            .context("no editor runs")?;
        self.check(
            &format!("{name} hibernates too: the process ends, its memory is back"),
            |this| {
                let start = Instant::now();
                let said = this.a.overwinter(&["hibernate", &name])?;
                ensure!(
                    said.code == 0,
                    "overwinter hibernate: {} {}",
                    said.out,
                    said.err
                );
                wait::for_end(editor.pid, PATIENCE)?;
                let took = start.elapsed();
                let left = this.a.running(install::EDITOR_PROGRAM)?;
                ensure!(left.is_empty(), "still running: {left:?}");
                Ok(Seen {
                    words: format!("process {} is gone", editor.pid),
                    ms: Some(took.as_secs_f64() * 1000.0),
                    bytes: Some(editor.pss),
                })
            },
        );
        self.check(
            "both ghosts stand where the windows were, as they looked (whole screen compared)",
            |this| {
                let ghosts = this.calm()?;
                before.slept(&ghosts, 2)?;
                Ok("every pixel is equal, or as dim as ghosts are; and there are moons")
            },
        );
        self.check("keys go to nobody while all sleep", |this| {
            this.hands.tap(modifier::ALT, key::ESC)?;
            let left = this.a.running(install::EDITOR_PROGRAM)?;
            ensure!(left.is_empty(), "running: {left:?}");
            Ok("no process was started")
        });
        Ok(())
    }
}
