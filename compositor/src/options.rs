//! What the compositor is told when it starts.

use std::path::PathBuf;
use std::str::FromStr;

/// Where frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BackendKind {
    /// A memory image; frames are drawn only when something changes.
    Headless,
    /// A window on another Wayland or X11 display.
    Nested,
    /// Nested where WAYLAND_DISPLAY or DISPLAY is set and works, else headless.
    Auto,
}

/// Whether the configuration's `[[autostart]]` is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Autostart {
    /// Unless nobody looks (headless).
    Auto,
    /// Also there.
    Always,
    /// Nothing is started.
    Never,
}

/// `WIDTHxHEIGHT` in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSize {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

impl FromStr for OutputSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('x').and_then(|(w, h)| {
            let (width, height) = (w.parse().ok()?, h.parse().ok()?);
            (width >= 64 && height >= 64).then_some(OutputSize { width, height })
        });
        parsed.ok_or_else(|| format!("`{text}` is not WIDTHxHEIGHT with both at least 64"))
    }
}

/// `WIDTHxHEIGHT[@SCALE]`: an output of that many pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputOption {
    /// Pixels.
    pub size: OutputSize,
    /// Device pixels per logical one.
    pub scale: f64,
}

impl FromStr for OutputOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (size, scale) = match text.split_once('@') {
            Some((size, scale)) => (size, scale.parse().ok()),
            None => (text, Some(1.0)),
        };
        let size = size.parse()?;
        let scale = scale.filter(|s| crate::outputs::SCALES.contains(s));
        let scale = scale.ok_or_else(|| {
            format!("`{text}`: what is behind the @ has to be a scale of 0.25 to 8, as in 1.5")
        })?;
        Ok(OutputOption { size, scale })
    }
}

/// A number of bytes: `500M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = ["K", "M", "G", "T"];
        let unit = units.iter().position(|unit| text.ends_with(unit));
        let shift = unit.map_or(0, |at| (at + 1) * 10);
        let digits = &text[..text.len() - usize::from(unit.is_some())];
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse::<u64>().ok().filter(|n| plain && *n > 0);
        let bytes = number.and_then(|n| n.checked_mul(1 << shift));
        bytes.map(Bytes).ok_or_else(|| {
            format!(
                "`{text}` is not a number of bytes above 0, alone or with K, M, G or T behind it"
            )
        })
    }
}

/// Command line of `overwinter-compositor`.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "overwinter-compositor", version, about)]
pub struct Options {
    /// Where frames go.
    #[arg(long, value_enum, env = "OVERWINTER_BACKEND", default_value = "auto")]
    pub backend: BackendKind,
    /// An output of a headless session in pixels, with its scale; may be given several times.
    #[arg(long, value_name = "WIDTHxHEIGHT[@SCALE]")]
    pub output: Vec<OutputOption>,
    /// Size of the output in pixels, where no --output says otherwise.
    #[arg(long, default_value = "1280x800")]
    pub size: OutputSize,
    /// Scale of the output (may be fractional), where no --output says otherwise.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Name of the Wayland socket in XDG_RUNTIME_DIR; the next free `wayland-N` when absent.
    #[arg(long)]
    pub socket: Option<String>,
    /// File descriptor on which `WAYLAND_DISPLAY=<name>` and a newline are written once clients can connect.
    #[arg(long)]
    pub ready_fd: Option<i32>,
    /// Folder of the store; `$XDG_STATE_HOME/overwinter/store` when absent.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// What the store may take on the disk, in bytes or with K, M, G, T; a save that does not fit is refused.
    #[arg(long, value_name = "SIZE", env = "OVERWINTER_STORE_QUOTA")]
    pub store_quota: Option<Bytes>,
    /// File with the store's passphrase; read only when nothing else opens the store, or to make one.
    #[arg(
        long,
        value_name = "FILE",
        env = "OVERWINTER_PASSPHRASE_FILE",
        conflicts_with = "passphrase_fd"
    )]
    pub passphrase_file: Option<PathBuf>,
    /// Descriptor from which the passphrase is read instead.
    #[arg(long, value_name = "FD")]
    pub passphrase_fd: Option<i32>,
    /// Socket of overwinter-launcher; `$XDG_RUNTIME_DIR/overwinter-launcher` when absent.
    #[arg(long, value_name = "SOCKET")]
    pub launcher: Option<PathBuf>,
    /// The desktop's configuration; `$XDG_CONFIG_HOME/overwinter/desktop.toml` when absent.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Whether what the configuration starts with the session is started; `auto`: unless it is headless.
    #[arg(long, value_enum, default_value = "auto", env = "OVERWINTER_AUTOSTART")]
    pub autostart: Autostart,
    /// A plain compositor: no D-Bus, no store, nothing sleeps or moves.
    #[arg(long)]
    pub no_session: bool,
    /// No X11 programs: no display is offered, and Xwayland is never started.
    #[arg(long)]
    pub no_x11: bool,
}

impl Options {
    /// The first output there is to be.
    pub fn first_output(&self) -> OutputOption {
        let plain = OutputOption {
            size: self.size,
            scale: self.scale,
        };
        self.output.first().copied().unwrap_or(plain)
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            backend: BackendKind::Headless,
            output: Vec::new(),
            size: OutputSize {
                width: 1280,
                height: 800,
            },
            scale: 1.0,
            socket: None,
            ready_fd: None,
            store: None,
            store_quota: None,
            passphrase_file: None,
            passphrase_fd: None,
            launcher: None,
            config: None,
            autostart: Autostart::Never,
            no_session: false,
            no_x11: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes() {
        for (text, bytes) in [
            ("1", 1),
            ("500M", 500 << 20),
            ("2G", 2 << 30),
            ("16777215T", 16777215 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in [
            "",
            "0",
            "0K",
            "M",
            "-1",
            "+1",
            "1.5G",
            "1GB",
            "16777216T",
            "1 M",
            "1k",
            "ü",
        ] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
    }

    #[test]
    fn outputs() {
        let size = OutputSize {
            width: 1920,
            height: 1080,
        };
        assert_eq!(
            "1920x1080@1.5".parse(),
            Ok(OutputOption { size, scale: 1.5 })
        );
        assert_eq!("1920x1080".parse(), Ok(OutputOption { size, scale: 1.0 }));
        for bad in [
            "@2",
            "1920x1080@",
            "1920x1080@0",
            "1920x1080@NaN",
            "10x10@1",
        ] {
            assert!(bad.parse::<OutputOption>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(
            "1280x800".parse(),
            Ok(OutputSize {
                width: 1280,
                height: 800
            })
        );
        for bad in ["", "1280", "0x800", "1280x", "-1x5", "99999x1"] {
            assert!(bad.parse::<OutputSize>().is_err(), "{bad}");
        }
    }
}
