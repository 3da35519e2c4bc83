//! The session as JSON: what `Control1.Status` answers. The schema is written down in `docs/status.md`.

use overwinter_proto::GroupId;
use overwinter_session::view::View;
use serde::Serialize;

use super::notices::Notice;
use crate::driver::Driver;
use crate::state::Overwinter;

/// Everything.
#[derive(Serialize, Debug)]
pub struct Status {
    /// The session itself.
    pub session: SessionPart,
    /// What keeps the groups.
    pub store: StorePart,
    /// Every group known here.
    pub groups: Vec<GroupPart>,
    /// Every process that takes part.
    pub instances: Vec<InstancePart>,
    /// Every app of the native tier.
    pub apps: Vec<AppPart>,
    /// Operations that run.
    pub operations: Vec<u64>,
    /// What the user was told last, oldest first.
    pub notices: Vec<Notice>,
}

/// The session itself.
#[derive(Serialize, Debug)]
pub struct SessionPart {
    /// Number of its start; grows.
    pub incarnation: u32,
    /// Name of the host.
    pub host: String,
    /// Public key of the host, hexadecimal.
    pub key: String,
    /// Value for WAYLAND_DISPLAY.
    pub wayland_display: String,
    /// Process of the compositor.
    pub pid: u32,
    /// The launcher is connected.
    pub launcher: bool,
}

/// What keeps the groups.
#[derive(Serialize, Debug)]
pub struct StorePart {
    /// Bytes that it takes; null until that is known.
    pub used: Option<u64>,
    /// Bytes that it may take; null: all the disk.
    pub quota: Option<u64>,
    /// The ways to its master key.
    pub slots: Vec<&'static str>,
    /// What there is to say about how that key is kept; null when nothing.
    pub warning: Option<String>,
}

/// One group.
#[derive(Serialize, Debug)]
pub struct GroupPart {
    /// 32 hexadecimal digits.
    pub id: GroupId,
    /// App id.
    pub app: String,
    /// Of the document.
    pub title: String,
    /// A word of `Group1.State`.
    pub state: &'static str,
    /// Of the code that holds or saved it.
    pub version: String,
    /// Newest durable one, 0 for none.
    pub generation: u64,
    /// "epoch.counter".
    pub lease: String,
    /// Of the holder, 0 for none.
    pub pid: u32,
    /// Processes that keep a retired copy for undo.
    pub retired: Vec<u32>,
    /// Host it was released to.
    pub lives_on: Option<String>,
    /// The last thing that went wrong with it.
    pub error: Option<String>,
    /// Its windows or ghosts, lowest first.
    pub windows: Vec<WindowPart>,
}

/// What stands on the desktop for a group.
#[derive(Serialize, Debug, PartialEq)]
pub struct WindowPart {
    /// Left edge of the window geometry, logical pixels.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
    /// A picture stands in for it.
    pub ghost: bool,
    /// Has the keyboard focus.
    pub focused: bool,
}

/// One process.
#[derive(Serialize, Debug)]
pub struct InstancePart {
    /// Number within this session.
    pub instance: u64,
    /// Process.
    pub pid: u32,
    /// App id.
    pub app: String,
    /// Version of the code it runs; empty until it has registered.
    pub version: String,
    /// Identity of that code.
    pub build: String,
    /// The code on disk is another.
    pub stale: bool,
    /// Milliseconds it has run stale code while it held a group.
    pub stale_ms: u64,
    /// Milliseconds since it became known to the session.
    pub age_ms: u64,
    /// It has said Register.
    pub registered: bool,
    /// It was asked to end.
    pub ending: bool,
    /// It holds nothing but retired copies.
    pub retired: bool,
    /// Groups whose lease it holds.
    pub groups: Vec<GroupId>,
}

/// One app.
#[derive(Serialize, Debug)]
pub struct AppPart {
    /// Name of its .desktop file.
    pub id: String,
    /// For people.
    pub name: String,
    /// Version on disk.
    pub version: String,
    /// Identity of the code on disk; empty while the program is missing.
    pub build: String,
}

