//! The scene: what is on screen, topmost first; and pictures of parts of it.

use overwinter_config::{Appearance, Colour};
use smithay::backend::renderer::damage::OutputDamageTracker;
use smithay::backend::renderer::element::memory::MemoryRenderBufferRenderElement;
use smithay::backend::renderer::element::solid::SolidColorRenderElement;
use smithay::backend::renderer::element::surface::{
    WaylandSurfaceRenderElement, render_elements_from_surface_tree,
};
use smithay::backend::renderer::element::utils::{Relocate, RelocateRenderElement};
use smithay::backend::renderer::element::{AsRenderElements, Kind, render_elements};
use smithay::backend::renderer::{Color32F, Texture};
use smithay::input::pointer::{CursorImageStatus, CursorImageSurfaceData};
use smithay::utils::{Logical, Physical, Point, Rectangle, Scale, Transform};
use smithay::wayland::compositor::with_states;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::shell::{Item, Shell, Standing};

mod appearance;
mod arrow;
mod canvas;
mod client_surface;
mod cursor;
mod decor;
mod frames;
mod offscreen;

pub use client_surface::SceneRenderer;
pub use decor::{Decor, Sleep};
pub use frames::Frames;
pub use offscreen::{PaintError, Painter};

/// Knows what changed since the last frame.
pub type Tracker = OutputDamageTracker;

/// The ground behind all windows.
fn ground_of(appearance: &Appearance) -> Color32F {
    let Colour { red, green, blue } = appearance.background;
    let part = |value: u8| f32::from(value) / 255.0;
    Color32F::new(part(red), part(green), part(blue), 1.0)
}

#[allow(
    missing_docs,
    reason = "smithay's macro takes no documentation for variants"
)]
mod element {
    use super::client_surface::{ClientSurface, SceneRenderer};
    use super::{MemoryRenderBufferRenderElement, SolidColorRenderElement, render_elements};

    render_elements! {
        /// One thing on screen.
        pub SceneElement<R> where R: SceneRenderer;
        Surface=ClientSurface<R>,
        Picture=MemoryRenderBufferRenderElement<R>,
        Solid=SolidColorRenderElement,
    }
}
pub use element::SceneElement;

/// One thing, where it is on its output.
pub type OnOutput<R> = RelocateRenderElement<SceneElement<R>>;

impl<R> From<WaylandSurfaceRenderElement<R>> for SceneElement<R>
where
    R: SceneRenderer,
{
    fn from(surface: WaylandSurfaceRenderElement<R>) -> Self {
        SceneElement::Surface(surface.into())
    }
}

/// Where the pointer is and how it looks.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    /// Its hot spot.
    pub location: Point<f64, Logical>,
    /// Its image.
    pub image: &'a CursorImageStatus,
    /// Draw a named cursor ourselves (false where the host draws it).
    pub draw_named: bool,
}

/// All that is on screen.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Windows, ghosts, panels, or the lock.
    pub shell: &'a Shell,
    /// What is drawn at windows and ghosts.
    pub decor: &'a Decor,
    /// What is dragged, and where the pointer holds it.
    pub drag_icon: Option<(&'a WlSurface, Point<f64, Logical>)>,
    /// The pointer, where it is drawn.
    pub cursor: Option<Cursor<'a>>,
    /// Buffer pixels per logical pixel.
    pub scale: f64,
    /// The output's corner on the desktop.
    pub origin: Point<i32, Logical>,
    /// How the output is turned.
    pub transform: Transform,
    /// The screen is off.
    pub blank: bool,
}

