//! Where a new floating window goes: where it covers least of the others, nearest the middle; when every such spot is taken, a
//! cascade. A dialog goes over its parent.

use crate::geometry::{Point, Rect, Size};

/// How far each window of a cascade stands from the former one: a title bar's height, so that each can be grabbed.
const STEP: i32 = 32;

/// A place within `area`, beside `others` where there is room.
pub(crate) fn beside(area: Rect, size: Size, others: &[Rect]) -> Rect {
    let last = Point::new(
        area.x + (area.w - size.w).max(0),
        area.y + (area.h - size.h).max(0),
    );
    let middle = Point::new((area.x + last.x) / 2, (area.y + last.y) / 2);
    let mut xs = vec![middle.x, area.x, last.x];
    let mut ys = vec![middle.y, area.y, last.y];
    for other in others {
        xs.extend([other.x - size.w, other.right()]);
        ys.extend([other.y - size.h, other.bottom()]);
    }
    xs.retain(|x| (area.x..=last.x).contains(x));
    ys.retain(|y| (area.y..=last.y).contains(y));
    let covered = |at: Point| -> i64 {
        let rect = Rect::of(at, size);
        let common = others.iter().filter_map(|other| other.common(rect));
        common.map(|r| i64::from(r.w) * i64::from(r.h)).sum()
    };
    let away = |at: Point| {
        let (dx, dy) = (i64::from(at.x - middle.x), i64::from(at.y - middle.y));
        (dx * dx + dy * dy, at.y, at.x)
    };
    let ys = &ys;
    let spots = xs
        .iter()
        .flat_map(|x| ys.iter().map(|y| Point::new(*x, *y)));
    let best = spots
        .filter(|at| !is_taken(*at, others))
        .min_by_key(|at| (covered(*at), away(*at)));
    Rect::of(best.unwrap_or_else(|| cascade(area, middle, others)), size)
}

/// Over the middle of the parent, but not off the area.
pub(crate) fn over(area: Rect, parent: Rect, size: Size) -> Rect {
    let wish = parent.centred(size);
    let along = |wish: i32, from: i32, room: i32| wish.clamp(from, from + room.max(0));
    Rect::new(
        along(wish.x, area.x, area.w - size.w),
        along(wish.y, area.y, area.h - size.h),
        size.w,
        size.h,
    )
}

/// A window has its corner there, or so near that it would hide the new one's title bar.
fn is_taken(at: Point, others: &[Rect]) -> bool {
    let near = |a: i32, b: i32| (a - b).abs() < STEP / 2;
    others.iter().any(|o| near(o.x, at.x) && near(o.y, at.y))
}

/// From the middle down to the right until no window has its corner there; from the top left again at the edge.
fn cascade(area: Rect, middle: Point, others: &[Rect]) -> Point {
    let mut at = middle;
    for _ in 0..=others.len() {
        if !is_taken(at, others) {
            break;
        }
        at = Point::new(at.x + STEP, at.y + STEP);
        if at.x > area.right() - 4 * STEP || at.y > area.bottom() - 4 * STEP {
            at = area.at();
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect::new(0, 0, 1280, 800);

    #[test]
    fn the_first_stands_in_the_middle() {
        let first = beside(AREA, Size::new(400, 300), &[]);
        assert_eq!(first, Rect::new(440, 250, 400, 300));
    }

    #[test]
    fn windows_that_fit_side_by_side_do_not_overlap() {
        let mut placed: Vec<Rect> = Vec::new();
        for _ in 0..3 {
            let new = beside(AREA, Size::new(400, 300), &placed);
            assert!(AREA.holds(new));
            assert!(placed.iter().all(|p| p.common(new).is_none()), "{new:?}");
            placed.push(new);
        }
    }

    #[test]
    fn too_many_cascade_and_stay_in_reach() {
        let mut placed = Vec::new();
        for _ in 0..100 {
            let new = beside(AREA, Size::new(900, 700), &placed);
            assert!(AREA.contains(new.at()), "{new:?}");
            placed.push(new);
        }
    }

    #[test]
    fn one_larger_than_the_area_keeps_its_title_bar_in_sight() {
        let large = beside(AREA, Size::new(2000, 1000), &[]);
        assert_eq!(large.at(), Point::new(0, 0));
    }

    #[test]
    fn a_dialog_is_centred_and_kept_inside() {
        let inside = over(AREA, Rect::new(100, 100, 400, 400), Size::new(200, 200));
        assert_eq!(inside.at(), Point::new(200, 200));
        let corner = over(AREA, Rect::new(0, 0, 100, 100), Size::new(400, 400));
        assert_eq!(corner.at(), Point::new(0, 0));
    }
}
