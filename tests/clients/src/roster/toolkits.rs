//! A program of each toolkit.

use anyhow::{Result, ensure};
use overwinter_tests::input::{key, modifier};

use super::Client;
use crate::trial::{Step, Trial};

pub const CLIENTS: &[Client] = &[
    Client::new("gtk4-widget-factory", "gtk-4-examples", widget_factory).basic(),
    Client::new("gtk4-demo", "gtk-4-examples", gtk_demo).basic(),
    Client::new("featherpad", "featherpad", featherpad).note("Qt 5"),
    Client::new("linguist", "linguist-qt6", linguist).note("Qt 6"),
    Client::new("testdraw2", "libsdl2-tests", sdl).note("SDL 2"),
];

fn widget_factory(trial: &mut Trial) -> Result<()> {
    trial.start("gtk4-widget-factory", &[], &[])?;
    let window = trial.shown()?;
    // The first entry has the keyboard.
    copied(trial, "typed text")?;
    trial.photograph()?;
    // The middle of the title bar is the switch to its second page.
    let before = trial.look()?;
    let (x, _) = window.rect.middle();
    trial.hands.click((x, window.rect.y + 24))?;
    trial.changes_by(100_000, "another page is shown", &before)?;
    trial.saw(Step::Clicked, "it turned to its second page");
    trial.close(&window)?;
    trial.empty_again()
}

/// Types into what has the keyboard, takes it all and copies it: what can be pasted is what was typed.
fn copied(trial: &mut Trial, text: &str) -> Result<()> {
    trial.hands.type_text(text)?;
    trial.hands.tap(modifier::CTRL, key::A)?;
    trial.hands.tap(modifier::CTRL, key::C)?;
    trial.clipboard_has(text)?;
    trial.saw(Step::Typed, "what was typed and copied could be pasted");
    Ok(())
}

/// Its introduction, of which a double click takes a word.
const WORDS: &str = "You can also use the GTK Inspector, available from the menu on the top right, to poke at the running \
    demos, and see how they are put together. You can select examples in the sidebar or search for them by typing a search \
    term. Double-clicking or hitting the Run button will run the demo. The source code and other resources used in the demo \
    are shown in this area.";

fn gtk_demo(trial: &mut Trial) -> Result<()> {
    trial.start("gtk4-demo", &[], &[])?;
    let window = trial.shown()?;
    let rect = window.rect;
    let at = (
        rect.x + rect.width * 45 / 100,
        rect.y + rect.height * 37 / 100,
    );
    trial.hands.click(at)?;
    trial.hands.click(at)?;
    trial.hands.tap(modifier::CTRL, key::C)?;
    let word = trial.pasted()?;
    ensure!(
        word.len() > 1 && WORDS.contains(&word),
        "a double click into its introduction copied {word:?}"
    );
    trial.saw(
        Step::Clicked,
        format!("the word that was clicked twice could be pasted: {word}"),
    );
    // It searches for what is typed, wherever the keyboard is, and its title is the demo that it finds.
    trial.hands.type_text("pickers")?;
    trial.title(&window, "Pickers")?;
    trial.saw(
        Step::Typed,
        "it found what was typed, and is called by it now",
    );
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

const QT: &[(&str, &str)] = &[("QT_QPA_PLATFORM", "wayland")];

fn featherpad(trial: &mut Trial) -> Result<()> {
    let file = trial.file("letter.txt", "middle")?;
    trial.start("featherpad", &["--standalone", &file], QT)?;
    let window = trial.shown()?;
    trial.title(&window, "letter.txt")?;
    edit(trial, &window, "letter.txt", "Start middle end")?;
    trial.close(&window)?;
    trial.empty_again()
}

/// linux/input-event-codes.h
const KEY_S: u32 = 31;

/// In an editor that shows a file with the word "middle": types before it, clicks below it, which puts the caret at its end, types
/// there and saves.
pub fn edit(
    trial: &mut Trial,
    window: &crate::trial::Window,
    name: &str,
    wanted: &str,
) -> Result<()> {
    trial.hands.tap(modifier::CTRL, key::HOME)?;
    trial.hands.type_text("Start ")?;
    trial.hands.click(window.rect.middle())?;
    trial.hands.type_text(" end")?;
    trial.hands.tap(modifier::CTRL, KEY_S)?;
    trial.file_has(name, wanted)?;
    trial.saw(Step::Typed, "the file it saved has what was typed in it");
    trial.saw(
        Step::Clicked,
        "the click had moved the caret: the second word is behind the text",
    );
    trial.photograph()
}

fn linguist(trial: &mut Trial) -> Result<()> {
    let file = trial.file(
        "words.ts",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!DOCTYPE TS>\n<TS version=\"2.1\" language=\"de_DE\">\n<context>\n\
         <name>Season</name>\n<message><source>Winter</source><translation type=\"unfinished\"></translation></message>\n\
         </context>\n</TS>\n",
    )?;
    trial.start("/usr/lib/qt6/bin/linguist", &[&file], QT)?;
    let window = trial.shown()?;
    // The chosen rows are blue: the list of contexts on the left, that of its words on the right. A double click on a word puts the
    // keyboard where its translation belongs.
    let rows = trial.finds("the chosen rows", [48, 140, 198])?;
    let (_, y) = rows.middle();
    for _ in 0..2 {
        trial.hands.click((rows.x + rows.width - 12, y))?;
    }
    trial.hands.type_text("Winterzeit")?;
    // Done, and saved.
    trial.hands.tap(modifier::CTRL, key::ENTER)?;
    trial.hands.tap(modifier::CTRL, KEY_S)?;
    trial.file_has("words.ts", "<translation>Winterzeit</translation>")?;
    trial.saw(Step::Typed, "the file it saved has what was typed in it");
    trial.saw(
        Step::Clicked,
        "two clicks on the word led into its translation",
    );
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}

fn sdl(trial: &mut Trial) -> Result<()> {
    let program = "/usr/libexec/installed-tests/SDL2/testdraw2";
    trial.start(
        program,
        &["--info", "event"],
        &[("SDL_VIDEODRIVER", "wayland")],
    )?;
    let window = trial.shown()?;
    trial.hands.click(window.rect.middle())?;
    trial.says("Mouse: button 1 pressed")?;
    trial.saw(Step::Clicked, "it wrote the button event down");
    trial.hands.type_text("k")?;
    trial.says("Keyboard: key pressed")?;
    trial.saw(Step::Typed, "it wrote the key event down");
    trial.photograph()?;
    trial.close(&window)?;
    trial.empty_again()
}
