//! What is on the screen, as grim (somebody else's program) sees it.

use std::fs;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::session::Session;

/// Side of the moon on a ghost.
const MOON: u32 = 30;

/// A rectangle in pixels of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Rect {
    /// Where the moon of a ghost stands that ends with this line.
    pub fn moon_above(self) -> Rect {
        Rect {
            x: (self.x + self.width).saturating_sub(MOON + 12),
            y: self.y.saturating_sub(MOON + 12),
            width: MOON,
            height: MOON,
        }
    }

    /// Its middle, for a click.
    pub fn middle(self) -> (u32, u32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }
}

/// A picture: red, green and blue, row after row.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    rgb: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

/// Takes a picture of the whole output.
///
/// # Errors
/// When grim fails.
pub fn grab(session: &Session) -> Result<Picture> {
    // `-l 0`: no compression, it is read at once.
    let bytes = session.run("grim", &["-t", "png", "-l", "0", "-"])?;
    Picture::from_png(&bytes)
}

impl Picture {
    /// Reads a PNG file's bytes.
    ///
    /// # Errors
    /// When they are none, or of more than eight bits a channel.
    pub fn from_png(bytes: &[u8]) -> Result<Self> {
        let mut decoder = png::Decoder::new(bytes);
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info()?;
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels)?;
        pixels.truncate(info.buffer_size());
        let channels = match info.color_type {
            png::ColorType::Rgb => 3,
            png::ColorType::Rgba => 4,
            other => anyhow::bail!("a screenshot in {other:?}"),
        };
        let rgb = pixels
            .chunks_exact(channels)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        Ok(Picture {
            width: info.width,
            height: info.height,
            rgb,
        })
    }

    /// From rows of four bytes a pixel, of which `order` names those for red, green and blue.
    pub(crate) fn from_rows<'a>(
        width: u32,
        height: u32,
        row: impl Fn(u32) -> &'a [u8],
        order: [usize; 3],
    ) -> Self {
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            for pixel in row(y).chunks_exact(4).take(width as usize) {
                rgb.extend(order.map(|channel| pixel[channel]));
            }
        }
        Picture { width, height, rgb }
    }

    /// Writes it as PNG.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let out = fs::File::create(file).with_context(|| format!("creating {}", file.display()))?;
        let mut encoder = png::Encoder::new(BufWriter::new(out), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()?;
        Ok(())
    }

    /// The whole of it.
    pub fn whole(&self) -> Rect {
        Rect {
            x: 0,
            y: 0,
            width: self.width,
            height: self.height,
        }
    }

    /// Red, green, blue at a place; black outside.
    pub fn at(&self, x: u32, y: u32) -> [u8; 3] {
        if x >= self.width || y >= self.height {
            return [0; 3];
        }
        let start = (y as usize * self.width as usize + x as usize) * 3;
        [self.rgb[start], self.rgb[start + 1], self.rgb[start + 2]]
    }

    /// How many pixels of `rect` differ, and where: the smallest rectangle around them.
    pub fn difference(&self, other: &Picture, rect: Rect) -> (u64, Option<Rect>) {
        let (mut count, mut left, mut top, mut right, mut bottom) = (0, u32::MAX, u32::MAX, 0, 0);
        for y in rect.y..rect.y + rect.height {
            for x in rect.x..rect.x + rect.width {
                if self.at(x, y) != other.at(x, y) {
                    count += 1;
                    (left, top) = (left.min(x), top.min(y));
                    (right, bottom) = (right.max(x), bottom.max(y));
                }
            }
        }
        let around = (count > 0).then(|| Rect {
            x: left,
            y: top,
            width: right - left + 1,
            height: bottom - top + 1,
        });
        (count, around)
    }

    /// How many pixels of `rect` are not what a ghost makes of them: the same (no ghost is there), or as much darker as ghosts
    /// are. What is within `moon` does not count.
    pub fn asleep_otherwise(&self, ghost: &Picture, rect: Rect, moon: Option<Rect>) -> u64 {
        let within = |r: Rect, x: u32, y: u32| {
            (r.x..r.x + r.width).contains(&x) && (r.y..r.y + r.height).contains(&y)
        };
        let dimmed = |awake: u8, asleep: u8| {
            let dimmed = u32::from(awake) * 85 / 100;
            dimmed.abs_diff(u32::from(asleep)) <= 2
        };
        let mut count = 0;
        for y in rect.y..rect.y + rect.height {
            for x in rect.x..rect.x + rect.width {
                let (awake, asleep) = (self.at(x, y), ghost.at(x, y));
                let is_dimmed = || awake.iter().zip(asleep).all(|(a, b)| dimmed(*a, b));
                let is_moon = || moon.is_some_and(|moon| within(moon, x, y));
                if awake != asleep && !is_dimmed() && !is_moon() {
                    count += 1;
                }
            }
        }
        count
    }

    /// Says that `ghost` shows the same, as it looks with so many ghosts, or how it does not.
    ///
    /// # Errors
    /// Names how many pixels differ by more than dimness and moons.
    pub fn slept(&self, ghost: &Picture, ghosts: u64) -> Result<()> {
        ensure!(
            (self.width, self.height) == (ghost.width, ghost.height),
            "the outputs are of different size"
        );
        let count = self.asleep_otherwise(ghost, self.whole(), None);
        let moons = ghosts * u64::from(MOON * MOON);
        ensure!(
            count <= moons,
            "{count} pixels differ, of which moons cover {moons} at most"
        );
        ensure!(count > 0, "no moon is to be seen");
        Ok(())
    }

    /// Says that two pictures are the same within `rect`, or how they are not.
    ///
    /// # Errors
    /// Names how many pixels differ, and where.
    pub fn same(&self, other: &Picture, rect: Rect) -> Result<()> {
        ensure!(
            (self.width, self.height) == (other.width, other.height),
            "the outputs are of different size"
        );
        let (count, around) = self.difference(other, rect);
        ensure!(count == 0, "{count} pixels differ, within {around:?}");
        Ok(())
    }

    /// The smallest rectangle around all pixels of this colour (or one that rounding made of it).
    pub fn around(&self, colour: [u8; 3]) -> Option<Rect> {
        let alike = |pixel: &[u8]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 2);
        let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
        for (index, pixel) in self.rgb.chunks_exact(3).enumerate() {
            if alike(pixel) {
                let index = u32::try_from(index).unwrap_or(0);
                let (x, y) = (index % self.width, index / self.width);
                (left, top) = (left.min(x), top.min(y));
                (right, bottom) = (right.max(x), bottom.max(y));
            }
        }
        (left <= right).then(|| Rect {
            x: left,
            y: top,
            width: right - left + 1,
            height: bottom - top + 1,
        })
    }

    /// The topmost line of this colour (or one that rounding made of it) that is at least `long`, all rows of it.
    pub fn line(&self, colour: [u8; 3], long: u32) -> Option<Rect> {
        let alike = |x, y| {
            self.at(x, y)
                .iter()
                .zip(colour)
                .all(|(a, b)| a.abs_diff(b) <= 2)
        };
        let in_row = |y| {
            let mut from = 0;
            for x in 0..=self.width {
                if x == self.width || !alike(x, y) {
                    if x - from >= long {
                        return Some((from, x - from));
                    }
                    from = x + 1;
                }
            }
            None
        };
        let (y, (x, width)) = (0..self.height).find_map(|y| Some((y, in_row(y)?)))?;
        let rows = (y..self.height).take_while(|y| in_row(*y) == Some((x, width)));
        let height = u32::try_from(rows.count()).unwrap_or(u32::MAX);
        Some(Rect {
            x,
            y,
            width,
            height,
        })
    }

    /// How many different colours there are within `rect`; one means that nothing is drawn there.
    pub fn colours(&self, rect: Rect) -> usize {
        let mut seen = std::collections::BTreeSet::new();
        for y in rect.y..rect.y + rect.height {
            for x in rect.x..rect.x + rect.width {
                seen.insert(self.at(x, y));
            }
        }
        seen.len()
    }
}
