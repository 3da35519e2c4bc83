//! A log that has grown long is shortened: its oldest part becomes base text.
//!
//! What it loses is the oldest undo steps, and those only in copies that are restored later: GTK's own stack in the
//! running window keeps them. Restoring replays the log, so its length is what a person waits for.

use std::sync::Arc;

use super::{Broken, Entry, Log};

/// A log of more entries is folded. Typing one character writes three, and GTK replays a million of them in about a second.
pub const MOST_ENTRIES: usize = 60_000;

/// What is left of it: folding is rare then, and plenty can still be undone.
const KEPT_ENTRIES: usize = 30_000;

/// A shorter base and log for the same text; `None` when no place to cut is found (it may be later).
pub fn fold(base: &str, log: &Log) -> Result<Option<(Arc<str>, Log)>, Broken> {
    fold_to(base, log, KEPT_ENTRIES)
}

fn fold_to(base: &str, log: &Log, keep: usize) -> Result<Option<(Arc<str>, Log)>, Broken> {
    let (_, entries) = Log::read(&log.written())?;
    let Some(cut) = cut(&entries, keep) else {
        return Ok(None);
    };
    let (old, new) = entries.split_at(cut);
    let text = Log::text(base, old)?;
    let mut short = Log::default();
    let saved = old
        .iter()
        .rposition(|entry| *entry == Entry::Modified(false));
    let since = saved.map_or(old, |saved| &old[saved + 1..]);
    if since.iter().any(changes_text) {
        // Against its file the new base counts as changed, unlike the old one.
        push(&mut short, &Entry::Modified(true))?;
    }
    for entry in new {
        push(&mut short, entry)?;
    }
    Ok(Some((text.into(), short)))
}

fn push(log: &mut Log, entry: &Entry) -> Result<(), Broken> {
    log.push(entry).map_err(|why| Broken { line: 0, why })
}

fn changes_text(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Insert { .. } | Entry::Delete { .. } | Entry::Undo { .. } | Entry::Redo
    )
}

/// Where the log can be cut so that about `keep` entries are left: outside of user actions, where nothing is undone, and
/// before nothing that a later undo took back.
fn cut(entries: &[Entry], keep: usize) -> Option<usize> {
    let mut before = Vec::with_capacity(entries.len());
    let (mut done, mut open, mut steps) = (0i64, 0i64, Vec::new());
    for entry in entries {
        before.push((done, open == 0 && steps.is_empty()));
        match *entry {
            Entry::Insert { .. } | Entry::Delete { .. } => {
                done += 1;
                steps.clear();
            }
            Entry::Undo { ops } => {
                done -= i64::from(ops);
                steps.push(i64::from(ops));
            }
            Entry::Redo => done += steps.pop().unwrap_or(0),
            Entry::Begin => open += 1,
            Entry::End => open = (open - 1).max(0),
            Entry::Modified(_) => {}
        }
    }
    // From the end: how little was done at any later time.
    let mut least = done;
    let mut best = None;
    for (at, &(done, whole)) in before.iter().enumerate().rev() {
        least = least.min(done);
        if whole && least == done && at > 0 {
            best = Some(at);
        }
        if at <= entries.len().saturating_sub(keep) && best.is_some() {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::log::tests::{does, play};
    use super::*;

    proptest! {
        #[test]
        fn the_text_stays(base in "[a-z é]{0,20}", doing in prop::collection::vec(does(), 0..120), keep in 0..80usize) {
            let (log, _, text) = play(&base, doing);
            if let Some((base, short)) = fold_to(&base, &log, keep).unwrap() {
                let (again, entries) = Log::read(&short.written()).unwrap();
                prop_assert_eq!(Log::text(&base, &entries).unwrap(), text);
                prop_assert_eq!(again.undone(), log.undone());
                prop_assert!(short.len() <= log.len());
            }
        }
    }

    #[test]
    fn a_long_log_is_cut_near_where_it_should_be() {
        let mut log = Log::default();
        for at in 0..1000 {
            for entry in [
                Entry::Begin,
                Entry::Insert {
                    at,
                    text: "x".into(),
                },
                Entry::End,
            ] {
                log.push(&entry).unwrap();
            }
        }
        let (base, short) = fold_to("", &log, 300).unwrap().unwrap();
        assert_eq!(base.len(), 900);
        assert_eq!(short.len(), 301, "and that the base counts as changed");
    }
}
