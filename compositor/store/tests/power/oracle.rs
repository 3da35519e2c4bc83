//! What must be found again: the store's promises, without a store.

use std::{collections::BTreeMap, sync::Arc};

use overwinter_proto::{Generation, GroupId, JournalRecord, Lease, TxId};
use overwinter_store::{Result, SlotKind, Store, StoreError, Unlock, Which, closure};
use zeroize::Zeroizing;

use crate::{
    common::{FaultFs, G1, numbers, snapshot},
    script::{G3, Saved, Step, packed, stored, tx},
};

/// Whoever sends groups here.
const SOURCE: [u8; 32] = [3; 32];

/// A group as it was acknowledged.
#[derive(Default, Clone)]
struct Group {
    saved: BTreeMap<Generation, Arc<Saved>>,
    records: Vec<JournalRecord>,
    highest: u64,
    proven: Option<Generation>,
    /// It came in as a file: that its journal says so is no promise.
    copied: bool,
    lease: Lease,
    /// Undecided moves: the generation, and what had its number before.
    staged: BTreeMap<TxId, (Generation, Option<Arc<Saved>>)>,
}

impl Group {
    fn lease(&self) -> Lease {
        self.lease.max(Lease::FIRST)
    }

    fn put(&mut self, saved: &Arc<Saved>) -> Generation {
        self.highest += 1;
        let generation = Generation(self.highest);
        let record = stored(generation, saved.snapshot.revision, self.lease());
        self.records.push(record);
        self.saved.insert(generation, saved.clone());
        generation
    }

    fn retain(&mut self) {
        let newest = self.saved.keys().last().copied();
        let staged: Vec<_> = self.staged.values().map(|(g, _)| *g).collect();
        let proven = self.proven;
        self.saved
            .retain(|g, _| Some(*g) == newest || Some(*g) == proven || staged.contains(g));
    }

    fn record(&mut self, record: &JournalRecord) {
        self.records.push(record.clone());
        match record {
            JournalRecord::Proven(generation) => self.proven = Some(*generation),
            JournalRecord::Owned { tx, epoch } => {
                self.staged.remove(tx);
                self.lease = self.lease.max(Lease(u64::from(*epoch) << 32));
            }
            JournalRecord::Aborted { tx } => {
                if let Some((generation, former)) = self.staged.remove(tx) {
                    match former {
                        Some(saved) => self.saved.insert(generation, saved),
                        None => self.saved.remove(&generation),
                    };
                }
            }
            _ => {}
        }
    }

    fn come(&mut self, which: usize, epoch: u32) {
        let packed = packed(which);
        let generation = packed.manifest.generation;
        self.highest = self.highest.max(generation.0);
        let former = self.saved.insert(generation, packed.saved.clone());
        self.staged.insert(tx(epoch), (generation, former));
        self.records.push(JournalRecord::Staged {
            tx: tx(epoch),
            generation,
            epoch,
            closure: closure(&packed.manifest),
            source: SOURCE,
        });
    }
}

/// Everything that was acknowledged.
#[derive(Default, Clone)]
pub struct Oracle {
    groups: BTreeMap<GroupId, Group>,
    forgotten: Vec<GroupId>,
}

impl Oracle {
    /// Whether a step can be done at all: something before it may have been given up.
    fn makes_sense(&self, step: &Step) -> bool {
        match step {
            Step::Retain(group) | Step::Forget(group) => self.groups.contains_key(group),
            Step::Copy(group, to) => {
                self.groups.get(group).is_some_and(|g| !g.saved.is_empty())
                    && !self.groups.contains_key(to)
                    && !self.forgotten.contains(to)
            }
            Step::Record(_, JournalRecord::Opened { .. } | JournalRecord::Lease(_)) => true,
            Step::Record(group, _) => self.groups.contains_key(group),
            Step::Put(group, _) => !self.forgotten.contains(group),
            _ => true,
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Record(group, record) => self.groups.entry(*group).or_default().record(record),
            Step::Put(group, saved) => drop(self.groups.entry(*group).or_default().put(saved)),
            Step::Retain(group) => self.groups.entry(*group).or_default().retain(),
            Step::Forget(group) => {
                self.groups.remove(group);
                self.forgotten.push(*group);
            }
            Step::Copy(from, to) => {
                let newest = self.groups[from].saved.values().last().cloned().unwrap();
                let group = self.groups.entry(*to).or_default();
                group.copied = true;
                group.put(&newest);
            }
            Step::Come(which, epoch) => {
                self.forgotten.retain(|g| *g != G3);
                self.groups.entry(G3).or_default().come(*which, *epoch);
            }
            Step::Collect(_) | Step::Examine | Step::Rotate(_) | Step::Reopen => {}
        }
    }

