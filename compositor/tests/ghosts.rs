//! Groups that sleep, wake and migrate, as the screen and the keyboard see it. The heart's part is played by the test.

mod common;

use common::{Client, Fixture, Key, Window, click, open, tap};
use overwinter_compositor::shell::Grant;
use overwinter_session::ids::{CopyId, GroupId, OpId};
use overwinter_session::{Event, ShellEffect};
use wayland_client::Proxy;

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
const GREEN: u32 = 0x20cc20;
const GROUP: GroupId = GroupId(0x1234 << 96);
/// evdev
const A: u32 = 30;
const B: u32 = 48;
const SHIFT: u32 = 42;
/// xdg_toplevel.state.activated
const ACTIVATED: u32 = 4;

/// A session in which ghosts are as bright as their windows were.
fn undimmed() -> Fixture {
    let mut fixture = Fixture::new();
    let mut appearance = fixture.server.appearance.clone();
    appearance.ghost_dim = 0.0;
    fixture.server.set_appearance(appearance);
    fixture
}

/// Where the moon stands on the group's first window, should that be a ghost.
fn moon_of(fixture: &mut Fixture) -> (i32, i32, i32, i32) {
    let place = fixture.server.capture(GROUP, false)[0].place;
    let (right, bottom) = (place.x + place.width, place.y + place.height);
    (right - 42, bottom - 42, 30, 30)
}

/// The whole screen, without the place where a ghost has its moon.
fn but_for_the_moon(fixture: &mut Fixture, client: &mut Client) -> Vec<u32> {
    let (x, y, width, height) = moon_of(fixture);
    let mut pixels = fixture.screenshot(client).part(0, 0, 1280, 800);
    for row in y..y + height {
        let start = (row * 1280 + x) as usize;
        pixels[start..start + width as usize].fill(0);
    }
    pixels
}

fn grant(fixture: &mut Fixture, cookie: &str, copy: u64, trial: bool) {
    grant_of(fixture, GROUP, cookie, copy, trial);
}

fn grant_of(fixture: &mut Fixture, group: GroupId, cookie: &str, copy: u64, trial: bool) {
    let pid = std::process::id() as i32;
    fixture.server.shell.grant(
        cookie.into(),
        Grant {
            group,
            copy: CopyId(copy),
            pid,
            trial,
        },
    );
}

/// A bound window, not yet committed.
fn bound(
    fixture: &mut Fixture,
    client: &mut Client,
    cookie: &str,
    name: &str,
) -> (Window, common::ow::overwinter_window_v1::OverwinterWindowV1) {
    let surface = client.surface();
    let object =
        client
            .overwinter
            .get_window(&surface, cookie.into(), name.into(), &client.qh(), ());
    let window = client.toplevel(&surface, None);
    fixture.roundtrip(client);
    (window, object)
}

/// A group of one window, live on screen.
fn live(fixture: &mut Fixture, client: &mut Client, color: u32) -> Window {
    grant(fixture, "first", 1, false);
    let (window, _) = bound(fixture, client, "first", "main");
    assert_eq!(client.data.bound, [GROUP.to_string()]);
    window.open(fixture, client, 400, 300, color);
    window
}

fn events(fixture: &mut Fixture) -> Vec<Event> {
    fixture.server.events.drain(..).collect()
}

/// Puts the group to sleep: its window is gone, its ghost stands.
fn sleep(fixture: &mut Fixture, client: &mut Client, window: &Window) {
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(1),
        hold: false,
    });
    fixture.roundtrip(client);
    fixture
        .server
        .apply(ShellEffect::ShowGhost { group: GROUP });
    window.close();
    fixture.roundtrip(client);
    events(fixture);
    client.data.keys.clear();
}

#[test]
fn a_ghost_has_the_very_pixels_of_its_window() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let other = open(&mut fixture, &mut client, 200, 200, GREEN);
    let window = live(&mut fixture, &mut client, RED);
    let before = but_for_the_moon(&mut fixture, &mut client);
    sleep(&mut fixture, &mut client, &window);
    assert_eq!(before, but_for_the_moon(&mut fixture, &mut client));
    assert!(!client.heard(&other).closed);
}

