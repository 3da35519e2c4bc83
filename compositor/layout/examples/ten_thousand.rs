//! How long it takes with ten thousand windows: `cargo run --release -p overwinter-layout --example ten_thousand`.

use std::time::Instant;

use overwinter_layout::*;

const WINDOWS: u64 = 10_000;

fn main() -> Result<(), Refused> {
    for (how, workspaces, tile) in [
        ("floating, 10 workspaces", 10, false),
        ("tiles, 10 workspaces", 10, true),
        ("floating, 1 workspace", 1, false),
        ("tiles, 1 workspace", 1, true),
    ] {
        let mut desktop = Desktop::new(Options {
            tile,
            ..Options::default()
        });
        for connector in ["DP-1", "DP-2"] {
            let identity = OutputIdentity {
                connector: connector.into(),
                ..OutputIdentity::default()
            };
            let mode = OutputMode {
                pixels: Size::new(3840, 2160),
                scale: Scale::from_120ths(180),
                position: None,
            };
            desktop.apply(Op::Plug { identity, mode })?;
        }
        let opened = Instant::now();
        for n in 0..WINDOWS {
            let place = Place {
                workspace: Some((1 + n % workspaces).to_string()),
                ..Place::default()
            };
            let opening = Opening {
                size: Size::new(600, 400),
                place: Some(place),
                ..Opening::default()
            };
            desktop.apply(Op::Open(WindowId(n), opening))?;
        }
        let open = opened.elapsed() / WINDOWS as u32;
        let mut before = desktop.arrange();
        let (mut arrange, mut diff, mut focus) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..51 {
            let start = Instant::now();
            desktop.apply(Op::Focus {
                window: WindowId(n * 196),
                raise: true,
            })?;
            focus.push(start.elapsed());
            let start = Instant::now();
            let now = desktop.arrange();
            arrange.push(start.elapsed());
            let start = Instant::now();
            std::hint::black_box(now.since(&before));
            diff.push(start.elapsed());
            before = now;
        }
        let median = |times: &mut Vec<_>| {
            times.sort();
            times[times.len() / 2]
        };
        let (arrange, diff, focus) = (median(&mut arrange), median(&mut diff), median(&mut focus));
        println!(
            "{how}: open {open:.1?} each, focus {focus:.1?}, arrange {arrange:.1?}, diff {diff:.1?}"
        );
    }
    Ok(())
}
