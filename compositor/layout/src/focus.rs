//! Who has the focus, and what stands above what.
//!
//! The focus is somebody's choice: the user's, or a client's that showed a valid token. It moves by itself in one case only: the
//! window that has it goes. Then the window it was a dialog of takes it, or the one last used on the same workspace;
//! never a ghost, because waking it is for the user to decide.

use crate::desktop::Desktop;
use crate::geometry::{Point, Rect};
use crate::op::{Direction, Refused};
use crate::window::WindowId;
use crate::workspace::WorkspaceId;

/// Heights from elsewhere are cut here, so that there is always room above.
const HIGHEST_FROM_ELSEWHERE: u32 = 1 << 30;

impl Desktop {
    /// The window that has the focus.
    pub fn focused(&self) -> Option<WindowId> {
        let wished = self.focus?;
        let holder = if self.can_have_focus(wished) {
            wished
        } else {
            let here = self.shown_on(self.seat())?;
            self.latest_used(here).filter(|w| self.can_have_focus(*w))?
        };
        Some(self.modal_over(holder))
    }

    /// The window that has the focus got it by somebody's choice, and did not merely inherit it. Only a chosen focus is worth
    /// restoring elsewhere.
    pub fn focus_is_chosen(&self) -> bool {
        let holder = self.focused().and_then(|f| self.windows.get(&f));
        holder.is_some_and(|w| w.used == self.clock && self.clock > 0)
    }

    /// The user went to this workspace: what was last used there has the focus.
    pub(crate) fn choose_latest(&mut self, workspace: Option<WorkspaceId>) {
        self.focus = None;
        if let Some(latest) = workspace.and_then(|w| self.latest_used(w)) {
            // It is there and not away: it cannot be refused.
            let _ = self.choose(latest, false);
        }
    }

    /// The output of who has the focus is away, another window stands in, and now something happens: it happens to the focus as it
    /// is. Without any output there is none, and the wish waits (a monitor that sleeps looks unplugged).
    pub(crate) fn accept_focus(&mut self) {
        let waits = self.focus.is_some_and(|f| !self.can_have_focus(f));
        if waits && self.connected().next().is_some() {
            self.focus = self.focused();
        }
    }

    /// The user can see it, or scroll there.
    pub(crate) fn can_have_focus(&self, window: WindowId) -> bool {
        let known = self.windows.get(&window);
        known.is_some_and(|w| self.is_on_show(w.workspace) && !self.is_hidden(w))
    }

    /// Of those on a workspace that are there and awake, the one last used.
    pub(crate) fn latest_used(&self, workspace: WorkspaceId) -> Option<WindowId> {
        self.of_workspace(workspace)
            .filter(|(_, w)| !w.asleep && !self.is_hidden(w))
            .max_by_key(|(id, w)| (w.used, w.height, *id))
            .map(|(id, _)| id)
    }

    /// The modal dialog that takes the focus instead of the window, or the window itself.
    fn modal_over(&self, window: WindowId) -> WindowId {
        let mut top = window;
        for _ in 0..crate::desktop::DEEPEST {
            let children = self
                .windows()
                .filter(|(_, w)| w.parent == Some(top) && w.modal && !w.asleep && !w.is_away());
            match children.max_by_key(|(id, w)| (w.height, *id)) {
                Some((modal, _)) => top = modal,
                None => break,
            }
        }
        top
    }

    pub(crate) fn choose(&mut self, id: WindowId, raise: bool) -> Result<(), Refused> {
        let workspace = self.get(id)?.workspace;
        if self.ancestry(id).any(|(_, w)| w.concealed) {
            return Err(Refused::NotShown);
        }
        let line: Vec<WindowId> = self.ancestry(id).map(|(a, _)| a).collect();
        self.clock += 1;
        let now = self.clock;
        for ancestor in line {
            self.get_mut(ancestor)?.minimised = false;
        }
        let window = self.get_mut(id)?;
        window.used = now;
        window.urgent = false;
        self.show(workspace);
        self.focus = Some(id);
        self.moved.insert(workspace);
        if raise {
            self.raise(id);
        }
        Ok(())
    }

    pub(crate) fn demand(&mut self, id: WindowId) -> Result<(), Refused> {
        let focused = self.focused() == Some(id);
        self.get_mut(id)?.urgent = !focused;
        Ok(())
    }

    pub(crate) fn unfocus(&mut self) -> Result<(), Refused> {
        self.focus = None;
        Ok(())
    }

    pub(crate) fn inherit(&mut self) -> Result<(), Refused> {
        if self.focused().is_none() {
            let here = self.shown_on(self.seat());
            self.focus = here.and_then(|w| self.latest_used(w));
        }
        Ok(())
    }

