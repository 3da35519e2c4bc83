//! sled 0.34.7 behind a shield.
//!
//! Its known faults, and what is done about each:
//! * `flush()` ends in `sync_file_range`, which is no promise: nothing of the truth is in it.
//! * values above ~128 KiB go to `blobs/` and are never synced: values are at most [`MAX_VALUE`](super::MAX_VALUE), and an
//!   index with anything in `blobs/` is thrown away.
//! * a torn `snap.*.generating` makes it unopenable: these are deleted before it is opened, under the store's own lock.
//! * its cache is 1 GiB unless told otherwise: 4 MiB.
//! * it panics on some damage, in calls and while opening: each call runs under `catch_unwind`; after the first failure the
//!   index answers nothing any more and the store throws it away.
//! * its flusher wakes up twice a second: it is switched off, the store flushes when it closes.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::{Index, IndexError, Table, check_size};

/// The cache is of little use: an index entry is read once per save.
const CACHE: u64 = 4 << 20;

/// Changes when keys or values mean something else; another number means: throw away.
const VERSION: &[u8] = b"1";

/// sled as an index.
pub struct SledIndex {
    db: sled::Db,
    chunks: sled::Tree,
    heads: sled::Tree,
}

impl std::fmt::Debug for SledIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SledIndex")
    }
}

/// An index that was opened.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub index: SledIndex,
    /// Why it starts empty, when it was there before and was of no use.
    pub rebuilt: Option<String>,
}

impl SledIndex {
    /// Opens the index in this folder, and makes it anew when that fails. The caller holds the store's lock.
    ///
    /// # Errors
    /// Not even an empty one can be made here.
    pub fn open(dir: &Path) -> Result<Opened, IndexError> {
        let existed = dir.exists();
        // A new name first: a half-opened sled may still hold its lock on the old files.
        let aside = dir.with_extension("thrown-away");
        remove(&aside)?;
        match open_shielded(dir) {
            Ok(index) => Ok(Opened {
                index,
                rebuilt: None,
            }),
            Err(why) if existed => {
                fs::rename(dir, &aside).map_err(|e| IndexError(e.to_string()))?;
                remove(&aside)?;
                open_shielded(dir).map(|index| Opened {
                    index,
                    rebuilt: Some(why.0),
                })
            }
            Err(why) => Err(why),
        }
    }
}

fn remove(dir: &Path) -> Result<(), IndexError> {
    let gone = match fs::symlink_metadata(dir) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(dir),
        Ok(_) => fs::remove_file(dir),
        Err(e) => Err(e),
    };
    match gone {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(IndexError(e.to_string())),
        _ => Ok(()),
    }
}

fn open_shielded(dir: &Path) -> Result<SledIndex, IndexError> {
    remove_torn_snapshots(dir)?;
    shield(|| {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .open()?;
        if db.was_recovered() && db.get("version")?.as_deref() != Some(VERSION) {
            return Ok(Err("it was made by another release".to_owned()));
        }
        db.insert("version", VERSION)?;
        let (chunks, heads) = (db.open_tree("chunks")?, db.open_tree("heads")?);
        // Reading it through is cheap (some dozen bytes a chunk) and finds now what would otherwise be found in mid-save.
        for tree in [&chunks, &heads] {
            for item in tree {
                item?;
            }
        }
        Ok(Ok(SledIndex { db, chunks, heads }))
    })
    .and_then(|made| made.map_err(IndexError))
    .and_then(|index| {
        if blobs_are_empty(dir) {
            Ok(index)
        } else {
            Err(IndexError("its blobs folder is not empty".to_owned()))
        }
    })
}

fn blobs_are_empty(dir: &Path) -> bool {
    fs::read_dir(dir.join("blobs")).map_or(true, |mut entries| entries.next().is_none())
}

fn remove_torn_snapshots(dir: &Path) -> Result<(), IndexError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(IndexError(e.to_string())),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn shield<T>(run: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(IndexError(e.to_string())),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(IndexError(format!(
                "sled panicked: {}",
                text.unwrap_or("without a word")
            )))
        }
    }
}

impl SledIndex {
    fn tree(&self, table: Table) -> &sled::Tree {
        match table {
            Table::Chunks => &self.chunks,
            Table::Heads => &self.heads,
        }
    }
}

impl Index for SledIndex {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        shield(|| self.tree(table).get(key)).map(|v| v.map(|v| v.to_vec()))
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        check_size(value)?;
        shield(|| self.tree(table).insert(key, value)).map(drop)
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), IndexError> {
        shield(|| self.tree(table).remove(key)).map(drop)
    }

    fn remove_prefix(&mut self, table: Table, prefix: &[u8]) -> Result<(), IndexError> {
        let tree = self.tree(table);
        shield(|| {
            for key in tree.scan_prefix(prefix).keys() {
                tree.remove(key?)?;
            }
            Ok(())
        })
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        shield(|| self.db.flush()).map(drop)
    }
}
