//! Large parts of a state, kept apart by their content.
//!
//! A [`Blob`] stands in the state as a reference: hash and length. Its bytes go to the session once, however often the state
//! is saved, and come back only when they are read: a document with a thousand pictures wakes as fast as one without.
//!
//! ```
//! use overwinter::{Blob, Rest, State};
//!
//! #[derive(State)]
//! struct Picture { name: String, pixels: Blob, rest: Rest }
//!
//! let picture = Picture { name: "sunset".into(), pixels: Blob::new(vec![7; 1 << 20]), rest: Rest::default() };
//! assert_eq!(picture.pixels.len(), 1 << 20);
//! assert_eq!(picture.pixels.read()?.len(), 1 << 20);
//! # Ok::<(), overwinter::BlobError>(())
//! ```

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock, Weak};

use overwinter_proto::bus::INLINE_MAX;
use overwinter_proto::parts::MAX_BLOB;
use overwinter_proto::{BlobHash, BlobRef};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bridge::BridgeError;
use crate::part::{Part, Reader, Shapes, Writer};
use crate::parts;
use crate::schema::Shape;
use crate::value::{Map, Value};

/// What makes a memfd safe to rely on: nobody can cut it, let it grow, or change it meanwhile.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// Bytes that are kept apart from the state, known by their BLAKE3. Immutable; clones are the same blob and cost nothing.
///
/// Up to 64 KiB are kept in memory as they are, more in a sealed memfd that the session is given as it is.
#[derive(Clone)]
pub struct Blob(Arc<Inner>);

struct Inner {
    /// Found out when it is first asked for.
    name: OnceLock<BlobRef>,
    content: OnceLock<Content>,
    source: Option<Arc<dyn Source>>,
}

enum Content {
    Bytes(Box<[u8]>),
    /// A sealed memfd.
    File(File),
}

/// Where a blob comes from that is not here yet.
pub(crate) trait Source: Send + Sync {
    /// The content: a memfd. The caller checks everything about it.
    fn fetch(&self, blob: BlobRef) -> Result<OwnedFd, BlobError>;
}

/// A blob that may not be here yet; does not keep it alive.
pub(crate) struct WeakBlob(Weak<Inner>);

impl WeakBlob {
    /// The blob, if somebody still has it and its content is nowhere but with the session.
    pub fn unread(&self) -> Option<Blob> {
        self.0
            .upgrade()
            .map(Blob)
            .filter(|blob| blob.0.content.get().is_none())
    }
}

/// Why a blob cannot be read or made. Says which one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// It is nowhere to be had.
    #[error("blob {hash} is missing: {why}. Everything else of the document is as it was saved")]
    Missing {
        /// Its BLAKE3, in hexadecimal digits.
        hash: String,
        /// For people.
        why: String,
    },
    /// Not now: the session is busy or gone.
    #[error("blob {hash} cannot be fetched now: {why}. Nothing is lost; read it again later")]
    Unavailable {
        /// Its BLAKE3, in hexadecimal digits.
        hash: String,
        /// For people.
        why: String,
    },
    /// The file is not a memfd, or may still be changed.
    #[error("the file is no memfd with the seals SHRINK, GROW and WRITE; seal it first")]
    Unsealed,
    /// More than 1 GiB.
    #[error("it has {0} bytes; a blob has at most 1 GiB")]
    TooLarge(u64),
    /// The system refused.
    #[error("the system does not let the blob be kept in memory or read: {0}")]
    System(String),
}

impl From<rustix::io::Errno> for BlobError {
    fn from(e: rustix::io::Errno) -> Self {
        BlobError::System(e.to_string())
    }
}

impl From<std::io::Error> for BlobError {
    fn from(e: std::io::Error) -> Self {
        BlobError::System(e.to_string())
    }
}

fn missing(blob: BlobRef, why: impl Into<String>) -> BlobError {
    BlobError::Missing {
        hash: blob.hash.to_string(),
        why: why.into(),
    }
}

