//! Frame pacing. A frame is drawn when something asked for one, at most 60 times a second; when nothing asks, no timer runs.
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
use smithay::utils::{Monotonic, Time, Transform};
use smithay::wayland::presentation::Refresh;
use wayland_protocols::wp::presentation_time::server::wp_presentation_feedback::Kind;
use wayland_server::protocol::wl_surface::WlSurface;

use super::{Cursor, Scene, Tracker};
use crate::shell::{Item, Standing};
use crate::state::Overwinter;

/// Between two frames: 60 a second, which every host and viewer keeps up with.
const INTERVAL: Duration = Duration::from_micros(16_667);

/// A frame that failed is tried again after this long: often enough to be seen as one hitch, seldom enough to cost nothing
/// where it fails every time.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether a frame is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Nothing asked for a frame.
    Idle,
    /// A timer will draw one.
    Due,
}

/// When the next frame is due, and what the last one was.
#[derive(Debug)]
pub struct Frames {
    pace: Pace,
    last: Option<Instant>,
    tracker: Tracker,
    /// Frames composited so far.
    pub count: u64,
}

impl Frames {
    /// Frames for this output; `transform`: how its image lies in memory.
    pub fn new(output: &Output, transform: Transform) -> Result<Frames> {
        Ok(Frames {
            pace: Pace::Idle,
            last: None,
            tracker: tracker(output, transform)?,
            count: 0,
        })
    }
}

fn tracker(output: &Output, transform: Transform) -> Result<Tracker> {
    let mode = output.current_mode().context("the output has no mode")?;
    let scale = output.current_scale().fractional_scale();
    Ok(Tracker::new(mode.size, scale, transform))
}

impl Overwinter {
    /// Asks for a frame: as soon as the last one is 1/60 s old.
    pub fn schedule_frame(&mut self) {
        if self.frames.pace == Pace::Due {
            return;
        }
        let now = Instant::now();
        let at = self
            .frames
            .last
            .map_or(now, |last| now.max(last + INTERVAL));
        let timer = self
            .handle
            .insert_source(Timer::from_deadline(at), |_, (), state| {
                state.frames.pace = Pace::Idle;
                state.composite();
                TimeoutAction::Drop
            });
        match timer {
            Ok(_) => self.frames.pace = Pace::Due,
            Err(error) => tracing::error!(%error, "the frame timer could not be armed"),
        }
    }

    /// The output has another size or scale: everything is drawn anew.
    pub fn output_resized(&mut self) {
        match tracker(&self.output, self.backend.transform()) {
            Ok(tracker) => self.frames.tracker = tracker,
            Err(error) => tracing::error!(%error, "the resized output cannot be drawn"),
        }
        self.arrange_layers(None);
        self.refit_windows();
        self.refit_lock();
        self.tell_output_managers();
        self.tell_capture_sizes();
        self.schedule_frame();
    }

    fn composite(&mut self) {
        let pointer = self
            .seat
            .get_pointer()
            .map(|p| p.current_location())
            .unwrap_or_default();
        let scale = self.output.current_scale().fractional_scale();
        let cursor = self.backend.draws_cursor().then_some(Cursor {
            location: pointer,
            image: &self.input.cursor,
            draw_named: false,
        });
        let drag_icon = self.input.drag_icon.as_ref().map(|icon| (icon, pointer));
        self.decor.refresh(&mut self.shell, &self.appearance, scale);
        let scene = Scene {
            shell: &self.shell,
            decor: &self.decor,
            drag_icon,
            cursor,
            scale,
            blank: self.output_power.is_off(),
        };
        let drawn = match self.backend.draw(&scene, &mut self.frames.tracker) {
            Ok(drawn) => drawn,
            Err(error) => {
                tracing::error!(%error, "a frame could not be drawn; it is tried again");
                self.frames.last = Some(Instant::now() + AGAIN);
                self.schedule_frame();
                return;
            }
        };
        self.frames.last = Some(Instant::now());
        if !drawn.damage.is_empty() {
            self.frames.count += 1;
        }
        self.confirm_lock();
        self.serve_screencopy(&drawn.damage);
        self.serve_captures(&drawn.damage);
        self.tell_clients_of_frame();
        self.popups.cleanup();
    }

    /// Frame callbacks and presentation times for everything on screen, and for hidden windows that are being restored:
    /// GTK stops its clock without them and would never draw the frame that the ghost waits for.
    fn tell_clients_of_frame(&mut self) {
        let now = self.now();
        let output = self.output.clone();
        let restoring = self.shell.restoring().map(|w| w.window.clone());
        let off = self.output_power.is_off();
        let shown = self.shell.order().filter_map(|standing| match standing {
            Standing::Item(Item::Window(id)) if !off => {
                self.shell.window(id).map(|w| w.window.clone())
            }
            _ => None,
        });
        let mut feedback = OutputPresentationFeedback::new(&output);
        for window in shown.chain(restoring) {
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
        for standing in self.shell.order().filter(|_| !off) {
            let root = match standing {
                Standing::Lock(surface) => surface,
                Standing::Layer(layer) => layer.surface.wl_surface(),
                Standing::Unmanaged(unmanaged) => &unmanaged.surface,
                Standing::Item(_) => continue,
            };
            lone(root);
            for (popup, _) in PopupManager::popups_for_surface(root) {
                lone(popup.wl_surface());
            }
        }
        if let CursorImageStatus::Surface(surface) = &self.input.cursor
            && !off
        {
            lone(surface);
        }
        if let Some(icon) = &self.input.drag_icon
            && !off
        {
            lone(icon);
        }
        feedback.presented::<Time<Monotonic>, Monotonic>(
            Time::from(now),
            Refresh::fixed(INTERVAL),
            self.frames.count,
            Kind::empty(),
        );
    }
}
