//! What the store and its index process say to each other, over a socket pair: length (u32, little endian), then CBOR.
//!
//! One question, one answer, in turn; only `Bye` comes unasked. Both ends come from the same release, but a program on disk
//! may be newer than the one that runs: the first question names the version, and whoever does not know it says so.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use super::{Change, Table};

/// Changes with the meaning of any message.
pub(super) const VERSION: u32 = 1;

/// A page of entries is some 300 KiB, a batch of changes less; only nonsense is larger.
const MAX_FRAME: usize = 32 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// First of all.
    Open { version: u32 },
    /// See [`Index::scan`](super::Index::scan).
    Scan {
        table: Table,
        prefix: ByteBuf,
        after: Option<ByteBuf>,
    },
    /// See [`Index::apply`](super::Index::apply).
    Apply(Vec<Change>),
    /// See [`Index::flush`](super::Index::flush).
    Flush,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It is open.
    Opened {
        /// Why what was there before was of no use.
        rebuilt: Option<String>,
        /// There was nothing before.
        created: bool,
    },
    /// To `Scan`.
    Pairs(Vec<(ByteBuf, ByteBuf)>),
    /// To the others.
    Done,
    /// The index is of no use any more; the process ends.
    Failed(String),
    /// Nothing was asked for a while: all is on disk, and the process ends. A question that crosses this one is not answered.
    Bye,
}

/// What one end got to hear.
pub(super) enum Heard<T> {
    /// A message.
    Said(T),
    /// The other end is gone.
    Gone,
    /// Nothing, for as long as was waited.
    Silence,
}

/// Sends one message.
pub(super) fn tell<T: Serialize>(
    mut to: &UnixStream,
    message: &T,
    within: Duration,
) -> io::Result<()> {
    let body = overwinter_proto::encode(message);
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend(body);
    let end = Instant::now() + within;
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        to.set_write_timeout(Some(left(end)?))?;
        match to.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => rest = &rest[n..],
            Err(e) if is_pause(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Waits for one message. The first byte may take as long as `first`, all others together as long as `rest`.
pub(super) fn hear<T: DeserializeOwned>(
    from: &UnixStream,
    first: Duration,
    rest: Duration,
) -> io::Result<Heard<T>> {
    let mut length = [0; 4];
    match fill(from, &mut length[..1], first) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::TimedOut => return Ok(Heard::Silence),
        Err(e) if is_end(&e) => return Ok(Heard::Gone),
        Err(e) => return Err(e),
    }
    let end = Instant::now() + rest;
    fill(from, &mut length[1..], left(end)?)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a message of {length} bytes")));
    }
    let mut body = vec![0; length];
    fill(from, &mut body, left(end)?)?;
    overwinter_proto::decode(&body)
        .map(Heard::Said)
        .map_err(|e| io::Error::other(e.to_string()))
}

fn fill(mut from: &UnixStream, bytes: &mut [u8], within: Duration) -> io::Result<()> {
    let end = Instant::now() + within;
    let mut at = 0;
    while at < bytes.len() {
        from.set_read_timeout(Some(left(end)?))?;
        match from.read(&mut bytes[at..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => at += n,
            Err(e) if is_pause(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What is left until then; never nothing, which would mean for ever.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn is_pause(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

fn is_end(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}
