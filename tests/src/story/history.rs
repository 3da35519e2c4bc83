//! Walks through a document's undo history and back.

use anyhow::{Result, bail, ensure};

use super::Story;
use crate::input::{key, modifier};

/// More undo steps than a few typed lines can have made.
const MOST_STEPS: usize = 400;

impl Story {
    /// Redo brings back what was undone; Undo leads all the way to the file's text; Redo all the way back. Leaves the
    /// document as it was, but for caret and selection.
    pub(super) fn walk_history(&mut self, index: usize) {
        let document = self.documents[index].clone();
        let name = document.name.as_str();
        self.check(
            &format!("{name}: Redo brings back what was undone before"),
            |this| {
                this.hands.tap(modifier::CTRL | modifier::SHIFT, key::Z)?;
                this.expect(name, "the undone text again", |c| c.text == document.redone)?;
                this.hands.tap(modifier::CTRL, key::Z)?;
                this.expect(name, "it undone again", |c| c.text == document.content.text)?;
                Ok("and Undo takes it away again")
            },
        );
        self.check(
            &format!("{name}: Undo leads to the file's own text, Redo all the way back"),
            |this| {
                let back = this.step_until(
                    name,
                    modifier::CTRL,
                    &document.content.text,
                    &document.original,
                )?;
                let on = this.step_until(
                    name,
                    modifier::CTRL | modifier::SHIFT,
                    &document.original,
                    &document.redone,
                )?;
                this.hands.tap(modifier::CTRL, key::Z)?;
                let (_, content) = this.expect(name, "the last step undone", |c| {
                    c.text == document.content.text
                })?;
                this.documents[index].content = content;
                ensure!(on == back + 1, "{back} steps back, {on} steps on");
                Ok(format!("{back} steps back, {on} on"))
            },
        );
    }

    /// Presses Z with these modifiers until the text is `goal`; counts the presses.
    fn step_until(&mut self, name: &str, modifiers: u32, from: &str, goal: &str) -> Result<usize> {
        let mut last = from.to_owned();
        for step in 0..MOST_STEPS {
            if last == goal {
                return Ok(step);
            }
            self.hands.tap(modifiers, key::Z)?;
            let before = last.clone();
            last = self
                .expect(name, "another text after a step", |c| c.text != before)?
                .1
                .text;
        }
        bail!("{MOST_STEPS} steps do not lead there")
    }
}
