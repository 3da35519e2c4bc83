//! What the heart wants on screen, and what the store needs of it.

use overwinter_proto::snapshot::WindowSnapshot;
use overwinter_session::{ShellEffect, StoreRequest};

use super::store::Job;
use crate::driver::Driver;
use crate::state::Overwinter;

impl Driver {
    /// `Effect::Shell`.
    pub(crate) fn show(&mut self, state: &mut Overwinter, effect: ShellEffect) {
        state.apply(effect);
        for (group, generation) in state.shell.take_wanted_pictures() {
            self.job(Job::Windows { group, generation });
        }
    }

    /// The group's windows as they are, for a request that stores them.
    pub(crate) fn windows_for(
        state: &mut Overwinter,
        request: &StoreRequest,
    ) -> Vec<WindowSnapshot> {
        match request {
            StoreRequest::Write { group, .. } => state.capture(*group),
            _ => Vec::new(),
        }
    }
}
