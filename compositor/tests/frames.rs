//! Frames that the session draws: their room, their looks, and what a press on each part does.

mod common;

use common::{Client, Fixture, Window, click};
use overwinter_compositor::shell::{Grant, TITLE, buttons};
use overwinter_session::ids::{CopyId, GroupId, OpId};
use overwinter_session::{Event, ShellEffect};
use smithay::input::pointer::{CursorIcon, CursorImageStatus};
use smithay::utils::{Logical, Rectangle};
use wayland_client::protocol::wl_pointer::ButtonState;
use wayland_protocols::xdg::decoration::zv1::client::{
    zxdg_decoration_manager_v1::ZxdgDecorationManagerV1,
    zxdg_toplevel_decoration_v1::{self, ZxdgToplevelDecorationV1},
};
use wayland_protocols_misc::server_decoration::client::{
    org_kde_kwin_server_decoration::{self, OrgKdeKwinServerDecoration},
    org_kde_kwin_server_decoration_manager::OrgKdeKwinServerDecorationManager,
};

logs!(
    ZxdgDecorationManagerV1,
    ZxdgToplevelDecorationV1,
    OrgKdeKwinServerDecorationManager,
    OrgKdeKwinServerDecoration
);

const RED: u32 = 0xcc2020;
const GROUND: u32 = 0x161922;
const FOCUSED: u32 = 0x2b313e;
const GROUP: GroupId = GroupId(0x77 << 96);
/// xdg_toplevel.state
const MAXIMIZED: u32 = 1;
const BTN_LEFT: u32 = 0x110;

/// A window, before its first commit, that asks for a frame.
fn asks_for_frame(client: &Client, window: &Window) -> ZxdgToplevelDecorationV1 {
    let manager: ZxdgDecorationManagerV1 = client.bind();
    let decoration = manager.get_toplevel_decoration(&window.toplevel, &client.qh(), ());
    decoration.set_mode(zxdg_toplevel_decoration_v1::Mode::ServerSide);
    decoration
}

fn framed(fixture: &mut Fixture, client: &mut Client) -> Window {
    let window = client.toplevel(&client.surface(), None);
    asks_for_frame(client, &window);
    window.open(fixture, client, 400, 300, RED);
    window
}

/// A framed window of a group, asleep or not.
fn framed_of_group(fixture: &mut Fixture, client: &mut Client) -> Window {
    let grant = Grant {
        group: GROUP,
        copy: CopyId(1),
        pid: std::process::id() as i32,
        trial: false,
    };
    fixture.server.shell.grant("cookie".into(), grant);
    let surface = client.surface();
    let (cookie, name) = ("cookie".to_owned(), "main".to_owned());
    client
        .overwinter
        .get_window(&surface, cookie, name, &client.qh(), ());
    let window = client.toplevel(&surface, None);
    asks_for_frame(client, &window);
    window.toplevel.set_title("A title".into());
    fixture.roundtrip(client);
    window.open(fixture, client, 400, 300, RED);
    window
}

fn top(fixture: &Fixture) -> (Rectangle<i32, Logical>, Rectangle<i32, Logical>) {
    let shell = &fixture.server.shell;
    let item = *shell.stack().last().unwrap();
    (
        shell.rect_of(item).unwrap(),
        shell.outer_rect_of(item).unwrap(),
    )
}

/// Where a button is, by its place from the right.
fn button(fixture: &Fixture, from_right: usize) -> (u32, u32) {
    let outer = top(fixture).1;
    let (_, left) = buttons(outer.size.w)[from_right];
    let half = TITLE / 2;
    (
        (outer.loc.x + left + half) as u32,
        (outer.loc.y + half) as u32,
    )
}

/// Presses and releases of the left button that clients heard of.
fn clicks(client: &Client) -> usize {
    client.data.clicks.len()
}

