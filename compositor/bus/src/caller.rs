//! Who calls: from the bus's credentials and `/proc`, never from what the caller says.

use std::path::Path;

use futures_lite::StreamExt;
use overwinter_proto::launch::ProcessId;
use zbus::{
    Connection, MatchRule, MessageStream, fdo,
    message::{Header, Type},
    names::BusName,
};

use crate::{BusEvent, Caller, Refusal, server::Shared};

/// A caller with what the bus vouches for.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub caller: Caller,
    pub uid: u32,
}

/// Start time of a process: field 22 of `/proc/PID/stat` (proc_pid_stat(5)), counted from the last `)` of the name.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(22 - 3)?.parse().ok()
}

fn denied(why: &str) -> Refusal {
    Refusal::Denied(format!("{why}. Nothing was done"))
}

impl Shared {
    /// Identifies the sender of a message. Its end will be told from now on.
    pub(crate) async fn identify(
        self: &std::sync::Arc<Shared>,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Known, Refusal> {
        let name = header
            .sender()
            .ok_or_else(|| denied("the message has no sender"))?
            .to_string();
        if let Some(known) = self.callers().get(&name).cloned() {
            // A process may say something and end before that is read: what it said counts. A later process with its number
            // is another one.
            return match start_time(known.caller.process.pid) {
                Some(start) if start != known.caller.process.start => Err(denied(
                    "the process that opened this bus connection has ended",
                )),
                _ => Ok(known),
            };
        }
        // Watch for its end first: an end before the watch would never be told.
        let gone = watch_end(connection, &name).await?;
        let dbus = fdo::DBusProxy::new(connection).await?;
        let bus_name = BusName::try_from(name.as_str()).map_err(zbus::Error::from)?;
        let credentials = dbus
            .get_connection_credentials(bus_name)
            .await
            .map_err(|e| denied(&format!("the bus does not say who calls: {e}")))?;
        let (Some(pid), Some(uid)) = (credentials.process_id(), credentials.unix_user_id()) else {
            return Err(denied("the bus does not say which process calls"));
        };
        let start = start_time(pid).ok_or_else(|| denied("the calling process has ended"))?;
        let known = Known {
            caller: Caller {
                name: name.clone(),
                process: ProcessId { pid, start },
            },
            uid,
        };
        self.callers().insert(name.clone(), known.clone());
        let shared = self.clone();
        let conn = connection.clone();
        let wait = async move {
            let mut gone = gone;
            let _ = gone.next().await;
            shared.caller_gone(&conn, &name).await;
        };
        connection.executor().spawn(wait, "caller's end").detach();
        Ok(known)
    }

    /// Tells that a caller has gone, once, after everything it said.
    pub(crate) async fn caller_gone(&self, connection: &Connection, name: &str) {
        barrier(connection).await;
        let known = self.callers().remove(name);
        self.forget_gate(name);
        if let Some(Known { caller, .. }) = known {
            (self.events)(BusEvent::CallerGone { caller });
        }
    }

    /// The control interface is for this user's own, unsandboxed processes.
    pub(crate) async fn may_control(
        self: &std::sync::Arc<Shared>,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(), Refusal> {
        let known = self.identify(connection, header).await?;
        if known.uid != rustix::process::geteuid().as_raw() {
            return Err(denied("the session is controlled by its own user alone"));
        }
        if is_sandboxed(Path::new("/proc"), known.caller.process.pid) {
            return Err(denied("a sandboxed app cannot control the session"));
        }
        Ok(())
    }
}

/// Whether Flatpak runs the process (its proxy on the bus has the same mark in its root). A root that cannot be looked into
/// is somebody else's: treated as a sandbox.
fn is_sandboxed(proc: &Path, pid: u32) -> bool {
    let root = proc.join(pid.to_string()).join("root");
    match std::fs::symlink_metadata(root.join(".flatpak-info")) {
        Ok(_) => true,
        Err(e) => e.kind() != std::io::ErrorKind::NotFound || !root.exists(),
    }
}

/// A stream that yields when the unique name `name` leaves the bus.
async fn watch_end(connection: &Connection, name: &str) -> Result<MessageStream, Refusal> {
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")?
        .interface("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?
        .arg(0, name)?
        .arg(2, "")?
        .build();
    Ok(MessageStream::for_match_rule(rule, connection, Some(1)).await?)
}

/// Returns when every call that reached this connection before has been handled and answered: calls are handled one by one in
/// the order of arrival, so a call to ourselves is behind them.
pub(crate) async fn barrier(connection: &Connection) {
    let Some(own) = connection.unique_name() else {
        return;
    };
    let ping = connection.call_method(
        Some(own.as_str()),
        "/org/overwinter/Session",
        Some("org.freedesktop.DBus.Peer"),
        "Ping",
        &(),
    );
    if let Err(e) = ping.await {
        tracing::debug!("barrier: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flatpak_mark_in_the_root_or_a_closed_root_makes_a_sandbox() {
        let proc = tempfile::tempdir().unwrap();
        for pid in ["1/root", "2/root"] {
            std::fs::create_dir_all(proc.path().join(pid)).unwrap();
        }
        std::fs::write(proc.path().join("2/root/.flatpak-info"), "[Application]").unwrap();
        assert!(!is_sandboxed(proc.path(), 1));
        assert!(is_sandboxed(proc.path(), 2));
        assert!(is_sandboxed(proc.path(), 3));
        assert!(!is_sandboxed(Path::new("/proc"), std::process::id()));
    }
}
