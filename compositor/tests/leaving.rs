//! Clients that go: what they had goes to others, and nobody else notices.

mod common;

use common::{Fixture, open};

const RED: u32 = 0x00ff_0000;
const BLUE: u32 = 0x0000_00ff;

#[test]
fn a_client_that_goes_with_keyboard_and_pointer_takes_nobody_along() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    let mut goes = fixture.client();
    // So large that both windows are under the pointer: when the one goes, the other has it for a moment.
    open(&mut fixture, &mut goes, 1200, 700, RED);
    open(&mut fixture, &mut goes, 1200, 700, BLUE);
    // What a connection leaves is cleared away in the order of its numbers; of so many some outlive the windows.
    for _ in 0..32 {
        goes.seat.get_keyboard(&goes.qh(), ());
        goes.seat.get_pointer(&goes.qh(), ());
    }
    fixture.roundtrip(&mut goes);
    // The first one goes first: while it does, the second is still there and would be told.
    let first = fixture.server.shell.stack()[0];
    fixture.server.raise_and_focus(first);
    let mouse = stays.virtual_pointer();
    mouse.motion_absolute(0, 640, 400, 1280, 800);
    mouse.frame();
    fixture.roundtrip(&mut stays);
    fixture.roundtrip(&mut goes);
    assert!(goes.data.pointer_over.is_some());
    drop(goes);
    fixture.wait(&mut stays, "the windows go", |_, server| {
        server.shell.stack().is_empty()
    });
    let window = open(&mut fixture, &mut stays, 1200, 700, RED);
    fixture.roundtrip(&mut stays);
    assert_eq!(stays.data.pointer_over, Some(window.id()));
}

#[test]
fn a_popup_that_stands_on_itself_ends_its_client_alone() {
    let mut fixture = Fixture::new();
    let mut stays = fixture.client();
    let goes = fixture.client();
    goes.popup_on_itself();
    goes.connection.flush().unwrap();
    fixture.wait(&mut stays, "the error", |_, _| {
        if let Some(guard) = goes.connection.prepare_read() {
            let _ = guard.read();
        }
        goes.connection.protocol_error().is_some()
    });
    let error = goes.connection.protocol_error().unwrap();
    assert_eq!(error.object_interface, "xdg_popup");
    open(&mut fixture, &mut stays, 300, 200, RED);
}