#[test]
fn a_ghost_is_dimmed_and_has_a_moon_that_waxes_while_it_wakes() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let place = fixture.server.capture(GROUP, true)[0].place;
    let (x, y, width, height) = moon_of(&mut fixture);
    let live = fixture.screenshot(&mut client);
    assert!(live.part(x, y, width, height).iter().all(|p| *p == RED));
    sleep(&mut fixture, &mut client, &window);
    let asleep = fixture.screenshot(&mut client);
    // 85 % of each channel.
    let dimmed = 0xae1b1b;
    for (dx, dy) in [(0, 0), (200, 150), (399, 299)] {
        assert_eq!(asleep.at(place.x + dx, place.y + dy), dimmed);
    }
    assert_eq!(asleep.at(place.x - 1, place.y), 0x161922);
    let bright = |image: &common::Image| {
        let moon = image.part(x, y, width, height);
        moon.iter()
            .filter(|p| **p & 0xff > 0x80 && **p >> 16 > 0x80)
            .count()
    };
    let crescent = bright(&asleep);
    assert!((20..120).contains(&crescent), "{crescent} pixels of moon");
    // What is stored is as bright as the window was.
    let picture = fixture.server.capture(GROUP, true)[0].picture.clone();
    assert_eq!(picture.unwrap().argb[..4], [0x20, 0x20, 0xcc, 0xff]);

    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    let waking = fixture.screenshot(&mut client);
    assert_eq!(waking.at(place.x, place.y), dimmed);
    assert!(bright(&waking) > crescent + 20, "the moon has not waxed");
    fixture
        .server
        .apply(ShellEffect::WakeFailed { group: GROUP });
    assert_eq!(bright(&fixture.screenshot(&mut client)), crescent);

    // Nothing goes on by itself.
    let frames = fixture.server.frame_count();
    for _ in 0..20 {
        fixture.turn();
    }
    assert_eq!(fixture.server.frame_count(), frames);
}

#[test]
fn a_picture_that_stands_in_during_a_migration_looks_as_the_window() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    live(&mut fixture, &mut client, RED);
    let before = fixture.screenshot(&mut client).part(0, 0, 1280, 800);
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(3),
        hold: true,
    });
    fixture
        .server
        .apply(ShellEffect::ShowGhost { group: GROUP });
    let during = fixture.screenshot(&mut client).part(0, 0, 1280, 800);
    assert_eq!(before, during);
}

#[test]
fn a_translucent_window_with_shadow_keeps_its_pixels() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    open(&mut fixture, &mut client, 600, 500, GREEN);
    grant(&mut fixture, "first", 1, false);
    let (window, _) = bound(&mut fixture, &mut client, "first", "main");
    // A margin of 20 that the window geometry leaves out.
    window.xdg.set_window_geometry(20, 20, 360, 260);
    window.open(&mut fixture, &mut client, 400, 300, RED);
    let before = but_for_the_moon(&mut fixture, &mut client);
    let captured = fixture.server.capture(GROUP, true);
    let [only] = &captured[..] else {
        panic!("{} windows", captured.len())
    };
    let picture = only.picture.as_ref().unwrap();
    assert_eq!(
        (picture.width, picture.height, picture.scale_120),
        (400, 300, 120)
    );
    assert_eq!((picture.geometry_x, picture.geometry_y), (20, 20));
    assert_eq!(
        (only.place.width, only.place.height, only.name.as_str()),
        (360, 260, "main")
    );
    assert!(only.place.focused && picture.is_whole());
    sleep(&mut fixture, &mut client, &window);
    assert_eq!(before, but_for_the_moon(&mut fixture, &mut client));
    let again = fixture.server.capture(GROUP, true);
    assert_eq!(again[0].picture, captured[0].picture);
    assert_eq!(again[0].place, captured[0].place);
}

