//! wl_output and xdg-output.

use smithay::delegate_output;
use smithay::output::Output;
use smithay::wayland::output::OutputHandler;
use wayland_server::protocol::wl_output::WlOutput;

use crate::state::Overwinter;

impl OutputHandler for Overwinter {
    fn output_bound(&mut self, output: Output, bound: WlOutput) {
        self.tell_toplevels_on(&output, &bound);
        self.tell_output_of_group(&bound);
    }
}

delegate_output!(Overwinter);
