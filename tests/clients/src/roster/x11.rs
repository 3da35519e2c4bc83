//! X11 programs, through Xwayland.

use anyhow::Result;
use overwinter_tests::wait;

use super::{Client, terminals};
use crate::trial::{Step, Trial};

pub const CLIENTS: &[Client] = &[
    Client::new("xterm", "xterm", xterm).note("through Xwayland"),
    Client::new("xeyes", "x11-apps", xeyes)
        .without(&[Step::Typed])
        .note("through Xwayland"),
];

/// The display that the session's X11 programs are given: what it is, the compositor says when it has one.
fn display(trial: &Trial) -> Result<String> {
    let log = trial.session.base().join("log/compositor.log");
    wait::until("the compositor takes X11 programs", || {
        let text = std::fs::read_to_string(&log)?;
        let said = text.split("X11 programs are taken on :").nth(1);
        Ok(said
            .and_then(|s| s.split_whitespace().next())
            .map(|n| format!(":{n}")))
    })
}

fn xterm(trial: &mut Trial) -> Result<()> {
    let arguments = ["-e", "bash", "-c", terminals::SCRIPT];
    let display = display(trial)?;
    trial.start("xterm", &arguments, &[("DISPLAY", &display)])?;
    terminals::use_terminal(trial)
}

/// Its eyes follow the pointer.
fn xeyes(trial: &mut Trial) -> Result<()> {
    let display = display(trial)?;
    trial.start("xeyes", &[], &[("DISPLAY", &display)])?;
    let window = trial.shown()?;
    // An X server without a screen of its own knows where the pointer is only while it is over one of its windows.
    let (x, y) = window.rect.middle();
    trial.hands.click((x - 60, y))?;
    let left = trial.look()?;
    trial.hands.click((x + 60, y))?;
    trial.changes_by(30, "the eyes follow the pointer", &left)?;
    trial.saw(Step::Clicked, "the eyes followed the pointer");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}
