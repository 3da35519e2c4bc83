//! The pump between real pipes, sockets and child processes.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use overwinter_courier::{Carried, Ends, Limits, PumpError, Rsh, pump, spawn_ssh};

fn limits() -> Limits {
    Limits {
        silence: Duration::from_secs(20),
        farewell: Duration::from_secs(20),
        until: None,
    }
}

/// A remote shell that ignores host and command and runs a shell script here.
fn script(text: &str) -> Rsh {
    Rsh {
        command: format!("sh -c '{text}'"),
        ..Rsh::default()
    }
}

/// Bytes in which a lost, doubled or swapped block shows.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn megabytes_go_through_a_child_process_and_back_unharmed() {
    let (session, ours) = UnixStream::pair().unwrap();
    let (carrier, ends) = spawn_ssh("b", &script("cat")).unwrap();
    let pumped = thread::spawn(move || pump(ours, ends, limits()));

    let sent = noise(5 << 20);
    let to_write = sent.clone();
    let mut writer = session.try_clone().unwrap();
    let writing = thread::spawn(move || {
        writer.write_all(&to_write).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut came = Vec::new();
    (&session).read_to_end(&mut came).unwrap();
    writing.join().unwrap();

    assert!(came == sent, "{} of {} bytes", came.len(), sent.len());
    let length = sent.len() as u64;
    let both = Carried {
        out: length,
        back: length,
    };
    assert_eq!(pumped.join().unwrap().unwrap(), both);
    assert!(carrier.finish(Duration::from_secs(20)).unwrap().success());
}

#[test]
fn an_answer_still_comes_after_our_last_word() {
    let (session, ours) = UnixStream::pair().unwrap();
    // Says nothing until it has read everything: only a half-close makes it speak.
    let (carrier, ends) = spawn_ssh("b", &script("wc -c; echo end")).unwrap();
    let pumped = thread::spawn(move || pump(ours, ends, limits()));
    (&session).write_all(&[7; 12345]).unwrap();
    session.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    (&session).read_to_string(&mut answer).unwrap();
    assert_eq!(
        answer.split_whitespace().collect::<Vec<_>>(),
        ["12345", "end"]
    );
    assert!(pumped.join().unwrap().is_ok());
    assert!(carrier.finish(Duration::from_secs(20)).unwrap().success());
}

#[test]
fn the_other_hosts_end_reaches_the_session_while_it_still_speaks() {
    let (session, ours) = UnixStream::pair().unwrap();
    let (far, peer) = UnixStream::pair().unwrap();
    let pumped = thread::spawn(move || pump(ours, Ends::of_socket(peer).unwrap(), limits()));
    (&far).write_all(b"all I have").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    let mut came = Vec::new();
    (&session).read_to_end(&mut came).unwrap();
    assert_eq!(came, b"all I have");

    (&session).write_all(b"thanks").unwrap();
    session.shutdown(Shutdown::Write).unwrap();
    let mut thanks = Vec::new();
    (&far).read_to_end(&mut thanks).unwrap();
    assert_eq!(thanks, b"thanks");
    assert_eq!(
        pumped.join().unwrap().unwrap(),
        Carried { out: 6, back: 10 }
    );
}

#[test]
fn a_carrier_that_dies_is_an_end_for_the_session() {
    let (session, ours) = UnixStream::pair().unwrap();
    let (carrier, ends) = spawn_ssh("b", &script("head -c 4 >/dev/null; exit 3")).unwrap();
    let pumped = thread::spawn(move || pump(ours, ends, limits()));
    (&session).write_all(b"1234").unwrap();
    // The session has not closed its side; it sees that the stream is over all the same.
    let mut rest = Vec::new();
    (&session).read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    assert_eq!(pumped.join().unwrap().unwrap(), Carried { out: 4, back: 0 });
    assert_eq!(
        carrier.finish(Duration::from_secs(20)).unwrap().code(),
        Some(3)
    );
}

#[test]
fn bytes_that_nobody_takes_are_reported() {
    let (session, ours) = UnixStream::pair().unwrap();
    let (carrier, ends) = spawn_ssh("b", &script("exit 0")).unwrap();
    // More than the pipe to the child holds (64 KiB), less than the socket does.
    (&session).write_all(&noise(100 << 10)).unwrap();
    session.shutdown(Shutdown::Write).unwrap();
    let pumped = thread::spawn(move || pump(ours, ends, limits()));
    let error = pumped.join().unwrap().unwrap_err();
    assert!(matches!(error, PumpError::CutOff { .. }), "{error}");
    assert!(carrier.finish(Duration::from_secs(20)).unwrap().success());
}

#[test]
fn silence_has_a_limit_and_leaves_no_process() {
    let (_session, ours) = UnixStream::pair().unwrap();
    // Never speaks and never ends by itself.
    let (carrier, ends) = spawn_ssh("b", &script("exec tail -f /dev/null")).unwrap();
    let limits = Limits {
        silence: Duration::from_millis(50),
        ..limits()
    };
    let error = pump(ours, ends, limits).unwrap_err();
    assert!(matches!(error, PumpError::Silent { .. }), "{error}");
    let status = carrier.finish(Duration::ZERO).unwrap();
    assert!(!status.success());
}

#[test]
fn a_stream_that_never_stops_is_closed_when_its_time_is_over() {
    let (session, ours) = UnixStream::pair().unwrap();
    let (carrier, ends) = spawn_ssh("b", &script("exec yes")).unwrap();
    let limits = Limits {
        until: Some(Instant::now() + Duration::from_millis(50)),
        ..limits()
    };
    let pumped = thread::spawn(move || pump(ours, ends, limits));
    // Somebody takes all that comes, so that it is never silent.
    let mut taken = Vec::new();
    (&session).read_to_end(&mut taken).unwrap();
    let error = pumped.join().unwrap().unwrap_err();
    assert!(matches!(error, PumpError::OutOfTime { .. }), "{error}");
    assert!(!taken.is_empty());
    assert!(!carrier.finish(Duration::ZERO).unwrap().success());
}

#[test]
fn a_session_that_has_closed_both_ways_ends_the_stream_at_once() {
    let (session, ours) = UnixStream::pair().unwrap();
    let (peer, far) = UnixStream::pair().unwrap();
    (&session).write_all(b"the last word").unwrap();
    drop(session);
    // The far end never hangs up by itself, as an ssh that passes no half-close on.
    let begin = Instant::now();
    let carried = pump(ours, Ends::of_socket(peer).unwrap(), Limits::default()).unwrap();
    assert_eq!(carried.out, 13);
    assert!(begin.elapsed() < Limits::default().farewell);
    drop(far);
}