#[test]
fn a_fence_follows_the_leave_and_is_answered_by_the_client() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let other = open(&mut fixture, &mut client, 200, 200, GREEN);
    let window = live(&mut fixture, &mut client, RED);
    client.data.keys.clear();
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(7),
        hold: false,
    });
    fixture.roundtrip(&mut client);
    assert!(
        events(&mut fixture).is_empty(),
        "answered before the client did"
    );
    let leave = client
        .data
        .keys
        .iter()
        .position(|k| *k == Key::Leave(window.id()))
        .unwrap();
    let fence = client
        .data
        .keys
        .iter()
        .position(|k| matches!(k, Key::Fence(_)))
        .unwrap();
    assert!(leave < fence);
    assert!(
        client.data.keys.contains(&Key::Enter(other.id())),
        "the focus goes on"
    );
    let Key::Fence(serial) = client.data.keys[fence] else {
        unreachable!()
    };
    client.overwinter.fence_done(serial.wrapping_add(1));
    fixture.roundtrip(&mut client);
    assert!(
        events(&mut fixture).is_empty(),
        "a wrong serial answered it"
    );
    client.overwinter.fence_done(serial);
    fixture.roundtrip(&mut client);
    assert_eq!(
        events(&mut fixture),
        [Event::FenceDone {
            group: GROUP,
            op: OpId(7)
        }]
    );
}

#[test]
fn a_window_whose_picture_is_to_be_taken_goes_on_looking_active() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let other = open(&mut fixture, &mut client, 200, 200, GREEN);
    let window = live(&mut fixture, &mut client, RED);
    let configures = client.heard(&window).configures;
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(7),
        hold: false,
    });
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&window).configures, configures);
    assert!(client.heard(&other).states.contains(&ACTIVATED));
    fixture
        .server
        .apply(ShellEffect::DropGhost { group: GROUP });
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&window).states.contains(&ACTIVATED));
}

#[test]
fn a_fence_that_nobody_answers_ends() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    live(&mut fixture, &mut client, RED);
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(7),
        hold: false,
    });
    fixture.wait(&mut client, "the fence's end", |_, s| !s.events.is_empty());
    // A group without windows is answered at once.
    fixture.server.events.clear();
    fixture.server.apply(ShellEffect::Fence {
        group: GroupId(9),
        op: OpId(8),
        hold: true,
    });
    assert_eq!(
        events(&mut fixture),
        [Event::FenceDone {
            group: GroupId(9),
            op: OpId(8)
        }]
    );
}

#[test]
fn a_click_on_a_ghost_wakes_it_and_the_window_takes_its_place() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let covering = open(&mut fixture, &mut client, 300, 200, GREEN);
    let shot = fixture.screenshot(&mut client);
    let place = fixture.server.capture(GROUP, true)[0].place;
    sleep(&mut fixture, &mut client, &window);
    let pointer = client.virtual_pointer();
    client.data.clicks.clear();
    click(&pointer, place.x as u32 + 2, place.y as u32 + 2);
    fixture.roundtrip(&mut client);
    assert_eq!(events(&mut fixture), [Event::GhostTouched { group: GROUP }]);
    assert!(
        client.data.clicks.is_empty(),
        "the waking click reached a client"
    );
    assert!(client.data.keys.contains(&Key::Leave(covering.id())));
    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    // The trial: configured like the ghost, drawn, but hidden until it is adopted and ready.
    grant(&mut fixture, "again", 2, true);
    let (trial, object) = bound(&mut fixture, &mut client, "again", "main");
    trial.surface.commit();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&trial).size, (place.width, place.height));
    trial.draw(&client, 400, 300, BLUE);
    let id = trial.id();
    fixture.wait(
        &mut client,
        "frame callbacks of a hidden restoring window",
        |c, _| c.data.heard[&id].frames == 1,
    );
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), RED);
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    fixture.roundtrip(&mut client);
    assert_eq!(
        fixture.screenshot(&mut client).at(place.x, place.y),
        RED,
        "shown before it was ready"
    );
    object.ready();
    fixture.roundtrip(&mut client);
    assert_eq!(
        fixture.screenshot(&mut client).at(place.x, place.y),
        RED,
        "ready is double-buffered"
    );
    assert!(events(&mut fixture).is_empty());
    trial.draw(&client, 400, 300, BLUE);
    fixture.roundtrip(&mut client);
    assert_eq!(events(&mut fixture), [Event::Shown { group: GROUP }]);
    assert_eq!(client.data.keys.last(), Some(&Key::Modifiers(0)));
    assert!(client.data.keys.contains(&Key::Enter(trial.id())));
    let after = fixture.screenshot(&mut client);
    for (x, y) in [(place.x, place.y), (place.x + 399, place.y + 299)] {
        assert_eq!(after.at(x, y), BLUE);
    }
    assert_eq!(
        after.at(place.x - 1, place.y - 1),
        shot.at(place.x - 1, place.y - 1)
    );
}

