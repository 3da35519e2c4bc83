//! The moon in a corner of each ghost: it sleeps. It is almost full while the group wakes.

use std::collections::BTreeMap;

use smithay::utils::{Logical, Point, Rectangle};

use super::Still;
use crate::render::canvas::{Canvas, Paint, disc, moon, ring};

/// Side of the badge in logical pixels.
const SIDE: i32 = 30;
/// How far from the ghost's lower right corner it stands.
const AWAY: i32 = 12;

const NIGHT: Paint = Paint::rgb(0x12161f).faded(0.66);
const EDGE: Paint = Paint::rgb(0xffffff).faded(0.14);
const ASLEEP: Paint = Paint::rgb(0xdfe7fb);
const WAKING: Paint = Paint::rgb(0xffdf91);
const DAWN: Paint = Paint::rgb(0x5c9ef2);

/// How it stands with a sleeping group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sleep {
    /// It sleeps.
    Asleep,
    /// It is on its way.
    Waking,
}

/// The badges that were drawn, by state and scale (in 120ths).
#[derive(Debug, Default)]
pub struct Badges(BTreeMap<(Sleep, u32), Still>);

impl Badges {
    /// Draws those that are not there yet for this scale.
    pub fn prepare(&mut self, scale: f64) {
        if self.0.len() > 2 * super::MOST {
            self.0.clear();
        }
        for sleep in [Sleep::Asleep, Sleep::Waking] {
            let key = (sleep, super::in_120ths(scale));
            self.0
                .entry(key)
                .or_insert_with(|| draw(sleep, scale).into());
        }
    }

    /// The badge, if it was prepared for this scale.
    pub(super) fn get(&self, sleep: Sleep, scale: f64) -> Option<&Still> {
        self.0.get(&(sleep, super::in_120ths(scale)))
    }
}

/// Where the badge of a ghost at `rect` stands: nowhere on one that it would cover.
pub fn place(rect: Rectangle<i32, Logical>) -> Option<Rectangle<i32, Logical>> {
    let least = SIDE + 2 * AWAY;
    let fits = rect.size.w >= least && rect.size.h >= least;
    let away = Point::from((SIDE + AWAY, SIDE + AWAY));
    let corner = rect.loc + rect.size.to_point() - away;
    fits.then(|| Rectangle::new(corner, (SIDE, SIDE).into()))
}

fn draw(sleep: Sleep, scale: f64) -> Canvas {
    let side = f64::from(SIDE);
    let (middle, all) = (side / 2.0, [0.0, 0.0, side, side]);
    let mut canvas = Canvas::square(side, scale);
    canvas.fill(NIGHT, all, disc(middle, middle, middle - 1.0));
    match sleep {
        Sleep::Asleep => {
            canvas.fill(EDGE, all, ring(middle, middle, middle - 1.5, 1.0));
            canvas.fill(ASLEEP, all, moon(middle, middle, 7.5, 0.0));
        }
        Sleep::Waking => {
            canvas.fill(DAWN, all, ring(middle, middle, middle - 2.0, 2.0));
            canvas.fill(WAKING, all, moon(middle, middle, 7.5, 0.5));
        }
    }
    canvas
}
