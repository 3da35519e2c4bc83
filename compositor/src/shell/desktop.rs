//! Where everything stands. The layout (`overwinter_layout`) knows it, and nothing else does: whatever happens to windows and
//! ghosts is told to it as an [`Op`], and its answer is carried out here. Clients are asked for sizes, windows and ghosts put in
//! their places, the focus given.
//!
//! The layout's rectangles hold the frames that the session draws around windows; the shell's, and the clients', do not.

use overwinter_layout::{self as layout, Arrangement, Change, Desktop, Fill, Op, Refused, Slot};
use smithay::output::Output;
use smithay::utils::{Logical, Point, Rectangle, Size};
use wayland_server::protocol::wl_output::WlOutput;

use super::{GhostId, Item, Margins, Shell, WindowId, WindowMode};
use crate::outputs::Head;
use crate::state::Overwinter;

impl Item {
    /// What the layout calls it.
    pub fn name(self) -> layout::WindowId {
        match self {
            Item::Window(WindowId(id)) | Item::Ghost(GhostId(id)) => layout::WindowId(id),
        }
    }
}

impl WindowMode {
    /// As the layout has it.
    pub(super) fn of(slot: &Slot) -> WindowMode {
        match slot.fill {
            Fill::Own if slot.tiled => WindowMode::Tiled,
            Fill::Own => WindowMode::Floating,
            Fill::Maximised => WindowMode::Maximized,
            Fill::Fullscreen => WindowMode::Fullscreen,
        }
    }
}

/// The shell's words for the layout's.
pub(super) fn rect_of(rect: layout::Rect) -> Rectangle<i32, Logical> {
    Rectangle::new((rect.x, rect.y).into(), (rect.w, rect.h).into())
}

/// The layout's words for the shell's.
pub(super) fn rect_to(rect: Rectangle<i32, Logical>) -> layout::Rect {
    layout::Rect::new(rect.loc.x, rect.loc.y, rect.size.w, rect.size.h)
}

pub(super) fn size_of(size: layout::Size) -> Size<i32, Logical> {
    (size.w, size.h).into()
}

pub(super) fn size_to(size: Size<i32, Logical>) -> layout::Size {
    layout::Size::new(size.w, size.h)
}

impl Margins {
    /// Where the window itself goes that has this slot, drawing this size.
    fn within(self, slot: &Slot, drawn: Size<i32, Logical>) -> Point<i32, Logical> {
        let outer = self.outer(Rectangle::from_size(drawn)).size;
        let at = slot.at_for(size_to(outer));
        Point::from((at.x, at.y)) + self.offset()
    }
}

impl Shell {
    /// Outputs, workspaces and windows, and what each wishes. It changes by [`Overwinter::layout`] alone.
    pub fn desktop(&self) -> &Desktop {
        &self.desktop
    }

    /// Where everything is, by the layout's names.
    pub fn arrangement(&self) -> &Arrangement {
        &self.arrangement
    }

    /// What the layout calls so.
    pub fn item_of(&self, name: layout::WindowId) -> Option<Item> {
        let (window, ghost) = (WindowId(name.0), GhostId(name.0));
        if self.windows.contains_key(&window) {
            return Some(Item::Window(window));
        }
        let known = self.ghosts.contains_key(&ghost);
        known.then_some(Item::Ghost(ghost))
    }

    /// Its place, if it has one.
    pub fn slot(&self, item: Item) -> Option<&Slot> {
        self.arrangement.slot(item.name())
    }

    /// What is seen, lowest first.
    pub fn stack(&self) -> &[Item] {
        &self.stack
    }

    /// Everything that has a place, lowest first: also what is put away, scrolled out of view or on a workspace that is not
    /// shown.
    pub fn standing(&self) -> Vec<Item> {
        let there = self.desktop.windows().filter(|(_, w)| !w.concealed);
        let mut standing: Vec<_> = there.map(|(name, w)| (w.height(), name)).collect();
        standing.sort();
        let items = standing.into_iter();
        items.filter_map(|(_, name)| self.item_of(name)).collect()
    }

    /// Whether it has a place on the desktop. It may be put away, or on a workspace that is not shown.
    pub fn stands(&self, item: Item) -> bool {
        let known = self.desktop.window(item.name());
        known.is_some_and(|w| !w.concealed)
    }

    /// How high it stands; 0 when it does not.
    pub fn height(&self, item: Item) -> u32 {
        let known = self.desktop.window(item.name());
        known.map_or(0, layout::Window::height)
    }

