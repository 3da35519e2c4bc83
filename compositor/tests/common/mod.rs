//! Real Wayland clients and the compositor on one thread, over socketpairs: no sleeps, and nothing happens behind a test's
//! back. Every wait has a deadline.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use calloop::EventLoop;
use overwinter_compositor::{Options, Overwinter};
use smithay::input::keyboard::xkb;
use wayland_client::globals::{GlobalList, GlobalListContents, registry_queue_init};
use wayland_client::protocol::{
    wl_buffer, wl_callback, wl_compositor, wl_keyboard, wl_output, wl_pointer, wl_registry,
    wl_seat, wl_shm, wl_shm_pool, wl_surface,
};
use wayland_client::{Connection, Dispatch, EventQueue, Proxy, QueueHandle, WEnum, delegate_noop};
use wayland_protocols::xdg::shell::client::{
    xdg_popup, xdg_positioner, xdg_surface, xdg_toplevel, xdg_wm_base,
};
use wayland_protocols_misc::zwp_virtual_keyboard_v1::client::{
    zwp_virtual_keyboard_manager_v1, zwp_virtual_keyboard_v1,
};
use wayland_protocols_wlr::screencopy::v1::client::{
    zwlr_screencopy_frame_v1, zwlr_screencopy_manager_v1,
};
use wayland_protocols_wlr::virtual_pointer::v1::client::{
    zwlr_virtual_pointer_manager_v1, zwlr_virtual_pointer_v1,
};

#[allow(missing_docs, clippy::all, unused)]
pub mod ow {
    use wayland_client;
    use wayland_client::protocol::*;

    pub mod __interfaces {
        use wayland_client::protocol::__interfaces::*;
        wayland_scanner::generate_interfaces!("../session-proto/protocols/overwinter-v1.xml");
    }
    use self::__interfaces::*;
    wayland_scanner::generate_client_code!("../session-proto/protocols/overwinter-v1.xml");
}
use ow::{overwinter_manager_v1, overwinter_window_v1};

/// Keeps the events of these interfaces in `Data::told`.
#[macro_export]
macro_rules! logs {
    ($($interface:ty),* $(,)?) => {$(
        impl wayland_client::Dispatch<$interface, ()> for $crate::common::Data {
            fn event(
                data: &mut Self,
                _: &$interface,
                event: <$interface as wayland_client::Proxy>::Event,
                (): &(),
                _: &wayland_client::Connection,
                _: &wayland_client::QueueHandle<Self>,
            ) {
                data.told.push(format!("{event:?}"));
            }
        }
    )*};
}

const DEADLINE: Duration = Duration::from_secs(20);

