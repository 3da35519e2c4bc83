//! The Wayland socket. Too many open files end neither the session nor the listening: who connects then is hung up on, once
//! for each, so that nothing spins.
//!
//! Two things see to it. The last [`KEPT_FREE`] descriptors are not given to clients, so that what the session itself needs
//! (pictures, pipes, keymaps) can still be opened. And one is held in reserve: where none is left at all, it makes room for
//! the connection that has to be taken before it can be ended.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use calloop::generic::Generic;
use calloop::{EventSource, Interest, Mode, Poll, PostAction, Readiness, Token, TokenFactory};
use rustix::process::{Resource, getrlimit};
use wayland_server::{BindError, ListeningSocket};

/// Descriptors that clients' connections leave to the session.
pub const KEPT_FREE: u64 = 96;

/// So many connections are taken before everybody else has their turn.
const AT_ONCE: usize = 64;

/// Whether a connection may be kept. The kernel gives out the lowest number that is free, so a number says how many are taken.
pub fn leaves_room(stream: &UnixStream) -> bool {
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return true;
    };
    let number = u64::try_from(stream.as_raw_fd()).unwrap_or(u64::MAX);
    // Where there are next to none at all, half of them.
    number < limit.saturating_sub(KEPT_FREE).max(limit / 2)
}

/// The socket as a source of connections.
#[derive(Debug)]
pub struct Listener {
    socket: Generic<ListeningSocket>,
    reserve: Option<File>,
}

impl Listener {
    /// Listens under this name in XDG_RUNTIME_DIR, or under the next that is free.
    ///
    /// # Errors
    /// When the name is taken or the folder is not there.
    pub fn new(name: Option<&str>) -> Result<Listener, BindError> {
        let socket = match name {
            Some(name) => ListeningSocket::bind(name)?,
            None => ListeningSocket::bind_auto("wayland", 1..33)?,
        };
        Ok(Listener {
            socket: Generic::new(socket, Interest::READ, Mode::Level),
            reserve: reserve(),
        })
    }

    /// Its name in XDG_RUNTIME_DIR.
    pub fn name(&self) -> &OsStr {
        self.socket.get_ref().socket_name().unwrap_or_default()
    }
}

/// One descriptor, for when there is none left.
pub fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Takes everybody who waits. Those for whom no descriptor is left are taken with the reserve and let go.
fn take_all(
    socket: &ListeningSocket,
    reserved: &mut Option<File>,
    mut callback: impl FnMut(UnixStream),
) {
    let mut refused = 0;
    for _ in 0..AT_ONCE {
        match socket.accept() {
            Ok(Some(stream)) => callback(stream),
            Ok(None) => break,
            Err(error) if is_full(&error) && reserved.is_some() => {
                *reserved = None;
                let hung_up = socket.accept().is_ok_and(|stream| stream.is_some());
                *reserved = reserve();
                if !hung_up {
                    break;
                }
                refused += 1;
            }
            // The one who connected has gone, or it is as full as can be: what waits is looked at again at the next turn.
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                break;
            }
        }
    }
    if refused > 0 {
        tracing::warn!(refused, "too many open files: clients were turned away");
    }
    if reserved.is_none() {
        *reserved = reserve();
    }
}

/// No descriptor was left to take it with.
pub fn is_full(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE]
        .map(Errno::raw_os_error)
        .map(Some)
        .contains(&error.raw_os_error())
}

impl EventSource for Listener {
    type Event = UnixStream;
    type Metadata = ();
    type Ret = ();
    type Error = io::Error;

    fn process_events<F: FnMut(UnixStream, &mut ())>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> io::Result<PostAction> {
        let reserved = &mut self.reserve;
        self.socket.process_events(readiness, token, |_, socket| {
            take_all(socket, reserved, |stream| callback(stream, &mut ()));
            Ok(PostAction::Continue)
        })
    }

    fn register(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.socket.register(poll, factory)
    }

    fn reregister(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.socket.reregister(poll, factory)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.socket.unregister(poll)
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Rlimit, setrlimit};

    use super::*;

    /// A process of its own (nextest starts one for each test): its limit is nobody else's.
    #[test]
    fn when_no_descriptor_is_left_those_who_wait_are_turned_away_and_later_ones_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wayland-0");
        let socket = ListeningSocket::bind_absolute(path.clone()).unwrap();
        let mut reserved = reserve();
        let waiting: Vec<_> = (0..3)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let before = getrlimit(Resource::Nofile);
        let mut all: Vec<File> = Vec::new();
        let full = Rlimit {
            current: Some(64),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, full).unwrap();
        while let Ok(file) = File::open("/dev/null") {
            all.push(file);
        }
        let mut taken = 0;
        take_all(&socket, &mut reserved, |_| taken += 1);
        assert_eq!(taken, 0);
        for stream in waiting {
            let mut byte = [0];
            assert_eq!(
                io::Read::read(&mut &stream, &mut byte).unwrap(),
                0,
                "not hung up"
            );
        }
        all.clear();
        let _late = UnixStream::connect(&path).unwrap();
        take_all(&socket, &mut reserved, |_| taken += 1);
        assert_eq!(taken, 1);
        setrlimit(Resource::Nofile, before).unwrap();
    }

    #[test]
    fn the_last_descriptors_are_the_sessions() {
        let (low, _other) = UnixStream::pair().unwrap();
        assert!(leaves_room(&low));
        let limit = getrlimit(Resource::Nofile).current.unwrap();
        let high = rustix::io::fcntl_dupfd_cloexec(&low, (limit - 1) as i32).unwrap();
        assert!(!leaves_room(&UnixStream::from(high)));
    }
}
