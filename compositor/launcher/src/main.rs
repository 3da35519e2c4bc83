//! `overwinter-launcher`: starts applications for the session and sees them end. Started before the compositor.

use std::{
    io::Write,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use clap::Parser;

/// Starts applications for an Overwinter session and sees them end.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Socket to listen at; the session connects to it.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Descriptor to write one newline to, and close, once the socket accepts connections.
    #[arg(long, value_name = "N")]
    ready_fd: Option<RawFd>,
}

fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("OVERWINTER_LOG")
                .unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let arguments = Arguments::parse();
    // Looked at first: later the number might be a descriptor of our own.
    if let Some(fd) = arguments.ready_fd
        && (fd <= 2 || !is_open(fd))
    {
        bail!("--ready-fd {fd} names no descriptor that was handed over");
    }
    let server = overwinter_launcher::server::Server::bind(&arguments.socket)
        .with_context(|| format!("cannot listen at {}", arguments.socket.display()))?;
    if let Some(fd) = arguments.ready_fd {
        announce(fd).with_context(|| format!("cannot tell descriptor {fd} that all is ready"))?;
    }
    server.run().context("the launcher cannot go on")
}

fn announce(fd: RawFd) -> Result<()> {
    // SAFETY: the descriptor was open before this process opened any (checked in main), is none of the standard three, and by the meaning of --ready-fd was
    // handed over to be used and closed here; nothing else in this process knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    std::fs::File::from(fd).write_all(b"\n")?;
    Ok(())
}

fn is_open(fd: RawFd) -> bool {
    std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists()
}
