//! Pictures drawn into memory, whatever the backend: of one window (for its ghost) and of the whole scene (for screenshots
//! with the pointer in them).

use overwinter_proto::snapshot::Picture;
use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::element::Kind;
use smithay::backend::renderer::element::RenderElement;
use smithay::backend::renderer::element::surface::render_elements_from_surface_tree;
use smithay::backend::renderer::pixman::{PixmanError, PixmanRenderer};
use smithay::backend::renderer::utils::draw_render_elements;
use smithay::backend::renderer::{Bind, Color32F, ExportMem, Frame, Offscreen, Renderer};
use smithay::utils::{Logical, Physical, Point, Rectangle, Scale, Size, Transform};
use wayland_server::protocol::wl_surface::WlSurface;

use super::Scene;
use super::client_surface::ClientSurface;

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PaintError {
    /// pixman's word.
    #[error("the picture could not be drawn: {0}")]
    Pixman(#[from] PixmanError),
    /// It has no pixels, or more than any window has.
    #[error("a picture of {0}x{1} pixels cannot be drawn")]
    Size(i32, i32),
}

/// Draws into memory.
pub struct Painter(PixmanRenderer);

impl std::fmt::Debug for Painter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Painter")
    }
}

impl Painter {
    /// A painter of its own; what it imports is only the clients' shared memory, wrapped.
    pub fn new() -> Result<Painter, PaintError> {
        Ok(Painter(PixmanRenderer::new()?))
    }

    /// A window as it is now: toplevel and subsurfaces in stacking order, without popups, on transparent ground.
    ///
    /// `bbox` and `geometry` are relative to the toplevel's surface; the picture covers `bbox`, so shadows are in it.
    pub fn window(
        &mut self,
        surface: &WlSurface,
        bbox: Rectangle<i32, Logical>,
        geometry: Rectangle<i32, Logical>,
        scale: f64,
    ) -> Result<Picture, PaintError> {
        let factor = Scale::from(scale);
        let size: Size<i32, Physical> = bbox.size.to_f64().to_physical(factor).to_i32_ceil();
        let origin: Point<i32, Physical> = Point::<i32, Logical>::from((-bbox.loc.x, -bbox.loc.y))
            .to_physical_precise_round(factor);
        let elements: Vec<ClientSurface<PixmanRenderer>> = render_elements_from_surface_tree(
            &mut self.0,
            surface,
            origin,
            factor,
            1.0,
            Kind::Unspecified,
        );
        let argb = self.paint(
            &elements,
            size,
            scale,
            Transform::Normal,
            (Fourcc::Argb8888, Color32F::TRANSPARENT),
        )?;
        Ok(Picture {
            width: size.w.unsigned_abs(),
            height: size.h.unsigned_abs(),
            scale_120: (scale * 120.0).round() as u32,
            geometry_x: geometry.loc.x - bbox.loc.x,
            geometry_y: geometry.loc.y - bbox.loc.y,
            argb,
        })
    }

    /// The whole scene, as it lies in the memory of an output of `size`: XRGB8888 rows without padding.
    pub fn scene(
        &mut self,
        scene: &Scene<'_>,
        size: Size<i32, Physical>,
    ) -> Result<Vec<u8>, PaintError> {
        let elements = scene.elements(&mut self.0);
        let kind = (Fourcc::Xrgb8888, scene.ground());
        self.paint(&elements, size, scene.scale, scene.transform, kind)
    }

    fn paint<E: RenderElement<PixmanRenderer>>(
        &mut self,
        elements: &[E],
        size: Size<i32, Physical>,
        scale: f64,
        turned: Transform,
        (format, ground): (Fourcc, Color32F),
    ) -> Result<Vec<u8>, PaintError> {
        if size.w <= 0 || size.h <= 0 || size.w > 16384 || size.h > 16384 {
            return Err(PaintError::Size(size.w, size.h));
        }
        let renderer = &mut self.0;
        let whole = Rectangle::from_size(turned.transform_size(size));
        let mut image = renderer.create_buffer(format, (size.w, size.h).into())?;
        let mut target = renderer.bind(&mut image)?;
        {
            let mut frame = renderer.render(&mut target, size, turned.invert())?;
            frame.clear(ground, &[whole])?;
            draw_render_elements::<PixmanRenderer, _, _>(&mut frame, scale, elements, &[whole])?;
            let _ = frame.finish()?;
        }
        let region = Rectangle::from_size((size.w, size.h).into());
        let mapping = renderer.copy_framebuffer(&target, region, format)?;
        Ok(renderer.map_texture(&mapping)?.to_vec())
    }
}
