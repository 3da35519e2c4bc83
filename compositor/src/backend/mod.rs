//! Where frames go. An enum, so that no generic parameter runs through the tree.

use anyhow::Result;
use calloop::LoopHandle;
use smithay::backend::renderer::element::RenderElementStates;
use smithay::input::pointer::CursorImageStatus;
use smithay::output::{Mode, Output, PhysicalProperties, Scale, Subpixel};
use smithay::utils::{Physical, Rectangle, Size, Transform};
use wayland_server::DisplayHandle;

use crate::options::{BackendKind, Options};
use crate::render::{Scene, Tracker};
use crate::state::Overwinter;

pub mod headless;
pub mod nested;

pub use headless::Headless;
pub use nested::Nested;

/// Frames a second, in mHz as wl_output counts.
const REFRESH_MHZ: i32 = 60_000;

/// Where frames go.
#[derive(Debug)]
pub enum Backend {
    /// A memory image.
    Headless(Headless),
    /// A window of another display.
    Nested(Box<Nested>),
}

/// What became of a frame.
#[derive(Debug)]
pub struct Drawn {
    /// What changed in it; empty when nothing did.
    pub damage: Vec<Rectangle<i32, Physical>>,
    /// Which surfaces are in it.
    pub states: RenderElementStates,
}

impl Backend {
    /// The backend that the options ask for.
    pub fn new(handle: &LoopHandle<'static, Overwinter>, options: &Options) -> Result<Backend> {
        let size = Size::from((
            i32::from(options.size.width),
            i32::from(options.size.height),
        ));
        let nested = || Nested::new(handle, size).map(|n| Backend::Nested(Box::new(n)));
        match options.backend {
            BackendKind::Headless => Ok(Backend::Headless(Headless::new(size)?)),
            BackendKind::Nested => nested(),
            BackendKind::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
                if set("WAYLAND_DISPLAY") || set("DISPLAY") {
                    match nested() {
                        Ok(backend) => return Ok(backend),
                        Err(error) => {
                            tracing::warn!(%error, "no window could be opened on the display there is: running headless");
                        }
                    }
                }
                Ok(Backend::Headless(Headless::new(size)?))
            }
        }
    }

    /// For the log.
    pub fn name(&self) -> &'static str {
        match self {
            Backend::Headless(_) => "headless",
            Backend::Nested(_) => "nested",
        }
    }

    /// The output that clients see.
    pub fn create_output(&self, display: &DisplayHandle, options: &Options) -> Output {
        let (name, size) = match self {
            Backend::Headless(headless) => ("HEADLESS-1", headless.size()),
            Backend::Nested(nested) => ("NESTED-1", nested.size()),
        };
        let physical = PhysicalProperties {
            size: (0, 0).into(),
            subpixel: Subpixel::Unknown,
            make: "Overwinter".into(),
            model: self.name().into(),
        };
        let output = Output::new(name.into(), physical);
        let mode = Mode {
            size,
            refresh: REFRESH_MHZ,
        };
        output.set_preferred(mode);
        let scale = if options.scale.fract() == 0.0 {
            Scale::Integer(options.scale as i32)
        } else {
            Scale::Fractional(options.scale)
        };
        output.change_current_state(
            Some(mode),
            Some(Transform::Normal),
            Some(scale),
            Some((0, 0).into()),
        );
        output.create_global::<Overwinter>(display);
        output
    }

    /// Whether its size is ours to choose.
    pub fn takes_any_size(&self) -> bool {
        matches!(self, Backend::Headless(_))
    }

    /// Gives it another size.
    pub fn resize(&mut self, size: Size<i32, Physical>) -> Result<()> {
        match self {
            Backend::Headless(headless) => *headless = Headless::new(size)?,
            Backend::Nested(_) => anyhow::bail!("the host decides how large its window is"),
        }
        Ok(())
    }

    /// How the image lies in the target's memory; no business of the clients.
    pub fn transform(&self) -> Transform {
        match self {
            Backend::Headless(_) => Transform::Normal,
            // GLES draws into the host's window upside down.
            Backend::Nested(_) => Transform::Flipped180,
        }
    }

    /// Whether the pointer's image is part of the frame (a headless output has nobody who looks at it).
    pub fn draws_cursor(&self) -> bool {
        matches!(self, Backend::Nested(_))
    }

    /// Draws a frame.
    pub fn draw(&mut self, scene: &Scene<'_>, tracker: &mut Tracker) -> Result<Drawn> {
        match self {
            Backend::Headless(headless) => headless.draw(scene, tracker),
            Backend::Nested(nested) => nested.draw(scene, tracker),
        }
    }

    /// The pointer's image is another now.
    pub fn cursor_changed(&mut self, cursor: &CursorImageStatus) {
        if let Backend::Nested(nested) = self {
            nested.cursor_changed(cursor);
        }
    }
}
