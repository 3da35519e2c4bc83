//! What a session does with its store, one step after the other: the same each time, or drawn at random.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use overwinter_proto::{
    BlobHash, BlobRef, Generation, GroupId, JournalRecord, Lease, Revision, Snapshot, TxId,
    transfer::{ChunkId, Manifest},
};
use overwinter_store::{Parts, Store};

use crate::common::{FaultFs, G1, G2, Random, snapshot};

/// A group that moves here from another host.
pub const G3: GroupId = GroupId(0x3333_0000_0000_0000_0000_0000_0000_0003);

/// One save: a snapshot, and the contents of its blobs.
pub struct Saved {
    pub snapshot: Snapshot,
    pub blobs: Vec<Vec<u8>>,
}

impl Saved {
    fn new(snapshot: Snapshot, blobs: Vec<Vec<u8>>) -> Arc<Saved> {
        Arc::new(Saved { snapshot, blobs })
    }

    /// What its blobs are called.
    pub fn refs(&self) -> Vec<BlobRef> {
        let named = |content: &Vec<u8>| BlobRef {
            hash: BlobHash(*blake3::hash(content).as_bytes()),
            len: content.len() as u64,
        };
        self.blobs.iter().map(named).collect()
    }

    pub fn put(
        &self,
        store: &mut Store,
        group: GroupId,
        lease: Lease,
    ) -> overwinter_store::Result<Generation> {
        let refs = self.refs();
        for (blob, content) in refs.iter().zip(&self.blobs) {
            store.put_blob(group, *blob, &file(content))?;
        }
        let parts = Parts {
            blobs: refs,
            ..Parts::default()
        };
        store.put_with(group, lease, self.snapshot.revision, &self.snapshot, &parts)
    }
}

/// A file that has a content and no name.
fn file(content: &[u8]) -> std::fs::File {
    use std::io::Write as _;
    let memory = rustix::fs::memfd_create("blob", rustix::fs::MemfdFlags::CLOEXEC);
    let mut file = std::fs::File::from(memory.unwrap());
    file.write_all(content).unwrap();
    file
}

/// What a move brings: the group [`G3`] as it was packed on another host.
pub struct Packed {
    pub manifest: Manifest,
    pub keys: Vec<u8>,
    pub chunks: Vec<(ChunkId, Vec<u8>)>,
    pub saved: Arc<Saved>,
}

/// The first and the second generation of [`G3`].
pub fn packed(which: usize) -> &'static Packed {
    static PACKED: OnceLock<Vec<Packed>> = OnceLock::new();
    let all = PACKED.get_or_init(|| {
        let (mut store, _) = FaultFs::seeded(3).store().unwrap();
        let mut random = Random(33);
        let blob = random.bytes(20_000);
        let states = [random.bytes(3_000), random.bytes(90_000)];
        let save = |(n, state): (usize, Vec<u8>)| {
            let saved = Saved::new(snapshot("moves", n as u64 + 1, state), vec![blob.clone()]);
            let generation = saved.put(&mut store, G3, Lease::FIRST).unwrap();
            let manifest = store.manifest(G3, generation).unwrap();
            let mut chunk = |(id, _): &(ChunkId, u64)| (*id, store.chunk(G3, *id).unwrap());
            let chunks = manifest.chunks.iter().map(&mut chunk).collect();
            let keys = store.wrap_keys_for_move(G3).unwrap();
            Packed {
                manifest,
                keys,
                chunks,
                saved,
            }
        };
        states.into_iter().enumerate().map(save).collect()
    });
    &all[which]
}

