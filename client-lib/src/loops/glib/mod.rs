//! GLib's main loop, with or without GTK.

pub(crate) mod source;

use std::os::fd::{AsFd, AsRawFd};

use ::glib::SourceId;

use crate::session::Session;

/// Serves `session` on the calling thread's default main context, until the source is removed.
///
/// ```no_run
/// use overwinter::{AppInfo, Session, loops};
///
/// let main_loop = glib::MainLoop::new(None, false);
/// let quit = main_loop.clone();
/// let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
///     .on_quit(move || quit.quit())
///     .connect();
/// loops::glib::attach(&session);
/// main_loop.run();
/// ```
pub fn attach(session: &Session) -> SourceId {
    attach_and(session, || {})
}

/// The same, with something to do after each time.
pub(crate) fn attach_and(session: &Session, after: impl Fn() + 'static) -> SourceId {
    // The closure keeps the session, and with it the descriptor, for as long as the source is there.
    let session = session.clone();
    let fd = session.as_fd().as_raw_fd();
    let dispatch = move || {
        session.dispatch();
        after();
    };
    source::attach(Some(fd), || false, dispatch)
}
