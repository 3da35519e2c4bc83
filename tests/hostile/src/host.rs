//! A compositor that is looked at from outside: this one, or another out of Debian 13, each in a runtime folder of its own.

use std::fs;
use std::io::{Read, Write};
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
    /// cage of Debian 13.
    Cage,
    /// labwc of Debian 13.
    Labwc,
}

impl Which {
    /// All of them, ours first.
    pub const ALL: [Which; 5] = [
        Which::Overwinter,
        Which::Weston,
        Which::Sway,
        Which::Cage,
        Which::Labwc,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Which::Overwinter => "overwinter",
            Which::Weston => "weston",
            Which::Sway => "sway",
            Which::Cage => "cage",
            Which::Labwc => "labwc",
        }
    }

    /// Its program and arguments; `inside` is its runtime folder.
    fn program(self, inside: &Path) -> Vec<String> {
        let config = inside.join("config").display().to_string();
        let words: Vec<&str> = match self {
            Which::Overwinter => vec![
                "--backend",
                "headless",
                "--no-session",
                "--socket",
                "wayland-0",
            ],
            Which::Weston => vec![
                "weston",
                "--backend=headless",
                "--renderer=pixman",
                "--no-config",
                "--idle-time=0",
                "--width=1280",
                "--height=800",
                "--socket=wayland-0",
            ],
            Which::Sway => vec!["sway", "-c", &config],
            // It lives as long as what it shows.
            Which::Cage => vec!["cage", "--", "sleep", "infinity"],
            Which::Labwc => vec!["labwc"],
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Where programs are.
#[derive(Debug, Clone)]
pub struct Places {
    /// Folder of our own programs, as who runs them sees it.
    pub programs: PathBuf,
    /// Debian 13, for the others.
    pub peers: Option<PathBuf>,
    /// Whether ours runs in there, too, beside the others and as they do.
    pub together: bool,
}

/// A compositor.
pub struct Host {
    child: Child,
    which: Which,
    root: Option<PathBuf>,
    runtime: PathBuf,
    inside: PathBuf,
    log: PathBuf,
    /// Its Wayland socket, once it is up.
    pub socket: PathBuf,
}

/// How long it may take to come up.
const READY: Duration = Duration::from_secs(30);

/// Who is nobody on every Debian.
const NOBODY: u32 = 65534;

/// Its open files may be as many as a login gives, whatever this process has.
const FILES: &str = "--nofile=1024:";

/// Becomes the program once it is told to.
const GATE: &str = "read -r _ && exec \"$@\" </dev/null";

/// Becomes a command in another root, with shared memory, processes and terminals.
const ENTER: &str = "mount --bind /dev/shm \"$0/dev/shm\" && mount -t proc proc \"$0/proc\" && \
    mount -t devpts devpts \"$0/dev/pts\" && exec chroot \"$0\" \"$@\"";

impl Host {
    /// Starts it and waits until it can be connected to.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn start(which: Which, places: &Places, name: &str) -> Result<Host> {
        let mut host = Host::prepare(which, places, name)?;
        host.go()?;
        host.await_socket(Duration::from_millis(10))?;
        Ok(host)
    }

    /// Everything up to the start of the program itself, which [`Host::go`] starts.
    ///
    /// # Errors
    /// When folders or processes cannot be made.
    pub fn prepare(which: Which, places: &Places, name: &str) -> Result<Host> {
        let root = match (which, places.together) {
            (Which::Overwinter, false) => None,
            _ => Some(
                places
                    .peers
                    .clone()
                    .with_context(|| format!("{} needs --peers", which.name()))?,
            ),
        };
        let (runtime, inside) = match &root {
            None => {
                let base = tempfile::Builder::new()
                    .prefix("hostile-")
                    .tempdir()?
                    .keep();
                (base.clone(), base)
            }
            Some(root) => {
                let inside = PathBuf::from(format!(
                    "/run/{}-{}-{name}",
                    which.name(),
                    std::process::id()
                ));
                let base = root.join(inside.strip_prefix("/")?);
                let _ = fs::remove_dir_all(&base);
                fs::create_dir_all(&base)?;
                chown(&base, Some(NOBODY), Some(NOBODY))?;
                (base, inside)
            }
        };
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700))?;
        // No binding, no bar, no background: nobody but the guests is there.
        fs::write(
            runtime.join("config"),
            "xwayland disable\noutput * resolution 1280x800\n",
        )?;
        let mut words = which.program(&inside);
        if which == Which::Overwinter {
            let program = places.programs.join("overwinter-compositor");
            words.insert(0, program.display().to_string());
        }
        let log = runtime.join("log");
        let mut command = chain(root.as_deref(), &inside);
        let child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", which.name()))?;
        Ok(Host {
            child,
            which,
            root,
            runtime,
            inside,
            log,
            socket: PathBuf::new(),
        })
    }

    /// Lets the program start.
    ///
    /// # Errors
    /// When it has gone already.
    pub fn go(&mut self) -> Result<()> {
        open_gate(&mut self.child).with_context(|| self.log_tail())
    }

    /// Waits until it can be connected to, looking as often as this.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn await_socket(&mut self, beat: Duration) -> Result<()> {
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
            pause(beat);
        }
        bail!("{} did not come up\n{}", self.which.name(), self.log_tail())
    }

    /// A client out of the same Debian, which [`open_gate`] starts.
    pub fn client(&self, words: &[&str]) -> Command {
        let display = self.socket.file_name().unwrap_or_default();
        let mut command = chain(self.root.as_deref(), &self.inside);
        command
            .args(words)
            .env("WAYLAND_DISPLAY", display)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// A file in its runtime folder, as this process sees it, and as its clients do.
    pub fn file(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.runtime.join(name), self.inside.join(name))
    }

    /// Which one it is.
    pub fn which(&self) -> Which {
        self.which
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

/// Lets something that waits at the gate start.
///
/// # Errors
/// When it has gone already.
pub fn open_gate(child: &mut Child) -> Result<()> {
    let mut gate = child.stdin.take().context("nobody waits at the gate")?;
    gate.write_all(b"\n").context("it ended at the gate")
}

/// What becomes the program that is put behind it, at the gate, with the same process number all along; as nobody in `root`.
fn chain(root: Option<&Path>, inside: &Path) -> Command {
    let mut command = Command::new("prlimit");
    command.args([FILES, "--core=0"]);
    if let Some(root) = root {
        let nobody = NOBODY.to_string();
        command
            .args(["unshare", "--mount", "sh", "-c", ENTER])
            .arg(root);
        command.args([
            "setpriv",
            "--reuid",
            &nobody,
            "--regid",
            &nobody,
            "--clear-groups",
        ]);
    } else {
        command.arg("setpriv");
    }
    command
        .args(["--pdeathsig", "KILL", "sh", "-c", GATE, "sh"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LANG", "C.UTF-8")
        .envs([
            ("HOME", inside),
            ("XDG_RUNTIME_DIR", inside),
            ("XDG_CONFIG_HOME", inside),
        ])
        .envs([
            ("WLR_BACKENDS", "headless"),
            ("WLR_RENDERER", "pixman"),
            ("WLR_LIBINPUT_NO_DEVICES", "1"),
        ])
        .envs([("OVERWINTER_LOG", "error"), ("RUST_BACKTRACE", "1")]);
    command
}
