//! X11 clients in a session: a real Xwayland, and an X11 client that speaks for itself.

mod common;

use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{Client, Data, Fixture, Image, Key, click, open, tap};
use overwinter_compositor::shell::{Item, ShellWindow, WindowMode};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use smithay::wayland::selection::SelectionTarget;
use wayland_client::{Connection, Dispatch, QueueHandle, event_created_child};
use wayland_protocols::ext::data_control::v1::client::{
    ext_data_control_device_v1::{self, ExtDataControlDeviceV1},
    ext_data_control_manager_v1::ExtDataControlManagerV1,
    ext_data_control_offer_v1::ExtDataControlOfferV1,
    ext_data_control_source_v1::{self, ExtDataControlSourceV1},
};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConfigureWindowAux,
    ConnectionExt as _, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
    SelectionNotifyEvent, StackMode, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
const DEADLINE: Duration = Duration::from_secs(60);
/// evdev's
const KEY_A: u32 = 30;

/// A session that offers an X11 display, a Wayland client that looks at it, and the display's name.
struct Session {
    fixture: Fixture,
    /// Looks, types and clicks.
    viewer: Client,
    display: String,
    _runtime: tempfile::TempDir,
}

impl Session {
    fn new() -> Session {
        let mut fixture = Fixture::new();
        let runtime = tempfile::tempdir().unwrap();
        fixture.server.offer_x11(runtime.path());
        let display = fixture.server.x11.display_name();
        let display = display.expect("Xwayland is installed by scripts/setup");
        let viewer = fixture.client();
        Session {
            fixture,
            viewer,
            display,
            _runtime: runtime,
        }
    }

    /// Turns the session until somebody who has to wait for it has got what it waits for.
    fn meanwhile<T: Send + 'static>(&mut self, what: impl FnOnce() -> T + Send + 'static) -> T {
        let waiting = std::thread::spawn(what);
        self.wait("what somebody waits for", |_, _| waiting.is_finished());
        waiting.join().unwrap()
    }

    fn wait(&mut self, what: &str, mut done: impl FnMut(&mut Client, &mut Fixture) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.viewer.turn();
            if done(&mut self.viewer, &mut self.fixture) {
                return;
            }
            assert!(Instant::now() < deadline, "never: {what}");
            self.fixture.turn();
        }
    }

    fn x11(&mut self) -> X {
        let display = self.display.clone();
        self.meanwhile(move || X::connect(&display))
    }

    fn screenshot(&mut self) -> Image {
        self.fixture.screenshot(&mut self.viewer)
    }

    /// The window of that title, once it is shown.
    fn shown(&mut self, title: &str) -> Item {
        let mut item = None;
        self.wait("the window is shown", |_, fixture| {
            item = titled(fixture, title).map(|w| Item::Window(w.id));
            item.is_some()
        });
        item.unwrap()
    }

    /// The X11 client of this window has heard where it is.
    fn placed(&mut self, x: &X, item: Item) -> (i32, i32) {
        let loc = self.fixture.server.shell.rect_of(item).unwrap().loc;
        let at = (loc.x, loc.y);
        self.event(x, "where it is", |e| match e {
            Event::ConfigureNotify(c) => ((i32::from(c.x), i32::from(c.y)) == at).then_some(at),
            _ => None,
        })
    }

    /// Waits for an event of the X11 client's, and passes over others.
    fn event<T>(&mut self, x: &X, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let mut found = None;
        self.wait(what, |_, _| {
            while found.is_none()
                && let Some(event) = x.conn.poll_for_event().unwrap()
            {
                found = wanted(event);
            }
            found.is_some()
        });
        found.unwrap()
    }

    /// The pixel there has this colour, sooner or later.
    fn becomes(&mut self, x: i32, y: i32, colour: u32) {
        let deadline = Instant::now() + DEADLINE;
        while self.screenshot().at(x, y) != colour {
            assert!(Instant::now() < deadline, "{x},{y} never was {colour:06x}");
            self.fixture.turn();
        }
    }
}

