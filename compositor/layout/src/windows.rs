//! What happens to windows: they open, close, sleep and wake, become dialogs, fill the desktop, are put away.

use crate::desktop::{DEEPEST, Desktop};
use crate::drag::Drag;
use crate::geometry::{Edges, Limits, Rect, Size};
use crate::op::Refused;
use crate::output::OutputId;
use crate::place::Place;
use crate::placement;
use crate::window::{Opening, Window, WindowId};
use crate::workspace::WorkspaceId;

/// A new window is placed beside so many of the topmost others; below them nothing is seen anyway.
const MOST_OTHERS: usize = 24;

impl Desktop {
    pub(crate) fn open(&mut self, id: WindowId, opening: Opening) -> Result<(), Refused> {
        if self.windows.contains_key(&id) {
            return Err(Refused::WindowExists);
        }
        if let Some(parent) = opening.parent {
            self.get(parent)?;
            if self.ancestry(parent).count() >= DEEPEST {
                return Err(Refused::Lineage);
            }
        }
        let of_focused = opening.parent.is_some() && opening.parent == self.focused();
        let workspace = self.workspace_for(&opening);
        let tiled = !self.would_float(&opening);
        let floating = self.first_rect(workspace, &opening);
        let place = opening.place.unwrap_or_default();
        let window = Window {
            workspace,
            parent: opening.parent,
            modal: opening.modal,
            limits: opening.limits.sane(),
            floating,
            tiled,
            maximised: place.maximised,
            fullscreen: place.fullscreen,
            minimised: place.minimised,
            concealed: false,
            asleep: opening.asleep,
            urgent: false,
            former_tile: place.tiled,
            height: 0,
            used: 0,
            dragged: Edges::default(),
        };
        self.windows.insert(id, window);
        if tiled {
            self.make_tile(id);
        }
        if place.above > 0 {
            self.stand_at(id, place.above);
        } else {
            self.raise(id);
        }
        let may = opening.focus || (of_focused && !opening.asleep);
        if may && !self.is_away(id) {
            return self.choose(id, true);
        }
        if place.above == 0 {
            self.keep_focused_on_top(workspace);
        }
        Ok(())
    }

    /// Whether a window that opens so floats.
    pub fn would_float(&self, opening: &Opening) -> bool {
        let place = opening.place.as_ref().and_then(|p| p.floats);
        let said = place.or(opening.floats);
        said.unwrap_or(
            opening.parent.is_some() || opening.limits.sane().is_fixed() || !self.options.tile,
        )
    }

    fn workspace_for(&mut self, opening: &Opening) -> WorkspaceId {
        let parent = opening.parent.and_then(|p| self.windows.get(&p));
        if let Some(parent) = parent {
            return parent.workspace;
        }
        let restored = opening
            .place
            .as_ref()
            .and_then(|p| self.workspace_of_place(p));
        let here = restored.or(self.shown_on(self.seat()));
        // Every output has a workspace: tidy() sees to that.
        here.unwrap_or_else(|| self.add_workspace("1".into(), self.seat))
    }

    fn workspace_of_place(&mut self, place: &Place) -> Option<WorkspaceId> {
        let name = place.workspace.as_deref().filter(|name| !name.is_empty())?;
        if let Some(id) = self.workspace_named(name) {
            return Some(id);
        }
        let home = place.output.as_ref().and_then(|o| self.output_for(o));
        Some(self.add_workspace(name.to_owned(), home.unwrap_or(self.seat())))
    }

    /// Where it floats, relative to its output: where it was, over its parent, or where there is room.
    fn first_rect(&self, workspace: WorkspaceId, opening: &Opening) -> Rect {
        if let Some(rect) = opening.place.as_ref().and_then(|p| p.floating) {
            return rect.sane();
        }
        let (output, usable) = self.ground(workspace);
        let origin = crate::Point::new(-output.x, -output.y);
        let size = opening.limits.sane().nearest(opening.size.sane());
        if let Some(parent) = opening.parent {
            let over = placement::over(usable, self.rect_of(parent), size);
            return over.moved(origin);
        }
        let mut others: Vec<(WindowId, &Window)> = self
            .of_workspace(workspace)
            .filter(|(_, w)| !w.tiled && !w.fills() && !w.is_away())
            .collect();
        others.sort_by_key(|(_, w)| std::cmp::Reverse(w.height));
        others.truncate(MOST_OTHERS);
        let others: Vec<Rect> = others.iter().map(|(id, _)| self.rect_of(*id)).collect();
        placement::beside(usable, size, &others).moved(origin)
    }

