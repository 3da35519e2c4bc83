//! The store's folder and the durable steps taken in it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use overwinter_proto::{GroupId, transfer::ChunkId};

use crate::{
    error::{Result, StoreError},
    vfs::Vfs,
};

/// The store's folder on some disk.
pub(crate) struct Disk {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    temps: u64,
}

/// Rounds up to what a file of this length takes on a usual disk.
pub(crate) fn on_disk(len: u64) -> u64 {
    len.next_multiple_of(4096)
}

impl Disk {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, dir: PathBuf) -> Disk {
        Disk { vfs, dir, temps: 0 }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn group_dir(&self, group: GroupId) -> PathBuf {
        self.dir.join("groups").join(group.to_string())
    }

    pub(crate) fn journal(&self, group: GroupId) -> PathBuf {
        self.group_dir(group).join("journal")
    }

    pub(crate) fn key(&self, group: GroupId) -> PathBuf {
        self.dir.join("keys").join(group.to_string())
    }

    pub(crate) fn tombstone(&self, group: GroupId) -> PathBuf {
        self.dir.join("tombstones").join(group.to_string())
    }

    pub(crate) fn objects(&self, group: GroupId) -> PathBuf {
        self.dir.join("objects").join(group.to_string())
    }

    /// The folder of a chunk.
    pub(crate) fn shelf(&self, group: GroupId, first: u8) -> PathBuf {
        self.objects(group).join(hex::encode([first]))
    }

    pub(crate) fn chunk(&self, group: GroupId, id: ChunkId) -> PathBuf {
        self.shelf(group, id.0[0]).join(hex::encode(id.0))
    }

