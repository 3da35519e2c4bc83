//! The state of a group on its way between processes: inline, or one sealed memfd.

use std::{
    fs::File,
    io::Write,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use overwinter_proto::{bus::INLINE_MAX, parts::MAX_SECRETS, snapshot::MAX_STATE};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::Refusal;

/// A payload as D-Bus carries it: `(ayah)`.
pub(crate) type Wire = (Vec<u8>, Vec<zbus::zvariant::OwnedFd>);

/// Without these three, the sender could change or cut the file while it is read.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// Longer is not a word that somebody types.
const MAX_WORD: usize = 4096;

pub(crate) fn bad<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::BadPayload(format!(
        "{}. Nothing was stored; the group is as before. Send it again as org.overwinter.Session1 describes payloads",
        why.into()
    )))
}

/// Takes a payload from a caller. `None` for an empty one: "stored already".
pub(crate) fn take(wire: Wire) -> Result<Option<Vec<u8>>, Refusal> {
    take_at_most(wire, MAX_STATE)
}

/// Takes a section of secrets; empty when there are none.
pub(crate) fn take_secrets(wire: Wire) -> Result<Vec<u8>, Refusal> {
    Ok(take_at_most(wire, MAX_SECRETS)?.unwrap_or_default())
}

fn take_at_most((inline, fds): Wire, most: usize) -> Result<Option<Vec<u8>>, Refusal> {
    match (inline.is_empty(), fds.as_slice()) {
        (true, []) => Ok(None),
        (false, []) if inline.len() <= INLINE_MAX => Ok(Some(inline)),
        (false, []) => bad(format!(
            "{} bytes were sent inline; above {INLINE_MAX} a sealed memfd is asked for",
            inline.len()
        )),
        (true, [fd]) => read_sealed(fd.as_fd(), most).map(Some),
        (false, _) => bad("both bytes and a descriptor were sent"),
        (true, more) => bad(format!(
            "{} descriptors were sent instead of one",
            more.len()
        )),
    }
}

/// The length of a memfd that nobody can change any more.
pub(crate) fn sealed_len(fd: BorrowedFd<'_>) -> Result<u64, Refusal> {
    match rustix::fs::fcntl_get_seals(fd) {
        Ok(seals) if seals.contains(SEALS) => {}
        Ok(_) => return bad("the memfd lacks one of the seals SHRINK, GROW, WRITE"),
        Err(_) => return bad("the descriptor is not a memfd"),
    }
    match rustix::fs::fstat(fd) {
        Ok(stat) => Ok(u64::try_from(stat.st_size).unwrap_or(u64::MAX)),
        Err(e) => bad(format!("the memfd cannot be examined: {e}")),
    }
}

/// Takes a passphrase; empty when none is given.
pub(crate) fn take_word(fd: BorrowedFd<'_>) -> Result<crate::Secret, Refusal> {
    match read_sealed(fd, MAX_WORD) {
        Ok(bytes) => Ok(crate::Secret::new(bytes)),
        Err(Refusal::BadPayload(_)) => Err(Refusal::BadPayload(format!(
            "a secret has to be a memfd with the seals SHRINK, GROW and WRITE, of {MAX_WORD} bytes at most. Nothing was changed"
        ))),
        Err(other) => Err(other),
    }
}

fn read_sealed(fd: BorrowedFd<'_>, most: usize) -> Result<Vec<u8>, Refusal> {
    let size = sealed_len(fd)?;
    if size > most as u64 {
        return bad(format!("it has {size} bytes; the most is {most}"));
    }
    let Ok(fd) = fd.try_clone_to_owned() else {
        return Err(Refusal::Failed(
            "the session is out of file descriptors; try again later".into(),
        ));
    };
    let mut bytes = vec![0; size as usize];
    // Positioned reads: where the sender left the shared file offset does not matter.
    match File::from(fd).read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(bytes),
        Err(e) => bad(format!("the memfd cannot be read: {e}")),
    }
}

/// Makes a payload for an app.
pub(crate) fn give(state: &[u8]) -> std::io::Result<Wire> {
    if state.len() <= INLINE_MAX {
        return Ok((state.to_vec(), Vec::new()));
    }
    let file = seal("overwinter-state", |file| file.write_all(state))?;
    Ok((Vec::new(), vec![file.into()]))
}

/// Makes a section of secrets for an app: never in the message itself, which the bus daemon copies.
pub(crate) fn give_secrets(section: &[u8]) -> std::io::Result<Wire> {
    if section.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let file = seal("overwinter-secrets", |file| file.write_all(section))?;
    Ok((Vec::new(), vec![file.into()]))
}

/// A memfd of this name with what `fill` writes, which nobody can change any more.
///
/// # Errors
/// Those of `fill`, or the system gives no memory.
pub fn seal<E: From<std::io::Error>>(
    name: &str,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<OwnedFd, E> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create(name, flags).map_err(std::io::Error::from)?;
    let mut file = File::from(fd);
    fill(&mut file)?;
    rustix::fs::fcntl_add_seals(&file, SEALS | SealFlags::SEAL).map_err(std::io::Error::from)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memfd(size: u64, seals: SealFlags) -> Wire {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create("test", flags).unwrap());
        file.set_len(size).unwrap();
        rustix::fs::fcntl_add_seals(&file, seals).unwrap();
        (Vec::new(), vec![OwnedFd::from(file).into()])
    }

    fn refused(wire: Wire, word: &str) {
        match take(wire) {
            Err(Refusal::BadPayload(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{word}: {:?}", other.map(|s| s.map(|s| s.len()))),
        }
    }

    #[test]
    fn small_and_large_states_round_trip() {
        for size in [1, INLINE_MAX, INLINE_MAX + 1, 3 << 20] {
            let state: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
            let wire = give(&state).unwrap();
            assert_eq!(wire.0.is_empty(), size > INLINE_MAX);
            assert_eq!(take(wire).unwrap(), Some(state));
        }
        assert_eq!(take((vec![], vec![])), Ok(None));
    }

    #[test]
    fn secrets_go_in_no_message_and_are_small() {
        assert_eq!(take_secrets((vec![], vec![])).unwrap(), b"");
        let wire = give_secrets(b"hunter2").unwrap();
        assert!(wire.0.is_empty() && wire.1.len() == 1);
        assert_eq!(take_secrets(wire).unwrap(), b"hunter2");
        match take_secrets(memfd(MAX_SECRETS as u64 + 1, SEALS)) {
            Err(Refusal::BadPayload(why)) => assert!(why.contains("the most is"), "{why}"),
            other => panic!("{:?}", other.map(|s| s.len())),
        }
    }

    #[test]
    fn what_is_not_sealed_small_or_honest_is_refused() {
        refused(memfd(10, SealFlags::SHRINK | SealFlags::GROW), "seals");
        refused(memfd(10, SealFlags::WRITE | SealFlags::GROW), "seals");
        refused(memfd(10, SealFlags::empty()), "seals");
        refused(memfd(MAX_STATE as u64 + 1, SEALS), "the most is");
        refused((vec![0; INLINE_MAX + 1], vec![]), "inline");
        let mut both = memfd(10, SEALS);
        both.0.push(1);
        refused(both, "both");
        let mut two = memfd(10, SEALS);
        two.1.extend(memfd(10, SEALS).1);
        refused(two, "2 descriptors");
        let file = tempfile::tempfile().unwrap();
        refused((vec![], vec![OwnedFd::from(file).into()]), "not a memfd");
        let (pipe, _) = rustix::pipe::pipe().unwrap();
        refused((vec![], vec![pipe.into()]), "not a memfd");
    }
}
