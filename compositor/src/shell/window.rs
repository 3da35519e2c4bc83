//! A window's life: configured, mapped, placed, resized, unmapped.

use std::time::Instant;

use overwinter_layout::{self as layout, Op, Slot};
use smithay::backend::renderer::utils::with_renderer_surface_state;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::compositor::with_states;
use smithay::wayland::shell::xdg::{SurfaceCachedState, ToplevelSurface};
use wayland_server::protocol::wl_surface::WlSurface;

use super::desktop::{size_of, size_to};
use super::surface::WindowSurface;
use super::{Binding, Item, WindowId};
use crate::state::Overwinter;

/// How a window fills the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowMode {
    /// Where the user put it.
    Floating,
    /// Beside others in the strip of its workspace.
    Tiled,
    /// The work area.
    Maximized,
    /// The output.
    Fullscreen,
}

/// What a client or a panel wishes of how a window is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeWish {
    /// Maximized, or no longer.
    Maximized(bool),
    /// Fullscreen, on this output or where it is; or no longer.
    Fullscreen(bool, Option<layout::OutputId>),
    /// Put away, or no longer.
    Minimized(bool),
}

/// Whether a mapped window is shown, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// On the desktop (once it is mapped).
    Shown,
    /// A trial, or adopted but not ready: it draws, but its ghost (or the old copy) stands in.
    Restoring,
    /// A retired copy, or one whose ghost stands in: it draws nothing.
    Retired,
    /// Unbound window of a client that is restoring: shown 500 ms after its first buffer.
    MayAsk,
}

/// A client's toplevel.
#[derive(Debug)]
pub struct ShellWindow {
    /// Its name.
    pub id: WindowId,
    /// What it is made of and by which protocol: surfaces, popups, bounding box, configures.
    pub window: WindowSurface,
    /// Where the window geometry's top left corner stands: as the layout says, once the client has drawn what it was asked for.
    pub location: Point<i32, Logical>,
    /// Has a buffer.
    pub mapped: bool,
    /// `location` says where it stands.
    pub(super) placed: bool,
    /// When it got its first buffer.
    pub first_buffer: Option<Instant>,
    /// Whether it may be on the desktop.
    pub visibility: Visibility,
    /// How it fills the desktop, as the layout says.
    pub mode: WindowMode,
    /// What is wished of its place while it has none.
    place: layout::Place,
    /// It has filled the desktop ever since it was opened: nobody knows yet how large it is otherwise.
    never_floated: bool,
    /// It comes back with others: it takes no focus.
    returns: bool,
    /// The size, frame included, that the layout was last told it has by itself.
    drew: Option<Size<i32, Logical>>,
    /// What the layout was last told of its limits.
    limits: layout::Limits,
    /// Its frame is drawn by the session.
    pub framed: bool,
    /// Takes the focus instead of its parent.
    pub modal: bool,
    /// Its group, copy and name, if the app said so.
    pub binding: Option<Binding>,
}

impl ShellWindow {
    /// A toplevel that has shown nothing yet.
    pub fn new(id: WindowId, window: WindowSurface) -> ShellWindow {
        ShellWindow {
            id,
            window,
            location: Point::default(),
            mapped: false,
            placed: false,
            first_buffer: None,
            visibility: Visibility::Shown,
            mode: WindowMode::Floating,
            place: layout::Place::default(),
            never_floated: false,
            returns: false,
            drew: None,
            limits: layout::Limits::default(),
            framed: false,
            modal: false,
            binding: None,
        }
    }

    /// Its root surface.
    pub fn wl_surface(&self) -> &WlSurface {
        self.window.wl_surface()
    }

    /// Whether the client was told a first size (or that it may choose one).
    pub fn is_configured(&self) -> bool {
        self.window.is_configured()
    }

    /// Asks for a size (none: the client chooses). [`send_pending`](Self::send_pending) sends it.
    pub fn set_size(&self, size: Option<Size<i32, Logical>>) {
        self.window.set_size(size);
    }

    /// Sends what has changed of size, mode and activation since the last time.
    pub fn send_pending(&self) {
        self.window.send_pending();
    }

    /// Asks the client to close it.
    pub fn close(&self) {
        self.window.close();
    }

    /// Window geometry on the desktop.
    pub fn rect(&self) -> Rectangle<i32, Logical> {
        Rectangle::new(self.location, self.geometry().size)
    }

    /// Where the surface's own top left corner is: shadows start there.
    pub fn surface_origin(&self) -> Point<i32, Logical> {
        self.location - self.geometry().loc
    }

