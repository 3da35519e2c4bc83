//! The examples in C and in Python live in a real session: they sleep and wake, are updated from 1.0 to 2.0 under the user's
//! hands, and brought back with what was written since. Everything is looked at from the outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use overwinter_tests::atspi::{Content, Reader};
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::install;
use overwinter_tests::place::programs;
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::story::still;
use overwinter_tests::wait::{self, PATIENCE};

/// What both examples call their notes; their windows say the version, too.
const TITLE: &str = "A note";

/// An example as it is installed.
struct Example {
    id: &'static str,
    /// Its two versions, each a file that can be started.
    versions: [PathBuf; 2],
    /// What it needs in its environment.
    env: Vec<(&'static str, String)>,
    /// Whether `/proc` tells which of the two a process runs; of a script only the process itself knows.
    is_program: bool,
}

#[test]
fn notes_in_c_sleep_wake_and_change_versions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prefix = install_library(folder.path())?;
    let build = |version: u32| -> Result<PathBuf> {
        let program = folder.path().join(format!("notes-{version}"));
        compile(&prefix, version, &program)?;
        Ok(program)
    };
    lives(&Example {
        id: "org.example.CNotes",
        versions: [build(1)?, build(2)?],
        env: vec![("LD_LIBRARY_PATH", prefix.join("lib").display().to_string())],
        is_program: true,
    })
}

#[test]
fn notes_in_python_sleep_wake_and_change_versions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prefix = install_library(folder.path())?;
    let source = fs::read_to_string(client_lib().join("python/examples/notes.py"))?;
    let write = |version: u32| -> Result<PathBuf> {
        let program = folder.path().join(format!("notes-{version}.py"));
        let (is, was) = (format!("\nVERSION = {version}\n"), "\nVERSION = 2\n");
        ensure!(source.contains(was), "the example's version is elsewhere");
        fs::write(&program, source.replace(was, &is))?;
        Ok(program)
    };
    let package = client_lib().join("python");
    lives(&Example {
        id: "org.example.PyNotes",
        versions: [write(1)?, write(2)?],
        env: vec![
            ("LD_LIBRARY_PATH", prefix.join("lib").display().to_string()),
            ("PYTHONPATH", package.display().to_string()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ],
        is_program: false,
    })
}

/// The story of one note.
fn lives(example: &Example) -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let mut wish = Wish::headless(base.path().join("s"));
    for (name, value) in &example.env {
        wish.env.insert((*name).to_owned(), value.clone());
    }
    let mut session = Session::prepare(wish.clone())?;
    put(&session, example, 1)?;
    session.restart(wish.env)?;
    let empty = still(&session)?;

    ask(&session, &["launch", example.id])?;
    let eyes = Reader::new(&session)?;
    let first = shown(&eyes, example, 1, |content| content.text.is_empty())?.0;
    let rect = wait::until("the window is on screen", || {
        let now = still(&session)?;
        let around = empty.difference(&now, empty.whole()).1;
        Ok(around.filter(|r| r.width > 300))
    })?;
    let mut hands = Hands::new(&session)?;
    hands.click(rect.middle())?;
    hands.type_text("winter is coming\nnothing has to be closed")?;
    hands.tap(0, key::HOME)?;
    let before = shown(&eyes, example, 1, |content| {
        content.text == "winter is coming\nnothing has to be closed" && content.caret == 17
    })?
    .1;

    // Asleep: no process. Awake: another one, with the same text and caret.
    ask(&session, &["hibernate", TITLE])?;
    wait::for_end(first, PATIENCE)?;
    ensure!(eyes.views()?.is_empty(), "somebody shows a window");
    ask(&session, &["wake", TITLE])?;
    let second = shown(&eyes, example, 1, |content| *content == before)?.0;
    ensure!(second != first, "the process never ended");

    // Updated: the session sees by itself that 2.0 is there.
    put(&session, example, 2)?;
    let third = shown(&eyes, example, 2, |content| *content == before)?.0;
    ensure!(third != second, "one process cannot run two versions");
    hands.click(rect.middle())?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("2.0: ")?;
    let edited = format!("2.0: {}", before.text);
    shown(&eyes, example, 2, |content| content.text == edited)?;

    // And back, with what was written in 2.0; and up again.
    ask(&session, &["update", "--undo", example.id])?;
    shown(&eyes, example, 1, |content| content.text == edited)?;
    ask(&session, &["update", example.id])?;
    shown(&eyes, example, 2, |content| content.text == edited)?;
    Ok(())
}

/// Waits until one window shows the note with what is expected, by a process that runs this version.
fn shown(
    eyes: &Reader,
    example: &Example,
    version: usize,
    fits: impl Fn(&Content) -> bool,
) -> Result<(u32, Content)> {
    let goal = fs::read(&example.versions[version - 1])?;
    wait::until(&format!("version {version} shows the note"), || {
        let views = eyes.views()?;
        let [view] = views.as_slice() else {
            bail!("{} windows are shown", views.len());
        };
        let title = format!("{TITLE} in {version}.0");
        ensure!(view.window == title, "{:?} is shown", view.window);
        if example.is_program {
            let code = fs::read(format!("/proc/{}/exe", view.pid))?;
            ensure!(code == goal, "process {} runs other code", view.pid);
        }
        let content = eyes.content(view)?;
        ensure!(fits(&content), "{content:?}");
        Ok(Some((view.pid, content)))
    })
}

fn put(session: &Session, example: &Example, version: usize) -> Result<()> {
    install::app(
        session,
        example.id,
        "Notes",
        &format!("{version}.0"),
        &example.versions[version - 1],
        "notes",
        "",
    )
}

fn ask(session: &Session, arguments: &[&str]) -> Result<()> {
    let said = session.overwinter(arguments)?;
    ensure!(said.code == 0, "overwinter {arguments:?}: {said:?}");
    Ok(())
}

fn client_lib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Installs the library that was built with this test, as its user would.
fn install_library(folder: &Path) -> Result<PathBuf> {
    let prefix = folder.join("usr");
    let library = programs().join("deps/liboverwinter_c.so");
    run(Command::new(client_lib().join("../scripts/install-c"))
        .arg(&prefix)
        .arg(library))?;
    Ok(prefix)
}

fn compile(prefix: &Path, version: u32, program: &Path) -> Result<()> {
    let flags = Command::new("pkg-config")
        .args(["--cflags", "--libs", "gtk4", "overwinter"])
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .output()?;
    ensure!(flags.status.success(), "pkg-config: {flags:?}");
    run(Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror"])
        .arg(format!("-DNOTES_VERSION={version}"))
        .arg(client_lib().join("ffi/examples/notes.c"))
        .arg("-o")
        .arg(program)
        .args(String::from_utf8(flags.stdout)?.split_whitespace()))
}

fn run(command: &mut Command) -> Result<()> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

#[test]
fn the_guides_show_the_examples_as_they_are() -> Result<()> {
    for (guide, language, example) in [
        ("guide-c.md", "c", "ffi/examples/notes.c"),
        ("guide-python.md", "python", "python/examples/notes.py"),
    ] {
        let guide = fs::read_to_string(client_lib().join("../docs").join(guide))?;
        let example = fs::read_to_string(client_lib().join(example))?;
        let blocks: Vec<&str> = guide
            .split(&format!("```{language}\n"))
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        ensure!(blocks.len() >= 5, "the guide shows little");
        for block in blocks {
            ensure!(example.contains(block), "the example has no\n{block}");
        }
    }
    Ok(())
}
