//! `move` and `receive`: one end of a socket pair for the session, the other for the courier.

use std::io::IsTerminal;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use overwinter_courier::{Carried, Ends, Limits, PumpError, Rsh, pump, spawn_ssh};

use crate::args::Wish;
use crate::bus::{End, Session, Trouble};
use crate::report;

/// After one of operation and stream has ended, how long the other may take.
const FAREWELL: Duration = Duration::from_secs(15);

/// After a stream was closed for its time being over, how long the session may take to say where each group is: longer than
/// its own deadline for a group that was just being saved.
const SETTLE: Duration = Duration::from_secs(45);

/// What became of a move or an arrival.
struct Outcome {
    /// `None`: the session has not said in time.
    end: Option<End>,
    stream: Stream,
}

type Stream = Result<Carried, PumpError>;

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
            "{e}. Nothing was moved; every group is still here. Say where to with --to and how with --rsh."
        ))
    })?;
    let Outcome { end, stream } = exchange(session, Some(groups), ends, patience)?;
    let late = matches!(stream, Err(PumpError::OutOfTime { .. }));
    // Nothing more comes of a remote shell whose stream is closed.
    let status = carrier.finish(if late { Duration::ZERO } else { FAREWELL });
    let Some(end) = end else {
        return Err(Trouble::failed(unsettled(&wish.to, patience)));
    };
    print!("{}", report::results(&end));
    if end.all_well() {
        return Ok(true);
    }
    let reason = if late {
        format!(
            "the move had not ended after {} s and its stream was closed; --timeout gives it more time",
            patience.as_secs()
        )
    } else {
        let complaint = stream.err().map(|e| format!("the stream: {e}; "));
        let blame = match status {
            Ok(status) => blame(wish, status.code()),
            Err(e) => format!("how `{}` ended is not known: {e}", wish.rsh),
        };
        complaint.unwrap_or_default() + &blame
    };
    eprintln!(
        "overwinter: not everything went to {}: {reason}. Nothing was lost: what did not go is still here, and `overwinter \
         status` tells. Run the same command again when that is mended.",
        wish.to
    );
    Ok(false)
}

/// What the remote shell's exit code says about why a move came to nothing. ssh gives the remote program's code, and 255 for
/// its own failures; shells give 127 and 126 for a program that is missing or must not be run.
fn blame(wish: &Wish, code: Option<i32>) -> String {
    let Wish {
        rsh,
        remote_program,
        ..
    } = wish;
    match code {
        Some(255) => format!("`{rsh}` did not get through to it"),
        Some(127) => format!(
            "it has no program `{remote_program}`; install Overwinter there or name the program with --remote-program"
        ),
        Some(126) => format!("`{remote_program}` must not be run there"),
        Some(2) => "no session there takes groups (its words are above); log into one there".into(),
        Some(code) => format!("`{rsh}` ended with exit code {code}"),
        None => format!("`{rsh}` was killed"),
    }
}

/// When the session has not even said what the end of the stream made of each group.
fn unsettled(host: &str, patience: Duration) -> String {
    format!(
        "the move to {host} had not ended after {} s and its stream was closed. Nothing was lost: each group is here, or on \
         {host} if it was handed over altogether; `overwinter status` tells as soon as the session has settled it. Run the \
         same command again for what is left.",
        patience.as_secs()
    )
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
    let Outcome { end, stream } = exchange(session, None, ends, patience)?;
    if let Err(error) = &stream {
        eprintln!("overwinter receive: the stream: {error}");
    }
    let Some(end) = end else {
        return Err(Trouble::failed(format!(
            "the arrival had not ended after {} s and its stream was closed. Nothing was lost: what had not arrived altogether \
             stays where it came from. Move it again; --timeout gives it more time.",
            patience.as_secs()
        )));
    };
    // Standard output is the stream; ssh carries this to the user on the other host.
    eprint!("{}", report::results(&end));
    Ok(end.all_well())
}

/// Gives the session its end, pumps the other, and waits for both to be over. The stream lives no longer than `patience`:
/// nobody would carry it when this program has ended.
fn exchange(
    session: &Session,
    groups: Option<&[String]>,
    peer: Ends,
    patience: Duration,
) -> Result<Outcome, Trouble> {
    let (theirs, ours) = UnixStream::pair()
        .map_err(|e| Trouble::failed(format!("no socket pair: {e}. Nothing was moved.")))?;
    let mut ends = session.ends()?;
    let operation = session.start_on_stream(groups, theirs.into())?;
    let pumping = start_pump(ours, peer, patience);
    let end = ends.wait(operation, patience.saturating_add(SETTLE))?;
    let stream = pumping
        .recv_timeout(FAREWELL)
        .unwrap_or(Err(PumpError::Silent {
            limit: FAREWELL,
            carried: Carried::default(),
        }));
    Ok(Outcome { end, stream })
}

fn start_pump(ours: UnixStream, peer: Ends, patience: Duration) -> Receiver<Stream> {
    let (sender, receiver) = channel();
    let limits = Limits {
        farewell: FAREWELL,
        until: Instant::now().checked_add(patience),
        ..Limits::default()
    };
    thread::spawn(move || {
        let _ = sender.send(pump(ours, peer, limits));
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_move_names_who_is_to_blame() {
        let wish = Wish {
            groups: Vec::new(),
            all: true,
            to: "lamp".into(),
            rsh: "ssh -p 22".into(),
            remote_program: "overwinter".into(),
        };
        assert!(blame(&wish, Some(255)).contains("ssh -p 22"));
        assert!(blame(&wish, Some(127)).contains("--remote-program"));
        assert!(blame(&wish, Some(3)).contains("exit code 3"));
        assert!(blame(&wish, None).contains("killed"));
    }
}
