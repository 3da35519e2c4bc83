//! What hostile clients were found to do to the session (`scripts/hostile`): it ends them alone.

mod common;

use common::{Client, Data, Fixture, open};
use wayland_client::delegate_noop;
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
