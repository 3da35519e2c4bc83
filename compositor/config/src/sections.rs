//! The sections of the file.

use crate::read::{Reader, Value, section};
use crate::{
    Autostart, ClickMethod, Colour, Config, Decorations, Mode, OutputMatch, OutputSettings,
    Pointer, ScrollMethod, Share, Transform,
};

const SPEED: std::ops::RangeInclusive<f64> = -1.0..=1.0;

/// The whole file.
pub(crate) fn file(
    r: &mut Reader,
    value: &Value,
    keysym: &dyn Fn(&str) -> Option<u32>,
    c: &mut Config,
) {
    section!(r, value, {
        "keyboard" => |v| keyboard(r, v, c),
        "touchpad" => |v| touchpad(r, v, c),
        "mouse" => |v| mouse(r, v, &mut c.mouse),
        "layout" => |v| layout(r, v, c),
        "appearance" => |v| appearance(r, v, c),
        "output" => |v| {
            let mut outputs = Vec::new();
            for each in r.array(v, "write `[[output]]`, with two brackets: there may be several") {
                outputs.push(output(r, each));
            }
            c.outputs = outputs;
        },
        "autostart" => |v| {
            let mut commands = Vec::new();
            for each in r.array(v, "write `[[autostart]]`, with two brackets: there may be several") {
                commands.push(autostart(r, each));
            }
            c.autostart = commands;
        },
        "keys" => |v| r.keys(v, keysym, &mut c.keys),
    });
}

fn keyboard(r: &mut Reader, value: &Value, c: &mut Config) {
    let k = &mut c.keyboard;
    section!(r, value, {
        "layout" => |v| r.string(v, &mut k.layout),
        "variant" => |v| r.string(v, &mut k.variant),
        "model" => |v| r.string(v, &mut k.model),
        "options" => |v| r.strings(v, &mut k.options),
        "repeat-rate" => |v| r.integer(v, 0..=200, &mut k.repeat_rate),
        "repeat-delay" => |v| r.integer(v, 50..=5000, &mut k.repeat_delay),
        "num-lock" => |v| r.flag(v, &mut k.num_lock),
    });
}

fn touchpad(r: &mut Reader, value: &Value, c: &mut Config) {
    let t = &mut c.touchpad;
    let scrolls = [
        ("two-fingers", ScrollMethod::TwoFingers),
        ("edge", ScrollMethod::Edge),
        ("none", ScrollMethod::None),
    ];
    let clicks = [
        ("areas", ClickMethod::Areas),
        ("fingers", ClickMethod::Fingers),
    ];
    section!(r, value, {
        "tap" => |v| r.flag(v, &mut t.tap),
        "natural-scroll" => |v| r.flag(v, &mut t.pointer.natural_scroll),
        "speed" => |v| r.number(v, SPEED, &mut t.pointer.speed),
        "left-handed" => |v| r.flag(v, &mut t.pointer.left_handed),
        "scroll" => |v| r.word(v, &scrolls, &mut t.scroll),
        "click" => |v| r.word(v, &clicks, &mut t.click),
        "off-while-typing" => |v| r.flag(v, &mut t.off_while_typing),
    });
}

fn mouse(r: &mut Reader, value: &Value, m: &mut Pointer) {
    section!(r, value, {
        "natural-scroll" => |v| r.flag(v, &mut m.natural_scroll),
        "speed" => |v| r.number(v, SPEED, &mut m.speed),
        "left-handed" => |v| r.flag(v, &mut m.left_handed),
    });
}

fn layout(r: &mut Reader, value: &Value, c: &mut Config) {
    let l = &mut c.layout;
    section!(r, value, {
        "tile" => |v| r.flag(v, &mut l.tile),
        "gap" => |v| r.integer(v, 0..=256, &mut l.gap),
        "column-width" => |v| share(r, v, &mut l.column_width),
    });
}

fn appearance(r: &mut Reader, value: &Value, c: &mut Config) {
    let a = &mut c.appearance;
    let decorations = [
        ("client", Decorations::Client),
        ("server", Decorations::Server),
    ];
    section!(r, value, {
        "background" => |v| {
            if let Some(colour) = r.parsed(v, "write a colour: \"#20242c\"", colour) {
                a.background = colour;
            }
        },
        "decorations" => |v| r.word(v, &decorations, &mut a.decorations),
        "cursor-theme" => |v| r.string(v, &mut a.cursor_theme),
        "cursor-size" => |v| r.integer(v, 8..=256, &mut a.cursor_size),
        "ghost-dim" => |v| r.number(v, 0.0..=1.0, &mut a.ghost_dim),
        "reduced-motion" => |v| r.flag(v, &mut a.reduced_motion),
    });
}

