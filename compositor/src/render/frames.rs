//! Frame pacing. Of each output a frame is drawn when something asked for one, at most 60 times a second; when nothing asks,
//! no timer runs.
//!
//! ```text
//!          schedule_frame                    timer
//!   Idle ────────────────► Due { timer } ────────────► composite ──► Idle
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use calloop::timer::{TimeoutAction, Timer};
use smithay::desktop::PopupManager;
use smithay::desktop::utils::{
    OutputPresentationFeedback, send_frames_surface_tree, take_presentation_feedback_surface_tree,
};
use smithay::input::pointer::CursorImageStatus;
use smithay::output::Output;
use smithay::utils::{Logical, Monotonic, Physical, Rectangle, Time, Transform};
use smithay::wayland::presentation::Refresh;
use wayland_protocols::wp::presentation_time::server::wp_presentation_feedback::Kind;
use wayland_server::protocol::wl_surface::WlSurface;

use super::{Cursor, Scene, Tracker};
use crate::outputs::{Head, HeadId};
use crate::shell::{Item, Standing};
use crate::state::Overwinter;

/// Between two frames: 60 a second, which every host and viewer keeps up with.
const INTERVAL: Duration = Duration::from_micros(16_667);

/// A frame that failed is tried again after this long: often enough to be seen as one hitch, seldom enough to cost nothing
/// where it fails every time.
const AGAIN: Duration = Duration::from_secs(1);

/// Title bars are drawn at least so wide (logical pixels), if their windows are: with room for all buttons.
const LEAST_WIDE: i32 = 640;

/// Whether a frame is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Nothing asked for a frame.
    Idle,
    /// A timer will draw one.
    Due,
}

/// When an output's next frame is due, and what the last one was.
#[derive(Debug)]
pub struct Frames {
    pace: Pace,
    last: Option<Instant>,
    tracker: Tracker,
    /// Frames composited so far.
    pub count: u64,
}

impl Frames {
    /// Frames for this output; `transform`: how its image lies in memory, besides how it is turned.
    pub fn new(output: &Output, transform: Transform) -> Result<Frames> {
        Ok(Frames {
            pace: Pace::Idle,
            last: None,
            tracker: tracker(output, transform)?,
            count: 0,
        })
    }

    /// It looks different: the next frame is drawn as a whole.
    pub fn restart(&mut self, output: &Output, transform: Transform) -> Result<()> {
        self.tracker = tracker(output, transform)?;
        Ok(())
    }
}

fn tracker(output: &Output, transform: Transform) -> Result<Tracker> {
    let mode = output.current_mode().context("the output has no mode")?;
    let scale = output.current_scale().fractional_scale();
    let turned = match transform {
        Transform::Normal => output.current_transform(),
        // Such a backend turns nothing.
        fixed => fixed,
    };
    Ok(Tracker::new(mode.size, scale, turned))
}

impl Overwinter {
    /// Asks for a frame of every output: as soon as its last one is 1/60 s old.
    pub fn schedule_frame(&mut self) {
        self.outputs.moved = true;
        let used: Vec<HeadId> = self.outputs.used().map(|h| h.id).collect();
        for id in &used {
            self.schedule_frame_of(*id);
        }
        if used.is_empty() {
            self.schedule_unseen();
        }
    }

    /// Asks for a frame of the outputs that this is on.
    pub fn schedule_frame_at(&mut self, rect: Rectangle<i32, Logical>) {
        self.outputs.moved = true;
        let under: Vec<HeadId> = self.outputs.under(rect).map(|h| h.id).collect();
        if under.is_empty() {
            // It may be waited for although nobody sees it.
            return self.schedule_frame();
        }
        for id in under {
            self.schedule_frame_of(id);
        }
    }

    /// Asks for a frame of this output.
    pub fn schedule_frame_of(&mut self, id: HeadId) {
        let Some(head) = self.outputs.get_mut(id).filter(|h| h.enabled()) else {
            return;
        };
        let frames = &mut head.frames;
        if frames.pace == Pace::Due {
            return;
        }
        let now = Instant::now();
        let at = frames.last.map_or(now, |last| now.max(last + INTERVAL));
        let timer = self
            .handle
            .insert_source(Timer::from_deadline(at), move |_, (), state| {
                if let Some(head) = state.outputs.get_mut(id) {
                    head.frames.pace = Pace::Idle;
                }
                state.composite(id);
                TimeoutAction::Drop
            });
        match timer {
            Ok(_) => frames.pace = Pace::Due,
            Err(error) => tracing::error!(%error, "the frame timer could not be armed"),
        }
    }

    /// Without any output nothing is drawn, but a waking group goes on, and a locker hears that nothing is to be seen.
    fn schedule_unseen(&mut self) {
        if self.outputs.unseen_due {
            return;
        }
        let timer = Timer::from_duration(INTERVAL);
        let timer = self.handle.insert_source(timer, |_, (), state| {
            state.outputs.unseen_due = false;
            if state.outputs.first().is_none() {
                state.confirm_lock(None);
                state.tell_restoring();
                state.popups.cleanup();
            }
            TimeoutAction::Drop
        });
        match timer {
            Ok(_) => self.outputs.unseen_due = true,
            Err(error) => tracing::error!(%error, "the frame timer could not be armed"),
        }
    }

