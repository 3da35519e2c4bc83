//! Memory images, drawn by pixman. Nothing is drawn unless something changed: an idle session does not wake up.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::pixman::PixmanRenderer;
use smithay::backend::renderer::{Bind, ExportMem, Offscreen};
use smithay::reexports::pixman::Image;
use smithay::utils::{Physical, Rectangle, Size};

use super::Drawn;
use crate::outputs::HeadId;
use crate::render::{Scene, Tracker};

/// A memory image for each output.
pub struct Headless {
    renderer: PixmanRenderer,
    images: BTreeMap<HeadId, Image<'static, 'static>>,
}

impl std::fmt::Debug for Headless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Headless")
            .field("images", &self.images.keys())
            .finish_non_exhaustive()
    }
}

impl Headless {
    /// No output yet.
    pub fn new() -> Result<Headless> {
        Ok(Headless {
            renderer: PixmanRenderer::new().context("cannot create a pixman renderer")?,
            images: BTreeMap::new(),
        })
    }

    /// An image of this size; whatever the output had before is gone.
    pub fn add(&mut self, head: HeadId, size: Size<i32, Physical>) -> Result<()> {
        let image = self
            .renderer
            .create_buffer(Fourcc::Xrgb8888, (size.w, size.h).into())
            .context("cannot allocate the output's image")?;
        self.images.insert(head, image);
        Ok(())
    }

    /// The output is gone.
    pub fn remove(&mut self, head: HeadId) {
        self.images.remove(&head);
    }

    /// Draws what changed since the last frame.
    pub fn draw(
        &mut self,
        head: HeadId,
        scene: &Scene<'_>,
        tracker: &mut Tracker,
    ) -> Result<Drawn> {
        let elements = scene.elements(&mut self.renderer);
        let image = self.images.get_mut(&head).context("it has no image")?;
        let mut target = self.renderer.bind(image)?;
        let result = tracker.render_output(
            &mut self.renderer,
            &mut target,
            1,
            &elements,
            scene.ground(),
        )?;
        Ok(Drawn {
            damage: result.damage.cloned().unwrap_or_default(),
            states: result.states,
        })
    }

    /// The last frame's pixels within `region`, as XRGB8888 rows without padding.
    pub fn pixels(&mut self, head: HeadId, region: Rectangle<i32, Physical>) -> Result<Vec<u8>> {
        let image = self.images.get_mut(&head).context("it has no image")?;
        let target = self.renderer.bind(image)?;
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
