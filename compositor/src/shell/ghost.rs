//! Ghosts: the pictures that stand where a group's windows were.

use overwinter_layout::{self as layout, Op};
use overwinter_proto::snapshot::{Picture, Placement, WindowSnapshot};
use overwinter_session::ids::GroupId;
use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::element::memory::{
    MemoryRenderBuffer, MemoryRenderBufferRenderElement,
};
use smithay::backend::renderer::element::solid::SolidColorRenderElement;
use smithay::backend::renderer::element::{Id, Kind};
use smithay::backend::renderer::utils::CommitCounter;
use smithay::backend::renderer::{Color32F, Texture};
use smithay::utils::{Logical, Point, Rectangle, Scale, Size, Transform};

use super::desktop::{rect_to, size_to};
use super::group::{Group, Phase};
use super::{GhostId, Item, Shell, Visibility, WindowId, WindowMode};
use crate::render::{Decor, Painter, SceneElement, SceneRenderer, Sleep};
use crate::state::Overwinter;

/// The line below a ghost that is waking. Outside the window geometry: within it the picture is exactly the window's.
const WAKING: Color32F = Color32F::new(92.0 / 255.0, 158.0 / 255.0, 242.0 / 255.0, 1.0);
/// The same line when keys are refused because too many are held already.
const REFUSING: Color32F = Color32F::new(230.0 / 255.0, 64.0 / 255.0, 51.0 / 255.0, 1.0);
/// Its height in logical pixels.
const LINE: i32 = 3;

/// A picture that stands in for a window.
#[derive(Debug)]
pub struct Ghost {
    /// Its name.
    pub id: GhostId,
    /// Whose.
    pub group: GroupId,
    /// The app's own name of the window.
    pub name: String,
    /// Title of the window.
    pub title: String,
    /// How the window filled the desktop.
    pub mode: WindowMode,
    /// The window it was taken of, if that still exists.
    pub source: Option<WindowId>,
    /// Had the focus.
    pub focused: bool,
    /// It has a frame, as its window had.
    pub framed: bool,
    rect: Rectangle<i32, Logical>,
    picture: Picture,
    /// The picture, as dim as `dim` says.
    buffer: MemoryRenderBuffer,
    dim: u8,
    /// How it stands with the group; nothing while its windows only change their process.
    sleep: Option<Sleep>,
    line: Option<(Id, Color32F)>,
}

impl Ghost {
    /// A ghost of `picture` at `rect` (window geometry).
    fn new(id: GhostId, group: GroupId, snapshot: WindowSnapshot, picture: Picture) -> Ghost {
        let place = snapshot.place;
        Ghost {
            id,
            group,
            name: snapshot.name,
            title: snapshot.title,
            mode: mode_of(place),
            source: None,
            focused: place.focused,
            framed: false,
            rect: Rectangle::new(
                (place.x, place.y).into(),
                (place.width.max(1), place.height.max(1)).into(),
            ),
            buffer: buffer(&picture, 0),
            picture,
            dim: 0,
            sleep: None,
            line: None,
        }
    }

    /// The window geometry it stands for.
    pub fn rect(&self) -> Rectangle<i32, Logical> {
        self.rect
    }

    /// Moves it, as the layout says.
    pub(super) fn move_to(&mut self, at: Point<i32, Logical>) {
        self.rect.loc = at;
    }

    /// How it stands with its group, where that is to be seen.
    pub fn sleep(&self) -> Option<Sleep> {
        self.sleep
    }

    /// Only what sleeps is dimmed: a window that is taken over by another process looks as it is.
    fn dim_to(&mut self, dim: u8) {
        let dim = if self.sleep.is_some() { dim } else { 0 };
        if self.dim != dim {
            self.dim = dim;
            self.buffer = buffer(&self.picture, dim);
        }
    }

    /// As what it would be stored, at this height in the stack.
    fn snapshot(&self, above: u32) -> WindowSnapshot {
        WindowSnapshot {
            name: self.name.clone(),
            title: self.title.clone(),
            place: placement(self.rect, self.mode, above, self.focused),
            picture: Some(self.picture.clone()),
        }
    }

