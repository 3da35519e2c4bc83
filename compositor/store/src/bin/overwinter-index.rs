//! `overwinter-index FOLDER MILLISECONDS`: keeps the store's index for the process at the other end of its standard input,
//! and ends after that time without a question. The store starts it; it is of no use by hand.

use std::{os::fd::AsFd as _, path::PathBuf, process::ExitCode, time::Duration};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(dir), Some(idle)) = (
        words.next().map(PathBuf::from),
        words.next().and_then(|w| w.to_str()?.parse().ok()),
    ) else {
        eprintln!("overwinter-index is started by the store, not by hand; nothing was done");
        return ExitCode::from(2);
    };
    let socket = match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(socket) => socket,
        Err(e) => {
            eprintln!("overwinter-index has no standard input: {e}; nothing was done");
            return ExitCode::from(2);
        }
    };
    match overwinter_store::index::serve(socket, &dir, Duration::from_millis(idle)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("overwinter-index: {why}; the store builds the index anew");
            ExitCode::FAILURE
        }
    }
}
