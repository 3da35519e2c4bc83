//! The pointer on a window's frame: what lights up, what a press does. No client hears of it.

use smithay::backend::input::TouchSlot;
use smithay::input::pointer::{CursorIcon, CursorImageStatus};
use smithay::utils::{Logical, Point};

use overwinter_session::Event;
use overwinter_session::ids::OperationId;

use super::pointer::{BTN_LEFT, Under, under};
use overwinter_layout::Edges;

use super::DragKind;
use crate::shell::{Button, FramePart, Item, ModeWish, WindowId, WindowMode};
use crate::state::Overwinter;

/// Two presses within this time (milliseconds) and so near each other are a double click.
const DOUBLE_CLICK_MS: u32 = 400;
const DOUBLE_CLICK_AWAY: f64 = 6.0;

/// What input remembers of frames.
#[derive(Debug, Default)]
pub struct FrameInput {
    /// The part that the pointer is on.
    over: Option<(Item, FramePart)>,
    /// The button that is held.
    held: Option<(Item, Button)>,
    /// The last press on a bar: when (milliseconds) and where.
    pressed: Option<(Item, u32, Point<f64, Logical>)>,
    /// The button that a finger is on.
    touched: Option<(TouchSlot, Item, Button)>,
}

impl Overwinter {
    /// The pointer is on this part of a frame now, or on none.
    pub(super) fn frame_entered(&mut self, over: Option<(Item, FramePart)>) {
        if self.input.frame.over == over {
            return;
        }
        let was_over = self.input.frame.over.is_some();
        self.input.frame.over = over;
        self.frame_lights_up();
        // Beside frames the pointer looks as clients say.
        let pointer = self.seat.get_pointer();
        let alone = || pointer.is_some_and(|p| p.current_focus().is_none());
        let image = self.frame_cursor();
        if let Some(image) =
            image.or_else(|| (was_over && alone()).then(CursorImageStatus::default_named))
        {
            self.show_cursor(image);
        }
    }

    /// How the pointer looks while it is on a frame.
    pub(crate) fn frame_cursor(&self) -> Option<CursorImageStatus> {
        let (_, part) = self.input.frame.over?;
        Some(CursorImageStatus::Named(icon_of(part)))
    }

    fn frame_lights_up(&mut self) {
        let button = self.input.frame.over.and_then(|(item, part)| match part {
            FramePart::Button(button) => Some((item, button)),
            FramePart::Title | FramePart::Edge(_) => None,
        });
        let lit = match (button, self.input.frame.held) {
            (Some((item, button)), None) => Some((item, button, false)),
            (Some(at), Some(held)) if at == held => Some((held.0, held.1, true)),
            _ => None,
        };
        if self.decor.over != lit {
            self.decor.over = lit;
            self.schedule_frame();
        }
    }

    /// A button of the pointer was pressed on a frame.
    pub(super) fn frame_pressed(&mut self, item: Item, part: FramePart, button: u32, time: u32) {
        self.raise_and_focus(item);
        let (true, Item::Window(_), Some(pointer)) =
            (button == BTN_LEFT, item, self.seat.get_pointer())
        else {
            return;
        };
        match part {
            FramePart::Edge(edges) => self.start_drag(item, DragKind::Resize(edges)),
            FramePart::Button(button) => {
                self.input.frame.held = Some((item, button));
                self.frame_lights_up();
            }
            FramePart::Title => {
                let at = pointer.current_location();
                let before = self.input.frame.pressed.take();
                let double = before.is_some_and(|(on, when, place)| {
                    let away = at - place;
                    on == item
                        && time.wrapping_sub(when) <= DOUBLE_CLICK_MS
                        && away.x.hypot(away.y) <= DOUBLE_CLICK_AWAY
                });
                if double {
                    self.toggle_maximized(item);
                } else {
                    self.input.frame.pressed = Some((item, time, at));
                    self.start_drag(item, DragKind::Move);
                }
            }
        }
    }

