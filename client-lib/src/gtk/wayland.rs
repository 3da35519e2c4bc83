//! `overwinter_v1` on GTK's own Wayland connection, with an own event queue.
//!
//! GTK reads the socket; libwayland sorts what it reads into queues. Ours is looked at once in every turn of the main loop,
//! before it sleeps, so nothing that anyone in this process has read is left lying. We never wait on the socket in the main loop
//! ourselves: two waiting readers in one thread would wait for each other.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gtk4::prelude::*;
use gtk4::{gdk, glib};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_client::backend::WaylandError;
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::protocol::{wl_callback, wl_display::WlDisplay, wl_registry};
use wayland_client::{Connection, Dispatch, EventQueue, Proxy, QueueHandle};

use super::protocol::overwinter_manager_v1::{self, OverwinterManagerV1};
use super::protocol::overwinter_window_v1::{self, OverwinterWindowV1};
use crate::loops::glib::source;

/// How long the first exchange with the compositor may take.
const HELLO_WAIT: Duration = Duration::from_secs(1);

/// Our side of the connection.
pub(super) struct Link {
    connection: Connection,
    queue: RefCell<EventQueue<Events>>,
    handle: QueueHandle<Events>,
    events: RefCell<Events>,
}

#[derive(Default)]
struct Events {
    manager: Option<OverwinterManagerV1>,
    answered: bool,
    fences: Vec<u32>,
}

thread_local! {
    /// One link per display; a process hardly ever has two.
    static LINKS: RefCell<Vec<(gdk::Display, Option<Rc<Link>>)>> = const { RefCell::new(Vec::new()) };
}

/// The link of `display`; none when it is not Wayland or its compositor does not speak our protocol.
pub(super) fn link(display: &gdk::Display) -> Option<Rc<Link>> {
    let known = LINKS.with_borrow(|links| {
        links
            .iter()
            .find(|(other, _)| other == display)
            .map(|(_, link)| link.clone())
    });
    known.unwrap_or_else(|| {
        let link = Link::new(display);
        LINKS.with_borrow_mut(|links| links.push((display.clone(), link.clone())));
        link
    })
}

impl Link {
    fn new(display: &gdk::Display) -> Option<Rc<Link>> {
        let display = display.downcast_ref::<gdk4_wayland::WaylandDisplay>()?;
        let wl_display: WlDisplay = display.wl_display()?;
        let connection = Connection::from_backend(wl_display.backend().upgrade()?);
        let mut queue = connection.new_event_queue();
        let handle = queue.handle();
        let mut events = Events::default();
        wl_display.get_registry(&handle, ());
        wl_display.sync(&handle, ());
        if let Err(e) = exchange(&connection, &mut queue, &mut events) {
            tracing::warn!("the compositor did not answer: {e}");
            return None;
        }
        events.manager.as_ref()?;
        let link = Rc::new(Link {
            connection,
            queue: RefCell::new(queue),
            handle,
            events: RefCell::new(events),
        });
        let (looked_at, answering) = (link.clone(), link.clone());
        source::attach(
            None,
            move || looked_at.look(),
            move || answering.answer_fences(),
        );
        Some(link)
    }

    /// Takes what has been read for us; true when there is a fence to answer.
    fn look(&self) -> bool {
        let (Ok(mut queue), Ok(mut events)) =
            (self.queue.try_borrow_mut(), self.events.try_borrow_mut())
        else {
            return false;
        };
        // An error here is the end of the connection, which GTK deals with in its own way.
        let _ = queue.dispatch_pending(&mut events);
        !events.fences.is_empty()
    }

    /// A fence is answered when nothing else is left to do: GTK handles one input event per turn, ahead of anything
    /// idle, so by then all earlier ones are handled.
    fn answer_fences(self: &Rc<Self>) {
        for serial in std::mem::take(&mut self.events.borrow_mut().fences) {
            let link = self.clone();
            glib::idle_add_local_full(glib::Priority::DEFAULT_IDLE, move || {
                if let Some(manager) = &link.events.borrow().manager {
                    manager.fence_done(serial);
                }
                link.flush();
                glib::ControlFlow::Break
            });
        }
    }

    /// Ties a surface to the group that `cookie` stands for.
    pub fn get_window(
        &self,
        surface: &WlSurface,
        cookie: String,
        name: String,
    ) -> Option<OverwinterWindowV1> {
        let window = self
            .events
            .borrow()
            .manager
            .as_ref()
            .map(|manager| manager.get_window(surface, cookie, name, &self.handle, ()));
        self.flush();
        window
    }

    pub fn flush(&self) {
        // A full socket is flushed by GTK when it can be.
        let _ = self.connection.flush();
    }
}

/// Dispatches until the first sync is answered, at most [`HELLO_WAIT`].
fn exchange(
    connection: &Connection,
    queue: &mut EventQueue<Events>,
    events: &mut Events,
) -> Result<(), String> {
    let deadline = Instant::now() + HELLO_WAIT;
    loop {
        queue.dispatch_pending(events).map_err(|e| e.to_string())?;
        if events.answered {
            return Ok(());
        }
        connection.flush().map_err(|e| e.to_string())?;
        // None: somebody has read meanwhile, look again.
        let Some(guard) = queue.prepare_read() else {
            continue;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        let readable = {
            let mut fds = [PollFd::from_borrowed_fd(
                guard.connection_fd(),
                PollFlags::IN,
            )];
            poll(&mut fds, Some(&timeout))
        };
        match readable {
            Ok(0) => return Err(format!("no answer within {HELLO_WAIT:?}")),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.to_string()),
            Ok(_) => match guard.read() {
                Ok(_) => {}
                Err(WaylandError::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.to_string()),
            },
        }
    }
}

impl Dispatch<wl_registry::WlRegistry, ()> for Events {
    fn event(
        events: &mut Self,
        registry: &wl_registry::WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        if let wl_registry::Event::Global {
            name, interface, ..
        } = event
            && interface == OverwinterManagerV1::interface().name
            && events.manager.is_none()
        {
            events.manager = Some(registry.bind(name, 1, handle, ()));
        }
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for Events {
    fn event(
        events: &mut Self,
        _: &wl_callback::WlCallback,
        event: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_callback::Event::Done { .. } = event {
            events.answered = true;
        }
    }
}

impl Dispatch<OverwinterManagerV1, ()> for Events {
    fn event(
        events: &mut Self,
        _: &OverwinterManagerV1,
        event: overwinter_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let overwinter_manager_v1::Event::Fence { serial } = event;
        events.fences.push(serial);
    }
}

impl Dispatch<OverwinterWindowV1, ()> for Events {
    fn event(
        _: &mut Self,
        _: &OverwinterWindowV1,
        event: overwinter_window_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            overwinter_window_v1::Event::Bound { group } => {
                tracing::debug!("a window is bound to {group}")
            }
            overwinter_window_v1::Event::Refused { why } => {
                tracing::warn!(
                    "the compositor does not bind a window: {why}; it stays an ordinary one"
                );
            }
        }
    }
}
