//! The examples in C and in Python live in a real session: they sleep and wake, are updated from 1.0 to 2.0 under the user's
//! hands, and brought back with what was written since. Everything is looked at from the outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use overwinter_tests::atspi::Reader;
use overwinter_tests::input::Hands;
use overwinter_tests::notes::{Example, ask, lives, shown, start, window_on};
use overwinter_tests::place::programs;
use overwinter_tests::wait::{self, PATIENCE};

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
        title: "A note",
        tells_version: true,
        keeps_caret: true,
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
    lives(&Example {
        id: "org.example.PyNotes",
        versions: [write(1)?, write(2)?],
        env: python(&prefix),
        is_program: false,
        title: "A note",
        tells_version: true,
        keeps_caret: true,
    })
}

#[test]
fn what_a_program_in_python_raises_is_told_and_nothing_is_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prefix = install_library(folder.path())?;
    let source = fs::read_to_string(client_lib().join("python/examples/notes.py"))?;
    let capture = "        text = self.buffer.get_text(";
    ensure!(source.contains(capture), "the example captures otherwise");
    let raise =
        "        if self.buffer.get_char_count() == 7: raise ValueError('seven is too many')\n";
    let program = folder.path().join("notes.py");
    fs::write(
        &program,
        source.replace(capture, &format!("{raise}{capture}")),
    )?;
    let example = Example {
        id: "org.example.PyNotes",
        versions: [PathBuf::new(), program],
        env: python(&prefix),
        is_program: false,
        title: "A note",
        tells_version: true,
        keeps_caret: true,
    };
    let (_base, session, empty) = start(&example, 2)?;
    ask(&session, &["launch", example.id])?;
    let eyes = Reader::new(&session)?;
    let pid = shown(&eyes, &example, 2, |content| content.text.is_empty())?.0;
    let mut hands = Hands::new(&session)?;
    hands.click(window_on(&session, &empty)?.middle())?;
    hands.type_text("seven77")?;
    shown(&eyes, &example, 2, |content| content.text == "seven77")?;
    let said = session.overwinter(&["hibernate", example.title])?;
    ensure!(said.code != 0, "{said:?}");
    ensure!(
        said.out.contains("ValueError: seven is too many"),
        "{said:?}"
    );
    hands.type_text("8")?;
    shown(&eyes, &example, 2, |content| content.text == "seven778")?;
    ask(&session, &["hibernate", example.title])?;
    wait::for_end(pid, PATIENCE)?;
    ask(&session, &["wake", example.title])?;
    shown(&eyes, &example, 2, |content| content.text == "seven778")?;
    Ok(())
}

/// What a program in Python needs in its environment.
fn python(prefix: &Path) -> Vec<(&'static str, String)> {
    let package = client_lib().join("python");
    vec![
        ("LD_LIBRARY_PATH", prefix.join("lib").display().to_string()),
        ("PYTHONPATH", package.display().to_string()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ]
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