    /// Whether a button of a frame is held: what else the pointer is on does not hear of it.
    pub(super) fn frame_is_held(&self) -> bool {
        self.input.frame.held.is_some()
    }

    /// No button of a frame is held any more, and nothing comes of it.
    pub(super) fn let_go_of_frames(&mut self) {
        self.input.frame.held = None;
        self.input.frame.pressed = None;
        self.input.frame.touched = None;
        self.frame_lights_up();
    }

    /// A finger went down on a frame's button.
    pub(super) fn frame_touched(&mut self, finger: TouchSlot, item: Item, button: Button) {
        self.input.frame.touched = Some((finger, item, button));
    }

    /// A finger moved: it chooses a button only as long as it is on it.
    pub(super) fn frame_touch_moved(&mut self, finger: TouchSlot, at: Point<f64, Logical>) {
        let on = under(&self.shell, at);
        self.input.frame.touched.take_if(|(down, item, button)| {
            *down == finger
                && !matches!(on, Under::Frame(i, FramePart::Button(b)) if i == *item && b == *button)
        });
    }

    /// A finger was lifted: the button that it is on is pressed.
    pub(super) fn frame_touch_lifted(&mut self, finger: TouchSlot) {
        let touched = &mut self.input.frame.touched;
        if let Some((_, item, button)) = touched.take_if(|(down, ..)| *down == finger) {
            self.press_frame_button(item, button);
        }
    }

    /// A button of the pointer was released, wherever.
    pub(super) fn frame_released(&mut self, button: u32) {
        if button != BTN_LEFT {
            return;
        }
        let Some((item, button)) = self.input.frame.held.take() else {
            return;
        };
        let still_there = self.input.frame.over == Some((item, FramePart::Button(button)));
        self.frame_lights_up();
        if still_there {
            self.press_frame_button(item, button);
        }
    }

    /// Does what a button of a title bar is for.
    pub fn press_frame_button(&mut self, item: Item, button: Button) {
        match button {
            Button::Hibernate => self.hibernate_item(item),
            Button::Minimise => {
                if let Item::Window(id) = item {
                    self.wish_now(id, ModeWish::Minimized(true));
                }
            }
            Button::Maximise => self.toggle_maximized(item),
            Button::Close => {
                if let Item::Window(id) = item
                    && let Some(window) = self.shell.window(id)
                {
                    window.close();
                }
            }
        }
    }

    fn toggle_maximized(&mut self, item: Item) {
        let Item::Window(id) = item else { return };
        let on = self.shell.mode_of(item) != Some(WindowMode::Maximized);
        self.wish_now(id, ModeWish::Maximized(on));
    }

    fn wish_now(&mut self, id: WindowId, wish: ModeWish) {
        self.wish_mode(id, wish);
        if let Some(window) = self.shell.window(id) {
            window.send_pending();
        }
    }

    /// Puts the group of a window to sleep, as `overwinter hibernate` does; a window of no group cannot sleep.
    pub fn hibernate_item(&mut self, item: Item) {
        let (Item::Window(_), Some(group)) = (item, self.shell.group_of_item(item)) else {
            return;
        };
        let driver = self.driver.as_mut();
        let operation = driver.map_or(OperationId(0), |driver| driver.operations.begin());
        let groups = vec![group];
        self.emit(Event::Hibernate { operation, groups });
    }
}

fn icon_of(part: FramePart) -> CursorIcon {
    let FramePart::Edge(Edges {
        left,
        right,
        top,
        bottom,
    }) = part
    else {
        return CursorIcon::Default;
    };
    match (left, right, top, bottom) {
        (true, _, true, _) => CursorIcon::NwResize,
        (true, _, _, true) => CursorIcon::SwResize,
        (true, ..) => CursorIcon::WResize,
        (_, true, true, _) => CursorIcon::NeResize,
        (_, true, _, true) => CursorIcon::SeResize,
        (_, true, ..) => CursorIcon::EResize,
        (_, _, true, _) => CursorIcon::NResize,
        _ => CursorIcon::SResize,
    }
}