    pub(crate) fn close(&mut self, id: WindowId) -> Result<(), Refused> {
        let window = self.get(id)?;
        let (workspace, parent) = (window.workspace, window.parent);
        self.forget_drag_of(id);
        for child in self.windows.values_mut().filter(|w| w.parent == Some(id)) {
            child.parent = parent;
        }
        if let Some(w) = self.workspaces.get_mut(&workspace) {
            w.strip.remove(id);
        }
        self.windows.remove(&id);
        self.moved.insert(workspace);
        self.refocus(workspace, parent);
        Ok(())
    }

    pub(crate) fn replace(&mut self, old: WindowId, new: WindowId) -> Result<(), Refused> {
        self.get(old)?;
        if self.windows.contains_key(&new) {
            return Err(Refused::WindowExists);
        }
        let Some(window) = self.windows.remove(&old) else {
            return Err(Refused::NoSuchWindow);
        };
        if let Some(w) = self.workspaces.get_mut(&window.workspace) {
            w.strip.rename(old, new);
        }
        self.windows.insert(new, window);
        for child in self.windows.values_mut().filter(|w| w.parent == Some(old)) {
            child.parent = Some(new);
        }
        if self.focus == Some(old) {
            self.focus = Some(new);
        }
        if let Some(drag) = self.drag.as_mut().filter(|d| d.window == old) {
            drag.window = new;
        }
        Ok(())
    }

    pub(crate) fn sleep(&mut self, id: WindowId, keep_focus: bool) -> Result<(), Refused> {
        let workspace = self.get(id)?.workspace;
        let focused = self.focused() == Some(id);
        // A ghost can be moved, but nobody is there to be resized.
        if self.drag.as_ref().is_some_and(Drag::is_resize) {
            self.forget_drag_of(id);
        }
        self.get_mut(id)?.asleep = true;
        if focused {
            let next = if keep_focus {
                Some(id)
            } else {
                self.latest_used(workspace)
            };
            self.focus = next;
        }
        Ok(())
    }

    pub(crate) fn wake(&mut self, id: WindowId) -> Result<(), Refused> {
        self.get_mut(id)?.asleep = false;
        Ok(())
    }

    pub(crate) fn conceal(&mut self, id: WindowId, on: bool) -> Result<(), Refused> {
        self.get(id)?;
        self.put_away(id, |w| w.concealed = on)
    }

    pub(crate) fn set_minimised(&mut self, id: WindowId, on: bool) -> Result<(), Refused> {
        self.get(id)?;
        self.put_away(id, |w| w.minimised = on)
    }

    fn put_away(&mut self, id: WindowId, how: impl FnOnce(&mut Window)) -> Result<(), Refused> {
        self.forget_drag_of(id);
        let window = self.get_mut(id)?;
        how(window);
        let (workspace, parent) = (window.workspace, window.parent);
        self.moved.insert(workspace);
        self.refocus(workspace, parent);
        Ok(())
    }

    pub(crate) fn set_parent(
        &mut self,
        id: WindowId,
        parent: Option<WindowId>,
    ) -> Result<(), Refused> {
        self.get(id)?;
        let branch: Vec<WindowId> = {
            let below = |w: &WindowId| self.ancestry(*w).any(|(a, _)| a == id);
            self.windows.keys().copied().filter(below).collect()
        };
        if let Some(parent) = parent {
            let workspace = self.get(parent)?.workspace;
            let above = self.ancestry(parent).count();
            let own = self.ancestry(id).count();
            let deepest = branch.iter().map(|w| self.ancestry(*w).count()).max();
            if branch.contains(&parent) || above + deepest.unwrap_or(own) - own + 1 > DEEPEST {
                return Err(Refused::Lineage);
            }
            self.transfer(&branch, workspace);
        }
        self.get_mut(id)?.parent = parent;
        Ok(())
    }

    pub(crate) fn set_modal(&mut self, id: WindowId, modal: bool) -> Result<(), Refused> {
        self.get_mut(id)?.modal = modal;
        Ok(())
    }

