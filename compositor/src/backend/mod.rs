//! Where frames go. An enum, so that no generic parameter runs through the tree.

use anyhow::Result;
use calloop::LoopHandle;
use smithay::backend::renderer::element::RenderElementStates;
use smithay::input::pointer::CursorImageStatus;
use smithay::utils::{Physical, Rectangle, Size, Transform};

use crate::options::{BackendKind, Options, OutputOption};
use crate::outputs::{HeadId, Plug};
use crate::render::{Scene, Tracker};
use crate::state::Overwinter;

pub mod headless;
pub mod nested;

pub use headless::Headless;
pub use nested::Nested;

/// Frames a second, in mHz as wl_output counts.
pub const REFRESH_MHZ: i32 = 60_000;

/// Where frames go.
#[derive(Debug)]
pub enum Backend {
    /// Memory images.
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
        let first = options.first_output();
        let size = Size::from((i32::from(first.size.width), i32::from(first.size.height)));
        let nested = || Nested::new(handle, size).map(|n| Backend::Nested(Box::new(n)));
        match options.backend {
            BackendKind::Headless => Ok(Backend::Headless(Headless::new()?)),
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
                Ok(Backend::Headless(Headless::new()?))
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

    /// The outputs to begin with.
    pub fn first_outputs(&self, options: &Options) -> Vec<Plug> {
        let plug = |o: &OutputOption| Plug {
            name: None,
            size: Some((i32::from(o.size.width), i32::from(o.size.height))),
            scale: Some(o.scale),
        };
        match self {
            Backend::Headless(_) if !options.output.is_empty() => {
                options.output.iter().map(plug).collect()
            }
            Backend::Headless(_) => vec![plug(&options.first_output())],
            Backend::Nested(nested) => vec![Plug {
                size: Some((nested.size().w, nested.size().h)),
                ..plug(&options.first_output())
            }],
        }
    }

    /// Whether outputs can come and go.
    pub fn takes_plugs(&self) -> bool {
        matches!(self, Backend::Headless(_))
    }

    /// Whether its size is ours to choose.
    pub fn takes_any_size(&self) -> bool {
        matches!(self, Backend::Headless(_))
    }

    /// Whether its outputs can be turned.
    pub fn turns(&self) -> bool {
        matches!(self, Backend::Headless(_))
    }

    /// An output of this size is there from now on.
    pub fn add(&mut self, head: HeadId, size: Size<i32, Physical>) -> Result<()> {
        match self {
            Backend::Headless(headless) => headless.add(head, size),
            Backend::Nested(_) => Ok(()),
        }
    }

    /// The output is gone.
    pub fn remove(&mut self, head: HeadId) {
        if let Backend::Headless(headless) = self {
            headless.remove(head);
        }
    }

    /// Gives an output another size.
    pub fn resize(&mut self, head: HeadId, size: Size<i32, Physical>) -> Result<()> {
        match self {
            Backend::Headless(headless) => headless.add(head, size),
            Backend::Nested(_) => anyhow::bail!("the host decides how large its window is"),
        }
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

    /// Draws a frame of this output.
    pub fn draw(
        &mut self,
        head: HeadId,
        scene: &Scene<'_>,
        tracker: &mut Tracker,
    ) -> Result<Drawn> {
        match self {
            Backend::Headless(headless) => headless.draw(head, scene, tracker),
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
