//! Several outputs: side by side, of different scales, coming and going.

mod common;

use std::cell::RefCell;
use std::os::unix::net::UnixStream;

use common::{Client, Data, Fixture, open};
use overwinter_compositor::outputs::{Change, Plug};
use overwinter_compositor::shell::Item;
use overwinter_layout::{self as layout, Op, Share};
use wayland_client::protocol::wl_output::{self, WlOutput};
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, delegate_noop, event_created_child,
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
use wayland_protocols::ext::session_lock::v1::client::{
    ext_session_lock_manager_v1::ExtSessionLockManagerV1,
    ext_session_lock_surface_v1::{self, ExtSessionLockSurfaceV1},
    ext_session_lock_v1::ExtSessionLockV1,
};
use wayland_protocols::wp::fractional_scale::v1::client::{
    wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1,
    wp_fractional_scale_v1::WpFractionalScaleV1,
};
use wayland_protocols_wlr::layer_shell::v1::client::{
    zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1},
    zwlr_layer_surface_v1::{self, Anchor, ZwlrLayerSurfaceV1},
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
const GREEN: u32 = 0x20cc20;

logs!(
    WpFractionalScaleV1,
    ExtSessionLockV1,
    ExtImageCopyCaptureSessionV1,
    ExtImageCopyCaptureFrameV1,
    ZwlrOutputConfigurationV1,
    ZwlrOutputModeV1,
    ZwlrOutputPowerV1,
);
delegate_noop!(Data: ignore WpFractionalScaleManagerV1);
delegate_noop!(Data: ignore ExtImageCaptureSourceV1);
delegate_noop!(Data: ignore ExtOutputImageCaptureSourceManagerV1);
delegate_noop!(Data: ignore ExtImageCopyCaptureManagerV1);
delegate_noop!(Data: ignore ExtSessionLockManagerV1);
delegate_noop!(Data: ignore ZwlrLayerShellV1);
delegate_noop!(Data: ignore ZwlrOutputConfigurationHeadV1);
delegate_noop!(Data: ignore ZwlrOutputPowerManagerV1);

thread_local! {
    /// Heads with their names, as they came: a test has one settings program.
    static HEADS: RefCell<Vec<(ZwlrOutputHeadV1, String)>> = const { RefCell::new(Vec::new()) };
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
    }
    event_created_child!(Data, ZwlrOutputManagerV1, [
        zwlr_output_manager_v1::EVT_HEAD_OPCODE => (ZwlrOutputHeadV1, ())
    ]);
}

impl Dispatch<ZwlrOutputHeadV1, ()> for Data {
    fn event(
        data: &mut Self,
        head: &ZwlrOutputHeadV1,
        event: zwlr_output_head_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let zwlr_output_head_v1::Event::Name { name } = &event {
            HEADS.with_borrow_mut(|heads| heads.push((head.clone(), name.clone())));
        }
        let known = |(h, _): &&(ZwlrOutputHeadV1, String)| h == head;
        let name = HEADS.with_borrow(|heads| heads.iter().find(known).map(|(_, n)| n.clone()));
        data.told
            .push(format!("{} {event:?}", name.unwrap_or_default()));
    }
    event_created_child!(Data, ZwlrOutputHeadV1, [
        zwlr_output_head_v1::EVT_MODE_OPCODE => (ZwlrOutputModeV1, ())
    ]);
}

impl Dispatch<ZwlrLayerSurfaceV1, u32> for Data {
    fn event(
        data: &mut Self,
        layer: &ZwlrLayerSurfaceV1,
        event: zwlr_layer_surface_v1::Event,
        id: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let heard = data.heard.entry(*id).or_default();
        match event {
            zwlr_layer_surface_v1::Event::Configure {
                serial,
                width,
                height,
            } => {
                layer.ack_configure(serial);
                heard.size = (width as i32, height as i32);
                heard.configures += 1;
            }
            zwlr_layer_surface_v1::Event::Closed => heard.closed = true,
            _ => {}
        }
    }
}

