//! The list of windows as a panel has it: wlr-foreign-toplevel-management. It tells when a window comes, is renamed and goes,
//! and asks one to close.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use overwinter_tests::session::Session;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_client::protocol::{wl_callback, wl_registry};
use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle, backend::ObjectId, event_created_child,
};
use wayland_protocols_wlr::foreign_toplevel::v1::client::{
    zwlr_foreign_toplevel_handle_v1::{self, State, ZwlrForeignToplevelHandleV1},
    zwlr_foreign_toplevel_manager_v1::{self, ZwlrForeignToplevelManagerV1},
};

/// The compositor answers at once; this bounds one that hangs.
const ANSWER: Duration = Duration::from_secs(10);

/// A window in the list.
#[derive(Clone, Debug)]
pub struct Toplevel {
    handle: ZwlrForeignToplevelHandleV1,
    /// What it says it is called.
    pub title: String,
    /// Which app it says it belongs to.
    pub app_id: String,
    /// It is the one that is worked with.
    pub active: bool,
    /// Everything about it has been told once.
    told: bool,
    /// It has gone.
    pub closed: bool,
}

/// Which window, for as long as the panel is there.
pub type WindowId = ObjectId;

impl Toplevel {
    /// Its name in this panel.
    pub fn id(&self) -> WindowId {
        self.handle.id()
    }

    /// It says what it is called or belongs to.
    pub fn is_named(&self) -> bool {
        !self.title.is_empty() || !self.app_id.is_empty()
    }
}

#[derive(Default)]
struct List {
    manager: Option<ZwlrForeignToplevelManagerV1>,
    toplevels: Vec<Toplevel>,
    synced: bool,
}

/// A panel that watches.
pub struct Panel {
    queue: EventQueue<List>,
    list: List,
}

impl Panel {
    /// Connects and asks for the list.
    ///
    /// # Errors
    /// When the compositor cannot be reached or has no such list.
    pub fn new(session: &Session) -> Result<Self> {
        let socket = session.wayland_socket();
        let stream = UnixStream::connect(&socket)
            .with_context(|| format!("connecting to {}", socket.display()))?;
        let connection = Connection::from_socket(stream)?;
        let queue = connection.new_event_queue();
        connection.display().get_registry(&queue.handle(), ());
        let list = List::default();
        let mut panel = Panel { queue, list };
        connection.display().sync(&panel.queue.handle(), ());
        panel.until(ANSWER, "the compositor answers", |list| {
            list.synced.then_some(())
        })?;
        if panel.list.manager.is_none() {
            bail!("no zwlr_foreign_toplevel_manager_v1");
        }
        Ok(panel)
    }

    /// Waits until the windows that are there are as wanted.
    ///
    /// # Errors
    /// When they are not after `patience`, with the list as it is then.
    pub fn wait<T>(
        &mut self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut(&[&Toplevel]) -> Option<T>,
    ) -> Result<T> {
        self.until(patience, what, |list| {
            let told: Vec<&Toplevel> = list.toplevels.iter().filter(|t| t.told).collect();
            look(&told)
        })
    }

    /// Asks a window to close, as the cross in a panel does.
    ///
    /// # Errors
    /// When it is not in the list.
    pub fn close(&mut self, window: &WindowId) -> Result<()> {
        let found = self.list.toplevels.iter().find(|t| t.id() == *window);
        found.context("no such window")?.handle.close();
        self.queue.flush()?;
        Ok(())
    }

    fn until<T>(
        &mut self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut(&List) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            self.queue.dispatch_pending(&mut self.list)?;
            if let Some(found) = look(&self.list) {
                return Ok(found);
            }
            self.queue.flush()?;
            let Some(guard) = self.queue.prepare_read() else {
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left)?;
            let mut fds = [PollFd::from_borrowed_fd(
                guard.connection_fd(),
                PollFlags::IN,
            )];
            if left.is_zero() || poll(&mut fds, Some(&timeout))? == 0 {
                drop(guard);
                bail!(
                    "waited {} s in vain until {what}; windows: {}",
                    patience.as_secs(),
                    self.list
                );
            }
            guard.read()?;
        }
    }
}

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open = self.toplevels.iter().filter(|t| !t.closed);
        let names: Vec<String> = open
            .map(|t| format!("{:?} of {}", t.title, t.app_id))
            .collect();
        match names.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&names.join(", ")),
        }
    }
}

impl Dispatch<wl_registry::WlRegistry, ()> for List {
    fn event(
        list: &mut Self,
        registry: &wl_registry::WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        queue: &QueueHandle<Self>,
    ) {
        if let wl_registry::Event::Global {
            name, interface, ..
        } = event
            && interface == ZwlrForeignToplevelManagerV1::interface().name
        {
            list.manager = Some(registry.bind(name, 1, queue, ()));
        }
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for List {
    fn event(
        list: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        list.synced = true;
    }
}

impl Dispatch<ZwlrForeignToplevelManagerV1, ()> for List {
    fn event(
        list: &mut Self,
        _: &ZwlrForeignToplevelManagerV1,
        event: zwlr_foreign_toplevel_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let zwlr_foreign_toplevel_manager_v1::Event::Toplevel { toplevel } = event {
            list.toplevels.push(Toplevel {
                handle: toplevel,
                title: String::new(),
                app_id: String::new(),
                active: false,
                told: false,
                closed: false,
            });
        }
    }

    event_created_child!(List, ZwlrForeignToplevelManagerV1, [
        zwlr_foreign_toplevel_manager_v1::EVT_TOPLEVEL_OPCODE => (ZwlrForeignToplevelHandleV1, ()),
    ]);
}

impl Dispatch<ZwlrForeignToplevelHandleV1, ()> for List {
    fn event(
        list: &mut Self,
        handle: &ZwlrForeignToplevelHandleV1,
        event: zwlr_foreign_toplevel_handle_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use zwlr_foreign_toplevel_handle_v1::Event;
        let Some(toplevel) = list.toplevels.iter_mut().find(|t| t.handle == *handle) else {
            return;
        };
        match event {
            Event::Title { title } => toplevel.title = title,
            Event::AppId { app_id } => toplevel.app_id = app_id,
            Event::State { state } => {
                let mut states = state.chunks_exact(4);
                let wanted = (State::Activated as u32).to_ne_bytes();
                toplevel.active = states.any(|s| s == wanted);
            }
            Event::Done => toplevel.told = true,
            Event::Closed => toplevel.closed = true,
            _ => {}
        }
    }
}
