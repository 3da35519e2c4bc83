//! Callers on a real bus: order, identity, payloads, refusals, ends.

mod common;

use std::{
    fs::File,
    io::Write,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::Command,
    time::Instant,
};

use common::{Daemon, PATIENCE, answering, next, session};
use overwinter_bus::{
    Bus, BusCommand, BusEvent, ClientCall, Control, GroupView, OperationState, Refusal, Registered,
    Said, StartError, StoreCall,
};
use overwinter_proto::{
    GroupId, Lease, OpId, Reason,
    bus::{
        BLOBS_INTERFACE, CONTROL_INTERFACE, SESSION_INTERFACE, SESSION_NAME, SESSION_PATH,
        STORE_INTERFACE, STORE_PATH,
    },
    parts::MAX_BLOB,
};
use rustix::fs::{MemfdFlags, SealFlags};
use zbus::{
    Message,
    blocking::{Connection, MessageIterator},
    message::Type,
    zvariant::{DynamicType, OwnedFd as WireFd},
};

fn call<B: serde::Serialize + DynamicType>(
    from: &Connection,
    interface: &str,
    method: &str,
    body: &B,
) -> zbus::Result<Message> {
    from.call_method(
        Some(SESSION_NAME),
        SESSION_PATH,
        Some(interface),
        method,
        body,
    )
}

fn app_call<B: serde::Serialize + DynamicType>(
    from: &Connection,
    method: &str,
    body: &B,
) -> zbus::Result<Message> {
    call(from, SESSION_INTERFACE, method, body)
}

fn store_call<B: serde::Serialize + DynamicType>(
    from: &Connection,
    method: &str,
    body: &B,
) -> zbus::Result<Message> {
    from.call_method(
        Some(SESSION_NAME),
        STORE_PATH,
        Some(STORE_INTERFACE),
        method,
        body,
    )
}

/// The error's name and text.
fn error(result: zbus::Result<Message>) -> (String, String) {
    match result {
        Err(zbus::Error::MethodError(name, text, _)) => {
            (name.to_string(), text.unwrap_or_default())
        }
        other => panic!("no error: {other:?}"),
    }
}

const NO_PAYLOAD: (Vec<u8>, Vec<WireFd>) = (Vec::new(), Vec::new());

fn saved(payload: (Vec<u8>, Vec<WireFd>)) -> impl serde::Serialize + DynamicType {
    (
        1u64,
        GroupId(5).to_string(),
        Lease::FIRST.0,
        3u64,
        "title",
        vec![9u8; 32],
        payload,
        vec![(vec![8u8; 32], 5u64)],
        NO_PAYLOAD,
        (b"travels".to_vec(), Vec::<WireFd>::new()),
    )
}

#[test]
fn a_caller_is_who_the_bus_says_and_its_register_is_answered_before_it_is_called() {
    let daemon = Daemon::start();
    let _bus = answering(&daemon, |bus, event| match event {
        BusEvent::Register {
            caller,
            app,
            version,
            held,
            reply,
        } => {
            assert_eq!(caller.process.pid, std::process::id());
            assert!(caller.process.start > 0);
            assert_eq!((app.as_str(), version.as_str()), ("org.example.App", "1.0"));
            assert_eq!(held.len(), 1);
            // The worst moment: the call goes out before the answer.
            for n in 1..=3 {
                let call = ClientCall::YieldNames { op: OpId(n) };
                bus.command(BusCommand::Call {
                    to: caller.name.clone(),
                    call,
                });
            }
            reply.send(Ok(Registered {
                incarnation: 77,
                reason: Reason::Migrate,
                kept: vec![GroupId(5)],
            }));
        }
        other => panic!("{other:?}"),
    });
    let app = daemon.connect();
    for _ in 0..20 {
        let incoming = MessageIterator::from(&app);
        let held = vec![(GroupId(5).to_string(), Lease::FIRST.0, 3u64)];
        let request = Message::method_call(SESSION_PATH, "Register")
            .unwrap()
            .destination(SESSION_NAME)
            .unwrap()
            .interface(SESSION_INTERFACE)
            .unwrap()
            .build(&("org.example.App", "1.0", held))
            .unwrap();
        app.send(&request).unwrap();
        let order: Vec<String> = incoming
            .map(Result::unwrap)
            .filter_map(|m| match m.message_type() {
                Type::MethodReturn => {
                    let (incarnation, reason, kept): (u64, String, Vec<String>) =
                        m.body().deserialize().unwrap();
                    assert_eq!((incarnation, reason.as_str()), (77, "migrate"));
                    assert_eq!(kept, [GroupId(5).to_string()]);
                    Some("answer".to_owned())
                }
                Type::MethodCall => Some(m.body().deserialize::<u64>().unwrap().to_string()),
                _ => None,
            })
            .take(4)
            .collect();
        assert_eq!(order, ["answer", "1", "2", "3"]);
    }
}