#[test]
fn no_frame_between_click_and_swap_lacks_the_picture() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let place = fixture.server.capture(GROUP, true)[0].place;
    sleep(&mut fixture, &mut client, &window);
    let pointer = client.virtual_pointer();
    click(&pointer, place.x as u32 + 2, place.y as u32 + 2);
    fixture.roundtrip(&mut client);
    let mut seen = vec![fixture.screenshot(&mut client).at(place.x + 9, place.y + 9)];
    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    grant(&mut fixture, "again", 2, true);
    let (trial, object) = bound(&mut fixture, &mut client, "again", "main");
    trial.surface.commit();
    seen.push(fixture.screenshot(&mut client).at(place.x + 9, place.y + 9));
    object.ready();
    trial.draw(&client, 400, 300, BLUE);
    seen.push(fixture.screenshot(&mut client).at(place.x + 9, place.y + 9));
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    seen.push(fixture.screenshot(&mut client).at(place.x + 9, place.y + 9));
    assert_eq!(seen, [RED, RED, RED, BLUE]);
}

#[test]
fn keys_typed_at_a_ghost_arrive_in_order_after_the_focus() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let place = fixture.server.capture(GROUP, true)[0].place;
    sleep(&mut fixture, &mut client, &window);
    let (pointer, keyboard) = (client.virtual_pointer(), client.us_keyboard());
    click(&pointer, place.x as u32 + 2, place.y as u32 + 2);
    tap(&keyboard, A);
    keyboard.key(0, SHIFT, 1);
    tap(&keyboard, B);
    keyboard.key(0, SHIFT, 0);
    // Still down at the swap.
    keyboard.key(0, A, 1);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "");
    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    grant(&mut fixture, "again", 2, true);
    let (trial, object) = bound(&mut fixture, &mut client, "again", "main");
    trial.surface.commit();
    fixture.roundtrip(&mut client);
    object.ready();
    trial.draw(&client, 400, 300, BLUE);
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    client.data.keys.clear();
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "aBa");
    let first = client
        .data
        .keys
        .iter()
        .find(|k| !matches!(k, Key::Modifiers(_)));
    assert_eq!(first, Some(&Key::Enter(trial.id())));
    let taps: Vec<_> = client
        .data
        .keys
        .iter()
        .filter(|k| matches!(k, Key::Press(_) | Key::Release(_)))
        .cloned()
        .collect();
    use Key::{Press, Release};
    assert_eq!(
        taps,
        [
            Press(A),
            Release(A),
            Press(SHIFT),
            Press(B),
            Release(B),
            Release(SHIFT),
            Press(A)
        ]
    );
    assert_eq!(client.data.keys.last(), Some(&Key::Modifiers(0)));
    keyboard.key(0, A, 0);
    tap(&keyboard, B);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "aBab");
    assert!(client.data.keys.contains(&Release(A)));
}

#[test]
fn a_failed_wake_discards_the_keys() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let other = open(&mut fixture, &mut client, 200, 200, GREEN);
    let window = live(&mut fixture, &mut client, RED);
    let place = fixture.server.capture(GROUP, true)[0].place;
    sleep(&mut fixture, &mut client, &window);
    let (pointer, keyboard) = (client.virtual_pointer(), client.us_keyboard());
    click(&pointer, place.x as u32 + 2, place.y as u32 + 2);
    tap(&keyboard, A);
    fixture.roundtrip(&mut client);
    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    fixture
        .server
        .apply(ShellEffect::WakeFailed { group: GROUP });
    events(&mut fixture);
    let at = fixture.server.shell.stack().iter().find_map(|i| match i {
        overwinter_compositor::shell::Item::Window(_) => fixture.server.shell.rect_of(*i),
        overwinter_compositor::shell::Item::Ghost(_) => None,
    });
    let at = at.unwrap();
    click(&pointer, at.loc.x as u32 + 1, at.loc.y as u32 + 1);
    tap(&keyboard, B);
    fixture.roundtrip(&mut client);
    assert_eq!(
        client.data.text, "b",
        "keys of the failed wake went elsewhere"
    );
    assert!(client.data.keys.contains(&Key::Enter(other.id())));
    // It can be tried again.
    click(&pointer, place.x as u32 + 2, place.y as u32 + 2);
    fixture.roundtrip(&mut client);
    assert_eq!(events(&mut fixture), [Event::GhostTouched { group: GROUP }]);
}

