//! Streams to other hosts: frames of `overwinter_proto::transfer`, a thread that reads and a thread that writes for each.
//!
//! Promises:
//! 1. Nothing of a frame is kept before its length is known to be within [`MAX_FRAME`]; what is no message ends the stream.
//! 2. At most [`UNREAD`] messages of a peer wait in this process: one that sends faster than it is read is not read.
//! 3. Chunks go between the stream and the store worker; the main thread never sees them.
//! 4. A peer that takes nothing for [`STALLED`] ends its own stream, and nobody else waits for it: not the end of the session either.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use overwinter_proto::transfer::{MAX_FRAME, Message};
use overwinter_session::ids::PeerId;

use super::store::Job;

/// Messages of one peer that may wait here: a chunk has up to 4 MiB, and 32 MiB are a fair share of memory.
pub const UNREAD: usize = 8;

/// A peer whose link is merely slow takes something within this.
pub const STALLED: Duration = Duration::from_secs(30);

/// Something came from a peer.
#[derive(Debug)]
pub struct Heard {
    /// The stream.
    pub peer: PeerId,
    /// What came.
    pub what: What,
}

/// See [`Heard`].
#[derive(Debug)]
pub enum What {
    /// A message that is no chunk.
    Message(Message, Credit),
    /// The stream has ended; the text says why.
    Gone(String),
}

/// Dropped once a message was handled: the next one may be read.
#[derive(Debug)]
pub struct Credit(mpsc::Sender<()>);

impl Drop for Credit {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

enum Frame {
    Message(Vec<u8>),
    Chunk(Vec<u8>),
    /// What is in it is dropped when everything before is written, or nothing more can be.
    Close(Option<mpsc::Sender<()>>),
}

/// The way to a peer. Nothing here blocks; clones write to the same stream.
#[derive(Clone)]
pub struct Outbox(mpsc::Sender<Frame>);

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outbox")
    }
}

impl Outbox {
    /// Queues a message. After the end of the stream it goes nowhere.
    pub fn say(&self, message: &Message) {
        let bytes = overwinter_proto::encode(message);
        let frame = match message {
            Message::Chunk { .. } => Frame::Chunk(bytes),
            _ => Frame::Message(bytes),
        };
        let _ = self.0.send(frame);
    }

    /// Ends the stream once everything before is written.
    pub fn close(&self) {
        let _ = self.0.send(Frame::Close(None));
    }

    /// As [`close`](Self::close); `written` is dropped when everything before is written, or nothing more can be.
    pub fn close_and_tell(&self, written: mpsc::Sender<()>) {
        let _ = self.0.send(Frame::Close(Some(written)));
    }
}

/// Begins to talk over `stream`. `hear` is called on the reading thread.
///
/// # Errors
/// When it is not a connected stream socket.
pub fn open(
    peer: PeerId,
    stream: OwnedFd,
    worker: mpsc::Sender<Job>,
    hear: impl Fn(Heard) + Send + 'static,
) -> io::Result<Outbox> {
    let kind = rustix::net::sockopt::socket_type(&stream)?;
    if kind != rustix::net::SocketType::STREAM {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the descriptor is not a stream socket",
        ));
    }
    let reading = UnixStream::from(stream);
    reading.set_nonblocking(false)?;
    reading.set_write_timeout(Some(STALLED))?;
    let writing = reading.try_clone()?;
    let (frames, outgoing) = mpsc::channel();
    let room = worker.clone();
    std::thread::Builder::new()
        .name(format!("to peer {}", peer.0))
        .spawn(move || {
            if let Err(e) = write(peer, &writing, &outgoing, &room) {
                tracing::warn!("the other host takes nothing more: {e}");
            }
            // Wakes the reader too.
            let _ = writing.shutdown(Shutdown::Both);
        })?;
    std::thread::Builder::new()
        .name(format!("from peer {}", peer.0))
        .spawn(move || {
            let why = match read(peer, &reading, &worker, &hear) {
                Ok(()) => "the other host has hung up".to_owned(),
                Err(e) => format!("the stream from the other host failed: {e}"),
            };
            let _ = reading.shutdown(Shutdown::Both);
            let _ = worker.send(Job::PeerGone { peer });
            hear(Heard {
                peer,
                what: What::Gone(why),
            });
        })?;
    Ok(Outbox(frames))
}

