//! Slots come and go; the master key changes.
//!
//! The order is what matters. A key is in the keyring before its slot is, and is taken out after no slot needs it any more. So
//! the keyring may have a key too many, never one too few, and the next [`tend`] drops that.

use overwinter_store::{SlotKind, Store, StoreError, Unlock};
use zeroize::Zeroizing;

use crate::{
    Owner, Service, Trouble,
    passphrase::Word,
    service::{self, Key},
};

/// Where the slots are: an open store, or the way to one that another thread has.
pub trait Slots {
    /// Those that are filled.
    ///
    /// # Errors
    /// The disk failed, or the store is gone.
    fn filled(&mut self) -> Result<Vec<SlotKind>, Refused>;
    /// See [`Store::key_warning`].
    ///
    /// # Errors
    /// The disk failed, or the store is gone.
    fn warning(&mut self) -> Result<String, Refused>;
    /// See [`Store::opens`].
    ///
    /// # Errors
    /// The disk failed, or the store is gone.
    fn opens(&mut self, with: Unlock) -> Result<bool, Refused>;
    /// See [`Store::fill_slot`].
    ///
    /// # Errors
    /// The disk failed, or the store is gone.
    fn fill(&mut self, with: Unlock) -> Result<(), Refused>;
    /// See [`Store::empty_slot`].
    ///
    /// # Errors
    /// It would be one too few, the disk failed, or the store is gone.
    fn empty(&mut self, kind: SlotKind) -> Result<(), Refused>;
    /// See [`Store::rotate`].
    ///
    /// # Errors
    /// They would be too few, the disk failed, or the store is gone.
    fn rotate(&mut self, slots: Vec<Unlock>) -> Result<(), Refused>;
}

impl Slots for Store {
    fn filled(&mut self) -> Result<Vec<SlotKind>, Refused> {
        Ok(self.slots()?)
    }
    fn warning(&mut self) -> Result<String, Refused> {
        Ok(self.key_warning()?)
    }
    fn opens(&mut self, with: Unlock) -> Result<bool, Refused> {
        Ok(Store::opens(self, &with)?)
    }
    fn fill(&mut self, with: Unlock) -> Result<(), Refused> {
        Ok(self.fill_slot(&with)?)
    }
    fn empty(&mut self, kind: SlotKind) -> Result<(), Refused> {
        Ok(self.empty_slot(kind)?)
    }
    fn rotate(&mut self, slots: Vec<Unlock>) -> Result<(), Refused> {
        Ok(Store::rotate(self, &slots)?)
    }
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The keyring.
    #[error("{0}. The store's slots are as they were")]
    Service(#[from] Trouble),
    /// The passphrase.
    #[error("{0}. The store's slots are as they were")]
    Word(String),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers ({0}); the store's slots are as they were")]
    Random(String),
    /// The session has ended.
    #[error(
        "the store is not open any more; what was begun is completed or dropped when it is opened again"
    )]
    Gone,
}

/// What became of looking after the keyring.
#[derive(Debug, PartialEq, Eq)]
pub enum Tended {
    /// All was as it should be.
    Well,
    /// There was no slot for the Secret Service; now there is.
    Added,
    /// The keyring did not have what opens the slot; it was filled anew.
    Refilled,
    /// It is as it was, and this is why.
    Left(Trouble),
}

/// Looks after the slots: sees that there are two, by the key file if need be. Of the slot of the Secret Service: adds one to a store that is new or has a single slot, fills it anew when the keyring has lost
/// its key, and drops keys that open nothing. A slot that the user took away from two others does not come back.
///
/// # Errors
/// The store. What the keyring has against it is no error: see [`Tended::Left`].
pub fn tend(
    slots: &mut dyn Slots,
    service: Service,
    owner: &Owner,
    new: bool,
) -> Result<Tended, Refused> {
    let tended = tend_service(slots, service, owner, new)?;
    if slots.filled()?.len() < 2 {
        // Somebody lost or took away the key file; with one slot alone a reset keyring or a forgotten word loses everything.
        slots.fill(Unlock::KeyFile)?;
    }
    Ok(tended)
}

fn tend_service(
    slots: &mut dyn Slots,
    service: Service,
    owner: &Owner,
    new: bool,
) -> Result<Tended, Refused> {
    let filled = slots.filled()?;
    let there = filled.contains(&SlotKind::SecretService);
    if !there && !new && filled.len() >= 2 {
        return Ok(Tended::Well);
    }
    let keys = match known(service, owner) {
        Ok(keys) => keys,
        Err(trouble) => return Ok(Tended::Left(trouble)),
    };
    let mut fitting = false;
    let mut stale = Vec::new();
    for key in keys {
        match there && slots.opens(Unlock::SecretService(key.clone()))? {
            true => fitting = true,
            false => stale.push(key),
        }
    }
    if fitting {
        drop_stale(service, owner, &stale);
        return Ok(Tended::Well);
    }
    match fill_service(slots, service, owner, &stale) {
        Ok(()) if there => Ok(Tended::Refilled),
        Ok(()) => Ok(Tended::Added),
        Err(Refused::Service(trouble)) => Ok(Tended::Left(trouble)),
        Err(other) => Err(other),
    }
}

