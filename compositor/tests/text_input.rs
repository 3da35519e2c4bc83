//! Typing through an input method: text-input-v3 on the one side, input-method-v2 on the other.

mod common;

use common::{Client, Data, Fixture, Key, Window, open, tap};
use wayland_client::delegate_noop;
use wayland_protocols::ext::session_lock::v1::client::{
    ext_session_lock_manager_v1::ExtSessionLockManagerV1, ext_session_lock_v1::ExtSessionLockV1,
};
use wayland_protocols::wp::text_input::zv3::client::{
    zwp_text_input_manager_v3::ZwpTextInputManagerV3,
    zwp_text_input_v3::{ContentHint, ContentPurpose, ZwpTextInputV3},
};
use wayland_protocols_misc::zwp_input_method_v2::client::{
    zwp_input_method_keyboard_grab_v2::ZwpInputMethodKeyboardGrabV2,
    zwp_input_method_manager_v2::ZwpInputMethodManagerV2, zwp_input_method_v2::ZwpInputMethodV2,
    zwp_input_popup_surface_v2::ZwpInputPopupSurfaceV2,
};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
/// evdev
const A: u32 = 30;
const B: u32 = 48;

logs!(
    ZwpTextInputV3,
    ZwpInputMethodV2,
    ZwpInputMethodKeyboardGrabV2,
    ZwpInputPopupSurfaceV2,
    ExtSessionLockV1,
);
delegate_noop!(Data: ignore ZwpTextInputManagerV3);
delegate_noop!(Data: ignore ZwpInputMethodManagerV2);
delegate_noop!(Data: ignore ExtSessionLockManagerV1);

/// An app with an enabled text input, and an input method that knows of it.
fn typing(fixture: &mut Fixture) -> (Client, Window, ZwpTextInputV3, Client, ZwpInputMethodV2) {
    let mut app = fixture.client();
    let manager: ZwpTextInputManagerV3 = app.bind();
    let input = manager.get_text_input(&app.seat, &app.qh(), ());
    let window = open(fixture, &mut app, 400, 300, RED);
    let mut ime = fixture.client();
    let manager: ZwpInputMethodManagerV2 = ime.bind();
    let method = manager.get_input_method(&ime.seat, &ime.qh(), ());
    fixture.roundtrip(&mut ime);
    fixture.wait(&mut app, "that it may type", |c, _| c.told("Enter") == 1);
    input.enable();
    input.set_cursor_rectangle(10, 20, 1, 16);
    input.commit();
    fixture.roundtrip(&mut app);
    fixture.wait(&mut ime, "that somebody types", |c, _| {
        c.told("Activate") == 1 && c.told("Done") == 1
    });
    (app, window, input, ime, method)
}

#[test]
fn text_of_the_input_method_reaches_who_has_the_focus() {
    let mut fixture = Fixture::new();
    let (mut app, _window, _input, mut ime, method) = typing(&mut fixture);
    method.commit_string("雪".into());
    method.commit(1);
    fixture.roundtrip(&mut ime);
    fixture.wait(&mut app, "the text", |c, _| {
        c.told("CommitString { text: Some(\"雪\") }") == 1 && c.told("Done { serial: 1 }") == 1
    });
}

#[test]
fn a_text_input_that_says_what_nobody_knows_is_passed_over() {
    let mut fixture = Fixture::new();
    let (mut app, _window, input, mut ime, _method) = typing(&mut fixture);
    let future = ContentHint::from_bits_retain(1 << 30);
    input.set_content_type(future, ContentPurpose::Email);
    input.commit();
    fixture.roundtrip(&mut app);
    fixture.wait(&mut ime, "the commit", |c, _| c.told("Done") == 2);
    assert_eq!(ime.told("ContentType"), 0);
    input.set_content_type(ContentHint::None, ContentPurpose::Email);
    input.commit();
    fixture.roundtrip(&mut app);
    fixture.wait(&mut ime, "the next commit", |c, _| c.told("Done") == 3);
    assert_eq!(ime.told("ContentType"), 1);
}

#[test]
fn an_input_method_that_has_the_keyboard_can_pass_keys_on() {
    let mut fixture = Fixture::new();
    let (mut app, _window, _input, mut ime, method) = typing(&mut fixture);
    let real = app.us_keyboard();
    let of_ime = ime.us_keyboard();
    method.grab_keyboard(&ime.qh(), ());
    fixture.roundtrip(&mut ime);
    app.data.keys.clear();
    tap(&real, A);
    fixture.roundtrip(&mut app);
    fixture.wait(&mut ime, "the key", |c, _| {
        c.data
            .told
            .iter()
            .any(|t| t.starts_with("Key ") && t.contains("key: 30"))
    });
    assert!(!app.data.keys.contains(&Key::Press(A)));
    tap(&of_ime, B);
    fixture.roundtrip(&mut ime);
    fixture.roundtrip(&mut app);
    assert!(
        app.data.keys.contains(&Key::Press(B)),
        "{:?}",
        app.data.keys
    );
    assert!(app.data.keys.contains(&Key::Release(B)));
    let came_back = |t: &String| t.starts_with("Key ") && t.contains("key: 48");
    assert!(!ime.data.told.iter().any(came_back));
}

#[test]
fn what_is_typed_at_a_lock_is_not_for_the_input_method() {
    let mut fixture = Fixture::new();
    let (mut app, _window, _input, mut ime, method) = typing(&mut fixture);
    let real = app.us_keyboard();
    let mut locker = fixture.client();
    let manager: ExtSessionLockManagerV1 = locker.bind();
    manager.lock(&locker.qh(), ());
    fixture.wait(&mut locker, "the lock", |c, _| c.told("Locked") == 1);
    // Taken after the session was locked.
    method.grab_keyboard(&ime.qh(), ());
    fixture.roundtrip(&mut ime);
    tap(&real, A);
    fixture.roundtrip(&mut app);
    fixture.roundtrip(&mut ime);
    assert_eq!(ime.told("Key "), 0);
    assert!(!app.data.keys.contains(&Key::Press(A)));
}

#[test]
fn the_list_of_candidates_stands_at_the_cursor() {
    let mut fixture = Fixture::new();
    let (mut app, _window, _input, mut ime, method) = typing(&mut fixture);
    let surface = ime.surface();
    method.get_input_popup_surface(&surface, &ime.qh(), ());
    let (buffer, _file) = ime.buffer(80, 40, BLUE);
    surface.attach(Some(&buffer), 0, 0);
    surface.damage_buffer(0, 0, 80, 40);
    surface.commit();
    fixture.roundtrip(&mut ime);
    let shot = fixture.screenshot(&mut app);
    // Below the cursor, which the app said is at 10,20 and 16 high; the window stands at 440,250.
    assert_eq!(shot.at(440 + 12, 250 + 20 + 16 + 2), BLUE);
    assert_eq!(shot.at(440 + 12, 250 + 20), RED);
}
