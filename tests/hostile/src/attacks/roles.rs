//! Attacks by what surfaces and clients are for: windows, panels, lockers, input methods, drags, screenshots.

use super::{Arena, Attacker};
use crate::rng::Rng;
use crate::values;
use crate::wire::{Arg, Gone, Sent};

pub fn never_pongs(arena: &Arena) -> Sent<()> {
    let mut sleepers = Vec::new();
    for n in 0..50 {
        let mut a = arena.attacker()?;
        a.conn.pongs = false;
        // Every other one never acknowledges its configure, either.
        let done = if n % 2 == 0 {
            a.window(64, 64)
        } else {
            a.toplevel()
        };
        if done == Err(Gone::Stuck) {
            return Err(Gone::Stuck);
        }
        sleepers.push(a);
    }
    // Somebody wants something of them: the focus goes round.
    arena.apart(|a| {
        for _ in 0..20 {
            let (surface, ..) = a.window(64, 64)?;
            a.conn.call(surface, "destroy", vec![]).ok();
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn resize_storm(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let (surface, xdg, toplevel) = a.window(64, 64)?;
        let pool = a.pool(700 * 700 * 4)?;
        for n in 0..2000 {
            let (width, height) = (1 + n * 37 % 700, 1 + n * 53 % 700);
            let buffer = a.buffer(pool, width, height)?;
            let rect = [n % 9 - 4, n % 7 - 3, width, height].map(Arg::Int);
            a.conn.call(xdg, "set_window_geometry", Vec::from(rect))?;
            let size = [width, height].map(Arg::Int);
            a.conn.call(toplevel, "set_min_size", Vec::from(size))?;
            a.show(surface, buffer)?;
            a.conn.call(buffer, "destroy", vec![])?;
            if n % 50 == 0 {
                a.acknowledge()?;
            }
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn state_storm(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let mut rng = Rng::new(3);
        let seat = a.global("wl_seat")?;
        let (surface, _, toplevel) = a.window(64, 64)?;
        let (other, _, parent) = a.window(64, 64)?;
        for n in 0..20_000 {
            let serial = a.conn.serials.last().copied().unwrap_or(0);
            let (request, args) = match rng.below(11) {
                0 => ("set_maximized", vec![]),
                1 => ("unset_maximized", vec![]),
                2 => ("set_fullscreen", vec![Arg::Object(0)]),
                3 => ("unset_fullscreen", vec![]),
                4 => ("set_minimized", vec![]),
                5 => ("move", vec![Arg::Object(seat), Arg::Uint(serial)]),
                6 => {
                    let edge = Arg::Uint(
                        [1, 2, 4, 5, 6, 8, 9, 10]
                            .get(rng.below(8))
                            .copied()
                            .unwrap_or(1),
                    );
                    ("resize", vec![Arg::Object(seat), Arg::Uint(serial), edge])
                }
                7 => ("set_title", vec![Arg::Text(values::text(&mut rng, true))]),
                8 => ("set_app_id", vec![Arg::Text(values::text(&mut rng, true))]),
                9 => (
                    "set_parent",
                    vec![Arg::Object(if n % 2 == 0 { parent } else { 0 })],
                ),
                _ => {
                    let at = [n % 99 - 50, n % 77].map(Arg::Int);
                    let mut args = vec![Arg::Object(seat), Arg::Uint(serial)];
                    args.extend(at);
                    ("show_window_menu", args)
                }
            };
            a.conn.call(toplevel, request, args)?;
            if n % 97 == 0 {
                a.conn.call(surface, "commit", vec![])?;
                a.acknowledge()?;
                a.conn.call(surface, "commit", vec![])?;
            }
        }
        a.conn.call(other, "destroy", vec![])?;
        a.conn.round_trip().map(|_| ())
    })?;
    // Parents in a circle.
    arena.apart(|a| {
        let (one, two) = (a.window(64, 64)?, a.window(64, 64)?);
        a.conn.call(one.2, "set_parent", vec![Arg::Object(two.2)])?;
        a.conn.call(two.2, "set_parent", vec![Arg::Object(one.2)])?;
        a.conn.call(one.2, "set_parent", vec![Arg::Object(one.2)])?;
        a.conn.round_trip().map(|_| ())
    })
}

pub fn huge_strings(arena: &Arena) -> Sent<()> {
    arena.apart(|a| {
        let mut rng = Rng::new(4);
        let (surface, _, toplevel) = a.window(64, 64)?;
        for n in 0..3000 {
            let text = if n % 3 == 0 {
                vec![b'M'; 4050]
            } else {
                values::text(&mut rng, true)
            };
            let request = if n % 2 == 0 {
                "set_title"
            } else {
                "set_app_id"
            };
            a.conn.call(toplevel, request, vec![Arg::Text(text)])?;
            a.conn.call(surface, "commit", vec![])?;
            if n % 100 == 0 {
                a.acknowledge()?;
            }
        }
        a.conn.round_trip().map(|_| ())
    })?;
    arena.apart(|a| {
        let manager = a.global("wl_data_device_manager")?;
        let seat = a.global("wl_seat")?;
        let device = a
            .conn
            .call(manager, "get_data_device", vec![Arg::Object(seat)])?;
        let source = a.conn.call(manager, "create_data_source", vec![])?;
        for n in 0..3000u32 {
            let mut mime = vec![b'm'; 4000];
            mime.extend(n.to_string().as_bytes());
            a.conn.call(source, "offer", vec![Arg::Text(mime)])?;
        }
        a.conn.call(
            device,
            "set_selection",
            vec![Arg::Object(source), Arg::Uint(0)],
        )?;
        a.window(32, 32).map(|_| ())
    })?;
    arena.apart(|a| {
        let activation = a.global("xdg_activation_v1")?;
        let (surface, ..) = a.window(64, 64)?;
        for n in 0..3000 {
            let token = a.conn.call(activation, "get_activation_token", vec![])?;
            a.conn
                .call(token, "set_app_id", vec![Arg::Text(vec![b'a'; 4000])])?;
            a.conn
                .call(token, "set_surface", vec![Arg::Object(surface)])?;
            a.conn.call(token, "commit", vec![])?;
            let text = Arg::Text(vec![b't'; 1 + n % 4000]);
            a.conn
                .call(activation, "activate", vec![text, Arg::Object(surface)])?;
            if n % 100 == 0 {
                a.conn.round_trip()?;
            }
        }
        a.conn.round_trip().map(|_| ())
    })
}

pub fn drags(arena: &Arena) -> Sent<()> {
    for n in 0..60u32 {
        arena.apart(|a| {
            let mut rng = Rng::new(n.into());
            let manager = a.global("wl_data_device_manager")?;
            let seat = a.global("wl_seat")?;
            let device = a
                .conn
                .call(manager, "get_data_device", vec![Arg::Object(seat)])?;
            let source = a.conn.call(manager, "create_data_source", vec![])?;
            a.conn
                .call(source, "offer", vec![Arg::text("text/plain")])?;
            let (surface, ..) = a.window(200, 200)?;
            let icon = a.surface()?;
            hold_the_button(a, seat)?;
            let serial = a.conn.serials.last().copied().unwrap_or(0);
            let mut args =
                Vec::from([source, surface, if n % 2 == 0 { icon } else { 0 }].map(Arg::Object));
            args.push(Arg::Uint(serial));
            a.conn.call(device, "start_drag", args)?;
            a.conn.round_trip()?;
            for offer in a.conn.all("wl_data_offer") {
                let fd = values::descriptor(&mut rng).map_err(|_| Gone::Closed)?;
                a.conn
                    .call(offer, "receive", vec![Arg::text("text/plain"), Arg::Fd(fd)])?;
                a.conn
                    .call(offer, "accept", vec![Arg::Uint(n), Arg::NoText])?;
                a.conn.call(offer, "finish", vec![])?;
            }
            let dying = [surface, icon, source]
                .get(n as usize % 3)
                .copied()
                .unwrap_or(source);
            a.conn.call(dying, "destroy", vec![])?;
            if n % 5 == 0 {
                // Used twice.
                a.conn.call(
                    device,
                    "set_selection",
                    vec![Arg::Object(source), Arg::Uint(serial)],
                )?;
            }
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

/// Presses a button over whatever is in the middle of the screen, where there are virtual pointers.
fn hold_the_button(a: &mut Attacker, seat: u32) -> Sent<()> {
    a.conn.call(seat, "get_pointer", vec![])?;
    let Ok(manager) = a.global("zwlr_virtual_pointer_manager_v1") else {
        return Ok(());
    };
    let pointer = a
        .conn
        .call(manager, "create_virtual_pointer", vec![Arg::Object(seat)])?;
    let at = [0, 640, 400, 1280, 800].map(Arg::Int);
    a.conn.call(pointer, "motion_absolute", Vec::from(at))?;
    a.conn.call(pointer, "frame", vec![])?;
    let press = [0, 0x110, 1].map(Arg::Int);
    a.conn.call(pointer, "button", Vec::from(press))?;
    a.conn.call(pointer, "frame", vec![])?;
    a.conn.round_trip().map(|_| ())
}

pub fn input_methods(arena: &Arena) -> Sent<()> {
    for n in 0..40u32 {
        arena.apart(|a| {
            let mut rng = Rng::new(n.into());
            let manager = a.global("zwp_input_method_manager_v2")?;
            let seat = a.global("wl_seat")?;
            let method = a
                .conn
                .call(manager, "get_input_method", vec![Arg::Object(seat)])?;
            let second = a
                .conn
                .call(manager, "get_input_method", vec![Arg::Object(seat)])?;
            for method in [method, second, method] {
                a.conn.call(method, "grab_keyboard", vec![])?;
                let surface = a.surface()?;
                a.conn.call(
                    method,
                    "get_input_popup_surface",
                    vec![Arg::Object(surface)],
                )?;
                a.conn.call(surface, "commit", vec![])?;
                let text = Arg::Text(values::text(&mut rng, n % 2 == 0));
                let at = [-1, i32::MAX].map(Arg::Int);
                let mut args = vec![text];
                args.extend(at);
                a.conn.call(method, "set_preedit_string", args)?;
                let lengths = [u32::MAX, 7].map(Arg::Uint);
                a.conn
                    .call(method, "delete_surrounding_text", Vec::from(lengths))?;
                a.conn.call(method, "commit", vec![Arg::Uint(rng.word())])?;
            }
            let (surface, ..) = a.window(64, 64)?;
            let inputs = a.global("zwp_text_input_manager_v3")?;
            for _ in 0..20 {
                let input = a
                    .conn
                    .call(inputs, "get_text_input", vec![Arg::Object(seat)])?;
                a.conn.call(input, "enable", vec![])?;
                let kinds = [u32::MAX, 9999].map(Arg::Uint);
                a.conn.call(input, "set_content_type", Vec::from(kinds))?;
                a.conn
                    .call(input, "set_text_change_cause", vec![Arg::Uint(77)])?;
                let at = [-5, i32::MAX].map(Arg::Int);
                let mut args = vec![Arg::text("ä")];
                args.extend(at);
                a.conn.call(input, "set_surrounding_text", args)?;
                a.conn.call(input, "commit", vec![])?;
            }
            a.conn.round_trip()?;
            a.conn.call(method, "destroy", vec![])?;
            a.conn.call(surface, "destroy", vec![])?;
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}

pub fn layers(arena: &Arena) -> Sent<()> {
    const EDGES: [i32; 7] = [0, 1, -1, 100_000, i32::MAX, i32::MIN, 300];
    let mut rng = Rng::new(5);
    for _ in 0..40 {
        arena.apart(|a| {
            let shell = a.global("zwlr_layer_shell_v1")?;
            let pool = a.pool(64 * 64 * 4)?;
            for n in 0..25 {
                let surface = a.surface()?;
                let level = Arg::Uint(n % 4);
                let args = vec![Arg::Object(surface), Arg::Object(0), level, Arg::text("")];
                let layer = a.conn.call(shell, "get_layer_surface", args)?;
                let mut edge = || EDGES.get(rng.below(EDGES.len())).copied().unwrap_or(0);
                let size = [edge().saturating_abs(), edge().saturating_abs()].map(Arg::Int);
                a.conn.call(layer, "set_size", Vec::from(size))?;
                let margins = [edge(), edge(), edge(), edge()].map(Arg::Int);
                a.conn.call(layer, "set_margin", Vec::from(margins))?;
                a.conn
                    .call(layer, "set_exclusive_zone", vec![Arg::Int(edge())])?;
                a.conn
                    .call(layer, "set_anchor", vec![Arg::Uint(15 - n % 3)])?;
                a.conn
                    .call(layer, "set_keyboard_interactivity", vec![Arg::Uint(n % 3)])?;
                a.conn.call(surface, "commit", vec![])?;
                a.acknowledge()?;
                let buffer = a.buffer(pool, 64, 64)?;
                a.show(surface, buffer)?;
                a.conn.round_trip()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

pub fn captures(arena: &Arena) -> Sent<()> {
    const SHAPES: [(i32, i32); 6] = [
        (1, 1),
        (1280, 800),
        (64, 64),
        (800, 1280),
        (1281, 801),
        (4000, 2),
    ];
    for (n, (width, height)) in SHAPES.into_iter().cycle().take(60).enumerate() {
        arena.apart(|a| {
            let manager = a.global("zwlr_screencopy_manager_v1")?;
            let output = a.global("wl_output")?;
            let mut args = vec![Arg::Int(0), Arg::Object(output)];
            let far = [i32::MIN, -5, 0, i32::MAX].get(n % 4).copied().unwrap_or(0);
            args.extend([far, far, i32::MAX, 7].map(Arg::Int));
            let region = a.conn.call(manager, "capture_output_region", args)?;
            let whole = a.conn.call(
                manager,
                "capture_output",
                vec![Arg::Int(1), Arg::Object(output)],
            )?;
            a.conn.round_trip()?;
            let pool = a.pool(width * height * 4)?;
            let buffer = a.buffer(pool, width, height)?;
            a.conn
                .call(whole, "copy_with_damage", vec![Arg::Object(buffer)])?;
            if n % 2 == 0 {
                // Gone before it is filled.
                a.conn.call(buffer, "destroy", vec![])?;
                a.conn.call(pool, "destroy", vec![])?;
            }
            a.conn.round_trip()?;
            a.conn.call(region, "copy", vec![Arg::Object(buffer)])?;
            a.conn.call(region, "copy", vec![Arg::Object(buffer)])?;
            a.conn.round_trip().map(|_| ())
        })?;
        arena.apart(|a| copies(a, n, width, height))?;
    }
    Ok(())
}

fn copies(a: &mut Attacker, turn: usize, width: i32, height: i32) -> Sent<()> {
    let sources = a.global("ext_output_image_capture_source_manager_v1")?;
    let manager = a.global("ext_image_copy_capture_manager_v1")?;
    let output = a.global("wl_output")?;
    let source = a
        .conn
        .call(sources, "create_source", vec![Arg::Object(output)])?;
    let args = vec![Arg::Object(source), Arg::Uint(0)];
    let session = a.conn.call(manager, "create_session", args)?;
    a.conn.call(source, "destroy", vec![])?;
    a.conn.round_trip()?;
    let pool = a.pool(width * height * 4)?;
    let buffer = a.buffer(pool, width, height)?;
    let frame = a.conn.call(session, "create_frame", vec![])?;
    a.conn
        .call(frame, "attach_buffer", vec![Arg::Object(buffer)])?;
    let damage = [-1, i32::MIN, i32::MAX, i32::MAX].map(Arg::Int);
    if turn.is_multiple_of(3) {
        a.conn.call(frame, "damage_buffer", Vec::from(damage))?;
    }
    a.conn.call(frame, "capture", vec![])?;
    match turn % 3 {
        0 => a.conn.call(session, "destroy", vec![])?,
        1 => a.conn.call(buffer, "destroy", vec![])?,
        _ => a.conn.call(frame, "capture", vec![])?,
    };
    a.conn.round_trip().map(|_| ())
}

pub fn locks(arena: &Arena) -> Sent<()> {
    for n in 0..12 {
        arena.apart(|a| {
            let manager = a.global("ext_session_lock_manager_v1")?;
            let output = a.global("wl_output")?;
            let lock = a.conn.call(manager, "lock", vec![])?;
            let second = a.conn.call(manager, "lock", vec![])?;
            let surface = a.surface()?;
            let of = vec![Arg::Object(surface), Arg::Object(output)];
            a.conn.call(lock, "get_lock_surface", of)?;
            a.acknowledge()?;
            let pool = a.pool(1280 * 800 * 4)?;
            let (width, height) = if n % 2 == 0 { (1280, 800) } else { (5, 5) };
            let buffer = a.buffer(pool, width, height)?;
            match n % 4 {
                0 => a.show(surface, buffer)?,
                1 => a
                    .conn
                    .call(second, "unlock_and_destroy", vec![])
                    .map(|_| ())?,
                2 => a.conn.call(surface, "destroy", vec![]).map(|_| ())?,
                _ => a.conn.call(lock, "destroy", vec![]).map(|_| ())?,
            }
            a.conn.round_trip()?;
            if n % 3 == 0 {
                a.conn.call(lock, "unlock_and_destroy", vec![])?;
            }
            a.conn.round_trip().map(|_| ())
        })?;
    }
    Ok(())
}
