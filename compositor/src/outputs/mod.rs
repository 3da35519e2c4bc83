//! Outputs: what is plugged in, where it stands on the desktop, how it looks.
//!
//! What holds at any time:
//!
//! 1. The outputs that are in use do not overlap. One that says where it wants to stand stands there, unless another does;
//!    each other stands to the right of all before it.
//! 2. Nothing depends on the order in which they came, and one that comes back is set up as it was when it went.
//! 3. What is on the desktop does not move because an output went: without any output the desktop is as large as the last
//!    one was, and the session goes on.
//! 4. A surface is told of an output exactly while it can be seen on it (`wl_surface.enter`, `leave`), and of the largest scale of
//!    those that it is on.
//!
//! [`plug`] has what happens when they come, go and change; [`surfaces`] what windows are told.

use smithay::output::{Output, Scale};
use smithay::utils::{Logical, Physical, Point, Rectangle, Size, Transform};
use wayland_server::backend::GlobalId;
use wayland_server::protocol::wl_output::WlOutput;

use crate::render::Frames;
use crate::state::Overwinter;

mod plug;
mod surfaces;

pub use plug::{Change, Plug};

/// Sides of an output in pixels: what `--output` takes, and what can be drawn.
pub const SIDES: std::ops::RangeInclusive<i32> = 64..=16384;
/// Scales at which something can still be read or seen.
pub const SCALES: std::ops::RangeInclusive<f64> = 0.25..=8.0;
/// No output stands further out.
const FAR: i32 = 1 << 20;

/// Names an output from when it is plugged in until it is unplugged. The same one that comes back has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeadId(u32);

/// What is to be remembered of an output that is not there.
#[derive(Debug, Clone)]
struct Setup {
    name: String,
    enabled: bool,
    scale: f64,
    transform: Transform,
    position: Option<Point<i32, Logical>>,
}

/// An output that is plugged in.
#[derive(Debug)]
pub struct Head {
    /// Its name in here.
    pub id: HeadId,
    /// What clients see of it.
    pub output: Output,
    /// When it is drawn next, and what changed since it was drawn last.
    pub frames: Frames,
    /// Switched off: it shows nothing, but keeps its place.
    pub off: bool,
    /// Announced to clients; an output that is not in use is not.
    global: Option<GlobalId>,
    /// Where it is wanted.
    position: Option<Point<i32, Logical>>,
}

impl Head {
    /// Whether it is in use: has a place on the desktop.
    pub fn enabled(&self) -> bool {
        self.global.is_some()
    }

    /// As users and scripts call it.
    pub fn name(&self) -> String {
        self.output.name()
    }

    /// Its part of the desktop.
    pub fn area(&self) -> Rectangle<i32, Logical> {
        Rectangle::new(self.output.current_location(), self.extent())
    }

    /// Logical pixels, as the user sees them: a quarter turn swaps them.
    fn extent(&self) -> Size<i32, Logical> {
        extent(self.pixels(), self.scale(), self.output.current_transform())
    }

    /// Device pixels, as they lie in memory.
    pub fn pixels(&self) -> Size<i32, Physical> {
        self.output
            .current_mode()
            .map(|m| m.size)
            .unwrap_or_default()
    }

    /// Device pixels per logical one.
    pub fn scale(&self) -> f64 {
        self.output.current_scale().fractional_scale()
    }

    /// A part of it (relative to its corner) in its memory.
    pub fn in_memory(&self, part: Rectangle<i32, Logical>) -> Rectangle<i32, Physical> {
        let seen = part.to_f64().to_physical(self.scale()).to_i32_round();
        self.turned(seen)
    }

    /// Pixels as the user sees them, as they lie in its memory.
    pub fn turned(&self, seen: Rectangle<i32, Physical>) -> Rectangle<i32, Physical> {
        let transform = self.output.current_transform();
        let whole = transform.transform_size(self.pixels());
        let lies = transform.invert().transform_rect_in(seen, &whole);
        lies.intersection(Rectangle::from_size(self.pixels()))
            .unwrap_or_default()
    }

    fn setup(&self) -> Setup {
        Setup {
            name: self.name(),
            enabled: self.enabled(),
            scale: self.scale(),
            transform: self.output.current_transform(),
            position: self.position,
        }
    }
}

fn extent(pixels: Size<i32, Physical>, scale: f64, turned: Transform) -> Size<i32, Logical> {
    let size = turned.transform_size(pixels);
    size.to_f64().to_logical(scale).to_i32_round()
}

