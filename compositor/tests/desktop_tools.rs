//! What panels, switchers, recorders and settings programs ask: lists of windows, outputs, captures, the clipboard.

mod common;

use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use common::{Client, Data, Fixture, Key, Window, open};
use overwinter_compositor::shell::Grant;
use overwinter_session::ShellEffect;
use overwinter_session::ids::{CopyId, GroupId};
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, delegate_noop, event_created_child,
};
use wayland_protocols::ext::data_control::v1::client::{
    ext_data_control_device_v1::{self, ExtDataControlDeviceV1},
    ext_data_control_manager_v1::ExtDataControlManagerV1,
    ext_data_control_offer_v1::ExtDataControlOfferV1,
    ext_data_control_source_v1::{self, ExtDataControlSourceV1},
};
use wayland_protocols::ext::foreign_toplevel_list::v1::client::{
    ext_foreign_toplevel_handle_v1::ExtForeignToplevelHandleV1,
    ext_foreign_toplevel_list_v1::{self, ExtForeignToplevelListV1},
};
use wayland_protocols::ext::image_capture_source::v1::client::{
    ext_image_capture_source_v1::ExtImageCaptureSourceV1,
    ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1,
};
use wayland_protocols::ext::image_copy_capture::v1::client::{
    ext_image_copy_capture_frame_v1::ExtImageCopyCaptureFrameV1,
    ext_image_copy_capture_manager_v1::{ExtImageCopyCaptureManagerV1, Options},
    ext_image_copy_capture_session_v1::ExtImageCopyCaptureSessionV1,
};
use wayland_protocols::xdg::foreign::zv1::client::{
    zxdg_exported_v1::ZxdgExportedV1, zxdg_exporter_v1::ZxdgExporterV1,
    zxdg_imported_v1::ZxdgImportedV1, zxdg_importer_v1::ZxdgImporterV1,
};
use wayland_protocols::xdg::foreign::zv2::client::{
    zxdg_imported_v2::ZxdgImportedV2, zxdg_importer_v2::ZxdgImporterV2,
};
use wayland_protocols_wlr::foreign_toplevel::v1::client::{
    zwlr_foreign_toplevel_handle_v1::{self, ZwlrForeignToplevelHandleV1},
    zwlr_foreign_toplevel_manager_v1::{self, ZwlrForeignToplevelManagerV1},
};
use wayland_protocols_wlr::output_management::v1::client::{
    zwlr_output_configuration_head_v1::ZwlrOutputConfigurationHeadV1,
    zwlr_output_configuration_v1::ZwlrOutputConfigurationV1,
    zwlr_output_head_v1::{self, ZwlrOutputHeadV1},
    zwlr_output_manager_v1::{self, ZwlrOutputManagerV1},
    zwlr_output_mode_v1::ZwlrOutputModeV1,
};
use wayland_protocols_wlr::output_power_management::v1::client::{
    zwlr_output_power_manager_v1::ZwlrOutputPowerManagerV1,
    zwlr_output_power_v1::{Mode, ZwlrOutputPowerV1},
};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;

logs!(
    ExtForeignToplevelHandleV1,
    ExtDataControlOfferV1,
    ExtImageCopyCaptureSessionV1,
    ExtImageCopyCaptureFrameV1,
    ZxdgExportedV1,
    ZxdgImportedV1,
    ZxdgImportedV2,
    ZwlrOutputModeV1,
    ZwlrOutputConfigurationV1,
    ZwlrOutputPowerV1,
);
delegate_noop!(Data: ignore ExtDataControlManagerV1);
delegate_noop!(Data: ignore ExtImageCaptureSourceV1);
delegate_noop!(Data: ignore ExtOutputImageCaptureSourceManagerV1);
delegate_noop!(Data: ignore ExtImageCopyCaptureManagerV1);
delegate_noop!(Data: ignore ZxdgExporterV1);
delegate_noop!(Data: ignore ZxdgImporterV1);
delegate_noop!(Data: ignore ZxdgImporterV2);
delegate_noop!(Data: ignore ZwlrOutputPowerManagerV1);
delegate_noop!(Data: ignore ZwlrOutputConfigurationHeadV1);

