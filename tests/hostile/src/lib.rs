//! Wayland by hand, and compositors to say it to: what hostile clients, their witness and the compositors' bench are made of.
//!
//! * [`spec`]: what the protocols' XML files allow; [`wire`]: a connection that sends it, right or wrong; [`values`].
//! * [`host`]: a compositor, ours or another, and what the kernel says of it.
//! * [`wild`] (with [`idioms`]) and [`attacks`]: hostile clients; [`witness`]: one that behaves.
//! * [`round`], [`table`]: how everybody fares.

pub mod attacks;
pub mod host;
pub mod idioms;
pub mod rng;
pub mod round;
pub mod spec;
pub mod table;
pub mod values;
pub mod wild;
pub mod wire;
pub mod witness;
