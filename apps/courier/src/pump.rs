//! The loop that moves bytes both ways between two pairs of file descriptors.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::Shutdown;

/// Bytes kept per direction: one frame head and a good part of a chunk; small enough that nothing piles up here.
const BUFFER: usize = 256 << 10;

/// How patient the pump is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest time without a byte in either direction. The sessions' own deadlines are shorter; this one catches a
    /// network that swallows everything.
    pub silence: Duration,
    /// The same once one direction has ended: what is still to come is an answer, not work.
    pub farewell: Duration,
    /// When the stream is closed even though bytes still move; `None`: whenever the sessions are done.
    pub until: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            silence: Duration::from_secs(120),
            farewell: Duration::from_secs(30),
            until: None,
        }
    }
}

/// The way to the other host: what it sends is read from one end, what it is to get is written to the other.
#[derive(Debug)]
pub struct Ends {
    /// Bytes from the other host.
    pub reader: OwnedFd,
    /// Bytes for the other host.
    pub writer: OwnedFd,
}

impl Ends {
    /// Both directions of one socket.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated (none left).
    pub fn of_socket(socket: UnixStream) -> std::io::Result<Ends> {
        Ok(Ends {
            reader: socket.try_clone()?.into(),
            writer: socket.into(),
        })
    }
}

/// How much was carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Carried {
    /// Bytes from the session to the other host.
    pub out: u64,
    /// Bytes from the other host to the session.
    pub back: u64,
}

/// Why a stream ended early. What became of each group is the session's to say; it decides from its journal.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// Nothing moved for too long.
    #[error(
        "no byte came or went for {} s ({} B out, {} B back); the connection is given up",
        limit.as_secs_f32(),
        carried.out,
        carried.back
    )]
    Silent {
        /// The limit that was reached.
        limit: Duration,
        /// What had been carried until then.
        carried: Carried,
    },
    /// The time that it was given is over.
    #[error(
        "its time was over ({} B out, {} B back) and it was closed",
        carried.out,
        carried.back
    )]
    OutOfTime {
        /// What had been carried until then.
        carried: Carried,
    },
    /// A side was closed for writing while bytes for it were left.
    #[error("{side} closed the stream with {left} B for it still on the way")]
    CutOff {
        /// "the session" or "the other host".
        side: &'static str,
        /// Bytes read from one side that the other never took.
        left: usize,
    },
    /// The operating system said no.
    #[error("{what}: {why}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        why: Errno,
    },
}

/// Carries bytes both ways until both directions have ended.
///
/// # Errors
/// [`PumpError`]; both streams are closed by then.
pub fn pump(session: UnixStream, peer: Ends, limits: Limits) -> Result<Carried, PumpError> {
    for fd in [session.as_fd(), peer.reader.as_fd(), peer.writer.as_fd()] {
        make_nonblocking(fd)?;
    }
    carry(&session, peer, limits)
}

fn carry(session: &UnixStream, peer: Ends, limits: Limits) -> Result<Carried, PumpError> {
    let mut out = Direction::new("the other host");
    let mut back = Direction::new("the session");
    let mut reader = Some(peer.reader);
    let mut writer = Some(peer.writer);
    let mut last_byte = Instant::now();

    loop {
        // Pass each end on as soon as its direction has nothing left to deliver.
        if out.is_over()
            && let Some(writer) = writer.take()
        {
            // Where it is a socket (sshd gives one for input and output together), closing this descriptor alone tells the
            // other end nothing.
            let _ = rustix::net::shutdown(&writer, Shutdown::Write);
            let _ = rustix::net::shutdown(session, Shutdown::Read);
        }
        if back.is_over() && reader.take().is_some() {
            let _ = rustix::net::shutdown(session, Shutdown::Write);
        }
        let carried = Carried {
            out: out.carried,
            back: back.carried,
        };
        if writer.is_none() && reader.is_none() {
            out.verdict()?;
            back.verdict()?;
            return Ok(carried);
        }

        let limit = if writer.is_none() || reader.is_none() {
            limits.farewell
        } else {
            limits.silence
        };
        let Some(left) = limit.checked_sub(last_byte.elapsed()) else {
            return Err(PumpError::Silent { limit, carried });
        };
        let left = match limits
            .until
            .map(|u| u.saturating_duration_since(Instant::now()))
        {
            Some(Duration::ZERO) => return Err(PumpError::OutOfTime { carried }),
            Some(rest) => left.min(rest),
            None => left,
        };
        let gone = wait(&out, &back, session, reader.as_ref(), writer.as_ref(), left)?;
        out.refused |= gone.peer;
        // The session has closed both ways and heard all it wanted: what the other host still says is for nobody. (ssh
        // passes no half-close on, so its end would be waited for in vain.)
        back.refused |= gone.session && out.is_over();

        let mut moved = false;
        if let Some(writer) = &writer {
            moved |= out.turn(session.as_fd(), writer.as_fd())?;
        }
        if let Some(reader) = &reader {
            moved |= back.turn(reader.as_fd(), session.as_fd())?;
        }
        if moved {
            last_byte = Instant::now();
        }
    }
}

