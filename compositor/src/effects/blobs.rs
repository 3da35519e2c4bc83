//! Blobs: which of them each group has, so that a save that names one it lacks is refused before anything relies on it.
//!
//! A blob is *waiting* from the moment its bytes go to the store until the next save of its group: named there it belongs to that
//! save's generation, else it is let go of. The store's sweep is told of what waits, whether alone or with a state.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use overwinter_bus::{Caller, Refusal, Reply};
use overwinter_proto::parts::{MAX_BLOBS, MAX_WAITING};
use overwinter_proto::{BlobHash, BlobRef, CopyId, Generation, GroupId, InstanceId, Lease};
use overwinter_session::ids::StoreId;
use overwinter_session::refusal;

use super::bus::refusal_of;
use super::store::Job;
use crate::driver::Driver;

type Names = Arc<BTreeSet<BlobRef>>;

/// What is known of every group's blobs.
#[derive(Debug, Default)]
pub struct Blobs {
    groups: BTreeMap<GroupId, Known>,
    /// Saves that the store is at.
    writes: BTreeMap<StoreId, (GroupId, Names)>,
}

#[derive(Debug, Default)]
struct Known {
    stored: BTreeMap<Generation, Names>,
    waiting: BTreeSet<BlobRef>,
    /// Given and not yet durable: who waits to hear of it.
    arriving: BTreeMap<BlobRef, Vec<Reply<()>>>,
}

impl Known {
    fn waiting_bytes(&self) -> u64 {
        let lens = self.waiting.iter().map(|blob| blob.len);
        lens.fold(0, u64::saturating_add)
    }

    fn is_unused(&self) -> bool {
        self.stored.is_empty() && self.waiting.is_empty() && self.arriving.is_empty()
    }
}

impl Blobs {
    /// What the store says of a group.
    pub fn stored(&mut self, group: GroupId, blobs: BTreeMap<Generation, Vec<BlobRef>>) {
        if blobs.is_empty() && !self.groups.contains_key(&group) {
            return;
        }
        let names =
            |(n, blobs): (Generation, Vec<BlobRef>)| (n, Arc::new(blobs.into_iter().collect()));
        let known = self.groups.entry(group).or_default();
        known.stored.extend(blobs.into_iter().map(names));
    }

