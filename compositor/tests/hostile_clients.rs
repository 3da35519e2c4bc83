//! What hostile clients were found to do to the session (`scripts/hostile`): it ends them alone.

mod common;

use common::{Client, Data, Fixture, open};
use wayland_client::Proxy;
use wayland_client::delegate_noop;
use wayland_client::protocol::wl_pointer::ButtonState;
use wayland_client::protocol::wl_subcompositor::WlSubcompositor;
use wayland_client::protocol::wl_subsurface::WlSubsurface;
use wayland_client::protocol::wl_surface::WlSurface;

delegate_noop!(Data: WlSubcompositor);
delegate_noop!(Data: WlSubsurface);

const RED: u32 = 0x00ff_0000;

/// Waits until a client has been told of its error. Which object it was about: its interface.
fn error_of(fixture: &mut Fixture, goes: Client) -> String {
    let mut stays = fixture.client();
    goes.connection.flush().unwrap();
    fixture.wait(&mut stays, "the error", |_, _| {
        if let Some(guard) = goes.connection.prepare_read() {
            let _ = guard.read();
        }
        goes.connection.protocol_error().is_some()
    });
    let error = goes.connection.protocol_error().unwrap();
    drop(goes);
    open(fixture, &mut stays, 300, 200, RED);
    error.object_interface
}

fn child(
    client: &Client,
    maker: &WlSubcompositor,
    parent: &WlSurface,
) -> (WlSurface, WlSubsurface) {
    let surface = client.surface();
    let subsurface = maker.get_subsurface(&surface, parent, &client.qh(), ());
    (surface, subsurface)
}

#[test]
fn a_subsurface_above_itself_is_an_error() {
    for above in [true, false] {
        let mut fixture = Fixture::new();
        let client = fixture.client();
        let maker: WlSubcompositor = client.bind();
        let (surface, subsurface) = child(&client, &maker, &client.surface());
        if above {
            subsurface.place_above(&surface);
        } else {
            subsurface.place_below(&surface);
        }
        assert_eq!(error_of(&mut fixture, client), "wl_subsurface");
    }
}

#[test]
fn subsurfaces_stand_on_one_another_to_a_bound_from_wherever_the_tree_grows() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let maker: WlSubcompositor = client.bind();
    let grow = |client: &mut Client, down: bool, by: usize| {
        let mut end = client.surface();
        for _ in 0..by {
            if down {
                let other = client.surface();
                maker.get_subsurface(&end, &other, &client.qh(), ());
                end = other;
            } else {
                end = child(client, &maker, &end).0;
            }
        }
    };
    // As many as may be, and then one more in either direction.
    grow(&mut client, false, 128);
    grow(&mut client, true, 128);
    fixture.roundtrip(&mut client);
    grow(&mut client, true, 129);
    assert_eq!(error_of(&mut fixture, client), "wl_subcompositor");
    let client = fixture.client();
    let maker: WlSubcompositor = client.bind();
    let mut end = client.surface();
    for _ in 0..129 {
        end = child(&client, &maker, &end).0;
    }
    assert_eq!(error_of(&mut fixture, client), "wl_subcompositor");
}

#[test]
fn popups_stand_on_one_another_to_a_bound() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let window = open(&mut fixture, &mut client, 300, 200, RED);
    let tower = |client: &Client, by: usize| {
        let mut below = window.xdg.clone();
        for _ in 0..by {
            let (_, xdg, _) = client.popup_within(Some(&below), (0, 0), (10, 10));
            below = xdg;
        }
    };
    tower(&client, 63);
    fixture.roundtrip(&mut client);
    tower(&client, 65);
    assert_eq!(error_of(&mut fixture, client), "xdg_popup");
}

/// Found by seed 40. A connection's objects go in the order of their numbers: first the menu, whose grab is over, then the
/// window, and that the keyboard's surface belongs to somebody who is going nobody may be told.
#[test]
fn a_client_that_goes_with_an_open_menu_takes_nobody_along() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    open(&mut fixture, &mut stays, 1200, 700, RED);
    let pointer = stays.virtual_pointer();
    let mut goes = fixture.client();
    goes.seat.get_keyboard(&goes.qh(), ());
    // Low numbers for what comes last.
    let low: Vec<WlSurface> = (0..8).map(|_| goes.surface()).collect();
    fixture.roundtrip(&mut goes);
    let window = open(&mut fixture, &mut goes, 1200, 700, RED);
    low.iter().for_each(WlSurface::destroy);
    fixture.roundtrip(&mut goes);
    pointer.motion_absolute(0, 640, 400, 1280, 800);
    pointer.button(0, 0x110, ButtonState::Pressed);
    pointer.frame();
    fixture.roundtrip(&mut stays);
    fixture.roundtrip(&mut goes);
    let (surface, xdg, popup) = goes.popup(&window, (60, 50), (100, 100));
    popup.grab(&goes.seat, goes.data.press_serial);
    surface.commit();
    pointer.button(0, 0x110, ButtonState::Released);
    pointer.frame();
    fixture.roundtrip(&mut stays);
    fixture.wait(&mut goes, "the popup's place", |c, _| {
        c.data.popup_at.is_some()
    });
    let id = surface.id().protocol_id();
    xdg.ack_configure(goes.data.heard[&id].serial);
    let (buffer, _file) = goes.buffer(100, 100, RED);
    surface.attach(Some(&buffer), 0, 0);
    surface.commit();
    fixture.roundtrip(&mut goes);
    drop(goes);
    fixture.wait(&mut stays, "its window goes", |_, server| {
        server.shell.stack().len() == 1
    });
    fixture.roundtrip(&mut stays);
}
