//! The guide's program, version 1 and 2, lives in a real session.

use anyhow::{Context, Result, ensure};
use overwinter_tests::notes::{Example, lives};
use overwinter_tests::place::programs;

const GUIDE: &str = include_str!("../../docs/guide.md");
const FIRST: &str = include_str!("../examples/notes_gtk.rs");
const SECOND: &str = include_str!("../examples/notes_gtk_2.rs");

#[test]
fn the_guides_program_sleeps_wakes_and_changes_versions() -> Result<()> {
    let built = |name: &str| programs().join("examples").join(name);
    lives(&Example {
        id: "org.example.Notes",
        versions: [built("notes_gtk"), built("notes_gtk_2")],
        env: Vec::new(),
        is_program: true,
        title: "Note",
        tells_version: false,
        keeps_caret: false,
    })
}

/// What stands behind the example's first paragraph.
fn program(example: &str) -> Result<&str> {
    Ok(example.split_once("\n\n").context("no program")?.1)
}

#[test]
fn the_examples_are_what_the_guide_says() -> Result<()> {
    let (first, second) = (program(FIRST)?, program(SECOND)?);
    ensure!(GUIDE.contains(&format!("```rust,no_run\n{first}```")));
    // Section 6: a lens, a struct, `note.body`, and "2.0".
    let state = second
        .lines()
        .skip_while(|line| !line.contains("version = 2"));
    let state: Vec<_> = state.take_while(|line| *line != "}").collect();
    let struct_of_2 = state.join("\n");
    ensure!(GUIDE.contains(&struct_of_2), "{struct_of_2}");
    let of_1 = "version = 1)]\nstruct Note {\n    text: String,\n    rest: Rest,";
    let (_, of_2) = struct_of_2.split_once("\", ").context("no version")?;
    let typed = first
        .replace(of_1, of_2)
        .replace("note.get().text", "note.get().body")
        .replace("note.text =", "note.body =")
        .replace("\"1.0\"", "\"2.0\"");
    ensure!(typed == second, "{typed}");
    Ok(())
}
