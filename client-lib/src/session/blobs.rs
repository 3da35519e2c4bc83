//! Blobs and secrets on their way to the session and back.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use overwinter_proto::bus::{BUSY, MISSING_BLOB};
use overwinter_proto::{BlobRef, Secrets};
use zbus::zvariant;

use super::answers::CallOrWords;
use super::bus::{CallError, Way, Wire};
use super::payload;
use super::worker::Thread;
use crate::blob::{Blob, BlobError, Source, WeakBlob};
use crate::parts::Parts;

/// How often the session is asked again when it is busy; it takes up to 20 s each time.
const TRIES: u32 = 3;

/// What the worker knows of the parts of one group.
#[derive(Default)]
pub(super) struct GroupParts {
    /// What the session has said to be durable.
    given: HashSet<BlobRef>,
    /// What came with the last restore.
    carried: Parts,
    /// Handed out, and perhaps with the session alone: kept there as long as anybody here may read them, in the state or not.
    unread: Vec<WeakBlob>,
    /// Where those are that came with the last restore.
    source: Option<Arc<dyn Source>>,
    /// Referred to and lost.
    nowhere: HashSet<BlobRef>,
    /// The copy that was restored last, until it is compared or forgotten.
    trial: Option<u64>,
}

impl GroupParts {
    /// A state was restored with these.
    pub fn restored(
        &mut self,
        copy: u64,
        parts: Parts,
        source: Option<Arc<dyn Source>>,
        handed_out: &[Blob],
    ) {
        self.trial = Some(copy);
        self.source = source;
        self.nowhere.clear();
        self.given.extend(handed_out.iter().map(Blob::name));
        self.unread.extend(handed_out.iter().map(Blob::downgrade));
        self.carried = parts;
    }

    /// A restored copy was compared, or is no more.
    pub fn no_trial(&mut self, copy: u64) {
        self.trial.take_if(|trial| *trial == copy);
    }

    /// Whether a copy was restored of which nothing has been heard yet.
    pub fn has_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Another session: what it has is not known.
    pub fn forget_given(&mut self) {
        self.given.clear();
    }

    /// With what the group carries, and what must not be let go of.
    pub fn complete(&mut self, parts: &mut Parts) {
        parts.carry(&self.carried);
        self.unread.retain(|blob| blob.unread().is_some());
        for blob in self.unread.iter().filter_map(WeakBlob::unread) {
            // By name alone: what is sent must not be what keeps it alive.
            let name = blob.name();
            let named = || Blob::elsewhere(name, None);
            parts.blobs.entry(name).or_insert_with(named);
        }
        let nowhere = &self.nowhere;
        parts
            .blobs
            .retain(|name, blob| blob.is_here() || !nowhere.contains(name));
    }
}

/// The session, as the place where a copy's blobs are.
pub(super) struct FromSession {
    pub way: Way,
    pub group: String,
    pub copy: u64,
}

impl Source for FromSession {
    fn fetch(&self, blob: BlobRef) -> Result<OwnedFd, BlobError> {
        let hash = blob.hash.to_string();
        let ask = || -> Result<zvariant::OwnedFd, CallError> {
            let body = (&self.group, self.copy, blob.hash.0.to_vec());
            self.way.call_about_blobs("GetBlob", &body)
        };
        match again_while_busy(ask) {
            Ok(file) => Ok(file.into()),
            Err(CallError::Bus(zbus::Error::MethodError(name, why, _)))
                if name.as_str() != BUSY =>
            {
                let why = why.unwrap_or_else(|| name.to_string());
                Err(BlobError::Missing { hash, why })
            }
            Err(e) => Err(BlobError::Unavailable {
                hash,
                why: e.to_string(),
            }),
        }
    }
}

fn again_while_busy<R>(ask: impl Fn() -> Result<R, CallError>) -> Result<R, CallError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match ask() {
            Err(e) if e.is(BUSY) && tries > 0 => {}
            answer => return answer,
        }
    }
}

/// What is sent along with a state.
pub(super) struct Along {
    pub blobs: Vec<(Vec<u8>, u64)>,
    pub secrets: Wire,
    pub travelling: Wire,
}

impl Along {
    /// Nothing.
    pub fn nothing() -> Along {
        Along {
            blobs: Vec::new(),
            secrets: (Vec::new(), Vec::new()),
            travelling: (Vec::new(), Vec::new()),
        }
    }
}

