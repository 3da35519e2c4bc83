//! Points, sizes and rectangles in logical pixels, and the scale between those and an output's own pixels.
//!
//! Everything is a whole number: xdg-shell speaks of whole logical pixels. At a fractional scale the renderer rounds *edges*,
//! not sizes; two windows that share an edge here share it on the glass too.

use serde::{Deserialize, Serialize};

/// Coordinates from outside are cut to this, so that no sum of a few of them overflows.
const FARTHEST: i32 = 1 << 20;
/// Sizes from outside are cut to this: larger than any buffer a client can attach.
const LARGEST: i32 = 1 << 16;

/// A place, logical pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// Rightwards.
    pub x: i32,
    /// Downwards.
    pub y: i32,
}

impl Point {
    /// A place.
    pub const fn new(x: i32, y: i32) -> Point {
        Point { x, y }
    }

    pub(crate) fn sane(self) -> Point {
        Point::new(
            self.x.clamp(-FARTHEST, FARTHEST),
            self.y.clamp(-FARTHEST, FARTHEST),
        )
    }
}

/// An extent. Logical pixels unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Size {
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
}

impl Size {
    /// An extent.
    pub const fn new(w: i32, h: i32) -> Size {
        Size { w, h }
    }

    /// At least one pixel, at most what a buffer may have.
    pub(crate) fn sane(self) -> Size {
        Size::new(self.w.clamp(1, LARGEST), self.h.clamp(1, LARGEST))
    }

    /// No larger than `other` either way.
    pub fn fits_in(self, other: Size) -> bool {
        self.w <= other.w && self.h <= other.h
    }
}

/// A rectangle, logical pixels. Its right and bottom edges are the first pixels outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
}

impl Rect {
    /// A rectangle.
    pub const fn new(x: i32, y: i32, w: i32, h: i32) -> Rect {
        Rect { x, y, w, h }
    }

    /// A rectangle by corner and extent.
    pub const fn of(at: Point, size: Size) -> Rect {
        Rect::new(at.x, at.y, size.w, size.h)
    }

    /// Top left corner.
    pub const fn at(self) -> Point {
        Point::new(self.x, self.y)
    }

    /// Extent.
    pub const fn size(self) -> Size {
        Size::new(self.w, self.h)
    }

    /// First column to the right of it.
    pub const fn right(self) -> i32 {
        self.x + self.w
    }

    /// First row below it.
    pub const fn bottom(self) -> i32 {
        self.y + self.h
    }

    /// The middle.
    pub const fn middle(self) -> Point {
        Point::new(self.x + self.w / 2, self.y + self.h / 2)
    }

    /// Whether the point is within.
    pub const fn contains(self, p: Point) -> bool {
        p.x >= self.x && p.y >= self.y && p.x < self.right() && p.y < self.bottom()
    }

    /// Whether all of `other` is within.
    pub const fn holds(self, other: Rect) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }

    /// What both cover, if anything.
    pub fn common(self, other: Rect) -> Option<Rect> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let w = self.right().min(other.right()) - x;
        let h = self.bottom().min(other.bottom()) - y;
        (w > 0 && h > 0).then_some(Rect::new(x, y, w, h))
    }

    /// The same, elsewhere.
    pub const fn moved(self, by: Point) -> Rect {
        Rect::new(self.x + by.x, self.y + by.y, self.w, self.h)
    }

    /// Without these margins.
    pub const fn without(self, m: Margins) -> Rect {
        Rect::new(
            self.x + m.left,
            self.y + m.top,
            self.w - m.left - m.right,
            self.h - m.top - m.bottom,
        )
    }

    /// A rectangle of this size in the middle of it.
    pub const fn centred(self, size: Size) -> Rect {
        let (dx, dy) = ((self.w - size.w) / 2, (self.h - size.h) / 2);
        Rect::new(self.x + dx, self.y + dy, size.w, size.h)
    }

    pub(crate) fn sane(self) -> Rect {
        Rect::of(self.at().sane(), self.size().sane())
    }
}

/// What panels keep for themselves at each edge of an output, logical pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Margins {
    /// At the top.
    pub top: i32,
    /// At the right.
    pub right: i32,
    /// At the bottom.
    pub bottom: i32,
    /// At the left.
    pub left: i32,
}

impl Margins {
    /// The same at each edge.
    pub const fn all(each: i32) -> Margins {
        Margins {
            top: each,
            right: each,
            bottom: each,
            left: each,
        }
    }

    /// Cut so that something of at least `least` pixels remains each way.
    pub(crate) fn within(self, size: Size, least: i32) -> Margins {
        let cut = |first: i32, second: i32, length: i32| {
            let room = (length - least).max(0);
            let first = first.clamp(0, room);
            (first, second.clamp(0, room - first))
        };
        let (top, bottom) = cut(self.top, self.bottom, size.h);
        let (left, right) = cut(self.left, self.right, size.w);
        Margins {
            top,
            right,
            bottom,
            left,
        }
    }
}

/// Edges of a rectangle: those that a resize drags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Edges {
    /// Left.
    pub left: bool,
    /// Right.
    pub right: bool,
    /// Top.
    pub top: bool,
    /// Bottom.
    pub bottom: bool,
}

/// Device pixels per logical pixel, in 120ths: fractional-scale-v1's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scale(u32);

impl Scale {
    /// One to one.
    pub const ONE: Scale = Scale(120);

    /// So many 120ths; cut to between a quarter and ten.
    pub const fn from_120ths(scale: u32) -> Scale {
        match scale {
            0..30 => Scale(30),
            30..1200 => Scale(scale),
            _ => Scale(1200),
        }
    }

    /// In 120ths.
    pub const fn in_120ths(self) -> u32 {
        self.0
    }

    /// So many device pixels in logical ones, rounded.
    pub fn logical(self, pixels: i32) -> i32 {
        let scale = i64::from(self.0);
        let rounded = (i64::from(pixels) * 120 + scale / 2).div_euclid(scale);
        i32::try_from(rounded).unwrap_or(i32::MAX)
    }
}

/// Smallest and largest size that a client accepts. 0 is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Smallest.
    pub min: Size,
    /// Largest.
    pub max: Size,
}

impl Limits {
    /// Where the two contradict each other the smallest size wins.
    pub(crate) fn sane(self) -> Limits {
        let cut = |v: i32| v.clamp(0, LARGEST);
        let max = |max: i32, min: i32| {
            if max <= 0 { 0 } else { cut(max).max(cut(min)) }
        };
        Limits {
            min: Size::new(cut(self.min.w), cut(self.min.h)),
            max: Size::new(max(self.max.w, self.min.w), max(self.max.h, self.min.h)),
        }
    }

    /// The nearest size that the client accepts.
    pub fn nearest(self, size: Size) -> Size {
        let one = |v: i32, min: i32, max: i32| {
            let v = v.max(min).max(1);
            if max > 0 { v.min(max) } else { v }
        };
        Size::new(
            one(size.w, self.min.w, self.max.w),
            one(size.h, self.min.h, self.max.h),
        )
    }

    /// The client accepts one size alone.
    pub fn is_fixed(self) -> bool {
        self.max.w > 0 && self.max.h > 0 && self.min == self.max
    }
}
