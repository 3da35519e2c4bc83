//! The megabytes of app state that the heart passes on by name, with the parts that hang on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use overwinter_proto::{BlobRef, GroupId, Secrets};
use overwinter_session::ids::PayloadId;

/// A state on its way, and what belongs to it.
#[derive(Clone)]
pub struct Payload {
    /// Whose.
    pub group: GroupId,
    /// The state itself.
    pub state: Arc<Vec<u8>>,
    /// The blobs that it refers to; their content is with the store.
    pub blobs: Arc<BTreeSet<BlobRef>>,
    /// Its secrets.
    pub secrets: Arc<Secrets>,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload")
            .field("group", &self.group)
            .field("bytes", &self.state.len())
            .field("blobs", &self.blobs.len())
            .finish_non_exhaustive()
    }
}

/// Payloads by name, each until its one use.
#[derive(Debug, Default)]
pub struct Payloads {
    kept: BTreeMap<PayloadId, Payload>,
    last: u64,
}

impl Payloads {
    /// Keeps a payload under a new name.
    pub fn keep(&mut self, payload: Payload) -> PayloadId {
        self.last += 1;
        let id = PayloadId(self.last);
        self.kept.insert(id, payload);
        id
    }

    /// Uses a payload up.
    pub fn take(&mut self, id: PayloadId) -> Option<Payload> {
        self.kept.remove(&id)
    }

    /// The blobs that this payload refers to.
    pub fn blobs(&self, id: PayloadId) -> Arc<BTreeSet<BlobRef>> {
        self.kept
            .get(&id)
            .map(|p| p.blobs.clone())
            .unwrap_or_default()
    }

    /// The blobs that payloads of this group refer to, apart from this one.
    pub fn blobs_of(
        &self,
        group: GroupId,
        apart_from: Option<PayloadId>,
    ) -> impl Iterator<Item = &BlobRef> {
        let others =
            move |(id, p): &(&PayloadId, &Payload)| p.group == group && Some(**id) != apart_from;
        self.kept
            .iter()
            .filter(others)
            .flat_map(|(_, p)| p.blobs.iter())
    }
}
