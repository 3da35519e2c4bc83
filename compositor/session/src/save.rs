//! Saves: from the app's hands to durable, one write of a group at a time, the newest of what waits next.

use overwinter_proto::JournalRecord;

use crate::effect::{StoreRequest, ToApp};
use crate::event::StoreReply;
use crate::group::*;
use crate::ids::*;
use crate::operation::Goal;
use crate::session::{Asked, Session};

/// How long the store may take to make a snapshot durable: a slow disk under load, not a broken one.
pub(crate) const STORE_MS: u64 = 30_000;

/// What an app says of a state that it hands over.
#[derive(Clone, Debug)]
pub(crate) struct Save {
    pub op: OpId,
    pub lease: Lease,
    pub revision: Revision,
    pub title: String,
    pub digest: Digest,
}

impl Session {
    /// A new document: live from the first moment, nothing durable yet.
    pub(crate) fn open_group(
        &mut self,
        instance: InstanceId,
        group: GroupId,
        copy: CopyId,
        title: String,
    ) {
        let Some(app) = self.instances.get(&instance).map(|i| i.app.clone()) else {
            return;
        };
        if self.groups.contains_key(&group) || self.ended.contains(&group) {
            return;
        }
        let holder = Holder {
            instance,
            copy,
            since: self.now,
            from: None,
            stored: None,
            proof: Proof::Settled,
            shown: Shown::Yes,
            unanswered: None,
        };
        let home = Home::Live(holder, Activity::Working);
        let new = Group::new(group, app.clone(), title, Lease::FIRST, home);
        self.groups.insert(group, new);
        self.record_opened(group, app.clone());
        self.record(group, JournalRecord::Lease(Lease::FIRST));
        self.consider_update(&app);
    }

