//! What a panel is told of workspaces, and what it may do with them.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;

use common::{Client, Data, Fixture, open};
use overwinter_layout::Op;
use wayland_client::{Connection, Dispatch, Proxy, QueueHandle, event_created_child};
use wayland_protocols::ext::workspace::v1::client::{
    ext_workspace_group_handle_v1::{self, ExtWorkspaceGroupHandleV1},
    ext_workspace_handle_v1::{self, ExtWorkspaceHandleV1, State},
    ext_workspace_manager_v1::{self, ExtWorkspaceManagerV1},
};
use wayland_protocols::xdg::activation::v1::client::{
    xdg_activation_token_v1::{self, XdgActivationTokenV1},
    xdg_activation_v1::XdgActivationV1,
};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;

/// What the panel knows, by the objects' ids.
#[derive(Default)]
struct Known {
    groups: Vec<(ExtWorkspaceGroupHandleV1, Vec<u32>)>,
    workspaces: BTreeMap<u32, Workspace>,
    outputs: u32,
    done: u32,
    token: Option<String>,
}

#[derive(Clone)]
struct Workspace {
    handle: ExtWorkspaceHandleV1,
    name: String,
    place: Vec<u8>,
    state: u32,
    capabilities: u32,
}

thread_local!(static KNOWN: RefCell<Known> = RefCell::default());

fn known<T>(what: impl FnOnce(&mut Known) -> T) -> T {
    KNOWN.with_borrow_mut(what)
}

impl Dispatch<ExtWorkspaceManagerV1, ()> for Data {
    fn event(
        _: &mut Self,
        _: &ExtWorkspaceManagerV1,
        event: ext_workspace_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use ext_workspace_manager_v1::Event;
        match event {
            Event::WorkspaceGroup { workspace_group } => {
                known(|k| k.groups.push((workspace_group, Vec::new())))
            }
            Event::Workspace { workspace } => known(|k| {
                let id = workspace.id().protocol_id();
                let new = Workspace {
                    handle: workspace,
                    name: String::new(),
                    place: Vec::new(),
                    state: 0,
                    capabilities: 0,
                };
                k.workspaces.insert(id, new);
            }),
            Event::Done => known(|k| k.done += 1),
            _ => {}
        }
    }

    event_created_child!(Data, ExtWorkspaceManagerV1, [
        ext_workspace_manager_v1::EVT_WORKSPACE_GROUP_OPCODE => (ExtWorkspaceGroupHandleV1, ()),
        ext_workspace_manager_v1::EVT_WORKSPACE_OPCODE => (ExtWorkspaceHandleV1, ()),
    ]);
}

impl Dispatch<ExtWorkspaceGroupHandleV1, ()> for Data {
    fn event(
        _: &mut Self,
        group: &ExtWorkspaceGroupHandleV1,
        event: ext_workspace_group_handle_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use ext_workspace_group_handle_v1::Event;
        known(|k| {
            let own = k.groups.iter_mut().find(|(g, _)| g == group);
            match (event, own) {
                (Event::WorkspaceEnter { workspace }, Some((_, within))) => {
                    within.push(workspace.id().protocol_id());
                }
                (Event::WorkspaceLeave { workspace }, Some((_, within))) => {
                    within.retain(|w| *w != workspace.id().protocol_id());
                }
                (Event::OutputEnter { .. }, _) => k.outputs += 1,
                (Event::Removed, Some((_, within))) => {
                    assert!(within.is_empty(), "a group went with workspaces in it");
                    k.groups.retain(|(g, _)| g != group);
                }
                _ => {}
            }
        });
    }
}

impl Dispatch<ExtWorkspaceHandleV1, ()> for Data {
    fn event(
        _: &mut Self,
        handle: &ExtWorkspaceHandleV1,
        event: ext_workspace_handle_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use ext_workspace_handle_v1::Event;
        known(|k| {
            let id = handle.id().protocol_id();
            let Some(workspace) = k.workspaces.get_mut(&id) else {
                return;
            };
            match event {
                Event::Name { name } => workspace.name = name,
                Event::Coordinates { coordinates } => workspace.place = coordinates,
                Event::State { state } => workspace.state = state.into(),
                Event::Capabilities { capabilities } => {
                    workspace.capabilities = capabilities.into();
                }
                Event::Removed => {
                    let within = k.groups.iter().any(|(_, w)| w.contains(&id));
                    assert!(!within, "a workspace went while it was in a group");
                    k.workspaces.remove(&id);
                }
                _ => {}
            }
        });
    }
}

impl Dispatch<XdgActivationTokenV1, ()> for Data {
    fn event(
        _: &mut Self,
        _: &XdgActivationTokenV1,
        event: xdg_activation_token_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_activation_token_v1::Event::Done { token } = event {
            known(|k| k.token = Some(token));
        }
    }
}

wayland_client::delegate_noop!(Data: ignore XdgActivationV1);

/// Name, place and state of each workspace, group by group.
fn listed() -> Vec<Vec<(String, u32, u32)>> {
    known(|k| {
        let group = |within: &Vec<u32>| {
            let listed = within.iter().map(|id| {
                let w = &k.workspaces[id];
                let place = u32::from_ne_bytes(w.place[..].try_into().unwrap());
                (w.name.clone(), place, w.state)
            });
            let mut listed: Vec<_> = listed.collect();
            listed.sort_by_key(|(_, place, _)| *place);
            listed
        };
        k.groups.iter().map(|(_, within)| group(within)).collect()
    })
}

