//! A title bar: its title, its buttons, and how they look when the pointer is on them.

use smithay::utils::{Logical, Rectangle, Size};

use super::text::Mask;
use crate::render::canvas::{Canvas, Paint, disc, moon, rounded, stroke};
use crate::shell::{Button, TITLE, buttons};

/// How round a window's upper corners are, in logical pixels.
pub const RADIUS: f64 = 10.0;
/// Height of the title's letters, in logical pixels.
pub const TEXT: f64 = 13.0;
/// From the frame's edge, and from the buttons, to the title.
const AWAY: f64 = 14.0;
/// A title that is too long fades out over so much.
const FADE: f64 = 32.0;

const CLOSE: Paint = Paint::rgb(0xe5484d);
const NIGHT: Paint = Paint::rgb(0xffd67a);

/// All that a title bar's pixels depend on, besides its title's.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Logical pixels, lines at the sides included.
    pub width: i32,
    /// Its window has the focus.
    pub focused: bool,
    /// Fills the work area: its corners are not round.
    pub maximized: bool,
    /// Its window can be put to sleep.
    pub can_sleep: bool,
    /// It is a ghost's.
    pub asleep: bool,
    /// Where the pointer is, and whether it is pressed there.
    pub over: Option<(Button, bool)>,
    /// The output's.
    pub scale: f64,
}

/// Colours of a focused frame, and of others.
#[derive(Debug, Clone, Copy)]
pub struct Colours {
    ground: Paint,
    /// The line around the window.
    pub line: Paint,
    text: Paint,
    icon: Paint,
}

impl Colours {
    /// Those of a window that has the focus, or has not.
    pub const fn of(focused: bool) -> Colours {
        if focused {
            Colours {
                ground: Paint::rgb(0x2b313e),
                line: Paint::rgb(0x4d576b),
                text: Paint::rgb(0xeceff6),
                icon: Paint::rgb(0xd3d9e6),
            }
        } else {
            Colours {
                ground: Paint::rgb(0x20242d),
                line: Paint::rgb(0x333a48),
                text: Paint::rgb(0x8b94a6),
                icon: Paint::rgb(0x788194),
            }
        }
    }
}

/// A bar of this width in two or three parts, each with where its pixels are in one that was drawn `drawn` wide: what is wider
/// than any output is stretched between title and buttons.
pub fn parts(
    bar: Rectangle<i32, Logical>,
    drawn: i32,
) -> Vec<(Rectangle<f64, Logical>, Rectangle<i32, Logical>)> {
    let more = bar.size.w - drawn;
    let last = buttons(drawn).last().map(|(_, left)| *left);
    let (Some(end), true) = (last, more > 0) else {
        let whole = Rectangle::from_size((f64::from(drawn), f64::from(TITLE)).into());
        return vec![(whole, bar)];
    };
    // Titles end well before.
    let (x, y) = (bar.loc.x, bar.loc.y);
    let (left, right) = (end - 2, end - 1);
    let part = |from: i32, wide: i32, to: i32, stretched: i32| {
        let from = Rectangle::<i32, Logical>::new((from, 0).into(), (wide, TITLE).into());
        let to = Rectangle::new((x + to, y).into(), (stretched, bar.size.h).into());
        (from.to_f64(), to)
    };
    vec![
        part(0, left, 0, left),
        part(left, 1, left, more + 1),
        part(right, drawn - right, right + more, drawn - right),
    ]
}