    /// What is drawn of it, topmost first.
    pub fn elements<R>(
        &self,
        renderer: &mut R,
        scale: Scale<f64>,
        decor: &Decor,
        elements: &mut Vec<SceneElement<R>>,
    ) where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        decor.above_ghost(renderer, self, scale, elements);
        if let Some((id, color)) = &self.line {
            let below = Rectangle::new(
                self.rect.loc + Point::from((0, self.rect.size.h)),
                (self.rect.size.w, LINE).into(),
            );
            let below = below.to_physical_precise_round(scale);
            let line = SolidColorRenderElement::new(
                id.clone(),
                below,
                CommitCounter::default(),
                *color,
                Kind::Unspecified,
            );
            elements.push(line.into());
        }
        let pixels =
            Size::<i32, Logical>::from((self.picture.width as i32, self.picture.height as i32))
                .to_f64();
        let logical = pixels
            .downscale(f64::from(self.picture.scale_120.max(1)) / 120.0)
            .to_i32_round();
        let at = self.rect.loc - Point::from((self.picture.geometry_x, self.picture.geometry_y));
        let at: Point<i32, smithay::utils::Physical> = at.to_physical_precise_round(scale);
        let picture = MemoryRenderBufferRenderElement::from_buffer(
            renderer,
            at.to_f64(),
            &self.buffer,
            None,
            Some(Rectangle::from_size(pixels)),
            Some(logical),
            Kind::Unspecified,
        );
        match picture {
            Ok(picture) => elements.push(picture.into()),
            Err(error) => tracing::error!(%error, "a ghost could not be drawn"),
        }
    }
}

/// The picture for the renderers, this much darker (255: black).
fn buffer(picture: &Picture, dim: u8) -> MemoryRenderBuffer {
    let size = (picture.width as i32, picture.height as i32);
    let from = |argb: &[u8]| {
        MemoryRenderBuffer::from_slice(argb, Fourcc::Argb8888, size, 1, Transform::Normal, None)
    };
    if dim == 0 {
        return from(&picture.argb);
    }
    let mut argb = picture.argb.clone();
    let left = 255 - u32::from(dim);
    for pixel in argb.chunks_exact_mut(4) {
        for channel in pixel.iter_mut().take(3) {
            *channel = ((u32::from(*channel) * left + 127) / 255) as u8;
        }
    }
    from(&argb)
}

fn mode_of(place: Placement) -> WindowMode {
    if place.fullscreen {
        WindowMode::Fullscreen
    } else if place.maximized {
        WindowMode::Maximized
    } else {
        WindowMode::Floating
    }
}

fn placement(
    rect: Rectangle<i32, Logical>,
    mode: WindowMode,
    above: u32,
    focused: bool,
) -> Placement {
    Placement {
        x: rect.loc.x,
        y: rect.loc.y,
        width: rect.size.w,
        height: rect.size.h,
        above,
        maximized: mode == WindowMode::Maximized,
        fullscreen: mode == WindowMode::Fullscreen,
        focused,
    }
}

impl Shell {
    /// The ghosts of a group, lowest first.
    pub fn ghosts_of(&self, group: GroupId) -> Vec<GhostId> {
        let of_group = |item: &Item| match item {
            Item::Ghost(id) if self.ghosts.get(id).is_some_and(|g| g.group == group) => Some(*id),
            _ => None,
        };
        self.standing().iter().filter_map(of_group).collect()
    }

    /// The shown windows that are bound to the group, lowest first.
    pub fn shown_windows_of(&self, group: GroupId) -> Vec<WindowId> {
        let of_group = |item: &Item| match item {
            Item::Window(id) => {
                let bound = self.windows.get(id)?.binding.as_ref()?.group == group;
                bound.then_some(*id)
            }
            Item::Ghost(_) => None,
        };
        self.standing().iter().filter_map(of_group).collect()
    }

    /// All ghosts.
    pub fn ghosts(&self) -> impl Iterator<Item = &Ghost> {
        self.ghosts.values()
    }

    /// Ghosts of what sleeps are this much darker: 0 not at all, 1 black.
    pub fn dim_ghosts(&mut self, dim: f64) {
        let dim = (dim.clamp(0.0, 1.0) * 255.0).round() as u8;
        for ghost in self.ghosts.values_mut() {
            ghost.dim_to(dim);
        }
    }

    /// The moon on each ghost of the group, and the colour of the line below it, say how it stands with it.
    pub(super) fn mark_ghosts(&mut self, group: GroupId) {
        let Some(state) = self.groups.get(&group) else {
            return;
        };
        let color = if state.held.refusing() {
            Some(REFUSING)
        } else if matches!(state.phase, Phase::Ghost { waking: true }) {
            Some(WAKING)
        } else {
            None
        };
        let sleep = match state.phase {
            _ if state.hold => None,
            Phase::Ghost { waking: true } | Phase::Swapping { .. } => Some(Sleep::Waking),
            Phase::Ghost { waking: false } | Phase::Live => Some(Sleep::Asleep),
        };
        for ghost in self.ghosts.values_mut().filter(|g| g.group == group) {
            ghost.sleep = sleep;
            if ghost.line.as_ref().map(|(_, c)| *c) != color {
                ghost.line = color.map(|c| (Id::new(), c));
            }
        }
    }
}

