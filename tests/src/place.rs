//! Where a session runs: on this machine as it is, or inside namespaces that stand for a host.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A place to run programs in and to look at files of.
#[derive(Clone, Debug)]
pub struct Place {
    /// Put before every command: `nsenter …`.
    prefix: Vec<String>,
    /// What its `/` is called here.
    root: PathBuf,
}

impl Place {
    /// This machine.
    pub fn here() -> Self {
        Place {
            prefix: Vec::new(),
            root: PathBuf::from("/"),
        }
    }

    /// The namespaces of a process.
    pub(crate) fn inside(prefix: Vec<String>, root: PathBuf) -> Self {
        Place { prefix, root }
    }

    /// A command that will run there, with nothing in its environment but a PATH.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let mut command = match self.prefix.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.env_clear().env("PATH", search_path());
        command
    }

    /// What a path of that place is called here.
    pub fn path(&self, there: &Path) -> PathBuf {
        match there.strip_prefix("/") {
            Ok(relative) => self.root.join(relative),
            Err(_) => there.to_path_buf(),
        }
    }

    /// The process table of that place.
    pub fn proc(&self) -> PathBuf {
        self.path(Path::new("/proc"))
    }
}

/// Folder of this project's programs: that of the running test or demo.
///
/// # Panics
/// When the system does not tell where this program lies.
pub fn programs() -> PathBuf {
    let me = std::env::current_exe().expect("the system tells where a program lies");
    let folder = me.parent().map(Path::to_path_buf).unwrap_or_default();
    // Integration tests lie in target/PROFILE/deps, programs beside it.
    match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().map(Path::to_path_buf).unwrap_or(folder),
        _ => folder,
    }
}

/// Our programs first, then the system's.
pub fn search_path() -> String {
    format!(
        "{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        programs().display()
    )
}