#[test]
fn a_client_that_prefers_a_frame_gets_one_and_another_does_not() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = client.toplevel(&client.surface(), None);
    let decoration = asks_for_frame(&client, &window);
    window.open(&mut fixture, &mut client, 400, 300, RED);
    assert_eq!(client.told("Configure { mode: Value(ServerSide)"), 1);
    let (inner, outer) = top(&fixture);
    assert_eq!(outer.size, (402, 301 + TITLE).into());
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(inner.loc.x, inner.loc.y), RED);
    assert_eq!(shot.at(inner.loc.x + 40, outer.loc.y + 6), FOCUSED);
    // Round corners; a shadow that is darker than the ground.
    assert_ne!(shot.at(outer.loc.x, outer.loc.y), FOCUSED);
    let shadow = shot.at(inner.loc.x + 200, outer.loc.y + outer.size.h + 2);
    assert!(shadow & 0xff < GROUND & 0xff, "{shadow:#x}");
    decoration.set_mode(zxdg_toplevel_decoration_v1::Mode::ClientSide);
    fixture.roundtrip(&mut client);
    assert_eq!(client.told("Configure { mode: Value(ClientSide)"), 1);
    let (inner, outer) = top(&fixture);
    assert_eq!(inner, outer);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(inner.loc.x + 40, inner.loc.y - 20), GROUND);
}

#[test]
fn a_frame_goes_with_the_object_that_asked_for_it() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = client.toplevel(&client.surface(), None);
    let decoration = asks_for_frame(&client, &window);
    window.open(&mut fixture, &mut client, 400, 300, RED);
    let (inner, outer) = top(&fixture);
    assert_ne!(inner, outer);
    decoration.destroy();
    fixture.roundtrip(&mut client);
    let (inner, outer) = top(&fixture);
    assert_eq!(inner, outer);
    // It may ask again, with a new one.
    asks_for_frame(&client, &window);
    fixture.roundtrip(&mut client);
    let (inner, outer) = top(&fixture);
    assert_ne!(inner, outer);
}

#[test]
fn where_the_client_leaves_the_choice_the_configuration_decides() {
    let mut fixture = Fixture::new();
    let mut appearance = fixture.server.appearance.clone();
    appearance.decorations = overwinter_config::Decorations::Server;
    fixture.server.set_appearance(appearance);
    let mut client = fixture.client();
    let manager: ZxdgDecorationManagerV1 = client.bind();
    let window = client.toplevel(&client.surface(), None);
    manager.get_toplevel_decoration(&window.toplevel, &client.qh(), ());
    window.open(&mut fixture, &mut client, 400, 300, RED);
    assert_eq!(client.told("Configure { mode: Value(ServerSide)"), 1);
    let (inner, outer) = top(&fixture);
    assert_ne!(inner, outer);
}

#[test]
fn kde_clients_are_heard_as_well() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let manager: OrgKdeKwinServerDecorationManager = client.bind();
    let window = client.toplevel(&client.surface(), None);
    let decoration = manager.create(&window.surface, &client.qh(), ());
    window.open(&mut fixture, &mut client, 400, 300, RED);
    let (inner, outer) = top(&fixture);
    assert_eq!(inner, outer);
    decoration.request_mode(org_kde_kwin_server_decoration::Mode::Server);
    fixture.roundtrip(&mut client);
    let (inner, outer) = top(&fixture);
    assert_eq!(outer.size.h - inner.size.h, TITLE + 1);
}

#[test]
fn the_close_button_asks_the_client_to_close() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (x, y) = button(&fixture, 0);
    // Pressed there, released elsewhere: nothing.
    pointer.motion_absolute(0, x, y, 1280, 800);
    pointer.button(0, BTN_LEFT, ButtonState::Pressed);
    pointer.motion_absolute(0, x - 100, y, 1280, 800);
    pointer.button(0, BTN_LEFT, ButtonState::Released);
    pointer.frame();
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).closed);
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    assert!(client.heard(&window).closed);
    assert_eq!(clicks(&client), 0, "the client heard of a click beside it");
}

