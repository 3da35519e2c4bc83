//! Sleep and wake of the long document: how soon its memory is back, how soon its window, and what is seen meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::stage::{LONG, Stage};
use super::{Findings, Row, median, millis, spread};
use crate::input::{key, modifier};
use crate::recorder::{Frame, Recorder};
use crate::screen::{Picture, Rect};
use crate::{story, wait};

const TIMES: usize = 5;

/// In the text's window, wherever the compositor put it on an empty output of 1280 by 800.
const SPOT: (u32, u32) = (640, 400);

/// The line that the compositor draws below a ghost while it wakes, as it comes out in eight bits.
const WAKING: [u8; 3] = [92, 158, 242];
/// Pixels.
const LONGER_THAN_A_LETTER: u32 = 150;

/// One wake, seen in frames.
struct Wake {
    /// From the click to the first frame without the ghost.
    real: Duration,
    /// From the click to the first frame that shows the key that was typed at the ghost: the application answers.
    answers: Duration,
    /// Frames from click to swap, and how many of them lack the picture.
    frames: usize,
    without: usize,
}

pub fn take(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    let (mut freed, mut wakes, mut bytes) = (Vec::new(), Vec::new(), 0);
    stage.hands.tap(modifier::CTRL, key::HOME)?;
    // Some lines down: what is looked at begins a little below the head bar.
    for _ in 0..8 {
        stage.hands.tap(0, key::DOWN)?;
    }
    for _ in 0..TIMES {
        stage.rest()?;
        bytes = stage.editor()?.pss;
        freed.push(millis(sleep(stage)?));
        wakes.push(wake(stage)?);
    }
    let all = |of: fn(&Wake) -> Duration| wakes.iter().map(|w| millis(of(w))).collect::<Vec<_>>();
    let (real, answers) = (all(|w| w.real), all(|w| w.answers));
    let sum = |of: fn(&Wake) -> usize| wakes.iter().map(of).sum::<usize>();
    findings.note(format!(
        "hibernate request to memory freed: {} ms, {} KiB each",
        spread(&freed),
        bytes / 1024
    ));
    findings.note(format!(
        "click to first real frame: {} ms; {} frames captured",
        spread(&real),
        sum(|w| w.frames)
    ));
    findings.row(Row::alone(
        "hibernate request to the process gone and its memory freed, ms",
        median(freed),
        300.0,
    ));
    findings.row(Row::alone(
        "click on a ghost to the first real frame, app start included, ms",
        median(real),
        1000.0,
    ));
    findings.row(Row::alone(
        "click on a ghost to a key typed at it shown by the app, ms",
        median(answers),
        None,
    ));
    #[expect(clippy::cast_precision_loss, reason = "a count of frames")]
    findings.row(Row::alone(
        "frames between click and swap without the picture, count",
        sum(|w| w.without) as f64,
        0.0,
    ));
    Ok(())
}

/// Hibernates the long document; how long until its process is in no list any more.
fn sleep(stage: &mut Stage) -> Result<Duration> {
    let editor = stage.editor()?;
    let start = Instant::now();
    let session = &stage.session;
    let said = std::thread::scope(|scope| {
        let asked = scope.spawn(|| session.overwinter(&["hibernate", LONG]));
        wait::for_end(editor.pid, wait::PATIENCE)?;
        let folder = format!("/proc/{}", editor.pid);
        // Its parent has to take note of its end; nothing announces that.
        while fs::exists(&folder)? {
            ensure!(
                start.elapsed() < wait::PATIENCE,
                "{folder} does not go away"
            );
            std::thread::yield_now();
        }
        let took = start.elapsed();
        let said = asked
            .join()
            .map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
        anyhow::Ok((said, took))
    });
    let (said, took) = said?;
    ensure!(
        said.code == 0,
        "overwinter hibernate: {} {}",
        said.out,
        said.err
    );
    Ok(took)
}

/// Clicks on the ghost and types a key at it; says when the window was back and when the key was shown.
fn wake(stage: &mut Stage) -> Result<Wake> {
    story::still(&stage.session)?;
    let text = stage.text()?;
    stage.hands.point(SPOT)?;
    let recorder = Recorder::start(&stage.session)?;
    let clicked = Instant::now();
    stage.hands.click(SPOT)?;
    stage.hands.type_text("x")?;
    wait::until("the editor runs again", || Ok(stage.editor().ok()))?;
    // Asking for a text of this size would take processor time from what is measured: the editor's own rest tells.
    stage.rest()?;
    story::still(&stage.session)?;
    let frames = recorder.stop()?;
    judge(&frames, clicked, text)
}

/// Looks at every recorded frame: until the waking line goes away, each must show the picture that stood there at the click.
fn judge(frames: &[Frame], clicked: Instant, text: Rect) -> Result<Wake> {
    let first = &frames.first().context("nothing was recorded")?.picture;
    let line = |frame: &Frame| line_below(&frame.picture, first);
    let begin = frames
        .iter()
        .position(|f| line(f).is_some())
        .context("no frame shows the waking line")?;
    let end = frames
        .iter()
        .rposition(|f| line(f).is_some())
        .unwrap_or(begin);
    let swap = frames
        .get(end + 1)
        .context("the waking line never goes away")?;
    let between = frames.iter().take(end + 1);
    let moon = frames.get(end).and_then(line).map(Rect::moon_above);
    let lacks = |f: &&Frame| f.picture.asleep_otherwise(first, text, moon) > 0;
    let answer = frames
        .iter()
        .skip(end + 1)
        .find(lacks)
        .context("the typed key is never shown")?;
    Ok(Wake {
        real: swap.at.duration_since(clicked),
        answers: answer.at.duration_since(clicked),
        frames: end + 1,
        without: between.filter(&lacks).count(),
    })
}

/// The waking line: pixels of its colour that were not so in `before`, in a row longer than any letter.
fn line_below(picture: &Picture, before: &Picture) -> Option<Rect> {
    let line = picture.line(WAKING, LONGER_THAN_A_LETTER)?;
    let was_there = before.at(line.x, line.y) == picture.at(line.x, line.y);
    (line.height <= 6 && !was_there).then_some(line)
}