/// The compositor.
pub struct Fixture {
    event_loop: EventLoop<'static, Overwinter>,
    pub server: Overwinter,
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(&Options::default())
    }

    /// With these outputs (`WIDTHxHEIGHT[@SCALE]`).
    pub fn with_outputs(outputs: &[&str]) -> Fixture {
        Fixture::with(&Options {
            output: outputs.iter().map(|o| o.parse().unwrap()).collect(),
            ..Options::default()
        })
    }

    pub fn with(options: &Options) -> Fixture {
        let event_loop = EventLoop::try_new().unwrap();
        let server = Overwinter::new(&event_loop, options).unwrap();
        Fixture { event_loop, server }
    }

    /// One round of the compositor's loop.
    pub fn turn(&mut self) {
        self.event_loop
            .dispatch(Some(Duration::from_millis(5)), &mut self.server)
            .unwrap();
        self.server.after_dispatch();
    }

    pub fn client(&mut self) -> Client {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.server.add_client(theirs).unwrap();
        let (connection, globals, queue) = self.connect(ours);
        Client::new(self, connection, globals, queue)
    }

    /// Learns what the compositor offers over this connection.
    pub fn connect(&mut self, ours: UnixStream) -> (Connection, GlobalList, EventQueue<Data>) {
        // The registry's first roundtrip blocks, so somebody else has to turn the loop: this thread, until it is done.
        let connecting = std::thread::spawn(move || {
            let connection = Connection::from_socket(ours).unwrap();
            let (globals, queue) = registry_queue_init::<Data>(&connection).unwrap();
            (connection, globals, queue)
        });
        let deadline = Instant::now() + DEADLINE;
        while !connecting.is_finished() {
            assert!(
                Instant::now() < deadline,
                "the client never got its globals"
            );
            self.turn();
        }
        connecting.join().unwrap()
    }

    /// Turns compositor and client until the condition holds.
    pub fn wait(
        &mut self,
        client: &mut Client,
        what: &str,
        mut done: impl FnMut(&mut Client, &mut Overwinter) -> bool,
    ) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            client.turn();
            if done(client, &mut self.server) {
                return;
            }
            assert!(Instant::now() < deadline, "never: {what}");
            self.turn();
        }
    }

    /// Everything the client sent has been handled, and it has got every answer.
    pub fn roundtrip(&mut self, client: &mut Client) {
        let before = client.data.syncs;
        client.connection.display().sync(&client.qh(), ());
        self.wait(client, "a roundtrip", |c, _| c.data.syncs > before);
    }

    /// Waits for a frame that is composited after now.
    pub fn frame(&mut self, client: &mut Client) {
        let count = self.server.frame_count();
        self.wait(client, "a frame", |_, s| s.frame_count() > count);
    }

    /// The composited image of one of several outputs.
    pub fn screenshot_of(&mut self, client: &mut Client, output: &wl_output::WlOutput) -> Image {
        let first = std::mem::replace(&mut client.output, output.clone());
        let image = self.copy(client, false);
        client.output = first;
        image
    }

    /// The composited image, as grim would see it.
    pub fn screenshot(&mut self, client: &mut Client) -> Image {
        self.copy(client, false)
    }

    /// The next composited image that is another than the last that this client got.
    pub fn recording(&mut self, client: &mut Client) -> Image {
        self.copy(client, true)
    }

    fn copy(&mut self, client: &mut Client, on_damage: bool) -> Image {
        client.data.shot = Shot::default();
        let qh = client.qh();
        let manager = client.screencopy.clone();
        let frame = manager.capture_output(0, &client.output, &qh, ());
        self.wait(client, "a screenshot's format", |c, _| {
            c.data.shot.size.is_some()
        });
        let (width, height) = client.data.shot.size.unwrap();
        let (buffer, file) = client.buffer(width, height, 0);
        if on_damage {
            frame.copy_with_damage(&buffer);
        } else {
            frame.copy(&buffer);
        }
        self.wait(client, "a screenshot", |c, _| c.data.shot.ready);
        let mut pixels = vec![0; (width * height * 4) as usize];
        file.read_exact_at(&mut pixels, 0).unwrap();
        frame.destroy();
        Image { width, pixels }
    }
}

pub struct Image {
    width: i32,
    pixels: Vec<u8>,
}

impl Image {
    /// 0xRRGGBB
    pub fn at(&self, x: i32, y: i32) -> u32 {
        let i = ((y * self.width + x) * 4) as usize;
        u32::from_le_bytes([self.pixels[i], self.pixels[i + 1], self.pixels[i + 2], 0])
    }

    pub fn part(&self, x: i32, y: i32, width: i32, height: i32) -> Vec<u32> {
        (y..y + height)
            .flat_map(|y| (x..x + width).map(move |x| (x, y)))
            .map(|(x, y)| self.at(x, y))
            .collect()
    }
}

#[derive(Default)]
struct Shot {
    size: Option<(i32, i32)>,
    ready: bool,
}

/// What a toplevel heard.
#[derive(Default, Clone, Debug)]
pub struct Heard {
    pub size: (i32, i32),
    pub states: Vec<u32>,
    pub configures: u32,
    pub serial: u32,
    pub closed: bool,
    pub frames: u32,
}

/// What a keyboard heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    Enter(u32),
    Leave(u32),
    Press(u32),
    Release(u32),
    Modifiers(u32),
    Fence(u32),
}