impl Blob {
    /// A blob of these bytes. Cheap enough for the UI thread: they are hashed when the state is saved.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Blob {
        Blob::with(Content::of(bytes.into()))
    }

    /// A blob of the content of a memfd, which is taken as it is.
    ///
    /// # Errors
    /// [`BlobError::Unsealed`] unless it carries `F_SEAL_SHRINK`, `F_SEAL_GROW` and `F_SEAL_WRITE`; [`BlobError::TooLarge`].
    pub fn from_memfd(memfd: OwnedFd) -> Result<Blob, BlobError> {
        let len = sealed_len(memfd.as_fd())?;
        if len > MAX_BLOB {
            return Err(BlobError::TooLarge(len));
        }
        Ok(Blob::with(Content::File(File::from(memfd))))
    }

    fn with(content: Content) -> Blob {
        Blob(Arc::new(Inner {
            name: OnceLock::new(),
            content: OnceLock::from(content),
            source: None,
        }))
    }

    /// A blob that is elsewhere.
    pub(crate) fn elsewhere(name: BlobRef, source: Option<Arc<dyn Source>>) -> Blob {
        Blob(Arc::new(Inner {
            name: OnceLock::from(name),
            content: OnceLock::new(),
            source,
        }))
    }

    pub(crate) fn downgrade(&self) -> WeakBlob {
        WeakBlob(Arc::downgrade(&self.0))
    }

    /// Hash and length; hashes the content the first time.
    pub(crate) fn name(&self) -> BlobRef {
        *self.0.name.get_or_init(|| {
            let content = self.0.content.get();
            // Without content it came with its name.
            let named = content.and_then(|content| content.name().ok());
            named.unwrap_or(BlobRef {
                hash: BlobHash([0; 32]),
                len: 0,
            })
        })
    }

    /// BLAKE3 of the content: its name. Takes time the first time (about a second for a gigabyte).
    pub fn hash(&self) -> [u8; 32] {
        self.name().hash.0
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self.0.content.get() {
            Some(content) => content.len(),
            None => self.name().len,
        }
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the content is in this process; otherwise [`read`](Self::read) fetches it.
    pub fn is_here(&self) -> bool {
        self.0.content.get().is_some()
    }

    /// The content. Where it is not here it is fetched from the session, which may take as long as the disk does (at most
    /// 25 seconds): not for the UI thread. See [`fetch`](Self::fetch).
    ///
    /// # Errors
    /// [`BlobError::Missing`] when it is nowhere to be had, [`BlobError::Unavailable`] when it is worth another try.
    pub fn read(&self) -> Result<Vec<u8>, BlobError> {
        match self.content()? {
            Content::Bytes(bytes) => Ok(bytes.to_vec()),
            Content::File(file) => {
                let mut bytes = vec![0; usize::try_from(self.len()).unwrap_or(usize::MAX)];
                file.read_exact_at(&mut bytes, 0)?;
                Ok(bytes)
            }
        }
    }

    /// Reads on a thread of its own and calls `then` there; have it wake your own loop.
    ///
    /// # Errors
    /// When the system gives no thread; `then` gets those of [`read`](Self::read).
    pub fn fetch(
        &self,
        then: impl FnOnce(Result<Vec<u8>, BlobError>) + Send + 'static,
    ) -> Result<(), BlobError> {
        let blob = self.clone();
        std::thread::Builder::new()
            .name("overwinter-blob".into())
            .spawn(move || then(blob.read()))?;
        Ok(())
    }

    /// The content as a sealed memfd, for another process or a mapping. As [`read`](Self::read), not for the UI thread
    /// unless it is here.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn memfd(&self) -> Result<OwnedFd, BlobError> {
        match self.content()? {
            Content::Bytes(bytes) => Ok(seal(bytes)?.into()),
            Content::File(file) => Ok(file.try_clone()?.into()),
        }
    }

    fn content(&self) -> Result<&Content, BlobError> {
        if let Some(content) = self.0.content.get() {
            return Ok(content);
        }
        let name = self.name();
        let source = self.0.source.as_ref();
        let source = source.ok_or_else(|| missing(name, "it did not come with the state"))?;
        let content = Content::taken(name, source.fetch(name)?)?;
        Ok(self.0.content.get_or_init(|| content))
    }
}

impl Content {
    fn of(bytes: Vec<u8>) -> Content {
        if bytes.len() > INLINE_MAX
            && let Ok(file) = seal(&bytes)
        {
            return Content::File(file);
        }
        Content::Bytes(bytes.into())
    }

    /// What was fetched, if it is the blob that was asked for.
    fn taken(name: BlobRef, memfd: OwnedFd) -> Result<Content, BlobError> {
        let len = sealed_len(memfd.as_fd())?;
        if len != name.len {
            return Err(missing(
                name,
                format!("what came has {len} bytes instead of {}", name.len),
            ));
        }
        let content = Content::File(File::from(memfd));
        if content.name()? != name {
            return Err(missing(name, "what came has another BLAKE3"));
        }
        match content {
            Content::File(file) if len <= INLINE_MAX as u64 => {
                let mut bytes = vec![0; len as usize];
                file.read_exact_at(&mut bytes, 0)?;
                Ok(Content::Bytes(bytes.into()))
            }
            content => Ok(content),
        }
    }

    fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(file) => sealed_len(file.as_fd()).unwrap_or(0),
        }
    }

    fn name(&self) -> Result<BlobRef, BlobError> {
        let len = self.len();
        let hash = match self {
            Content::Bytes(bytes) => BlobHash::of(bytes),
            Content::File(file) => {
                let mut hasher = blake3::Hasher::new();
                let mut piece = vec![0; 1 << 20];
                let mut at = 0;
                while at < len {
                    let left = usize::try_from(len - at).unwrap_or(usize::MAX);
                    let end = left.min(piece.len());
                    // Reading at an offset: the file position is shared with whoever else has it.
                    file.read_exact_at(&mut piece[..end], at)?;
                    hasher.update(&piece[..end]);
                    at += end as u64;
                }
                BlobHash(*hasher.finalize().as_bytes())
            }
        };
        Ok(BlobRef { hash, len })
    }
}

