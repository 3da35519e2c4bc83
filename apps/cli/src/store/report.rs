//! What the user reads of the store. Read leniently: what a newer session adds is passed over.

use std::fmt::Write;

use overwinter_store::{Collected, Finding, Health, Usage};
use serde::Deserialize;

use super::keeper::Slots;
use crate::bus::Trouble;
use crate::report::{align, plain, size};
use crate::status::short;

/// Reads an answer.
fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Trouble> {
    serde_json::from_str(json).map_err(|e| {
        Trouble::failed(format!(
            "the answer is not what docs/store.md says ({e}); is the session of another version?"
        ))
    })
}

/// How the store is: a line for each finding, what is no finding but worth a word, and the sum; and whether something is wrong
/// that was not repaired.
pub fn health(json: &str, repair: bool) -> Result<(String, bool), Trouble> {
    let health: Health = read(json)?;
    let mut text = String::new();
    for finding in &health.findings {
        let _ = writeln!(text, "{}", line(finding, repair));
    }
    if !health.strangers.is_empty() {
        let names = plain(&health.strangers.join(", "));
        let _ = writeln!(text, "not the store's, and left alone: {names}");
    }
    if !health.key_warning.is_empty() {
        let _ = writeln!(text, "warning: {}", plain(&health.key_warning));
    }
    let _ = writeln!(
        text,
        "{}, {}, {}: {}",
        count(health.groups, "group"),
        count(health.generations, "generation"),
        count(health.chunks, "chunk"),
        verdict(&health.findings)
    );
    Ok((text, health.is_damaged()))
}

fn verdict(findings: &[Finding]) -> String {
    let repaired = findings.iter().filter(|f| f.repaired).count();
    match (repaired, findings.len() - repaired) {
        (0, 0) => "all whole".to_owned(),
        (repaired, 0) => format!("{}, all whole now", count(repaired, "repair")),
        (0, left) => format!("{} that is not as it should be", count(left, "thing")),
        (repaired, left) => format!(
            "{}, {left} left that could not be repaired",
            count(repaired, "repair")
        ),
    }
}

fn line(finding: &Finding, repair: bool) -> String {
    let group = finding.group.as_deref().map_or("-", short);
    let title = finding
        .title
        .as_deref()
        .map_or_else(|| "-".to_owned(), plain);
    let state = if finding.repaired {
        "repaired"
    } else {
        "damaged"
    };
    let advice = match finding.last_good {
        _ if finding.repaired => String::new(),
        Some(good) => format!(
            " The last good generation is {good}: it wakes from there. Or bring the file back from a backup."
        ),
        None if repair => " Bring the file back from a backup.".to_owned(),
        None => " `overwinter doctor --repair` repairs what can be repaired.".to_owned(),
    };
    format!(
        "{group}  {title}: {state}: {}.{advice}",
        plain(&finding.what)
    )
}

/// What takes how much, as a table; and how much all of it may take.
pub fn usage(json: &str, quota: Option<u64>) -> Result<String, Trouble> {
    let all: Vec<Usage> = read(json)?;
    let mut rows =
        vec![["GROUP", "SIZE", "IN TRASH", "GENERATIONS", "APP", "TITLE"].map(String::from)];
    for group in &all {
        rows.push([
            short(&group.group).into(),
            size(group.total()),
            size(group.trash),
            group.generations.to_string(),
            plain(group.app.as_deref().unwrap_or("-")),
            plain(group.title.as_deref().unwrap_or("-")),
        ]);
    }
    let sum = all.iter().map(Usage::total).sum();
    let quota = quota.map(|quota| format!(", of {} that the store may take", size(quota)));
    let total = format!(
        "{} in all, {}{}\n",
        size(sum),
        count(all.len(), "group"),
        quota.unwrap_or_default()
    );
    if all.is_empty() {
        return Ok(total);
    }
    Ok(align(&rows) + &total)
}

/// What was dropped, and whether every group could be looked at.
pub fn collected(json: &str, now: bool) -> Result<(String, bool), Trouble> {
    let collected: Collected = read(json)?;
    let mut text = String::new();
    for why in &collected.left_alone {
        let _ = writeln!(text, "left alone: {}", plain(why));
    }
    let Collected {
        chunks,
        bytes,
        freed,
        forgotten,
        ..
    } = collected;
    if forgotten > 0 {
        let groups = count(forgotten, "group");
        let _ = writeln!(
            text,
            "{groups} that had been closed for seven days forgotten"
        );
    }
    if chunks > 0 {
        let what = format!(
            "{} that nobody needs ({})",
            count(chunks, "chunk"),
            size(bytes)
        );
        let _ = match now {
            true => writeln!(text, "{what} dropped"),
            false => writeln!(
                text,
                "{what} put into the trash, for ten minutes; --now drops them at once"
            ),
        };
    }
    if freed > 0 {
        let _ = writeln!(text, "{} freed", size(freed));
    }
    if chunks == 0 && freed == 0 && forgotten == 0 {
        text.push_str("there was nothing to drop\n");
    }
    Ok((text, collected.left_alone.is_empty()))
}

/// The slots, a line for each.
pub fn slots(slots: &Slots) -> String {
    let mut text = String::new();
    for slot in &slots.slots {
        let _ = writeln!(text, "{}", plain(slot));
    }
    if !slots.warning.is_empty() {
        let _ = writeln!(text, "warning: {}", plain(&slots.warning));
    }
    text
}

fn count(n: usize, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {what}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_that_says_what_to_do() {
        let of = |repaired, last_good: &str, repair| {
            let json = format!(
                r#"{{"groups": 1, "generations": 2, "chunks": 3, "strangers": [], "key_warning": "", "new": 1, "findings":
                [{{"group": "aabbccdd00", "title": "a\u001bb\n", "what": "gone", "repaired": {repaired}, "last_good": {last_good}}}]}}"#
            );
            health(&json, repair).unwrap()
        };
        let (text, damaged) = of(false, "7", false);
        assert!(damaged);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.starts_with("aabbccdd  a b : damaged: gone. The last good generation is 7"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "1 group, 2 generations, 3 chunks: 1 thing that is not as it should be\n"
            ),
            "{text}"
        );
        assert!(of(false, "null", false).0.contains("--repair"));
        assert!(of(false, "null", true).0.contains("backup"));
        let (text, damaged) = of(true, "null", true);
        assert!(!damaged && text.contains("all whole now"), "{text}");
    }

    #[test]
    fn a_group_that_was_left_alone_is_not_well() {
        let of = |alone| {
            let json = format!(r#"{{"chunks": 0, "bytes": 0, "freed": 0, "left_alone": {alone}}}"#);
            collected(&json, false).unwrap()
        };
        let (text, well) = of(r#"["group x is damaged"]"#);
        assert!(!well && text.contains("group x is damaged"), "{text}");
        assert!(of("[]").1);
    }
}
