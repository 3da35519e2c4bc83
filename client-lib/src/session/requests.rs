//! What the session asks for, carried out on the UI thread.

use std::rc::Rc;
use std::time::Duration;

use overwinter_proto::Reason;

use super::Inner;
use super::document::{Decoded, guarded};
use super::group::{Attached, Group, Standing};
use super::messages::{Job, Outcome, ToUi, TrialCheck};

/// A request of `org.overwinter.Client1`, checked for its sender.
#[derive(Debug)]
pub(super) enum Request {
    BeginSave {
        op: u64,
        group: String,
        lease: u64,
        deadline: Duration,
    },
    Stored {
        group: String,
        lease: u64,
        revision: u64,
    },
    Adopt {
        op: u64,
        group: String,
        copy: u64,
        lease: u64,
    },
    Discard {
        op: u64,
        group: String,
        copy: u64,
    },
    Release {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        quit: bool,
    },
    Names {
        op: u64,
        hold: bool,
    },
}

/// A state that has been read and waits for its document.
pub(super) struct Trial {
    pub op: u64,
    pub group: String,
    pub copy: u64,
    pub reason: Reason,
    pub revision: u64,
    pub cookie: String,
    /// Which of the app's kinds it is.
    pub kind: usize,
    pub decoded: Decoded,
    /// BLAKE3 of the bytes that it was read from.
    pub whole: [u8; 32],
}

/// How a request was answered, for when it comes again.
#[derive(Debug, Clone)]
pub(super) enum Answered {
    /// The worker knows, or will.
    ByWorker,
    /// With this.
    With(Outcome),
    /// It has no answer of its own.
    Silently,
}

impl Inner {
    pub(super) fn handle(self: &Rc<Self>, message: ToUi) {
        match message {
            ToUi::Registered(registered) => self.registered(registered),
            ToUi::Lost => self.session_lost(),
            ToUi::Appeared => self.worker.send(Job::Register { held: self.held() }),
            ToUi::Opened { key, opened } => self.opened(key, opened),
            ToUi::SaveFinished { key, revision, end } => {
                if let Some(group) = self.by_key(key) {
                    group.save_finished(revision, end);
                }
            }
            ToUi::Timer { key } => {
                if let Some(group) = self.by_key(key) {
                    group.autosave_due();
                }
            }
            ToUi::Trial(trial) => self.build_trial(*trial),
            ToUi::Request(request) => self.request(request),
            ToUi::Quit => self.quit(),
        }
    }

    fn held(&self) -> Vec<(String, u64, u64)> {
        let held = |group: &Group| match group.attached() {
            Some(Attached {
                group: id,
                lease: Some(lease),
                ..
            }) => Some((id, lease, group.tell_revision())),
            _ => None,
        };
        self.groups.borrow().iter().filter_map(held).collect()
    }

    fn say(&self, op: u64, outcome: Outcome) {
        self.answer(op, Answered::With(outcome.clone()));
        self.worker.send(Job::Say {
            op,
            outcome,
            then_quit: false,
        });
    }

    fn fail(&self, op: u64, group: &str, why: impl Into<String>) {
        self.say(
            op,
            Outcome::Failed {
                group: group.to_owned(),
                why: why.into(),
            },
        );
    }

    /// Answers a request that came before as before. False: it is new.
    fn answer_again(&self, op: u64) -> bool {
        let known = self
            .answered
            .borrow()
            .iter()
            .find(|(other, _)| *other == op)
            .map(|(_, a)| a.clone());
        match known {
            None => return false,
            Some(Answered::ByWorker) => self.worker.send(Job::SayAgain { op }),
            Some(Answered::With(outcome)) => self.worker.send(Job::Say {
                op,
                outcome,
                then_quit: false,
            }),
            Some(Answered::Silently) => {}
        }
        true
    }

    fn request(self: &Rc<Self>, request: Request) {
        match request {
            Request::BeginSave {
                op,
                group,
                lease,
                deadline,
            } => self.begin_save(op, &group, lease, deadline),
            Request::Stored {
                group,
                lease,
                revision,
            } => {
                if let Some(copy) = self.find(|copy| copy.holds(&group, lease)) {
                    copy.stored(revision);
                }
            }
            Request::Adopt {
                op,
                group,
                copy,
                lease,
            } => self.adopt(op, &group, copy, lease),
            Request::Discard { op, group, copy } => self.discard(op, &group, copy),
            Request::Release {
                op,
                group,
                lease,
                revision,
                quit,
            } => self.release(op, &group, lease, revision, quit),
            Request::Names { op, hold } => self.take_or_yield_names(op, hold),
        }
    }

    fn begin_save(&self, op: u64, group: &str, lease: u64, deadline: Duration) {
        if self.answer_again(op) {
            return;
        }
        let Some(copy) = self.find(|copy| copy.holds(group, lease)) else {
            return self.fail(
                op,
                group,
                "this process does not hold that lease; nothing was saved",
            );
        };
        self.answer(op, Answered::ByWorker);
        copy.save(op, Some(deadline));
    }