    /// The window with the focus may have gone: its heir takes it, else whoever was last used on the workspace.
    pub(crate) fn refocus(&mut self, workspace: WorkspaceId, heir: Option<WindowId>) {
        let Some(focus) = self.focus else { return };
        let gone = !self.windows.contains_key(&focus) || self.is_away(focus);
        let left = self
            .windows
            .get(&focus)
            .is_some_and(|w| w.workspace != workspace);
        if gone || (left && !self.can_have_focus(focus)) {
            let awake = |w: &WindowId| self.windows.get(w).is_some_and(|w| !w.asleep);
            let heir = heir.filter(|w| awake(w) && self.can_have_focus(*w));
            self.focus = heir.or_else(|| self.latest_used(workspace));
        }
    }

    pub(crate) fn focus_side(&mut self, side: Direction) -> Result<(), Refused> {
        let from = self.focused().ok_or(Refused::NothingThere)?;
        let neighbour = self.tile_beside(from, side);
        let next = neighbour.or_else(|| self.nearest_at(from, side));
        self.choose(next.ok_or(Refused::NothingThere)?, true)
    }

    /// The window in sight whose middle lies that way, nearest first; what lies aside counts double.
    fn nearest_at(&self, from: WindowId, side: Direction) -> Option<WindowId> {
        let arrangement = self.arrange();
        let middle = |r: Rect| r.middle();
        let here = middle(arrangement.slot(from)?.rect);
        let distance = |there: Point| {
            let (dx, dy) = (i64::from(there.x - here.x), i64::from(there.y - here.y));
            let (ahead, aside) = match side {
                Direction::Left => (-dx, dy),
                Direction::Right => (dx, dy),
                Direction::Up => (-dy, dx),
                Direction::Down => (dy, dx),
            };
            (ahead > 0).then_some(ahead + 2 * aside.abs())
        };
        let others = arrangement.stack.iter().filter(|w| **w != from);
        let ahead =
            others.filter_map(|w| Some((distance(middle(arrangement.slot(*w)?.rect))?, *w)));
        ahead.min().map(|(_, w)| w)
    }

    pub(crate) fn raise_family(&mut self, id: WindowId) -> Result<(), Refused> {
        self.get(id)?;
        self.raise(id);
        Ok(())
    }

    pub(crate) fn lower_family(&mut self, id: WindowId) -> Result<(), Refused> {
        self.get(id)?;
        let family = self.family_of(id);
        self.number_anew(|w| family.contains(&w));
        Ok(())
    }

    /// The family to the top: parents below children, the branch of `id` above its siblings, otherwise in the order it has.
    pub(crate) fn raise(&mut self, id: WindowId) {
        let family = self.family_of(id);
        if self.highest > u32::MAX - 1 - family.len() as u32 {
            self.number_anew(|_| false);
        }
        let line: Vec<WindowId> = self.ancestry(id).map(|(a, _)| a).collect();
        let mut order: Vec<(usize, bool, u32, WindowId)> = Vec::new();
        for member in family {
            let height = self.windows.get(&member).map_or(0, |w| w.height);
            let depth = self.ancestry(member).count();
            order.push((depth, line.contains(&member), height, member));
        }
        order.sort();
        for (_, _, _, member) in order {
            self.highest += 1;
            if let Some(window) = self.windows.get_mut(&member) {
                window.height = self.highest;
            }
        }
    }

    /// A height that the window had elsewhere.
    pub(crate) fn stand_at(&mut self, id: WindowId, height: u32) {
        let height = height.min(HIGHEST_FROM_ELSEWHERE);
        self.highest = self.highest.max(height);
        if let Some(window) = self.windows.get_mut(&id) {
            window.height = height;
        }
    }

    /// What opened without the focus does not cover what has it.
    pub(crate) fn keep_focused_on_top(&mut self, workspace: WorkspaceId) {
        let focused = self.focused().filter(|f| {
            self.windows
                .get(f)
                .is_some_and(|w| w.workspace == workspace)
        });
        if let Some(focused) = focused {
            self.raise(focused);
        }
    }

    /// Heights from 1, in the order that they have, those that `lowest` names first.
    fn number_anew(&mut self, lowest: impl Fn(WindowId) -> bool) {
        let all = self.windows.iter();
        let mut order: Vec<(bool, u32, WindowId)> =
            all.map(|(id, w)| (!lowest(*id), w.height, *id)).collect();
        order.sort();
        self.highest = 0;
        for (_, _, id) in order {
            self.highest += 1;
            if let Some(window) = self.windows.get_mut(&id) {
                window.height = self.highest;
            }
        }
    }
}
