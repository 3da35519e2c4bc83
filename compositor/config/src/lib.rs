//! The desktop's configuration: TOML in; typed settings, or exact mistakes, out.
//!
//! [`Config::parse`] reads the user's file over a base, which is [`Config::shipped`]: what the file does not say stays as it was
//! shipped. A file with mistakes gives all of them, each with line, column and cure, and no settings: the caller keeps the last good
//! ones. Nothing is silently ignored: an unknown key is a mistake, with the key that was probably meant.
//!
//! Pure: no file is read here, and the names of keys are looked up by the caller (who has xkbcommon).
//!
//! ```
//! use overwinter_config::Config;
//! let keysym = |name: &str| (name.len() == 1).then(|| u32::from(name.as_bytes()[0]));
//! let text = "[layout]\ntile = true\ngpa = 4\n";
//! let wrong = Config::parse("desktop.toml", text, &Config::default(), &keysym).unwrap_err();
//! assert_eq!(
//!     wrong.to_string(),
//!     "desktop.toml:3:1: unknown key `gpa`: did you mean `gap`? Known here: tile, gap, column-width"
//! );
//! ```

use std::collections::BTreeMap;

mod keys;
mod mistake;
mod read;
mod sections;

pub use keys::{Action, Chord, Side};
pub use mistake::{Mistake, Mistakes};

/// The configuration that is shipped, with every key explained.
pub const SHIPPED: &str = include_str!("../../../data/config/desktop.toml");

/// A file larger than this is not a configuration.
const MOST_BYTES: usize = 1 << 20;
/// More mistakes are not told: the first ones explain the others.
const MOST_MISTAKES: usize = 50;

/// All settings.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// `[keyboard]`
    pub keyboard: Keyboard,
    /// `[touchpad]`
    pub touchpad: Touchpad,
    /// `[mouse]`
    pub mouse: Pointer,
    /// `[layout]`
    pub layout: Layout,
    /// `[appearance]`
    pub appearance: Appearance,
    /// `[[output]]`: the first that matches counts.
    pub outputs: Vec<OutputSettings>,
    /// `[[autostart]]`
    pub autostart: Vec<Autostart>,
    /// `[keys]`: what the user's file says is added to what the base says.
    pub keys: BTreeMap<Chord, Action>,
}

/// Keyboards, in XKB's words.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "XKB's own words")]
pub struct Keyboard {
    pub layout: String,
    pub variant: String,
    pub model: String,
    pub options: Vec<String>,
    /// Repeats a second; 0 is none.
    pub repeat_rate: i32,
    /// Milliseconds until the first.
    pub repeat_delay: i32,
    /// Num Lock is on at the start.
    pub num_lock: bool,
}

impl Default for Keyboard {
    fn default() -> Keyboard {
        Keyboard {
            layout: "us".into(),
            variant: String::new(),
            model: String::new(),
            options: Vec::new(),
            repeat_rate: 25,
            repeat_delay: 600,
            num_lock: false,
        }
    }
}

/// What mice and touchpads have in common.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Pointer {
    /// The content follows the fingers.
    pub natural_scroll: bool,
    /// From -1 to 1; 0 is the device's own.
    pub speed: f64,
    /// Left and right buttons are swapped.
    pub left_handed: bool,
}

/// Touchpads.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Touchpad {
    /// What it has in common with mice.
    pub pointer: Pointer,
    /// A tap is a click.
    pub tap: bool,
    /// How it scrolls.
    pub scroll: ScrollMethod,
    /// Which button a click is.
    pub click: ClickMethod,
    /// It rests while keys are typed.
    pub off_while_typing: bool,
}

impl Default for Touchpad {
    fn default() -> Touchpad {
        let natural_scroll = true;
        Touchpad {
            pointer: Pointer {
                natural_scroll,
                ..Pointer::default()
            },
            tap: true,
            scroll: ScrollMethod::TwoFingers,
            click: ClickMethod::Fingers,
            off_while_typing: true,
        }
    }
}

/// How a touchpad scrolls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScrollMethod {
    /// Two fingers anywhere.
    TwoFingers,
    /// One finger at the right edge.
    Edge,
    /// Not at all.
    None,
}

/// Which button a click on a touchpad without buttons is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClickMethod {
    /// By where it is.
    Areas,
    /// By the number of fingers.
    Fingers,
}

/// How windows are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// New windows are tiles.
    pub tile: bool,
    /// Between tiles, logical pixels.
    pub gap: i32,
    /// Width of a new column.
    pub column_width: Share,
}

impl Default for Layout {
    fn default() -> Layout {
        let column_width = Share { part: 1, whole: 2 };
        Layout {
            tile: false,
            gap: 8,
            column_width,
        }
    }
}