    /// Random bytes for keys and nonces.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let drawn = self.vfs.random(&mut bytes);
        drawn.map_err(|e| StoreError::Random(e.to_string()))?;
        Ok(bytes)
    }

    /// Bytes left on the disk.
    pub(crate) fn space_left(&self) -> Result<u64> {
        self.vfs
            .space_left(&self.dir)
            .map_err(|e| self.fail("ask for the space left in", &self.dir, 0, e))
    }

    /// Puts words to what the system said.
    pub(crate) fn fail(
        &self,
        doing: &'static str,
        path: &Path,
        needed: u64,
        source: io::Error,
    ) -> StoreError {
        if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            let left = self.vfs.space_left(&self.dir).unwrap_or(0);
            return StoreError::Full { needed, left };
        }
        StoreError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        self.vfs
            .read(path, limit)
            .map_err(|e| self.fail("read", path, 0, e))
    }

    /// Reads a file that may be missing.
    pub(crate) fn read_maybe(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.vfs.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.fail("read", path, 0, e)),
        }
    }

    pub(crate) fn len(&self, path: &Path) -> Result<Option<u64>> {
        self.vfs
            .len(path)
            .map_err(|e| self.fail("look at", path, 0, e))
    }

    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.vfs
            .sync_dir(dir)
            .map_err(|e| self.fail("sync the folder", dir, 0, e))
    }

    /// Makes a folder unless it is there. Not durable before the folder above is synced.
    pub(crate) fn mkdir(&self, dir: &Path) -> Result<()> {
        match self.vfs.mkdir(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                Err(self.fail("make the folder", dir, 4096, e))
            }
            _ => Ok(()),
        }
    }

    /// A synced file under a temporary name. When the sync fails it is not asked again: the bytes are written once more,
    /// to a new file, and only that one's sync counts.
    pub(crate) fn temp(&mut self, bytes: &[u8]) -> Result<PathBuf> {
        match self.try_temp(bytes) {
            Err(e) if !e.is_full() => self.try_temp(bytes),
            other => other,
        }
    }

    /// As [`temp`](Disk::temp), for many. All of them, or none.
    pub(crate) fn temps(&mut self, contents: &[Vec<u8>]) -> Result<Vec<PathBuf>> {
        let files: Vec<(PathBuf, &[u8])> = contents
            .iter()
            .map(|bytes| (self.next_temp(), bytes.as_slice()))
            .collect();
        let written = self.vfs.write_new(&files);
        let mut temps = Vec::with_capacity(files.len());
        let mut failed = None;
        for ((path, bytes), written) in files.into_iter().zip(written) {
            let outcome = written.map(|()| path.clone()).or_else(|e| {
                let error = self.fail("write", &path, on_disk(bytes.len() as u64), e);
                self.discard(&path);
                match error.is_full() || failed.is_some() {
                    true => Err(error),
                    false => self.try_temp(bytes),
                }
            });
            match outcome {
                Ok(temp) => temps.push(temp),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        let Some(error) = failed else {
            return Ok(temps);
        };
        for temp in temps {
            self.discard(&temp);
        }
        Err(error)
    }

    fn next_temp(&mut self) -> PathBuf {
        self.temps += 1;
        self.dir.join("tmp").join(self.temps.to_string())
    }

    fn try_temp(&mut self, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.next_temp();
        let written = self.vfs.create(&path).and_then(|mut file| {
            file.write_at(0, bytes)?;
            file.sync()
        });
        match written {
            Ok(()) => Ok(path),
            Err(e) => {
                let error = self.fail("write", &path, on_disk(bytes.len() as u64), e);
                self.discard(&path);
                Err(error)
            }
        }
    }

    /// Removes a file that nothing refers to; what is left of it is swept when the store is next opened.
    pub(crate) fn discard(&self, path: &Path) {
        if let Err(e) = self.vfs.remove_file(path)
            && e.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("could not remove {}: {e}", path.display());
        }
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.vfs
            .rename(from, to)
            .map_err(|e| self.fail("put into place", to, 4096, e))
    }

    /// temp → sync → rename → sync folder: the file has its new content for ever, or its old one.
    pub(crate) fn replace(&mut self, target: &Path, bytes: &[u8]) -> Result<()> {
        let temp = self.temp(bytes)?;
        if let Err(e) = self.rename(&temp, target) {
            self.discard(&temp);
            return Err(e);
        }
        match target.parent() {
            Some(dir) => self.sync_dir(dir),
            None => Ok(()),
        }
    }

    /// Removes a file durably; a missing one is no error.
    pub(crate) fn unlink(&self, path: &Path) -> Result<()> {
        match self.vfs.remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(self.fail("remove", path, 0, e));
            }
            _ => {}
        }
        match path.parent() {
            Some(dir) => self.sync_dir(dir),
            None => Ok(()),
        }
    }

    /// Removes a folder with all that is in it; a missing one is no error. Not durable before the folder above is synced.
    pub(crate) fn remove_tree(&self, dir: &Path) -> Result<()> {
        let entries = match self.vfs.list(dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(self.fail("list", dir, 0, e)),
        };
        for entry in entries {
            let path = dir.join(&entry.name);
            if entry.folder {
                self.remove_tree(&path)?;
            } else {
                self.vfs
                    .remove_file(&path)
                    .map_err(|e| self.fail("remove", &path, 0, e))?;
            }
        }
        self.vfs
            .remove_dir(dir)
            .map_err(|e| self.fail("remove", dir, 0, e))
    }

    /// The groups that have an entry in this folder, and the names that are no group's.
    pub(crate) fn groups_in(&self, folder: &str) -> Result<(Vec<GroupId>, Vec<String>)> {
        let dir = self.path(folder);
        let entries = self
            .vfs
            .list(&dir)
            .map_err(|e| self.fail("list", &dir, 0, e))?;
        let (mut groups, mut strangers) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.name.parse::<GroupId>() {
                Ok(group) => groups.push(group),
                Err(_) => strangers.push(format!("{folder}/{}", entry.name)),
            }
        }
        groups.sort_unstable();
        Ok((groups, strangers))
    }
}
