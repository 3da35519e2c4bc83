//! What the session itself draws at windows and ghosts: frames with title bars, shadows, moons. Everything is drawn when something
//! about it changed, in [`Decor::refresh`], before the frame that shows it; nothing here asks for a frame or runs a timer.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::mpsc;

use calloop::LoopHandle;
use smithay::backend::renderer::element::memory::{
    MemoryRenderBuffer, MemoryRenderBufferRenderElement,
};
use smithay::backend::renderer::element::solid::SolidColorRenderElement;
use smithay::backend::renderer::element::{Id, Kind};
use smithay::backend::renderer::utils::CommitCounter;
use smithay::backend::renderer::{Color32F, Texture};
use smithay::input::pointer::CursorImageStatus;
use smithay::utils::{Logical, Physical, Point, Rectangle, Scale, Size};

use overwinter_config::Appearance;

use super::canvas::Canvas;
use super::cursor::Cursors;
use super::{SceneElement, SceneRenderer};
use crate::shell::{Button, Ghost, Item, Shell, WindowMode};
use crate::state::Overwinter;

mod badge;
mod bar;
mod shadow;
mod text;
mod told;

use badge::Badges;
pub use badge::Sleep;
use bar::{Colours, Look};
use text::{Mask, Wanted};
use told::Told;

/// Scales that pictures are kept for: outputs that change theirs again and again fill no memory.
const MOST: usize = 16;

/// What was drawn, ready to be put into scenes.
pub struct Decor {
    badges: Badges,
    /// By scale (in 120ths), too: outputs may have different ones.
    frames: BTreeMap<(Item, u32), Frame>,
    /// By whether its window has the focus, and scale (in 120ths).
    shadows: BTreeMap<(bool, u32), Still>,
    titles: Titles,
    /// Behind all windows.
    pub(super) ground: Color32F,
    /// The pointer's images.
    pub(super) cursors: Cursors,
    /// What the user is told on screen.
    pub told: Told,
    /// The button that the pointer is on, and whether it is pressed.
    pub over: Option<(Item, Button, bool)>,
}

impl std::fmt::Debug for Decor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decor")
            .field("frames", &self.frames.len())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

/// The frame of one window or ghost.
struct Frame {
    look: Look,
    text: String,
    title: Option<Rc<Mask>>,
    bar: Still,
    lines: [Id; 3],
}

/// What a title is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asker {
    /// The frame of this.
    Frame(Item),
    /// A line of what is told.
    Line(usize),
}

/// Titles that were drawn, or are on their way.
struct Titles {
    handle: LoopHandle<'static, Overwinter>,
    asked: Option<mpsc::SyncSender<Wanted>>,
    failed: bool,
    /// None of those on their way, which are not more than can wait.
    known: BTreeMap<Wanted, Option<Rc<Mask>>>,
    /// Who waits for which (and what size it is): titles that change in between are not drawn.
    waiting: BTreeMap<(Asker, u32), Wanted>,
}

/// As much of a text as is drawn.
fn cut(text: &str) -> String {
    text.chars().take(text::LONGEST).collect()
}

impl Titles {
    /// The title's pixels; when they are not there yet, a frame is asked for as soon as they are.
    fn get(&mut self, asker: Asker, text: &str, scale: f64) -> Option<Rc<Mask>> {
        if text.is_empty() {
            return None;
        }
        let size = (bar::TEXT * scale * 64.0).round() as u32;
        let wanted = (cut(text), size);
        if let Some(known) = self.known.get(&wanted) {
            return known.clone();
        }
        if self.asked.is_none() && !self.failed {
            self.start();
        }
        let on_its_way = |w: &Wanted| matches!(self.known.get(w), Some(None));
        if self.waiting.get(&(asker, size)).is_some_and(on_its_way) {
            return None;
        }
        // Where there is no room it is asked for again when one of those before it was drawn: a frame follows that.
        if self.asked.as_ref()?.try_send(wanted.clone()).is_ok() {
            self.waiting.insert((asker, size), wanted.clone());
            self.known.insert(wanted, None);
        }
        None
    }

    /// Forgets what is neither on its way nor among these.
    fn keep(&mut self, shown: &BTreeSet<&str>) {
        // Those on their way are kept, or they would be asked for again.
        self.known
            .retain(|wanted, mask| mask.is_none() || shown.contains(wanted.0.as_str()));
        let known = &self.known;
        self.waiting
            .retain(|_, wanted| matches!(known.get(wanted), Some(None)));
    }

    fn start(&mut self) {
        let (done, drawn) = calloop::channel::channel();
        let heard = self
            .handle
            .insert_source(drawn, |event, (), state: &mut Overwinter| {
                if let calloop::channel::Event::Msg((wanted, mask)) = event {
                    state.decor.titles.known.insert(wanted, Some(Rc::new(mask)));
                    state.schedule_frame();
                }
            });
        let started = heard
            .map_err(|e| std::io::Error::other(e.error.to_string()))
            .and_then(|_| text::start(done));
        match started {
            Ok(asked) => self.asked = Some(asked),
            Err(error) => {
                tracing::warn!(%error, "title bars have no titles");
                self.failed = true;
            }
        }
    }
}