    /// Does one step; when it is acknowledged, it counts.
    pub fn run(&mut self, fs: &FaultFs, store: &mut Option<Store>, step: &Step) -> Result<()> {
        if !self.makes_sense(step) {
            return Ok(());
        }
        if let Step::Reopen = step {
            drop(store.take());
            let (again, mut report) = fs.store()?;
            if let Some((_, e)) = report.damaged.pop() {
                // The disk failed while one group was being looked at; it is asked again.
                assert!(!e.is_damage(), "{e}");
                return Err(e);
            }
            *store = Some(again);
            return Ok(());
        }
        let open = store.as_mut().unwrap();
        // Every other step, what was swept before is due.
        fs.pass(40);
        self.ask(open, step)?;
        self.apply(step);
        Ok(())
    }

    fn ask(&self, store: &mut Store, step: &Step) -> Result<()> {
        match step {
            Step::Record(group, record) => store.record(*group, record),
            Step::Put(group, saved) => {
                let mut then = self.groups.get(group).cloned().unwrap_or_default();
                let generation = saved.put(store, *group, then.lease())?;
                assert_eq!(generation, then.put(saved));
                Ok(())
            }
            Step::Retain(group) => store.retain(*group, &[]).map(drop),
            Step::Forget(group) => store.forget(*group),
            Step::Collect(now) => {
                let collected = store.collect(*now, &mut |_| {})?;
                assert!(collected.left_alone.is_empty(), "{collected:?}");
                Ok(())
            }
            Step::Examine => {
                let health = store.examine(true, &mut |_| {})?;
                assert!(!health.is_damaged(), "{health:?}");
                Ok(())
            }
            Step::Rotate(service) => {
                let service = service.then(|| Unlock::SecretService(Zeroizing::new([7; 32])));
                let slots: Vec<_> = [Unlock::KeyFile].into_iter().chain(service).collect();
                store.rotate(&slots)?;
                let kinds: Vec<SlotKind> = slots.iter().map(Unlock::kind).collect();
                assert_eq!(store.slots()?, kinds);
                Ok(())
            }
            Step::Copy(from, to) => {
                let mut file = Vec::new();
                store.export(*from, Which::Newest, &mut file, &mut |_| {})?;
                store.import(&mut &file[..], *to, &mut |_| {}).map(drop)
            }
            Step::Come(which, epoch) => {
                let packed = packed(*which);
                store.import_keys(G3, &packed.keys)?;
                let missing = store.missing(&packed.manifest)?;
                for (id, sealed) in packed.chunks.iter().filter(|(id, _)| missing.contains(id)) {
                    store.put_chunk(G3, *id, sealed)?;
                }
                store
                    .stage(tx(*epoch), &packed.manifest, *epoch, SOURCE)
                    .map(drop)
            }
            Step::Reopen => Ok(()),
        }
    }

    /// Whether the step, having failed, has left everything as it was, so that the user may just as well leave it at that.
    pub fn may_give_up(step: &Step, e: &StoreError) -> bool {
        let unclear = matches!(step, Step::Retain(_) | Step::Forget(_) | Step::Reopen);
        !unclear && !matches!(e, StoreError::Unknown { .. })
    }

    /// What it would be with this step done.
    fn after(&self, unanswered: Option<&Step>) -> Oracle {
        let mut after = self.clone();
        if let Some(step) = unanswered.filter(|step| self.makes_sense(step)) {
            after.apply(step);
        }
        after
    }

    /// In a process where a step has failed, with the fault still there: all that was acknowledged can be read.
    pub fn check_open(&self, store: &mut Store, failed: &Step, context: &str) {
        let after = self.after(Some(failed));
        for (group, before) in &self.groups {
            if matches!(failed, Step::Forget(g) if g == group) {
                continue;
            }
            check_saves(store, *group, before, &after.groups[group], context);
        }
    }

    /// Opens what is left and compares it with what was acknowledged; then goes on working with it. Of the step that was not
    /// answered all has happened or nothing.
    pub fn check(&self, fs: &FaultFs, unanswered: Option<&Step>, context: &str) {
        let (mut store, report) = fs.store().unwrap_or_else(|e| panic!("{context}: {e}"));
        assert!(report.damaged.is_empty(), "{context}: {report:?}");
        assert!(report.strangers.is_empty(), "{context}: {report:?}");
        let after = self.after(unanswered);
        let listed = store.groups().unwrap();
        let all = self.groups.keys().chain(after.groups.keys()).chain(&listed);
        for group in all {
            let nothing = Group::default();
            let of = |oracle: &Oracle| oracle.groups.get(group).cloned();
            let (before, after) = (of(self), of(&after));
            if listed.contains(group) {
                assert!(
                    before.is_some() || after.is_some(),
                    "{context}: {group} came out of nothing"
                );
                let before = before.unwrap_or_else(|| nothing.clone());
                let after = after.unwrap_or_else(|| before.clone());
                check_saves(&mut store, *group, &before, &after, context);
                check_records(&mut store, *group, &before, &after, context);
            } else {
                assert!(
                    before.is_none() || after.is_none(),
                    "{context}: {group} is gone"
                );
            }
        }
        for group in &self.forgotten {
            assert!(store.tombstone(*group).unwrap().is_some(), "{context}");
            if !listed.contains(group) {
                let read = store.get(*group, Generation(1));
                assert!(
                    matches!(read, Err(StoreError::Forgotten(_))),
                    "{context}: {read:?}"
                );
            }
        }
        drop(store);
        live_on(fs, self.groups.get(&G1), context);
    }
}

