//! Attacks with numbers: more objects, deeper trees and longer lists than anybody needs.

use super::Arena;
use crate::wire::{Arg, Sent};

pub fn many_surfaces(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        for n in 0..10_000 {
            let surface = a.surface()?;
            a.conn.call(surface, "commit", vec![])?;
            if n % 1000 == 0 {
                a.conn.round_trip()?;
            }
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn many_windows(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let pool = a.pool(64 * 64 * 4)?;
        let mut windows = Vec::new();
        for _ in 0..1000 {
            windows.push(a.toplevel()?);
        }
        a.acknowledge()?;
        for (surface, _, toplevel) in windows {
            let buffer = a.buffer(pool, 64, 64)?;
            a.conn
                .call(toplevel, "set_title", vec![Arg::text("one of many")])?;
            a.show(surface, buffer)?;
        }
        a.conn.round_trip()?;
        a.acknowledge()?;
        a.conn.round_trip().map(|_| ())
    })
}

/// Makes `child` a subsurface of `parent`.
fn put_on(a: &mut super::Attacker, child: u32, parent: u32) -> Sent<u32> {
    let maker = a.global("wl_subcompositor")?;
    let of = vec![Arg::Object(child), Arg::Object(parent)];
    a.conn.call(maker, "get_subsurface", of)
}

