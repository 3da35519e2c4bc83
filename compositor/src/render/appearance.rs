//! What the configuration's `[appearance]` changes on screen.

use overwinter_config::Appearance;

use crate::state::Overwinter;

impl Overwinter {
    /// From now on it looks like this.
    pub fn set_appearance(&mut self, appearance: Appearance) {
        if self.appearance == appearance {
            return;
        }
        self.appearance = appearance;
        self.schedule_frame();
    }
}