fn titled<'a>(fixture: &'a Fixture, title: &str) -> Option<&'a ShellWindow> {
    let shell = &fixture.server.shell;
    let mut windows = shell.windows();
    windows.find(|w| w.title() == title && shell.is_shown(w.id))
}

/// An X11 client.
struct X {
    conn: RustConnection,
    root: u32,
}

impl X {
    fn connect(display: &str) -> X {
        let connected = x11rb::connect(Some(display));
        let (conn, screen) = connected.unwrap_or_else(|error| panic!("{error}"));
        let root = conn.setup().roots[screen].root;
        X { conn, root }
    }

    /// A window that is filled with a colour; not mapped yet.
    fn window(&self, at: (i16, i16), size: (u16, u16), colour: u32, unmanaged: bool) -> u32 {
        let window = self.conn.generate_id().unwrap();
        let events = EventMask::KEY_PRESS
            | EventMask::BUTTON_PRESS
            | EventMask::STRUCTURE_NOTIFY
            | EventMask::FOCUS_CHANGE
            | EventMask::LEAVE_WINDOW
            | EventMask::PROPERTY_CHANGE;
        let aux = CreateWindowAux::new()
            .background_pixel(colour)
            .override_redirect(u32::from(unmanaged))
            .event_mask(events);
        let class = WindowClass::INPUT_OUTPUT;
        let (x, y) = at;
        let (w, h) = size;
        self.conn
            .create_window(0, window, self.root, x, y, w, h, 0, class, 0, &aux)
            .unwrap();
        window
    }

    /// As [`window`](Self::window), with a title, mapped.
    fn open(&self, title: &str, size: (u16, u16), colour: u32) -> u32 {
        let window = self.window((0, 0), size, colour, false);
        self.text(window, AtomEnum::WM_NAME, title);
        self.text(window, AtomEnum::WM_CLASS, "instance\0Class\0");
        self.conn.map_window(window).unwrap();
        self.conn.flush().unwrap();
        window
    }

    fn text(&self, window: u32, property: AtomEnum, text: &str) {
        let bytes = text.as_bytes();
        self.conn
            .change_property8(PropMode::REPLACE, window, property, AtomEnum::STRING, bytes)
            .unwrap();
    }

    fn atom(&self, name: &str) -> Atom {
        let cookie = self.conn.intern_atom(false, name.as_bytes()).unwrap();
        cookie.reply().unwrap().atom
    }

    /// A message to the window manager about a window.
    fn ask(&self, window: u32, kind: Atom, data: [u32; 5]) {
        let event = ClientMessageEvent::new(32, window, kind, data);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        self.conn.send_event(false, self.root, mask, event).unwrap();
        self.conn.flush().unwrap();
    }
}

