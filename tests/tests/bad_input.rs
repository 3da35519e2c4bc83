//! What bad input gets, against the whole session: garbage on the Wayland socket, D-Bus callers that are not the app, apps
//! that stay silent, answer twice, too late or with payloads that are not what they say, apps that die at the worst moment,
//! snapshots with a flipped bit, and a full disk.
//!
//! Every time the same three things are held: the error says what happened, what was kept and what to do; the session and
//! everybody else in it go on; and the group is where it was, live or asleep with its last good snapshot.
