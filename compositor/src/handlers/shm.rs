//! wl_shm: the only kind of buffer there is; no dmabuf is advertised, since pictures of windows are drawn by pixman.

use smithay::delegate_shm;
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::shm::{ShmHandler, ShmState};
use wayland_server::protocol::wl_buffer::WlBuffer;

use crate::state::Overwinter;

impl BufferHandler for Overwinter {
    fn buffer_destroyed(&mut self, _buffer: &WlBuffer) {}
}

impl ShmHandler for Overwinter {
    fn shm_state(&self) -> &ShmState {
        &self.protocols.shm
    }
}

delegate_shm!(Overwinter);
