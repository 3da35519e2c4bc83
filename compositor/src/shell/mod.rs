//! Windows, groups of windows and their ghosts: one stack, one focus.
//!
//! What holds at any time:
//!
//! 1. The layout (see [`desktop`]) holds each shown window and each ghost once, and nothing else. Where they stand, what is above
//!    what and who has the focus is as it says.
//! 2. The stack holds those of them that are seen, lowest first.
//! 3. What has the focus has a place in the layout, or nothing has.
//! 4. The keyboard's Wayland focus is the focused window's surface, unless that window's group holds its input, a layer surface
//!    has the keyboard, or the session is locked.
//! 5. A window bound to a copy that is not its group's holder is never shown.

use std::collections::BTreeMap;

use overwinter_layout::{Arrangement, Desktop};
use smithay::utils::{Logical, Rectangle};
use wayland_server::protocol::wl_surface::WlSurface;

use overwinter_session::ids::GroupId;

mod apply;
mod binding;
mod desktop;
mod focus;
mod frame;
mod ghost;
mod group;
mod layers;
mod lock;
mod order;
mod present;
mod surface;
mod swap;
mod toplevels;
mod window;

pub use binding::{Binding, Grant};
pub use frame::{Button, FramePart, Margins, TITLE, buttons};
pub use ghost::Ghost;
pub use group::{Group, Phase};
pub use layers::{Layer, Layers};
pub use lock::{Cover, Lock};
pub use order::{Listener, Standing};
pub use surface::{Unmanaged, WindowSurface};
pub use toplevels::{Entry, Toplevel};
pub use window::{ModeWish, ShellWindow, Visibility, WindowMode};

/// Names a window for its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowId(u64);

/// Names a ghost for its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GhostId(u64);

/// What stands on the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A client's window.
    Window(WindowId),
    /// A picture that stands in for one.
    Ghost(GhostId),
}

/// All that stands on the desktop, and what waits to.
#[derive(Debug, Default)]
pub struct Shell {
    windows: BTreeMap<WindowId, ShellWindow>,
    ghosts: BTreeMap<GhostId, Ghost>,
    groups: BTreeMap<GroupId, Group>,
    grants: BTreeMap<String, Grant>,
    desktop: Desktop,
    /// As it was computed last.
    arrangement: Arrangement,
    /// What is seen of it.
    stack: Vec<Item>,
    /// Menus and tooltips of X11 clients, lowest first.
    pub unmanaged: Vec<Unmanaged>,
    /// Alt+Tab goes on.
    cycle: Option<focus::Cycle>,
    /// Panels, wallpapers, launchers.
    pub layers: Layers,
    /// Set while the session is locked.
    pub lock: Option<Lock>,
    wanted: Vec<(GroupId, overwinter_session::ids::Generation)>,
    last_id: u64,
}

impl Shell {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A client made a window. It is shown when it has a buffer.
    pub fn add_window(&mut self, window: WindowSurface) -> WindowId {
        let id = WindowId(self.next_id());
        self.windows.insert(id, ShellWindow::new(id, window));
        id
    }

    /// A window by name.
    pub fn window(&self, id: WindowId) -> Option<&ShellWindow> {
        self.windows.get(&id)
    }

    /// A window by name.
    pub fn window_mut(&mut self, id: WindowId) -> Option<&mut ShellWindow> {
        self.windows.get_mut(&id)
    }

    /// A ghost by name.
    pub fn ghost(&self, id: GhostId) -> Option<&Ghost> {
        self.ghosts.get(&id)
    }

    /// A group by name.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// A group by name.
    pub fn group_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(&id)
    }

    /// The names of all groups.
    pub fn group_ids(&self) -> impl Iterator<Item = GroupId> {
        self.groups.keys().copied()
    }

    /// How it stands with the group's ghosts changed.
    pub fn ghosts_changed(&mut self, group: GroupId) {
        self.mark_ghosts(group);
    }

    /// All windows, shown or not.
    pub fn windows(&self) -> impl Iterator<Item = &ShellWindow> {
        self.windows.values()
    }

    /// The window whose root surface this is.
    pub fn window_of(&self, surface: &WlSurface) -> Option<WindowId> {
        self.windows
            .values()
            .find(|w| w.wl_surface() == surface)
            .map(|w| w.id)
    }

    /// Whether the window has its place on the desktop: it, and no ghost, stands for itself.
    pub fn is_shown(&self, id: WindowId) -> bool {
        self.stands(Item::Window(id))
    }

    /// Whether it is on screen.
    pub fn is_seen(&self, item: Item) -> bool {
        let slot = self.slot(item);
        slot.is_some_and(|s| s.visibility == overwinter_layout::Visibility::Shown)
    }

    /// Hidden windows that draw towards being shown.
    pub fn restoring(&self) -> impl Iterator<Item = &ShellWindow> {
        self.windows.values().filter(|w| w.is_restoring())
    }

    /// Whether a commit of this window asks for a frame.
    pub fn needs_frames(&self, id: WindowId) -> bool {
        self.is_seen(Item::Window(id))
            || self.windows.get(&id).is_some_and(ShellWindow::is_restoring)
    }

    /// The parent that the client named, if it is one of ours.
    pub fn parent_of(&self, id: WindowId) -> Option<WindowId> {
        let window = &self.windows.get(&id)?.window;
        match window.as_x11() {
            Some(_) => self.x11_parent_of(id),
            None => self.window_of(&window.parent()?),
        }
    }

    /// Any X11 client may name any window, also in a circle: then none in it has a parent.
    fn x11_parent_of(&self, id: WindowId) -> Option<WindowId> {
        let named = |of: WindowId| {
            let parent = self.windows.get(&of)?.window.as_x11()?.is_transient_for()?;
            let mut windows = self.windows.values();
            let parent =
                windows.find(|w| w.window.as_x11().is_some_and(|x| x.window_id() == parent));
            parent.map(|w| w.id)
        };
        let parent = named(id)?;
        let ancestors = std::iter::successors(Some(parent), |at| named(*at));
        let circle = ancestors.take(self.windows.len()).any(|at| at == id);
        (!circle).then_some(parent)
    }

    /// The group that this window belongs to: its own, or the one of its nearest bound parent.
    pub fn group_of(&self, id: WindowId) -> Option<GroupId> {
        let mut at = id;
        for _ in 0..=self.windows.len() {
            let window = self.windows.get(&at)?;
            if let Some(binding) = &window.binding {
                return Some(binding.group);
            }
            at = self.parent_of(at)?;
        }
        None
    }

    /// The group of what stands there.
    pub fn group_of_item(&self, item: Item) -> Option<GroupId> {
        match item {
            Item::Window(id) => self.group_of(id),
            Item::Ghost(id) => self.ghosts.get(&id).map(|g| g.group),
        }
    }

    /// Where it stands: its window geometry.
    pub fn rect_of(&self, item: Item) -> Option<Rectangle<i32, Logical>> {
        match item {
            Item::Window(id) => self.windows.get(&id).map(ShellWindow::rect),
            Item::Ghost(id) => self.ghosts.get(&id).map(Ghost::rect),
        }
    }
}
