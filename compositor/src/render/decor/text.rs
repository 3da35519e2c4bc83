//! Titles as pixels: any script, both directions, from the fonts that are installed.
//!
//! Reading fonts takes as long as the disk likes, so it happens on a thread of its own; a title appears when it is there. Without
//! any font there are no titles, one warning, and nothing else is different.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::mpsc;

use fontdb::{Database, Family, ID, Query};
use swash::scale::image::Image;
use swash::scale::{Render, ScaleContext, Source};
use swash::shape::{Direction, ShapeContext};
use swash::text::{Codepoint, Script};
use swash::zeno::Vector;
use swash::{CacheKey, FontRef, GlyphId};
use unicode_bidi::BidiInfo;

/// Longer titles end here: no title bar is that wide.
pub const LONGEST: usize = 200;
/// So many may wait to be drawn.
const WAITING: usize = 64;
/// Nor so many pixels.
const WIDEST: i32 = 4096;

/// A line of text as coverage, one byte a pixel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mask {
    /// Pixels.
    pub width: i32,
    /// Where letters stand: pixels from the top.
    pub baseline: i32,
    /// Row after row.
    pub pixels: Vec<u8>,
}

/// A text and its size, in 64ths of a pixel.
pub type Wanted = (String, u32);

/// Starts the thread. What is asked for comes out of `done`, in order; it ends when the asker does. Asking never waits: when many
/// are waiting already there is no room.
pub fn start(
    done: calloop::channel::Sender<(Wanted, Mask)>,
) -> std::io::Result<mpsc::SyncSender<Wanted>> {
    let (ask, asked) = mpsc::sync_channel::<Wanted>(WAITING);
    std::thread::Builder::new()
        .name("titles".into())
        .spawn(move || {
            let mut fonts = Fonts::installed();
            for wanted in asked {
                let mask = fonts.draw(&wanted.0, wanted.1 as f32 / 64.0);
                if done.send((wanted, mask)).is_err() {
                    return;
                }
            }
        })?;
    Ok(ask)
}

/// The installed fonts, and what was found out about them.
struct Fonts {
    all: Database,
    usual: Option<ID>,
    others: HashMap<char, Option<ID>>,
    keys: BTreeMap<ID, CacheKey>,
    shaping: ShapeContext,
    scaling: ScaleContext,
}

/// Characters of one font, one script and one direction.
struct Stretch {
    face: ID,
    script: Script,
    range: Range<usize>,
}

impl Fonts {
    fn installed() -> Fonts {
        let mut all = Database::new();
        all.load_system_fonts();
        let query = Query {
            families: &[
                Family::SansSerif,
                Family::Name("DejaVu Sans"),
                Family::Name("Noto Sans"),
            ],
            ..Query::default()
        };
        let usual = all.query(&query).or_else(|| Some(all.faces().next()?.id));
        if usual.is_none() {
            tracing::warn!(
                "no font is installed: title bars have no titles. Install one (on Debian: fonts-dejavu-core)"
            );
        }
        Fonts {
            all,
            usual,
            others: HashMap::new(),
            keys: BTreeMap::new(),
            shaping: ShapeContext::new(),
            scaling: ScaleContext::new(),
        }
    }

    fn draw(&mut self, text: &str, size: f32) -> Mask {
        let text: String = text
            .chars()
            .take(LONGEST)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let mut pen = 0.0;
        let mut glyphs = Vec::new();
        let bidi = BidiInfo::new(&text, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let backwards = levels.get(run.start).is_some_and(|level| level.is_rtl());
                let mut stretches = self.stretches(&text, run);
                if backwards {
                    stretches.reverse();
                }
                for stretch in stretches {
                    self.set(&text, &stretch, backwards, size, &mut pen, &mut glyphs);
                }
            }
        }
        compose(&glyphs, pen, size)
    }

    /// Cuts a run where another font or script begins.
    fn stretches(&mut self, text: &str, run: Range<usize>) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let start = run.start;
        for (at, c) in text.get(run).unwrap_or_default().char_indices() {
            let range = start + at..start + at + c.len_utf8();
            let script = c.script();
            let shared = matches!(script, Script::Common | Script::Inherited | Script::Unknown);
            let Some(face) = self.face_for(c, stretches.last().map(|s| s.face)) else {
                continue;
            };
            match stretches.last_mut() {
                Some(last) if last.face == face && (shared || last.script == script) => {
                    last.range.end = range.end;
                }
                _ => stretches.push(Stretch {
                    face,
                    script: if shared { Script::Latin } else { script },
                    range,
                }),
            }
        }
        stretches
    }

    /// The font that has this character: the usual one if it does, else any.
    fn face_for(&mut self, c: char, before: Option<ID>) -> Option<ID> {
        let usual = self.usual?;
        if c.is_whitespace() {
            return Some(before.unwrap_or(usual));
        }
        if self.has(usual, c) {
            return Some(usual);
        }
        if let Some(known) = self.others.get(&c) {
            return Some(known.unwrap_or(usual));
        }
        let mut ids: Vec<(bool, u16, ID)> = self
            .all
            .faces()
            .map(|f| {
                (
                    f.style != fontdb::Style::Normal,
                    f.weight.0.abs_diff(400),
                    f.id,
                )
            })
            .collect();
        ids.sort();
        let found = ids.into_iter().map(|f| f.2).find(|id| self.has(*id, c));
        if self.others.len() > 4096 {
            self.others.clear();
        }
        self.others.insert(c, found);
        Some(found.unwrap_or(usual))
    }

    fn has(&self, face: ID, c: char) -> bool {
        let has = |data: &[u8], index: u32| {
            FontRef::from_index(data, index as usize).is_some_and(|f| f.charmap().map(c) != 0)
        };
        self.all.with_face_data(face, has).unwrap_or(false)
    }

    /// Sets a stretch at the pen.
    fn set(
        &mut self,
        text: &str,
        stretch: &Stretch,
        backwards: bool,
        size: f32,
        pen: &mut f32,
        glyphs: &mut Vec<(i32, Image)>,
    ) {
        let Some(text) = text.get(stretch.range.clone()) else {
            return;
        };
        let key = *self.keys.entry(stretch.face).or_default();
        let (shaping, scaling) = (&mut self.shaping, &mut self.scaling);
        self.all.with_face_data(stretch.face, |data, index| {
            let Some(font) = FontRef::from_index(data, index as usize) else {
                return;
            };
            let font = FontRef { key, ..font };
            let direction = if backwards {
                Direction::RightToLeft
            } else {
                Direction::LeftToRight
            };
            let mut shaper = shaping
                .builder(font)
                .script(stretch.script)
                .direction(direction)
                .size(size)
                .build();
            shaper.add_str(text);
            let mut clusters: Vec<Vec<(GlyphId, f32, f32, f32)>> = Vec::new();
            shaper.shape_with(|cluster| {
                let glyphs = cluster.glyphs.iter();
                clusters.push(glyphs.map(|g| (g.id, g.x, g.y, g.advance)).collect());
            });
            if backwards {
                clusters.reverse();
            }
            let mut scaler = scaling.builder(font).size(size).hint(false).build();
            for (id, x, y, advance) in clusters.into_iter().flatten() {
                let at = *pen + x;
                let within = Vector::new(at.fract(), y);
                let image = Render::new(&[Source::Outline])
                    .offset(within)
                    .render(&mut scaler, id);
                if let Some(image) = image {
                    glyphs.push((at.trunc() as i32, image));
                }
                *pen += advance;
            }
        });
    }
}