impl Thread {
    /// Gives the session what it does not have yet, and names everything.
    ///
    /// # Errors
    /// What could not be handed over, for people.
    pub(super) fn hand_over(
        &mut self,
        (op, group, lease): (u64, &str, u64),
        parts: &Parts,
    ) -> Result<Along, String> {
        for blob in parts.blobs() {
            // What is not here is with the session; if it is not, that is told in answer to Saved.
            if blob.is_here() && self.give(group, lease, blob)? && op != 0 {
                // The disk is at work, which the deadline of a save does not know.
                self.inform("ExtendDeadline", &(op, group, 5000_u32));
            }
        }
        let secrets: Secrets = parts.secrets().map_err(|e| e.to_string())?;
        let wire = |section: &[u8]| -> Result<Wire, String> {
            let files = payload::give_secrets(section).map_err(|e| e.to_string())?;
            Ok((Vec::new(), files.into_iter().map(Into::into).collect()))
        };
        let name = |blob: &Blob| {
            let BlobRef { hash, len } = blob.name();
            (hash.0.to_vec(), len)
        };
        Ok(Along {
            blobs: parts.blobs().map(name).collect(),
            secrets: wire(&secrets.staying)?,
            travelling: wire(&secrets.travelling)?,
        })
    }

    /// Whether the session was given every blob that is here.
    pub(super) fn has_all_of(&self, group: &str, parts: &Parts) -> bool {
        let known = self.parts.get(group);
        let given = |blob: &Blob| known.is_some_and(|known| known.given.contains(&blob.name()));
        parts.blobs().all(|blob| !blob.is_here() || given(blob))
    }

    /// Whether it was new to the session.
    fn give(&mut self, group: &str, lease: u64, blob: &Blob) -> Result<bool, String> {
        let name = blob.name();
        let known = self.parts.entry(group.to_owned()).or_default();
        if known.given.contains(&name) {
            return Ok(false);
        }
        let Some(way) = self.way() else {
            return Ok(false);
        };
        let file = blob.memfd().map_err(|e| e.to_string())?;
        let body = (
            group,
            lease,
            name.hash.0.to_vec(),
            name.len,
            zvariant::Fd::from(file),
        );
        match again_while_busy(|| way.call_about_blobs::<_, ()>("PutBlob", &body)) {
            Ok(()) => {
                self.parts
                    .entry(group.to_owned())
                    .or_default()
                    .given
                    .insert(name);
                Ok(true)
            }
            Err(CallError::NoSession) => Ok(false),
            Err(e) => Err(format!("blob {} cannot be handed over: {e}", name.hash)),
        }
    }

    /// The session says that it lacks a blob: give everything again.
    pub(super) fn lacks_a_blob(&mut self, group: &str, answer: &Result<(), CallOrWords>) -> bool {
        let lacks = matches!(answer, Err(CallOrWords::Call(e)) if e.is(MISSING_BLOB));
        if lacks && let Some(parts) = self.parts.get_mut(group) {
            parts.forget_given();
        }
        lacks
    }

    /// Fetches what `parts` names and is not here, and gives it again, one after the other, so that no more than one is held. What is
    /// nowhere is named no more: one picture that is lost must not keep everything else from being saved. The state goes on
    /// referring to it.
    ///
    /// # Errors
    /// What cannot be had or given now but perhaps later, for people.
    pub(super) fn seek_blobs(
        &mut self,
        group: &str,
        lease: u64,
        parts: &mut Parts,
    ) -> Result<(), String> {
        let source = self.parts.get(group).and_then(|known| known.source.clone());
        let mut nowhere = HashSet::new();
        for blob in parts.blobs().filter(|blob| !blob.is_here()) {
            let sought = Blob::elsewhere(blob.name(), source.clone());
            match sought.memfd() {
                Ok(_) => drop(self.give(group, lease, &sought)?),
                Err(BlobError::Missing { hash, .. }) => {
                    tracing::warn!(
                        "blob {hash} is nowhere to be had; the rest of the document is saved without it"
                    );
                    nowhere.insert(blob.name());
                }
                Err(e) => return Err(e.to_string()),
            }
        }
        parts.blobs.retain(|name, _| !nowhere.contains(name));
        let known = self.parts.entry(group.to_owned()).or_default();
        known.nowhere.extend(nowhere);
        Ok(())
    }

    /// Where a copy's blobs are.
    pub(super) fn source(&self, group: &str, copy: u64) -> Option<Arc<dyn Source>> {
        let source = FromSession {
            way: self.way()?.clone(),
            group: group.to_owned(),
            copy,
        };
        Some(Arc::new(source))
    }
}
