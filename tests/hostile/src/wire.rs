//! A Wayland connection by hand: requests are put together from what the XML says, right or wrong, and nothing is checked.
//!
//! What the server sends is always read into memory while something is being sent, unless the client was told not to read.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::spec::{Interface, Kind, Message, Spec};

/// libwayland takes no more descriptors with one message.
const FDS_AT_ONCE: usize = 28;

/// How long a server may take to read what is sent to it.
const PATIENCE: Duration = Duration::from_secs(20);

/// An argument of a request.
#[derive(Debug)]
pub enum Arg {
    /// int
    Int(i32),
    /// uint
    Uint(u32),
    /// string
    Text(Vec<u8>),
    /// An absent string.
    NoText,
    /// object; 0 is none
    Object(u32),
    /// array
    Array(Vec<u8>),
    /// fd
    Fd(OwnedFd),
    /// A new id that is not the next one; where it is left out, the next one is taken.
    Id(u32),
    /// A new id with interface and version, as wl_registry.bind has it.
    Bind(Vec<u8>, u32, u32),
}

impl Arg {
    /// Text.
    pub fn text(text: &str) -> Arg {
        Arg::Text(text.as_bytes().to_vec())
    }
}

/// Why a connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The server has hung up, which is its good right.
    Closed,
    /// It does not read, or not answer.
    Stuck,
    /// It never had what this is about.
    Absent,
}

/// What became of something that was sent.
pub type Sent<T> = Result<T, Gone>;

/// What the client knows of an object.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its interface.
    pub interface: Arc<Interface>,
    /// Its version.
    pub version: u32,
    /// False: destroyed, and not yet free to be used again.
    pub alive: bool,
}

/// A value in an event. Descriptors are closed at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// int, uint, fixed, object, new_id
    Word(u32),
    /// string
    Text(String),
    /// array
    Bytes(Vec<u8>),
    /// fd
    Fd,
}

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Whose.
    pub object: u32,
    /// Its interface.
    pub interface: String,
    /// Its name.
    pub name: String,
    /// What it carries.
    pub values: Vec<Value>,
}

impl Event {
    /// A number in it.
    pub fn word(&self, at: usize) -> u32 {
        match self.values.get(at) {
            Some(Value::Word(word)) => *word,
            _ => 0,
        }
    }
}

/// The server's last words to a client: object's interface, code, message.
#[derive(Debug, Clone)]
pub struct Blame {
    /// Object.
    pub object: u32,
    /// Code.
    pub code: u32,
    /// Words.
    pub words: String,
}

impl std::fmt::Display for Blame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "error {} of object {}: {}",
            self.code, self.object, self.words
        )
    }
}

/// What a registry announces: its name, its interface, the newest version.
pub type Global = (u32, String, u32);

/// A connection.
pub struct Conn {
    stream: UnixStream,
    spec: Arc<Spec>,
    objects: BTreeMap<u32, Known>,
    free: Vec<u32>,
    next: u32,
    out: Vec<u8>,
    out_fds: Vec<OwnedFd>,
    incoming: Vec<u8>,
    /// What was heard and not yet looked at.
    pub events: VecDeque<Event>,
    /// Serials of events, latest last.
    pub serials: Vec<u32>,
    /// Why the server hung up.
    pub blame: Option<Blame>,
    /// False: the client never reads.
    pub reads: bool,
    /// False: the client never answers xdg_wm_base.ping.
    pub pongs: bool,
    /// Requests are told on standard error.
    pub tells: bool,
}

impl Conn {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(socket: &Path, spec: &Arc<Spec>) -> std::io::Result<Conn> {
        let stream = UnixStream::connect(socket)?;
        stream.set_nonblocking(true)?;
        let mut conn = Conn {
            stream,
            spec: spec.clone(),
            objects: BTreeMap::new(),
            free: Vec::new(),
            next: 2,
            out: Vec::new(),
            out_fds: Vec::new(),
            incoming: Vec::new(),
            events: VecDeque::new(),
            serials: Vec::new(),
            blame: None,
            reads: true,
            pongs: true,
            tells: false,
        };
        conn.learn(1, "wl_display", 1);
        Ok(conn)
    }

    /// What is known of an object.
    pub fn object(&self, id: u32) -> Option<&Known> {
        self.objects.get(&id)
    }

    /// All living objects.
    pub fn living(&self) -> impl Iterator<Item = (u32, &Known)> {
        let living = self.objects.iter().filter(|(_, known)| known.alive);
        living.map(|(id, known)| (*id, known))
    }

