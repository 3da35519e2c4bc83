//! The session over D-Bus. Every call has a deadline, and whoever waits for the end of an operation also sees the session
//! go away.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use overwinter_proto::bus::{
    CONTROL_INTERFACE, SESSION_NAME, SESSION_PATH, STORE_INTERFACE, STORE_PATH,
};
use zbus::blocking::{Connection, MessageIterator, connection, fdo};
use zbus::zvariant::{DynamicType, OwnedFd};
use zbus::{MatchRule, message::Type};

/// Longest wait for the answer to one call. The session answers every call at once; this bounds a session that hangs.
const CALL: Duration = Duration::from_secs(10);

/// An object of the session, and the interface on it that is spoken.
type Object = (&'static str, &'static str);
const CONTROL: Object = (SESSION_PATH, CONTROL_INTERFACE);
const STORE: Object = (STORE_PATH, STORE_INTERFACE);

/// The bus itself: its name, and that of its interface.
const DAEMON: &str = "org.freedesktop.DBus";

/// Why a command could not be carried out.
#[derive(Debug)]
pub enum Trouble {
    /// The user asked for something that cannot be, or there is no session. Nothing was changed.
    Usage(String),
    /// It began and did not end well.
    Failed(String),
}

impl Trouble {
    /// See [`Trouble::Usage`].
    pub fn usage(text: impl Into<String>) -> Self {
        Trouble::Usage(text.into())
    }

    /// See [`Trouble::Failed`].
    pub fn failed(text: impl Into<String>) -> Self {
        Trouble::Failed(text.into())
    }

    /// What the shell is told.
    pub fn exit_code(&self) -> u8 {
        match self {
            Trouble::Usage(_) => 2,
            Trouble::Failed(_) => 1,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Trouble::Usage(text) | Trouble::Failed(text)) = self;
        f.write_str(text)
    }
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct End {
    /// "done" or "failed".
    pub state: String,
    /// (group, outcome, text).
    pub results: Vec<(String, String, String)>,
}

impl End {
    /// Whether nothing failed.
    pub fn all_well(&self) -> bool {
        self.state == "done"
            && self
                .results
                .iter()
                .all(|(_, outcome, _)| outcome != "failed")
    }
}

/// The session that owns `org.overwinter.Session` on the user's bus.
pub struct Session {
    bus: Connection,
}

impl Session {
    /// Finds the session.
    ///
    /// # Errors
    /// No bus, or nobody on it who is the session.
    pub fn connect() -> Result<Self, Trouble> {
        let bus = bus_builder()
            .and_then(|builder| builder.method_timeout(CALL).build())
            .map_err(|e| {
                Trouble::usage(format!(
                    "the session bus cannot be reached ({e}). Nothing was changed. Run this again inside the session, or \
                     with DBUS_SESSION_BUS_ADDRESS set to its bus."
                ))
            })?;
        let owned = fdo::DBusProxy::new(&bus)
            .and_then(|proxy| {
                let name = SESSION_NAME.try_into().map_err(zbus::Error::from)?;
                proxy.name_has_owner(name).map_err(zbus::Error::from)
            })
            .map_err(|e| {
                Trouble::usage(format!(
                    "the session bus does not answer: {e}. Nothing was changed. Try again; if that does not help, log in anew."
                ))
            })?;
        if !owned {
            return Err(Trouble::usage(
                "no Overwinter session runs on this bus. Nothing was changed. Log into one, or start `overwinter-compositor`; then run this again.",
            ));
        }
        Ok(Session { bus })
    }

    /// The session's account of itself, JSON.
    pub fn status(&self) -> Result<String, Trouble> {
        self.call(CONTROL, "Status", &())?
            .body()
            .deserialize()
            .map_err(|e| {
                Trouble::failed(format!("the session's answer to Status is not text: {e}"))
            })
    }

