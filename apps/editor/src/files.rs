//! Files read and written without holding up the windows, and never over what somebody else has written meanwhile.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use gtk4::prelude::*;
use gtk4::{gio, glib};

use crate::document::Document;

/// Larger files are not opened: a text view would take many seconds and gigabytes for them. Bytes.
const LARGEST: i64 = 256 * 1024 * 1024;

/// What is expected to be at a path when a text is written there. Anything else is somebody else's work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Nothing.
    Nothing,
    /// The file with this entity tag, or nothing: a file that was deleted is made again.
    File(String),
    /// Whatever it is, the user wants it replaced.
    Anything,
}

/// Why a file was not written.
#[derive(Debug)]
pub enum NotSaved {
    /// Somebody else has written it since it was read.
    ChangedOnDisk,
    /// Somebody else has made it; there was none before.
    Exists,
    /// Anything else; told in people's words.
    Failed(String),
}

/// Reads a file as a fresh document. One that does not exist yet is an empty document of that name.
pub async fn open(file: &gio::File) -> Result<Document, String> {
    let name = file.parse_name();
    let path = file
        .path()
        .ok_or_else(|| format!("“{name}” is not a file of this computer."))?;
    let path = path
        .to_str()
        .ok_or_else(|| format!("The name of “{name}” is not UTF-8; rename it to open it."))?
        .to_owned();
    let told = |error: glib::Error| format!("“{name}” could not be opened: {}", error.message());
    match file
        .query_info_future(
            "standard::size,standard::type",
            gio::FileQueryInfoFlags::NONE,
            glib::Priority::DEFAULT,
        )
        .await
    {
        Ok(info) if info.file_type() == gio::FileType::Directory => {
            return Err(format!("“{name}” is a folder."));
        }
        Ok(info) if info.size() > LARGEST => {
            return Err(format!("“{name}” is larger than 256 MiB."));
        }
        Ok(_) => {}
        Err(error) if error.matches(gio::IOErrorEnum::NotFound) => {
            return Ok(Document {
                path: Some(path),
                ..Document::default()
            });
        }
        Err(error) => return Err(told(error)),
    }
    let (bytes, etag) = file.load_contents_future().await.map_err(told)?;
    let base =
        text_of(&bytes).ok_or_else(|| format!("“{name}” is not UTF-8 text; it was left alone."))?;
    Ok(Document {
        path: Some(path),
        etag: etag.map(Into::into),
        base,
        ..Document::default()
    })
}

/// What a text view can hold: UTF-8 without NUL.
fn text_of(bytes: &[u8]) -> Option<Arc<str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then(|| text.into())
}

/// Writes a file and returns its new entity tag. A new file appears with all its text or not at all; an existing one is
/// replaced in the same way where the file system and its owner allow it (GIO's rules).
pub async fn save(
    path: &Path,
    text: glib::GString,
    expected: &Expected,
) -> Result<Option<String>, NotSaved> {
    let etag = match expected {
        Expected::Nothing => return create(path, text).await,
        Expected::File(etag) => Some(etag.as_str()),
        Expected::Anything => None,
    };
    let replaced = gio::File::for_path(path)
        .replace_contents_future(text, etag, false, gio::FileCreateFlags::NONE)
        .await;
    match replaced {
        Ok((_, etag)) => Ok(etag.map(Into::into)),
        Err((_, error)) if error.matches(gio::IOErrorEnum::WrongEtag) => {
            Err(NotSaved::ChangedOnDisk)
        }
        Err((_, error)) => Err(NotSaved::Failed(sentence(error.message()))),
    }
}

/// Writes a file that must not exist yet; GIO's own way leaves half a file when the disk is full.
async fn create(path: &Path, text: glib::GString) -> Result<Option<String>, NotSaved> {
    let target = path.to_owned();
    let made = gio::spawn_blocking(move || create_now(&target, text.as_bytes())).await;
    match made {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(NotSaved::Exists);
        }
        Ok(Err(error)) => return Err(NotSaved::Failed(sentence(&error.to_string()))),
        Err(_) => {
            return Err(NotSaved::Failed(
                "The writing came to an unexpected end.".into(),
            ));
        }
    }
    let info = gio::File::for_path(path)
        .query_info_future(
            "etag::value",
            gio::FileQueryInfoFlags::NONE,
            glib::Priority::DEFAULT,
        )
        .await;
    match info {
        Ok(info) => Ok(info.etag().map(Into::into)),
        // It was written; somebody has taken it away again. The next save makes it anew.
        Err(_) => Ok(None),
    }
}

/// Beside it first; the name is given at the end, by a link, which never replaces anything.
fn create_now(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let made = write_new(&part, text).and_then(|()| match fs::hard_link(&part, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links: still never over anything, but it may be seen half-written.
            write_new(path, text)
        }
        linked => linked,
    });
    let _ = fs::remove_file(&part);
    made
}

/// Writes a file that is not there, and leaves none if that fails.
fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// GIO's and the system's messages end without a full stop.
fn sentence(message: &str) -> String {
    format!("{}.", message.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_taken_for_text() {
        assert_eq!(
            text_of("naïve\r\n".as_bytes()).as_deref(),
            Some("naïve\r\n")
        );
        assert_eq!(text_of(b"a\0b"), None);
        assert_eq!(text_of(b"\xff\xfe"), None);
    }

    #[test]
    fn a_new_file_is_made_whole_and_over_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new");
        create_now(&path, b"mine").expect("nothing is in the way");
        assert_eq!(fs::read(&path).expect("it is there"), b"mine");
        let error = create_now(&path, b"again").expect_err("it exists");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("it is there"), b"mine");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(create_now(&folder.path().join("no/where"), b"x").is_err());
    }
}
