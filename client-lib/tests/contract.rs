//! What the library serves on the bus is exactly what the contract's XML says.
#![allow(missing_docs)]

mod stage;

use overwinter_proto::bus::{CLIENT_INTERFACE, CLIENT_PATH, CLIENT_XML};
use stage::*;
use zbus_xml::{Interface, Node};

/// Every member with its arguments, sorted: "BeginSave(op t In, …)".
fn members(interface: &Interface<'_>) -> Vec<String> {
    assert!(interface.signals().is_empty() && interface.properties().is_empty());
    let argument = |argument: &zbus_xml::Arg| {
        let (name, direction) = (argument.name().unwrap_or("?"), argument.direction());
        format!("{name} {} {direction:?}", argument.ty().inner())
    };
    let mut members: Vec<String> = interface
        .methods()
        .iter()
        .map(|method| {
            let arguments: Vec<_> = method.args().iter().map(argument).collect();
            format!("{}({})", method.name(), arguments.join(", "))
        })
        .collect();
    members.sort();
    members
}

fn of(node: &Node<'_>) -> Vec<String> {
    let interface = node
        .interfaces()
        .iter()
        .find(|interface| interface.name() == CLIENT_INTERFACE);
    members(interface.expect("the interface is there"))
}

#[test]
fn the_live_object_is_what_the_xml_says() {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "launch");
    let app = App::start(&bus.address);
    assert!(matches!(peer.hear(&app.session), Said::Register { .. }));
    let name = peer.app.borrow().clone();
    let live: String = peer
        .connection
        .call_method(
            Some(name.as_str()),
            CLIENT_PATH,
            Some("org.freedesktop.DBus.Introspectable"),
            "Introspect",
            &(),
        )
        .and_then(|reply| reply.body().deserialize())
        .unwrap();
    let live = of(&Node::from_reader(live.as_bytes()).unwrap());
    let written = of(&Node::from_reader(CLIENT_XML.as_bytes()).unwrap());
    assert_eq!(live.len(), 8);
    assert_eq!(live, written);
}
