//! What a group's journal adds up to.

use std::collections::{BTreeMap, HashMap, HashSet};

use overwinter_proto::{
    BlobHash, Build, Generation, JournalRecord, Lease, Revision, TxId, journal::Closure,
    transfer::ChunkId,
};
use serde::{Deserialize, Serialize};

use crate::{frame::Mark, keys::GroupKeys};

/// Longest text kept with a generation, in characters: for lists and errors.
const MAX_TEXT: usize = 200;

/// Where some bytes are.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// How many bytes.
    pub(crate) len: u64,
    /// `chunks` holds the bytes of the list of chunks (CBOR) instead of the part's own.
    pub(crate) listed: bool,
    /// In order: id and length of the plain bytes.
    pub(crate) chunks: Vec<(ChunkId, u32)>,
}

/// Where a generation's bytes are, and what it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Info {
    pub(crate) generation: Generation,
    pub(crate) revision: Revision,
    pub(crate) lease: Lease,
    pub(crate) app: String,
    pub(crate) build: Build,
    pub(crate) title: String,
    /// Length of the encoded snapshot.
    pub(crate) len: u64,
    /// `chunks` holds the bytes of the list of chunks (CBOR) instead of the snapshot's.
    pub(crate) listed: bool,
    /// In order: id and length of the plain bytes.
    pub(crate) chunks: Vec<(ChunkId, u32)>,
    /// The windows' pictures, apart so that they stand while the state changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pictures: Option<Part>,
    /// The list of blobs that the state refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blobs: Option<Part>,
    /// Secrets that stay on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secrets: Option<Part>,
    /// Secrets that go along with a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) travelling: Option<Part>,
}

impl Info {
    /// Where the snapshot itself is.
    pub(crate) fn body(&self) -> Part {
        Part {
            len: self.len,
            listed: self.listed,
            chunks: self.chunks.clone(),
        }
    }

    /// The parts beside the snapshot: pictures, list of blobs, secrets that stay, secrets that go along.
    pub(crate) fn beside(&self) -> [Option<&Part>; 4] {
        [
            self.pictures.as_ref(),
            self.blobs.as_ref(),
            self.secrets.as_ref(),
            self.travelling.as_ref(),
        ]
    }

    /// Everything that is read to restore the state; the blobs themselves are not.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        std::iter::once(self.body()).chain(self.beside().into_iter().flatten().cloned())
    }

    /// As it goes to another host.
    pub(crate) fn without_secrets(&self) -> Info {
        Info {
            secrets: None,
            ..self.clone()
        }
    }

    pub(crate) fn short(text: &str) -> String {
        text.chars().take(MAX_TEXT).collect()
    }

    /// Whether the two are the same save, told twice.
    pub(crate) fn same_save(&self, other: &Info) -> bool {
        (self.revision, self.lease) == (other.revision, other.lease)
            && self.body() == other.body()
            && self.beside() == other.beside()
    }
}

/// What a journal record holds on disk.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on its way into or out of a journal"
)]
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Body {
    /// A record of the heart.
    Record(JournalRecord),
    /// `Stored` or `Staged`: a record that brings a generation.
    Generation {
        /// What the heart reads.
        record: JournalRecord,
        /// Where its bytes are.
        info: Info,
    },
    /// These generations were dropped.
    Dropped(Vec<Generation>),
}

/// A group as its journal tells it.
pub(crate) struct GroupState {
    pub(crate) keys: GroupKeys,
    /// End of the acknowledged journal.
    pub(crate) mark: Mark,
    pub(crate) generations: BTreeMap<Generation, Info>,
    /// Highest number ever used.
    pub(crate) highest: Generation,
    pub(crate) proven: Option<Generation>,
    /// Whoever has less is refused.
    pub(crate) lease: Lease,
    /// The last move.
    pub(crate) tx: Option<TxId>,
    /// Moves that came and are undecided: the generation, and what had its number before.
    staged: BTreeMap<TxId, (Generation, Option<Info>)>,
    /// The last of the heart's records.
    pub(crate) last: Option<JournalRecord>,
    /// A record may lie beyond `mark` that could not be taken back.
    pub(crate) unsettled: bool,
    /// What is wrong with the journal.
    pub(crate) damage: Option<String>,
    /// This process has synced the folder of the journal: who replaced the journal before may have died, or failed, in between.
    pub(crate) rooted: bool,
    /// The journal is compacted when it has this many bytes, if that is more than any must have.
    pub(crate) compact_at: u64,
    /// Shelves that are known to be durable.
    pub(crate) shelves: HashSet<u8>,
    /// Chunks that this process has read or written whole.
    pub(crate) verified: HashSet<ChunkId>,
    /// Chunks that came for a move: synced, not yet staged, kept by the sweep.
    pub(crate) incoming: HashSet<ChunkId>,
    /// Chunks that a power cut cannot undo, with their sealed lengths; all of them once `indexed`.
    pub(crate) durable: HashMap<ChunkId, u64>,
    /// What the index knows is in `durable`.
    pub(crate) indexed: bool,
    /// Where the blobs of the group are: its generations', and those given since the store was opened. None: not read yet.
    pub(crate) blobs: Option<BTreeMap<BlobHash, Part>>,
    /// Generations that are being exported, each as often as that is so.
    pub(crate) held: Vec<Generation>,
}