    /// The first of these blobs that the group does not have. `on_the_way`: those of states that wait to be written.
    pub fn missing<'a>(
        &self,
        group: GroupId,
        names: &BTreeSet<BlobRef>,
        on_the_way: impl Iterator<Item = &'a BlobRef>,
    ) -> Option<BlobRef> {
        if names.is_empty() {
            return None;
        }
        let mut lacking: BTreeSet<&BlobRef> = names.iter().collect();
        let known = self.groups.get(&group);
        let stored = known.into_iter().flat_map(|k| k.stored.values());
        let writes = self.writes.values().filter(|(g, _)| *g == group);
        for have in stored.chain(writes.map(|(_, names)| names)) {
            lacking.retain(|blob| !have.contains(*blob));
        }
        if let Some(known) = known {
            lacking.retain(|blob| !known.waiting.contains(*blob));
        }
        for blob in on_the_way {
            lacking.remove(blob);
        }
        lacking.first().map(|blob| **blob)
    }

    /// A save was taken: what it does not name waits no longer, and what it names goes with it.
    pub fn save_taken(&mut self, group: GroupId) {
        if let Some(known) = self.groups.get_mut(&group) {
            known.waiting.clear();
        }
    }

    /// The store begins to write a state.
    pub fn writing(&mut self, id: StoreId, group: GroupId, names: &Names) {
        if !names.is_empty() {
            self.writes.insert(id, (group, names.clone()));
        }
    }

    /// The store is done with a request, and if it was a save it is durable under this number.
    pub fn written(&mut self, id: StoreId, generation: Option<Generation>) {
        if let Some((group, names)) = self.writes.remove(&id)
            && let Some(generation) = generation
        {
            let known = self.groups.entry(group).or_default();
            known.stored.insert(generation, names);
        }
    }

    /// The store is about to drop all generations but these and newer ones; the blobs that it must keep besides.
    pub fn retain<'a>(
        &mut self,
        group: GroupId,
        keep: &[Generation],
        on_the_way: impl Iterator<Item = &'a BlobRef>,
    ) -> BTreeSet<BlobHash> {
        let mut waiting: BTreeSet<BlobHash> = on_the_way.map(|blob| blob.hash).collect();
        if let Some(known) = self.groups.get_mut(&group) {
            let newest = keep.iter().max().copied();
            known
                .stored
                .retain(|n, _| keep.contains(n) || Some(*n) > newest);
            waiting.extend(known.waiting.iter().map(|blob| blob.hash));
            if known.is_unused() {
                self.groups.remove(&group);
            }
        }
        waiting
    }

    /// The group is here no more.
    pub fn forget(&mut self, group: GroupId) {
        self.groups.remove(&group);
    }

    /// A blob comes. True: the store is to be told; false: it is at it already.
    fn give(&mut self, group: GroupId, blob: BlobRef, reply: Reply<()>) -> bool {
        let known = self.groups.entry(group).or_default();
        if let Some(others) = known.arriving.get_mut(&blob) {
            others.push(reply);
            return false;
        }
        let bytes = known.waiting_bytes().saturating_add(blob.len);
        if known.waiting.len() >= MAX_BLOBS || bytes > MAX_WAITING {
            reply.send(Err(Refusal::Busy(format!(
                "{} blobs of this group wait for a save that names them; no more are taken. What is there is kept; call Saved, \
                 then give this one again",
                known.waiting.len()
            ))));
            return false;
        }
        known.waiting.insert(blob);
        known.arriving.insert(blob, vec![reply]);
        true
    }

    /// What the store made of it.
    pub fn given(&mut self, group: GroupId, blob: BlobRef, outcome: &Result<(), Refusal>) {
        let Some(known) = self.groups.get_mut(&group) else {
            return;
        };
        if outcome.is_err() {
            known.waiting.remove(&blob);
        }
        for reply in known.arriving.remove(&blob).unwrap_or_default() {
            reply.send(outcome.clone());
        }
        if known.is_unused() {
            self.groups.remove(&group);
        }
    }
}

impl Driver {
    /// `Blobs1.PutBlob`.
    pub(super) fn put_blob(
        &mut self,
        caller: &Caller,
        (group, lease): (GroupId, Lease),
        blob: BlobRef,
        file: OwnedFd,
        reply: Reply<()>,
    ) {
        match self.registered(caller) {
            Ok(instance) if self.session.holds(instance, group, lease) => {}
            Ok(_) => return reply.send(Err(refusal_of(refusal::Refusal::NotHolder(group)))),
            Err(refusal) => return reply.send(Err(refusal)),
        }
        if self.blobs.give(group, blob, reply) {
            self.job(Job::PutBlob { group, blob, file });
        }
    }

    /// `Blobs1.GetBlob`.
    pub(super) fn get_blob(
        &mut self,
        caller: &Caller,
        (group, copy): (GroupId, CopyId),
        hash: BlobHash,
        reply: Reply<OwnedFd>,
    ) {
        match self.registered(caller) {
            Ok(instance) if self.may_read(instance, group, copy) => {
                self.job(Job::GetBlob { group, hash, reply });
            }
            Ok(_) => reply.send(Err(refusal_of(refusal::Refusal::NoSuchCopy(group)))),
            Err(refusal) => reply.send(Err(refusal)),
        }
    }

