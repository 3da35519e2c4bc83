//! The session's end of the launcher's socket.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use overwinter_proto::{
    DecodeError, decode, encode,
    launch::{FromLauncher, ToLauncher},
};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use crate::MAX_PACKET;

/// Why nothing could be said to or heard from the launcher.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error(
        "no launcher at {path}: {source}. Apps that run go on; none can be started. Start `overwinter-launcher --socket {path}`"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The launcher has gone.
    #[error("the launcher has closed its socket. Apps that run go on; none can be started")]
    Closed,
    /// The launcher does not read what it is sent.
    #[error("the launcher does not answer: its socket is full")]
    Full,
    /// The message does not fit in a packet.
    #[error(
        "a message of {0} bytes is larger than the launcher takes ({MAX_PACKET}); is the environment that large?"
    )]
    TooLarge(usize),
    /// What came is not a message.
    #[error("the launcher sent something unreadable: {0}")]
    Unreadable(#[from] DecodeError),
    /// Anything else.
    #[error("the launcher's socket failed: {0}")]
    Io(io::Error),
}

/// A connection to the launcher. Nothing here blocks: register [`Client::as_fd`] for reading in the event loop, and
/// call [`Client::receive`] until it says `None`.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects to the launcher at `path`.
    ///
    /// # Errors
    /// [`ClientError::Missing`] when nobody listens there.
    pub fn connect(path: &Path) -> Result<Client, ClientError> {
        let missing = |source: rustix::io::Errno| ClientError::Missing {
            path: path.to_owned(),
            source: source.into(),
        };
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(missing)?;
        connect(&socket, &SocketAddrUnix::new(path).map_err(missing)?).map_err(missing)?;
        Ok(Client {
            socket,
            buffer: vec![0; MAX_PACKET],
        })
    }

    /// Sends one message, whole or not at all.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the launcher has gone, [`ClientError::Full`] when it does not read.
    pub fn send(&self, message: &ToLauncher) -> Result<(), ClientError> {
        let packet = encode(message);
        if packet.len() > MAX_PACKET {
            return Err(ClientError::TooLarge(packet.len()));
        }
        match send(&self.socket, &packet, SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::AGAIN) => Err(ClientError::Full),
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Err(ClientError::Closed),
            Err(e) => Err(ClientError::Io(e.into())),
        }
    }

    /// The next message, or `None` when none is waiting.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the launcher has gone; [`ClientError::Unreadable`] for a packet that is no message (the
    /// next one may be fine).
    pub fn receive(&mut self) -> Result<Option<FromLauncher>, ClientError> {
        loop {
            match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((_, 0)) => return Err(ClientError::Closed),
                Ok((_, length)) => {
                    return Ok(Some(decode(self.buffer.get(..length).unwrap_or(&[]))?));
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Err(ClientError::Closed),
                Err(e) => return Err(ClientError::Io(e.into())),
            }
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
