//! Tells the UI thread's loop, whatever it is, that there is something to dispatch.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

/// A file descriptor that is readable while something waits.
pub(super) struct Wake {
    fd: Arc<OwnedFd>,
}

/// The end that wakes.
#[derive(Clone)]
pub(super) struct WakeHandle {
    fd: Arc<OwnedFd>,
}

impl Wake {
    pub fn new() -> Self {
        // Fails only when the process is out of descriptors or memory, before it has anything to lose.
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .expect("a process that just started can make an eventfd");
        Wake { fd: Arc::new(fd) }
    }

    pub fn handle(&self) -> WakeHandle {
        WakeHandle {
            fd: self.fd.clone(),
        }
    }

    pub fn clear(&self) {
        // EAGAIN: nothing waits.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl WakeHandle {
    pub fn wake(&self) {
        // EAGAIN: the counter is full, so the loop is awake anyway.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }
}
