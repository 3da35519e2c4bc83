//! The X11 display that the session offers: a lock and a socket that are there as long as the session is, whether an Xwayland
//! serves them just now or not. Who connects in between waits in the socket's queue.
//!
//! There is no abstract socket: a sandbox that shares the network could reach it, whatever it is allowed to see of the disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::process::{Pid, test_kill_process};

const FOLDER: &str = "/tmp/.X11-unix";
/// Display numbers that are tried.
const NUMBERS: std::ops::Range<u32> = 0..100;

/// A display number that is ours.
#[derive(Debug)]
struct Lock {
    number: u32,
}

/// A display that is ours, and listened on.
#[derive(Debug)]
pub struct Sockets {
    /// What clients connect to. Nobody is accepted by us: Xwayland does that.
    pub listener: UnixListener,
    lock: Lock,
}

impl Sockets {
    /// Takes the first display that is free.
    ///
    /// # Errors
    /// When /tmp/.X11-unix cannot be written to, or all displays are taken.
    pub fn open() -> Result<Sockets> {
        let mut builder = DirBuilder::new();
        match builder.mode(0o1777).create(FOLDER) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(e).context(format!("{FOLDER} cannot be made"));
            }
            _ => {}
        }
        for number in NUMBERS {
            let Some(lock) = Lock::take(number)? else {
                continue;
            };
            let path = lock.socket();
            // We hold the lock: whoever left the socket behind has gone.
            let _ = std::fs::remove_file(&path);
            let listener =
                UnixListener::bind(&path).with_context(|| format!("{} failed", path.display()))?;
            listener.set_nonblocking(true)?;
            return Ok(Sockets { listener, lock });
        }
        anyhow::bail!("all X11 displays below {} are taken", NUMBERS.end)
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.lock.number
    }

    /// Sends away everybody who waits: they would wait for ever.
    pub fn refuse_waiting(&self) {
        while self.listener.accept().is_ok() {}
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.lock.socket());
    }
}

impl Lock {
    /// None when somebody who lives has it.
    fn take(number: u32) -> Result<Option<Lock>> {
        let path = Lock::path(number);
        // Twice: once more after the lock of one who has gone was cleared away.
        for _ in 0..2 {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o444)
                .open(&path);
            match file {
                Ok(mut file) => {
                    let lock = Lock { number };
                    writeln!(file, "{:>10}", std::process::id())
                        .with_context(|| format!("{} cannot be written", path.display()))?;
                    return Ok(Some(lock));
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    if !is_left_behind(&path) || std::fs::remove_file(&path).is_err() {
                        return Ok(None);
                    }
                }
                Err(e) => return Err(e).context(format!("{} cannot be made", path.display())),
            }
        }
        Ok(None)
    }

    fn path(number: u32) -> PathBuf {
        format!("/tmp/.X{number}-lock").into()
    }

    fn socket(&self) -> PathBuf {
        format!("{FOLDER}/X{}", self.number).into()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(Lock::path(self.number));
    }
}

/// Whether the lock names a process that is gone. One that cannot be read is left alone.
fn is_left_behind(path: &PathBuf) -> bool {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_string(&mut text));
    let pid = read.ok().and_then(|_| text.trim().parse().ok());
    let pid = pid.and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_ours_alone_and_leaves_nothing_behind() {
        let (one, other) = (Sockets::open().unwrap(), Sockets::open().unwrap());
        assert_ne!(one.number(), other.number());
        let (socket, lock) = (one.lock.socket(), Lock::path(one.number()));
        let client = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        one.refuse_waiting();
        assert_eq!((&client).read(&mut [0]).unwrap(), 0, "it was sent away");
        drop(one);
        assert!(!socket.exists() && !lock.exists());
    }

    #[test]
    fn the_lock_of_one_who_has_gone_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        std::fs::write(&path, format!("{:>10}\n", child.id())).unwrap();
        child.wait().unwrap();
        assert!(is_left_behind(&path));
        std::fs::write(&path, format!("{:>10}\n", std::process::id())).unwrap();
        assert!(!is_left_behind(&path));
        std::fs::write(&path, "no number").unwrap();
        assert!(!is_left_behind(&path));
    }
}
