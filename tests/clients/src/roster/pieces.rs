//! What a desktop is put together from: bars, launchers, lockers, recorders.

use std::fs;

use anyhow::{Context, Result, ensure};
use overwinter_tests::input::key;
use overwinter_tests::screen::Picture;
use overwinter_tests::wait;
use rustix::process::Signal;

use super::Client;
use crate::trial::{Step, Trial};

/// Those that have no window and take no input.
const UNSEEN: &[Step] = &[Step::Shown, Step::Typed, Step::Clicked, Step::Photographed];
/// Those that do one thing and end.
const TOOL: &[Step] = &[
    Step::Shown,
    Step::Typed,
    Step::Clicked,
    Step::Photographed,
    Step::Closed,
];

pub const CLIENTS: &[Client] = &[
    Client::new("waybar", "waybar", waybar)
        .without(&[Step::Typed])
        .note("its taskbar lists the windows"),
    Client::new("fuzzel", "fuzzel", fuzzel)
        .without(&[Step::Clicked])
        .note("this release takes no pointer"),
    Client::new("wofi", "wofi", wofi),
    Client::new("mako", "mako-notifier", mako).without(&[Step::Typed]),
    Client::new("swaybg", "swaybg", swaybg).without(&[Step::Typed, Step::Clicked]),
    Client::new("swaylock", "swaylock", swaylock).without(&[Step::Clicked]),
    Client::new("swayidle", "swayidle", swayidle).without(&[
        Step::Shown,
        Step::Clicked,
        Step::Photographed,
    ]),
    Client::new("wl-clipboard", "wl-clipboard", clipboard)
        .without(UNSEEN)
        .note("wl-paste read what wl-copy had")
        .basic(),
    Client::new("grim", "grim", grim)
        .without(TOOL)
        .note("took a part of the screen")
        .basic(),
    Client::new("slurp", "slurp", slurp).without(&[Step::Typed, Step::Closed]),
    Client::new("wf-recorder", "wf-recorder", recorder)
        .without(UNSEEN)
        .note("recorded a film of weston-simple-shm"),
    Client::new("wlr-randr", "wlr-randr", randr)
        .without(TOOL)
        .note("set the scale"),
    Client::new("kanshi", "kanshi", kanshi)
        .without(UNSEEN)
        .note("set the scale that its profile names"),
    Client::new("wtype", "wtype", wtype)
        .without(&[Step::Shown, Step::Clicked, Step::Photographed, Step::Closed])
        .basic(),
];

/// Waits for a piece's surface on the screen, which is in no list of windows.
fn drawn(trial: &mut Trial) -> Result<overwinter_tests::screen::Rect> {
    let rect = trial.appears(wait::PATIENCE)?;
    trial.saw(Step::Started, "it is on the screen");
    trial.saw(Step::Shown, format!("{rect:?}"));
    Ok(rect)
}

fn waybar(trial: &mut Trial) -> Result<()> {
    let config = trial.file(
        "waybar.json",
        r#"{"layer":"top","position":"top","height":30,"modules-left":["custom/press"],"modules-center":["wlr/taskbar"],
            "wlr/taskbar":{"format":"{title}"},
            "custom/press":{"format":"press here","tooltip":false,"on-click":"echo pressed >$HOME/pressed"}}"#,
    )?;
    let style = trial.file(
        "waybar.css",
        "* { font-family: DejaVu Sans; font-size: 14px; } window { background: #203040; color: #ffffff; }",
    )?;
    trial.start("waybar", &["-c", &config, "-s", &style], &[])?;
    let bar = drawn(trial)?;
    ensure!(
        (bar.x, bar.y, bar.height) == (0, 0, 30),
        "the bar is at {bar:?}"
    );
    trial.hands.click((30, 15))?;
    trial.file_has("pressed", "pressed\n")?;
    trial.saw(Step::Clicked, "the button ran its command");
    let before = trial.look()?;
    let mut window = trial.session.spawn("weston-simple-shm", &[])?;
    wait::until("the taskbar has the window", || {
        let strip = overwinter_tests::screen::Rect {
            height: bar.height,
            ..before.whole()
        };
        let (count, _) = before.difference(&trial.look()?, strip);
        Ok((count > 50).then_some(()))
    })?;
    trial.photograph()?;
    window.kill()?;
    window.wait()?;
    trial.stop(Signal::INT)?;
    trial.empty_again()
}

