//! A private session bus, and a real keyring on it.
//!
//! The bus is known by `DBUS_SESSION_BUS_ADDRESS`, which a process has only one of: each test runs itself again in a process
//! of its own, beneath a bus and a home of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    time::Duration,
};

use zbus::blocking::{Connection, fdo::DBusProxy};
use zbus::names::BusName;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

/// Which test runs in this process.
const TEST: &str = "OVERWINTER_KEYRING_TEST";
/// Its folder.
const BASE: &str = "OVERWINTER_KEYRING_BASE";
const SECRETS: &str = "org.freedesktop.secrets";
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that ends with the test.
pub struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a test of this name with a bus of its own.
pub fn on_a_bus(name: &str, test: impl FnOnce(Bench)) {
    if std::env::var(TEST).is_ok_and(|running| running == name) {
        let base = std::env::var_os(BASE).unwrap().into();
        return test(Bench { base });
    }
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    for part in ["run", "home", "data"] {
        fs::create_dir(base.join(part)).unwrap();
    }
    let _bus = bus(base);
    let child = command(base, std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(TEST, name)
        .spawn()
        .unwrap();
    let pid = child.id();
    let mut child = Part(child);
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(child.0.wait()));
    let Ok(ended) = told.recv_timeout(PATIENCE) else {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("{name} does not end");
    };
    assert!(ended.unwrap().success(), "{name} failed, see above");
}

/// This test again, in another role, on the same bus.
pub fn again(bench: &Bench, name: &str, role: &str) -> Child {
    command(&bench.base, std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(TEST, name)
        .env("OVERWINTER_KEYRING_ROLE", role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

pub fn role() -> String {
    std::env::var("OVERWINTER_KEYRING_ROLE").unwrap_or_default()
}

fn command(base: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    let address = format!("unix:path={}", base.join("run/bus").display());
    command
        .env("DBUS_SESSION_BUS_ADDRESS", address)
        .env("HOME", base.join("home"))
        .env("XDG_RUNTIME_DIR", base.join("run"))
        .env("XDG_DATA_HOME", base.join("data"))
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DISPLAY")
        .env(BASE, base);
    command
}

fn bus(base: &Path) -> Part {
    let config = base.join("bus.conf");
    fs::write(
        &config,
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            base.join("run/bus").display()
        ),
    )
    .unwrap();
    let mut child = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", config.display()))
        .args(["--nofork", "--nopidfile", "--print-address=1"])
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dbus-daemon: see scripts/setup");
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    assert!(address.starts_with("unix:"), "{address}");
    Part(child)
}

/// Where a test works.
pub struct Bench {
    pub base: PathBuf,
}

impl Bench {
    /// A real keyring, unlocked. It has what a former one with the same folder had.
    pub fn keyring(&self) -> Keyring {
        let connection = Connection::session().unwrap();
        let bus = DBusProxy::new(&connection).unwrap();
        let mut changes = bus
            .receive_name_owner_changed_with_args(&[(0, SECRETS)])
            .unwrap();
        let log = fs::File::create(self.base.join("keyring.log")).unwrap();
        let mut child = command(&self.base, "gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .arg("--control-directory")
            .arg(self.base.join("run/keyring"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("gnome-keyring-daemon: see scripts/setup");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"a password")
            .unwrap();
        let part = Part(child);
        let name: BusName = SECRETS.try_into().unwrap();
        if !bus.name_has_owner(name).unwrap() {
            let owned = changes.find(|c| c.args().is_ok_and(|args| args.new_owner.is_some()));
            assert!(owned.is_some());
        }
        Keyring { part, connection }
    }

    /// What a user does who deletes all that the keyring has.
    pub fn reset_keyring(&self) {
        fs::remove_dir_all(self.base.join("data/keyrings")).unwrap();
    }

    /// Somebody has the name and does not listen.
    pub fn deaf_service(&self) -> Connection {
        let connection = Connection::session().unwrap();
        connection.request_name(SECRETS).unwrap();
        connection
    }
}

/// A running keyring.
pub struct Keyring {
    part: Part,
    connection: Connection,
}

impl Keyring {
    /// As the user's screen lock does it.
    pub fn lock(&self) {
        let login = ObjectPath::try_from("/org/freedesktop/secrets/collection/login").unwrap();
        let locked = self.connection.call_method(
            Some(SECRETS),
            "/org/freedesktop/secrets",
            Some("org.freedesktop.Secret.Service"),
            "Lock",
            &(vec![login]),
        );
        let body = locked.unwrap().body();
        let (locked, _) = body
            .deserialize::<(Vec<OwnedObjectPath>, OwnedObjectPath)>()
            .unwrap();
        assert_eq!(locked.len(), 1);
    }

    /// Ends it; the name is free when this returns.
    pub fn end(self) {
        let bus = DBusProxy::new(&self.connection).unwrap();
        let mut changes = bus
            .receive_name_owner_changed_with_args(&[(0, SECRETS)])
            .unwrap();
        drop(self.part);
        let name: BusName = SECRETS.try_into().unwrap();
        if bus.name_has_owner(name).unwrap() {
            let gone = changes.find(|c| c.args().is_ok_and(|args| args.new_owner.is_none()));
            assert!(gone.is_some());
        }
    }
}
