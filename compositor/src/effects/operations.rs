//! What was asked over the control interface, and how it stands.

use std::collections::BTreeMap;

use overwinter_bus::OperationState;
use overwinter_session::effect::{GroupResult, Outcome};
use overwinter_session::ids::OperationId;

/// How many ended operations can still be asked for: a caller asks within moments, if at all.
const REMEMBERED: usize = 256;

/// Operations by number.
#[derive(Debug, Default)]
pub struct Operations {
    all: BTreeMap<OperationId, OperationState>,
    last: u64,
}

impl Operations {
    /// A new one, running.
    pub fn begin(&mut self) -> OperationId {
        self.last += 1;
        let id = OperationId(self.last);
        let state = OperationState {
            state: "running",
            results: Vec::new(),
        };
        self.all.insert(id, state);
        id
    }

    /// Takes note of how far it is. Returns its end, if this is it.
    pub fn progress(
        &mut self,
        id: OperationId,
        ended: bool,
        results: &[GroupResult],
    ) -> Option<OperationState> {
        let state = self.all.get_mut(&id)?;
        if state.state != "running" {
            return None;
        }
        state.results = results.iter().map(told).collect();
        if !ended {
            return None;
        }
        let failed = results.iter().any(|r| r.outcome == Outcome::Failed);
        state.state = if failed { "failed" } else { "done" };
        let end = state.clone();
        self.forget_old();
        Some(end)
    }

    /// Ends one that is about no group. Returns its end.
    pub fn end(
        &mut self,
        id: OperationId,
        outcome: Result<String, String>,
    ) -> Option<OperationState> {
        self.end_about(id, String::new(), outcome)
    }

    /// Ends one that is about this group. Returns its end.
    pub fn end_about(
        &mut self,
        id: OperationId,
        group: String,
        outcome: Result<String, String>,
    ) -> Option<OperationState> {
        let state = self.all.get_mut(&id).filter(|s| s.state == "running")?;
        let (word, text) = match outcome {
            Ok(text) => ("done", text),
            Err(text) => ("failed", text),
        };
        state.state = word;
        state.results = vec![(group, word.to_owned(), text)];
        let end = state.clone();
        self.forget_old();
        Some(end)
    }

    /// How it stands.
    pub fn get(&self, id: OperationId) -> Option<&OperationState> {
        self.all.get(&id)
    }

    fn forget_old(&mut self) {
        let ended: Vec<OperationId> = self
            .all
            .iter()
            .filter(|(_, s)| s.state != "running")
            .map(|(id, _)| *id)
            .collect();
        for id in ended.iter().take(ended.len().saturating_sub(REMEMBERED)) {
            self.all.remove(id);
        }
    }
}

fn told(result: &GroupResult) -> (String, String, String) {
    let outcome = match result.outcome {
        Outcome::Done => "done",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
    };
    (
        result.group.to_string(),
        outcome.into(),
        result.text.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use overwinter_proto::GroupId;

    #[test]
    fn an_operation_ends_once_and_fails_with_its_worst_group() {
        let mut operations = Operations::default();
        let id = operations.begin();
        let result = |outcome| GroupResult {
            group: GroupId(1),
            outcome,
            text: "x".into(),
        };
        assert_eq!(
            operations.progress(id, false, &[result(Outcome::Done)]),
            None
        );
        assert_eq!(operations.get(id).unwrap().state, "running");
        let end = operations
            .progress(id, true, &[result(Outcome::Done), result(Outcome::Failed)])
            .unwrap();
        assert_eq!(end.state, "failed");
        assert_eq!(end.results[1].1, "failed");
        assert_eq!(operations.progress(id, true, &[]), None);
        assert_eq!(operations.get(id), Some(&end));
        for _ in 0..1000 {
            let id = operations.begin();
            assert!(operations.end(id, Err("broken".into())).is_some());
            assert_eq!(operations.end(id, Ok("fine".into())), None);
        }
        assert!(operations.all.len() <= REMEMBERED);
        assert_eq!(operations.get(id), None);
    }
}
