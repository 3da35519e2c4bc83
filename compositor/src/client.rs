//! Who a Wayland client is. Nothing else in the compositor asks the socket, `/proc` or the client itself.
//!
//! Credentials are taken once, when the connection is accepted (SO_PEERCRED), together with the process's start time, so
//! that a pid that is used again is not taken for the same process. Should another process own the public socket one day
//! and vouch for its clients, only this file changes.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use smithay::wayland::compositor::CompositorClientState;
use smithay::wayland::security_context::SecurityContext;
use wayland_server::Client;
use wayland_server::backend::{ClientData, ClientId, DisconnectReason};

use crate::protocols::xdg_session_management::kept::Owner;

/// A process as the kernel named it when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Field 22 of `/proc/PID/stat`, clock ticks after boot; `None` when the process was gone already.
    pub start_time: Option<u64>,
}

/// What the compositor keeps with each connection.
#[derive(Debug)]
pub struct ClientState {
    /// Smithay's per-client data.
    pub compositor: CompositorClientState,
    identity: Option<Identity>,
    /// The sandbox that it lives in.
    sandbox: Option<SecurityContext>,
    gone: calloop::channel::Sender<ClientId>,
    /// The connection, until it has ended.
    stream: Mutex<Option<UnixStream>>,
}

impl ClientState {
    /// Takes the peer's credentials; `gone` hears of the end of the connection.
    pub fn new(
        stream: &UnixStream,
        sandbox: Option<SecurityContext>,
        gone: calloop::channel::Sender<ClientId>,
    ) -> ClientState {
        ClientState {
            compositor: CompositorClientState::default(),
            identity: peer(stream),
            sandbox,
            gone,
            stream: Mutex::new(
                stream
                    .try_clone()
                    .inspect_err(|error| {
                        tracing::warn!(%error, "a client that errs will have to end by itself")
                    })
                    .ok(),
            ),
        }
    }

    /// Hangs up, once. What was sent before still reaches the client; its end is noticed as if it had hung up itself.
    pub fn hang_up(&self) {
        let stream = self.take_stream();
        if let Some(Err(error)) = stream.map(|s| s.shutdown(Shutdown::Both)) {
            tracing::debug!(%error, "a client had gone already");
        }
    }

    fn take_stream(&self) -> Option<UnixStream> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.take()
    }
}

impl ClientData for ClientState {
    fn initialized(&self, _client: ClientId) {}

    // Runs inside the backend's lock: nothing may happen here but sending and letting go.
    fn disconnected(&self, client: ClientId, _reason: DisconnectReason) {
        drop(self.take_stream());
        let _ = self.gone.send(client);
    }
}

/// Who this client is; `None` when the kernel did not say.
pub fn identity(client: &Client) -> Option<Identity> {
    client.get_data::<ClientState>()?.identity
}

/// Whether this client may see and do what concerns others: look at the screen, type and click for the user, lock the session,
/// read the clipboard unasked, list and steer other people's windows, set up outputs. Whoever lives in a sandbox may not; a
/// client of which nothing is known may not either.
pub fn is_privileged(client: &Client) -> bool {
    client
        .get_data::<ClientState>()
        .is_some_and(|state| state.sandbox.is_none())
}

/// In whose name windows' places are kept for this client; `None` when nobody vouches for who it is.
pub fn owner(client: &Client) -> Option<Owner> {
    let state = client.get_data::<ClientState>()?;
    if let Some(sandbox) = &state.sandbox {
        let engine = sandbox.sandbox_engine.clone()?;
        let app = sandbox.app_id.clone()?;
        return Some(Owner {
            sandbox: Some((engine, app.clone())),
            app,
        });
    }
    let identity = state.identity?;
    let app = program(identity).unwrap_or_default();
    Some(Owner { sandbox: None, app })
}

/// The file that the process runs, as long as it is still that process.
fn program(identity: Identity) -> Option<String> {
    let file = std::fs::read_link(format!("/proc/{}/exe", identity.pid)).ok()?;
    let file = file.to_string_lossy();
    let same = identity.start_time.is_some() && start_time(identity.pid) == identity.start_time;
    // One that was updated while it ran is still that program.
    same.then(|| file.trim_end_matches(" (deleted)").to_owned())
}

fn peer(stream: &UnixStream) -> Option<Identity> {
    let credentials = rustix::net::sockopt::socket_peercred(stream)
        .inspect_err(|error| tracing::warn!(%error, "a client without peer credentials connected"))
        .ok()?;
    let pid = credentials.pid.as_raw_nonzero().get();
    Some(Identity {
        pid,
        uid: credentials.uid.as_raw(),
        start_time: start_time(pid),
    })
}

/// When the process started, in clock ticks after boot.
fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name (field 2) may contain spaces and parentheses: count from its last `)`.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_socketpair_names_us() {
        let (a, _b) = UnixStream::pair().unwrap();
        let id = peer(&a).unwrap();
        assert_eq!(id.pid, std::process::id() as i32);
        assert!(id.start_time.unwrap() > 0);
    }
}
