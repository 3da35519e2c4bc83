//! Copies of executables that ran: `<folder>/<build id>/<program name>`. An update replaces the file on disk; going back to
//! the former version needs the former program, and its process may have ended.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use tracing::{debug, warn};

use crate::build::build_id_of_file;
use crate::script::script_of_process;

/// How many builds that nobody runs are kept for going back: this one's predecessor, and one more for a second thought.
const SPARE: usize = 3;

/// A folder of kept builds.
#[derive(Clone, Debug)]
pub struct Keeper {
    folder: PathBuf,
}

impl Keeper {
    /// Keeps builds under `folder`, which is made when it is first needed.
    pub fn new(folder: PathBuf) -> Keeper {
        Keeper { folder }
    }

    /// Copies the program that `pid` runs, unless it is kept already. A file that shares its extents with the original where
    /// the file system can do that, never a hard link: a program that is overwritten in place must not change this one.
    /// Takes as long as copying the file does: not for the main thread.
    ///
    /// # Errors
    /// When the file cannot be copied, or turns out not to be `build_id`.
    pub fn keep(&self, pid: u32, build_id: &str) -> io::Result<PathBuf> {
        if let Some(kept) = self.kept(build_id) {
            return Ok(kept);
        }
        let not_an_id = || io::Error::new(io::ErrorKind::InvalidInput, "that is not a build id");
        let folder = self.folder_of(build_id).ok_or_else(not_an_id)?;
        let program = PathBuf::from(format!("/proc/{pid}/exe"));
        let (source, name) = match script_of_process(pid) {
            Some(script) => (script.clone(), script),
            None => (program.clone(), std::fs::read_link(program)?),
        };
        let name = name
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or("program");
        let name = name.strip_suffix(" (deleted)").unwrap_or(name);
        std::fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
        let outcome = copy(&source, &unfinished)
            .and_then(|()| match build_id_of_file(&unfinished) {
                Ok(id) if id == build_id => Ok(()),
                Ok(_) => Err(io::Error::other("the process runs other code by now")),
                Err(e) => Err(io::Error::other(e)),
            })
            .and_then(|()| std::fs::rename(&unfinished, folder.join(name)));
        if let Err(e) = outcome {
            let _ = std::fs::remove_file(&unfinished);
            return Err(e);
        }
        debug!("kept build {build_id} of {name}");
        Ok(folder.join(name))
    }

    /// The kept program of that build.
    pub fn kept(&self, build_id: &str) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.folder_of(build_id)?).ok()?;
        entries
            .flatten()
            .find(|e| !e.file_name().to_string_lossy().starts_with('.'))
            .map(|e| e.path())
    }

    /// Drops the oldest builds that are not in `in_use`, except the newest few.
    pub fn prune(&self, in_use: &BTreeSet<String>) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        let mut idle: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|e| !in_use.contains(&*e.file_name().to_string_lossy()))
            .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
            .collect();
        idle.sort();
        let surplus = idle.len().saturating_sub(SPARE);
        for (_, path) in idle.into_iter().take(surplus) {
            if let Err(e) = std::fs::remove_dir_all(&path) {
                warn!("cannot drop {}: {e}", path.display());
            }
        }
    }

    /// Ids come from files: nothing but hexadecimal digits is ever part of a path.
    fn folder_of(&self, build_id: &str) -> Option<PathBuf> {
        let sound = (8..=128).contains(&build_id.len())
            && build_id
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        sound.then(|| self.folder.join(build_id))
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        io::copy(&mut source, &mut target)?;
    }
    target.set_permissions(std::fs::Permissions::from_mode(0o700))?;
    target.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build_of_process;
    use std::process::Command;

    #[test]
    fn a_replaced_program_can_be_started_from_its_kept_copy() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(root.path().join("builds"));
        let mut child = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        let id = build_of_process(child.id()).unwrap().build_id;
        assert_eq!(keeper.kept(&id), None);
        let kept = keeper.keep(child.id(), &id).unwrap();
        assert_eq!(kept, root.path().join("builds").join(&id).join("sleep"));
        assert_eq!(keeper.kept(&id), Some(kept.clone()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(build_id_of_file(&kept).unwrap(), id);
        // Again: nothing to do, and no process needed.
        assert_eq!(keeper.keep(child.id(), &id).unwrap(), kept);
    }

    #[test]
    fn of_an_interpreter_the_script_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(root.path().join("builds"));
        let script = root.path().join("notes");
        std::fs::write(&script, "#!/bin/sh\necho hi\nread line\n").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(&script)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // `spawn` may return before the kernel has laid out the new command line; what the script says comes after.
        let mut said = [0; 3];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let runs = build_of_process(child.id()).unwrap();
        assert_eq!(runs.path, script);
        let kept = keeper.keep(child.id(), &runs.build_id).unwrap();
        assert_eq!(kept.file_name(), script.file_name());
        assert_eq!(
            std::fs::read(&kept).unwrap(),
            std::fs::read(&script).unwrap()
        );
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_is_not_the_build_is_not_kept() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(root.path().to_owned());
        let me = std::process::id();
        assert!(keeper.keep(me, &"ab".repeat(20)).is_err());
        assert_eq!(keeper.kept(&"ab".repeat(20)), None);
        assert!(keeper.keep(me, "../../etc").is_err());
        assert_eq!(keeper.kept(".."), None);
    }

    #[test]
    fn builds_in_use_and_the_newest_few_stay() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(root.path().to_owned());
        let ids: Vec<String> = (0..6).map(|i| format!("{i:040x}")).collect();
        for (age, id) in ids.iter().rev().enumerate() {
            let folder = root.path().join(id);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("program"), "x").unwrap();
            let then = SystemTime::now() - std::time::Duration::from_secs(100 * age as u64);
            File::open(&folder).unwrap().set_modified(then).unwrap();
        }
        keeper.prune(&BTreeSet::from([ids[0].clone()]));
        let left: Vec<bool> = ids.iter().map(|id| keeper.kept(id).is_some()).collect();
        assert_eq!(left, [true, false, false, true, true, true]);
    }
}