/// A list to choose from, as launchers take it on their standard input.
fn choice(trial: &mut Trial, launcher: &str) -> Result<overwinter_tests::screen::Rect> {
    let script =
        format!("printf 'winter\\nspring\\nsummer\\nautumn\\n' | {launcher} >$HOME/chosen");
    let _ = fs::remove_file(trial.home().join("chosen"));
    trial.start("sh", &["-c", &script], &[])?;
    drawn(trial)
}

/// Types the beginning of an entry and takes it by Enter.
fn choose_by_typing(trial: &mut Trial, launcher: &str) -> Result<()> {
    choice(trial, launcher)?;
    trial.hands.type_text("spri")?;
    trial.photograph()?;
    trial.hands.tap(0, key::ENTER)?;
    trial.file_has("chosen", "spring\n")?;
    trial.saw(Step::Typed, "it took the entry that was typed");
    let status = trial.ends()?;
    trial.saw(Step::Closed, format!("{status}"));
    trial.empty_again()
}

fn fuzzel(trial: &mut Trial) -> Result<()> {
    choose_by_typing(trial, "fuzzel --dmenu --lines=4")?;
    choice(trial, "fuzzel --dmenu --lines=4")?;
    trial.hands.tap(0, key::ESC)?;
    trial.ends()?;
    trial.empty_again()
}

fn wofi(trial: &mut Trial) -> Result<()> {
    let launcher = "wofi --dmenu --width 400 --height 300";
    choose_by_typing(trial, launcher)?;
    let rect = choice(trial, launcher)?;
    // The second of its rows; the first is below the field to type in.
    for _ in 0..2 {
        trial.hands.click((rect.middle().0, rect.y + 62))?;
    }
    trial.file_has("chosen", "\n")?;
    trial.ends()?;
    let chosen = fs::read_to_string(trial.home().join("chosen"))?;
    trial.saw(
        Step::Clicked,
        format!("it took the entry that was clicked: {}", chosen.trim()),
    );
    trial.empty_again()
}

fn mako(trial: &mut Trial) -> Result<()> {
    let folder = trial.session.base().join("config/mako");
    fs::create_dir_all(&folder)?;
    fs::write(
        folder.join("config"),
        "on-button-left=exec echo clicked >$HOME/clicked && makoctl dismiss\n",
    )?;
    trial.start("mako", &[], &[])?;
    // It takes its name on the bus when it is ready; until then nobody takes the message.
    wait::until("a notification is taken", || {
        trial
            .session
            .run("notify-send", &["-t", "0", "Winter", "is coming"])?;
        Ok(Some(()))
    })?;
    let rect = drawn(trial)?;
    trial.photograph()?;
    trial.hands.click(rect.middle())?;
    trial.file_has("clicked", "clicked\n")?;
    trial.empty_again()?;
    trial.saw(Step::Clicked, "the notification went when it was clicked");
    trial.stop(Signal::TERM)
}

fn swaybg(trial: &mut Trial) -> Result<()> {
    trial.start("swaybg", &["--color", "#224466"], &[])?;
    drawn(trial)?;
    let picture = trial.look()?;
    let corners = [(0, 0), (picture.width - 1, picture.height - 1)];
    for (x, y) in corners {
        let colour = picture.at(x, y);
        ensure!(colour == [0x22, 0x44, 0x66], "the corner is {colour:?}");
    }
    trial.photograph()?;
    trial.stop(Signal::TERM)?;
    trial.empty_again()
}

fn swaylock(trial: &mut Trial) -> Result<()> {
    let arguments = ["--color", "331133", "--indicator-idle-visible"];
    trial.start("swaylock", &arguments, &[])?;
    drawn(trial)?;
    let before = trial.look()?;
    ensure!(
        before.at(0, 0) == [0x33, 0x11, 0x33],
        "the screen is not covered"
    );
    trial.hands.type_text("wrong")?;
    trial.changes_by(50, "its ring moves with the keys", &before)?;
    trial.saw(Step::Typed, "its ring moved with the keys");
    trial.photograph()?;
    trial.stop(Signal::USR1)?;
    trial.empty_again()
}

fn swayidle(trial: &mut Trial) -> Result<()> {
    let arguments = [
        "-w",
        "timeout",
        "1",
        "echo idle >>$HOME/idle",
        "resume",
        "echo back >>$HOME/back",
    ];
    trial.start("swayidle", &arguments, &[])?;
    trial.file_has("idle", "idle\n")?;
    trial.saw(Step::Started, "it saw that nobody did anything");
    trial.hands.tap(0, key::ESC)?;
    trial.file_has("back", "back\n")?;
    trial.saw(
        Step::Typed,
        "it was told of idleness, and of the key that ended it",
    );
    trial.stop(Signal::TERM)
}