    /// The living objects of an interface, oldest first.
    pub fn all(&self, interface: &str) -> Vec<u32> {
        self.living()
            .filter(|(_, known)| known.interface.name == interface)
            .map(|(id, _)| id)
            .collect()
    }

    /// Takes an id that the client gave away as one of an object, unless it is that of another already.
    fn give(&mut self, id: u32, interface: &str, version: u32) {
        if id != 0 && self.objects.get(&id).is_none_or(|known| !known.alive) {
            self.learn(id, interface, version);
        }
    }

    /// Takes an id as one of an object.
    fn learn(&mut self, id: u32, interface: &str, version: u32) {
        if let Some(interface) = self.spec.interface(interface) {
            let known = Known {
                interface: interface.clone(),
                version,
                alive: true,
            };
            self.objects.insert(id, known);
        }
    }

    /// An id that the server does not know of yet.
    pub fn fresh(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Puts a request into the buffer. New ids that are not given are taken from the free ones; the (last) one is returned,
    /// or 0. An unknown object or request is our mistake and says nothing.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn call(&mut self, object: u32, request: &str, args: Vec<Arg>) -> Sent<u32> {
        let found = self.objects.get(&object).and_then(|known| {
            let mut requests = known.interface.requests.iter().enumerate();
            let (opcode, message) = requests.find(|(_, m)| m.name == request)?;
            Some((opcode, message.clone(), known.version))
        });
        let Some((opcode, message, version)) = found else {
            debug_assert!(
                !self.objects.contains_key(&object),
                "no request {request} of {object}"
            );
            return Ok(0);
        };
        if self.tells {
            eprintln!("  {} {object}.{request} {args:?}", self.name_of(object));
        }
        self.encode(object, opcode, &message, version, args)
    }

    fn name_of(&self, object: u32) -> String {
        let known = self.objects.get(&object);
        known.map_or_else(|| "?".into(), |k| k.interface.name.clone())
    }

    fn encode(
        &mut self,
        object: u32,
        opcode: usize,
        message: &Message,
        version: u32,
        args: Vec<Arg>,
    ) -> Sent<u32> {
        let mut body = Vec::new();
        let mut fds = Vec::new();
        let mut born = 0;
        let mut args = args.into_iter().peekable();
        for argument in &message.arguments {
            if let Kind::NewId(Some(interface)) = &argument.kind {
                let id = match args.next_if(|a| matches!(a, Arg::Id(_))) {
                    Some(Arg::Id(id)) => id,
                    _ => self.fresh(),
                };
                self.give(id, interface, version);
                born = id;
                body.extend(id.to_ne_bytes());
                continue;
            }
            match args.next() {
                Some(Arg::Bind(interface, version, id)) => {
                    let id = if id == 0 { self.fresh() } else { id };
                    self.give(id, &String::from_utf8_lossy(&interface), version);
                    born = id;
                    put_text(&mut body, &interface);
                    body.extend(version.to_ne_bytes());
                    body.extend(id.to_ne_bytes());
                }
                Some(Arg::Fd(fd)) => fds.push(fd),
                Some(arg) => put(&mut body, arg),
                None => body.extend([0; 4]),
            }
        }
        self.put_message(object, opcode as u32, &body)?;
        self.out_fds.append(&mut fds);
        if message.destroys
            && let Some(known) = self.objects.get_mut(&object)
        {
            known.alive = false;
        }
        Ok(born)
    }

