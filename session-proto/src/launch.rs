//! What the session and its launcher say to each other over a private `SOCK_SEQPACKET` socket: one CBOR message a packet.
//!
//! The launcher is the parent of apps and sees them end; the compositor never is. Either may be replaced alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process number as this pid namespace sees it.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
    pub start: u64,
}

/// Session → launcher.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToLauncher {
    /// Start a program. Answered by `Started` or `Failed` with the same number.
    Start {
        /// Chosen by the session.
        request: u64,
        /// Program and arguments; absolute path or found in PATH.
        argv: Vec<String>,
        /// The whole environment.
        env: BTreeMap<String, String>,
        /// Working folder.
        folder: String,
    },
    /// Ask a process to end (SIGTERM); after `grace_ms` it is ended (SIGKILL).
    End {
        /// Which.
        process: ProcessId,
        /// Milliseconds until SIGKILL.
        grace_ms: u32,
    },
    /// Stop or continue a process through its cgroup or, without one, SIGSTOP/SIGCONT.
    Freeze {
        /// Which.
        process: ProcessId,
        /// True to stop.
        frozen: bool,
    },
    /// Tell every process that is still running (after the session was replaced). Answered by `Running`.
    Census,
}

/// Launcher → session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromLauncher {
    /// It runs.
    Started {
        /// The request's number.
        request: u64,
        /// The new process.
        process: ProcessId,
    },
    /// It could not be started.
    Failed {
        /// The request's number.
        request: u64,
        /// For people.
        why: String,
    },
    /// A process that was started here has ended.
    Ended {
        /// Which.
        process: ProcessId,
        /// Exit status, or 128 + signal.
        status: i32,
    },
    /// Answer to `Census`.
    Running {
        /// All of them.
        processes: Vec<ProcessId>,
    },
}
