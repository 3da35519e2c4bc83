//! security-context: a sandbox's launcher listens on a socket of its own, and who connects there is less than others (see
//! [`crate::client::is_privileged`]).

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;

use calloop::{EventSource, Poll, PostAction, Readiness, Token, TokenFactory};
use smithay::delegate_security_context;
use smithay::wayland::security_context::{
    SecurityContext, SecurityContextHandler, SecurityContextListenerSource,
};

use crate::listener;
use crate::state::Overwinter;

impl SecurityContextHandler for Overwinter {
    fn context_created(&mut self, source: SecurityContextListenerSource, context: SecurityContext) {
        let reserve = listener::reserve();
        let listener = Listener { source, reserve };
        let inserted = self
            .handle
            .insert_source(listener, move |stream, (), state| {
                if let Err(error) = state.add_sandboxed_client(stream, context.clone()) {
                    tracing::warn!(%error, "a sandboxed client could not be taken");
                }
            });
        if let Err(error) = inserted {
            tracing::warn!(%error, "a sandbox's socket cannot be listened on; its apps find no display");
        }
    }
}

/// The socket is a client's, so it may be no socket at all: that ends the listening and nothing else. Where no descriptor is
/// left to take a connection with, the one in reserve makes room to take it and hang up.
struct Listener {
    source: SecurityContextListenerSource,
    reserve: Option<File>,
}

impl EventSource for Listener {
    type Event = UnixStream;
    type Metadata = ();
    type Ret = ();
    type Error = io::Error;

    fn process_events<F: FnMut(UnixStream, &mut ())>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> io::Result<PostAction> {
        let mut taken = self.source.process_events(readiness, token, &mut callback);
        if taken.as_ref().is_err_and(listener::is_full) {
            self.reserve = None;
            taken = self
                .source
                .process_events(readiness, token, |stream, ()| drop(stream));
            self.reserve = listener::reserve();
            tracing::warn!("too many open files: a sandboxed client was turned away");
        }
        Ok(match taken {
            Err(error) if !listener::is_full(&error) => {
                tracing::warn!(%error, "a sandbox's socket failed; nobody is taken from it any more");
                PostAction::Remove
            }
            Err(_) => PostAction::Continue,
            Ok(action) => action,
        })
    }

    fn register(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.source.register(poll, factory)
    }

    fn reregister(&mut self, poll: &mut Poll, factory: &mut TokenFactory) -> calloop::Result<()> {
        self.source.reregister(poll, factory)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.source.unregister(poll)
    }
}

delegate_security_context!(Overwinter);