impl GroupState {
    pub(crate) fn new(keys: GroupKeys, mark: Mark) -> GroupState {
        GroupState {
            keys,
            mark,
            generations: BTreeMap::new(),
            highest: Generation(0),
            proven: None,
            lease: Lease(0),
            tx: None,
            staged: BTreeMap::new(),
            last: None,
            unsettled: false,
            damage: None,
            rooted: false,
            compact_at: 0,
            shelves: HashSet::new(),
            verified: HashSet::new(),
            incoming: HashSet::new(),
            indexed: false,
            durable: HashMap::new(),
            blobs: None,
            held: Vec::new(),
        }
    }

    pub(crate) fn newest(&self) -> Option<Generation> {
        self.generations.last_key_value().map(|(g, _)| *g)
    }

    pub(crate) fn title(&self) -> Option<String> {
        self.generations
            .last_key_value()
            .map(|(_, i)| i.title.clone())
    }

    /// Whether nothing was ever acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.mark.sequence == 0 && self.damage.is_none() && !self.unsettled
    }

    /// Generations that are never dropped: the newest, the proven one, those of undecided moves, and those being exported.
    pub(crate) fn is_pinned(&self, generation: Generation) -> bool {
        self.newest() == Some(generation)
            || self.proven == Some(generation)
            || self.held.contains(&generation)
            || self.staged.values().any(|(g, former)| {
                *g == generation || former.as_ref().is_some_and(|i| i.generation == generation)
            })
    }

    /// The staged generation of this move, while it is undecided.
    pub(crate) fn staged(&self, tx: TxId) -> Option<&Info> {
        self.staged
            .get(&tx)
            .and_then(|(g, _)| self.generations.get(g))
    }

    /// Everything whose chunks are needed: the generations, and those that an aborted move would bring back.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Info> {
        self.generations.values().chain(
            self.staged
                .values()
                .filter_map(|(_, former)| former.as_ref()),
        )
    }

    fn raise(&mut self, lease: Lease) {
        self.lease = self.lease.max(lease);
    }

    /// Whether the heart may let the group go for ever by this record: what was prepared is what goes, nothing has
    /// happened since, and it is the newest.
    ///
    /// # Errors
    /// What is in the way, for people.
    pub(crate) fn may_release(&self, tx: TxId, closure: Closure) -> Result<(), String> {
        let Some(JournalRecord::Preparing {
            tx: prepared,
            generation,
            closure: what,
            ..
        }) = &self.last
        else {
            return Err("something has happened to it since its move was prepared".to_owned());
        };
        if *prepared != tx || *what != closure {
            return Err(
                "another move was prepared than the one that would take it away".to_owned(),
            );
        }
        match self.newest() {
            Some(newest) if newest == *generation => Ok(()),
            _ => Err(format!(
                "generation {generation}, which would go, is not its newest"
            )),
        }
    }

    /// The last word of the journal is that the group was closed, and nothing of it is on its way here.
    pub(crate) fn is_closed(&self) -> bool {
        self.damage.is_none() && self.staged.is_empty() && self.last == Some(JournalRecord::Closed)
    }

    /// Whether two journals add up to the same.
    pub(crate) fn says_the_same(&self, other: &GroupState) -> bool {
        self.generations == other.generations
            && (self.highest, self.proven, self.lease, self.tx)
                == (other.highest, other.proven, other.lease, other.tx)
            && self.staged == other.staged
            && self.last == other.last
    }

    /// Takes in one record.
    pub(crate) fn apply(&mut self, body: Body) {
        match body {
            Body::Record(record) => self.apply_record(&record),
            Body::Generation { record, info } => {
                let generation = info.generation;
                self.highest = self.highest.max(generation);
                let former = self.generations.insert(generation, info);
                if let JournalRecord::Staged { tx, .. } = record {
                    self.staged.insert(tx, (generation, former));
                }
                self.apply_record(&record);
            }
            Body::Dropped(generations) => self.generations.retain(|g, _| !generations.contains(g)),
        }
    }

    fn apply_record(&mut self, record: &JournalRecord) {
        use JournalRecord as R;
        self.last = Some(record.clone());
        match record {
            R::Lease(lease) | R::Stored { lease, .. } => self.raise(*lease),
            R::Proven(generation) => self.proven = Some(*generation),
            R::Preparing { tx, .. } | R::Staged { tx, .. } => self.tx = Some(*tx),
            R::Released { tx, epoch, .. } => {
                self.tx = Some(*tx);
                self.raise(Lease(u64::from(*epoch) << 32));
            }
            R::Owned { tx, epoch } => {
                self.staged.remove(tx);
                self.raise(Lease(u64::from(*epoch) << 32));
            }
            R::Aborted { tx } => {
                if let Some((generation, former)) = self.staged.remove(tx) {
                    match former {
                        Some(info) => self.generations.insert(generation, info),
                        None => self.generations.remove(&generation),
                    };
                }
            }
            R::Opened { .. }
            | R::CameFrom(_)
            | R::Slept(_)
            | R::Blamed { .. }
            | R::Quarantined
            | R::Reprieved
            | R::Done { .. }
            | R::Closed => {}
        }
    }
}
