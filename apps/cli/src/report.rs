//! What the user reads.

use std::fmt::Write;
use std::time::SystemTime;

use crate::bus::End;
use crate::status::{Status, short};

/// How many notices are shown; `--json` has more.
const NOTICES: usize = 8;

/// The session as a table, and what it has to tell its user.
pub fn session(status: &Status) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    table(status) + &store(status) + &notices(status, since.unwrap_or_default().as_secs())
}

/// What keeps the groups, and what there is to say about its key.
fn store(status: &Status) -> String {
    let Some(store) = &status.store else {
        return String::new();
    };
    let mut text = String::from("\nstore: ");
    text += &match (store.used, store.quota) {
        (Some(used), Some(quota)) => format!("{} of {}", size(used), size(quota)),
        (Some(used), None) => size(used),
        (None, _) => "its size is not known yet".to_owned(),
    };
    let slots: Vec<String> = store.slots.iter().map(|slot| plain(slot)).collect();
    let _ = writeln!(text, ", opened by {}", slots.join(" or "));
    if let Some(warning) = &store.warning {
        let _ = writeln!(text, "warning: {}", plain(warning));
    }
    text
}

/// Bytes for people, in units of 1024.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let digits = usize::from(unit != "bytes");
    format!("{value:.digits$} {unit}")
}

/// What the session has to tell, the newest last.
fn notices(status: &Status, now: u64) -> String {
    let mut text = String::new();
    let shown = status.notices.len().saturating_sub(NOTICES);
    for notice in status.notices.iter().skip(shown) {
        let about = notice.group.as_deref().map_or("-", short);
        let ago = ago(now.saturating_sub(notice.at));
        let _ = writeln!(text, "{about}  {ago}: {}", plain(&notice.text));
    }
    if !text.is_empty() {
        text.insert(0, '\n');
    }
    text
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".into(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86400),
    }
}

/// Groups as a table.
fn table(status: &Status) -> String {
    if status.groups.is_empty() {
        return "no group is open, asleep or on its way\n".into();
    }
    let mut rows = vec![["GROUP", "STATE", "APP", "VERSION", "PID", "TITLE"].map(String::from)];
    for group in &status.groups {
        let stale = status
            .instances
            .iter()
            .any(|i| i.stale && i.pid == group.pid && group.pid != 0);
        rows.push([
            short(&group.id).into(),
            group.state.clone(),
            group.app.clone(),
            if stale {
                format!("{} (stale)", group.version)
            } else {
                group.version.clone()
            },
            if group.pid == 0 {
                "-".into()
            } else {
                group.pid.to_string()
            },
            plain(&group.title),
        ]);
    }
    align(&rows)
}

/// How an operation ended, a line for each group.
pub fn results(end: &End) -> String {
    let mut text = String::new();
    for (group, outcome, words) in &end.results {
        let about = if group.is_empty() { "-" } else { short(group) };
        let _ = writeln!(text, "{about}  {outcome:<7}  {}", plain(words));
    }
    if end.results.is_empty() {
        let _ = writeln!(text, "{}: there was nothing to do", end.state);
    }
    text
}

/// Columns as wide as their widest cell; the last one is left ragged.
pub fn align(rows: &[[String; 6]]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
    columns(&rows)
}

/// As [`align`], of any number of columns, as many in each row.
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| Some(row.get(column)?.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if column + 1 == row.len() {
                let _ = writeln!(text, "{cell}");
            } else {
                let _ = write!(text, "{cell:<0$}  ", width(column));
            }
        }
    }
    text
}

/// A title is an app's words: it may not move the cursor about or colour the terminal.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_straight_columns_and_no_control_characters() {
        let status = Status::parse(
            r#"{"groups": [
                {"id": "aabbccdd00000000000000000000000a", "title": "a\u001b[31m", "state": "live", "version": "1.0", "pid": 12, "app": "x"},
                {"id": "bbbbccdd00000000000000000000000a", "title": "b", "state": "asleep", "version": "2.0", "app": "org.x"}],
               "instances": [{"pid": 12, "stale": true}]}"#,
        )
        .unwrap();
        assert_eq!(
            table(&status),
            "GROUP     STATE   APP    VERSION      PID  TITLE\n\
             aabbccdd  live    x      1.0 (stale)  12   a [31m\n\
             bbbbccdd  asleep  org.x  2.0          -    b\n"
        );
    }

    #[test]
    fn a_line_tells_of_the_store_and_its_key() {
        let told = |json: &str| store(&Status::parse(json).unwrap());
        assert_eq!(told("{}"), "");
        assert_eq!(
            told(
                r#"{"store": {"used": 5242880, "quota": null, "slots": ["secret-service", "passphrase"]}}"#
            ),
            "\nstore: 5.0 MiB, opened by secret-service or passphrase\n"
        );
        assert_eq!(
            told(
                r#"{"store": {"used": 900, "quota": 1536, "slots": ["key-file"], "warning": "lies\u001b open"}}"#
            ),
            "\nstore: 900 bytes of 1.5 KiB, opened by key-file\nwarning: lies  open\n"
        );
        assert!(told(r#"{"store": {"slots": ["key-file"]}}"#).contains("not known yet"));
    }

    #[test]
    fn the_last_notices_stand_below_with_their_age() {
        let many: Vec<String> = (0..20)
            .map(|n| format!(r#"{{"at": {}, "group": null, "text": "n{n}"}}"#, n * 600))
            .collect();
        let text = format!(
            r#"{{"notices": [{}, {{"at": 12000, "group": "aabbccdd00", "text": "It is\u001b kept."}}]}}"#,
            many.join(",")
        );
        let told = notices(&Status::parse(&text).unwrap(), 12_059);
        assert_eq!(told.lines().count(), 1 + NOTICES);
        assert!(told.starts_with("\n-  "), "{told}");
        assert!(told.contains("-  1 h ago: n13\n"), "{told}");
        assert!(
            told.ends_with("aabbccdd  just now: It is  kept.\n"),
            "{told}"
        );
        assert_eq!(notices(&Status::default(), 0), "");
    }
}