#[derive(Default)]
pub struct Data {
    syncs: u32,
    pub heard: HashMap<u32, Heard>,
    pub keys: Vec<Key>,
    pub text: String,
    pub clicks: Vec<(u32, bool)>,
    pub press_serial: u32,
    pub pointer_over: Option<u32>,
    pub popup_done: bool,
    pub popup_at: Option<(i32, i32, i32, i32)>,
    pub bound: Vec<String>,
    pub refused: Vec<String>,
    /// Events of protocols that a test file speaks itself, as text (see [`logs`]).
    pub told: Vec<String>,
    xkb: Option<xkb::State>,
    shot: Shot,
    /// The outputs that each surface was told to be on, by their names in the protocol.
    pub on: HashMap<u32, Vec<u32>>,
    /// The scale that each surface was told.
    pub scales: HashMap<u32, i32>,
    /// The names of outputs.
    pub output_names: HashMap<u32, String>,
}

pub struct Client {
    pub globals: GlobalList,
    pub connection: Connection,
    pub queue: EventQueue<Data>,
    pub data: Data,
    compositor: wl_compositor::WlCompositor,
    shm: wl_shm::WlShm,
    wm: xdg_wm_base::XdgWmBase,
    pub seat: wl_seat::WlSeat,
    pub output: wl_output::WlOutput,
    screencopy: zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
    keyboards: zwp_virtual_keyboard_manager_v1::ZwpVirtualKeyboardManagerV1,
    pointers: zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1,
    pub overwinter: overwinter_manager_v1::OverwinterManagerV1,
}

impl Client {
    fn new(
        fixture: &mut Fixture,
        connection: Connection,
        globals: GlobalList,
        queue: EventQueue<Data>,
    ) -> Client {
        let qh = queue.handle();
        let seat: wl_seat::WlSeat = globals.bind(&qh, 5..=7, ()).unwrap();
        seat.get_keyboard(&qh, ());
        seat.get_pointer(&qh, ());
        let mut client = Client {
            compositor: globals.bind(&qh, 4..=6, ()).unwrap(),
            shm: globals.bind(&qh, 1..=1, ()).unwrap(),
            wm: globals.bind(&qh, 1..=5, ()).unwrap(),
            output: globals.bind(&qh, 1..=4, ()).unwrap(),
            screencopy: globals.bind(&qh, 3..=3, ()).unwrap(),
            keyboards: globals.bind(&qh, 1..=1, ()).unwrap(),
            pointers: globals.bind(&qh, 2..=2, ()).unwrap(),
            overwinter: globals.bind(&qh, 1..=1, ()).unwrap(),
            seat,
            globals,
            connection,
            queue,
            data: Data::default(),
        };
        fixture.roundtrip(&mut client);
        client
    }

    /// Binds a global of the newest version that both know.
    pub fn bind<I>(&self) -> I
    where
        I: Proxy + 'static,
        Data: Dispatch<I, ()>,
    {
        let newest = I::interface().version;
        self.globals.bind(&self.qh(), 1..=newest, ()).unwrap()
    }

    /// How often an event whose text starts so was told.
    pub fn told(&self, start: &str) -> usize {
        let told = self.data.told.iter();
        told.filter(|event| event.starts_with(start)).count()
    }

    /// Binds the output of this name, which the compositor has told already.
    pub fn output_named(&mut self, fixture: &mut Fixture, name: &str) -> wl_output::WlOutput {
        let globals = self.globals.contents().clone_list();
        let outputs = globals.iter().filter(|g| g.interface == "wl_output");
        let bound: Vec<wl_output::WlOutput> = outputs
            .map(|g| self.globals.registry().bind(g.name, 4, &self.qh(), ()))
            .collect();
        fixture.roundtrip(self);
        let names = &self.data.output_names;
        let named = bound
            .into_iter()
            .find(|o| names.get(&o.id().protocol_id()).is_some_and(|n| n == name));
        named.unwrap()
    }