fn clipboard(trial: &mut Trial) -> Result<()> {
    let text = "copied: ä, \u{1f332}";
    trial.start("wl-copy", &["--foreground", text], &[])?;
    trial.clipboard_has(text)?;
    trial.saw(Step::Started, "");
    trial.session.run("wl-copy", &["--clear"])?;
    let status = trial.ends()?;
    trial.saw(Step::Closed, format!("{status}"));
    Ok(())
}

fn grim(trial: &mut Trial) -> Result<()> {
    let bytes = trial.session.run("grim", &["-g", "10,20 100x50", "-"])?;
    let picture = Picture::from_png(&bytes)?;
    ensure!(
        (picture.width, picture.height) == (100, 50),
        "it is {picture:?}"
    );
    trial.saw(Step::Started, "");
    Ok(())
}

fn slurp(trial: &mut Trial) -> Result<()> {
    trial.start("slurp", &[], &[])?;
    drawn(trial)?;
    trial.photograph()?;
    trial.hands.drag((100, 120), (300, 220))?;
    trial.says("100,120 201x101")?;
    let status = trial.ends()?;
    ensure!(status.success(), "{status}");
    trial.saw(
        Step::Clicked,
        "it said which part was dragged over: 100,120 201x101",
    );
    trial.empty_again()
}

fn recorder(trial: &mut Trial) -> Result<()> {
    let film = trial.home().join("film.mp4");
    let mut window = trial.session.spawn("weston-simple-shm", &[])?;
    trial.appears(wait::PATIENCE)?;
    trial.start("wf-recorder", &["-f", &film.display().to_string()], &[])?;
    wait::until("the film grows", || {
        Ok((fs::metadata(&film)?.len() > 0).then_some(()))
    })?;
    trial.saw(Step::Started, "");
    let before = trial.look()?;
    trial.changes("the film has more than one picture", &before)?;
    trial.stop(Signal::INT)?;
    window.kill()?;
    window.wait()?;
    let bytes = fs::read(&film)?;
    let has = |what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
    ensure!(
        has(b"moov") && has(b"avc1"),
        "the film of {} bytes has no pictures",
        bytes.len()
    );
    Ok(())
}

/// The first output's name, as wlr-randr tells it.
fn output(trial: &Trial) -> Result<String> {
    let said = trial.session.run("wlr-randr", &[])?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let name = said.split_whitespace().next();
    Ok(name.context("wlr-randr knows no output")?.to_owned())
}

fn scale_is(trial: &Trial, scale: &str) -> Result<()> {
    wait::until(&format!("wlr-randr says that the scale is {scale}"), || {
        let said = trial.session.run("wlr-randr", &[])?;
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(said.contains(&format!("Scale: {scale}")), "it says {said}");
        Ok(Some(()))
    })
}

fn randr(trial: &mut Trial) -> Result<()> {
    let output = output(trial)?;
    scale_is(trial, "1.000000")?;
    trial
        .session
        .run("wlr-randr", &["--output", &output, "--scale", "1.5"])?;
    scale_is(trial, "1.500000")?;
    trial.saw(Step::Started, "");
    Ok(())
}

fn kanshi(trial: &mut Trial) -> Result<()> {
    let output = output(trial)?;
    let config = trial.file(
        "kanshi",
        &format!("profile {{\n output {output} scale 2\n}}\n"),
    )?;
    trial.start("kanshi", &["--config", &config], &[])?;
    scale_is(trial, "2.000000")?;
    trial.saw(Step::Started, "");
    trial.stop(Signal::TERM)
}

fn wtype(trial: &mut Trial) -> Result<()> {
    let script = "read -r line; echo \"$line\" >$HOME/typed";
    trial.start("foot", &["--config=/dev/null", "sh", "-c", script], &[])?;
    trial.shown()?;
    trial.session.run("wtype", &["Wörter, typed by wtype"])?;
    trial.session.run("wtype", &["-k", "Return"])?;
    trial.file_has("typed", "Wörter, typed by wtype\n")?;
    trial.saw(
        Step::Typed,
        "foot got what it typed, signs included that no keyboard here has",
    );
    trial.ends()?;
    Ok(())
}
