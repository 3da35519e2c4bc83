//! Step 4: a click on each ghost brings its window back as it was; every frame in between shows the picture.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Story;
use crate::recorder::{Frame, Recorder};
use crate::report::Seen;
use crate::screen::{self, Picture, Rect};
use crate::wait;

/// The line that the compositor draws below a ghost while it wakes, as it comes out in eight bits.
const WAKING: [u8; 3] = [92, 158, 242];
/// Pixels.
const LONGER_THAN_A_LETTER: u32 = 150;

impl Story {
    pub(super) fn wake(&mut self) -> Result<()> {
        self.report.step("4-wake   a click on each ghost: text, caret, selection, scroll, undo, size and stacking are back");
        let before = self.calm()?;
        for index in 0..self.documents.len() {
            self.wake_one(index)?;
        }
        self.check(
            "both windows look and lie as before they slept (whole screen compared)",
            |this| {
                let after = this.calm()?;
                if let Err(why) = after.slept(&before, 2) {
                    let _ = this.report_picture("05-difference", &after);
                    return Err(why);
                }
                Ok("every pixel is equal, but for dimness and moons: size, place, stacking, scroll, selection")
            },
        );
        self.keep_picture("05-awake")?;
        for index in 0..self.documents.len() {
            self.focus(index)?;
            self.walk_history(index);
        }
        Ok(())
    }

    fn report_picture(&self, name: &str, picture: &Picture) -> Result<()> {
        picture.save(&self.base.path().join(name).with_extension("png"))
    }

    fn wake_one(&mut self, index: usize) -> Result<()> {
        let document = self.documents[index].clone();
        let name = document.name.as_str();
        let spot = document.spot(&self.others(index));
        self.hands.point(spot)?;
        let recorder = Recorder::start(&self.a)?;
        let clicked = Instant::now();
        self.check(
            &format!("{name}: a click on its ghost wakes it: same text, caret and selection"),
            |this| {
                this.hands.click(spot)?;
                let (_, content) = this.expect(name, "what it had", |c| *c == document.content)?;
                Ok(format!(
                    "{} characters, caret {}",
                    content.text.chars().count(),
                    content.caret
                ))
            },
        );
        // The line below the ghost goes away with the first real frame.
        let _ = wait::until("the waking line is gone", || {
            Ok(screen::grab(&self.a)?
                .line(WAKING, LONGER_THAN_A_LETTER)
                .is_none()
                .then_some(()))
        });
        self.still()?;
        let frames = recorder.stop()?;
        let (result, took) = judge(&frames, clicked);
        self.report.note(
            &format!("{name}: every frame between click and first real frame shows the picture"),
            result,
            took,
        );
        Ok(())
    }
}

/// Looks at every recorded frame: within the window geometry (which the waking line underlines) each must be the picture
/// that stood there before the click. The moment at which the line is gone is that of the first real frame.
fn judge(frames: &[Frame], clicked: Instant) -> (Result<Seen>, Duration) {
    let verdict = || -> Result<(String, Duration)> {
        let first = &frames.first().context("nothing was recorded")?.picture;
        let waking: Vec<&Frame> = frames
            .iter()
            .filter(|f| line_below(&f.picture, first).is_some())
            .collect();
        let last = waking.last().context("no frame shows the waking line")?;
        let line = line_below(&last.picture, first).context("no line")?;
        let swap = frames
            .iter()
            .find(|f| f.at > last.at)
            .context("the line never goes away")?;
        let window = Rect {
            x: line.x,
            y: line.y.saturating_sub(400),
            width: line.width,
            height: line.y.min(400),
        };
        let between = || frames.iter().filter(|f| f.at <= last.at);
        let reference = &waking
            .first()
            .context("no frame shows the waking line")?
            .picture;
        for (number, frame) in between().enumerate().skip(1) {
            reference
                .same(&frame.picture, window)
                .with_context(|| format!("frame {number} of {}", between().count()))?;
        }
        // The real window may have come to the front in the same frame: its title bar looks different, the rest does not.
        let moon = Some(line.moon_above());
        let differs = swap.picture.asleep_otherwise(reference, window, moon);
        let area = u64::from(window.width) * u64::from(window.height);
        ensure!(
            differs * 20 < area,
            "{differs} of {area} pixels of the first real frame are different"
        );
        let took = swap.at.duration_since(clicked);
        Ok((
            format!("{} frames were captured and compared", between().count()),
            took,
        ))
    };
    match verdict() {
        Ok((words, took)) => (Ok(words.into()), took),
        Err(error) => (Err(error), clicked.elapsed()),
    }
}

/// The waking line: pixels of its colour that were not so in `before`, in a row longer than any letter.
fn line_below(picture: &Picture, before: &Picture) -> Option<Rect> {
    let line = picture.line(WAKING, LONGER_THAN_A_LETTER)?;
    let was_there = before.at(line.x, line.y) == picture.at(line.x, line.y);
    (line.height <= 6 && !was_there).then_some(line)
}
