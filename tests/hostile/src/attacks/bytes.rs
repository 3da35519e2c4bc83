//! Attacks on the stream itself: lengths, ids, descriptors, connections.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use super::Arena;
use crate::rng::Rng;
use crate::spec::Kind;
use crate::values;
use crate::wire::{Arg, Sent};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

pub fn half_messages(arena: &Arena) -> Sent<()> {
    // get_registry(2), of which every prefix is sent.
    let whole = words(&[1, 12 << 16 | 1, 2]);
    let mut open = Vec::new();
    for round in 0..300 {
        let mut conn = arena.connect()?;
        let keep = round % whole.len();
        conn.put_raw(whole.get(..keep).unwrap_or_default(), vec![]);
        conn.flush()?;
        match round % 3 {
            0 => drop(conn),
            1 => {
                let _ = conn.stream().shutdown(Shutdown::Write);
                open.push(conn);
            }
            _ => open.push(conn),
        }
    }
    Ok(())
}

pub fn lying_lengths(arena: &Arena) -> Sent<()> {
    for size in [
        8, 9, 10, 11, 13, 16, 20, 64, 4092, 4096, 4100, 8192, 65528, 65535,
    ] {
        let mut conn = arena.connect()?;
        for _ in 0..400 {
            conn.put_raw(&words(&[1, size << 16 | 1, 2, 0, 0]), vec![]);
        }
        let _ = conn.flush();
        let _ = conn.round_trip_within(Duration::from_millis(300));
    }
    Ok(())
}

pub fn size_zero(arena: &Arena) -> Sent<()> {
    for size in 0..8 {
        let mut conn = arena.connect()?;
        for _ in 0..1000 {
            conn.put_raw(&words(&[1, size << 16]), vec![]);
        }
        let _ = conn.flush();
        let _ = conn.round_trip_within(Duration::from_millis(300));
    }
    Ok(())
}

