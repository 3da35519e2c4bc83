//! The index in a process of its own, as the store sees it.
//!
//! The process (`overwinter-index`) is started at the first question and again after it has gone: it ends by itself when it
//! is asked nothing for a while, so an idle session has neither its threads nor its memory. Nothing here polls for it.
//! Whatever is wrong with it (it is missing, dies, hangs, talks nonsense) is an [`IndexError`] within a deadline, and the
//! process is killed.

use std::{
    env, io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde_bytes::ByteBuf;

use super::{
    Change, Index, IndexError, Pair, Table, check_sizes, throw_away,
    wire::{self, Heard, Reply, Request},
};

/// The program's name.
const PROGRAM: &str = "overwinter-index";

/// A process may say goodbye while it is being asked; that this happens this often in a row is no accident.
const GOODBYES: usize = 3;

/// How long this end, and the other, have patience.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For an answer, and for the process to end. Long: opening reads the whole index, from a disk that may be asleep.
    pub answer: Duration,
    /// After this time without a question the process ends.
    pub idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            answer: Duration::from_secs(10),
            // Longer than a user's pause between two autosaves, shorter than anything that one would call idle.
            idle: Duration::from_secs(5),
        }
    }
}

/// An index in another process.
#[derive(Debug)]
pub struct ProcessIndex {
    program: PathBuf,
    dir: PathBuf,
    deadlines: Deadlines,
    running: Option<Running>,
    /// It was open once: that it is empty from now on would be a loss.
    known: bool,
}

#[derive(Debug)]
struct Running {
    socket: UnixStream,
    process: OwnedFd,
    /// Sleeps until the process has ended, so that none is left behind as a zombie.
    waiter: JoinHandle<()>,
}

/// The program beside the running one (a test's lies one folder below the programs).
pub(crate) fn program() -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    let beside = own.parent()?;
    let above = beside.ends_with("deps").then(|| beside.parent()).flatten();
    [Some(beside), above]
        .into_iter()
        .flatten()
        .map(|folder| folder.join(PROGRAM))
        .find(|program| program.is_file())
}

impl ProcessIndex {
    /// Opens the index in this folder by that program. Also tells why what was there before was of no use, if so.
    /// The caller holds the store's lock.
    ///
    /// # Errors
    /// The program cannot be started or is not what it should be, or not even an empty index can be made.
    pub fn open(
        program: &Path,
        dir: &Path,
        deadlines: Deadlines,
    ) -> Result<(ProcessIndex, Option<String>), IndexError> {
        let mut index = ProcessIndex {
            program: program.to_owned(),
            dir: dir.to_owned(),
            deadlines,
            running: None,
            known: false,
        };
        let rebuilt = index.start().inspect_err(|_| index.kill())?;
        Ok((index, rebuilt))
    }

