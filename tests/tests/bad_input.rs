//! What bad input gets, against the whole session: garbage on the Wayland socket and D-Bus callers that are not the app
//! here; apps that stay silent, answer twice, too late or with payloads that are not what they say, and apps that die at the
//! worst moment in `bad_apps.rs`; restores that fail or lie in `bad_restores.rs`; snapshots with a flipped bit and a full
//! disk in `bad_disks.rs`.
//!
//! Every time the same three things are held: the error says what happened, what was kept and what to do; the session and
//! everybody else in it go on; and the group is where it was, live or asleep with its last good snapshot.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use overwinter_proto::bus::{
    CLIENT_INTERFACE, CLIENT_PATH, SESSION_INTERFACE, SESSION_NAME, SESSION_PATH,
};
use overwinter_tests::atspi::Reader;
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::install;
use overwinter_tests::session::Session;
use overwinter_tests::story::expect;
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::{Do, Payload};
use overwinter_tests::wait;
use overwinter_tests::wire::{connect, globals, hello, request, string};
use overwinter_tests::witness::Witness;
use zbus::blocking::{Connection, connection};
use zbus::zvariant::{DynamicType, OwnedFd};

/// xorshift64: the same garbage at every run.
struct Noise(u64);

impl Noise {
    fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 32).unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.word().to_le_bytes()[0]).collect()
    }

    fn below(&mut self, most: u32) -> u32 {
        self.word() % most.max(1)
    }
}

/// A client that binds everything there is and then asks for nonsense of it.
fn well_connected_nonsense(noise: &mut Noise, globals: &[(u32, String, u32)]) -> Vec<u8> {
    let mut bytes = hello();
    let mut next = 4;
    for (name, interface, version) in globals {
        let mut words = vec![*name];
        words.extend(string(interface));
        words.extend([1 + noise.below(*version), next]);
        bytes.extend(request(2, 0, &words));
        next += 1;
    }
    for _ in 0..noise.below(12) {
        let object = 1 + noise.below(next);
        let opcode = noise.below(9);
        let count = noise.below(9);
        let mut taken = false;
        let words: Vec<u32> = (0..count)
            .map(|_| match noise.below(6) {
                0 => 0,
                1 => u32::MAX,
                2 => noise.word(),
                3 => noise.below(4000),
                4 => 1 + noise.below(next),
                _ => {
                    taken = true;
                    next
                }
            })
            .collect();
        next += u32::from(taken);
        bytes.extend(request(object, opcode, &words));
    }
    bytes
}

#[test]
fn garbage_on_the_wayland_socket_ends_that_client_alone() -> Result<()> {
    let stage = Stage::new()?;
    let session = &stage.session;
    let (mut app, held) = stage.open("next door")?;
    let mut witness = Witness::new(session)?;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);

    // Half a message: one client hangs up, another stays and never goes on.
    let half = hello();
    let mut patient = Vec::new();
    for cut in 1..half.len() {
        let part = half.get(..cut).unwrap_or_default();
        connect(session)?.write_all(part)?;
        let mut stays = connect(session)?;
        stays.write_all(part)?;
        patient.push(stays);
    }
    witness.goes_on(session, "half messages")?;

    // A request whose text argument is absent, though the protocol says that it never is.
    let mut nameless = connect(session)?;
    nameless.write_all(&hello())?;
    let _ = nameless.write_all(&request(2, 0, &[1, 0, 1, 4]));
    let _ = nameless.read_to_end(&mut Vec::new());
    witness.goes_on(session, "a bind without an interface")?;

    for round in 1..=60 {
        let mut stream = connect(session)?;
        let before = if round % 2 == 0 { hello() } else { Vec::new() };
        // The compositor may hang up while it is being written to.
        let _ = stream.write_all(&[before, noise.bytes(round * 97)].concat());
    }
    witness.goes_on(session, "noise")?;

    let globals = globals(session)?;
    ensure!(globals.len() > 10, "only {globals:?}");
    for _ in 0..400 {
        let bytes = well_connected_nonsense(&mut noise, &globals);
        let mut stream = connect(session)?;
        let _ = stream.write_all(&bytes);
        // Wait for its end: either the compositor hangs up, or it has handled everything and the answer to this is there.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    witness.goes_on(session, "nonsense to every global")?;
    drop(patient);

    ensure!(app.autosave(&held, 1, b"undisturbed")? == 1);
    stage.goes_on()
}