#[test]
fn what_an_app_says_comes_in_order_and_its_end_comes_last() {
    let daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    let app = daemon.connect();
    // Who leaves before it was ever heard cannot be identified any more: be heard once first.
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| app_call(&app, "Names", &(1000u64, false)));
        let BusEvent::Said { reply, .. } = next(&told) else {
            panic!()
        };
        reply.send(Ok(()));
        asked.join().unwrap().unwrap();
    });
    // A bus lets one connection wait for 128 replies at most.
    for n in 0..100u64 {
        let message = Message::method_call(SESSION_PATH, "Names")
            .unwrap()
            .destination(SESSION_NAME)
            .unwrap()
            .interface(SESSION_INTERFACE)
            .unwrap()
            .build(&(n, true))
            .unwrap();
        app.send(&message).unwrap();
    }
    app.close().unwrap();
    for n in 0..100 {
        match next(&told) {
            BusEvent::Said { message, reply, .. } => {
                assert_eq!(
                    message,
                    Said::Names {
                        op: OpId(n),
                        held: true
                    }
                );
                reply.send(Ok(()));
            }
            other => panic!("{n}: {other:?}"),
        }
    }
    match next(&told) {
        BusEvent::CallerGone { caller } => assert_eq!(caller.process.pid, std::process::id()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blobs_are_looked_at_and_passed_on_and_wait_apart_from_everything_else() {
    let daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    let app = daemon.connect();
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    let memfd = |size: u64, seals: SealFlags| {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create("blob", flags).unwrap());
        file.set_len(size).unwrap();
        rustix::fs::fcntl_add_seals(&file, seals).unwrap();
        OwnedFd::from(file)
    };
    let put = |len: u64, file: OwnedFd| {
        let body = (
            GroupId(5).to_string(),
            Lease::FIRST.0,
            vec![8u8; 32],
            len,
            WireFd::from(file),
        );
        call(&app, BLOBS_INTERFACE, "PutBlob", &body)
    };
    let pipe = rustix::pipe::pipe().unwrap().0;
    for (len, file, word) in [
        (9, memfd(9, SealFlags::GROW), "seals"),
        (9, memfd(9, SealFlags::empty()), "seals"),
        (9, pipe, "not a memfd"),
        (9, memfd(8, all), "8 bytes where 9"),
        (9, memfd(10, all), "10 bytes where 9"),
        (MAX_BLOB + 1, memfd(MAX_BLOB + 1, all), "the most"),
    ] {
        let (name, text) = error(put(len, file));
        assert_eq!(name, "org.overwinter.Error.BadPayload");
        assert!(text.contains(word), "{text}");
    }
    assert!(
        told.try_recv().is_err(),
        "none of these reached the session"
    );

    let get = (GroupId(5).to_string(), 7u64, vec![8u8; 32]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| put(9, memfd(9, all)));
        let BusEvent::PutBlob {
            lease, blob, reply, ..
        } = next(&told)
        else {
            panic!("not PutBlob");
        };
        assert_eq!((lease, blob.hash.0, blob.len), (Lease::FIRST, [8; 32], 9));
        // While it waits, others are answered.
        let other = scope.spawn(|| app_call(&app, "Names", &(1u64, false)));
        let BusEvent::Said { reply: said, .. } = next(&told) else {
            panic!("not Names");
        };
        said.send(Ok(()));
        other.join().unwrap().unwrap();
        reply.send(Ok(()));
        first.join().unwrap().unwrap();

        let asked = scope.spawn(|| call(&app, BLOBS_INTERFACE, "GetBlob", &get));
        let BusEvent::GetBlob {
            copy, hash, reply, ..
        } = next(&told)
        else {
            panic!("not GetBlob");
        };
        assert_eq!((copy.0, hash.0), (7, [8; 32]));
        reply.send(Ok(memfd(9, all)));
        let answer = asked.join().unwrap().unwrap();
        answer.body().deserialize::<WireFd>().unwrap();
    });
}

