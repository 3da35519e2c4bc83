//! X11 windows: which surface is whose, and what their clients ask for.
//!
//! A window is the shell's as long as it is mapped *and* its surface is known; then it is one like any other
//! ([`WindowSurface::x11`]). What overrides the redirect (menus, tooltips) is none of the shell's: it stands where its client put
//! it, above the windows, and never has the focus.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use overwinter_layout::{Edges, Op, Place};
use smithay::delegate_xwayland_shell;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::selection::SelectionTarget;
use smithay::wayland::xwayland_shell::{XWaylandShellHandler, XWaylandShellState};
use smithay::xwayland::xwm::{Reorder, ResizeEdge, WmWindowProperty, X11Window, XwmId};
use smithay::xwayland::{X11Surface, X11Wm, XwmHandler};
use wayland_server::protocol::wl_surface::WlSurface;

use crate::input::DragKind;
use crate::shell::{Item, ModeWish, Unmanaged, WindowId, WindowMode, WindowSurface};
use crate::state::Overwinter;

/// No X11 window is granted more than this, in either direction: its picture would take a gigabyte.
const LARGEST: i32 = 8192;
/// How long a window whose surface may still be told under its former number waits for that.
const SAME_NUMBER: Duration = Duration::from_millis(100);

/// A window that is mapped.
#[derive(Debug)]
pub struct Known {
    pub surface: X11Surface,
    /// Whether nothing but its client decides where it is.
    unmanaged: bool,
    /// The number that its surface had when it was mapped: a former one's.
    stale: Option<u32>,
    since: Instant,
    wl: Option<WlSurface>,
    window: Option<WindowId>,
}

/// The windows that are mapped, and where those that are not were.
#[derive(Debug, Default)]
pub struct Windows {
    known: BTreeMap<X11Window, Known>,
    places: BTreeMap<X11Window, Place>,
    /// The last surface of each, which it will not have again.
    former: BTreeMap<X11Window, WlSurface>,
    /// The order that the X server was told last.
    order: Vec<X11Window>,
}

impl Windows {
    pub fn of_surface(&self, surface: &WlSurface) -> Option<&Known> {
        let mut known = self.known.values();
        known.find(|known| known.wl.as_ref() == Some(surface))
    }

    fn window_of(&self, surface: &X11Surface) -> Option<WindowId> {
        self.known.get(&surface.window_id())?.window
    }

    fn is_taken(&self, surface: &WlSurface) -> bool {
        self.of_surface(surface).is_some()
    }

    fn managed(&self) -> impl Iterator<Item = (WindowId, &X11Surface)> {
        let known = self.known.values();
        known.filter_map(|known| Some((known.window?, &known.surface)))
    }
}

/// What a window of this size gets: something that can be seen and paid for.
fn granted(size: Size<i32, Logical>) -> Size<i32, Logical> {
    (size.w.clamp(1, LARGEST), size.h.clamp(1, LARGEST)).into()
}

impl Overwinter {
    fn x11_mapped(&mut self, surface: X11Surface) {
        let known = Known {
            unmanaged: surface.is_override_redirect(),
            // Xwayland tells the number after it has told that the window is mapped.
            stale: number(&surface),
            since: Instant::now(),
            wl: None,
            window: None,
            surface,
        };
        if known.stale.is_some() {
            // Looked at once more when nothing else happens.
            self.after(SAME_NUMBER, |_| ());
        }
        self.x11
            .windows
            .known
            .insert(known.surface.window_id(), known);
    }

    fn x11_unmapped(&mut self, surface: &X11Surface) {
        let id = surface.window_id();
        self.x11_lets_go_of_surface(id);
        self.x11.windows.known.remove(&id);
    }

    /// The window's surface is its no more: it is off the desktop.
    fn x11_lets_go_of_surface(&mut self, id: X11Window) {
        let windows = &mut self.x11.windows;
        let Some(known) = windows.known.get_mut(&id) else {
            return;
        };
        let (wl, window) = (known.wl.take(), known.window.take());
        known.stale = number(&known.surface);
        known.since = Instant::now();
        if let Some(wl) = wl {
            self.shell.unmanaged.retain(|u| u.surface != wl);
            windows.former.insert(id, wl);
            self.input.scene_moved = true;
            self.schedule_frame();
        }
        if let Some(window) = window {
            if let Some(place) = self.place_of_window(window) {
                self.x11.windows.places.insert(id, place);
            }
            self.remove_window(window);
        }
    }

