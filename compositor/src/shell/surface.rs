//! What a window is made of, whichever protocol it came by. Nothing else in the shell asks which one that was.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use smithay::backend::renderer::element::surface::{
    WaylandSurfaceRenderElement, render_elements_from_surface_tree,
};
use smithay::backend::renderer::element::{AsRenderElements, Kind};
use smithay::backend::renderer::{ImportAll, Renderer, Texture};
use smithay::desktop::utils::{
    OutputPresentationFeedback, bbox_from_surface_tree, send_frames_surface_tree,
    take_presentation_feedback_surface_tree, under_from_surface_tree, with_surfaces_surface_tree,
};
use smithay::desktop::{Window, WindowSurfaceType};
use smithay::output::Output;
use smithay::reexports::wayland_protocols::wp::presentation_time::server::wp_presentation_feedback;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::State;
use smithay::utils::{Logical, Physical, Point, Rectangle, Scale, Size};
use smithay::wayland::compositor::{SurfaceData, with_states};
use smithay::wayland::shell::xdg::{SurfaceCachedState, ToplevelSurface, XdgToplevelSurfaceData};
use smithay::xwayland::X11Surface;
use wayland_server::protocol::wl_surface::WlSurface;

use super::WindowMode;

/// A tile touches its neighbours, or what is between them, on all sides: no shadow, no round corners.
const TILED: [State; 4] = [
    State::TiledLeft,
    State::TiledRight,
    State::TiledTop,
    State::TiledBottom,
];

/// A window's surfaces, and how its client is spoken to.
#[derive(Debug, Clone)]
pub struct WindowSurface(Made);

#[derive(Debug, Clone)]
enum Made {
    /// By xdg-shell. Everything that its tree of surfaces can do smithay's [`Window`] does.
    Toplevel(Window, ToplevelSurface),
    /// By an X11 client. Where it is and how large it is the X server is told when the round of the event loop ends.
    X11(Rc<X11Window>),
}

#[derive(Debug)]
struct X11Window {
    surface: X11Surface,
    wl: WlSurface,
    /// What the shell wishes; none: as the client likes.
    size: Cell<Option<Size<i32, Logical>>>,
    mode: Cell<WindowMode>,
    /// The last mode whose size it had.
    drawn: Cell<WindowMode>,
}

impl X11Window {
    fn set_mode(&self, mode: WindowMode) {
        if self.mode.replace(mode) == mode {
            return;
        }
        let told = self.surface.set_maximized(mode == WindowMode::Maximized);
        let fullscreen = mode == WindowMode::Fullscreen;
        if let Err(error) = told.and_then(|()| self.surface.set_fullscreen(fullscreen)) {
            tracing::debug!(%error, "an X11 window does not hear of its mode");
        }
    }

    fn bbox(&self) -> Rectangle<i32, Logical> {
        bbox_from_surface_tree(&self.wl, (0, 0))
    }

    /// An X11 window has the size that it is given, sooner or later.
    fn has_answered(&self) -> bool {
        self.size.get().is_none_or(|size| size == self.bbox().size)
    }
}

/// What an X11 client shows past every window manager: menus, tooltips. It is where the client put it, above the windows, and
/// never has the focus.
#[derive(Debug)]
pub struct Unmanaged {
    /// Its surface.
    pub surface: WlSurface,
    /// Where it is.
    pub rect: Rectangle<i32, Logical>,
}

impl WindowSurface {
    /// An xdg-shell toplevel.
    pub fn toplevel(toplevel: ToplevelSurface) -> WindowSurface {
        let window = Window::new_wayland_window(toplevel.clone());
        WindowSurface(Made::Toplevel(window, toplevel))
    }

    /// An X11 window that is mapped, and its surface.
    pub fn x11(surface: X11Surface, wl: WlSurface) -> WindowSurface {
        WindowSurface(Made::X11(Rc::new(X11Window {
            surface,
            wl,
            size: Cell::default(),
            mode: Cell::new(WindowMode::Floating),
            drawn: Cell::new(WindowMode::Floating),
        })))
    }

    /// The X11 window that it is.
    pub fn as_x11(&self) -> Option<&X11Surface> {
        match &self.0 {
            Made::Toplevel(..) => None,
            Made::X11(x11) => Some(&x11.surface),
        }
    }

