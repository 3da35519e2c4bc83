//! A pointer that a client locks in place or confines. It is granted only to the window that the user works in: the one that
//! has both the pointer and the keyboard. Losing either ends it.

use smithay::input::pointer::{PointerHandle, RelativeMotionEvent};
use smithay::utils::{Logical, Point};
use smithay::wayland::pointer_constraints::{PointerConstraint, with_pointer_constraint};
use wayland_server::Resource;
use wayland_server::protocol::wl_surface::WlSurface;

use super::pointer::under;
use crate::handlers::root_of;
use crate::state::Overwinter;

/// So often is the way to a border halved: a pixel of the widest output is met.
const HALVINGS: u32 = 16;

/// What is asked of the pointer at the moment.
enum Bounds {
    Free,
    Locked,
    Confined(WlSurface),
}

impl Overwinter {
    /// Tells the surface below the pointer how far the device moved, whether the pointer did or not.
    pub(super) fn pointer_relative(&mut self, delta: Point<f64, Logical>, time: u32) {
        if delta == Point::default() {
            return;
        }
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let focus = match self.input.drag {
            Some(_) => None,
            None => under(&self.shell, pointer.current_location()).surface(),
        };
        let event = RelativeMotionEvent {
            delta,
            delta_unaccel: delta,
            utime: u64::from(time) * 1000,
        };
        pointer.relative_motion(self, focus, &event);
    }

    /// Where a pointer that is on its way to `at` may go.
    pub(super) fn within_bounds(
        &self,
        pointer: &PointerHandle<Overwinter>,
        at: Point<f64, Logical>,
    ) -> Point<f64, Logical> {
        let from = pointer.current_location();
        match self.bounds(pointer) {
            Bounds::Free => at,
            Bounds::Locked => from,
            Bounds::Confined(surface) => {
                let inside = |p: Point<f64, Logical>| self.is_inside(&surface, pointer, p);
                let aside = furthest(from, Point::from((at.x, from.y)), inside);
                furthest(aside, Point::from((aside.x, at.y)), inside)
            }
        }
    }

    fn bounds(&self, pointer: &PointerHandle<Overwinter>) -> Bounds {
        let Some(surface) = pointer.current_focus() else {
            return Bounds::Free;
        };
        with_pointer_constraint(&surface, pointer, |constraint| {
            match constraint.as_deref() {
                Some(c) if !c.is_active() => Bounds::Free,
                Some(PointerConstraint::Locked(_)) => Bounds::Locked,
                Some(PointerConstraint::Confined(_)) => Bounds::Confined(surface.clone()),
                None => Bounds::Free,
            }
        })
    }

    /// Whether this place is the surface's, and in the region of its constraint.
    fn is_inside(
        &self,
        surface: &WlSurface,
        pointer: &PointerHandle<Overwinter>,
        at: Point<f64, Logical>,
    ) -> bool {
        let Some((there, origin)) = under(&self.shell, at).surface() else {
            return false;
        };
        let within: Point<i32, Logical> = (at - origin).to_i32_floor();
        there == *surface
            && with_pointer_constraint(surface, pointer, |constraint| {
                constraint.is_some_and(|c| c.region().is_none_or(|r| r.contains(within)))
            })
    }

    /// Grants and takes away: called whenever pointer, focus or constraints change.
    pub fn review_constraint(&mut self) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let keyboard = self.seat.get_keyboard().and_then(|k| k.current_focus());
        let below = pointer.current_focus();
        let works = below
            .as_ref()
            .is_some_and(|s| keyboard == Some(root_of(s)) && self.input.drag.is_none());
        if let Some(old) = self.input.constrained.take()
            && old.is_alive()
        {
            if works && below.as_ref() == Some(&old) {
                self.input.constrained = Some(old.clone());
            } else {
                with_pointer_constraint(&old, &pointer, |constraint| {
                    if let Some(constraint) = constraint.filter(|c| c.is_active()) {
                        constraint.deactivate();
                    }
                });
            }
        }
        let Some(surface) = below.filter(|_| works) else {
            return;
        };
        if !self.is_inside(&surface, &pointer, pointer.current_location()) {
            return;
        }
        with_pointer_constraint(&surface, &pointer, |constraint| {
            if let Some(constraint) = constraint.filter(|c| !c.is_active()) {
                constraint.activate();
            }
        });
        self.input.constrained = Some(surface);
    }

    /// The client says where its own pointer stands while ours is locked: that is where ours is when it is free again.
    pub fn pointer_hinted(&mut self, surface: &WlSurface, hint: Point<f64, Logical>) {
        let Some(pointer) = self.seat.get_pointer() else {
            return;
        };
        let here = pointer.current_location();
        let Some((there, origin)) = under(&self.shell, here).surface() else {
            return;
        };
        let locked = matches!(self.bounds(&pointer), Bounds::Locked);
        let at = origin + hint;
        if there == *surface && locked && self.is_inside(surface, &pointer, at) {
            pointer.set_location(at);
        }
    }
}

/// The furthest point on the way from one that is inside.
fn furthest(
    from: Point<f64, Logical>,
    to: Point<f64, Logical>,
    inside: impl Fn(Point<f64, Logical>) -> bool,
) -> Point<f64, Logical> {
    if inside(to) {
        return to;
    }
    let (mut good, mut bad) = (from, to);
    for _ in 0..HALVINGS {
        let middle = Point::from(((good.x + bad.x) / 2.0, (good.y + bad.y) / 2.0));
        if inside(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    // At a border it stands on the last whole pixel.
    let whole = Point::from((good.x.floor(), good.y.floor()));
    if inside(whole) { whole } else { good }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_pointer_goes_to_the_border_and_no_further() {
        let inside = |p: Point<f64, Logical>| (0.0..100.0).contains(&p.x);
        let at = furthest((50.0, 5.0).into(), (5000.0, 5.0).into(), inside);
        assert_eq!(at, Point::from((99.0, 5.0)));
        let at = furthest((50.0, 5.0).into(), (70.0, 5.0).into(), inside);
        assert_eq!(at, Point::from((70.0, 5.0)));
    }
}
