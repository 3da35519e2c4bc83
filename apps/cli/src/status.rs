//! The session's account of itself (docs/status.md), read leniently: fields that a newer session adds are passed over,
//! missing ones are empty.

use serde::Deserialize;

use crate::bus::Trouble;

/// The whole session.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub struct Status {
    /// What keeps the groups; none in the account of an older session.
    pub store: Option<Store>,
    /// Every group that the session knows.
    pub groups: Vec<Group>,
    /// Running processes of apps.
    pub instances: Vec<Instance>,
    /// What the user was to be told, oldest first.
    pub notices: Vec<Notice>,
}

/// What keeps the groups.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub struct Store {
    /// Bytes that it takes; none: not known yet.
    pub used: Option<u64>,
    /// Bytes that it may take; none: all the disk.
    pub quota: Option<u64>,
    /// The ways to its master key.
    pub slots: Vec<String>,
    /// What there is to say about how that key is kept.
    pub warning: Option<String>,
}

/// Something that the user is told.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub struct Notice {
    /// Seconds since 1970.
    pub at: u64,
    /// About which group.
    pub group: Option<String>,
    /// What happened, what was kept, what to do.
    pub text: String,
}

/// One group.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub struct Group {
    /// 32 hexadecimal digits.
    pub id: String,
    /// App id.
    pub app: String,
    /// Of the document.
    pub title: String,
    /// As in `org.overwinter.Group1`.
    pub state: String,
    /// Version of the code that holds it or saved it.
    pub version: String,
    /// Newest durable one.
    pub generation: u64,
    /// 0 when no process holds it.
    pub pid: u32,
}

/// One running process.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub struct Instance {
    /// App id.
    pub app: String,
    /// Process.
    pub pid: u32,
    /// Version that it runs.
    pub version: String,
    /// Whether the code on disk is newer.
    pub stale: bool,
}

impl Status {
    /// Reads the JSON text of `Control1.Status`.
    pub fn parse(text: &str) -> Result<Self, Trouble> {
        serde_json::from_str(text).map_err(|e| {
            Trouble::failed(format!("the session's status is not what docs/status.md says ({e}); is it of another version?"))
        })
    }

    /// The id of the group that the user means by `word`: see [`find`].
    pub fn find(&self, word: &str) -> Result<String, Trouble> {
        find(&self.groups, word, "overwinter status")
    }
}

/// The id of the group that the user means by `word`: an id, a title, the beginning of exactly one id, or a part of exactly
/// one title. `lister` is the command that shows them.
pub fn find(groups: &[Group], word: &str, lister: &str) -> Result<String, Trouble> {
    if let Some(group) = groups.iter().find(|g| g.id == word) {
        return Ok(group.id.clone());
    }
    let by_id = |g: &&Group| !word.is_empty() && g.id.starts_with(&word.to_ascii_lowercase());
    let by_title = |g: &&Group| g.title == word;
    let mut found: Vec<&Group> = groups.iter().filter(by_title).collect();
    if found.is_empty() {
        found = groups.iter().filter(by_id).collect();
    }
    if found.is_empty() && !word.is_empty() {
        let part = |g: &&Group| g.title.contains(word);
        found = groups.iter().filter(part).collect();
    }
    match found[..] {
        [group] => Ok(group.id.clone()),
        // A group that was closed is in no list, and in the store for a week.
        [] if word.parse::<overwinter_proto::GroupId>().is_ok() => Ok(word.to_owned()),
        [] => Err(Trouble::usage(format!(
            "no group is called `{word}`. Nothing was changed. `{lister}` lists them."
        ))),
        _ => {
            let list: Vec<String> = found
                .iter()
                .map(|g| format!("{} ({})", short(&g.id), g.title))
                .collect();
            Err(Trouble::usage(format!(
                "`{word}` may be any of {}. Nothing was changed. Name one by the digits that `{lister}` shows.",
                list.join(", ")
            )))
        }
    }
}

/// As many digits of an id as a person needs.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status::parse(
            r#"{"incarnation": 7, "groups": [
                {"id": "aabbccdd00000000000000000000000a", "title": "README.md", "state": "live", "new": {"x": 1}},
                {"id": "aabbffff00000000000000000000000b", "title": "notes"},
                {"id": "c0ffee0000000000000000000000000c", "title": "notes"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_group_is_found_by_title_or_by_enough_digits() {
        let id = |word| status().find(word).unwrap();
        assert!(id("README.md").ends_with('a'));
        assert!(id("AABBF").ends_with('b'));
        assert!(id("c").ends_with('c'));
        assert!(id("README").ends_with('a'));
        assert!(id("aabbccdd00000000000000000000000a").ends_with('a'));
    }

    #[test]
    fn what_may_be_two_groups_is_refused_with_both_named() {
        for word in ["aabb", "notes", "not"] {
            let refusal = status().find(word).unwrap_err();
            assert_eq!(refusal.exit_code(), 2);
            assert!(refusal.to_string().contains("aabbffff"), "{refusal}");
        }
        assert!(status().find("").is_err());
        assert!(status().find("nothing at all").is_err());
    }
}
