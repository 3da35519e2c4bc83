//! X11 programs, through Xwayland.

use anyhow::Result;

use super::{Client, terminals};
use crate::trial::{Step, Trial};

pub const CLIENTS: &[Client] = &[
    Client::new("xterm", "xterm", xterm).note("through Xwayland"),
    Client::new("xeyes", "x11-apps", xeyes)
        .without(&[Step::Typed])
        .note("through Xwayland"),
];

fn xterm(trial: &mut Trial) -> Result<()> {
    let arguments = ["-e", "bash", "-c", terminals::SCRIPT];
    trial.start("xterm", &arguments, &[])?;
    terminals::use_terminal(trial)
}

/// Its eyes follow the pointer.
fn xeyes(trial: &mut Trial) -> Result<()> {
    trial.start("xeyes", &[], &[])?;
    let window = trial.shown()?;
    let (x, y) = window.rect.middle();
    trial.hands.click((window.rect.x, y))?;
    let left = trial.look()?;
    trial.hands.click((x + window.rect.width / 2, y))?;
    trial.changes("the eyes follow the pointer", &left)?;
    trial.saw(Step::Clicked, "the eyes followed the pointer");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}