/// Who takes nothing more, so that nothing written from now on would arrive.
struct Gone {
    peer: bool,
    session: bool,
}

/// Sleeps until one of the descriptors that matter now can be used, or `left` is over.
fn wait(
    out: &Direction,
    back: &Direction,
    session: &UnixStream,
    reader: Option<&OwnedFd>,
    writer: Option<&OwnedFd>,
    left: Duration,
) -> Result<Gone, PumpError> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(3);
    let mut session_wants = PollFlags::empty();
    if let Some(writer) = writer {
        session_wants |= out.wants_in();
        // First in the list, and also without bytes to write: a pipe whose reader is gone says so by itself.
        fds.push(PollFd::from_borrowed_fd(writer.as_fd(), out.wants_out()));
    }
    if let Some(reader) = reader {
        session_wants |= back.wants_out();
        if !back.wants_in().is_empty() {
            fds.push(PollFd::from_borrowed_fd(reader.as_fd(), back.wants_in()));
        }
    }
    // Last in the list. Once it has said all, also when nothing is wanted of it: HUP says that it has closed both ways.
    let watched = !session_wants.is_empty() || out.is_over();
    if watched {
        fds.push(PollFd::from_borrowed_fd(session.as_fd(), session_wants));
    }
    // One more millisecond, so that the limit is over when poll says so.
    let timeout = Timespec::try_from(left + Duration::from_millis(1)).ok();
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => {}
        Err(Errno::INTR) => {
            return Ok(Gone {
                peer: false,
                session: false,
            });
        }
        Err(why) => {
            return Err(PumpError::Os {
                what: "waiting for the streams",
                why,
            });
        }
    }
    let broken = PollFlags::ERR | PollFlags::HUP;
    let is_broken = |fd: Option<&PollFd<'_>>| fd.is_some_and(|fd| fd.revents().intersects(broken));
    Ok(Gone {
        peer: writer.is_some() && is_broken(fds.first()),
        session: watched && is_broken(fds.last()),
    })
}

/// One way through the pump.
struct Direction {
    /// Who is to get the bytes.
    side: &'static str,
    buffer: Vec<u8>,
    /// How much of `buffer` has been delivered.
    done: usize,
    carried: u64,
    /// The source has said all.
    ended: bool,
    /// The sink takes nothing more.
    refused: bool,
}

impl Direction {
    fn new(side: &'static str) -> Self {
        Direction {
            side,
            buffer: Vec::with_capacity(BUFFER),
            done: 0,
            carried: 0,
            ended: false,
            refused: false,
        }
    }

    fn left(&self) -> usize {
        self.buffer.len() - self.done
    }

    fn is_over(&self) -> bool {
        self.refused || (self.ended && self.left() == 0)
    }

    fn wants_in(&self) -> PollFlags {
        if !self.ended && self.buffer.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::empty()
        }
    }

    fn wants_out(&self) -> PollFlags {
        if self.left() > 0 {
            PollFlags::OUT
        } else {
            PollFlags::empty()
        }
    }

    fn verdict(&self) -> Result<(), PumpError> {
        if self.refused && self.left() > 0 {
            return Err(PumpError::CutOff {
                side: self.side,
                left: self.left(),
            });
        }
        Ok(())
    }

    /// Reads what has come and writes what can go; true when a byte moved.
    fn turn(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<bool, PumpError> {
        let read = self.fill(from)?;
        let written = self.drain(to)?;
        Ok(read || written)
    }

    fn fill(&mut self, from: BorrowedFd<'_>) -> Result<bool, PumpError> {
        if self.ended || !self.buffer.is_empty() {
            return Ok(false);
        }
        self.buffer.resize(BUFFER, 0);
        let outcome = rustix::io::read(from, &mut self.buffer[..]);
        let count = *outcome.as_ref().unwrap_or(&0);
        self.buffer.truncate(count);
        match outcome {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => {}
            // A reset is an end; whether it came too early is for the protocol to notice.
            Err(Errno::CONNRESET | Errno::IO) => self.ended = true,
            Err(why) => {
                return Err(PumpError::Os {
                    what: "reading from the stream",
                    why,
                });
            }
        }
        Ok(count > 0)
    }

    fn drain(&mut self, to: BorrowedFd<'_>) -> Result<bool, PumpError> {
        let mut moved = false;
        while self.left() > 0 {
            match rustix::io::write(to, &self.buffer[self.done..]) {
                Ok(count) => {
                    self.done += count;
                    self.carried += count as u64;
                    moved = true;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    self.refused = true;
                    break;
                }
                Err(why) => {
                    return Err(PumpError::Os {
                        what: "writing to the stream",
                        why,
                    });
                }
            }
        }
        if self.left() == 0 {
            self.buffer.clear();
            self.done = 0;
        }
        Ok(moved)
    }
}

fn make_nonblocking(fd: BorrowedFd<'_>) -> Result<(), PumpError> {
    let os = |why| PumpError::Os {
        what: "preparing the stream",
        why,
    };
    let before = fcntl_getfl(fd).map_err(os)?;
    fcntl_setfl(fd, before | OFlags::NONBLOCK).map_err(os)
}
