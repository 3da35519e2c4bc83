//! A group's journal on disk: read whole, appended durably, settled after a failure.

use overwinter_proto::{GroupId, journal::JournalEntry};

use crate::{
    error::{Result, StoreError},
    frame::{self, Parsed, Tail},
    group::{Body, GroupState},
    keys::{GroupKeys, Master},
    store::Store,
};

/// Largest journal that is read. Some millions of records; beyond it something else went wrong.
pub(crate) const MAX_JOURNAL: u64 = 1 << 30;
/// Largest key file, head file, tombstone.
pub(crate) const MAX_SMALL: u64 = 64 << 10;

/// What reading a journal meant for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// All as it was left.
    Whole,
    /// A last record that was never acknowledged was cut off.
    Torn,
}

impl Store {
    /// Runs `f` on a group, which is read from disk on first use.
    pub(crate) fn with<T>(
        &mut self,
        group: GroupId,
        f: impl FnOnce(&mut Store, &mut GroupState) -> Result<T>,
    ) -> Result<T> {
        let mut state = match self.groups.remove(&group) {
            Some(state) => state,
            None => self.load(group)?.0,
        };
        let result = f(self, &mut state);
        self.groups.insert(group, state);
        result
    }

    /// As [`with`](Store::with), but only for a group whose journal is whole and settled.
    pub(crate) fn with_whole<T>(
        &mut self,
        group: GroupId,
        f: impl FnOnce(&mut Store, &mut GroupState) -> Result<T>,
    ) -> Result<T> {
        self.with(group, |store, state| {
            if let Some(what) = state.damage.clone() {
                return Err(store.damaged(group, state, what));
            }
            if state.unsettled {
                store.settle(group, state)?;
            }
            f(store, state)
        })
    }

    fn keys_of(&mut self, group: GroupId) -> Result<GroupKeys> {
        let path = self.disk.key(group);
        let Some(file) = self.disk.read_maybe(&path, MAX_SMALL)? else {
            // Forgetting removes the key first; what it could not remove then is no group any more.
            if self.disk.len(&self.disk.tombstone(group))?.is_some() {
                return Err(StoreError::Forgotten(group));
            }
            let journal = self.disk.len(&self.disk.journal(group))?;
            if journal.is_some_and(|len| len > frame::HEADER as u64) {
                return Err(bare_damage(group, "its key file is missing"));
            }
            return Err(StoreError::UnknownGroup(group));
        };
        self.under_master(|master| master.unwrap(group, &file))
            .map_err(|why| bare_damage(group, &format!("its key file cannot be used: {why}")))
    }

    /// Opens a file by the master key, or by the one before while a rotation is not completed.
    pub(crate) fn under_master<T>(
        &self,
        open: impl Fn(&Master) -> std::result::Result<T, String>,
    ) -> std::result::Result<T, String> {
        open(&self.master).or_else(|why| match &self.former {
            Some(former) => open(former).map_err(|_| why),
            None => Err(why),
        })
    }

    /// Reads a group from disk. One without a record is none.
    pub(crate) fn load(&mut self, group: GroupId) -> Result<(GroupState, Found)> {
        let keys = self.keys_of(group)?;
        let start = frame::start(&keys, group);
        let mut state = GroupState::new(keys, start);
        let Some(mut bytes) = self
            .disk
            .read_maybe(&self.disk.journal(group), MAX_JOURNAL)?
        else {
            state.damage = Some("its journal is missing".to_owned());
            return Ok((state, Found::Whole));
        };
        let witness = frame::witness(&state.keys, group, &bytes);
        let parsed = frame::parse(&state.keys, group, &bytes, witness.as_ref());
        take_in(&mut state, &parsed);
        let found = match parsed.tail {
            Tail::Damaged(what) => {
                state.damage = Some(what.to_owned());
                return Ok((state, Found::Whole));
            }
            Tail::Clean => Found::Whole,
            Tail::Torn(bytes) => {
                tracing::warn!(
                    "{group:?}: {bytes} bytes of a record that was never acknowledged are cut off"
                );
                Found::Torn
            }
        };
        if state.damage.is_none() && (found == Found::Torn || witness != Some(parsed.end)) {
            // Records beyond the witness: whoever wrote them may have died before they were durable.
            bytes.truncate(usize::try_from(parsed.end.offset).unwrap_or(usize::MAX));
            frame::stamp(&state.keys, group, &mut bytes, &parsed.end);
            self.renew(group, &bytes)?;
        }
        if state.is_empty() {
            // Whoever made its files may have failed before they were durable: they are made anew before they count.
            return Err(StoreError::UnknownGroup(group));
        }
        Ok((state, found))
    }

    /// Makes these bytes the durable content of the journal. A full disk is no reason to refuse reading: then the file
    /// that is there is cut and synced.
    fn renew(&mut self, group: GroupId, bytes: &[u8]) -> Result<()> {
        let path = self.disk.journal(group);
        match self.disk.replace(&path, bytes) {
            Err(e) if e.is_full() => self
                .disk
                .vfs
                .open(&path)
                .and_then(|mut file| {
                    file.set_len(bytes.len() as u64)?;
                    file.sync()
                })
                .map_err(|e| self.disk.fail("sync", &path, 0, e)),
            other => other,
        }
    }

