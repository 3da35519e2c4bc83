//! `move` and `receive`: one end of a socket pair for the session, the other for the courier.

use std::io::IsTerminal;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use overwinter_courier::{Carried, Ends, Limits, PumpError, Rsh, pump, spawn_ssh};

use crate::args::Wish;
use crate::bus::{End, Session, Trouble};
use crate::report;

/// After one of operation and stream has ended, how long the other may take.
const FAREWELL: Duration = Duration::from_secs(15);

/// Hands groups (none = all) to the host that was wished for.
pub fn send(
    session: &Session,
    groups: &[String],
    wish: &Wish,
    patience: Duration,
) -> Result<bool, Trouble> {
    let rsh = Rsh {
        command: wish.rsh.clone(),
        remote_program: wish.remote_program.clone(),
    };
    let (carrier, ends) = spawn_ssh(&wish.to, &rsh).map_err(|e| {
        Trouble::usage(format!(
            "{e}. Nothing was moved; every group is still here."
        ))
    })?;
    let (end, stream) = exchange(session, Some(groups), ends, patience)?;
    let status = carrier.finish(FAREWELL);
    if let Err(error) = &stream {
        eprintln!("overwinter: the stream to {}: {error}", wish.to);
    }
    print!("{}", report::results(&end));
    if !end.all_well() {
        let how = status.map_or_else(|e| e.to_string(), |s| s.to_string());
        eprintln!(
            "overwinter: not everything went to {} (`{}` ended with {how}). What did not go is still here; `overwinter status` \
             tells. When the other host can be reached, run the same command again.",
            wish.to, wish.rsh
        );
    }
    Ok(end.all_well())
}

/// Takes what the host at the other end of standard input and output hands over.
pub fn receive(session: &Session, patience: Duration) -> Result<bool, Trouble> {
    if std::io::stdin().is_terminal() || std::io::stdout().is_terminal() {
        return Err(Trouble::usage(
            "`receive` is started by `overwinter move` on the other host, through ssh. Nothing was changed.",
        ));
    }
    let unusable = |e: rustix::io::Errno| {
        Trouble::usage(format!("standard input or output cannot be used: {e}"))
    };
    let ends = Ends {
        reader: rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(unusable)?,
        writer: rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(unusable)?,
    };
    // The duplicate alone shall keep the stream open, so that the other host sees its end.
    let nowhere = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null");
    if let Ok(nowhere) = nowhere {
        let _ = rustix::stdio::dup2_stdin(&nowhere);
        let _ = rustix::stdio::dup2_stdout(&nowhere);
    }
    let (end, stream) = exchange(session, None, ends, patience)?;
    if let Err(error) = &stream {
        eprintln!("overwinter receive: the stream: {error}");
    }
    // Standard output is the stream; ssh carries this to the user on the other host.
    eprint!("{}", report::results(&end));
    Ok(end.all_well())
}

type Stream = Result<Carried, PumpError>;

/// Gives the session its end, pumps the other, and waits for both to be over.
fn exchange(
    session: &Session,
    groups: Option<&[String]>,
    peer: Ends,
    patience: Duration,
) -> Result<(End, Stream), Trouble> {
    let (theirs, ours) = UnixStream::pair()
        .map_err(|e| Trouble::failed(format!("no socket pair: {e}. Nothing was moved.")))?;
    let mut ends = session.ends()?;
    let operation = session.start_on_stream(groups, theirs.into())?;
    let pumping = start_pump(ours, peer, patience);
    let end = ends.wait(operation, patience)?;
    let stream = pumping
        .recv_timeout(FAREWELL)
        .unwrap_or(Err(PumpError::Silent {
            limit: FAREWELL,
            carried: Carried::default(),
        }));
    Ok((end, stream))
}

fn start_pump(ours: UnixStream, peer: Ends, patience: Duration) -> Receiver<Stream> {
    let (sender, receiver) = channel();
    let limits = Limits {
        silence: patience.min(Limits::default().silence),
        farewell: FAREWELL,
    };
    thread::spawn(move || {
        let _ = sender.send(pump(ours, peer, limits));
    });
    receiver
}