/// Draws it.
pub fn draw(look: &Look, title: Option<&Mask>) -> Canvas {
    let (width, height) = (f64::from(look.width), f64::from(TITLE));
    let pixels = |length: f64| (length * look.scale).round() as i32;
    let size = Size::from((pixels(width), pixels(height)));
    let mut canvas = Canvas::new(size, look.scale);
    let colours = Colours::of(look.focused);
    let all = [0.0, 0.0, width, height];
    if look.maximized {
        canvas.fill(colours.ground, all, |_, _| -1.0);
    } else {
        let shape = rounded([0.0, 0.0, width, height + 2.0 * RADIUS], RADIUS);
        canvas.fill(colours.ground, all, shape);
        canvas.fill(colours.line, all, move |x, y| {
            (shape(x, y) + 0.5).abs() - 0.5
        });
    }
    // Between bar and window.
    let edge = [1.0, height - 1.0, width - 1.0, height];
    let thin = rounded(edge, 0.0);
    canvas.fill(Paint::rgb(0).faded(0.28), edge, thin);
    let buttons = buttons(look.width);
    let end = buttons.iter().map(|(_, left)| *left).min();
    let end = end.map_or(width, f64::from);
    if let Some(mask) = title {
        write(&mut canvas, colours.text, mask, end, look);
    }
    for (button, left) in buttons {
        let middle = (f64::from(left) + height / 2.0, height / 2.0);
        draw_button(&mut canvas, button, middle, colours.icon, look);
    }
    canvas
}

/// The title in the middle of the bar, further left where the buttons need the room, cut where that is not enough.
fn write(canvas: &mut Canvas, paint: Paint, mask: &Mask, end: f64, look: &Look) {
    let pixels = |length: f64| (length * look.scale).round() as i32;
    let (from, to) = (pixels(AWAY), pixels(end - AWAY / 2.0));
    if to <= from {
        return;
    }
    let centred = (pixels(f64::from(look.width)) - mask.width) / 2;
    let left = centred.min(to - mask.width).max(from);
    // Capital letters stand in the middle.
    let capitals = TEXT * 0.72;
    let baseline = pixels((f64::from(TITLE) + capitals) / 2.0);
    let cut = left + mask.width > to;
    let fade = (FADE * look.scale) as f32;
    canvas.stencil(
        paint,
        (left, baseline - mask.baseline),
        &mask.pixels,
        mask.width,
        |x| {
            if cut {
                ((to - x) as f32 / fade).clamp(0.0, 1.0)
            } else {
                1.0
            }
        },
    );
}