    /// Appends one record: when this returns `Ok`, a power cut cannot undo it.
    pub(crate) fn append(
        &mut self,
        group: GroupId,
        state: &mut GroupState,
        body: Body,
    ) -> Result<()> {
        let encoded = overwinter_proto::encode(&body);
        if encoded.len() > frame::MAX_BODY {
            return Err(StoreError::TooLarge {
                size: encoded.len() as u64,
                limit: frame::MAX_BODY as u64,
            });
        }
        let (record, next) = frame::record(
            &state.keys,
            group,
            &state.mark,
            &self.disk.random()?,
            &encoded,
        );
        if !state.rooted {
            self.disk.sync_dir(&self.disk.group_dir(group))?;
            state.rooted = true;
        }
        let path = self.disk.journal(group);
        let needed = crate::disk::on_disk(record.len() as u64);
        let mut file = self
            .disk
            .vfs
            .open(&path)
            .map_err(|e| self.disk.fail("open", &path, needed, e))?;
        if let Err(e) = file.write_at(state.mark.offset, &record) {
            // What is there of it is cut off. Where that fails, too, it may be all of it, whatever the system said.
            let error = self.disk.fail("append to", &path, needed, e);
            if file
                .set_len(state.mark.offset)
                .and_then(|()| file.sync())
                .is_err()
            {
                state.unsettled = true;
                return Err(StoreError::Unknown {
                    group,
                    source: Box::new(error),
                });
            }
            return Err(error);
        }
        let synced = file.sync();
        if let Err(e) = synced {
            // The kernel may have dropped the pages: the journal is written anew, this record with it.
            let error = self.disk.fail("sync", &path, needed, e);
            if self.rewrite(group, state, &record).is_err() {
                state.unsettled = true;
                return Err(StoreError::Unknown {
                    group,
                    source: Box::new(error),
                });
            }
        } else {
            // Without a sync: the next record's takes it along. That it lags is harmless, and so is that it fails.
            let (at, slot) = frame::slot(&state.keys, group, &next);
            if let Err(e) = file.write_at(at, &slot) {
                tracing::warn!("{group:?}: the witness of its journal could not be moved on: {e}");
            }
        }
        self.used = self.used.map(|used| used + record.len() as u64);
        state.mark = next;
        state.apply(body);
        Ok(())
    }

    /// Takes back a record whose fate is unknown: writes the acknowledged journal to a new file.
    pub(crate) fn settle(&mut self, group: GroupId, state: &mut GroupState) -> Result<()> {
        self.rewrite(group, state, &[])?;
        state.unsettled = false;
        Ok(())
    }

    fn rewrite(&mut self, group: GroupId, state: &GroupState, more: &[u8]) -> Result<()> {
        let path = self.disk.journal(group);
        let mut bytes = self.disk.read(&path, MAX_JOURNAL)?;
        bytes.truncate(usize::try_from(state.mark.offset).unwrap_or(usize::MAX));
        let parsed = frame::parse(&state.keys, group, &bytes, Some(&state.mark));
        if parsed.end != state.mark || parsed.tail != Tail::Clean {
            return Err(bare_damage(group, "its journal changed under the store"));
        }
        frame::stamp(&state.keys, group, &mut bytes, &state.mark);
        bytes.extend_from_slice(more);
        self.disk.replace(&path, &bytes)
    }

    /// The records of the heart, oldest first, read from disk and verified.
    pub(crate) fn entries(
        &mut self,
        group: GroupId,
        state: &GroupState,
    ) -> Result<Vec<JournalEntry>> {
        let bytes = self.disk.read(&self.disk.journal(group), MAX_JOURNAL)?;
        let parsed = frame::parse(&state.keys, group, &bytes, Some(&state.mark));
        if parsed.end != state.mark || parsed.tail != Tail::Clean {
            let what = match parsed.tail {
                Tail::Damaged(what) => what,
                _ => "its journal changed under the store",
            };
            return Err(self.damaged(group, state, what.to_owned()));
        }
        let mut entries = Vec::new();
        for (sequence, body) in parsed.records {
            match overwinter_proto::decode(&body) {
                Ok(Body::Record(record) | Body::Generation { record, .. }) => {
                    entries.push(JournalEntry { sequence, record })
                }
                Ok(Body::Dropped(_)) => {}
                Err(e) => {
                    return Err(self.damaged(
                        group,
                        state,
                        format!("record {sequence} of the journal is {e}"),
                    ));
                }
            }
        }
        Ok(entries)
    }
}

fn take_in(state: &mut GroupState, parsed: &Parsed) {
    for (sequence, body) in &parsed.records {
        match overwinter_proto::decode::<Body>(body) {
            Ok(body) => state.apply(body),
            Err(e) => {
                state.damage = Some(format!("record {sequence} of the journal is {e}"));
                return;
            }
        }
    }
    state.mark = parsed.end;
}

/// Damage of a group about which nothing more can be said.
pub(crate) fn bare_damage(group: GroupId, what: &str) -> StoreError {
    StoreError::Damaged {
        group,
        title: None,
        what: what.to_owned(),
        last_good: None,
    }
}