fn output(r: &mut Reader, value: &Value) -> OutputSettings {
    let mut o = OutputSettings::default();
    let OutputMatch {
        connector,
        make,
        model,
        serial,
    } = &mut o.matches;
    let transforms = [
        ("normal", Transform::Normal),
        ("90", Transform::R90),
        ("180", Transform::R180),
        ("270", Transform::R270),
        ("flipped", Transform::Flipped),
        ("flipped-90", Transform::Flipped90),
        ("flipped-180", Transform::Flipped180),
        ("flipped-270", Transform::Flipped270),
    ];
    section!(r, value, {
        "connector" => |v| r.string(v, connector),
        "make" => |v| r.string(v, make),
        "model" => |v| r.string(v, model),
        "serial" => |v| r.string(v, serial),
        "enabled" => |v| r.flag(v, &mut o.enabled),
        "mode" => |v| o.mode = r.parsed(v, "write \"2560x1440\" or \"2560x1440@60\"", mode).or(o.mode),
        "scale" => |v| {
            let mut scale = 1.0;
            r.number(v, 0.25..=10.0, &mut scale);
            o.scale = Some(scale);
        },
        "position" => |v| o.position = position(r, v),
        "transform" => |v| r.word(v, &transforms, &mut o.transform),
    });
    if o.matches == OutputMatch::default() {
        let what = "this output is none".to_owned();
        let cure = "say which one: connector = \"DP-1\", or make, model and serial".to_owned();
        r.mistake(value.span(), what, cure);
    }
    o
}

fn autostart(r: &mut Reader, value: &Value) -> Autostart {
    let mut a = Autostart::default();
    section!(r, value, {
        "run" => |v| r.strings(v, &mut a.run),
        "if-installed" => |v| r.flag(v, &mut a.if_installed),
    });
    let empty = a.run.first().is_none_or(String::is_empty);
    r.not_empty(value, empty, "write run = [\"program\", \"argument\"]");
    a
}

fn position(r: &mut Reader, value: &Value) -> Option<(i32, i32)> {
    let cure = "write the top left corner: [0, 0]";
    let (mut x, mut y) = (0, 0);
    match r.array(value, cure) {
        [first, second] => {
            r.integer(first, -65536..=65536, &mut x);
            r.integer(second, -65536..=65536, &mut y);
            Some((x, y))
        }
        [] if value.get_ref().as_array().is_none() => None,
        _ => {
            r.mistake(
                value.span(),
                "a position has two numbers".into(),
                cure.into(),
            );
            None
        }
    }
}

/// `"2/3"`.
pub(crate) fn share(r: &mut Reader, value: &Value, into: &mut Share) {
    if let Some(share) = r.parsed(
        value,
        "write a part of the width: \"1/2\", \"2/3\", \"1/1\"",
        parse_share,
    ) {
        *into = share;
    }
}

pub(crate) fn parse_share(s: &str) -> Option<Share> {
    let (part, whole) = s.split_once('/')?;
    let (part, whole): (u32, u32) = (part.trim().parse().ok()?, whole.trim().parse().ok()?);
    ((1..=whole).contains(&part) && whole <= 1000).then_some(Share { part, whole })
}

fn colour(s: &str) -> Option<Colour> {
    let hex = s.strip_prefix('#').filter(|h| h.len() == 6)?;
    let part = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    // from_str_radix takes a sign.
    let plain = hex.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then_some(Colour {
        red: part(0)?,
        green: part(2)?,
        blue: part(4)?,
    })
}

fn mode(s: &str) -> Option<Mode> {
    let (size, rate) = match s.split_once('@') {
        Some((size, rate)) => (size, Some(rate.trim_end_matches("Hz").parse::<f64>().ok()?)),
        None => (s, None),
    };
    let (width, height) = size.split_once('x')?;
    let (width, height): (u16, u16) = (width.parse().ok()?, height.parse().ok()?);
    let right = width >= 64 && height >= 64 && rate.is_none_or(|r| (1.0..=1000.0).contains(&r));
    right.then_some(Mode {
        width,
        height,
        refresh_mhz: rate.map(|r| (r * 1000.0).round() as u32),
    })
}
