//! The windows as a panel lists them. A ghost is listed as the window that it stands for: the entry stays the same while a group
//! goes to sleep, wakes or is migrated.

use std::collections::BTreeMap;

use overwinter_session::ids::GroupId;

use super::{Item, Shell, WindowId, WindowMode};
use crate::state::Overwinter;

/// Names an entry as long as somebody looks at it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A window of a group, by the app's own name for it; asleep or not.
    OfGroup(GroupId, String),
    /// Any other window.
    Plain(WindowId),
}

impl std::fmt::Display for Entry {
    /// As scripts name it: `17`, or `GROUP/NAME`, which outlives the session.
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Entry::OfGroup(group, name) => write!(f, "{group}/{name}"),
            Entry::Plain(window) => write!(f, "{}", window.0),
        }
    }
}

/// What a panel shows of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toplevel {
    /// What stands there now.
    pub item: Item,
    /// Title.
    pub title: String,
    /// App id; empty when the app gave none.
    pub app_id: String,
    /// Its parent's entry.
    pub parent: Option<Entry>,
    /// Has the focus.
    pub activated: bool,
    /// How it fills the desktop.
    pub mode: WindowMode,
    /// Put away.
    pub minimized: bool,
}

impl Shell {
    fn entry_of(&self, item: Item) -> Option<Entry> {
        match item {
            Item::Window(id) => {
                let binding = self.window(id)?.binding.as_ref();
                Some(binding.map_or(Entry::Plain(id), |b| {
                    Entry::OfGroup(b.group, b.name.clone())
                }))
            }
            Item::Ghost(id) => {
                let ghost = self.ghost(id)?;
                Some(Entry::OfGroup(ghost.group, ghost.name.clone()))
            }
        }
    }
}

impl Overwinter {
    /// Everything that stands on the desktop, put away or on whichever workspace, by entry. Of two that an app gives the same name, the upper one.
    pub fn toplevels(&self) -> BTreeMap<Entry, Toplevel> {
        let described = self.shell.standing().into_iter().filter_map(|item| {
            let entry = self.shell.entry_of(item)?;
            Some((entry, self.describe(item)?))
        });
        described.collect()
    }

    fn describe(&self, item: Item) -> Option<Toplevel> {
        let (title, app_id, mode, parent) = match item {
            Item::Window(id) => {
                let window = self.shell.window(id)?;
                let parent = self.shell.parent_of(id).map(Item::Window);
                (window.title(), window.app_id(), window.mode, parent)
            }
            Item::Ghost(id) => {
                let ghost = self.shell.ghost(id)?;
                let app = self.driver.as_ref().and_then(|d| d.app_of(ghost.group));
                let app = app.unwrap_or_default().to_owned();
                (ghost.title.clone(), app, ghost.mode, None)
            }
        };
        Some(Toplevel {
            item,
            title,
            app_id,
            parent: parent.and_then(|p| self.shell.entry_of(p)),
            activated: self.shell.focus() == Some(item),
            mode,
            minimized: self.shell.is_minimised(item),
        })
    }
}
