//! Waiting for what has no event.
//!
//! The checks look from the outside: at pixels, `/proc`, another process's text. None of these announces a change to a
//! bystander, so they are looked at again and again, with a deadline; whatever does announce itself (a ready descriptor, a
//! process's end, a D-Bus signal) is waited for as such.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Default patience: two cores under load, a debug build, software rendering.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often is looked.
const GLANCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// Looks until `look` gives something, at most [`PATIENCE`].
///
/// # Errors
/// Names `what` did not come, with the last error of `look`.
pub fn until<T>(what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_within(PATIENCE, what, look)
}

/// [`until`] with another patience.
///
/// # Errors
/// See [`until`].
pub fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let last = match look() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) => format!(" ({error:#})"),
        };
        if start.elapsed() > patience {
            bail!("waited {} s in vain until {what}{last}", patience.as_secs());
        }
        let _ = poll(&mut [], Some(&GLANCE));
    }
}

/// Waits for the end of a process, by its pidfd.
///
/// # Errors
/// When it still runs after `patience`.
pub fn for_end(pid: u32, patience: Duration) -> Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        bail!("{pid} is no process");
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(());
    };
    let timeout = Timespec::try_from(patience)?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    if poll(&mut fds, Some(&timeout))? == 0 {
        bail!("process {pid:?} still runs after {} s", patience.as_secs());
    }
    Ok(())
}
