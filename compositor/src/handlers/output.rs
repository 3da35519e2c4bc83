//! wl_output and xdg-output.

use smithay::delegate_output;
use smithay::wayland::output::OutputHandler;

use crate::state::Overwinter;

impl OutputHandler for Overwinter {}

delegate_output!(Overwinter);
