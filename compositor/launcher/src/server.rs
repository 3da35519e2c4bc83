//! The launcher itself: one thread that starts, stops and ends programs, and a second that does nothing but wait for ends.
//!
//! Promises:
//! 1. It is the parent of what it starts and, as a subreaper, becomes the parent of what those leave behind; nobody stays a zombie.
//! 2. A process is signalled only while it is known and not yet reaped, and reaping happens in the same thread as
//!    signalling: a number is never used for a later process that got it.
//! 3. A packet that is no message is answered by a warning and nothing else. A session that does not read is let go;
//!    programs run on, and `Census` tells the next session of them.
//! 4. Without anything to do it sleeps: no timer is armed unless a SIGKILL is due.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use overwinter_proto::{
    decode, encode,
    launch::{FromLauncher, ProcessId, ToLauncher},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
        bind, connect, listen, recv, send, socket_with, sockopt::socket_peercred,
    },
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group},
};
use tracing::{debug, info, warn};

use crate::{MAX_PACKET, process::identify};

/// Messages kept for a session that is slow to read before it is let go: each is under 100 bytes, so this is patience for
/// a session that is busy for a while, not memory.
const MAX_QUEUED: usize = 4096;

/// A running child.
#[derive(Debug)]
struct Child {
    id: ProcessId,
    /// When SIGKILL follows.
    kill_at: Option<Instant>,
}

/// The one session that may be connected at a time.
#[derive(Debug)]
struct Session {
    socket: OwnedFd,
    queue: VecDeque<Vec<u8>>,
}

/// See the module's promises.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: OwnedFd,
    session: Option<Session>,
    children: BTreeMap<u32, Child>,
    /// A byte comes when somebody has ended.
    ends: OwnedFd,
    /// Tells the waiting thread to look again: after reaping, and after a start.
    look_again: mpsc::Sender<()>,
    buffer: Vec<u8>,
}

impl Server {
    /// Listens at `path` and makes the calling process a subreaper.
    ///
    /// # Errors
    /// When another launcher listens there already, or the system refuses.
    pub fn bind(path: &Path) -> io::Result<Server> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let listener = listen_at(path)?;
        let (ends, waker) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (look_again, looks) = mpsc::channel();
        std::thread::Builder::new()
            .name("ends".into())
            .spawn(move || watch_for_ends(&waker, &looks))?;
        Ok(Server {
            path: path.to_owned(),
            listener,
            session: None,
            children: BTreeMap::new(),
            ends,
            look_again,
            buffer: vec![0; MAX_PACKET],
        })
    }

    /// Serves until the process is ended.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            self.turn()?;
        }
    }

    /// Waits for one round of happenings and handles it.
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.next_kill().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec::try_from(left + Duration::from_millis(1)).unwrap_or(Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            })
        });
        let (accepted, ended, talk) = {
            let mut fds = vec![
                PollFd::new(&self.listener, PollFlags::IN),
                PollFd::new(&self.ends, PollFlags::IN),
            ];
            if let Some(session) = &self.session {
                let mut wanted = PollFlags::IN;
                wanted.set(PollFlags::OUT, !session.queue.is_empty());
                fds.push(PollFd::new(&session.socket, wanted));
            }
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
            let ready = |i: usize| fds.get(i).is_some_and(|fd| !fd.revents().is_empty());
            (ready(0), ready(1), ready(2))
        };
        if ended {
            self.reap();
        }
        if talk {
            self.talk();
        }
        if accepted {
            self.accept();
        }
        self.kill_overdue();
        Ok(())
    }

    fn next_kill(&self) -> Option<Instant> {
        self.children.values().filter_map(|c| c.kill_at).min()
    }

    fn accept(&mut self) {
        let socket = match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        {
            Ok(socket) => socket,
            Err(e) => return debug!("accept: {e}"),
        };
        match socket_peercred(&socket) {
            Ok(peer) if peer.uid == rustix::process::geteuid() => {}
            Ok(peer) => {
                return warn!(
                    "refused a connection from user {}: it is not ours",
                    peer.uid.as_raw()
                );
            }
            Err(e) => return warn!("refused a connection without credentials: {e}"),
        }
        if self.session.is_some() {
            return warn!("refused a second session: one is connected already");
        }
        info!("a session has connected");
        self.session = Some(Session {
            socket,
            queue: VecDeque::new(),
        });
    }

    /// Reads every waiting packet, and writes what is queued.
    fn talk(&mut self) {
        while let Some(session) = &self.session {
            match recv(&session.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((_, 0)) => return self.let_go("it has left"),
                Ok((got, full)) if full > got => {
                    warn!("refused a packet of {full} bytes: the most is {MAX_PACKET}");
                }
                Ok((got, _)) => match decode::<ToLauncher>(self.buffer.get(..got).unwrap_or(&[])) {
                    Ok(message) => self.obey(message),
                    Err(e) => warn!("refused a packet: {e}"),
                },
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return self.let_go(&e.to_string()),
            }
        }
        self.flush();
    }

    fn let_go(&mut self, why: &str) {
        info!(
            "the session is gone: {why}. {} processes run on",
            self.children.len()
        );
        self.session = None;
    }

    fn say(&mut self, message: &FromLauncher) {
        let Some(session) = &mut self.session else {
            return;
        };
        if session.queue.len() >= MAX_QUEUED {
            return self.let_go("it does not read");
        }
        session.queue.push_back(encode(message));
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(session) = &mut self.session {
            let Some(packet) = session.queue.front() else {
                return;
            };
            match send(&session.socket, packet, SendFlags::NOSIGNAL) {
                Ok(_) => {
                    session.queue.pop_front();
                }
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::MSGSIZE) => {
                    warn!(
                        "a message of {} bytes does not fit in a packet",
                        packet.len()
                    );
                    session.queue.pop_front();
                }
                Err(e) => return self.let_go(&e.to_string()),
            }
        }
    }

    fn obey(&mut self, message: ToLauncher) {
        match message {
            ToLauncher::Start {
                request,
                argv,
                env,
                folder,
            } => {
                let answer = match start(&argv, &env, &folder) {
                    Ok(pid) => {
                        let process = identify(pid);
                        info!(
                            "started {} as process {pid}",
                            argv.first().map_or("", |a| a)
                        );
                        self.children.insert(
                            pid,
                            Child {
                                id: process,
                                kill_at: None,
                            },
                        );
                        FromLauncher::Started { request, process }
                    }
                    Err(why) => FromLauncher::Failed { request, why },
                };
                // A failed start leaves nothing, but its fork may have been seen: look again in either case.
                let _ = self.look_again.send(());
                self.say(&answer);
            }
            ToLauncher::End { process, grace_ms } => self.end(process, grace_ms),
            ToLauncher::Freeze { process, frozen } => {
                let signal = if frozen { Signal::STOP } else { Signal::CONT };
                if self.known(process).is_some() {
                    signal_group(process.pid, signal);
                }
            }
            ToLauncher::Census => {
                let processes = self.children.values().map(|c| c.id).collect();
                self.say(&FromLauncher::Running { processes });
            }
        }
    }

    fn known(&mut self, process: ProcessId) -> Option<&mut Child> {
        let found = self
            .children
            .get_mut(&process.pid)
            .filter(|c| c.id == process);
        if found.is_none() {
            debug!("process {} is not (or no longer) ours", process.pid);
        }
        found
    }

    fn end(&mut self, process: ProcessId, grace_ms: u32) {
        let Some(child) = self.known(process) else {
            return;
        };
        let at = Instant::now() + Duration::from_millis(u64::from(grace_ms));
        // Asked twice, the earlier deadline stands.
        child.kill_at = Some(child.kill_at.map_or(at, |old| old.min(at)));
        if let Some(pid) = raw(process.pid) {
            log_failure(process.pid, kill_process(pid, Signal::TERM));
        }
        // A stopped process hears SIGTERM only when it goes on.
        signal_group(process.pid, Signal::CONT);
    }

    fn kill_overdue(&mut self) {
        let now = Instant::now();
        for (pid, child) in &mut self.children {
            if child.kill_at.is_some_and(|at| at <= now) {
                warn!("process {pid} did not end in time: killed");
                child.kill_at = None;
                signal_group(*pid, Signal::KILL);
            }
        }
    }

    /// Collects everybody who has ended: children, and the orphans that a subreaper inherits.
    fn reap(&mut self) {
        let mut byte = [0u8; 64];
        let _ = rustix::io::read(&self.ends, &mut byte[..]);
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_pid().unsigned_abs();
            let status = status
                .exit_status()
                .or_else(|| status.terminating_signal().map(|s| 128 + s))
                .unwrap_or(-1);
            if let Some(child) = self.children.remove(&pid) {
                info!("process {pid} has ended with {status}");
                self.say(&FromLauncher::Ended {
                    process: child.id,
                    status,
                });
            } else {
                debug!("orphan {pid} has ended");
            }
        }
        let _ = self.look_again.send(());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens the listening socket, readable by its owner alone; a socket file that nobody serves any more is replaced.
fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let new = || {
        socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
    };
    let address = SocketAddrUnix::new(path)?;
    let probe = new()?;
    if connect(&probe, &address).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another launcher listens there",
        ));
    }
    drop(probe);
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let listener = new()?;
    bind(&listener, &address)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    listen(&listener, 4)?;
    Ok(listener)
}

/// Waits for ends without collecting them (that is [`Server::reap`]'s part, so that `Command` may wait for a child whose
/// program could not be executed), and asks to look again only when told to.
fn watch_for_ends(waker: &OwnedFd, looks: &mpsc::Receiver<()>) {
    loop {
        match rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => {
                if rustix::io::write(waker, &[1]).is_err() {
                    return;
                }
            }
            // No child at all, and so nobody to inherit: wait for the next start.
            Err(rustix::io::Errno::CHILD) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => {
                tracing::error!("cannot wait for processes: {e}");
                return;
            }
        }
        if looks.recv().is_err() {
            return;
        }
    }
}

/// Starts a program in a session of its own (no terminal, no stray Ctrl+C), with exactly this environment.
fn start(argv: &[String], env: &BTreeMap<String, String>, folder: &str) -> Result<u32, String> {
    let (program, arguments) = argv.split_first().ok_or("no program was named")?;
    let stderr = io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| format!("no output for {program}: {e}"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(env)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::from(stderr));
    // SAFETY: setsid(2) is async-signal-safe, touches no memory, and is all that runs between fork and exec.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
    match command.spawn() {
        // Dropping the handle neither waits nor kills: `reap` collects it.
        Ok(child) => Ok(child.id()),
        Err(e) if !Path::new(folder).is_dir() => {
            Err(format!("cannot start {program} in {folder}: {e}"))
        }
        Err(e) => Err(format!("cannot start {program}: {e}")),
    }
}

fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Every child leads a group of its own number.
fn signal_group(pid: u32, signal: Signal) {
    if let Some(group) = raw(pid) {
        log_failure(pid, kill_process_group(group, signal));
    }
}

fn log_failure(pid: u32, result: rustix::io::Result<()>) {
    if let Err(e) = result {
        debug!("no signal to process {pid}: {e}");
    }
}