#[test]
fn a_client_that_never_reads_holds_nobody_up() -> Result<()> {
    let stage = Stage::new()?;
    let session = &stage.session;
    let mut witness = Witness::new(session)?;
    let mut deaf = connect(session)?;
    // Each sync (of an id that is free again after its answer) is answered by 24 bytes that nobody fetches.
    let flood = request(1, 0, &[3]).repeat(20_000);
    deaf.write_all(&request(1, 1, &[2]))?;
    let mut refused = false;
    for _ in 0..50 {
        refused |= deaf.write_all(&flood).is_err();
        if refused {
            break;
        }
    }
    ensure!(
        refused,
        "12 MB of answers that nobody reads are kept for it"
    );
    witness.goes_on(session, "a client that never reads")?;
    let pid = session.compositor_pid().context("no compositor")?;
    let memory = session
        .processes()?
        .into_iter()
        .find(|p| p.pid == pid)
        .map_or(0, |p| p.pss);
    ensure!(
        memory < 300 << 20,
        "the compositor has grown to {memory} bytes"
    );
    stage.goes_on()
}

/// A bus connection of this test: a process that is no app.
fn stranger(session: &Session) -> Result<Connection> {
    Ok(
        connection::Builder::address(session.bus_address().as_str())?
            .method_timeout(wait::PATIENCE)
            .build()?,
    )
}

/// Calls and must be refused: name and text of the error.
fn refused<B>(
    bus: &Connection,
    to: (&str, &str, &str),
    method: &str,
    body: &B,
) -> Result<(String, String)>
where
    B: serde::Serialize + DynamicType,
{
    let (name, path, interface) = to;
    match bus.call_method(Some(name), path, Some(interface), method, body) {
        Ok(_) => bail!("{method} was taken from somebody else"),
        Err(zbus::Error::MethodError(name, text, _)) => {
            Ok((name.to_string(), text.unwrap_or_default()))
        }
        Err(other) => Err(other).context(method.to_owned()),
    }
}

/// The unique name under which a process is on the bus and offers Client1.
fn bus_name_of(bus: &Connection, pid: u32) -> Result<String> {
    let daemon = zbus::blocking::fdo::DBusProxy::new(bus)?;
    for name in daemon.list_names()? {
        let unique = name.as_str().starts_with(':');
        if unique
            && daemon
                .get_connection_unix_process_id(name.inner().clone())
                .ok()
                == Some(pid)
        {
            let peer = bus.call_method(
                Some(name.as_str()),
                CLIENT_PATH,
                Some("org.freedesktop.DBus.Introspectable"),
                "Introspect",
                &(),
            );
            let text: Option<String> = peer.ok().and_then(|m| m.body().deserialize().ok());
            if text.is_some_and(|t| t.contains(CLIENT_INTERFACE)) {
                return Ok(name.to_string());
            }
        }
    }
    bail!("process {pid} is not on the bus")
}

