//! What a window is made of, whichever protocol it came by. Nothing else in the shell asks which one that was.

use smithay::backend::renderer::element::AsRenderElements;
use smithay::backend::renderer::{ImportAll, Renderer, Texture};
use smithay::desktop::Window;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::State;
use smithay::utils::{Logical, Physical, Point, Scale, Size};
use smithay::wayland::compositor::with_states;
use smithay::wayland::shell::xdg::{SurfaceCachedState, ToplevelSurface, XdgToplevelSurfaceData};
use wayland_server::protocol::wl_surface::WlSurface;

use super::WindowMode;

/// A tile touches its neighbours, or what is between them, on all sides: no shadow, no round corners.
const TILED: [State; 4] = [
    State::TiledLeft,
    State::TiledRight,
    State::TiledTop,
    State::TiledBottom,
];

/// A window's surfaces, and how its client is spoken to. Everything that its tree of surfaces can do smithay's [`Window`] does.
#[derive(Debug, Clone)]
pub struct WindowSurface {
    window: Window,
    toplevel: ToplevelSurface,
}

impl std::ops::Deref for WindowSurface {
    type Target = Window;

    fn deref(&self) -> &Window {
        &self.window
    }
}

impl WindowSurface {
    /// An xdg-shell toplevel.
    pub fn toplevel(toplevel: ToplevelSurface) -> WindowSurface {
        WindowSurface {
            window: Window::new_wayland_window(toplevel.clone()),
            toplevel,
        }
    }

    /// The root surface.
    pub fn wl_surface(&self) -> &WlSurface {
        self.toplevel.wl_surface()
    }

    /// Whether a first configure was sent.
    pub fn is_configured(&self) -> bool {
        self.toplevel.is_initial_configure_sent()
    }

    /// The room there is for it, for a client that chooses its size. Sent later.
    pub fn set_bounds(&self, bounds: Size<i32, Logical>) {
        self.toplevel
            .with_pending_state(|state| state.bounds = Some(bounds));
    }

    /// The size that it is asked to have; none: as the client likes. Sent later.
    pub fn set_size(&self, size: Option<Size<i32, Logical>>) {
        self.toplevel.with_pending_state(|state| state.size = size);
    }

    /// The size that it is asked to have, sent or not.
    pub fn wanted_size(&self) -> Option<Size<i32, Logical>> {
        self.toplevel.with_pending_state(|state| state.size)
    }

    /// How it fills the desktop. Sent later.
    pub fn set_mode(&self, mode: WindowMode) {
        self.set_state(State::Maximized, mode == WindowMode::Maximized);
        self.set_state(State::Fullscreen, mode == WindowMode::Fullscreen);
        for edge in TILED {
            self.set_state(edge, mode == WindowMode::Tiled);
        }
    }

    /// The mode that it was asked to have and has drawn for.
    pub fn drawn_mode(&self) -> WindowMode {
        let states = self.toplevel.current_state().states;
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
        with_states(self.wl_surface(), |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>();
            let role = data.and_then(|d| d.lock().ok());
            role.is_some_and(|r| r.pending_configures().is_empty())
        })
    }

    /// Whether the user drags one of its edges. Sent later.
    pub fn set_resizing(&self, on: bool) {
        self.set_state(State::Resizing, on);
    }

    /// Whether it is the one that is worked in; true when that is news. Sent later.
    pub fn set_activated(&self, on: bool) -> bool {
        self.window.set_activated(on)
    }

    fn set_state(&self, flag: State, on: bool) {
        self.toplevel.with_pending_state(|state| {
            if on {
                state.states.set(flag);
            } else {
                state.states.unset(flag);
            }
        });
    }

    /// Sends what has changed since the last time.
    pub fn send_pending(&self) {
        self.toplevel.send_pending_configure();
    }

    /// Sends a configure, changed or not.
    pub fn send_configure(&self) {
        self.toplevel.send_configure();
    }

    /// The size that the client was asked for and has drawn for.
    pub fn current_size(&self) -> Option<Size<i32, Logical>> {
        self.toplevel.current_state().size
    }

    /// Whether what the client has drawn is an active window.
    pub fn is_activated(&self) -> bool {
        let current = self.toplevel.current_state();
        current.states.contains(State::Activated)
    }

    /// Asks the client to close it.
    pub fn close(&self) {
        self.toplevel.send_close();
    }

    /// The root surface of the window that the client named as its parent.
    pub fn parent(&self) -> Option<WlSurface> {
        self.toplevel.parent()
    }

    /// Title as the client set it.
    pub fn title(&self) -> String {
        with_states(self.wl_surface(), |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
            data.lock().ok()?.title.clone()
        })
        .unwrap_or_default()
    }

    /// App id as the client set it; empty when it did not.
    pub fn app_id(&self) -> String {
        with_states(self.wl_surface(), |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
            data.lock().ok()?.app_id.clone()
        })
        .unwrap_or_default()
    }

    /// Smallest and largest size that the client allows; 0 is no limit.
    pub fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        with_states(self.wl_surface(), |states| {
            let mut cached = states.cached_state.get::<SurfaceCachedState>();
            let current = cached.current();
            (current.min_size, current.max_size)
        })
    }
}

impl<R> AsRenderElements<R> for WindowSurface
where
    R: Renderer + ImportAll,
    R::TextureId: Clone + Texture + 'static,
{
    type RenderElement = <Window as AsRenderElements<R>>::RenderElement;

    fn render_elements<C: From<Self::RenderElement>>(
        &self,
        renderer: &mut R,
        location: Point<i32, Physical>,
        scale: Scale<f64>,
        alpha: f32,
    ) -> Vec<C> {
        AsRenderElements::<R>::render_elements(&self.window, renderer, location, scale, alpha)
    }
}
