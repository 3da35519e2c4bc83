//! Where windows stand: put away and back, tiles, workspaces, and what a client hears of it.

mod common;

use common::{Client, Fixture, Key, Window, open};
use overwinter_compositor::shell::{Grant, Item};
use overwinter_layout::{Direction, Op, Options, Refused};
use overwinter_session::ShellEffect;
use overwinter_session::ids::{CopyId, GroupId};
use wayland_client::protocol::wl_pointer::ButtonState;

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
const GREEN: u32 = 0x20cc20;
const GROUND: u32 = 0x161922;
const GROUP: GroupId = GroupId(0x77 << 96);
/// xdg_toplevel.state
const ACTIVATED: u32 = 4;
const TILED: [u32; 4] = [5, 6, 7, 8];
/// The gap between tiles.
const GAP: i32 = 8;

fn tiling() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.server.set_layout_options(Options {
        tile: true,
        gap: GAP,
        ..Options::default()
    });
    fixture
}

/// A window that takes the size it is asked for; its size.
fn tile(fixture: &mut Fixture, client: &mut Client, xrgb: u32) -> (Window, (i32, i32)) {
    let window = client.toplevel(&client.surface(), None);
    window.surface.commit();
    fixture.roundtrip(client);
    let (w, h) = client.heard(&window).size;
    window.draw(client, w, h, xrgb);
    fixture.roundtrip(client);
    (window, (w, h))
}

fn focused(fixture: &Fixture) -> overwinter_layout::WindowId {
    fixture.server.shell.focus().unwrap().name()
}

fn lay_out(fixture: &mut Fixture, op: Op) {
    fixture.server.layout(op).unwrap();
}

/// Left edges of all that is seen, lowest first.
fn left_edges(fixture: &Fixture) -> Vec<i32> {
    let shell = &fixture.server.shell;
    let rects = shell.stack().iter().map(|i| shell.rect_of(*i).unwrap());
    let mut edges: Vec<i32> = rects.map(|r| r.loc.x).collect();
    edges.sort();
    edges
}

/// A frame has been composited, and whoever is told of it has heard.
fn composited(fixture: &mut Fixture, client: &mut Client) {
    fixture.screenshot(client);
    fixture.roundtrip(client);
}

fn frames(client: &Client, window: &Window) -> u32 {
    client.data.heard[&window.id()].frames
}

#[test]
fn a_window_that_is_put_away_is_neither_seen_nor_drawn_and_comes_back_where_it_was() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let below = open(&mut fixture, &mut client, 200, 200, BLUE);
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let (name, before) = (focused(&fixture), fixture.screenshot(&mut client));
    window.toplevel.set_minimized();
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert!(!shot.part(0, 0, 1280, 800).contains(&RED));
    assert!(client.heard(&below).states.contains(&ACTIVATED));
    assert!(!client.heard(&window).states.contains(&ACTIVATED));

    // It may draw; it is not told to go on.
    let drawn = frames(&client, &window);
    window.draw(&client, 400, 300, RED);
    below.draw(&client, 200, 200, GREEN);
    let shown = frames(&client, &below);
    fixture.wait(&mut client, "the other's frame", |c, _| {
        frames(c, &below) > shown
    });
    assert_eq!(frames(&client, &window), drawn);
    below.draw(&client, 200, 200, BLUE);

    lay_out(
        &mut fixture,
        Op::Focus {
            window: name,
            raise: true,
        },
    );
    fixture.wait(&mut client, "its frame", |c, _| frames(c, &window) > drawn);
    let after = fixture.screenshot(&mut client);
    assert_eq!(before.part(0, 0, 1280, 800), after.part(0, 0, 1280, 800));
    assert!(client.heard(&window).states.contains(&ACTIVATED));
}

#[test]
fn filling_the_desktop_brings_back_what_was_put_away() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    window.toplevel.set_minimized();
    fixture.roundtrip(&mut client);
    assert!(fixture.server.shell.stack().is_empty());
    window.toplevel.set_fullscreen(None);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.server.shell.stack().len(), 1);
    assert_eq!(client.heard(&window).size, (1280, 800));
}

#[test]
fn a_size_that_a_client_chose_itself_is_not_taken_back_with_the_focus() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    window.toplevel.set_maximized();
    fixture.roundtrip(&mut client);
    window.draw(&client, 1280, 800, RED);
    window.toplevel.unset_maximized();
    fixture.roundtrip(&mut client);
    window.draw(&client, 400, 300, RED);
    fixture.roundtrip(&mut client);
    let asked = client.heard(&window).configures;
    window.draw(&client, 250, 150, RED);
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).configures, asked, "asked for its own");
    open(&mut fixture, &mut client, 100, 100, BLUE);
    let heard = client.heard(&window);
    assert!(!heard.states.contains(&ACTIVATED));
    assert_eq!(heard.size, (250, 150));
}

