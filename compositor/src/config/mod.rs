//! The desktop's configuration: where it comes from, what counts now, what is wrong in it.
//!
//! Promises:
//! 1. There is always a whole configuration: what is shipped, the user's file over it. A file with mistakes changes nothing:
//!    the last good one counts, at the start what is shipped.
//! 2. A file that was saved is read at once ([`watch`]), also when an editor puts another one in its place.
//! 3. Each mistake is told with file, line, column and cure: in the log, in `overwinter status`, on screen until it is cured,
//!    and to scripts.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use calloop::RegistrationToken;
use overwinter_config::{Config, Keyboard, Mistakes, OutputSettings, Transform as Turned};
use overwinter_layout as layout;
use smithay::input::keyboard::xkb;
use smithay::utils::Transform;

use crate::actions::layout_share;
use crate::input::Keymap;
use crate::options::Options;
use crate::outputs::{Change, Head};
use crate::state::Overwinter;

mod watch;

/// A configuration is shorter; `overwinter-config` says so of one that is longer.
const MOST_BYTES: u64 = (1 << 20) + 1;

/// The file of the configuration, and how it stands with it.
#[derive(Debug)]
pub struct ConfigFile {
    /// None: there is none to read (a test's compositor, or no home).
    path: Option<PathBuf>,
    /// What the file is read over.
    base: Config,
    /// How often it was read and was good.
    taken: u64,
    /// What is wrong in it, a line for each mistake; the last good one counts.
    wrong: Option<String>,
    watch: Option<watch::Watch>,
    /// It is read again when this is due.
    due: Option<RegistrationToken>,
}

impl ConfigFile {
    /// No file yet: what is shipped counts.
    pub fn none() -> ConfigFile {
        ConfigFile {
            path: None,
            base: shipped(),
            taken: 0,
            wrong: None,
            watch: None,
            due: None,
        }
    }

    /// What counts as long as there is no file.
    pub fn base(&self) -> &Config {
        &self.base
    }

    /// How often the file was read and was good.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What is wrong in the file, a line for each mistake.
    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// The file as the user wants it. No file is a file without wishes.
    fn read(&self, path: &Path) -> Result<Config, String> {
        let shown = path.display();
        let text = match read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(self.base.clone()),
            Err(e) => return Err(format!("{shown}: it cannot be read: {e}")),
        };
        let parsed = Config::parse(&shown.to_string(), &text, &self.base, &keysym);
        parsed.map_err(|wrong: Mistakes| wrong.to_string())
    }
}

fn change(wish: &OutputSettings) -> Change {
    let transform = match wish.transform {
        Turned::Normal => Transform::Normal,
        Turned::R90 => Transform::_90,
        Turned::R180 => Transform::_180,
        Turned::R270 => Transform::_270,
        Turned::Flipped => Transform::Flipped,
        Turned::Flipped90 => Transform::Flipped90,
        Turned::Flipped180 => Transform::Flipped180,
        Turned::Flipped270 => Transform::Flipped270,
    };
    let size = |mode: overwinter_config::Mode| (mode.width.into(), mode.height.into());
    Change {
        enabled: Some(wish.enabled),
        size: wish.mode.map(size),
        scale: wish.scale,
        position: Some(wish.position),
        transform: Some(transform),
    }
}

/// XKB's number for a key's name.
fn keysym(name: &str) -> Option<u32> {
    // The binding makes a C string of it.
    if name.contains('\0') {
        return None;
    }
    let sym = xkb::keysym_from_name(name, xkb::KEYSYM_NO_FLAGS).raw();
    (sym != xkb::keysyms::KEY_NoSymbol).then_some(sym)
}

