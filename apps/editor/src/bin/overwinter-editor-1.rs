//! Overwinter Editor 1.0.

use std::process::ExitCode;

use overwinter_editor::{app, release::RELEASE_1, state::release_1};

fn main() -> ExitCode {
    app::main::<release_1::Document>(&RELEASE_1)
}
