//! What clients may ask of input: a locked or confined pointer, relative motion, our own keys, and to hear of idleness.

mod common;

use common::{Data, Fixture, Key, click, open, tap};
use wayland_client::delegate_noop;
use wayland_protocols::ext::idle_notify::v1::client::{
    ext_idle_notification_v1::ExtIdleNotificationV1, ext_idle_notifier_v1::ExtIdleNotifierV1,
};
use wayland_protocols::wp::idle_inhibit::zv1::client::{
    zwp_idle_inhibit_manager_v1::ZwpIdleInhibitManagerV1, zwp_idle_inhibitor_v1::ZwpIdleInhibitorV1,
};
use wayland_protocols::wp::keyboard_shortcuts_inhibit::zv1::client::{
    zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
    zwp_keyboard_shortcuts_inhibitor_v1::ZwpKeyboardShortcutsInhibitorV1,
};
use wayland_protocols::wp::pointer_constraints::zv1::client::{
    zwp_confined_pointer_v1::ZwpConfinedPointerV1,
    zwp_locked_pointer_v1::ZwpLockedPointerV1,
    zwp_pointer_constraints_v1::{Lifetime, ZwpPointerConstraintsV1},
};
use wayland_protocols::wp::relative_pointer::zv1::client::{
    zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1,
    zwp_relative_pointer_v1::ZwpRelativePointerV1,
};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
const ESCAPE: u32 = 1;
const ALT: u32 = 56;
const SUPER: u32 = 125;
const TAB: u32 = 15;

logs!(
    ZwpLockedPointerV1,
    ZwpConfinedPointerV1,
    ZwpRelativePointerV1,
    ZwpKeyboardShortcutsInhibitorV1,
    ExtIdleNotificationV1,
);
delegate_noop!(Data: ignore ZwpPointerConstraintsV1);
delegate_noop!(Data: ignore ZwpRelativePointerManagerV1);
delegate_noop!(Data: ignore ZwpKeyboardShortcutsInhibitManagerV1);
delegate_noop!(Data: ignore ExtIdleNotifierV1);
delegate_noop!(Data: ignore ZwpIdleInhibitManagerV1);
delegate_noop!(Data: ignore ZwpIdleInhibitorV1);

fn pointer_at(fixture: &Fixture) -> (f64, f64) {
    let pointer = fixture.server.seat.get_pointer().unwrap();
    let at = pointer.current_location();
    (at.x, at.y)
}

#[test]
fn a_locked_pointer_stays_and_its_motion_is_told() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let mouse = client.virtual_pointer();
    click(&mouse, 640, 400);
    let relative: ZwpRelativePointerManagerV1 = client.bind();
    let pointer = client.seat.get_pointer(&client.qh(), ());
    relative.get_relative_pointer(&pointer, &client.qh(), ());
    let constraints: ZwpPointerConstraintsV1 = client.bind();
    let locked = constraints.lock_pointer(
        &window.surface,
        &pointer,
        None,
        Lifetime::Persistent,
        &client.qh(),
        (),
    );
    fixture.roundtrip(&mut client);
    assert_eq!(client.told("Locked"), 1);
    mouse.motion(0, 50.0, -20.0);
    mouse.frame();
    fixture.roundtrip(&mut client);
    assert_eq!(pointer_at(&fixture), (640.0, 400.0));
    let motion = client
        .data
        .told
        .iter()
        .find(|e| e.contains("RelativeMotion"));
    let motion = motion.expect("the motion");
    assert!(
        motion.contains("dx: 50.0") && motion.contains("dy: -20.0"),
        "{motion}"
    );
    // Where the client's own pointer stands is where ours is when it is free.
    locked.set_cursor_position_hint(10.0, 20.0);
    window.surface.commit();
    fixture.roundtrip(&mut client);
    locked.destroy();
    fixture.roundtrip(&mut client);
    assert_eq!(pointer_at(&fixture), (450.0, 270.0));
    mouse.motion(0, 5.0, 0.0);
    mouse.frame();
    fixture.roundtrip(&mut client);
    assert_eq!(pointer_at(&fixture), (455.0, 270.0));
}

