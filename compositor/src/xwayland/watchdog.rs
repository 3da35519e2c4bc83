//! Smithay waits for Xwayland's answers on the session's one thread. An X11 client that takes the server for itself
//! (XGrabServer) and keeps it, or an Xwayland that was stopped, would hold the whole session up. So nobody waits for long: an
//! Xwayland that the session waits for is killed, and everything goes on without it.
//!
//! A timer is armed whenever the event loop wakes and disarmed when it goes back to sleep; a thread sleeps until it fires. An
//! idle session is not woken by it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use calloop::{
    EventIterator, EventSource, LoopHandle, Poll, PostAction, Readiness, RegistrationToken, Token,
    TokenFactory,
};
use rustix::process::{Pid, Signal, pidfd_send_signal};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::state::Overwinter;

/// How long one round of the event loop may take before it is looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// Then it is looked at so often, at this distance, whether it still waits: a round that is busy is nobody's fault.
const LOOKS: (u32, Duration) = (20, Duration::from_millis(50));

#[derive(Debug)]
struct Shared {
    timer: OwnedFd,
    /// Xwayland's process, by pidfd.
    process: Mutex<Option<OwnedFd>>,
    /// Whether there is one.
    on: AtomicBool,
    /// Counts wakings and fallings asleep of the event loop: odd while a round goes on.
    round: AtomicU64,
    ends: AtomicBool,
}

impl Shared {
    fn process(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        self.round.fetch_or(1, Ordering::AcqRel);
        self.arm(PATIENCE);
    }

    fn end(&self) {
        let round = self.round.load(Ordering::Acquire);
        self.round.store((round | 1) + 1, Ordering::Release);
        self.arm(Duration::ZERO);
    }

    /// Within this time the thread looks; zero: it does not.
    fn arm(&self, within: Duration) {
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: i64::try_from(within.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: within.subsec_nanos().into(),
            },
        };
        if let Err(error) = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec) {
            tracing::error!(%error, "Xwayland's watchdog cannot be armed");
        }
    }
}

/// Watches that the session does not wait for Xwayland.
#[derive(Debug)]
pub struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    token: RegistrationToken,
    handle: LoopHandle<'static, Overwinter>,
}

impl Watchdog {
    /// Watches the calling thread's event loop.
    ///
    /// # Errors
    /// When there is no descriptor or thread left.
    pub fn new(handle: &LoopHandle<'static, Overwinter>) -> Result<Watchdog> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)
            .context("no timer for Xwayland's watchdog")?;
        let shared = Arc::new(Shared {
            timer,
            process: Mutex::new(None),
            on: AtomicBool::new(false),
            round: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let watched = rustix::thread::gettid();
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("x11-watchdog".into())
            .spawn(move || watch(&theirs, watched))
            .context("no thread for Xwayland's watchdog")?;
        let rounds = Rounds(shared.clone());
        let token = handle
            .insert_source(rounds, |(), (), _| {})
            .map_err(|e| e.error)?;
        Ok(Watchdog {
            shared,
            thread: Some(thread),
            token,
            handle: handle.clone(),
        })
    }

    /// From now on this Xwayland (by pidfd) is watched; none: nothing is.
    pub fn watch(&self, process: Option<OwnedFd>) {
        let on = process.is_some();
        *self.shared.process() = process;
        self.shared.on.store(on, Ordering::Release);
        if on {
            // The round that this is said in counts already.
            self.shared.begin();
        } else {
            self.shared.end();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.handle.remove(self.token);
        self.shared.ends.store(true, Ordering::Release);
        self.shared.arm(Duration::from_nanos(1));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(shared: &Shared, watched: Pid) {
    let mut count = [0; 8];
    while rustix::io::read(shared.timer.as_fd(), &mut count).is_ok() {
        if shared.ends.load(Ordering::Acquire) {
            return;
        }
        if !still_waits(shared, watched) {
            continue;
        }
        let Some(process) = shared.process().take() else {
            continue;
        };
        tracing::warn!(
            "Xwayland keeps the session waiting (an X11 program may have taken the server for itself): it is ended, and with it all X11 programs. The next X11 program starts a new one"
        );
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
}

/// Whether the thread sleeps, and that in one and the same round.
fn still_waits(shared: &Shared, watched: Pid) -> bool {
    let round = shared.round.load(Ordering::Acquire);
    let going_on = |_| {
        std::thread::sleep(LOOKS.1);
        shared.round.load(Ordering::Acquire) == round && sleeps(watched)
    };
    round % 2 == 1 && (0..LOOKS.0).all(going_on)
}

/// Whether the kernel says that the thread sleeps.
fn sleeps(thread: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", thread.as_raw_pid()));
    let stat = stat.unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('S'));
    state == Some(true)
}

/// Hears when a round of the event loop begins and ends.
struct Rounds(Arc<Shared>);

impl EventSource for Rounds {
    type Event = ();
    type Metadata = ();
    type Ret = ();
    type Error = calloop::Error;

    const NEEDS_EXTRA_LIFECYCLE_EVENTS: bool = true;

    fn process_events<F>(
        &mut self,
        _: Readiness,
        _: Token,
        _: F,
    ) -> Result<PostAction, calloop::Error>
    where
        F: FnMut((), &mut ()),
    {
        Ok(PostAction::Continue)
    }

    fn register(&mut self, _: &mut Poll, _: &mut TokenFactory) -> calloop::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &mut Poll, _: &mut TokenFactory) -> calloop::Result<()> {
        Ok(())
    }

    fn unregister(&mut self, _: &mut Poll) -> calloop::Result<()> {
        Ok(())
    }

    fn before_sleep(&mut self) -> calloop::Result<Option<(Readiness, Token)>> {
        if self.0.on.load(Ordering::Acquire) {
            self.0.end();
        }
        Ok(None)
    }

    fn before_handle_events(&mut self, _: EventIterator<'_>) {
        if self.0.on.load(Ordering::Acquire) {
            self.0.begin();
        }
    }
}