/// Scales are told in 120ths; one that is a whole number has a form of its own.
fn scale_of(scale: f64) -> Scale {
    if scale.fract() == 0.0 {
        Scale::Integer(scale as i32)
    } else {
        Scale::Fractional(scale)
    }
}

/// All outputs.
#[derive(Debug)]
pub struct Outputs {
    /// By name, so that nothing depends on the order in which they came.
    heads: Vec<Head>,
    /// Those that were here before.
    absent: Vec<Setup>,
    /// Where the first one was when there was one.
    last: Rectangle<i32, Logical>,
    /// Surfaces may be on other outputs than they were told.
    pub(crate) moved: bool,
    /// What hidden windows that are to be shown are drawn for, while there is no output.
    last_output: Option<Output>,
    /// Without an output: a timer will tell those who wait all the same.
    pub(crate) unseen_due: bool,
    ids: u32,
}

impl Default for Outputs {
    fn default() -> Outputs {
        Outputs {
            heads: Vec::new(),
            absent: Vec::new(),
            last: Rectangle::from_size((1280, 800).into()),
            moved: false,
            last_output: None,
            unseen_due: false,
            ids: 0,
        }
    }
}

impl Outputs {
    /// All that are plugged in, in use or not.
    pub fn plugged(&self) -> impl Iterator<Item = &Head> {
        self.heads.iter()
    }

    /// Those that are in use. Where nothing says otherwise, the first is meant.
    pub fn used(&self) -> impl Iterator<Item = &Head> {
        self.heads.iter().filter(|h| h.enabled())
    }

    /// The first that is in use.
    pub fn first(&self) -> Option<&Head> {
        self.used().next()
    }

    /// By its name in here.
    pub fn get(&self, id: HeadId) -> Option<&Head> {
        self.heads.iter().find(|h| h.id == id)
    }

    /// By its name in here.
    pub fn get_mut(&mut self, id: HeadId) -> Option<&mut Head> {
        self.heads.iter_mut().find(|h| h.id == id)
    }

    /// By the name that users know.
    pub fn named(&self, name: &str) -> Option<&Head> {
        self.heads.iter().find(|h| h.output.name() == name)
    }

    /// The one that a client means; none when it is gone meanwhile.
    pub fn meant(&self, output: &WlOutput) -> Option<&Head> {
        let output = Output::from_resource(output)?;
        self.used().find(|h| h.output == output)
    }

    /// The one that this point is on.
    pub fn at(&self, point: Point<f64, Logical>) -> Option<&Head> {
        self.used().find(|h| h.area().to_f64().contains(point))
    }

    /// Those that some of this can be seen on.
    pub fn under(&self, rect: Rectangle<i32, Logical>) -> impl Iterator<Item = &Head> {
        self.used().filter(move |h| h.area().overlaps(rect))
    }

    /// The one that most of this is on; else the first.
    pub fn mostly(&self, rect: Rectangle<i32, Logical>) -> Option<&Head> {
        most_of(rect, self.used())
    }

    /// The one that most of this is on, of those that are not switched off; else the first of them.
    pub fn mostly_lit(&self, rect: Rectangle<i32, Logical>) -> Option<&Head> {
        most_of(rect, self.used().filter(|h| !h.off))
    }

    /// The point itself if it is on an output, else the nearest on the output that it comes from, else on any. Without any
    /// output nothing is off it.
    pub fn nearest(
        &self,
        at: Point<f64, Logical>,
        from: Point<f64, Logical>,
    ) -> Point<f64, Logical> {
        if self.at(at).is_some() {
            return at;
        }
        let before = self.at(from).map(|h| h.id);
        let reachable = self.used().filter(|h| before.is_none_or(|id| id == h.id));
        let candidates = reachable.map(|h| {
            let area = h.area().to_f64();
            let end = area.loc + area.size.to_point() - Point::from((1.0, 1.0));
            let near = |v: f64, low: f64, high: f64| v.clamp(low, high.max(low));
            Point::<f64, Logical>::from((
                near(at.x, area.loc.x, end.x),
                near(at.y, area.loc.y, end.y),
            ))
        });
        let distance = |p: &Point<f64, Logical>| {
            let (dx, dy) = (p.x - at.x, p.y - at.y);
            dx * dx + dy * dy
        };
        candidates
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(at)
    }