impl Dispatch<ExtSessionLockSurfaceV1, u32> for Data {
    fn event(
        data: &mut Self,
        of_lock: &ExtSessionLockSurfaceV1,
        event: ext_session_lock_surface_v1::Event,
        id: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let ext_session_lock_surface_v1::Event::Configure {
            serial,
            width,
            height,
        } = event
        {
            of_lock.ack_configure(serial);
            let heard = data.heard.entry(*id).or_default();
            heard.size = (width as i32, height as i32);
            heard.configures += 1;
        }
    }
}

/// Two outputs, 800x600 and 640x480 at scale 2 (320x240): first, second.
fn two() -> (Fixture, Client, WlOutput, WlOutput) {
    let mut fixture = Fixture::with_outputs(&["800x600", "640x480@2"]);
    let mut client = fixture.client();
    let first = client.output_named(&mut fixture, "HEADLESS-1");
    let second = client.output_named(&mut fixture, "HEADLESS-2");
    (fixture, client, first, second)
}

/// The one window there is goes there.
fn put(fixture: &mut Fixture, at: (i32, i32)) {
    let id = fixture.server.shell.windows().next().unwrap().id;
    fixture.server.put_window(Item::Window(id), at.into());
}

fn place(fixture: &Fixture, name: &str) -> (i32, i32, i32, i32) {
    let area = fixture.server.outputs.named(name).unwrap().area();
    (area.loc.x, area.loc.y, area.size.w, area.size.h)
}

/// A strip of 20 pixels at the upper edge of an output.
fn bar(fixture: &mut Fixture, client: &mut Client, output: Option<&WlOutput>, xrgb: u32) -> u32 {
    let shell: ZwlrLayerShellV1 = client.bind();
    let surface = client.surface();
    let id = surface.id().protocol_id();
    let qh = client.qh();
    let layer = shell.get_layer_surface(&surface, output, Layer::Top, "bar".into(), &qh, id);
    layer.set_anchor(Anchor::Top | Anchor::Left | Anchor::Right);
    layer.set_size(0, 20);
    layer.set_exclusive_zone(20);
    surface.commit();
    fixture.wait(client, "the bar's size", |c, _| {
        c.data.heard.get(&id).is_some_and(|h| h.configures > 0)
    });
    let (width, height) = client.data.heard[&id].size;
    let (buffer, _) = client.buffer(width, height, xrgb);
    surface.attach(Some(&buffer), 0, 0);
    surface.commit();
    fixture.roundtrip(client);
    id
}

#[test]
fn a_window_across_two_outputs_is_drawn_on_both_at_their_scales() {
    let (mut fixture, mut client, first, second) = two();
    let scales: WpFractionalScaleManagerV1 = client.bind();
    let window = open(&mut fixture, &mut client, 200, 100, RED);
    scales.get_fractional_scale(&window.surface, &client.qh(), ());
    put(&mut fixture, (100, 50));
    fixture.wait(&mut client, "the first output", |c, _| {
        c.outputs_of(&window) == ["HEADLESS-1"]
    });
    assert_eq!(
        client.data.scales.get(&window.id()).copied().unwrap_or(1),
        1
    );
    let shot = fixture.screenshot_of(&mut client, &second);
    assert!(shot.part(0, 0, 640, 480).iter().all(|p| *p != RED));
    // The right half is on the second, which has two pixels for each of the first's.
    put(&mut fixture, (700, 50));
    fixture.wait(&mut client, "both outputs", |c, _| {
        c.outputs_of(&window) == ["HEADLESS-1", "HEADLESS-2"]
    });
    fixture.wait(&mut client, "the larger scale", |c, _| {
        c.data.scales.get(&window.id()) == Some(&2) && c.told("PreferredScale { scale: 240 }") == 1
    });
    let shot = fixture.screenshot_of(&mut client, &first);
    assert!(shot.part(700, 50, 100, 100).iter().all(|p| *p == RED));
    assert_ne!(shot.at(699, 50), RED);
    let shot = fixture.screenshot_of(&mut client, &second);
    // Edges of what is drawn larger are smooth.
    assert!(shot.part(0, 102, 198, 196).iter().all(|p| *p == RED));
    assert_ne!(shot.at(202, 102), RED);
    assert_ne!(shot.at(2, 97), RED);
    put(&mut fixture, (900, 50));
    fixture.wait(&mut client, "only the second", |c, _| {
        c.outputs_of(&window) == ["HEADLESS-2"]
    });
    // A frame of the output that it is on is what lets it draw the next.
    let frames = client.heard(&window).frames;
    window.draw(&client, 200, 100, BLUE);
    fixture.wait(&mut client, "a frame", |c, _| {
        c.heard(&window).frames > frames
    });
    let shot = fixture.screenshot_of(&mut client, &second);
    assert_eq!(shot.at(300, 200), BLUE);
}

