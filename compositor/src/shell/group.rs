//! A group as the shell sees it: who holds it, what stands for it on screen, whether its input is held.
//!
//! ```text
//!            ShowGhost                 Waking                  Swap                 last window ready
//!   Live ───────────────► Ghost ─────────────────► Ghost(waking) ──► Swapping ───────────────────────► Live
//!     ▲                     │  ▲                        │                                    (Shown, held keys)
//!     └──── DropGhost ──────┘  └────── WakeFailed ──────┘
//! ```

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use overwinter_session::ids::{CopyId, OpId};
use wayland_server::backend::ClientId;

use super::WindowId;
use crate::input::HeldKeys;

/// Keys typed at a ghost are one touch, not one each.
const TOUCH_AGAIN: Duration = Duration::from_secs(1);

/// What stands for the group on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The holder's windows.
    Live,
    /// Pictures.
    Ghost {
        /// The user touched one and it is on its way.
        waking: bool,
    },
    /// Pictures, each until the adopted copy's window is ready.
    Swapping {
        /// Ghosts without a window have been waited for long enough.
        late: bool,
    },
}

/// A fence whose answer has not come yet.
#[derive(Debug, Clone)]
pub struct Fence {
    /// Names it in `FenceDone`.
    pub op: OpId,
    /// Names it on the wire.
    pub serial: u32,
    /// Who is to answer.
    pub client: ClientId,
}

/// A group as the shell sees it.
#[derive(Debug)]
pub struct Group {
    /// The copy whose windows are the group's.
    pub holder: Option<CopyId>,
    /// Copies that held it before.
    pub retired: BTreeSet<CopyId>,
    /// What stands for it on screen.
    pub phase: Phase,
    /// A migration holds its input although its windows may still be shown.
    pub hold: bool,
    /// Keys typed meanwhile.
    pub held: HeldKeys,
    /// Fences that were not answered yet.
    pub fences: Vec<Fence>,
    /// The window that had the focus before a fence took it.
    pub had_focus: Option<WindowId>,
    /// The user had chosen it (see `Shell::focus_chosen`).
    pub had_chosen_focus: bool,
    /// Its ghosts came from the store: after a restart, or from another host.
    pub arrived: bool,
    /// When the user last chose one of its windows or ghosts, in the shell's own counting; 0 for never.
    pub chosen: u64,
    touched: Option<Instant>,
}

impl Group {
    /// A group that `holder` shows.
    pub fn new(holder: Option<CopyId>, phase: Phase) -> Group {
        Group {
            holder,
            retired: BTreeSet::new(),
            phase,
            hold: false,
            held: HeldKeys::default(),
            fences: Vec::new(),
            had_focus: None,
            had_chosen_focus: false,
            arrived: false,
            chosen: 0,
            touched: None,
        }
    }

    /// Whether keys for the group wait instead of going to a client.
    pub fn holds_keys(&self) -> bool {
        self.hold || self.phase != Phase::Live
    }

    /// A ghost was touched; true when that is worth telling.
    pub fn touch(&mut self) -> bool {
        if self.hold || self.phase != (Phase::Ghost { waking: false }) {
            return false;
        }
        let again = self.touched.is_none_or(|at| at.elapsed() >= TOUCH_AGAIN);
        if again {
            self.touched = Some(Instant::now());
        }
        again
    }

    /// The next touch counts anew.
    pub fn forget_touch(&mut self) {
        self.touched = None;
    }

    /// `copy` is the group from now on.
    pub fn adopt(&mut self, copy: CopyId) {
        if let Some(old) = self.holder.replace(copy)
            && old != copy
        {
            self.retired.insert(old);
        }
        self.retired.remove(&copy);
    }
}