fn live_on(fs: &FaultFs, group: Option<&Group>, context: &str) {
    let (mut store, report) = fs.store().unwrap();
    assert!(
        report.torn.is_empty(),
        "{context}: what was cut off once stays cut off"
    );
    let health = store.examine(false, &mut |_| {}).unwrap();
    assert!(!health.is_damaged(), "{context}: {health:?}");
    let next = snapshot("after", 99, b"life goes on".to_vec());
    let lease = group.map_or(Lease::FIRST, Group::lease);
    let generation = store
        .put(G1, lease, next.revision, &next)
        .unwrap_or_else(|e| panic!("{context}: {e}"));
    assert_eq!(store.get(G1, generation).unwrap(), next, "{context}");
    assert_eq!(
        numbers(&mut store, G1).last(),
        Some(&generation),
        "{context}"
    );
}

/// The generations are all those of one of the two, and each reads back bit for bit.
fn check_saves(store: &mut Store, group: GroupId, before: &Group, after: &Group, context: &str) {
    let found: BTreeMap<Generation, bool> = match store.generations(group) {
        Ok(all) => all.into_iter().map(|i| (i.generation, i.proven)).collect(),
        // A group that is about to come, and has no record yet, is none.
        Err(StoreError::UnknownGroup(_)) if before.records.is_empty() => return,
        Err(e) => panic!("{context}: {e}"),
    };
    let is = |group: &Group| group.saved.keys().eq(found.keys());
    assert!(
        is(before) || is(after),
        "{context}: of {:?} are found {found:?}",
        before.saved.keys()
    );
    for (generation, proven) in found {
        let read = store
            .get(group, generation)
            .unwrap_or_else(|e| panic!("{context}: {e}"));
        let known = [before, after];
        let known = known.iter().filter_map(|g| g.saved.get(&generation));
        let mut same = known.filter(|saved| saved.snapshot == read);
        let saved = same.next();
        let saved = saved
            .unwrap_or_else(|| panic!("{context}: generation {generation} is not what was stored"));
        check_blobs(store, group, generation, saved, context);
        assert!(
            proven == (before.proven == Some(generation))
                || proven == (after.proven == Some(generation)),
            "{context}"
        );
    }
}

fn check_blobs(
    store: &mut Store,
    group: GroupId,
    generation: Generation,
    saved: &Saved,
    context: &str,
) {
    let mut refs = saved.refs();
    let mut found = store.blobs(group).unwrap().remove(&generation);
    let found = found.get_or_insert_default();
    refs.sort_unstable();
    found.sort_unstable();
    assert_eq!(*found, refs, "{context}");
    for (blob, content) in saved.refs().iter().zip(&saved.blobs) {
        let mut read = Vec::new();
        store
            .blob(group, blob.hash, &mut read)
            .unwrap_or_else(|e| panic!("{context}: {e}"));
        assert!(
            read == *content,
            "{context}: a blob of {generation} is not what was stored"
        );
    }
}

/// Every acknowledged record is there, in order; behind them nothing but those of the step that was not answered.
fn check_records(store: &mut Store, group: GroupId, before: &Group, after: &Group, context: &str) {
    let found: Vec<_> = store
        .journal(group)
        .unwrap_or_else(|e| panic!("{context}: {e}"))
        .into_iter()
        .map(|e| e.record)
        .collect();
    // A journal that was compacted says nothing of generations that were dropped.
    let there = numbers(store, group);
    let is_there = |r: &&JournalRecord| !matches!(r, JournalRecord::Stored { generation, .. } if !there.contains(generation));
    let kept = |records: &[JournalRecord]| -> Vec<JournalRecord> {
        records.iter().filter(is_there).cloned().collect()
    };
    let copied = after.copied;
    let (mut found, before, after) = (kept(&found), kept(&before.records), kept(&after.records));
    found.retain(|r| !copied || !matches!(r, JournalRecord::Opened { .. }));
    assert!(
        found.starts_with(&before) && after.starts_with(&found),
        "{context}: {before:?} became {found:?}"
    );
}
