//! The soft shadow below a framed window: one picture, of which the corners are put at the window's corners and the rest is
//! stretched between them.

use smithay::utils::{Logical, Rectangle};

use crate::render::canvas::{Canvas, Paint, rounded};

/// How far it reaches, in logical pixels.
const REACH: i32 = 26;
/// How much lower than the window it lies.
const LOWER: i32 = 6;
/// A corner of the picture: what is not the same for each column or row.
const CORNER: i32 = REACH + 14;
/// Between the corners.
const MIDDLE: i32 = 4;
/// The picture's side.
const SIDE: i32 = 2 * CORNER + MIDDLE;

/// Draws it, for a window whose upper corners are round by `radius`.
pub fn draw(focused: bool, radius: f64, scale: f64) -> Canvas {
    let (side, reach, lower) = (f64::from(SIDE), f64::from(REACH), f64::from(LOWER));
    let strength = if focused { 0.42 } else { 0.22 };
    let mut canvas = Canvas::square(side, scale);
    let shape = rounded([reach, reach, side - reach, side - reach], 12.0);
    let bottom = side - reach - lower;
    // Nothing below the window itself: it may be translucent.
    let window = rounded(
        [reach, reach - lower, side - reach, bottom + radius],
        radius,
    );
    canvas.blend(Paint::rgb(0), [0.0, 0.0, side, side], |x, y| {
        let beneath = window(x, y).max(y - bottom);
        let outside = (0.5 + beneath * scale).clamp(0.0, 1.0);
        let depth = (1.0 - shape(x, y).max(0.0) / reach).clamp(0.0, 1.0);
        (outside * strength * depth * depth * depth.sqrt()) as f32
    });
    canvas
}

/// Which parts of the picture (logical pixels of it) go where around a window that is `outer` with its frame.
pub fn parts(
    outer: Rectangle<i32, Logical>,
) -> [(Rectangle<f64, Logical>, Rectangle<i32, Logical>); 8] {
    let (left, top) = (outer.loc.x, outer.loc.y);
    let (right, bottom) = (left + outer.size.w, top + outer.size.h);
    let (west, north) = (left - REACH, top - REACH + LOWER);
    let (east, south) = (right + REACH, bottom + REACH + LOWER);
    let part = |from: [i32; 4], to: [i32; 4]| {
        let from = Rectangle::new((from[0], from[1]).into(), (from[2], from[3]).into());
        let to = Rectangle::new(
            (to[0], to[1]).into(),
            ((to[2] - to[0]).max(0), (to[3] - to[1]).max(0)).into(),
        );
        (from.to_f64(), to)
    };
    // Half the middle, so that what is beside it is not blended in when it is stretched.
    let (between, thin) = (CORNER + 1, MIDDLE - 2);
    let far = SIDE - CORNER;
    let (x1, x2) = (west + CORNER, east - CORNER);
    let (y1, y2) = (north + CORNER, south - CORNER);
    let (above, below) = (REACH - LOWER, REACH + LOWER);
    [
        part([0, 0, CORNER, CORNER], [west, north, x1, y1]),
        part([far, 0, CORNER, CORNER], [x2, north, east, y1]),
        part([0, far, CORNER, CORNER], [west, y2, x1, south]),
        part([far, far, CORNER, CORNER], [x2, y2, east, south]),
        part([between, 0, thin, above], [x1, north, x2, top]),
        part(
            [between, SIDE - below, thin, below],
            [x1, bottom, x2, south],
        ),
        part([0, between, REACH, thin], [west, y1, left, y2]),
        part([SIDE - REACH, between, REACH, thin], [right, y1, east, y2]),
    ]
}

/// Windows smaller than this have none: the corners would overlap.
pub fn fits(outer: Rectangle<i32, Logical>) -> bool {
    let least = 2 * (CORNER - REACH + LOWER);
    outer.size.w >= least && outer.size.h >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_lie_around_the_window_and_meet() {
        let outer = Rectangle::new((100, 100).into(), (300, 200).into());
        let parts = parts(outer);
        let area = |r: &Rectangle<i32, Logical>| r.size.w * r.size.h;
        for (at, (_, part)) in parts.iter().enumerate() {
            for (_, other) in &parts[at + 1..] {
                let common = part.intersection(*other).map_or(0, |r| area(&r));
                assert_eq!(common, 0, "{part:?} {other:?}");
            }
        }
        let all = parts.iter().map(|p| p.1).reduce(Rectangle::merge).unwrap();
        assert_eq!(all.loc, (100 - REACH, 100 - REACH + LOWER).into());
        assert_eq!(all.size, (300 + 2 * REACH, 200 + 2 * REACH).into());
    }

    #[test]
    fn nothing_lies_below_the_window_and_it_fades_away_from_it() {
        let canvas = draw(true, 10.0, 1.0);
        let middle = SIDE / 2;
        assert_eq!(canvas.at(middle, middle)[3], 0);
        let below: Vec<u8> = (SIDE - REACH - LOWER + 1..SIDE)
            .map(|y| canvas.at(middle, y)[3])
            .collect();
        assert!(below[0] > 60, "{below:?}");
        assert!(below.windows(2).all(|p| p[0] >= p[1]), "{below:?}");
        assert_eq!(below.last(), Some(&0));
    }
}