impl Decor {
    /// Nothing is drawn yet. `handle`: tells when titles are.
    pub fn new(handle: LoopHandle<'static, Overwinter>) -> Decor {
        Decor {
            badges: Badges::default(),
            frames: BTreeMap::new(),
            shadows: BTreeMap::new(),
            titles: Titles {
                handle,
                asked: None,
                failed: false,
                known: BTreeMap::new(),
                waiting: BTreeMap::new(),
            },
            ground: super::ground_of(&Appearance::default()),
            cursors: Cursors::default(),
            told: Told::default(),
            over: None,
        }
    }

    /// Has the pointer's image ready for a scene of this scale in which the session draws it.
    pub fn prepare_cursor(
        &mut self,
        image: &CursorImageStatus,
        appearance: &Appearance,
        scale: f64,
    ) {
        if let CursorImageStatus::Named(icon) = image {
            self.cursors.prepare(*icon, appearance, scale);
        }
    }

    /// Draws what changed since the last time, for an output of this scale; none is wider than `widest` (logical pixels).
    pub fn refresh(&mut self, shell: &mut Shell, appearance: &Appearance, scale: f64, widest: i32) {
        self.ground = super::ground_of(appearance);
        shell.dim_ghosts(appearance.ghost_dim);
        if shell.ghosts().next().is_some() {
            self.badges.prepare(scale);
        }
        let framed: BTreeSet<Item> = shell
            .stack()
            .iter()
            .copied()
            .filter(|item| shell.frame_margins(*item).top > 0)
            .collect();
        self.frames.retain(|(item, _), _| framed.contains(item));
        if self.frames.len() > MOST * (framed.len() + 1) {
            self.frames.clear();
        }
        for item in framed {
            self.refresh_frame(shell, item, scale, widest);
        }
        self.told.refresh(&mut self.titles, scale);
        let frames = self.frames.values().map(|f| f.text.as_str());
        self.titles.keep(&frames.chain(self.told.lines()).collect());
        if self.shadows.len() > 2 * MOST {
            self.shadows.clear();
        }
    }

    fn refresh_frame(&mut self, shell: &Shell, item: Item, scale: f64, widest: i32) {
        let Some(outer) = shell.outer_rect_of(item) else {
            return;
        };
        let focused = shell.focus() == Some(item);
        let look = Look {
            // A client's window may be far wider.
            width: outer.size.w.min(widest),
            focused,
            maximized: shell.mode_of(item) == Some(WindowMode::Maximized),
            can_sleep: shell.group_of_item(item).is_some(),
            asleep: matches!(item, Item::Ghost(_)),
            over: self
                .over
                .filter(|(at, ..)| *at == item)
                .map(|(_, button, pressed)| (button, pressed)),
            scale,
        };
        let text = cut(&shell.title_of(item));
        let key = (item, in_120ths(scale));
        let old = self.frames.get(&key);
        // Until a new title is drawn the old one stays.
        let title = self
            .titles
            .get(Asker::Frame(item), &text, scale)
            .or_else(|| old.filter(|_| !text.is_empty())?.title.clone());
        let same_title = old.is_some_and(|old| match (&old.title, &title) {
            (Some(old), Some(new)) => Rc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        });
        if !old.is_some_and(|old| old.look == look && same_title) {
            let bar = bar::draw(&look, title.as_deref()).into();
            let lines = match old {
                Some(old) if old.look.focused == focused => old.lines.clone(),
                _ => [Id::new(), Id::new(), Id::new()],
            };
            self.frames.insert(
                key,
                Frame {
                    look,
                    text,
                    title,
                    bar,
                    lines,
                },
            );
        } else if let Some(frame) = self.frames.get_mut(&key) {
            frame.text = text;
        }
        let key = (focused, in_120ths(scale));
        self.shadows
            .entry(key)
            .or_insert_with(|| shadow::draw(focused, bar::RADIUS, scale).into());
    }

