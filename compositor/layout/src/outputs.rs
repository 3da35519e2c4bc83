//! What happens to outputs and workspaces. Nothing here changes what a window wishes.

use crate::desktop::Desktop;
use crate::geometry::Margins;
use crate::op::Refused;
use crate::output::{Output, OutputId, OutputIdentity, OutputMode};
use crate::workspace::{Workspace, WorkspaceId};

/// Saved places, which anybody may have written, add no outputs to be remembered beyond this number.
const MOST_OUTPUTS: usize = 32;

impl Desktop {
    pub(crate) fn plug(
        &mut self,
        identity: OutputIdentity,
        mode: OutputMode,
    ) -> Result<(), Refused> {
        if self.output_at(&identity.connector).is_some() {
            return Err(Refused::ConnectorTaken);
        }
        let id = self
            .absent_like(&identity)
            .unwrap_or_else(|| self.remember(&identity));
        if let Some(output) = self.outputs.get_mut(&id) {
            output.identity = identity;
            output.connected = true;
            output.mode = mode;
        }
        Ok(())
    }

    /// The absent output that is most surely this one.
    fn absent_like(&self, identity: &OutputIdentity) -> Option<OutputId> {
        let absent = self.outputs.iter().filter(|(_, o)| !o.connected);
        let alike = absent.filter_map(|(id, o)| Some((o.identity.likeness(identity)?, *id)));
        // Of two that are equally like it the one that is known longer.
        alike
            .max_by_key(|(likeness, id)| (*likeness, std::cmp::Reverse(*id)))
            .map(|(_, id)| id)
    }

    fn remember(&mut self, identity: &OutputIdentity) -> OutputId {
        let id = OutputId(self.next_output);
        self.next_output += 1;
        self.outputs.insert(id, Output::unseen(identity.clone()));
        id
    }

    /// The output that a saved place means; `None` when too many are known already.
    pub(crate) fn output_for(&mut self, identity: &OutputIdentity) -> Option<OutputId> {
        let alike = |o: &Output| o.identity.likeness(identity).filter(|l| *l > 0);
        let known = self
            .outputs
            .iter()
            .filter_map(|(id, o)| Some((alike(o)?, *id)));
        match known.max_by_key(|(likeness, id)| (*likeness, std::cmp::Reverse(*id))) {
            Some((_, id)) => Some(id),
            None if *identity == OutputIdentity::default() => None,
            None if self.outputs.len() >= MOST_OUTPUTS => None,
            None => Some(self.remember(identity)),
        }
    }

    fn plugged(&mut self, output: OutputId) -> Result<&mut Output, Refused> {
        let found = self.outputs.get_mut(&output).filter(|o| o.connected);
        found.ok_or(Refused::NoSuchOutput)
    }

    pub(crate) fn unplug(&mut self, output: OutputId) -> Result<(), Refused> {
        self.plugged(output)?.connected = false;
        Ok(())
    }

    pub(crate) fn set_mode(&mut self, output: OutputId, mode: OutputMode) -> Result<(), Refused> {
        self.plugged(output)?.mode = mode;
        Ok(())
    }

    pub(crate) fn reserve(&mut self, output: OutputId, margins: Margins) -> Result<(), Refused> {
        self.plugged(output)?.reserved = margins;
        Ok(())
    }

    pub(crate) fn focus_output(&mut self, output: OutputId) -> Result<(), Refused> {
        self.plugged(output)?;
        self.seat = output;
        let shown = self.shown_on(output);
        self.choose_latest(shown);
        Ok(())
    }

    pub(crate) fn show_workspace(&mut self, name: &str) -> Result<(), Refused> {
        let workspace = self.workspace_or_new(name)?;
        let empty = self.of_workspace(workspace).next().is_none();
        let seat = self.seat();
        if let Some(w) = self.workspaces.get_mut(&workspace)
            && empty
            && self.outputs.get(&w.home).is_some_and(|o| !o.connected)
        {
            // Nothing on it is to return to the absent output.
            w.home = seat;
        }
        self.show(workspace);
        self.choose_latest(Some(workspace));
        Ok(())
    }

