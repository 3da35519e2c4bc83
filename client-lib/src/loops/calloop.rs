//! calloop's event loop.

use std::io;

use ::calloop::generic::Generic;
use ::calloop::{EventSource, Interest, Mode, Poll, PostAction, Readiness, Token, TokenFactory};

use crate::session::Session;

/// The session as a source of events. It serves itself; the callback hears that it has.
///
/// ```no_run
/// use overwinter::{AppInfo, Session, loops};
///
/// let mut event_loop = calloop::EventLoop::<bool>::try_new()?;
/// let session = Session::builder(AppInfo::new("org.example.Notes", "1.0")).connect();
/// event_loop
///     .handle()
///     .insert_source(loops::calloop::Source::new(&session), |(), session, ended| *ended = session.has_ended())
///     .map_err(|e| e.error)?;
/// let mut ended = false;
/// while !ended {
///     event_loop.dispatch(None, &mut ended)?;
/// }
/// # Ok::<(), calloop::Error>(())
/// ```
#[derive(Debug)]
pub struct Source(Generic<Session>);

impl Source {
    /// A source that serves `session`.
    pub fn new(session: &Session) -> Self {
        Source(Generic::new(session.clone(), Interest::READ, Mode::Level))
    }
}

impl EventSource for Source {
    type Event = ();
    type Metadata = Session;
    type Ret = ();
    type Error = io::Error;

    fn process_events<F>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> io::Result<PostAction>
    where
        F: FnMut((), &mut Session),
    {
        self.0.process_events(readiness, token, |_, session| {
            session.dispatch();
            callback((), &mut Session::clone(session));
            Ok(PostAction::Continue)
        })
    }

    fn register(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> ::calloop::Result<()> {
        self.0.register(poll, tokens)
    }

    fn reregister(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> ::calloop::Result<()> {
        self.0.reregister(poll, tokens)
    }

    fn unregister(&mut self, poll: &mut Poll) -> ::calloop::Result<()> {
        self.0.unregister(poll)
    }
}