    fn build_trial(self: &Rc<Self>, trial: Trial) {
        let Trial {
            op,
            group: id,
            copy,
            reason,
            revision,
            cookie,
            kind,
            decoded,
            whole,
        } = trial;
        if self.answer_again(op) {
            return;
        }
        let Some(kind) = self.kinds.get(kind) else {
            return self.fail(op, &id, "this program does not know such documents");
        };
        let group = self.new_group(Standing::Trial);
        group.start_trial(id.clone(), copy, revision, cookie, decoded.origin.clone());
        let (loss, provenance) = (decoded.loss.clone(), decoded.provenance.clone());
        match kind.build(&group, decoded, reason) {
            Ok(document) => {
                group.set_document(document.clone());
                // Filling widgets is no change of the user's.
                group.is_built();
                let captured = match guarded("saying its state", || document.capture()) {
                    Ok(captured) => captured,
                    Err(why) => {
                        group.discard();
                        self.drop_group(&group);
                        return self.fail(op, &id, why);
                    }
                };
                self.answer(op, Answered::ByWorker);
                let check = TrialCheck {
                    key: group.key(),
                    op,
                    group: id,
                    copy,
                    revision,
                    captured,
                    provenance,
                    whole,
                    loss,
                };
                self.worker.send(Job::CheckTrial(check));
            }
            Err(why) => {
                self.drop_group(&group);
                self.fail(op, &id, why);
            }
        }
    }

    fn adopt(&self, op: u64, group: &str, copy: u64, lease: u64) {
        if self.answer_again(op) {
            return;
        }
        let waits = |g: &Group| {
            g.is_copy(group, copy) && matches!(g.standing(), Standing::Trial | Standing::Retired)
        };
        let Some(adopted) = self.find(waits) else {
            return self.fail(op, group, "there is no such copy on trial or retired");
        };
        self.answer(op, Answered::Silently);
        // Any other copy of the same group here is history.
        let others: Vec<Group> = self
            .groups
            .borrow()
            .iter()
            .filter(|g| g.id().as_deref() == Some(group))
            .cloned()
            .collect();
        for other in others.iter().filter(|other| other.key() != adopted.key()) {
            other.discard();
            self.drop_group(other);
        }
        adopted.adopt(lease);
    }

    fn discard(&self, op: u64, group: &str, copy: u64) {
        if self.answer_again(op) {
            return;
        }
        self.answer(op, Answered::Silently);
        let inert = |g: &Group| {
            g.is_copy(group, copy) && matches!(g.standing(), Standing::Trial | Standing::Retired)
        };
        if let Some(discarded) = self.find(inert) {
            discarded.discard();
            self.drop_group(&discarded);
            if self.groups.borrow().is_empty() {
                self.worker.send(Job::Quit);
            }
        }
    }

    fn release(&self, op: u64, group: &str, lease: u64, revision: u64, quit: bool) {
        if self.answer_again(op) {
            return;
        }
        let Some(copy) = self.find(|copy| copy.holds(group, lease)) else {
            return self.fail(
                op,
                group,
                "this process does not hold that lease; nothing was let go of",
            );
        };
        let id = group.to_owned();
        if copy.revision() != revision {
            return self.say(
                op,
                Outcome::Changed {
                    group: id,
                    lease,
                    revision: copy.tell_revision(),
                },
            );
        }
        let outcome = Outcome::Released {
            group: id,
            lease,
            revision,
        };
        if !quit {
            copy.retire();
            return self.say(op, outcome);
        }
        let last = self.groups.borrow().len() == 1;
        if last && let Err(why) = self.hold_names(false) {
            tracing::warn!("bus names could not be given up before the end: {why}");
        }
        copy.discard();
        self.drop_group(&copy);
        self.answer(op, Answered::With(outcome.clone()));
        self.worker.send(Job::Say {
            op,
            outcome,
            then_quit: last,
        });
    }

    fn hold_names(&self, hold: bool) -> Result<(), String> {
        match self.names.borrow().as_ref() {
            Some(names) => names(hold),
            None => Ok(()),
        }
    }

    fn take_or_yield_names(&self, op: u64, hold: bool) {
        if self.answer_again(op) {
            return;
        }
        if let Err(why) = self.hold_names(hold) {
            // What is held now is the opposite of what was asked for.
            tracing::warn!(
                "bus names could not be {}: {why}",
                if hold { "taken back" } else { "given up" }
            );
            return self.say(op, Outcome::Names { held: !hold });
        }
        self.say(op, Outcome::Names { held: hold });
    }

    pub(super) fn quit(&self) {
        // A document may have been opened while the last words were on their way.
        if self.groups.borrow().is_empty()
            && !self.quitting.replace(true)
            && let Some(quit) = self.on_quit.borrow().as_ref()
        {
            quit();
        }
    }
}
