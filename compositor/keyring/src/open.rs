//! A store is opened by the first slot that opens.

use std::path::{Path, PathBuf};

use overwinter_store::{Limits, OpenReport, Options, SlotKind, Store, StoreError, Unlock};

use crate::{Owner, Passphrase, Service};

/// What may be used to open a store.
#[derive(Debug)]
pub struct Asked {
    /// The keyring, and how patient one is with it.
    pub service: Service,
    /// Where the passphrase is. It is fetched when nothing else has opened the store; a new store gets a slot for it.
    pub passphrase: Option<Passphrase>,
    /// What the store may take.
    pub limits: Limits,
}

/// An open store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What was found.
    pub report: OpenReport,
    /// What opened it; none: it is new.
    pub by: Option<SlotKind>,
    /// What did not, and why, in the order in which it was tried.
    pub tried: Vec<(SlotKind, String)>,
}

/// Why a store was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// Not for want of a key.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// No slot opened.
    #[error("the store {} cannot be opened: {}. Nothing in it was touched. {}", dir.display(), told(tried), advice(tried))]
    NoWay {
        /// Its folder.
        dir: PathBuf,
        /// Every slot that there is, and why it did not open.
        tried: Vec<(SlotKind, String)>,
    },
}

fn told(tried: &[(SlotKind, String)]) -> String {
    let each = tried.iter().map(|(kind, why)| format!("{kind}: {why}"));
    each.collect::<Vec<_>>().join("; ")
}

fn advice(tried: &[(SlotKind, String)]) -> String {
    let can = |kind| tried.iter().any(|(tried, _)| *tried == kind);
    let mut ways = Vec::new();
    if can(SlotKind::SecretService) {
        ways.push("unlock the keyring or bring it back from a backup");
    }
    if can(SlotKind::Passphrase) {
        ways.push("give the passphrase (--passphrase-file or --passphrase-fd)");
    }
    if can(SlotKind::KeyFile) {
        ways.push("bring the key file back from a backup");
    }
    let mut text = ways.join(", or ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text + ", then try again"
}

/// Opens the store in a folder, and makes one where there is none: by the key file where there is one, which needs nobody; by
/// what the keyring has; by the passphrase.
///
/// # Errors
/// See [`Closed`].
pub fn open(dir: &Path, asked: Asked) -> Result<Opened, Closed> {
    let Asked {
        service,
        mut passphrase,
        limits,
    } = asked;
    let with = |unlock: Vec<Unlock>| {
        let options = Options {
            unlock,
            limits,
            ..Options::default()
        };
        Store::open_with(dir, options)
    };
    let filled = SlotKind::filled_in(dir);
    let mut tried = Vec::new();
    if filled.is_empty() {
        let word = passphrase.take().map(|source| {
            source.fetch().map_err(|why| {
                // Not silently without what was asked for: the user would rely on a word that opens nothing.
                let tried = vec![(SlotKind::Passphrase, why)];
                let dir = dir.to_owned();
                Closed::NoWay { dir, tried }
            })
        });
        let word = word.transpose()?.map(Unlock::Passphrase);
        let (store, report) = with(word.into_iter().collect())?;
        let by = None;
        return Ok(Opened {
            store,
            report,
            by,
            tried,
        });
    }
    for kind in [
        SlotKind::KeyFile,
        SlotKind::SecretService,
        SlotKind::Passphrase,
    ] {
        if !filled.contains(&kind) {
            continue;
        }
        let unlock = match kind {
            SlotKind::KeyFile => Ok(vec![Unlock::KeyFile]),
            SlotKind::SecretService => service
                .keys(&Owner::of(dir))
                .map(|keys| keys.into_iter().map(Unlock::SecretService).collect())
                .map_err(|trouble| trouble.to_string()),
            SlotKind::Passphrase => match passphrase.take() {
                Some(source) => source.fetch().map(|word| vec![Unlock::Passphrase(word)]),
                None => Err("none was given".to_owned()),
            },
        };
        let why = match unlock.map(with) {
            Ok(Ok((store, report))) => {
                let by = Some(kind);
                return Ok(Opened {
                    store,
                    report,
                    by,
                    tried,
                });
            }
            Ok(Err(StoreError::Master { path, why })) => match kind {
                SlotKind::KeyFile => format!("{}: {why}", path.display()),
                SlotKind::SecretService => "what the keyring has does not open it".to_owned(),
                SlotKind::Passphrase => "the word does not open it".to_owned(),
            },
            Ok(Err(other)) => return Err(other.into()),
            Err(why) => why,
        };
        tracing::debug!("the {kind} does not open the store: {why}");
        tried.push((kind, why));
    }
    let dir = dir.to_owned();
    Err(Closed::NoWay { dir, tried })
}
