//! Workspaces.

use crate::output::OutputId;
use crate::strip::Strip;

/// A workspace's name for as long as it exists; what the user calls it is [`Workspace::name`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WorkspaceId(pub u32);

/// A desk: some windows, shown on one output at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Workspace {
    /// What the user calls it; no two have the same name.
    pub name: String,
    /// The output it belongs to. While that is unplugged the workspace is a guest elsewhere.
    pub home: OutputId,
    pub(crate) strip: Strip,
}

impl Workspace {
    pub(crate) fn new(name: String, home: OutputId) -> Workspace {
        Workspace {
            name,
            home,
            strip: Strip::default(),
        }
    }

    /// Numbers in their order, then other names as they were made.
    pub(crate) fn order(&self, id: WorkspaceId) -> (u32, WorkspaceId) {
        (self.name.parse().unwrap_or(u32::MAX), id)
    }
}
