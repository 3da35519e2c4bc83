//! The Overwinter compositor: a smithay shell around the heart.
//!
//! * [`state`]: everything the compositor knows, on one thread.
//! * [`backend`]: where frames go: a memory image ([`backend::headless`]) or a window ([`backend::nested`]).
//! * [`handlers`]: one small file per Wayland protocol that smithay implements; [`protocols`]: those it lacks.
//! * [`outputs`]: what is plugged in, and where it stands on the desktop.
//! * [`shell`]: windows, groups of windows and their ghosts, stacking, focus, placement.
//! * [`input`]: the one entry for all input, real or virtual.
//! * [`render`]: the scene, frame pacing, offscreen pictures.
//! * [`config`]: the desktop's configuration as it counts now; [`actions`]: what keys and scripts have the session do.
//! * [`msg`]: the socket for scripts.
//! * [`driver`]: owns the heart; [`effects`]: carries out its wishes in the world.
//! * [`listener`]: the Wayland socket, which stays open whatever comes.
//! * [`client`]: the only place that says who a Wayland client is.
//!
//! Without a heart attached the compositor is a plain, complete one: windows of any client simply work.

pub mod actions;
pub mod backend;
pub mod client;
pub mod config;
pub mod driver;
pub mod effects;
pub mod handlers;
pub mod input;
pub mod listener;
pub mod msg;
pub mod options;
pub mod outputs;
pub mod protocols;
pub mod render;
pub mod shell;
pub mod state;
pub mod xwayland;

pub use options::Options;
pub use state::Overwinter;
