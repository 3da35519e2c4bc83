//! Which applications are installed, which code they run, and when it changes.
//!
//! * [`App`], [`scan`]: the .desktop files with `X-Overwinter-Tier=native`.
//! * [`Exec`]: their command lines, as the Desktop Entry specification reads them.
//! * [`build_of_file`], [`build_of_process`]: the identity of code, on disk and running.
//! * [`script`]: which script an interpreter runs.
//! * [`Watcher`]: a thread that sleeps in inotify and says when an app's code on disk is another.
//! * [`Keeper`]: copies of executables that ran, so that an older one can be started after it was replaced.

mod build;
mod desktop;
mod exec;
mod keeper;
pub mod script;
mod watcher;

pub use build::{BuildError, Executable, build_id_of_file, build_of_file, build_of_process};
pub use desktop::{App, Places, scan};
pub use exec::{Exec, ExecError};
pub use keeper::Keeper;
pub use watcher::{Change, WatchError, Watcher};
