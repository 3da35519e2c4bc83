//! Stores of older formats: they are brought to the present one when they are opened, one format at a time.

use crate::{disk::Disk, error::Result, open::FORMAT};

/// Makes the next format of one. It may be cut short at any moment, and is then called again: what it has done it finds done.
/// Whatever it writes is durable when it returns.
pub(crate) type Migration = fn(&mut Disk) -> Result<()>;

/// The first makes format 2 of format 1, and so on.
const MIGRATIONS: [Migration; FORMAT as usize - 1] = [];

/// Brings a store of format `from` to the present one.
///
/// # Errors
/// The disk failed. The store is then of a format in between, or still of its own, and nothing of it is lost.
pub(crate) fn migrate(disk: &mut Disk, from: u64) -> Result<()> {
    migrate_by(disk, from, &MIGRATIONS)
}

fn migrate_by(disk: &mut Disk, from: u64, migrations: &[Migration]) -> Result<()> {
    for (format, migration) in (1..).zip(migrations).filter(|(format, _)| *format >= from) {
        let next: u64 = format + 1;
        tracing::info!("the store is brought from format {format} to format {next}");
        migration(disk)?;
        write_format(disk, next)?;
    }
    Ok(())
}

/// Says what format the store has.
///
/// # Errors
/// The disk failed.
pub(crate) fn write_format(disk: &mut Disk, format: u64) -> Result<()> {
    let text = format!("{}{format}\n", crate::open::FORMAT_WORD);
    disk.replace(&disk.path("format"), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{error::StoreError, vfs::RealFs};

    fn append(disk: &mut Disk, letter: u8) -> Result<()> {
        let path = disk.path("story");
        let mut text = disk.read_maybe(&path, 100)?.unwrap_or_default();
        text.push(letter);
        disk.replace(&path, &text)
    }

    fn second(disk: &mut Disk) -> Result<()> {
        append(disk, b'2')
    }

    fn third(disk: &mut Disk) -> Result<()> {
        append(disk, b'3')
    }

    fn fails(_: &mut Disk) -> Result<()> {
        Err(StoreError::Random("not today".to_owned()))
    }

    #[test]
    fn each_format_is_made_of_the_one_before_and_a_failure_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(Arc::new(RealFs), folder.path().to_owned());
        disk.mkdir(&disk.path("tmp")).unwrap();
        write_format(&mut disk, 1).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();

        migrate_by(&mut disk, 1, &[second, fails]).unwrap_err();
        assert_eq!(
            (read("format"), read("story")),
            ("overwinter-store 2\n".into(), "2".into())
        );
        migrate_by(&mut disk, 2, &[second, third]).unwrap();
        assert_eq!(
            (read("format"), read("story")),
            ("overwinter-store 3\n".into(), "23".into())
        );
        migrate_by(&mut disk, 3, &[second, third]).unwrap();
        assert_eq!(read("story"), "23", "nothing is done twice");
    }
}