#[test]
fn a_migration_holds_keys_and_swaps_without_a_blank_frame() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let place = fixture.server.capture(GROUP, true)[0].place;
    let keyboard = client.us_keyboard();
    tap(&keyboard, A);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "a");
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(3),
        hold: true,
    });
    tap(&keyboard, B);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "a");
    // The new version's trial is configured like the window that is still there.
    grant(&mut fixture, "new", 2, true);
    let (trial, object) = bound(&mut fixture, &mut client, "new", "main");
    trial.surface.commit();
    fixture.roundtrip(&mut client);
    assert_eq!(client.heard(&trial).size, (place.width, place.height));
    object.ready();
    trial.draw(&client, 400, 300, BLUE);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), RED);
    fixture
        .server
        .apply(ShellEffect::ShowGhost { group: GROUP });
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), RED);
    events(&mut fixture);
    tap(&keyboard, A);
    fixture.roundtrip(&mut client);
    assert!(events(&mut fixture).is_empty(), "a held group was touched");
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    fixture.roundtrip(&mut client);
    assert_eq!(events(&mut fixture), [Event::Shown { group: GROUP }]);
    assert_eq!(client.data.text, "aba");
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), BLUE);
    // Undo within the same instances: the retired copy's own windows come back at once.
    fixture
        .server
        .apply(ShellEffect::ShowGhost { group: GROUP });
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(1),
    });
    assert_eq!(events(&mut fixture), [Event::Shown { group: GROUP }]);
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), RED);
    assert!(!client.heard(&window).closed);
}

#[test]
fn a_cancelled_sleep_gives_the_windows_and_the_keys_back() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let place = fixture.server.capture(GROUP, true)[0].place;
    let keyboard = client.us_keyboard();
    fixture.server.apply(ShellEffect::Fence {
        group: GROUP,
        op: OpId(3),
        hold: true,
    });
    fixture
        .server
        .apply(ShellEffect::ShowGhost { group: GROUP });
    tap(&keyboard, A);
    fixture.roundtrip(&mut client);
    client.data.keys.clear();
    fixture
        .server
        .apply(ShellEffect::DropGhost { group: GROUP });
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.text, "a");
    assert_eq!(client.data.keys.first(), Some(&Key::Enter(window.id())));
    window.draw(&client, 400, 300, BLUE);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), BLUE);
}

#[test]
fn stacking_survives_sleep_and_wake() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    // Larger than half the output, so that they overlap wherever they are put.
    grant(&mut fixture, "first", 1, false);
    let (lower, _) = bound(&mut fixture, &mut client, "first", "main");
    lower.open(&mut fixture, &mut client, 900, 700, RED);
    open(&mut fixture, &mut client, 900, 700, GREEN);
    let before = but_for_the_moon(&mut fixture, &mut client);
    sleep(&mut fixture, &mut client, &lower);
    assert_eq!(before, but_for_the_moon(&mut fixture, &mut client));
    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    grant(&mut fixture, "again", 2, true);
    let (trial, object) = bound(&mut fixture, &mut client, "again", "main");
    trial.surface.commit();
    fixture.roundtrip(&mut client);
    object.ready();
    trial.draw(&client, 900, 700, RED);
    // Drawn as active first, then as what it is going to be: in the background.
    assert!(client.heard(&trial).states.contains(&ACTIVATED));
    fixture.roundtrip(&mut client);
    assert!(!client.heard(&trial).states.contains(&ACTIVATED));
    trial.draw(&client, 900, 700, RED);
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    fixture.roundtrip(&mut client);
    assert_eq!(events(&mut fixture), [Event::Shown { group: GROUP }]);
    assert_eq!(before, but_for_the_moon(&mut fixture, &mut client));
    assert!(
        !client.data.keys.contains(&Key::Enter(trial.id())),
        "a wake that nobody touched stole the focus"
    );
}

