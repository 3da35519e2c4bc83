//! What the user is to be told: what happened, what was kept, what to do. The log has all of it; the last few stand in
//! `Status`, for whoever asks the session how it is.

use std::collections::VecDeque;
use std::time::SystemTime;

use overwinter_proto::GroupId;
use serde::Serialize;

/// How many are kept: what a person reads.
const KEPT: usize = 32;

/// One of them.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Notice {
    /// Seconds since 1970.
    pub at: u64,
    /// About which group, if any.
    pub group: Option<GroupId>,
    /// What happened, what was kept, what to do.
    pub text: String,
}

/// The last of them, oldest first.
#[derive(Debug, Default)]
pub struct Notices {
    latest: VecDeque<Notice>,
    /// One came since this was last asked.
    news: bool,
}

impl Notices {
    /// Takes note of one, and logs it.
    pub fn add(&mut self, group: Option<GroupId>, text: String) {
        match group {
            Some(group) => tracing::warn!(%group, "{text}"),
            None => tracing::warn!("{text}"),
        }
        self.news = true;
        // Said again, it is the same notice at a later time.
        self.latest.retain(|n| n.group != group || n.text != text);
        if self.latest.len() == KEPT {
            self.latest.pop_front();
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.latest.push_back(Notice {
            at: since.unwrap_or_default().as_secs(),
            group,
            text,
        });
    }

    /// Oldest first.
    pub fn all(&self) -> Vec<Notice> {
        self.latest.iter().cloned().collect()
    }

    /// Whether one came since this was last asked.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept_and_none_twice() {
        let mut notices = Notices::default();
        for n in 0..100 {
            notices.add(None, format!("something {n}"));
        }
        notices.add(None, "something 98".into());
        let all = notices.all();
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[KEPT - 1].text, "something 98");
        assert_eq!(all[KEPT - 2].text, "something 99");
        assert!(notices.take_news());
        assert!(!notices.take_news());
    }
}
