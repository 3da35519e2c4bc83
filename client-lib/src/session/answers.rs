//! The worker's answers: state that was asked for, trials that were compared, and the rest of what the session hears.

use std::time::{Duration, Instant};

use super::blobs::Along;
use super::bus::{CallError, Wire};
use super::document::guarded;
use super::messages::{Outcome, SaveEnd, SaveJob, ToUi, TrialCheck};
use super::payload;
use super::requests::Request;
use super::worker::Thread;
use crate::parts::Parts;

/// The newest state that was handed over for a copy, to be sent again when asked again.
pub(super) struct Sent {
    op: u64,
    pub(super) group: String,
    lease: u64,
    revision: u64,
    title: String,
    digest: [u8; 32],
    /// Of all that is handed over; none where that is not known.
    whole: Option<[u8; 32]>,
    /// None once it is stored: then its number is enough.
    bytes: Option<Vec<u8>>,
    /// What hangs on it, as long as there are bytes.
    parts: Parts,
}

/// Why a state was not taken.
pub(super) enum CallOrWords {
    Call(CallError),
    Words(String),
}

/// How a trial went, to be told again when asked again.
pub(super) struct RestoredAnswer {
    op: u64,
    group: String,
    copy: u64,
    revision: u64,
    digest: [u8; 32],
    loss: Vec<(String, String)>,
}

/// How many of those are kept: more than an instance ever restores at a time.
const RESTORED_KEPT: usize = 64;

impl Thread {
    pub(super) fn save(&mut self, save: SaveJob) {
        let (key, revision) = (save.key, save.revision);
        let end = self.encode_and_send(save);
        self.tell(ToUi::SaveFinished { key, revision, end });
    }

    fn encode_and_send(&mut self, save: SaveJob) -> SaveEnd {
        let SaveJob {
            key,
            op,
            group,
            lease,
            revision,
            heard_of,
            title,
            captured,
            origin,
            asked,
            deadline,
        } = save;
        self.plead(op, &group, asked, deadline);
        let encoded = guarded("encoding its state", || {
            let (encoded, mut parts) = captured.encode(origin.as_ref());
            let encoded = encoded.map_err(|e| e.to_string())?;
            self.parts
                .entry(group.clone())
                .or_default()
                .complete(&mut parts);
            parts.check().map_err(|e| e.to_string())?;
            Ok((encoded, parts))
        });
        drop(captured);
        let (encoded, parts) = match encoded {
            Ok(encoded) => encoded,
            Err(why) => {
                tracing::warn!("`{title}` cannot be saved: {why}");
                if op != 0 {
                    self.say(op, &Outcome::Failed { group, why });
                }
                return SaveEnd::Failed;
            }
        };
        self.plead(op, &group, asked, deadline);
        let whole = Some(*blake3::hash(&encoded.bytes).as_bytes());
        if let Some(former) = self.saved.get(&key)
            && !heard_of
            && former.whole == whole
            && self.has_all_of(&group, &parts)
            // The title of a state that came from the session is known to the session alone.
            && (former.title.is_empty() || former.title == title)
        {
            let former = former.revision;
            if op != 0 && !self.save_again(key, op, group, lease, former, title) {
                return SaveEnd::NotTaken;
            }
            return SaveEnd::SameAs(former);
        }
        self.send_state(
            key,
            Sent {
                op,
                group,
                lease,
                revision,
                title,
                digest: encoded.digest,
                whole,
                bytes: Some(encoded.bytes),
                parts,
            },
        )
    }

    /// Asks for more time when half of it is gone.
    fn plead(&self, op: u64, group: &str, asked: Instant, deadline: Option<Duration>) {
        if op != 0 && deadline.is_some_and(|deadline| asked.elapsed() > deadline / 2) {
            self.inform("ExtendDeadline", &(op, group, 5000_u32));
        }
    }

    pub(super) fn send_state(&mut self, key: u64, mut sent: Sent) -> SaveEnd {
        let mut handed_over = self.try_to_send(&sent);
        // Once more after the session has said that it lacks a blob: it may have let go of one that was not named for a while.
        if self.lacks_a_blob(&sent.group, &handed_over) {
            handed_over = self.try_to_send(&sent);
        }
        // What it still lacks is not here. It may be there under the last restored state's name, or nowhere.
        if self.lacks_a_blob(&sent.group, &handed_over) {
            handed_over = match self.seek_blobs(&sent.group, sent.lease, &mut sent.parts) {
                Ok(()) => self.try_to_send(&sent),
                Err(why) => Err(CallOrWords::Words(why)),
            };
        }
        let why = match handed_over {
            Ok(()) | Err(CallOrWords::Call(CallError::NoSession)) => None,
            Err(CallOrWords::Call(e)) => Some(e.to_string()),
            Err(CallOrWords::Words(why)) => Some(why),
        };
        let Some(why) = why else {
            self.saved.insert(key, sent);
            return SaveEnd::Sent;
        };
        tracing::warn!("`{}` cannot be handed over: {why}", sent.title);
        if sent.op != 0 {
            let group = sent.group;
            self.say(sent.op, &Outcome::Failed { group, why });
        }
        SaveEnd::NotTaken
    }

