//! A hook for tests of moves.

use overwinter_proto::JournalRecord;

/// The test hook `OVERWINTER_FAULT=after-record:NAME`: the process aborts as soon as the first record of that name is
/// durable. Names: preparing, staged, released, owned, done, aborted. For tests of moves; harmless otherwise.
#[derive(Clone, Debug, Default)]
pub struct Fault(Option<String>);

impl Fault {
    /// From the environment.
    pub fn from_env() -> Fault {
        let value = std::env::var("OVERWINTER_FAULT").unwrap_or_default();
        Fault(value.strip_prefix("after-record:").map(str::to_owned))
    }

    pub(super) fn strike(&self, record: &JournalRecord) {
        if self
            .0
            .as_deref()
            .is_some_and(|name| Some(name) == name_of(record))
        {
            std::process::abort();
        }
    }
}

fn name_of(record: &JournalRecord) -> Option<&'static str> {
    match record {
        JournalRecord::Preparing { .. } => Some("preparing"),
        JournalRecord::Staged { .. } => Some("staged"),
        JournalRecord::Released { .. } => Some("released"),
        JournalRecord::Owned { .. } => Some("owned"),
        JournalRecord::Done { .. } => Some("done"),
        JournalRecord::Aborted { .. } => Some("aborted"),
        _ => None,
    }
}
