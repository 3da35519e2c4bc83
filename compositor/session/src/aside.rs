//! Groups that are on disk and cannot be read: shown as such, and left alone.
//!
//! Whether such a group sleeps here or lives on another host is what its journal would say. So nothing is done with it, and
//! what is still known of it is never passed off as its newest state.

use overwinter_proto::{Generation, GroupId, Lease};

use crate::session::Session;
use crate::view::GroupView;

/// One of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Aside {
    /// Which.
    pub group: GroupId,
    /// Title of its main window, where that can still be read.
    pub title: String,
    /// Its last good generation, if there is one.
    pub generation: Option<Generation>,
    /// What happened, what was kept, what to do.
    pub why: String,
}

impl Session {
    /// Tells of groups that `recover` could not be told of. Each counts as quarantined until the session starts again.
    pub fn set_aside(&mut self, groups: Vec<Aside>) {
        self.aside.extend(groups.into_iter().map(|a| (a.group, a)));
    }

    pub(crate) fn view_aside(aside: &Aside) -> GroupView {
        GroupView {
            group: aside.group,
            app: String::new(),
            title: aside.title.clone(),
            state: "quarantined",
            holder: None,
            version: String::new(),
            generation: aside.generation.unwrap_or_default(),
            lease: Lease::default(),
            retired: Vec::new(),
            lives_on: None,
            error: Some(aside.why.clone()),
        }
    }

    /// Why nothing can be done with a group that the session does not have.
    pub(crate) fn why_not_here(&self, group: GroupId) -> String {
        match self.aside.get(&group) {
            Some(aside) => aside.why.clone(),
            None => "There is no such group here.".to_owned(),
        }
    }
}