    /// The names of the outputs that the surface was told to be on.
    pub fn outputs_of(&self, window: &Window) -> Vec<&str> {
        let on = self.data.on.get(&window.id()).into_iter().flatten();
        let mut names: Vec<&str> = on.map(|o| self.data.output_names[o].as_str()).collect();
        names.sort();
        names.dedup();
        names
    }

    pub fn qh(&self) -> QueueHandle<Data> {
        self.queue.handle()
    }

    /// Reads what has come, without waiting.
    pub fn turn(&mut self) {
        self.queue.dispatch_pending(&mut self.data).unwrap();
        let _ = self.connection.flush();
        if let Some(guard) = self.queue.prepare_read() {
            match guard.read() {
                Ok(_) => {}
                Err(wayland_client::backend::WaylandError::Io(e))
                    if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!(
                    "the connection broke: {error} {:?}",
                    self.connection.protocol_error()
                ),
            }
        }
        self.queue.dispatch_pending(&mut self.data).unwrap();
        let _ = self.connection.flush();
    }

    pub fn buffer(
        &self,
        width: i32,
        height: i32,
        xrgb: u32,
    ) -> (wl_buffer::WlBuffer, std::fs::File) {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0xff00_0000 | xrgb)
            .to_le_bytes()
            .repeat((width * height) as usize);
        file.write_all_at(&bytes, 0).unwrap();
        let qh = self.qh();
        let pool = self
            .shm
            .create_pool(file.as_fd(), width * height * 4, &qh, ());
        let buffer = pool.create_buffer(
            0,
            width,
            height,
            width * 4,
            wl_shm::Format::Argb8888,
            &qh,
            (),
        );
        pool.destroy();
        (buffer, file)
    }

    pub fn surface(&self) -> wl_surface::WlSurface {
        self.compositor.create_surface(&self.qh(), ())
    }

    /// A toplevel without buffer.
    pub fn toplevel(&self, surface: &wl_surface::WlSurface, parent: Option<&Window>) -> Window {
        let qh = self.qh();
        let id = surface.id().protocol_id();
        let xdg = self.wm.get_xdg_surface(surface, &qh, id);
        let toplevel = xdg.get_toplevel(&qh, id);
        toplevel.set_parent(parent.map(|p| &p.toplevel));
        Window {
            surface: surface.clone(),
            xdg,
            toplevel,
            acked: Default::default(),
        }
    }

    pub fn popup(
        &self,
        parent: &Window,
        at: (i32, i32),
        size: (i32, i32),
    ) -> (
        wl_surface::WlSurface,
        xdg_surface::XdgSurface,
        xdg_popup::XdgPopup,
    ) {
        self.popup_within(Some(&parent.xdg), at, size)
    }

    /// A popup whose parent another protocol names.
    pub fn popup_of_none(
        &self,
        at: (i32, i32),
        size: (i32, i32),
    ) -> (
        wl_surface::WlSurface,
        xdg_surface::XdgSurface,
        xdg_popup::XdgPopup,
    ) {
        self.popup_within(None, at, size)
    }

    /// What no client may ask for.
    pub fn popup_on_itself(&self) {
        let qh = self.qh();
        let positioner = self.wm.create_positioner(&qh, ());
        positioner.set_size(10, 10);
        positioner.set_anchor_rect(0, 0, 1, 1);
        let surface = self.surface();
        let xdg = self.wm.get_xdg_surface(&surface, &qh, 0);
        xdg.get_popup(Some(&xdg), &positioner, &qh, ());
        surface.commit();
    }

    /// A popup on any surface of the shell.
    pub fn popup_within(
        &self,
        parent: Option<&xdg_surface::XdgSurface>,
        at: (i32, i32),
        size: (i32, i32),
    ) -> (
        wl_surface::WlSurface,
        xdg_surface::XdgSurface,
        xdg_popup::XdgPopup,
    ) {
        let qh = self.qh();
        let positioner = self.wm.create_positioner(&qh, ());
        positioner.set_size(size.0, size.1);
        positioner.set_anchor_rect(at.0, at.1, 1, 1);
        positioner.set_anchor(xdg_positioner::Anchor::BottomRight);
        positioner.set_gravity(xdg_positioner::Gravity::BottomRight);
        positioner.set_constraint_adjustment(
            xdg_positioner::ConstraintAdjustment::SlideX
                | xdg_positioner::ConstraintAdjustment::SlideY,
        );
        let surface = self.surface();
        let xdg = self
            .wm
            .get_xdg_surface(&surface, &qh, surface.id().protocol_id());
        let popup = xdg.get_popup(parent, &positioner, &qh, ());
        (surface, xdg, popup)
    }

    pub fn heard(&self, window: &Window) -> Heard {
        self.data
            .heard
            .get(&window.id())
            .cloned()
            .unwrap_or_default()
    }

    pub fn virtual_pointer(&self) -> zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1 {
        self.pointers.create_virtual_pointer(None, &self.qh(), ())
    }

    /// A keyboard with this keymap.
    pub fn virtual_keyboard(&self, keymap: &str) -> zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1 {
        let keyboard = self
            .keyboards
            .create_virtual_keyboard(&self.seat, &self.qh(), ());
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(keymap.as_bytes(), 0).unwrap();
        keyboard.keymap(1, file.as_fd(), keymap.len() as u32);
        keyboard
    }

    /// A keyboard with the seat's own layout.
    pub fn us_keyboard(&self) -> zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1 {
        let context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
        let keymap = xkb::Keymap::new_from_names(
            &context,
            "",
            "",
            "us",
            "",
            None,
            xkb::KEYMAP_COMPILE_NO_FLAGS,
        )
        .unwrap();
        self.virtual_keyboard(&keymap.get_as_string(xkb::KEYMAP_FORMAT_TEXT_V1))
    }
}