#[test]
fn one_that_opens_maximized_chooses_its_size_when_it_no_longer_is() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = client.toplevel(&client.surface(), None);
    window.toplevel.set_maximized();
    window.surface.commit();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).size, (1280, 800));
    window.draw(&client, 1280, 800, RED);
    fixture.roundtrip(&mut client);
    window.toplevel.unset_maximized();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).size, (0, 0));
    window.draw(&client, 300, 200, RED);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    let red = shot.part(0, 0, 1280, 800);
    assert_eq!(red.iter().filter(|p| **p == RED).count(), 300 * 200);
    open(&mut fixture, &mut client, 100, 100, BLUE);
    // It goes on choosing.
    assert_eq!(client.heard(&window).size, (0, 0));
}

#[test]
fn tiles_stand_side_by_side_in_the_sizes_they_are_asked_for() {
    let mut fixture = tiling();
    let mut client = fixture.client();
    let (first, size) = tile(&mut fixture, &mut client, RED);
    let (second, same) = tile(&mut fixture, &mut client, BLUE);
    // Two columns and three gaps.
    assert_eq!(size, ((1280 - 3 * GAP) / 2, 800 - 2 * GAP));
    assert_eq!(same, size);
    for window in [&first, &second] {
        let heard = client.heard(window);
        assert!(TILED.iter().all(|s| heard.states.contains(s)), "{heard:?}");
    }
    let shot = fixture.screenshot(&mut client);
    let right = 2 * GAP + size.0;
    assert_eq!((shot.at(GAP, GAP), shot.at(right, GAP)), (RED, BLUE));
    assert_eq!(shot.at(right - 1, 400), GROUND);

    lay_out(&mut fixture, Op::FocusSide(Direction::Left));
    fixture.roundtrip(&mut client);
    assert!(client.heard(&first).states.contains(&ACTIVATED));
    let name = focused(&fixture);
    lay_out(&mut fixture, Op::Shift(name, Direction::Right));
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!((shot.at(GAP, GAP), shot.at(right, GAP)), (BLUE, RED));

    // One below the other.
    lay_out(
        &mut fixture,
        Op::Merge {
            window: name,
            right: false,
        },
    );
    fixture.roundtrip(&mut client);
    let (width, height) = client.heard(&first).size;
    assert_eq!((width, height), (size.0, (800 - 3 * GAP) / 2));
    first.draw(&client, width, height, RED);
    second.draw(&client, width, height, BLUE);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(GAP, GAP), BLUE);
    assert_eq!(shot.at(GAP, 800 - GAP - 1), RED);
    let done = fixture.server.layout(Op::FocusSide(Direction::Down));
    assert_eq!(done, Err(Refused::NothingThere));
}

#[test]
fn a_tile_that_is_scrolled_out_of_view_waits_for_its_turn() {
    let mut fixture = tiling();
    let mut client = fixture.client();
    let (first, (w, h)) = tile(&mut fixture, &mut client, RED);
    let drawn = frames(&client, &first);
    for xrgb in [BLUE, GREEN] {
        tile(&mut fixture, &mut client, xrgb);
    }
    assert_eq!(fixture.server.shell.stack().len(), 2);
    let seen = frames(&client, &first).max(drawn);
    first.draw(&client, w, h, RED);
    composited(&mut fixture, &mut client);
    assert_eq!(frames(&client, &first), seen);
    assert!(
        !fixture
            .screenshot(&mut client)
            .part(0, 0, 1280, 800)
            .contains(&RED)
    );
    for _ in 0..2 {
        lay_out(&mut fixture, Op::FocusSide(Direction::Left));
    }
    fixture.wait(&mut client, "its frame", |c, _| frames(c, &first) > seen);
    assert_eq!(fixture.screenshot(&mut client).at(GAP, GAP), RED);
}

#[test]
fn a_tile_is_dragged_to_the_other_side_and_a_floating_window_stays_above() {
    let mut fixture = tiling();
    let mut client = fixture.client();
    tile(&mut fixture, &mut client, RED);
    let (_, size) = tile(&mut fixture, &mut client, BLUE);
    let (pointer, keyboard) = (client.virtual_pointer(), client.us_keyboard());
    let to = |x: u32, y: u32| {
        pointer.motion_absolute(0, x, y, 1280, 800);
        pointer.frame();
    };
    let button = |state| {
        pointer.button(0, 0x110, state);
        pointer.frame();
    };
    // By Super, from the middle of the right one to the left edge of the left one.
    to(960, 400);
    keyboard.key(0, 125, 1);
    button(ButtonState::Pressed);
    to(500, 400);
    to(30, 400);
    fixture.roundtrip(&mut client);
    assert!(client.data.clicks.is_empty());
    button(ButtonState::Released);
    keyboard.key(0, 125, 0);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    let right = 2 * GAP + size.0;
    assert_eq!((shot.at(GAP, GAP), shot.at(right, GAP)), (BLUE, RED));

    let name = focused(&fixture);
    lay_out(&mut fixture, Op::SetFloating(name, true));
    fixture.roundtrip(&mut client);
    let edges = left_edges(&fixture);
    assert_eq!(edges.len(), 2);
    let top = *fixture.server.shell.stack().last().unwrap();
    assert_eq!(top.name(), name);
}