#[test]
fn one_caller_cannot_fill_the_session_with_files() {
    let daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    let app = daemon.connect();
    let ask = || {
        let message = Message::method_call(SESSION_PATH, "GetBlob")
            .unwrap()
            .destination(SESSION_NAME)
            .unwrap()
            .interface(BLOBS_INTERFACE)
            .unwrap()
            .build(&(GroupId(5).to_string(), 7u64, vec![8u8; 32]))
            .unwrap();
        app.send(&message).unwrap();
    };
    for _ in 0..16 {
        ask();
    }
    let waiting: Vec<BusEvent> = (0..16).map(|_| next(&told)).collect();
    let get = (GroupId(5).to_string(), 7u64, vec![8u8; 32]);
    let (name, _) = error(call(&app, BLOBS_INTERFACE, "GetBlob", &get));
    assert_eq!(name, "org.overwinter.Error.Busy");
    drop(waiting);
    ask();
    assert!(
        matches!(next(&told), BusEvent::GetBlob { .. }),
        "there is room again"
    );
}

#[test]
fn payloads_arrive_whole_or_are_refused_by_name() {
    let daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    let app = daemon.connect();
    let memfd = |size: usize, seals: SealFlags| {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(rustix::fs::memfd_create("state", flags).unwrap());
        file.write_all(&vec![0xa5; size]).unwrap();
        rustix::fs::fcntl_add_seals(&file, seals).unwrap();
        (Vec::new(), vec![WireFd::from(OwnedFd::from(file))])
    };
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    let good = [
        (NO_PAYLOAD, None),
        ((vec![1, 2, 3], vec![]), Some(vec![1, 2, 3])),
        (memfd(5 << 20, all), Some(vec![0xa5; 5 << 20])),
    ];
    for (payload, expected) in good {
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| app_call(&app, "Saved", &saved(payload)));
            let BusEvent::Said {
                message:
                    Said::Saved {
                        state,
                        digest,
                        blobs,
                        secrets,
                        ..
                    },
                reply,
                ..
            } = next(&told)
            else {
                panic!("not Saved");
            };
            assert_eq!((state, digest), (expected, [9; 32]));
            assert_eq!((blobs[0].hash.0, blobs[0].len), ([8; 32], 5));
            assert!(secrets.staying.is_empty() && secrets.travelling == b"travels");
            reply.send(Ok(()));
            asked.join().unwrap().unwrap();
        });
    }
    let bad = [memfd(10, SealFlags::empty()), (vec![0; 70_000], vec![])];
    for payload in bad {
        let (name, text) = error(app_call(&app, "Saved", &saved(payload)));
        assert_eq!(name, "org.overwinter.Error.BadPayload");
        assert!(text.contains("the group is as before"), "{text}");
    }
    let short_digest = (
        1u64,
        GroupId(5).to_string(),
        1u64,
        3u64,
        "t",
        vec![9u8; 31],
        NO_PAYLOAD,
        Vec::<(Vec<u8>, u64)>::new(),
        NO_PAYLOAD,
        NO_PAYLOAD,
    );
    assert_eq!(
        error(app_call(&app, "Saved", &short_digest)).0,
        "org.overwinter.Error.BadPayload"
    );
    let odd_blob = (
        1u64,
        GroupId(5).to_string(),
        1u64,
        3u64,
        "t",
        vec![9u8; 32],
        NO_PAYLOAD,
        vec![(vec![1u8; 5], 1u64)],
        NO_PAYLOAD,
        NO_PAYLOAD,
    );
    assert_eq!(
        error(app_call(&app, "Saved", &odd_blob)).0,
        "org.overwinter.Error.BadPayload"
    );
    let no_id = ("not an id", 1u64);
    assert_eq!(
        error(app_call(&app, "Closed", &no_id)).0,
        "org.overwinter.Error.UnknownGroup"
    );
    // Wrong types never reach a method, and nothing of all this reached the session.
    error(app_call(&app, "Closed", &(1u64, "x")));
    assert!(told.try_recv().is_err());
}

