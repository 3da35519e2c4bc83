//! The frame that the session draws around a window whose client leaves that to it: how much room it takes.
//!
//! A window's rectangle ([`Shell::rect_of`]) is always its geometry, without the frame; whoever places windows beside each other
//! works with the outer rectangle, [`Margins::outer`] of it.

use smithay::utils::{Logical, Point, Rectangle, Size};

use super::{Ghost, Item, Shell, ShellWindow, WindowMode};

/// Height of a title bar in logical pixels.
pub const TITLE: i32 = 32;
/// Width of the line at the other three sides.
const LINE: i32 = 1;

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

    /// Where it stands, with its frame.
    pub fn outer_rect_of(&self, item: Item) -> Option<Rectangle<i32, Logical>> {
        Some(self.frame_margins(item).outer(self.rect_of(item)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
