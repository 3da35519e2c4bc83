//! wl_shm: the only kind of buffer there is; no dmabuf is advertised, since pictures of windows are drawn by pixman.

use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::shm::{ShmBufferUserData, ShmHandler, ShmPoolUserData, ShmState};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_buffer::WlBuffer;
use wayland_server::protocol::wl_shm::{self, WlShm};
use wayland_server::protocol::wl_shm_pool::{self, WlShmPool};
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, delegate_dispatch,
    delegate_global_dispatch,
};

use crate::state::Overwinter;

impl BufferHandler for Overwinter {
    fn buffer_destroyed(&mut self, _buffer: &WlBuffer) {}
}

impl ShmHandler for Overwinter {
    fn shm_state(&self) -> &ShmState {
        &self.protocols.shm
    }
}

// What `delegate_shm!` does, with the pool's requests looked at first.
delegate_global_dispatch!(Overwinter: [WlShm: ()] => ShmState);
delegate_dispatch!(Overwinter: [WlShm: ()] => ShmState);
delegate_dispatch!(Overwinter: [WlBuffer: ShmBufferUserData] => ShmState);

impl Dispatch<WlShmPool, ShmPoolUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        pool: &WlShmPool,
        request: wl_shm_pool::Request,
        data: &ShmPoolUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        // Smithay 0.7.0 says so, too, and then unwraps the size as one that is not zero.
        if matches!(request, wl_shm_pool::Request::Resize { size } if size <= 0) {
            pool.post_error(wl_shm::Error::InvalidFd, "invalid wl_shm_pool size");
            return;
        }
        <ShmState as Dispatch<WlShmPool, ShmPoolUserData, Self>>::request(
            this, client, pool, request, data, display, init,
        );
    }

    fn destroyed(this: &mut Self, client: ClientId, pool: &WlShmPool, data: &ShmPoolUserData) {
        <ShmState as Dispatch<WlShmPool, ShmPoolUserData, Self>>::destroyed(
            this, client, pool, data,
        );
    }
}
