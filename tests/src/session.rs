//! A whole private session: runtime folder, home, session bus, accessibility bus, launcher, compositor. Everything of it
//! ends when it is dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, programs};
use crate::proc;
use crate::wait;

/// What a session is to be like.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where it runs.
    pub place: Place,
    /// Its folder: everything it writes lies beneath. Its name is short, sockets lie in it.
    pub base: PathBuf,
    /// The compositor's `--backend`.
    pub backend: &'static str,
    /// The user's home; a folder of its own beneath `base` when absent.
    pub home: Option<PathBuf>,
    /// Environment beyond the usual.
    pub env: BTreeMap<String, String>,
    /// False: the compositor alone, which keeps nothing (`--no-session`), for what has to do with windows only.
    pub keeps: bool,
}

impl Wish {
    /// A headless session in `base` on this machine.
    pub fn headless(base: impl Into<PathBuf>) -> Self {
        Wish {
            place: Place::here(),
            base: base.into(),
            backend: "headless",
            home: None,
            env: BTreeMap::new(),
            keeps: true,
        }
    }
}

/// A running session.
#[derive(Debug)]
pub struct Session {
    wish: Wish,
    bus: Option<Child>,
    launcher: Option<Child>,
    compositor: Option<Child>,
    display: String,
}

/// How long a part may take until it says that it is ready.
const READY: Duration = Duration::from_secs(30);

impl Session {
    /// Starts it and waits until clients can connect.
    ///
    /// # Errors
    /// Which part did not come up, with the end of its log.
    pub fn start(wish: Wish) -> Result<Self> {
        let mut session = Session::prepare(wish)?;
        session.start_shell()?;
        Ok(session)
    }

    /// Folders and buses alone, as on a machine before somebody logs in; [`Session::restart`] does the rest.
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn prepare(wish: Wish) -> Result<Self> {
        let mut session = Session {
            wish,
            bus: None,
            launcher: None,
            compositor: None,
            display: String::new(),
        };
        session.make_folders()?;
        session.start_bus()?;
        Ok(session)
    }

    /// The folder that everything lies in.
    pub fn base(&self) -> &Path {
        &self.wish.base
    }

    /// Where it runs.
    pub fn place(&self) -> &Place {
        &self.wish.place
    }

    /// Its runtime folder; processes are known by it.
    pub fn runtime(&self) -> PathBuf {
        self.wish.base.join("run")
    }

    /// Its home folder.
    pub fn home(&self) -> PathBuf {
        let home = self.wish.home.clone();
        home.unwrap_or_else(|| self.wish.base.join("home"))
    }

    /// What the store, journals and kept builds lie in.
    pub fn state(&self) -> PathBuf {
        self.wish.base.join("state")
    }

    /// Private prefix into which its applications are installed.
    pub fn prefix(&self) -> PathBuf {
        self.wish.base.join("prefix")
    }

    /// Name of the Wayland socket.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The Wayland socket as this process can reach it.
    pub fn wayland_socket(&self) -> PathBuf {
        self.wish.place.path(&self.runtime().join(&self.display))
    }

    /// Address of the session bus as this process can reach it.
    pub fn bus_address(&self) -> String {
        let socket = self.wish.place.path(&self.runtime().join("bus"));
        format!("unix:path={}", socket.display())
    }

    /// Process number of the compositor (in its place's own counting when that is this machine).
    pub fn compositor_pid(&self) -> Option<u32> {
        let found = proc::running(&self.wish.place, &self.runtime(), "overwinter-compositor");
        found.ok()?.first().map(|p| p.pid)
    }