#[test]
fn a_group_that_was_woken_by_name_comes_up_on_top_with_the_focus() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    grant(&mut fixture, "first", 1, false);
    let (lower, _) = bound(&mut fixture, &mut client, "first", "main");
    lower.open(&mut fixture, &mut client, 900, 700, RED);
    open(&mut fixture, &mut client, 900, 700, GREEN);
    sleep(&mut fixture, &mut client, &lower);
    let middle = |fixture: &mut Fixture, client: &mut Client| {
        fixture.screenshot(client).part(640, 400, 1, 1)
    };
    let green = middle(&mut fixture, &mut client);

    fixture.server.apply(ShellEffect::Waking { group: GROUP });
    fixture.server.present(&[GROUP]);
    fixture.roundtrip(&mut client);
    assert_ne!(green, middle(&mut fixture, &mut client));
    assert_eq!(events(&mut fixture), [], "it is on its way already");
    // What is typed from now on is for the group.
    let keyboard = client.us_keyboard();
    tap(&keyboard, A);
    grant(&mut fixture, "again", 2, true);
    let (trial, object) = bound(&mut fixture, &mut client, "again", "main");
    trial.surface.commit();
    fixture.roundtrip(&mut client);
    object.ready();
    trial.draw(&client, 900, 700, RED);
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    fixture.roundtrip(&mut client);
    trial.draw(&client, 900, 700, RED);
    fixture.roundtrip(&mut client);
    assert_ne!(green, middle(&mut fixture, &mut client));
    let keys = &client.data.keys;
    let entered = keys.iter().position(|k| *k == Key::Enter(trial.id()));
    let typed = keys.iter().position(|k| *k == Key::Press(A));
    assert!(entered.is_some() && entered < typed, "{keys:?}");
}

#[test]
fn of_all_that_wake_at_once_the_one_focused_last_has_the_focus() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let groups = [GroupId(1), GroupId(2), GroupId(3)];
    let windows = groups.map(|group| {
        let cookie = group.to_string();
        grant_of(&mut fixture, group, &cookie, group.0 as u64, false);
        let (window, _) = bound(&mut fixture, &mut client, &cookie, "main");
        window.open(&mut fixture, &mut client, 900, 700, RED);
        window
    });
    // The third was opened last; then the user chose the second, which says nothing of the order in which they sleep.
    fixture.server.present(&[groups[1]]);
    for (group, window) in groups.iter().zip(&windows).rev() {
        let (group, hold) = (*group, false);
        let op = OpId(1);
        fixture.server.apply(ShellEffect::Fence { group, op, hold });
        fixture.roundtrip(&mut client);
        fixture.server.apply(ShellEffect::ShowGhost { group });
        window.close();
        fixture.roundtrip(&mut client);
    }
    for group in groups {
        fixture.server.apply(ShellEffect::Waking { group });
    }
    // A terminal, in which somebody asks for everything.
    open(&mut fixture, &mut client, 900, 700, GREEN);
    let order = |fixture: &Fixture| -> Vec<_> {
        let shell = &fixture.server.shell;
        let groups = shell.stack().iter().map(|item| shell.group_of_item(*item));
        groups.collect()
    };
    let [first, second, third] = groups.map(Some);
    assert_eq!(order(&fixture), [first, third, second, None]);
    fixture.server.present_last_focused();
    assert_eq!(order(&fixture), [first, third, None, second]);
    let focus = fixture.server.shell.focus();
    let focus = focus.and_then(|item| fixture.server.shell.group_of_item(item));
    assert_eq!(focus, second);

    // Named, they all come up, in the order in which they had the focus.
    fixture.server.present(&[groups[2], groups[0]]);
    assert_eq!(order(&fixture), [None, second, first, third]);
}

