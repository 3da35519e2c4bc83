//! The user's keyring: 32 bytes for each store, kept by whoever answers to `org.freedesktop.secrets`.
//!
//! <https://specifications.freedesktop.org/secret-service-spec/latest/>. A store may have more than one item for a moment: the
//! key of its slot, and the one that the slot is about to get. Which is which, the slot says: one of them opens it.
//!
//! Each call works on a thread of its own, which ends with it, also when the call was given up: nothing of it is left that
//! could wake an idle session.

use std::{
    collections::HashMap,
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use futures_lite::{FutureExt, future};
use oo7::dbus;
use zeroize::Zeroizing;

/// 32 random bytes that open a slot.
pub type Key = Zeroizing<[u8; 32]>;

/// Items of this kind are ours.
const SCHEMA: &str = "org.overwinter.StoreKey";
/// So many items of one store are looked at: there is one, or two while the key is changed.
const MOST: usize = 16;
/// What the worker gets beyond its deadline until it is left to itself.
const SLACK: Duration = Duration::from_millis(500);

/// Which store a key is for: the BLAKE3 of its folder's real path, so that the keyring does not tell what lies where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// The store in this folder. A link to the folder is the same store; a copy of it is another.
    pub fn of(dir: &Path) -> Owner {
        let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let path = std::os::unix::ffi::OsStrExt::as_bytes(real.as_os_str());
        Owner(blake3::hash(path).to_hex()[..32].to_owned())
    }
}

/// Why the keyring was of no use. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No bus, or nobody on it who keeps secrets.
    #[error("no Secret Service is there ({0})")]
    Absent(String),
    /// It takes the user to unlock it.
    #[error("the keyring is locked; unlock it")]
    Locked,
    /// There is no keyring in it.
    #[error(
        "the Secret Service has no default keyring; create one with the desktop's tool for passwords"
    )]
    NoKeyring,
    /// It has nothing for this store.
    #[error("the keyring has no key for this store")]
    NoKey,
    /// The user said no.
    #[error("unlocking the keyring was declined")]
    Dismissed,
    /// The deadline.
    #[error("the Secret Service has not answered within {} s", .0.as_secs())]
    Silent(Duration),
    /// Anything else.
    #[error("the Secret Service failed: {0}")]
    Failed(String),
}

impl From<dbus::Error> for Trouble {
    fn from(error: dbus::Error) -> Trouble {
        use dbus::{Error, ServiceError};
        match error {
            Error::Service(ServiceError::IsLocked(_)) => Trouble::Locked,
            Error::Dismissed => Trouble::Dismissed,
            Error::ZBus(e) | Error::Service(ServiceError::ZBus(e)) => of_the_wire(&e),
            other => Trouble::Failed(other.to_string()),
        }
    }
}

/// Nobody has the name, it cannot be started, or there is no bus: absent. All else is a failure.
fn of_the_wire(error: &oo7::zbus::Error) -> Trouble {
    use oo7::zbus::Error;
    let text = error.to_string();
    let absent = match error {
        Error::InputOutput(_) | Error::Address(_) | Error::Handshake(_) => true,
        Error::MethodError(name, ..) => {
            name.ends_with(".ServiceUnknown")
                || name.ends_with(".NameHasNoOwner")
                || name.contains(".Spawn.")
        }
        Error::FDO(_) => text.contains("ServiceUnknown") || text.contains("NameHasNoOwner"),
        _ => false,
    };
    if absent {
        Trouble::Absent(text)
    } else {
        Trouble::Failed(text)
    }
}

/// The service that has the keyring of this user.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    within: Duration,
    asks: bool,
}

impl Service {
    /// Whoever answers on the session bus (`DBUS_SESSION_BUS_ADDRESS`); each call takes this long at most. A keyring that is
    /// locked stays so.
    pub fn silent(within: Duration) -> Service {
        let asks = false;
        Service { within, asks }
    }

    /// As [`silent`](Service::silent), but the user may be asked to unlock the keyring.
    pub fn asking(within: Duration) -> Service {
        let asks = true;
        Service { within, asks }
    }

    /// Every key that the keyring has for this store, the newest first.
    ///
    /// # Errors
    /// See [`Trouble`]; [`Trouble::NoKey`] when there is none.
    pub fn keys(&self, owner: &Owner) -> Result<Vec<Key>, Trouble> {
        let (owner, asks) = (owner.clone(), self.asks);
        self.call(async move {
            let keyring = Keyring::open(asks).await?;
            let mut keys = Vec::new();
            for item in keyring.items(&owner).await? {
                // One that another program spoilt is not one.
                if let Ok(key) = <[u8; 32]>::try_from(item.secret().await?.as_bytes()) {
                    keys.push((
                        item.created().await.unwrap_or_default(),
                        Zeroizing::new(key),
                    ));
                }
            }
            keys.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
            match keys.is_empty() {
                true => Err(Trouble::NoKey),
                false => Ok(keys.into_iter().map(|(_, key)| key).collect()),
            }
        })
    }

