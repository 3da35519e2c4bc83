//! Everything the compositor knows. One thread owns it; other threads reach it by calloop channels only.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use calloop::generic::Generic;
use calloop::{EventLoop, Interest, LoopHandle, LoopSignal, Mode, PostAction};
use overwinter_config::{Appearance, Config};
use overwinter_session::Event;
use smithay::desktop::PopupManager;
use smithay::input::Seat;
use smithay::wayland::security_context::SecurityContext;
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{Client, Display, DisplayHandle, Resource};

use crate::backend::Backend;
use crate::client::ClientState;
use crate::config::ConfigFile;
use crate::driver::{self, Driver};
use crate::effects::signals;
use crate::handlers::Protocols;
use crate::input::InputState;
use crate::listener::{self, Listener};
use crate::msg::Msg;
use crate::options::{Autostart, Options};
use crate::outputs::Outputs;
use crate::protocols::ext_workspace::ExtWorkspaces;
use crate::protocols::foreign_toplevels::ForeignToplevels;
use crate::protocols::image_copy_capture::ImageCopyCapture;
use crate::protocols::output_management::OutputManagement;
use crate::protocols::output_power::OutputPower;
use crate::protocols::overwinter_v1::OverwinterV1;
use crate::protocols::screencopy::Screencopy;
use crate::protocols::xdg_foreign::XdgForeign;
use crate::protocols::xdg_session_management::XdgSessions;
use crate::protocols::{virtual_keyboard, virtual_pointer};
use crate::render::{Decor, Painter};
use crate::shell::Shell;
use crate::xwayland::X11;

/// The compositor.
pub struct Overwinter {
    /// Zero of all time stamps that clients see is CLOCK_MONOTONIC's; this is for durations.
    pub start: Instant,
    /// The Wayland display.
    pub display: DisplayHandle,
    /// The event loop, for timers.
    pub handle: LoopHandle<'static, Overwinter>,
    /// Ends the event loop.
    pub signal: LoopSignal,
    /// Name of the Wayland socket; empty when none is listened on.
    pub socket: String,
    /// Smithay's protocol states.
    pub protocols: Protocols,
    /// The one seat.
    pub seat: Seat<Overwinter>,
    /// What is plugged in.
    pub outputs: Outputs,
    /// Popup trees and grabs.
    pub popups: PopupManager,
    /// Windows, groups, ghosts.
    pub shell: Shell,
    /// Keyboards, drags, held keys.
    pub input: InputState,
    /// What the user wants, as it counts now.
    pub config: Config,
    /// Scripts.
    pub msg: Msg,
    /// Where that comes from.
    pub config_file: ConfigFile,
    /// Colours, cursors, who draws frames: changed by [`set_appearance`](Self::set_appearance).
    pub appearance: Appearance,
    /// What is drawn at windows and ghosts.
    pub decor: Decor,
    /// Screenshots that wait for a frame.
    pub screencopy: Screencopy,
    /// Captures that wait for a frame.
    pub image_copy_capture: ImageCopyCapture,
    /// Who lists workspaces.
    pub ext_workspaces: ExtWorkspaces,
    /// Who lists windows.
    pub foreign_toplevels: ForeignToplevels,
    /// Windows that are parents of other clients' windows.
    pub xdg_foreign: XdgForeign,
    /// Windows whose places their clients ask to be kept.
    pub xdg_sessions: XdgSessions,
    /// Who switches outputs off and on.
    pub output_power: OutputPower,
    /// Who looks after outputs.
    pub output_management: OutputManagement,
    /// Draws pictures of windows; made when first needed.
    pub painter: Option<Painter>,
    /// Clients that speak overwinter_v1.
    pub overwinter_v1: OverwinterV1,
    /// X11 clients, by way of Xwayland.
    pub x11: X11,
    /// Where frames go.
    pub backend: Backend,
    /// What happened and was not yet told to the heart; drained by whoever owns it.
    pub events: VecDeque<Event>,
    /// The heart and everything it acts through; none in a plain session.
    pub driver: Option<Driver>,
    /// Everybody who is connected.
    clients: HashMap<ClientId, Arc<ClientState>>,
    gone: calloop::channel::Sender<ClientId>,
}

