//! X11 programs, by way of Xwayland: a Wayland client that is an X server, whose window manager we are (smithay's [`X11Wm`]).
//!
//! - The display is there from the beginning, the server is not: the first X11 client starts it, and half a minute after the
//!   last one it ends.
//! - An Xwayland that ends, however, takes its windows with it and nothing else. The next X11 client starts another.
//! - Nobody waits for it for long ([`watchdog`]).
//! - What X11 clients ask for is asked of us: what they say about sizes, parents and names is taken with care ([`windows`]).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use calloop::generic::{Generic, NoIoDrop};
use calloop::{Interest, Mode, PostAction, Readiness};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, kill_process};
use smithay::xwayland::{X11Wm, XWayland};
use wayland_server::Client;

use crate::state::Overwinter;

mod focus;
mod helper;
mod selection;
mod sockets;
mod watchdog;
mod windows;

use focus::Focus;
use helper::Helper;
use selection::Offers;
use sockets::Sockets;
use watchdog::Watchdog;
use windows::Windows;

/// An Xwayland that is not ready by then is given up.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// One Xwayland is not started sooner than this after the last: should they all end at once, the machine has better things to do.
const AT_MOST_EVERY: Duration = Duration::from_secs(2);

/// X11 in this session.
#[derive(Debug, Default)]
pub struct X11 {
    display: Option<Display>,
    /// The window manager of the Xwayland that runs, or of the last one: what it had still under way asks for it.
    wm: Option<X11Wm>,
    /// What has been mapped.
    windows: Windows,
    focus: Focus,
    offers: Offers,
}

/// The display, and who serves it.
#[derive(Debug)]
struct Display {
    helper: Helper,
    watchdog: Watchdog,
    sockets: Sockets,
    server: Option<Server>,
    /// Counts starts.
    start: u64,
    started: Option<Instant>,
}

/// An Xwayland that was started.
#[derive(Debug)]
struct Server {
    /// Ends when this is dropped.
    xwayland: XWayland,
    client: Client,
    ready: bool,
}

impl X11 {
    /// `DISPLAY` for those who may use it.
    pub fn display_name(&self) -> Option<String> {
        let display = self.display.as_ref()?;
        Some(format!(":{}", display.sockets.number()))
    }

    /// Whether an Xwayland runs and takes clients.
    pub fn is_running(&self) -> bool {
        self.server().is_some_and(|server| server.ready)
    }

    /// The process that serves the display just now.
    pub fn pid(&self) -> Option<i32> {
        let display = self.display.as_ref()?;
        display.server.as_ref().and(display.helper.pid())
    }

    fn server(&self) -> Option<&Server> {
        self.display.as_ref()?.server.as_ref()
    }
}

impl Overwinter {
    /// Offers an X11 display, with what it takes in the folder `runtime`. Nothing is started yet. Without Xwayland, or without room for the display, there is none, which
    /// is told once.
    pub fn offer_x11(&mut self, runtime: &Path) {
        let Some(program) = helper::find_xwayland() else {
            tracing::warn!(
                "Xwayland is not installed: X11 programs will not run, everything else will. Install it (Debian: xwayland) and log in anew"
            );
            return;
        };
        match self.open_display(&program, runtime) {
            Ok(display) => {
                let number = display.sockets.number();
                tracing::info!("X11 programs are taken on :{number}");
                self.x11.display = Some(display);
                self.await_x11_client();
            }
            Err(error) => tracing::warn!(
                "{error:#}: X11 programs will not run in this session, everything else will"
            ),
        }
    }

    fn open_display(&self, program: &Path, runtime: &Path) -> Result<Display> {
        let sockets = Sockets::open()?;
        Ok(Display {
            helper: Helper::new(runtime, program, &sockets)?,
            watchdog: Watchdog::new(&self.handle)?,
            sockets,
            server: None,
            start: 0,
            started: None,
        })
    }

    /// Starts an Xwayland when somebody connects.
    fn await_x11_client(&mut self) {
        let Some(display) = &self.x11.display else {
            return;
        };
        let listener = display.sockets.listener.as_fd().try_clone_to_owned();
        let watched = listener.map_err(anyhow::Error::from).and_then(|listener| {
            let source = Generic::new(listener, Interest::READ, Mode::Level);
            let start = |_: Readiness, _: &mut _, state: &mut Overwinter| {
                state.start_xwayland();
                Ok(PostAction::Remove)
            };
            self.handle
                .insert_source(source, start)
                .map_err(|e| e.error.into())
        });
        if let Err(error) = watched {
            tracing::error!("{error:#}: no X11 program can be started any more");
        }
    }

