//! Plain windows of any client: placed, stacked, focused, closed.

mod common;

use common::{Client, Fixture, Key, click, open, tap};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
const GREEN: u32 = 0x20cc20;
const GROUND: u32 = 0x161922;
/// xdg_toplevel.state
const MAXIMIZED: u32 = 1;
const FULLSCREEN: u32 = 2;
const ACTIVATED: u32 = 4;

#[test]
fn a_window_is_placed_in_the_middle_drawn_and_focused() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(440, 250), RED);
    assert_eq!(shot.at(839, 549), RED);
    assert_eq!(shot.at(439, 250), GROUND);
    assert!(client.data.keys.contains(&Key::Enter(window.id())));
    assert!(client.heard(&window).states.contains(&ACTIVATED));
}

#[test]
fn closing_the_focused_window_focuses_the_next_below() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let first = open(&mut fixture, &mut client, 300, 300, RED);
    let second = open(&mut fixture, &mut client, 300, 300, BLUE);
    assert_eq!(
        client
            .data
            .keys
            .iter()
            .rev()
            .find(|k| matches!(k, Key::Enter(_))),
        Some(&Key::Enter(second.id()))
    );
    client.data.keys.clear();
    second.close();
    fixture.roundtrip(&mut client);
    assert!(
        client.data.keys.contains(&Key::Enter(first.id())),
        "{:?}",
        client.data.keys
    );
    assert!(client.heard(&first).states.contains(&ACTIVATED));
}

#[test]
fn a_click_focuses_raises_and_reaches_the_client() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    // So large that the second covers a part of the first.
    let first = open(&mut fixture, &mut client, 900, 600, RED);
    let second = open(&mut fixture, &mut client, 900, 600, BLUE);
    let rects: Vec<_> = fixture
        .server
        .shell
        .stack()
        .iter()
        .map(|i| fixture.server.shell.rect_of(*i).unwrap())
        .collect();
    let common = rects[0].intersection(rects[1]).unwrap();
    let (x, y) = (common.loc.x + 5, common.loc.y + 5);
    assert_eq!(fixture.screenshot(&mut client).at(x, y), BLUE);
    // A corner of the first that the second does not cover.
    let r = rects[0];
    let corners = [
        (r.loc.x + 2, r.loc.y + 2),
        (r.loc.x + r.size.w - 3, r.loc.y + r.size.h - 3),
    ];
    let free = corners
        .into_iter()
        .find(|c| !rects[1].contains(*c))
        .unwrap();
    let pointer = client.virtual_pointer();
    client.data.keys.clear();
    click(&pointer, free.0 as u32, free.1 as u32);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(x, y), RED);
    assert_eq!(client.data.clicks, [(0x110, true), (0x110, false)]);
    assert_eq!(client.data.pointer_over, Some(first.id()));
    assert!(client.data.keys.contains(&Key::Leave(second.id())));
    assert!(client.data.keys.contains(&Key::Enter(first.id())));
}

#[test]
fn a_dialog_stays_above_its_parent_and_over_its_middle() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let parent = open(&mut fixture, &mut client, 600, 400, RED);
    let dialog = client.toplevel(&client.surface(), Some(&parent));
    dialog.open(&mut fixture, &mut client, 100, 100, BLUE);
    let pointer = client.virtual_pointer();
    click(&pointer, 345, 205);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(345, 205), RED);
    assert_eq!(
        shot.at(640, 400),
        BLUE,
        "the clicked parent went above its dialog"
    );
    dialog.close();
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), RED);
}

#[test]
fn alt_tab_goes_round() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let windows = [RED, BLUE, GREEN].map(|c| open(&mut fixture, &mut client, 200, 200, c).id());
    let keyboard = client.us_keyboard();
    let mut focused = Vec::new();
    // So many times Tab while Alt is held: to the one before, to the one before that, and round; each time from where it came to.
    for taps in [1, 1, 2, 4, 2] {
        keyboard.key(0, 56, 1);
        for _ in 0..taps {
            tap(&keyboard, 15);
        }
        keyboard.key(0, 56, 0);
        client.data.keys.clear();
        fixture.roundtrip(&mut client);
        let enter = client.data.keys.iter().rev().find_map(|k| match k {
            Key::Enter(id) => Some(*id),
            _ => None,
        });
        focused.push(enter.unwrap());
        assert!(
            !client.data.keys.contains(&Key::Press(15)),
            "the client saw the Tab of a binding"
        );
    }
    let [first, second, third] = windows;
    assert_eq!(focused, [second, third, first, third, second]);
}