    /// Starts an operation and gives its number.
    pub fn start<B>(&self, method: &'static str, body: &B) -> Result<u64, Trouble>
    where
        B: serde::Serialize + DynamicType,
    {
        self.begin(CONTROL, method, body)
    }

    /// Starts an operation on the store and gives its number.
    pub fn start_on_store<B>(&self, method: &'static str, body: &B) -> Result<u64, Trouble>
    where
        B: serde::Serialize + DynamicType,
    {
        self.begin(STORE, method, body)
    }

    /// The process that is the session.
    pub fn pid(&self) -> Option<u32> {
        let name = SESSION_NAME.try_into().ok()?;
        let daemon = fdo::DBusProxy::new(&self.bus).ok()?;
        daemon.get_connection_unix_process_id(name).ok()
    }

    fn begin<B>(&self, on: Object, method: &'static str, body: &B) -> Result<u64, Trouble>
    where
        B: serde::Serialize + DynamicType,
    {
        self.call(on, method, body)?
            .body()
            .deserialize()
            .map_err(|e| {
                Trouble::failed(format!(
                    "the session's answer to {method} is not a number: {e}"
                ))
            })
    }

    /// Starts `Move` (with groups) or `Receive` (without) on one end of a stream.
    pub fn start_on_stream(
        &self,
        groups: Option<&[String]>,
        stream: std::os::fd::OwnedFd,
    ) -> Result<u64, Trouble> {
        let stream = OwnedFd::from(stream);
        match groups {
            Some(groups) => self.start("Move", &(groups, stream)),
            None => self.start("Receive", &(stream,)),
        }
    }

    /// Listens for the ends of operations. To be called before the operation is started, so that none is missed.
    pub fn ends(&self) -> Result<Ends, Trouble> {
        let unheard = |e: zbus::Error| {
            Trouble::failed(format!(
                "cannot listen on the session bus: {e}. Nothing was changed."
            ))
        };
        let ended = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(SESSION_NAME)
            .and_then(|r| r.path(SESSION_PATH))
            .and_then(|r| r.interface(CONTROL_INTERFACE))
            .and_then(|r| r.member("OperationEnded"))
            .map_err(unheard)?
            .build();
        let progress = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(SESSION_NAME)
            .and_then(|r| r.path(STORE_PATH))
            .and_then(|r| r.interface(STORE_INTERFACE))
            .and_then(|r| r.member("Progress"))
            .map_err(unheard)?
            .build();
        let gone = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(DAEMON)
            .and_then(|r| r.interface(DAEMON))
            .and_then(|r| r.member("NameOwnerChanged"))
            .and_then(|r| r.arg(0, SESSION_NAME))
            .map_err(unheard)?
            .build();
        // One listener for all: the session tells the ends of its operations before it goes, and two would race.
        let messages = MessageIterator::from(&self.bus);
        let daemon = fdo::DBusProxy::new(&self.bus).map_err(unheard)?;
        for rule in [ended, progress, gone] {
            daemon.add_match_rule(rule).map_err(|e| unheard(e.into()))?;
        }
        let (sender, heard) = channel();
        let name = SESSION_NAME
            .try_into()
            .map_err(|e| unheard(zbus::Error::from(e)))?;
        let session = daemon
            .get_name_owner(name)
            .map_err(|e| unheard(e.into()))?
            .to_string();
        thread::spawn(move || listen(messages, &session, &sender));
        Ok(Ends { heard })
    }

    fn call<B>(
        &self,
        (path, interface): Object,
        method: &'static str,
        body: &B,
    ) -> Result<zbus::Message, Trouble>
    where
        B: serde::Serialize + DynamicType,
    {
        self.bus
            .call_method(Some(SESSION_NAME), path, Some(interface), method, body)
            .map_err(|error| refused(method, error))
    }
}

/// The session bus as the environment names it, else where Linux puts it: over ssh the environment is often bare.
fn bus_builder<'a>() -> zbus::Result<connection::Builder<'a>> {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none()
        && std::env::var_os("XDG_RUNTIME_DIR").is_none()
    {
        let uid = rustix::process::getuid().as_raw();
        return connection::Builder::address(format!("unix:path=/run/user/{uid}/bus").as_str());
    }
    connection::Builder::session()
}

fn refused(method: &str, error: zbus::Error) -> Trouble {
    const UNKNOWN: &str = "org.freedesktop.DBus.Error.Unknown";
    match error {
        zbus::Error::MethodError(name, _, _) if name.starts_with(UNKNOWN) => {
            Trouble::usage(format!(
                "the session that runs is of another release and knows no {method}. Nothing was changed. End it and log in anew, \
             then run this again."
            ))
        }
        // The session's own words say what happened, what was kept and what to do.
        zbus::Error::MethodError(_, Some(text), _) => Trouble::failed(text),
        zbus::Error::InputOutput(e) if e.kind() == std::io::ErrorKind::TimedOut => {
            Trouble::failed(format!(
                "the session did not answer {method} within {} s. It may still do it; `overwinter status` tells.",
                CALL.as_secs()
            ))
        }
        other => Trouble::failed(format!("the session did not take {method}: {other}")),
    }
}

enum News {
    Ended(u64, End),
    /// Operation, done, total.
    Progress(u64, u64, u64),
    SessionGone,
}

/// Reads signals, on a thread of their own since a blocking iterator knows no deadline.
fn listen(messages: MessageIterator, session: &str, sender: &Sender<News>) {
    for message in messages.flatten() {
        if let Some(news) = news(&message, session)
            && sender.send(news).is_err()
        {
            return;
        }
    }
}

fn news(message: &zbus::Message, session: &str) -> Option<News> {
    let header = message.header();
    if header.message_type() != Type::Signal {
        return None;
    }
    let (sender, body) = (header.sender()?.as_str(), message.body());
    match header.member()?.as_str() {
        "OperationEnded" if sender == session => {
            let (operation, state, results) = body.deserialize().ok()?;
            Some(News::Ended(operation, End { state, results }))
        }
        "Progress" if sender == session => {
            let (operation, done, total) = body.deserialize().ok()?;
            Some(News::Progress(operation, done, total))
        }
        "NameOwnerChanged" if sender == DAEMON => {
            let (name, _, _): (&str, &str, &str) = body.deserialize().ok()?;
            (name == SESSION_NAME).then_some(News::SessionGone)
        }
        _ => None,
    }
}

/// Ends of operations, from the moment [`Session::ends`] was called.
pub struct Ends {
    heard: Receiver<News>,
}

impl Ends {
    /// Waits for the end of one operation; `None` when it takes longer than `patience`.
    ///
    /// # Errors
    /// When the session goes away.
    pub fn wait(&mut self, operation: u64, patience: Duration) -> Result<Option<End>, Trouble> {
        self.until(operation, patience, &mut |_, _| false)
    }

    /// Waits for the end of one operation that tells how far it has come (done, total); `None` when it told nothing for so
    /// long.
    ///
    /// # Errors
    /// When the session goes away.
    pub fn follow(
        &mut self,
        operation: u64,
        patience: Duration,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Option<End>, Trouble> {
        let mut told = |done, total| {
            progress(done, total);
            true
        };
        self.until(operation, patience, &mut told)
    }

    /// `progress` says whether the wait begins anew.
    fn until(
        &mut self,
        operation: u64,
        patience: Duration,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Option<End>, Trouble> {
        let mut since = Instant::now();
        loop {
            let left = patience.saturating_sub(since.elapsed());
            match self.heard.recv_timeout(left) {
                Ok(News::Ended(number, end)) if number == operation => return Ok(Some(end)),
                Ok(News::Progress(number, done, total)) if number == operation => {
                    if progress(done, total) {
                        since = Instant::now();
                    }
                }
                Ok(News::Ended(..) | News::Progress(..)) => {}
                Ok(News::SessionGone) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(Trouble::failed(
                        "the session ended before the operation did. Every group is where its journal says: live ones were \
                         saved as they went. Start the session again; `overwinter status` tells.",
                    ));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
            }
        }
    }
}
