//! The worker's answers: state that was asked for, trials that were compared, and the rest of what the session hears.

use std::time::{Duration, Instant};

use super::bus::Wire;
use super::messages::{Outcome, SaveJob, ToUi, TrialCheck};
use super::payload;
use super::requests::Request;
use super::worker::Thread;

/// The newest state that was handed over for a group, to be sent again when asked again.
pub(super) struct Sent {
    op: u64,
    lease: u64,
    revision: u64,
    title: String,
    digest: [u8; 32],
    /// None once it is stored: then its number is enough.
    bytes: Option<Vec<u8>>,
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
        let SaveJob {
            key,
            op,
            group,
            lease,
            revision,
            title,
            captured,
            origin,
            asked,
            deadline,
        } = save;
        self.plead(op, &group, asked, deadline);
        match captured.encode(origin.as_ref()) {
            Ok(encoded) => {
                drop(captured);
                self.plead(op, &group, asked, deadline);
                let sent = Sent {
                    op,
                    lease,
                    revision,
                    title,
                    digest: encoded.digest,
                    bytes: Some(encoded.bytes),
                };
                self.send_state(&group, sent);
            }
            Err(e) => {
                tracing::error!("`{title}` cannot be saved: {e}");
                if op != 0 {
                    self.say(
                        op,
                        &Outcome::Failed {
                            group,
                            why: e.to_string(),
                        },
                    );
                }
            }
        }
        self.tell(ToUi::SaveFinished { key });
    }

    /// Asks for more time when half of it is gone.
    fn plead(&self, op: u64, group: &str, asked: Instant, deadline: Option<Duration>) {
        if op != 0 && deadline.is_some_and(|deadline| asked.elapsed() > deadline / 2) {
            self.inform("ExtendDeadline", &(op, group, 5000_u32));
        }
    }

    pub(super) fn send_state(&mut self, group: &str, sent: Sent) {
        match sent
            .bytes
            .as_deref()
            .map_or(Ok((Vec::new(), Vec::new())), payload::give)
        {
            Ok((inline, files)) => {
                let wire: Wire = (inline, files.into_iter().map(Into::into).collect());
                let body = (
                    sent.op,
                    group,
                    sent.lease,
                    sent.revision,
                    &sent.title,
                    sent.digest.as_slice(),
                    wire,
                );
                self.inform("Saved", &body);
                self.saved.insert(group.to_owned(), sent);
            }
            Err(e) => {
                tracing::warn!("`{}` cannot be handed over: {e}", sent.title);
                if sent.op != 0 {
                    self.say(
                        sent.op,
                        &Outcome::Failed {
                            group: group.to_owned(),
                            why: e.to_string(),
                        },
                    );
                }
            }
        }
    }

    pub(super) fn note_stored(&mut self, request: &Request) {
        if let Request::Stored {
            group, revision, ..
        } = request
            && let Some(sent) = self.saved.get_mut(group)
            && sent.revision <= *revision
        {
            sent.bytes = None;
        }
    }

    pub(super) fn check_trial(&mut self, check: TrialCheck) {
        let TrialCheck {
            op,
            group,
            copy,
            revision,
            captured,
            provenance,
            loss,
        } = check;
        let digests = provenance
            .digest()
            .and_then(|was| Ok((was, captured.digest_after(&provenance)?)));
        let (was, digest) = match digests {
            Ok(digests) => digests,
            Err(e) => {
                return self.say(
                    op,
                    &Outcome::Failed {
                        group,
                        why: e.to_string(),
                    },
                );
            }
        };
        // Until it is saved again, the state that is stored is the one it came from.
        let sent = Sent {
            op: 0,
            lease: 0,
            revision,
            title: String::new(),
            digest: was,
            bytes: None,
        };
        self.saved.insert(group.clone(), sent);
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

    /// The session has that revision already: its number is enough.
    pub(super) fn confirm_stored(
        &mut self,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        title: String,
    ) {
        let digest = self.saved.get(&group).map_or([0; 32], |sent| sent.digest);
        let sent = Sent {
            op,
            lease,
            revision,
            title,
            digest,
            bytes: None,
        };
        self.send_state(&group, sent);
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

    pub(super) fn say_again(&mut self, op: u64, group: &str) {
        if let Some(answer) = self.restored.iter().find(|answer| answer.op == op) {
            return self.say_restored(answer);
        }
        if let Some(sent) = self.saved.get(group).filter(|sent| sent.op == op) {
            let sent = Sent {
                title: sent.title.clone(),
                bytes: sent.bytes.clone(),
                ..*sent
            };
            self.send_state(group, sent);
        }
    }
}
