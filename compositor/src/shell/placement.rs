//! Where a new window goes: the place where it covers least of the others, nearest the middle; when every such place is
//! taken, a cascade.

use smithay::utils::{Logical, Point, Rectangle, Size};

/// How far each window of a cascade stands from the former one: a title bar's height, so that each can be grabbed.
const STEP: i32 = 32;

/// The place for a window of `size` within `area`, beside `others` where there is room.
pub fn place(
    area: Rectangle<i32, Logical>,
    size: Size<i32, Logical>,
    others: &[Rectangle<i32, Logical>],
) -> Point<i32, Logical> {
    let right = area.loc.x + (area.size.w - size.w).max(0);
    let bottom = area.loc.y + (area.size.h - size.h).max(0);
    let middle = Point::from(((area.loc.x + right) / 2, (area.loc.y + bottom) / 2));
    let mut xs = vec![middle.x, area.loc.x, right];
    let mut ys = vec![middle.y, area.loc.y, bottom];
    for other in others {
        xs.extend([other.loc.x - size.w, other.loc.x + other.size.w]);
        ys.extend([other.loc.y - size.h, other.loc.y + other.size.h]);
    }
    let inside = |at: &Point<i32, Logical>| {
        (area.loc.x..=right).contains(&at.x) && (area.loc.y..=bottom).contains(&at.y)
    };
    let covered = |at: &Point<i32, Logical>| -> i64 {
        let rect = Rectangle::new(*at, size);
        let common = others.iter().filter_map(|other| other.intersection(rect));
        common
            .map(|r| i64::from(r.size.w) * i64::from(r.size.h))
            .sum()
    };
    let distance = |at: &Point<i32, Logical>| {
        let (dx, dy) = (i64::from(at.x - middle.x), i64::from(at.y - middle.y));
        (dx * dx + dy * dy, at.y, at.x)
    };
    let ys = &ys;
    xs.iter()
        .flat_map(|x| ys.iter().map(move |y| Point::from((*x, *y))))
        .filter(|at| inside(at) && !taken(*at, others))
        .min_by_key(|at| (covered(at), distance(at)))
        .unwrap_or_else(|| cascade(area, middle, others))
}

/// A window has its corner there, or so near that it would hide the new one's title bar.
fn taken(at: Point<i32, Logical>, others: &[Rectangle<i32, Logical>]) -> bool {
    let near = |o: &Rectangle<i32, Logical>| {
        (o.loc.x - at.x).abs() < STEP / 2 && (o.loc.y - at.y).abs() < STEP / 2
    };
    others.iter().any(near)
}

/// From the middle down to the right until no window has its corner there; from the top left again at the edge.
fn cascade(
    area: Rectangle<i32, Logical>,
    middle: Point<i32, Logical>,
    others: &[Rectangle<i32, Logical>],
) -> Point<i32, Logical> {
    let last = area.loc + area.size.to_point() - Point::from((4 * STEP, 4 * STEP));
    let mut at = middle;
    for _ in 0..=others.len() {
        if !taken(at, others) {
            return at;
        }
        at += Point::from((STEP, STEP));
        if at.x > last.x || at.y > last.y {
            at = area.loc;
        }
    }
    at
}

/// A dialog goes over the middle of its parent, but not off the area.
pub fn centre_on(
    area: Rectangle<i32, Logical>,
    parent: Rectangle<i32, Logical>,
    size: Size<i32, Logical>,
) -> Point<i32, Logical> {
    let x = parent.loc.x + (parent.size.w - size.w) / 2;
    let y = parent.loc.y + (parent.size.h - size.h) / 2;
    let right = area.loc.x + (area.size.w - size.w).max(0);
    let bottom = area.loc.y + (area.size.h - size.h).max(0);
    Point::from((x.clamp(area.loc.x, right), y.clamp(area.loc.y, bottom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: i32, y: i32, w: i32, h: i32) -> Rectangle<i32, Logical> {
        Rectangle::new((x, y).into(), (w, h).into())
    }

    const AREA: (i32, i32) = (1280, 800);

    #[test]
    fn the_first_stands_in_the_middle() {
        let at = place(rect(0, 0, AREA.0, AREA.1), (400, 300).into(), &[]);
        assert_eq!(at, Point::from((440, 250)));
    }

    #[test]
    fn windows_that_fit_side_by_side_do_not_overlap() {
        let area = rect(0, 0, AREA.0, AREA.1);
        let mut placed = Vec::new();
        for _ in 0..3 {
            let at = place(area, (400, 300).into(), &placed);
            let new = Rectangle::new(at, (400, 300).into());
            assert!(area.contains_rect(new));
            assert!(
                !placed
                    .iter()
                    .any(|p: &Rectangle<i32, Logical>| p.overlaps(new)),
                "{new:?}"
            );
            placed.push(new);
        }
    }

    #[test]
    fn too_many_cascade_and_stay_in_reach() {
        let area = rect(0, 0, AREA.0, AREA.1);
        let mut placed: Vec<Rectangle<i32, Logical>> = Vec::new();
        for _ in 0..100 {
            let at = place(area, (900, 700).into(), &placed);
            assert!(area.contains(at), "{at:?}");
            placed.push(Rectangle::new(at, (900, 700).into()));
        }
    }

    #[test]
    fn a_window_larger_than_the_area_keeps_its_title_bar_in_sight() {
        let at = place(rect(0, 0, AREA.0, AREA.1), (2000, 1000).into(), &[]);
        assert_eq!(at, Point::from((0, 0)));
    }

    #[test]
    fn a_dialog_is_centred_and_kept_inside() {
        let area = rect(0, 0, AREA.0, AREA.1);
        assert_eq!(
            centre_on(area, rect(100, 100, 400, 400), (200, 200).into()),
            Point::from((200, 200))
        );
        assert_eq!(
            centre_on(area, rect(0, 0, 100, 100), (400, 400).into()),
            Point::from((0, 0))
        );
    }
}
