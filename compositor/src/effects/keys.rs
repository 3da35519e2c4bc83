//! The ways to the store's master key, beside a running session: the keyring is looked after once at the start, and slots come
//! and go as the user asks.
//!
//! Both wait for others: for the keyring, which may ask the user, and for the store worker. So each is done on a thread of its
//! own, one after another, which ends with it; an idle session has none.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use overwinter_bus::{Refusal, Reply, Secret};
use overwinter_keyring::passphrase::Word;
use overwinter_keyring::{Owner, Refused, Service, Slots, Tended, add, remove, rotate, tend};
use overwinter_session::ids::OperationId;
use overwinter_store::{SlotKind, Store, StoreError, Unlock};
use serde::Serialize;

use super::Incoming;
use super::store::{Job, WithStore};
use crate::driver::Driver;

/// How long the keyring has at the start, when nobody waits for it.
const UNATTENDED: Duration = Duration::from_secs(30);
/// How long it has when the user asked for something: the time to find and type a password.
const ATTENDED: Duration = Duration::from_secs(60);
/// How long the store worker has: it may be in the middle of a large save, and a rotation touches every group.
const STORE_WITHIN: Duration = Duration::from_secs(3600);
/// Most that wait at a time.
const MOST: usize = 16;

/// Something to do about the slots.
#[derive(Debug)]
pub enum Task {
    /// Look after the keyring; `new`: the store was made just now.
    Tend {
        /// The store was made just now.
        new: bool,
    },
    /// Say which there are.
    List,
    /// Fill one.
    Add {
        /// Which.
        kind: SlotKind,
        /// For the passphrase.
        word: Option<Word>,
    },
    /// Empty one.
    Remove {
        /// Which.
        kind: SlotKind,
    },
    /// A new master key.
    Rotate {
        /// The passphrase, where it is a slot.
        word: Option<Word>,
    },
}

/// What the slots are like; what `Store1.Keys` answers.
#[derive(Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The ways to the master key: `secret-service`, `passphrase`, `key-file`.
    pub slots: Vec<&'static str>,
    /// What there is to say about them; empty when nothing.
    pub warning: String,
}

impl Kept {
    /// Of a store that is open.
    ///
    /// # Errors
    /// The disk failed, or the store is gone.
    pub fn of(slots: &mut dyn Slots) -> Result<Kept, Refused> {
        let mut filled = slots.filled()?;
        filled.reverse();
        Ok(Kept {
            slots: filled.into_iter().map(SlotKind::name).collect(),
            warning: slots.warning()?,
        })
    }
}

/// How a task ended.
#[derive(Debug)]
pub struct Told {
    operation: Option<OperationId>,
    /// What there is to say, for the operation.
    outcome: Result<String, String>,
    /// What the user is to be told.
    notice: Option<String>,
    /// What the slots are like now, if that can be read.
    kept: Option<Kept>,
}

/// What is being done, and what waits.
#[derive(Debug)]
pub struct Keys {
    owner: Owner,
    kept: Kept,
    /// A thread is at work.
    busy: bool,
    waiting: VecDeque<(Option<OperationId>, Task)>,
}

impl Keys {
    /// Of the store in this folder, which is like this.
    pub fn new(dir: &Path, kept: Kept) -> Keys {
        Keys {
            owner: Owner::of(dir),
            kept,
            busy: false,
            waiting: VecDeque::new(),
        }
    }

    /// What the slots are like.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }
}

/// The slots of the store that the worker has.
struct Remote(mpsc::Sender<Job>);

impl Remote {
    fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refused> {
        let (tell, told) = mpsc::channel();
        let job = WithStore::new(move |store| drop(tell.send(what(store))));
        self.0.send(Job::With(job)).map_err(|_| Refused::Gone)?;
        let outcome = told.recv_timeout(STORE_WITHIN);
        Ok(outcome.map_err(|_| Refused::Gone)??)
    }
}

impl Slots for Remote {
    fn filled(&mut self) -> Result<Vec<SlotKind>, Refused> {
        self.ask(|store| store.slots())
    }
    fn warning(&mut self) -> Result<String, Refused> {
        self.ask(|store| store.key_warning())
    }
    fn opens(&mut self, with: Unlock) -> Result<bool, Refused> {
        self.ask(move |store| Store::opens(store, &with))
    }
    fn fill(&mut self, with: Unlock) -> Result<(), Refused> {
        self.ask(move |store| store.fill_slot(&with))
    }
    fn empty(&mut self, kind: SlotKind) -> Result<(), Refused> {
        self.ask(move |store| store.empty_slot(kind))
    }
    fn rotate(&mut self, slots: Vec<Unlock>) -> Result<(), Refused> {
        self.ask(move |store| store.rotate(&slots))
    }
}

