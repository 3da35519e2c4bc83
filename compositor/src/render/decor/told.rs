//! What the session has to tell on screen until it is cured: mistakes in the configuration. Above everything but a lock, in the
//! corner of each output; it takes no input, and needs nobody who shows notifications.

use std::collections::BTreeMap;
use std::rc::Rc;

use smithay::utils::{Logical, Point, Rectangle, Size};

use super::text::Mask;
use super::{Asker, MOST, Still, Titles, bar, cut, in_120ths};
use crate::render::canvas::{Canvas, Paint, rounded};

/// Logical pixels: from the output's corner, and within.
const AWAY: i32 = 8;
const PAD: i32 = 12;
const LINE: i32 = 20;
const WIDTH: i32 = 760;
/// So many letters fit as a rule.
const LETTERS: usize = 105;
/// More would hide what is worked on.
const MOST_LINES: usize = 8;

/// Those of each line, as far as they came.
type Letters = Vec<Option<Rc<Mask>>>;

/// What is told.
#[derive(Default)]
pub struct Told {
    lines: Vec<String>,
    /// By scale: with which letters, and the picture.
    drawn: BTreeMap<u32, (Letters, Still)>,
}

impl Told {
    /// From now on this is told; nothing when it is empty.
    pub fn set(&mut self, text: &str) {
        let lines = text.lines().flat_map(wrapped).take(MOST_LINES);
        self.lines = lines.map(|line| cut(&line)).collect();
        self.drawn.clear();
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Draws it if its letters came meanwhile.
    pub(super) fn refresh(&mut self, titles: &mut Titles, scale: f64) {
        if self.lines.is_empty() {
            return;
        }
        let lines = self.lines.iter().enumerate();
        let letters: Letters = lines
            .map(|(at, line)| titles.get(Asker::Line(at), line, scale))
            .collect();
        let key = in_120ths(scale);
        let same = |old: &Letters| {
            old.iter().zip(&letters).all(|pair| match pair {
                (Some(old), Some(new)) => Rc::ptr_eq(old, new),
                (old, new) => old.is_none() && new.is_none(),
            })
        };
        if self.drawn.get(&key).is_some_and(|(old, _)| same(old)) {
            return;
        }
        if self.drawn.len() > MOST {
            self.drawn.clear();
        }
        let picture = draw(&letters, scale).into();
        self.drawn.insert(key, (letters, picture));
    }

    /// The picture for an output of this scale, and where it stands there.
    pub(super) fn get(
        &self,
        corner: Point<i32, Logical>,
        scale: f64,
    ) -> Option<(&Still, Rectangle<i32, Logical>)> {
        let (letters, picture) = self.drawn.get(&in_120ths(scale))?;
        let size = Size::from((WIDTH, height(letters.len())));
        let at = Rectangle::new(corner + Point::from((AWAY, AWAY)), size);
        Some((picture, at))
    }
}

fn height(lines: usize) -> i32 {
    2 * PAD + LINE * i32::try_from(lines).unwrap_or(0)
}

fn draw(letters: &[Option<Rc<Mask>>], scale: f64) -> Canvas {
    let (width, height) = (f64::from(WIDTH), f64::from(height(letters.len())));
    let pixels = |length: f64| (length * scale).round() as i32;
    let mut canvas = Canvas::new((pixels(width), pixels(height)).into(), scale);
    let all = [0.0, 0.0, width, height];
    canvas.fill(Paint::rgb(0x7a2530), all, rounded(all, 6.0));
    let baselines =
        (0..).map(|n| f64::from(PAD + LINE * n) + (f64::from(LINE) + bar::TEXT * 0.72) / 2.0);
    for (mask, baseline) in letters.iter().zip(baselines) {
        if let Some(mask) = mask {
            let at = (pixels(f64::from(PAD)), pixels(baseline) - mask.baseline);
            canvas.stencil(Paint::rgb(0xffffff), at, &mask.pixels, mask.width, |_| 1.0);
        }
    }
    canvas
}

/// Broken between words where it is too long.
fn wrapped(line: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= LETTERS => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words_and_there_are_not_too_many() {
        let mut told = Told::default();
        told.set(&"word ".repeat(30));
        assert_eq!(told.lines.len(), 2);
        assert!(told.lines.iter().all(|l| l.chars().count() <= LETTERS));
        told.set(&"a\n".repeat(100));
        assert_eq!(told.lines.len(), MOST_LINES);
        told.set("");
        assert!(told.lines.is_empty() && told.get(Point::default(), 1.0).is_none());
    }
}
