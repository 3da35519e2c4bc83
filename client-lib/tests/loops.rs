//! The same program under every main loop: opened, saved, put to sleep, woken, handed over and taken back.
#![allow(missing_docs)]

#[path = "../examples/note/mod.rs"]
mod example;
mod stage;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use overwinter::restore;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use stage::*;

/// One of the examples, running.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(example: &str, bus: &PrivateBus) -> Program {
        // Built beside this test: target/PROFILE/{deps/loops-…, examples/…}.
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        let mut child = Command::new(path.join("examples").join(example))
            .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the examples are built with all tests, or by `cargo build -p overwinter --examples`");
        Program {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn type_in(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn prints(&mut self, expected: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), expected);
    }

    /// It ends by itself, and well.
    fn ends(&mut self) {
        let pid = Pid::from_child(&self.child);
        let end = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let ended = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ended, 1, "the program did not end");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next thing saved of its own accord: revision, lines, and the bytes.
fn saved(peer: &Peer) -> (u64, u64, Vec<String>, Vec<u8>) {
    match peer.hear_from_afar() {
        Said::Saved {
            op: 0,
            lease,
            revision,
            state,
            ..
        } => {
            let lines = restore::<example::Note>(&state).unwrap().value.lines;
            (lease, revision, lines, state)
        }
        other => panic!("{other:?}"),
    }
}

fn a_day_under(example: &str) {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "launch");
    let mut program = Program::start(example, &bus);
    assert!(matches!(peer.hear_from_afar(), Said::Register { .. }));
    assert_eq!(peer.hear_from_afar(), Said::OpenGroup("Notes".into()));
    assert_eq!(saved(&peer).1, 0);
    program.prints("now:");

    // Save, and sleep.
    program.type_in("one");
    let (LEASE, 1, lines, state) = saved(&peer) else {
        panic!("the first line is the first revision")
    };
    assert_eq!(lines, ["one"]);
    peer.ask("Stored", &(GROUP, LEASE, 1_u64, 1_u64)).unwrap();
    peer.begin_save(10, LEASE);
    let said = peer.hear_from_afar();
    assert!(
        matches!(&said, Said::Saved { op: 10, revision: 1, state, .. } if state.is_empty()),
        "{said:?}"
    );
    peer.release(11, LEASE, 1, "quit");
    assert!(matches!(
        peer.hear_from_afar(),
        Said::Released {
            op: 11,
            revision: 1,
            ..
        }
    ));
    program.ends();

    // Wake.
    peer.connection.close().unwrap();
    let peer = Peer::start(&bus, "wake");
    let mut program = Program::start(example, &bus);
    assert!(matches!(peer.hear_from_afar(), Said::Register { .. }));
    peer.restore(20, 3, "wake", 1, &state);
    let said = peer.hear_from_afar();
    let original = restore::<example::Note>(&state)
        .unwrap()
        .provenance
        .digest();
    assert!(
        matches!(&said, Said::Restored { op: 20, digest, .. } if *digest == original.clone().unwrap()),
        "{said:?}"
    );
    peer.ask("Adopt", &(21_u64, GROUP, 3_u64, LEASE + 1))
        .unwrap();
    program.prints("now: one");
    program.type_in("two");
    let (lease, revision, lines, _) = saved(&peer);
    assert_eq!((lease, revision), (LEASE + 1, 2));
    assert_eq!(lines, ["one", "two"]);

    // Hand over, take back, end.
    peer.release(30, LEASE + 1, 2, "stay");
    assert!(matches!(
        peer.hear_from_afar(),
        Said::Released { op: 30, .. }
    ));
    program.prints("elsewhere");
    peer.ask("Adopt", &(31_u64, GROUP, 3_u64, LEASE + 2))
        .unwrap();
    program.prints("now: one / two");
    program.type_in("three");
    let (lease, revision, lines, _) = saved(&peer);
    assert_eq!((lease, revision), (LEASE + 2, 3));
    assert_eq!(lines, ["one", "two", "three"]);
    peer.release(32, LEASE + 2, 3, "quit");
    assert!(matches!(
        peer.hear_from_afar(),
        Said::Released { op: 32, .. }
    ));
    program.ends();
}

#[test]
fn a_day_under_poll() {
    a_day_under("notes");
}

#[test]
fn a_day_under_glib() {
    a_day_under("notes_glib");
}

#[test]
fn a_day_under_calloop() {
    a_day_under("notes_calloop");
}

#[test]
fn a_day_under_tokio() {
    a_day_under("notes_tokio");
}