impl Scene<'_> {
    /// What is seen where nothing stands.
    pub fn ground(&self) -> Color32F {
        self.decor.ground
    }

    /// The scene for this renderer, as it lies on the output, topmost first.
    pub fn elements<R>(&self, renderer: &mut R) -> Vec<OnOutput<R>>
    where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let corner: Point<i32, Physical> = self.origin.to_physical_precise_round(self.scale);
        let there = Point::from((-corner.x, -corner.y));
        let onto = |e| RelocateRenderElement::from_element(e, there, Relocate::Relative);
        self.on_desktop(renderer).into_iter().map(onto).collect()
    }

    /// As it lies on the desktop.
    fn on_desktop<R>(&self, renderer: &mut R) -> Vec<SceneElement<R>>
    where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let mut elements = Vec::new();
        if self.blank {
            return elements;
        }
        let scale = Scale::from(self.scale);
        if let Some(cursor) = self.cursor {
            self.cursor_elements(renderer, cursor, &mut elements);
        }
        if let Some((surface, at)) = self.drag_icon.filter(|_| self.shell.lock.is_none()) {
            let at = at.to_physical(scale).to_i32_round();
            elements.extend(render_elements_from_surface_tree(
                renderer,
                surface,
                at,
                scale,
                1.0,
                Kind::Unspecified,
            ));
        }
        if self.shell.lock.is_none() {
            elements.extend(self.decor.told(renderer, self.origin, scale));
        }
        for standing in self.shell.order() {
            if !self.reaches_here(&standing) {
                continue;
            }
            match standing {
                Standing::Lock(cover) => elements.extend(render_elements_from_surface_tree(
                    renderer,
                    cover.surface.wl_surface(),
                    cover.rect.loc.to_physical_precise_round(scale),
                    scale,
                    1.0,
                    Kind::Unspecified,
                )),
                Standing::Layer(layer) => {
                    let at = layer.rect.loc.to_physical_precise_round(scale);
                    elements.extend(
                        layer
                            .surface
                            .render_elements::<SceneElement<R>>(renderer, at, scale, 1.0),
                    );
                }
                Standing::Unmanaged(unmanaged) => {
                    let at = unmanaged.rect.loc.to_physical_precise_round(scale);
                    elements.extend(render_elements_from_surface_tree(
                        renderer,
                        &unmanaged.surface,
                        at,
                        scale,
                        1.0,
                        Kind::Unspecified,
                    ));
                }
                Standing::Item(Item::Window(id)) => {
                    let Some(window) = self.shell.window(id) else {
                        continue;
                    };
                    let at = window.surface_origin().to_physical_precise_round(scale);
                    elements.extend(
                        window
                            .window
                            .render_elements::<SceneElement<R>>(renderer, at, scale, 1.0),
                    );
                    let item = Item::Window(id);
                    self.decor
                        .frame(renderer, self.shell, item, scale, &mut elements);
                }
                Standing::Item(Item::Ghost(id)) => {
                    if let Some(ghost) = self.shell.ghost(id) {
                        ghost.elements(renderer, scale, self.decor, &mut elements);
                        let item = Item::Ghost(id);
                        self.decor
                            .frame(renderer, self.shell, item, scale, &mut elements);
                    }
                }
            }
        }
        elements
    }

    /// A tile that is scrolled half out of view does not reach into the next output.
    fn reaches_here(&self, standing: &Standing<'_>) -> bool {
        let Standing::Item(item) = standing else {
            return true;
        };
        let clip = self.shell.clip_of(*item);
        clip.is_none_or(|clip| clip.contains(self.origin))
    }

    fn cursor_elements<R>(
        &self,
        renderer: &mut R,
        cursor: Cursor<'_>,
        elements: &mut Vec<SceneElement<R>>,
    ) where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let scale = Scale::from(self.scale);
        match cursor.image {
            CursorImageStatus::Surface(surface) => {
                let hotspot = with_states(surface, |states| {
                    let data = states.data_map.get::<CursorImageSurfaceData>()?;
                    Some(data.lock().ok()?.hotspot)
                });
                let at = cursor.location - hotspot.unwrap_or_default().to_f64();
                let at = at.to_physical(scale).to_i32_round();
                elements.extend(render_elements_from_surface_tree(
                    renderer,
                    surface,
                    at,
                    scale,
                    1.0,
                    Kind::Cursor,
                ));
            }
            CursorImageStatus::Named(icon) if cursor.draw_named => {
                let image = self.decor.cursors.get(*icon, self.scale);
                let buffer = match image {
                    Some(image) => &image.buffer,
                    None => arrow::buffer(),
                };
                let hot = image.map_or_else(Default::default, |image| image.hot);
                let at = (cursor.location - hot).to_physical(scale);
                let arrow = MemoryRenderBufferRenderElement::from_buffer(
                    renderer,
                    at,
                    buffer,
                    None,
                    image.map(|image| Rectangle::from_size(image.pixels)),
                    image.map(|image| image.size),
                    Kind::Cursor,
                );
                match arrow {
                    Ok(arrow) => elements.push(arrow.into()),
                    Err(error) => tracing::error!(%error, "the pointer could not be drawn"),
                }
            }
            CursorImageStatus::Named(_) | CursorImageStatus::Hidden => {}
        }
    }
}
