//! Terminals. A shell in them writes down what it is typed, and where the terminal says it was clicked.

use anyhow::{Context, Result};

use super::Client;
use crate::trial::{Step, Trial};

pub const CLIENTS: &[Client] = &[
    Client::new("foot", "foot", foot).basic(),
    Client::new("weston-terminal", "weston", weston_terminal).basic(),
];

/// Asks the terminal to report clicks, waits for one, then for a line, then for the end. The cursor's place is asked for so that
/// the terminal has surely heard the first wish when `ready` is there.
pub const SCRIPT: &str = r#"printf 'Type here, click there.\n\033[?1000h\033[?1006h\033[6n'
IFS= read -rs -d R place; touch $HOME/ready
IFS= read -rs -d m click; printf '%s' "$click" | tr -d '\033' >$HOME/clicked
printf '\033[?1000l$ '; read -r typed; echo "$typed" >$HOME/typed; cat /etc/os-release; read -r end"#;

fn foot(trial: &mut Trial) -> Result<()> {
    let arguments = ["--config=/dev/null", "bash", "-c", SCRIPT];
    trial.start("foot", &arguments, &[])?;
    use_terminal(trial)
}

/// Clicks on a terminal that runs [`SCRIPT`], types into it, and closes it.
pub fn use_terminal(trial: &mut Trial) -> Result<()> {
    let window = trial.shown()?;
    wait_for_file(trial, "ready")?;
    trial.hands.click(window.rect.middle())?;
    trial.file_has("clicked", "[<0;")?;
    let place = std::fs::read_to_string(trial.home().join("clicked"))?;
    let place = place.split('M').next().unwrap_or_default().to_owned();
    trial.saw(
        Step::Clicked,
        format!("the shell was told of the click: `{place}`"),
    );
    trial.hands.type_text("It's 1 + 1 = 2 & \"more\"!\n")?;
    trial.file_has("typed", "It's 1 + 1 = 2 & \"more\"!\n")?;
    trial.saw(Step::Typed, "the shell wrote what was typed to a file");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

fn wait_for_file(trial: &Trial, name: &str) -> Result<()> {
    let path = trial.home().join(name);
    overwinter_tests::wait::until(&format!("{name} is there"), || {
        Ok(path.exists().then_some(()))
    })
}

fn weston_terminal(trial: &mut Trial) -> Result<()> {
    let shell = trial.file(
        "shell",
        "#!/bin/sh\nprintf 'underneath\\n%.0s' $(seq 30); read -r typed; echo \"$typed\" >$HOME/typed; read -r end\n",
    )?;
    std::fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .context("making the shell a program")?;
    trial.start("weston-terminal", &[&format!("--shell={shell}")], &[])?;
    let window = trial.shown()?;
    // A double click takes a word, and Ctrl+Shift+C copies it.
    let (x, y) = window.rect.middle();
    let at = (window.rect.x + (x - window.rect.x) / 4, y);
    trial.hands.click(at)?;
    trial.hands.click(at)?;
    let copy = overwinter_tests::input::modifier::CTRL | overwinter_tests::input::modifier::SHIFT;
    trial.hands.tap(copy, overwinter_tests::input::key::C)?;
    trial.clipboard_has("underneath")?;
    trial.saw(
        Step::Clicked,
        "the word that was clicked twice could be pasted",
    );
    trial.hands.type_text("hello there\n")?;
    trial.file_has("typed", "hello there\n")?;
    trial.saw(Step::Typed, "the shell wrote what was typed to a file");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}
