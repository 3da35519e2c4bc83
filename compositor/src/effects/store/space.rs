//! The store worker tells how much the store takes, whenever that may have changed.

use overwinter_store::{Count, Space, StoreError};

use super::{Answer, Worker};
use crate::effects::space;

/// What was told last.
#[derive(Default)]
pub(super) struct Telling {
    last: Option<Space>,
    /// A save did not fit, and that was told.
    full: bool,
}

impl Worker {
    /// Tells how much the store takes, if that is another number than before. Measured once, it is known from then on; with a
    /// quota it is measured again when it has become unknown.
    pub(super) fn tell_space(&mut self) {
        let space = match self.store.known_space() {
            Some(space) => space,
            None if self.store.quota().is_some() => match self.store.space() {
                Ok(space) => space,
                Err(e) => return tracing::warn!("how much the store takes is unknown: {e}"),
            },
            None => return,
        };
        if self.telling.last.replace(space) != Some(space) {
            (self.answer)(Answer::Space(space));
        }
    }

    /// A save ended like this.
    pub(super) fn saved(&mut self, outcome: &Result<impl Copy, StoreError>) {
        match outcome {
            Ok(_) => self.telling.full = false,
            Err(StoreError::Quota { .. }) if !self.telling.full => {
                self.telling.full = true;
                self.tell_full();
            }
            Err(_) => {}
        }
    }

    /// What the user can do about it takes a look at everything; so it is told once, until a save fits again.
    fn tell_full(&mut self) {
        let told = self.store.space().and_then(|space| {
            let groups = self.store.run(Count::default(), &mut |_| {})?;
            Ok(space::refused(space, &groups))
        });
        match told {
            Ok(text) => (self.answer)(Answer::NotKept(text)),
            Err(e) => tracing::warn!("what takes how much in the store is unknown: {e}"),
        }
    }
}
