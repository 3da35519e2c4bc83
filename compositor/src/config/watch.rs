//! Sees that the configuration was saved. Editors write another file and rename it, dotfile managers make links: what is
//! watched is the folder, and the folder that a link leads to.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Interest, LoopHandle, Mode, PostAction, RegistrationToken};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::state::Overwinter;

/// An editor that moves the old file away and then writes the new one needs less.
const QUIET: Duration = Duration::from_millis(100);

/// The folders that are watched.
#[derive(Debug)]
pub struct Watch {
    token: RegistrationToken,
    folders: Vec<PathBuf>,
}

impl Watch {
    fn new(handle: &LoopHandle<'static, Overwinter>, path: &Path) -> io::Result<Watch> {
        let watcher = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let wanted = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let (folders, names) = places(path);
        for folder in &folders {
            inotify::add_watch(&watcher, folder, wanted)?;
        }
        let source = Generic::new(watcher, Interest::READ, Mode::Level);
        let token = handle
            .insert_source(source, move |_, watcher, state: &mut Overwinter| {
                match was_touched(watcher, &names) {
                    Ok(true) => state.read_config_soon(),
                    Ok(false) => {}
                    // An error here would end the event loop.
                    Err(e) => {
                        tracing::warn!("the configuration is watched no longer: {e}");
                        return Ok(PostAction::Remove);
                    }
                }
                Ok(PostAction::Continue)
            })
            .map_err(|e| io::Error::other(e.error.to_string()))?;
        Ok(Watch { token, folders })
    }
}

/// The folders of the file, and its names in them.
fn places(path: &Path) -> (Vec<PathBuf>, Vec<OsString>) {
    let mut all = vec![path.to_owned()];
    all.extend(path.canonicalize());
    let mut folders: Vec<PathBuf> = all
        .iter()
        .filter_map(|p| p.parent())
        .map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.to_owned()))
        .collect();
    folders.sort();
    folders.dedup();
    let names = all.iter().filter_map(|p| p.file_name()).map(Into::into);
    (folders, names.collect())
}

/// Whether anything happened to files of these names, or to their folder.
fn was_touched(watcher: &OwnedFd, names: &[OsString]) -> io::Result<bool> {
    let mut touched = false;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watcher, &mut buffer);
    loop {
        match events.next() {
            Ok(event) => {
                let name = event.file_name().map(|n| OsStr::from_bytes(n.to_bytes()));
                touched |= match name {
                    Some(name) => names.iter().any(|n| n == name),
                    None => !event.events().contains(ReadFlags::IGNORED),
                };
            }
            Err(Errno::AGAIN) => return Ok(touched),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

impl Overwinter {
    /// Watches the folder of this file, unless it is watched.
    pub(super) fn watch_config(&mut self, path: &Path) {
        if let Some(folder) = path.parent()
            && let Err(e) = std::fs::create_dir_all(folder)
        {
            tracing::info!("{}: {e}", folder.display());
        }
        let now = self.config_file.watch.as_ref();
        if now.is_some_and(|watch| watch.folders == places(path).0) {
            return;
        }
        self.unwatch_config();
        match Watch::new(&self.handle, path) {
            Ok(watch) => self.config_file.watch = Some(watch),
            Err(e) => tracing::warn!(
                "{}: its folder cannot be watched: {e}. The configuration counts as it is; `overwinter msg reload` reads it again",
                path.display()
            ),
        }
    }

    fn unwatch_config(&mut self) {
        if let Some(watch) = self.config_file.watch.take() {
            self.handle.remove(watch.token);
        }
    }

    /// Reads the configuration when nothing has happened to it for a moment.
    fn read_config_soon(&mut self) {
        if let Some(due) = self.config_file.due.take() {
            self.handle.remove(due);
        }
        let timer = Timer::from_duration(QUIET);
        let due = self.handle.insert_source(timer, |_, (), state| {
            state.config_file.due = None;
            // A folder that was replaced by another one of that name is watched anew.
            state.unwatch_config();
            let _ = state.reload_config();
            TimeoutAction::Drop
        });
        match due {
            Ok(due) => self.config_file.due = Some(due),
            Err(e) => tracing::error!("no timer: {}", e.error),
        }
    }
}
