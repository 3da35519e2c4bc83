//! Which script a process runs: its `/proc/PID/exe` is the interpreter, and says nothing.
//!
//! The kernel starts `#!INTERPRETER [OPTION]` as `INTERPRETER [OPTION] SCRIPT …` (execve(2), "Interpreter scripts"), and
//! `#!/usr/bin/env NAME` goes on as `NAME SCRIPT …`. So a process runs a script when its command line names a file whose first
//! line names the process's own program. A program that merely opens a script (an editor) is not its interpreter.
//!
//! Nothing holds on to a script's file as the kernel holds on to a program's. A file that was put in its place or written to after
//! the process had started is not what the process runs; then nobody can tell what it runs.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The kernel reads no more of the first line (BINPRM_BUF_SIZE).
const LONGEST_LINE: u64 = 256;

/// `/proc` tells times in these parts of a second (USER_HZ); a file's times are no finer than the kernel's own tick.
const COARSE_MS: i128 = 10;

/// The script that the process runs, by the path that it was started with; none for a program.
pub fn script_of_process(pid: u32) -> Option<PathBuf> {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = line.split(|byte| *byte == 0);
    let called = as_path(arguments.next()?);
    // After the interpreter there is at most one option before the script.
    arguments.take(2).find_map(|argument| {
        let path = as_path(argument);
        let absolute = if path.is_absolute() {
            path
        } else {
            std::fs::read_link(format!("/proc/{pid}/cwd"))
                .ok()?
                .join(path)
        };
        let interpreter = interpreter_of(&absolute)?;
        interpreter.is(&program, &called).then_some(absolute)
    })
}

/// Whether the file has not been changed or replaced since the process started.
///
/// # Errors
/// When one of them is gone.
pub(crate) fn is_as_started(pid: u32, path: &Path) -> io::Result<bool> {
    let changed = changed_ms(&std::fs::metadata(path)?);
    Ok(changed <= started_ms(pid)? + COARSE_MS)
}

fn changed_ms(meta: &Metadata) -> i128 {
    // The inode's own time: a renamed or copied file may keep the time of its content.
    i128::from(meta.ctime()) * 1000 + i128::from(meta.ctime_nsec() / 1_000_000)
}

/// Start of a process in milliseconds of the clock that files are stamped by.
fn started_ms(pid: u32) -> io::Result<i128> {
    let odd = || io::Error::other("/proc is not as proc(5) says");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Field 22; the name in field 2 may hold anything, and field 3 comes after its last bracket.
    let ticks = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(22 - 3)?.parse::<i128>().ok())
        .ok_or_else(odd)?;
    let per_second = i128::from(rustix::param::clock_ticks_per_second().max(1));
    let since_boot = ticks * 1000 / per_second;
    Ok(booted_ms() + since_boot)
}

/// When the machine started, in milliseconds; as the clock is set now, which is what counts when it is set anew.
fn booted_ms() -> i128 {
    let ms = |clock| {
        let now = rustix::time::clock_gettime(clock);
        i128::from(now.tv_sec) * 1000 + i128::from(now.tv_nsec) / 1_000_000
    };
    ms(rustix::time::ClockId::Realtime) - ms(rustix::time::ClockId::Boottime)
}

/// What the first line of a script names.
struct Interpreter {
    path: PathBuf,
    /// The name after `/usr/bin/env`.
    by_env: Option<PathBuf>,
}

impl Interpreter {
    /// Whether it is this program, called so.
    fn is(&self, program: &Path, called: &Path) -> bool {
        match &self.by_env {
            Some(name) => called.file_name() == name.file_name(),
            None => {
                called == self.path
                    || self
                        .path
                        .canonicalize()
                        .is_ok_and(|interpreter| interpreter == program)
            }
        }
    }
}

fn interpreter_of(script: &Path) -> Option<Interpreter> {
    let mut start = Vec::new();
    let file = File::open(script)
        .ok()
        .filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    file.take(LONGEST_LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let mut words = line
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    let path = as_path(words.next()?);
    let is_env = path.file_name().is_some_and(|name| name == "env");
    let by_env = match is_env {
        true => Some(as_path(words.find(|word| !word.starts_with(b"-"))?)),
        false => None,
    };
    Some(Interpreter { path, by_env })
}

fn as_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::build_of_process;

    fn write(script: &Path, text: &str) {
        let new = script.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&new, script).unwrap();
    }

    /// Started, and past its exec: it has said so itself.
    fn start(command: &mut Command) -> Child {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 3];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut said)
            .unwrap();
        child
    }

    fn end(mut child: Child) {
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_script_is_told_from_its_interpreter_and_from_what_merely_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("notes");
        for first in ["#!/bin/sh", "#! /bin/sh -e", "#!/usr/bin/env sh"] {
            write(&script, &format!("{first}\necho hi\nread line\n"));
            let child = start(&mut Command::new(&script));
            assert_eq!(
                script_of_process(child.id()),
                Some(script.clone()),
                "{first}"
            );
            let runs = build_of_process(child.id()).unwrap();
            let hash = blake3::hash(&std::fs::read(&script).unwrap());
            assert_eq!(runs.build_id, hash.to_hex().to_string());
            end(child);
        }
        // `cat - notes` says nothing before its input ends; the script it opens is not what it runs.
        write(&script, "#!/bin/sh\n");
        let cat = start(Command::new("/bin/cat").args([script.as_os_str(), "-".as_ref()]));
        assert_eq!(script_of_process(cat.id()), None);
        end(cat);
    }

    #[test]
    fn a_script_that_was_replaced_meanwhile_is_not_taken_for_what_runs() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("notes");
        write(&script, "#!/bin/sh\necho hi\nread line\n");
        let child = start(&mut Command::new(&script));
        // Later than `/proc` can tell apart.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while is_as_started(child.id(), &script).unwrap() {
            assert!(std::time::Instant::now() < deadline);
            write(&script, "#!/bin/sh\necho ho\nread line\n");
        }
        let told = build_of_process(child.id()).unwrap_err().to_string();
        assert!(told.contains("replaced"), "{told}");
        end(child);
    }
}