#[test]
fn a_window_appears_gets_keys_and_is_closed() {
    let mut session = Session::new();
    assert!(!session.fixture.server.x11.is_running(), "nobody came yet");
    let x = session.x11();
    let window = x.open("Letter", (300, 200), RED);
    let item = session.shown("Letter");
    let Item::Window(id) = item else { panic!() };
    assert_eq!(session.fixture.server.shell.focus(), Some(item));
    let shell = session.fixture.server.shell.window(id).unwrap();
    assert_eq!((shell.app_id().as_str(), shell.framed), ("Class", true));
    let rect = session.fixture.server.shell.rect_of(item).unwrap();
    assert_eq!((rect.size.w, rect.size.h), (300, 200));
    session.becomes(rect.loc.x + 150, rect.loc.y + 100, RED);

    let (mut focused, mut placed) = (false, false);
    session.event(&x, "the X focus, and where it is", |e| {
        match e {
            Event::FocusIn(_) => focused = true,
            Event::ConfigureNotify(c) => placed |= i32::from(c.x) == rect.loc.x,
            _ => {}
        }
        (focused && placed).then_some(())
    });
    let keyboard = session.viewer.us_keyboard();
    tap(&keyboard, KEY_A);
    let code = session.event(&x, "a key", |e| match e {
        Event::KeyPress(key) => Some(key.detail),
        _ => None,
    });
    assert_eq!(u32::from(code), KEY_A + 8);
    let pointer = session.viewer.virtual_pointer();
    click(&pointer, rect.loc.x as u32 + 10, rect.loc.y as u32 + 20);
    let at = session.event(&x, "a click", |e| match e {
        Event::ButtonPress(press) => {
            Some((press.event_x, press.event_y, press.root_x, press.root_y))
        }
        _ => None,
    });
    let root = (rect.loc.x as i16 + 10, rect.loc.y as i16 + 20);
    assert_eq!(at, (10, 20, root.0, root.1), "it knows where it is");

    // The user asks it to close: as one that knows WM_DELETE_WINDOW it is asked, not destroyed.
    let (protocols, delete) = (x.atom("WM_PROTOCOLS"), x.atom("WM_DELETE_WINDOW"));
    x.conn
        .change_property32(
            PropMode::REPLACE,
            window,
            protocols,
            AtomEnum::ATOM,
            &[delete],
        )
        .unwrap();
    x.conn.flush().unwrap();
    session.meanwhile({
        let display = session.display.clone();
        move || X::connect(&display).atom("a round trip")
    });
    session.fixture.server.shell.window(id).unwrap().close();
    session.event(&x, "that it is to close", |e| match e {
        Event::ClientMessage(m) => (m.data.as_data32()[0] == delete).then_some(()),
        _ => None,
    });
    x.conn.destroy_window(window).unwrap();
    x.conn.flush().unwrap();
    session.wait("the window goes", |_, f| {
        f.server.shell.windows().count() == 0
    });
}

#[test]
fn the_focus_goes_to_and_fro_between_x11_and_wayland() {
    let mut session = Session::new();
    let x = session.x11();
    x.open("X", (300, 200), RED);
    let item = session.shown("X");
    session.event(&x, "the X focus", |e| {
        matches!(e, Event::FocusIn(_)).then_some(())
    });
    let mut app = session.fixture.client();
    let window = open(&mut session.fixture, &mut app, 300, 200, BLUE);
    assert!(app.data.keys.contains(&Key::Enter(window.id())));
    session.event(&x, "no X focus", |e| {
        matches!(e, Event::FocusOut(_)).then_some(())
    });
    app.data.keys.clear();
    session.fixture.server.raise_and_focus(item);
    session.event(&x, "the X focus again", |e| {
        matches!(e, Event::FocusIn(_)).then_some(())
    });
    session.fixture.roundtrip(&mut app);
    assert!(app.data.keys.contains(&Key::Leave(window.id())));
}

#[test]
fn a_menu_stands_where_its_client_put_it_and_never_has_the_focus() {
    let mut session = Session::new();
    let x = session.x11();
    x.open("Parent", (600, 400), RED);
    let parent = session.shown("Parent");
    let menu = x.window((50, 60), (100, 80), BLUE, true);
    for turn in 0..3 {
        x.conn.map_window(menu).unwrap();
        x.conn.flush().unwrap();
        session.becomes(55, 65, BLUE);
        session.becomes(149, 139, BLUE);
        let shell = &session.fixture.server.shell;
        assert_eq!(
            (shell.stack().len(), shell.focus()),
            (1, Some(parent)),
            "{turn}"
        );
        let pointer = session.viewer.virtual_pointer();
        click(&pointer, 60, 75);
        let at = session.event(&x, "a click on the menu", |e| match e {
            Event::ButtonPress(press) => Some((press.event, press.event_x, press.event_y)),
            _ => None,
        });
        assert_eq!(at, (menu, 10, 15), "{turn}");
        assert_eq!(session.fixture.server.shell.focus(), Some(parent));
        x.conn.unmap_window(menu).unwrap();
        x.conn.flush().unwrap();
        session.wait("the menu goes", |_, f| f.server.shell.unmanaged.is_empty());
        session.event(&x, "the window manager's answer", |e| {
            matches!(e, Event::ReparentNotify(_)).then_some(())
        });
    }
    // One that moves is followed.
    x.conn.map_window(menu).unwrap();
    let to = ConfigureWindowAux::new().x(900).y(600);
    x.conn.configure_window(menu, &to).unwrap();
    x.conn.flush().unwrap();
    session.becomes(905, 605, BLUE);
    assert_ne!(session.screenshot().at(55, 65), BLUE);
}