/// Interfaces whose events bring objects: kept as text, too.
macro_rules! logs_with_children {
    ($interface:ty, [$($opcode:path => $child:ty),*]) => {
        impl Dispatch<$interface, ()> for Data {
            fn event(
                data: &mut Self,
                _: &$interface,
                event: <$interface as Proxy>::Event,
                (): &(),
                _: &Connection,
                _: &QueueHandle<Self>,
            ) {
                data.told.push(format!("{event:?}"));
            }
            event_created_child!(Data, $interface, [$($opcode => ($child, ())),*]);
        }
    };
}
logs_with_children!(ExtForeignToplevelListV1, [
    ext_foreign_toplevel_list_v1::EVT_TOPLEVEL_OPCODE => ExtForeignToplevelHandleV1
]);
logs_with_children!(ZwlrOutputHeadV1, [
    zwlr_output_head_v1::EVT_MODE_OPCODE => ZwlrOutputModeV1
]);

thread_local! {
    /// Handles as they came: a test has one panel.
    static HANDLES: std::cell::RefCell<Vec<ZwlrForeignToplevelHandleV1>> = Default::default();
    static HEAD: std::cell::RefCell<Option<ZwlrOutputHeadV1>> = Default::default();
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
        if let ext_data_control_device_v1::Event::DataOffer { id } = event {
            OFFERS.with_borrow_mut(|offers| offers.push(id));
        }
    }
    event_created_child!(Data, ExtDataControlDeviceV1, [
        ext_data_control_device_v1::EVT_DATA_OFFER_OPCODE => (ExtDataControlOfferV1, ())
    ]);
}

impl Dispatch<ZwlrOutputManagerV1, ()> for Data {
    fn event(
        data: &mut Self,
        _: &ZwlrOutputManagerV1,
        event: zwlr_output_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        data.told.push(format!("{event:?}"));
        if let zwlr_output_manager_v1::Event::Head { head } = event {
            HEAD.set(Some(head));
        }
    }
    event_created_child!(Data, ZwlrOutputManagerV1, [
        zwlr_output_manager_v1::EVT_HEAD_OPCODE => (ZwlrOutputHeadV1, ())
    ]);
}

impl Dispatch<ZwlrForeignToplevelManagerV1, ()> for Data {
    fn event(
        _: &mut Self,
        _: &ZwlrForeignToplevelManagerV1,
        event: zwlr_foreign_toplevel_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let zwlr_foreign_toplevel_manager_v1::Event::Toplevel { toplevel } = event {
            HANDLES.with_borrow_mut(|handles| handles.push(toplevel));
        }
    }
    event_created_child!(Data, ZwlrForeignToplevelManagerV1, [
        zwlr_foreign_toplevel_manager_v1::EVT_TOPLEVEL_OPCODE => (ZwlrForeignToplevelHandleV1, ())
    ]);
}

impl Dispatch<ZwlrForeignToplevelHandleV1, ()> for Data {
    fn event(
        data: &mut Self,
        handle: &ZwlrForeignToplevelHandleV1,
        event: zwlr_foreign_toplevel_handle_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let at = HANDLES.with_borrow(|h| h.iter().position(|h| h == handle));
        data.told.push(format!("{} {event:?}", at.unwrap()));
    }
}

impl Dispatch<ExtDataControlSourceV1, String> for Data {
    fn event(
        _: &mut Self,
        _: &ExtDataControlSourceV1,
        event: ext_data_control_source_v1::Event,
        text: &String,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let ext_data_control_source_v1::Event::Send { fd, .. } = event {
            let mut pipe = std::fs::File::from(fd);
            pipe.write_all(text.as_bytes()).unwrap();
        }
    }
}

fn handle(at: usize) -> ZwlrForeignToplevelHandleV1 {
    HANDLES.with_borrow(|handles| handles[at].clone())
}

fn titled(fixture: &mut Fixture, client: &mut Client, title: &str, xrgb: u32) -> Window {
    let window = client.toplevel(&client.surface(), None);
    window.toplevel.set_title(title.into());
    window.toplevel.set_app_id(format!("org.example.{title}"));
    window.open(fixture, client, 300, 200, xrgb);
    window
}

