//! zwlr_virtual_pointer_v1: pointers that are programs. Their events go the way of all input.

use std::sync::{Mutex, PoisonError};

use smithay::backend::input::{Axis, AxisSource, ButtonState};
use smithay::input::pointer::AxisFrame;
use smithay::reexports::wayland_protocols_wlr::virtual_pointer::v1::server::zwlr_virtual_pointer_manager_v1::{
    self, ZwlrVirtualPointerManagerV1,
};
use smithay::reexports::wayland_protocols_wlr::virtual_pointer::v1::server::zwlr_virtual_pointer_v1::{
    self, ZwlrVirtualPointerV1,
};
use smithay::utils::{Logical, Point};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::protocol::wl_pointer;
use wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum};

use crate::client::is_privileged;
use crate::state::Overwinter;

/// What a virtual pointer has said since its last `frame`, and what it holds down.
#[derive(Debug, Default)]
pub struct VirtualPointer(Mutex<State>);

/// One that never says `frame` is not waited for beyond this many events.
const MOST_UNFRAMED: usize = 256;

/// A motion or a button, until its frame.
#[derive(Debug, Clone, Copy)]
enum Said {
    By(Point<f64, Logical>),
    To(Point<f64, Logical>),
    Button(u32, ButtonState),
}

#[derive(Debug, Default)]
struct State {
    said: Vec<(Said, u32)>,
    axis: Option<AxisFrame>,
    pressed: Vec<u32>,
    /// The output that it points on; else all of the desktop.
    output: Option<WlOutput>,
}

/// Announces the manager.
pub fn create_global(display: &DisplayHandle) {
    display.create_global::<Overwinter, ZwlrVirtualPointerManagerV1, ()>(2, ());
}

impl GlobalDispatch<ZwlrVirtualPointerManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ZwlrVirtualPointerManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ZwlrVirtualPointerManagerV1, ()> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ZwlrVirtualPointerManagerV1,
        request: zwlr_virtual_pointer_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use zwlr_virtual_pointer_manager_v1::Request;
        // One seat: whichever is named is ours.
        let (id, output) = match request {
            Request::CreateVirtualPointer { id, .. } => (id, None),
            Request::CreateVirtualPointerWithOutput { id, output, .. } => (id, output),
            _ => return,
        };
        let pointer = VirtualPointer::default();
        pointer.lock().output = output;
        data_init.init(id, pointer);
    }
}

