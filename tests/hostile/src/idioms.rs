//! What clients really do, step by step: without it random requests never get as far as a window.

use crate::values;
use crate::wild::Wild;
use crate::wire::{Arg, Sent};

type Idiom = fn(&mut Wild) -> Sent<Option<()>>;

const ALL: [(&str, Idiom); 18] = [
    ("window", window),
    ("window", window),
    ("draw", draw),
    ("draw", draw),
    ("popup", popup),
    ("subsurface", subsurface),
    ("layer", layer),
    ("cursor", cursor),
    ("keys", keys),
    ("pointer", pointer),
    ("drag", drag),
    ("selection", selection),
    ("capture", capture),
    ("copy", copy),
    ("type", text_input),
    ("method", input_method),
    ("constrain", constrain),
    ("feedback", feedback),
];

/// Plays one of them.
pub fn play_one(wild: &mut Wild) -> Sent<()> {
    let Some((name, idiom)) = wild.rng.pick(&ALL).copied() else {
        return Ok(());
    };
    if wild.dares("idiom", name) {
        idiom(wild)?;
    }
    Ok(())
}

/// Answers what was configured since the last time.
pub fn acknowledge(wild: &mut Wild) -> Sent<()> {
    let events: Vec<_> = wild.conn.events.drain(..).collect();
    for event in events {
        if event.name != "configure" || wild.conn.object(event.object).is_none_or(|k| !k.alive) {
            continue;
        }
        let answered = [
            "xdg_surface",
            "zwlr_layer_surface_v1",
            "ext_session_lock_surface_v1",
        ];
        if answered.contains(&event.interface.as_str()) {
            let serial = Arg::Uint(event.word(0));
            wild.conn
                .call(event.object, "ack_configure", vec![serial])?;
        }
    }
    Ok(())
}