    /// Frames composited so far, of all outputs there are.
    pub fn frame_count(&self) -> u64 {
        self.outputs.plugged().map(|h| h.frames.count).sum()
    }

    fn composite(&mut self, id: HeadId) {
        self.review_surfaces();
        let pointer = self
            .seat
            .get_pointer()
            .map(|p| p.current_location())
            .unwrap_or_default();
        if let Some(scale) = self.outputs.get(id).map(Head::scale) {
            let widest = self.outputs.used().map(|h| h.area().size.w).max();
            let widest = widest.unwrap_or(0).max(LEAST_WIDE);
            self.decor
                .refresh(&mut self.shell, &self.appearance, scale, widest);
        }
        let Some(head) = self.outputs.get_mut(id).filter(|h| h.enabled()) else {
            return;
        };
        let cursor = self.backend.draws_cursor().then_some(Cursor {
            location: pointer,
            image: &self.input.cursor,
            draw_named: false,
        });
        let drag_icon = self.input.drag_icon.as_ref().map(|icon| (icon, pointer));
        let scene = Scene {
            shell: &self.shell,
            decor: &self.decor,
            drag_icon,
            cursor,
            scale: head.scale(),
            origin: head.area().loc,
            transform: head.output.current_transform(),
            blank: head.off,
        };
        let drawn = match self.backend.draw(id, &scene, &mut head.frames.tracker) {
            Ok(drawn) => drawn,
            Err(error) => {
                tracing::error!(%error, "a frame could not be drawn; it is tried again");
                head.frames.last = Some(Instant::now() + AGAIN);
                self.schedule_frame_of(id);
                return;
            }
        };
        head.frames.last = Some(Instant::now());
        if !drawn.damage.is_empty() {
            head.frames.count += 1;
        }
        // The tracker counts pixels as they are seen, who asks for them as they lie.
        let damage: Vec<Rectangle<i32, Physical>> =
            drawn.damage.iter().map(|d| head.turned(*d)).collect();
        self.confirm_lock(Some(id));
        self.serve_screencopy(id, &damage);
        self.serve_captures(id, &damage);
        self.tell_clients_of_frame(id);
        self.popups.cleanup();
    }

    /// Whether frames of what is there are counted by this output: of those that are not switched off, the one that
    /// most of it is on.
    fn counts_for(&self, id: HeadId, rect: Rectangle<i32, Logical>) -> bool {
        self.outputs.mostly_lit(rect).is_some_and(|h| h.id == id)
    }

    /// Hidden windows that are being restored get frames wherever there is an output, and without one: GTK stops its clock
    /// without them and would never draw the frame that the ghost waits for.
    fn tell_restoring(&self) {
        let now = self.now();
        let Some(output) = self.outputs.any_output() else {
            return;
        };
        for window in self.shell.restoring() {
            let window = &window.window;
            window.send_frame(output, now, None, |_, _| Some(output.clone()));
        }
    }

    /// Frame callbacks and presentation times for everything that is on this output more than on any other, and for hidden
    /// windows that are being restored.
    fn tell_clients_of_frame(&mut self, id: HeadId) {
        self.tell_restoring();
        let now = self.now();
        let Some(head) = self.outputs.get(id) else {
            return;
        };
        if head.off {
            return;
        }
        let output = head.output.clone();
        let mut feedback = OutputPresentationFeedback::new(&output);
        let shown = self.shell.order().filter_map(|standing| match standing {
            Standing::Item(Item::Window(window)) => {
                let extent = self.extent_of(window)?;
                let window = self.shell.window(window)?.window.clone();
                self.counts_for(id, extent).then_some(window)
            }
            _ => None,
        });
        for window in shown {
            window.send_frame(&output, now, None, |_, _| Some(output.clone()));
            window.take_presentation_feedback(
                &mut feedback,
                |_, _| Some(output.clone()),
                |_, _| Kind::empty(),
            );
        }
        let mut lone = |surface: &WlSurface| {
            send_frames_surface_tree(surface, &output, now, None, |_, _| Some(output.clone()));
            take_presentation_feedback_surface_tree(
                surface,
                &mut feedback,
                |_, _| Some(output.clone()),
                |_, _| Kind::empty(),
            );
        };
        for standing in self.shell.order() {
            let root = match standing {
                Standing::Lock(cover) if cover.head == id => cover.surface.wl_surface(),
                Standing::Layer(layer) if layer.head == Some(id) => layer.surface.wl_surface(),
                Standing::Unmanaged(menu) if self.counts_for(id, menu.rect) => &menu.surface,
                _ => continue,
            };
            lone(root);
            for (popup, _) in PopupManager::popups_for_surface(root) {
                lone(popup.wl_surface());
            }
        }
        let pointer = self.seat.get_pointer().map(|p| p.current_location());
        let pointer = pointer.unwrap_or_default().to_i32_round();
        if self.counts_for(id, Rectangle::new(pointer, (1, 1).into())) {
            if let CursorImageStatus::Surface(surface) = &self.input.cursor {
                lone(surface);
            }
            if let Some(icon) = &self.input.drag_icon {
                lone(icon);
            }
        }
        feedback.presented::<Time<Monotonic>, Monotonic>(
            Time::from(now),
            Refresh::fixed(INTERVAL),
            head.frames.count,
            Kind::empty(),
        );
    }
}
