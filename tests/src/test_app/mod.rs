//! `overwinter-test-app`: an application that does what a test tells it, however wrong that is.
//!
//! It speaks `org.overwinter.Session1` and `Client1` without the client library, as a program in another language would, and
//! decides nothing: whatever the session asks is passed on to the test, and the test says what is answered, late, twice or
//! never. It is installed, started and known like every other app, so the session cannot tell it from a real one. It has no
//! window.
//!
//! Test and app talk over a socket in the session's runtime folder, a line of JSON for each message.
//!
//! * [`words`]: what they say to each other.
//! * [`stage`]: a session with the app installed, and `overwinter` as a user runs it.
//! * [`puppet`]: one running process of it.

pub mod puppet;
pub mod stage;
pub mod words;

/// Id of the app.
pub const APP: &str = "org.overwinter.TestApp";

/// File name that it is installed under.
pub const PROGRAM: &str = "overwinter-test-app";

/// Socket in the runtime folder on which the test listens.
pub const SOCKET: &str = "test-app.sock";