fn draw_button(canvas: &mut Canvas, button: Button, (x, y): (f64, f64), icon: Paint, look: &Look) {
    let usable = button != Button::Hibernate || look.can_sleep;
    let usable = usable && !look.asleep;
    let over = look.over.filter(|(at, _)| *at == button && usable);
    let around = [x - 16.0, y - 16.0, x + 16.0, y + 16.0];
    let mut icon = if usable { icon } else { icon.faded(0.35) };
    if let Some((_, pressed)) = over {
        let ground = match button {
            Button::Close => CLOSE.faded(if pressed { 0.8 } else { 1.0 }),
            Button::Hibernate => NIGHT.faded(if pressed { 0.34 } else { 0.2 }),
            _ => Paint::rgb(0xffffff).faded(if pressed { 0.24 } else { 0.13 }),
        };
        canvas.fill(ground, around, disc(x, y, 12.0));
        icon = Paint::rgb(0xffffff);
    }
    match button {
        Button::Hibernate => {
            let lit = look.asleep || over.is_some();
            let icon = if lit { NIGHT } else { icon };
            canvas.fill(icon, around, moon(x - 0.3, y + 0.2, 5.8, 0.0));
        }
        Button::Minimise => {
            let line = stroke((x - 4.2, y + 3.6), (x + 4.2, y + 3.6), 1.5);
            canvas.fill(icon, around, line);
        }
        Button::Maximise if look.maximized => {
            let front = rounded([x - 4.7, y - 2.3, x + 2.3, y + 4.7], 1.6);
            let back = rounded([x - 2.3, y - 4.7, x + 4.7, y + 2.3], 1.6);
            canvas.fill(icon, around, move |px, py| front(px, py).abs() - 0.65);
            canvas.fill(icon, around, move |px, py| {
                (back(px, py).abs() - 0.65).max(1.4 - front(px, py))
            });
        }
        Button::Maximise => {
            let square = rounded([x - 4.3, y - 4.3, x + 4.3, y + 4.3], 2.0);
            canvas.fill(icon, around, move |px, py| square(px, py).abs() - 0.7);
        }
        Button::Close => {
            for (a, b) in [((-4.0, -4.0), (4.0, 4.0)), ((-4.0, 4.0), (4.0, -4.0))] {
                let line = stroke((x + a.0, y + a.1), (x + b.0, y + b.1), 1.5);
                canvas.fill(icon, around, line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(over: Option<(Button, bool)>) -> Look {
        Look {
            width: 400,
            focused: true,
            maximized: false,
            can_sleep: true,
            asleep: false,
            over,
            scale: 1.0,
        }
    }

    #[test]
    fn the_pointer_changes_the_button_it_is_on_and_no_other() {
        let plain = draw(&look(None), None);
        for (button, left) in buttons(400) {
            let over = draw(&look(Some((button, false))), None);
            let changed = |from: i32, to: i32| {
                let at = (0..TITLE).flat_map(|y| (from..to).map(move |x| (x, y)));
                at.filter(|(x, y)| plain.at(*x, *y) != over.at(*x, *y))
                    .count()
            };
            assert!(changed(left, left + TITLE) > 100, "{button:?}");
            assert_eq!(
                changed(0, left) + changed(left + TITLE, 400),
                0,
                "{button:?}"
            );
        }
    }

    #[test]
    fn what_cannot_sleep_has_a_grey_moon_that_does_not_light_up() {
        let mut grey = look(None);
        grey.can_sleep = false;
        let mut over = grey.clone();
        over.over = Some((Button::Hibernate, false));
        let (plain, grey, over) = (
            draw(&look(None), None),
            draw(&grey, None),
            draw(&over, None),
        );
        let left = buttons(400).last().unwrap().1;
        let bright = |canvas: &Canvas| -> u32 {
            let at = (0..TITLE).flat_map(|y| (left..left + TITLE).map(move |x| (x, y)));
            at.map(|(x, y)| u32::from(canvas.at(x, y)[0])).sum()
        };
        assert!(bright(&plain) > bright(&grey));
        assert_eq!(bright(&grey), bright(&over));
    }

    #[test]
    fn a_bar_wider_than_any_output_is_stretched_before_its_buttons() {
        let bar = |width: i32| Rectangle::new((-50, 20).into(), (width, TITLE).into());
        assert_eq!(parts(bar(400), 400).len(), 1);
        let parts = parts(bar(16_000), 1280);
        let mut at = (0.0, -50);
        for (from, to) in &parts {
            assert_eq!((from.loc.x, to.loc.x), at);
            at = (from.loc.x + from.size.w, to.loc.x + to.size.w);
        }
        assert_eq!(at, (1280.0, 15_950));
        // Buttons are where presses find them, and as wide.
        let (from, to) = parts[2];
        assert_eq!(from.size.w, f64::from(to.size.w));
        assert!(from.loc.x < f64::from(buttons(1280).last().unwrap().1));
        assert_eq!(parts[1].0.size.w, 1.0);
    }

    #[test]
    fn a_title_is_centred_and_cut_before_the_buttons() {
        let mask = |width: i32| Mask {
            width,
            baseline: 16,
            pixels: vec![255; (width * 20) as usize],
        };
        let plain = draw(&look(None), None);
        let inked = |width: i32| {
            let with = draw(&look(None), Some(&mask(width)));
            let differs = |x: &i32| (0..TITLE).any(|y| with.at(*x, y) != plain.at(*x, y));
            (0..400).filter(differs).collect::<Vec<_>>()
        };
        let short = inked(100);
        assert_eq!((short[0], short[99]), (150, 249));
        let long = inked(1000);
        let end = buttons(400).last().unwrap().1;
        assert_eq!(long[0], AWAY as i32);
        assert!(*long.last().unwrap() < end);
    }
}
