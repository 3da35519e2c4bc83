//! What Xwayland is started through. Smithay starts the first `Xwayland` of PATH and has it listen on a display of its own; a
//! script of that name has it listen on the session's display too, and leaves its process id, which smithay keeps to itself.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::sockets::Sockets;

/// Seconds that Xwayland stays after its last client: a script that runs one X11 program after the other finds it still there.
const LINGER: u32 = 30;

/// A folder with the script. Gone when it is dropped.
#[derive(Debug)]
pub struct Helper {
    folder: PathBuf,
}

impl Helper {
    /// Writes the script into `runtime` (`XDG_RUNTIME_DIR`).
    ///
    /// # Errors
    /// When that cannot be written to.
    pub fn new(runtime: &Path, xwayland: &Path, sockets: &Sockets) -> Result<Helper> {
        let folder = runtime.join(format!("overwinter-x11-{}", sockets.number()));
        // The display is ours: what lies there is of a session that ended without clearing it away.
        let _ = std::fs::remove_dir_all(&folder);
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let helper = Helper { folder };
        let script = helper.folder.join("Xwayland");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&script)
            .with_context(|| format!("{} cannot be made", script.display()))?;
        // Quoted as sh wants it.
        let quoted = xwayland.to_string_lossy().replace('\'', r"'\''");
        write!(
            file,
            "#!/bin/sh\n\
             # Starts Xwayland on the display that the session listens on already.\n\
             echo $$ >\"$0.pid\"\n\
             exec '{quoted}' \"$@\" -listenfd {} -terminate {LINGER}\n",
            sockets.listener.as_raw_fd(),
        )?;
        Ok(helper)
    }

    /// PATH with the script before everything else.
    pub fn path(&self) -> OsString {
        let mut path = self.folder.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        path
    }

    /// The process id of the last Xwayland that was started.
    pub fn pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.folder.join("Xwayland.pid")).ok()?;
        text.trim().parse().ok().filter(|pid| *pid > 1)
    }

    /// As [`pid`](Self::pid), by pidfd.
    pub fn process(&self) -> Option<OwnedFd> {
        pidfd_open(Pid::from_raw(self.pid()?)?, PidfdFlags::empty()).ok()
    }

    /// The last Xwayland has been told to go: its process id may become somebody else's.
    pub fn forget_pid(&self) {
        let _ = std::fs::remove_file(self.folder.join("Xwayland.pid"));
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where the program is installed, if it is.
pub fn find_xwayland() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("Xwayland"))
        .find(|file| {
            file.metadata()
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}