    /// Xwayland has ended.
    pub(super) fn forget_x11_windows(&mut self) {
        let known: Vec<X11Surface> = self
            .x11
            .windows
            .known
            .values()
            .map(|k| k.surface.clone())
            .collect();
        for surface in &known {
            self.x11_unmapped(surface);
        }
        self.x11.windows = Windows::default();
        self.x11.focus.forget();
    }

    /// A surface of Xwayland's has gone; its window is told to be unmapped later, if it ever is.
    pub fn x11_surface_gone(&mut self, surface: &WlSurface) {
        let known = self.x11.windows.of_surface(surface);
        if let Some(id) = known.map(|known| known.surface.window_id()) {
            self.x11_lets_go_of_surface(id);
        }
    }

    /// After each round: windows and surfaces that have heard of each other come together, and the X server hears where the
    /// shell has put its windows.
    pub fn review_x11(&mut self) {
        if self.x11.windows.known.is_empty() {
            return;
        }
        let waiting = self.x11.windows.known.values().filter(|k| k.wl.is_none());
        let waiting: Vec<X11Window> = waiting.map(|k| k.surface.window_id()).collect();
        // First those of whose numbers there is no doubt.
        for sure in [true, false] {
            for id in &waiting {
                if let Some(surface) = self.surface_told_for(*id, sure) {
                    self.x11_has_surface(*id, surface);
                }
            }
        }
        self.tell_x11_places();
        self.tell_x11_order();
    }

    /// The surface that Xwayland says the window has. It says so by a number that a later surface may have again: when the
    /// window had one of that number before, it is not sure whether that was told anew.
    fn surface_told_for(&self, id: X11Window, sure: bool) -> Option<WlSurface> {
        let windows = &self.x11.windows;
        let known = windows.known.get(&id).filter(|known| known.wl.is_none())?;
        if let Some(surface) = known.surface.wl_surface() {
            return Some(surface);
        }
        let number = number(&known.surface)?;
        if known.stale == Some(number) {
            let alone = windows.known.values().filter(|k| k.wl.is_none()).count() == 1;
            if sure || !(alone || known.since.elapsed() >= SAME_NUMBER) {
                return None;
            }
        }
        let client = &self.x11.server()?.client;
        let surface = client.object_from_protocol_id::<WlSurface>(&self.display, number);
        surface.ok().filter(|surface| {
            !windows.is_taken(surface) && windows.former.get(&id) != Some(surface)
        })
    }

    fn x11_has_surface(&mut self, id: X11Window, wl: WlSurface) {
        let place = self.x11.windows.places.remove(&id);
        let Some(known) = self.x11.windows.known.get_mut(&id) else {
            return;
        };
        known.wl = Some(wl.clone());
        let surface = known.surface.clone();
        if known.unmanaged {
            self.shell.unmanaged.push(Unmanaged {
                surface: wl,
                rect: surface.geometry(),
            });
            self.input.scene_moved = true;
            return self.schedule_frame();
        }
        let window = self
            .shell
            .add_window(WindowSurface::x11(surface.clone(), wl));
        known.window = Some(window);
        if let Some(shell) = self.shell.window_mut(window) {
            shell.framed = !surface.is_decorated();
            if let Some(place) = place {
                shell.wish_place(place);
            }
        }
        // It may have drawn before anybody knew whose the surface was.
        self.window_committed(window, true);
    }

    fn tell_x11_places(&mut self) {
        let windows: Vec<_> = self
            .x11
            .windows
            .managed()
            .map(|(id, s)| (id, s.clone()))
            .collect();
        for (id, surface) in windows {
            let shown = self.shell.is_shown(id);
            let Some(window) = self.shell.window(id).filter(|w| w.mapped) else {
                continue;
            };
            let size = window.window.wanted_size();
            let size = size.map_or(surface.geometry().size, granted);
            let waits = window.window.drawn_mode() != window.mode;
            if waits && window.window.has_answered() {
                // It had the size already: no commit will come.
                self.window_committed(id, true);
            }
            let Some(window) = self.shell.window(id) else {
                continue;
            };
            let rect = Rectangle::new(window.location, size);
            let told = if surface.geometry() == rect {
                Ok(())
            } else {
                surface.configure(rect).map_err(|e| e.to_string())
            };
            let told = told.and_then(|()| {
                if surface.is_minimized() == shown {
                    surface.set_suspended(!shown).map_err(|e| e.to_string())?;
                }
                Ok(())
            });
            if let Err(error) = told {
                tracing::debug!(error, "an X11 window does not hear where it is");
            }
        }
    }

