//! `overwinter-bench NAME`: measures one thing of the session as its user meets it, prints a table and keeps the rows in
//! `target/bench/NAME.json`. Whether a goal is met is told, never asserted: a slow machine is no bug.

use std::process::ExitCode;

/// What can be measured.
const NAMES: [(&str, &str); 0] = [];

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        None => {
            for (name, about) in NAMES {
                println!("{name:<10} {about}");
            }
            ExitCode::SUCCESS
        }
        Some(name) => {
            eprintln!(
                "overwinter-bench: nothing here is named {name:?}; nothing was measured. Without a name it lists all."
            );
            ExitCode::from(2)
        }
    }
}
