//! What subscribers are told: the difference between two moments, so that nothing is told twice and nothing is missed that
//! lasted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::request::VERSION;
use super::view::{OutputPart, WindowPart, WorkspacePart};
use crate::state::Overwinter;

/// A moment.
#[derive(Debug, Default)]
pub(super) struct Seen {
    windows: BTreeMap<String, WindowPart>,
    workspaces: Vec<WorkspacePart>,
    outputs: Vec<OutputPart>,
    /// How often the configuration was read and was good.
    config: u64,
    mistakes: Option<String>,
}

impl Seen {
    pub(super) fn of(state: &Overwinter) -> Seen {
        let windows = state.windows_for_scripts().into_iter();
        Seen {
            windows: windows.map(|w| (w.id.clone(), w)).collect(),
            workspaces: state.workspaces_for_scripts(),
            outputs: state.outputs_for_scripts(),
            config: state.config_file.taken(),
            mistakes: state.config_file.wrong().map(str::to_owned),
        }
    }

    fn focused(&self) -> Option<&str> {
        let mut windows = self.windows.values();
        Some(&windows.find(|w| w.focused)?.id)
    }

    /// Groups, and whether all that stands there for each of them is ghosts.
    fn groups(&self) -> BTreeMap<&str, bool> {
        let mut groups = BTreeMap::new();
        for window in self.windows.values() {
            if let Some(group) = &window.group {
                *groups.entry(group.as_str()).or_insert(true) &= window.asleep;
            }
        }
        groups
    }

    /// What happened since `before`, as messages.
    pub(super) fn since(&self, before: &Seen) -> Vec<Value> {
        let mut events = Vec::new();
        let mut tell = |event: &str, key: &str, value: Value| {
            events.push(json!({ "version": VERSION, "event": event, key: value }));
        };
        for id in before.windows.keys() {
            if !self.windows.contains_key(id) {
                tell("window-closed", "window", json!({ "id": id }));
            }
        }
        for (id, window) in &self.windows {
            match before.windows.get(id) {
                None => tell("window-opened", "window", json!(window)),
                Some(old) if old != window => tell("window-changed", "window", json!(window)),
                Some(_) => {}
            }
        }
        let groups = before.groups();
        for (group, asleep) in self.groups() {
            if groups.get(group).is_some_and(|was| *was != asleep) {
                let event = if asleep {
                    "group-asleep"
                } else {
                    "group-awake"
                };
                tell(event, "group", json!(group));
            }
        }
        if self.focused() != before.focused() {
            tell("focused", "window", json!(self.focused()));
        }
        if self.workspaces != before.workspaces {
            tell("workspaces", "workspaces", json!(self.workspaces));
        }
        if self.outputs != before.outputs {
            tell("outputs", "outputs", json!(self.outputs));
        }
        if self.mistakes != before.mistakes
            && let Some(mistakes) = &self.mistakes
        {
            let lines: Vec<&str> = mistakes.lines().collect();
            tell("config-mistaken", "mistakes", json!(lines));
        }
        if self.config != before.config {
            tell("config-reloaded", "count", json!(self.config));
        }
        events
    }
}