#[test]
fn a_tile_that_hangs_out_of_its_output_is_not_seen_on_the_next() {
    let (mut fixture, mut client, first, second) = two();
    fixture.server.set_layout_options(layout::Options {
        tile: true,
        column: Share::of(2, 3),
        ..layout::Options::default()
    });
    let mut tile = |xrgb: u32| {
        let window = client.toplevel(&client.surface(), None);
        window.surface.commit();
        fixture.roundtrip(&mut client);
        let (width, height) = client.heard(&window).size;
        window.draw(&client, width, height, xrgb);
        fixture.roundtrip(&mut client);
        fixture.server.shell.focus().unwrap().name()
    };
    let red = tile(RED);
    tile(BLUE);
    let (window, raise) = (red, true);
    fixture.server.layout(Op::Focus { window, raise }).unwrap();
    let shot = fixture.screenshot_of(&mut client, &first);
    assert_eq!((shot.at(30, 300), shot.at(799, 300)), (RED, BLUE));
    let shot = fixture.screenshot_of(&mut client, &second);
    assert!(!shot.part(0, 0, 640, 480).contains(&BLUE));
}

#[test]
fn scales_between_whole_numbers_lie_side_by_side_without_a_gap() {
    let outputs = ["1000x500@1.25", "900x600@1.5", "800x600"];
    let mut fixture = Fixture::with_outputs(&outputs);
    let mut client = fixture.client();
    assert_eq!(place(&fixture, "HEADLESS-1"), (0, 0, 800, 400));
    assert_eq!(place(&fixture, "HEADLESS-2"), (800, 0, 600, 400));
    assert_eq!(place(&fixture, "HEADLESS-3"), (1400, 0, 800, 600));
    // Larger than all of them: its own edges are drawn smooth. The upper one is kept in reach.
    open(&mut fixture, &mut client, 2220, 620, RED);
    put(&mut fixture, (-10, -10));
    for (name, w, h) in [
        ("HEADLESS-1", 1000, 500),
        ("HEADLESS-2", 900, 600),
        ("HEADLESS-3", 800, 600),
    ] {
        let output = client.output_named(&mut fixture, name);
        let shot = fixture.screenshot_of(&mut client, &output);
        assert!(
            shot.part(0, 2, w, h - 2).iter().all(|p| *p == RED),
            "{name}"
        );
    }
}

#[test]
fn what_changes_on_one_output_draws_no_other() {
    let (mut fixture, mut client, _, _) = two();
    let window = open(&mut fixture, &mut client, 200, 100, RED);
    put(&mut fixture, (100, 50));
    fixture.frame(&mut client);
    let count = |fixture: &Fixture, name: &str| {
        let outputs = &fixture.server.outputs;
        outputs.named(name).unwrap().frames.count
    };
    let before = (count(&fixture, "HEADLESS-1"), count(&fixture, "HEADLESS-2"));
    window.draw(&client, 200, 100, BLUE);
    fixture.wait(&mut client, "a frame of the first", |_, s| {
        s.outputs.named("HEADLESS-1").unwrap().frames.count > before.0
    });
    assert_eq!(count(&fixture, "HEADLESS-2"), before.1);
}

