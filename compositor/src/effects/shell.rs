//! What the heart wants on screen, and what the store needs of it.

use std::collections::BTreeMap;

use overwinter_proto::GroupId;
use overwinter_proto::snapshot::WindowSnapshot;
use overwinter_session::ShellEffect;
use overwinter_store::Pictures;

use super::store::Job;
use crate::driver::Driver;
use crate::state::Overwinter;

/// An autosave brings new pictures only after this time, in milliseconds: they are megabytes, the change is bytes, and all that
/// depends on them is how old the ghost looks after a crash.
const PICTURES_EVERY_MS: u64 = 60_000;

/// Which windows of each group were pictured, and when.
pub type Pictured = BTreeMap<GroupId, (u64, Vec<String>)>;

impl Driver {
    /// `Effect::Shell`.
    pub(crate) fn show(&mut self, state: &mut Overwinter, effect: ShellEffect) {
        if let ShellEffect::Forget { group } = effect {
            // It has ended or gone: nothing that is known of it is needed any more.
            self.blobs.forget(group);
            self.pictured.remove(&group);
        }
        state.apply(effect);
        for (group, generation) in state.shell.take_wanted_pictures() {
            self.job(Job::Windows { group, generation });
        }
    }

    /// The group's windows as they are, for a save that stores them. One that somebody waits for has pictures.
    pub(crate) fn windows_for(
        &mut self,
        state: &mut Overwinter,
        group: GroupId,
        asked: bool,
    ) -> (Vec<WindowSnapshot>, Pictures) {
        let now = self.now(state).0;
        let names = |windows: &[WindowSnapshot]| -> Vec<String> {
            windows.iter().map(|w| w.name.clone()).collect()
        };
        if !asked && let Some((since, pictured)) = self.pictured.get(&group) {
            let windows = state.capture(group, false);
            if now.saturating_sub(*since) < PICTURES_EVERY_MS && *pictured == names(&windows) {
                return (windows, Pictures::AsBefore);
            }
        }
        let windows = state.capture(group, true);
        self.pictured.insert(group, (now, names(&windows)));
        (windows, Pictures::Given)
    }
}
