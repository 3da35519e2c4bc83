//! What scripts ask and tell the session: JSON, a line for each message, over a socket beside Wayland's (docs/msg.md).
//!
//! Promises:
//! 1. Nobody stalls the session: nothing here waits, a turn handles [`LINES_A_TURN`] requests of a connection, and who does not
//!    read is asked no more ([`ENOUGH`]) and told no more ([`MOST_WAITING`]: the connection ends).
//! 2. Every line is answered, in order; one that makes no sense with what is wrong about it.
//! 3. The socket is the user's alone, and outside of every sandbox.
//! 4. Without subscribers nothing is computed; an idle session stays idle.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Interest, Mode, PostAction, RegistrationToken};

use crate::state::Overwinter;

mod events;
mod request;
mod view;

use events::Seen;

/// A request is shorter.
const LONGEST_LINE: usize = 64 << 10;
/// With so much to read first, nothing more is handled for a connection.
const ENOUGH: usize = 64 << 10;
/// A subscriber that is so far behind reads nothing.
const MOST_WAITING: usize = 1 << 20;
/// Others have their turn after so many.
const LINES_A_TURN: usize = 32;
/// At the same time.
const MOST_CONNECTIONS: usize = 32;
/// When no more descriptors are left, somebody has to close one first.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_secs(1);

/// Who is connected.
#[derive(Debug, Default)]
pub struct Msg {
    socket: Option<PathBuf>,
    connections: BTreeMap<u64, Connection>,
    last: u64,
    /// What subscribers were last told.
    seen: Seen,
}

impl Drop for Msg {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    reader: RegistrationToken,
    /// Set while there is something to write, or a turn was not enough.
    writer: Option<RegistrationToken>,
    reading: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    subscribed: bool,
    /// Nothing more is taken; it ends when it has read the rest.
    ending: bool,
}

/// How it stands with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Open,
    Over,
}