#[test]
fn a_bar_stands_on_its_own_output_and_goes_with_it() {
    let (mut fixture, mut client, first, second) = two();
    let named = bar(&mut fixture, &mut client, Some(&second), RED);
    let any = bar(&mut fixture, &mut client, None, BLUE);
    assert_eq!(client.data.heard[&named].size, (320, 20));
    assert_eq!(client.data.heard[&any].size, (800, 20));
    assert_eq!(fixture.server.work_area().loc.y, 20);
    let shot = fixture.screenshot_of(&mut client, &second);
    // Edges of what is drawn larger are smooth.
    assert!(shot.part(2, 2, 636, 36).iter().all(|p| *p == RED));
    assert_ne!(shot.at(2, 42), RED);
    assert_eq!(fixture.screenshot_of(&mut client, &first).at(799, 19), BLUE);
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    fixture.wait(&mut client, "that the bar is to go", |c, _| {
        c.data.heard[&named].closed
    });
    // One that did not choose its output moves on to one that is there (and that still has its scale of 2).
    let plug = Plug::default();
    assert_eq!(fixture.server.plug_output(&plug).unwrap(), "HEADLESS-2");
    fixture.server.unplug_output("HEADLESS-1").unwrap();
    fixture.wait(&mut client, "the bar's new size", |c, _| {
        c.data.heard[&any].size == (640, 20)
    });
    assert!(!client.data.heard[&any].closed);
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    fixture.roundtrip(&mut client);
    assert!(!client.data.heard[&any].closed);
    let plug = Plug {
        size: Some((500, 300)),
        ..Plug::default()
    };
    assert_eq!(fixture.server.plug_output(&plug).unwrap(), "HEADLESS-1");
    fixture.wait(&mut client, "the bar's size when there is room", |c, _| {
        c.data.heard[&any].size == (500, 20)
    });
}

#[test]
fn a_lock_covers_every_output_also_one_that_comes_later() {
    let (mut fixture, mut client, first, second) = two();
    open(&mut fixture, &mut client, 900, 240, RED);
    put(&mut fixture, (0, 0));
    let mut locker = fixture.client();
    let manager: ExtSessionLockManagerV1 = locker.bind();
    let lock = manager.lock(&locker.qh(), ());
    fixture.wait(&mut locker, "the lock", |c, s| {
        let told = c.told("Locked") == 1;
        let drawn = |h: &overwinter_compositor::outputs::Head| h.frames.count > 0;
        assert!(!told || s.outputs.used().all(drawn));
        told
    });
    // Before the locker has shown anything nothing of the session is seen on any.
    for (output, w, h) in [(&first, 800, 600), (&second, 640, 480)] {
        let shot = fixture.screenshot_of(&mut client, output);
        assert!(shot.part(0, 0, w, h).iter().all(|p| *p != RED));
    }
    let cover = |fixture: &mut Fixture, locker: &mut Client, name: &str, xrgb: u32| {
        let output = locker.output_named(fixture, name);
        let surface = locker.surface();
        let id = surface.id().protocol_id();
        lock.get_lock_surface(&surface, &output, &locker.qh(), id);
        fixture.wait(locker, "the size", |c, _| {
            c.data.heard.get(&id).is_some_and(|h| h.configures > 0)
        });
        let (w, h) = locker.data.heard[&id].size;
        let (buffer, _) = locker.buffer(w, h, xrgb);
        surface.attach(Some(&buffer), 0, 0);
        surface.commit();
        fixture.roundtrip(locker);
        (w, h)
    };
    assert_eq!(
        cover(&mut fixture, &mut locker, "HEADLESS-1", BLUE),
        (800, 600)
    );
    assert_eq!(
        cover(&mut fixture, &mut locker, "HEADLESS-2", GREEN),
        (320, 240)
    );
    let shot = fixture.screenshot_of(&mut client, &first);
    assert!(shot.part(0, 0, 800, 600).iter().all(|p| *p == BLUE));
    let shot = fixture.screenshot_of(&mut client, &second);
    assert!(shot.part(2, 2, 636, 476).iter().all(|p| *p == GREEN));
    // The keyboard is where the user's finger or pointer was last.
    fixture.server.touch_screen_found();
    let typed_on = |fixture: &Fixture| {
        let keyboard = fixture.server.seat.get_keyboard().unwrap();
        keyboard.current_focus().unwrap()
    };
    let before = typed_on(&fixture);
    let finger = || smithay::backend::input::TouchSlot::from(Some(1));
    for (at, moved) in [((900.0, 100.0), true), ((100.0, 100.0), false)] {
        fixture.server.touch_down(finger(), at.into(), 0);
        fixture.server.touch_up(finger(), 1);
        assert_eq!(typed_on(&fixture) != before, moved, "{at:?}");
    }
    fixture.server.plug_output(&Plug::default()).unwrap();
    fixture.roundtrip(&mut client);
    let third = client.output_named(&mut fixture, "HEADLESS-3");
    put(&mut fixture, (1100, 0));
    let shot = fixture.screenshot_of(&mut client, &third);
    assert!(shot.part(0, 0, 1280, 800).iter().all(|p| *p != RED));
    fixture.roundtrip(&mut locker);
    assert_eq!(
        cover(&mut fixture, &mut locker, "HEADLESS-3", GREEN),
        (1280, 800)
    );
    let shot = fixture.screenshot_of(&mut client, &third);
    assert_eq!(shot.at(600, 400), GREEN);
    lock.unlock_and_destroy();
    fixture.roundtrip(&mut locker);
    assert_eq!(fixture.screenshot_of(&mut client, &third).at(100, 100), RED);
}

