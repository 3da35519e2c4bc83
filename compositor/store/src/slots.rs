//! Slots: the ways to the master key.
//!
//! Each slot holds the master key, sealed under something that a person or the system keeps: a passphrase (argon2id), a key in the
//! Secret Service, or nothing at all (the key file, readable by the user alone). There should always be two, so that a
//! reset keyring or a forgotten word does not lose everything.
//!
//! Rotation gives the store a new master key: new slots, and every group's key file and tombstone sealed anew; no data is
//! rewritten. What was unlinked before is out of reach from then on, also for who has an old copy of it. Its commit point is the file
//! `rotation`, which leads from either master key to the other; whoever opens the store after it finishes the rest.

use std::path::{Path, PathBuf};

use overwinter_proto::GroupId;
use zeroize::Zeroizing;

use crate::{
    disk::Disk,
    error::{Result, StoreError},
    journal::{MAX_SMALL, bare_damage},
    keys::{Cipher, Master, NONCE},
    store::Store,
};

const MAGIC: &[u8; 8] = b"OWSLOT1\n";
const ROTATION: &[u8; 8] = b"OWROTA1\n";
const NEXT: &str = ".next";

/// RFC 9106, 4: the second recommended choice (64 MiB), with one lane: a login screen's patience on an old laptop.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// More is not believed: a changed byte must not take all memory or all day.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 64;
const SALT: usize = 16;

/// A way to the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotKind {
    /// A plain file. Whoever can read the folder has the key.
    KeyFile,
    /// A word that the user knows.
    Passphrase,
    /// A key that the Secret Service keeps.
    SecretService,
}

impl SlotKind {
    /// Every kind that there is.
    pub const ALL: [SlotKind; 3] = [
        SlotKind::KeyFile,
        SlotKind::Passphrase,
        SlotKind::SecretService,
    ];

    /// Its name for commands and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            SlotKind::KeyFile => "key-file",
            SlotKind::Passphrase => "passphrase",
            SlotKind::SecretService => "secret-service",
        }
    }

    /// The one of this [`name`](SlotKind::name).
    pub fn of_name(name: &str) -> Option<SlotKind> {
        SlotKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Those that the store in a folder has, without opening it; none: it has yet to be made.
    pub fn filled_in(dir: &Path) -> Vec<SlotKind> {
        let mut filled = SlotKind::ALL.to_vec();
        filled.retain(|kind| dir.join(kind.file()).symlink_metadata().is_ok());
        filled
    }

    /// Beneath the store's folder.
    fn file(self) -> &'static str {
        match self {
            SlotKind::KeyFile => "master",
            SlotKind::Passphrase => "slots/passphrase",
            SlotKind::SecretService => "slots/secret-service",
        }
    }

    fn bit(self) -> u8 {
        match self {
            SlotKind::KeyFile => 1,
            SlotKind::Passphrase => 2,
            SlotKind::SecretService => 4,
        }
    }

    fn path(self, disk: &Disk) -> PathBuf {
        disk.path(self.file())
    }

    fn next(self, disk: &Disk) -> PathBuf {
        let mut path = self.path(disk).into_os_string();
        path.push(NEXT);
        path.into()
    }
}

impl std::fmt::Display for SlotKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SlotKind::KeyFile => "key file",
            SlotKind::Passphrase => "passphrase",
            SlotKind::SecretService => "Secret Service",
        })
    }
}

/// What fills a slot, and what opens it again.
#[derive(Clone)]
pub enum Unlock {
    /// Nothing is needed.
    KeyFile,
    /// The word.
    Passphrase(Zeroizing<String>),
    /// 32 random bytes, drawn anew for each slot.
    SecretService(Zeroizing<[u8; 32]>),
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unlock({})", self.kind())
    }
}

impl Unlock {
    /// Which slot it is for.
    pub fn kind(&self) -> SlotKind {
        match self {
            Unlock::KeyFile => SlotKind::KeyFile,
            Unlock::Passphrase(_) => SlotKind::Passphrase,
            Unlock::SecretService(_) => SlotKind::SecretService,
        }
    }

