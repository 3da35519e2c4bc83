//! The megabytes of app state that the heart passes on by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use overwinter_session::ids::PayloadId;

/// Payloads by name, each until its one use.
#[derive(Debug, Default)]
pub struct Payloads {
    kept: BTreeMap<PayloadId, Arc<Vec<u8>>>,
    last: u64,
}

impl Payloads {
    /// Keeps a payload under a new name.
    pub fn keep(&mut self, state: Vec<u8>) -> PayloadId {
        self.last += 1;
        let id = PayloadId(self.last);
        self.kept.insert(id, Arc::new(state));
        id
    }

    /// Uses a payload up.
    pub fn take(&mut self, id: PayloadId) -> Option<Arc<Vec<u8>>> {
        self.kept.remove(&id)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