fn handle_of(name: &str) -> ExtWorkspaceHandleV1 {
    known(|k| {
        let found = k.workspaces.values().find(|w| w.name == name);
        found.unwrap().handle.clone()
    })
}

fn wait_for(fixture: &mut Fixture, panel: &mut Client, wanted: &[&[(&str, u32, u32)]]) {
    let named = |g: &&[(&str, u32, u32)]| -> Vec<(String, u32, u32)> {
        g.iter()
            .map(|(n, p, s)| ((*n).to_owned(), *p, *s))
            .collect()
    };
    let wanted: Vec<_> = wanted.iter().map(named).collect();
    fixture.roundtrip(panel);
    assert_eq!(listed(), wanted);
}

const ACTIVE: u32 = 1;
const URGENT: u32 = 2;

#[test]
fn a_panel_lists_shows_and_makes_workspaces() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 300, 200, RED);
    let mut panel = fixture.client();
    let manager: ExtWorkspaceManagerV1 = panel.bind();
    wait_for(&mut fixture, &mut panel, &[&[("1", 0, ACTIVE)]]);
    assert_eq!(known(|k| (k.outputs, k.done)), (1, 1));

    // Nothing happens before the commit.
    let group = known(|k| k.groups[0].0.clone());
    group.create_workspace("mail".into());
    wait_for(&mut fixture, &mut panel, &[&[("1", 0, ACTIVE)]]);
    manager.commit();
    let both: &[(&str, u32, u32)] = &[("1", 0, 0), ("mail", 1, ACTIVE)];
    wait_for(&mut fixture, &mut panel, &[both]);
    assert!(fixture.server.shell.stack().is_empty());

    // One without windows goes when another is shown.
    handle_of("1").activate();
    manager.commit();
    wait_for(&mut fixture, &mut panel, &[&[("1", 0, ACTIVE)]]);
    assert_eq!(fixture.server.shell.stack().len(), 1);
    assert_eq!(known(|k| k.workspaces.len()), 1);
    let capabilities = known(|k| k.workspaces.values().next().unwrap().capabilities);
    // activate and assign
    assert_eq!(capabilities, 1 | 8);

    // Idle panels are left alone.
    let done = known(|k| k.done);
    for _ in 0..10 {
        fixture.turn();
    }
    fixture.roundtrip(&mut panel);
    assert_eq!(known(|k| k.done), done);
}

#[test]
fn each_output_has_a_group_and_workspaces_go_from_one_to_the_other() {
    let mut fixture = Fixture::with_outputs(&["800x600", "640x480"]);
    let mut panel = fixture.client();
    let manager: ExtWorkspaceManagerV1 = panel.bind();
    open(&mut fixture, &mut panel, 300, 200, RED);
    wait_for(
        &mut fixture,
        &mut panel,
        &[&[("1", 0, ACTIVE)], &[("2", 0, ACTIVE)]],
    );
    let second = known(|k| k.groups[1].0.clone());
    handle_of("1").assign(&second);
    manager.commit();
    fixture.roundtrip(&mut panel);
    let there = listed()[1].clone();
    assert_eq!(there[0], ("1".into(), 0, ACTIVE));
    let item = fixture.server.shell.stack()[0];
    let rect = fixture.server.shell.rect_of(item).unwrap();
    assert!(rect.loc.x >= 800, "{rect:?}");

    // The output goes, and its workspaces are guests on the other; it comes, and they are back.
    let before = listed();
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    fixture.roundtrip(&mut panel);
    let now = listed();
    assert_eq!(now.len(), 1);
    assert!(now[0].iter().any(|(name, _, _)| name == "1"), "{now:?}");
    let plug = overwinter_compositor::outputs::Plug {
        name: Some("HEADLESS-2".into()),
        size: Some((640, 480)),
        scale: None,
    };
    fixture.server.plug_output(&plug).unwrap();
    fixture.roundtrip(&mut panel);
    assert_eq!(listed(), before);
}

#[test]
fn who_wants_the_focus_without_a_right_to_it_is_marked() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 300, 200, RED);
    let mut panel = fixture.client();
    let _manager: ExtWorkspaceManagerV1 = panel.bind();
    fixture
        .server
        .layout(Op::ShowWorkspace("mail".into()))
        .unwrap();
    open(&mut fixture, &mut panel, 300, 200, BLUE);
    let focus = fixture.server.shell.focus();
    // A token that came from no press.
    let activation: XdgActivationV1 = client.bind();
    let token = activation.get_activation_token(&client.qh(), ());
    token.commit();
    fixture.roundtrip(&mut client);
    activation.activate(known(|k| k.token.take()).unwrap(), &window.surface);
    fixture.roundtrip(&mut client);
    let both: &[(&str, u32, u32)] = &[("1", 0, URGENT), ("mail", 1, ACTIVE)];
    wait_for(&mut fixture, &mut panel, &[both]);
    assert_eq!(fixture.server.shell.focus(), focus);
    assert_eq!(State::Urgent.bits(), URGENT);

    // Who looks has heard it.
    let op = Op::ShowWorkspace("1".into());
    fixture.server.layout(op).unwrap();
    let both: &[(&str, u32, u32)] = &[("1", 0, ACTIVE), ("mail", 1, 0)];
    wait_for(&mut fixture, &mut panel, &[both]);
}
