//! A compositor under attack: this one, or weston or sway out of Debian 13, each in a runtime folder of its own.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{Timespec, poll};

/// Which compositor.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
pub enum Which {
    /// overwinter-compositor as it was built.
    Overwinter,
    /// weston of Debian 13.
    Weston,
    /// sway of Debian 13.
    Sway,
}

impl Which {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Which::Overwinter => "overwinter",
            Which::Weston => "weston",
            Which::Sway => "sway",
        }
    }
}

/// Where programs are.
#[derive(Debug, Clone)]
pub struct Places {
    /// Folder of our own programs.
    pub programs: PathBuf,
    /// Debian 13, for the others.
    pub peers: Option<PathBuf>,
}

/// A running compositor.
pub struct Host {
    child: Child,
    which: Which,
    runtime: PathBuf,
    log: PathBuf,
    /// Its Wayland socket.
    pub socket: PathBuf,
}

/// How long it may take to come up.
const READY: Duration = Duration::from_secs(30);

/// Who is nobody on every Debian.
const NOBODY: u32 = 65534;

/// Its open files may be as many as a login gives, whatever this process has.
const FILES: &str = "--nofile=1024:";

impl Host {
    /// Starts it and waits until it can be connected to.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn start(which: Which, places: &Places, name: &str) -> Result<Host> {
        let (base, inside) = match (which, &places.peers) {
            (Which::Overwinter, _) => {
                let base = tempfile::Builder::new()
                    .prefix("hostile-")
                    .tempdir()?
                    .keep();
                (base.clone(), base)
            }
            (_, None) => bail!("{} needs --peers", which.name()),
            (_, Some(root)) => {
                let inside = PathBuf::from(format!("/run/hostile-{}-{name}", std::process::id()));
                let base = root.join(inside.strip_prefix("/")?);
                let _ = fs::remove_dir_all(&base);
                fs::create_dir_all(&base)?;
                chown(&base, Some(NOBODY), Some(NOBODY))?;
                (base, inside)
            }
        };
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700))?;
        let log = base.join("log");
        let mut command = command(which, places, &base, &inside)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", which.name()))?;
        let mut host = Host {
            child,
            which,
            runtime: base,
            log,
            socket: PathBuf::new(),
        };
        host.await_socket()?;
        Ok(host)
    }

    fn await_socket(&mut self) -> Result<()> {
        let until = Instant::now() + READY;
        while Instant::now() < until {
            for entry in fs::read_dir(&self.runtime)?.flatten() {
                let is_socket = entry.file_type().is_ok_and(|t| t.is_socket());
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = entry.path();
                if is_socket
                    && name.starts_with("wayland-")
                    && std::os::unix::net::UnixStream::connect(&path).is_ok()
                {
                    self.socket = path;
                    return Ok(());
                }
            }
            if let Some(end) = self.ended() {
                bail!(
                    "{} ended at once ({end})\n{}",
                    self.which.name(),
                    self.log_tail()
                );
            }
            pause(Duration::from_millis(20));
        }
        bail!("{} did not come up\n{}", self.which.name(), self.log_tail())
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(match (status.signal(), status.code()) {
            (Some(signal), _) => format!("signal {signal}"),
            (None, Some(code)) => format!("exit code {code}"),
            (None, None) => "ended".into(),
        })
    }

    /// Memory in use, in KiB: now, and at most since the start.
    pub fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
            number.unwrap_or(0)
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// How many descriptors it holds.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Processor time used, in clock ticks (hundredths of a second).
    pub fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields = rest.split_whitespace().skip(11).take(2);
        fields.filter_map(|f| f.parse::<u64>().ok()).sum()
    }

    /// Lines of its log in which it admits a mistake of its own. What libraries call an error is what a client did.
    pub fn confessions(&self) -> Vec<String> {
        let log = self.read_log();
        let bad = |line: &&str| {
            line.contains("panicked at")
                || line.contains(" ERROR overwinter") && self.which == Which::Overwinter
        };
        log.lines()
            .filter(bad)
            .take(20)
            .map(str::to_owned)
            .collect()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let log = self.read_log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(25)..)
            .unwrap_or_default();
        tail.join("\n")
    }

    fn read_log(&self) -> String {
        let mut bytes = Vec::new();
        // A log that somebody floods is not read whole.
        let _ = fs::File::open(&self.log).map(|f| f.take(32 << 20).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.runtime);
    }
}

/// Waits.
pub fn pause(time: Duration) {
    let time = Timespec::try_from(time).ok();
    let _ = poll(&mut [], time.as_ref());
}

fn command(which: Which, places: &Places, base: &Path, inside: &Path) -> Result<Command> {
    let mut command = Command::new("prlimit");
    command
        .args([FILES, "--core=0"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    if which == Which::Overwinter {
        let program = places.programs.join("overwinter-compositor");
        let program = program
            .canonicalize()
            .with_context(|| format!("{} is not built", program.display()))?;
        command
            .args(["setpriv", "--pdeathsig", "KILL"])
            .arg(program)
            .args([
                "--backend",
                "headless",
                "--no-session",
                "--socket",
                "wayland-0",
            ])
            .envs([
                ("HOME", base),
                ("XDG_RUNTIME_DIR", base),
                ("XDG_CONFIG_HOME", base),
            ])
            .env("OVERWINTER_LOG", "error")
            .env("RUST_BACKTRACE", "1");
        return Ok(command);
    }
    let root = places.peers.as_ref().context("no peers")?;
    let nobody = NOBODY.to_string();
    command
        .arg("chroot")
        .arg(root)
        .args([
            "setpriv",
            "--reuid",
            &nobody,
            "--regid",
            &nobody,
            "--clear-groups",
            "--pdeathsig",
            "KILL",
        ])
        .envs([
            ("HOME", inside),
            ("XDG_RUNTIME_DIR", inside),
            ("XDG_CONFIG_HOME", inside),
        ])
        .envs([
            ("WLR_BACKENDS", "headless"),
            ("WLR_RENDERER", "pixman"),
            ("WLR_LIBINPUT_NO_DEVICES", "1"),
        ]);
    if which == Which::Weston {
        command.args([
            "weston",
            "--backend=headless",
            "--renderer=pixman",
            "--no-config",
            "--idle-time=0",
            "--socket=wayland-0",
        ]);
    } else {
        let config = inside.join("config");
        // No binding, no bar, no background: nobody but the witness and the attackers is there.
        fs::write(
            base.join("config"),
            "xwayland disable\noutput * resolution 1280x800\n",
        )?;
        command.arg("sway").arg("-c").arg(config);
    }
    Ok(command)
}