/// What is shipped, and the keyboard that the environment describes in libxkbcommon's words.
fn shipped() -> Config {
    let mut config = Config::shipped(&keysym).unwrap_or_else(|wrong| {
        tracing::error!("{wrong}");
        Config::default()
    });
    let keyboard = &mut config.keyboard;
    for (name, into) in [
        ("XKB_DEFAULT_LAYOUT", &mut keyboard.layout),
        ("XKB_DEFAULT_VARIANT", &mut keyboard.variant),
        ("XKB_DEFAULT_MODEL", &mut keyboard.model),
    ] {
        if let Some(value) = variable(name) {
            *into = value;
        }
    }
    if let Some(options) = variable("XKB_DEFAULT_OPTIONS") {
        keyboard.options = options.split(',').map(str::to_owned).collect();
    }
    config
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `$XDG_CONFIG_HOME/overwinter/desktop.toml`.
fn users_file() -> Option<PathBuf> {
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    // The specification says to pass over what is not absolute.
    let folder = folder.filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(Path::new(&variable("HOME")?).join(".config")))?;
    Some(folder.join("overwinter/desktop.toml"))
}

/// Reads a plain file; anything else at that place (a pipe) would keep the session waiting.
fn read(path: &Path) -> std::io::Result<String> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::File::options()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

impl Overwinter {
    /// Takes the user's configuration for the first time, and whenever it changes from then on.
    pub fn load_config(&mut self, options: &Options) {
        self.config_file.path = options.config.clone().or_else(users_file);
        let explicit = options.config.as_deref();
        if let Some(path) = explicit.filter(|path| !path.exists()) {
            tracing::warn!(
                "{}: there is no such file; what is shipped counts until there is one",
                path.display()
            );
        }
        let _ = self.reload_config();
    }

    /// Reads the configuration again; what is new in it counts from now on.
    ///
    /// # Errors
    /// What is wrong in it, a line for each mistake. The last good one goes on counting.
    pub fn reload_config(&mut self) -> Result<(), String> {
        let Some(path) = self.config_file.path.clone() else {
            return Ok(());
        };
        if let Some(due) = self.config_file.due.take() {
            self.handle.remove(due);
        }
        // First: what is written from now on will be seen.
        self.watch_config(&path);
        match self.config_file.read(&path) {
            Ok(config) => {
                self.config_file.taken += 1;
                if self.config_file.wrong.take().is_some() {
                    tracing::info!("{}: the mistakes are gone", path.display());
                    self.show_mistakes();
                }
                self.apply_config(config);
                Ok(())
            }
            Err(wrong) => {
                for line in wrong.lines() {
                    tracing::warn!("{line}");
                }
                if self.config_file.wrong.as_ref() != Some(&wrong) {
                    self.config_file.wrong = Some(wrong.clone());
                    self.tell_of_config();
                    self.show_mistakes();
                }
                Err(wrong)
            }
        }
    }

    /// Says in `overwinter status` what is wrong in the configuration, if anything is.
    pub fn tell_of_config(&mut self) {
        let (Some(wrong), Some(driver)) = (&self.config_file.wrong, &mut self.driver) else {
            return;
        };
        let first = wrong.lines().next().unwrap_or_default();
        let more = match wrong.lines().count() {
            0 | 1 => String::new(),
            2 => " (and one mistake more)".into(),
            n => format!(" (and {} mistakes more)", n - 1),
        };
        driver.notices.add(
            None,
            format!("{first}{more}. The last good configuration counts; this file is read again as soon as it is saved."),
        );
    }

    /// On screen, until they are cured.
    fn show_mistakes(&mut self) {
        let text = match &self.config_file.wrong {
            Some(wrong) => format!(
                "The configuration is wrong, so the last good one counts. Cure it and save it:\n{wrong}"
            ),
            None => String::new(),
        };
        self.decor.told.set(&text);
        self.schedule_frame();
    }