    fn start_xwayland(&mut self) {
        let Some(display) = &mut self.x11.display else {
            return;
        };
        display.start += 1;
        display.started = Some(Instant::now());
        let start = display.start;
        let begun = display
            .spawn(&self.display)
            .and_then(|()| self.await_xwayland());
        if let Err(error) = begun {
            return self.xwayland_failed(&format!("it could not be started: {error:#}"));
        }
        self.after(READY_WITHIN, move |state| {
            let late =
                |d: &Display| d.start == start && d.server.as_ref().is_some_and(|s| !s.ready);
            if state.x11.display.as_ref().is_some_and(late) {
                state.xwayland_failed("it was not ready in time");
            }
        });
    }

    /// Hears when Xwayland is ready, or ends before it is.
    fn await_xwayland(&mut self) -> Result<()> {
        let server = self.x11.server().context("Xwayland has gone")?;
        // Smithay's own event source never ends once Xwayland has ended before it was ready, and keeps the loop busy.
        let told = server.xwayland.poll_fd().try_clone_to_owned()?;
        let source = Generic::new(told, Interest::READ, Mode::Level);
        let told = |_: Readiness, told: &mut NoIoDrop<OwnedFd>, state: &mut Overwinter| {
            Ok(state.xwayland_told(told.as_fd()))
        };
        self.handle
            .insert_source(source, told)
            .map_err(|e| e.error)?;
        Ok(())
    }

    fn xwayland_told(&mut self, fd: BorrowedFd<'_>) -> PostAction {
        let display = self.x11.display.as_mut();
        let Some(server) = display.and_then(|d| d.server.as_mut()).filter(|s| !s.ready) else {
            return PostAction::Remove;
        };
        match server.xwayland.take_socket() {
            Ok(Some(socket)) => {
                self.xwayland_ready(socket);
                PostAction::Remove
            }
            Ok(None) if !has_ended(fd) => PostAction::Continue,
            Ok(None) => {
                self.xwayland_failed("it ended before it was ready");
                PostAction::Remove
            }
            Err(error) => {
                self.xwayland_failed(&error.to_string());
                PostAction::Remove
            }
        }
    }

    fn xwayland_ready(&mut self, socket: UnixStream) {
        let Some(display) = &mut self.x11.display else {
            return;
        };
        let Some(server) = &mut display.server else {
            return;
        };
        // From here on Xwayland is waited for.
        display.watchdog.watch(display.helper.process());
        match X11Wm::start_wm::<Overwinter>(self.handle.clone(), socket, server.client.clone()) {
            Ok(wm) => {
                server.ready = true;
                self.x11.wm = Some(wm);
                self.tell_offers();
                tracing::info!("Xwayland is ready");
            }
            Err(error) => self.xwayland_failed(&format!("no window manager: {error}")),
        }
    }

    fn xwayland_failed(&mut self, why: &str) {
        tracing::warn!(
            "Xwayland did not start ({why}). The X11 program that wanted it is sent away; the next one tries again. `Xwayland :99` by hand tells more"
        );
        self.end_xwayland();
        if let Some(display) = &self.x11.display {
            display.sockets.refuse_waiting();
        }
    }

    /// Xwayland has ended or is to end: its windows go, and the next X11 client starts another.
    fn end_xwayland(&mut self) {
        let Some(display) = &mut self.x11.display else {
            return;
        };
        display.watchdog.watch(None);
        let Some(server) = display.server.take() else {
            return;
        };
        let pid = display.helper.pid().and_then(Pid::from_raw);
        // Should it hang, it would not notice that it is to go. As long as it is connected nobody has waited for it (smithay
        // does when it no longer is), and the number is nobody else's.
        if let Some(pid) = pid.filter(|_| server.client.get_credentials(&self.display).is_ok()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        display.helper.forget_pid();
        let since = display.started.map_or(AT_MOST_EVERY, |at| at.elapsed());
        self.forget_x11_windows();
        self.forget_x11_offers();
        drop(server);
        self.after(AT_MOST_EVERY.saturating_sub(since), Self::await_x11_client);
    }
}

impl Display {
    fn spawn(&mut self, display: &wayland_server::DisplayHandle) -> Result<()> {
        let listener = &self.sockets.listener;
        // The script's Xwayland inherits the socket by its number.
        rustix::io::fcntl_setfd(listener, FdFlags::empty())?;
        let spawned = XWayland::spawn(
            display,
            None,
            [("PATH", self.helper.path())],
            false,
            Stdio::null(),
            Stdio::null(),
            |_| (),
        );
        rustix::io::fcntl_setfd(listener, FdFlags::CLOEXEC)?;
        let (xwayland, client) = spawned?;
        self.server = Some(Server {
            xwayland,
            client,
            ready: false,
        });
        Ok(())
    }
}

/// Whether nobody has the other end of a pipe, and nothing is left in it.
fn has_ended(pipe: BorrowedFd<'_>) -> bool {
    let mut pipe = [PollFd::new(&pipe, PollFlags::IN)];
    let now = rustix::time::Timespec::default();
    poll(&mut pipe, Some(&now)).is_ok() && pipe[0].revents() == PollFlags::HUP
}