impl Driver {
    /// `Control1.Status`.
    pub(crate) fn status(&mut self, state: &Overwinter) -> Result<String, String> {
        let view = self.session.view();
        let status = Status {
            session: SessionPart {
                incarnation: self.incarnation,
                host: self.host.clone(),
                key: hex::encode(self.identity.public()),
                wayland_display: state.socket.clone(),
                pid: std::process::id(),
                launcher: self.launcher.is_connected(),
            },
            store: self.store_part(),
            groups: self.group_parts(state, &view),
            instances: self.instance_parts(state, &view),
            apps: self.app_parts(),
            operations: view.operations.iter().map(|o| o.0).collect(),
            notices: self.notices.all(),
        };
        serde_json::to_string(&status).map_err(|e| format!("the status cannot be written: {e}"))
    }

    pub(crate) fn pid_of(&self, instance: Option<overwinter_proto::InstanceId>) -> u32 {
        let process = instance.and_then(|i| self.processes.get(i));
        process.map_or(0, |p| p.process.pid)
    }

    fn store_part(&self) -> StorePart {
        let space = self.taken.space();
        let kept = self.keys.kept();
        StorePart {
            used: space.map(|space| space.used),
            quota: space.and_then(|space| space.quota),
            slots: kept.slots.clone(),
            warning: (!kept.warning.is_empty()).then(|| kept.warning.clone()),
        }
    }

    fn group_parts(&self, state: &Overwinter, view: &View) -> Vec<GroupPart> {
        let part = |g: &overwinter_session::view::GroupView| GroupPart {
            id: g.group,
            app: g.app.clone(),
            title: g.title.clone(),
            state: g.state,
            version: g.version.clone(),
            generation: g.generation.0,
            lease: g.lease.to_string(),
            pid: self.pid_of(g.holder),
            retired: g.retired.iter().map(|i| self.pid_of(Some(*i))).collect(),
            lives_on: g.lives_on.clone(),
            error: g.error.clone(),
            windows: windows(state, g.group),
        };
        view.groups.iter().map(part).collect()
    }

    fn instance_parts(&self, state: &Overwinter, view: &View) -> Vec<InstancePart> {
        let now = self.now(state).0;
        let part = |i: &overwinter_session::view::InstanceView| {
            let process = self.processes.get(i.instance);
            let build = i.build.clone().unwrap_or_default();
            InstancePart {
                instance: i.instance.0,
                pid: self.pid_of(Some(i.instance)),
                app: i.app.clone(),
                version: build.version,
                build: build.id,
                stale: i.stale,
                stale_ms: i.stale_ms,
                age_ms: process.map_or(0, |p| now.saturating_sub(p.since_ms)),
                registered: i.registered,
                ending: i.ending,
                retired: i.retired,
                groups: i.groups.clone(),
            }
        };
        view.instances.iter().map(part).collect()
    }

    fn app_parts(&self) -> Vec<AppPart> {
        let part = |app: &overwinter_watch::App| {
            let build = self.builds.get(&app.id).cloned().unwrap_or_default();
            AppPart {
                id: app.id.clone(),
                name: app.name.clone(),
                version: build.version,
                build: build.id,
            }
        };
        self.apps.values().map(part).collect()
    }
}

fn windows(state: &Overwinter, group: GroupId) -> Vec<WindowPart> {
    let shell = &state.shell;
    let of_group = shell
        .standing()
        .into_iter()
        .filter(|i| shell.group_of_item(*i) == Some(group));
    of_group
        .filter_map(|item| {
            let rect = shell.rect_of(item)?;
            Some(WindowPart {
                x: rect.loc.x,
                y: rect.loc.y,
                width: rect.size.w,
                height: rect.size.h,
                ghost: matches!(item, crate::shell::Item::Ghost(_)),
                focused: shell.focus() == Some(item),
            })
        })
        .collect()
}