    /// The frame around what stands there, topmost first.
    pub fn frame<R>(
        &self,
        renderer: &mut R,
        shell: &Shell,
        item: Item,
        scale: Scale<f64>,
        elements: &mut Vec<SceneElement<R>>,
    ) where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let frame = self.frames.get(&(item, in_120ths(scale.x)));
        let (Some(frame), Some(outer)) = (frame, shell.outer_rect_of(item)) else {
            return;
        };
        let margins = shell.frame_margins(item);
        let bar = Rectangle::new(outer.loc, (outer.size.w, margins.top).into());
        for (from, to) in bar::parts(bar, frame.look.width) {
            elements.extend(still(renderer, &frame.bar, Some(from), to, scale));
        }
        let (right, bottom) = (outer.loc.x + outer.size.w, outer.loc.y + outer.size.h);
        let below = outer.loc.y + margins.top;
        let high = bottom - below;
        let line = Colours::of(frame.look.focused).line;
        for (id, (x, y, w, h)) in frame.lines.iter().zip([
            (outer.loc.x, below, margins.left, high),
            (right - margins.right, below, margins.right, high),
            (
                outer.loc.x,
                bottom - margins.bottom,
                outer.size.w,
                margins.bottom,
            ),
        ]) {
            if w > 0 && h > 0 {
                let at = Rectangle::<i32, Logical>::new((x, y).into(), (w, h).into());
                let line = SolidColorRenderElement::new(
                    id.clone(),
                    at.to_physical_precise_round(scale),
                    CommitCounter::default(),
                    line,
                    Kind::Unspecified,
                );
                elements.push(line.into());
            }
        }
        let shadow = self
            .shadows
            .get(&(frame.look.focused, in_120ths(scale.x)))
            .filter(|_| !frame.look.maximized && shadow::fits(outer));
        if let Some(shadow) = shadow {
            for (from, to) in shadow::parts(outer) {
                if !to.is_empty() {
                    elements.extend(still(renderer, shadow, Some(from), to, scale));
                }
            }
        }
    }

    /// What the user is told on the output with this corner.
    pub fn told<R>(
        &self,
        renderer: &mut R,
        corner: Point<i32, Logical>,
        scale: Scale<f64>,
    ) -> Option<SceneElement<R>>
    where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let (picture, at) = self.told.get(corner, scale.x)?;
        still(renderer, picture, None, at, scale)
    }

    /// What is above a ghost's picture, topmost first.
    pub fn above_ghost<R>(
        &self,
        renderer: &mut R,
        ghost: &Ghost,
        scale: Scale<f64>,
        elements: &mut Vec<SceneElement<R>>,
    ) where
        R: SceneRenderer,
        R::TextureId: Texture + Clone + Send + 'static,
    {
        let badge = ghost.sleep().and_then(|s| self.badges.get(s, scale.x));
        if let (Some(badge), Some(place)) = (badge, badge::place(ghost.rect())) {
            elements.extend(still(renderer, badge, None, place, scale));
        }
    }
}

/// A picture of ours.
#[derive(Debug)]
struct Still {
    buffer: MemoryRenderBuffer,
    /// Of the buffer.
    pixels: Size<f64, Logical>,
    scale: f64,
}

impl From<Canvas> for Still {
    fn from(canvas: Canvas) -> Still {
        Still {
            buffer: canvas.buffer(),
            pixels: (f64::from(canvas.size().w), f64::from(canvas.size().h)).into(),
            scale: canvas.scale(),
        }
    }
}

/// A picture of ours, or a part of it (in its own logical pixels), as part of a scene.
fn still<R>(
    renderer: &mut R,
    picture: &Still,
    part: Option<Rectangle<f64, Logical>>,
    at: Rectangle<i32, Logical>,
    scale: Scale<f64>,
) -> Option<SceneElement<R>>
where
    R: SceneRenderer,
    R::TextureId: Texture + Clone + Send + 'static,
{
    let part = part.map_or(Rectangle::from_size(picture.pixels), |part| {
        part.upscale(picture.scale)
    });
    let corner: Point<i32, Physical> = at.loc.to_physical_precise_round(scale);
    let element = MemoryRenderBufferRenderElement::from_buffer(
        renderer,
        corner.to_f64(),
        &picture.buffer,
        None,
        Some(part),
        Some(at.size),
        Kind::Unspecified,
    );
    match element {
        Ok(element) => Some(element.into()),
        Err(error) => {
            tracing::error!(%error, "something of a window's frame could not be drawn");
            None
        }
    }
}

/// fractional-scale's unit: a key where a number with a fraction would be none.
fn in_120ths(scale: f64) -> u32 {
    (scale * 120.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_that_changes_again_and_again_waits_in_line_once_and_the_newest_is_drawn() {
        let events = calloop::EventLoop::<Overwinter>::try_new().unwrap();
        let (ask, asked) = mpsc::sync_channel(3);
        let mut titles = Titles {
            handle: events.handle(),
            asked: Some(ask),
            failed: false,
            known: BTreeMap::new(),
            waiting: BTreeMap::new(),
        };
        let line = Asker::Line;
        for n in 0..1000 {
            assert!(titles.get(line(0), &format!("title {n}"), 1.0).is_none());
        }
        titles.get(line(1), &"long".repeat(1000), 1.0);
        let first = asked.try_recv().unwrap();
        assert_eq!(first.0, "title 0");
        assert_eq!(asked.try_recv().unwrap().0, "long".repeat(50));
        assert!(asked.try_recv().is_err(), "asked for more than was drawn");
        // Drawn; nobody shows it any more.
        titles.known.insert(first, Some(Rc::default()));
        titles.keep(&BTreeSet::new());
        assert_eq!((titles.known.len(), titles.waiting.len()), (1, 1));
        titles.get(line(0), "title 999", 1.0);
        assert_eq!(asked.try_recv().unwrap().0, "title 999");
        // Many at once: some wait their turn, and none is remembered for it.
        for n in 2..1000 {
            titles.get(line(n), &format!("line {n}"), 1.0);
        }
        assert_eq!(asked.try_iter().count(), 3);
        assert_eq!((titles.known.len(), titles.waiting.len()), (5, 5));
    }
}