impl Overwinter {
    /// The group's windows: where each stands and how it looks. Of a group whose ghosts stand in, the
    /// ghosts. Lowest first.
    pub fn capture(&mut self, group: GroupId, with_pictures: bool) -> Vec<WindowSnapshot> {
        let mut windows = Vec::new();
        for item in self.shell.standing() {
            let above = self.shell.height(item);
            match item {
                Item::Ghost(id) => {
                    if let Some(ghost) = self.shell.ghosts.get(&id).filter(|g| g.group == group) {
                        windows.push(ghost.snapshot(above));
                    }
                }
                Item::Window(id) => {
                    let bound = self.shell.window(id).and_then(|w| w.binding.as_ref());
                    if bound.is_some_and(|b| b.group == group)
                        && let Some(snapshot) = self.capture_window(id, above, with_pictures)
                    {
                        windows.push(snapshot);
                    }
                }
            }
        }
        windows
    }

    fn capture_window(
        &mut self,
        id: WindowId,
        above: u32,
        with_picture: bool,
    ) -> Option<WindowSnapshot> {
        let window = self.shell.window(id)?;
        let output = self.outputs.mostly(window.rect());
        let scale = output.map_or(1.0, |head| head.scale());
        let binding = window.binding.as_ref()?;
        // A focus that fell to the window because another one lost it is not the user's: it is not restored elsewhere.
        let had_focus = self
            .shell
            .group(binding.group)
            .is_some_and(|g| g.had_focus == Some(id) && g.had_chosen_focus);
        let focused = had_focus
            || (self.shell.focus_is_chosen() && self.shell.focus() == Some(Item::Window(id)));
        let (bbox, geometry) = (window.window.bbox(), window.geometry());
        let painter = with_picture.then(|| painter(&mut self.painter)).flatten();
        let picture = painter.and_then(|painter| {
            painter
                .window(window.wl_surface(), bbox, geometry, scale)
                .inspect_err(|error| tracing::error!(%error, "a window has no picture"))
                .ok()
        });
        Some(WindowSnapshot {
            name: binding.name.clone(),
            title: window.title(),
            place: placement(window.rect(), window.mode, above, focused),
            picture,
        })
    }

    /// The group's windows give way to their pictures, each at its place in the stack.
    pub(super) fn show_ghost(&mut self, group: GroupId) {
        let shown = self.shell.shown_windows_of(group);
        for id in &shown {
            if let Some(window) = self.shell.window(*id) {
                let surface = window.wl_surface().clone();
                self.dismiss_popups(&surface);
            }
        }
        let keep_focus = self.shell.group(group).is_some_and(|g| g.hold);
        let mut ops = Vec::new();
        for id in shown {
            self.end_drag_of(id);
            let height = self.shell.height(Item::Window(id));
            let old = Item::Window(id).name();
            if let Some(snapshot) = self.capture_window(id, height, true) {
                let new = Item::Ghost(self.add_ghost(group, snapshot, Some(id))).name();
                let window = new;
                ops.extend([Op::Replace { old, new }, Op::Sleep { window, keep_focus }]);
            } else {
                ops.push(Op::Close(old));
            }
            if let Some(window) = self.shell.window_mut(id) {
                window.visibility = Visibility::Retired;
            }
        }
        ops.extend(self.hide_unbound_children(group));
        if let Some(state) = self.shell.groups.get_mut(&group) {
            if !matches!(state.phase, Phase::Ghost { .. }) {
                state.phase = Phase::Ghost { waking: false };
            }
            state.forget_touch();
            state.had_focus = None;
        }
        self.layout_all(ops);
        self.shell.mark_ghosts(group);
        self.pointer_refocus();
        self.schedule_frame();
    }

    /// Dialogs that belong to the group only by their parent go and come with it.
    fn hide_unbound_children(&mut self, group: GroupId) -> Vec<Op> {
        let children: Vec<WindowId> = self
            .shell
            .windows()
            .filter(|w| w.binding.is_none() && self.shell.group_of(w.id) == Some(group))
            .map(|w| w.id)
            .collect();
        for id in &children {
            if let Some(window) = self.shell.window_mut(*id) {
                window.visibility = Visibility::Retired;
            }
        }
        let concealed = children.into_iter().map(Item::Window);
        let known = concealed.filter(|item| self.shell.stands(*item));
        known.map(|item| Op::Conceal(item.name(), true)).collect()
    }

    /// The ghost goes; if it had the focus, another takes it.
    pub(super) fn remove_ghost(&mut self, id: GhostId) {
        self.shell.ghosts.remove(&id);
        self.layout_all([Op::Close(Item::Ghost(id).name())]);
    }

