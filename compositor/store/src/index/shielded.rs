//! sled 0.34.7 behind a shield.
//!
//! Its known faults, and what is done about each:
//! * its threads never end and wake up once a second, and what it allocates stays: it runs in a process of its own, which
//!   ends when there is nothing to do (see [`serve`](super::serve));
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
    path::{Path, PathBuf},
};

use super::{Change, Index, IndexError, PAGE, Pair, Table, check_sizes, remove, throw_away};

/// The cache is of little use: an index entry is read once per process.
const CACHE: u64 = 4 << 20;

/// Changes when keys or values mean something else; another number means: throw away.
const VERSION: &[u8] = b"1";

/// sled as an index.
pub struct SledIndex {
    dir: PathBuf,
    /// None after a failure, until it has been started over.
    open: Option<Trees>,
}

struct Trees {
    db: sled::Db,
    chunks: sled::Tree,
    heads: sled::Tree,
}

impl std::fmt::Debug for SledIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SledIndex({})", self.dir.display())
    }
}

/// An index that was opened.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub index: SledIndex,
    /// Why it starts empty, when it was there before and was of no use.
    pub rebuilt: Option<String>,
    /// There was none.
    pub created: bool,
}

impl SledIndex {
    /// Opens the index in this folder, and makes it anew when that fails. The caller holds the store's lock.
    ///
    /// # Errors
    /// Not even an empty one can be made here.
    pub fn open(dir: &Path) -> Result<Opened, IndexError> {
        let existed = dir.exists();
        let made = |trees: Trees, rebuilt| Opened {
            index: SledIndex {
                dir: dir.to_owned(),
                open: Some(trees),
            },
            rebuilt,
            created: !existed,
        };
        match open_shielded(dir) {
            Ok((trees, recovered)) => Ok(Opened {
                created: !recovered,
                ..made(trees, None)
            }),
            Err(why) if existed => {
                throw_away(dir)?;
                Ok(made(open_shielded(dir)?.0, Some(why.0)))
            }
            Err(why) => Err(why),
        }
    }

    fn trees(&mut self) -> Result<&mut Trees, IndexError> {
        self.open
            .as_mut()
            .ok_or_else(|| IndexError("it failed before".to_owned()))
    }

    /// After the first failure nothing that sled says is believed.
    fn last<T>(&mut self, outcome: Result<T, IndexError>) -> Result<T, IndexError> {
        if outcome.is_err() {
            self.open = None;
        }
        outcome
    }
}

/// Also tells whether there was one.
fn open_shielded(dir: &Path) -> Result<(Trees, bool), IndexError> {
    remove_torn_snapshots(dir)?;
    shield(|| {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .open()?;
        let recovered = db.was_recovered();
        if recovered && db.get("version")?.as_deref() != Some(VERSION) {
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
        Ok(Ok((Trees { db, chunks, heads }, recovered)))
    })
    .and_then(|made| made.map_err(IndexError))
    .and_then(|made| {
        if blobs_are_empty(dir) {
            Ok(made)
        } else {
            Err(IndexError("its blobs folder is not empty".to_owned()))
        }
    })
}

fn blobs_are_empty(dir: &Path) -> bool {
    fs::read_dir(dir.join("blobs")).map_or(true, |mut entries| entries.next().is_none())
}

fn remove_torn_snapshots(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
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

impl Trees {
    fn tree(&self, table: Table) -> &sled::Tree {
        match table {
            Table::Chunks => &self.chunks,
            Table::Heads => &self.heads,
        }
    }

    fn scan(&self, table: Table, prefix: &[u8], after: Option<&[u8]>) -> sled::Result<Vec<Pair>> {
        let all = self.tree(table).range(after.unwrap_or(prefix).to_vec()..);
        let mut pairs = Vec::new();
        for pair in all {
            let (key, value) = pair?;
            if !key.starts_with(prefix) || pairs.len() == PAGE {
                break;
            }
            if after != Some(&*key) {
                pairs.push((key.to_vec(), value.to_vec()));
            }
        }
        Ok(pairs)
    }

    fn apply(&self, changes: &[Change]) -> sled::Result<()> {
        for change in changes {
            match change {
                Change::Put { table, key, value } => {
                    self.tree(*table).insert(key, value.as_slice())?;
                }
                Change::Remove { table, key } => {
                    self.tree(*table).remove(key)?;
                }
                Change::RemovePrefix { table, prefix } => {
                    let tree = self.tree(*table);
                    for key in tree.scan_prefix(prefix).keys() {
                        tree.remove(key?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Index for SledIndex {
    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Vec<Pair>, IndexError> {
        let trees = self.trees()?;
        let found = shield(|| trees.scan(table, prefix, after));
        self.last(found)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), IndexError> {
        check_sizes(changes)?;
        let trees = self.trees()?;
        let done = shield(|| trees.apply(changes));
        self.last(done)
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        let trees = self.trees()?;
        let flushed = shield(|| trees.db.flush()).map(drop);
        self.last(flushed)
    }

    fn start_over(&mut self) -> Result<(), IndexError> {
        self.open = None;
        throw_away(&self.dir)?;
        self.open = Some(open_shielded(&self.dir)?.0);
        Ok(())
    }
}
