//! security-context: a sandbox's launcher listens on a socket of its own, and who connects there is less than others (see
//! [`crate::client::is_privileged`]).

use std::io;
use std::os::unix::net::UnixStream;

use calloop::{EventSource, Poll, PostAction, Readiness, Token, TokenFactory};
use smithay::delegate_security_context;
use smithay::wayland::security_context::{
    SecurityContext, SecurityContextHandler, SecurityContextListenerSource,
};

use crate::state::Overwinter;

impl SecurityContextHandler for Overwinter {
    fn context_created(&mut self, source: SecurityContextListenerSource, context: SecurityContext) {
        let inserted = self
            .handle
            .insert_source(Listener(source), move |stream, (), state| {
                if let Err(error) = state.add_sandboxed_client(stream, context.clone()) {
                    tracing::warn!(%error, "a sandboxed client could not be taken");
                }
            });
        if let Err(error) = inserted {
            tracing::warn!(%error, "a sandbox's socket cannot be listened on; its apps find no display");
        }
    }
}

/// The socket is a client's, so it may be no socket at all: that ends the listening and nothing else.
struct Listener(SecurityContextListenerSource);

impl EventSource for Listener {
    type Event = UnixStream;
    type Metadata = ();
    type Ret = ();
    type Error = io::Error;

    fn process_events<F: FnMut(UnixStream, &mut ())>(
        &mut self,
        readiness: Readiness,
        token: Token,
        callback: F,
    ) -> io::Result<PostAction> {
        Ok(self
            .0
            .process_events(readiness, token, callback)
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "a sandbox's socket failed; nobody is taken from it any more");
                PostAction::Remove
            }))
    }

    fn register(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.0.register(poll, factory)
    }

    fn reregister(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.0.reregister(poll, factory)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.0.unregister(poll)
    }
}

delegate_security_context!(Overwinter);
