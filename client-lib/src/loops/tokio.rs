//! tokio's runtime.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use ::tokio::io::Interest;
use ::tokio::io::unix::AsyncFd;

use crate::session::Session;

/// Serves `session` for as long as this future is polled.
///
/// The documents belong to one thread, so the future is not `Send`: run it in a `LocalSet`, or by `block_on` beside the rest.
///
/// ```no_run
/// use overwinter::{AppInfo, Session, loops};
///
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
/// let local = tokio::task::LocalSet::new();
/// local.block_on(&runtime, async {
///     let (ended, end) = tokio::sync::oneshot::channel::<()>();
///     let ended = std::cell::Cell::new(Some(ended));
///     let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
///         .on_quit(move || drop(ended.take()))
///         .connect();
///     tokio::task::spawn_local(loops::tokio::serve(session));
///     let _ = end.await; // and everything else the app does
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the system refuses to watch the descriptor.
///
/// # Panics
/// When there is no runtime with I/O enabled.
pub async fn serve(session: Session) -> io::Result<Infallible> {
    // SAFETY: `Watched` owns a share of the session, which keeps this one descriptor open for as long as it lives.
    let watched = unsafe { AsyncFd::register_with_interest(Watched(session), Interest::READABLE) }?;
    loop {
        // Cleared first: what arrives while we are at it makes it readable again.
        watched.readable().await?.clear_ready();
        watched.get_ref().0.dispatch();
    }
}

struct Watched(Session);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}
