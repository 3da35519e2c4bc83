//! Files read and written without holding up the windows, and never over what somebody else has written meanwhile.

use std::path::Path;
use std::sync::Arc;

use gtk4::prelude::*;
use gtk4::{gio, glib};

use crate::document::Document;

/// Larger files are not opened: a text view would take many seconds and gigabytes for them. Bytes.
const LARGEST: i64 = 256 * 1024 * 1024;

/// Why a file was not written.
#[derive(Debug)]
pub enum NotSaved {
    /// Somebody else has written it since it was read.
    ChangedOnDisk,
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

/// Writes a file (beside it first, then renamed over it) and returns its new entity tag.
///
/// `etag`: what the file is expected to be; `None` overwrites whatever is there.
pub async fn save(
    path: &Path,
    text: glib::GString,
    etag: Option<&str>,
) -> Result<Option<String>, NotSaved> {
    let file = gio::File::for_path(path);
    let replaced = file
        .replace_contents_future(text, etag, false, gio::FileCreateFlags::NONE)
        .await;
    match replaced {
        Ok((_, etag)) => Ok(etag.map(Into::into)),
        Err((_, error)) if error.matches(gio::IOErrorEnum::WrongEtag) => {
            Err(NotSaved::ChangedOnDisk)
        }
        Err((_, error)) => Err(NotSaved::Failed(error.message().to_owned())),
    }
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
}
