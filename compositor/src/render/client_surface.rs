//! A client's surface as part of a scene. Its pixels are the client's own memory, which the client can take away at any moment,
//! in the middle of a frame, too. Promise: that costs the client its picture and nobody else anything.

use smithay::backend::renderer::element::surface::WaylandSurfaceRenderElement;
use smithay::backend::renderer::element::{Element, Id, Kind, RenderElement, UnderlyingStorage};
use smithay::backend::renderer::gles::{GlesError, GlesRenderer};
use smithay::backend::renderer::pixman::{PixmanError, PixmanRenderer};
use smithay::backend::renderer::utils::{CommitCounter, DamageSet, OpaqueRegions};
use smithay::backend::renderer::{ImportAll, ImportMem, Renderer, Texture};
use smithay::utils::{Buffer, Physical, Rectangle, Scale, Transform};

/// Draws scenes, and knows whose fault it is when it cannot.
pub trait SceneRenderer: Renderer + ImportAll + ImportMem {
    /// The memory that the client promised is not there (any more).
    fn is_the_clients_doing(error: &Self::Error) -> bool;
}

impl SceneRenderer for PixmanRenderer {
    fn is_the_clients_doing(error: &PixmanError) -> bool {
        matches!(
            error,
            PixmanError::BufferAccessError(_) | PixmanError::IncompleteBuffer { .. }
        )
    }
}

impl SceneRenderer for GlesRenderer {
    /// It has textures of its own. It reads clients' memory when it imports it, and leaves out what it cannot read.
    fn is_the_clients_doing(_: &GlesError) -> bool {
        false
    }
}

/// A client's surface; drawn as nothing where its memory is gone.
#[derive(Debug)]
pub struct ClientSurface<R: Renderer>(WaylandSurfaceRenderElement<R>);

impl<R: Renderer> From<WaylandSurfaceRenderElement<R>> for ClientSurface<R> {
    fn from(surface: WaylandSurfaceRenderElement<R>) -> Self {
        ClientSurface(surface)
    }
}

impl<R: Renderer + ImportAll> Element for ClientSurface<R> {
    fn id(&self) -> &Id {
        self.0.id()
    }

    fn current_commit(&self) -> CommitCounter {
        self.0.current_commit()
    }

    fn geometry(&self, scale: Scale<f64>) -> Rectangle<i32, Physical> {
        self.0.geometry(scale)
    }

    fn src(&self) -> Rectangle<f64, Buffer> {
        self.0.src()
    }

    fn transform(&self) -> Transform {
        self.0.transform()
    }

    fn damage_since(
        &self,
        scale: Scale<f64>,
        commit: Option<CommitCounter>,
    ) -> DamageSet<i32, Physical> {
        self.0.damage_since(scale, commit)
    }

    fn opaque_regions(&self, scale: Scale<f64>) -> OpaqueRegions<i32, Physical> {
        self.0.opaque_regions(scale)
    }

    fn alpha(&self) -> f32 {
        self.0.alpha()
    }

    fn kind(&self) -> Kind {
        self.0.kind()
    }
}

impl<R> RenderElement<R> for ClientSurface<R>
where
    R: SceneRenderer,
    R::TextureId: Texture + 'static,
{
    fn underlying_storage(&self, renderer: &mut R) -> Option<UnderlyingStorage<'_>> {
        self.0.underlying_storage(renderer)
    }

    fn draw(
        &self,
        frame: &mut R::Frame<'_, '_>,
        src: Rectangle<f64, Buffer>,
        dst: Rectangle<i32, Physical>,
        damage: &[Rectangle<i32, Physical>],
        opaque_regions: &[Rectangle<i32, Physical>],
    ) -> Result<(), R::Error> {
        let drawn = self.0.draw(frame, src, dst, damage, opaque_regions);
        match drawn {
            Err(error) if R::is_the_clients_doing(&error) => {
                // Smithay has told the client, which is ended after this round of the event loop.
                tracing::warn!(%error, "a client took the memory of its window away; nothing is drawn there");
                Ok(())
            }
            drawn => drawn,
        }
    }
}