#[test]
fn a_pointer_is_locked_only_for_the_window_that_has_the_keyboard() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let other = open(&mut fixture, &mut client, 400, 300, BLUE);
    let mouse = client.virtual_pointer();
    let at = fixture
        .server
        .shell
        .rect_of(fixture.server.shell.stack()[0]);
    let (x, y) = (at.unwrap().loc.x as u32 + 5, at.unwrap().loc.y as u32 + 5);
    mouse.motion_absolute(0, x, y, 1280, 800);
    mouse.frame();
    let constraints: ZwpPointerConstraintsV1 = client.bind();
    let pointer = client.seat.get_pointer(&client.qh(), ());
    let (surface, qh) = (&window.surface, client.qh());
    constraints.lock_pointer(surface, &pointer, None, Lifetime::Persistent, &qh, ());
    fixture.roundtrip(&mut client);
    assert_eq!(client.told("Locked"), 0);
    click(&mouse, x, y);
    fixture.roundtrip(&mut client);
    assert_eq!(client.told("Locked"), 1);
    let keyboard = client.us_keyboard();
    keyboard.key(0, ALT, 1);
    tap(&keyboard, TAB);
    keyboard.key(0, ALT, 0);
    fixture.roundtrip(&mut client);
    assert!(client.data.keys.contains(&Key::Enter(other.id())));
    assert_eq!(client.told("Unlocked"), 1);
}

#[test]
fn a_confined_pointer_stops_at_the_border() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let mouse = client.virtual_pointer();
    click(&mouse, 640, 400);
    let constraints: ZwpPointerConstraintsV1 = client.bind();
    let pointer = client.seat.get_pointer(&client.qh(), ());
    let confined = constraints.confine_pointer(
        &window.surface,
        &pointer,
        None,
        Lifetime::Oneshot,
        &client.qh(),
        (),
    );
    fixture.roundtrip(&mut client);
    assert_eq!(client.told("Confined"), 1);
    mouse.motion(0, 1000.0, 30.0);
    mouse.frame();
    fixture.roundtrip(&mut client);
    assert_eq!(pointer_at(&fixture), (839.0, 430.0));
    confined.destroy();
    mouse.motion(0, 100.0, 0.0);
    mouse.frame();
    fixture.roundtrip(&mut client);
    assert_eq!(pointer_at(&fixture), (939.0, 430.0));
}

#[test]
fn a_window_may_have_our_keys_and_super_escape_takes_them_back() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let other = open(&mut fixture, &mut client, 200, 200, BLUE);
    let window = open(&mut fixture, &mut client, 200, 200, RED);
    let keyboard = client.us_keyboard();
    let manager: ZwpKeyboardShortcutsInhibitManagerV1 = client.bind();
    manager.inhibit_shortcuts(&window.surface, &client.seat, &client.qh(), ());
    let alt_tab = |fixture: &mut Fixture, client: &mut common::Client| {
        client.data.keys.clear();
        keyboard.key(0, ALT, 1);
        tap(&keyboard, TAB);
        keyboard.key(0, ALT, 0);
        fixture.roundtrip(client);
    };
    alt_tab(&mut fixture, &mut client);
    assert_eq!(client.told("Active"), 1);
    assert!(client.data.keys.contains(&Key::Press(TAB)));
    assert!(!client.data.keys.contains(&Key::Enter(other.id())));
    keyboard.key(0, SUPER, 1);
    tap(&keyboard, ESCAPE);
    keyboard.key(0, SUPER, 0);
    alt_tab(&mut fixture, &mut client);
    assert_eq!(client.told("Inactive"), 1);
    assert!(!client.data.keys.contains(&Key::Press(TAB)));
    assert!(client.data.keys.contains(&Key::Enter(other.id())));
}

#[test]
fn idleness_is_told_ends_with_a_key_and_is_put_off_by_a_window_that_is_seen() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 200, 200, RED);
    let notifier: ExtIdleNotifierV1 = client.bind();
    notifier.get_idle_notification(1, &client.seat, &client.qh(), ());
    fixture.wait(&mut client, "idleness", |c, _| c.told("Idled") == 1);
    let keyboard = client.us_keyboard();
    tap(&keyboard, 30);
    fixture.wait(&mut client, "the end of idleness", |c, _| {
        c.told("Resumed") >= 1
    });
    fixture.wait(&mut client, "idleness again", |c, _| {
        c.told("Idled") > c.told("Resumed") - 1 && c.told("Idled") >= 2
    });
    let resumed = client.told("Resumed");
    let manager: ZwpIdleInhibitManagerV1 = client.bind();
    manager.create_inhibitor(&window.surface, &client.qh(), ());
    fixture.wait(&mut client, "the end of idleness", |c, _| {
        c.told("Resumed") > resumed
    });
    assert!(fixture.server.protocols.idle.is_inhibited());
    let idled = client.told("Idled");
    window.close();
    // Who cannot be seen puts nothing off.
    fixture.wait(&mut client, "idleness without the window", |c, _| {
        c.told("Idled") > idled
    });
}