/// All glyphs on one mask.
fn compose(glyphs: &[(i32, Image)], width: f32, size: f32) -> Mask {
    let width = (width.ceil() as i32).clamp(0, WIDEST);
    let (baseline, height) = ((size * 1.25).ceil() as i32, (size * 1.75).ceil() as i32);
    let mut pixels = vec![0_u8; (width * height).unsigned_abs() as usize];
    for (x, image) in glyphs {
        let placed = image.placement;
        let columns = placed.width as usize;
        for (row, line) in image.data.chunks_exact(columns.max(1)).enumerate() {
            let y = baseline - placed.top + row as i32;
            for (column, covered) in line.iter().enumerate() {
                let x = x + placed.left + column as i32;
                if (0..width).contains(&x)
                    && (0..height).contains(&y)
                    && let Some(pixel) = pixels.get_mut((y * width + x) as usize)
                {
                    *pixel = pixel.saturating_add(*covered);
                }
            }
        }
    }
    Mask {
        width,
        baseline,
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_drawn_where_it_stands_and_as_long_as_it_is() {
        let mut fonts = Fonts::installed();
        let short = fonts.draw("Il", 20.0);
        let long = fonts.draw("Il and more", 20.0);
        assert!(short.width > 5 && long.width > 3 * short.width);
        let rows = |mask: &Mask| -> Vec<bool> {
            let rows = mask.pixels.chunks_exact(mask.width as usize);
            rows.map(|row| row.iter().any(|p| *p > 0)).collect()
        };
        let ink = rows(&short);
        let (first, last) = (
            ink.iter().position(|r| *r).unwrap() as i32,
            ink.iter().rposition(|r| *r).unwrap() as i32,
        );
        assert!((last - short.baseline).abs() <= 1, "stands on the baseline");
        assert!((12..=18).contains(&(last - first)), "as high as capitals");
        // It begins with what is the whole of the other.
        let column = |mask: &Mask, x: i32| {
            let rows = mask.pixels.chunks_exact(mask.width as usize);
            rows.map(|row| row[x as usize]).collect::<Vec<_>>()
        };
        for x in 0..short.width - 1 {
            assert_eq!(column(&short, x), column(&long, x));
        }
    }

    #[test]
    fn no_text_is_too_much() {
        let mut fonts = Fonts::installed();
        assert_eq!(fonts.draw("", 13.0).width, 0);
        let endless = "W".repeat(100_000);
        assert!(fonts.draw(&endless, 200.0).width <= WIDEST);
        for odd in [
            "\u{202e}abc\u{0}\n\r\u{ffff}",
            "שלום world",
            "日本語 🌙",
            "e\u{301}\u{301}",
        ] {
            fonts.draw(odd, 13.0);
        }
    }

    #[test]
    fn text_from_right_to_left_is_mirrored_in_order() {
        let mut fonts = Fonts::installed();
        let alone = fonts.draw("א", 20.0);
        let both = fonts.draw("אב", 20.0);
        // The first letter is the rightmost.
        let ink = |mask: &Mask, from: i32, to: i32| -> u64 {
            let rows = mask.pixels.chunks_exact(mask.width as usize);
            rows.flat_map(|r| &r[from as usize..to as usize])
                .map(|p| u64::from(*p))
                .sum()
        };
        let right = ink(&both, both.width - alone.width, both.width);
        let whole = ink(&alone, 0, alone.width);
        assert!(right.abs_diff(whole) < whole / 4, "{right} {whole}");
    }
}
