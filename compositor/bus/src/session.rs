//! `org.overwinter.Session1`: what apps say.

use std::sync::Arc;

use overwinter_proto::{
    BlobHash, BlobRef, CopyId, GroupId, Lease, OpId, Revision, Secrets, parts::MAX_BLOBS,
};
use zbus::{Connection, interface, message::Header};

use crate::{
    BusEvent, Refusal, Reply, Said,
    caller::barrier,
    payload::{self, Wire},
    server::Shared,
};

/// Longest text that is taken (a title, a reason): more is cut, it is only shown.
const MAX_TEXT: usize = 4096;

/// Most groups that one process may claim to hold, most losses that are listed.
const MAX_LIST: usize = 4096;

/// Longest app id (D-Bus names end at 255 bytes).
const MAX_APP_ID: usize = 255;

pub(crate) struct SessionObject {
    pub shared: Arc<Shared>,
}

pub(crate) fn group_id(text: &str) -> Result<GroupId, Refusal> {
    text.parse()
        .map_err(|e| Refusal::UnknownGroup(format!("{e}; nothing was done")))
}

/// A BLAKE3 as it comes over the bus.
pub(crate) fn digest(bytes: &[u8]) -> Result<[u8; 32], Refusal> {
    bytes.try_into().map_err(|_| {
        Refusal::BadPayload(format!(
            "the digest has {} bytes instead of 32; nothing was stored and the group is as before. Send it again with BLAKE3's",
            bytes.len()
        ))
    })
}

fn blob_refs(blobs: Vec<(Vec<u8>, u64)>) -> Result<Vec<BlobRef>, Refusal> {
    if blobs.len() > MAX_BLOBS {
        return payload::bad(format!(
            "{} blobs are named; the most is {MAX_BLOBS}",
            blobs.len()
        ));
    }
    let blob = |(hash, len): (Vec<u8>, u64)| {
        Ok(BlobRef {
            hash: BlobHash(digest(&hash)?),
            len,
        })
    };
    blobs.into_iter().map(blob).collect()
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT)
            .rev()
            .find(|i| text.is_char_boundary(*i))
            .unwrap_or(0);
        text.truncate(end);
    }
    text
}

impl SessionObject {
    async fn say(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        message: Said,
    ) -> Result<(), Refusal> {
        let caller = self.shared.identify(connection, header).await?.caller;
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::Said {
            caller,
            message,
            reply,
        });
        answer.wait().await
    }
}