    /// The smallest rectangle with all outputs in it.
    pub fn span(&self) -> Rectangle<i32, Logical> {
        let areas = self.used().map(Head::area);
        areas.reduce(|a, b| a.merge(b)).unwrap_or(self.last)
    }

    /// Something to draw for while there is none.
    pub(crate) fn any_output(&self) -> Option<&Output> {
        self.first()
            .map(|h| &h.output)
            .or(self.last_output.as_ref())
    }
}

impl Overwinter {
    /// The first output's part of the desktop; without any, where it was last.
    pub fn area(&self) -> Rectangle<i32, Logical> {
        self.outputs.first().map_or(self.outputs.last, Head::area)
    }

    /// The output that most of this is on; without any, where the first was last.
    pub fn area_around(&self, rect: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        let head = self.outputs.mostly(rect);
        head.map_or(self.outputs.last, Head::area)
    }
}

/// How large an output is and where it is wanted.
type Wanted = (Size<i32, Logical>, Option<Point<i32, Logical>>);

/// Where outputs stand: those that are wanted somewhere first, each other to the right of all before it.
fn side_by_side(outputs: &[Wanted]) -> Vec<Point<i32, Logical>> {
    let mut placed: Vec<Option<Rectangle<i32, Logical>>> = vec![None; outputs.len()];
    for (i, (size, wanted)) in outputs.iter().enumerate() {
        let Some(at) = wanted else { continue };
        let at = Point::from((at.x.clamp(-FAR, FAR), at.y.clamp(-FAR, FAR)));
        let rect = Rectangle::new(at, *size);
        if placed.iter().flatten().all(|other| !other.overlaps(rect)) {
            placed[i] = Some(rect);
        }
    }
    for (i, (size, _)) in outputs.iter().enumerate() {
        if placed[i].is_none() {
            let right = |r: &Rectangle<i32, Logical>| r.loc.x + r.size.w;
            let x = placed.iter().flatten().map(right).max().unwrap_or(0);
            placed[i] = Some(Rectangle::new((x, 0).into(), *size));
        }
    }
    placed.into_iter().flatten().map(|r| r.loc).collect()
}

/// The first of those that have most of this.
fn most_of<'h>(
    rect: Rectangle<i32, Logical>,
    heads: impl Iterator<Item = &'h Head>,
) -> Option<&'h Head> {
    let shared = |h: &Head| {
        let common = h.area().intersection(rect).unwrap_or_default().size;
        i64::from(common.w) * i64::from(common.h)
    };
    let mut best: Option<(i64, &Head)> = None;
    for head in heads {
        let amount = shared(head);
        if best.is_none_or(|(most, _)| amount > most) {
            best = Some((amount, head));
        }
    }
    best.map(|(_, head)| head)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = (i32, i32);

    fn place(outputs: &[(Pair, Option<Pair>)]) -> Vec<Pair> {
        let outputs: Vec<_> = outputs
            .iter()
            .map(|(size, at)| ((*size).into(), at.map(Point::from)))
            .collect();
        let places = side_by_side(&outputs);
        places.into_iter().map(|p| (p.x, p.y)).collect()
    }

    #[test]
    fn they_stand_side_by_side_unless_they_are_wanted_elsewhere() {
        let (a, b) = ((1280, 800), (1920, 1080));
        assert_eq!(place(&[(a, None), (b, None)]), [(0, 0), (1280, 0)]);
        assert_eq!(place(&[(a, None), (b, Some((0, 0)))]), [(1920, 0), (0, 0)]);
        assert_eq!(
            place(&[(a, Some((0, 1080))), (b, Some((0, 0)))]),
            [(0, 1080), (0, 0)]
        );
    }

    #[test]
    fn two_that_want_one_place_do_not_overlap() {
        let a = (1280, 800);
        let at = Some((100, 50));
        assert_eq!(place(&[(a, at), (a, at)]), [(100, 50), (1380, 0)]);
    }

    #[test]
    fn no_wish_is_too_far_out_to_be_counted_with() {
        let a = (16384, 16384);
        let wishes = [(a, Some((i32::MAX, i32::MIN))), (a, None)];
        assert_eq!(place(&wishes), [(FAR, -FAR), (FAR + 16384, 0)]);
    }

    #[test]
    fn a_quarter_turn_swaps_the_sides() {
        let size = Size::from((1600, 1200));
        assert_eq!(extent(size, 2.0, Transform::_90), (600, 800).into());
        assert_eq!(extent(size, 1.25, Transform::Normal), (1280, 960).into());
    }
}