impl Dispatch<ZwlrVirtualPointerV1, VirtualPointer> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        resource: &ZwlrVirtualPointerV1,
        request: zwlr_virtual_pointer_v1::Request,
        data: &VirtualPointer,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use zwlr_virtual_pointer_v1::Request;
        match request {
            Request::Motion { time, dx, dy } => {
                this.virtual_pointer_said(data, Said::By(Point::from((dx, dy))), time)
            }
            Request::MotionAbsolute {
                time,
                x,
                y,
                x_extent,
                y_extent,
            } => {
                if x_extent == 0 || y_extent == 0 {
                    return;
                }
                let output = data.lock().output.clone();
                let area = match &output {
                    // Its output has gone, and there it pointed.
                    Some(output) => this.outputs.meant(output).map(|h| h.area()),
                    None => Some(this.outputs.span()),
                };
                let Some(area) = area.map(|a| a.to_f64()) else {
                    return;
                };
                let at = (
                    area.loc.x + f64::from(x) / f64::from(x_extent) * area.size.w,
                    area.loc.y + f64::from(y) / f64::from(y_extent) * area.size.h,
                );
                this.virtual_pointer_said(data, Said::To(Point::from(at)), time);
            }
            Request::Button {
                time,
                button,
                state,
            } => {
                let pressed = matches!(state, WEnum::Value(wl_pointer::ButtonState::Pressed));
                if data.lock().press(button, pressed) {
                    let state = if pressed {
                        ButtonState::Pressed
                    } else {
                        ButtonState::Released
                    };
                    this.virtual_pointer_said(data, Said::Button(button, state), time);
                }
            }
            Request::Axis { time, axis, value } => {
                if let Some(axis) = axis_or_error(resource, axis) {
                    data.lock().scroll(time, |frame| frame.value(axis, value));
                }
            }
            Request::AxisDiscrete {
                time,
                axis,
                value,
                discrete,
            } => {
                if let Some(axis) = axis_or_error(resource, axis) {
                    let v120 = discrete.saturating_mul(120);
                    data.lock()
                        .scroll(time, |frame| frame.value(axis, value).v120(axis, v120));
                }
            }
            Request::AxisStop { time, axis } => {
                if let Some(axis) = axis_or_error(resource, axis) {
                    data.lock().scroll(time, |frame| frame.stop(axis));
                }
            }
            Request::AxisSource { axis_source } => {
                let source = match axis_source {
                    WEnum::Value(wl_pointer::AxisSource::Wheel) => AxisSource::Wheel,
                    WEnum::Value(wl_pointer::AxisSource::Finger) => AxisSource::Finger,
                    WEnum::Value(wl_pointer::AxisSource::Continuous) => AxisSource::Continuous,
                    WEnum::Value(wl_pointer::AxisSource::WheelTilt) => AxisSource::WheelTilt,
                    _ => {
                        let code = zwlr_virtual_pointer_v1::Error::InvalidAxisSource;
                        return resource.post_error(code, "no such axis source");
                    }
                };
                let time = this.now_ms();
                data.lock().scroll(time, |frame| frame.source(source));
            }
            Request::Frame => {
                this.virtual_pointer_does(data);
                let axis = data.lock().axis.take();
                if let Some(axis) = axis {
                    this.pointer_axis(axis);
                }
                this.pointer_frame();
            }
            _ => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, _: &ZwlrVirtualPointerV1, data: &VirtualPointer) {
        // Its client may be going as a whole, window and all: nobody is told of anything before it has gone.
        let mut state = data.lock();
        state.said.clear();
        this.input.let_go.append(&mut state.pressed);
    }
}

impl Overwinter {
    /// What pointers that have gone held down is released.
    pub fn release_let_go(&mut self) {
        let time = self.now_ms();
        for button in std::mem::take(&mut self.input.let_go) {
            self.pointer_button(button, ButtonState::Released, time);
            self.pointer_frame();
        }
    }

    fn virtual_pointer_said(&mut self, pointer: &VirtualPointer, said: Said, time: u32) {
        let full = {
            let mut state = pointer.lock();
            state.said.push((said, time));
            state.said.len() > MOST_UNFRAMED
        };
        if full {
            self.virtual_pointer_does(pointer);
        }
    }

    /// What was said since the last frame happens.
    fn virtual_pointer_does(&mut self, pointer: &VirtualPointer) {
        let said = std::mem::take(&mut pointer.lock().said);
        for (said, time) in said {
            match said {
                Said::By(delta) => self.pointer_by(delta, time),
                Said::To(at) => self.pointer_to(at, time),
                Said::Button(button, state) => self.pointer_button(button, state, time),
            }
        }
    }
}

impl VirtualPointer {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this press or release changes anything.
    fn press(&mut self, button: u32, pressed: bool) -> bool {
        let held = self.pressed.contains(&button);
        if pressed && !held && self.pressed.len() < 16 {
            self.pressed.push(button);
        } else if !pressed {
            self.pressed.retain(|b| *b != button);
        }
        held != self.pressed.contains(&button)
    }

    fn scroll(&mut self, time: u32, with: impl FnOnce(AxisFrame) -> AxisFrame) {
        let frame = self.axis.take().unwrap_or_else(|| AxisFrame::new(time));
        self.axis = Some(with(frame));
    }
}

fn axis_or_error(resource: &ZwlrVirtualPointerV1, axis: WEnum<wl_pointer::Axis>) -> Option<Axis> {
    match axis {
        WEnum::Value(wl_pointer::Axis::VerticalScroll) => Some(Axis::Vertical),
        WEnum::Value(wl_pointer::Axis::HorizontalScroll) => Some(Axis::Horizontal),
        _ => {
            resource.post_error(zwlr_virtual_pointer_v1::Error::InvalidAxis, "no such axis");
            None
        }
    }
}
