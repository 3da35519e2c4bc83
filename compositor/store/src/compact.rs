//! Compaction: a journal without the records of generations that were dropped.
//!
//! An autosave per second adds some hundred bytes to the journal each time, and nearly all of those generations are dropped right
//! away. When a journal has become long, it is written anew without them: every other record of the heart stays, in
//! order; sequences count from 0 again. The new file takes the old one's place in one durable step.

use overwinter_proto::{GroupId, JournalRecord};

use crate::{
    error::Result,
    frame::{self, Tail},
    group::{Body, GroupState},
    journal::{MAX_JOURNAL, bare_damage},
    keys::NONCE,
    store::Store,
};

impl Store {
    /// Compacts the journal when it is long.
    ///
    /// # Errors
    /// The disk failed; nothing is lost.
    pub(crate) fn compact_if_long(&mut self, group: GroupId, state: &mut GroupState) -> Result<()> {
        let limit = state.compact_at.max(self.limits.journal);
        if state.mark.offset < limit || state.unsettled || state.damage.is_some() {
            return Ok(());
        }
        self.compact(group, state)?;
        // What is left is all needed: the next time is worth it only when as much again, and more, has come.
        state.compact_at = state.mark.offset.saturating_mul(4);
        Ok(())
    }

    fn compact(&mut self, group: GroupId, state: &mut GroupState) -> Result<()> {
        let path = self.disk.journal(group);
        let old = self.disk.read(&path, MAX_JOURNAL)?;
        let parsed = frame::parse(&state.keys, group, &old, Some(&state.mark));
        if parsed.end != state.mark || parsed.tail != Tail::Clean {
            return Err(bare_damage(group, "its journal changed under the store"));
        }
        let mut bytes = frame::empty(&state.keys, group);
        let mut mark = frame::start(&state.keys, group);
        let mut after = GroupState::new(state.keys.clone(), mark);
        for (sequence, body) in parsed.records {
            let body = overwinter_proto::decode(&body).map_err(|e| {
                let what = format!("record {sequence} of the journal is {e}");
                bare_damage(group, &what)
            })?;
            let Some(body) = still_needed(body, state) else {
                continue;
            };
            let nonce: [u8; NONCE] = self.disk.random()?;
            let encoded = overwinter_proto::encode(&body);
            let (record, next) = frame::record(&state.keys, group, &mark, &nonce, &encoded);
            bytes.extend(record);
            mark = next;
            after.apply(body);
        }
        if !after.says_the_same(state) {
            tracing::error!("{group:?}: its journal cannot be compacted; it is left as it is");
            return Ok(());
        }
        frame::stamp(&state.keys, group, &mut bytes, &mark);
        let vouched = self.hints.head(group) == Some(state.mark.offset);
        let former = std::mem::replace(&mut state.mark, mark);
        if let Err(e) = self.disk.replace(&path, &bytes) {
            if matches!(self.disk.read(&path, MAX_JOURNAL), Ok(there) if there == old) {
                state.mark = former;
            } else {
                // The new one is there, but a power cut may bring the old one back: settled before the next record.
                state.unsettled = true;
            }
            return Err(e);
        }
        self.used = None;
        if vouched {
            self.hints.set_head(group, state.mark.offset);
        }
        Ok(())
    }
}

/// A record without what it says about generations that are no more.
fn still_needed(body: Body, state: &GroupState) -> Option<Body> {
    match body {
        Body::Generation {
            record: JournalRecord::Stored { generation, .. },
            ..
        } if !state.generations.contains_key(&generation) => None,
        // A number may come back with a move: then that it was dropped before is part of the story.
        Body::Dropped(mut dropped) => {
            dropped.retain(|generation| state.generations.contains_key(generation));
            (!dropped.is_empty()).then_some(Body::Dropped(dropped))
        }
        other => Some(other),
    }
}