/// A toplevel of a test.
#[derive(Clone)]
pub struct Window {
    pub surface: wl_surface::WlSurface,
    pub xdg: xdg_surface::XdgSurface,
    pub toplevel: xdg_toplevel::XdgToplevel,
    acked: std::cell::Cell<u32>,
}

impl Window {
    pub fn id(&self) -> u32 {
        self.surface.id().protocol_id()
    }

    /// Acknowledges the last configure and shows a buffer of one colour.
    pub fn draw(&self, client: &Client, width: i32, height: i32, xrgb: u32) {
        let heard = client.heard(self);
        if heard.serial != self.acked.replace(heard.serial) {
            self.xdg.ack_configure(heard.serial);
        }
        let (buffer, _) = client.buffer(width, height, xrgb);
        self.surface.attach(Some(&buffer), 0, 0);
        self.surface.damage_buffer(0, 0, width, height);
        self.surface.frame(&client.qh(), self.id());
        self.surface.commit();
    }

    /// First commit, configure, first buffer.
    pub fn open(
        &self,
        fixture: &mut Fixture,
        client: &mut Client,
        width: i32,
        height: i32,
        xrgb: u32,
    ) {
        self.surface.commit();
        let id = self.id();
        fixture.wait(client, "the first configure", |c, _| {
            c.data.heard.get(&id).is_some_and(|h| h.configures > 0)
        });
        self.draw(client, width, height, xrgb);
        fixture.roundtrip(client);
    }

    pub fn close(&self) {
        self.toplevel.destroy();
        self.xdg.destroy();
        self.surface.destroy();
    }
}

/// Opens a plain window.
pub fn open(
    fixture: &mut Fixture,
    client: &mut Client,
    width: i32,
    height: i32,
    xrgb: u32,
) -> Window {
    let window = client.toplevel(&client.surface(), None);
    window.open(fixture, client, width, height, xrgb);
    window
}

/// Moves the pointer there and clicks.
pub fn click(pointer: &zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1, x: u32, y: u32) {
    pointer.motion_absolute(0, x, y, 1280, 800);
    pointer.frame();
    pointer.button(0, 0x110, wl_pointer::ButtonState::Pressed);
    pointer.frame();
    pointer.button(0, 0x110, wl_pointer::ButtonState::Released);
    pointer.frame();
}

