//! The index process: opens the database, answers, and ends when nobody asks.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{fs::DirBuilderExt as _, net::UnixStream},
    },
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{FlockOperation, flock},
};
use serde_bytes::ByteBuf;

use super::{
    Index as _, IndexError, SledIndex,
    wire::{self, Heard, Reply, Request},
};

/// A question that has begun to come is here within this; an answer is taken within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers the store at the other end of `socket` until it is gone, or asks nothing for as long as `idle`. The database is
/// closed in order either way.
///
/// # Errors
/// For people. The store has been told, if it was still there to hear it.
pub fn serve(socket: OwnedFd, dir: &Path, idle: Duration) -> Result<(), String> {
    let socket = UnixStream::from(socket);
    end_with(&socket).map_err(|e| format!("no thread can be started: {e}"))?;
    let outcome = converse(&socket, dir, idle);
    if let Err(why) = &outcome {
        drop(wire::tell(&socket, &Reply::Failed(why.clone()), PATIENCE));
    }
    outcome
}

fn converse(socket: &UnixStream, dir: &Path, idle: Duration) -> Result<(), String> {
    let said = |e: io::Error| e.to_string();
    match wire::hear(socket, PATIENCE, PATIENCE).map_err(said)? {
        Heard::Said(Request::Open { version }) if version == wire::VERSION => {}
        Heard::Said(_) => return Err("the store speaks another version than its index".to_owned()),
        Heard::Gone | Heard::Silence => return Ok(()),
    }
    let lock = lock(dir).map_err(said)?;
    let opened = SledIndex::open(dir).map_err(|e| e.0)?;
    // After a rebuild the folder is another one: only the next process that opens this one would care about its lock.
    let mut index = opened.index;
    let reply = Reply::Opened {
        rebuilt: opened.rebuilt,
        created: opened.created,
    };
    wire::tell(socket, &reply, PATIENCE).map_err(said)?;
    let last = loop {
        match wire::hear(socket, idle, PATIENCE).map_err(said)? {
            Heard::Said(request) => {
                let reply = answer(&mut index, request).map_err(|e| e.0)?;
                wire::tell(socket, &reply, PATIENCE).map_err(said)?;
            }
            Heard::Silence => break Some(Reply::Bye),
            Heard::Gone => break None,
        }
    };
    index.flush().map_err(|e| e.0)?;
    drop(index);
    drop(lock);
    match last {
        Some(bye) => wire::tell(socket, &bye, PATIENCE).map_err(said),
        None => Ok(()),
    }
}

fn answer(index: &mut SledIndex, request: Request) -> Result<Reply, IndexError> {
    match request {
        Request::Open { .. } => Err(IndexError("opened twice".to_owned())),
        Request::Scan {
            table,
            prefix,
            after,
        } => {
            let pairs = index.scan(table, &prefix, after.as_deref().map(Vec::as_slice))?;
            let bytes = |(k, v)| (ByteBuf::from(k), ByteBuf::from(v));
            Ok(Reply::Pairs(pairs.into_iter().map(bytes).collect()))
        }
        Request::Apply(changes) => index.apply(&changes).map(|()| Reply::Done),
        Request::Flush => index.flush().map(|()| Reply::Done),
    }
}

/// One process at a time: the one before, whose store has died, may still be closing the database. Waits for it; the store
/// that asked waits with a deadline.
fn lock(dir: &Path) -> io::Result<Option<File>> {
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let folder = File::open(dir)?;
    flock(&folder, FlockOperation::LockExclusive)?;
    Ok(Some(folder))
}

/// When the store is gone this process ends, also when the database hangs: a thread that sleeps until the socket is closed.
fn end_with(socket: &UnixStream) -> io::Result<()> {
    let socket = socket.try_clone()?;
    std::thread::Builder::new()
        .name("store-gone".to_owned())
        .spawn(move || {
            let mut closed = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::RDHUP)];
            while let Err(rustix::io::Errno::INTR) = poll(&mut closed, None) {}
            std::thread::sleep(PATIENCE);
            std::process::abort();
        })?;
    Ok(())
}