    /// The root surface.
    pub fn wl_surface(&self) -> &WlSurface {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.wl_surface(),
            Made::X11(x11) => &x11.wl,
        }
    }

    /// Whether a first configure was sent. An X11 window needs none.
    pub fn is_configured(&self) -> bool {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.is_initial_configure_sent(),
            Made::X11(_) => true,
        }
    }

    /// The room there is for it, for a client that chooses its size. Sent later.
    pub fn set_bounds(&self, bounds: Size<i32, Logical>) {
        if let Made::Toplevel(_, toplevel) = &self.0 {
            toplevel.with_pending_state(|state| state.bounds = Some(bounds));
        }
    }

    /// The size that it is asked to have; none: as the client likes. Sent later.
    pub fn set_size(&self, size: Option<Size<i32, Logical>>) {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.with_pending_state(|state| state.size = size),
            Made::X11(x11) => x11.size.set(size),
        }
    }

    /// The size that it is asked to have, sent or not.
    pub fn wanted_size(&self) -> Option<Size<i32, Logical>> {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.with_pending_state(|state| state.size),
            Made::X11(x11) => x11.size.get(),
        }
    }

    /// How it fills the desktop. Sent later.
    pub fn set_mode(&self, mode: WindowMode) {
        match &self.0 {
            Made::Toplevel(_, toplevel) => {
                set_state(toplevel, State::Maximized, mode == WindowMode::Maximized);
                set_state(toplevel, State::Fullscreen, mode == WindowMode::Fullscreen);
                for edge in TILED {
                    set_state(toplevel, edge, mode == WindowMode::Tiled);
                }
            }
            Made::X11(x11) => x11.set_mode(mode),
        }
    }

    /// The mode that it was asked to have and has drawn for.
    pub fn drawn_mode(&self) -> WindowMode {
        let toplevel = match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel,
            Made::X11(x11) => return x11.drawn.get(),
        };
        let states = toplevel.current_state().states;
        let modes = [
            (State::Fullscreen, WindowMode::Fullscreen),
            (State::Maximized, WindowMode::Maximized),
            (State::TiledLeft, WindowMode::Tiled),
        ];
        let drawn = modes.iter().find(|(flag, _)| states.contains(*flag));
        drawn.map_or(WindowMode::Floating, |(_, mode)| *mode)
    }

    /// Whether it has heard all that was sent: what it draws now is its answer.
    pub fn has_answered(&self) -> bool {
        match &self.0 {
            Made::Toplevel(_, toplevel) => with_states(toplevel.wl_surface(), |states| {
                let data = states.data_map.get::<XdgToplevelSurfaceData>();
                let role = data.and_then(|d| d.lock().ok());
                role.is_some_and(|r| r.pending_configures().is_empty())
            }),
            Made::X11(x11) => x11.has_answered(),
        }
    }

    /// Whether the user drags one of its edges. Sent later.
    pub fn set_resizing(&self, on: bool) {
        if let Made::Toplevel(_, toplevel) = &self.0 {
            set_state(toplevel, State::Resizing, on);
        }
    }

    /// Whether it is the one that is worked in; true when that is news. Sent later.
    pub fn set_activated(&self, on: bool) -> bool {
        match &self.0 {
            Made::Toplevel(window, _) => window.set_activated(on),
            Made::X11(x11) => {
                x11.surface.is_activated() != on && x11.surface.set_activated(on).is_ok()
            }
        }
    }

    /// Sends what has changed since the last time.
    pub fn send_pending(&self) {
        if let Made::Toplevel(_, toplevel) = &self.0 {
            toplevel.send_pending_configure();
        }
    }

    /// Sends a configure, changed or not.
    pub fn send_configure(&self) {
        if let Made::Toplevel(_, toplevel) = &self.0 {
            toplevel.send_configure();
        }
    }

    /// The size that the client was asked for and has drawn for. An X11 window has the size that it was given, or another and
    /// has not drawn for it.
    pub fn current_size(&self) -> Option<Size<i32, Logical>> {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.current_state().size,
            Made::X11(_) => None,
        }
    }

    /// Whether what the client has drawn is an active window.
    pub fn is_activated(&self) -> bool {
        match &self.0 {
            Made::Toplevel(_, toplevel) => {
                let current = toplevel.current_state();
                current.states.contains(State::Activated)
            }
            Made::X11(x11) => x11.surface.is_activated(),
        }
    }

    /// Asks the client to close it.
    pub fn close(&self) {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.send_close(),
            Made::X11(x11) => {
                if let Err(error) = x11.surface.close() {
                    tracing::debug!(%error, "an X11 window does not hear that it is to close");
                }
            }
        }
    }

    /// The root surface of the toplevel that the client named as its parent. (X11 clients name a window:
    /// [`parent_of`](super::Shell::parent_of).)
    pub fn parent(&self) -> Option<WlSurface> {
        match &self.0 {
            Made::Toplevel(_, toplevel) => toplevel.parent(),
            Made::X11(_) => None,
        }
    }

    /// Title as the client set it.
    pub fn title(&self) -> String {
        match &self.0 {
            Made::Toplevel(_, toplevel) => with_states(toplevel.wl_surface(), |states| {
                let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
                data.lock().ok()?.title.clone()
            })
            .unwrap_or_default(),
            Made::X11(x11) => x11.surface.title(),
        }
    }

    /// App id as the client set it; empty when it did not. An X11 client's is its class.
    pub fn app_id(&self) -> String {
        match &self.0 {
            Made::Toplevel(_, toplevel) => with_states(toplevel.wl_surface(), |states| {
                let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
                data.lock().ok()?.app_id.clone()
            })
            .unwrap_or_default(),
            Made::X11(x11) => x11.surface.class(),
        }
    }

    /// Smallest and largest size that the client allows; 0 is no limit.
    pub fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        match &self.0 {
            Made::Toplevel(_, toplevel) => with_states(toplevel.wl_surface(), |states| {
                let mut cached = states.cached_state.get::<SurfaceCachedState>();
                let current = cached.current();
                (current.min_size, current.max_size)
            }),
            Made::X11(x11) => {
                let least = |size: Option<Size<i32, Logical>>| {
                    let size = size.unwrap_or_default();
                    Size::from((size.w.max(0), size.h.max(0)))
                };
                (least(x11.surface.min_size()), least(x11.surface.max_size()))
            }
        }
    }
}

