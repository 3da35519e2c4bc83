//! The pointer's images where the session draws it: from the cursor theme that the configuration names, else `XCURSOR_THEME`, else
//! the system's default. A shape that the theme lacks, or a theme that is not there, is our own arrow.

use std::collections::BTreeMap;
use std::io::Read;

use overwinter_config::Appearance;
use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::input::pointer::CursorIcon;
use smithay::utils::{Logical, Point, Size, Transform};
use xcursor::CursorTheme;
use xcursor::parser::{Image, parse_xcursor};

/// No theme's file is larger.
const LARGEST: u64 = 16 << 20;
/// Outputs that change their scale again and again fill no memory.
const MOST: usize = 128;

/// One image of the pointer.
#[derive(Debug)]
pub struct CursorImage {
    /// Its pixels.
    pub buffer: MemoryRenderBuffer,
    /// How many there are.
    pub pixels: Size<f64, Logical>,
    /// How large it is shown.
    pub size: Size<i32, Logical>,
    /// What of it points.
    pub hot: Point<f64, Logical>,
}

/// The images that were read, by shape and height in pixels; nothing where the theme has none.
#[derive(Debug, Default)]
pub struct Cursors {
    from: Option<(String, i32)>,
    theme: Option<CursorTheme>,
    read: BTreeMap<(&'static str, u32), Option<CursorImage>>,
}

impl Cursors {
    /// Reads the shape for an output of this scale, if that was not done yet.
    pub fn prepare(&mut self, icon: CursorIcon, appearance: &Appearance, scale: f64) {
        let name = match appearance.cursor_theme.as_str() {
            "" => std::env::var("XCURSOR_THEME").unwrap_or_else(|_| "default".into()),
            name => name.to_owned(),
        };
        let from = (name, appearance.cursor_size);
        if self.from.as_ref() != Some(&from) {
            let theme = CursorTheme::load(&from.0);
            if theme.load_icon("default").is_none() && theme.load_icon("left_ptr").is_none() {
                tracing::warn!(
                    "the cursor theme `{}` has no pointer: a plain arrow is shown. Install it, or name another in appearance.cursor-theme",
                    from.0
                );
            }
            self.theme = Some(theme);
            self.from = Some(from);
            self.read.clear();
        }
        if self.read.len() > MOST {
            self.read.clear();
        }
        let (size, theme) = (appearance.cursor_size, self.theme.as_ref());
        let key = (icon.name(), pixels(size, scale));
        self.read.entry(key).or_insert_with(|| {
            let names = std::iter::once(icon.name()).chain(icon.alt_names().iter().copied());
            let fallback = ["default", "left_ptr"];
            let names = names.chain(fallback);
            let mut files = names.filter_map(|name| theme?.load_icon(name));
            let images = files.find_map(|file| read(&file))?;
            choose(&images, key.1).and_then(|image| cursor(image, size))
        });
    }

    /// The image of a shape that was prepared for an output of this scale.
    pub fn get(&self, icon: CursorIcon, scale: f64) -> Option<&CursorImage> {
        let size = self.from.as_ref()?.1;
        let key = (icon.name(), pixels(size, scale));
        self.read.get(&key)?.as_ref()
    }
}

fn pixels(size: i32, scale: f64) -> u32 {
    (f64::from(size) * scale).round() as u32
}

fn read(file: &std::path::Path) -> Option<Vec<Image>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(file).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    parse_xcursor(&bytes).filter(|images| !images.is_empty())
}

/// The image made for the size nearest to this; of an animation the first.
fn choose(images: &[Image], wanted: u32) -> Option<&Image> {
    images
        .iter()
        .min_by_key(|image| image.size.abs_diff(wanted))
}

fn cursor(image: &Image, size: i32) -> Option<CursorImage> {
    let (width, height) = (
        i32::try_from(image.width).ok()?,
        i32::try_from(image.height).ok()?,
    );
    let enough =
        image.pixels_rgba.len() as u64 >= u64::from(image.width) * u64::from(image.height) * 4;
    if width == 0 || height == 0 || !enough {
        return None;
    }
    let factor = f64::from(size) / f64::from(image.size.max(1));
    let shown = |pixels: i32| (f64::from(pixels) * factor).round().max(1.0) as i32;
    Some(CursorImage {
        // Red first in memory.
        buffer: MemoryRenderBuffer::from_slice(
            &image.pixels_rgba,
            Fourcc::Abgr8888,
            (width, height),
            1,
            Transform::Normal,
            None,
        ),
        pixels: (f64::from(width), f64::from(height)).into(),
        size: (shown(width), shown(height)).into(),
        hot: (
            f64::from(image.xhot) * factor,
            f64::from(image.yhot) * factor,
        )
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(size: u32) -> Image {
        Image {
            size,
            width: size,
            height: size,
            xhot: size / 2,
            yhot: 0,
            delay: 0,
            pixels_rgba: vec![255; (size * size * 4) as usize],
            pixels_argb: Vec::new(),
        }
    }

    #[test]
    fn the_nearest_size_is_shown_as_large_as_was_asked_for() {
        let images = [image(24), image(48), image(96)];
        assert_eq!(choose(&images, 30).unwrap().size, 24);
        assert_eq!(choose(&images, 60).unwrap().size, 48);
        assert!(choose(&[], 24).is_none());
        let cursor = cursor(&images[1], 24).unwrap();
        assert_eq!(cursor.size, (24, 24).into());
        assert_eq!(cursor.hot, (12.0, 0.0).into());
    }

    #[test]
    fn a_file_that_says_more_than_it_has_is_none() {
        let mut broken = image(24);
        broken.pixels_rgba.truncate(100);
        assert!(cursor(&broken, 24).is_none());
        broken.width = u32::MAX;
        assert!(cursor(&broken, 24).is_none());
    }

    #[test]
    fn without_its_theme_a_shape_has_no_image() {
        let appearance = Appearance {
            cursor_theme: "no such theme, nor one that it inherits/..".into(),
            ..Appearance::default()
        };
        let mut cursors = Cursors::default();
        cursors.prepare(CursorIcon::Wait, &appearance, 1.0);
        // The system's default theme may have one all the same; what is there can be got, and nothing panics.
        let _ = cursors.get(CursorIcon::Wait, 1.0);
        assert!(cursors.get(CursorIcon::Help, 1.0).is_none(), "not prepared");
        assert!(cursors.get(CursorIcon::Wait, 3.0).is_none(), "another size");
    }
}