#[test]
fn popups_are_kept_on_the_output() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 1280, 800, RED);
    let pointer = client.virtual_pointer();
    pointer.motion_absolute(0, 1200, 700, 1280, 800);
    pointer.frame();
    fixture.roundtrip(&mut client);
    let (surface, xdg, popup) = client.popup(&window, (1250, 780), (200, 100));
    surface.commit();
    fixture.wait(&mut client, "the popup's place", |c, _| {
        c.data.popup_at.is_some()
    });
    let (x, y, w, h) = client.data.popup_at.unwrap();
    assert!(x + w <= 1280 && y + h <= 800, "{x},{y} {w}x{h}");
    let (buffer, _file) = client.buffer(w, h, BLUE);
    let id = wayland_client::Proxy::id(&surface).protocol_id();
    let serial = client.data.heard.get(&id).unwrap().serial;
    xdg.ack_configure(serial);
    surface.attach(Some(&buffer), 0, 0);
    surface.commit();
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(x + 5, y + 5), BLUE);
    popup.destroy();
    xdg.destroy();
    surface.destroy();
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(x + 5, y + 5), RED);
}

#[test]
fn a_menu_has_the_keyboard_until_a_click_elsewhere_dismisses_it() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let (pointer, keyboard) = (client.virtual_pointer(), client.us_keyboard());
    pointer.motion_absolute(0, 500, 300, 1280, 800);
    pointer.button(
        0,
        0x110,
        wayland_client::protocol::wl_pointer::ButtonState::Pressed,
    );
    pointer.frame();
    fixture.roundtrip(&mut client);
    let (surface, xdg, popup) = client.popup(&window, (60, 50), (100, 100));
    popup.grab(&client.seat, client.data.press_serial);
    surface.commit();
    pointer.button(
        0,
        0x110,
        wayland_client::protocol::wl_pointer::ButtonState::Released,
    );
    pointer.frame();
    fixture.wait(&mut client, "the popup's place", |c, _| {
        c.data.popup_at.is_some()
    });
    let id = wayland_client::Proxy::id(&surface).protocol_id();
    xdg.ack_configure(client.data.heard[&id].serial);
    let (buffer, _file) = client.buffer(100, 100, BLUE);
    surface.attach(Some(&buffer), 0, 0);
    surface.commit();
    client.data.keys.clear();
    fixture.roundtrip(&mut client);
    tap(&keyboard, 30);
    fixture.roundtrip(&mut client);
    let enter = client
        .data
        .keys
        .iter()
        .rev()
        .find(|k| matches!(k, Key::Enter(_)));
    assert!(enter.is_none_or(|k| *k == Key::Enter(id)), "{enter:?}");
    assert_eq!(client.data.text, "a");
    assert!(!client.data.popup_done);
    click(&pointer, 10, 10);
    fixture.wait(&mut client, "the menu's end", |c, _| c.data.popup_done);
    popup.destroy();
    xdg.destroy();
    surface.destroy();
    fixture.roundtrip(&mut client);
    client.data.keys.clear();
    tap(&keyboard, 30);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "aa", "the window got the keyboard back");
}

#[test]
fn maximize_fills_the_output_and_goes_back() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    window.toplevel.set_maximized();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).size, (1280, 800));
    window.draw(&client, 1280, 800, RED);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(0, 0), RED);
    window.toplevel.unset_maximized();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).size, (400, 300));
    window.draw(&client, 400, 300, RED);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!((shot.at(0, 0), shot.at(440, 250)), (GROUND, RED));
}

#[test]
fn a_fullscreen_window_goes_back_to_what_it_was_or_was_wished_to_be_meanwhile() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let toplevel = &window.toplevel;
    type Wish<'a> = (&'a str, &'a dyn Fn(), &'a [u32]);
    let story: [Wish<'_>; 9] = [
        ("maximized", &|| toplevel.set_maximized(), &[MAXIMIZED]),
        (
            "over it fullscreen",
            &|| toplevel.set_fullscreen(None),
            &[FULLSCREEN],
        ),
        ("and back", &|| toplevel.unset_fullscreen(), &[MAXIMIZED]),
        (
            "what it is not does not end",
            &|| toplevel.unset_fullscreen(),
            &[MAXIMIZED],
        ),
        (
            "fullscreen again",
            &|| toplevel.set_fullscreen(None),
            &[FULLSCREEN],
        ),
        (
            "no longer maximized beneath",
            &|| toplevel.unset_maximized(),
            &[FULLSCREEN],
        ),
        ("so it floats", &|| toplevel.unset_fullscreen(), &[]),
        (
            "fullscreen",
            &|| toplevel.set_fullscreen(None),
            &[FULLSCREEN],
        ),
        (
            "maximized beneath",
            &|| toplevel.set_maximized(),
            &[FULLSCREEN],
        ),
    ];
    let filled = |client: &Client| {
        let mut states = client.heard(&window).states;
        states.retain(|s| [MAXIMIZED, FULLSCREEN].contains(s));
        states
    };
    for (what, wish, states) in story {
        wish();
        fixture.roundtrip(&mut client);
        assert_eq!(filled(&client), states, "{what}");
    }
    toplevel.unset_fullscreen();
    toplevel.unset_maximized();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).size, (400, 300));
}