fn set_state(toplevel: &ToplevelSurface, flag: State, on: bool) {
    toplevel.with_pending_state(|state| {
        if on {
            state.states.set(flag);
        } else {
            state.states.unset(flag);
        }
    });
}

/// What its tree of surfaces can do. X11 windows have no popups.
impl WindowSurface {
    /// What all its surfaces but popups cover.
    pub fn bbox(&self) -> Rectangle<i32, Logical> {
        match &self.0 {
            Made::Toplevel(window, _) => window.bbox(),
            Made::X11(x11) => x11.bbox(),
        }
    }

    /// What all its surfaces cover.
    pub fn bbox_with_popups(&self) -> Rectangle<i32, Logical> {
        match &self.0 {
            Made::Toplevel(window, _) => window.bbox_with_popups(),
            Made::X11(_) => self.bbox(),
        }
    }

    /// The window without its shadows, as far as the client says what that is.
    pub fn geometry(&self) -> Rectangle<i32, Logical> {
        match &self.0 {
            Made::Toplevel(window, _) => window.geometry(),
            Made::X11(_) => self.bbox(),
        }
    }

    /// A surface of the tree was committed.
    pub fn on_commit(&self) {
        match &self.0 {
            Made::Toplevel(window, _) => window.on_commit(),
            Made::X11(x11) if x11.has_answered() => x11.drawn.set(x11.mode.get()),
            Made::X11(_) => {}
        }
    }

    /// Frame callbacks for the tree.
    pub fn send_frame<F>(
        &self,
        output: &Output,
        time: Duration,
        throttle: Option<Duration>,
        primary: F,
    ) where
        F: FnMut(&WlSurface, &SurfaceData) -> Option<Output> + Copy,
    {
        match &self.0 {
            Made::Toplevel(window, _) => window.send_frame(output, time, throttle, primary),
            Made::X11(x11) => send_frames_surface_tree(&x11.wl, output, time, throttle, primary),
        }
    }

    /// Takes the presentation feedback that the tree asked for.
    pub fn take_presentation_feedback<F1, F2>(
        &self,
        feedback: &mut OutputPresentationFeedback,
        primary: F1,
        flags: F2,
    ) where
        F1: FnMut(&WlSurface, &SurfaceData) -> Option<Output> + Copy,
        F2: FnMut(&WlSurface, &SurfaceData) -> wp_presentation_feedback::Kind + Copy,
    {
        match &self.0 {
            Made::Toplevel(window, _) => {
                window.take_presentation_feedback(feedback, primary, flags)
            }
            Made::X11(x11) => {
                take_presentation_feedback_surface_tree(&x11.wl, feedback, primary, flags);
            }
        }
    }

    /// Each surface of the tree, popups too.
    pub fn with_surfaces(&self, with: impl FnMut(&WlSurface, &SurfaceData)) {
        match &self.0 {
            Made::Toplevel(window, _) => window.with_surfaces(with),
            Made::X11(x11) => with_surfaces_surface_tree(&x11.wl, with),
        }
    }

    /// The surface that takes input at this point, and where it is.
    pub fn surface_under(
        &self,
        point: Point<f64, Logical>,
        kind: WindowSurfaceType,
    ) -> Option<(WlSurface, Point<i32, Logical>)> {
        match &self.0 {
            Made::Toplevel(window, _) => window.surface_under(point, kind),
            Made::X11(x11) => under_from_surface_tree(&x11.wl, point, (0, 0), kind),
        }
    }
}

impl<R> AsRenderElements<R> for WindowSurface
where
    R: Renderer + ImportAll,
    R::TextureId: Clone + Texture + 'static,
{
    type RenderElement = WaylandSurfaceRenderElement<R>;

    fn render_elements<C: From<Self::RenderElement>>(
        &self,
        renderer: &mut R,
        location: Point<i32, Physical>,
        scale: Scale<f64>,
        alpha: f32,
    ) -> Vec<C> {
        match &self.0 {
            Made::Toplevel(window, _) => {
                AsRenderElements::<R>::render_elements(window, renderer, location, scale, alpha)
            }
            Made::X11(x11) => {
                let kind = Kind::Unspecified;
                render_elements_from_surface_tree(renderer, &x11.wl, location, scale, alpha, kind)
            }
        }
    }
}
