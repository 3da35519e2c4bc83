//! The compositor, headless and in a thread, as WLCS (the Wayland conformance suite) wants to be given one.
//!
//! WLCS loads this library, starts a server for each of its tests, connects clients to it, and says where windows stand and
//! what pointers and fingers do. All of that goes to the compositor's thread and is waited for, so that a test sees its own
//! deeds in the order in which it did them. `scripts/wlcs` builds this, fetches WLCS and runs it.

use std::os::fd::OwnedFd;

use wayland_sys::client::{wl_display, wl_proxy};
use wayland_sys::common::wl_fixed_t;
use wlcs::ffi_display_server_api::{
    WlcsExtensionDescriptor, WlcsIntegrationDescriptor, WlcsServerIntegration,
};
use wlcs::ffi_wrappers::wlcs_server;
use wlcs::{Pointer, Touch, Wlcs, extension_list};

mod client;
mod server;

use server::{Command, Server};

/// What WLCS looks up in this library.
// SAFETY: no other symbol of the process has this name; WLCS defines that it is ours to define.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "WLCS names it")]
pub static wlcs_server_integration: WlcsServerIntegration = wlcs_server::<Integration>();

/// The protocols that WLCS tests and we have. It skips the tests of those that are not named.
static EXTENSIONS: &[WlcsExtensionDescriptor] = extension_list!(
    ("wl_compositor", 6),
    ("wl_subcompositor", 1),
    ("wl_shm", 1),
    ("wl_data_device_manager", 3),
    ("wl_seat", 9),
    ("wl_output", 4),
    ("xdg_wm_base", 6),
    ("zwp_primary_selection_device_manager_v1", 1),
    ("zxdg_output_manager_v1", 3),
    ("zwlr_virtual_pointer_manager_v1", 2),
    ("zwp_virtual_keyboard_manager_v1", 1),
);

static DESCRIPTOR: WlcsIntegrationDescriptor = WlcsIntegrationDescriptor {
    version: 1,
    num_extensions: EXTENSIONS.len(),
    supported_extensions: EXTENSIONS.as_ptr(),
};

/// One server of one test.
struct Integration {
    server: Option<Server>,
}

impl Integration {
    fn tell(&self, command: Command) {
        if let Some(server) = &self.server {
            server.tell(command);
        }
    }
}

impl Wlcs for Integration {
    type Pointer = Device;
    type Touch = Device;

    fn new() -> Integration {
        Integration { server: None }
    }

    fn start(&mut self) {
        match Server::start() {
            Ok(server) => self.server = Some(server),
            Err(error) => eprintln!("the compositor could not be started: {error:#}"),
        }
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    fn create_client_socket(&self) -> std::io::Result<OwnedFd> {
        match &self.server {
            Some(server) => server.connect(),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }

    fn position_window_absolute(
        &self,
        display: *mut wl_display,
        surface: *mut wl_proxy,
        x: i32,
        y: i32,
    ) {
        // SAFETY: WLCS gives a connection and a surface of it that live as long as this call.
        let (client, surface) = unsafe { (client::socket(display), client::id(surface)) };
        self.tell(Command::Place {
            client,
            surface,
            at: (x, y).into(),
        });
    }

    fn create_pointer(&mut self) -> Option<Device> {
        self.server.as_ref().map(|s| Device(s.commands()))
    }

    fn create_touch(&mut self) -> Option<Device> {
        self.server.as_ref().map(|s| Device(s.commands()))
    }

    fn get_descriptor(&self) -> &WlcsIntegrationDescriptor {
        &DESCRIPTOR
    }
}

/// A pointer, or one finger on a touch screen.
struct Device(server::Commands);

/// wl_fixed is a number of 256ths. Pointers speak it; fingers, whatever the suite's header says, whole pixels.
fn from_fixed(value: wl_fixed_t) -> f64 {
    f64::from(value) / 256.0
}

impl Pointer for Device {
    fn move_absolute(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        let at = (from_fixed(x), from_fixed(y)).into();
        self.0.tell(Command::PointerTo(at));
    }

    fn move_relative(&mut self, dx: wl_fixed_t, dy: wl_fixed_t) {
        let by = (from_fixed(dx), from_fixed(dy)).into();
        self.0.tell(Command::PointerBy(by));
    }

    fn button_up(&mut self, button: i32) {
        self.0.tell(Command::Button(button, false));
    }

    fn button_down(&mut self, button: i32) {
        self.0.tell(Command::Button(button, true));
    }
}

impl Touch for Device {
    fn touch_down(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        let at = (f64::from(x), f64::from(y)).into();
        self.0.tell(Command::TouchDown(at));
    }

    fn touch_move(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        let at = (f64::from(x), f64::from(y)).into();
        self.0.tell(Command::TouchMove(at));
    }

    fn touch_up(&mut self) {
        self.0.tell(Command::TouchUp);
    }
}