    /// Shows a workspace on the output where it stands, which is the focused one from now on.
    pub(crate) fn show(&mut self, workspace: WorkspaceId) {
        let Some(stand) = self.workspaces.get(&workspace).map(|w| self.stand_of(w)) else {
            return;
        };
        self.seat = stand;
        if let Some(output) = self.outputs.get_mut(&stand) {
            output.note_shown(workspace);
        }
    }

    pub(crate) fn step_workspace(&mut self, back: bool) -> Result<(), Refused> {
        let seat = self.seat();
        let listed = self.workspaces_on(seat);
        let shown = self.shown_on(seat);
        let at = listed.iter().position(|w| Some(*w) == shown);
        let next = at.and_then(|at| {
            if back {
                at.checked_sub(1)
            } else {
                at.checked_add(1)
            }
        });
        let next = next
            .and_then(|i| listed.get(i))
            .ok_or(Refused::NothingThere)?;
        let name = self.workspaces[next].name.clone();
        self.show_workspace(&name)
    }

    pub(crate) fn rename_workspace(&mut self, name: &str, to: String) -> Result<(), Refused> {
        let id = self.workspace_named(name).ok_or(Refused::NoSuchWorkspace)?;
        if to.is_empty() || self.workspace_named(&to).is_some() {
            return Err(Refused::NameTaken);
        }
        if let Some(workspace) = self.workspaces.get_mut(&id) {
            workspace.name = to;
        }
        Ok(())
    }

    pub(crate) fn move_workspace(&mut self, name: &str, to: OutputId) -> Result<(), Refused> {
        let id = self.workspace_named(name).ok_or(Refused::NoSuchWorkspace)?;
        self.plugged(to)?;
        if let Some(workspace) = self.workspaces.get_mut(&id) {
            workspace.home = to;
        }
        self.show(id);
        self.choose_latest(Some(id));
        Ok(())
    }

    /// The workspace of this name; made where windows open if there is none.
    pub(crate) fn workspace_or_new(&mut self, name: &str) -> Result<WorkspaceId, Refused> {
        match self.workspace_named(name) {
            Some(id) => Ok(id),
            None if name.is_empty() => Err(Refused::NoSuchWorkspace),
            None => Ok(self.add_workspace(name.to_owned(), self.seat())),
        }
    }

    pub(crate) fn add_workspace(&mut self, name: String, home: OutputId) -> WorkspaceId {
        let id = WorkspaceId(self.next_workspace);
        self.next_workspace += 1;
        self.workspaces.insert(id, Workspace::new(name, home));
        id
    }

    /// Every output has a workspace of its own.
    pub(crate) fn provide(&mut self) {
        let outputs: Vec<OutputId> = self.outputs.keys().copied().collect();
        for output in outputs {
            if self.own_shown_on(output).is_none() {
                let name = self.free_name();
                self.add_workspace(name, output);
            }
        }
    }

    /// After each operation but those of the hardware, which take nothing away: empty workspaces that nobody looks at are gone,
    /// and views hold on to the column that is now the active one.
    pub(crate) fn tidy(&mut self) {
        let mut kept: Vec<WorkspaceId> = self.windows.values().map(|w| w.workspace).collect();
        for output in self.outputs.keys() {
            kept.extend(self.shown_on(*output));
            kept.extend(self.own_shown_on(*output));
        }
        kept.sort();
        self.workspaces
            .retain(|id, _| kept.binary_search(id).is_ok());
        for output in self.outputs.values_mut() {
            output.history.retain(|id| self.workspaces.contains_key(id));
        }
        for workspace in std::mem::take(&mut self.moved) {
            self.settle_view(workspace);
        }
    }

    fn free_name(&self) -> String {
        let taken = |n: &u32| self.workspace_named(&n.to_string()).is_some();
        let n = (1..=u32::MAX).find(|n| !taken(n)).unwrap_or(u32::MAX);
        n.to_string()
    }
}