#[test]
fn a_panel_lists_windows_and_acts_on_them() {
    let mut fixture = Fixture::new();
    let mut app = fixture.client();
    let first = titled(&mut fixture, &mut app, "First", RED);
    let mut panel = fixture.client();
    let _list: ExtForeignToplevelListV1 = panel.bind();
    let _manager: ZwlrForeignToplevelManagerV1 = panel.bind();
    fixture.roundtrip(&mut panel);
    let second = titled(&mut fixture, &mut app, "Second", BLUE);
    fixture.wait(&mut panel, "both windows", |c, _| {
        c.told("1 Title { title: \"Second\" }") == 1 && c.told("1 Done") == 1
    });
    assert_eq!(panel.told("0 Title { title: \"First\" }"), 1);
    assert_eq!(panel.told("0 AppId { app_id: \"org.example.First\" }"), 1);
    assert_eq!(panel.told("Title { title: \"First\" }"), 1);
    assert_eq!(panel.told("Title { title: \"Second\" }"), 1);
    assert_eq!(panel.told("0 OutputEnter"), 1);
    // Activated is 2, as four bytes.
    fixture.wait(&mut panel, "who has the focus", |c, _| {
        c.told("0 State { state: [] }") == 1 && c.told("1 State { state: [2, 0, 0, 0] }") >= 1
    });
    app.data.keys.clear();
    handle(0).activate(&panel.seat);
    fixture.roundtrip(&mut panel);
    fixture.roundtrip(&mut app);
    assert!(app.data.keys.contains(&Key::Enter(first.id())));
    handle(1).set_maximized();
    handle(0).close();
    fixture.roundtrip(&mut panel);
    fixture.roundtrip(&mut app);
    assert_eq!(app.heard(&second).size, (1280, 800));
    assert!(app.heard(&first).closed && !app.heard(&second).closed);
    first.toplevel.set_title("Renamed".into());
    fixture.roundtrip(&mut app);
    fixture.roundtrip(&mut panel);
    assert_eq!(panel.told("0 Title { title: \"Renamed\" }"), 1);
    first.close();
    fixture.roundtrip(&mut app);
    fixture.wait(&mut panel, "the end of the first", |c, _| {
        c.told("0 Closed") == 1 && c.told("Closed") == 1
    });
    assert_eq!(panel.told("1 Closed"), 0);
}

#[test]
fn a_group_that_sleeps_keeps_its_entry_and_wakes_when_it_is_activated() {
    let mut fixture = Fixture::new();
    let mut app = fixture.client();
    let group = GroupId(7 << 96);
    let grant = Grant {
        group,
        copy: CopyId(1),
        pid: std::process::id() as i32,
        trial: false,
    };
    fixture.server.shell.grant("cookie".into(), grant);
    let surface = app.surface();
    app.overwinter
        .get_window(&surface, "cookie".into(), "main".into(), &app.qh(), ());
    let window = app.toplevel(&surface, None);
    window.toplevel.set_title("Letter".into());
    window.open(&mut fixture, &mut app, 300, 200, RED);
    let mut panel = fixture.client();
    let _manager: ZwlrForeignToplevelManagerV1 = panel.bind();
    fixture.wait(&mut panel, "the window", |c, _| c.told("0 Done") >= 1);
    fixture.server.apply(ShellEffect::ShowGhost { group });
    fixture.roundtrip(&mut panel);
    assert_eq!(fixture.server.shell.ghosts_of(group).len(), 1);
    assert_eq!(panel.told("0 Closed"), 0);
    fixture.server.events.clear();
    handle(0).activate(&panel.seat);
    fixture.roundtrip(&mut panel);
    let touched = overwinter_session::Event::GhostTouched { group };
    assert!(fixture.server.events.contains(&touched));
    fixture.server.apply(ShellEffect::DropGhost { group });
    fixture.roundtrip(&mut panel);
    assert!(fixture.server.shell.ghosts_of(group).is_empty());
    assert_eq!(panel.told("0 Closed"), 0);
    HANDLES.with_borrow(|handles| assert_eq!(handles.len(), 1));
}