fn write(
    peer: PeerId,
    mut stream: &UnixStream,
    frames: &mpsc::Receiver<Frame>,
    room: &mpsc::Sender<Job>,
) -> io::Result<()> {
    for frame in frames {
        let (bytes, chunk) = match frame {
            Frame::Message(bytes) => (bytes, false),
            Frame::Chunk(bytes) => (bytes, true),
            Frame::Close(written) => {
                drop(written);
                return Ok(());
            }
        };
        let length = u32::try_from(bytes.len()).ok().filter(|l| *l <= MAX_FRAME);
        let Some(length) = length else {
            let why = format!(
                "a message of {} bytes is larger than a frame may be",
                bytes.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(&bytes)?;
        if chunk {
            let _ = room.send(Job::Room { peer });
        }
    }
    Ok(())
}

fn read(
    peer: PeerId,
    stream: &UnixStream,
    worker: &mpsc::Sender<Job>,
    hear: &impl Fn(Heard),
) -> io::Result<()> {
    let (give_back, credits) = mpsc::channel();
    for _ in 0..UNREAD {
        let _ = give_back.send(());
    }
    let mut stream = io::BufReader::new(stream);
    while let Some(message) = next(&mut stream)? {
        // Never disconnected: this thread holds a sender itself.
        let _ = credits.recv();
        let credit = Credit(give_back.clone());
        match message {
            Message::Chunk { tx, id, bytes } => {
                let _ = worker.send(Job::Chunk {
                    peer,
                    tx,
                    id,
                    bytes,
                    credit,
                });
            }
            other => hear(Heard {
                peer,
                what: What::Message(other, credit),
            }),
        }
    }
    Ok(())
}

/// The next message; `None` at a clean end.
fn next(stream: &mut impl Read) -> io::Result<Option<Message>> {
    let mut length = [0; 4];
    if stream.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..])?;
    let length = u32::from_be_bytes(length);
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if length == 0 || length > MAX_FRAME {
        return Err(bad(format!(
            "a frame of {length} bytes; at most {MAX_FRAME} are taken"
        )));
    }
    // Grows as bytes come: a length alone costs nothing.
    let mut bytes = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "it broke off within a message",
        ));
    }
    overwinter_proto::decode(&bytes)
        .map(Some)
        .map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use overwinter_proto::TxId;
    use overwinter_proto::transfer::ChunkId;
    use std::sync::mpsc::Receiver;

    const PATIENCE: Duration = Duration::from_secs(20);

    struct End {
        outbox: Outbox,
        heard: Receiver<Heard>,
        jobs: Receiver<Job>,
    }

    fn end(stream: UnixStream) -> End {
        let (worker, jobs) = mpsc::channel();
        let (tell, heard) = mpsc::channel();
        let hear = move |h| drop(tell.send(h));
        let outbox = open(PeerId(1), stream.into(), worker, hear).unwrap();
        End {
            outbox,
            heard,
            jobs,
        }
    }

    fn chunk(n: u8) -> Message {
        Message::Chunk {
            tx: TxId(1),
            id: ChunkId([n; 32]),
            bytes: vec![n; 100_000],
        }
    }

    #[test]
    fn messages_arrive_in_order_and_chunks_go_to_the_worker() {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, b) = (end(a), end(b));
        for n in 0..50 {
            a.outbox.say(&Message::Done { tx: TxId(n) });
            a.outbox.say(&chunk(n as u8));
        }
        a.outbox.close();
        for n in 0..50 {
            match b.heard.recv_timeout(PATIENCE).unwrap().what {
                What::Message(message, _) => assert_eq!(message, Message::Done { tx: TxId(n) }),
                other => panic!("{other:?}"),
            }
            match b.jobs.recv_timeout(PATIENCE).unwrap() {
                Job::Chunk { id, bytes, .. } => {
                    assert_eq!((id, bytes.len()), (ChunkId([n as u8; 32]), 100_000));
                }
                other => panic!("{other:?}"),
            }
            assert!(matches!(
                a.jobs.recv_timeout(PATIENCE).unwrap(),
                Job::Room { .. }
            ));
        }
        assert!(matches!(
            b.heard.recv_timeout(PATIENCE).unwrap().what,
            What::Gone(_)
        ));
        assert!(matches!(
            b.jobs.recv_timeout(PATIENCE).unwrap(),
            Job::PeerGone { .. }
        ));
    }

    #[test]
    fn who_sends_faster_than_it_is_read_is_not_read() {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, b) = (end(a), end(b));
        for n in 0..200 {
            a.outbox.say(&chunk(n));
        }
        // 20 MB would not fit between the two: while nothing is given back, no more than UNREAD come.
        let mut kept = Vec::new();
        for _ in 0..UNREAD {
            kept.push(b.jobs.recv_timeout(PATIENCE).unwrap());
        }
        for _ in UNREAD..200 {
            assert!(b.jobs.try_recv().is_err());
            drop(kept.remove(0));
            kept.push(b.jobs.recv_timeout(PATIENCE).unwrap());
        }
    }

    #[test]
    fn what_is_no_message_ends_the_stream() {
        let huge = (MAX_FRAME + 1).to_be_bytes();
        for bad in [
            &[0u8, 0, 0, 0][..],
            &huge,
            &[0, 0, 0, 3, 1, 2, 3],
            &[0, 0, 0, 9, 1],
            &[0, 0],
        ] {
            let (mut a, b) = UnixStream::pair().unwrap();
            let b = end(b);
            a.write_all(bad).unwrap();
            drop(a);
            match b.heard.recv_timeout(PATIENCE).unwrap().what {
                What::Gone(why) => assert!(why.contains("failed"), "{why}"),
                other => panic!("{other:?}"),
            }
        }
        let (pipe, _other) = rustix::pipe::pipe().unwrap();
        let (worker, _jobs) = mpsc::channel();
        assert!(open(PeerId(1), pipe, worker, |_| {}).is_err());
    }
}