/// Does it. Returns what there is to say, and what the user is to be told unasked.
fn carry_out(
    slots: &mut Remote,
    owner: &Owner,
    task: Task,
) -> Result<(String, Option<String>), Refused> {
    let asking = Service::asking(ATTENDED);
    let said = match task {
        Task::Tend { new } => {
            let tended = tend(slots, Service::silent(UNATTENDED), owner, new)?;
            return Ok((String::new(), tended_notice(&tended)));
        }
        Task::List => serde_json::to_string(&Kept::of(slots)?).unwrap_or_default(),
        Task::Add { kind, word } => add(slots, asking, owner, kind, word)?,
        Task::Remove { kind } => remove(slots, asking, owner, kind)?,
        Task::Rotate { word } => rotate(slots, asking, owner, word)?,
    };
    Ok((said, None))
}

/// What the user should know of it.
fn tended_notice(tended: &Tended) -> Option<String> {
    match tended {
        Tended::Well => {}
        Tended::Added => tracing::info!("the keyring has a key that opens the store now"),
        Tended::Left(trouble) => {
            tracing::info!("the keyring was left alone: {trouble}. The store is open");
        }
        Tended::Refilled => {
            return Some(
                "The keyring did not have the key of the store any more: it was reset, or it is another one. The store was \
                 opened without it, and nothing is lost. The keyring has a new key now; `overwinter store key` shows what opens the store."
                    .to_owned(),
            );
        }
    }
    None
}

impl Driver {
    /// Has something done about the slots, after all that was asked before.
    pub(crate) fn key_task(&mut self, operation: Option<OperationId>, task: Task) {
        self.keys.waiting.push_back((operation, task));
        self.next_key_task();
    }

    fn next_key_task(&mut self) {
        if self.keys.busy {
            return;
        }
        let Some((operation, task)) = self.keys.waiting.pop_front() else {
            return;
        };
        let mut slots = Remote(self.jobs.clone());
        let owner = self.keys.owner.clone();
        let sender = self.sender.clone();
        let work = move || {
            let outcome = carry_out(&mut slots, &owner, task);
            let (outcome, notice) = match outcome {
                Ok((said, notice)) => (Ok(said), notice),
                Err(refused) => (Err(refused.to_string()), None),
            };
            let told = Told {
                operation,
                outcome,
                notice,
                kept: Kept::of(&mut slots).ok(),
            };
            drop(sender.send(Incoming::Keys(told)));
        };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(work);
        match thread {
            Ok(_) => self.keys.busy = true,
            Err(e) => {
                let why =
                    format!("the system gives no thread ({e}); the store's slots are as they were");
                self.key_outcome(operation, Err(why));
                self.next_key_task();
            }
        }
    }

    /// One has ended.
    pub(crate) fn keys_told(&mut self, told: Told) {
        self.keys.busy = false;
        if let Some(kept) = told.kept {
            self.keys.kept = kept;
        }
        if let Some(notice) = told.notice {
            self.notices.add(None, notice);
        }
        self.key_outcome(told.operation, told.outcome);
        self.next_key_task();
    }

    fn key_outcome(&mut self, operation: Option<OperationId>, outcome: Result<String, String>) {
        match (operation, outcome) {
            (Some(operation), outcome) => self.end_operation(operation, outcome),
            (None, Ok(_)) => {}
            (None, Err(why)) => tracing::warn!("the slots were not looked after: {why}"),
        }
    }

    /// Somebody who may asked for something about the slots.
    pub(crate) fn key_call(&mut self, task: Result<Task, Refusal>, reply: Reply<u64>) {
        let task = match task {
            Ok(task) => task,
            Err(refusal) => return reply.send(Err(refusal)),
        };
        if self.keys.waiting.len() >= MOST {
            return reply.send(Err(Refusal::Busy(format!(
                "{MOST} changes of the store's slots wait already; nothing was begun. Ask again when one has ended"
            ))));
        }
        let operation = self.operations.begin();
        reply.send(Ok(operation.0));
        self.key_task(Some(operation), task);
    }
}

/// A kind that somebody named.
pub(crate) fn kind_of(name: &str) -> Result<SlotKind, Refusal> {
    SlotKind::of_name(name).ok_or_else(|| {
        let known = SlotKind::ALL.map(SlotKind::name).join(", ");
        Refusal::Failed(format!(
            "there is no slot `{name}`, only {known}; nothing was changed"
        ))
    })
}

/// A word as it came over the bus; none: an empty one.
pub(crate) fn word_of(secret: Secret) -> Result<Option<Word>, Refusal> {
    overwinter_keyring::passphrase::of_bytes(secret.into_bytes())
        .map_err(|why| Refusal::BadPayload(format!("{why}; nothing was changed")))
}