#[test]
fn a_transient_is_a_dialog_and_a_circle_of_them_is_none() {
    let mut session = Session::new();
    let x = session.x11();
    let parent = x.open("Parent", (600, 400), RED);
    let parent_item = session.shown("Parent");
    let dialog = x.window((0, 0), (100, 80), BLUE, false);
    x.text(dialog, AtomEnum::WM_NAME, "Dialog");
    let kind = AtomEnum::WM_TRANSIENT_FOR;
    let name = |of: u32, parent: u32| {
        x.conn
            .change_property32(PropMode::REPLACE, of, kind, AtomEnum::WINDOW, &[parent])
            .unwrap();
    };
    name(dialog, parent);
    x.conn.map_window(dialog).unwrap();
    x.conn.flush().unwrap();
    let dialog_item = session.shown("Dialog");
    let shell = &session.fixture.server.shell;
    let (Item::Window(p), Item::Window(d)) = (parent_item, dialog_item) else {
        panic!()
    };
    assert_eq!(shell.parent_of(d), Some(p));
    let middle = |item| {
        let rect = shell.rect_of(item).unwrap();
        (rect.loc.x * 2 + rect.size.w, rect.loc.y * 2 + rect.size.h)
    };
    assert_eq!(middle(dialog_item), middle(parent_item));
    session.fixture.server.raise_and_focus(parent_item);
    assert_eq!(
        session.fixture.server.shell.stack().last(),
        Some(&dialog_item)
    );

    name(parent, dialog);
    name(dialog, dialog);
    name(dialog, parent);
    x.conn.flush().unwrap();
    session.wait("the circle is seen", |_, f| {
        f.server.shell.parent_of(d).is_none()
    });
    session.fixture.server.raise_and_focus(parent_item);
    session.fixture.server.cycle_focus(false);
    assert_eq!(session.fixture.server.shell.parent_of(p), None);
}

#[test]
fn a_client_wishes_modes_and_sizes() {
    let mut session = Session::new();
    let x = session.x11();
    let window = x.open("W", (300, 200), RED);
    let Item::Window(id) = session.shown("W") else {
        panic!()
    };
    let before = session
        .fixture
        .server
        .shell
        .rect_of(Item::Window(id))
        .unwrap();
    let size_of = |f: &Fixture| {
        let rect = f.server.shell.rect_of(Item::Window(id)).unwrap();
        (rect.loc.x, rect.loc.y, rect.size.w, rect.size.h)
    };
    let state = x.atom("_NET_WM_STATE");
    let fullscreen = x.atom("_NET_WM_STATE_FULLSCREEN");
    x.ask(window, state, [1, fullscreen, 0, 0, 0]);
    session.wait("it fills the output", |_, f| {
        size_of(f) == (0, 0, 1280, 800)
    });
    session.becomes(0, 0, RED);
    session.becomes(1279, 799, RED);
    let mode = session.fixture.server.shell.window(id).unwrap().mode;
    assert_eq!(mode, WindowMode::Fullscreen);
    x.ask(window, state, [0, fullscreen, 0, 0, 0]);
    let back = (before.loc.x, before.loc.y, 300, 200);
    session.wait("it is as before", |_, f| size_of(f) == back);

    let larger = ConfigureWindowAux::new().width(500).height(300);
    x.conn.configure_window(window, &larger).unwrap();
    x.conn.flush().unwrap();
    session.wait("it is larger", |_, f| {
        let (_, _, w, h) = size_of(f);
        (w, h) == (500, 300)
    });
}

