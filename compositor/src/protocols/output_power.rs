//! wlr-output-power-management: the screen off and on again. While it is off nothing is drawn and no window is asked for frames,
//! save those that a waking group waits for.

use wayland_protocols_wlr::output_power_management::v1::server::zwlr_output_power_manager_v1::{
    self, ZwlrOutputPowerManagerV1,
};
use wayland_protocols_wlr::output_power_management::v1::server::zwlr_output_power_v1::{
    self, Mode, ZwlrOutputPowerV1,
};
use wayland_server::backend::ClientId;
use wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, WEnum};

use crate::client::is_privileged;
use crate::state::Overwinter;

/// Whether the output is off, and who wants to know.
#[derive(Debug, Default)]
pub struct OutputPower {
    off: bool,
    controls: Vec<ZwlrOutputPowerV1>,
}

impl OutputPower {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> OutputPower {
        display.create_global::<Overwinter, ZwlrOutputPowerManagerV1, ()>(1, ());
        OutputPower::default()
    }

    /// Whether the output is off.
    pub fn is_off(&self) -> bool {
        self.off
    }

    fn mode(&self) -> Mode {
        if self.off { Mode::Off } else { Mode::On }
    }
}

impl GlobalDispatch<ZwlrOutputPowerManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ZwlrOutputPowerManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ZwlrOutputPowerManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        _: &ZwlrOutputPowerManagerV1,
        request: zwlr_output_power_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        // There is one output, so whichever output object is named is it.
        if let zwlr_output_power_manager_v1::Request::GetOutputPower { id, .. } = request {
            let control = data_init.init(id, ());
            control.mode(this.output_power.mode());
            this.output_power.controls.push(control);
        }
    }
}

impl Dispatch<ZwlrOutputPowerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        control: &ZwlrOutputPowerV1,
        request: zwlr_output_power_v1::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use wayland_server::Resource;
        let zwlr_output_power_v1::Request::SetMode { mode } = request else {
            return;
        };
        let off = match mode {
            WEnum::Value(Mode::Off) => true,
            WEnum::Value(Mode::On) => false,
            _ => {
                let code = zwlr_output_power_v1::Error::InvalidMode;
                return control.post_error(code, "no such power mode");
            }
        };
        if std::mem::replace(&mut this.output_power.off, off) == off {
            return;
        }
        for control in &this.output_power.controls {
            control.mode(this.output_power.mode());
        }
        this.schedule_frame();
    }

    fn destroyed(this: &mut Self, _: ClientId, control: &ZwlrOutputPowerV1, (): &()) {
        this.output_power.controls.retain(|c| c != control);
    }
}