#[test]
fn a_caller_that_is_not_the_app_is_refused_and_the_group_unharmed() -> Result<()> {
    let stage = Stage::prepared(|session| install::editor(session, 1))?;
    let session = &stage.session;
    let file = session.home().join("notes.txt");
    fs::write(&file, "mine\n")?;
    let path = file.display().to_string();
    let said = session.overwinter(&["launch", install::EDITOR, &path])?;
    ensure!(said.code == 0, "{said:?}");
    let eyes = Reader::new(session)?;
    expect(&eyes, "notes.txt", "the file's text", |c| {
        c.text == "mine\n"
    })?;
    let mut hands = Hands::new(session)?;
    hands.tap(modifier::CTRL, key::HOME)?;
    hands.type_text("all ")?;
    let goal = "all mine\n";
    let (view, _) = expect(&eyes, "notes.txt", "what was typed", |c| c.text == goal)?;

    let said = session.overwinter(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(&said.out)?;
    let group = status["groups"][0]["id"]
        .as_str()
        .context("no group")?
        .to_owned();
    // "epoch.counter"
    let lease = status["groups"][0]["lease"].as_str().context("no lease")?;
    let (epoch, counter) = lease.split_once('.').context("no lease")?;
    let lease = (epoch.parse::<u64>()? << 32) | counter.parse::<u64>()?;

    strangers(session, &group, lease, view.pid)?;
    // So is another app, even one that the session knows.
    let (mut other, own) = stage.open("next door")?;
    let order = |op| (op, group.clone(), lease);
    let (op, of, with) = order(0);
    let save = Do::Saved {
        op,
        group: of,
        lease: with,
        revision: 1 << 40,
        digest: vec![0; 32],
        payload: Payload::Honest(b"stolen".to_vec()),
    };
    let (op, of, with) = order(0);
    let release = Do::Released {
        op,
        group: of,
        lease: with,
        revision: 1,
    };
    let close = Do::Closed {
        group: group.clone(),
        lease,
    };
    for theft in [save, release, close] {
        let text = other.is_refused(&theft, "NotHolder")?;
        has_three_parts(&text, "does not hold the current lease")?;
    }
    let masked = Do::Register {
        app: install::EDITOR.to_owned(),
        version: "1.0".to_owned(),
    };
    let text = other.is_refused(&masked, "Denied")?;
    has_three_parts(&text, "not org.overwinter.Editor")?;
    ensure!(other.autosave(&own, 1, b"my own")? == 1);

    // Nothing of it was heard: the editor shows what it showed, sleeps and wakes with that.
    expect(&eyes, "notes.txt", "what was typed", |c| c.text == goal)?;
    ensure!(stage.group_is(&group, "live")?["pid"] == view.pid);
    for (word, state) in [("hibernate", "asleep"), ("wake", "live")] {
        let said = session.overwinter(&[word, &group])?;
        ensure!(said.code == 0, "{said:?}");
        stage.group_is(&group, state)?;
    }
    expect(&eyes, "notes.txt", "what was typed", |c| c.text == goal)?;
    Ok(())
}

/// A process that is no app at all tries the same, and to be the session.
fn strangers(session: &Session, group: &str, lease: u64, editor: u32) -> Result<()> {
    let bus = stranger(session)?;
    let to = (SESSION_NAME, SESSION_PATH, SESSION_INTERFACE);
    let payload = |bytes: &[u8]| (bytes.to_vec(), Vec::<OwnedFd>::new());
    let no_blobs: Vec<(Vec<u8>, u64)> = Vec::new();
    let held: Vec<(&str, u64, u64)> = vec![(group, lease, 1)];
    let digest = vec![0_u8; 32];
    let mut errors = BTreeMap::new();
    errors.insert("OpenGroup", refused(&bus, to, "OpenGroup", &("mine now",))?);
    let what = (payload(b"stolen"), no_blobs, payload(b""), payload(b""));
    let save = (
        0_u64, group, lease, 9_u64, "mine now", digest, what.0, what.1, what.2, what.3,
    );
    errors.insert("Saved", refused(&bus, to, "Saved", &save)?);
    let release = (0_u64, group, lease, 1_u64);
    errors.insert("Released", refused(&bus, to, "Released", &release)?);
    errors.insert("Closed", refused(&bus, to, "Closed", &(group, lease))?);
    for (method, (name, text)) in errors {
        ensure!(
            name == "org.overwinter.Error.NotRegistered",
            "{method}: {name}: {text}"
        );
        has_three_parts(&text, "has not called Register")?;
    }
    let (name, text) = refused(&bus, to, "Register", &(install::EDITOR, "1.0", held))?;
    ensure!(name == "org.overwinter.Error.Denied", "{name}: {text}");
    has_three_parts(&text, "not org.overwinter.Editor")?;

    let editor = bus_name_of(&bus, editor)?;
    let to = (editor.as_str(), CLIENT_PATH, CLIENT_INTERFACE);
    let orders = [
        refused(
            &bus,
            to,
            "BeginSave",
            &(7_u64, group, lease, "wake", 5000_u32),
        )?,
        refused(&bus, to, "Release", &(7_u64, group, lease, 1_u64, "quit"))?,
        refused(&bus, to, "Discard", &(7_u64, group, 1_u64))?,
        refused(&bus, to, "YieldNames", &(7_u64,))?,
    ];
    for (name, text) in orders {
        ensure!(
            name == "org.freedesktop.DBus.Error.AccessDenied",
            "{name}: {text}"
        );
        ensure!(text.contains("only the session"), "{text}");
    }
    Ok(())
}
