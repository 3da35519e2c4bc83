//! The desktop as scripts see it.

use serde::Serialize;
use smithay::utils::{Logical, Rectangle, Transform};

use crate::outputs::Head;
use crate::shell::{Item, WindowMode};
use crate::state::Overwinter;

/// Logical pixels.
#[derive(Serialize, Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl From<Rectangle<i32, Logical>> for Rect {
    fn from(rect: Rectangle<i32, Logical>) -> Rect {
        Rect {
            x: rect.loc.x,
            y: rect.loc.y,
            width: rect.size.w,
            height: rect.size.h,
        }
    }
}

/// A window, or the ghost of one that sleeps: it keeps its id.
#[derive(Serialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WindowPart {
    pub id: String,
    pub title: String,
    pub app_id: String,
    /// Null: its app does not sleep.
    pub group: Option<String>,
    pub asleep: bool,
    pub focused: bool,
    minimised: bool,
    /// Its name.
    workspace: Option<String>,
    mode: &'static str,
    rect: Option<Rect>,
    parent: Option<String>,
}

/// An output.
#[derive(Serialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) struct OutputPart {
    name: String,
    make: String,
    model: String,
    /// It is in use: has a place on the desktop.
    enabled: bool,
    /// It is dark to save power.
    off: bool,
    rect: Option<Rect>,
    scale: f64,
    transform: &'static str,
    mode: Option<ModePart>,
}

/// Device pixels; thousandths of a hertz.
#[derive(Serialize, Debug, Clone, Copy, PartialEq)]
struct ModePart {
    width: i32,
    height: i32,
    refresh: i32,
}

/// A workspace.
#[derive(Serialize, Debug, Clone, PartialEq)]
pub(super) struct WorkspacePart {
    name: String,
    output: String,
    shown: bool,
    focused: bool,
}

impl Overwinter {
    /// By id.
    pub(super) fn windows_for_scripts(&self) -> Vec<WindowPart> {
        let all = self.toplevels();
        let part = |(entry, window): (&crate::shell::Entry, &crate::shell::Toplevel)| WindowPart {
            id: entry.to_string(),
            title: window.title.clone(),
            app_id: window.app_id.clone(),
            group: self.shell.group_of_item(window.item).map(|g| g.to_string()),
            asleep: matches!(window.item, Item::Ghost(_)),
            focused: window.activated,
            minimised: window.minimized,
            workspace: self.workspace_name(window.item),
            mode: match window.mode {
                WindowMode::Floating => "floating",
                WindowMode::Tiled => "tiled",
                WindowMode::Maximized => "maximised",
                WindowMode::Fullscreen => "fullscreen",
            },
            rect: self.shell.rect_of(window.item).map(Rect::from),
            parent: window.parent.as_ref().map(ToString::to_string),
        };
        all.iter().map(part).collect()
    }

    /// By name.
    pub(super) fn outputs_for_scripts(&self) -> Vec<OutputPart> {
        let part = |head: &Head| {
            let physical = head.output.physical_properties();
            OutputPart {
                name: head.name(),
                make: physical.make,
                model: physical.model,
                enabled: head.enabled(),
                off: head.off,
                rect: head.enabled().then(|| head.area().into()),
                scale: head.scale(),
                transform: turned(head.output.current_transform()),
                mode: head.output.current_mode().map(|mode| ModePart {
                    width: mode.size.w,
                    height: mode.size.h,
                    refresh: mode.refresh,
                }),
            }
        };
        self.outputs.plugged().map(part).collect()
    }

    fn workspace_name(&self, item: Item) -> Option<String> {
        let desktop = self.shell.desktop();
        let of = desktop.window(item.name())?.workspace;
        Some(desktop.workspace(of)?.name.clone())
    }

    /// By output, in their order there.
    pub(super) fn workspaces_for_scripts(&self) -> Vec<WorkspacePart> {
        let desktop = self.shell.desktop();
        let mut parts = Vec::new();
        for output in self.outputs.used().map(Head::name) {
            let Some(id) = desktop.output_at(&output) else {
                continue;
            };
            let shown = desktop.shown_on(id);
            for workspace in desktop.workspaces_on(id) {
                let Some(known) = desktop.workspace(workspace) else {
                    continue;
                };
                let is_shown = shown == Some(workspace);
                parts.push(WorkspacePart {
                    name: known.name.clone(),
                    output: output.clone(),
                    shown: is_shown,
                    focused: is_shown && desktop.seat() == id,
                });
            }
        }
        parts
    }
}

/// As the configuration calls it.
fn turned(transform: Transform) -> &'static str {
    match transform {
        Transform::Normal => "normal",
        Transform::_90 => "90",
        Transform::_180 => "180",
        Transform::_270 => "270",
        Transform::Flipped => "flipped",
        Transform::Flipped90 => "flipped-90",
        Transform::Flipped180 => "flipped-180",
        Transform::Flipped270 => "flipped-270",
    }
}