#[derive(Clone)]
pub enum Step {
    Record(GroupId, JournalRecord),
    Put(GroupId, Arc<Saved>),
    Retain(GroupId),
    Forget(GroupId),
    /// Sweeps; true: without the grace time.
    Collect(bool),
    /// The doctor, who repairs.
    Examine,
    /// Another master key; true: also in the Secret Service.
    Rotate(bool),
    /// The first goes out as a file, which comes in as the second.
    Copy(GroupId, GroupId),
    /// A move of [`G3`] arrives and is staged: which generation, with this epoch, which also names the move.
    Come(usize, u32),
    Reopen,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Record(group, record) => write!(f, "record {group:?} {record:?}"),
            Step::Put(group, saved) => {
                let (revision, blobs) = (saved.snapshot.revision, saved.blobs.len());
                write!(f, "put {group:?} {revision:?} with {blobs} blobs")
            }
            Step::Retain(group) => write!(f, "retain {group:?}"),
            Step::Forget(group) => write!(f, "forget {group:?}"),
            Step::Collect(now) => write!(f, "collect, now: {now}"),
            Step::Examine => f.write_str("examine"),
            Step::Rotate(service) => write!(f, "rotate, Secret Service: {service}"),
            Step::Copy(from, to) => write!(f, "copy {from:?} to {to:?}"),
            Step::Come(which, epoch) => write!(f, "come {which} {epoch}"),
            Step::Reopen => f.write_str("reopen"),
        }
    }
}

/// The move that comes with this epoch.
pub fn tx(epoch: u32) -> TxId {
    TxId(0xfeed_0000 + u64::from(epoch))
}

fn owned(epoch: u32) -> Step {
    Step::Record(
        G3,
        JournalRecord::Owned {
            tx: tx(epoch),
            epoch,
        },
    )
}

fn aborted(epoch: u32) -> Step {
    Step::Record(G3, JournalRecord::Aborted { tx: tx(epoch) })
}

fn copy_of(group: GroupId, n: u128) -> GroupId {
    GroupId((group.0 >> 100 << 100) | 0xc0b1_0000 | n)
}

/// In an order that touches every durable step. Made once: drawing the document's bytes takes longer than storing them.
pub fn script() -> Vec<Step> {
    static SCRIPT: OnceLock<Vec<Step>> = OnceLock::new();
    SCRIPT.get_or_init(write_script).clone()
}

fn write_script() -> Vec<Step> {
    let mut random = Random(42);
    let put = |group, title: &str, n: u64, state: Vec<u8>, blobs| {
        Step::Put(group, Saved::new(snapshot(title, n, state), blobs))
    };
    let small = |n: u64, blobs| {
        let text = format!("some text {n} ").repeat(20).into_bytes();
        put(G1, "notes.txt", n, text, blobs)
    };
    // Two versions of a document of several chunks, the second differs in the middle.
    let document = random.bytes(150_000);
    let mut edited = document.clone();
    edited[75_000..75_100].fill(7);
    let blob = random.bytes(5_000);
    use JournalRecord as R;
    let opened = R::Opened {
        app: "org.overwinter.Editor".to_owned(),
    };
    let copy = copy_of(G1, 1);
    vec![
        Step::Record(G1, opened),
        Step::Record(G1, R::Lease(Lease::FIRST)),
        small(1, vec![]),
        put(G2, "book.txt", 1, document, vec![]),
        small(2, vec![blob.clone()]),
        Step::Record(G1, R::Proven(Generation(1))),
        put(G2, "book.txt", 2, edited, vec![]),
        Step::Come(0, 2),
        small(3, vec![blob]),
        Step::Retain(G1),
        Step::Copy(G1, copy),
        Step::Reopen,
        owned(2),
        Step::Retain(G2),
        Step::Come(1, 3),
        Step::Rotate(true),
        small(4, vec![]),
        aborted(3),
        Step::Collect(false),
        Step::Record(G1, R::Slept(Generation(4))),
        Step::Forget(G2),
        Step::Rotate(false),
        Step::Examine,
        small(5, vec![]),
        Step::Retain(G1),
        Step::Forget(copy),
        Step::Collect(true),
        Step::Forget(G3),
        Step::Come(1, 4),
        small(6, vec![]),
        Step::Retain(G1),
        Step::Record(G1, R::Aborted { tx: TxId(9) }),
    ]
}