    /// Whether the user put it away.
    pub fn is_minimised(&self, item: Item) -> bool {
        let known = self.desktop.window(item.name());
        known.is_some_and(|w| w.minimised)
    }

    /// What has the focus.
    pub fn focus(&self) -> Option<Item> {
        self.item_of(self.arrangement.focus?)
    }

    /// The user (or a new window) chose what has the focus; it did not fall to it.
    pub fn focus_is_chosen(&self) -> bool {
        self.desktop.focus_is_chosen()
    }

    /// Where it is drawn only: a tile that is scrolled half out of view does not reach into the next output.
    pub fn clip_of(&self, item: Item) -> Option<Rectangle<i32, Logical>> {
        self.slot(item)?.clip.map(rect_of)
    }

    fn restack(&mut self) {
        let names = self.arrangement.stack.iter();
        self.stack = names.filter_map(|name| self.item_of(*name)).collect();
    }
}

impl Overwinter {
    /// Does what the user, a client or the hardware wishes of windows, workspaces, outputs or the focus.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn layout(&mut self, op: Op) -> Result<(), Refused> {
        self.shell.desktop.apply(op)?;
        self.follow_layout(None);
        Ok(())
    }

    /// As [`layout`](Self::layout), of what happens at once. What makes no sense is passed over.
    pub(crate) fn layout_all(&mut self, ops: impl IntoIterator<Item = Op>) {
        self.apply_ops(ops);
        self.follow_layout(None);
    }

    /// As [`layout_all`](Self::layout_all), but this window hears nothing yet: what changes for it goes with its next configure.
    pub(super) fn layout_quietly(&mut self, of: WindowId, op: Op) {
        self.apply_ops([op]);
        self.follow_layout(Some(of));
    }

    fn apply_ops(&mut self, ops: impl IntoIterator<Item = Op>) {
        for op in ops {
            if let Err(refused) = self.shell.desktop.apply(op.clone()) {
                tracing::debug!(?op, %refused, "the layout is not changed");
            }
        }
    }

    /// How new windows are placed, from now on.
    pub fn set_layout_options(&mut self, options: layout::Options) {
        self.shell.desktop.set_options(options);
        self.follow_layout(None);
    }

    /// Makes the screen and the clients follow the layout.
    fn follow_layout(&mut self, quiet: Option<WindowId>) {
        let now = self.shell.desktop.arrange();
        let changes = now.since(&self.shell.arrangement);
        self.shell.arrangement = now;
        self.shell.restack();
        let mut asked = Vec::new();
        for change in &changes {
            let (name, before) = match change {
                Change::Came(name, _) => (*name, None),
                Change::Changed { window, from, .. } => (*window, Some(from)),
                Change::Stands | Change::Went(_) | Change::Stack | Change::Focus { .. } => continue,
            };
            let Some(item) = self.shell.item_of(name) else {
                continue;
            };
            if let Some(id) = self.fit(item, before)
                && quiet != Some(id)
            {
                asked.push(id);
            }
        }
        self.shell.note_choice();
        if changes.iter().any(|c| matches!(c, Change::Focus { .. })) {
            self.focus_moved();
        }
        for id in asked {
            if let Some(window) = self.shell.window(id).filter(|w| w.is_configured()) {
                window.send_pending();
            }
        }
        if !changes.is_empty() {
            self.input.scene_moved = true;
            self.schedule_frame();
        }
    }

    /// Something has another slot. The window if it has to hear of it.
    fn fit(&mut self, item: Item, before: Option<&Slot>) -> Option<WindowId> {
        let slot = *self.shell.slot(item)?;
        let mode = WindowMode::of(&slot);
        let id = match item {
            Item::Window(id) => id,
            Item::Ghost(id) => {
                let ghost = self.shell.ghosts.get_mut(&id)?;
                ghost.mode = mode;
                let at = ghost.frame_margins().within(&slot, ghost.rect().size);
                ghost.move_to(at);
                return None;
            }
        };
        let window = self.shell.window_mut(id)?;
        window.mode = mode;
        let unseen = |s: &Slot| s.visibility != layout::Visibility::Shown;
        let vanishes = unseen(&slot) && before.is_some_and(|b| !unseen(b));
        let told = |s: &Slot| (s.rect.size(), s.fill, s.tiled, s.resizing);
        let news = before.is_none_or(|b| told(b) != told(&slot));
        if news {
            window.ask_for(&slot);
        }
        if vanishes {
            let surface = window.wl_surface().clone();
            self.dismiss_popups(&surface);
        }
        self.settle_at(id);
        news.then_some(id)
    }

    /// Puts a window where its slot says. One that has not yet drawn what it is to fill, or no longer, waits where it was: its old
    /// picture would jump.
    pub(super) fn settle_at(&mut self, id: WindowId) {
        let item = Item::Window(id);
        let Some(slot) = self.shell.slot(item).copied() else {
            return;
        };
        let Some(window) = self.shell.window_mut(id) else {
            return;
        };
        if window.placed && window.window.drawn_mode() != window.mode {
            return;
        }
        window.placed = true;
        let at = window.frame_margins().within(&slot, window.geometry().size);
        if std::mem::replace(&mut window.location, at) != at {
            self.input.scene_moved = true;
            self.reconstrain_popups(item);
            self.schedule_frame();
        }
    }

    /// The frame of a window came, went or has another size: it counts as part of the window.
    pub fn frame_changed(&mut self, id: WindowId) {
        let item = Item::Window(id);
        let (Some(slot), Some(window)) =
            (self.shell.slot(item).copied(), self.shell.window_mut(id))
        else {
            return;
        };
        if slot.fill == Fill::Own && !slot.tiled {
            let outer = size_to(window.outer_size());
            self.layout_quietly(id, Op::Drew(item.name(), outer));
        } else {
            window.ask_for(&slot);
        }
        self.settle_at(id);
        if let Some(window) = self.shell.window(id).filter(|w| w.is_configured()) {
            window.send_pending();
        }
    }
}

