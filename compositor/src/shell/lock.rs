//! The session's lock (ext-session-lock).
//!
//! What holds at any time:
//!
//! 1. While it is locked nothing is seen but the locker's surface, and nobody else hears any input (see [`super::order`]).
//! 2. The locker is told so after a frame without any window in it, not before.
//! 3. A locker that dies leaves the session locked; only another locker can then unlock it.

use smithay::input::pointer::CursorImageStatus;
use smithay::utils::Size;
use smithay::wayland::session_lock::{LockSurface, SessionLocker};
use wayland_protocols::ext::session_lock::v1::server::ext_session_lock_v1::ExtSessionLockV1;
use wayland_server::Resource;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

/// The session is locked, or about to be with the next frame.
#[derive(Debug)]
pub struct Lock {
    by: ExtSessionLockV1,
    /// To be told with the next frame.
    confirm: Option<SessionLocker>,
    surface: Option<LockSurface>,
}

impl Lock {
    /// What the locker shows.
    pub fn surface(&self) -> Option<&WlSurface> {
        self.surface.as_ref().map(LockSurface::wl_surface)
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
            surface: None,
        });
        self.end_grabs();
        self.dismiss_all_popups();
        self.input.cursor = CursorImageStatus::default_named();
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

    /// The locker made a surface; it is to fill the output.
    pub fn add_lock_surface(&mut self, surface: LockSurface) {
        let size = self.area().size;
        let Some(lock) = &mut self.shell.lock else {
            return;
        };
        if !surface.wl_surface().id().same_client_as(&lock.by.id()) {
            return;
        }
        fill(&surface, size);
        lock.surface = Some(surface);
        self.lock_changed();
    }

    /// The output has another size.
    pub fn refit_lock(&self) {
        let size = self.area().size;
        if let Some(surface) = self.shell.lock.as_ref().and_then(|l| l.surface.as_ref()) {
            fill(surface, size);
            surface.send_configure();
        }
    }

    /// A surface is gone: if it was the lock's, the lock shows nothing.
    pub fn lock_surface_gone(&mut self, surface: &WlSurface) {
        if let Some(lock) = &mut self.shell.lock
            && lock.surface() == Some(surface)
        {
            lock.surface = None;
            self.lock_changed();
        }
    }

    /// A frame was drawn: nothing of the session is on screen any more.
    pub fn confirm_lock(&mut self) {
        let confirm = self.shell.lock.as_mut().and_then(|l| l.confirm.take());
        if let Some(locker) = confirm {
            locker.lock();
        }
    }
}

fn fill(surface: &LockSurface, size: Size<i32, smithay::utils::Logical>) {
    surface.with_pending_state(|state| {
        state.size = Some((size.w.unsigned_abs(), size.h.unsigned_abs()).into());
    });
}
