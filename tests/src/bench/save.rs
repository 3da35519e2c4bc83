//! How long a save keeps the editor's UI thread busy: its processor time around an autosave, from the kernel's accounts.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};

use super::stage::{Stage, main_thread, pass};
use super::{Findings, Row, median, millis, spread};
use crate::input::{key, modifier};

const TIMES: usize = 15;

/// A key's own work (layout, drawing, what the screen reader is told) is over after this; the client library saves 300 ms
/// after the last key.
const AFTER_KEY: Duration = Duration::from_millis(230);

/// By then it is saved and stored.
const AFTER_SAVE: Duration = Duration::from_millis(1000);

pub fn take(stage: &mut Stage, findings: &mut Findings) -> Result<()> {
    let pid = stage.editor()?.pid;
    stage.hands.click((640, 400))?;
    stage.hands.tap(modifier::CTRL, key::HOME)?;
    stage.rest()?;
    let mut busy = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..TIMES {
        stage.hands.tap(0, key::A)?;
        pass(AFTER_KEY)?;
        let typed = SystemTime::now();
        let before = main_thread(pid)?;
        pass(AFTER_SAVE)?;
        let after = main_thread(pid)?;
        busy.push(millis(after.saturating_sub(before)));
        ensure!(
            last_written(&stage.session.state())? > typed,
            "nothing was saved {} ms after a key",
            (AFTER_KEY + AFTER_SAVE).as_millis()
        );
        // The same length of time without a key: what the thread does anyhow.
        pass(AFTER_SAVE)?;
        idle.push(millis(main_thread(pid)?.saturating_sub(after)));
    }
    findings.note(format!("UI thread per autosave: {} ms", spread(&busy)));
    findings.note(format!(
        "UI thread in the same time without a save: {} ms",
        spread(&idle)
    ));
    findings.row(Row::alone(
        "editor's UI thread busy for a save of 1 MiB, ms",
        median(busy),
        16.0,
    ));
    Ok(())
}

/// When a file beneath this folder was last written: a save that was made has left its trace on disk.
fn last_written(folder: &Path) -> Result<SystemTime> {
    let mut last = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // One that is gone by now was a temporary file.
        let Ok(meta) = entry.metadata() else { continue };
        last = last.max(if meta.is_dir() {
            last_written(&entry.path())?
        } else {
            meta.modified()?
        });
    }
    Ok(last)
}