    /// From now on this counts.
    fn apply_config(&mut self, mut config: Config) {
        if config == self.config {
            return;
        }
        if config.keyboard != self.config.keyboard
            && let Err(why) = self.set_keyboard(&config.keyboard)
        {
            self.config_cannot(why);
            config.keyboard = self.config.keyboard.clone();
        }
        self.set_appearance(config.appearance.clone());
        if config.layout != self.config.layout {
            self.set_layout_options(layout::Options {
                gap: config.layout.gap,
                tile: config.layout.tile,
                column: layout_share(config.layout.column_width),
            });
        }
        let other_outputs = config.outputs != self.config.outputs;
        self.config = config;
        if other_outputs {
            let all: Vec<String> = self.outputs.plugged().map(Head::name).collect();
            self.configure_outputs(&all);
        }
        tracing::info!("the configuration was read");
    }

    /// Something is well said, but cannot be.
    fn config_cannot(&mut self, why: String) {
        match &mut self.driver {
            Some(driver) => driver.notices.add(None, why),
            None => tracing::warn!("{why}"),
        }
    }

    /// Sets these outputs up as the configuration says; those that it does not name stay as they are.
    pub fn configure_outputs(&mut self, names: &[String]) {
        let heads = self.outputs.plugged().filter(|h| names.contains(&h.name()));
        let changes: Vec<(String, Change)> = heads
            .filter_map(|head| {
                let physical = head.output.physical_properties();
                let (name, make, model) = (head.name(), physical.make, physical.model);
                let mut wishes = self.config.outputs.iter();
                // No backend knows serial numbers yet.
                let wish = wishes.find(|wish| wish.matches.means(&name, &make, &model, ""))?;
                Some((name, change(wish)))
            })
            .collect();
        if changes.is_empty() {
            return;
        }
        if let Err(e) = self.change_outputs(&changes, false) {
            self.config_cannot(format!("[[output]]: {e:#}. The outputs stay as they were."));
        }
    }

    /// The keyboard's layout and how it repeats.
    fn set_keyboard(&mut self, wanted: &Keyboard) -> Result<(), String> {
        let keymap = Keymap::of(wanted).ok_or_else(|| {
            let (layout, variant, model) = (&wanted.layout, &wanted.variant, &wanted.model);
            let options = wanted.options.join(",");
            format!(
                "[keyboard]: XKB has no keymap for layout \"{layout}\", variant \"{variant}\", model \"{model}\", options \"{options}\". \
                 The keyboard stays as it was; /usr/share/X11/xkb/rules/base.lst lists what there is."
            )
        })?;
        if let Some(keyboard) = self.seat.get_keyboard() {
            keyboard.change_repeat_info(wanted.repeat_rate, wanted.repeat_delay);
        }
        self.change_seat_keymap(keymap);
        if wanted.num_lock != self.config.keyboard.num_lock {
            self.lock_numbers(wanted.num_lock);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_shipped_is_known_to_xkb() {
        let config = Config::shipped(&keysym).unwrap();
        assert!(config.keys.len() > 30);
        assert_eq!(keysym("q"), Some(u32::from(b'q')));
        assert_eq!(keysym("no such key"), None);
        assert_eq!(keysym("a\0b"), None);
        let cut = Keyboard {
            layout: "us\0".into(),
            ..Keyboard::default()
        };
        assert_eq!(Keymap::of(&cut), None);
    }

    #[test]
    fn what_is_no_plain_file_is_told_and_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConfigFile::none();
        let path = dir.path().join("desktop.toml");
        assert_eq!(file.read(&path).as_ref(), Ok(file.base()));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(file.read(&path).unwrap_err().contains("it is not a file"));
        assert!(
            file.read(dir.path())
                .unwrap_err()
                .contains("it is not a file")
        );
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(file.read(&path).unwrap_err().contains("cannot be read"));
        std::fs::write(&path, "[layout]\ngpa = 1\n").unwrap();
        let wrong = file.read(&path).unwrap_err();
        let starts = format!("{}:2:1: unknown key `gpa`", path.display());
        assert!(wrong.starts_with(&starts), "{wrong}");
    }
}
