//! What the session itself draws at windows and ghosts. Everything is drawn when something about it changed, in
//! [`Decor::refresh`], before the frame that shows it; nothing here asks for a frame or runs a timer.

use smithay::backend::renderer::Texture;
use smithay::backend::renderer::element::Kind;
use smithay::backend::renderer::element::memory::{
    MemoryRenderBuffer, MemoryRenderBufferRenderElement,
};
use smithay::utils::{Logical, Physical, Point, Rectangle, Scale, Size};

use overwinter_config::Appearance;

use super::canvas::Canvas;
use super::{SceneElement, SceneRenderer};
use crate::shell::{Ghost, Shell};

mod badge;

use badge::Badges;
pub use badge::Sleep;

/// What was drawn, ready to be put into scenes.
#[derive(Debug, Default)]
pub struct Decor {
    badges: Badges,
}

impl Decor {
    /// Draws what changed since the last time, for an output of this scale.
    pub fn refresh(&mut self, shell: &mut Shell, appearance: &Appearance, scale: f64) {
        shell.dim_ghosts(appearance.ghost_dim);
        if shell.ghosts().next().is_some() {
            self.badges.prepare(scale);
        }
    }

    /// What is above a ghost's picture, topmost first.
    pub fn above_ghost<R>(
        &self,
        renderer: &mut R,
        ghost: &Ghost,
        scale: Scale<f64>,
        elements: &mut Vec<SceneElement<R>>,
    ) where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let badge = ghost.sleep().and_then(|s| self.badges.get(s, scale.x));
        if let (Some(badge), Some(place)) = (badge, badge::place(ghost.rect())) {
            let at = place.loc.to_physical_precise_round(scale);
            elements.extend(still(renderer, badge, at, place.size));
        }
    }
}

/// A picture of ours.
#[derive(Debug)]
struct Still {
    buffer: MemoryRenderBuffer,
    pixels: Size<f64, Logical>,
}

impl From<Canvas> for Still {
    fn from(canvas: Canvas) -> Still {
        Still {
            buffer: canvas.buffer(),
            pixels: (f64::from(canvas.size().w), f64::from(canvas.size().h)).into(),
        }
    }
}

/// A picture of ours as part of a scene, one of its pixels on one of the output's.
fn still<R>(
    renderer: &mut R,
    picture: &Still,
    at: Point<i32, Physical>,
    size: Size<i32, Logical>,
) -> Option<SceneElement<R>>
where
    R: SceneRenderer,
    R::TextureId: Texture + Clone + Send + 'static,
{
    let element = MemoryRenderBufferRenderElement::from_buffer(
        renderer,
        at.to_f64(),
        &picture.buffer,
        None,
        Some(Rectangle::from_size(picture.pixels)),
        Some(size),
        Kind::Unspecified,
    );
    match element {
        Ok(element) => Some(element.into()),
        Err(error) => {
            tracing::error!(%error, "something of a window's frame could not be drawn");
            None
        }
    }
}

/// fractional-scale's unit: a key where a number with a fraction would be none.
fn in_120ths(scale: f64) -> u32 {
    (scale * 120.0).round() as u32
}
