//! ext-session-lock: who may lock, and who may unlock.

use smithay::wayland::session_lock::{
    ExtLockSurfaceUserData, LockSurface, SessionLockHandler, SessionLockManagerGlobalData,
    SessionLockManagerState, SessionLockState, SessionLocker,
};
use wayland_protocols::ext::session_lock::v1::server::ext_session_lock_manager_v1::ExtSessionLockManagerV1;
use wayland_protocols::ext::session_lock::v1::server::ext_session_lock_surface_v1::ExtSessionLockSurfaceV1;
use wayland_protocols::ext::session_lock::v1::server::ext_session_lock_v1::{
    self, Error, ExtSessionLockV1,
};
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, delegate_dispatch,
    delegate_global_dispatch,
};

use crate::state::Overwinter;

impl SessionLockHandler for Overwinter {
    fn lock_state(&mut self) -> &mut SessionLockManagerState {
        &mut self.protocols.session_lock
    }

    fn lock(&mut self, confirmation: SessionLocker) {
        self.lock_session(confirmation);
    }

    fn unlock(&mut self) {
        self.unlock_session();
    }

    fn new_surface(&mut self, surface: LockSurface, output: WlOutput) {
        self.add_lock_surface(surface, &output);
    }
}

// What `delegate_session_lock!` does, with the lock's requests looked at first.
delegate_global_dispatch!(Overwinter: [ExtSessionLockManagerV1: SessionLockManagerGlobalData] => SessionLockManagerState);
delegate_dispatch!(Overwinter: [ExtSessionLockManagerV1: ()] => SessionLockManagerState);
delegate_dispatch!(Overwinter: [ExtSessionLockSurfaceV1: ExtLockSurfaceUserData] => SessionLockManagerState);

impl Dispatch<ExtSessionLockV1, SessionLockState> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        lock: &ExtSessionLockV1,
        request: ext_session_lock_v1::Request,
        data: &SessionLockState,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        let holds = this.shell.lock.as_ref().is_some_and(|l| l.is_held_by(lock));
        // Smithay 0.7.0 says so, too, but then unlocks the session for whoever asked.
        if matches!(request, ext_session_lock_v1::Request::UnlockAndDestroy) && !holds {
            lock.post_error(Error::InvalidUnlock, "this lock does not hold the session");
            return;
        }
        <SessionLockManagerState as Dispatch<ExtSessionLockV1, SessionLockState, Self>>::request(
            this, client, lock, request, data, display, init,
        );
    }
}
