//! Step 2: two real files in two windows of Overwinter Editor 1.0, edited by hand.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::document::{Document, window_between};
use super::{FILES, Story};
use crate::input::{key, modifier};
use crate::install;
use crate::place::programs;
use crate::proc;
use crate::screen::Rect;
use crate::wait;

impl Story {
    pub(super) fn open(&mut self) -> Result<()> {
        self.report.step(
            "2-open   two files of this project in two windows of Editor 1.0, edited by hand",
        );
        for file in FILES {
            self.open_one(file)?;
        }
        self.check(
            "one process runs both windows, and it is the program of release 1.0",
            |this| {
                let editors = this.a.running(install::EDITOR_PROGRAM)?;
                ensure!(editors.len() == 1, "{} processes", editors.len());
                ensure!(this.runs(editors[0].pid, 1)?, "it runs other code");
                Ok(format!("process {}", editors[0].pid))
            },
        );
        self.arrange()?;
        for (index, words) in ["winter is coming", "nothing has to be closed"]
            .iter()
            .enumerate()
        {
            self.focus(index)?;
            self.edit(index, words)?;
        }
        self.keep_picture("02-open")
    }

    fn open_one(&mut self, file: &str) -> Result<()> {
        let source = Self::project().join(file);
        let original =
            fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
        let name = source
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // In A's home, so that B cannot read it.
        let copy = self.a.home().join("Documents").join(&name);
        fs::create_dir_all(self.a.home().join("Documents"))?;
        fs::write(&copy, &original)?;
        let before = self.still()?;
        let path = copy.display().to_string();
        let mut found = None;
        self.check(
            &format!("{name} is opened and shows the file's text"),
            |this| {
                let said = this.a.overwinter(&["launch", install::EDITOR, &path])?;
                ensure!(said.code == 0, "overwinter launch: {}", said.err);
                let (_, content) = this.expect(&name, "the file's text", |c| c.text == original)?;
                let saw = format!("{} characters", content.text.chars().count());
                found = Some(content);
                Ok(saw)
            },
        );
        let content = found.context("the editor does not show the file")?;
        let rect = wait::until("the window is on screen", || {
            let after = self.still()?;
            let sister = self.documents.first().map(|d| d.rect);
            let rect = window_between(&before, &after, sister);
            Ok(rect.filter(|r| r.width > 200 && r.height > 200))
        })?;
        self.documents.push(Document {
            redone: original.clone(),
            file: copy,
            name,
            original,
            rect,
            content,
        });
        Ok(())
    }

    /// Drags the windows so that the second covers a part of the first.
    fn arrange(&mut self) -> Result<()> {
        self.drag_window(0, (16, 16))?;
        let first = self.documents[0].rect;
        let room = (
            1280_u32.saturating_sub(first.width),
            800_u32.saturating_sub(first.height),
        );
        self.drag_window(
            1,
            (
                room.0.min(first.x + first.width / 2),
                room.1.min(first.y + 90),
            ),
        )?;
        let (a, b) = (self.documents[0].rect, self.documents[1].rect);
        self.check(
            "the windows are dragged by Super and the mouse; the second covers a part of the first",
            |_| {
                ensure!(
                    b.x < a.x + a.width && b.y < a.y + a.height,
                    "{a:?} and {b:?} do not overlap"
                );
                Ok(format!("{a:?}, {b:?}"))
            },
        );
        Ok(())
    }

    /// Drags a window by its middle, Super held, until its outer edge is at `to`; the picture tells where it went.
    fn drag_window(&mut self, index: usize, to: (u32, u32)) -> Result<()> {
        let rect = self.documents[index].rect;
        let others: Vec<Rect> = self.others(index);
        let from = self.documents[index].spot(&others);
        let shifted = |at: u32, edge: u32, wanted: u32| {
            u32::try_from(i64::from(at) + i64::from(wanted) - i64::from(edge)).unwrap_or(0)
        };
        let target = (shifted(from.0, rect.x, to.0), shifted(from.1, rect.y, to.1));
        self.hands.hold(key::LEFT_META, true)?;
        self.hands.set_modifiers(modifier::SUPER)?;
        self.hands.drag(from, target)?;
        self.hands.hold(key::LEFT_META, false)?;
        self.hands.set_modifiers(0)?;
        self.documents[index].rect = Rect {
            x: to.0,
            y: to.1,
            ..rect
        };
        self.still()?;
        Ok(())
    }