/// Presses and releases a key (evdev's code).
pub fn tap(keyboard: &zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1, code: u32) {
    keyboard.key(0, code, 1);
    keyboard.key(0, code, 0);
}

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for Data {
    fn event(
        _: &mut Self,
        _: &wl_registry::WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for Data {
    fn event(
        data: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        data.syncs += 1;
    }
}

impl Dispatch<wl_callback::WlCallback, u32> for Data {
    fn event(
        data: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        id: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        data.heard.entry(*id).or_default().frames += 1;
    }
}

impl Dispatch<xdg_wm_base::XdgWmBase, ()> for Data {
    fn event(
        _: &mut Self,
        wm: &xdg_wm_base::XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            wm.pong(serial);
        }
    }
}

impl Dispatch<xdg_surface::XdgSurface, u32> for Data {
    fn event(
        data: &mut Self,
        _: &xdg_surface::XdgSurface,
        event: xdg_surface::Event,
        id: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            let heard = data.heard.entry(*id).or_default();
            heard.serial = serial;
            heard.configures += 1;
        }
    }
}

impl Dispatch<xdg_toplevel::XdgToplevel, u32> for Data {
    fn event(
        data: &mut Self,
        _: &xdg_toplevel::XdgToplevel,
        event: xdg_toplevel::Event,
        id: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let heard = data.heard.entry(*id).or_default();
        match event {
            xdg_toplevel::Event::Configure {
                width,
                height,
                states,
            } => {
                heard.size = (width, height);
                heard.states = states
                    .chunks_exact(4)
                    .map(|c| u32::from_ne_bytes([c[0], c[1], c[2], c[3]]))
                    .collect();
            }
            xdg_toplevel::Event::Close => heard.closed = true,
            _ => {}
        }
    }
}

impl Dispatch<xdg_popup::XdgPopup, ()> for Data {
    fn event(
        data: &mut Self,
        _: &xdg_popup::XdgPopup,
        event: xdg_popup::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_popup::Event::Configure {
                x,
                y,
                width,
                height,
            } => data.popup_at = Some((x, y, width, height)),
            xdg_popup::Event::PopupDone => data.popup_done = true,
            _ => {}
        }
    }
}

impl Dispatch<wl_keyboard::WlKeyboard, ()> for Data {
    fn event(
        data: &mut Self,
        _: &wl_keyboard::WlKeyboard,
        event: wl_keyboard::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_keyboard::Event::Keymap { fd, size, .. } => {
                let mut text = vec![0; size as usize];
                std::fs::File::from(fd).read_exact_at(&mut text, 0).unwrap();
                let text = String::from_utf8(text)
                    .unwrap()
                    .trim_end_matches('\0')
                    .to_owned();
                let context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
                let keymap = xkb::Keymap::new_from_string(
                    &context,
                    text,
                    xkb::KEYMAP_FORMAT_TEXT_V1,
                    xkb::KEYMAP_COMPILE_NO_FLAGS,
                )
                .unwrap();
                data.xkb = Some(xkb::State::new(&keymap));
            }
            wl_keyboard::Event::Enter { surface, .. } => {
                data.keys.push(Key::Enter(surface.id().protocol_id()))
            }
            wl_keyboard::Event::Leave { surface, .. } => {
                data.keys.push(Key::Leave(surface.id().protocol_id()))
            }
            wl_keyboard::Event::Key { key, state, .. } => {
                if matches!(state, WEnum::Value(wl_keyboard::KeyState::Pressed)) {
                    data.keys.push(Key::Press(key));
                    let typed = data.xkb.as_ref().map(|x| x.key_get_utf8((key + 8).into()));
                    data.text.push_str(&typed.unwrap_or_default());
                } else {
                    data.keys.push(Key::Release(key));
                }
            }
            wl_keyboard::Event::Modifiers {
                mods_depressed,
                mods_latched,
                mods_locked,
                group,
                ..
            } => {
                data.keys.push(Key::Modifiers(mods_depressed));
                if let Some(xkb) = &mut data.xkb {
                    xkb.update_mask(mods_depressed, mods_latched, mods_locked, 0, 0, group);
                }
            }
            _ => {}
        }
    }
}