    /// The window within its surface: what the client says, without its shadows. When it does not say, it is the surface and
    /// what hangs out of it to the right and below; to the left and above, a subsurface that moves would move the window.
    pub fn geometry(&self) -> Rectangle<i32, Logical> {
        let set = with_states(self.wl_surface(), |states| {
            let mut cached = states.cached_state.get::<SurfaceCachedState>();
            cached.current().geometry.is_some()
        });
        if set {
            return self.window.geometry();
        }
        let all = self.window.bbox();
        Rectangle::from_size((all.loc + all.size.to_point()).to_size())
    }

    /// Hidden, but about to be shown.
    pub fn is_restoring(&self) -> bool {
        matches!(self.visibility, Visibility::Restoring | Visibility::MayAsk)
    }

    /// Title as the client set it.
    pub fn title(&self) -> String {
        self.window.title()
    }

    /// App id as the client set it; empty when it did not.
    pub fn app_id(&self) -> String {
        self.window.app_id()
    }

    /// Smallest and largest size that the client allows; 0 is no limit.
    pub fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        self.window.size_limits()
    }

    /// Its size with its frame.
    pub(super) fn outer_size(&self) -> Size<i32, Logical> {
        self.frame_margins().outer(self.rect()).size
    }

    /// Asks for what the slot says; the caller sends it. A window that floats and was never asked for a size goes on choosing it.
    pub(super) fn ask_for(&mut self, slot: &Slot) {
        let mode = WindowMode::of(slot);
        let margins = self.frame_margins_in(mode);
        let size = margins.inner_size(size_of(slot.rect.size()));
        let floats = mode == WindowMode::Floating;
        let chose = self.window.wanted_size().is_none() && size == self.geometry().size;
        if floats && self.never_floated {
            self.set_size(None);
        } else if !(floats && chose) {
            self.set_size(Some(size));
        }
        self.window.set_mode(mode);
        self.window.set_resizing(slot.resizing);
        self.drew = None;
    }

    /// Where it is to stand when it gets a place; `returns`: as one of many that come back, for which nobody waits.
    pub fn set_place(&mut self, place: layout::Place, returns: bool) {
        self.place = place;
        self.returns = returns;
    }

    /// The sizes that the client accepts, with the frame around them.
    fn outer_limits(&self) -> layout::Limits {
        let margins = self.frame_margins();
        let outer = |size: Size<i32, Logical>| {
            // What a client says, with room for a frame around it.
            let most = i32::MAX / 2;
            let size = Size::from((size.w.clamp(0, most), size.h.clamp(0, most)));
            let around = margins.outer(Rectangle::from_size(size)).size;
            let along = |inner: i32, outer: i32| if inner > 0 { outer } else { 0 };
            layout::Size::new(along(size.w, around.w), along(size.h, around.h))
        };
        let (min, max) = self.size_limits();
        layout::Limits {
            min: outer(min),
            max: outer(max),
        }
    }

    /// What is wished of its place, before it has one.
    pub fn wish_place(&mut self, place: layout::Place) {
        self.place = place;
    }

    fn fills(&self) -> bool {
        self.place.maximised || self.place.fullscreen
    }

    fn has_buffer(&self) -> bool {
        with_renderer_surface_state(self.wl_surface(), |s| s.buffer().is_some()).unwrap_or(false)
    }
}

