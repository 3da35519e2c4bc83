//! Files that are being written. A draft has no name until it is whole and on the disk, so that whatever ends this program
//! leaves nothing half-written behind.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, open, renameat_with};
use rustix::io::Errno;

/// A file without a name, or with a passing one where the disk knows no nameless files. Readable by this user alone.
pub struct Draft {
    /// Its content.
    pub file: File,
    part: Option<PathBuf>,
}

impl Draft {
    /// For the file that is to be `target`.
    pub fn beside(target: &Path) -> io::Result<Draft> {
        Draft::within(folder_of(target), &part_of(target))
    }

    /// That is never to have a name.
    pub fn nameless() -> io::Result<File> {
        let folder = std::env::temp_dir();
        let mut draft = Draft::within(&folder, &part_of(&folder.join("overwinter")))?;
        draft.remove();
        draft.file.try_clone()
    }

    fn within(folder: &Path, part: &Path) -> io::Result<Draft> {
        let mode = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match open(folder, flags | OFlags::TMPFILE, mode) {
            Ok(file) => Ok(Draft {
                file: file.into(),
                part: None,
            }),
            // What file systems say that cannot, and kernels that do not know what is meant.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT)
                if folder.is_dir() =>
            {
                let file = open(part, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
                Ok(Draft {
                    file: file.into(),
                    part: Some(part.to_owned()),
                })
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Gives it its name once it is on the disk. Without `replace` an existing file is an error and stays.
    pub fn publish(mut self, target: &Path, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let part = match &self.part {
            Some(part) => part.clone(),
            None => {
                let part = part_of(target);
                let nameless = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(CWD, nameless, CWD, &part, AtFlags::SYMLINK_FOLLOW)?;
                self.part.insert(part).clone()
            }
        };
        let flags = if replace {
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        renameat_with(CWD, &part, CWD, target, flags)?;
        self.part = None;
        File::open(folder_of(target))?.sync_all()
    }

    fn remove(&mut self) {
        if let Some(part) = self.part.take() {
            let _ = std::fs::remove_file(part);
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.remove();
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    name.into()
}

/// What comes from a pipe, as a file from its beginning: whoever reads it must not wait for who writes.
pub fn spool(from: &mut dyn Read) -> io::Result<File> {
    let mut file = Draft::nameless()?;
    io::copy(from, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// The whole of a file, to standard output.
pub fn pour_out(mut file: File) -> io::Result<u64> {
    file.rewind()?;
    let mut out = io::stdout().lock();
    let poured = io::copy(&mut file, &mut out)?;
    out.flush()?;
    Ok(poured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Both kinds of draft, in a folder.
    fn drafts(target: &Path) -> [Draft; 2] {
        let part = part_of(target);
        let named = File::create_new(&part).unwrap();
        [
            Draft::beside(target).unwrap(),
            Draft {
                file: named,
                part: Some(part),
            },
        ]
    }

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(drafts(&folder.path().join("x")));
        assert_eq!(names(folder.path()), 0);
    }

    #[test]
    fn a_file_is_replaced_only_on_demand() {
        for kind in 0..2 {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("x");
            for (turn, replace) in [(0, false), (1, false), (2, true)] {
                let mut draft = drafts(&target).into_iter().nth(kind).unwrap();
                write!(draft.file, "{turn}").unwrap();
                assert_eq!(draft.publish(&target, replace).is_ok(), turn != 1);
            }
            assert_eq!(std::fs::read(&target).unwrap(), b"2");
            assert_eq!(names(folder.path()), 1);
            if kind == 0 {
                let mode = std::fs::metadata(&target).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
    }
}