    /// Outlines of the other windows.
    pub(super) fn others(&self, index: usize) -> Vec<Rect> {
        let others = self
            .documents
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != index);
        others.map(|(_, d)| d.rect).collect()
    }

    /// Clicks into a window's text where nothing covers it.
    pub(super) fn focus(&mut self, index: usize) -> Result<()> {
        let spot = self.documents[index].spot(&self.others(index));
        self.hands.click(spot)
    }

    /// Types two lines at the top, undoes once, moves the caret, selects, scrolls; and learns what must be kept.
    pub(super) fn edit(&mut self, index: usize, words: &str) -> Result<()> {
        let document = self.documents[index].clone();
        let name = document.name.as_str();
        let before = document.content.text.clone();
        self.hands.tap(modifier::CTRL, key::HOME)?;
        self.expect(name, "the caret at the start", |c| c.caret == 0)?;

        let typed = format!("{words}, typed.\nand more of it");
        let full = format!("{typed}{before}");
        self.check(&format!("{name}: what is typed is in the text"), |this| {
            this.hands.type_text(&typed)?;
            this.expect(name, "what was typed", |c| c.text == full)?;
            Ok(format!("{} keys", typed.chars().count()))
        });
        let mut undone = None;
        self.check(&format!("{name}: Ctrl+Z takes a part of it back"), |this| {
            this.hands.tap(modifier::CTRL, key::Z)?;
            let fits = |text: &str| {
                text != full
                    && text.ends_with(&before)
                    && full.starts_with(&text[..text.len() - before.len()])
            };
            let (_, content) = this.expect(name, "less text than before", |c| fits(&c.text))?;
            let gone = full.chars().count() - content.text.chars().count();
            undone = Some(content.text);
            Ok(format!("{gone} characters are gone"))
        });
        let undone = undone.context("undo does nothing")?;
        let mut content = None;
        self.check(
            &format!("{name}: the caret is moved and seven characters are selected"),
            |this| {
                this.hands.tap(0, key::DOWN)?;
                this.hands.tap(0, key::HOME)?;
                for _ in 0..3 {
                    this.hands.tap(0, key::RIGHT)?;
                }
                for _ in 0..7 {
                    this.hands.tap(modifier::SHIFT, key::RIGHT)?;
                }
                let selected = |c: &crate::atspi::Content| {
                    c.selection.is_some_and(|(a, b)| b - a == 7) && c.text == undone
                };
                let (_, now) = this.expect(name, "seven selected characters", selected)?;
                let saw = format!("caret {}, selection {:?}", now.caret, now.selection);
                content = Some(now);
                Ok(saw)
            },
        );
        let content = content.context("nothing can be selected")?;
        let rect = document.rect;
        self.check(&format!("{name}: the wheel scrolls the text"), |this| {
            let before = this.still()?;
            this.hands.point(rect.middle())?;
            this.hands.scroll(4)?;
            let moved = wait::until("the text is elsewhere in the window", || {
                let now = this.still()?;
                let (count, _) = before.difference(&now, rect);
                Ok((count > 500).then_some(count))
            })?;
            Ok(format!("{moved} pixels changed"))
        });
        let document = &mut self.documents[index];
        document.content = content;
        document.redone = full;
        Ok(())
    }

    /// Whether a process runs the program of this release: byte for byte, read through `/proc`.
    pub(super) fn runs(&self, pid: u32, major: u32) -> Result<bool> {
        let running = fs::read(format!("/proc/{pid}/exe"))?;
        let built = fs::read(programs().join(format!("{}-{major}", install::EDITOR_PROGRAM)))?;
        Ok(blake3::hash(&running) == blake3::hash(&built))
    }

    /// Editor processes that are not stopped, with their memory.
    pub(super) fn awake_editors(&self) -> Result<Vec<proc::Process>> {
        let mut editors = self.a.running(install::EDITOR_PROGRAM)?;
        editors.retain(|p| proc::state(self.a.place(), p.pid).is_ok_and(|s| s != 'T' && s != 'Z'));
        Ok(editors)
    }
}