#[test]
fn refusals_keep_their_names_and_silence_has_an_end() {
    let daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    let app = daemon.connect();
    let ask = || app_call(&app, "Closed", &(GroupId(1).to_string(), 1u64));
    for (refusal, word) in [
        (Refusal::NotHolder("x".into()), "NotHolder"),
        (Refusal::UnknownGroup("x".into()), "UnknownGroup"),
        (Refusal::NotRegistered("x".into()), "NotRegistered"),
        (Refusal::Denied("x".into()), "Denied"),
        (Refusal::Failed("x".into()), "Failed"),
    ] {
        std::thread::scope(|scope| {
            let asked = scope.spawn(ask);
            let BusEvent::Said { reply, .. } = next(&told) else {
                panic!()
            };
            reply.send(Err(refusal));
            assert_eq!(
                error(asked.join().unwrap()),
                (format!("org.overwinter.Error.{word}"), "x".to_owned())
            );
        });
    }
    std::thread::scope(|scope| {
        let asked = scope.spawn(ask);
        drop(next(&told));
        assert_eq!(
            error(asked.join().unwrap()).0,
            "org.overwinter.Error.Failed"
        );
        let begin = Instant::now();
        let asked = scope.spawn(ask);
        let silent = next(&told);
        assert_eq!(error(asked.join().unwrap()).0, "org.overwinter.Error.Busy");
        assert!(begin.elapsed() < PATIENCE);
        drop(silent);
    });
}

