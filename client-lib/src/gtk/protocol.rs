//! `overwinter_v1`, generated from the protocol's XML.
#![allow(missing_docs, non_upper_case_globals, unused, clippy::all)]

use wayland_client;
use wayland_client::protocol::*;

mod interfaces {
    use wayland_client::protocol::__interfaces::*;
    wayland_scanner::generate_interfaces!("../session-proto/protocols/overwinter-v1.xml");
}
use self::interfaces::*;

wayland_scanner::generate_client_code!("../session-proto/protocols/overwinter-v1.xml");