#[test]
fn a_finger_presses_a_button_when_it_is_lifted_from_it() {
    let mut fixture = Fixture::new();
    fixture.server.touch_screen_found();
    let mut client = fixture.client();
    let window = framed(&mut fixture, &mut client);
    let (x, y) = button(&fixture, 0);
    let at = (f64::from(x), f64::from(y)).into();
    let finger = || smithay::backend::input::TouchSlot::from(Some(1));
    // Brushed over: nothing.
    fixture.server.touch_down(finger(), at, 0);
    fixture
        .server
        .touch_to(finger(), (at.x - 100.0, at.y).into(), 1);
    fixture.server.touch_up(finger(), 2);
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).closed);
    fixture.server.touch_down(finger(), at, 3);
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).closed);
    fixture.server.touch_up(finger(), 4);
    fixture.roundtrip(&mut client);
    assert!(client.heard(&window).closed);
}

#[test]
fn a_double_click_on_the_bar_maximizes_and_back() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (inner, outer) = top(&fixture);
    let (x, y) = (outer.loc.x as u32 + 60, outer.loc.y as u32 + 16);
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).states.contains(&MAXIMIZED));
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    let heard = client.heard(&window);
    assert!(heard.states.contains(&MAXIMIZED));
    assert_eq!(heard.size, (1280, 800 - TITLE));
    window.draw(&client, 1280, 800 - TITLE, RED);
    fixture.roundtrip(&mut client);
    assert_eq!(top(&fixture).1, Rectangle::from_size((1280, 800).into()));
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(0, 0), FOCUSED, "no round corner, no line");
    assert_eq!(shot.at(0, TITLE), RED);
    // The button does the same.
    let (x, y) = button(&fixture, 1);
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).states.contains(&MAXIMIZED));
    window.draw(&client, 400, 300, RED);
    fixture.roundtrip(&mut client);
    assert_eq!(top(&fixture).0, inner);
}

#[test]
fn the_bar_moves_the_window_and_an_edge_resizes_it() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (before, outer) = top(&fixture);
    let drag = |from: (i32, i32), to: (i32, i32)| {
        pointer.motion_absolute(0, from.0 as u32, from.1 as u32, 1280, 800);
        pointer.button(0, BTN_LEFT, ButtonState::Pressed);
        pointer.motion_absolute(0, to.0 as u32, to.1 as u32, 1280, 800);
        pointer.button(0, BTN_LEFT, ButtonState::Released);
        pointer.frame();
    };
    let bar = (outer.loc.x + 60, outer.loc.y + 16);
    drag(bar, (bar.0 + 30, bar.1 - 20));
    fixture.roundtrip(&mut client);
    let (moved, outer) = top(&fixture);
    assert_eq!(moved.loc, (before.loc.x + 30, before.loc.y - 20).into());
    // Outside of the line, where a pointer finds it more easily.
    let corner = (
        outer.loc.x + outer.size.w + 3,
        outer.loc.y + outer.size.h + 3,
    );
    drag(corner, (corner.0 + 50, corner.1 + 40));
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).size, (450, 340));
    assert_eq!(clicks(&client), 0);
}

#[test]
fn the_pointer_says_what_an_edge_does_wherever_it_comes_from() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (inner, outer) = top(&fixture);
    let x = inner.loc.x + 200;
    let mut goes = |x: i32, y: i32| {
        pointer.motion_absolute(0, x as u32, y as u32, 1280, 800);
        pointer.frame();
        fixture.roundtrip(&mut client);
        fixture.server.input.cursor.clone()
    };
    let edge = outer.loc.y + outer.size.h + 2;
    let named = CursorImageStatus::Named;
    // From the window, whose client would have had its own image, and from the empty desktop.
    goes(x, inner.loc.y + 100);
    assert_eq!(goes(x, edge), named(CursorIcon::SResize));
    assert_eq!(goes(x, edge + 50), named(CursorIcon::Default));
    assert_eq!(goes(outer.loc.x - 2, edge), named(CursorIcon::SwResize));
    assert_eq!(goes(x, outer.loc.y + 10), named(CursorIcon::Default));
}

