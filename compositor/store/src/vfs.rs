//! The few things the store asks of a disk, so that a simulated one can slide under it.
//!
//! Every durable step of the store is spelled out in these calls (create, write, sync, rename, sync folder); nothing in
//! the store touches files by another way, except the throw-away index, which brings its own file code.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, OFlags};

use crate::together;

/// An open file.
pub trait VfsFile: Send {
    /// Writes all bytes at this offset, extending the file where needed. After an error any prefix may have arrived.
    ///
    /// # Errors
    /// What the system said.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// What the system said.
    fn set_len(&mut self, len: u64) -> io::Result<()>;

    /// Returns when content and length would survive a power cut. After an error the content on disk is unknown, and
    /// asking again proves nothing (the kernel may have dropped the dirty pages): write a new file instead.
    ///
    /// # Errors
    /// What the system said.
    fn sync(&mut self) -> io::Result<()>;
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the folder. Names that are not UTF-8 are none of the store's and are not listed.
    pub name: String,
    /// Whether it is itself a folder.
    pub folder: bool,
}

/// A disk. Names that change are durable only after [`sync_dir`](Vfs::sync_dir) of their folder.
pub trait Vfs: Send + Sync {
    /// Takes the one lock on this file (created when missing); it is held until the result is dropped. `None` when
    /// another process has it.
    ///
    /// # Errors
    /// What the system said.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send>>>;

    /// Makes a new file, readable by this user only.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system said.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;

    /// Makes files that are not there yet, writes each and syncs it: one after the other, or at the same time where that is faster.
    fn write_new(&self, files: &[(PathBuf, &[u8])]) -> Vec<io::Result<()>> {
        files.iter().map(|file| write_new(self, file)).collect()
    }

    /// Opens a file that exists, for writing.
    ///
    /// # Errors
    /// What the system said.
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;

    /// Reads a whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// `FileTooLarge`, or what the system said.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Length of a regular file; `None` when there is none of this name.
    ///
    /// # Errors
    /// What the system said.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Whether others than the user may read this file.
    ///
    /// # Errors
    /// What the system said.
    fn is_exposed(&self, path: &Path) -> io::Result<bool>;

    /// Whether a file or folder has the mode that the store gives it: 0600, folders 0700. What is neither has it.
    ///
    /// # Errors
    /// What the system said.
    fn has_own_mode(&self, path: &Path) -> io::Result<bool> {
        Ok(!self.is_exposed(path)?)
    }

    /// Gives it that mode.
    ///
    /// # Errors
    /// What the system said.
    fn set_own_mode(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The names in a folder, in no order.
    ///
    /// # Errors
    /// `NotFound`, or what the system said.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// Makes a folder for this user only.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system said.
    fn mkdir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing what was there.
    ///
    /// # Errors
    /// What the system said.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system said.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// What the system said.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Returns when the names in this folder would survive a power cut.
    ///
    /// # Errors
    /// What the system said.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Fills a buffer with random bytes fit for keys. Here because a simulated disk can be replayed only when these can.
    ///
    /// # Errors
    /// What the system said.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()>;

    /// When the file was written to last, by the clock of [`now`](Vfs::now).
    ///
    /// # Errors
    /// What the system said.
    fn written(&self, path: &Path) -> io::Result<u64>;

    /// Seconds since 1970, by a clock that may be wrong and may jump: only what waits to be dropped asks.
    fn now(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |time| time.as_secs())
    }

    /// Bytes this user may still write to the disk that holds the folder.
    ///
    /// # Errors
    /// What the system said.
    fn space_left(&self, dir: &Path) -> io::Result<u64>;
}

fn write_new(vfs: &(impl Vfs + ?Sized), (path, bytes): &(PathBuf, &[u8])) -> io::Result<()> {
    let mut file = vfs.create(path)?;
    file.write_at(0, bytes)?;
    file.sync()
}

/// The disk of this machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealFs;

/// So many files are synced at the same time.
const SYNCS: usize = 16;

/// Links are never followed: a store is one folder, and whoever plants a link in it gets an error.
const NO_LINKS: i32 = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).bits() as i32;

struct RealFile(fs::File);

impl VfsFile for RealFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The mode of a file or folder of the store; none for what is neither.
fn own_mode(meta: &fs::Metadata) -> Option<u32> {
    match meta.is_dir() {
        true => Some(0o700),
        false => meta.is_file().then_some(0o600),
    }
}

impl Vfs for RealFs {
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send>>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(NO_LINKS)
            .open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(NO_LINKS)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let file = fs::OpenOptions::new()
            .write(true)
            .custom_flags(NO_LINKS)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        use io::Read as _;
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(NO_LINKS)
            .open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a regular file",
            ));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(limit)).unwrap_or(0));
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
            Ok(_) => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn write_new(&self, files: &[(PathBuf, &[u8])]) -> Vec<io::Result<()>> {
        // Syncs that wait together share the file system's own commit.
        together::map(files, SYNCS, |file| write_new(self, file))
    }

    fn is_exposed(&self, path: &Path) -> io::Result<bool> {
        Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o077 != 0)
    }

    fn has_own_mode(&self, path: &Path) -> io::Result<bool> {
        let meta = fs::symlink_metadata(path)?;
        let wanted = own_mode(&meta);
        Ok(wanted.is_none_or(|mode| meta.permissions().mode() & 0o777 == mode))
    }

    fn set_own_mode(&self, path: &Path) -> io::Result<()> {
        match own_mode(&fs::symlink_metadata(path)?) {
            Some(mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry {
                    name,
                    folder: entry.file_type()?.is_dir(),
                });
            }
        }
        Ok(entries)
    }

    fn mkdir(&self, dir: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn written(&self, path: &Path) -> io::Result<u64> {
        let seconds = fs::symlink_metadata(path)?.mtime();
        Ok(u64::try_from(seconds).unwrap_or(0))
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|e| io::Error::other(e.to_string()))
    }

    fn space_left(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
