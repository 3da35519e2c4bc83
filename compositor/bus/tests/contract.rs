//! The XML files are the contract: what the live objects say of themselves, and what is sent to apps, must be exactly that.

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{Daemon, session};
use overwinter_bus::{BusCommand, ClientCall, GroupView};
use overwinter_proto::{
    CopyId, Generation, GroupId, Lease, LetGo, OpId, Reason, Revision, Secrets,
    bus::{
        BLOBS_XML, CLIENT_XML, CONTROL_XML, GROUP_XML, GROUPS_PATH, ROOT_PATH, SESSION_NAME,
        SESSION_PATH, SESSION_XML, STORE_PATH, STORE_XML,
    },
};
use zbus::message::Type;
use zbus_xml::{Interface, Node};

/// An interface in a form that two sources can be compared in: member → "kind (name: type direction, …)".
fn members(interface: &Interface<'_>) -> BTreeMap<String, String> {
    let argument = |a: &zbus_xml::Arg| {
        let direction = match a.direction() {
            Some(zbus_xml::ArgDirection::In) => "in",
            Some(zbus_xml::ArgDirection::Out) => "out",
            None => "-",
        };
        format!(
            "{}: {} {direction}",
            a.name().unwrap_or("?"),
            a.ty().inner()
        )
    };
    let list = |args: &[zbus_xml::Arg]| args.iter().map(argument).collect::<Vec<_>>().join(", ");
    let mut all = BTreeMap::new();
    for m in interface.methods() {
        all.insert(m.name().to_string(), format!("method ({})", list(m.args())));
    }
    for s in interface.signals() {
        all.insert(
            s.name().to_string(),
            format!("signal ({})", list(s.args()).replace(" out", " -")),
        );
    }
    for p in interface.properties() {
        all.insert(
            p.name().to_string(),
            format!("property {} {:?}", p.ty().inner(), p.access()),
        );
    }
    all
}

fn written(xml: &str) -> (String, BTreeMap<String, String>) {
    let node = Node::from_reader(xml.as_bytes()).unwrap();
    let [interface] = node.interfaces() else {
        panic!("one interface a file");
    };
    (interface.name().to_string(), members(interface))
}

#[test]
fn the_live_objects_are_what_the_xml_says() {
    let daemon = Daemon::start();
    let (bus, _told) = session(&daemon);
    let group = GroupId(7);
    bus.command(BusCommand::Groups(vec![GroupView {
        id: group,
        app: "a".into(),
        title: "t".into(),
        state: "live".into(),
        version: "1".into(),
        generation: 1,
        pid: 1,
    }]));
    let client = daemon.connect();
    let path = format!("{GROUPS_PATH}/{group}");
    common_wait_for_object(&client, &path);
    for (path, xml) in [
        (SESSION_PATH, SESSION_XML),
        (SESSION_PATH, BLOBS_XML),
        (SESSION_PATH, CONTROL_XML),
        (STORE_PATH, STORE_XML),
        (path.as_str(), GROUP_XML),
    ] {
        let (name, expected) = written(xml);
        let reply = client
            .call_method(
                Some(SESSION_NAME),
                path,
                Some("org.freedesktop.DBus.Introspectable"),
                "Introspect",
                &(),
            )
            .unwrap();
        let live: String = reply.body().deserialize().unwrap();
        let node = Node::from_reader(live.as_bytes()).unwrap();
        let interface = node.interfaces().iter().find(|i| i.name() == name.as_str());
        let interface = interface.unwrap_or_else(|| panic!("{path} has no {name}"));
        assert_eq!(members(interface), expected, "{name}");
        assert!(!expected.is_empty());
    }
}

/// Objects come by command, on another thread.
fn common_wait_for_object(client: &zbus::blocking::Connection, path: &str) {
    let end = std::time::Instant::now() + common::PATIENCE;
    loop {
        let reply = client
            .call_method(
                Some(SESSION_NAME),
                ROOT_PATH,
                Some("org.freedesktop.DBus.ObjectManager"),
                "GetManagedObjects",
                &(),
            )
            .unwrap();
        let objects: zbus::fdo::ManagedObjects = reply.body().deserialize().unwrap();
        if objects.keys().any(|p| p.as_str() == path) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{path} never came");
    }
}

#[test]
fn calls_to_apps_have_the_types_that_the_xml_says() {
    let daemon = Daemon::start();
    let (bus, _told) = session(&daemon);
    let app = daemon.connect();
    let to = app.unique_name().unwrap().to_string();
    let (op, group, lease, copy) = (OpId(1), GroupId(2), Lease::FIRST, CopyId(3));
    let (reason, revision, deadline_ms) = (Reason::Wake, Revision(4), 5000);
    let restore = |state: Vec<u8>| ClientCall::Restore {
        op,
        group,
        copy,
        reason,
        revision,
        cookie: "c".into(),
        state: Arc::new(state),
        secrets: Arc::new(Secrets {
            staying: b"a".to_vec(),
            travelling: Vec::new(),
        }),
        deadline_ms,
    };
    let generation = Generation(9);
    let how = LetGo::Stay;
    let calls = [
        ClientCall::BeginSave {
            op,
            group,
            lease,
            reason,
            deadline_ms,
        },
        ClientCall::Stored {
            group,
            lease,
            revision,
            generation,
        },
        restore(vec![1, 2]),
        restore(vec![7; 100_000]),
        ClientCall::Adopt {
            op,
            group,
            copy,
            lease,
        },
        ClientCall::Discard { op, group, copy },
        ClientCall::Release {
            op,
            group,
            lease,
            revision,
            how,
        },
        ClientCall::YieldNames { op },
        ClientCall::TakeNames { op },
    ];
    let (_, expected) = written(CLIENT_XML);
    let sent: std::collections::BTreeSet<String> =
        calls.iter().map(|c| c.method().to_owned()).collect();
    assert_eq!(
        sent,
        expected.keys().cloned().collect(),
        "every method is tried"
    );
    let node = Node::from_reader(CLIENT_XML.as_bytes()).unwrap();
    let mut incoming = zbus::blocking::MessageIterator::from(&app);
    for call in calls {
        let name = call.method();
        bus.command(BusCommand::Call {
            to: to.clone(),
            call,
        });
        let message = incoming
            .find(|m| {
                m.as_ref()
                    .is_ok_and(|m| m.message_type() == Type::MethodCall)
            })
            .unwrap()
            .unwrap();
        assert_eq!(message.header().member().unwrap().as_str(), name);
        let method = node.interfaces()[0]
            .methods()
            .iter()
            .find(|m| m.name() == name)
            .unwrap();
        let types: String = method
            .args()
            .iter()
            .map(|a| a.ty().inner().to_string())
            .collect();
        assert_eq!(
            message.body().signature().to_string_no_parens(),
            types,
            "{name}"
        );
    }
}
