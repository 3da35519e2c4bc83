//! Panels, wallpapers, launchers and lockers: what they get from wlr-layer-shell and ext-session-lock.

mod common;

use common::{Client, Data, Fixture, Key, click, open, tap};
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, Dispatch, Proxy, QueueHandle, delegate_noop};
use wayland_protocols::ext::session_lock::v1::client::{
    ext_session_lock_manager_v1::ExtSessionLockManagerV1,
    ext_session_lock_surface_v1::{self, ExtSessionLockSurfaceV1},
    ext_session_lock_v1::ExtSessionLockV1,
};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_shell_v1::{
    Layer, ZwlrLayerShellV1,
};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_surface_v1::{
    self, Anchor, KeyboardInteractivity, ZwlrLayerSurfaceV1,
};

const RED: u32 = 0xcc2020;
const BLUE: u32 = 0x2020cc;
const GREEN: u32 = 0x20cc20;
const GROUND: u32 = 0x161922;

logs!(ExtSessionLockV1);
delegate_noop!(Data: ignore ZwlrLayerShellV1);
delegate_noop!(Data: ignore ExtSessionLockManagerV1);

impl Dispatch<ZwlrLayerSurfaceV1, u32> for Data {
    fn event(
        data: &mut Self,
        _: &ZwlrLayerSurfaceV1,
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
                heard.serial = serial;
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
        _: &ExtSessionLockSurfaceV1,
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
            let heard = data.heard.entry(*id).or_default();
            heard.serial = serial;
            heard.size = (width as i32, height as i32);
            heard.configures += 1;
        }
    }
}

/// A layer surface of a test.
struct Panel {
    surface: WlSurface,
    layer: ZwlrLayerSurfaceV1,
}

impl Panel {
    fn new(client: &Client, layer: Layer, anchor: Anchor, size: (u32, u32), zone: i32) -> Panel {
        let shell: ZwlrLayerShellV1 = client.bind();
        let surface = client.surface();
        let id = surface.id().protocol_id();
        let layer = shell.get_layer_surface(&surface, None, layer, "test".into(), &client.qh(), id);
        layer.set_anchor(anchor);
        layer.set_size(size.0, size.1);
        layer.set_exclusive_zone(zone);
        Panel { surface, layer }
    }

    fn id(&self) -> u32 {
        self.surface.id().protocol_id()
    }

    /// First commit, configure, and a buffer of the size that it was told.
    fn show(&self, fixture: &mut Fixture, client: &mut Client, xrgb: u32) -> (i32, i32) {
        let id = self.id();
        let before = client.data.heard.get(&id).map_or(0, |h| h.configures);
        self.surface.commit();
        fixture.wait(client, "a layer surface's configure", |c, _| {
            c.data.heard.get(&id).is_some_and(|h| h.configures > before)
        });
        let (width, height) = client.data.heard[&id].size;
        self.layer.ack_configure(client.data.heard[&id].serial);
        attach(client, &self.surface, width, height, xrgb);
        fixture.roundtrip(client);
        (width, height)
    }
}

fn attach(client: &Client, surface: &WlSurface, width: i32, height: i32, xrgb: u32) {
    let (buffer, _file) = client.buffer(width, height, xrgb);
    surface.attach(Some(&buffer), 0, 0);
    surface.damage_buffer(0, 0, width, height);
    surface.commit();
}

fn top_bar() -> Anchor {
    Anchor::Top | Anchor::Left | Anchor::Right
}

#[test]
fn a_bar_takes_room_from_windows_and_gives_it_back() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    window.toplevel.set_maximized();
    fixture.wait(&mut client, "the whole output", |c, _| {
        c.heard(&window).size == (1280, 800)
    });
    let bar = Panel::new(&client, Layer::Top, top_bar(), (0, 30), 30);
    assert_eq!(bar.show(&mut fixture, &mut client, BLUE), (1280, 30));
    fixture.wait(&mut client, "what the bar leaves", |c, _| {
        c.heard(&window).size == (1280, 770)
    });
    window.draw(&client, 1280, 770, RED);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!([shot.at(5, 29), shot.at(5, 30)], [BLUE, RED]);
    assert_eq!(shot.at(5, 799), RED);
    // A window that is placed now stands in the middle of what is left.
    let placed = open(&mut fixture, &mut client, 400, 300, GREEN);
    let shot = fixture.screenshot(&mut client);
    assert_eq!([shot.at(640, 264), shot.at(640, 266)], [RED, GREEN]);
    placed.close();
    bar.layer.destroy();
    bar.surface.destroy();
    fixture.wait(&mut client, "the whole output again", |c, _| {
        c.heard(&window).size == (1280, 800)
    });
}

