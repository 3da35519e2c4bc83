//! Who lives in a sandbox sees no global that concerns others; everybody else does.

mod common;

use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};

use common::{Data, Fixture};
use wayland_client::delegate_noop;
use wayland_client::globals::GlobalList;
use wayland_protocols::wp::security_context::v1::client::{
    wp_security_context_manager_v1::WpSecurityContextManagerV1,
    wp_security_context_v1::WpSecurityContextV1,
};

delegate_noop!(Data: ignore WpSecurityContextManagerV1);
delegate_noop!(Data: ignore WpSecurityContextV1);

/// All that lets one client look at, act for or shut out others.
const PRIVILEGED: [&str; 16] = [
    "ext_data_control_manager_v1",
    "ext_foreign_toplevel_list_v1",
    "ext_image_copy_capture_manager_v1",
    "ext_output_image_capture_source_manager_v1",
    "ext_session_lock_manager_v1",
    "ext_workspace_manager_v1",
    "wp_security_context_manager_v1",
    "zwlr_data_control_manager_v1",
    "zwlr_foreign_toplevel_manager_v1",
    "zwlr_layer_shell_v1",
    "zwlr_output_manager_v1",
    "zwlr_output_power_manager_v1",
    "zwlr_screencopy_manager_v1",
    "zwlr_virtual_pointer_manager_v1",
    "zwp_input_method_manager_v2",
    "zwp_virtual_keyboard_manager_v1",
];

fn names(globals: &GlobalList) -> Vec<String> {
    let list = globals.contents().clone_list();
    let mut names: Vec<String> = list.into_iter().map(|g| g.interface).collect();
    names.sort();
    names
}

#[test]
fn a_sandboxed_client_gets_what_windows_need_and_nothing_that_concerns_others() {
    let mut fixture = Fixture::new();
    let mut launcher = fixture.client();
    let free = names(&launcher.globals);
    let offered = |name: &&str| free.iter().any(|n| n == name);
    let expected: Vec<&str> = PRIVILEGED.into_iter().filter(offered).collect();
    assert_eq!(expected, PRIVILEGED);

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("wayland");
    let listener = UnixListener::bind(&socket).unwrap();
    let (kept, given) = UnixStream::pair().unwrap();
    let manager: WpSecurityContextManagerV1 = launcher.bind();
    let qh = launcher.qh();
    let context = manager.create_listener(listener.as_fd(), given.as_fd(), &qh, ());
    context.set_sandbox_engine("org.flatpak".into());
    context.set_app_id("org.example.App".into());
    context.commit();
    fixture.roundtrip(&mut launcher);
    drop(given);

    let (_connection, globals, _queue) = fixture.connect(UnixStream::connect(&socket).unwrap());
    let sandboxed = names(&globals);
    for name in PRIVILEGED {
        assert!(!sandboxed.iter().any(|n| n == name), "{name}");
    }
    for name in [
        "wl_compositor",
        "xdg_wm_base",
        "wl_seat",
        "wl_shm",
        "xdg_activation_v1",
    ] {
        assert!(sandboxed.iter().any(|n| n == name), "{name}");
    }
    let missing = free.iter().filter(|n| !sandboxed.contains(n));
    assert_eq!(missing.collect::<Vec<_>>(), PRIVILEGED);
    drop(kept);
}

#[test]
fn a_context_whose_socket_is_none_ends_nothing() {
    let mut fixture = Fixture::new();
    let mut launcher = fixture.client();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let file = tempfile::tempfile().unwrap();
    let manager: WpSecurityContextManagerV1 = launcher.bind();
    let qh = launcher.qh();
    // Connected, so that it can be read but not accepted from; and a file, which cannot even be waited for.
    use std::io::Write;
    (&ours).write_all(b"x").unwrap();
    manager
        .create_listener(theirs.as_fd(), ours.as_fd(), &qh, ())
        .commit();
    manager
        .create_listener(file.as_fd(), file.as_fd(), &qh, ())
        .commit();
    for _ in 0..3 {
        fixture.roundtrip(&mut launcher);
    }
}
