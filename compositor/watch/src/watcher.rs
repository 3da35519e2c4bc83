//! A thread that sleeps in inotify and tells when an app appears, goes, or has other code on disk.
//!
//! Promises:
//! 1. Nothing wakes it but changes in the folders of programs, of .desktop files and of the package manager.
//! 2. It speaks after things have been quiet for a while ([`QUIET`]), so that half an update is not taken for one, and at
//!    the latest [`AT_MOST`] after the first change.
//! 3. It says [`Change::Build`] only when the identity of the code differs from what it said before (or was never said).

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use overwinter_proto::Build;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::{debug, warn};

use crate::{
    build::build_of_file,
    desktop::{App, Places, scan},
};

/// A package manager pauses between the files of a package for less than this.
pub const QUIET: Duration = Duration::from_millis(500);

/// A folder that never comes to rest (somebody's build folder) must not hide an update for ever.
pub const AT_MOST: Duration = Duration::from_secs(5);

/// What the watcher tells.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The installed apps, by id, are these now.
    Apps(BTreeMap<String, App>),
    /// A start of this app would now run this code.
    Build {
        /// App id.
        app: String,
        /// Its code.
        build: Build,
    },
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
#[error(
    "updates cannot be noticed: {0}. Apps can be used; `overwinter update` works after a restart of the session"
)]
pub struct WatchError(#[from] io::Error);

/// The running thread; ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    /// Closing it wakes and ends the thread.
    stop: Option<OwnedFd>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watcher {
    /// Starts watching. `tell` is called on the watcher's thread: first with everything that is there.
    ///
    /// # Errors
    /// When the system has no inotify instance left.
    pub fn start(
        places: Places,
        tell: impl FnMut(Change) + Send + 'static,
    ) -> Result<Watcher, WatchError> {
        let inotify = Inotify::init()?;
        let (stopped, stop) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let mut state = State {
            places,
            inotify,
            watched: BTreeMap::new(),
            apps: BTreeMap::new(),
            builds: BTreeMap::new(),
            tell,
        };
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || {
                if let Err(e) = state.run(&stopped) {
                    tracing::error!("{}", WatchError(e));
                }
            })?;
        Ok(Watcher {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Enough of a file's metadata to see that it is another file, or was written to, without reading it.
type Stamp = (u64, u64, u64, i64, i64);

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    build: Build,
}

struct State<F> {
    places: Places,
    inotify: Inotify,
    watched: BTreeMap<PathBuf, WatchDescriptor>,
    apps: BTreeMap<String, App>,
    builds: BTreeMap<String, Seen>,
    tell: F,
}

impl<F: FnMut(Change)> State<F> {
    fn run(&mut self, stopped: &OwnedFd) -> io::Result<()> {
        loop {
            // Watch first, look second: what changes in between is an event.
            self.watch_folders();
            if self.look() {
                // Other apps may live in other folders; look again once these are watched.
                continue;
            }
            if !self.sleep_until_quiet(stopped)? {
                return Ok(());
            }
        }
    }

    /// Waits for a change, then for quiet. False: the watcher is to end.
    fn sleep_until_quiet(&mut self, stopped: &OwnedFd) -> io::Result<bool> {
        let mut first: Option<Instant> = None;
        loop {
            let timeout = first.map(|at| QUIET.min(AT_MOST.saturating_sub(at.elapsed())));
            let (changed, ended) = wait(&self.inotify, stopped, timeout)?;
            if ended {
                return Ok(false);
            }
            if !changed {
                return Ok(true);
            }
            self.drain()?;
            let first = *first.get_or_insert_with(Instant::now);
            if first.elapsed() >= AT_MOST {
                return Ok(true);
            }
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            match self.inotify.read_events(&mut buffer) {
                Ok(events) => {
                    for event in events {
                        // The kernel dropped the watch (folder removed, file system gone), or the path leads elsewhere now.
                        if event
                            .mask
                            .intersects(EventMask::IGNORED | EventMask::MOVE_SELF)
                        {
                            self.watched.retain(|_, wd| *wd != event.wd);
                        }
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes the set of watched folders what it should be.
    fn watch_folders(&mut self) {
        let wanted = self.folders();
        let gone: Vec<PathBuf> = self
            .watched
            .keys()
            .filter(|p| !wanted.contains(*p))
            .cloned()
            .collect();
        for path in gone {
            if let Some(wd) = self.watched.remove(&path) {
                let _ = self.inotify.watches().remove(wd);
            }
        }
        let mask = WatchMask::CREATE
            | WatchMask::MODIFY
            | WatchMask::ATTRIB
            | WatchMask::CLOSE_WRITE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::DELETE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        for path in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match self.inotify.watches().add(&path, mask) {
                Ok(wd) => drop(self.watched.insert(path, wd)),
                Err(e) => warn!("changes in {} will not be noticed: {e}", path.display()),
            }
        }
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        folders.extend(self.places.packages.iter().cloned());
        folders.extend(self.places.applications.iter().filter_map(|p| existing(p)));
        for app in self.apps.values() {
            match &app.executable {
                Some(executable) => {
                    folders.extend(executable.parent().and_then(existing));
                    // A link is replaced in one folder, what it leads to in another.
                    let target = executable.canonicalize().ok();
                    folders.extend(target.as_deref().and_then(Path::parent).and_then(existing));
                }
                None if app.exec.program().contains('/') => {
                    let program = PathBuf::from(app.exec.program());
                    folders.extend(program.parent().and_then(existing));
                }
                None => folders.extend(self.places.path.iter().filter_map(|p| existing(p))),
            }
        }
        folders
    }

    /// Looks at everything and tells what is new. True when the apps are others than before.
    fn look(&mut self) -> bool {
        let apps = scan(&self.places);
        let others = apps != self.apps;
        if others {
            self.apps = apps;
            (self.tell)(Change::Apps(self.apps.clone()));
        }
        self.builds.retain(|app, _| self.apps.contains_key(app));
        for (id, app) in &self.apps {
            // A program that is missing for a moment is being replaced: what was last said stands.
            let Some(executable) = &app.executable else {
                continue;
            };
            let Some(stamp) = stamp(executable) else {
                continue;
            };
            let seen = self.builds.get(id);
            if seen.is_some_and(|s| s.stamp == stamp && s.build.version == app.version) {
                continue;
            }
            let build = match build_of_file(executable, &app.version) {
                Ok(build) => build,
                Err(e) => {
                    debug!("{id}: {e}");
                    continue;
                }
            };
            let same = seen.is_some_and(|s| s.build.id == build.id);
            self.builds.insert(
                id.clone(),
                Seen {
                    stamp,
                    build: build.clone(),
                },
            );
            if !same {
                (self.tell)(Change::Build {
                    app: id.clone(),
                    build,
                });
            }
        }
        others
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let m = std::fs::metadata(file).ok()?;
    Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec()))
}

/// The folder, or the nearest one above it that is there, where its coming will be seen.
fn existing(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|p| p.is_dir()).map(Path::to_owned)
}

/// (something changed, the watcher is to end); both false after the timeout.
fn wait(
    inotify: &Inotify,
    stopped: &OwnedFd,
    timeout: Option<Duration>,
) -> io::Result<(bool, bool)> {
    let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(inotify.as_fd(), PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {
                let [changes, end] = &fds;
                return Ok((!changes.revents().is_empty(), !end.revents().is_empty()));
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
