//! The session's lock (ext-session-lock).
//!
//! What holds at any time:
//!
//! 1. While it is locked nothing is seen but the locker's surfaces, and nobody else hears any input (see [`super::order`]).
//! 2. The locker is told so after every output has shown a frame without any window in it, not before.
//! 3. A locker that dies leaves the session locked; only another locker can then unlock it.

use std::collections::BTreeSet;

use smithay::input::pointer::CursorImageStatus;
use smithay::utils::{Logical, Rectangle, Size};
use smithay::wayland::session_lock::{LockSurface, SessionLocker};
use wayland_protocols::ext::session_lock::v1::server::ext_session_lock_v1::ExtSessionLockV1;
use wayland_server::Resource;
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::outputs::HeadId;
use crate::state::Overwinter;

/// What the locker shows on one output.
#[derive(Debug)]
pub struct Cover {
    /// Where.
    pub head: HeadId,
    /// What.
    pub surface: LockSurface,
    /// The output's part of the desktop.
    pub rect: Rectangle<i32, Logical>,
}

/// The session is locked, or about to be with the next frames.
#[derive(Debug)]
pub struct Lock {
    by: ExtSessionLockV1,
    /// To be told when all outputs are blank or covered.
    confirm: Option<SessionLocker>,
    /// Outputs that have shown a frame since, in which nothing of the session was.
    blank: BTreeSet<HeadId>,
    covers: Vec<Cover>,
    /// The one that was clicked hears the keyboard.
    chosen: Option<WlSurface>,
}

impl Lock {
    /// What the locker shows, output by output.
    pub fn covers(&self) -> impl Iterator<Item = &Cover> {
        self.covers.iter()
    }

    /// The surface that hears the keyboard: the one that was clicked, else the first.
    pub fn listener(&self) -> Option<&WlSurface> {
        let first = self.covers.iter().min_by_key(|c| c.head);
        let first = || first.map(|c| c.surface.wl_surface());
        self.chosen.as_ref().or_else(first)
    }

    /// Whether this is one of the locker's surfaces.
    pub fn shows(&self, surface: &WlSurface) -> bool {
        let mut covers = self.covers.iter();
        covers.any(|c| c.surface.wl_surface() == surface)
    }

    /// Whether this is the lock that holds the session, and was told so.
    pub fn is_held_by(&self, lock: &ExtSessionLockV1) -> bool {
        self.by == *lock && self.confirm.is_none()
    }
}

impl Overwinter {
    /// Locks the session, unless a living locker holds it already: dropping `locker` tells this one so.
    pub fn lock_session(&mut self, locker: SessionLocker) {
        if self.shell.lock.as_ref().is_some_and(|l| l.by.is_alive()) {
            return;
        }
        self.shell.lock = Some(Lock {
            by: locker.ext_session_lock().clone(),
            confirm: Some(locker),
            blank: BTreeSet::new(),
            covers: Vec::new(),
            chosen: None,
        });
        self.end_grabs();
        self.dismiss_all_popups();
        self.show_cursor(CursorImageStatus::default_named());
        self.lock_changed();
    }

    /// The locker is satisfied.
    pub fn unlock_session(&mut self) {
        self.shell.lock = None;
        self.lock_changed();
        let shown = |group: &_| !self.shell.shown_windows_of(*group).is_empty();
        let groups: Vec<_> = self.shell.group_ids().filter(shown).collect();
        for group in groups {
            self.deliver_held(group);
        }
    }

    fn lock_changed(&mut self) {
        self.keyboard_refocus();
        self.pointer_refocus();
        self.schedule_frame();
    }

    /// The locker made a surface for this output; it is to fill it.
    pub fn add_lock_surface(&mut self, surface: LockSurface, output: &WlOutput) {
        let head = self.outputs.meant(output).map(|h| (h.id, h.area()));
        let anywhere = self.area();
        let Some(lock) = &mut self.shell.lock else {
            return;
        };
        if !surface.wl_surface().id().same_client_as(&lock.by.id()) {
            return;
        }
        let Some((head, rect)) = head else {
            // The output went meanwhile. It is configured like any other, and shown nowhere.
            return fill(&surface, anywhere.size);
        };
        fill(&surface, rect.size);
        lock.covers.retain(|c| c.head != head);
        lock.covers.push(Cover {
            head,
            surface,
            rect,
        });
        self.lock_changed();
    }

    /// Outputs came, went or have another size.
    pub fn refit_lock(&mut self) {
        let Some(lock) = &mut self.shell.lock else {
            return;
        };
        let before = lock.covers.len();
        lock.covers.retain_mut(|cover| {
            let Some(head) = self.outputs.get(cover.head).filter(|h| h.enabled()) else {
                return false;
            };
            let resized = cover.rect.size != head.area().size;
            cover.rect = head.area();
            if resized {
                fill(&cover.surface, cover.rect.size);
                cover.surface.send_configure();
            }
            true
        });
        let shown = |s: &WlSurface| lock.covers.iter().any(|c| c.surface.wl_surface() == s);
        if lock.chosen.as_ref().is_some_and(|s| !shown(s)) {
            lock.chosen = None;
        }
        if lock.covers.len() != before {
            self.lock_changed();
        }
    }

    /// One of the locker's surfaces was clicked or touched.
    pub fn lock_pressed(&mut self, surface: &WlSurface) {
        if let Some(lock) = &mut self.shell.lock
            && lock.shows(surface)
            && lock.chosen.as_ref() != Some(surface)
        {
            lock.chosen = Some(surface.clone());
            self.keyboard_refocus();
        }
    }

    /// A surface is gone: if it was the lock's, its output shows nothing.
    pub fn lock_surface_gone(&mut self, surface: &WlSurface) {
        if let Some(lock) = &mut self.shell.lock
            && lock.shows(surface)
        {
            lock.covers.retain(|c| c.surface.wl_surface() != surface);
            lock.chosen.take_if(|s| s == surface);
            self.lock_changed();
        }
    }

    /// A frame of this output was drawn: nothing of the session is on it any more. Once that is so of every output the locker
    /// hears of it.
    pub fn confirm_lock(&mut self, drawn: Option<HeadId>) {
        let Some(lock) = &mut self.shell.lock else {
            return;
        };
        lock.blank.extend(drawn);
        let all = self.outputs.used().all(|h| lock.blank.contains(&h.id));
        if let Some(locker) = lock.confirm.take_if(|_| all) {
            locker.lock();
        }
    }
}

fn fill(surface: &LockSurface, size: Size<i32, Logical>) {
    surface.with_pending_state(|state| {
        state.size = Some((size.w.unsigned_abs(), size.h.unsigned_abs()).into());
    });
}
