//! The identity of code: what an executable file is, and what a process runs: a program, or a script by its interpreter.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use object::{Object, ReadCache};
use overwinter_proto::Build;

use crate::script::{is_as_started, script_of_process};

/// Why nothing can be said about an executable.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It says that it is ELF and is not: a file that is being written looks so.
    #[error("{path} is not a whole executable: {why}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What a process runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Executable {
    /// Where the file was when it was started, as far as `/proc` can tell.
    pub path: PathBuf,
    /// Device and inode: the same file while it lives, whatever its name is by now.
    pub file: (u64, u64),
    /// Identity of the code; see [`Build::id`].
    pub build_id: String,
}

/// Identity of the code in an executable file, with the version that its .desktop file tells.
///
/// # Errors
/// See [`BuildError`].
pub fn build_of_file(path: &Path, version: &str) -> Result<Build, BuildError> {
    Ok(Build {
        version: version.to_owned(),
        id: build_id_of_file(path)?,
    })
}

/// What the process `pid` runs, read through `/proc/PID/exe`, which still leads to the file after it was replaced or removed.
/// For an interpreter it is the script that it was started with; see [`script`](crate::script). The caller must know that the
/// process is the one it means (start time), before and after.
///
/// # Errors
/// See [`BuildError`]. A script that is another one by now is not there any more.
pub fn build_of_process(pid: u32) -> Result<Executable, BuildError> {
    match script_of_process(pid) {
        Some(path) => build_of_script(pid, path),
        None => build_of_program(pid),
    }
}

fn build_of_script(pid: u32, path: PathBuf) -> Result<Executable, BuildError> {
    let unreadable = |source| BuildError::Unreadable {
        path: path.clone(),
        source,
    };
    let before = std::fs::metadata(&path).map_err(unreadable)?;
    let build_id = build_id_of_file(&path)?;
    if !is_as_started(pid, &path).map_err(unreadable)? {
        return Err(unreadable(io::Error::other(
            "it was replaced after the process had started",
        )));
    }
    Ok(Executable {
        file: (before.dev(), before.ino()),
        path,
        build_id,
    })
}

fn build_of_program(pid: u32) -> Result<Executable, BuildError> {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    let unreadable = |source| BuildError::Unreadable {
        path: link.clone(),
        source,
    };
    let name = std::fs::read_link(&link).map_err(unreadable)?;
    let meta = std::fs::metadata(&link).map_err(unreadable)?;
    let path = match name.to_str().and_then(|n| n.strip_suffix(" (deleted)")) {
        // A file may really be called that.
        Some(stripped) if !name.exists() => PathBuf::from(stripped),
        _ => name,
    };
    Ok(Executable {
        path,
        file: (meta.dev(), meta.ino()),
        build_id: build_id_of_file(&link)?,
    })
}

/// The GNU build-id note of an ELF file (only its headers and notes are read), else BLAKE3 of the whole file.
///
/// # Errors
/// See [`BuildError`].
pub fn build_id_of_file(path: &Path) -> Result<String, BuildError> {
    let unreadable = |source| BuildError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut magic = [0; 4];
    let is_elf = match file.read_exact(&mut magic) {
        Ok(()) => &magic == b"\x7fELF",
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => false,
        Err(e) => return Err(unreadable(e)),
    };
    if is_elf && let Some(id) = gnu_build_id(path, &file)? {
        return Ok(id);
    }
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file, &mut hasher).map_err(unreadable)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn gnu_build_id(path: &Path, file: &File) -> Result<Option<String>, BuildError> {
    let damaged = |e: object::Error| BuildError::Damaged {
        path: path.to_owned(),
        why: e.to_string(),
    };
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).map_err(damaged)?;
    let id = elf.build_id().map_err(damaged)?;
    // A note without a description identifies nothing.
    Ok(id.filter(|id| !id.is_empty()).map(hex::encode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_note_that_readelf_shows_is_the_identity() {
        let out = Command::new("readelf")
            .args(["-n", "/bin/sh"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let shown = text
            .split("Build ID: ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        assert_eq!(build_id_of_file(Path::new("/bin/sh")).unwrap(), shown);
    }

    #[test]
    fn without_a_note_the_content_is_the_identity() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "#!/bin/sh\necho 1\n").unwrap();
        std::fs::write(&b, "#!/bin/sh\necho 2\n").unwrap();
        let id = build_id_of_file(&a).unwrap();
        assert_eq!(
            id,
            blake3::hash(b"#!/bin/sh\necho 1\n").to_hex().to_string()
        );
        assert_ne!(id, build_id_of_file(&b).unwrap());
        std::fs::write(&a, "").unwrap();
        build_id_of_file(&a).unwrap();
    }

    #[test]
    fn half_a_program_is_told_from_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let half = folder.path().join("half");
        let whole = std::fs::read("/bin/sh").unwrap();
        for length in [4, 20, 64, whole.len() / 2] {
            std::fs::write(&half, &whole[..length]).unwrap();
            let outcome = build_id_of_file(&half);
            assert!(
                matches!(outcome, Err(BuildError::Damaged { .. })),
                "{length}: {outcome:?}"
            );
        }
    }

    #[test]
    fn a_process_keeps_its_identity_after_its_file_was_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let exe = folder.path().join("nap");
        std::fs::copy("/bin/sleep", &exe).unwrap();
        let mut child = spawn_settled(&exe);
        let before = build_of_process(child.id()).unwrap();
        assert_eq!(before.path, exe);
        let new = folder.path().join("new");
        std::fs::copy("/bin/cat", &new).unwrap();
        std::fs::rename(&new, &exe).unwrap();
        assert_eq!(
            build_of_process(child.id()).unwrap().build_id,
            before.build_id
        );
        assert_ne!(build_id_of_file(&exe).unwrap(), before.build_id);
        std::fs::remove_file(&exe).unwrap();
        let after = build_of_process(child.id()).unwrap();
        assert_eq!(after, before);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(build_of_process(child.id()).is_err());
    }

    /// Another test thread may have forked while the copy was open for writing, and the kernel then says ETXTBSY.
    fn spawn_settled(exe: &Path) -> std::process::Child {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            match Command::new(exe).arg("1000").stdin(Stdio::null()).spawn() {
                Ok(child) => return child,
                Err(e)
                    if e.kind() == io::ErrorKind::ExecutableFileBusy
                        && std::time::Instant::now() < end => {}
                Err(e) => panic!("{e}"),
            }
        }
    }
}
