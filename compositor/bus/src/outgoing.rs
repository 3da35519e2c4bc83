//! What the session says to apps: calls of `org.overwinter.Client1`.

use std::sync::Arc;

use futures_lite::future;
use overwinter_proto::{
    CopyId, Generation, GroupId, Lease, LetGo, OpId, Reason, Revision, Secrets,
    bus::{CLIENT_INTERFACE, CLIENT_PATH},
};
use zbus::{Connection, Message};

use crate::{BusEvent, payload, server::Shared};

/// See `org.overwinter.Client1.xml` for each, argument by argument.
#[derive(Clone, PartialEq, Debug)]
#[allow(
    missing_docs,
    reason = "each is documented in org.overwinter.Client1.xml"
)]
pub enum ClientCall {
    BeginSave {
        op: OpId,
        group: GroupId,
        lease: Lease,
        reason: Reason,
        deadline_ms: u32,
    },
    Stored {
        group: GroupId,
        lease: Lease,
        revision: Revision,
        generation: Generation,
    },
    Restore {
        op: OpId,
        group: GroupId,
        copy: CopyId,
        reason: Reason,
        revision: Revision,
        cookie: String,
        state: Arc<Vec<u8>>,
        secrets: Arc<Secrets>,
        deadline_ms: u32,
    },
    Adopt {
        op: OpId,
        group: GroupId,
        copy: CopyId,
        lease: Lease,
    },
    Discard {
        op: OpId,
        group: GroupId,
        copy: CopyId,
    },
    Release {
        op: OpId,
        group: GroupId,
        lease: Lease,
        revision: Revision,
        how: LetGo,
    },
    YieldNames {
        op: OpId,
    },
    TakeNames {
        op: OpId,
    },
}

impl ClientCall {
    /// Name of the method.
    pub fn method(&self) -> &'static str {
        match self {
            ClientCall::BeginSave { .. } => "BeginSave",
            ClientCall::Stored { .. } => "Stored",
            ClientCall::Restore { .. } => "Restore",
            ClientCall::Adopt { .. } => "Adopt",
            ClientCall::Discard { .. } => "Discard",
            ClientCall::Release { .. } => "Release",
            ClientCall::YieldNames { .. } => "YieldNames",
            ClientCall::TakeNames { .. } => "TakeNames",
        }
    }
}

/// Sends a call: when this returns it is on its way (or in the queue of the socket), behind earlier ones. The
/// acknowledgement is waited for elsewhere; its absence becomes [`BusEvent::NotDelivered`].
pub(crate) async fn send(
    shared: &Arc<Shared>,
    connection: &Connection,
    to: String,
    call: ClientCall,
) {
    let method = call.method();
    let shared = shared.clone();
    let conn = connection.clone();
    let mut delivery = Box::pin(async move {
        // The connection's own timeout bounds this: ACKNOWLEDGE_WITHIN.
        if let Err(e) = deliver(&conn, &to, call).await {
            let why = e.to_string();
            (shared.events)(BusEvent::NotDelivered { to, method, why });
        }
    });
    // One poll sends; the next call may follow while this one waits for its acknowledgement.
    if future::poll_once(&mut delivery).await.is_none() {
        connection
            .executor()
            .spawn(delivery, "acknowledgement")
            .detach();
    }
}

async fn deliver(c: &Connection, to: &str, call: ClientCall) -> zbus::Result<Message> {
    let method = call.method();
    macro_rules! call {
        ($($argument:expr),* $(,)?) => {
            c.call_method(Some(to), CLIENT_PATH, Some(CLIENT_INTERFACE), method, &($($argument,)*)).await
        };
    }
    match call {
        ClientCall::BeginSave {
            op,
            group,
            lease,
            reason,
            deadline_ms,
        } => call!(
            op.0,
            group.to_string(),
            lease.0,
            reason.as_str(),
            deadline_ms
        ),
        ClientCall::Stored {
            group,
            lease,
            revision,
            generation,
        } => call!(group.to_string(), lease.0, revision.0, generation.0),
        ClientCall::Restore {
            op,
            group,
            copy,
            reason,
            revision,
            cookie,
            state,
            secrets,
            deadline_ms,
        } => {
            let state = payload::give(&state)?;
            let staying = payload::give_secrets(&secrets.staying)?;
            let travelling = payload::give_secrets(&secrets.travelling)?;
            call!(
                op.0,
                group.to_string(),
                copy.0,
                reason.as_str(),
                revision.0,
                cookie,
                state,
                staying,
                travelling,
                deadline_ms
            )
        }
        ClientCall::Adopt {
            op,
            group,
            copy,
            lease,
        } => call!(op.0, group.to_string(), copy.0, lease.0),
        ClientCall::Discard { op, group, copy } => call!(op.0, group.to_string(), copy.0),
        ClientCall::Release {
            op,
            group,
            lease,
            revision,
            how,
        } => call!(op.0, group.to_string(), lease.0, revision.0, how.as_str()),
        ClientCall::YieldNames { op } | ClientCall::TakeNames { op } => call!(op.0),
    }
}
