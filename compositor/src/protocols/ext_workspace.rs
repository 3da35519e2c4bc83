//! ext-workspace: panels list workspaces, show one, make one, and move one to another output. One group for each output.
//!
//! A workspace without windows goes when another one is shown, so nobody has to remove any; and each output shows exactly one, so none
//! can be left without another taking its place. Both are not offered.

use std::collections::BTreeMap;

use overwinter_layout::{Op, OutputId, WorkspaceId};
use wayland_protocols::ext::workspace::v1::server::ext_workspace_group_handle_v1::{
    self, ExtWorkspaceGroupHandleV1, GroupCapabilities,
};
use wayland_protocols::ext::workspace::v1::server::ext_workspace_handle_v1::{
    self, ExtWorkspaceHandleV1, State, WorkspaceCapabilities,
};
use wayland_protocols::ext::workspace::v1::server::ext_workspace_manager_v1::{
    self, ExtWorkspaceManagerV1,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource};

use crate::client::is_privileged;
use crate::state::Overwinter;

/// So much a client may wish for before it commits.
const MOST_WISHES: usize = 64;

/// Who is told of workspaces, and what they were told.
#[derive(Debug)]
pub struct ExtWorkspaces {
    managers: Vec<Manager>,
}

#[derive(Debug)]
struct Manager {
    object: ExtWorkspaceManagerV1,
    groups: BTreeMap<OutputId, ExtWorkspaceGroupHandleV1>,
    workspaces: BTreeMap<WorkspaceId, (ExtWorkspaceHandleV1, Told)>,
    /// Carried out with its commit.
    wishes: Vec<Wish>,
}

#[derive(Debug)]
enum Wish {
    Show(WorkspaceId),
    Move(WorkspaceId, OutputId),
    Make(OutputId, String),
}

/// What a panel shows of a workspace.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    name: String,
    output: OutputId,
    place: u32,
    state: State,
}

impl ExtWorkspaces {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> ExtWorkspaces {
        display.create_global::<Overwinter, ExtWorkspaceManagerV1, ()>(1, ());
        ExtWorkspaces {
            managers: Vec::new(),
        }
    }

    fn manager_of<R: Resource>(
        &mut self,
        handle: &R,
        has: impl Fn(&Manager) -> bool,
    ) -> Option<&mut Manager> {
        let id = handle.id();
        let own = |m: &&mut Manager| m.object.id().same_client_as(&id) && has(m);
        self.managers.iter_mut().find(own)
    }
}

impl Manager {
    fn group(&self, output: OutputId) -> Option<&ExtWorkspaceGroupHandleV1> {
        self.groups.get(&output).filter(|g| g.is_alive())
    }

    fn wish(&mut self, wish: Wish) {
        if self.wishes.len() < MOST_WISHES {
            self.wishes.push(wish);
        }
    }

    fn leave(&self, workspace: &ExtWorkspaceHandleV1, output: OutputId) {
        if let Some(group) = self.group(output).filter(|_| workspace.is_alive()) {
            group.workspace_leave(workspace);
        }
    }

    fn enter(&self, workspace: &ExtWorkspaceHandleV1, output: OutputId) {
        if let Some(group) = self.group(output).filter(|_| workspace.is_alive()) {
            group.workspace_enter(workspace);
        }
    }
}

impl Overwinter {
    /// Tells panels what is new. Called after each round of the event loop: workspaces change for many reasons.
    pub fn tell_workspaces(&mut self) {
        if self.ext_workspaces.managers.is_empty() {
            return;
        }
        let now = self.workspaces();
        let mut managers = std::mem::take(&mut self.ext_workspaces.managers);
        for manager in &mut managers {
            self.tell_workspaces_to(manager, &now);
        }
        self.ext_workspaces.managers = managers;
    }