pub fn deep_subsurfaces(arena: &Arena) -> Sent<()> {
    for desync in [true, false] {
        arena.apart(|a| {
            let pool = a.pool(64)?;
            let buffer = a.buffer(pool, 4, 4)?;
            let (root, ..) = a.window(32, 32)?;
            let mut chain = vec![root];
            let mut parent = root;
            for n in 0..8000 {
                let child = a.surface()?;
                let sub = put_on(a, child, parent)?;
                if desync {
                    a.conn.call(sub, "set_desync", vec![])?;
                }
                a.show(child, buffer)?;
                chain.push(child);
                parent = child;
                if n % 500 == 0 {
                    a.conn.round_trip()?;
                }
            }
            // From the leaf up, so that all of it is shown; then the whole tree again.
            for surface in chain.iter().rev() {
                a.conn.call(*surface, "commit", vec![])?;
            }
            a.conn.round_trip()?;
            a.conn.call(root, "frame", vec![])?;
            a.conn.call(root, "commit", vec![])?;
            a.conn.round_trip()?;
            // Torn apart in the middle, then at the root.
            for at in [4000, 1, 0] {
                if let Some(surface) = chain.get(at).filter(|_| at > 0) {
                    a.conn.call(*surface, "destroy", vec![])?;
                }
                a.conn.round_trip()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

pub fn subsurface_cycles(arena: &Arena) -> Sent<()> {
    for length in [1, 2, 3, 10, 500] {
        arena.apart(|a| {
            let mut ring = Vec::new();
            for _ in 0..length {
                ring.push(a.surface()?);
            }
            for (n, child) in ring.iter().enumerate() {
                let parent = ring.get((n + 1) % ring.len()).copied().unwrap_or(0);
                put_on(a, *child, parent)?;
                a.conn.call(*child, "commit", vec![])?;
            }
            for surface in &ring {
                a.conn.call(*surface, "commit", vec![])?;
            }
            a.conn.round_trip().map(|_| ())
        })?;
    }
    // A window that becomes its own child's child.
    arena.apart(|a| {
        let (root, ..) = a.window(32, 32)?;
        let child = a.surface()?;
        put_on(a, child, root)?;
        put_on(a, root, child)?;
        a.conn.call(root, "commit", vec![])?;
        a.conn.round_trip().map(|_| ())
    })
}

pub fn wide_subsurfaces(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let pool = a.pool(64)?;
        let buffer = a.buffer(pool, 4, 4)?;
        let (root, ..) = a.window(32, 32)?;
        let mut subs = Vec::new();
        for n in 0..5000 {
            let child = a.surface()?;
            let sub = put_on(a, child, root)?;
            let place = [n % 1280, n / 10].map(Arg::Int);
            a.conn.call(sub, "set_position", Vec::from(place))?;
            a.show(child, buffer)?;
            subs.push((child, sub));
        }
        a.conn.call(root, "commit", vec![])?;
        a.conn.round_trip()?;
        for pair in subs.windows(2).take(2000) {
            if let [(lower, _), (_, upper)] = pair {
                a.conn
                    .call(*upper, "place_below", vec![Arg::Object(*lower)])?;
            }
        }
        a.conn.call(root, "commit", vec![])?;
        a.conn.round_trip().map(|_| ())
    })
}

pub fn popup_tower(arena: &Arena) -> Sent<()> {
    for from_below in [false, true] {
        arena.apart(|a| {
            let shell = a.global("xdg_wm_base")?;
            let positioner = a.conn.call(shell, "create_positioner", vec![])?;
            let size = [20, 20].map(Arg::Int);
            a.conn.call(positioner, "set_size", Vec::from(size))?;
            let rect = [0, 0, 5, 5].map(Arg::Int);
            a.conn
                .call(positioner, "set_anchor_rect", Vec::from(rect))?;
            let pool = a.pool(1600)?;
            let (_, mut parent, _) = a.window(32, 32)?;
            let mut tower = Vec::new();
            for n in 0..2000 {
                let surface = a.surface()?;
                let xdg = a
                    .conn
                    .call(shell, "get_xdg_surface", vec![Arg::Object(surface)])?;
                let of = vec![Arg::Object(parent), Arg::Object(positioner)];
                let popup = a.conn.call(xdg, "get_popup", of)?;
                a.conn.call(surface, "commit", vec![])?;
                if n % 100 == 0 {
                    a.conn.round_trip()?;
                }
                tower.push((surface, popup));
                parent = xdg;
            }
            a.acknowledge()?;
            for (surface, _) in &tower {
                let buffer = a.buffer(pool, 20, 20)?;
                a.show(*surface, buffer)?;
            }
            a.conn.round_trip()?;
            if from_below {
                // An error, but one that has to be found first.
                tower.reverse();
            }
            for (_, popup) in tower.iter().rev() {
                a.conn.call(*popup, "destroy", vec![])?;
            }
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

pub fn callback_storm(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let (surface, ..) = a.window(32, 32)?;
        for n in 0..200_000 {
            a.conn.call(surface, "frame", vec![])?;
            if n % 20_000 == 0 {
                a.conn.round_trip()?;
            }
        }
        a.conn.call(surface, "commit", vec![])?;
        a.conn.round_trip()?;
        a.conn.round_trip().map(|_| ())
    })
}

pub fn commit_storm(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let pool = a.pool(1 << 20)?;
        let one = a.buffer(pool, 256, 256)?;
        let other = a.buffer(pool, 200, 300)?;
        let (surface, ..) = a.window(256, 256)?;
        for n in 0..100_000 {
            a.show(surface, if n % 2 == 0 { one } else { other })?;
            if n % 10_000 == 0 {
                a.conn.round_trip()?;
            }
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn region_storm(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let compositor = a.global("wl_compositor")?;
        let (surface, ..) = a.window(64, 64)?;
        let region = a.conn.call(compositor, "create_region", vec![])?;
        for n in 0..100_000 {
            let rect = [n % 331 * 3, n / 331 * 3, 2, 2].map(Arg::Int);
            let request = if n % 7 == 0 { "subtract" } else { "add" };
            a.conn.call(region, request, Vec::from(rect))?;
            if n % 10_000 == 0 {
                a.conn
                    .call(surface, "set_input_region", vec![Arg::Object(region)])?;
                a.conn
                    .call(surface, "set_opaque_region", vec![Arg::Object(region)])?;
                a.conn.call(surface, "commit", vec![])?;
                a.conn.round_trip()?;
            }
        }
        for n in 0..20_000 {
            let rect = [n % 64, n % 63, 1, 1].map(Arg::Int);
            a.conn.call(surface, "damage", Vec::from(rect))?;
        }
        let all = [i32::MIN, i32::MIN, i32::MAX, i32::MAX].map(Arg::Int);
        a.conn.call(region, "add", Vec::from(all))?;
        a.conn
            .call(surface, "set_opaque_region", vec![Arg::Object(region)])?;
        a.conn.call(surface, "commit", vec![])?;
        a.conn.round_trip().map(|_| ())
    })
}
