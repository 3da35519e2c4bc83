//! A private bus, a session on it, and callers.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use overwinter_bus::{Bus, BusEvent};
use zbus::blocking::{Connection, connection::Builder};

/// Long enough for a loaded machine; a passing test waits for events and never this long.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Daemon {
    process: Child,
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Daemon {
    /// A bus that lets every user in, so that other users' calls reach the session's own checks.
    pub fn start() -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig><type>session</type>\
             <listen>unix:path={}/bus</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            folder.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed");
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Daemon {
            process,
            address: address.trim().to_owned(),
            _folder: folder,
        }
    }

    pub fn connect(&self) -> Connection {
        Builder::address(self.address.as_str())
            .unwrap()
            .method_timeout(PATIENCE)
            .build()
            .unwrap()
    }

    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A bus thread whose events come out of a channel.
pub fn session(daemon: &Daemon) -> (Bus, mpsc::Receiver<BusEvent>) {
    let (tell, told) = mpsc::channel();
    let bus = Bus::start(Some(&daemon.address), move |event| {
        let _ = tell.send(event);
    })
    .unwrap();
    (bus, told)
}

/// A bus thread whose events are answered on the spot by `answer`, which may command the bus at the same moment.
pub fn answering(
    daemon: &Daemon,
    answer: impl Fn(&Bus, BusEvent) + Send + 'static,
) -> Arc<Mutex<Option<Bus>>> {
    let place: Arc<Mutex<Option<Bus>>> = Arc::default();
    let (tell, told) = mpsc::channel();
    let bus = Bus::start(Some(&daemon.address), move |event| {
        let _ = tell.send(event);
    })
    .unwrap();
    *place.lock().unwrap() = Some(bus);
    let weak = Arc::downgrade(&place);
    std::thread::spawn(move || {
        for event in told {
            let Some(place) = weak.upgrade() else { return };
            if let Some(bus) = place.lock().unwrap().as_ref() {
                answer(bus, event);
            }
        }
    });
    place
}

pub fn next(told: &mpsc::Receiver<BusEvent>) -> BusEvent {
    told.recv_timeout(PATIENCE).expect("an event")
}
