//! State on its way between processes: up to 64 KiB inline, above that one sealed memfd.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use overwinter_proto::bus::INLINE_MAX;
use overwinter_proto::snapshot::MAX_STATE;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};

/// What makes a memfd safe to read: nobody can cut it, let it grow, or change it meanwhile.
const NEEDED: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// Why a payload is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadPayload {
    #[error("{0} bytes came inline, where {INLINE_MAX} is the most")]
    TooMuchInline(usize),
    #[error("it came as {0} bytes and {1} files, where one of the two is expected")]
    Shape(usize, usize),
    #[error("its file is not a memfd, or lacks the seals against shrinking, growing and writing")]
    Unsealed,
    #[error("it has {0} bytes, where {MAX_STATE} is the most")]
    TooLarge(u64),
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// A payload as it came.
pub(super) struct Payload {
    pub inline: Vec<u8>,
    pub files: Vec<OwnedFd>,
}

/// A section of secrets that was received; empty when there are none.
pub(super) fn take_secrets(payload: Payload) -> Result<Vec<u8>, BadPayload> {
    match take(payload) {
        Err(BadPayload::Shape(0, 0)) => Ok(Vec::new()),
        taken => taken,
    }
}

/// A section of secrets to be sent: never in the message itself, which the bus daemon copies.
pub(super) fn give_secrets(section: &[u8]) -> Result<Vec<OwnedFd>, BadPayload> {
    if section.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![seal("overwinter-secrets", section)?])
}

/// What was received, if it is what it must be.
pub(super) fn take(payload: Payload) -> Result<Vec<u8>, BadPayload> {
    let Payload { inline, files } = payload;
    match files.as_slice() {
        [] if inline.is_empty() => Err(BadPayload::Shape(0, 0)),
        [] if inline.len() > INLINE_MAX => Err(BadPayload::TooMuchInline(inline.len())),
        [] => Ok(inline),
        [file] if inline.is_empty() => read_sealed(file.as_fd()),
        more => Err(BadPayload::Shape(inline.len(), more.len())),
    }
}

fn read_sealed(fd: BorrowedFd<'_>) -> Result<Vec<u8>, BadPayload> {
    let seals = fcntl_get_seals(fd).map_err(|_| BadPayload::Unsealed)?;
    if !seals.contains(NEEDED) {
        return Err(BadPayload::Unsealed);
    }
    let size = u64::try_from(fstat(fd).map_err(std::io::Error::from)?.st_size).unwrap_or(u64::MAX);
    if size > MAX_STATE as u64 {
        return Err(BadPayload::TooLarge(size));
    }
    let mut bytes = vec![0; size as usize];
    // Reading at an offset: the file position is shared with the sender.
    File::from(fd.try_clone_to_owned()?).read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// A payload to be sent.
pub(super) fn give(bytes: &[u8]) -> Result<(Vec<u8>, Vec<OwnedFd>), BadPayload> {
    if bytes.len() > MAX_STATE {
        return Err(BadPayload::TooLarge(bytes.len() as u64));
    }
    if bytes.len() <= INLINE_MAX {
        return Ok((bytes.to_vec(), Vec::new()));
    }
    Ok((Vec::new(), vec![seal("overwinter-state", bytes)?]))
}

fn seal(name: &str, bytes: &[u8]) -> Result<OwnedFd, BadPayload> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create(name, flags).map_err(std::io::Error::from)?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, NEEDED | SealFlags::SEAL).map_err(std::io::Error::from)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(inline: Vec<u8>, files: Vec<OwnedFd>) -> Result<Vec<u8>, BadPayload> {
        super::take(Payload { inline, files })
    }

    #[test]
    fn secrets_are_in_no_message() {
        let files = give_secrets(b"hunter2").unwrap();
        assert_eq!(files.len(), 1);
        let inline = Vec::new();
        assert_eq!(take_secrets(Payload { inline, files }).unwrap(), b"hunter2");
        let (inline, files) = (Vec::new(), give_secrets(b"").unwrap());
        assert_eq!(take_secrets(Payload { inline, files }).unwrap(), b"");
    }

    fn memfd(size: u64, seals: SealFlags) -> OwnedFd {
        let fd = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        let file = File::from(fd);
        file.set_len(size).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file.into()
    }

    #[test]
    fn small_and_large_arrive_whole() {
        for size in [1, INLINE_MAX, INLINE_MAX + 1, 1 << 20] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let (inline, files) = give(&bytes).unwrap();
            assert_eq!(inline.is_empty(), size > INLINE_MAX);
            assert_eq!(take(inline, files).unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_not_sealed_too_large_or_ambiguous_is_refused() {
        let all = NEEDED | SealFlags::SEAL;
        assert!(matches!(
            take(vec![], vec![memfd(9, SealFlags::SHRINK | SealFlags::GROW)]),
            Err(BadPayload::Unsealed)
        ));
        let (pipe, _) = rustix::pipe::pipe().unwrap();
        assert!(matches!(
            take(vec![], vec![pipe]),
            Err(BadPayload::Unsealed)
        ));
        let huge = MAX_STATE as u64 + 1;
        assert!(
            matches!(take(vec![], vec![memfd(huge, all)]), Err(BadPayload::TooLarge(size)) if size == huge)
        );
        assert!(matches!(
            take(vec![1], vec![memfd(9, all)]),
            Err(BadPayload::Shape(1, 1))
        ));
        assert!(matches!(
            take(vec![], vec![memfd(9, all), memfd(9, all)]),
            Err(BadPayload::Shape(0, 2))
        ));
        assert!(matches!(take(vec![], vec![]), Err(BadPayload::Shape(0, 0))));
        assert!(matches!(
            take(vec![0; INLINE_MAX + 1], vec![]),
            Err(BadPayload::TooMuchInline(_))
        ));
    }
}