/// Calls are handled one by one, in order (`spawn = false`): what an app says last must not be heard first.
#[interface(name = "org.overwinter.Session1", spawn = false)]
impl SessionObject {
    #[zbus(out_args("incarnation", "reason", "kept"))]
    async fn register(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        app: String,
        version: String,
        held: Vec<(String, u64, u64)>,
    ) -> Result<(u64, String, Vec<String>), Refusal> {
        let caller = self.shared.identify(connection, &header).await?.caller;
        if app.len() > MAX_APP_ID || held.len() > MAX_LIST {
            return Err(Refusal::Denied(
                "no app has so long an id or so many groups; nothing was done".into(),
            ));
        }
        let held = held
            .into_iter()
            .map(|(group, lease, revision)| {
                Ok((group_id(&group)?, Lease(lease), Revision(revision)))
            })
            .collect::<Result<_, Refusal>>()?;
        // What the session wants of this app at once waits until the app has its answer.
        let name = caller.name.clone();
        self.shared.close_gate(&name);
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::Register {
            caller,
            app,
            version: cut(version),
            held,
            reply,
        });
        let answer = answer.wait().await;
        let shared = self.shared.clone();
        let conn = connection.clone();
        let open = async move {
            barrier(&conn).await;
            shared.open_gate(&conn, &name).await;
        };
        connection.executor().spawn(open, "after Register").detach();
        let answer = answer?;
        let kept = answer.kept.iter().map(ToString::to_string).collect();
        Ok((answer.incarnation, answer.reason.as_str().to_owned(), kept))
    }

    #[zbus(out_args("group", "lease", "copy", "cookie"))]
    async fn open_group(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        title: String,
    ) -> Result<(String, u64, u64, String), Refusal> {
        let caller = self.shared.identify(connection, &header).await?.caller;
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::OpenGroup {
            caller,
            title: cut(title),
            reply,
        });
        let opened = answer.wait().await?;
        Ok((
            opened.group.to_string(),
            opened.lease.0,
            opened.copy.0,
            opened.cookie,
        ))
    }

    #[zbus(out_args("cookie"))]
    async fn new_cookie(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        group: String,
        copy: u64,
    ) -> Result<String, Refusal> {
        let caller = self.shared.identify(connection, &header).await?.caller;
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::NewCookie {
            caller,
            group: group_id(&group)?,
            copy: CopyId(copy),
            reply,
        });
        answer.wait().await
    }

    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    async fn saved(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        title: String,
        digest: Vec<u8>,
        payload: Wire,
        blobs: Vec<(Vec<u8>, u64)>,
        secrets: Wire,
        travelling: Wire,
    ) -> Result<(), Refusal> {
        let message = Said::Saved {
            op: OpId(op),
            group: group_id(&group)?,
            lease: Lease(lease),
            revision: Revision(revision),
            title: cut(title),
            digest: self::digest(&digest)?,
            state: payload::take(payload)?,
            blobs: blob_refs(blobs)?,
            secrets: Secrets {
                staying: payload::take_secrets(secrets)?,
                travelling: payload::take_secrets(travelling)?,
            },
        };
        self.say(connection, &header, message).await
    }

    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    async fn restored(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        copy: u64,
        revision: u64,
        digest: Vec<u8>,
        mut loss: Vec<(String, String)>,
    ) -> Result<(), Refusal> {
        loss.truncate(MAX_LIST);
        let message = Said::Restored {
            op: OpId(op),
            group: group_id(&group)?,
            copy: CopyId(copy),
            revision: Revision(revision),
            digest: self::digest(&digest)?,
            loss: loss
                .into_iter()
                .map(|(path, why)| (cut(path), cut(why)))
                .collect(),
        };
        self.say(connection, &header, message).await
    }

    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    async fn released(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
    ) -> Result<(), Refusal> {
        let message = Said::Released {
            op: OpId(op),
            group: group_id(&group)?,
            lease: Lease(lease),
            revision: Revision(revision),
        };
        self.say(connection, &header, message).await
    }

    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    async fn changed(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
    ) -> Result<(), Refusal> {
        let message = Said::Changed {
            op: OpId(op),
            group: group_id(&group)?,
            lease: Lease(lease),
            revision: Revision(revision),
        };
        self.say(connection, &header, message).await
    }

    async fn failed(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        why: String,
    ) -> Result<(), Refusal> {
        let message = Said::Failed {
            op: OpId(op),
            group: group_id(&group)?,
            why: cut(why),
        };
        self.say(connection, &header, message).await
    }

    async fn closed(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        group: String,
        lease: u64,
    ) -> Result<(), Refusal> {
        let message = Said::Closed {
            group: group_id(&group)?,
            lease: Lease(lease),
        };
        self.say(connection, &header, message).await
    }

    async fn extend_deadline(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        ms: u32,
    ) -> Result<(), Refusal> {
        let message = Said::ExtendDeadline {
            op: OpId(op),
            group: group_id(&group)?,
            ms,
        };
        self.say(connection, &header, message).await
    }

    async fn names(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        held: bool,
    ) -> Result<(), Refusal> {
        let message = Said::Names { op: OpId(op), held };
        self.say(connection, &header, message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "ü".repeat(MAX_TEXT);
        assert_eq!(cut(text).len(), MAX_TEXT);
        let odd = format!("x{}", "ü".repeat(MAX_TEXT));
        assert_eq!(cut(odd).len(), MAX_TEXT - 1);
        assert_eq!(cut("short".into()), "short");
    }
}
