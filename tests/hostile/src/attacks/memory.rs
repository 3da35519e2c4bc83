//! Attacks with shared memory: sizes that overflow, memory that goes away under the server.

use std::os::fd::AsFd;

use super::Arena;
use crate::rng::Rng;
use crate::values;
use crate::wire::{Arg, Gone, Sent};

pub fn giant_buffers(arena: &Arena) -> Sent<()> {
    const MAX: i32 = i32::MAX;
    let sizes = [MAX, 1 << 30, 4096, 1, 0, -1, i32::MIN];
    let shapes = [
        (0, MAX, MAX, MAX),
        (0, 1 << 16, 1 << 16, 1 << 18),
        (0, 1 << 30, 1, 4),
        (0, 1, 1 << 30, 4),
        (0, 46341, 46341, 46341 * 4),
        (MAX, 1, 1, 4),
        (MAX - 3, 1, 1, 4),
        (-4, 1, 1, 4),
        (0, 10, 10, 39),
        (0, 10, 10, -40),
        (0, 0, 0, 0),
        (0, -1, -1, -4),
        (2, 10, 10, 41),
        (0, 32767, 16000, 32767 * 4),
    ];
    for size in sizes {
        for (offset, width, height, stride) in shapes {
            for format in [0, 1, 0x3432_5258, u32::MAX] {
                arena.apart(|a| {
                    let shm = a.global("wl_shm")?;
                    let real = u64::try_from(size).unwrap_or(0);
                    let fd = values::memory(real).map_err(|_| Gone::Closed)?;
                    let pool =
                        a.conn
                            .call(shm, "create_pool", vec![Arg::Fd(fd), Arg::Int(size)])?;
                    let shape = [offset, width, height, stride].map(Arg::Int);
                    let mut args = Vec::from(shape);
                    args.push(Arg::Uint(format));
                    let buffer = a.conn.call(pool, "create_buffer", args)?;
                    a.conn.round_trip()?;
                    // Whoever comes so far is drawn.
                    let (surface, ..) = a.toplevel()?;
                    a.acknowledge()?;
                    a.show(surface, buffer)?;
                    a.conn.round_trip().map(|_| ())
                })?;
            }
        }
    }
    Ok(())
}

pub fn truncated_pools(arena: &Arena) -> Sent<()> {
    for left in [0, 1, 4096, 100_000] {
        arena.apart(|a| {
            let shm = a.global("wl_shm")?;
            let (width, height) = (300, 300);
            let size: i32 = width * height * 4;
            let fd = values::memory(size.unsigned_abs().into()).map_err(|_| Gone::Closed)?;
            let ours = fd.as_fd().try_clone_to_owned().map_err(|_| Gone::Closed)?;
            let pool = a
                .conn
                .call(shm, "create_pool", vec![Arg::Fd(fd), Arg::Int(size)])?;
            let buffer = a.buffer(pool, width, height)?;
            let (surface, ..) = a.toplevel()?;
            a.acknowledge()?;
            a.show(surface, buffer)?;
            // Shown, and to be shown again when it is gone.
            a.conn.round_trip()?;
            for _ in 0..20 {
                rustix::fs::ftruncate(&ours, left).map_err(|_| Gone::Closed)?;
                a.show(surface, buffer)?;
                a.conn.round_trip()?;
                rustix::fs::ftruncate(&ours, size.unsigned_abs().into())
                    .map_err(|_| Gone::Closed)?;
                a.show(surface, buffer)?;
                a.conn.round_trip()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

pub fn pool_resizes(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let pool = a.pool(4096)?;
        for n in 1..10_000 {
            // The memory itself does not grow with it.
            a.conn.call(pool, "resize", vec![Arg::Int(4096 * n)])?;
            let buffer = a.buffer(pool, 16, 16)?;
            a.conn.call(buffer, "destroy", vec![])?;
        }
        a.conn.round_trip().map(|_| ())
    })?;
    for size in [0, -1, 1, i32::MAX, i32::MIN] {
        arena.apart(|a| {
            let pool = a.pool(1 << 20)?;
            let buffer = a.buffer(pool, 300, 300)?;
            a.conn.call(pool, "resize", vec![Arg::Int(size)])?;
            let (surface, ..) = a.toplevel()?;
            a.acknowledge()?;
            a.show(surface, buffer)?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

pub fn many_buffers(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let pool = a.pool(1 << 16)?;
        let (surface, ..) = a.toplevel()?;
        a.acknowledge()?;
        for n in 0..100_000 {
            let buffer = a.buffer(pool, 1 + n % 100, 100)?;
            if n % 100 == 0 {
                a.show(surface, buffer)?;
            }
            if n % 5000 == 0 {
                a.conn.round_trip()?;
            }
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn dead_memory(arena: &Arena) -> Sent<()> {
    let mut rng = Rng::new(2);
    for _ in 0..200 {
        arena.apart(|a| {
            let shm = a.global("wl_shm")?;
            let fd = values::descriptor(&mut rng).map_err(|_| Gone::Closed)?;
            let pool = a
                .conn
                .call(shm, "create_pool", vec![Arg::Fd(fd), Arg::Int(640_000)])?;
            let buffer = a.buffer(pool, 400, 400)?;
            let (surface, ..) = a.toplevel()?;
            a.acknowledge()?;
            a.show(surface, buffer)?;
            a.conn.round_trip()?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

pub fn huge_windows(arena: &Arena) -> Sent<()> {
    // Memory that is not there until it is written to: it is read as zeros.
    for (width, height) in [
        (32_000, 16_000),
        (16_000, 32_000),
        (500_000_000, 1),
        (1, 500_000),
        (65_536, 8),
    ] {
        arena.apart(|a| {
            let (surface, ..) = a.toplevel()?;
            a.acknowledge()?;
            let pool = a.pool(i32::MAX)?;
            let buffer = a.buffer(pool, width, height)?;
            a.show(surface, buffer)?;
            a.conn.round_trip()?;
            a.show(surface, buffer)?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    for scale in [0, -1, 2, 7, 1000, 1 << 24, i32::MAX, i32::MIN] {
        arena.apart(|a| {
            let (surface, ..) = a.window(64, 64)?;
            a.conn
                .call(surface, "set_buffer_scale", vec![Arg::Int(scale)])?;
            let pool = a.pool(64 * 64 * 4)?;
            let buffer = a.buffer(pool, 64, 64)?;
            a.show(surface, buffer)?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    for (width, height) in [
        (0, 0),
        (1, i32::MAX),
        (i32::MAX, 1),
        (i32::MAX, i32::MAX),
        (-1, -1),
        (-2, 7),
        (1_000_000, 1_000_000),
    ] {
        arena.apart(|a| {
            let viewporter = a.global("wp_viewporter")?;
            let (surface, xdg, toplevel) = a.window(64, 64)?;
            let viewport = a
                .conn
                .call(viewporter, "get_viewport", vec![Arg::Object(surface)])?;
            let size = [width, height].map(Arg::Int);
            a.conn.call(viewport, "set_destination", Vec::from(size))?;
            a.conn.call(surface, "commit", vec![])?;
            a.conn.round_trip()?;
            let rect = [i32::MIN, i32::MIN, i32::MAX, i32::MAX].map(Arg::Int);
            a.conn.call(xdg, "set_window_geometry", Vec::from(rect))?;
            let size = [i32::MAX, i32::MAX].map(Arg::Int);
            a.conn.call(toplevel, "set_min_size", Vec::from(size))?;
            a.conn.call(surface, "commit", vec![])?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}