impl Overwinter {
    /// A compositor on `event_loop`; it listens on no socket yet (see [`listen`](Self::listen)).
    pub fn new(
        event_loop: &EventLoop<'static, Overwinter>,
        options: &Options,
    ) -> Result<Overwinter> {
        let display = Display::<Overwinter>::new().context("cannot create a Wayland display")?;
        let dh = display.handle();
        let handle = event_loop.handle();
        let backend = Backend::new(&handle, options)?;
        let mut protocols = Protocols::new(&dh, &handle);
        let mut seat = protocols.seat.new_wl_seat(&dh, "seat0");
        let config_file = ConfigFile::none();
        let config = config_file.base().clone();
        let input = InputState::new(&mut seat, &config.keyboard)?;
        let first_outputs = backend.first_outputs(options);
        virtual_keyboard::create_global(&dh);
        virtual_pointer::create_global(&dh);
        let (gone, gone_source) = calloop::channel::channel();
        handle
            .insert_source(gone_source, |event, (), state: &mut Overwinter| {
                if let calloop::channel::Event::Msg(client) = event {
                    state.client_gone(&client);
                }
            })
            .map_err(|e| e.error)?;
        handle
            .insert_source(
                Generic::new(display, Interest::READ, Mode::Level),
                |_, display, state| {
                    // SAFETY: the display is never dropped while the source lives.
                    unsafe { display.get_mut() }.dispatch_clients(state)?;
                    Ok(PostAction::Continue)
                },
            )
            .map_err(|e| e.error)?;
        let mut state = Overwinter {
            start: Instant::now(),
            screencopy: Screencopy::new(&dh),
            image_copy_capture: ImageCopyCapture::new(&dh),
            ext_workspaces: ExtWorkspaces::new(&dh),
            foreign_toplevels: ForeignToplevels::new(&dh),
            xdg_foreign: XdgForeign::new(&dh),
            xdg_sessions: XdgSessions::new(&dh),
            output_power: OutputPower::new(&dh),
            output_management: OutputManagement::new(&dh),
            overwinter_v1: OverwinterV1::new(&dh),
            display: dh,
            decor: Decor::new(handle.clone()),
            handle,
            signal: event_loop.get_signal(),
            socket: String::new(),
            protocols,
            seat,
            outputs: Outputs::default(),
            popups: PopupManager::default(),
            shell: Shell::default(),
            input,
            appearance: config.appearance.clone(),
            config,
            config_file,
            msg: Msg::default(),
            backend,
            painter: None,
            x11: X11::default(),
            events: VecDeque::new(),
            driver: None,
            clients: HashMap::new(),
            gone,
        };
        for plug in first_outputs {
            state.plug_output(&plug)?;
        }
        Ok(state)
    }

    /// Listens for clients on a socket in XDG_RUNTIME_DIR.
    pub fn listen(&mut self, name: Option<&str>) -> Result<()> {
        let source = Listener::new(name).with_context(|| match name {
            Some(name) => format!("cannot listen on the Wayland socket `{name}`"),
            None => {
                "cannot listen on a Wayland socket: is XDG_RUNTIME_DIR set to a folder of yours?"
                    .into()
            }
        })?;
        self.socket = source.name().to_string_lossy().into_owned();
        self.handle
            .insert_source(source, |stream, (), state| {
                if let Err(error) = state.add_client(stream) {
                    tracing::warn!(%error, "a client could not be taken");
                }
            })
            .map_err(|e| e.error)?;
        Ok(())
    }

    /// Takes a connection.
    pub fn add_client(&mut self, stream: UnixStream) -> std::io::Result<Client> {
        self.take_client(stream, None)
    }

    /// Takes a connection from within a sandbox.
    pub fn add_sandboxed_client(
        &mut self,
        stream: UnixStream,
        sandbox: SecurityContext,
    ) -> std::io::Result<Client> {
        self.take_client(stream, Some(sandbox))
    }

    fn take_client(
        &mut self,
        stream: UnixStream,
        sandbox: Option<SecurityContext>,
    ) -> std::io::Result<Client> {
        if !listener::leaves_room(&stream) {
            return Err(std::io::Error::other("too many files are open"));
        }
        let data = Arc::new(ClientState::new(&stream, sandbox, self.gone.clone()));
        let client = self.display.insert_client(stream, data.clone())?;
        self.clients.insert(client.id(), data);
        Ok(client)
    }

    /// Milliseconds as clients see them in input and frame events (CLOCK_MONOTONIC).
    pub fn now_ms(&self) -> u32 {
        u32::try_from(self.now().as_millis() & u128::from(u32::MAX)).unwrap_or(0)
    }

