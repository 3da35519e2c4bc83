//! A client that goes in the middle of everything takes nothing of the others' with it.

mod common;

use common::{Client, Data, Fixture, Image, Key, click, open, tap};
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop};
use wayland_protocols::ext::image_capture_source::v1::client::{
    ext_image_capture_source_v1::ExtImageCaptureSourceV1,
    ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1,
};
use wayland_protocols::ext::image_copy_capture::v1::client::{
    ext_image_copy_capture_frame_v1::ExtImageCopyCaptureFrameV1,
    ext_image_copy_capture_manager_v1::{ExtImageCopyCaptureManagerV1, Options},
    ext_image_copy_capture_session_v1::ExtImageCopyCaptureSessionV1,
};
use wayland_protocols::ext::session_lock::v1::client::{
    ext_session_lock_manager_v1::ExtSessionLockManagerV1,
    ext_session_lock_surface_v1::ExtSessionLockSurfaceV1, ext_session_lock_v1::ExtSessionLockV1,
};
use wayland_protocols::wp::idle_inhibit::zv1::client::{
    zwp_idle_inhibit_manager_v1::ZwpIdleInhibitManagerV1, zwp_idle_inhibitor_v1::ZwpIdleInhibitorV1,
};
use wayland_protocols::wp::keyboard_shortcuts_inhibit::zv1::client::{
    zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
    zwp_keyboard_shortcuts_inhibitor_v1::ZwpKeyboardShortcutsInhibitorV1,
};
use wayland_protocols::wp::pointer_constraints::zv1::client::{
    zwp_locked_pointer_v1::ZwpLockedPointerV1,
    zwp_pointer_constraints_v1::{Lifetime, ZwpPointerConstraintsV1},
};
use wayland_protocols::wp::text_input::zv3::client::{
    zwp_text_input_manager_v3::ZwpTextInputManagerV3, zwp_text_input_v3::ZwpTextInputV3,
};
use wayland_protocols_misc::zwp_input_method_v2::client::{
    zwp_input_method_keyboard_grab_v2::ZwpInputMethodKeyboardGrabV2,
    zwp_input_method_manager_v2::ZwpInputMethodManagerV2, zwp_input_method_v2::ZwpInputMethodV2,
    zwp_input_popup_surface_v2::ZwpInputPopupSurfaceV2,
};
use wayland_protocols_wlr::layer_shell::v1::client::{
    zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1},
    zwlr_layer_surface_v1::{self, Anchor, KeyboardInteractivity, ZwlrLayerSurfaceV1},
};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;

logs!(
    ExtSessionLockV1,
    ExtImageCopyCaptureSessionV1,
    ExtImageCopyCaptureFrameV1,
    ZwpLockedPointerV1,
    ZwpKeyboardShortcutsInhibitorV1,
    ZwpTextInputV3,
    ZwpInputMethodV2,
    ZwpInputMethodKeyboardGrabV2,
    ZwpInputPopupSurfaceV2,
    ExtSessionLockSurfaceV1,
);
delegate_noop!(Data: ignore ExtSessionLockManagerV1);
delegate_noop!(Data: ignore ExtImageCaptureSourceV1);
delegate_noop!(Data: ignore ExtOutputImageCaptureSourceManagerV1);
delegate_noop!(Data: ignore ExtImageCopyCaptureManagerV1);
delegate_noop!(Data: ignore ZwpIdleInhibitManagerV1);
delegate_noop!(Data: ignore ZwpIdleInhibitorV1);
delegate_noop!(Data: ignore ZwpKeyboardShortcutsInhibitManagerV1);
delegate_noop!(Data: ignore ZwpPointerConstraintsV1);
delegate_noop!(Data: ignore ZwpTextInputManagerV3);
delegate_noop!(Data: ignore ZwpInputMethodManagerV2);
delegate_noop!(Data: ignore ZwlrLayerShellV1);

impl Dispatch<ZwlrLayerSurfaceV1, ()> for Data {
    fn event(
        data: &mut Self,
        layer: &ZwlrLayerSurfaceV1,
        event: zwlr_layer_surface_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let zwlr_layer_surface_v1::Event::Configure { serial, .. } = event {
            layer.ack_configure(serial);
            data.told.push("LayerConfigure".into());
        }
    }
}

fn attach(client: &Client, surface: &WlSurface, width: i32, height: i32) {
    let (buffer, _file) = client.buffer(width, height, BLUE);
    surface.attach(Some(&buffer), 0, 0);
    surface.damage_buffer(0, 0, width, height);
    surface.commit();
}

fn launcher(fixture: &mut Fixture, client: &mut Client) -> (WlSurface, ZwlrLayerSurfaceV1) {
    let shell: ZwlrLayerShellV1 = client.bind();
    let surface = client.surface();
    let (qh, layer) = (client.qh(), Layer::Overlay);
    let layer = shell.get_layer_surface(&surface, None, layer, "test".into(), &qh, ());
    layer.set_size(200, 100);
    layer.set_anchor(Anchor::Top);
    layer.set_exclusive_zone(100);
    layer.set_keyboard_interactivity(KeyboardInteractivity::Exclusive);
    surface.commit();
    fixture.wait(client, "the size", |c, _| c.told("LayerConfigure") >= 1);
    attach(client, &surface, 200, 100);
    fixture.roundtrip(client);
    (surface, layer)
}

/// Everything works for who stays: what is typed arrives, the window is where and how it was.
fn all_is_well(fixture: &mut Fixture, stays: &mut Client, before: &Image) {
    let keyboard = stays.us_keyboard();
    fixture.roundtrip(stays);
    stays.data.keys.clear();
    tap(&keyboard, 30);
    fixture.roundtrip(stays);
    assert!(
        stays.data.keys.contains(&Key::Press(30)),
        "{:?}",
        stays.data.keys
    );
    let after = fixture.screenshot(stays);
    assert_eq!(before.part(0, 0, 1280, 800), after.part(0, 0, 1280, 800));
    assert_eq!(fixture.server.work_area(), fixture.server.area());
}