/// Draws steps that make sense after each other.
struct Author<'a> {
    random: &'a mut Random,
    /// What is edited again and again shares chunks with what was there before.
    document: Vec<u8>,
    /// A blob that stays with what is saved.
    blob: Vec<u8>,
    revisions: BTreeMap<GroupId, u64>,
    /// Groups of which something was dropped: what is proven there is the newest or unknown.
    retained: Vec<GroupId>,
    groups: Vec<GroupId>,
    copies: u128,
    epoch: u32,
    /// A move that is undecided.
    coming: bool,
    /// Saved here since it came: no other host has its newest generation.
    own: bool,
}

/// Some steps, drawn at random: saves of all sizes, with blobs and without, records, retentions, collections, rotations, exports
/// and imports, moves, forgetting, and the store opened anew.
pub fn random_script(random: &mut Random) -> Vec<Step> {
    let document = random.bytes(70_000);
    let blob = random.bytes(9_000);
    let mut author = Author {
        random,
        document,
        blob,
        revisions: BTreeMap::new(),
        retained: Vec::new(),
        groups: vec![G1, G2],
        copies: 0,
        epoch: 1,
        coming: false,
        own: false,
    };
    let count = 4 + author.random.below(16);
    (0..count).map(|_| author.step()).collect()
}

impl Author<'_> {
    fn step(&mut self) -> Step {
        let group = match self.random.below(3) {
            0 => self.groups[self.random.below(self.groups.len())],
            _ => G1,
        };
        let saved = self.revisions.contains_key(&group);
        match self.random.below(20) {
            0 | 1 => Step::Reopen,
            2 | 3 if saved => {
                self.retained.push(group);
                Step::Retain(group)
            }
            4 if saved => {
                let newest = self.revisions[&group] as usize;
                let any = Generation(1 + self.random.below(newest) as u64);
                // Only one that is still there can be proven: it is the newest after every retention.
                match self.retained.contains(&group) {
                    true => Step::Record(group, JournalRecord::Slept(any)),
                    false => Step::Record(group, JournalRecord::Proven(any)),
                }
            }
            5 if saved => Step::Record(group, JournalRecord::Reprieved),
            6 if saved && group != G1 => self.forget(group),
            7 => Step::Collect(self.random.below(2) == 0),
            8 => Step::Rotate(self.random.below(2) == 0),
            9 if saved && self.copies < 2 => {
                self.copies += 1;
                let copy = copy_of(group, self.copies);
                self.groups.push(copy);
                self.revisions.insert(copy, 1);
                Step::Copy(group, copy)
            }
            10 | 11 => self.travel(),
            12 => Step::Examine,
            _ => self.put(group),
        }
    }

    fn forget(&mut self, group: GroupId) -> Step {
        self.groups.retain(|g| *g != group);
        self.revisions.remove(&group);
        if group == G3 {
            self.own = false;
        }
        Step::Forget(group)
    }

    fn travel(&mut self) -> Step {
        if self.coming {
            self.coming = false;
            if self.random.below(2) == 0 {
                return aborted(self.epoch);
            }
            if !self.groups.contains(&G3) {
                self.groups.push(G3);
            }
            return owned(self.epoch);
        }
        if self.own {
            return self.forget(G3);
        }
        self.epoch += 1;
        self.coming = true;
        Step::Come(self.random.below(2), self.epoch)
    }

    fn put(&mut self, group: GroupId) -> Step {
        self.own |= group == G3;
        let revision = self.revisions.entry(group).or_insert(0);
        *revision += 1;
        let revision = *revision;
        let state = if self.random.below(6) == 0 {
            let at = self.random.below(self.document.len() - 100);
            self.document[at..at + 100].fill(revision as u8);
            self.document.clone()
        } else {
            let len = self.random.below(3_000);
            self.random.bytes(len)
        };
        let blobs = match self.random.below(6) {
            0 => vec![self.blob.clone()],
            1 => vec![self.blob.clone(), self.random.bytes(500)],
            _ => vec![],
        };
        Step::Put(group, Saved::new(snapshot("a", revision, state), blobs))
    }
}

/// The record that a save leaves.
pub fn stored(generation: Generation, revision: Revision, lease: Lease) -> JournalRecord {
    JournalRecord::Stored {
        generation,
        revision,
        lease,
    }
}