#[test]
fn layers_stand_above_and_below_windows_and_a_fullscreen_one_covers_the_bar() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let everywhere = Anchor::all();
    let wallpaper = Panel::new(&client, Layer::Background, everywhere, (0, 0), -1);
    assert_eq!(
        wallpaper.show(&mut fixture, &mut client, GREEN),
        (1280, 800)
    );
    let bar = Panel::new(&client, Layer::Top, top_bar(), (0, 30), 30);
    bar.show(&mut fixture, &mut client, BLUE);
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(
        [shot.at(5, 5), shot.at(5, 100), shot.at(640, 400)],
        [BLUE, GREEN, RED]
    );
    window.toplevel.set_fullscreen(None);
    fixture.wait(&mut client, "the whole output", |c, _| {
        c.heard(&window).size == (1280, 800)
    });
    window.draw(&client, 1280, 800, RED);
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(5, 5), RED);
    // What is on top of everything stays there.
    let overlay = Panel::new(&client, Layer::Overlay, Anchor::Top, (100, 20), -1);
    overlay.show(&mut fixture, &mut client, GREEN);
    let shot = fixture.screenshot(&mut client);
    assert_eq!([shot.at(640, 5), shot.at(5, 5)], [GREEN, RED]);
}

#[test]
fn a_launcher_has_all_keys_until_it_goes() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let keyboard = client.us_keyboard();
    let launcher = Panel::new(&client, Layer::Overlay, Anchor::empty(), (200, 100), 0);
    launcher
        .layer
        .set_keyboard_interactivity(KeyboardInteractivity::Exclusive);
    client.data.keys.clear();
    launcher.show(&mut fixture, &mut client, BLUE);
    assert!(client.data.keys.contains(&Key::Enter(launcher.id())));
    tap(&keyboard, 30);
    fixture.roundtrip(&mut client);
    assert!(client.data.keys.contains(&Key::Press(30)));
    // A click on the window raises it; the keys stay where they are.
    let pointer = client.virtual_pointer();
    client.data.keys.clear();
    click(&pointer, 450, 260);
    fixture.roundtrip(&mut client);
    assert!(!client.data.keys.contains(&Key::Enter(window.id())));
    launcher.layer.destroy();
    launcher.surface.destroy();
    fixture.roundtrip(&mut client);
    assert!(client.data.keys.contains(&Key::Enter(window.id())));
}

#[test]
fn a_panel_gets_keys_by_a_click_and_only_if_it_wants_them() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 400, 300, RED);
    let pointer = client.virtual_pointer();
    let bar = Panel::new(&client, Layer::Top, top_bar(), (0, 30), 30);
    bar.show(&mut fixture, &mut client, BLUE);
    client.data.keys.clear();
    click(&pointer, 5, 5);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.pointer_over, Some(bar.id()));
    assert_eq!(client.data.clicks.len(), 2);
    assert_eq!(client.data.keys, []);
    bar.layer
        .set_keyboard_interactivity(KeyboardInteractivity::OnDemand);
    bar.surface.commit();
    click(&pointer, 5, 5);
    fixture.roundtrip(&mut client);
    assert!(client.data.keys.contains(&Key::Enter(bar.id())));
    click(&pointer, 640, 400);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.pointer_over, Some(window.id()));
    assert!(client.data.keys.contains(&Key::Leave(bar.id())));
    assert!(client.data.keys.contains(&Key::Enter(window.id())));
}

#[test]
fn a_panel_that_took_its_buffer_away_begins_anew() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let bar = Panel::new(&client, Layer::Top, top_bar(), (0, 30), 30);
    bar.show(&mut fixture, &mut client, BLUE);
    assert_eq!(fixture.screenshot(&mut client).at(5, 5), BLUE);
    bar.surface.attach(None, 0, 0);
    bar.surface.commit();
    fixture.roundtrip(&mut client);
    assert_eq!(fixture.screenshot(&mut client).at(5, 5), GROUND);
    assert_eq!(fixture.server.work_area().loc.y, 0);
    bar.show(&mut fixture, &mut client, GREEN);
    assert_eq!(fixture.screenshot(&mut client).at(5, 5), GREEN);
    assert_eq!(fixture.server.work_area().loc.y, 30);
}

#[test]
fn the_menu_of_a_bar_stays_on_the_output_and_above_windows() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 1280, 800, RED);
    let anchor = Anchor::Bottom | Anchor::Left | Anchor::Right;
    let bar = Panel::new(&client, Layer::Top, anchor, (0, 30), 30);
    bar.show(&mut fixture, &mut client, BLUE);
    let (surface, xdg, popup) = client.popup_of_none((100, 0), (200, 100));
    bar.layer.get_popup(&popup);
    surface.commit();
    fixture.wait(&mut client, "the menu's place", |c, _| {
        c.data.popup_at.is_some()
    });
    let (x, y, w, h) = client.data.popup_at.unwrap();
    assert!(770 + y + h <= 800, "{y} {h}");
    xdg.ack_configure(client.data.heard[&surface.id().protocol_id()].serial);
    attach(&client, &surface, w, h, GREEN);
    fixture.roundtrip(&mut client);
    let shot = fixture.screenshot(&mut client);
    assert_eq!(shot.at(x + 1, 770 + y + 1), GREEN);
    let pointer = client.virtual_pointer();
    click(&pointer, x as u32 + 1, (770 + y) as u32 + 1);
    fixture.roundtrip(&mut client);
    assert_eq!(client.data.pointer_over, Some(surface.id().protocol_id()));
    drop(window);
}