#[test]
fn without_any_output_a_locker_hears_that_nothing_is_seen() {
    let mut fixture = Fixture::new();
    let mut locker = fixture.client();
    fixture.server.unplug_output("HEADLESS-1").unwrap();
    let manager: ExtSessionLockManagerV1 = locker.bind();
    manager.lock(&locker.qh(), ());
    fixture.wait(&mut locker, "the lock", |c, _| c.told("Locked") == 1);
}

#[test]
fn the_pointer_goes_from_output_to_output_and_never_between_them() {
    let (mut fixture, mut client, _, second) = two();
    let pointer = client.virtual_pointer();
    let here = |fixture: &mut Fixture, client: &mut Client| {
        fixture.roundtrip(client);
        let at = fixture
            .server
            .seat
            .get_pointer()
            .unwrap()
            .current_location();
        (at.x, at.y)
    };
    let by = |dx: f64, dy: f64| {
        pointer.motion(0, dx, dy);
        pointer.frame();
    };
    by(790.0, 100.0);
    assert_eq!(here(&mut fixture, &mut client), (790.0, 100.0));
    // In steps smaller than a pixel, too.
    for _ in 0..40 {
        by(0.6, 0.0);
    }
    assert_eq!(here(&mut fixture, &mut client).0.round(), 814.0);
    by(0.0, 500.0);
    let at = here(&mut fixture, &mut client);
    assert_eq!((at.0.round(), at.1), (814.0, 239.0));
    by(5000.0, 0.0);
    assert_eq!(here(&mut fixture, &mut client).0, 1119.0);
    // Below the second there is nothing: the way down leads back to the first.
    by(-320.0, 0.0);
    by(0.0, 300.0);
    assert_eq!(here(&mut fixture, &mut client), (799.0, 539.0));
    // A tablet of the second output points there only.
    let manager: wayland_protocols_wlr::virtual_pointer::v1::client::zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1 = client.bind();
    let tablet = manager.create_virtual_pointer_with_output(None, Some(&second), &client.qh(), ());
    tablet.motion_absolute(0, 1, 1, 2, 2);
    tablet.frame();
    assert_eq!(here(&mut fixture, &mut client), (960.0, 120.0));
    // It goes nowhere with the output that it is on.
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    assert_eq!(here(&mut fixture, &mut client), (799.0, 120.0));
    tablet.motion_absolute(0, 1, 1, 2, 2);
    tablet.frame();
    assert_eq!(here(&mut fixture, &mut client), (799.0, 120.0));
    fixture.server.unplug_output("HEADLESS-1").unwrap();
    by(1.0, 1.0);
    here(&mut fixture, &mut client);
}

#[test]
fn the_last_output_can_go_and_everything_is_there_again_when_it_is_back() {
    let mut fixture = Fixture::with_outputs(&["1000x600@1.25"]);
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 300, 200, RED);
    let output = client.output_named(&mut fixture, "HEADLESS-1");
    let before = fixture.screenshot_of(&mut client, &output);
    let area = fixture.server.area();
    fixture.server.unplug_output("HEADLESS-1").unwrap();
    fixture.wait(&mut client, "that it is on no output", |c, _| {
        c.outputs_of(&window).is_empty()
    });
    assert_eq!(fixture.server.area(), area);
    // Clients go on, old ones and new ones.
    window.draw(&client, 300, 200, RED);
    let (ours, theirs) = UnixStream::pair().unwrap();
    fixture.server.add_client(theirs).unwrap();
    fixture.connect(ours);
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).closed);
    let plug = Plug {
        size: Some((1000, 600)),
        ..Plug::default()
    };
    fixture.server.plug_output(&plug).unwrap();
    fixture.roundtrip(&mut client);
    let output = client.output_named(&mut fixture, "HEADLESS-1");
    fixture.wait(&mut client, "the output again", |c, _| {
        c.outputs_of(&window) == ["HEADLESS-1"]
    });
    // Its scale was remembered.
    assert_eq!(fixture.server.area(), area);
    let after = fixture.screenshot_of(&mut client, &output);
    assert_eq!(before.part(0, 0, 1000, 600), after.part(0, 0, 1000, 600));
}