    /// Puts a message into the buffer as it is.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn put_message(&mut self, object: u32, opcode: u32, body: &[u8]) -> Sent<()> {
        let size = u32::try_from(body.len() + 8).unwrap_or(u32::MAX);
        self.out.extend(object.to_ne_bytes());
        self.out
            .extend(((size << 16) | (opcode & 0xffff)).to_ne_bytes());
        self.out.extend(body);
        if self.out.len() > 8192 || self.out_fds.len() > FDS_AT_ONCE / 2 {
            self.flush()?;
        }
        Ok(())
    }

    /// Puts bytes that are no message, and descriptors that belong to none.
    pub fn put_raw(&mut self, bytes: &[u8], fds: Vec<OwnedFd>) {
        self.out.extend(bytes);
        self.out_fds.extend(fds);
    }

    /// Sends what is in the buffer.
    ///
    /// # Errors
    /// When the server has hung up or does not read.
    pub fn flush(&mut self) -> Sent<()> {
        let until = Instant::now() + PATIENCE;
        while !self.out.is_empty() {
            match self.send_some() {
                Ok(sent) => {
                    self.out.drain(..sent);
                }
                Err(Errno::AGAIN) => {
                    if Instant::now() > until {
                        return Err(Gone::Stuck);
                    }
                    self.wait(true, Duration::from_millis(200))?;
                }
                Err(Errno::INTR) => {}
                Err(_) => {
                    // Its last words are still to be had.
                    let _ = self.read();
                    return Err(Gone::Closed);
                }
            }
        }
        Ok(())
    }

    fn send_some(&mut self) -> Result<usize, Errno> {
        let batch: Vec<OwnedFd> = {
            let n = self.out_fds.len().min(FDS_AT_ONCE);
            self.out_fds.drain(..n).collect()
        };
        // Descriptors that are left need a byte to go with.
        let most = if self.out_fds.is_empty() {
            self.out.len()
        } else {
            1
        };
        let borrowed: Vec<_> = batch.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_AT_ONCE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&borrowed));
        }
        let bytes = self.out.get(..most).unwrap_or_default();
        let sent = sendmsg(
            &self.stream,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        );
        if sent.is_err() {
            self.out_fds.splice(0..0, batch);
        }
        sent
    }

    /// Waits until the server has sent something (or takes something), for no longer than this, and reads it.
    ///
    /// # Errors
    /// When the server has hung up.
    pub fn wait(&mut self, to_write: bool, time: Duration) -> Sent<()> {
        let mut flags = PollFlags::empty();
        if to_write {
            flags |= PollFlags::OUT;
        }
        if self.reads {
            flags |= PollFlags::IN;
        }
        let mut fds = [PollFd::new(&self.stream, flags)];
        let time = Timespec::try_from(time).ok();
        match poll(&mut fds, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Err(Gone::Closed),
        }
        let [fd] = &fds;
        let heard = fd.revents();
        if heard.contains(PollFlags::IN) {
            self.read()
        } else if heard.intersects(PollFlags::HUP | PollFlags::ERR) {
            Err(Gone::Closed)
        } else {
            Ok(())
        }
    }

    /// Reads what there is and takes it in.
    fn read(&mut self) -> Sent<()> {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let got = recvmsg(
                &self.stream,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
            );
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    fds.for_each(drop);
                }
            }
            match got {
                Ok(got) if got.bytes == 0 => {
                    self.take_in();
                    return Err(Gone::Closed);
                }
                Ok(got) => self
                    .incoming
                    .extend(bytes.get(..got.bytes).unwrap_or_default()),
                Err(Errno::AGAIN) => {
                    self.take_in();
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.take_in();
                    return Err(Gone::Closed);
                }
            }
        }
    }

    fn take_in(&mut self) {
        let incoming = std::mem::take(&mut self.incoming);
        let mut rest = incoming.as_slice();
        while let (Some(object), Some(head)) = (word(rest, 0), word(rest, 4)) {
            let size = (head >> 16) as usize;
            let Some(body) = rest.get(8..size) else { break };
            self.hear(object, (head & 0xffff) as usize, body);
            rest = rest.get(size..).unwrap_or_default();
        }
        self.incoming = rest.to_vec();
    }

    fn hear(&mut self, object: u32, opcode: usize, body: &[u8]) {
        let Some(known) = self.objects.get(&object).cloned() else {
            return;
        };
        let Some(message) = known.interface.events.get(opcode) else {
            return;
        };
        let Some(values) = decode(message, body) else {
            return;
        };
        for (argument, value) in message.arguments.iter().zip(&values) {
            match (&argument.kind, value) {
                (Kind::NewId(Some(interface)), Value::Word(id)) => {
                    self.learn(*id, interface, known.version);
                }
                (Kind::Uint, Value::Word(serial)) if argument.name == "serial" => {
                    if self.serials.len() > 500 {
                        self.serials.drain(..250);
                    }
                    self.serials.push(*serial);
                }
                _ => {}
            }
        }
        if message.destroys
            && let Some(known) = self.objects.get_mut(&object)
        {
            known.alive = false;
        }
        let event = Event {
            object,
            interface: known.interface.name.clone(),
            name: message.name.clone(),
            values,
        };
        self.note(event);
    }

    fn note(&mut self, event: Event) {
        match (event.interface.as_str(), event.name.as_str()) {
            ("wl_display", "error") => {
                let words = match event.values.get(2) {
                    Some(Value::Text(text)) => text.clone(),
                    _ => String::new(),
                };
                self.blame = Some(Blame {
                    object: event.word(0),
                    code: event.word(1),
                    words,
                });
            }
            ("wl_display", "delete_id") => {
                let id = event.word(0);
                if self.objects.remove(&id).is_some() {
                    self.free.push(id);
                }
            }
            ("xdg_wm_base", "ping") if self.pongs => {
                let _ = self.call(event.object, "pong", vec![Arg::Uint(event.word(0))]);
            }
            _ => {
                if self.events.len() > 20_000 {
                    self.events.drain(..10_000);
                }
                self.events.push_back(event);
            }
        }
    }

    /// Asks the server to answer and waits for it; what is heard meanwhile is in [`Conn::events`].
    ///
    /// # Errors
    /// When it has hung up, or does not answer in time.
    pub fn round_trip(&mut self) -> Sent<Duration> {
        self.round_trip_within(PATIENCE)
    }

    /// [`Conn::round_trip`] with a patience of one's own.
    ///
    /// # Errors
    /// See [`Conn::round_trip`].
    pub fn round_trip_within(&mut self, patience: Duration) -> Sent<Duration> {
        let start = Instant::now();
        let callback = self.call(1, "sync", vec![])?;
        self.flush()?;
        self.await_done(callback, start, patience)
    }

    /// Waits until a wl_callback is done.
    ///
    /// # Errors
    /// When it is not, in time.
    pub fn await_done(
        &mut self,
        callback: u32,
        start: Instant,
        patience: Duration,
    ) -> Sent<Duration> {
        loop {
            if self.object(callback).is_none_or(|known| !known.alive) {
                return Ok(start.elapsed());
            }
            if start.elapsed() > patience {
                return Err(Gone::Stuck);
            }
            self.wait(false, Duration::from_millis(100))?;
            // Answers to pings.
            self.flush()?;
        }
    }

    /// Asks for the registry and hears what there is.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn globals(&mut self) -> Sent<(u32, Vec<Global>)> {
        let registry = self.call(1, "get_registry", vec![])?;
        self.round_trip()?;
        let mut found = Vec::new();
        for event in &self.events {
            if event.object == registry
                && event.name == "global"
                && let Some(Value::Text(interface)) = event.values.get(1)
            {
                found.push((event.word(0), interface.clone(), event.word(2)));
            }
        }
        Ok((registry, found))
    }

    /// Binds a global in the version that both know. Returns 0 for an interface that no file describes.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn bind(&mut self, registry: u32, name: u32, interface: &str, version: u32) -> Sent<u32> {
        let Some(known) = self.spec.interface(interface) else {
            return Ok(0);
        };
        let version = version.min(known.version);
        let bind = Arg::Bind(interface.as_bytes().to_vec(), version, 0);
        self.call(registry, "bind", vec![Arg::Uint(name), bind])
    }

    /// Half closes, closes, or whatever becomes of a stream that is taken out.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

