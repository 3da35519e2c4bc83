//! The desktop: all wishes, and the questions one may ask about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::drag::Drag;
use crate::geometry::{Rect, Size};
use crate::op::{Op, Refused};
use crate::output::{Output, OutputId, OutputIdentity, side_by_side};
use crate::place::{Place, Share};
use crate::window::{Opening, Window, WindowId};
use crate::workspace::{Workspace, WorkspaceId};

/// How deep dialogs of dialogs may go. Real ones go three deep; the bound keeps every walk up a family short.
pub(crate) const DEEPEST: usize = 16;

/// What the user's configuration says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Between tiles, and between them and the edges. Logical pixels.
    pub gap: i32,
    /// New windows are tiles (unless they are dialogs, or of one size).
    pub tile: bool,
    /// How wide a new column is.
    pub column: Share,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            gap: 8,
            tile: false,
            column: Share::HALF,
        }
    }
}

/// Outputs, workspaces and windows: what each wishes. [`arrange`](Desktop::arrange) says where that puts them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desktop {
    pub(crate) options: Options,
    pub(crate) outputs: BTreeMap<OutputId, Output>,
    pub(crate) workspaces: BTreeMap<WorkspaceId, Workspace>,
    pub(crate) windows: BTreeMap<WindowId, Window>,
    /// Who is to have the focus when it can.
    pub(crate) focus: Option<WindowId>,
    /// Where windows open when it is plugged in.
    pub(crate) seat: OutputId,
    pub(crate) drag: Option<Drag>,
    /// Height of the highest window.
    pub(crate) highest: u32,
    /// Counts choices of the focus.
    pub(crate) clock: u64,
    pub(crate) next_output: u32,
    pub(crate) next_workspace: u32,
    /// Workspaces whose view holds on to another column after this operation.
    pub(crate) moved: BTreeSet<WorkspaceId>,
}

impl Default for Desktop {
    fn default() -> Desktop {
        Desktop::new(Options::default())
    }
}

impl Desktop {
    /// An empty desktop with one workspace, which waits for an output.
    pub fn new(options: Options) -> Desktop {
        let nowhere = OutputId(0);
        let mut desktop = Desktop {
            options: Options::default(),
            outputs: BTreeMap::from([(nowhere, Output::unseen(OutputIdentity::default()))]),
            workspaces: BTreeMap::new(),
            windows: BTreeMap::new(),
            focus: None,
            seat: nowhere,
            drag: None,
            highest: 0,
            clock: 0,
            next_output: 1,
            next_workspace: 0,
            moved: BTreeSet::new(),
        };
        desktop.set_options(options);
        desktop.provide();
        desktop
    }