/// Outputs, as the layout knows them.
impl Overwinter {
    /// Tells the layout which outputs are in use, where they stand, and what panels leave of them.
    pub(super) fn lay_out_outputs(&mut self) {
        let desktop = &self.shell.desktop;
        let known = |output: &Output| desktop.output_at(&output.name());
        let used = |id| self.outputs.used().any(|h| known(&h.output) == Some(id));
        let connected = desktop.outputs().filter(|(_, o)| o.connected);
        let gone = connected.map(|(id, _)| id).filter(|id| !used(*id));
        let mut ops: Vec<Op> = gone.map(Op::Unplug).collect();
        for head in self.outputs.used() {
            let mode = mode_of(head);
            ops.push(match known(&head.output) {
                Some(id) => Op::SetMode(id, mode),
                None => Op::Plug {
                    identity: identity_of(&head.output),
                    mode,
                },
            });
        }
        self.apply_ops(ops);
        let reserve = |head: &Head| {
            let id = self.shell.desktop.output_at(&head.name())?;
            let room = self.shell.layers.zone(head.id)?;
            Some(Op::Reserve(id, margins_between(head.area(), room)))
        };
        let reserved: Vec<Op> = self.outputs.used().filter_map(reserve).collect();
        self.layout_all(reserved);
    }

    /// The part of the focused output that panels leave to windows.
    pub fn work_area(&self) -> Rectangle<i32, Logical> {
        let seat = self.shell.desktop.seat();
        let stands = &self.shell.arrangement.stands;
        let stand = stands.iter().find(|s| s.output == seat);
        stand.map_or_else(|| self.area(), |s| rect_of(s.usable))
    }

    /// The output that a client means.
    pub fn layout_output(&self, output: &WlOutput) -> Option<layout::OutputId> {
        let name = Output::from_resource(output)?.name();
        self.shell.desktop.output_at(&name)
    }
}

fn identity_of(output: &Output) -> layout::OutputIdentity {
    let about = output.physical_properties();
    layout::OutputIdentity {
        connector: output.name(),
        make: about.make,
        model: about.model,
        serial: String::new(),
    }
}

fn mode_of(head: &Head) -> layout::OutputMode {
    let pixels = head
        .output
        .current_transform()
        .transform_size(head.pixels());
    let at = head.area().loc;
    layout::OutputMode {
        pixels: layout::Size::new(pixels.w, pixels.h),
        scale: layout::Scale::from_120ths((head.scale() * 120.0).round() as u32),
        position: Some(layout::Point::new(at.x, at.y)),
    }
}

/// What lies between an area and the room that is left of it.
fn margins_between(all: Rectangle<i32, Logical>, room: Rectangle<i32, Logical>) -> layout::Margins {
    layout::Margins {
        top: room.loc.y - all.loc.y,
        left: room.loc.x - all.loc.x,
        right: all.loc.x + all.size.w - room.loc.x - room.size.w,
        bottom: all.loc.y + all.size.h - room.loc.y - room.size.h,
    }
}
