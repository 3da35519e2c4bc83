//! The compositor's thread, and what is told to it.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use calloop::EventLoop;
use calloop::channel::{self, Channel, Sender};
use overwinter_compositor::options::OutputSize;
use overwinter_compositor::shell::Item;
use overwinter_compositor::{Options, Overwinter};
use smithay::backend::input::{ButtonState, TouchSlot};
use smithay::utils::{Logical, Point};
use wayland_server::Client;
use wayland_server::protocol::wl_surface::WlSurface;

/// Nothing that is told takes longer, unless the compositor hangs: then the test fails by what it misses.
const ANSWER: Duration = Duration::from_secs(10);

/// What a test does to the compositor.
pub enum Command {
    /// A client connects; its own end has this number.
    Connect(UnixStream, RawFd),
    /// A window is put there.
    Place {
        /// The number of the client's end of its connection.
        client: RawFd,
        /// The surface's number on it.
        surface: u32,
        /// Where the window geometry's corner goes.
        at: Point<i32, Logical>,
    },
    /// The pointer moves to a place.
    PointerTo(Point<f64, Logical>),
    /// The pointer moves by this much.
    PointerBy(Point<f64, Logical>),
    /// A button goes down (true) or up.
    Button(i32, bool),
    /// The finger goes down there.
    TouchDown(Point<f64, Logical>),
    /// The finger moves there.
    TouchMove(Point<f64, Logical>),
    /// The finger is lifted.
    TouchUp,
    /// The end.
    Stop,
}

struct Told {
    command: Command,
    done: mpsc::Sender<()>,
}

/// The way to the compositor's thread.
#[derive(Clone)]
pub struct Commands(Sender<Told>);

impl Commands {
    /// Has it done, and waits until it is.
    pub fn tell(&self, command: Command) {
        let (done, answer) = mpsc::channel();
        if self.0.send(Told { command, done }).is_ok() {
            let _ = answer.recv_timeout(ANSWER);
        }
    }
}

/// A running compositor.
pub struct Server {
    commands: Commands,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts a compositor that listens on no socket and has no heart.
    pub fn start() -> Result<Server> {
        let (sender, commands) = channel::channel();
        let thread = std::thread::Builder::new()
            .name("compositor".to_owned())
            .spawn(move || {
                if let Err(error) = run(commands) {
                    eprintln!("the compositor ended: {error:#}");
                }
            })
            .context("no thread")?;
        Ok(Server {
            commands: Commands(sender),
            thread,
        })
    }

    /// For devices.
    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// See [`Commands::tell`].
    pub fn tell(&self, command: Command) {
        self.commands.tell(command);
    }

    /// A new client's end of its connection.
    pub fn connect(&self) -> std::io::Result<OwnedFd> {
        let (ours, theirs) = UnixStream::pair()?;
        self.tell(Command::Connect(ours, theirs.as_raw_fd()));
        Ok(theirs.into())
    }

    /// Ends it and waits for its end.
    pub fn stop(self) {
        self.tell(Command::Stop);
        if self.thread.join().is_err() {
            // What panicked has been said on stderr; for a test that did not notice, this makes it a failure.
            std::process::abort();
        }
    }
}

fn run(commands: Channel<Told>) -> Result<()> {
    log();
    let mut event_loop = EventLoop::try_new().context("cannot create an event loop")?;
    // The suite puts windows and popups at places that it takes to be on the output.
    let options = Options {
        size: OutputSize {
            width: 1280,
            height: 1024,
        },
        ..Options::default()
    };
    let mut state = Overwinter::new(&event_loop, &options)?;
    state.touch_screen_found();
    let mut clients = HashMap::new();
    state
        .handle
        .insert_source(commands, move |event, (), state| {
            if let channel::Event::Msg(told) = event {
                carry_out(state, &mut clients, told.command);
                state.after_dispatch();
                let _ = told.done.send(());
            }
        })
        .map_err(|e| e.error)?;
    event_loop
        .run(None, &mut state, |state| {
            state.after_dispatch();
            state.events.clear();
        })
        .context("the event loop failed")
}

/// WLCS's own log is on stdout; ours goes to stderr, by OVERWINTER_LOG.
fn log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("OVERWINTER_LOG") {
        let log = tracing_subscriber::fmt().with_env_filter(filter);
        // There is one already where this is not the process's first test.
        let _ = log.with_writer(std::io::stderr).with_ansi(false).try_init();
    }
}

fn carry_out(state: &mut Overwinter, clients: &mut HashMap<RawFd, Client>, command: Command) {
    let time = state.now_ms();
    let finger = TouchSlot::from(Some(0));
    match command {
        Command::Connect(stream, number) => match state.add_client(stream) {
            // A number that is used again names the newest connection.
            Ok(client) => drop(clients.insert(number, client)),
            Err(error) => eprintln!("a client could not be taken: {error}"),
        },
        Command::Place {
            client,
            surface,
            at,
        } => {
            let found = clients.get(&client).and_then(|client| {
                let found = client.object_from_protocol_id::<WlSurface>(&state.display, surface);
                found.ok()
            });
            let Some(found) = found else {
                return eprintln!("there is no surface {surface}");
            };
            match state.shell.window_of(&found) {
                Some(id) => state.put_window(Item::Window(id), at),
                None if state.put_layer(&found, at) => {}
                None => eprintln!("surface {surface} is no window"),
            }
        }
        Command::PointerTo(at) => {
            state.pointer_to(at, time);
            state.pointer_frame();
        }
        Command::PointerBy(by) => {
            state.pointer_by(by, time);
            state.pointer_frame();
        }
        Command::Button(button, pressed) => {
            let pressed = if pressed {
                ButtonState::Pressed
            } else {
                ButtonState::Released
            };
            state.pointer_button(button.unsigned_abs(), pressed, time);
            state.pointer_frame();
        }
        Command::TouchDown(at) => {
            state.touch_down(finger, at, time);
            state.touch_frame();
        }
        Command::TouchMove(at) => {
            state.touch_to(finger, at, time);
            state.touch_frame();
        }
        Command::TouchUp => {
            state.touch_up(finger, time);
            state.touch_frame();
        }
        Command::Stop => state.signal.stop(),
    }
}
