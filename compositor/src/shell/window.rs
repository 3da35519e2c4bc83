//! A window's life: configured, mapped, placed, resized, unmapped.

use std::time::Instant;

use smithay::backend::renderer::utils::with_renderer_surface_state;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::compositor::with_states;
use smithay::wayland::shell::xdg::{SurfaceCachedState, ToplevelSurface};
use wayland_server::protocol::wl_surface::WlSurface;

use super::placement::{centre_on, place};
use super::surface::WindowSurface;
use super::{Binding, Item, WindowId};
use crate::input::Edges;
use crate::state::Overwinter;

/// How a window fills the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowMode {
    /// Where the user put it.
    Floating,
    /// The work area.
    Maximized,
    /// The output.
    Fullscreen,
}

/// What a client or a panel wishes of a window's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeWish {
    /// Maximized, or no longer.
    Maximized(bool),
    /// Fullscreen, or no longer.
    Fullscreen(bool),
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

/// While the left or top edge is dragged the opposite one stays where it is.
#[derive(Debug, Clone, Copy)]
pub struct ResizeAnchor {
    /// The edges that move.
    pub edges: Edges,
    /// The window before.
    pub from: Rectangle<i32, Logical>,
}

/// A client's toplevel.
#[derive(Debug)]
pub struct ShellWindow {
    /// Its name.
    pub id: WindowId,
    /// What it is made of and by which protocol: surfaces, popups, bounding box, configures.
    pub window: WindowSurface,
    /// Where the window geometry's top left corner stands.
    pub location: Point<i32, Logical>,
    /// Has a buffer.
    pub mapped: bool,
    /// It has a place on the desktop, also while it is not mapped.
    pub placed: bool,
    /// When it got its first buffer.
    pub first_buffer: Option<Instant>,
    /// Whether it may be on the desktop.
    pub visibility: Visibility,
    /// How it fills the desktop.
    pub mode: WindowMode,
    /// What it goes back to from fullscreen.
    maximized_beneath: bool,
    /// Where it goes back to from maximized or fullscreen.
    pub restore: Option<Rectangle<i32, Logical>>,
    /// Applied with the first commit that has this size.
    pub moving_to: Option<Rectangle<i32, Logical>>,
    /// See [`ResizeAnchor`].
    pub anchor: Option<ResizeAnchor>,
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
            maximized_beneath: false,
            restore: None,
            moving_to: None,
            anchor: None,
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
        let area = self.work_area().size;
        let Some(window) = self.shell.window(id) else {
            return;
        };
        let bounds = window.frame_margins().inner_size(area);
        if window.is_configured() {
            return;
        }
        window.window.set_bounds(bounds);
        self.configure_as_ghost(id);
        if let Some(window) = self.shell.window(id) {
            window.window.send_configure();
        }
    }

    fn map_window(&mut self, id: WindowId) {
        let location = self.first_place(id);
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        window.mapped = true;
        window.placed = true;
        window.first_buffer = Some(Instant::now());
        window.location = location;
        window.moving_to = None;
        self.decide_visibility(id);
        let shown = self
            .shell
            .window(id)
            .is_some_and(|w| w.visibility == Visibility::Shown);
        if shown {
            self.show_window(id);
            self.raise_and_focus(Item::Window(id));
        }
        let extent = self.extent_of(id);
        if let Some(window) = self.shell.window(id) {
            self.tell_window(window.wl_surface(), extent);
        }
    }

    /// Where a window that appears goes.
    fn first_place(&self, id: WindowId) -> Point<i32, Logical> {
        let area = self.work_area();
        let Some(window) = self.shell.window(id) else {
            return area.loc;
        };
        match window.mode {
            // One that was hidden for a while comes back where it stood.
            WindowMode::Floating if window.placed => return window.location,
            WindowMode::Floating => {}
            WindowMode::Maximized => return area.loc + window.frame_margins().offset(),
            WindowMode::Fullscreen => return self.area().loc,
        }
        let margins = window.frame_margins();
        let size = margins.outer(window.rect()).size;
        let parent = self.shell.parent_of(id).filter(|p| self.shell.is_shown(*p));
        if let Some(parent) = parent.and_then(|p| self.shell.window(p)) {
            let parent = parent.frame_margins().outer(parent.rect());
            return centre_on(area, parent, size) + margins.offset();
        }
        let others: Vec<_> = self
            .shell
            .stack()
            .iter()
            .filter_map(|item| self.shell.outer_rect_of(*item))
            .collect();
        place(area, size, &others) + margins.offset()
    }

    /// Applies what waited for the client's new size.
    fn settle(&mut self, id: WindowId) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        let size = window.geometry().size;
        if let Some(target) = window.moving_to
            && (target.size == size || window.window.current_size() == Some(target.size))
        {
            window.location = target.loc;
            window.moving_to = None;
        }
        if let Some(anchor) = window.anchor {
            if anchor.edges.left {
                window.location.x = anchor.from.loc.x + anchor.from.size.w - size.w;
            }
            if anchor.edges.top {
                window.location.y = anchor.from.loc.y + anchor.from.size.h - size.h;
            }
        }
    }

    /// Puts a mapped window on the desktop (on top, without focus).
    pub fn show_window(&mut self, id: WindowId) {
        let item = Item::Window(id);
        if !self.shell.stack.contains(item) {
            self.shell.stack.raise(&[item]);
        }
        if let Some(window) = self.shell.window_mut(id) {
            window.visibility = Visibility::Shown;
        }
        self.schedule_frame();
    }

    /// Puts what stands on the desktop there.
    pub fn put_window(&mut self, item: Item, at: Point<i32, Logical>) {
        self.shell.move_item(item, at);
        self.reconstrain_popups(item);
        self.pointer_refocus();
        self.schedule_frame();
    }

    /// Takes a window off the desktop; the focus goes on.
    pub fn hide_window(&mut self, id: WindowId) {
        let item = Item::Window(id);
        let Some(window) = self.shell.window(id) else {
            return;
        };
        let surface = window.wl_surface().clone();
        self.dismiss_popups(&surface);
        if self.shell.is_shown(id) {
            self.shell.stack.remove(item);
            self.focus_lost(item);
            self.pointer_refocus();
            self.schedule_frame();
        }
    }

    /// The toplevel is gone.
    pub fn remove_window(&mut self, id: WindowId) {
        let next_in_family = self.shell.parent_of(id).filter(|p| self.shell.is_shown(*p));
        let had_focus = self.shell.focus == Some(Item::Window(id));
        if self.shell.is_shown(id) {
            self.shell.stack.remove(Item::Window(id));
            self.schedule_frame();
        }
        self.end_drag_of(id);
        let binding = self.shell.windows.remove(&id).and_then(|w| w.binding);
        if had_focus {
            self.shell.focus = None;
            match next_in_family {
                Some(parent) => self.focus_item(Some(Item::Window(parent))),
                None => self.focus_top(),
            }
        }
        self.pointer_refocus();
        if let Some(binding) = binding {
            self.bound_window_gone(&binding);
        }
    }

    /// A child got another parent: it goes above it.
    pub fn parent_changed_of(&mut self, id: WindowId) {
        if self.shell.is_shown(id) {
            self.shell.raise(Item::Window(id));
            self.schedule_frame();
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

    /// As [`set_mode`](Self::set_mode), by what is wished. A fullscreen window stays so, and is maximized or not afterwards.
    pub fn wish_mode(&mut self, id: WindowId, wish: ModeWish) {
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        let fullscreen = window.mode == WindowMode::Fullscreen;
        let mode = match wish {
            ModeWish::Maximized(on) if fullscreen => {
                window.maximized_beneath = on;
                return;
            }
            ModeWish::Maximized(true) => WindowMode::Maximized,
            ModeWish::Maximized(false) => WindowMode::Floating,
            ModeWish::Fullscreen(true) => {
                if !fullscreen {
                    window.maximized_beneath = window.mode == WindowMode::Maximized;
                }
                WindowMode::Fullscreen
            }
            ModeWish::Fullscreen(false) if !fullscreen => return,
            ModeWish::Fullscreen(false) if window.maximized_beneath => WindowMode::Maximized,
            ModeWish::Fullscreen(false) => WindowMode::Floating,
        };
        self.set_mode(id, mode);
    }

    /// Sets mode, size and place in the pending state; the caller sends it.
    pub fn set_mode(&mut self, id: WindowId, mode: WindowMode) {
        let rect = self.shell.rect_of(Item::Window(id)).unwrap_or_default();
        let (output, area) = (self.area_around(rect), self.work_area_around(rect));
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        if window.mode == mode {
            return;
        }
        let floats = window.mode == WindowMode::Floating;
        if floats && window.mapped {
            window.restore = Some(window.rect());
        }
        window.mode = mode;
        window.anchor = None;
        let target = match mode {
            WindowMode::Floating => window.restore.take(),
            WindowMode::Maximized => Some(window.frame_margins().inner(area)),
            WindowMode::Fullscreen => Some(output),
        };
        window.moving_to = target;
        window.set_size(target.map(|t| t.size));
        window.window.set_mode(mode);
    }

    /// The output, or the room that panels leave of it, changed: windows that fill it follow, others stay in reach.
    pub fn refit_windows(&mut self) {
        if self.outputs.first().is_none() {
            return;
        }
        let rooms = self.shell.windows().map(|w| {
            let rect = w.moving_to.unwrap_or_else(|| w.rect());
            (self.area_around(rect), self.work_area_around(rect))
        });
        let rooms: Vec<_> = rooms.collect();
        for (window, (output, area)) in self.shell.windows.values_mut().zip(rooms) {
            let filled = match window.mode {
                WindowMode::Floating => {
                    let last = area.loc + area.size.to_point() - Point::from((64, 32));
                    window.location.x = window.location.x.min(last.x);
                    window.location.y = window.location.y.min(last.y);
                    continue;
                }
                WindowMode::Maximized => window.frame_margins().inner(area),
                WindowMode::Fullscreen => output,
            };
            window.moving_to = Some(filled);
            window.set_size(Some(filled.size));
            window.send_pending();
        }
    }
}