#[test]
fn the_moon_puts_the_group_to_sleep_and_its_ghost_keeps_the_bar() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = framed_of_group(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (x, y) = button(&fixture, 3);
    fixture.server.events.clear();
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    let groups: Vec<_> = fixture
        .server
        .events
        .drain(..)
        .filter_map(|event| match event {
            Event::Hibernate { groups, .. } => Some(groups),
            _ => None,
        })
        .collect();
    assert_eq!(groups, [[GROUP]]);
    let (_, before) = top(&fixture);
    for effect in [
        ShellEffect::Fence {
            group: GROUP,
            op: OpId(1),
            hold: false,
        },
        ShellEffect::ShowGhost { group: GROUP },
    ] {
        fixture.server.apply(effect);
    }
    window.close();
    fixture.roundtrip(&mut client);
    assert_eq!(top(&fixture).1, before);
    let shot = fixture.screenshot(&mut client);
    let bar = shot.at(before.loc.x + 40, before.loc.y + 6);
    assert!(bar != GROUND && bar != FOCUSED, "{bar:#x}");
    // A click on it wakes the group, as one on the picture does.
    fixture.server.events.clear();
    click(&pointer, before.loc.x as u32 + 60, before.loc.y as u32 + 16);
    fixture.roundtrip(&mut client);
    let touched = Event::GhostTouched { group: GROUP };
    assert!(fixture.server.events.contains(&touched));
}

#[test]
fn the_line_puts_the_window_away() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (x, y) = button(&fixture, 2);
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.server.shell.stack(), []);
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), GROUND);
}

#[test]
fn a_window_of_no_group_cannot_be_put_to_sleep() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (x, y) = button(&fixture, 3);
    fixture.server.events.clear();
    click(&pointer, x, y);
    fixture.roundtrip(&mut client);
    assert!(fixture.server.events.is_empty());
}

#[test]
fn a_button_lights_up_under_the_pointer_and_nothing_is_drawn_when_nothing_changes() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = framed(&mut fixture, &mut client);
    let pointer = client.virtual_pointer();
    let (x, y) = button(&fixture, 0);
    let here = |shot: &common::Image| shot.at(x as i32 - 8, y as i32);
    let dark = here(&fixture.screenshot(&mut client));
    pointer.motion_absolute(0, x, y, 1280, 800);
    pointer.frame();
    fixture.roundtrip(&mut client);
    let lit = here(&fixture.screenshot(&mut client));
    assert!(dark == FOCUSED && lit >> 16 > 0xc0, "{dark:#x} {lit:#x}");
    // Elsewhere on the same button, and the same title again.
    let frames = fixture.server.frame_count();
    pointer.motion_absolute(0, x + 2, y + 1, 1280, 800);
    pointer.frame();
    window.toplevel.set_title(String::new());
    fixture.roundtrip(&mut client);
    for _ in 0..20 {
        fixture.turn();
    }
    assert_eq!(fixture.server.frame_count(), frames);
    pointer.motion_absolute(0, 5, 5, 1280, 800);
    pointer.frame();
    fixture.roundtrip(&mut client);
    assert_eq!(here(&fixture.screenshot(&mut client)), dark);
}

#[test]
fn what_is_seen_where_nothing_stands_is_as_the_configuration_says() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    assert_eq!(fixture.screenshot(&mut client).at(5, 5), GROUND);
    let mut appearance = fixture.server.appearance.clone();
    appearance.background = overwinter_config::Colour {
        red: 0x33,
        green: 0x44,
        blue: 0x55,
    };
    fixture.server.set_appearance(appearance);
    fixture.frame(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(5, 5), 0x334455);
}

#[test]
fn a_title_appears_when_it_is_drawn() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = framed(&mut fixture, &mut client);
    let (_, outer) = top(&fixture);
    let width = buttons(outer.size.w).last().unwrap().1 - 10;
    let (x, y) = (outer.loc.x + 10, outer.loc.y + 4);
    let ink = |fixture: &mut Fixture, client: &mut Client| {
        let bar = fixture.screenshot(client).part(x, y, width, TITLE - 8);
        bar.iter().filter(|p| **p != FOCUSED).count()
    };
    assert_eq!(ink(&mut fixture, &mut client), 0);
    window.toplevel.set_title("MMMM".into());
    fixture.roundtrip(&mut client);
    fixture.frame(&mut client);
    assert!(ink(&mut fixture, &mut client) > 100);
}
