//! The frame that the session draws around a window whose client leaves that to it: how much room it takes, and what of it is
//! where.
//!
//! A window's rectangle ([`Shell::rect_of`]) is always its geometry, without the frame; whoever places windows beside each other
//! works with the outer rectangle, [`Margins::outer`] of it.

use smithay::utils::{Logical, Point, Rectangle, Size};

use super::{Ghost, Item, Shell, ShellWindow, WindowId, WindowMode};
use crate::state::Overwinter;
use overwinter_layout::Edges;

/// Height of a title bar in logical pixels.
pub const TITLE: i32 = 32;
/// Width of the line at the other three sides.
const LINE: i32 = 1;
/// How far outside of its frame a window can be taken by its edge, and how far inside at the top.
const GRIP: i32 = 8;
const GRIP_WITHIN: i32 = 4;
/// How far from a corner both edges move.
const CORNER: i32 = 16;
/// Room right of the buttons.
const PADDING: i32 = 4;

/// What a title bar's button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Puts the window's group to sleep.
    Hibernate,
    /// Puts it away; panels and Alt+Tab bring it back.
    Minimise,
    /// Maximizes, or back.
    Maximise,
    /// Asks the client to close it.
    Close,
}

/// From the right.
const BUTTONS: [Button; 4] = [
    Button::Close,
    Button::Maximise,
    Button::Minimise,
    Button::Hibernate,
];

/// The buttons of a title bar of this width, rightmost first, and where each begins: as many as leave something to grab. Each is as
/// wide as the bar is high.
pub fn buttons(width: i32) -> Vec<(Button, i32)> {
    let first = width - PADDING - TITLE;
    let places = (0..).map(|at| first - at * TITLE);
    let placed = BUTTONS.into_iter().zip(places);
    placed.filter(|(_, left)| *left >= TITLE).collect()
}

/// What of a frame is somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramePart {
    /// The bar: moves the window.
    Title,
    /// A button.
    Button(Button),
    /// Resizes the window.
    Edge(Edges),
}

/// What of the frame of a window at `inner` is there; `resizable`: its edges can be taken.
fn part_at(
    margins: Margins,
    inner: Rectangle<i32, Logical>,
    resizable: bool,
    at: Point<f64, Logical>,
) -> Option<FramePart> {
    let outer = margins.outer(inner);
    let (left, top) = (outer.loc.x, outer.loc.y);
    let (right, bottom) = (left + outer.size.w, top + outer.size.h);
    let at: Point<i32, Logical> = at.to_i32_floor();
    if inner.contains(at) {
        return None;
    }
    let reach = if resizable { GRIP } else { 0 };
    let grip = Rectangle::new(
        outer.loc - Point::from((reach, reach)),
        (outer.size.w + 2 * reach, outer.size.h + 2 * reach).into(),
    );
    if !grip.contains(at) {
        return None;
    }
    let on_bar = outer.contains(at) && at.y < inner.loc.y;
    if on_bar {
        let buttons = buttons(outer.size.w);
        let x = at.x - left;
        let button = buttons
            .iter()
            .find(|(_, from)| (*from..*from + TITLE).contains(&x));
        if let Some((button, _)) = button {
            return Some(FramePart::Button(*button));
        }
        if !resizable || at.y >= top + GRIP_WITHIN {
            return Some(FramePart::Title);
        }
    }
    if !resizable {
        return None;
    }
    let vertical = at.x < left + margins.left || at.x >= right - margins.right;
    let horizontal = at.y < top + GRIP_WITHIN || at.y >= bottom - margins.bottom;
    let edges = Edges {
        left: at.x < left + margins.left || (horizontal && at.x < left + CORNER),
        right: at.x >= right - margins.right || (horizontal && at.x >= right - CORNER),
        top: at.y < top + GRIP_WITHIN || (vertical && at.y < top + CORNER),
        bottom: at.y >= bottom - margins.bottom || (vertical && at.y >= bottom - CORNER),
    };
    Some(FramePart::Edge(edges))
}

/// What a frame adds to a window on each side, in logical pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "left is left")]
pub struct Margins {
    pub left: i32,
    pub right: i32,
    pub top: i32,
    pub bottom: i32,
}

impl Margins {
    /// The frame of a window in this mode: around it while it floats or is tiled, a title bar alone while it is maximized, none
    /// while it is fullscreen.
    pub fn of(mode: WindowMode) -> Margins {
        match mode {
            WindowMode::Fullscreen => Margins::default(),
            WindowMode::Maximized => Margins {
                top: TITLE,
                ..Margins::default()
            },
            _ => Margins {
                left: LINE,
                right: LINE,
                top: TITLE,
                bottom: LINE,
            },
        }
    }

    /// The window with its frame.
    pub fn outer(self, inner: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        let size = (
            inner.size.w + self.left + self.right,
            inner.size.h + self.top + self.bottom,
        );
        Rectangle::new(inner.loc - self.offset(), size.into())
    }

    /// What is left for the window of a place that it has with its frame.
    pub fn inner(self, outer: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        Rectangle::new(outer.loc + self.offset(), self.inner_size(outer.size))
    }

    /// See [`inner`](Self::inner).
    pub fn inner_size(self, outer: Size<i32, Logical>) -> Size<i32, Logical> {
        let size = (
            (outer.w - self.left - self.right).max(1),
            (outer.h - self.top - self.bottom).max(1),
        );
        size.into()
    }

