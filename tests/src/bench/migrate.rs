//! The editor's second release is installed while keys are typed into the first: is a frame blank, is a key lost?

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::stage::{LONG, Stage, pass};
use super::{Findings, Row, millis};
use crate::input::{key, modifier};
use crate::place::programs;
use crate::recorder::{Frame, Recorder};
use crate::screen::Rect;
use crate::{install, story};

/// Time from key to key: faster than anybody types.
const BEAT: Duration = Duration::from_millis(25);

/// A migration that is not over after so many keys is stuck.
const MOST_KEYS: usize = 1200;

const SENTENCE: &str = "the quick brown fox jumps over the lazy dog and ";

pub fn take(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    stage.rest()?;
    let rect = stage.text()?;
    stage.hands.click(rect.middle())?;
    stage.hands.tap(modifier::CTRL, key::HOME)?;
    let (_, before) = story::expect(&stage.eyes, LONG, "the caret at the start", |c| {
        c.caret == 0
    })?;
    let old = stage.editor()?.pid;
    let recorder = Recorder::start(&stage.session)?;
    let start = Instant::now();
    install::editor(&stage.session, 2)?;
    let mut typed = String::new();
    let mut shown = None;
    let mut after = 0;
    for sign in SENTENCE.chars().cycle().take(MOST_KEYS) {
        stage.hands.type_text(&sign.to_string())?;
        typed.push(sign);
        pass(BEAT)?;
        // Looked at now and then: each look costs the editor time.
        if shown.is_none() && sign == ' ' && shown_by_two(stage)?.is_some() {
            shown = Some(start.elapsed());
        }
        // Some more, to the new window.
        after += usize::from(shown.is_some());
        if after > 2 * SENTENCE.len() {
            break;
        }
    }
    let shown = shown.context("release 2 does not show the window")?;
    let goal = format!("{typed}{}", before.text);
    let outcome = story::expect(&stage.eyes, LONG, "every key", |c| c.text == goal);
    let frames = recorder.stop()?;
    let lost = match outcome {
        Ok(_) => 0,
        Err(error) => {
            let now = story::expect(&stage.eyes, LONG, "any text", |_| true)?
                .1
                .text;
            let start = now.strip_suffix(before.text.as_str()).unwrap_or(&now);
            findings.note(format!("keys: {error:#}"));
            wrong(&typed, start)
        }
    };
    ensure!(frames.len() > 1, "no frame was captured");
    let blank = frames.iter().filter(|f| is_blank(f, rect)).count();
    findings.note(format!(
        "migration: {} keys typed and {} frames captured; from the install to 2.0's window {} ms (process {old} is retired)",
        typed.len(),
        frames.len(),
        millis(shown).round()
    ));
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let (blank, lost) = (blank as f64, lost as f64);
    findings.row(Row::alone(
        "migration: frames in which the window is blank, count",
        blank,
        0.0,
    ));
    findings.row(Row::alone(
        "migration: keys lost, doubled or out of order, count",
        lost,
        0.0,
    ));
    Ok(())
}

/// Text is ink on paper: a frame without either does not show the window.
fn is_blank(frame: &Frame, rect: Rect) -> bool {
    frame.picture.colours(rect) <= 8
}

/// The process that shows the document, once it runs the second release and is alone in doing so.
fn shown_by_two(stage: &Stage) -> Result<Option<u32>> {
    let mut views = stage.eyes.views()?;
    views.retain(|v| v.window.contains(LONG));
    let [view] = &views[..] else {
        return Ok(None);
    };
    let two = programs().join(format!("{}-2", install::EDITOR_PROGRAM));
    let runs = fs::read(format!("/proc/{}/exe", view.pid)).ok();
    Ok((runs == Some(fs::read(two)?)).then_some(view.pid))
}

/// How many signs differ, at least one.
fn wrong(typed: &str, seen: &str) -> usize {
    let differ = typed
        .chars()
        .zip(seen.chars())
        .filter(|(a, b)| a != b)
        .count();
    (differ + typed.len().abs_diff(seen.len())).max(1)
}
