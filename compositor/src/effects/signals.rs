//! SIGTERM, SIGINT and SIGHUP: somebody wants the session to end.

use std::io::Read;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use calloop::generic::Generic;
use calloop::{Interest, Mode, PostAction};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Incoming;
use crate::state::Overwinter;

/// For people.
pub fn name(signal: i32) -> &'static str {
    match signal {
        SIGHUP => "SIGHUP",
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "a signal",
    }
}

/// From now on these signals end the session in good order.
///
/// # Errors
/// When the system refuses.
pub fn listen(state: &Overwinter) -> Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let (heard, rings) = UnixStream::pair().context("no pair of sockets")?;
        heard.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal, rings)
            .with_context(|| format!("{} cannot be caught", name(signal)))?;
        let source = Generic::new(heard, Interest::READ, Mode::Level);
        state
            .handle
            .insert_source(source, move |_, heard, state: &mut Overwinter| {
                let mut bytes = [0; 16];
                // SAFETY: the socket is not closed here.
                let heard = unsafe { heard.get_mut() };
                while heard.read(&mut bytes).is_ok_and(|n| n > 0) {}
                match &mut state.driver {
                    Some(driver) => driver.inbox.push_back(Incoming::Signal(signal)),
                    // Nothing in a plain session can be saved.
                    None => state.signal.stop(),
                }
                Ok(PostAction::Continue)
            })
            .map_err(|e| e.error)?;
    }
    Ok(())
}