    /// The content of a slot.
    fn fill(&self, disk: &Disk, master: &Master) -> Result<Vec<u8>> {
        let mut front = MAGIC.to_vec();
        let key = match self {
            Unlock::KeyFile => return Ok(master.to_file()),
            Unlock::Passphrase(word) => {
                let salt: [u8; SALT] = disk.random()?;
                for n in [MEMORY_KIB, PASSES, LANES] {
                    front.extend(n.to_le_bytes());
                }
                front.extend(salt);
                derive(word, &front).map_err(|why| refused(disk, SlotKind::Passphrase, why))?
            }
            Unlock::SecretService(key) => key.clone(),
        };
        let nonce: [u8; NONCE] = disk.random()?;
        let sealed = Cipher::new(&key).seal(&nonce, &self.aad(&front), master.key());
        Ok([front.as_slice(), &nonce, &sealed].concat())
    }

    /// The master key in a slot.
    fn open(&self, file: &[u8]) -> std::result::Result<Master, String> {
        let short = || "it is too short".to_owned();
        let front = match self {
            Unlock::KeyFile => return Master::from_file(file),
            Unlock::Passphrase(_) => MAGIC.len() + 12 + SALT,
            Unlock::SecretService(_) => MAGIC.len(),
        };
        let (front, rest) = file.split_at_checked(front).ok_or_else(short)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE).ok_or_else(short)?;
        if !front.starts_with(MAGIC) {
            return Err("it does not start as it should".to_owned());
        }
        let key = match self {
            Unlock::Passphrase(word) => derive(word, front)?,
            Unlock::SecretService(key) => key.clone(),
            Unlock::KeyFile => return Err("it is no key file".to_owned()),
        };
        let opened = Cipher::new(&key).open(nonce, &self.aad(front), sealed);
        let opened = opened.map(Zeroizing::new).ok_or("it does not open")?;
        let key = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| short())?;
        Ok(Master::from_key(key))
    }

    fn aad(&self, front: &[u8]) -> Vec<u8> {
        [front, self.kind().to_string().as_bytes()].concat()
    }
}

