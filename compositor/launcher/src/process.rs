//! What `/proc` says of a process.

use overwinter_proto::launch::ProcessId;

/// Start time of a process: field 22 of `/proc/PID/stat`, clock ticks after boot. `None` when there is no such process.
/// See proc_pid_stat(5); the name in field 2 may itself hold spaces and parentheses, so fields are counted from its last `)`.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    // The first field after the name is number 3.
    after_name.split(' ').nth(22 - 3)?.parse().ok()
}

/// A process with its start time. A start time of 0 stands for "ended before it could be read": no live process matches it.
pub(crate) fn identify(pid: u32) -> ProcessId {
    ProcessId {
        pid,
        start: start_time(pid).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_start_time_is_stable_and_nobody_has_pid_zero() {
        let me = std::process::id();
        assert!(start_time(me).is_some_and(|t| t > 0));
        assert_eq!(start_time(me), start_time(me));
        assert_eq!(start_time(0), None);
    }
}
