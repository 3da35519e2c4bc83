//! Where the window and its text are: what part is seen, and how a restored window gets there.
//!
//! A text view knows the height of its lines only once they were laid out, which it does when idle. Until then a scroll
//! position cannot be reached, so it is asked for again in each frame until it stays.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gtk4::prelude::*;
use gtk4::{TextIter, glib};
use tracing::warn;

use super::{DocWindow, call};
use crate::document::{Document, Scroll};
use crate::history;

/// A window that has not found its place after this time is shown where it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where a window is to be.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub scroll: Scroll,
    pub width: i32,
    pub height: i32,
    pub maximized: bool,
}

impl Pending {
    pub fn of(document: &Document) -> Self {
        Self {
            scroll: document.scroll,
            width: document.width,
            height: document.height,
            maximized: document.maximized,
        }
    }
}

/// How far the way to the place is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// No frame with a size yet.
    Unmapped,
    /// GTK is laying out lines.
    LayingOut,
    /// Every line is laid out; the position is looked at once more in the next frame.
    LaidOut,
}

impl DocWindow {
    /// Where the window is, or is to be while it is on its way.
    pub(super) fn place(&self) -> Pending {
        if let Some(pending) = *self.pending.borrow() {
            return pending;
        }
        let (width, height) = self.window.default_size();
        Pending {
            scroll: self.scroll(),
            width,
            height,
            maximized: self.window.is_maximized(),
        }
    }

    fn scroll(&self) -> Scroll {
        let seen = self.view.visible_rect();
        let (line, y) = self.view.line_at_y(seen.y());
        Scroll {
            top: u32::try_from(line.offset()).unwrap_or(0),
            above: seen.y() - y,
            left: seen.x(),
        }
    }

    /// Brings the text to the place that is pending, frame by frame.
    pub(super) fn settle(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        let step = Rc::new(Cell::new(Step::Unmapped));
        let until = Instant::now() + PATIENCE;
        self.view.add_tick_callback(move |view, _| {
            let Some(this) = weak.upgrade() else {
                return glib::ControlFlow::Break;
            };
            let Some(place) = *this.pending.borrow() else {
                return glib::ControlFlow::Break;
            };
            if view.height() == 0 {
                return glib::ControlFlow::Continue;
            }
            let there = this.approach(place.scroll);
            match step.get() {
                Step::Unmapped => {
                    step.set(Step::LayingOut);
                    let step = step.clone();
                    // Lines are laid out in idles of a higher priority, so this one runs after the last of them.
                    glib::idle_add_local_full(glib::Priority::LOW, move || {
                        step.set(Step::LaidOut);
                        glib::ControlFlow::Break
                    });
                }
                Step::LaidOut if there => {
                    this.arrived();
                    return glib::ControlFlow::Break;
                }
                Step::LayingOut | Step::LaidOut => {}
            }
            if Instant::now() > until {
                warn!(
                    title = this.title(),
                    "the text was not laid out in time; it is shown as far as it is"
                );
                this.arrived();
                return glib::ControlFlow::Break;
            }
            glib::ControlFlow::Continue
        });
    }

    /// Scrolls towards `to`; true when there was nothing left to do.
    fn approach(&self, to: Scroll) -> bool {
        let top: TextIter = history::iter_at(self.buffer.upcast_ref(), to.top);
        let (y, _) = self.view.line_yrange(&top);
        let seen = self.view.visible_rect();
        let missing = (
            i64::from(y) + i64::from(to.above) - i64::from(seen.y()),
            i64::from(to.left) - i64::from(seen.x()),
        );
        let there = [
            (self.view.vadjustment(), missing.0),
            (self.view.hadjustment(), missing.1),
        ]
        .map(|(adjustment, by)| {
            let Some(adjustment) = adjustment else {
                return true;
            };
            let before = adjustment.value();
            // i64 → f64 is exact for anything a screen can show.
            adjustment.set_value(before + by as f64);
            adjustment.value() == before
        });
        there == [true, true]
    }

    fn arrived(&self) {
        self.pending.replace(None);
        // The frame that says so has to be a new one.
        self.view.queue_draw();
        call(&self.hooks.settled);
    }
}