/// Locks the session and shows a plain surface of the locker.
fn lock(fixture: &mut Fixture, client: &mut Client) -> (ExtSessionLockV1, WlSurface) {
    let manager: ExtSessionLockManagerV1 = client.bind();
    let lock = manager.lock(&client.qh(), ());
    let surface = client.surface();
    let id = surface.id().protocol_id();
    let of_lock = lock.get_lock_surface(&surface, &client.output, &client.qh(), id);
    fixture.wait(client, "the lock", |c, _| c.told("Locked") == 1);
    let heard = client.data.heard[&id].clone();
    assert_eq!(heard.size, (1280, 800));
    of_lock.ack_configure(heard.serial);
    attach(client, &surface, 1280, 800, BLUE);
    fixture.roundtrip(client);
    (lock, surface)
}

#[test]
fn a_locked_session_shows_the_locker_and_gives_it_every_key() {
    let mut fixture = Fixture::new();
    let mut app = fixture.client();
    let window = open(&mut fixture, &mut app, 400, 300, RED);
    let overlay = Panel::new(&app, Layer::Overlay, Anchor::Top, (100, 20), 0);
    overlay
        .layer
        .set_keyboard_interactivity(KeyboardInteractivity::Exclusive);
    overlay.show(&mut fixture, &mut app, GREEN);
    let (pointer, keyboard) = (app.virtual_pointer(), app.us_keyboard());
    let mut locker = fixture.client();
    let (lock, surface) = lock(&mut fixture, &mut locker);
    let shot = fixture.screenshot(&mut locker);
    assert!(shot.part(0, 0, 1280, 800).iter().all(|p| *p == BLUE));
    let id = surface.id().protocol_id();
    assert!(locker.data.keys.contains(&Key::Enter(id)));
    fixture.roundtrip(&mut app);
    app.data.keys.clear();
    let told = fixture.server.act(&overwinter_config::Action::Close);
    assert!(told.unwrap_err().contains("locked"));
    // Neither keys, nor bindings, nor clicks reach anything behind the lock.
    tap(&keyboard, 30);
    keyboard.key(0, 125, 1);
    tap(&keyboard, 16);
    keyboard.key(0, 125, 0);
    click(&pointer, 640, 400);
    fixture.roundtrip(&mut app);
    fixture.roundtrip(&mut locker);
    assert_eq!(app.data.keys, []);
    assert_eq!(app.data.clicks, []);
    assert!(!app.heard(&window).closed);
    assert!(locker.data.keys.contains(&Key::Press(30)));
    assert!(locker.data.keys.contains(&Key::Press(16)));
    assert_eq!(locker.data.clicks.len(), 2);
    lock.unlock_and_destroy();
    surface.destroy();
    fixture.roundtrip(&mut locker);
    let shot = fixture.screenshot(&mut app);
    assert_eq!([shot.at(640, 400), shot.at(640, 5)], [RED, GREEN]);
}

#[test]
fn a_locker_that_dies_leaves_the_session_locked_and_another_can_take_over() {
    let mut fixture = Fixture::new();
    let mut app = fixture.client();
    open(&mut fixture, &mut app, 400, 300, RED);
    let mut locker = fixture.client();
    lock(&mut fixture, &mut locker);
    // Who comes second is refused as long as the first lives, and cannot unlock.
    let mut second = fixture.client();
    let manager: ExtSessionLockManagerV1 = second.bind();
    manager.lock(&second.qh(), ());
    fixture.wait(&mut second, "the refusal", |c, _| c.told("Finished") == 1);
    drop(locker);
    fixture.wait(&mut app, "the locker's end", |_, s| {
        s.shell
            .lock
            .as_ref()
            .is_some_and(|l| l.covers().next().is_none())
    });
    let shot = fixture.screenshot(&mut app);
    assert!(shot.part(0, 0, 1280, 800).iter().all(|p| *p == GROUND));
    let mut third = fixture.client();
    let (lock, _surface) = lock(&mut fixture, &mut third);
    assert_eq!(fixture.screenshot(&mut app).at(640, 400), BLUE);
    lock.unlock_and_destroy();
    fixture.roundtrip(&mut third);
    assert_eq!(fixture.screenshot(&mut app).at(640, 400), RED);
}

#[test]
fn a_refused_lock_cannot_unlock() {
    let mut fixture = Fixture::new();
    let mut app = fixture.client();
    open(&mut fixture, &mut app, 400, 300, RED);
    let mut locker = fixture.client();
    lock(&mut fixture, &mut locker);
    let mut second = fixture.client();
    let manager: ExtSessionLockManagerV1 = second.bind();
    let refused = manager.lock(&second.qh(), ());
    fixture.wait(&mut second, "the refusal", |c, _| c.told("Finished") == 1);
    refused.unlock_and_destroy();
    second.connection.flush().unwrap();
    for _ in 0..4 {
        fixture.turn();
    }
    assert!(fixture.server.shell.lock.is_some());
    assert_eq!(fixture.screenshot(&mut app).at(640, 400), BLUE);
}