    /// Puts a key into the keyring, beside those that are there. When this returns the keyring has said that it has it.
    ///
    /// # Errors
    /// See [`Trouble`]. After [`Trouble::Silent`] it may be there or come to be there.
    pub fn keep(&self, owner: &Owner, key: &Key) -> Result<(), Trouble> {
        let (owner, key, asks) = (owner.clone(), key.clone(), self.asks);
        self.call(async move {
            let keyring = Keyring::open(asks).await?;
            let label = "Overwinter: key of the store";
            let about = about(&owner, Some(&key));
            let made = keyring
                .default
                .create_item(label, &about, key.as_slice(), true, None);
            made.await?;
            // Believed when it is seen: a keyring that forgets at once would take the key with it.
            for item in keyring.items(&owner).await? {
                if item.secret().await?.as_bytes() == key.as_slice() {
                    return Ok(());
                }
            }
            Err(Trouble::Failed("it took a key and does not have it".into()))
        })
    }

    /// Takes these keys of a store out of the keyring. One that is not there is fine.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn forget(&self, owner: &Owner, keys: &[Key]) -> Result<(), Trouble> {
        let (owner, keys, asks) = (owner.clone(), keys.to_vec(), self.asks);
        self.call(async move {
            let keyring = Keyring::open(asks).await?;
            for item in keyring.items(&owner).await? {
                let secret = item.secret().await?;
                if keys.iter().any(|key| secret.as_bytes() == key.as_slice()) {
                    item.delete(None).await?;
                }
            }
            Ok(())
        })
    }

    /// Has it done on a thread of its own, within the deadline.
    fn call<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        let within = self.within;
        let (tell, told) = channel();
        let thread = std::thread::Builder::new()
            .name("keyring".into())
            .spawn(move || {
                let late = async {
                    async_io::Timer::after(within).await;
                    Err(Trouble::Silent(within))
                };
                drop(tell.send(future::block_on(work.or(late))));
            })
            .map_err(|e| Trouble::Failed(e.to_string()))?;
        match told.recv_timeout(within.saturating_add(SLACK)) {
            Ok(outcome) => {
                // What it held (the bus, the key) is gone before anybody goes on.
                let _ = thread.join();
                outcome
            }
            Err(RecvTimeoutError::Timeout) => Err(Trouble::Silent(within)),
            Err(RecvTimeoutError::Disconnected) => Err(Trouble::Failed(
                "it broke off; the log of the keyring may say why".into(),
            )),
        }
    }
}

/// An open session with the service.
struct Keyring {
    /// First, so that its items and its collection have gone when the session is closed.
    default: dbus::Collection,
    _service: dbus::Service,
}

impl Keyring {
    async fn open(asks: bool) -> Result<Keyring, Trouble> {
        let service = dbus::Service::new().await?;
        let default = service.with_alias(dbus::Service::DEFAULT_COLLECTION);
        let default = default.await?.ok_or(Trouble::NoKeyring)?;
        if default.is_locked().await? {
            if !asks {
                return Err(Trouble::Locked);
            }
            default.unlock(None).await?;
            if default.is_locked().await? {
                return Err(Trouble::Locked);
            }
        }
        Ok(Keyring {
            default,
            _service: service,
        })
    }

    async fn items(&self, owner: &Owner) -> Result<Vec<dbus::Item>, Trouble> {
        let mut items = self.default.search_items(&about(owner, None)).await?;
        items.truncate(MOST);
        Ok(items)
    }
}

/// An item's attributes, which anybody may see who sees the keyring. `key` is told apart from others by a hash, since a new one
/// must not take the place of the one that the slot still needs.
fn about(owner: &Owner, key: Option<&Key>) -> HashMap<&'static str, String> {
    let mut about = HashMap::from([
        ("xdg:schema", SCHEMA.to_owned()),
        ("store", owner.0.clone()),
    ]);
    if let Some(key) = key {
        let hash = blake3::derive_key("overwinter keyring 1 name of a key", key.as_slice());
        about.insert("key", hex::encode(&hash[..8]));
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_known_by_its_real_path() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        std::fs::create_dir(&store).unwrap();
        std::os::unix::fs::symlink(&store, folder.path().join("link")).unwrap();
        let owner = Owner::of(&store);
        assert_eq!(owner, Owner::of(&folder.path().join("link")));
        assert_eq!(owner, Owner::of(&store.join(".")));
        assert_ne!(owner, Owner::of(folder.path()));
        let about = about(&owner, Some(&Zeroizing::new([7; 32])));
        let told = format!("{about:?}");
        assert!(!told.contains("0707") && !told.contains("store/"), "{told}");
    }

    #[test]
    fn what_breaks_or_is_late_is_an_answer_in_time() {
        let service = Service::silent(Duration::from_millis(50));
        let late = service.call(future::pending::<Result<(), Trouble>>());
        assert_eq!(late, Err(Trouble::Silent(Duration::from_millis(50))));
        let broken = service.call(async {
            assert!(std::env::args().count() == 0, "this test's doing");
            Ok(())
        });
        assert!(matches!(broken, Err(Trouble::Failed(_))), "{broken:?}");
    }
}