    fn try_to_send(&mut self, sent: &Sent) -> Result<(), CallOrWords> {
        let words = |why: String| CallOrWords::Words(why);
        let (state, along): (Wire, Along) = match &sent.bytes {
            Some(bytes) => {
                let (inline, files) = payload::give(bytes).map_err(|e| words(e.to_string()))?;
                let files = files.into_iter().map(Into::into).collect();
                let along = self.hand_over((sent.op, &sent.group, sent.lease), &sent.parts);
                ((inline, files), along.map_err(words)?)
            }
            None => ((Vec::new(), Vec::new()), Along::nothing()),
        };
        let body = (
            sent.op,
            &sent.group,
            sent.lease,
            sent.revision,
            &sent.title,
            sent.digest.as_slice(),
            state,
            along.blobs,
            along.secrets,
            along.travelling,
        );
        self.call::<_, ()>("Saved", &body)
            .map_err(CallOrWords::Call)
    }

    pub(super) fn note_stored(&mut self, request: &Request) {
        if let Request::Stored {
            group,
            lease,
            revision,
        } = request
        {
            let of_it = |sent: &&mut Sent| {
                (&sent.group, sent.lease) == (group, *lease) && sent.revision <= *revision
            };
            self.saved.values_mut().filter(of_it).for_each(|sent| {
                sent.bytes = None;
                sent.parts = Parts::default();
            });
        }
    }

    pub(super) fn check_trial(&mut self, check: TrialCheck) {
        let TrialCheck {
            key,
            op,
            group,
            copy,
            revision,
            captured,
            provenance,
            whole,
            loss,
        } = check;
        let digests = guarded("comparing its state", || {
            let was = provenance.digest().map_err(|e| e.to_string())?;
            let digest = captured.digest_after(&provenance);
            Ok((was, digest.map_err(|e| e.to_string())?))
        });
        let (was, digest) = match digests {
            Ok(digests) => digests,
            Err(why) => return self.say(op, &Outcome::Failed { group, why }),
        };
        if let Some(parts) = self.parts.get_mut(&group) {
            parts.no_trial(copy);
        }
        // Until it is saved again, the state that is stored is the one it came from.
        let sent = Sent {
            op: 0,
            group: group.clone(),
            lease: 0,
            revision,
            title: String::new(),
            digest: was,
            whole: Some(whole),
            bytes: None,
            parts: Parts::default(),
        };
        self.saved.insert(key, sent);
        let loss = loss
            .iter()
            .map(|loss| (loss.path.clone(), loss.reason.to_string()))
            .collect();
        let answer = RestoredAnswer {
            op,
            group,
            copy,
            revision,
            digest,
            loss,
        };
        self.say_restored(&answer);
        self.restored.push_back(answer);
        if self.restored.len() > RESTORED_KEPT {
            self.restored.pop_front();
        }
    }

    /// Tells a revision once more that was handed over before; where the session has stored it, its number is enough. False: the
    /// session has not taken it.
    pub(super) fn save_again(
        &mut self,
        key: u64,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        title: String,
    ) -> bool {
        let Some(known) = self
            .saved
            .get(&key)
            .filter(|sent| sent.revision == revision)
        else {
            // It was on its way here when it turned out that it cannot be encoded, which the log and the session know.
            if op != 0 {
                let why = "the state cannot be encoded; nothing was saved".to_owned();
                self.say(op, &Outcome::Failed { group, why });
            }
            return true;
        };
        let sent = Sent {
            op,
            group,
            lease,
            title,
            bytes: known.bytes.clone(),
            parts: known.parts.clone(),
            ..*known
        };
        !matches!(self.send_state(key, sent), SaveEnd::NotTaken)
    }

    fn say_restored(&self, answer: &RestoredAnswer) {
        let RestoredAnswer {
            op,
            group,
            copy,
            revision,
            digest,
            loss,
        } = answer;
        self.inform(
            "Restored",
            &(op, group, copy, revision, digest.as_slice(), loss),
        );
    }

    pub(super) fn say(&self, op: u64, outcome: &Outcome) {
        match outcome {
            Outcome::Released {
                group,
                lease,
                revision,
            } => self.inform("Released", &(op, group, lease, revision)),
            Outcome::Changed {
                group,
                lease,
                revision,
            } => self.inform("Changed", &(op, group, lease, revision)),
            Outcome::Failed { group, why } => self.inform("Failed", &(op, group, why)),
            Outcome::Names { held } => self.inform("Names", &(op, held)),
        }
    }

    pub(super) fn say_again(&mut self, op: u64) {
        if let Some(answer) = self.restored.iter().find(|answer| answer.op == op) {
            return self.say_restored(answer);
        }
        if let Some((&key, sent)) = self.saved.iter().find(|(_, sent)| sent.op == op) {
            let (group, title) = (sent.group.clone(), sent.title.clone());
            let (lease, revision) = (sent.lease, sent.revision);
            self.save_again(key, op, group, lease, revision, title);
        }
    }
}