impl Dispatch<wl_pointer::WlPointer, ()> for Data {
    fn event(
        data: &mut Self,
        _: &wl_pointer::WlPointer,
        event: wl_pointer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_pointer::Event::Enter { surface, .. } => {
                data.pointer_over = Some(surface.id().protocol_id())
            }
            wl_pointer::Event::Leave { .. } => data.pointer_over = None,
            wl_pointer::Event::Button {
                button,
                state,
                serial,
                ..
            } => {
                data.press_serial = serial;
                data.clicks.push((
                    button,
                    matches!(state, WEnum::Value(wl_pointer::ButtonState::Pressed)),
                ));
            }
            _ => {}
        }
    }
}

impl Dispatch<zwlr_screencopy_frame_v1::ZwlrScreencopyFrameV1, ()> for Data {
    fn event(
        data: &mut Self,
        _: &zwlr_screencopy_frame_v1::ZwlrScreencopyFrameV1,
        event: zwlr_screencopy_frame_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            zwlr_screencopy_frame_v1::Event::Buffer { width, height, .. } => {
                data.shot.size = Some((width as i32, height as i32));
            }
            zwlr_screencopy_frame_v1::Event::Ready { .. } => data.shot.ready = true,
            zwlr_screencopy_frame_v1::Event::Failed => panic!("the screenshot failed"),
            _ => {}
        }
    }
}

impl Dispatch<overwinter_manager_v1::OverwinterManagerV1, ()> for Data {
    fn event(
        data: &mut Self,
        _: &overwinter_manager_v1::OverwinterManagerV1,
        event: overwinter_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let overwinter_manager_v1::Event::Fence { serial } = event;
        data.keys.push(Key::Fence(serial));
    }
}

impl Dispatch<overwinter_window_v1::OverwinterWindowV1, ()> for Data {
    fn event(
        data: &mut Self,
        _: &overwinter_window_v1::OverwinterWindowV1,
        event: overwinter_window_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            overwinter_window_v1::Event::Bound { group } => data.bound.push(group),
            overwinter_window_v1::Event::Refused { why } => data.refused.push(why),
        }
    }
}

delegate_noop!(Data: ignore wl_compositor::WlCompositor);

impl Dispatch<wl_surface::WlSurface, ()> for Data {
    fn event(
        data: &mut Self,
        surface: &wl_surface::WlSurface,
        event: wl_surface::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let id = surface.id().protocol_id();
        match event {
            wl_surface::Event::Enter { output } => {
                let on = data.on.entry(id).or_default();
                on.push(output.id().protocol_id());
            }
            wl_surface::Event::Leave { output } => {
                let on = data.on.entry(id).or_default();
                on.retain(|o| *o != output.id().protocol_id());
            }
            wl_surface::Event::PreferredBufferScale { factor } => {
                data.scales.insert(id, factor);
            }
            _ => {}
        }
    }
}

impl Dispatch<wl_output::WlOutput, ()> for Data {
    fn event(
        data: &mut Self,
        output: &wl_output::WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_output::Event::Name { name } = event {
            data.output_names.insert(output.id().protocol_id(), name);
        }
    }
}
delegate_noop!(Data: ignore wl_shm::WlShm);
delegate_noop!(Data: ignore wl_shm_pool::WlShmPool);
delegate_noop!(Data: ignore wl_buffer::WlBuffer);
delegate_noop!(Data: ignore wl_seat::WlSeat);
delegate_noop!(Data: ignore xdg_positioner::XdgPositioner);
delegate_noop!(Data: ignore zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1);
delegate_noop!(Data: ignore zwp_virtual_keyboard_manager_v1::ZwpVirtualKeyboardManagerV1);
delegate_noop!(Data: ignore zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1);
delegate_noop!(Data: ignore zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1);
delegate_noop!(Data: ignore zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1);