    fn tell_x11_order(&mut self) {
        let windows = &self.x11.windows;
        let of = |item: &Item| match item {
            Item::Window(id) => windows
                .managed()
                .find(|(w, _)| w == id)
                .map(|(_, s)| s.clone()),
            Item::Ghost(_) => None,
        };
        let surfaces: Vec<X11Surface> = self.shell.stack().iter().filter_map(of).collect();
        let order: Vec<X11Window> = surfaces.iter().map(X11Surface::window_id).collect();
        if order == self.x11.windows.order {
            return;
        }
        if let Some(wm) = &mut self.x11.wm
            && let Err(error) = wm.update_stacking_order_downwards(surfaces.iter())
        {
            tracing::debug!(%error, "the X server does not hear what is above what");
        }
        self.x11.windows.order = order;
    }

    fn x11_wish(&mut self, surface: &X11Surface, wish: ModeWish) {
        if let Some(id) = self.x11.windows.window_of(surface) {
            self.wish_mode(id, wish);
            if let Some(window) = self.shell.window(id) {
                window.send_pending();
            }
        }
    }

    fn x11_drag(&mut self, surface: &X11Surface, kind: DragKind) {
        if let Some(id) = self.x11.windows.window_of(surface) {
            self.drag_asked_by_holder(id, kind);
        }
    }
}

#[allow(
    deprecated,
    reason = "Xwayland before 23.1 knows no other way to say which surface is whose"
)]
fn number(surface: &X11Surface) -> Option<u32> {
    surface.wl_surface_id()
}

impl XWaylandShellHandler for Overwinter {
    fn xwayland_shell_state(&mut self) -> &mut XWaylandShellState {
        &mut self.protocols.xwayland_shell
    }
}