pub fn lying_strings(arena: &Arena) -> Sent<()> {
    for claimed in [
        0,
        1,
        2,
        5,
        13,
        4096,
        65536,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffc,
        u32::MAX,
    ] {
        arena.apart(|a| {
            let window = a.toplevel()?;
            // set_title("abcd"), with and without the zero, and a length that is not true.
            a.conn
                .put_message(window.2, 2, &words(&[claimed, 0x6463_6261]))?;
            a.conn
                .put_message(window.2, 2, &words(&[claimed, 0x0063_6261]))?;
            a.conn.round_trip().map(|_| ())
        })?;
        arena.apart(|a| {
            let (name, interface) = (1u32, words(&[claimed, 0x6463_6261, 0, 1, 40]));
            a.conn
                .put_message(2, 0, &[name.to_ne_bytes().to_vec(), interface].concat())?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

/// For each interface that is global: each request with each kind of wrong object, on as many connections as that takes.
pub fn wrong_objects(arena: &Arena) -> Sent<()> {
    let globals = arena.attacker()?.globals;
    for (_, interface, _) in &globals {
        let Some(known) = arena.spec.interface(interface) else {
            continue;
        };
        for message in &known.requests {
            if !message
                .arguments
                .iter()
                .any(|a| matches!(a.kind, Kind::Object(..)))
            {
                continue;
            }
            for wrong in [0, 1, 2, 77_777, 0xff00_0000, u32::MAX] {
                arena.apart(|a| {
                    let object = a.global(interface)?;
                    let Some(known) = a.conn.object(object).cloned() else {
                        return Ok(());
                    };
                    if message.since > known.version {
                        return Ok(());
                    }
                    let mut args = Vec::new();
                    for argument in &message.arguments {
                        args.push(match argument.kind {
                            Kind::NewId(_) => continue,
                            Kind::Object(..) => Arg::Object(wrong),
                            Kind::Text(_) => Arg::text("x"),
                            Kind::Array => Arg::Array(vec![]),
                            Kind::Fd => match values::memory(16) {
                                Ok(fd) => Arg::Fd(fd),
                                Err(_) => return Ok(()),
                            },
                            _ => Arg::Int(1),
                        });
                    }
                    a.conn.call(object, &message.name, args)?;
                    a.conn.round_trip().map(|_| ())
                })?;
            }
        }
    }
    Ok(())
}

pub fn reused_ids(arena: &Arena) -> Sent<()> {
    let odd = [
        0,
        1,
        2,
        3,
        1000,
        1 << 20,
        0xfeff_ffff,
        0xff00_0000,
        0xff00_0001,
        u32::MAX,
    ];
    for id in odd {
        arena.apart(|a| {
            let compositor = a.global("wl_compositor")?;
            a.conn
                .call(compositor, "create_surface", vec![Arg::Id(id)])?;
            // A commit, if it is a surface now.
            a.conn.put_message(id, 6, &[])?;
            a.conn.round_trip().map(|_| ())
        })?;
        arena.apart(|a| {
            a.conn.call(1, "sync", vec![Arg::Id(id)])?;
            a.conn.call(1, "get_registry", vec![Arg::Id(id)])?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    // An id that is used again before the server has said that it may be.
    arena.apart(|a| {
        let compositor = a.global("wl_compositor")?;
        for _ in 0..2000 {
            let surface = a.surface()?;
            a.conn.call(surface, "destroy", vec![])?;
            a.conn
                .call(compositor, "create_region", vec![Arg::Id(surface)])?;
            a.conn.call(surface, "destroy", vec![])?;
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn fd_flood(arena: &Arena) -> Sent<()> {
    for _ in 0..40 {
        arena.apart(|a| {
            for _ in 0..40 {
                let fds = (0..25).filter_map(|_| values::memory(0).ok()).collect();
                // A sync, to have something to go with.
                let callback = a.conn.fresh();
                a.conn.put_raw(&words(&[1, 12 << 16, callback]), fds);
                a.conn.flush()?;
            }
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

pub fn missing_fds(arena: &Arena) -> Sent<()> {
    for _ in 0..100 {
        arena.apart(|a| {
            let shm = a.global("wl_shm")?;
            // create_pool without its descriptor, and again with one: they may not be mixed up.
            a.conn.put_message(shm, 0, &words(&[900, 4096]))?;
            a.conn.round_trip()?;
            a.pool(4096)?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

pub fn noise(arena: &Arena) -> Sent<()> {
    let mut rng = Rng::new(1);
    for _ in 0..200 {
        let mut conn = arena.connect()?;
        let mut bytes: Vec<u8> = (0..2048).map(|_| rng.word() as u8).collect();
        // Half of them aim at the display.
        if rng.chance(500) {
            bytes.splice(0..8, words(&[1, rng.word() & 0x0fff_0003]));
        }
        conn.put_raw(&bytes, vec![]);
        let _ = conn.flush();
        let _ = conn.round_trip_within(Duration::from_millis(20));
    }
    Ok(())
}

pub fn thousand_connections(arena: &Arena) -> Sent<()> {
    let mut conns = Vec::new();
    for _ in 0..1000 {
        // One that cannot be had is as good as one that was refused.
        let Ok(mut conn) = arena.connect() else {
            continue;
        };
        if conn.call(1, "get_registry", vec![]).is_ok() && conn.flush().is_ok() {
            conns.push(conn);
        }
    }
    for conn in &mut conns {
        let _ = conn.round_trip_within(Duration::from_millis(200));
    }
    Ok(())
}

pub fn connect_and_go(arena: &Arena) -> Sent<()> {
    for round in 0..5000 {
        let Ok(conn) = arena.connect() else { continue };
        if round % 2 == 0 {
            let _ = conn.stream().write(&words(&[1, 12 << 16 | 1, 2]));
        }
    }
    Ok(())
}

pub fn never_reads(arena: &Arena) -> Sent<()> {
    let mut conns = Vec::new();
    for _ in 0..50 {
        let mut conn = arena.connect()?;
        conn.reads = false;
        let mut send = || {
            for _ in 0..300 {
                conn.call(1, "get_registry", vec![])?;
            }
            for _ in 0..30_000 {
                conn.call(1, "sync", vec![])?;
            }
            conn.put_raw(&[], vec![]);
            Ok(())
        };
        // It ends when the server hangs up, or when it does not take any more.
        let _: Sent<()> = send();
        conns.push(conn);
    }
    Ok(())
}