    /// The ghost goes, and the window stands where it stood, in every respect.
    pub(super) fn give_way(&mut self, ghost: GhostId, id: WindowId) -> Option<Ghost> {
        let (old, new) = (Item::Ghost(ghost).name(), Item::Window(id).name());
        let window = self.shell.window_mut(id)?;
        window.placed = false;
        window.visibility = Visibility::Shown;
        let modal = window.modal;
        // It is known by its window's name from the moment it is gone.
        let ghost = self.shell.ghosts.remove(&ghost)?;
        self.layout_all([
            Op::Replace { old, new },
            Op::Wake(new),
            Op::SetModal(new, modal),
        ]);
        self.adopt_family(id);
        self.settle(id);
        Some(ghost)
    }

    /// Makes a ghost; the caller tells the layout of it.
    fn add_ghost(
        &mut self,
        group: GroupId,
        mut snapshot: WindowSnapshot,
        source: Option<WindowId>,
    ) -> GhostId {
        let picture = match snapshot.picture.take() {
            Some(picture) if picture.is_whole() => picture,
            Some(_) => {
                tracing::warn!(
                    ?group,
                    "a stored picture is not what it says: a plain ghost stands in"
                );
                plain(snapshot.place)
            }
            None => plain(snapshot.place),
        };
        let id = GhostId(self.shell.next_id());
        let mut ghost = Ghost::new(id, group, snapshot, picture);
        ghost.source = source;
        ghost.framed = source
            .and_then(|id| self.shell.window(id))
            .is_some_and(|w| w.framed);
        self.shell.ghosts.insert(id, ghost);
        id
    }

    /// Ghosts of a group that comes from the store. Windows or ghosts that stand already stay as they are.
    pub fn place_ghost(&mut self, group: GroupId, windows: &[WindowSnapshot]) {
        let windows_stand = !self.shell.shown_windows_of(group).is_empty();
        let ghosts_stand = !self.shell.ghosts_of(group).is_empty();
        let copies: Vec<_> = self
            .shell
            .windows()
            .filter_map(|w| w.binding.as_ref())
            .filter(|b| b.group == group)
            .map(|b| b.copy)
            .collect();
        let state = self
            .shell
            .groups
            .entry(group)
            .or_insert_with(|| Group::new(None, Phase::Live));
        if windows_stand {
            return;
        }
        // A swap goes on as long as the adopted copy has windows; without them its app is gone.
        let swapping = matches!(state.phase, Phase::Swapping { .. })
            && state.holder.is_some_and(|copy| copies.contains(&copy));
        if !swapping && !matches!(state.phase, Phase::Ghost { .. }) {
            state.phase = Phase::Ghost { waking: false };
            state.forget_touch();
        }
        if ghosts_stand {
            return;
        }
        state.arrived = true;
        let mut ops = Vec::new();
        for snapshot in windows {
            let ghost = self.add_ghost(group, snapshot.clone(), None);
            if let Some(opening) = self.opening_of_ghost(ghost, snapshot.place.above) {
                ops.push(Op::Open(Item::Ghost(ghost).name(), opening));
            }
        }
        self.layout_all(ops);
        self.shell.mark_ghosts(group);
        self.pointer_refocus();
        self.schedule_frame();
    }
}

impl Overwinter {
    /// Where a ghost that comes from the store is to stand.
    fn opening_of_ghost(&self, id: GhostId, above: u32) -> Option<layout::Opening> {
        let ghost = self.shell.ghost(id)?;
        let (maximised, fullscreen) = (
            ghost.mode == WindowMode::Maximized,
            ghost.mode == WindowMode::Fullscreen,
        );
        let outer = ghost.frame_margins().outer(ghost.rect());
        let floating = (!maximised && !fullscreen).then(|| rect_to(outer));
        Some(layout::Opening {
            size: size_to(outer.size),
            place: Some(layout::Place {
                floating,
                maximised,
                fullscreen,
                above,
                ..layout::Place::default()
            }),
            asleep: true,
            ..layout::Opening::default()
        })
    }
}

/// The picture of a window that has none: a plain grey pane of its size.
fn plain(place: Placement) -> Picture {
    let width = place.width.clamp(1, 16384).unsigned_abs();
    let height = place.height.clamp(1, 16384).unsigned_abs();
    Picture {
        width,
        height,
        scale_120: 120,
        geometry_x: 0,
        geometry_y: 0,
        argb: [0x50, 0x48, 0x44, 0xff].repeat(width as usize * height as usize),
    }
}

fn painter(slot: &mut Option<Painter>) -> Option<&mut Painter> {
    if slot.is_none() {
        *slot = Painter::new()
            .inspect_err(|error| tracing::error!(%error, "no pictures"))
            .ok();
    }
    slot.as_mut()
}
