//! wlr-output-power-management: outputs off and on again. While one is off nothing is drawn on it and no window there is asked for frames,
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
use crate::outputs::{Head, HeadId};
use crate::state::Overwinter;

/// Who switches which output off and on.
#[derive(Debug, Default)]
pub struct OutputPower {
    controls: Vec<(HeadId, ZwlrOutputPowerV1)>,
}

impl OutputPower {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> OutputPower {
        display.create_global::<Overwinter, ZwlrOutputPowerManagerV1, ()>(1, ());
        OutputPower::default()
    }
}

fn mode(head: &Head) -> Mode {
    if head.off { Mode::Off } else { Mode::On }
}

impl Overwinter {
    /// The output is gone, or not in use any more: who controls it hears that there is nothing to control.
    pub fn output_power_gone(&mut self, head: HeadId) {
        self.output_power.controls.retain(|(of, control)| {
            if *of == head {
                control.failed();
            }
            *of != head
        });
    }

    /// Switches an output off or on; everybody who controls it hears of it.
    pub fn switch_output(&mut self, id: HeadId, off: bool) {
        let Some(head) = self.outputs.get_mut(id) else {
            return;
        };
        if std::mem::replace(&mut head.off, off) == off {
            return;
        }
        for (_, control) in self
            .output_power
            .controls
            .iter()
            .filter(|(of, _)| *of == id)
        {
            control.mode(mode(head));
        }
        self.schedule_frame();
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
        if let zwlr_output_power_manager_v1::Request::GetOutputPower { id, output } = request {
            let control = data_init.init(id, ());
            match this.outputs.meant(&output) {
                Some(head) => {
                    control.mode(mode(head));
                    this.output_power.controls.push((head.id, control));
                }
                None => control.failed(),
            }
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
        let mut controls = this.output_power.controls.iter();
        if let Some((head, _)) = controls.find(|(_, c)| c == control) {
            this.switch_output(*head, off);
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, control: &ZwlrOutputPowerV1, (): &()) {
        this.output_power.controls.retain(|(_, c)| c != control);
    }
}
