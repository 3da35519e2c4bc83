//! Small pictures of our own (moons, buttons, title bars), drawn on the CPU at the output's scale. A shape is a function that says
//! how far a point is from its edge, negative inside; a pixel is covered as much as that distance says, so edges are smooth at
//! every scale.

use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::{Physical, Size, Transform};

/// sRGB and how opaque, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paint {
    red: f32,
    green: f32,
    blue: f32,
    alpha: f32,
}

impl Paint {
    /// 0xRRGGBB
    pub const fn rgb(hex: u32) -> Paint {
        Paint {
            red: ((hex >> 16) & 255) as f32 / 255.0,
            green: ((hex >> 8) & 255) as f32 / 255.0,
            blue: (hex & 255) as f32 / 255.0,
            alpha: 1.0,
        }
    }

    /// The same, this much of it.
    pub const fn faded(self, by: f32) -> Paint {
        Paint {
            alpha: self.alpha * by,
            ..self
        }
    }
}

impl From<Paint> for smithay::backend::renderer::Color32F {
    fn from(paint: Paint) -> Self {
        let Paint {
            red,
            green,
            blue,
            alpha,
        } = paint;
        Self::new(red * alpha, green * alpha, blue * alpha, alpha)
    }
}

/// Pixels to draw on: ARGB8888, premultiplied, transparent at first.
#[derive(Debug)]
pub struct Canvas {
    size: Size<i32, Physical>,
    scale: f64,
    pixels: Vec<u8>,
}

impl Canvas {
    /// As many pixels as `size`; shapes are given in logical pixels, `scale` times as large.
    pub fn new(size: Size<i32, Physical>, scale: f64) -> Canvas {
        let size = Size::from((size.w.clamp(1, 16384), size.h.clamp(1, 16384)));
        Canvas {
            size,
            scale,
            pixels: vec![0; size.w as usize * size.h as usize * 4],
        }
    }

    /// A square of `side` logical pixels.
    pub fn square(side: f64, scale: f64) -> Canvas {
        let side = (side * scale).round() as i32;
        Canvas::new((side, side).into(), scale)
    }

    /// Paints where `distance` of a point (logical pixels) is negative, within the rows and columns of `around` (left, top, right,
    /// bottom).
    pub fn fill(&mut self, paint: Paint, around: [f64; 4], distance: impl Fn(f64, f64) -> f64) {
        let scale = self.scale;
        self.blend(paint, around, |x, y| {
            (0.5 - distance(x, y) * scale).clamp(0.0, 1.0) as f32
        });
    }

    /// Paints as much as `cover` of a point (logical pixels) says, 0 to 1.
    pub fn blend(&mut self, paint: Paint, around: [f64; 4], cover: impl Fn(f64, f64) -> f32) {
        let scale = self.scale;
        let [left, top, right, bottom] = around.map(|edge| edge * scale);
        let columns = (left.floor() as i32).max(0)..(right.ceil() as i32).min(self.size.w);
        for y in (top.floor() as i32).max(0)..(bottom.ceil() as i32).min(self.size.h) {
            for x in columns.clone() {
                let (px, py) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                let covered = cover(px / scale, py / scale);
                if covered > 0.0 {
                    self.put(x, y, paint.faded(covered));
                }
            }
        }
    }

    /// Paints through a mask of one byte a pixel, `width` of them a row, its corner at `at` (pixels).
    pub fn stencil(
        &mut self,
        paint: Paint,
        (left, top): (i32, i32),
        mask: &[u8],
        width: i32,
        visible: impl Fn(i32) -> f32,
    ) {
        let rows = mask.chunks_exact(width.max(1) as usize);
        for (y, row) in (top..).zip(rows) {
            for (x, covered) in (left..).zip(row).filter(|(_, covered)| **covered > 0) {
                if (0..self.size.w).contains(&x) && (0..self.size.h).contains(&y) {
                    self.put(x, y, paint.faded(f32::from(*covered) / 255.0 * visible(x)));
                }
            }
        }
    }

    /// Over what is there.
    fn put(&mut self, x: i32, y: i32, paint: Paint) {
        let at = (y as usize * self.size.w as usize + x as usize) * 4;
        let Some(pixel) = self.pixels.get_mut(at..at + 4) else {
            return;
        };
        let source = [paint.blue, paint.green, paint.red, 1.0];
        for (old, new) in pixel.iter_mut().zip(source) {
            let below = f32::from(*old) * (1.0 - paint.alpha);
            *old = (below + new * paint.alpha * 255.0).round() as u8;
        }
    }

    /// Pixels.
    pub fn size(&self) -> Size<i32, Physical> {
        self.size
    }

    /// Pixels per logical pixel.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// For the renderers.
    pub fn buffer(&self) -> MemoryRenderBuffer {
        MemoryRenderBuffer::from_slice(
            &self.pixels,
            Fourcc::Argb8888,
            (self.size.w, self.size.h),
            1,
            Transform::Normal,
            None,
        )
    }