#[test]
fn a_drag_is_the_clients_only_while_it_holds_a_press() {
    let mut session = Session::new();
    let x = session.x11();
    let window = x.open("W", (300, 200), RED);
    let item = session.shown("W");
    session.placed(&x, item);
    let at = session.fixture.server.shell.rect_of(item).unwrap().loc;
    let kind = x.atom("_NET_WM_MOVERESIZE");
    // No button is held.
    x.ask(window, kind, [0, 0, 8, 1, 1]);
    let pointer = session.viewer.virtual_pointer();
    let (px, py) = (at.x as u32 + 10, at.y as u32 + 10);
    pointer.motion_absolute(0, px, py, 1280, 800);
    pointer.motion_absolute(0, px + 5, py, 1280, 800);
    pointer.button(
        0,
        0x110,
        wayland_client::protocol::wl_pointer::ButtonState::Pressed,
    );
    pointer.frame();
    session.event(&x, "the press", |e| {
        matches!(e, Event::ButtonPress(_)).then_some(())
    });
    assert_eq!(session.fixture.server.shell.rect_of(item).unwrap().loc, at);
    x.ask(window, kind, [0, 0, 8, 1, 1]);
    session.event(&x, "that the session has the pointer", |e| {
        matches!(e, Event::LeaveNotify(_)).then_some(())
    });
    pointer.motion_absolute(0, px + 45, py + 30, 1280, 800);
    pointer.button(
        0,
        0x110,
        wayland_client::protocol::wl_pointer::ButtonState::Released,
    );
    pointer.frame();
    let to = (at.x + 40, at.y + 30);
    session.wait("it was dragged", |_, f| {
        let loc = f.server.shell.rect_of(item).unwrap().loc;
        (loc.x, loc.y) == to
    });
    // And the client hears where it is.
    let configured = session.event(&x, "where it is", |e| match e {
        Event::ConfigureNotify(c) => ((i32::from(c.x), i32::from(c.y)) == to).then_some(c.window),
        _ => None,
    });
    assert_eq!(configured, window);
}

#[test]
fn clients_that_ask_for_nonsense_get_something_sane() {
    let mut session = Session::new();
    let x = session.x11();
    x.open("Giant", (32767, 32767), RED);
    let giant = session.shown("Giant");
    let rect = session.fixture.server.shell.rect_of(giant).unwrap();
    assert_eq!((rect.size.w, rect.size.h), (1280, 800));

    // Gone before it is shown, some while they are being mapped.
    for n in 0..20 {
        let window = x.open("Gone", (100, 100), BLUE);
        if n % 2 == 0 {
            x.conn.unmap_window(window).unwrap();
            x.conn.map_window(window).unwrap();
        }
        x.conn.destroy_window(window).unwrap();
    }
    // A storm, and sizes that nobody can have.
    let storm = x.open("Storm", (100, 100), BLUE);
    for n in 0..500 {
        let aux = ConfigureWindowAux::new()
            .x(n)
            .width(if n % 3 == 0 { 65535 } else { 100 + n as u32 })
            .height(1)
            .stack_mode(StackMode::ABOVE);
        x.conn.configure_window(storm, &aux).unwrap();
    }
    let aux = ConfigureWindowAux::new().width(0).height(0);
    x.conn.configure_window(storm, &aux).unwrap();
    // Properties that are none.
    for kind in [
        AtomEnum::WM_NORMAL_HINTS,
        AtomEnum::WM_HINTS,
        AtomEnum::WM_TRANSIENT_FOR,
    ] {
        x.conn
            .change_property8(PropMode::REPLACE, storm, kind, AtomEnum::STRING, b"xyz")
            .unwrap();
    }
    let motif = x.atom("_MOTIF_WM_HINTS");
    x.conn
        .change_property32(PropMode::REPLACE, storm, motif, motif, &[u32::MAX; 2])
        .unwrap();
    let (id, serial) = (x.atom("WL_SURFACE_ID"), x.atom("WL_SURFACE_SERIAL"));
    for kind in [id, serial] {
        x.ask(storm, kind, [u32::MAX, 7, 0, 0, 0]);
        x.ask(x.root, kind, [1, 0, 0, 0, 0]);
    }
    // A window that changes its mind about who manages it.
    let aux = ChangeWindowAttributesAux::new().override_redirect(1);
    x.conn.change_window_attributes(storm, &aux).unwrap();
    x.conn.unmap_window(storm).unwrap();
    x.conn.map_window(storm).unwrap();
    x.conn.flush().unwrap();
    x.open("After", (200, 200), BLUE);
    session.shown("After");
    assert!(titled(&session.fixture, "Gone").is_none());
}