    /// A holder from before this session's start does not know what its copy is called now.
    fn may_read(&self, instance: InstanceId, group: GroupId, copy: CopyId) -> bool {
        self.session.has_copy(instance, group, copy) || self.session.kept(instance).contains(&group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId(1);

    fn blob(n: u8) -> BlobRef {
        BlobRef {
            hash: BlobHash([n; 32]),
            len: 10,
        }
    }

    fn names(which: &[u8]) -> Names {
        Arc::new(which.iter().map(|n| blob(*n)).collect())
    }

    fn missing(blobs: &Blobs, which: &[u8]) -> Option<BlobRef> {
        blobs.missing(GROUP, &names(which), std::iter::empty())
    }

    fn put(blobs: &mut Blobs, n: u8) {
        assert!(blobs.give(GROUP, blob(n), Reply::new().0));
        blobs.given(GROUP, blob(n), &Ok(()));
    }

    #[test]
    fn a_blob_is_there_from_the_hand_to_the_last_generation_that_has_it() {
        let mut blobs = Blobs::default();
        assert_eq!(missing(&blobs, &[]), None);
        assert_eq!(missing(&blobs, &[1]), Some(blob(1)));
        put(&mut blobs, 1);
        assert_eq!(missing(&blobs, &[1]), None);
        let held = names(&[1]);
        blobs.save_taken(GROUP);
        // The state waits in the heart's hands.
        assert_eq!(blobs.missing(GROUP, &held, held.iter()), None);
        assert_eq!(blobs.retain(GROUP, &[], held.iter()), [blob(1).hash].into());
        blobs.writing(StoreId(1), GROUP, &held);
        assert_eq!(missing(&blobs, &[1]), None);
        blobs.written(StoreId(1), Some(Generation(1)));
        assert_eq!(missing(&blobs, &[1]), None);
        assert_eq!(
            blobs.retain(GROUP, &[Generation(1)], std::iter::empty()),
            [].into()
        );
        assert_eq!(missing(&blobs, &[1]), None);
        blobs.retain(GROUP, &[Generation(2)], std::iter::empty());
        assert_eq!(missing(&blobs, &[1]), Some(blob(1)));
    }

    #[test]
    fn what_no_save_names_is_let_go_of() {
        let mut blobs = Blobs::default();
        put(&mut blobs, 1);
        assert_eq!(
            blobs.retain(GROUP, &[], std::iter::empty()),
            [blob(1).hash].into(),
            "it waits"
        );
        blobs.save_taken(GROUP);
        assert_eq!(blobs.retain(GROUP, &[], std::iter::empty()), [].into());
        assert_eq!(missing(&blobs, &[1]), Some(blob(1)));
        blobs.writing(StoreId(1), GROUP, &names(&[2]));
        blobs.written(StoreId(1), None);
        assert_eq!(missing(&blobs, &[2]), Some(blob(2)), "the write failed");
        let longer = BlobRef { len: 11, ..blob(1) };
        put(&mut blobs, 1);
        assert_eq!(
            blobs.missing(GROUP, &[longer].into(), std::iter::empty()),
            Some(longer),
            "of another length"
        );
    }

    #[test]
    fn the_same_blob_twice_is_written_once_and_answered_twice() {
        let mut blobs = Blobs::default();
        let (first, one) = Reply::new();
        let (second, two) = Reply::new();
        assert!(blobs.give(GROUP, blob(1), first));
        assert!(!blobs.give(GROUP, blob(1), second));
        let refused = Err(Refusal::BadPayload("no".into()));
        blobs.given(GROUP, blob(1), &refused);
        assert_eq!(
            (one.now(), two.now()),
            (Some(refused.clone()), Some(refused))
        );
        assert_eq!(missing(&blobs, &[1]), Some(blob(1)));
        assert!(blobs.groups.is_empty());
    }

    #[test]
    fn only_so_much_waits() {
        let mut blobs = Blobs::default();
        for n in 0..4 {
            let large = BlobRef {
                hash: BlobHash([n; 32]),
                len: MAX_WAITING / 4,
            };
            assert!(blobs.give(GROUP, large, Reply::new().0));
        }
        let (reply, answer) = Reply::new();
        assert!(!blobs.give(GROUP, blob(9), reply));
        assert!(matches!(answer.now(), Some(Err(Refusal::Busy(_)))));
        blobs.save_taken(GROUP);
        assert!(blobs.give(GROUP, blob(9), Reply::new().0));
    }
}
