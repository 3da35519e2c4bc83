//! What libwayland-client, which WLCS uses, knows of its connections and objects.

use std::os::fd::RawFd;

use wayland_sys::client::{wayland_client_handle, wl_display, wl_proxy};
use wayland_sys::ffi_dispatch;

/// The client's end of a connection.
///
/// # Safety
/// `display` is a live connection of libwayland-client.
pub unsafe fn socket(display: *mut wl_display) -> RawFd {
    // SAFETY: the caller's promise.
    unsafe { ffi_dispatch!(wayland_client_handle(), wl_display_get_fd, display) }
}

/// The number of an object on its connection.
///
/// # Safety
/// `proxy` is a live object of libwayland-client.
pub unsafe fn id(proxy: *mut wl_proxy) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { ffi_dispatch!(wayland_client_handle(), wl_proxy_get_id, proxy) }
}
