//! `org.overwinter.Blobs1`: the large parts of a group's state.
//!
//! Apart from `Session1` because these calls wait for the disk: each is handled on its own, so that nobody else's call waits
//! behind it, and they are counted, so that no caller fills the session with files.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use overwinter_proto::{BlobHash, BlobRef, CopyId, Lease, parts::MAX_BLOB};
use zbus::{Connection, interface, message::Header, zvariant};

use crate::{
    BLOB_WITHIN, BusEvent, Refusal, Reply, payload,
    server::Shared,
    session::{digest, group_id},
};

/// Most calls of one connection that wait at a time: each may hold a file.
const MOST_CALLS: usize = 16;

/// How many calls of each connection wait for the disk.
#[derive(Debug, Default, Clone)]
pub(crate) struct Calls(Arc<Mutex<HashMap<String, usize>>>);

/// One of them, until it is dropped.
struct Waiting {
    calls: Calls,
    name: String,
}

impl Calls {
    fn enter(&self, name: &str) -> Result<Waiting, Refusal> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = calls.entry(name.to_owned()).or_default();
        if *waiting >= MOST_CALLS {
            return Err(Refusal::Busy(format!(
                "{MOST_CALLS} calls of this connection wait for the disk already; nothing was done. Ask again when one is answered"
            )));
        }
        *waiting += 1;
        Ok(Waiting {
            calls: self.clone(),
            name: name.to_owned(),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut calls = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = calls.get_mut(&self.name) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                calls.remove(&self.name);
            }
        }
    }
}

pub(crate) struct BlobsObject {
    pub shared: Arc<Shared>,
}

#[interface(name = "org.overwinter.Blobs1")]
impl BlobsObject {
    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    async fn put_blob(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        group: String,
        lease: u64,
        hash: Vec<u8>,
        len: u64,
        file: zvariant::OwnedFd,
    ) -> Result<(), Refusal> {
        let caller = self.shared.identify(connection, &header).await?.caller;
        let _waiting = self.shared.blob_calls.enter(&caller.name)?;
        let blob = BlobRef {
            hash: BlobHash(digest(&hash)?),
            len,
        };
        let size = payload::sealed_len(file.as_fd())?;
        if size != len || len > MAX_BLOB {
            return payload::bad(format!(
                "the memfd has {size} bytes where {len} were announced and {MAX_BLOB} is the most"
            ));
        }
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::PutBlob {
            caller,
            group: group_id(&group)?,
            lease: Lease(lease),
            blob,
            file: OwnedFd::from(file),
            reply,
        });
        answer.wait_for(BLOB_WITHIN).await
    }

    #[zbus(out_args("file"))]
    async fn get_blob(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        group: String,
        copy: u64,
        hash: Vec<u8>,
    ) -> Result<zvariant::OwnedFd, Refusal> {
        let caller = self.shared.identify(connection, &header).await?.caller;
        let _waiting = self.shared.blob_calls.enter(&caller.name)?;
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::GetBlob {
            caller,
            group: group_id(&group)?,
            copy: CopyId(copy),
            hash: BlobHash(digest(&hash)?),
            reply,
        });
        answer.wait_for(BLOB_WITHIN).await.map(Into::into)
    }
}