#[test]
fn outputs_stand_the_same_in_whatever_order_they_come() {
    let plug = |fixture: &mut Fixture, name: &str, size: (i32, i32)| {
        let plug = Plug {
            name: Some(name.into()),
            size: Some(size),
            scale: None,
        };
        fixture.server.plug_output(&plug).unwrap();
    };
    let mut places = Vec::new();
    for order in [["DP-2", "DP-10"], ["DP-10", "DP-2"]] {
        let mut fixture = Fixture::new();
        fixture.server.unplug_output("HEADLESS-1").unwrap();
        for name in order {
            let wide = if name == "DP-2" { 700 } else { 900 };
            plug(&mut fixture, name, (wide, 600));
        }
        places.push((place(&fixture, "DP-2"), place(&fixture, "DP-10")));
    }
    assert_eq!(places[0], ((0, 0, 700, 600), (700, 0, 900, 600)));
    assert_eq!(places[0], places[1]);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut fixture = Fixture::new();
    let server = &mut fixture.server;
    let named = |name: &str| Plug {
        name: Some(name.into()),
        ..Plug::default()
    };
    for (plug, why) in [
        (named("HEADLESS-1"), "plugged in already"),
        (named(""), "name is made of"),
        (named("a b"), "name is made of"),
        (
            Plug {
                size: Some((10, 10)),
                ..Plug::default()
            },
            "10x10",
        ),
        (
            Plug {
                scale: Some(f64::NAN),
                ..Plug::default()
            },
            "scale NaN",
        ),
    ] {
        let error = server.plug_output(&plug).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(server.unplug_output("DP-9").is_err());
    assert_eq!(server.outputs.plugged().count(), 1);
    for _ in 1..16 {
        server.plug_output(&Plug::default()).unwrap();
    }
    let error = server.plug_output(&Plug::default()).unwrap_err();
    assert!(error.to_string().contains("16 outputs"), "{error}");
}

/// Asks for positions (or none: switched off) of the outputs.
fn configure(
    client: &Client,
    manager: &ZwlrOutputManagerV1,
    wishes: &[(&str, Option<(i32, i32)>)],
    test: bool,
) {
    let told = client.data.told.iter().rev();
    let serial = told
        .filter_map(|t| {
            t.strip_prefix("Done { serial: ")?
                .strip_suffix(" }")?
                .parse()
                .ok()
        })
        .next();
    let configuration = manager.create_configuration(serial.unwrap(), &client.qh(), ());
    HEADS.with_borrow(|heads| {
        for (name, at) in wishes {
            let (head, _) = heads.iter().rev().find(|(_, n)| n == name).unwrap();
            match at {
                Some((x, y)) => configuration
                    .enable_head(head, &client.qh(), ())
                    .set_position(*x, *y),
                None => configuration.disable_head(head),
            }
        }
    });
    if test {
        configuration.test();
    } else {
        configuration.apply();
    }
}

#[test]
fn a_settings_program_places_outputs_and_switches_them_off_and_on() {
    let (mut fixture, mut client, _, _) = two();
    let manager: ZwlrOutputManagerV1 = client.bind();
    fixture.wait(&mut client, "the outputs", |c, _| c.told("Done") == 1);
    assert_eq!(client.told("HEADLESS-1 Position { x: 0, y: 0 }"), 1);
    assert_eq!(client.told("HEADLESS-2 Position { x: 800, y: 0 }"), 1);
    assert_eq!(client.told("HEADLESS-2 Scale { scale: 2.0 }"), 1);
    // Only asked: nothing changes.
    let above = [("HEADLESS-1", Some((0, 240))), ("HEADLESS-2", Some((0, 0)))];
    configure(&client, &manager, &above, true);
    fixture.wait(&mut client, "the answer", |c, _| c.told("Succeeded") == 1);
    assert_eq!(place(&fixture, "HEADLESS-1"), (0, 0, 800, 600));
    configure(&client, &manager, &above, false);
    fixture.wait(&mut client, "the change", |c, _| c.told("Succeeded") == 2);
    assert_eq!(place(&fixture, "HEADLESS-1"), (0, 240, 800, 600));
    assert_eq!(place(&fixture, "HEADLESS-2"), (0, 0, 320, 240));
    fixture.wait(&mut client, "the new places", |c, _| {
        c.told("HEADLESS-1 Position { x: 0, y: 240 }") == 1
            && c.told("HEADLESS-2 Position { x: 0, y: 0 }") == 1
    });
    let off = [("HEADLESS-1", None), ("HEADLESS-2", Some((0, 0)))];
    configure(&client, &manager, &off, false);
    fixture.wait(&mut client, "the change", |c, _| c.told("Succeeded") == 3);
    fixture.wait(&mut client, "that it is off", |c, _| {
        c.told("HEADLESS-1 Enabled { enabled: 0 }") == 1
    });
    assert_eq!(fixture.server.area().size, (320, 240).into());
    let none = [("HEADLESS-1", None), ("HEADLESS-2", None)];
    configure(&client, &manager, &none, false);
    fixture.wait(&mut client, "the refusal", |c, _| c.told("Failed") == 1);
    configure(&client, &manager, &above, false);
    fixture.wait(&mut client, "the change", |c, _| c.told("Succeeded") == 4);
    assert_eq!(place(&fixture, "HEADLESS-1"), (0, 240, 800, 600));
    // Unplugged and back it is where it was put.
    fixture.server.unplug_output("HEADLESS-1").unwrap();
    fixture.wait(&mut client, "that it is gone", |c, _| {
        c.told("HEADLESS-1 Finished") == 1
    });
    let plug = Plug {
        size: Some((800, 600)),
        ..Plug::default()
    };
    fixture.server.plug_output(&plug).unwrap();
    assert_eq!(place(&fixture, "HEADLESS-1"), (0, 240, 800, 600));
}

#[test]
fn one_output_is_switched_off_and_the_other_goes_on() {
    let (mut fixture, mut client, first, second) = two();
    open(&mut fixture, &mut client, 1000, 240, RED);
    put(&mut fixture, (0, 0));
    let manager: ZwlrOutputPowerManagerV1 = client.bind();
    let power = manager.get_output_power(&second, &client.qh(), ());
    power.set_mode(Mode::Off);
    fixture.wait(&mut client, "that it is off", |c, _| {
        c.told("Mode { mode: Value(Off) }") == 1
    });
    assert_ne!(fixture.screenshot_of(&mut client, &second).at(10, 10), RED);
    assert_eq!(fixture.screenshot_of(&mut client, &first).at(10, 10), RED);
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    fixture.wait(&mut client, "that there is nothing to switch", |c, _| {
        c.told("Failed") == 1
    });
    // Plugged in again it is lit: who does it wants to see something.
    let again = Plug {
        name: Some("HEADLESS-2".into()),
        ..Plug::default()
    };
    fixture.server.plug_output(&again).unwrap();
    fixture.roundtrip(&mut client);
    let second = client.output_named(&mut fixture, "HEADLESS-2");
    assert_eq!(fixture.screenshot_of(&mut client, &second).at(10, 10), RED);
}

#[test]
fn a_capture_shows_its_output_and_ends_with_it() {
    let (mut fixture, mut client, _, second) = two();
    open(&mut fixture, &mut client, 100, 100, RED);
    put(&mut fixture, (800, 0));
    let sources: ExtOutputImageCaptureSourceManagerV1 = client.bind();
    let source = sources.create_source(&second, &client.qh(), ());
    let manager: ExtImageCopyCaptureManagerV1 = client.bind();
    let session = manager.create_session(&source, Options::empty(), &client.qh(), ());
    fixture.wait(&mut client, "the size", |c, _| {
        c.told("BufferSize { width: 640, height: 480 }") == 1
    });
    let (buffer, file) = client.buffer(640, 480, 0);
    let frame = session.create_frame(&client.qh(), ());
    frame.attach_buffer(&buffer);
    frame.capture();
    fixture.wait(&mut client, "a capture", |c, _| c.told("Ready") == 1);
    frame.destroy();
    let mut pixel = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut pixel, (150 * 640 + 150) * 4).unwrap();
    assert_eq!(u32::from_le_bytes(pixel) & 0xff_ffff, RED);
    let frame = session.create_frame(&client.qh(), ());
    frame.attach_buffer(&buffer);
    frame.capture();
    fixture.roundtrip(&mut client);
    fixture.server.unplug_output("HEADLESS-2").unwrap();
    fixture.wait(&mut client, "the end", |c, _| {
        c.told("Failed { reason: Value(Stopped) }") == 1 && c.told("Stopped") == 1
    });
    let late = manager.create_session(&source, Options::empty(), &client.qh(), ());
    fixture.wait(&mut client, "that there is no such output", |c, _| {
        c.told("Stopped") == 2
    });
    late.destroy();
}

