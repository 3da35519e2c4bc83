//! This host's Ed25519 key, and whose signature counts for which move.
//!
//! A source signs RELEASED and ABORTED. A destination believes them only under the key that it noted in its own STAGED
//! record (before that: under the key in the stream's Hello); the heart knows which ([`Terms`]).

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use overwinter_proto::TxId;
use overwinter_proto::journal::HostKey;
use overwinter_proto::transfer::{Message, abort_text, release_text};
use overwinter_session::Terms;

/// This host's key.
pub struct Identity {
    key: SigningKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", hex::encode(self.public()))
    }
}

impl Identity {
    /// Reads the key at `path`, and makes one (readable by its owner alone) when there is none.
    ///
    /// # Errors
    /// When the file is not a key, or cannot be read or made. It is never replaced: other hosts know this one by it.
    pub fn open(path: &Path) -> Result<Identity> {
        match File::open(path) {
            Ok(file) => Identity::read(file).with_context(|| {
                format!(
                    "the host key {} cannot be used; it was left as it is",
                    path.display()
                )
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Identity::create(path)
                .with_context(|| format!("cannot make the host key {}", path.display())),
            Err(e) => {
                Err(e).with_context(|| format!("cannot read the host key {}", path.display()))
            }
        }
    }

    fn read(file: File) -> Result<Identity> {
        let mut text = String::new();
        file.take(1024).read_to_string(&mut text)?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).context("it is not 64 hexadecimal digits")?;
        Ok(Identity {
            key: SigningKey::from_bytes(&seed),
        })
    }

    fn create(path: &Path) -> Result<Identity> {
        let folder = path.parent().context("it has no folder")?;
        make_folders(folder)?;
        let seed: [u8; 32] =
            super::random().map_err(|e| anyhow::anyhow!("no random numbers: {e}"))?;
        let beside = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        writeln!(file, "{}", hex::encode(seed))?;
        file.sync_all()?;
        // A hard link does not replace: of two sessions that start at the same moment, one key wins.
        let linked = std::fs::hard_link(&beside, path);
        std::fs::remove_file(&beside)?;
        match linked {
            Ok(()) => File::open(folder)?.sync_all()?,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e.into()),
        }
        let file = File::open(path)?;
        ensure!(file.metadata()?.is_file(), "it is not a file");
        Identity::read(file)
    }

    /// The public key: what other hosts know this one by.
    pub fn public(&self) -> HostKey {
        self.key.verifying_key().to_bytes()
    }

    /// The signature of RELEASED; `None` when the terms say that it was not released.
    pub fn sign_release(&self, tx: TxId, terms: &Terms) -> Option<Vec<u8>> {
        Some(self.sign(&release_words(tx, terms)?))
    }

    /// The signature of ABORTED.
    pub fn sign_abort(&self, tx: TxId, terms: &Terms) -> Vec<u8> {
        self.sign(&abort_text(tx, terms.group))
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.key.sign(text).to_bytes().to_vec()
    }
}

/// Makes a folder and those above it, and has their names synced: the key must not vanish with its folder in a power cut.
fn make_folders(folder: &Path) -> std::io::Result<()> {
    let missing = folder.ancestors().take_while(|f| !f.exists());
    let above: Vec<&Path> = missing.filter_map(Path::parent).collect();
    std::fs::create_dir_all(folder)?;
    for folder in above {
        // The parent of a relative path's first part is the folder we are in.
        let here = Path::new(".");
        File::open(if folder.as_os_str().is_empty() {
            here
        } else {
            folder
        })?
        .sync_all()?;
    }
    Ok(())
}

fn release_words(tx: TxId, terms: &Terms) -> Option<Vec<u8>> {
    let (epoch, closure, destination) = terms.release?;
    Some(release_text(tx, terms.group, epoch, &closure, &destination))
}

/// Whether a message of a source is signed by who may say it. `terms` is what the heart knows of the move.
pub fn is_signed(message: &Message, terms: Option<&Terms>) -> bool {
    match (message, terms) {
        (Message::Released { .. } | Message::Aborted { .. }, None) => false,
        (Message::Released { tx, signature }, Some(terms)) => match release_words(*tx, terms) {
            Some(text) => verify(&terms.source, &text, signature),
            // Not staged here, or owned already: the heart acts on it in neither case, it only answers.
            None => true,
        },
        (Message::Aborted { tx, signature }, Some(terms)) => {
            verify(&terms.source, &abort_text(*tx, terms.group), signature)
        }
        _ => true,
    }
}

fn verify(key: &HostKey, text: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(key) else {
        return false;
    };
    let Ok(signature) = Signature::from_slice(signature) else {
        return false;
    };
    key.verify_strict(text, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use overwinter_proto::GroupId;
    use overwinter_proto::journal::Closure;
    use std::os::unix::fs::PermissionsExt;

    fn identity() -> Identity {
        let folder = tempfile::tempdir().unwrap();
        Identity::open(&folder.path().join("identity")).unwrap()
    }

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/overwinter/identity");
        let first = Identity::open(&path).unwrap().public();
        assert_eq!(Identity::open(&path).unwrap().public(), first);
        assert_ne!(identity().public(), first);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
        for bad in ["", "zz", "00"] {
            std::fs::write(&path, bad).unwrap();
            assert!(Identity::open(&path).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }

    #[test]
    fn only_the_source_that_was_noted_releases_and_only_this_move_to_this_host() {
        let (source, destination, thief) = (identity(), identity(), identity());
        let tx = TxId(5);
        let terms = |closure: u8, to: &Identity| Terms {
            group: GroupId(9),
            source: source.public(),
            release: Some((2, Closure([closure; 32]), to.public())),
        };
        let here = terms(7, &destination);
        let released = |tx, signature| Message::Released { tx, signature };
        let aborted = |tx, signature| Message::Aborted { tx, signature };
        let good = source.sign_release(tx, &here).unwrap();
        let abort = source.sign_abort(tx, &here);
        assert!(is_signed(&released(tx, good.clone()), Some(&here)));
        assert!(is_signed(&aborted(tx, abort.clone()), Some(&here)));

        let bad = [
            released(tx, abort.clone()),
            released(TxId(6), good.clone()),
            released(tx, good[..63].to_vec()),
            released(tx, Vec::new()),
            released(tx, thief.sign_release(tx, &here).unwrap()),
            released(
                tx,
                source.sign_release(tx, &terms(8, &destination)).unwrap(),
            ),
            released(tx, source.sign_release(tx, &terms(7, &thief)).unwrap()),
            aborted(tx, good.clone()),
            aborted(tx, thief.sign_abort(tx, &here)),
            aborted(TxId(6), abort.clone()),
        ];
        for message in bad {
            assert!(!is_signed(&message, Some(&here)), "{message:?}");
        }
        // Of a move that nobody here knows, nothing is believed.
        assert!(!is_signed(&released(tx, good), None));
        assert!(!is_signed(&aborted(tx, abort), None));
        assert!(is_signed(&Message::Finished, None));
    }

    #[test]
    fn what_was_never_released_is_not_signed() {
        let own = identity();
        let terms = Terms {
            group: GroupId(1),
            source: own.public(),
            release: None,
        };
        assert_eq!(own.sign_release(TxId(1), &terms), None);
    }
}
