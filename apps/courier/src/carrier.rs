//! Starts the program that leads to the other host: `ssh HOST overwinter receive`, or another in its place.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::pump::Ends;

/// Which remote shell, and what it is to start over there.
#[derive(Clone, Debug)]
pub struct Rsh {
    /// The remote shell and its options as one line, as rsync's `-e`: words are parted by blanks; single and double quotes
    /// keep blanks within a word, a doubled quote stands for itself.
    pub command: String,
    /// What is started on the other host; its `receive` is added.
    pub remote_program: String,
}

impl Default for Rsh {
    fn default() -> Self {
        Rsh {
            command: "ssh".into(),
            remote_program: "overwinter".into(),
        }
    }
}

/// Why no remote shell was started; nothing has happened yet.
#[derive(Debug, thiserror::Error)]
pub enum BadCommand {
    /// The line has an open quote or no word at all.
    #[error("`{0}` is not a command: {1}")]
    Words(String, &'static str),
    /// A name that the remote shell would take for an option.
    #[error("`{0}` is not a host name")]
    Host(String),
    /// The program is missing or must not be run.
    #[error("`{program}` cannot be started: {why}")]
    Start {
        /// Which.
        program: String,
        /// The system's answer.
        why: std::io::Error,
    },
}

/// A running remote shell. Dropping it ends it.
#[derive(Debug)]
pub struct Carrier {
    child: Child,
    pidfd: OwnedFd,
}

/// Starts `COMMAND HOST overwinter receive` and gives its standard input and output. Its standard error stays ours: that is
/// where ssh asks and complains.
///
/// # Errors
/// [`BadCommand`]; nothing runs then.
pub fn spawn_ssh(host: &str, rsh: &Rsh) -> Result<(Carrier, Ends), BadCommand> {
    // "-oProxyCommand=…" as a host name has run commands before.
    if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
        return Err(BadCommand::Host(host.into()));
    }
    let words = words(&rsh.command).map_err(|why| BadCommand::Words(rsh.command.clone(), why))?;
    let Some((program, options)) = words.split_first() else {
        return Err(BadCommand::Words(rsh.command.clone(), "it is empty"));
    };
    let start = |why| BadCommand::Start {
        program: program.clone(),
        why,
    };
    let mut child = Command::new(program)
        .args(options)
        .args([host, &rsh.remote_program, "receive"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let ends = match (child.stdout.take(), child.stdin.take()) {
        (Some(reader), Some(writer)) => Ends {
            reader: reader.into(),
            writer: writer.into(),
        },
        _ => return Err(start(std::io::ErrorKind::BrokenPipe.into())),
    };
    let pidfd = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(rustix::io::Errno::SRCH)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
        .map_err(|e| start(e.into()))?;
    Ok((Carrier { child, pidfd }, ends))
}

impl Carrier {
    /// Waits for the remote shell to end by itself, at most `patience`; then ends it.
    ///
    /// # Errors
    /// When the system cannot tell how it ended.
    pub fn finish(mut self, patience: Duration) -> std::io::Result<ExitStatus> {
        if !self.ended_within(patience) {
            self.end();
        }
        self.child.wait()
    }

    fn ended_within(&self, patience: Duration) -> bool {
        let start = Instant::now();
        loop {
            let left = patience.saturating_sub(start.elapsed());
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn end(&mut self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        if !self.ended_within(Duration::from_secs(2)) {
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.end();
            let _ = self.child.wait();
        }
    }
}

/// Splits a line as rsync does its `-e`: no shell, so nothing is expanded.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err("a quote is open"),
                        Some(d) if d == c && chars.peek() == Some(&c) => {
                            chars.next();
                            word.push(c);
                        }
                        Some(d) if d == c => break,
                        Some(d) => word.push(d),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_as_rsync_does() {
        let parted = words("ssh -p 22  -o 'ProxyJump a b' \"it\"\"s\"").unwrap();
        assert_eq!(
            parted,
            ["ssh", "-p", "22", "-o", "ProxyJump a b", "it\"s"].map(String::from)
        );
        assert!(words("ssh 'open").is_err());
        assert!(words("  ").unwrap().is_empty());
    }

    #[test]
    fn a_host_is_never_an_option() {
        for host in ["-oProxyCommand=x", "", "a b"] {
            let refused = spawn_ssh(host, &Rsh::default());
            assert!(matches!(refused, Err(BadCommand::Host(_))), "{host}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let rsh = Rsh {
            command: "/nonexistent/rsh -v".into(),
            ..Rsh::default()
        };
        let error = spawn_ssh("b", &rsh).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/rsh"), "{error}");
    }
}