#[test]
fn a_ghost_from_the_store_stands_where_the_snapshot_says() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    live(&mut fixture, &mut client, RED);
    let mut snapshot = fixture.server.capture(GROUP, true);
    snapshot[0].place.x = 20;
    snapshot[0].place.y = 30;
    let other = GroupId(77);
    fixture.server.apply(ShellEffect::PlaceGhost {
        group: other,
        generation: overwinter_session::ids::Generation(4),
    });
    let wanted = fixture.server.shell.take_wanted_pictures();
    assert_eq!(wanted, [(other, overwinter_session::ids::Generation(4))]);
    fixture.server.place_ghost(other, &snapshot);
    let shot = fixture.screenshot(&mut client);
    assert_eq!((shot.at(20, 30), shot.at(419, 329)), (RED, RED));
    assert_ne!(shot.at(19, 29), RED);
    // A picture that is not what it says does no harm.
    let mut broken = snapshot.clone();
    broken[0].picture.as_mut().unwrap().argb.truncate(17);
    broken[0].place.above = u32::MAX;
    fixture.server.place_ghost(GroupId(78), &broken);
    fixture.screenshot(&mut client);
    fixture.server.apply(ShellEffect::Forget { group: other });
    fixture
        .server
        .apply(ShellEffect::Forget { group: GroupId(78) });
    assert_ne!(fixture.screenshot(&mut client).at(20, 30), RED);
}

#[test]
fn an_app_that_ends_in_the_middle_of_a_swap_leaves_a_ghost_that_can_be_touched() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let snapshot = fixture.server.capture(GROUP, true);
    let place = snapshot[0].place;
    sleep(&mut fixture, &mut client, &window);
    grant(&mut fixture, "again", 2, true);
    let (trial, _) = bound(&mut fixture, &mut client, "again", "main");
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    trial.close();
    fixture.roundtrip(&mut client);
    fixture.server.place_ghost(GROUP, &snapshot);
    events(&mut fixture);
    assert_eq!(fixture.screenshot(&mut client).at(place.x, place.y), RED);
    let pointer = client.virtual_pointer();
    click(&pointer, place.x as u32 + 2, place.y as u32 + 2);
    fixture.roundtrip(&mut client);
    assert_eq!(events(&mut fixture), [Event::GhostTouched { group: GROUP }]);
}

#[test]
fn groups_that_come_one_after_the_other_are_stacked_as_they_were() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let lower = live(&mut fixture, &mut client, RED);
    let one = fixture.server.capture(GROUP, true);
    lower.close();
    fixture.server.apply(ShellEffect::Forget { group: GROUP });
    let upper = {
        fixture.roundtrip(&mut client);
        client.data.bound.clear();
        live(&mut fixture, &mut client, BLUE)
    };
    let mut two = fixture.server.capture(GROUP, true);
    upper.close();
    fixture.server.apply(ShellEffect::Forget { group: GROUP });
    fixture.roundtrip(&mut client);
    assert!(two[0].place.above > one[0].place.above);
    two[0].place.x += 50;
    // The upper one arrives first.
    fixture.server.place_ghost(GroupId(2), &two);
    fixture.server.place_ghost(GroupId(1), &one);
    let (x, y) = (two[0].place.x, two[0].place.y);
    assert_eq!(fixture.screenshot(&mut client).at(x + 5, y + 5), BLUE);
}

#[test]
fn a_group_that_arrives_takes_the_focus_only_if_it_had_it() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    let mut unfocused = fixture.server.capture(GROUP, true);
    let mut focused = unfocused.clone();
    window.close();
    fixture.server.apply(ShellEffect::Forget { group: GROUP });
    fixture.roundtrip(&mut client);
    unfocused[0].place.focused = false;
    focused[0].place.x += 50;
    assert!(focused[0].place.focused);
    let mut arrive = |fixture: &mut Fixture, group: u128, snapshot: &[_]| {
        let group = GroupId(group);
        fixture.server.place_ghost(group, snapshot);
        let (pid, copy) = (std::process::id() as i32, CopyId(group.0 as u64));
        let cookie = group.to_string();
        fixture.server.shell.grant(
            cookie.clone(),
            Grant {
                group,
                copy,
                pid,
                trial: true,
            },
        );
        let (trial, object) = bound(fixture, &mut client, &cookie, "main");
        trial.surface.commit();
        fixture.roundtrip(&mut client);
        object.ready();
        trial.draw(&client, 400, 300, BLUE);
        fixture.roundtrip(&mut client);
        trial.draw(&client, 400, 300, BLUE);
        fixture.server.apply(ShellEffect::Swap { group, copy });
        fixture.roundtrip(&mut client);
        let entered = client.data.keys.contains(&Key::Enter(trial.id()));
        (events(fixture), entered)
    };
    let (shown, entered) = arrive(&mut fixture, 1, &unfocused);
    assert_eq!(
        (shown, entered),
        (vec![Event::Shown { group: GroupId(1) }], false)
    );
    let (shown, entered) = arrive(&mut fixture, 2, &focused);
    assert_eq!(
        (shown, entered),
        (vec![Event::Shown { group: GroupId(2) }], true)
    );
}