    /// The holder handed a state over, asked or not. The caller has checked that it is the holder.
    pub(crate) fn saved(&mut self, group: GroupId, save: Save, payload: Option<PayloadId>) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        g.title.clone_from(&save.title);
        let asked = matches!(
            &g.home,
            Home::Live(_, Activity::Saving { op, stage: SaveStage::Asked { .. }, .. }) if *op == save.op
        );
        if asked {
            self.saved_as_asked(group, save, payload);
        } else {
            self.autosaved(group, save, payload);
        }
    }

    fn saved_as_asked(&mut self, group: GroupId, save: Save, payload: Option<PayloadId>) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let Home::Live(holder, Activity::Saving { purpose, .. }) = &g.home else {
            return;
        };
        let to_sleep = matches!(purpose, Purpose::Sleep { .. });
        let stored = match holder.stored {
            Some((revision, generation)) => Some((revision, generation)),
            // A holder from before this incarnation: the journal knows what it stored.
            None => g.newest().map(|n| (g.snapshots[&n].revision, n)),
        };
        let durable = stored.filter(|(revision, _)| *revision == save.revision);
        let older = g.known_revision().is_some_and(|r| save.revision < r);
        match (payload, durable) {
            (Some(payload), _) if older => {
                self.drop_payload(payload);
                self.give_up_saving(
                    group,
                    "the app handed over an older state than it had saved before",
                );
            }
            (Some(payload), Some((_, generation))) if !to_sleep => {
                self.drop_payload(payload);
                self.save_is_durable(group, save.revision, generation, save.digest);
            }
            (Some(payload), _) => {
                self.enqueue(group, save, payload);
                self.set_save_stage(group, SaveStage::Storing);
            }
            (None, Some((_, generation))) if to_sleep => {
                let request = StoreRequest::Read { group, generation };
                let store = self.ask_store(group, Asked::Step, request);
                let stage = SaveStage::ReadingBack {
                    store,
                    revision: save.revision,
                    digest: save.digest,
                    until: self.now.after(STORE_MS),
                };
                self.set_save_stage(group, stage);
            }
            (None, Some((_, generation))) => {
                self.save_is_durable(group, save.revision, generation, save.digest);
            }
            (None, None) => self.give_up_saving(
                group,
                "the app says that its newest state is stored, but it is not",
            ),
        }
    }

    fn autosaved(&mut self, group: GroupId, save: Save, payload: Option<PayloadId>) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let stored = g.holder().and_then(|h| h.stored);
        let known = g.known_revision();
        match payload {
            Some(payload) if Some(save.revision) > known => self.enqueue(group, save, payload),
            payload => {
                if let Some(payload) = payload {
                    self.drop_payload(payload);
                }
                if let Some((revision, generation)) = stored
                    && revision == save.revision
                {
                    self.tell_stored(group, revision, generation);
                }
            }
        }
    }

    fn set_save_stage(&mut self, group: GroupId, new: SaveStage) {
        if let Some(g) = self.groups.get_mut(&group)
            && let Home::Live(_, Activity::Saving { stage, .. }) = &mut g.home
        {
            *stage = new;
        }
    }

    /// Puts a state in the place of whatever waits to be written.
    fn enqueue(&mut self, group: GroupId, save: Save, payload: PayloadId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return self.drop_payload(payload);
        };
        let build = g
            .holder()
            .and_then(|h| self.instances.get(&h.instance))
            .map(|i| i.build.clone())
            .unwrap_or_default();
        let superseded = g.pending.take();
        // What somebody waits for is contained in what takes its place.
        let op = match (&superseded, &g.home) {
            (Some(old), Home::Live(_, Activity::Saving { op, .. })) if old.op == *op => old.op,
            _ => save.op,
        };
        g.pending = Some(Pending {
            payload,
            op,
            revision: save.revision,
            digest: save.digest,
            lease: save.lease,
            title: save.title,
            build,
        });
        if let Some(old) = superseded {
            self.drop_payload(old.payload);
        }
        self.start_write(group);
    }

    /// Begins the next write if none is under way.
    fn start_write(&mut self, group: GroupId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        if g.writing.is_some() {
            return;
        }
        let Some(next) = g.pending.take() else {
            return;
        };
        let app = g.app.clone();
        if std::mem::take(&mut g.owes_opened) {
            self.record_opened(group, app.clone());
        }
        let (op, revision, digest, lease) = (next.op, next.revision, next.digest, next.lease);
        let store = self.write(group, app, next);
        let until = self.now.after(STORE_MS);
        if let Some(g) = self.groups.get_mut(&group) {
            g.writing = Some(Writing {
                store,
                op,
                revision,
                digest,
                lease,
                until,
            });
        }
    }

    /// What was read back for [`SaveStage::ReadingBack`]. True if it was asked for that.
    pub(crate) fn read_back(&mut self, group: GroupId, id: StoreId, reply: &StoreReply) -> bool {
        let Some(g) = self.groups.get(&group) else {
            return false;
        };
        let Home::Live(holder, Activity::Saving { op, stage, .. }) = &g.home else {
            return false;
        };
        let SaveStage::ReadingBack {
            store,
            revision,
            digest,
            ..
        } = *stage
        else {
            return false;
        };
        if store != id {
            return false;
        }
        let generation = holder.stored.map(|s| s.1).or(g.newest());
        let moved_on = g.known_revision().is_some_and(|r| r > revision);
        match reply {
            StoreReply::Read { state, .. } if moved_on => {
                self.drop_payload(*state);
                self.give_up_saving(group, "it was changed while it was being put to sleep.");
            }
            // The app still has it: stored like this it would be lost.
            StoreReply::Read {
                state,
                lacks: Some(what),
                ..
            } => {
                self.drop_payload(*state);
                self.give_up_saving(group, &format!("on disk {what}."));
            }
            StoreReply::Read {
                state, revision: r, ..
            } if *r == revision => {
                let save = Save {
                    op: *op,
                    lease: g.lease,
                    revision,
                    title: g.title.clone(),
                    digest,
                };
                self.enqueue(group, save, *state);
                self.set_save_stage(group, SaveStage::Storing);
            }
            StoreReply::Read { state, .. } => {
                self.drop_payload(*state);
                self.give_up_saving(group, "the stored state is not the one the app means");
            }
            StoreReply::Failed { why, damaged } => {
                if *damaged && let Some(generation) = generation {
                    self.mark_damaged(group, generation);
                }
                self.give_up_saving(group, why);
            }
            _ => self.give_up_saving(group, "the store answered something else than was asked"),
        }
        true
    }

    /// Remembers that a generation cannot be read: nothing relies on it any more.
    pub(crate) fn mark_damaged(&mut self, group: GroupId, generation: Generation) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        if let Some(snap) = g.snapshots.get_mut(&generation) {
            snap.damaged = true;
        }
        if let Some(holder) = g.holder_mut()
            && holder.stored.is_some_and(|s| s.1 == generation)
        {
            holder.stored = None;
        }
    }

    /// A snapshot is durable, even if nobody waits for it any more.
    pub(crate) fn written(&mut self, group: GroupId, id: StoreId, asked: Asked, new: Generation) {
        let Asked::Write {
            app,
            title,
            op,
            revision,
            lease,
            build,
        } = asked
        else {
            return;
        };
        if !self.groups.contains_key(&group) {
            self.back_from_the_disk(group, app, title, lease);
        }
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let snap = Snap {
            revision,
            lease,
            build: Some(build),
            damaged: false,
        };
        g.snapshots.insert(new, snap);
        let waited_for = g.writing.take_if(|w| w.store == id);
        let current = g.lease == lease;
        if current && let Some(holder) = g.holder_mut() {
            holder.stored = holder.stored.max(Some((revision, new)));
            if holder.proof == Proof::Lives {
                holder.proof = Proof::SavedAgain;
            }
            g.error = None;
            self.tell_stored(group, revision, new);
        }
        self.retain(group);
        let Some(writing) = waited_for else {
            return self.settle_rest(group);
        };
        if self.is_storing(group, op) {
            self.save_is_durable(group, revision, new, writing.digest);
        }
        self.after_write(group);
    }

    /// Its app died before anything of it was known to be stored, and now it turns out that something is.
    fn back_from_the_disk(&mut self, group: GroupId, app: String, title: String, lease: Lease) {
        if self.ended.contains(&group) || self.arrivals.contains_key(&group) {
            return;
        }
        let home = Home::Asleep(Rest::Settling { wake: None });
        let new = Group::new(group, app, title, lease, home);
        self.groups.insert(group, new);
        let text =
            "Its last state had been stored after all. It stands as a ghost; click on it to go on.";
        self.notice(Some(group), text);
    }

    /// The write under way did not come to an end that anything can rely on.
    pub(crate) fn write_failed(&mut self, group: GroupId, id: StoreId, why: &str) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Some(writing) = g.writing.take_if(|w| w.store == id) else {
            return;
        };
        let told_before = g.error.replace(why.to_owned()).is_some();
        if self.is_storing(group, writing.op) {
            self.give_up_saving(group, why);
        } else if !told_before {
            let text = format!(
                "The newest changes are not saved yet: {why} The window stays open; saving is tried again with the next change."
            );
            self.notice(Some(group), text);
        }
        self.after_write(group);
    }

    fn is_storing(&self, group: GroupId, op: OpId) -> bool {
        self.groups.get(&group).is_some_and(|g| {
            matches!(
                &g.home,
                Home::Live(_, Activity::Saving { op: o, stage: SaveStage::Storing, .. }) if *o == op
            )
        })
    }

    fn after_write(&mut self, group: GroupId) {
        self.start_write(group);
        self.settle_rest(group);
    }

    fn tell_stored(&mut self, group: GroupId, revision: Revision, generation: Generation) {
        let Some(g) = self.groups.get(&group) else {
            return;
        };
        let lease = g.lease;
        if let Some(instance) = g.holder().map(|h| h.instance) {
            let message = ToApp::Stored {
                group,
                lease,
                revision,
                generation,
            };
            self.send(instance, message);
        }
    }

    /// Lets old generations go. Kept are the two newest whole ones (the second for the day when the newest is damaged),
    /// the newest proven one, and what something that runs still needs.
    pub(crate) fn retain(&mut self, group: GroupId) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let whole = g.snapshots.iter().filter(|(_, snap)| !snap.damaged);
        let mut keep: Vec<Generation> = whole.map(|(n, _)| *n).rev().take(2).collect();
        keep.extend(g.proven);
        keep.extend(g.proving);
        keep.extend(g.in_use());
        keep.sort_unstable();
        keep.dedup();
        let before = g.snapshots.len();
        g.snapshots.retain(|n, _| keep.contains(n));
        if g.snapshots.len() < before {
            let request = StoreRequest::Retain { group, keep };
            self.ask_store(group, Asked::Step, request);
        }
    }

    /// A save came to nothing: the group goes on living where it lives.
    pub(crate) fn give_up_saving(&mut self, group: GroupId, why: &str) {
        let Some(g) = self.groups.get_mut(&group) else {
            return;
        };
        let Home::Live(holder, Activity::Saving { purpose, .. }) = &g.home else {
            return;
        };
        let (holder, goal) = match purpose {
            Purpose::Migrate(_) => return self.migration_failed(group, why),
            Purpose::Sleep { .. } => (holder.clone(), Goal::Sleep),
        };
        g.home = Home::Live(holder, Activity::Working);
        let text = format!(
            "It was not put to sleep: {why} It stays open with all its work; try again when that is mended."
        );
        g.error = Some(text.clone());
        self.shell(crate::effect::ShellEffect::DropGhost { group });
        self.finish(group, goal, crate::effect::Outcome::Failed, &text);
    }
}

