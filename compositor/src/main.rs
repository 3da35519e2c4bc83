//! The compositor's process: flags, log, event loop.

use clap::Parser;
use overwinter_compositor::{Options, state};
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let filter = EnvFilter::try_from_env("OVERWINTER_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,overwinter_compositor=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    state::run(&options)
}