#[test]
fn cookies_are_good_once_and_for_one_process() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    fixture.server.shell.grant(
        "theirs".into(),
        Grant {
            group: GROUP,
            copy: CopyId(1),
            pid: 1,
            trial: false,
        },
    );
    grant(&mut fixture, "ours", 1, false);
    for cookie in ["unknown", "theirs", "ours", "ours"] {
        bound(&mut fixture, &mut client, cookie, "main");
    }
    assert_eq!(
        (client.data.bound.len(), client.data.refused.len()),
        (1, 3),
        "{:?}",
        client.data.refused
    );
}

#[test]
fn a_second_binding_of_a_surface_is_a_protocol_error() {
    let mut fixture = undimmed();
    let client = fixture.client();
    let mut watcher = fixture.client();
    grant(&mut fixture, "one", 1, false);
    grant(&mut fixture, "two", 1, false);
    let surface = client.surface();
    client
        .overwinter
        .get_window(&surface, "one".into(), "main".into(), &client.qh(), ());
    client
        .overwinter
        .get_window(&surface, "two".into(), "main".into(), &client.qh(), ());
    client.connection.flush().unwrap();
    let connection = client.connection.clone();
    fixture.wait(&mut watcher, "the error", |_, _| {
        if let Some(guard) = connection.prepare_read() {
            let _ = guard.read();
        }
        connection.protocol_error().is_some()
    });
    assert_eq!(
        connection.protocol_error().unwrap().object_interface,
        "overwinter_manager_v1"
    );
}

#[test]
fn a_question_of_a_restoring_client_is_shown_after_a_while() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    grant(&mut fixture, "trial", 2, true);
    let question = client.toplevel(&client.surface(), None);
    question.surface.commit();
    fixture.roundtrip(&mut client);
    question.draw(&client, 200, 100, BLUE);
    fixture.roundtrip(&mut client);
    assert!(fixture.server.shell.stack().is_empty(), "shown at once");
    fixture.wait(&mut client, "the question", |_, s| {
        !s.shell.stack().is_empty()
    });
    assert!(
        client
            .data
            .keys
            .contains(&Key::Enter(question.surface.id().protocol_id()))
    );
}

#[test]
fn an_adopted_window_that_never_says_ready_is_shown_in_the_end() {
    let mut fixture = undimmed();
    let mut client = fixture.client();
    let window = live(&mut fixture, &mut client, RED);
    sleep(&mut fixture, &mut client, &window);
    grant(&mut fixture, "again", 2, true);
    let (trial, _) = bound(&mut fixture, &mut client, "again", "main");
    trial.surface.commit();
    fixture.roundtrip(&mut client);
    trial.draw(&client, 400, 300, BLUE);
    fixture.server.apply(ShellEffect::Swap {
        group: GROUP,
        copy: CopyId(2),
    });
    fixture.roundtrip(&mut client);
    assert!(events(&mut fixture).is_empty());
    fixture.wait(&mut client, "the window", |_, s| {
        s.events.contains(&Event::Shown { group: GROUP })
    });
}

#[test]
fn effects_for_unknown_groups_change_nothing() {
    let mut fixture = undimmed();
    let group = GroupId(5);
    for effect in [
        ShellEffect::ShowGhost { group },
        ShellEffect::DropGhost { group },
        ShellEffect::Waking { group },
        ShellEffect::WakeFailed { group },
        ShellEffect::Forget { group },
    ] {
        fixture.server.apply(effect);
    }
    assert!(events(&mut fixture).is_empty());
    fixture.server.apply(ShellEffect::Swap {
        group,
        copy: CopyId(1),
    });
    assert_eq!(events(&mut fixture), [Event::Shown { group }]);
}