#[test]
fn super_and_the_pointer_move_a_window() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 400, 300, RED);
    let (pointer, keyboard) = (client.virtual_pointer(), client.us_keyboard());
    pointer.motion_absolute(0, 500, 300, 1280, 800);
    pointer.frame();
    keyboard.key(0, 125, 1);
    pointer.button(
        0,
        0x110,
        wayland_client::protocol::wl_pointer::ButtonState::Pressed,
    );
    pointer.frame();
    pointer.motion_absolute(0, 400, 200, 1280, 800);
    pointer.frame();
    pointer.button(
        0,
        0x110,
        wayland_client::protocol::wl_pointer::ButtonState::Released,
    );
    pointer.frame();
    keyboard.key(0, 125, 0);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(
        (shot.at(340, 150), shot.at(739, 449), shot.at(740, 450)),
        (RED, RED, GROUND)
    );
    assert!(client.data.clicks.is_empty(), "the client saw the drag");
}

#[test]
fn a_keyboard_that_brings_its_keymap_types_any_text() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 400, 300, RED);
    let keymap = r#"xkb_keymap {
        xkb_keycodes { minimum = 8; maximum = 255; <A> = 9; <B> = 10; <C> = 11; };
        xkb_types { include "complete" };
        xkb_compatibility { include "complete" };
        xkb_symbols { key <A> {[U00DF]}; key <B> {[U4E16]}; key <C> {[U1F389]}; };
    };"#;
    let (theirs, us) = (client.virtual_keyboard(keymap), client.us_keyboard());
    for key in [1, 2, 3] {
        tap(&theirs, key);
    }
    // Back to a real layout, with Shift.
    us.key(0, 42, 1);
    tap(&us, 30);
    us.key(0, 42, 0);
    tap(&us, 30);
    tap(&theirs, 1);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "ß世🎉Aaß");
}

#[test]
fn modifiers_set_outright_reach_the_client() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 400, 300, RED);
    let keyboard = client.us_keyboard();
    client.data.keys.clear();
    keyboard.modifiers(1, 0, 0, 0);
    tap(&keyboard, 48);
    keyboard.modifiers(0, 0, 0, 0);
    tap(&keyboard, 48);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "Bb");
    assert_eq!(client.data.keys.first(), Some(&Key::Modifiers(1)));
}

#[test]
fn a_keyboard_that_goes_releases_what_it_holds() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 400, 300, RED);
    let keyboard = client.us_keyboard();
    keyboard.key(0, 30, 1);
    keyboard.destroy();
    fixture.roundtrip(&mut client);
    assert!(client.data.keys.contains(&Key::Release(30)));
}

#[test]
fn an_idle_session_draws_nothing() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let id = window.id();
    fixture.wait(&mut client, "the frame callback", |c, _| {
        c.data.heard[&id].frames == 1
    });
    let count = fixture.server.frame_count();
    for _ in 0..20 {
        fixture.turn();
    }
    assert_eq!(fixture.server.frame_count(), count);
}

#[test]
fn garbage_ends_that_client_alone() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 400, 300, RED);
    let header = |object: u32, opcode: u16, length: u16| {
        let mut bytes = object.to_ne_bytes().to_vec();
        bytes.extend((u32::from(length) << 16 | u32::from(opcode)).to_ne_bytes());
        bytes
    };
    let truncated = header(1, 1, 12);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("noise", (0..=255u8).cycle().step_by(7).take(5000).collect()),
        ("zeroes", vec![0; 64]),
        ("no such object", header(77, 0, 8)),
        ("no such request", header(1, 99, 8)),
        ("a length below the header's", header(1, 0, 4)),
        ("a length beyond the message", header(1, 0, 0xfff0)),
        (
            "a string without end",
            [header(1, 1, 12), u32::MAX.to_ne_bytes().to_vec()].concat(),
        ),
        ("half a message", truncated[..6].to_vec()),
    ];
    for (what, bytes) in cases {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        fixture.server.add_client(theirs).unwrap();
        ours.set_nonblocking(true).unwrap();
        ours.write_all(&bytes).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        fixture.wait(&mut client, what, |_, _| {
            let mut chunk = [0; 4096];
            match ours.read(&mut chunk) {
                Ok(0) => true,
                Ok(n) => {
                    answer.extend_from_slice(&chunk[..n]);
                    false
                }
                Err(e) => e.kind() != std::io::ErrorKind::WouldBlock,
            }
        });
    }
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), RED);
}

#[test]
fn a_recorder_misses_no_change_between_two_of_its_requests() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let mut painter = fixture.client();
    let window = open(&mut fixture, &mut painter, 400, 300, RED);
    let first = fixture.screenshot(&mut client);
    assert_eq!(first.at(640, 400), RED);
    // Changes and is composited before the recorder asks again.
    window.draw(&painter, 400, 300, BLUE);
    fixture.frame(&mut painter);
    let second = fixture.recording(&mut client);
    assert_eq!(second.at(640, 400), BLUE);
}