#[test]
fn an_output_takes_another_size_and_scale_or_says_that_it_cannot() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 300, 200, RED);
    window.toplevel.set_maximized();
    let manager: ZwlrOutputManagerV1 = client.bind();
    fixture.wait(&mut client, "the output", |c, _| c.told("Done") >= 1);
    assert_eq!(client.told("Name { name: \"HEADLESS-1\" }"), 1);
    assert_eq!(client.told("Size { width: 1280, height: 800 }"), 1);
    let head = HEAD.take().unwrap();
    let serial = |client: &Client| {
        let done = client.data.told.iter().rev().find_map(|t| {
            let number = t.strip_prefix("Done { serial: ")?.strip_suffix(" }")?;
            number.parse::<u32>().ok()
        });
        done.unwrap()
    };
    let stale = serial(&client);
    let configuration = manager.create_configuration(stale, &client.qh(), ());
    let wish = configuration.enable_head(&head, &client.qh(), ());
    wish.set_custom_mode(1600, 1200, 60_000);
    wish.set_scale(2.0);
    configuration.apply();
    fixture.wait(&mut client, "the new mode", |c, _| c.told("Succeeded") == 1);
    fixture.wait(&mut client, "the window's new size", |c, _| {
        c.heard(&window).size == (800, 600)
    });
    assert_eq!(client.told("Size { width: 1600, height: 1200 }"), 1);
    // Who still believes in the old state is told so.
    let configuration = manager.create_configuration(stale, &client.qh(), ());
    configuration.enable_head(&head, &client.qh(), ());
    configuration.apply();
    fixture.wait(&mut client, "that it is out of date", |c, _| {
        c.told("Cancelled") == 1
    });
    let configuration = manager.create_configuration(serial(&client), &client.qh(), ());
    configuration.disable_head(&head);
    configuration.apply();
    fixture.wait(&mut client, "that the only output stays", |c, _| {
        c.told("Failed") == 1
    });
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.part(0, 0, 1600, 1200).len(), 1600 * 1200);
}

#[test]
fn an_output_that_is_off_shows_nothing_until_it_is_on_again() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 300, 200, RED);
    let manager: ZwlrOutputPowerManagerV1 = client.bind();
    let power = manager.get_output_power(&client.output, &client.qh(), ());
    fixture.wait(&mut client, "the power", |c, _| {
        c.told("Mode { mode: Value(On) }") == 1
    });
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), RED);
    power.set_mode(Mode::Off);
    fixture.roundtrip(&mut client);
    assert_eq!(client.told("Mode { mode: Value(Off) }"), 1);
    assert_ne!(fixture.screenshot(&mut client).at(640, 400), RED);
    let frames = client.heard(&window).frames;
    window.draw(&client, 300, 200, BLUE);
    fixture.roundtrip(&mut client);
    fixture.screenshot(&mut client);
    assert_eq!(client.heard(&window).frames, frames);
    power.set_mode(Mode::On);
    fixture.wait(&mut client, "frames again", |c, _| {
        c.heard(&window).frames > frames
    });
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), BLUE);
}

#[test]
fn the_output_can_be_captured_and_the_next_capture_waits_for_a_change() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 300, 200, RED);
    fixture.screenshot(&mut client);
    let sources: ExtOutputImageCaptureSourceManagerV1 = client.bind();
    let source = sources.create_source(&client.output, &client.qh(), ());
    let manager: ExtImageCopyCaptureManagerV1 = client.bind();
    let session = manager.create_session(&source, Options::empty(), &client.qh(), ());
    fixture.wait(&mut client, "the session", |c, _| c.told("Done") == 1);
    assert_eq!(client.told("BufferSize { width: 1280, height: 800 }"), 1);
    let capture = |fixture: &mut Fixture, client: &mut Client, change: bool| {
        let ready = client.told("Ready");
        let (buffer, mut file) = client.buffer(1280, 800, 0);
        let frame = session.create_frame(&client.qh(), ());
        frame.attach_buffer(&buffer);
        frame.capture();
        fixture.roundtrip(client);
        if change {
            assert_eq!(client.told("Ready"), ready);
            window.draw(client, 300, 200, BLUE);
        }
        fixture.wait(client, "a capture", |c, _| c.told("Ready") > ready);
        frame.destroy();
        let mut pixels = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut pixels).unwrap();
        let at = (400 * 1280 + 640) * 4;
        u32::from_le_bytes([pixels[at], pixels[at + 1], pixels[at + 2], 0])
    };
    assert_eq!(capture(&mut fixture, &mut client, false), RED);
    assert_eq!(capture(&mut fixture, &mut client, true), BLUE);
    // A buffer of another size is refused, not written to.
    let (buffer, _file) = client.buffer(64, 64, 0);
    let frame = session.create_frame(&client.qh(), ());
    frame.attach_buffer(&buffer);
    frame.capture();
    window.draw(&client, 300, 200, RED);
    fixture.wait(&mut client, "the refusal", |c, _| {
        c.told("Failed { reason: Value(BufferConstraints) }") == 1
    });
}