    /// Does it, all of it or nothing.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn apply(&mut self, op: Op) -> Result<(), Refused> {
        let focus = self.focus;
        let hardware = op.is_of_hardware();
        if !hardware {
            self.accept_focus();
        }
        let done = match op {
            Op::Plug { identity, mode } => self.plug(identity, mode),
            Op::Unplug(output) => self.unplug(output),
            Op::SetMode(output, mode) => self.set_mode(output, mode),
            Op::Reserve(output, margins) => self.reserve(output, margins),

            Op::FocusOutput(output) => self.focus_output(output),
            Op::ShowWorkspace(name) => self.show_workspace(&name),
            Op::StepWorkspace { back } => self.step_workspace(back),
            Op::RenameWorkspace { name, to } => self.rename_workspace(&name, to),
            Op::MoveWorkspace { name, to } => self.move_workspace(&name, to),

            Op::Open(window, opening) => self.open(window, opening),
            Op::Close(window) => self.close(window),
            Op::Replace { old, new } => self.replace(old, new),
            Op::Sleep { window, keep_focus } => self.sleep(window, keep_focus),
            Op::Wake(window) => self.wake(window),
            Op::Conceal(window, on) => self.conceal(window, on),
            Op::SetParent(window, parent) => self.set_parent(window, parent),
            Op::SetModal(window, modal) => self.set_modal(window, modal),
            Op::SetLimits(window, limits) => self.set_limits(window, limits),
            Op::Drew(window, size) => self.drew(window, size),

            Op::Focus { window, raise } => self.choose(window, raise),
            Op::Demand(window) => self.demand(window),
            Op::Unfocus => self.unfocus(),
            Op::Inherit => self.inherit(),
            Op::FocusSide(side) => self.focus_side(side),
            Op::Raise(window) => self.raise_family(window),
            Op::Lower(window) => self.lower_family(window),

            Op::SetFloating(window, on) => self.set_floating(window, on),
            Op::SetMaximised(window, on) => self.set_maximised(window, on),
            Op::SetFullscreen { window, on, output } => self.set_fullscreen(window, on, output),
            Op::SetMinimised(window, on) => self.set_minimised(window, on),
            Op::Send {
                window,
                workspace,
                follow,
            } => self.send(window, &workspace, follow),
            Op::Put(window, rect) => self.put(window, rect),
            Op::Shift(window, side) => self.shift(window, side),
            Op::Merge { window, right } => self.merge(window, right),
            Op::SetWidth(window, width) => self.set_width(window, width),
            Op::SetHeight(window, height) => self.set_height(window, height),

            Op::BeginMove(window, at) => self.begin_move(window, at),
            Op::BeginResize(window, edges, at) => self.begin_resize(window, edges, at),
            Op::Drag(to) => self.drag_to(to),
            Op::Drop => self.drop_dragged(),
            Op::CancelDrag => self.cancel_drag(),
        };
        match done {
            Ok(()) => {
                self.provide();
                if !hardware {
                    self.tidy();
                }
            }
            Err(_) => {
                self.moved.clear();
                self.focus = focus;
            }
        }
        done
    }

    /// The user's configuration changed. Windows that are open keep what they wish.
    pub fn set_options(&mut self, options: Options) {
        self.options = Options {
            gap: options.gap.clamp(0, 256),
            column: options.column.sane(),
            ..options
        };
    }

    /// A window's wishes.
    pub fn window(&self, window: WindowId) -> Option<&Window> {
        self.windows.get(&window)
    }

    /// All windows.
    pub fn windows(&self) -> impl Iterator<Item = (WindowId, &Window)> {
        self.windows.iter().map(|(id, w)| (*id, w))
    }

    /// All outputs that were ever seen or heard of.
    pub fn outputs(&self) -> impl Iterator<Item = (OutputId, &Output)> {
        self.outputs.iter().map(|(id, o)| (*id, o))
    }

    /// The output that is plugged in at this connector.
    pub fn output_at(&self, connector: &str) -> Option<OutputId> {
        self.connected()
            .find(|(_, o)| o.identity.connector == connector)
            .map(|(id, _)| id)
    }

    /// A workspace by id.
    pub fn workspace(&self, id: WorkspaceId) -> Option<&Workspace> {
        self.workspaces.get(&id)
    }

    /// A workspace by the user's name for it.
    pub fn workspace_named(&self, name: &str) -> Option<WorkspaceId> {
        self.workspaces
            .iter()
            .find(|(_, w)| w.name == name)
            .map(|(id, _)| *id)
    }

    /// The workspaces that stand on an output, in their order: what a panel lists. Guests without windows are left out.
    pub fn workspaces_on(&self, output: OutputId) -> Vec<WorkspaceId> {
        let shown = self.shown_on(output);
        let mut listed: Vec<WorkspaceId> = self
            .workspaces
            .iter()
            .filter(|(id, w)| {
                self.stands_on(w, output) && (w.home == output || self.in_use(**id, shown))
            })
            .map(|(id, _)| *id)
            .collect();
        listed.sort_by_key(|id| self.workspaces[id].order(*id));
        listed
    }

    fn in_use(&self, id: WorkspaceId, shown: Option<WorkspaceId>) -> bool {
        shown == Some(id) || self.windows.values().any(|w| w.workspace == id)
    }

    /// Where a window stands, to be kept.
    pub fn place_of(&self, window: WindowId) -> Option<Place> {
        let w = self.windows.get(&window)?;
        let workspace = self.workspaces.get(&w.workspace)?;
        let home = self.outputs.get(&workspace.home)?;
        Some(Place {
            output: Some(home.identity.clone()),
            workspace: Some(workspace.name.clone()),
            floats: Some(!w.tiled),
            floating: Some(w.floating),
            tiled: workspace.strip.place_of(window).or(w.former_tile),
            maximised: w.maximised,
            fullscreen: w.fullscreen,
            minimised: w.minimised,
            above: w.height,
        })
    }

    /// What a toplevel is asked for in its first configure, before it has drawn anything: a size if it has to take one, and
    /// the largest size that makes sense.
    pub fn propose(&self, opening: &Opening) -> (Option<Size>, Size) {
        let place = opening.place.as_ref();
        let named = place.and_then(|p| self.workspace_named(p.workspace.as_deref()?));
        let workspace = named.or(self.shown_on(self.seat()));
        let (output, usable) = workspace.map_or_else(Default::default, |w| self.ground(w));
        let floats = self.would_float(opening);
        let limits = opening.limits.sane();
        let size = match place {
            Some(p) if p.fullscreen => Some(output.size()),
            Some(p) if p.maximised => Some(usable.size()),
            Some(p) if floats => p.floating.map(|r| limits.nearest(r.sane().size())),
            _ if floats => None,
            place => {
                let (area, gap) = self.tile_area(usable);
                let width = place.and_then(|p| p.tiled).map(|t| t.width.sane());
                let width = width.unwrap_or(self.options.column);
                let w = width.share_of(area.w + gap) - gap;
                Some(limits.nearest(Size::new(w.clamp(1, area.w), area.h)))
            }
        };
        (size, usable.size())
    }

    /// Alt-tab's order: the one with the focus, then those that had it before, the longest unused last. Those that the shell
    /// conceals are left out; those that are put away are not: choosing one brings it back.
    pub fn recent(&self) -> Vec<WindowId> {
        let focus = self.focused();
        let mut recent: Vec<(WindowId, &Window)> =
            self.windows().filter(|(_, w)| !w.concealed).collect();
        recent
            .sort_by_key(|(id, w)| std::cmp::Reverse((focus == Some(*id), w.used, w.height, *id)));
        recent.into_iter().map(|(id, _)| id).collect()
    }

    pub(crate) fn connected(&self) -> impl Iterator<Item = (OutputId, &Output)> + Clone {
        self.outputs
            .iter()
            .filter(|(_, o)| o.connected)
            .map(|(id, o)| (*id, o))
    }

    /// Where each connected output stands.
    pub(crate) fn output_rects(&self) -> Vec<(OutputId, Rect)> {
        side_by_side(self.connected())
    }

    /// Where the workspaces of an output stand: on itself, or on the first output that is plugged in.
    pub(crate) fn host_of(&self, home: OutputId) -> Option<OutputId> {
        match self.outputs.get(&home) {
            Some(output) if output.connected => Some(home),
            _ => self.connected().next().map(|(id, _)| id),
        }
    }

    /// The output that the workspace stands on; its absent home when there is none at all.
    pub(crate) fn stand_of(&self, workspace: &Workspace) -> OutputId {
        self.host_of(workspace.home).unwrap_or(workspace.home)
    }

    fn stands_on(&self, workspace: &Workspace, output: OutputId) -> bool {
        let connected = self.outputs.get(&output).is_some_and(|o| o.connected);
        if connected {
            self.host_of(workspace.home) == Some(output)
        } else {
            workspace.home == output
        }
    }

    /// The workspace that an output shows: the last one that was chosen of those that stand there now. Of one that is
    /// unplugged: the one that it will show.
    pub fn shown_on(&self, output: OutputId) -> Option<WorkspaceId> {
        self.latest_on(output, |w| self.stands_on(w, output))
    }

    /// As [`shown_on`](Self::shown_on), without guests.
    pub(crate) fn own_shown_on(&self, output: OutputId) -> Option<WorkspaceId> {
        self.latest_on(output, |w| w.home == output)
    }

    fn latest_on(
        &self,
        output: OutputId,
        stands: impl Fn(&Workspace) -> bool,
    ) -> Option<WorkspaceId> {
        let there = |id: &WorkspaceId| self.workspaces.get(id).is_some_and(&stands);
        let history = &self.outputs.get(&output)?.history;
        let latest = history.iter().rev().copied().find(there);
        latest.or_else(|| {
            let all = self.workspaces.iter().filter(|(id, _)| there(id));
            all.min_by_key(|(id, w)| (w.home != output, w.order(**id)))
                .map(|(id, _)| *id)
        })
    }

    /// Where windows open: the focused output, or another as long as that is unplugged.
    pub fn seat(&self) -> OutputId {
        self.host_of(self.seat).unwrap_or(self.seat)
    }

    /// Whether the user can see the workspace.
    pub(crate) fn is_on_show(&self, workspace: WorkspaceId) -> bool {
        let Some(w) = self.workspaces.get(&workspace) else {
            return false;
        };
        self.host_of(w.home)
            .is_some_and(|host| self.shown_on(host) == Some(workspace))
    }

    /// The window and what it is a dialog of, from itself to the root.
    pub(crate) fn ancestry(&self, window: WindowId) -> impl Iterator<Item = (WindowId, &Window)> {
        let mut at = Some(window);
        std::iter::from_fn(move || {
            let id = at?;
            let w = self.windows.get(&id)?;
            at = w.parent;
            Some((id, w))
        })
        .take(DEEPEST + 1)
    }

    /// The window, or one that it is a dialog of, is put away.
    pub(crate) fn is_away(&self, window: WindowId) -> bool {
        self.ancestry(window).any(|(_, w)| w.is_away())
    }

    /// As [`is_away`](Self::is_away), of a window at hand: most have no parent, and nothing is looked up.
    pub(crate) fn is_hidden(&self, window: &Window) -> bool {
        window.is_away() || window.parent.is_some_and(|p| self.is_away(p))
    }

    pub(crate) fn root_of(&self, id: WindowId, window: &Window) -> WindowId {
        let above = window.parent.and_then(|p| self.ancestry(p).last());
        above.map_or(id, |(root, _)| root)
    }

    /// Everyone with the same root, the root included.
    pub(crate) fn family_of(&self, id: WindowId) -> Vec<WindowId> {
        let root = |id: WindowId| self.windows.get(&id).map(|w| self.root_of(id, w));
        let same = root(id);
        let family = |(id, w): &(WindowId, &Window)| Some(self.root_of(*id, w)) == same;
        self.windows().filter(family).map(|(id, _)| id).collect()
    }

    pub(crate) fn of_workspace(
        &self,
        workspace: WorkspaceId,
    ) -> impl Iterator<Item = (WindowId, &Window)> {
        self.windows()
            .filter(move |(_, w)| w.workspace == workspace)
    }

    pub(crate) fn get(&self, window: WindowId) -> Result<&Window, Refused> {
        self.windows.get(&window).ok_or(Refused::NoSuchWindow)
    }

    pub(crate) fn get_mut(&mut self, window: WindowId) -> Result<&mut Window, Refused> {
        self.windows.get_mut(&window).ok_or(Refused::NoSuchWindow)
    }
}