#[test]
fn a_workspace_that_is_not_shown_is_neither_seen_nor_heard_of() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let name = focused(&fixture);
    let keyboard = client.us_keyboard();
    lay_out(&mut fixture, Op::ShowWorkspace("mail".into()));
    client.data.keys.clear();
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.keys.first(), Some(&Key::Leave(window.id())));
    assert!(!client.heard(&window).states.contains(&ACTIVATED));
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), GROUND);
    common::tap(&keyboard, 30);
    let drawn = frames(&client, &window);
    window.draw(&client, 400, 300, RED);
    composited(&mut fixture, &mut client);
    assert_eq!(
        (client.data.text.as_str(), frames(&client, &window)),
        ("", drawn)
    );

    // What opens now opens here.
    let other = open(&mut fixture, &mut client, 200, 200, BLUE);
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), BLUE);
    let op = Op::Send {
        window: name,
        workspace: "mail".into(),
        follow: false,
    };
    lay_out(&mut fixture, op);
    fixture.wait(&mut client, "its frame", |c, _| frames(c, &window) > drawn);
    assert_eq!(fixture.server.shell.stack().len(), 2);
    assert!(client.heard(&other).states.contains(&ACTIVATED));
    let elsewhere = Op::Send {
        window: name,
        workspace: "1".into(),
        follow: true,
    };
    lay_out(&mut fixture, elsewhere);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(640, 400), RED);
    assert!(client.heard(&window).states.contains(&ACTIVATED));
}

/// A bound window that takes the size it is asked for, if any.
fn bound(fixture: &mut Fixture, client: &mut Client, cookie: &str, copy: u64) -> Window {
    let grant = Grant {
        group: GROUP,
        copy: CopyId(copy),
        pid: std::process::id() as i32,
        trial: copy > 1,
    };
    fixture.server.shell.grant(cookie.into(), grant);
    let surface = client.surface();
    let object =
        client
            .overwinter
            .get_window(&surface, cookie.into(), "main".into(), &client.qh(), ());
    let window = client.toplevel(&surface, None);
    window.surface.commit();
    fixture.roundtrip(client);
    if copy > 1 {
        object.ready();
    }
    window
}

#[test]
fn a_group_wakes_in_its_column_and_on_its_workspace() {
    let mut fixture = tiling();
    let mut client = fixture.client();
    let window = bound(&mut fixture, &mut client, "first", 1);
    let (w, h) = client.heard(&window).size;
    window.draw(&client, w, h, RED);
    fixture.roundtrip(&mut client);
    tile(&mut fixture, &mut client, BLUE);
    fixture
        .server
        .apply(ShellEffect::ShowGhost { group: GROUP });
    window.close();
    fixture.roundtrip(&mut client);
    let ghost = fixture.server.shell.ghosts_of(GROUP)[0];
    let edges = left_edges(&fixture);
    assert_eq!(edges, [GAP, 2 * GAP + w]);

    // A ghost can be put away, and a column be given another width.
    let name = Item::Ghost(ghost).name();
    lay_out(&mut fixture, Op::SetMinimised(name, true));
    assert_eq!(fixture.server.shell.stack().len(), 1);
    lay_out(&mut fixture, Op::SetMinimised(name, false));
    let narrow = overwinter_layout::Share::of(1, 4);
    lay_out(&mut fixture, Op::SetWidth(name, narrow));
    lay_out(&mut fixture, Op::ShowWorkspace("elsewhere".into()));

    let trial = bound(&mut fixture, &mut client, "second", 2);
    let (w, h) = client.heard(&trial).size;
    assert_eq!(w, (1280 - GAP) / 4 - GAP);
    trial.draw(&client, w, h, GREEN);
    // It is hidden and yet told to go on, until it stands for its ghost.
    fixture.wait(&mut client, "its frame", |c, _| frames(c, &trial) == 1);
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    trial.draw(&client, w, h, GREEN);
    fixture.roundtrip(&mut client);
    assert!(fixture.server.shell.ghosts_of(GROUP).is_empty());
    assert!(fixture.server.shell.stack().is_empty());
    let drawn = frames(&client, &trial);
    composited(&mut fixture, &mut client);
    trial.draw(&client, w, h, GREEN);
    composited(&mut fixture, &mut client);
    assert!(frames(&client, &trial) <= drawn + 1);
    lay_out(&mut fixture, Op::ShowWorkspace("1".into()));
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(
        (shot.at(GAP, GAP), shot.at(2 * GAP + w, GAP)),
        (GREEN, BLUE)
    );
}