fn sealed_len(fd: BorrowedFd<'_>) -> Result<u64, BlobError> {
    match fcntl_get_seals(fd) {
        Ok(seals) if seals.contains(SEALS) => {}
        _ => return Err(BlobError::Unsealed),
    }
    Ok(u64::try_from(fstat(fd)?.st_size).unwrap_or(u64::MAX))
}

fn seal(bytes: &[u8]) -> Result<File, BlobError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("overwinter-blob", flags)?);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SEALS | SealFlags::SEAL)?;
    Ok(file)
}

impl Default for Blob {
    /// No bytes.
    fn default() -> Self {
        Blob::new(Vec::new())
    }
}

impl PartialEq for Blob {
    /// By content, which is hashed for it.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.name() == other.name()
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name.get() {
            Some(name) => write!(f, "Blob({}, {} bytes)", name.hash, name.len),
            None => write!(f, "Blob({} bytes)", self.len()),
        }
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Blob::new(bytes)
    }
}

impl Part for Blob {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::Blob
    }
    fn write(&self, out: &mut Writer<'_>) -> Result<(), BridgeError> {
        parts::collect_blob(self);
        out.value(&Value::Map(parts::blob_value(self.name())))
    }
    fn read(value: Value, _: &mut Reader<'_>) -> Result<Self, BridgeError> {
        let name = value.as_map().and_then(parts::blob_of);
        let name = name.ok_or_else(|| BridgeError::new("expected a reference to a blob"))?;
        Ok(parts::find_blob(name))
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        parts::collect_blob(self);
        parts::blob_value(self.name()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        let name = parts::blob_of(&map);
        let name =
            name.ok_or_else(|| serde::de::Error::custom("expected a reference to a blob"))?;
        Ok(parts::find_blob(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf(Vec<u8>, SealFlags);

    impl Source for Shelf {
        fn fetch(&self, _: BlobRef) -> Result<OwnedFd, BlobError> {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let mut file = File::from(memfd_create("test", flags)?);
            file.write_all(&self.0)?;
            fcntl_add_seals(&file, self.1)?;
            Ok(file.into())
        }
    }

    fn lazy(of: &[u8], comes: &[u8], seals: SealFlags) -> Blob {
        let name = Blob::new(of).name();
        Blob::elsewhere(name, Some(Arc::new(Shelf(comes.to_vec(), seals))))
    }

    #[test]
    fn small_and_large_are_named_by_content_and_read_back() {
        for len in [0, 1, INLINE_MAX, INLINE_MAX + 1, 3 << 20] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let blob = Blob::new(bytes.clone());
            assert_eq!(blob.len(), len as u64);
            assert_eq!(blob.hash(), *blake3::hash(&bytes).as_bytes());
            assert_eq!(blob.read().unwrap(), bytes);
            let again = Blob::from_memfd(blob.memfd().unwrap()).unwrap();
            assert_eq!(again, blob);
            let there = lazy(&bytes, &bytes, SEALS);
            assert!(!there.is_here());
            assert_eq!(there.read().unwrap(), bytes);
            assert!(there.is_here());
        }
    }

    #[test]
    fn what_comes_is_the_blob_or_it_is_missing_by_name() {
        let good = b"what was saved";
        let hash = Blob::new(good.as_slice()).name().hash.to_string();
        for (comes, word) in [
            (b"something else".as_slice(), "another BLAKE3"),
            (b"short", "5 bytes instead of 14"),
        ] {
            let error = lazy(good, comes, SEALS).read().unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(&hash), "{error}");
        }
        let unsealed = lazy(good, good, SealFlags::SHRINK).read();
        assert_eq!(unsealed, Err(BlobError::Unsealed));
        let bare = Blob::elsewhere(Blob::new(good.as_slice()).name(), None);
        assert!(bare.read().unwrap_err().to_string().contains(&hash));
    }

    #[test]
    fn a_memfd_is_taken_only_as_it_must_be() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let open = memfd_create("test", flags).unwrap();
        assert_eq!(Blob::from_memfd(open), Err(BlobError::Unsealed));
        let huge = File::from(memfd_create("test", flags).unwrap());
        huge.set_len(MAX_BLOB + 1).unwrap();
        fcntl_add_seals(&huge, SEALS).unwrap();
        assert_eq!(
            Blob::from_memfd(huge.into()),
            Err(BlobError::TooLarge(MAX_BLOB + 1))
        );
    }

    #[test]
    fn it_is_fetched_beside_the_caller() {
        let (tell, told) = std::sync::mpsc::channel();
        let blob = lazy(b"there", b"there", SEALS);
        let here = std::thread::current().id();
        blob.fetch(move |read| {
            let _ = tell.send((read, std::thread::current().id() != here));
        })
        .unwrap();
        let told = told.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(told.unwrap(), (Ok(b"there".to_vec()), true));
    }
}