#[test]
fn control_asks_arrive_and_other_users_are_denied() {
    let daemon = Daemon::start();
    let (bus, told) = session(&daemon);
    let cli = daemon.connect();
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let fd = WireFd::from(OwnedFd::from(far));
            call(
                &cli,
                CONTROL_INTERFACE,
                "Move",
                &(vec![GroupId(4).to_string()], fd),
            )
        });
        let BusEvent::Control(Control::Move {
            groups,
            stream,
            reply,
        }) = next(&told)
        else {
            panic!()
        };
        assert_eq!(groups, [GroupId(4)]);
        // It is really the other end.
        rustix::io::write(&stream, b"hello").unwrap();
        let mut got = [0; 5];
        std::io::Read::read_exact(&mut &near, &mut got).unwrap();
        assert_eq!(&got, b"hello");
        reply.send(Ok(42));
        let operation: u64 = asked.join().unwrap().unwrap().body().deserialize().unwrap();
        assert_eq!(operation, 42);
    });

    let rule = zbus::MatchRule::builder()
        .msg_type(Type::Signal)
        .interface(CONTROL_INTERFACE)
        .unwrap()
        .build();
    let mut signals = MessageIterator::for_match_rule(rule, &cli, None).unwrap();
    let results = vec![("g".to_owned(), "done".to_owned(), "text".to_owned())];
    let state = OperationState {
        state: "done",
        results: results.clone(),
    };
    bus.command(BusCommand::OperationEnded {
        operation: 42,
        state,
    });
    bus.command(BusCommand::Changed);
    let ended: (u64, String, Vec<(String, String, String)>) = signals
        .next()
        .unwrap()
        .unwrap()
        .body()
        .deserialize()
        .unwrap();
    assert_eq!(ended, (42, "done".into(), results));
    assert_eq!(
        signals
            .next()
            .unwrap()
            .unwrap()
            .header()
            .member()
            .unwrap()
            .as_str(),
        "Changed"
    );

    if rustix::process::geteuid().is_root() {
        let out = Command::new("dbus-send")
            .uid(65534)
            .env("DBUS_SESSION_BUS_ADDRESS", &daemon.address)
            .args([
                "--session",
                "--print-reply",
                "--dest=org.overwinter.Session",
                SESSION_PATH,
            ])
            .arg(format!("{CONTROL_INTERFACE}.Status"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(text.contains("org.overwinter.Error.Denied"), "{text}");
        loop {
            match told.recv_timeout(PATIENCE).unwrap() {
                BusEvent::CallerGone { .. } => break,
                BusEvent::Control(c) => panic!("{c:?}"),
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_asked_of_the_store_arrives_and_its_progress_is_told() {
    let daemon = Daemon::start();
    let (bus, told) = session(&daemon);
    let cli = daemon.connect();
    let folder = tempfile::tempdir().unwrap();
    let file = || {
        let file = std::fs::File::create(folder.path().join("group")).unwrap();
        WireFd::from(OwnedFd::from(file))
    };
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let ask = |method, body: &dyn Fn(&str) -> zbus::Result<Message>| {
                let operation: u64 = body(method).unwrap().body().deserialize().unwrap();
                operation
            };
            let export = |m: &str| store_call(&cli, m, &(GroupId(4).to_string(), file()));
            [
                ask("Usage", &|m| store_call(&cli, m, &())),
                ask("Collect", &|m| store_call(&cli, m, &true)),
                ask("Examine", &|m| store_call(&cli, m, &true)),
                ask("Export", &export),
                ask("ExportLastGood", &export),
                ask("Import", &|m| store_call(&cli, m, &file())),
            ]
        });
        for n in 0..6 {
            let BusEvent::Store(call) = next(&told) else {
                panic!()
            };
            let reply = match (n, call) {
                (0, StoreCall::Usage { reply }) => reply,
                (1, StoreCall::Collect { now: true, reply }) => reply,
                (
                    2,
                    StoreCall::Examine {
                        repair: true,
                        reply,
                    },
                ) => reply,
                (
                    3 | 4,
                    StoreCall::Export {
                        group: GroupId(4),
                        last_good,
                        file,
                        reply,
                    },
                ) if last_good == (n == 4) => {
                    rustix::io::write(&file, b"x").unwrap();
                    assert_eq!(std::fs::read(folder.path().join("group")).unwrap(), b"x");
                    reply
                }
                (5, StoreCall::Import { reply, .. }) => reply,
                other => panic!("{other:?}"),
            };
            reply.send(Ok(n));
        }
        assert_eq!(asked.join().unwrap(), [0, 1, 2, 3, 4, 5]);
        let bad = store_call(&cli, "Export", &("no group".to_owned(), file()));
        assert_eq!(error(bad).0, "org.overwinter.Error.UnknownGroup");
    });

    let rule = zbus::MatchRule::builder()
        .msg_type(Type::Signal)
        .interface(STORE_INTERFACE)
        .unwrap()
        .path(STORE_PATH)
        .unwrap()
        .build();
    let mut signals = MessageIterator::for_match_rule(rule, &cli, None).unwrap();
    bus.command(BusCommand::Progress {
        operation: 42,
        done: 3,
        total: 9,
    });
    let told: (u64, u64, u64) = signals
        .next()
        .unwrap()
        .unwrap()
        .body()
        .deserialize()
        .unwrap();
    assert_eq!(told, (42, 3, 9));
}

#[test]
fn only_the_sessions_own_user_may_ask_anything_of_the_store() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    let out = Command::new("dbus-send")
        .uid(65534)
        .env("DBUS_SESSION_BUS_ADDRESS", &daemon.address)
        .args([
            "--session",
            "--print-reply",
            "--dest=org.overwinter.Session",
            STORE_PATH,
        ])
        .arg(format!("{STORE_INTERFACE}.Usage"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(text.contains("org.overwinter.Error.Denied"), "{text}");
    match next(&told) {
        BusEvent::CallerGone { .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_appear_change_and_go() {
    let daemon = Daemon::start();
    let (bus, _told) = session(&daemon);
    let watcher = daemon.connect();
    let rule = zbus::MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(SESSION_NAME)
        .unwrap()
        .build();
    let mut signals = MessageIterator::for_match_rule(rule, &watcher, None).unwrap();
    let mut next = || {
        signals
            .next()
            .unwrap()
            .unwrap()
            .header()
            .member()
            .unwrap()
            .to_string()
    };
    let mut view = GroupView {
        id: GroupId(3),
        app: "a".into(),
        title: "t".into(),
        state: "live".into(),
        version: "1".into(),
        generation: 0,
        pid: 10,
    };
    bus.command(BusCommand::Groups(vec![view.clone()]));
    assert_eq!(next(), "InterfacesAdded");
    // Nothing new, nothing said; then one property.
    bus.command(BusCommand::Groups(vec![view.clone()]));
    view.state = "asleep".into();
    bus.command(BusCommand::Groups(vec![view]));
    assert_eq!(next(), "PropertiesChanged");
    let path = format!("/org/overwinter/groups/{}", GroupId(3));
    let get = |property: &str| {
        let reply = watcher.call_method(
            Some(SESSION_NAME),
            path.as_str(),
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &("org.overwinter.Group1", property),
        )?;
        let value: zbus::zvariant::OwnedValue = reply.body().deserialize()?;
        zbus::Result::Ok(String::try_from(value).unwrap())
    };
    assert_eq!(get("State").unwrap(), "asleep");
    bus.command(BusCommand::Groups(vec![]));
    assert_eq!(next(), "InterfacesRemoved");
    assert!(get("State").is_err());
}

#[test]
fn what_cannot_be_delivered_is_told() {
    let daemon = Daemon::start();
    let (bus, told) = session(&daemon);
    // This connection serves no object of ours, the other has left.
    let deaf = daemon.connect();
    let left = daemon.connect();
    let gone = left.unique_name().unwrap().to_string();
    left.close().unwrap();
    let _ = deaf.object_server();
    for to in [deaf.unique_name().unwrap().to_string(), gone] {
        bus.command(BusCommand::Call {
            to: to.clone(),
            call: ClientCall::TakeNames { op: OpId(1) },
        });
        match next(&told) {
            BusEvent::NotDelivered {
                to: name, method, ..
            } => assert_eq!((name, method), (to, "TakeNames")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_session_a_bus_and_its_loss_is_told() {
    let mut daemon = Daemon::start();
    let (_bus, told) = session(&daemon);
    assert!(matches!(
        Bus::start(Some(&daemon.address), |_| {}),
        Err(StartError::Taken)
    ));
    assert!(matches!(
        Bus::start(Some("unix:path=/nonexistent/bus"), |_| {}),
        Err(StartError::NoBus(_))
    ));
    daemon.stop();
    assert!(matches!(next(&told), BusEvent::Lost { .. }));
}