#[test]
fn xwayland_that_is_killed_takes_its_windows_and_nothing_else() {
    let mut session = Session::new();
    let mut app = session.fixture.client();
    let window = open(&mut session.fixture, &mut app, 300, 200, BLUE);
    let x = session.x11();
    x.open("X", (300, 200), RED);
    session.shown("X");
    let first = session.fixture.server.x11.pid().unwrap();
    kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
    session.wait("its window goes", |_, f| {
        titled(f, "X").is_none() && !f.server.x11.is_running()
    });
    session.fixture.roundtrip(&mut app);
    assert_eq!(
        app.data
            .keys
            .iter()
            .rev()
            .find(|k| matches!(k, Key::Enter(_))),
        Some(&Key::Enter(window.id())),
        "the focus goes on"
    );
    drop(x);
    let x = session.x11();
    x.open("Again", (300, 200), RED);
    session.shown("Again");
    assert_ne!(session.fixture.server.x11.pid(), Some(first));
}

#[test]
fn an_xwayland_that_does_not_answer_does_not_stop_the_session() {
    let mut session = Session::new();
    let x = session.x11();
    x.open("X", (300, 200), RED);
    session.shown("X");
    let pid = Pid::from_raw(session.fixture.server.x11.pid().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    // This asks the X server, and waits for what it says.
    let (mut read, write) = std::io::pipe().unwrap();
    let server = &mut session.fixture.server;
    server.wayland_reads(SelectionTarget::Clipboard, "image/png".into(), write.into());
    assert_eq!(read.read(&mut [0]).unwrap(), 0, "nothing was copied");
    session.wait("Xwayland is ended", |_, f| !f.server.x11.is_running());
    assert!(titled(&session.fixture, "X").is_none());
    let x = session.x11();
    x.open("Again", (300, 200), RED);
    session.shown("Again");
}

#[test]
fn the_display_is_gone_with_the_session() {
    let mut session = Session::new();
    let x = session.x11();
    x.open("W", (300, 200), RED);
    session.shown("W");
    let pid = Pid::from_raw(session.fixture.server.x11.pid().unwrap()).unwrap();
    let number = session.display.trim_start_matches(':').to_owned();
    let socket = format!("/tmp/.X11-unix/X{number}");
    assert!(std::path::Path::new(&socket).exists());
    drop(session);
    assert!(!std::path::Path::new(&socket).exists());
    let deadline = Instant::now() + DEADLINE;
    while test_kill_process(pid).is_ok() {
        assert!(Instant::now() < deadline, "Xwayland stays");
        std::thread::yield_now();
    }
}

thread_local! {
    static OFFERS: std::cell::RefCell<Vec<ExtDataControlOfferV1>> = Default::default();
}

impl Dispatch<ExtDataControlDeviceV1, ()> for Data {
    fn event(
        _: &mut Self,
        _: &ExtDataControlDeviceV1,
        event: ext_data_control_device_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            ext_data_control_device_v1::Event::Selection { id } => {
                OFFERS.set(id.into_iter().collect());
            }
            ext_data_control_device_v1::Event::PrimarySelection { .. } => {}
            _ => {}
        }
    }
    event_created_child!(Data, ExtDataControlDeviceV1, [
        ext_data_control_device_v1::EVT_DATA_OFFER_OPCODE => (ExtDataControlOfferV1, ())
    ]);
}

impl Dispatch<ExtDataControlSourceV1, ()> for Data {
    fn event(
        _: &mut Self,
        _: &ExtDataControlSourceV1,
        event: ext_data_control_source_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let ext_data_control_source_v1::Event::Send { fd, .. } = event {
            use std::io::Write;
            std::fs::File::from(fd).write_all(COPIED).unwrap();
        }
    }
}
logs!(ExtDataControlManagerV1, ExtDataControlOfferV1);

const COPIED: &[u8] = "sixty apples, größer".as_bytes();
const TEXT: &str = "text/plain;charset=utf-8";