/// argon2id, with the parameters and the salt that a slot's front names.
fn derive(word: &str, front: &[u8]) -> std::result::Result<Zeroizing<[u8; 32]>, String> {
    let bad = || "its numbers make no sense".to_owned();
    let number = |at: usize| {
        let bytes = front.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let [memory, passes, lanes] = [8, 12, 16].map(number);
    let salt = front.get(20..20 + SALT).ok_or_else(bad)?;
    let (Some(memory), Some(passes), Some(lanes)) = (memory, passes, lanes) else {
        return Err(bad());
    };
    if memory > MAX_MEMORY_KIB || passes > MAX_PASSES || lanes > MAX_LANES {
        return Err(bad());
    }
    let params = argon2::Params::new(memory, passes, lanes, Some(32)).map_err(|_| bad())?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = Zeroizing::new([0; 32]);
    argon
        .hash_password_into(word.as_bytes(), salt, key.as_mut_slice())
        .map_err(|e| e.to_string())?;
    Ok(key)
}

fn refused(disk: &Disk, kind: SlotKind, why: String) -> StoreError {
    StoreError::Master {
        path: kind.path(disk),
        why,
    }
}

/// The slots that are filled.
pub(crate) fn filled(disk: &Disk) -> Result<Vec<SlotKind>> {
    let mut filled = Vec::new();
    for kind in SlotKind::ALL {
        if disk.len(&kind.path(disk))?.is_some() {
            filled.push(kind);
        }
    }
    Ok(filled)
}

/// The master key from the first slot that opens: the key file, then what was given. None: no slot is filled.
pub(crate) fn unlock(disk: &Disk, given: &[Unlock]) -> Result<Option<Master>> {
    let filled = filled(disk)?;
    let mut why = None;
    for unlock in std::iter::once(&Unlock::KeyFile).chain(given) {
        let kind = unlock.kind();
        if !filled.contains(&kind) {
            continue;
        }
        let file = disk.read(&kind.path(disk), MAX_SMALL)?;
        match unlock.open(&file) {
            Ok(master) => return Ok(Some(master)),
            Err(e) => why = why.or(Some(refused(disk, kind, e))),
        }
    }
    match (why, filled.first()) {
        (Some(why), _) => Err(why),
        (None, None) => Ok(None),
        (None, Some(kind)) => Err(refused(
            disk,
            *kind,
            format!("it was not given what opens it: the {kind}"),
        )),
    }
}

/// The first master key of a store, in these slots; also in a key file when they are not enough.
pub(crate) fn first(disk: &mut Disk, slots: &[Unlock]) -> Result<Master> {
    let master = Master::from_key(disk.random()?);
    let kinds: Vec<SlotKind> = slots.iter().map(Unlock::kind).collect();
    // The key file first: whatever comes of the others, there is a way.
    let more = enough(&kinds).is_err().then_some(&Unlock::KeyFile);
    for slot in more.into_iter().chain(slots) {
        let file = slot.fill(disk, &master)?;
        disk.replace(&slot.kind().path(disk), &file)?;
    }
    Ok(master)
}

/// What the file `rotation` says.
struct Rotation {
    /// The slots that there are from then on.
    slots: Vec<SlotKind>,
    forth: [u8; HALF],
    back: [u8; HALF],
}

fn rotation(disk: &Disk) -> Result<Option<Rotation>> {
    let path = disk.path("rotation");
    let Some(file) = disk.read_maybe(&path, MAX_SMALL)? else {
        return Ok(None);
    };
    let parts = file
        .strip_prefix(ROTATION)
        .and_then(<[u8]>::split_first)
        .map(|(slots, halves)| (slots, halves.as_chunks()));
    let Some((slots, ([forth, back], []))) = parts else {
        let why = "it is not as long as it should be".to_owned();
        return Err(StoreError::Master { path, why });
    };
    let named = |kind: &SlotKind| slots & kind.bit() != 0;
    Ok(Some(Rotation {
        slots: SlotKind::ALL.into_iter().filter(named).collect(),
        forth: *forth,
        back: *back,
    }))
}

/// The slots of a rotation that has happened, with their files. They are all there until it is completed.
///
/// # Errors
/// [`StoreError::Master`] when one is not, or a key file holds another key: to go on would leave keys that nothing opens.
fn next_slots(
    disk: &Disk,
    rotation: &Rotation,
    master: &Master,
) -> Result<Vec<(SlotKind, Vec<u8>)>> {
    let file_of = |kind: &SlotKind| {
        let path = kind.next(disk);
        let file = disk.read_maybe(&path, MAX_SMALL)?;
        let why = match &file {
            None => "it is missing",
            Some(file) if *kind == SlotKind::KeyFile => match Unlock::KeyFile.open(file) {
                Ok(held) if held.key() == master.key() => return Ok((*kind, file.clone())),
                _ => "it does not hold the new key",
            },
            Some(file) => return Ok((*kind, file.clone())),
        };
        let why = format!("{why}, and the change of the master key cannot be completed without it");
        Err(StoreError::Master { path, why })
    };
    rotation.slots.iter().map(file_of).collect()
}

/// Puts the slots of a rotation that has happened in place. Copied, not renamed: what was prepared stays until all is done.
fn settle_slots(disk: &mut Disk, slots: Vec<(SlotKind, Vec<u8>)>) -> Result<()> {
    for (kind, file) in &slots {
        disk.replace(&kind.path(disk), file)?;
    }
    for kind in SlotKind::ALL {
        if !slots.iter().any(|(named, _)| *named == kind) {
            disk.unlink(&kind.path(disk))?;
        }
    }
    Ok(())
}

/// Sweeps slots that were prepared for a rotation that is completed, or never happened.
fn sweep_slots(disk: &Disk) -> Result<()> {
    let mut prepared = Vec::new();
    for kind in SlotKind::ALL {
        let next = kind.next(disk);
        if disk.len(&next)?.is_some() {
            prepared.push(next);
        }
    }
    if !prepared.is_empty() {
        // Not before `rotation` is gone for good: it needs them.
        disk.sync_dir(&disk.dir)?;
    }
    for next in prepared {
        disk.discard(&next);
    }
    Ok(())
}

impl Master {
    /// The way from this master key to another, one of two.
    fn way(&self, which: &[u8], nonce: &[u8; NONCE], to: &Master) -> [u8; HALF] {
        let sealed = self.rotation().seal(nonce, which, to.key());
        let mut half = [0; HALF];
        half[..NONCE].copy_from_slice(nonce);
        let len = sealed.len().min(HALF - NONCE);
        half[NONCE..NONCE + len].copy_from_slice(&sealed[..len]);
        half
    }

    fn lead(&self, which: &[u8], half: &[u8; HALF]) -> Option<Master> {
        let key = self
            .rotation()
            .open(&half[..NONCE], which, &half[NONCE..])?;
        Some(Master::from_key(key.try_into().ok()?))
    }
}

/// A nonce and a sealed key.
const HALF: usize = NONCE + 32 + crate::keys::TAG;

impl Store {
    /// The ways to the master key that there are.
    ///
    /// # Errors
    /// The disk failed.
    pub fn slots(&self) -> Result<Vec<SlotKind>> {
        filled(&self.disk)
    }

    /// What there is to say about how the master key is kept; empty when nothing.
    ///
    /// # Errors
    /// The disk failed.
    pub fn key_warning(&self) -> Result<String> {
        crate::open::key_warning(&self.disk)
    }

    /// Whether this opens its slot, and the slot leads to the master key. Not when the slot is empty.
    ///
    /// # Errors
    /// The disk failed.
    pub fn opens(&self, with: &Unlock) -> Result<bool> {
        let path = with.kind().path(&self.disk);
        let file = self.disk.read_maybe(&path, MAX_SMALL)?;
        let master = file.and_then(|file| with.open(&file).ok());
        Ok(master.is_some_and(|master| master.key() == self.master.key()))
    }

    /// Fills a slot, replacing what was in it.
    ///
    /// # Errors
    /// The disk failed; then the slot is as it was or filled.
    pub fn fill_slot(&mut self, with: &Unlock) -> Result<()> {
        // One that is not completed would put its own slots in place later.
        self.finish_rotation()?;
        let file = with.fill(&self.disk, &self.master)?;
        self.disk.replace(&with.kind().path(&self.disk), &file)
    }

    /// Empties a slot.
    ///
    /// # Errors
    /// [`StoreError::LastSlot`] when neither two others nor the key file would be left. Or the disk failed.
    pub fn empty_slot(&mut self, kind: SlotKind) -> Result<()> {
        self.finish_rotation()?;
        let mut left = self.slots()?;
        left.retain(|k| *k != kind);
        enough(&left)?;
        self.disk.unlink(&kind.path(&self.disk))
    }

    /// Gives the store a new master key, with these slots and no others. What was forgotten before cannot be read any more
    /// by who has an old copy of its key file and the new master key.
    ///
    /// # Errors
    /// [`StoreError::LastSlot`], or the disk failed: then it has happened or not, and opening the store settles which.
    pub fn rotate(&mut self, slots: &[Unlock]) -> Result<()> {
        let kinds: Vec<SlotKind> = slots.iter().map(Unlock::kind).collect();
        enough(&kinds)?;
        self.finish_rotation()?;
        let next = Master::from_key(self.disk.random()?);
        for slot in slots {
            let file = slot.fill(&self.disk, &next)?;
            self.disk.replace(&slot.kind().next(&self.disk), &file)?;
        }
        let named = kinds.iter().fold(0, |all, kind| all | kind.bit());
        let forth = self.master.way(b"forth", &self.disk.random()?, &next);
        let back = next.way(b"back", &self.disk.random()?, &self.master);
        let file = [ROTATION.as_slice(), &[named], &forth, &back].concat();
        self.disk.replace(&self.disk.path("rotation"), &file)?;
        // From here on it has happened.
        self.finish_rotation()
    }

    /// Completes a rotation that has happened; without one, sweeps what is left of one that has not.
    pub(crate) fn finish_rotation(&mut self) -> Result<()> {
        let Some(rotation) = rotation(&self.disk)? else {
            return sweep_slots(&self.disk);
        };
        let present = Master::from_key(*self.master.key());
        let (next, former) = if let Some(next) = present.lead(b"forth", &rotation.forth) {
            (next, present)
        } else if let Some(former) = present.lead(b"back", &rotation.back) {
            (present, former)
        } else {
            return Err(StoreError::Master {
                path: self.disk.path("rotation"),
                why: "it does not fit the slots".to_owned(),
            });
        };
        let slots = next_slots(&self.disk, &rotation, &next)?;
        settle_slots(&mut self.disk, slots)?;
        self.master = next;
        self.seal_anew(former)?;
        sweep_slots(&self.disk)
    }

    /// Seals every key file and tombstone under the new master key, and ends the rotation. Where the disk fails on the way, the
    /// former one is still needed until it is called again.
    fn seal_anew(&mut self, former: Master) -> Result<()> {
        let sealed = self.seal_all(&former);
        self.former = sealed.is_err().then_some(former);
        sealed
    }

    fn seal_all(&mut self, former: &Master) -> Result<()> {
        // One file that cannot be read or written is no reason to leave the others.
        let mut failed = None;
        for group in self.disk.groups_in("tombstones")?.0 {
            if let Err(e) = self.seal_tombstone_anew(group, former) {
                failed = failed.or(Some(e));
            }
        }
        for group in self.disk.groups_in("keys")?.0 {
            if let Err(e) = self.wrap_anew(group, former) {
                failed = failed.or(Some(e));
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
        // Some may have been put in place by a process that failed, or died, before it synced.
        for folder in ["keys", "tombstones"] {
            self.disk.sync_dir(&self.disk.path(folder))?;
        }
        self.disk.unlink(&self.disk.path("rotation"))
    }

    fn seal_tombstone_anew(&mut self, group: GroupId, former: &Master) -> Result<()> {
        let path = self.disk.tombstone(group);
        let file = self.disk.read(&path, MAX_SMALL)?;
        if self.master.open_tombstone(group, &file).is_ok() {
            return Ok(());
        }
        match former.open_tombstone(group, &file) {
            Ok(body) => {
                let sealed = self.resealed_tombstone(group, &body)?;
                self.disk.replace(&path, &sealed)
            }
            Err(why) => {
                self.stays_old(group, &why);
                Ok(())
            }
        }
    }

    fn wrap_anew(&mut self, group: GroupId, former: &Master) -> Result<()> {
        let path = self.disk.key(group);
        let file = self.disk.read(&path, MAX_SMALL)?;
        if self.master.unwrap(group, &file).is_ok() {
            return Ok(());
        }
        match former.unwrap(group, &file) {
            Ok(keys) => {
                let wrapped = self.master.wrap(group, &keys, &self.disk.random()?);
                self.disk.replace(&path, &wrapped)
            }
            Err(why) => {
                self.stays_old(group, &why);
                Ok(())
            }
        }
    }

    fn resealed_tombstone(&mut self, group: GroupId, body: &[u8]) -> Result<Vec<u8>> {
        // A forgetting that was cut short is completed first: its tombstone names the key file as it is now.
        let key = self.disk.read_maybe(&self.disk.key(group), MAX_SMALL)?;
        if key.is_some_and(|key| crate::sweep::removes(body, &key)) {
            self.disk.unlink(&self.disk.key(group))?;
        }
        let nonce = self.disk.random()?;
        Ok(self.master.seal_tombstone(group, body, &nonce))
    }

    fn stays_old(&self, group: GroupId, why: &str) {
        let e = bare_damage(
            group,
            &format!("it could not be read before the rotation either: {why}"),
        );
        tracing::warn!("{e}");
    }
}

fn enough(left: &[SlotKind]) -> Result<()> {
    let mut kinds = left.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.contains(&SlotKind::KeyFile) || kinds.len() >= 2 {
        return Ok(());
    }
    Err(StoreError::LastSlot)
}