    fn workspaces(&self) -> BTreeMap<WorkspaceId, Told> {
        let shell = &self.shell;
        let mut all = BTreeMap::new();
        for stand in &shell.arrangement().stands {
            for (place, id) in (0..).zip(shell.desktop().workspaces_on(stand.output)) {
                let Some(workspace) = shell.desktop().workspace(id) else {
                    continue;
                };
                let mut windows = shell.desktop().windows();
                let mut state = State::empty();
                state.set(State::Active, stand.workspace == id);
                let urgent = windows.any(|(_, w)| w.urgent && w.workspace == id);
                state.set(State::Urgent, urgent);
                let told = Told {
                    name: workspace.name.clone(),
                    output: stand.output,
                    place,
                    state,
                };
                all.insert(id, told);
            }
        }
        all
    }

    fn tell_workspaces_to(&self, manager: &mut Manager, now: &BTreeMap<WorkspaceId, Told>) {
        let stands = &self.shell.arrangement().stands;
        let outputs: Vec<OutputId> = stands.iter().map(|s| s.output).collect();
        let same = manager.workspaces.len() == now.len()
            && now
                .iter()
                .all(|(id, told)| manager.workspaces.get(id).is_some_and(|(_, t)| t == told))
            && manager.groups.keys().eq(outputs.iter());
        if same {
            return;
        }
        // What has gone, or has another output, leaves its group while that is still there.
        for (id, (workspace, told)) in &manager.workspaces {
            if now.get(id).is_none_or(|n| n.output != told.output) {
                manager.leave(workspace, told.output);
            }
        }
        manager.workspaces.retain(|id, (workspace, _)| {
            let stays = now.contains_key(id);
            if !stays {
                workspace.removed();
            }
            stays
        });
        manager.groups.retain(|output, group| {
            let stays = outputs.contains(output);
            if !stays {
                group.removed();
            }
            stays
        });
        for output in outputs {
            if !manager.groups.contains_key(&output) {
                self.introduce_group(manager, output);
            }
        }
        for (id, told) in now {
            self.tell_workspace(manager, *id, told);
        }
        manager.object.done();
    }

    fn introduce_group(&self, manager: &mut Manager, output: OutputId) {
        let Some(client) = manager.object.client() else {
            return;
        };
        let made = client.create_resource::<ExtWorkspaceGroupHandleV1, OutputId, Overwinter>(
            &self.display,
            manager.object.version(),
            output,
        );
        let Ok(group) = made else { return };
        manager.object.workspace_group(&group);
        group.capabilities(GroupCapabilities::CreateWorkspace);
        for output in self.outputs_of_group(&client, output) {
            group.output_enter(&output);
        }
        manager.groups.insert(output, group);
    }

    fn outputs_of_group(&self, client: &Client, output: OutputId) -> Vec<WlOutput> {
        let desktop = self.shell.desktop();
        let named = self
            .outputs
            .used()
            .find(|h| desktop.output_at(&h.name()) == Some(output));
        let bound = named.map(|head| head.output.client_outputs(client));
        bound.into_iter().flatten().collect()
    }

    fn tell_workspace(&self, manager: &mut Manager, id: WorkspaceId, told: &Told) {
        let known = manager.workspaces.get(&id).cloned();
        let before = known.as_ref().map(|(_, before)| before);
        if before == Some(told) {
            return;
        }
        let workspace = match &known {
            Some((workspace, _)) => workspace.clone(),
            None => match self.introduce_workspace(manager, id) {
                Some(workspace) => workspace,
                None => return,
            },
        };
        if before.is_none_or(|b| b.name != told.name) {
            workspace.name(told.name.clone());
        }
        if before.is_none_or(|b| b.place != told.place) {
            workspace.coordinates(told.place.to_ne_bytes().to_vec());
        }
        if before.is_none_or(|b| b.state != told.state) {
            workspace.state(told.state);
        }
        if before.is_none_or(|b| b.output != told.output) {
            manager.enter(&workspace, told.output);
        }
        manager.workspaces.insert(id, (workspace, told.clone()));
    }