#[test]
fn a_window_can_have_a_parent_in_another_client_in_either_version() {
    let mut fixture = Fixture::new();
    let mut app = fixture.client();
    let parent = open(&mut fixture, &mut app, 600, 400, RED);
    let exporter: ZxdgExporterV1 = app.bind();
    let exported = exporter.export(&parent.surface, &app.qh(), ());
    fixture.wait(&mut app, "the handle", |c, _| c.told("Handle") == 1);
    let told = app.data.told.iter().find(|t| t.starts_with("Handle"));
    let handle = told.unwrap().split('"').nth(1).unwrap().to_owned();
    let mut portal = fixture.client();
    let dialog = portal.toplevel(&portal.surface(), None);
    let importer: ZxdgImporterV2 = portal.bind();
    let imported = importer.import_toplevel(handle.clone(), &portal.qh(), ());
    imported.set_parent_of(&dialog.surface);
    dialog.open(&mut fixture, &mut portal, 100, 100, BLUE);
    // It stands over the middle of its parent, and stays above it.
    let shot = fixture.screenshot(&mut app);
    assert_eq!(shot.at(640, 400), BLUE);
    let pointer = app.virtual_pointer();
    common::click(&pointer, 345, 205);
    fixture.roundtrip(&mut app);
    assert_eq!(fixture.screenshot(&mut app).at(640, 400), BLUE);
    let old: ZxdgImporterV1 = portal.bind();
    old.import(handle.clone(), &portal.qh(), ());
    old.import("nobody knows it".into(), &portal.qh(), ());
    fixture.roundtrip(&mut portal);
    assert_eq!(portal.told("Destroyed"), 1);
    // When the export ends nothing ties them together any more.
    exported.destroy();
    fixture.roundtrip(&mut app);
    fixture.roundtrip(&mut portal);
    assert_eq!(portal.told("Destroyed"), 3);
    common::click(&pointer, 345, 205);
    fixture.roundtrip(&mut app);
    assert_eq!(fixture.screenshot(&mut app).at(640, 400), RED);
}

#[test]
fn a_clipboard_manager_sets_and_reads_the_selection_without_a_window() {
    let mut fixture = Fixture::new();
    let mut setter = fixture.client();
    let manager: ExtDataControlManagerV1 = setter.bind();
    let device = manager.get_data_device(&setter.seat, &setter.qh(), ());
    let source = manager.create_data_source(&setter.qh(), "wintering".to_owned());
    source.offer("text/plain".into());
    device.set_selection(Some(&source));
    fixture.roundtrip(&mut setter);
    let mut reader = fixture.client();
    let manager: ExtDataControlManagerV1 = reader.bind();
    manager.get_data_device(&reader.seat, &reader.qh(), ());
    fixture.wait(&mut reader, "the offer", |c, _| {
        c.told("Offer { mime_type: \"text/plain\" }") == 1
    });
    let offer = OFFERS.with_borrow(|offers| offers.last().cloned()).unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    offer.receive("text/plain".into(), theirs.as_fd());
    drop(theirs);
    fixture.roundtrip(&mut reader);
    fixture.roundtrip(&mut setter);
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    assert_eq!(text, "wintering");
}