    /// Starts the process and has it open the database.
    fn start(&mut self) -> Result<Option<String>, IndexError> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new(&self.program)
            .arg(&self.dir)
            .arg(self.deadlines.idle.as_millis().to_string())
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // What a terminal sends to the session's processes is not for it: it ends when the store does.
            .process_group(0)
            .spawn()
            .map_err(|e| {
                IndexError(format!("{} cannot be started: {e}", self.program.display()))
            })?;
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let waiter = std::thread::Builder::new().name("index-ends".to_owned());
        let waiter = waiter.spawn(move || drop(child.wait()))?;
        self.running = Some(Running {
            socket: ours,
            process: process.map_err(io::Error::from)?,
            waiter,
        });
        let version = wire::VERSION;
        match self.exchange(&Request::Open { version })? {
            Reply::Opened { rebuilt, created }
                if !self.known || !(created || rebuilt.is_some()) =>
            {
                self.known = true;
                Ok(rebuilt)
            }
            Reply::Opened { rebuilt, .. } => Err(IndexError(
                rebuilt.unwrap_or_else(|| "it was removed".to_owned()),
            )),
            Reply::Failed(why) => Err(IndexError(why)),
            _ => Err(IndexError("its process talks nonsense".to_owned())),
        }
    }

    fn exchange(&mut self, request: &Request) -> Result<Reply, IndexError> {
        let Some(running) = &self.running else {
            return Err(IndexError("its process is gone".to_owned()));
        };
        let patience = self.deadlines.answer;
        let told = wire::tell(&running.socket, request, patience);
        // Also when nothing can be told any more: a goodbye may lie there.
        match wire::hear(&running.socket, patience, patience) {
            Ok(Heard::Said(reply)) => Ok(reply),
            Ok(Heard::Gone) => Err(IndexError("its process ended".to_owned())),
            Ok(Heard::Silence) => Err(IndexError("its process does not answer".to_owned())),
            Err(e) => Err(told.err().unwrap_or(e).into()),
        }
    }

    /// Asks, and starts the process when it has gone. After an error the process is dead.
    fn call(&mut self, request: &Request) -> Result<Reply, IndexError> {
        let reply = self.try_call(request);
        match reply {
            Ok(Reply::Failed(why)) => {
                self.kill();
                Err(IndexError(why))
            }
            Err(e) => {
                self.kill();
                Err(e)
            }
            other => other,
        }
    }

    fn try_call(&mut self, request: &Request) -> Result<Reply, IndexError> {
        for _ in 0..GOODBYES {
            if self.running.is_none() {
                self.start()?;
            }
            match self.exchange(request)? {
                Reply::Bye => {
                    self.end();
                    if matches!(request, Request::Flush) {
                        return Ok(Reply::Done);
                    }
                }
                reply => return Ok(reply),
            }
        }
        Err(IndexError("its process does not stay".to_owned()))
    }

    /// Lets the process close the database and end.
    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            drop(running.socket);
            if ended(&running.process, self.deadlines.answer) {
                drop(running.waiter.join());
            } else {
                tracing::warn!("the index process does not end; it is killed, nothing is lost");
                kill(&running.process, running.waiter);
            }
        }
    }

    fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            kill(&running.process, running.waiter);
        }
    }
}

fn kill(process: &OwnedFd, waiter: JoinHandle<()>) {
    // One that has ended already needs no killing.
    let _ = pidfd_send_signal(process, Signal::KILL);
    if ended(process, Duration::from_secs(1)) {
        drop(waiter.join());
    } else {
        tracing::warn!("the index process cannot be killed; it may hold its files for a while");
    }
}

fn ended(process: &OwnedFd, within: Duration) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    let within = Timespec::try_from(within).ok();
    matches!(poll(&mut polled, within.as_ref()), Ok(n) if n > 0)
}

fn nonsense<T>(_: Reply) -> Result<T, IndexError> {
    Err(IndexError("its process talks nonsense".to_owned()))
}

impl Index for ProcessIndex {
    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Vec<Pair>, IndexError> {
        let request = Request::Scan {
            table,
            prefix: ByteBuf::from(prefix),
            after: after.map(ByteBuf::from),
        };
        match self.call(&request)? {
            Reply::Pairs(pairs) => Ok(pairs
                .into_iter()
                .map(|(k, v)| (k.into_vec(), v.into_vec()))
                .collect()),
            other => nonsense(other),
        }
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), IndexError> {
        check_sizes(changes)?;
        match self.call(&Request::Apply(changes.to_vec()))? {
            Reply::Done => Ok(()),
            other => nonsense(other),
        }
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        if self.running.is_none() {
            // It flushed when it ended.
            return Ok(());
        }
        match self.call(&Request::Flush)? {
            Reply::Done => Ok(()),
            other => nonsense(other),
        }
    }

    fn start_over(&mut self) -> Result<(), IndexError> {
        self.kill();
        throw_away(&self.dir)?;
        self.known = false;
        self.start().map(drop).inspect_err(|_| self.kill())
    }
}

impl Drop for ProcessIndex {
    fn drop(&mut self) {
        self.end();
    }
}
