//! The launcher binary with real processes.

use std::{
    collections::BTreeMap,
    io::Read,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use overwinter_launcher::{Client, ClientError, start_time};
use overwinter_proto::launch::{FromLauncher, ProcessId, ToLauncher};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Long enough for a loaded machine; a passing test waits for events and never this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Launcher {
    process: Child,
    folder: tempfile::TempDir,
}

impl Launcher {
    fn start() -> Launcher {
        let folder = tempfile::tempdir().unwrap();
        // Through a shell, which hands its standard output on as descriptor 3.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" --socket \"$1\" --ready-fd 3 3>&1"])
            .arg(env!("CARGO_BIN_EXE_overwinter-launcher"))
            .arg(folder.path().join("socket"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0];
        process
            .stdout
            .take()
            .unwrap()
            .read_exact(&mut ready)
            .expect("the launcher says that it is ready");
        Launcher { process, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn connect(&self) -> Client {
        Client::connect(&self.socket()).unwrap()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn next(client: &mut Client) -> FromLauncher {
    wait(client).expect("an answer")
}

fn wait(client: &mut Client) -> Result<FromLauncher, ClientError> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(message) = client.receive()? {
            return Ok(message);
        }
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the launcher is silent");
        let fd = client.as_fd();
        poll(
            &mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)],
            Some(&Timespec::try_from(left).unwrap()),
        )
        .unwrap();
    }
}

fn start(argv: &[&str], request: u64) -> ToLauncher {
    ToLauncher::Start {
        request,
        argv: argv.iter().map(|s| (*s).to_owned()).collect(),
        env: BTreeMap::from([("PATH".into(), std::env::var("PATH").unwrap())]),
        folder: "/".into(),
    }
}

fn started(client: &mut Client, argv: &[&str], request: u64) -> ProcessId {
    client.send(&start(argv, request)).unwrap();
    match next(client) {
        FromLauncher::Started {
            request: r,
            process,
        } if r == request => process,
        other => panic!("{other:?}"),
    }
}

/// Waits until `/proc` shows `state` for the process.
fn until_state(pid: u32, state: char) {
    let end = Instant::now() + PATIENCE;
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat
            .rsplit_once(") ")
            .is_some_and(|(_, s)| s.starts_with(state))
        {
            return;
        }
        assert!(
            Instant::now() < end,
            "process {pid} never became {state}: {stat}"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_program_gets_exactly_its_environment_and_folder_and_its_end_is_told() {
    let launcher = Launcher::start();
    let mut client = launcher.connect();
    let out = launcher.folder.path().join("out");
    let script = format!(
        "(env -u PWD -u SHLVL -u _ ; pwd) > {}; exit 7",
        out.display()
    );
    client
        .send(&ToLauncher::Start {
            request: 1,
            argv: vec!["/bin/sh".into(), "-c".into(), script],
            env: BTreeMap::from([
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("ODD".into(), "a b=c".into()),
            ]),
            folder: "/usr".into(),
        })
        .unwrap();
    let FromLauncher::Started {
        request: 1,
        process,
    } = next(&mut client)
    else {
        panic!("not started");
    };
    assert_eq!(
        next(&mut client),
        FromLauncher::Ended { process, status: 7 }
    );
    let said = std::fs::read_to_string(out).unwrap();
    let mut lines: Vec<&str> = said.lines().filter(|l| !l.starts_with("OLDPWD=")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["/usr", "ODD=a b=c", "PATH=/usr/bin:/bin"]);
}

#[test]
fn what_cannot_be_started_says_why_and_harms_nobody() {
    let launcher = Launcher::start();
    let mut client = launcher.connect();
    for (request, argv, word) in [
        (1, vec!["/nonexistent/program"], "/nonexistent/program"),
        (2, vec![], "no program"),
        (3, vec!["/etc/passwd"], "/etc/passwd"),
    ] {
        client.send(&start(&argv, request)).unwrap();
        match next(&mut client) {
            FromLauncher::Failed { request: r, why } => {
                assert_eq!(r, request);
                assert!(why.contains(word), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let process = started(&mut client, &["true"], 4);
    assert_eq!(
        next(&mut client),
        FromLauncher::Ended { process, status: 0 }
    );
}

#[test]
fn ending_is_polite_first_and_certain_later_even_when_stopped() {
    let launcher = Launcher::start();
    let mut client = launcher.connect();
    let polite = started(&mut client, &["sleep", "1000"], 1);
    client
        .send(&ToLauncher::Freeze {
            process: polite,
            frozen: true,
        })
        .unwrap();
    until_state(polite.pid, 'T');
    client
        .send(&ToLauncher::End {
            process: polite,
            grace_ms: 60_000,
        })
        .unwrap();
    assert_eq!(
        next(&mut client),
        FromLauncher::Ended {
            process: polite,
            status: 128 + 15
        }
    );

    let mark = launcher.folder.path().join("deaf");
    let script = format!("trap '' TERM; touch {}; sleep 1000", mark.display());
    let deaf = started(&mut client, &["sh", "-c", &script], 2);
    let end = Instant::now() + PATIENCE;
    while !mark.exists() {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
    client
        .send(&ToLauncher::End {
            process: deaf,
            grace_ms: 50,
        })
        .unwrap();
    assert_eq!(
        next(&mut client),
        FromLauncher::Ended {
            process: deaf,
            status: 128 + 9
        }
    );
}

#[test]
fn programs_outlive_the_session_and_the_next_one_is_told_of_them() {
    let launcher = Launcher::start();
    let mut client = launcher.connect();
    let process = started(&mut client, &["sleep", "1000"], 1);
    assert_eq!(start_time(process.pid), Some(process.start));
    drop(client);

    let mut client = reconnect(&launcher.socket());
    assert_eq!(
        next_after_census(&mut client),
        FromLauncher::Running {
            processes: vec![process]
        }
    );
    // A later process of the same number is another one.
    client
        .send(&ToLauncher::End {
            process: ProcessId {
                start: process.start + 1,
                ..process
            },
            grace_ms: 0,
        })
        .unwrap();
    assert_eq!(
        next_after_census(&mut client),
        FromLauncher::Running {
            processes: vec![process]
        }
    );
    client
        .send(&ToLauncher::End {
            process,
            grace_ms: 0,
        })
        .unwrap();
    assert!(matches!(next(&mut client), FromLauncher::Ended { process: p, .. } if p == process));
}

/// The launcher may not have noticed yet that the former session left: it refuses the second until it has.
fn reconnect(socket: &Path) -> Client {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut client = Client::connect(socket).unwrap();
        if client.send(&ToLauncher::Census).is_ok() && wait(&mut client).is_ok() {
            return client;
        }
        assert!(Instant::now() < end);
    }
}

fn next_after_census(client: &mut Client) -> FromLauncher {
    client.send(&ToLauncher::Census).unwrap();
    next(client)
}

#[test]
fn garbage_is_refused_and_a_second_session_too() {
    let launcher = Launcher::start();
    let mut client = launcher.connect();
    for garbage in [
        &b"\xff\xff\xff\xff"[..],
        b"{}",
        &[0x9f; 4000],
        &[0xa1, 0x65],
    ] {
        rustix::net::send(&client, garbage, rustix::net::SendFlags::NOSIGNAL).unwrap();
    }
    assert_eq!(
        next_after_census(&mut client),
        FromLauncher::Running { processes: vec![] }
    );

    let mut second = launcher.connect();
    assert!(matches!(wait(&mut second), Err(ClientError::Closed)));
    assert_eq!(
        next_after_census(&mut client),
        FromLauncher::Running { processes: vec![] }
    );
}

#[test]
fn orphans_are_collected() {
    let launcher = Launcher::start();
    let mut client = launcher.connect();
    let note = launcher.folder.path().join("orphan");
    // The inner shell leaves a grandchild behind, which then ends by itself.
    let script = format!(
        "sh -c 'echo $$ > {0}.new; mv {0}.new {0}' & exit 0",
        note.display()
    );
    let process = started(&mut client, &["sh", "-c", &script], 1);
    assert_eq!(
        next(&mut client),
        FromLauncher::Ended { process, status: 0 }
    );
    let end = Instant::now() + PATIENCE;
    let pid: u32 = loop {
        if let Ok(text) = std::fs::read_to_string(&note) {
            break text.trim().parse().unwrap();
        }
        assert!(Instant::now() < end);
        std::thread::yield_now();
    };
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(Instant::now() < end, "{pid} stays a zombie");
        std::thread::yield_now();
    }
}

#[test]
fn a_second_launcher_at_the_same_socket_gives_up() {
    let launcher = Launcher::start();
    let out = Command::new(env!("CARGO_BIN_EXE_overwinter-launcher"))
        .arg("--socket")
        .arg(launcher.socket())
        .output()
        .unwrap();
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("another launcher"));
    let mut client = launcher.connect();
    next_after_census(&mut client);
}