    /// Red, green, blue, alpha of a pixel.
    #[cfg(test)]
    pub(super) fn at(&self, x: i32, y: i32) -> [u8; 4] {
        let at = (y as usize * self.size.w as usize + x as usize) * 4;
        let p = &self.pixels[at..at + 4];
        [p[2], p[1], p[0], p[3]]
    }
}

/// A disc.
pub fn disc(x: f64, y: f64, radius: f64) -> impl Fn(f64, f64) -> f64 + Copy {
    move |px, py| (px - x).hypot(py - y) - radius
}

/// The edge of a disc, this wide.
pub fn ring(x: f64, y: f64, radius: f64, width: f64) -> impl Fn(f64, f64) -> f64 + Copy {
    let disc = disc(x, y, radius);
    move |px, py| disc(px, py).abs() - width / 2.0
}

/// A stroke with round ends.
pub fn stroke(from: (f64, f64), to: (f64, f64), width: f64) -> impl Fn(f64, f64) -> f64 + Copy {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = (dx * dx + dy * dy).max(f64::EPSILON);
    move |px, py| {
        let (x, y) = (px - from.0, py - from.1);
        let along = ((x * dx + y * dy) / length).clamp(0.0, 1.0);
        (x - dx * along).hypot(y - dy * along) - width / 2.0
    }
}

/// A rectangle (left, top, right, bottom) with round corners.
pub fn rounded(
    [left, top, right, bottom]: [f64; 4],
    radius: f64,
) -> impl Fn(f64, f64) -> f64 + Copy {
    let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
    let half = ((right - left) / 2.0 - radius, (bottom - top) / 2.0 - radius);
    move |px, py| {
        let (x, y) = (
            (px - middle.0).abs() - half.0,
            (py - middle.1).abs() - half.1,
        );
        x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
    }
}

/// The moon: a disc without another one that covers a part of it from the upper right. `lit`, 0 to 1, is how far that has moved
/// away.
pub fn moon(x: f64, y: f64, radius: f64, lit: f64) -> impl Fn(f64, f64) -> f64 + Copy {
    let away = radius * (0.55 + 1.45 * lit);
    let whole = disc(x, y, radius);
    let shadow = disc(x + away * 0.82, y - away * 0.57, radius * 0.92);
    move |px, py| whole(px, py).max(-shadow(px, py))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Paint = Paint::rgb(0xffffff);

    #[test]
    fn a_disc_is_smooth_at_its_edge_and_as_large_as_it_says() {
        for scale in [1.0, 1.25, 2.0] {
            let mut canvas = Canvas::square(20.0, scale);
            canvas.fill(WHITE, [0.0, 0.0, 20.0, 20.0], disc(10.0, 10.0, 8.0));
            let Size { w, h, .. } = canvas.size();
            let alphas = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
            let alphas: Vec<u8> = alphas.map(|(x, y)| canvas.at(x, y)[3]).collect();
            let area: f64 = alphas.iter().map(|a| f64::from(*a) / 255.0).sum();
            let expected = std::f64::consts::PI * (8.0 * scale).powi(2);
            assert!((area / expected - 1.0).abs() < 0.01, "{area} {expected}");
            assert!(alphas.iter().any(|a| (1..255).contains(a)), "jagged");
        }
    }

    #[test]
    fn a_moon_is_a_crescent_that_opens_to_the_upper_right() {
        let mut canvas = Canvas::square(20.0, 1.0);
        canvas.fill(WHITE, [0.0, 0.0, 20.0, 20.0], moon(10.0, 10.0, 8.0, 0.0));
        assert_eq!(canvas.at(4, 12)[3], 255);
        assert_eq!(canvas.at(12, 8)[3], 0);
        let mut full = Canvas::square(20.0, 1.0);
        full.fill(WHITE, [0.0, 0.0, 20.0, 20.0], moon(10.0, 10.0, 8.0, 1.0));
        assert_eq!(full.at(12, 8)[3], 255);
    }

    #[test]
    fn what_is_painted_lies_over_what_was_and_stays_premultiplied() {
        let mut canvas = Canvas::square(4.0, 1.0);
        let all = [0.0, 0.0, 4.0, 4.0];
        let everywhere = |_, _| -9.0;
        canvas.fill(Paint::rgb(0x000000), all, everywhere);
        canvas.fill(WHITE.faded(0.5), all, everywhere);
        assert_eq!(canvas.at(1, 1), [128, 128, 128, 255]);
        let mut alone = Canvas::square(4.0, 1.0);
        alone.fill(WHITE.faded(0.25), all, everywhere);
        assert_eq!(alone.at(1, 1), [64, 64, 64, 64]);
    }

    #[test]
    fn nothing_outside_of_the_canvas_is_touched() {
        let mut canvas = Canvas::new((0, -3).into(), 1.0);
        let far = [-1e9, -1e9, 1e9, 1e9];
        canvas.fill(WHITE, far, |_, _| -1.0);
        canvas.stencil(WHITE, (-5, -5), &[255; 400], 20, |_| 1.0);
        assert_eq!(canvas.at(0, 0), [255; 4]);
    }
}
