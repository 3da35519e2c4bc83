//! A window on another Wayland or X11 display (winit and GLES): for people who look at the session from within another.

use anyhow::{Result, anyhow};
use calloop::LoopHandle;
use smithay::backend::renderer::ImportMem;
use smithay::backend::renderer::gles::GlesRenderer;
use smithay::backend::winit::{self, WinitEvent, WinitGraphicsBackend};
use smithay::input::pointer::CursorImageStatus;
use smithay::reexports::winit::dpi::PhysicalSize;
use smithay::reexports::winit::window::Window as WinitWindow;
use smithay::utils::{Physical, Size};

use super::Drawn;
use crate::render::{Scene, Tracker};
use crate::state::Overwinter;

/// A window on another display.
pub struct Nested {
    graphics: WinitGraphicsBackend<GlesRenderer>,
}

impl std::fmt::Debug for Nested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nested").finish_non_exhaustive()
    }
}

impl Nested {
    /// Opens the window.
    pub fn new(
        handle: &LoopHandle<'static, Overwinter>,
        size: Size<i32, Physical>,
    ) -> Result<Nested> {
        let attributes = WinitWindow::default_attributes()
            .with_inner_size(PhysicalSize::new(
                size.w.unsigned_abs(),
                size.h.unsigned_abs(),
            ))
            .with_title("Overwinter");
        let (graphics, events) = winit::init_from_attributes::<GlesRenderer>(attributes)
            .map_err(|e| anyhow!("cannot open a window on the display there is: {e}"))?;
        handle
            .insert_source(events, |event, (), state| state.nested_event(event))
            .map_err(|e| e.error)?;
        Ok(Nested { graphics })
    }

    /// Pixels.
    pub fn size(&self) -> Size<i32, Physical> {
        self.graphics.window_size()
    }

    /// Draws what changed since the buffer was last used.
    pub fn draw(&mut self, scene: &Scene<'_>, tracker: &mut Tracker) -> Result<Drawn> {
        let age = self.graphics.buffer_age().unwrap_or(0);
        let (renderer, mut target) = self.graphics.bind()?;
        debug_assert!(renderer.mem_formats().next().is_some());
        let elements = scene.elements(renderer);
        let result =
            tracker.render_output(renderer, &mut target, age, &elements, scene.ground())?;
        let damage = result.damage.cloned().unwrap_or_default();
        let states = result.states;
        drop(target);
        if !damage.is_empty() {
            self.graphics.submit(Some(&damage))?;
        }
        Ok(Drawn { damage, states })
    }

    /// Named cursors are drawn by the host; a client's own image is part of our frame.
    pub fn cursor_changed(&mut self, cursor: &CursorImageStatus) {
        let window = self.graphics.window();
        match cursor {
            CursorImageStatus::Named(icon) => {
                window.set_cursor_visible(true);
                window.set_cursor(*icon);
            }
            CursorImageStatus::Hidden | CursorImageStatus::Surface(_) => {
                window.set_cursor_visible(false)
            }
        }
    }
}

impl Overwinter {
    fn nested_event(&mut self, event: WinitEvent) {
        match event {
            WinitEvent::Resized { size, .. } => self.nested_resized(size),
            WinitEvent::Input(event) => self.backend_input(&event),
            WinitEvent::CloseRequested => self.signal.stop(),
            WinitEvent::Redraw => self.schedule_frame(),
            WinitEvent::Focus(_) => {}
        }
    }
}