impl Overwinter {
    /// A surface of the window's tree was committed; `root`: the toplevel's own.
    pub fn window_committed(&mut self, id: WindowId, root: bool) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        window.window.on_commit();
        if !root {
            return;
        }
        match (window.mapped, window.has_buffer()) {
            (false, false) => self.configure_first(id),
            (false, true) => {
                // It should have waited for this; that it did not is between it and its own first frame's size.
                self.configure_first(id);
                self.map_window(id)
            }
            (true, false) => {
                window.mapped = false;
                window.first_buffer = None;
                self.hide_window(id);
            }
            (true, true) => self.settle(id),
        }
        self.bound_window_committed(id);
    }

    fn configure_first(&mut self, id: WindowId) {
        let window = self.shell.window(id);
        if window.is_none_or(|w| w.is_configured()) {
            return;
        }
        self.ask_first(id);
        self.configure_as_ghost(id);
        self.tell_toplevel_restored(id);
        if let Some(window) = self.shell.window(id) {
            window.window.send_configure();
        }
    }

    /// Asks a window that has no place yet for what it is to have when it gets one.
    fn ask_first(&mut self, id: WindowId) {
        let Some(opening) = self.opening(id) else {
            return;
        };
        let (size, room) = self.shell.desktop.propose(&opening);
        let floats = self.shell.desktop.would_float(&opening);
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        window.mode = match (window.place.fullscreen, window.place.maximised, floats) {
            (true, _, _) => WindowMode::Fullscreen,
            (_, true, _) => WindowMode::Maximized,
            (_, _, true) => WindowMode::Floating,
            (_, _, false) => WindowMode::Tiled,
        };
        let margins = window.frame_margins();
        window.window.set_bounds(margins.inner_size(size_of(room)));
        let size = size.map(|size| margins.inner_size(size_of(size)));
        window.set_size(size);
        window.window.set_mode(window.mode);
    }

    /// How the window wants to be opened.
    fn opening(&self, id: WindowId) -> Option<layout::Opening> {
        let window = self.shell.window(id)?;
        let parent = self.shell.parent_of(id).map(Item::Window);
        let parent = parent.filter(|p| self.shell.stands(*p));
        let mut place = window.place.clone();
        let mut size = size_to(window.outer_size());
        if window.fills() {
            // A guess, for the day when it no longer does.
            let all = self.area().size;
            size = layout::Size::new(all.w * 3 / 4, all.h * 3 / 4);
        } else if let Some(floating) = place.floating.as_mut().filter(|_| window.mapped) {
            *floating = layout::Rect::of(floating.at(), size);
        }
        Some(layout::Opening {
            parent: parent.map(Item::name),
            modal: window.modal,
            size,
            limits: window.outer_limits(),
            place: Some(place),
            focus: true,
            ..layout::Opening::default()
        })
    }

    fn map_window(&mut self, id: WindowId) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        window.mapped = true;
        window.first_buffer = Some(Instant::now());
        self.decide_visibility(id);
        let shown = self
            .shell
            .window(id)
            .is_some_and(|w| w.visibility == Visibility::Shown);
        if shown {
            self.show_window(id);
            self.greet(id);
        }
        let extent = self.extent_of(id);
        if let Some(window) = self.shell.window(id) {
            self.tell_window(window.wl_surface(), extent);
        }
    }

    /// A window that opens gets the focus. One of many that return stays where and how high it stood, and gets it only if
    /// nothing has it.
    fn greet(&mut self, id: WindowId) {
        let item = Item::Window(id);
        let window = self.shell.window_mut(id);
        let returns = window.is_some_and(|w| std::mem::take(&mut w.returns));
        if !returns {
            self.raise_and_focus(item);
        } else if self.shell.focus().is_none() && self.shell.is_shown(id) {
            self.layout_all([Op::Focus {
                window: item.name(),
                raise: false,
            }]);
        }
    }

    /// A frame was committed: what the client chose of its size and its limits is told to the layout.
    pub(super) fn settle(&mut self, id: WindowId) {
        let item = Item::Window(id);
        let Some(slot) = self.shell.slot(item).copied() else {
            return;
        };
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        let limits = window.outer_limits();
        let outer = window.outer_size();
        let other = size_to(outer) != slot.rect.size() && window.drew != Some(outer);
        let floats = window.mode == WindowMode::Floating && window.window.has_answered();
        window.never_floated &= !floats;
        if std::mem::replace(&mut window.limits, limits) != limits {
            self.layout_quietly(id, Op::SetLimits(item.name(), limits));
        }
        if other && floats {
            self.layout_quietly(id, Op::Drew(item.name(), size_to(outer)));
            if let Some(window) = self.shell.window_mut(id) {
                window.drew = Some(outer);
            }
        }
        self.settle_at(id);
    }

    /// Gives a mapped window its place on the desktop, without the focus.
    pub fn show_window(&mut self, id: WindowId) {
        let item = Item::Window(id);
        let Some(opening) = self.opening(id) else {
            return;
        };
        if let Some(window) = self.shell.window_mut(id) {
            window.visibility = Visibility::Shown;
            window.limits = opening.limits;
            window.never_floated = window.fills();
            window.placed = false;
        }
        if self.shell.desktop.window(item.name()).is_some() {
            self.layout_all([Op::Conceal(item.name(), false)]);
        } else {
            let opening = layout::Opening {
                focus: false,
                ..opening
            };
            self.layout_all([Op::Open(item.name(), opening)]);
        }
        self.adopt_family(id);
    }

    /// The window has a place: it is a dialog of what it says, and its own dialogs stand above it.
    pub(super) fn adopt_family(&mut self, id: WindowId) {
        // Of a dialog whose parent's ghost stands in, the layout knows better.
        let wanted = |of: WindowId| match self.shell.parent_of(of).map(|p| Item::Window(p).name()) {
            None => Some(None),
            Some(parent) => self.shell.desktop.window(parent).map(|_| Some(parent)),
        };
        let concerned = |w: &&ShellWindow| w.id == id || self.shell.parent_of(w.id) == Some(id);
        let mut ops = Vec::new();
        for window in self.shell.windows().filter(concerned) {
            let name = Item::Window(window.id).name();
            let known = self.shell.desktop.window(name);
            if let (Some(known), Some(parent)) = (known, wanted(window.id))
                && known.parent != parent
            {
                ops.push(Op::SetParent(name, parent));
            }
        }
        if !ops.is_empty() {
            self.layout_all(ops);
        }
    }

    /// Puts what stands on the desktop there, as a drag by its corner would.
    pub fn put_window(&mut self, item: Item, at: Point<i32, Logical>) {
        let Some(from) = self.shell.rect_of(item) else {
            return;
        };
        let point = |at: Point<i32, Logical>| layout::Point::new(at.x, at.y);
        self.layout_all([
            Op::BeginMove(item.name(), point(from.loc)),
            Op::Drag(point(at)),
            Op::Drop,
        ]);
        self.pointer_refocus();
    }

    /// Takes a window off the desktop; the focus goes on. It comes back where it was.
    pub fn hide_window(&mut self, id: WindowId) {
        let name = Item::Window(id).name();
        let Some(window) = self.shell.window(id) else {
            return;
        };
        let surface = window.wl_surface().clone();
        self.dismiss_popups(&surface);
        let Some(place) = self.place_of_window(id) else {
            return;
        };
        if let Some(window) = self.shell.window_mut(id) {
            window.place = place;
        }
        self.end_drag_of(id);
        self.layout_all([Op::Close(name)]);
        self.pointer_refocus();
    }

    /// The place that a window has, to be had again by one that takes it up.
    pub fn place_of_window(&self, id: WindowId) -> Option<layout::Place> {
        let place = self.shell.desktop.place_of(Item::Window(id).name())?;
        Some(layout::Place {
            minimised: false,
            above: 0,
            ..place
        })
    }

    /// The toplevel is gone.
    pub fn remove_window(&mut self, id: WindowId) {
        self.end_drag_of(id);
        let binding = self.shell.windows.remove(&id).and_then(|w| w.binding);
        let name = Item::Window(id).name();
        if self.shell.desktop.window(name).is_some() {
            self.layout_all([Op::Close(name)]);
        }
        self.pointer_refocus();
        if let Some(binding) = binding {
            self.bound_window_gone(&binding);
        }
    }

    /// A child got another parent: it goes above it.
    pub fn parent_changed_of(&mut self, id: WindowId) {
        self.adopt_family(id);
    }

    /// A dialog takes the focus instead of its parent, or no longer.
    pub fn set_modal(&mut self, id: WindowId, modal: bool) {
        if let Some(window) = self.shell.window_mut(id) {
            window.modal = modal;
        }
        let name = Item::Window(id).name();
        if self.shell.desktop.window(name).is_some() {
            self.layout_all([Op::SetModal(name, modal)]);
        }
    }

    /// Maximize, fullscreen or back, as the client asked.
    pub fn mode_request(&mut self, toplevel: &ToplevelSurface, wish: ModeWish) {
        let Some(id) = self.shell.window_of(toplevel.wl_surface()) else {
            return;
        };
        self.wish_mode(id, wish);
        // xdg-shell promises a configure in answer, changed or not; before the first one it comes with that.
        if toplevel.is_initial_configure_sent() {
            toplevel.send_configure();
        }
    }

    /// What a client or a panel wishes of a window; the caller sends the configure. One that was put away and is to fill the
    /// desktop comes back.
    pub fn wish_mode(&mut self, id: WindowId, wish: ModeWish) {
        let name = Item::Window(id).name();
        if self.shell.desktop.window(name).is_none() {
            return self.wish_for_later(id, wish);
        }
        let op = match wish {
            ModeWish::Maximized(on) => Op::SetMaximised(name, on),
            ModeWish::Fullscreen(on, output) => Op::SetFullscreen {
                window: name,
                on,
                output,
            },
            ModeWish::Minimized(on) => Op::SetMinimised(name, on),
        };
        self.layout_quietly(id, op);
        if matches!(
            wish,
            ModeWish::Maximized(true) | ModeWish::Fullscreen(true, _)
        ) {
            self.layout_quietly(id, Op::SetMinimised(name, false));
        }
    }

    /// As [`wish_mode`](Self::wish_mode), of a window that has no place yet.
    fn wish_for_later(&mut self, id: WindowId, wish: ModeWish) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        match wish {
            ModeWish::Maximized(on) => window.place.maximised = on,
            ModeWish::Fullscreen(on, _) => window.place.fullscreen = on,
            ModeWish::Minimized(on) => window.place.minimised = on,
        }
        if window.is_configured() {
            self.ask_first(id);
        }
    }

    /// Outputs came, went or changed, or what panels leave of them: windows that fill one follow, others stay in reach.
    pub fn refit_windows(&mut self) {
        self.lay_out_outputs();
    }
}
