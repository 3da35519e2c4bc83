//! The store worker's errands: what may take long, done in small steps whenever no job waits, one errand after another.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use overwinter_proto::{BlobRef, Generation, GroupId};
use overwinter_session::event::GroupHistory;
use overwinter_session::ids::OperationId;
use overwinter_store::{
    Collection, Count, Errand as _, Examination, Export, Import, Step, Store, StoreError, Which,
};
use serde::Serialize;

use super::{Answer, Worker, history};

/// How often it is told how far an errand is: what a person can follow.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What may take long.
#[derive(Debug)]
pub enum Errand {
    /// What takes how much.
    Usage,
    /// Drop what nobody needs.
    Collect {
        /// Without the grace time.
        now: bool,
    },
    /// Look at everything.
    Examine {
        /// And repair what can be.
        repair: bool,
    },
    /// One group into a file.
    Export {
        /// Which.
        group: GroupId,
        /// Which generation.
        which: Which,
        /// Open for writing.
        file: OwnedFd,
    },
    /// A group out of a file.
    Import {
        /// Its fresh id.
        group: GroupId,
        /// Open for reading.
        file: OwnedFd,
    },
}

/// How an errand ended.
#[derive(Debug)]
pub struct Ended {
    /// About which group it was, if about one.
    pub group: Option<GroupId>,
    /// Its result, or why there is none, for people.
    pub outcome: Result<String, String>,
    /// The group that is here now and was not before.
    pub imported: Option<Box<Imported>>,
}

/// A group that was imported.
#[derive(Debug)]
pub struct Imported {
    /// What its journal says.
    pub history: GroupHistory,
    /// Its blobs.
    pub blobs: BTreeMap<Generation, Vec<BlobRef>>,
}

/// An errand under way.
enum Doing {
    /// Not begun.
    Asked(Errand),
    Usage(Count),
    Collect(Collection),
    Examine(Box<Examination>),
    Export(GroupId, Export<BufWriter<File>>),
    Import(GroupId, Import<BufReader<File>>),
}

struct Queued {
    operation: OperationId,
    /// About which group it is, if it fails.
    group: Option<GroupId>,
    doing: Doing,
    /// When it was last told how far it is.
    told: Option<Instant>,
}

/// All that wait, the first of them under way.
#[derive(Default)]
pub(super) struct Errands(VecDeque<Queued>);

impl Errands {
    pub(super) fn add(&mut self, operation: OperationId, errand: Errand) {
        let group = match &errand {
            Errand::Export { group, .. } => Some(*group),
            _ => None,
        };
        self.0.push_back(Queued {
            operation,
            group,
            doing: Doing::Asked(errand),
            told: None,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Worker {
    /// A step of the first errand.
    pub(super) fn errand(&mut self) {
        let Some(queued) = self.errands.0.front_mut() else {
            return;
        };
        let operation = queued.operation;
        match queued.doing.step(&mut self.store) {
            Ok(Step::More(far)) => {
                let now = Instant::now();
                if queued.told.is_none_or(|told| now - told >= TELL_EVERY) {
                    queued.told = Some(now);
                    (self.answer)(Answer::Progress { operation, far });
                }
            }
            Ok(Step::Done(ended)) => self.errand_ended(operation, ended),
            Err(e) => {
                let ended = Ended {
                    group: queued.group,
                    outcome: Err(e.to_string()),
                    imported: None,
                };
                self.errand_ended(operation, ended);
            }
        }
    }

    fn errand_ended(&mut self, operation: OperationId, ended: Ended) {
        self.errands.0.pop_front();
        (self.answer)(Answer::Errand { operation, ended });
    }
}

impl Doing {
    fn step(&mut self, store: &mut Store) -> Result<Step<Ended>, StoreError> {
        Ok(match self {
            Doing::Asked(errand) => {
                // Placeholder for the moment in which it is taken.
                let errand = std::mem::replace(errand, Errand::Usage);
                *self = Doing::begin(errand)?;
                return self.step(store);
            }
            Doing::Usage(errand) => json(errand.step(store)?),
            Doing::Collect(errand) => json(errand.step(store)?),
            Doing::Examine(errand) => json(errand.step(store)?),
            Doing::Export(group, errand) => match errand.step(store)? {
                Step::More(far) => Step::More(far),
                Step::Done(generation) => Step::Done(Ended {
                    group: Some(*group),
                    outcome: Ok(generation.to_string()),
                    imported: None,
                }),
            },
            Doing::Import(group, errand) => match errand.step(store)? {
                Step::More(far) => Step::More(far),
                Step::Done(_) => Step::Done(imported(store, *group)?),
            },
        })
    }

    fn begin(errand: Errand) -> Result<Doing, StoreError> {
        Ok(match errand {
            Errand::Usage => Doing::Usage(Count::default()),
            Errand::Collect { now } => Doing::Collect(Collection::new(now)),
            Errand::Examine { repair } => Doing::Examine(Box::new(Examination::new(repair))),
            Errand::Export { group, which, file } => {
                let file = BufWriter::new(regular(file, "write")?);
                Doing::Export(group, Export::new(group, which, file))
            }
            Errand::Import { group, file } => {
                let file = BufReader::new(regular(file, "read")?);
                Doing::Import(group, Import::new(file, group))
            }
        })
    }
}

/// A file from its start on. A pipe or a terminal could keep the store waiting for ever.
fn regular(file: OwnedFd, doing: &'static str) -> Result<File, StoreError> {
    let mut file = File::from(file);
    let failed = |e| StoreError::File(doing, e);
    if !file.metadata().map_err(failed)?.is_file() {
        let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(failed(why));
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

fn json<T: Serialize>(step: Step<T>) -> Step<Ended> {
    match step {
        Step::More(far) => Step::More(far),
        Step::Done(outcome) => Step::Done(Ended {
            group: None,
            outcome: serde_json::to_string(&outcome)
                .map_err(|e| format!("what was found cannot be written: {e}")),
            imported: None,
        }),
    }
}

/// What is told of a group that is here from now on.
fn imported(store: &mut Store, group: GroupId) -> Result<Ended, StoreError> {
    let history = history(store, group)?;
    Ok(Ended {
        group: Some(group),
        outcome: Ok(history.title.clone()),
        imported: Some(Box::new(Imported {
            history,
            blobs: store.blobs(group)?,
        })),
    })
}