impl Group {
    /// The newest revision that the holder has handed over. What is older than that is never written again: the newest
    /// generation is the newest revision.
    fn known_revision(&self) -> Option<Revision> {
        let under_way = self.writing.as_ref().filter(|w| w.lease == self.lease);
        let waiting = self.pending.as_ref().filter(|p| p.lease == self.lease);
        let stored = self.holder().and_then(|h| h.stored).map(|s| s.0);
        stored
            .max(under_way.map(|w| w.revision))
            .max(waiting.map(|p| p.revision))
    }

    /// Generations that something under way relies on.
    fn in_use(&self) -> Vec<Generation> {
        let mut used = Vec::new();
        match &self.home {
            Home::Live(holder, activity) => {
                used.extend(holder.from);
                match activity {
                    Activity::LettingGo { generation, .. } => used.push(*generation),
                    Activity::Trying { saved, .. } | Activity::Yielding { saved, .. } => {
                        used.push(saved.generation);
                    }
                    Activity::Working | Activity::Saving { .. } => {}
                }
            }
            Home::Leasing(succession) => used.push(succession.generation),
            Home::Asleep(Rest::Waking(waking)) => used.push(waking.generation),
            Home::Departing(departure) => used.extend(departure.generation()),
            _ => {}
        }
        used
    }
}