#[test]
fn what_a_wayland_client_copies_an_x11_client_pastes() {
    let mut session = Session::new();
    // Copied before there is an Xwayland.
    let manager: ExtDataControlManagerV1 = session.viewer.bind();
    let qh = session.viewer.qh();
    let device = manager.get_data_device(&session.viewer.seat, &qh, ());
    let source = manager.create_data_source(&qh, ());
    source.offer(TEXT.into());
    device.set_selection(Some(&source));
    session.fixture.roundtrip(&mut session.viewer);

    let x = session.x11();
    let window = x.open("X", (300, 200), RED);
    session.shown("X");
    session.event(&x, "the X focus", |e| {
        matches!(e, Event::FocusIn(_)).then_some(())
    });
    let (clipboard, utf8, into) = (x.atom("CLIPBOARD"), x.atom("UTF8_STRING"), x.atom("INTO"));
    x.conn
        .convert_selection(window, clipboard, utf8, into, x11rb::CURRENT_TIME)
        .unwrap();
    x.conn.flush().unwrap();
    let property = session.event(&x, "the selection", |e| match e {
        Event::SelectionNotify(n) => Some(n.property),
        _ => None,
    });
    assert_eq!(property, into);
    let pasted = session.meanwhile(move || {
        let cookie = x
            .conn
            .get_property(false, window, into, AtomEnum::ANY, 0, 1000);
        cookie.unwrap().reply().unwrap().value
    });
    assert_eq!(pasted, COPIED);
}

#[test]
fn what_an_x11_client_copies_a_wayland_client_pastes() {
    let mut session = Session::new();
    let manager: ExtDataControlManagerV1 = session.viewer.bind();
    let qh = session.viewer.qh();
    manager.get_data_device(&session.viewer.seat, &qh, ());
    let x = session.x11();
    let window = x.open("X", (300, 200), RED);
    session.shown("X");
    let (clipboard, utf8, targets) = (
        x.atom("CLIPBOARD"),
        x.atom("UTF8_STRING"),
        x.atom("TARGETS"),
    );
    x.conn
        .set_selection_owner(window, clipboard, x11rb::CURRENT_TIME)
        .unwrap();
    x.conn.flush().unwrap();
    let serve = |x: &X, event: Event| {
        let Event::SelectionRequest(asked) = event else {
            return;
        };
        let (property, replace) = (asked.property, PropMode::REPLACE);
        if asked.target == targets {
            let types = [targets, utf8];
            x.conn
                .change_property32(replace, asked.requestor, property, AtomEnum::ATOM, &types)
                .unwrap();
        } else {
            x.conn
                .change_property8(replace, asked.requestor, property, utf8, COPIED)
                .unwrap();
        }
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: asked.time,
            requestor: asked.requestor,
            selection: asked.selection,
            target: asked.target,
            property,
        };
        x.conn
            .send_event(false, asked.requestor, EventMask::NO_EVENT, answer)
            .unwrap();
        x.conn.flush().unwrap();
    };
    let turn = |x: &X| {
        while let Some(event) = x.conn.poll_for_event().unwrap() {
            serve(x, event);
        }
    };
    session.wait("the offer", |viewer, _| {
        turn(&x);
        viewer.told(&format!("Offer {{ mime_type: \"{TEXT}\" }}")) == 1
            && OFFERS.with_borrow(|offers| !offers.is_empty())
    });
    let (mut read, write) = std::io::pipe().unwrap();
    OFFERS.with_borrow(|offers| offers[0].receive(TEXT.into(), write.as_fd()));
    let _ = session.viewer.connection.flush();
    drop(write);
    let reading = std::thread::spawn(move || {
        let mut pasted = Vec::new();
        read.read_to_end(&mut pasted).unwrap();
        pasted
    });
    session.wait("what was copied", |_, _| {
        turn(&x);
        reading.is_finished()
    });
    assert_eq!(reading.join().unwrap(), COPIED);

    // With the client its selection goes.
    drop(x);
    session.wait("no offer", |_, _| {
        OFFERS.with_borrow(|offers| offers.is_empty())
    });
}