/// A part of a length: 1 of 2 is half of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// From 1 to `whole`.
    pub part: u32,
    /// At most 1000.
    pub whole: u32,
}

/// How it looks.
#[derive(Clone, PartialEq, Debug)]
pub struct Appearance {
    /// Where no window and no wallpaper is.
    pub background: Colour,
    /// Who draws title bars, where a client leaves the choice.
    pub decorations: Decorations,
    /// Empty: the toolkit's default.
    pub cursor_theme: String,
    /// Logical pixels.
    pub cursor_size: i32,
    /// How much darker a ghost is than its window was: 0 not at all, 1 black.
    pub ghost_dim: f64,
    /// Nothing slides or fades.
    pub reduced_motion: bool,
}

impl Default for Appearance {
    fn default() -> Appearance {
        Appearance {
            background: Colour {
                red: 0x16,
                green: 0x19,
                blue: 0x22,
            },
            decorations: Decorations::Client,
            cursor_theme: String::new(),
            cursor_size: 24,
            ghost_dim: 0.15,
            reduced_motion: false,
        }
    }
}

/// Who draws title bars.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decorations {
    /// The application.
    Client,
    /// The desktop.
    Server,
}

/// sRGB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "red is red")]
pub struct Colour {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

/// Which output is meant. Empty parts match any.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OutputMatch {
    /// `DP-1`.
    pub connector: String,
    /// Its maker.
    pub make: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
}

impl OutputMatch {
    /// Whether it means this output.
    pub fn means(&self, connector: &str, make: &str, model: &str, serial: &str) -> bool {
        let same = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        same(&self.connector, connector)
            && same(&self.make, make)
            && same(&self.model, model)
            && same(&self.serial, serial)
    }
}

/// How an output is to be.
#[derive(Clone, PartialEq, Debug)]
pub struct OutputSettings {
    /// Which.
    pub matches: OutputMatch,
    /// It is used.
    pub enabled: bool,
    /// Without: its preferred one.
    pub mode: Option<Mode>,
    /// Device pixels per logical one; without: by its density.
    pub scale: Option<f64>,
    /// Of its top left corner, logical pixels; without: to the right of the others.
    pub position: Option<(i32, i32)>,
    /// How it is turned.
    pub transform: Transform,
}

impl Default for OutputSettings {
    fn default() -> OutputSettings {
        OutputSettings {
            matches: OutputMatch::default(),
            enabled: true,
            mode: None,
            scale: None,
            position: None,
            transform: Transform::Normal,
        }
    }
}

/// Device pixels, and how often a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Thousandths of a hertz; without: the highest.
    pub refresh_mhz: Option<u32>,
}

/// How an output is turned, in wl_output's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "wl_output's own words")]
pub enum Transform {
    Normal,
    R90,
    R180,
    R270,
    Flipped,
    Flipped90,
    Flipped180,
    Flipped270,
}

/// A program that is started with the session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Autostart {
    /// Its name and arguments, without a shell.
    pub run: Vec<String>,
    /// When it is not installed nobody is told.
    pub if_installed: bool,
}

impl Config {
    /// What is shipped.
    ///
    /// # Errors
    /// The caller's xkbcommon does not know a key that the shipped file binds.
    pub fn shipped(keysym: &dyn Fn(&str) -> Option<u32>) -> Result<Config, Mistakes> {
        Config::parse(
            "(shipped) desktop.toml",
            SHIPPED,
            &Config::default(),
            keysym,
        )
    }

    /// Reads `text` over `base`. `file` is its name in messages; `keysym` looks up XKB's name of a key.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(
        file: &str,
        text: &str,
        base: &Config,
        keysym: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<Config, Mistakes> {
        let mut reader = read::Reader {
            text,
            mistakes: Vec::new(),
        };
        let mut config = base.clone();
        if text.len() > MOST_BYTES {
            let what = format!("the file has {} bytes", text.len());
            reader.mistake(0..0, what, "a configuration has at most a million".into());
        } else {
            let (table, wrong) = toml::de::DeTable::parse_recoverable(text);
            for error in &wrong {
                let span = error.span().unwrap_or(0..0);
                let cure = "see toml.io for how it is written".into();
                reader.mistake(span, error.message().to_owned(), cure);
            }
            // What was recovered from a broken file is half of it: mistakes in that would only confuse.
            if wrong.is_empty() {
                let span = table.span();
                let value = toml::de::DeValue::Table(table.into_inner());
                let value = toml::Spanned::new(span, value);
                sections::file(&mut reader, &value, keysym, &mut config);
            }
        }
        let mut mistakes = reader.mistakes;
        if mistakes.is_empty() {
            return Ok(config);
        }
        mistakes.sort();
        mistakes.truncate(MOST_MISTAKES);
        let file = file.to_owned();
        Err(Mistakes { file, mistakes })
    }
}