/// Fills a slot; one that was filled opens by this alone afterwards. `word` is for the passphrase. Returns what there is to say.
///
/// # Errors
/// The keyring, the store, or no word.
pub fn add(
    slots: &mut dyn Slots,
    service: Service,
    owner: &Owner,
    kind: SlotKind,
    word: Option<Word>,
) -> Result<String, Refused> {
    match kind {
        SlotKind::KeyFile => slots.fill(Unlock::KeyFile)?,
        SlotKind::Passphrase => {
            let word = word.filter(|word| !word.is_empty());
            let word = word.ok_or_else(|| Refused::Word("a passphrase is needed".to_owned()))?;
            slots.fill(Unlock::Passphrase(word))?;
        }
        SlotKind::SecretService => {
            let stale = known(service, owner)?;
            fill_service(slots, service, owner, &stale)?;
        }
    }
    let filled = slots.filled()?;
    let mut said = format!("the {kind} opens the store now");
    if filled.len() == SlotKind::ALL.len() && kind != SlotKind::KeyFile {
        said += "; the key file is not needed any more: overwinter store key remove key-file";
    }
    Ok(said)
}

/// Empties a slot. Returns what there is to say.
///
/// # Errors
/// One too few would be left, or the store.
pub fn remove(
    slots: &mut dyn Slots,
    service: Service,
    owner: &Owner,
    kind: SlotKind,
) -> Result<String, Refused> {
    slots.empty(kind)?;
    let mut said = format!("the {kind} opens the store no more");
    if kind == SlotKind::SecretService {
        let dropped = known(service, owner).and_then(|keys| service.forget(owner, &keys));
        if let Err(trouble) = dropped {
            said +=
                &format!("; its key, which opens nothing now, stays in the keyring ({trouble})");
        }
    }
    Ok(said)
}

/// Gives the store a new master key, with the slots that it has. `word` is needed where there is a slot for the passphrase, and
/// stays the passphrase. Returns what there is to say.
///
/// # Errors
/// The keyring or the word, before anything was changed; or the store: then it has happened or not, and the store opens by
/// the same slots.
pub fn rotate(
    slots: &mut dyn Slots,
    service: Service,
    owner: &Owner,
    word: Option<Word>,
) -> Result<String, Refused> {
    let filled = slots.filled()?;
    let mut unlocks = Vec::new();
    let mut former = Vec::new();
    if filled.contains(&SlotKind::KeyFile) {
        unlocks.push(Unlock::KeyFile);
    }
    if filled.contains(&SlotKind::Passphrase) {
        let word = word.filter(|word| !word.is_empty()).ok_or_else(|| {
            Refused::Word("the passphrase is needed, so that it goes on opening the store".into())
        })?;
        if !slots.opens(Unlock::Passphrase(word.clone()))? {
            return Err(Refused::Word("that is not the passphrase".to_owned()));
        }
        unlocks.push(Unlock::Passphrase(word));
    }
    if filled.contains(&SlotKind::SecretService) {
        former = known(service, owner)?;
        let key = fresh()?;
        service.keep(owner, &key)?;
        unlocks.push(Unlock::SecretService(key));
    }
    slots.rotate(unlocks)?;
    drop_stale(service, owner, &former);
    Ok("the store has a new master key".to_owned())
}

/// A new key in the keyring, then in the slot; then the others go.
fn fill_service(
    slots: &mut dyn Slots,
    service: Service,
    owner: &Owner,
    stale: &[Key],
) -> Result<(), Refused> {
    let key = fresh()?;
    service.keep(owner, &key)?;
    slots.fill(Unlock::SecretService(key))?;
    drop_stale(service, owner, stale);
    Ok(())
}

/// What the keyring has for the store; nothing is not an error.
fn known(service: Service, owner: &Owner) -> Result<Vec<Key>, Trouble> {
    match service.keys(owner) {
        Err(Trouble::NoKey) => Ok(Vec::new()),
        other => other,
    }
}

/// Keys that open nothing are no harm; the next [`tend`] tries again.
fn drop_stale(service: Service, owner: &Owner, stale: &[Key]) {
    if stale.is_empty() {
        return;
    }
    if let Err(trouble) = service.forget(owner, stale) {
        tracing::info!("a key that opens nothing stays in the keyring for now: {trouble}");
    }
}

fn fresh() -> Result<service::Key, Refused> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|e| Refused::Random(e.to_string()))?;
    Ok(key)
}