    /// Every process of it.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn processes(&self) -> Result<Vec<proc::Process>> {
        proc::of_session(&self.wish.place, &self.runtime())
    }

    /// Processes that run a program of this name.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn running(&self, program: &str) -> Result<Vec<proc::Process>> {
        proc::running(&self.wish.place, &self.runtime(), program)
    }

    /// A command with the session's environment, as one of its clients or users would run it.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.wish.place.command(program);
        command.envs(self.environment()).stdin(Stdio::null());
        if !self.display.is_empty() {
            command.env("WAYLAND_DISPLAY", &self.display);
        }
        command
    }

    /// Runs `overwinter ARGUMENTS` and gives exit code, output and errors.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn overwinter(&self, arguments: &[&str]) -> Result<Said> {
        let mut command = self.command(programs().join("overwinter"));
        command.args(arguments);
        finish(&mut command, Duration::from_secs(120)).context("overwinter")
    }

    /// Runs a helper program to its end and gives its standard output.
    ///
    /// # Errors
    /// When it fails, with what it said, or does not end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = self.command(program);
        command.args(arguments);
        let said = finish(&mut command, wait::PATIENCE).with_context(|| program.to_owned())?;
        ensure!(
            said.code == 0,
            "{program} {arguments:?} ended with {}: {}",
            said.code,
            said.err
        );
        Ok(said.raw)
    }

    /// Starts a client that goes on running; its output goes to a log of its name.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Result<Child> {
        let program = program.as_ref();
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.command(program)
            .args(arguments)
            .process_group(0)
            .stdout(self.log(&name)?)
            .stderr(self.log(&name)?)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))
    }

    /// Ends compositor and launcher at once, as a power cut or a crash of the whole session would, with everything they
    /// started. The bus and all that is on disk stay.
    ///
    /// # Errors
    /// When something of it will not die.
    pub fn crash(&mut self) -> Result<()> {
        let bus = self.bus.as_ref().map(Child::id);
        self.kill_all(|p| {
            Some(p.pid) != bus
                && p.exe
                    .file_name()
                    .is_some_and(|n| n != "dbus-daemon" && n != "sshd")
        });
        for child in [self.compositor.take(), self.launcher.take()]
            .into_iter()
            .flatten()
        {
            end(child)?;
        }
        self.display.clear();
        Ok(())
    }

    /// Waits until the compositor ends by itself.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_compositor_end(&mut self, patience: Duration) -> Result<()> {
        let Some(child) = &mut self.compositor else {
            return Ok(());
        };
        wait::for_end(child.id(), patience).context("the compositor")?;
        child.wait()?;
        Ok(())
    }

    /// Starts launcher and compositor (again), with further environment for this time.
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn restart(&mut self, env: BTreeMap<String, String>) -> Result<()> {
        self.wish.env = env;
        self.start_shell()
    }

    /// The end of every log, for a failure's report.
    pub fn logs(&self) -> String {
        let folder = self.wish.place.path(&self.wish.base.join("log"));
        let mut text = String::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let all = fs::read_to_string(entry.path()).unwrap_or_default();
            let lines: Vec<&str> = all.lines().collect();
            let tail = lines
                .get(lines.len().saturating_sub(40)..)
                .unwrap_or_default();
            text += &format!("── {}\n{}\n", entry.path().display(), tail.join("\n"));
        }
        text
    }

    fn make_folders(&self) -> Result<()> {
        let base = self.wish.place.path(&self.wish.base);
        for name in [
            "run",
            "state",
            "config/gtk-4.0",
            "data",
            "cache",
            "log",
            "services",
            "prefix/bin",
            "prefix/share/applications",
        ] {
            fs::create_dir_all(base.join(name))?;
        }
        fs::create_dir_all(self.wish.place.path(&self.home()))?;
        fs::set_permissions(base.join("run"), fs::Permissions::from_mode(0o700))?;
        // Pictures are compared pixel by pixel: nothing may blink or move by itself, and letters are always the same.
        fs::write(
            base.join("config/gtk-4.0/settings.ini"),
            "[Settings]\ngtk-cursor-blink=false\n\
             gtk-font-name=DejaVu Sans 10\ngtk-icon-theme-name=Adwaita\n",
        )?;
        // On Wayland GTK asks GSettings first and settings.ini only where the desktop's schemas are missing.
        fs::create_dir_all(base.join("config/glib-2.0/settings"))?;
        fs::write(
            base.join("config/glib-2.0/settings/keyfile"),
            "[org/gnome/desktop/interface]\ncursor-blink=false\nenable-animations=true\noverlay-scrolling=true\n\
             font-name='DejaVu Sans 10'\nmonospace-font-name='DejaVu Sans Mono 10'\nicon-theme='Adwaita'\n",
        )?;
        fs::write(
            base.join("services/org.a11y.Bus.service"),
            "[D-BUS Service]\nName=org.a11y.Bus\nExec=/usr/libexec/at-spi-bus-launcher\n",
        )?;
        // No other service: nothing of the machine's desktop may be started into this session.
        fs::write(
            base.join("bus.conf"),
            format!(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                 \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
                 <busconfig><type>session</type><listen>unix:path={run}/bus</listen><auth>EXTERNAL</auth>\
                 <servicedir>{base}/services</servicedir>\
                 <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>\
                 </busconfig>\n",
                run = self.runtime().display(),
                base = self.wish.base.display()
            ),
        )?;
        Ok(())
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let base = &self.wish.base;
        let sub = |name: &str| base.join(name).display().to_string();
        let mut env: BTreeMap<String, String> = [
            ("HOME", self.home().display().to_string()),
            ("XDG_RUNTIME_DIR", sub("run")),
            ("XDG_STATE_HOME", sub("state")),
            ("XDG_CONFIG_HOME", sub("config")),
            ("XDG_DATA_HOME", sub("data")),
            ("XDG_CACHE_HOME", sub("cache")),
            (
                "XDG_DATA_DIRS",
                format!("{}:/usr/local/share:/usr/share", sub("prefix/share")),
            ),
            (
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={}", sub("run/bus")),
            ),
            (
                "PATH",
                format!("{}:{}", sub("prefix/bin"), crate::place::search_path()),
            ),
            ("LANG", "C.UTF-8".into()),
            ("GDK_BACKEND", "wayland".into()),
            // The same letters and edges on every machine; no GPU is asked for.
            ("GSK_RENDERER", "cairo".into()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".into()),
            ("GSETTINGS_BACKEND", "keyfile".into()),
            ("ADW_DISABLE_PORTAL", "1".into()),
            ("GTK_USE_PORTAL", "0".into()),
            ("RUST_BACKTRACE", "1".into()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        if let Ok(level) = std::env::var("OVERWINTER_LOG") {
            env.insert("OVERWINTER_LOG".into(), level);
        }
        env.extend(self.wish.env.clone());
        env
    }

    fn start_bus(&mut self) -> Result<()> {
        let config = format!(
            "--config-file={}",
            self.wish.base.join("bus.conf").display()
        );
        let (child, address) = self.start_part(
            "dbus-daemon",
            "dbus-daemon",
            &[&config, "--nofork", "--nopidfile", "--print-address=3"],
        )?;
        ensure!(address.starts_with("unix:"), "dbus-daemon says {address:?}");
        self.bus = Some(child);
        Ok(())
    }

    fn start_shell(&mut self) -> Result<()> {
        let launcher_socket = self.launcher_socket();
        let own = |name: &str| programs().join(name).display().to_string();
        let mut arguments: Vec<&str> = vec![
            "--backend",
            self.wish.backend,
            "--socket",
            "wayland-0",
            "--ready-fd",
            "3",
            // Panels are no part of what is tested, also where there is a screen.
            "--autostart",
            "never",
        ];
        if self.wish.keeps {
            self.start_launcher()?;
            arguments.extend(["--launcher", &launcher_socket]);
        } else {
            arguments.push("--no-session");
        }
        let (child, line) =
            self.start_part("compositor", &own("overwinter-compositor"), &arguments)?;
        self.compositor = Some(child);
        self.display = line
            .strip_prefix("WAYLAND_DISPLAY=")
            .with_context(|| format!("the compositor says {line:?}\n{}", self.logs()))?
            .to_owned();
        Ok(())
    }

    fn launcher_socket(&self) -> String {
        let socket = self.runtime().join("overwinter-launcher.sock");
        socket.display().to_string()
    }

    fn start_launcher(&mut self) -> Result<()> {
        let program = programs().join("overwinter-launcher").display().to_string();
        let socket = self.launcher_socket();
        let arguments = ["--socket", &socket, "--ready-fd", "3"];
        let (child, _) = self.start_part("launcher", &program, &arguments)?;
        self.launcher = Some(child);
        Ok(())
    }

    /// Kills the launcher and starts another one in its place.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_launcher(&mut self) -> Result<()> {
        if let Some(mut launcher) = self.launcher.take() {
            launcher.kill()?;
            launcher.wait()?;
        }
        self.start_launcher()
    }

    /// Starts a part whose descriptor 3 is a pipe on which it writes one line when it is ready.
    fn start_part(&self, name: &str, program: &str, arguments: &[&str]) -> Result<(Child, String)> {
        // The shell moves the pipe from standard output to descriptor 3 and becomes the program, which ends with this thread:
        // a test that is killed for taking too long leaves no session behind.
        let mut command = self.wish.place.command("/bin/sh");
        command
            .envs(self.environment())
            .args([
                "-c",
                "exec setpriv --pdeathsig KILL \"$@\" 3>&1 1>&2",
                "sh",
                program,
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.log(name)?)
            .process_group(0);
        if name == "compositor" && self.wish.backend == "nested" {
            for outer in ["WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY"] {
                if let Some(value) = std::env::var_os(outer) {
                    command.env(outer, value);
                }
            }
            if let (Some(runtime), Some(display)) = (
                std::env::var_os("XDG_RUNTIME_DIR"),
                std::env::var_os("WAYLAND_DISPLAY"),
            ) {
                // The outer display by its full path: the runtime folder is the inner session's.
                command.env("WAYLAND_DISPLAY", Path::new(&runtime).join(display));
            }
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        let pipe = child.stdout.take().context("no pipe")?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(pipe).read_line(&mut line);
            let _ = sender.send(read.map(|_| line));
        });
        let line = match receiver.recv_timeout(READY) {
            Ok(line) => line?,
            Err(_) => String::new(),
        };
        if line.is_empty() {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{name} did not get ready\n{}", self.logs());
        }
        Ok((child, line.trim_end().to_owned()))
    }

    fn log(&self, name: &str) -> Result<fs::File> {
        let path = self
            .wish
            .place
            .path(&self.wish.base.join("log").join(format!("{name}.log")));
        fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))
    }

    /// Kills until nothing is left that may be; what is killed may have just started something.
    fn kill_all(&self, which: impl Fn(&proc::Process) -> bool) {
        for _ in 0..50 {
            let mut left: Vec<_> = self.processes().unwrap_or_default();
            left.retain(|p| which(p) && p.pid != std::process::id());
            if left.is_empty() {
                return;
            }
            for process in left {
                self.kill(process.pid);
            }
        }
    }

    fn kill(&self, pid: u32) {
        let there = self.wish.place.proc() == Path::new("/proc");
        if there {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = wait::for_end(pid, Duration::from_secs(5));
        } else {
            let _ = self
                .wish
                .place
                .command("/bin/kill")
                .args(["-9", &pid.to_string()])
                .status();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("OVERWINTER_TEST_LOGS").is_some() {
            eprintln!("{}", self.logs());
        }
        self.kill_all(|_| true);
        let parts = [
            self.compositor.take(),
            self.launcher.take(),
            self.bus.take(),
        ];
        for child in parts.into_iter().flatten() {
            let _ = end(child);
        }
    }
}

/// What a command said.
pub struct Said {
    /// Exit code; -1 for a signal.
    pub code: i32,
    /// Standard output as it is.
    pub raw: Vec<u8>,
    /// Standard output as text.
    pub out: String,
    /// Standard error.
    pub err: String,
}

fn end(mut child: Child) -> Result<()> {
    let _ = child.kill();
    child.wait()?;
    Ok(())
}

/// Runs a command to its end. Its output goes through files: a program that leaves a daemon behind (wl-copy) would keep a
/// pipe open.
fn finish(command: &mut Command, patience: Duration) -> Result<Said> {
    let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut child = command
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?)
        .spawn()?;
    let ended = wait::for_end(child.id(), patience);
    if ended.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let (mut raw, mut complaint) = (Vec::new(), Vec::new());
    out.rewind()?;
    out.read_to_end(&mut raw)?;
    err.rewind()?;
    err.read_to_end(&mut complaint)?;
    let complaint = String::from_utf8_lossy(&complaint).into_owned();
    ended.with_context(|| complaint.clone())?;
    Ok(Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&raw).into_owned(),
        raw,
        err: complaint,
    })
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}: {}{}", self.code, self.out, self.err)
    }
}
