//! Where the window and its text are: what part is seen, and how a restored window gets there.
//!
//! A text view knows the height of its lines only once they were laid out, which it does when idle. Until then a scroll
//! position cannot be reached, so it is asked for again in each frame until it stays.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gtk4::glib;
use gtk4::prelude::*;
use sourceview5::prelude::*;
use tracing::warn;

use super::{DocWindow, call};
use crate::document::{Document, Scroll};
use crate::history;

/// A window that has not found its place after this time is shown where it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// A window whose text is at its place is shown after this time although lines out of sight are not laid out yet: they
/// matter to the length of the scroll bar alone, and a megabyte of text takes half a second. Smaller texts need no wait.
const ALL_LINES: Duration = Duration::from_millis(200);

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

/// While one of these exists nothing is animated: a restored window appears as it was, it does not glide there.
struct Still;

thread_local! {
    static STILL: Cell<u32> = const { Cell::new(0) };
}

impl Still {
    fn new() -> Self {
        if STILL.replace(STILL.get() + 1) == 0
            && let Some(settings) = gtk4::Settings::default()
        {
            settings.set_gtk_enable_animations(false);
        }
        Self
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        STILL.set(STILL.get() - 1);
        if STILL.get() == 0
            && let Some(settings) = gtk4::Settings::default()
        {
            // Back to what the desktop says.
            settings.reset_property("gtk-enable-animations");
        }
    }
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
        let above = seen.y() - y + self.view.top_margin();
        Scroll {
            top: u32::try_from(line.offset()).unwrap_or(0),
            above,
            left: seen.x(),
        }
    }

    /// Brings the text to the place that is pending, frame by frame: it has arrived once three frames in a row found it
    /// there.
    pub(super) fn settle(self: &Rc<Self>) {
        self.keep_scroll_bars();
        let still = Still::new();
        let weak = Rc::downgrade(self);
        let laid_out = Rc::new(Cell::new(false));
        let frames = Cell::new(0u32);
        let found = Cell::new(0u32);
        let since = Cell::new(Instant::now());
        let until = Instant::now() + PATIENCE;
        self.view.add_tick_callback(move |view, _| {
            let _ = &still;
            let Some(this) = weak.upgrade() else {
                return glib::ControlFlow::Break;
            };
            let Some(place) = *this.pending.borrow() else {
                return glib::ControlFlow::Break;
            };
            if view.height() == 0 {
                return glib::ControlFlow::Continue;
            }
            if frames.replace(frames.get() + 1) == 0 {
                since.set(Instant::now());
                this.jump(place.scroll);
                let laid_out = laid_out.clone();
                // Lines are laid out in idles of a higher priority, so this one runs after the last of them.
                glib::idle_add_local_full(glib::Priority::LOW, move || {
                    laid_out.set(true);
                    glib::ControlFlow::Break
                });
                return glib::ControlFlow::Continue;
            }
            let missing = this.approach(place.scroll);
            // Once all is laid out, what cannot be reached never will be: the text is smaller here than it was there.
            let there = laid_out.get() || (missing == (0, 0) && since.get().elapsed() > ALL_LINES);
            found.set(if there { found.get() + 1 } else { 0 });
            let late = Instant::now() > until;
            if late {
                warn!(
                    title = this.title(),
                    "the text was not laid out in time; it is shown as far as it is"
                );
            }
            if found.get() == 2 {
                this.finish();
            }
            if found.get() > 2 || late {
                this.arrived();
                return glib::ControlFlow::Break;
            }
            glib::ControlFlow::Continue
        });
    }

    /// GTK 4.8 forgets to place a slider when the length of the text changes while it lays out, and shows none then. Asked
    /// again right after, in the same phase of the same frame, it places it.
    fn keep_scroll_bars(self: &Rc<Self>) {
        let parts = self.parts.scrolled.downgrade();
        self.window.connect_realize(move |window| {
            let Some(clock) = window.frame_clock() else {
                return;
            };
            let scrolled = parts.clone();
            let known = Cell::new([(0.0, 0.0); 2]);
            // After all others: GTK's own layout is one of them.
            clock.connect_local("layout", true, move |_| {
                let scrolled = scrolled.upgrade()?;
                let length = |a: gtk4::Adjustment| (a.upper(), a.page_size());
                let now = [
                    length(scrolled.vadjustment()),
                    length(scrolled.hadjustment()),
                ];
                if known.replace(now) != now {
                    lay_out_anew(&scrolled.vscrollbar());
                    lay_out_anew(&scrolled.hscrollbar());
                }
                None
            });
        });
    }

    /// Lets GTK lay out the lines around the place first: those above can wait.
    fn jump(&self, to: Scroll) {
        if to.top == 0 {
            return;
        }
        let top = history::iter_at(self.buffer.upcast_ref(), to.top);
        let mark = self.buffer.create_mark(None, &top, true);
        self.view.scroll_to_mark(&mark, 0.0, true, 0.0, 0.0);
        // It keeps the mark until it has scrolled.
        self.buffer.delete_mark(&mark);
    }

    /// Scrolls towards `to`; what was missing before, in pixels down and to the right.
    fn approach(&self, to: Scroll) -> (i64, i64) {
        let top = history::iter_at(self.buffer.upcast_ref(), to.top);
        let (y, _) = self.view.line_yrange(&top);
        let seen = self.view.visible_rect();
        let down =
            i64::from(y) + i64::from(to.above) - i64::from(seen.y() + self.view.top_margin());
        let right = i64::from(to.left) - i64::from(seen.x());
        for (adjustment, by) in [
            (self.view.vadjustment(), down),
            (self.view.hadjustment(), right),
        ] {
            if let Some(adjustment) = adjustment
                && by != 0
            {
                // i64 → f64 is exact for anything a screen can show.
                adjustment.set_value(adjustment.value() + by as f64);
            }
        }
        (down, right)
    }

    /// The last touches, drawn in the frame that follows.
    fn finish(&self) {
        // Colours what is seen now: GtkSourceView would do it some frames later.
        let seen = self.view.visible_rect();
        let (start, _) = self.view.line_at_y(seen.y());
        let (mut end, _) = self.view.line_at_y(seen.y() + seen.height());
        end.forward_line();
        self.buffer.ensure_highlight(&start, &end);
        // GTK forgets to place the slider when the length of the text changes while it lays out.
        for bar in [
            self.parts.scrolled.vscrollbar(),
            self.parts.scrolled.hscrollbar(),
        ] {
            lay_out_anew(&bar);
        }
    }

    fn arrived(&self) {
        self.pending.replace(None);
        // The frame that says so has to be a new one.
        self.view.queue_draw();
        call(&self.hooks.settled);
    }
}

/// Makes a widget and all within it be laid out in the next frame.
fn lay_out_anew(widget: &gtk4::Widget) {
    let mut child = widget.first_child();
    while let Some(inner) = child {
        lay_out_anew(&inner);
        child = inner.next_sibling();
    }
    widget.queue_resize();
}
