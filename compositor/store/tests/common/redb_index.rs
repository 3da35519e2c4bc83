//! The index on redb: nothing of the store is tied to sled.

use std::path::{Path, PathBuf};

use overwinter_store::index::{Change, Index, IndexError, MAX_VALUE, PAGE, Pair, Table};
use redb::{Database, Durability, ReadableDatabase as _, TableDefinition};

const CHUNKS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("chunks");
const HEADS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("heads");

/// redb as an index, in one file.
pub struct RedbIndex {
    file: PathBuf,
    db: Option<Database>,
}

fn error(e: impl std::fmt::Display) -> IndexError {
    IndexError(e.to_string())
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    match table {
        Table::Chunks => CHUNKS,
        Table::Heads => HEADS,
    }
}

fn create(file: &Path) -> Result<Database, IndexError> {
    let db = Database::builder()
        .set_cache_size(4 << 20)
        .create(file)
        .map_err(error)?;
    let tx = db.begin_write().map_err(error)?;
    for table in [CHUNKS, HEADS] {
        tx.open_table(table).map_err(error)?;
    }
    tx.commit().map_err(error)?;
    Ok(db)
}

impl RedbIndex {
    pub fn open(file: &Path) -> Result<RedbIndex, IndexError> {
        Ok(RedbIndex {
            file: file.to_owned(),
            db: Some(create(file)?),
        })
    }

    fn db(&self) -> Result<&Database, IndexError> {
        self.db.as_ref().ok_or_else(|| error("it failed before"))
    }
}

impl Index for RedbIndex {
    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Vec<Pair>, IndexError> {
        let tx = self.db()?.begin_read().map_err(error)?;
        let table = tx.open_table(definition(table)).map_err(error)?;
        let mut pairs = Vec::new();
        for pair in table.range(after.unwrap_or(prefix)..).map_err(error)? {
            let (key, value) = pair.map_err(error)?;
            let key = key.value();
            if !key.starts_with(prefix) || pairs.len() == PAGE {
                break;
            }
            if after != Some(key) {
                pairs.push((key.to_vec(), value.value().to_vec()));
            }
        }
        Ok(pairs)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), IndexError> {
        let mut tx = self.db()?.begin_write().map_err(error)?;
        tx.set_durability(Durability::None).map_err(error)?;
        for change in changes {
            match change {
                Change::Put { value, .. } if value.len() > MAX_VALUE => {
                    return Err(error("too large a value"));
                }
                Change::Put { table, key, value } => {
                    let mut table = tx.open_table(definition(*table)).map_err(error)?;
                    table
                        .insert(key.as_slice(), value.as_slice())
                        .map_err(error)?;
                }
                Change::Remove { table, key } => {
                    let mut table = tx.open_table(definition(*table)).map_err(error)?;
                    table.remove(key.as_slice()).map_err(error)?;
                }
                Change::RemovePrefix { table, prefix } => {
                    let mut table = tx.open_table(definition(*table)).map_err(error)?;
                    table
                        .retain(|key, _| !key.starts_with(prefix))
                        .map_err(error)?;
                }
            }
        }
        tx.commit().map_err(error)
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        let mut tx = self.db()?.begin_write().map_err(error)?;
        tx.set_durability(Durability::Immediate).map_err(error)?;
        tx.commit().map_err(error)
    }

    fn start_over(&mut self) -> Result<(), IndexError> {
        self.db = None;
        std::fs::remove_file(&self.file).map_err(error)?;
        self.db = Some(create(&self.file)?);
        Ok(())
    }
}