    /// CLOCK_MONOTONIC.
    pub fn now(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        )
    }

    /// Tells the heart that something happened; it is heard in [`after_dispatch`](Self::after_dispatch).
    pub fn emit(&mut self, event: Event) {
        tracing::debug!(?event, "the shell says");
        self.events.push_back(event);
    }

    /// Runs after each round of the event loop: whatever happened in it is told to the heart, then clients are flushed.
    pub fn after_dispatch(&mut self) {
        driver::turn(self);
        self.review_x11();
        self.release_let_go();
        if std::mem::take(&mut self.input.focus_moved) {
            self.keyboard_refocus();
        }
        if self.input.scene_moved {
            self.pointer_refocus();
        }
        self.review_idle_inhibitors();
        self.tell_toplevels();
        self.note_window_places();
        self.tell_workspaces();
        self.tell_scripts();
        if let Err(error) = self.display.flush_clients() {
            tracing::warn!(%error, "clients could not be flushed");
        }
        self.end_those_who_erred();
    }

    /// Whether events that name this surface can be sent. While a connection is torn down its objects go one after the other;
    /// the backend panics when those that are left are to hear of each other. What they would hear has to wait until they are
    /// gone, when it is nobody's business.
    pub(crate) fn hears(&self, surface: &WlSurface) -> bool {
        !surface.is_alive() || self.display.get_client(surface.id()).is_ok()
    }

    /// libwayland ends a client that was told of an error when it next hears of it. One that errs outside a request of its own
    /// (it took away memory that is drawn) and then stays silent would keep its windows for ever. Nor does the backend say
    /// that such a client has gone.
    fn end_those_who_erred(&mut self) {
        let backend = self.display.backend_handle();
        let erred = |id: &ClientId| backend.get_client_data(id.clone()).is_err();
        let erred: Vec<ClientId> = self.clients.keys().filter(|c| erred(c)).cloned().collect();
        for id in erred {
            if let Some(client) = self.clients.get(&id) {
                client.hang_up();
            }
            self.client_gone(&id);
        }
    }

    fn client_gone(&mut self, client: &ClientId) {
        if self.clients.remove(client).is_none() {
            return;
        }
        tracing::debug!(?client, "a client has gone");
        self.overwinter_client_gone(client);
        self.screencopy.forget(client);
    }
}

/// Runs the compositor until it is told to end.
pub fn run(options: &Options) -> Result<()> {
    let mut event_loop = EventLoop::try_new().context("cannot create an event loop")?;
    let mut state = Overwinter::new(&event_loop, options)?;
    state.load_config(options);
    state.listen(options.socket.as_deref())?;
    match std::env::var_os("XDG_RUNTIME_DIR") {
        _ if options.no_x11 => {}
        Some(runtime) => state.offer_x11(Path::new(&runtime)),
        None => tracing::warn!("XDG_RUNTIME_DIR is not set: X11 programs will not run"),
    }
    state.listen_for_scripts();
    driver::attach_or_warn(&mut state, options);
    state.tell_of_config();
    let watched = !matches!(state.backend, Backend::Headless(_));
    if options.autostart == Autostart::Always || (options.autostart == Autostart::Auto && watched) {
        state.autostart();
    }
    tracing::info!(
        socket = state.socket,
        backend = state.backend.name(),
        "ready"
    );
    if let Err(error) = signals::listen(&state) {
        tracing::warn!("{error:#}: a signal will end the session at once");
    }
    if let Some(fd) = options.ready_fd {
        announce(fd, &state.socket)?;
    }
    let ended = event_loop
        .run(None, &mut state, |state| {
            state.after_dispatch();
            // Nobody listens in a plain session.
            if state.driver.is_none() {
                state.events.clear();
            }
        })
        .context("the event loop failed");
    state.keep_sessions();
    if let Some(driver) = state.driver.take() {
        driver.finish();
    }
    ended
}

/// Says on `fd` that clients can connect, and closes it.
fn announce(fd: i32, socket: &str) -> Result<()> {
    anyhow::ensure!(
        fd > 2,
        "--ready-fd {fd}: it has to be a descriptor of its own, above 2"
    );
    rustix::io::fcntl_getfd(unsafe { rustix::fd::BorrowedFd::borrow_raw(fd) })
        .with_context(|| format!("--ready-fd {fd} is not open"))?;
    // SAFETY: it is open, and whoever started us gave it to us for this.
    let mut file = unsafe { File::from_raw_fd(fd) };
    writeln!(file, "WAYLAND_DISPLAY={socket}").context("nobody reads the readiness descriptor")
}