impl Connection {
    /// Takes what has come, as far as there is room for it.
    fn read(&mut self) -> Stands {
        let mut part = [0; 16 << 10];
        while self.incoming.len() <= LONGEST_LINE && !self.ending {
            match self.stream.read(&mut part) {
                Ok(0) => {
                    // It may have shut down its side alone, to read the answers; the last line needs no end then.
                    self.ending = true;
                    if self.incoming.last().is_some_and(|b| *b != b'\n') {
                        self.incoming.push(b'\n');
                    }
                }
                Ok(n) => self.incoming.extend_from_slice(&part[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Stands::Over,
            }
        }
        Stands::Open
    }

    fn write(&mut self) -> Stands {
        let mut done = 0;
        let stands = loop {
            if done == self.outgoing.len() {
                break Stands::Open;
            }
            match self.stream.write(&self.outgoing[done..]) {
                Ok(0) => break Stands::Over,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break Stands::Open,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break Stands::Over,
            }
        };
        self.outgoing.drain(..done);
        stands
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.incoming.iter().position(|b| *b == b'\n')?;
        let mut line: Vec<u8> = self.incoming.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    fn has_line(&self) -> bool {
        self.incoming.contains(&b'\n')
    }

    fn say(&mut self, message: &serde_json::Value) {
        self.outgoing
            .extend_from_slice(message.to_string().as_bytes());
        self.outgoing.push(b'\n');
    }
}

/// Where the socket for scripts of a session is.
fn socket_of(wayland: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)?;
    Some(folder.join(format!("overwinter-{wayland}.sock")))
}

impl Overwinter {
    /// Listens for scripts beside the Wayland socket, or says why not.
    pub fn listen_for_scripts(&mut self) {
        let Some(path) = socket_of(&self.socket) else {
            return;
        };
        if let Err(e) = self.listen_for_scripts_at(&path) {
            tracing::warn!("{e:#}: `overwinter msg` cannot be used");
        }
    }

    /// Listens there. The Wayland socket of that name is ours, so a file that is there already is nobody's any more.
    ///
    /// # Errors
    /// When no socket can be made there.
    pub fn listen_for_scripts_at(&mut self, path: &Path) -> Result<()> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot replace {}", path.display()));
            }
            _ => {}
        }
        let what = || format!("cannot listen on {}", path.display());
        let listener = UnixListener::bind(path).with_context(what)?;
        self.msg.socket = Some(path.to_owned());
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).with_context(what)?;
        listener.set_nonblocking(true).with_context(what)?;
        let source = Generic::new(listener, Interest::READ, Mode::Level);
        let token = std::rc::Rc::new(std::cell::Cell::new(None));
        let own = token.clone();
        let registered = self
            .handle
            .insert_source(
                source,
                move |_, listener, state: &mut Overwinter| match state.take_scripts(listener) {
                    Ok(()) => Ok(PostAction::Continue),
                    Err(e) => {
                        tracing::warn!("a script could not be taken: {e}; again in a second");
                        state.take_scripts_later(own.get());
                        Ok(PostAction::Disable)
                    }
                },
            )
            .map_err(|e| e.error)?;
        token.set(Some(registered));
        Ok(())
    }

    fn take_scripts_later(&mut self, listener: Option<RegistrationToken>) {
        let timer = Timer::from_duration(OUT_OF_DESCRIPTORS);
        let timer = self.handle.insert_source(timer, move |_, (), state| {
            if let Some(Err(e)) = listener.map(|token| state.handle.enable(&token)) {
                tracing::error!("scripts are not heard any more: {e}");
            }
            TimeoutAction::Drop
        });
        if let Err(e) = timer {
            tracing::error!("no timer: {}", e.error);
        }
    }

    fn take_scripts(&mut self, listener: &UnixListener) -> io::Result<()> {
        for _ in 0..MOST_CONNECTIONS {
            match listener.accept() {
                Ok((stream, _)) => self.take_script(stream)?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Who gave up before it was taken.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn take_script(&mut self, mut stream: UnixStream) -> io::Result<()> {
        let peer = rustix::net::sockopt::socket_peercred(&stream)?;
        if peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
            return Ok(());
        }
        stream.set_nonblocking(true)?;
        if self.msg.connections.len() >= MOST_CONNECTIONS {
            let full = request::refusal(
                None,
                &format!("{MOST_CONNECTIONS} scripts are connected: end one of them"),
            );
            let _ = stream.write_all(format!("{full}\n").as_bytes());
            return Ok(());
        }
        self.msg.last += 1;
        let id = self.msg.last;
        let source = Generic::new(stream.try_clone()?, Interest::READ, Mode::Level);
        let reader = self
            .handle
            .insert_source(source, move |_, _, state: &mut Overwinter| {
                state.script_turn(id, true);
                Ok(PostAction::Continue)
            })
            .map_err(|e| io::Error::other(e.error.to_string()))?;
        self.msg.connections.insert(
            id,
            Connection {
                stream,
                reader,
                writer: None,
                reading: true,
                incoming: Vec::new(),
                outgoing: Vec::new(),
                subscribed: false,
                ending: false,
            },
        );
        Ok(())
    }

    /// Reads, answers and writes, as much as there is to, within bounds.
    fn script_turn(&mut self, id: u64, readable: bool) {
        let Some(connection) = self.msg.connections.get_mut(&id) else {
            return;
        };
        let mut stands = Stands::Open;
        if readable {
            stands = connection.read();
        }
        let mut handled = 0;
        while stands == Stands::Open && handled < LINES_A_TURN {
            let Some(connection) = self.msg.connections.get_mut(&id) else {
                return;
            };
            stands = connection.write();
            if connection.outgoing.len() >= ENOUGH {
                break;
            }
            let Some(line) = connection.line() else {
                if connection.incoming.len() > LONGEST_LINE {
                    connection.incoming.clear();
                    connection.ending = true;
                    let why = format!(
                        "a line is longer than {LONGEST_LINE} bytes; nothing more is read here"
                    );
                    connection.say(&request::refusal(None, &why));
                }
                break;
            };
            handled += 1;
            let answer = request::answer(self, id, &line);
            if let Some(connection) = self.msg.connections.get_mut(&id) {
                connection.say(&answer);
            }
        }
        self.script_rests(id, stands);
    }

    /// After its turn: what is waited for next.
    fn script_rests(&mut self, id: u64, mut stands: Stands) {
        let Some(connection) = self.msg.connections.get_mut(&id) else {
            return;
        };
        if stands == Stands::Open {
            stands = connection.write();
        }
        let more = connection.has_line();
        let waiting = !connection.outgoing.is_empty();
        if stands == Stands::Over || (connection.ending && !more && !waiting) {
            return self.end_script(id);
        }
        let read = !more && !connection.ending && connection.outgoing.len() < ENOUGH;
        let handle = self.handle.clone();
        if read != connection.reading {
            let done = match read {
                true => handle.enable(&connection.reader),
                false => handle.disable(&connection.reader),
            };
            if let Err(e) = done {
                tracing::error!("a script is not heard any more: {e}");
                return self.end_script(id);
            }
            connection.reading = read;
        }
        if (more || waiting) && connection.writer.is_none() {
            match self.when_writable(id) {
                Ok(token) => {
                    if let Some(connection) = self.msg.connections.get_mut(&id) {
                        connection.writer = Some(token);
                    }
                }
                Err(e) => {
                    tracing::warn!("a script cannot be answered: {e}");
                    self.end_script(id);
                }
            }
        }
    }

    fn when_writable(&self, id: u64) -> io::Result<RegistrationToken> {
        let connection = self.msg.connections.get(&id);
        let stream = connection
            .ok_or(io::ErrorKind::NotConnected)?
            .stream
            .try_clone()?;
        let source = Generic::new(stream, Interest::WRITE, Mode::Level);
        let token = self
            .handle
            .insert_source(source, move |_, _, state: &mut Overwinter| {
                if let Some(connection) = state.msg.connections.get_mut(&id) {
                    connection.writer = None;
                }
                state.script_turn(id, false);
                Ok(PostAction::Remove)
            })
            .map_err(|e| io::Error::other(e.error.to_string()))?;
        Ok(token)
    }

    fn end_script(&mut self, id: u64) {
        if let Some(connection) = self.msg.connections.remove(&id) {
            self.handle.remove(connection.reader);
            if let Some(writer) = connection.writer {
                self.handle.remove(writer);
            }
        }
    }

    /// Tells subscribers what is new since they were last told. Runs after each round of the event loop.
    pub fn tell_scripts(&mut self) {
        if !self.msg.connections.values().any(|c| c.subscribed) {
            return;
        }
        let now = Seen::of(self);
        let events = now.since(&self.msg.seen);
        self.msg.seen = now;
        if events.is_empty() {
            return;
        }
        let connections = self.msg.connections.iter();
        let subscribers = connections.filter(|(_, c)| c.subscribed);
        let subscribers: Vec<u64> = subscribers.map(|(id, _)| *id).collect();
        for id in subscribers {
            let Some(connection) = self.msg.connections.get_mut(&id) else {
                continue;
            };
            for event in &events {
                connection.say(event);
            }
            let stands = connection.write();
            if connection.outgoing.len() > MOST_WAITING {
                tracing::warn!("a script subscribed and does not read: its connection ends");
                self.end_script(id);
            } else {
                self.script_rests(id, stands);
            }
        }
    }

    /// This connection is told of what happens from now on.
    fn subscribe_script(&mut self, id: u64) {
        if !self.msg.connections.values().any(|c| c.subscribed) {
            self.msg.seen = Seen::of(self);
        }
        if let Some(connection) = self.msg.connections.get_mut(&id) {
            connection.subscribed = true;
        }
    }
}