    /// From the frame's corner to the window's.
    pub fn offset(self) -> Point<i32, Logical> {
        (self.left, self.top).into()
    }
}

impl ShellWindow {
    /// The room that its frame takes, as it is now.
    pub fn frame_margins(&self) -> Margins {
        self.frame_margins_in(self.mode)
    }

    /// The room that its frame takes in another mode.
    pub fn frame_margins_in(&self, mode: WindowMode) -> Margins {
        if self.framed {
            Margins::of(mode)
        } else {
            Margins::default()
        }
    }
}

impl Ghost {
    /// The room that its frame takes.
    pub fn frame_margins(&self) -> Margins {
        if self.framed {
            Margins::of(self.mode)
        } else {
            Margins::default()
        }
    }
}

impl Shell {
    /// The room that the frame of what stands there takes; none where there is no frame.
    pub fn frame_margins(&self, item: Item) -> Margins {
        let margins = match item {
            Item::Window(id) => self.window(id).map(ShellWindow::frame_margins),
            Item::Ghost(id) => self.ghost(id).map(Ghost::frame_margins),
        };
        margins.unwrap_or_default()
    }

    /// What of the item's frame is there.
    pub fn frame_part(&self, item: Item, at: Point<f64, Logical>) -> Option<FramePart> {
        let margins = self.frame_margins(item);
        if margins == Margins::default() {
            return None;
        }
        let window = matches!(item, Item::Window(_));
        let resizable = window && self.mode_of(item) != Some(WindowMode::Maximized);
        part_at(margins, self.rect_of(item)?, resizable, at)
    }

    /// How it fills the desktop.
    pub fn mode_of(&self, item: Item) -> Option<WindowMode> {
        match item {
            Item::Window(id) => self.window(id).map(|w| w.mode),
            Item::Ghost(id) => self.ghost(id).map(|g| g.mode),
        }
    }

    /// Its title as the client set it.
    pub fn title_of(&self, item: Item) -> String {
        let title = match item {
            Item::Window(id) => self.window(id).map(ShellWindow::title),
            Item::Ghost(id) => self.ghost(id).map(|g| g.title.clone()),
        };
        title.unwrap_or_default()
    }

    /// Where it stands, with its frame.
    pub fn outer_rect_of(&self, item: Item) -> Option<Rectangle<i32, Logical>> {
        Some(self.frame_margins(item).outer(self.rect_of(item)?))
    }
}

impl Overwinter {
    /// From now on the session draws the window's frame, or no longer. One that is shown makes room for it.
    pub fn frame_window(&mut self, id: WindowId, framed: bool) {
        let Some(window) = self.shell.window_mut(id).filter(|w| w.framed != framed) else {
            return;
        };
        window.framed = framed;
        self.frame_changed(id);
        self.input.scene_moved = true;
        self.schedule_frame();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_of_a_frame_is_one_part_of_it() {
        let inner = Rectangle::new((100, 100).into(), (300, 200).into());
        let margins = Margins::of(WindowMode::Floating);
        let part = |x: i32, y: i32| {
            let at = Point::from((f64::from(x), f64::from(y)));
            part_at(margins, inner, true, at)
        };
        assert_eq!(part(200, 200), None);
        assert_eq!(part(150, 90), Some(FramePart::Title));
        for (button, left) in buttons(302) {
            assert_eq!(part(99 + left, 80), Some(FramePart::Button(button)));
            assert_eq!(
                part(99 + left + TITLE - 1, 99),
                Some(FramePart::Button(button))
            );
        }
        let edges = |x, y| match part(x, y) {
            Some(FramePart::Edge(e)) => [e.left, e.right, e.top, e.bottom],
            other => panic!("{x},{y}: {other:?}"),
        };
        assert_eq!(edges(95, 200), [true, false, false, false]);
        assert_eq!(edges(403, 200), [false, true, false, false]);
        assert_eq!(edges(200, 64), [false, false, true, false]);
        assert_eq!(edges(200, 304), [false, false, false, true]);
        assert_eq!(edges(95, 303), [true, false, false, true]);
        assert_eq!(edges(110, 304), [true, false, false, true]);
        assert_eq!(edges(95, 70), [true, false, true, false]);
        assert_eq!(part(90, 200), None);
        // One that fills the screen has no edges to take, and nothing beside it.
        let fixed = part_at(
            Margins::of(WindowMode::Maximized),
            inner,
            false,
            (95.0, 200.0).into(),
        );
        assert_eq!(fixed, None);
    }

    #[test]
    fn a_narrow_window_keeps_something_to_grab() {
        assert_eq!(buttons(40), []);
        assert_eq!(buttons(TITLE * 2 + PADDING), [(Button::Close, TITLE)]);
        assert_eq!(buttons(400).len(), 4);
    }

    #[test]
    fn outer_and_inner_undo_each_other() {
        let inner = Rectangle::new((40, 50).into(), (300, 200).into());
        for mode in [
            WindowMode::Floating,
            WindowMode::Maximized,
            WindowMode::Fullscreen,
        ] {
            let margins = Margins::of(mode);
            assert_eq!(margins.inner(margins.outer(inner)), inner, "{mode:?}");
        }
        assert_eq!(
            Margins::of(WindowMode::Floating).outer(inner),
            Rectangle::new((39, 50 - TITLE).into(), (302, 201 + TITLE).into())
        );
    }
}