fn put(body: &mut Vec<u8>, arg: Arg) {
    match arg {
        Arg::Int(n) => body.extend(n.to_ne_bytes()),
        Arg::Uint(n) | Arg::Object(n) | Arg::Id(n) => body.extend(n.to_ne_bytes()),
        Arg::Text(text) => put_text(body, &text),
        Arg::NoText => body.extend([0; 4]),
        Arg::Array(bytes) => {
            body.extend(u32::try_from(bytes.len()).unwrap_or(0).to_ne_bytes());
            body.extend(&bytes);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        Arg::Fd(_) | Arg::Bind(..) => {}
    }
}

fn put_text(body: &mut Vec<u8>, text: &[u8]) {
    let mut bytes = text.to_vec();
    bytes.push(0);
    body.extend(u32::try_from(bytes.len()).unwrap_or(0).to_ne_bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    body.extend(&bytes);
}

fn decode(message: &Message, body: &[u8]) -> Option<Vec<Value>> {
    let mut at = 0;
    let mut values = Vec::new();
    for argument in &message.arguments {
        let value = match argument.kind {
            Kind::Fd => Value::Fd,
            Kind::Text(_) | Kind::Array => {
                let length = word(body, at)? as usize;
                let bytes = body.get(at + 4..at + 4 + length)?;
                at += 4 + length.next_multiple_of(4);
                if argument.kind == Kind::Array {
                    Value::Bytes(bytes.to_vec())
                } else {
                    let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
                    Value::Text(String::from_utf8_lossy(text).into_owned())
                }
            }
            _ => {
                at += 4;
                Value::Word(word(body, at - 4)?)
            }
        };
        values.push(value);
    }
    Some(values)
}
