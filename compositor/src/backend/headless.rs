//! A memory image, drawn by pixman. Nothing is drawn unless something changed: an idle session does not wake up.

use anyhow::{Context, Result};
use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::pixman::PixmanRenderer;
use smithay::backend::renderer::{Bind, ExportMem, Offscreen};
use smithay::reexports::pixman::Image;
use smithay::utils::{Physical, Rectangle, Size};

use super::Drawn;
use crate::render::{BACKGROUND, Scene, Tracker};

/// A memory image.
pub struct Headless {
    renderer: PixmanRenderer,
    image: Image<'static, 'static>,
    size: Size<i32, Physical>,
}

impl std::fmt::Debug for Headless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Headless")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Headless {
    /// An image of this size.
    pub fn new(size: Size<i32, Physical>) -> Result<Headless> {
        let mut renderer = PixmanRenderer::new().context("cannot create a pixman renderer")?;
        let image = renderer
            .create_buffer(Fourcc::Xrgb8888, (size.w, size.h).into())
            .context("cannot allocate the output's image")?;
        Ok(Headless {
            renderer,
            image,
            size,
        })
    }

    /// Pixels.
    pub fn size(&self) -> Size<i32, Physical> {
        self.size
    }

    /// Draws what changed since the last frame.
    pub fn draw(&mut self, scene: &Scene<'_>, tracker: &mut Tracker) -> Result<Drawn> {
        let elements = scene.elements(&mut self.renderer);
        let mut target = self.renderer.bind(&mut self.image)?;
        let result =
            tracker.render_output(&mut self.renderer, &mut target, 1, &elements, BACKGROUND)?;
        Ok(Drawn {
            damage: result.damage.cloned().unwrap_or_default(),
            states: result.states,
        })
    }

    /// The last frame's pixels within `region`, as XRGB8888 rows without padding.
    pub fn pixels(&mut self, region: Rectangle<i32, Physical>) -> Result<Vec<u8>> {
        let target = self.renderer.bind(&mut self.image)?;
        let region = Rectangle::new(
            (region.loc.x, region.loc.y).into(),
            (region.size.w, region.size.h).into(),
        );
        let mapping = self
            .renderer
            .copy_framebuffer(&target, region, Fourcc::Xrgb8888)?;
        Ok(self.renderer.map_texture(&mapping)?.to_vec())
    }
}