#[test]
fn a_turned_output_shows_a_buffer_that_is_turned_alike_as_it_is() {
    let mut fixture = Fixture::with_outputs(&["400x200"]);
    let mut client = fixture.client();
    let window = client.toplevel(&client.surface(), None);
    window.toplevel.set_fullscreen(None);
    // Red above, blue below, a green corner: no two turns of it look the same.
    let picture = |x: usize, y: usize| match (x, y) {
        (0..100, 0..50) => GREEN,
        (_, 0..100) => RED,
        _ => BLUE,
    };
    for (name, transform) in [
        ("90", wl_output::Transform::_90),
        ("180", wl_output::Transform::_180),
        ("270", wl_output::Transform::_270),
        ("flipped", wl_output::Transform::Flipped),
        ("flipped 90", wl_output::Transform::Flipped90),
        ("flipped 180", wl_output::Transform::Flipped180),
        ("flipped 270", wl_output::Transform::Flipped270),
    ] {
        let turn = Change {
            transform: Some(server_side(transform)),
            ..Change::default()
        };
        let changes = [("HEADLESS-1".to_owned(), turn)];
        fixture.server.change_outputs(&changes, false).unwrap();
        let quarter = name.contains('0') && !name.contains("180");
        let size = if quarter { (200, 400) } else { (400, 200) };
        window.surface.commit();
        fixture.wait(&mut client, "the size", |c, _| {
            c.heard(&window).size == size
        });
        fixture.roundtrip(&mut client);
        window.xdg.ack_configure(client.heard(&window).serial);
        let (buffer, file) = client.buffer(400, 200, 0);
        let pixels = (0..200).flat_map(|y| (0..400).map(move |x| 0xff00_0000 | picture(x, y)));
        let bytes: Vec<u8> = pixels.flat_map(u32::to_le_bytes).collect();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        window.surface.set_buffer_transform(transform);
        window.surface.attach(Some(&buffer), 0, 0);
        window.surface.damage_buffer(0, 0, 400, 200);
        window.surface.commit();
        fixture.roundtrip(&mut client);
        let shot = fixture.screenshot(&mut client);
        for (x, y) in [
            (10, 10),
            (390, 10),
            (10, 190),
            (390, 190),
            (90, 40),
            (110, 60),
        ] {
            assert_eq!(
                shot.at(x, y),
                picture(x as usize, y as usize),
                "{name} {x},{y}"
            );
        }
    }
}

fn server_side(transform: wl_output::Transform) -> smithay::utils::Transform {
    use smithay::utils::Transform;
    match transform {
        wl_output::Transform::_90 => Transform::_90,
        wl_output::Transform::_180 => Transform::_180,
        wl_output::Transform::_270 => Transform::_270,
        wl_output::Transform::Flipped => Transform::Flipped,
        wl_output::Transform::Flipped90 => Transform::Flipped90,
        wl_output::Transform::Flipped180 => Transform::Flipped180,
        wl_output::Transform::Flipped270 => Transform::Flipped270,
        _ => Transform::Normal,
    }
}