#[test]
fn a_launcher_and_a_held_pointer_go_with_their_client() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    open(&mut fixture, &mut stays, 400, 300, RED);
    let before = fixture.screenshot(&mut stays);
    let mouse = stays.virtual_pointer();
    let mut goes = fixture.client();
    let window = open(&mut fixture, &mut goes, 300, 300, BLUE);
    let at = fixture
        .server
        .shell
        .rect_of(*fixture.server.shell.stack().last().unwrap());
    click(
        &mouse,
        at.unwrap().loc.x as u32 + 5,
        at.unwrap().loc.y as u32 + 5,
    );
    fixture.roundtrip(&mut stays);
    let constraints: ZwpPointerConstraintsV1 = goes.bind();
    let pointer = goes.seat.get_pointer(&goes.qh(), ());
    let (surface, qh) = (&window.surface, goes.qh());
    constraints.lock_pointer(surface, &pointer, None, Lifetime::Persistent, &qh, ());
    fixture.wait(&mut goes, "the locked pointer", |c, _| {
        c.told("Locked") == 1
    });
    let inhibit: ZwpKeyboardShortcutsInhibitManagerV1 = goes.bind();
    inhibit.inhibit_shortcuts(surface, &goes.seat, &qh, ());
    let idle: ZwpIdleInhibitManagerV1 = goes.bind();
    idle.create_inhibitor(surface, &qh, ());
    launcher(&mut fixture, &mut goes);
    drop(goes);
    fixture.wait(&mut stays, "the window's end", |_, s| {
        s.shell.stack().len() == 1
    });
    all_is_well(&mut fixture, &mut stays, &before);
    assert!(!fixture.server.protocols.idle.is_inhibited());
}

#[test]
fn a_surface_that_goes_before_its_role_takes_nothing_with_it() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    open(&mut fixture, &mut stays, 400, 300, RED);
    let before = fixture.screenshot(&mut stays);
    let mut other = fixture.client();
    let (surface, layer) = launcher(&mut fixture, &mut other);
    surface.destroy();
    fixture.roundtrip(&mut other);
    layer.destroy();
    fixture.roundtrip(&mut other);
    all_is_well(&mut fixture, &mut stays, &before);
    // The same with a lock, whose session stays locked until it is unlocked.
    let manager: ExtSessionLockManagerV1 = other.bind();
    let lock = manager.lock(&other.qh(), ());
    let surface = other.surface();
    let of_lock = lock.get_lock_surface(&surface, &other.output, &other.qh(), ());
    fixture.wait(&mut other, "the lock", |c, _| c.told("Locked") == 1);
    surface.destroy();
    fixture.roundtrip(&mut other);
    of_lock.destroy();
    fixture.roundtrip(&mut other);
    assert!(fixture.server.shell.lock.is_some());
    lock.unlock_and_destroy();
    fixture.roundtrip(&mut other);
    all_is_well(&mut fixture, &mut stays, &before);
}

#[test]
fn an_input_method_that_dies_gives_the_keyboard_back() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    open(&mut fixture, &mut stays, 400, 300, RED);
    let before = fixture.screenshot(&mut stays);
    let manager: ZwpTextInputManagerV3 = stays.bind();
    let input = manager.get_text_input(&stays.seat, &stays.qh(), ());
    let mut method = fixture.client();
    let manager: ZwpInputMethodManagerV2 = method.bind();
    let of_seat = manager.get_input_method(&method.seat, &method.qh(), ());
    fixture.roundtrip(&mut method);
    input.enable();
    input.commit();
    fixture.roundtrip(&mut stays);
    of_seat.grab_keyboard(&method.qh(), ());
    let surface = method.surface();
    of_seat.get_input_popup_surface(&surface, &method.qh(), ());
    attach(&method, &surface, 50, 50);
    fixture.roundtrip(&mut method);
    drop(method);
    let gone = |s: &overwinter_compositor::Overwinter| s.input.input_method.is_none();
    fixture.wait(&mut stays, "the input method's end", |_, s| gone(s));
    input.commit();
    all_is_well(&mut fixture, &mut stays, &before);
}

#[test]
fn a_capture_that_waits_goes_with_its_client() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    let window = open(&mut fixture, &mut stays, 400, 300, RED);
    let before = fixture.screenshot(&mut stays);
    let mut goes = fixture.client();
    let sources: ExtOutputImageCaptureSourceManagerV1 = goes.bind();
    let source = sources.create_source(&goes.output, &goes.qh(), ());
    let manager: ExtImageCopyCaptureManagerV1 = goes.bind();
    let session = manager.create_session(&source, Options::PaintCursors, &goes.qh(), ());
    for _ in 0..2 {
        let frame = session.create_frame(&goes.qh(), ());
        let (buffer, _file) = goes.buffer(1280, 800, 0);
        frame.attach_buffer(&buffer);
        frame.capture();
        let ready = goes.told("Ready");
        if ready == 0 {
            fixture.wait(&mut goes, "a capture", |c, _| c.told("Ready") == 1);
            frame.destroy();
        }
        buffer.destroy();
        fixture.roundtrip(&mut goes);
    }
    drop(goes);
    window.draw(&stays, 400, 300, BLUE);
    fixture.frame(&mut stays);
    window.draw(&stays, 400, 300, RED);
    fixture.frame(&mut stays);
    all_is_well(&mut fixture, &mut stays, &before);
}