    fn introduce_workspace(
        &self,
        manager: &Manager,
        id: WorkspaceId,
    ) -> Option<ExtWorkspaceHandleV1> {
        let client = manager.object.client()?;
        let made = client.create_resource::<ExtWorkspaceHandleV1, WorkspaceId, Overwinter>(
            &self.display,
            manager.object.version(),
            id,
        );
        let workspace = made.ok()?;
        manager.object.workspace(&workspace);
        workspace.capabilities(WorkspaceCapabilities::Activate | WorkspaceCapabilities::Assign);
        Some(workspace)
    }

    /// A client bound an output after it had been told of its group.
    pub fn tell_output_of_group(&self, output: &WlOutput) {
        let Some(id) = self.layout_output(output) else {
            return;
        };
        let own = |m: &&Manager| m.object.id().same_client_as(&output.id());
        for manager in self.ext_workspaces.managers.iter().filter(own) {
            if let Some(group) = manager.group(id) {
                group.output_enter(output);
                manager.object.done();
            }
        }
    }

    fn carry_out_wish(&mut self, wish: Wish) {
        let name = |id| Some(self.shell.desktop().workspace(id)?.name.clone());
        let ops = match wish {
            Wish::Show(id) => name(id).map(|name| vec![Op::ShowWorkspace(name)]),
            Wish::Move(id, to) => name(id).map(|name| vec![Op::MoveWorkspace { name, to }]),
            // There is one of that name already: which of the two is meant would depend on luck.
            Wish::Make(_, name) if self.shell.desktop().workspace_named(&name).is_some() => None,
            Wish::Make(on, name) => Some(vec![Op::FocusOutput(on), Op::ShowWorkspace(name)]),
        };
        self.layout_all(ops.into_iter().flatten());
    }
}

impl GlobalDispatch<ExtWorkspaceManagerV1, ()> for Overwinter {
    fn bind(
        this: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ExtWorkspaceManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        this.ext_workspaces.managers.push(Manager {
            object: data_init.init(resource, ()),
            groups: BTreeMap::new(),
            workspaces: BTreeMap::new(),
            wishes: Vec::new(),
        });
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ExtWorkspaceManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        object: &ExtWorkspaceManagerV1,
        request: ext_workspace_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use ext_workspace_manager_v1::Request;
        let managers = &mut this.ext_workspaces.managers;
        match request {
            Request::Commit => {
                let own = managers.iter_mut().find(|m| m.object == *object);
                let wishes = own.map(|m| std::mem::take(&mut m.wishes));
                // What is behind a lock stays as it is.
                if this.shell.lock.is_none() {
                    for wish in wishes.into_iter().flatten() {
                        this.carry_out_wish(wish);
                    }
                }
            }
            Request::Stop => {
                managers.retain(|m| m.object != *object);
                object.finished();
            }
            _ => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, object: &ExtWorkspaceManagerV1, (): &()) {
        let managers = &mut this.ext_workspaces.managers;
        managers.retain(|m| m.object != *object);
    }
}

impl Dispatch<ExtWorkspaceGroupHandleV1, OutputId> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        group: &ExtWorkspaceGroupHandleV1,
        request: ext_workspace_group_handle_v1::Request,
        output: &OutputId,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        if let ext_workspace_group_handle_v1::Request::CreateWorkspace { workspace } = request {
            let knows = |m: &Manager| m.groups.get(output) == Some(group);
            if let Some(manager) = this.ext_workspaces.manager_of(group, knows) {
                manager.wish(Wish::Make(*output, workspace));
            }
        }
    }
}

impl Dispatch<ExtWorkspaceHandleV1, WorkspaceId> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        workspace: &ExtWorkspaceHandleV1,
        request: ext_workspace_handle_v1::Request,
        id: &WorkspaceId,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use ext_workspace_handle_v1::Request;
        let wish = match request {
            Request::Activate => Wish::Show(*id),
            Request::Assign { workspace_group } => match workspace_group.data::<OutputId>() {
                Some(output) => Wish::Move(*id, *output),
                None => return,
            },
            _ => return,
        };
        let knows = |m: &Manager| m.workspaces.get(id).is_some_and(|(w, _)| w == workspace);
        if let Some(manager) = this.ext_workspaces.manager_of(workspace, knows) {
            manager.wish(wish);
        }
    }
}