impl XwmHandler for Overwinter {
    /// The one that there is; what a former one had under way finds nothing under its name there, and ends.
    #[allow(
        clippy::expect_used,
        reason = "smithay asks by the name of one that it has made, and one is kept from then on"
    )]
    fn xwm_state(&mut self, _: XwmId) -> &mut X11Wm {
        self.x11.wm.as_mut().expect("a window manager was started")
    }

    fn new_window(&mut self, _: XwmId, _: X11Surface) {}

    fn new_override_redirect_window(&mut self, _: XwmId, _: X11Surface) {}

    fn map_window_request(&mut self, _: XwmId, window: X11Surface) {
        let rect = window.geometry();
        let room = self.work_area().size;
        let size = granted(rect.size);
        let size = Size::from((size.w.min(room.w.max(1)), size.h.min(room.h.max(1))));
        let fitted = if size == rect.size {
            Ok(())
        } else {
            window.configure(Rectangle::new(rect.loc, size))
        };
        if let Err(error) = fitted.and_then(|()| window.set_mapped(true)) {
            return tracing::debug!(%error, "an X11 window was not mapped");
        }
        self.x11_mapped(window);
    }

    fn mapped_override_redirect_window(&mut self, _: XwmId, window: X11Surface) {
        self.x11_mapped(window);
    }

    fn unmapped_window(&mut self, _: XwmId, window: X11Surface) {
        self.x11_unmapped(&window);
    }

    fn destroyed_window(&mut self, _: XwmId, window: X11Surface) {
        self.x11_unmapped(&window);
        self.x11.windows.places.remove(&window.window_id());
        self.x11.windows.former.remove(&window.window_id());
    }

    /// A size is granted to a window that floats; where it is, and what is above it, is the user's. Before it is mapped a client
    /// may say what it likes.
    fn configure_request(
        &mut self,
        _: XwmId,
        window: X11Surface,
        x: Option<i32>,
        y: Option<i32>,
        w: Option<u32>,
        h: Option<u32>,
        _: Option<Reorder>,
    ) {
        let now = window.geometry();
        let length = |asked: Option<u32>, now: i32| {
            asked.map_or(now, |l| i32::try_from(l).unwrap_or(LARGEST))
        };
        let size = granted((length(w, now.size.w), length(h, now.size.h)).into());
        match self.x11.windows.window_of(&window) {
            Some(id) => {
                let shell = self.shell.window(id);
                if let Some(shell) = shell.filter(|s| s.mode == WindowMode::Floating) {
                    shell.set_size(Some(size));
                }
            }
            None => {
                let at = Point::from((x.unwrap_or(now.loc.x), y.unwrap_or(now.loc.y)));
                if let Err(error) = window.configure(Rectangle::new(at, size)) {
                    tracing::debug!(%error, "an X11 window was not configured");
                }
            }
        }
    }

    fn configure_notify(
        &mut self,
        _: XwmId,
        window: X11Surface,
        geometry: Rectangle<i32, Logical>,
        _: Option<X11Window>,
    ) {
        let known = self.x11.windows.known.get(&window.window_id());
        let Some(wl) = known.and_then(|known| known.wl.clone()) else {
            return;
        };
        let mut unmanaged = self.shell.unmanaged.iter_mut();
        if let Some(unmanaged) = unmanaged.find(|u| u.surface == wl) {
            unmanaged.rect = geometry;
            self.input.scene_moved = true;
            self.schedule_frame();
        }
    }

    fn property_notify(&mut self, _: XwmId, window: X11Surface, property: WmWindowProperty) {
        let id = self.x11.windows.window_of(&window);
        let Some(shell) = id.and_then(|id| self.shell.window_mut(id)) else {
            return;
        };
        match property {
            WmWindowProperty::MotifHints => {
                let (id, framed) = (shell.id, !window.is_decorated());
                if std::mem::replace(&mut shell.framed, framed) != framed {
                    self.frame_changed(id);
                }
            }
            WmWindowProperty::Hints if window.hints().is_some_and(|hints| hints.urgent) => {
                let name = Item::Window(shell.id).name();
                self.layout_all([Op::Demand(name)]);
            }
            WmWindowProperty::TransientFor => {
                let id = shell.id;
                self.parent_changed_of(id);
            }
            _ => {}
        }
    }

    fn maximize_request(&mut self, _: XwmId, window: X11Surface) {
        self.x11_wish(&window, ModeWish::Maximized(true));
    }

    fn unmaximize_request(&mut self, _: XwmId, window: X11Surface) {
        self.x11_wish(&window, ModeWish::Maximized(false));
    }

    fn fullscreen_request(&mut self, _: XwmId, window: X11Surface) {
        self.x11_wish(&window, ModeWish::Fullscreen(true, None));
    }

    fn unfullscreen_request(&mut self, _: XwmId, window: X11Surface) {
        self.x11_wish(&window, ModeWish::Fullscreen(false, None));
    }

    fn minimize_request(&mut self, _: XwmId, window: X11Surface) {
        self.x11_wish(&window, ModeWish::Minimized(true));
    }

    fn unminimize_request(&mut self, _: XwmId, window: X11Surface) {
        self.x11_wish(&window, ModeWish::Minimized(false));
    }

    fn resize_request(&mut self, _: XwmId, window: X11Surface, _: u32, edge: ResizeEdge) {
        self.x11_drag(&window, DragKind::Resize(edges(edge)));
    }

    fn move_request(&mut self, _: XwmId, window: X11Surface, _: u32) {
        self.x11_drag(&window, DragKind::Move);
    }

    fn allow_selection_access(&mut self, _: XwmId, _: SelectionTarget) -> bool {
        self.x11.focus.is_set()
    }

    fn send_selection(&mut self, _: XwmId, selection: SelectionTarget, mime: String, fd: OwnedFd) {
        self.x11_reads(selection, mime, fd);
    }

    fn new_selection(&mut self, _: XwmId, selection: SelectionTarget, types: Vec<String>) {
        self.x11_selection(selection, types);
    }

    fn cleared_selection(&mut self, _: XwmId, selection: SelectionTarget) {
        self.x11_selection_gone(selection);
    }

    fn disconnected(&mut self, xwm: XwmId) {
        if self.x11.wm.as_ref().is_some_and(|wm| wm.id() == xwm) {
            tracing::info!("Xwayland has ended; the next X11 program starts another");
            self.end_xwayland();
        }
    }
}

fn edges(edge: ResizeEdge) -> Edges {
    use ResizeEdge::{Bottom, BottomLeft, BottomRight, Left, Right, Top, TopLeft, TopRight};
    Edges {
        left: matches!(edge, Left | TopLeft | BottomLeft),
        right: matches!(edge, Right | TopRight | BottomRight),
        top: matches!(edge, Top | TopLeft | TopRight),
        bottom: matches!(edge, Bottom | BottomLeft | BottomRight),
    }
}

delegate_xwayland_shell!(Overwinter);