    pub(crate) fn set_limits(&mut self, id: WindowId, limits: Limits) -> Result<(), Refused> {
        let window = self.get_mut(id)?;
        window.limits = limits.sane();
        Ok(())
    }

    pub(crate) fn drew(&mut self, id: WindowId, size: Size) -> Result<(), Refused> {
        let window = self.get(id)?;
        if window.asleep {
            return Err(Refused::Asleep);
        }
        let dragged = self.drag.as_ref().is_some_and(|d| d.window == id);
        // As long as it is not where it wishes to be (on a small guest output, say), what it draws is not its wish either.
        let at_home = self.rect_of(id).size() == window.floating.size();
        if window.tiled || window.fills() || dragged || !at_home {
            return Ok(());
        }
        let window = self.get_mut(id)?;
        window.floating = anchored(window.floating, window.dragged, size.sane()).sane();
        Ok(())
    }

    pub(crate) fn put(&mut self, id: WindowId, rect: Rect) -> Result<(), Refused> {
        let window = self.get(id)?;
        if window.tiled || window.fills() {
            return Err(Refused::NotFloating);
        }
        self.forget_drag_of(id);
        let window = self.get_mut(id)?;
        let rect = rect.sane();
        window.floating = Rect::of(rect.at(), window.limits.nearest(rect.size()));
        window.dragged = Edges::default();
        Ok(())
    }

    pub(crate) fn set_floating(&mut self, id: WindowId, on: bool) -> Result<(), Refused> {
        if self.get(id)?.tiled != on {
            return Ok(());
        }
        self.forget_drag_of(id);
        if on {
            self.make_floating(id);
        } else {
            self.make_tile(id);
        }
        Ok(())
    }

    pub(crate) fn set_maximised(&mut self, id: WindowId, on: bool) -> Result<(), Refused> {
        self.get(id)?;
        self.forget_drag_of(id);
        self.get_mut(id)?.maximised = on;
        Ok(())
    }

    pub(crate) fn set_fullscreen(
        &mut self,
        id: WindowId,
        on: bool,
        output: Option<OutputId>,
    ) -> Result<(), Refused> {
        let from = self.get(id)?.workspace;
        if let (true, Some(output)) = (on, output) {
            let connected = self.outputs.get(&output).is_some_and(|o| o.connected);
            let target = self.shown_on(output).filter(|_| connected);
            let to = target.ok_or(Refused::NoSuchOutput)?;
            self.transfer(&self.family_of(id), to);
            self.refocus(from, None);
        }
        self.forget_drag_of(id);
        self.get_mut(id)?.fullscreen = on;
        Ok(())
    }

    pub(crate) fn send(&mut self, id: WindowId, name: &str, follow: bool) -> Result<(), Refused> {
        let from = self.get(id)?.workspace;
        if follow && self.ancestry(id).any(|(_, w)| w.concealed) {
            return Err(Refused::NotShown);
        }
        let to = self.workspace_or_new(name)?;
        self.forget_drag_of(id);
        let family = self.family_of(id);
        self.transfer(&family, to);
        if follow {
            return self.choose(id, true);
        }
        if to != from && self.focus.is_some_and(|f| family.contains(&f)) {
            self.focus = self.latest_used(from);
        }
        Ok(())
    }

    /// These go to another workspace, tiles to the end of its strip.
    pub(crate) fn transfer(&mut self, windows: &[WindowId], to: WorkspaceId) {
        for id in windows {
            let Some(window) = self.windows.get_mut(id).filter(|w| w.workspace != to) else {
                continue;
            };
            let from = std::mem::replace(&mut window.workspace, to);
            window.former_tile = None;
            if window.tiled {
                if let Some(w) = self.workspaces.get_mut(&from) {
                    w.strip.remove(*id);
                }
                self.make_tile(*id);
            }
            self.moved.extend([from, to]);
        }
    }
}

/// The rectangle with another size: edges that were not dragged stay where they are.
pub(crate) fn anchored(rect: Rect, dragged: Edges, size: Size) -> Rect {
    let x = if dragged.left {
        rect.right() - size.w
    } else {
        rect.x
    };
    let y = if dragged.top {
        rect.bottom() - size.h
    } else {
        rect.y
    };
    Rect::new(x, y, size.w, size.h)
}
