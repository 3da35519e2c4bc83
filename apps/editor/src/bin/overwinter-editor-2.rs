//! Overwinter Editor 2.0.

use std::process::ExitCode;

use overwinter_editor::{app, release::RELEASE_2, state::release_2};

fn main() -> ExitCode {
    app::main::<release_2::Document>(&RELEASE_2)
}