/// `?` for what is not there: an idiom ends where something is missing.
macro_rules! have {
    ($option:expr) => {
        match $option {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

fn surface(wild: &mut Wild) -> Sent<Option<u32>> {
    let compositor = have!(wild.global("wl_compositor"));
    wild.conn
        .call(compositor, "create_surface", vec![])
        .map(Some)
}

/// A buffer of this size, with memory behind it.
fn buffer(wild: &mut Wild, width: i32, height: i32) -> Sent<Option<u32>> {
    let shm = have!(wild.global("wl_shm"));
    let size = width * height * 4;
    let fd = have!(values::memory(size.unsigned_abs().into()).ok());
    let pool = wild
        .conn
        .call(shm, "create_pool", vec![Arg::Fd(fd), Arg::Int(size)])?;
    let shape = [0, width, height, width * 4].map(Arg::Int);
    let mut args = Vec::from(shape);
    args.push(Arg::Uint(u32::from(wild.rng.chance(500))));
    let buffer = wild.conn.call(pool, "create_buffer", args)?;
    if wild.rng.chance(700) {
        wild.conn.call(pool, "destroy", vec![])?;
    }
    Ok(Some(buffer))
}

fn fill(wild: &mut Wild, surface: u32) -> Sent<Option<()>> {
    let (width, height) = (wild.rng.between(1, 400), wild.rng.between(1, 400));
    let buffer = have!(buffer(wild, width, height)?);
    wild.conn.call(
        surface,
        "attach",
        vec![Arg::Object(buffer), Arg::Int(0), Arg::Int(0)],
    )?;
    let damage = [0, 0, width, height].map(Arg::Int);
    wild.conn.call(surface, "damage", Vec::from(damage))?;
    if wild.rng.chance(500) {
        wild.conn.call(surface, "frame", vec![])?;
    }
    wild.conn.call(surface, "commit", vec![])?;
    Ok(Some(()))
}

fn window(wild: &mut Wild) -> Sent<Option<()>> {
    let shell = have!(wild.global("xdg_wm_base"));
    let surface = have!(surface(wild)?);
    let xdg = wild
        .conn
        .call(shell, "get_xdg_surface", vec![Arg::Object(surface)])?;
    wild.conn.call(xdg, "get_toplevel", vec![])?;
    wild.conn.call(surface, "commit", vec![])?;
    wild.conn.round_trip()?;
    acknowledge(wild)?;
    fill(wild, surface)
}

fn draw(wild: &mut Wild) -> Sent<Option<()>> {
    let surface = have!(wild.some("wl_surface"));
    fill(wild, surface)
}

fn popup(wild: &mut Wild) -> Sent<Option<()>> {
    let shell = have!(wild.global("xdg_wm_base"));
    let parent = have!(wild.some("xdg_surface"));
    let positioner = wild.conn.call(shell, "create_positioner", vec![])?;
    let size = [wild.rng.between(1, 300), wild.rng.between(1, 300)].map(Arg::Int);
    wild.conn.call(positioner, "set_size", Vec::from(size))?;
    let rect = [0, 0, 10, 10].map(Arg::Int);
    wild.conn
        .call(positioner, "set_anchor_rect", Vec::from(rect))?;
    let surface = have!(surface(wild)?);
    let xdg = wild
        .conn
        .call(shell, "get_xdg_surface", vec![Arg::Object(surface)])?;
    let of = vec![Arg::Object(parent), Arg::Object(positioner)];
    let popup = wild.conn.call(xdg, "get_popup", of)?;
    if wild.rng.chance(400) {
        let seat = have!(wild.global("wl_seat"));
        let serial = wild.conn.serials.last().copied().unwrap_or(0);
        wild.conn
            .call(popup, "grab", vec![Arg::Object(seat), Arg::Uint(serial)])?;
    }
    wild.conn.call(surface, "commit", vec![])?;
    wild.conn.round_trip()?;
    acknowledge(wild)?;
    fill(wild, surface)
}

fn subsurface(wild: &mut Wild) -> Sent<Option<()>> {
    let maker = have!(wild.global("wl_subcompositor"));
    let parent = have!(wild.some("wl_surface"));
    let child = have!(surface(wild)?);
    let of = vec![Arg::Object(child), Arg::Object(parent)];
    let sub = wild.conn.call(maker, "get_subsurface", of)?;
    if wild.rng.chance(500) {
        wild.conn.call(sub, "set_desync", vec![])?;
    }
    fill(wild, child)
}

fn layer(wild: &mut Wild) -> Sent<Option<()>> {
    let shell = have!(wild.global("zwlr_layer_shell_v1"));
    let surface = have!(surface(wild)?);
    let layer = Arg::Uint(wild.rng.below(4) as u32);
    let args = vec![
        Arg::Object(surface),
        Arg::Object(0),
        layer,
        Arg::text("bar"),
    ];
    let layer = wild.conn.call(shell, "get_layer_surface", args)?;
    let size = [wild.rng.between(1, 400), wild.rng.between(1, 400)].map(Arg::Int);
    wild.conn.call(layer, "set_size", Vec::from(size))?;
    let anchor = wild.rng.below(16) as u32;
    wild.conn
        .call(layer, "set_anchor", vec![Arg::Uint(anchor)])?;
    let zone = wild.rng.between(-1, 500);
    wild.conn
        .call(layer, "set_exclusive_zone", vec![Arg::Int(zone)])?;
    let keyboard = wild.rng.below(3) as u32;
    wild.conn.call(
        layer,
        "set_keyboard_interactivity",
        vec![Arg::Uint(keyboard)],
    )?;
    wild.conn.call(surface, "commit", vec![])?;
    wild.conn.round_trip()?;
    acknowledge(wild)?;
    fill(wild, surface)
}

fn seat_devices(wild: &mut Wild) -> Sent<Option<u32>> {
    let seat = have!(wild.global("wl_seat"));
    for (interface, request) in [
        ("wl_pointer", "get_pointer"),
        ("wl_keyboard", "get_keyboard"),
    ] {
        if wild.some(interface).is_none() {
            wild.conn.call(seat, request, vec![])?;
        }
    }
    Ok(Some(seat))
}

fn cursor(wild: &mut Wild) -> Sent<Option<()>> {
    have!(seat_devices(wild)?);
    let pointer = have!(wild.some("wl_pointer"));
    let serial = wild.conn.serials.last().copied().unwrap_or(0);
    let surface = have!(surface(wild)?);
    let args = vec![
        Arg::Uint(serial),
        Arg::Object(surface),
        Arg::Int(0),
        Arg::Int(0),
    ];
    wild.conn.call(pointer, "set_cursor", args)?;
    fill(wild, surface)
}

fn keys(wild: &mut Wild) -> Sent<Option<()>> {
    let seat = have!(seat_devices(wild)?);
    let manager = have!(wild.global("zwp_virtual_keyboard_manager_v1"));
    let keyboard = match wild.some("zwp_virtual_keyboard_v1") {
        Some(keyboard) => keyboard,
        None => {
            let made =
                wild.conn
                    .call(manager, "create_virtual_keyboard", vec![Arg::Object(seat)])?;
            let keymap = [values::KEYMAP.as_bytes(), b"\0"].concat();
            let fd = have!(values::memory_with(&keymap).ok());
            let args = vec![Arg::Uint(1), Arg::Fd(fd), Arg::Uint(keymap.len() as u32)];
            wild.conn.call(made, "keymap", args)?;
            made
        }
    };
    // Letters: no binding is meant.
    let key = wild.rng.between(16, 25);
    for state in [1, 0] {
        let args = vec![Arg::Uint(wild.rng.word()), Arg::Int(key), Arg::Uint(state)];
        if wild.rng.chance(900) {
            wild.conn.call(keyboard, "key", args)?;
        }
    }
    Ok(Some(()))
}

fn pointer(wild: &mut Wild) -> Sent<Option<()>> {
    let seat = have!(seat_devices(wild)?);
    let manager = have!(wild.global("zwlr_virtual_pointer_manager_v1"));
    let pointer = match wild.some("zwlr_virtual_pointer_v1") {
        Some(pointer) => pointer,
        None => wild
            .conn
            .call(manager, "create_virtual_pointer", vec![Arg::Object(seat)])?,
    };
    let (x, y) = (wild.rng.between(0, 1300), wild.rng.between(0, 900));
    let at = [0, x, y, 1280, 800].map(Arg::Int);
    wild.conn.call(pointer, "motion_absolute", Vec::from(at))?;
    wild.conn.call(pointer, "frame", vec![])?;
    for state in [1, 0] {
        if wild.rng.chance(800) {
            let press = [0, 0x110, state].map(Arg::Int);
            wild.conn.call(pointer, "button", Vec::from(press))?;
            wild.conn.call(pointer, "frame", vec![])?;
        }
    }
    Ok(Some(()))
}

fn source(wild: &mut Wild) -> Sent<Option<u32>> {
    let manager = have!(wild.global("wl_data_device_manager"));
    let source = wild.conn.call(manager, "create_data_source", vec![])?;
    for _ in 0..wild.rng.below(4) {
        let mime = values::text(&mut wild.rng, false);
        wild.conn.call(source, "offer", vec![Arg::Text(mime)])?;
    }
    Ok(Some(source))
}

fn device(wild: &mut Wild) -> Sent<Option<u32>> {
    let manager = have!(wild.global("wl_data_device_manager"));
    let seat = have!(seat_devices(wild)?);
    match wild.some("wl_data_device") {
        Some(device) => Ok(Some(device)),
        None => wild
            .conn
            .call(manager, "get_data_device", vec![Arg::Object(seat)])
            .map(Some),
    }
}

fn drag(wild: &mut Wild) -> Sent<Option<()>> {
    let device = have!(device(wild)?);
    let source = if wild.rng.chance(800) {
        have!(source(wild)?)
    } else {
        0
    };
    let origin = have!(wild.some("wl_surface"));
    let icon = if wild.rng.chance(500) {
        have!(surface(wild)?)
    } else {
        0
    };
    let serial = wild.conn.serials.last().copied().unwrap_or(0);
    let objects = [source, origin, icon].map(Arg::Object);
    let mut args = Vec::from(objects);
    args.push(Arg::Uint(serial));
    wild.conn.call(device, "start_drag", args)?;
    pointer(wild)
}

fn selection(wild: &mut Wild) -> Sent<Option<()>> {
    let device = have!(device(wild)?);
    let source = have!(source(wild)?);
    let serial = wild.conn.serials.last().copied().unwrap_or(0);
    wild.conn.call(
        device,
        "set_selection",
        vec![Arg::Object(source), Arg::Uint(serial)],
    )?;
    if let Some(offer) = wild.some("wl_data_offer") {
        let fd = have!(values::descriptor(&mut wild.rng).ok());
        wild.conn
            .call(offer, "receive", vec![Arg::text("text/plain"), Arg::Fd(fd)])?;
    }
    Ok(Some(()))
}

/// wlr-screencopy into a buffer that may or may not be the right one.
fn capture(wild: &mut Wild) -> Sent<Option<()>> {
    let manager = have!(wild.global("zwlr_screencopy_manager_v1"));
    let output = have!(wild.global("wl_output"));
    let frame = if wild.rng.chance(500) {
        let mut args = vec![Arg::Int(0), Arg::Object(output)];
        args.extend((0..4).map(|_| Arg::Int(wild.rng.between(-10, 900))));
        wild.conn.call(manager, "capture_output_region", args)?
    } else {
        let args = vec![Arg::Int(1), Arg::Object(output)];
        wild.conn.call(manager, "capture_output", args)?
    };
    wild.conn.round_trip()?;
    let told = wild
        .conn
        .events
        .iter()
        .rev()
        .find(|e| e.object == frame && e.name == "buffer");
    let size = told.map(|e| (e.word(1), e.word(2)));
    let (mut width, mut height) =
        size.map_or((64, 64), |(w, h)| (w.min(4000) as i32, h.min(4000) as i32));
    if wild.rng.chance(300) {
        (width, height) = (wild.rng.between(1, 1400), wild.rng.between(1, 900));
    }
    let buffer = have!(buffer(wild, width, height)?);
    wild.conn.call(frame, "copy", vec![Arg::Object(buffer)])?;
    Ok(Some(()))
}

/// ext-image-copy-capture, likewise.
fn copy(wild: &mut Wild) -> Sent<Option<()>> {
    let sources = have!(wild.global("ext_output_image_capture_source_manager_v1"));
    let manager = have!(wild.global("ext_image_copy_capture_manager_v1"));
    let output = have!(wild.global("wl_output"));
    let source = wild
        .conn
        .call(sources, "create_source", vec![Arg::Object(output)])?;
    let session = wild.conn.call(
        manager,
        "create_session",
        vec![Arg::Object(source), Arg::Uint(0)],
    )?;
    wild.conn.round_trip()?;
    let told = wild
        .conn
        .events
        .iter()
        .rev()
        .find(|e| e.object == session && e.name == "buffer_size");
    let (mut width, mut height) = told.map_or((64, 64), |e| {
        (e.word(0).min(4000) as i32, e.word(1).min(4000) as i32)
    });
    if wild.rng.chance(300) {
        (width, height) = (wild.rng.between(1, 1400), wild.rng.between(1, 900));
    }
    let buffer = have!(buffer(wild, width, height)?);
    let frame = wild.conn.call(session, "create_frame", vec![])?;
    wild.conn
        .call(frame, "attach_buffer", vec![Arg::Object(buffer)])?;
    wild.conn.call(frame, "capture", vec![])?;
    Ok(Some(()))
}

fn text_input(wild: &mut Wild) -> Sent<Option<()>> {
    let manager = have!(wild.global("zwp_text_input_manager_v3"));
    let seat = have!(wild.global("wl_seat"));
    let input = match wild.some("zwp_text_input_v3") {
        Some(input) => input,
        None => wild
            .conn
            .call(manager, "get_text_input", vec![Arg::Object(seat)])?,
    };
    wild.conn.call(input, "enable", vec![])?;
    let text = Arg::Text(values::text(&mut wild.rng, false));
    wild.conn.call(
        input,
        "set_surrounding_text",
        vec![text, Arg::Int(0), Arg::Int(0)],
    )?;
    wild.conn.call(input, "commit", vec![])?;
    Ok(Some(()))
}

fn input_method(wild: &mut Wild) -> Sent<Option<()>> {
    let manager = have!(wild.global("zwp_input_method_manager_v2"));
    let seat = have!(wild.global("wl_seat"));
    let method = match wild.some("zwp_input_method_v2") {
        Some(method) => method,
        None => wild
            .conn
            .call(manager, "get_input_method", vec![Arg::Object(seat)])?,
    };
    let text = Arg::Text(values::text(&mut wild.rng, false));
    wild.conn.call(method, "commit_string", vec![text])?;
    if wild.rng.chance(300) {
        wild.conn.call(method, "grab_keyboard", vec![])?;
    }
    if wild.rng.chance(300) {
        let surface = have!(surface(wild)?);
        wild.conn.call(
            method,
            "get_input_popup_surface",
            vec![Arg::Object(surface)],
        )?;
        fill(wild, surface)?;
    }
    wild.conn
        .call(method, "commit", vec![Arg::Uint(wild.rng.below(5) as u32)])?;
    Ok(Some(()))
}

fn constrain(wild: &mut Wild) -> Sent<Option<()>> {
    have!(seat_devices(wild)?);
    let manager = have!(wild.global("zwp_pointer_constraints_v1"));
    let surface = have!(wild.some("wl_surface"));
    let pointer = have!(wild.some("wl_pointer"));
    let request = if wild.rng.chance(500) {
        "lock_pointer"
    } else {
        "confine_pointer"
    };
    let mut args = Vec::from([surface, pointer, 0].map(Arg::Object));
    args.push(Arg::Uint(1 + wild.rng.below(2) as u32));
    wild.conn.call(manager, request, args)?;
    Ok(Some(()))
}

fn feedback(wild: &mut Wild) -> Sent<Option<()>> {
    let surface = have!(wild.some("wl_surface"));
    if let Some(presentation) = wild.global("wp_presentation") {
        wild.conn
            .call(presentation, "feedback", vec![Arg::Object(surface)])?;
    }
    if let Some(viewporter) = wild.global("wp_viewporter")
        && wild.dares("wp_viewporter", "get_viewport")
    {
        let viewport = wild
            .conn
            .call(viewporter, "get_viewport", vec![Arg::Object(surface)])?;
        let size = [wild.rng.between(1, 500), wild.rng.between(1, 500)].map(Arg::Int);
        wild.conn
            .call(viewport, "set_destination", Vec::from(size))?;
    }
    wild.conn.call(surface, "commit", vec![])?;
    Ok(Some(()))
}
