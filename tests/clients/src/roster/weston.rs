//! The small clients that come with weston.

use anyhow::{Result, ensure};

use super::Client;
use crate::trial::{Step, Trial};

/// Those that only draw.
const NO_HANDS: &[Step] = &[Step::Typed, Step::Clicked];
/// Those that look for something that is not here, say so and end.
const NO_WINDOW: &[Step] = &[
    Step::Shown,
    Step::Typed,
    Step::Clicked,
    Step::Photographed,
    Step::Closed,
];

pub const CLIENTS: &[Client] = &[
    Client::new("weston-simple-shm", "weston", |t| {
        moves(t, "weston-simple-shm")
    })
    .without(NO_HANDS)
    .basic(),
    Client::new("weston-simple-damage", "weston", |t| {
        moves(t, "weston-simple-damage")
    })
    .without(NO_HANDS)
    .basic(),
    Client::new("weston-simple-touch", "weston", simple_touch)
        .without(NO_HANDS)
        .note("draws under fingers; there is no virtual touch screen to put one on")
        .basic(),
    Client::new("weston-simple-egl", "weston", simple_egl)
        .without(NO_HANDS)
        .note("Mesa's llvmpipe, over wl_shm")
        .basic(),
    Client::new("weston-simple-dmabuf-egl", "weston", |t| {
        refuses(t, "weston-simple-dmabuf-egl")
    })
    .without(NO_WINDOW)
    .note("there is no linux-dmabuf without a GPU: it says so and ends")
    .basic(),
    Client::new("weston-simple-dmabuf-feedback", "weston", |t| {
        refuses(t, "weston-simple-dmabuf-feedback")
    })
    .without(NO_WINDOW)
    .note("as above")
    .basic(),
    Client::new("weston-simple-dmabuf-v4l", "weston", |t| {
        refuses(t, "weston-simple-dmabuf-v4l")
    })
    .without(NO_WINDOW)
    .note("as above; it takes a camera, too")
    .basic(),
    Client::new("weston-eventdemo", "weston", eventdemo).basic(),
    Client::new("weston-smoke", "weston", smoke)
        .without(&[Step::Typed])
        .basic(),
];

/// One that draws by itself: two pictures of it differ.
fn moves(trial: &mut Trial, program: &str) -> Result<()> {
    trial.start(program, &[], &[])?;
    let window = trial.shown()?;
    let before = trial.look()?;
    trial.changes("it draws a next frame", &before)?;
    trial.photograph()?;
    // These have no title bar and take no part in closing: what a panel asks of them they do not hear.
    trial.panel.close(&window.id)?;
    trial.ends()?;
    trial.saw(Step::Closed, "");
    trial.empty_again()
}

fn simple_touch(trial: &mut Trial) -> Result<()> {
    trial.start("weston-simple-touch", &[], &[])?;
    let window = trial.shown()?;
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

fn simple_egl(trial: &mut Trial) -> Result<()> {
    moves(trial, "weston-simple-egl")
}

/// One that needs what is not here: it ends by itself, with a complaint of its own.
fn refuses(trial: &mut Trial, program: &str) -> Result<()> {
    trial.start(program, &[], &[])?;
    let status = trial.ends()?;
    ensure!(!status.success(), "it ended as if all were well");
    let said = trial.said();
    let first = said.lines().find(|l| !l.trim().is_empty());
    trial.saw(Step::Started, first.unwrap_or("it said nothing"));
    trial.empty_again()
}

/// Writes every event it gets to its output.
fn eventdemo(trial: &mut Trial) -> Result<()> {
    // It would keep what it writes to itself until there is a page full of it.
    let program = ["-oL", "weston-eventdemo", "--log-button", "--log-key"];
    trial.start("stdbuf", &program, &[])?;
    let window = trial.shown()?;
    trial.hands.click(window.rect.middle())?;
    trial.says("button time")?;
    trial.saw(Step::Clicked, "it wrote the button event down");
    trial.hands.type_text("k")?;
    trial.says("unicode: 107")?;
    trial.saw(Step::Typed, "it wrote the key and its letter down");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

/// Smoke rises where the pointer was.
fn smoke(trial: &mut Trial) -> Result<()> {
    trial.start("weston-smoke", &[], &[])?;
    let window = trial.shown()?;
    let before = trial.look()?;
    let (x, y) = window.rect.middle();
    trial.hands.drag((x - 50, y - 50), (x + 50, y + 50))?;
    trial.changes("smoke rises", &before)?;
    trial.saw(Step::Clicked, "smoke rose where the pointer went");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}
