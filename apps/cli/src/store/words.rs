//! Passphrases: where each comes from.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use overwinter_keyring::{Passphrase, passphrase::Word};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::bus::Trouble;

/// Where a word comes from.
enum Source {
    /// The user, at the terminal.
    Terminal,
    File(PathBuf),
    /// Standard input, which has been read.
    Word(Word),
}

/// The words of one command.
pub struct Words {
    opening: Source,
    new: Source,
}

impl Words {
    /// The files that the user named (`-`: standard input): for the word that opens the store so far, and for the one that is to
    /// open it.
    pub fn new(opening: Option<&Path>, new: Option<&Path>) -> Result<Words, Trouble> {
        if opening.is_some_and(|file| new == Some(file)) && opening == Some(Path::new("-")) {
            return Err(Trouble::usage(
                "standard input is one passphrase, not two. Nothing was changed. Name a file for the other one.",
            ));
        }
        Ok(Words {
            opening: Source::new(opening)?,
            new: Source::new(new)?,
        })
    }

    /// What opens the store in this folder, to be fetched when it is needed.
    pub fn opening(&self, dir: &Path) -> Result<Passphrase, Trouble> {
        self.opening
            .passphrase(&format!("Passphrase of {}: ", dir.display()))
    }

    /// The word that opens the store, now.
    pub fn current(&self) -> Result<Word, Trouble> {
        fetch(self.opening.passphrase("Passphrase of the store: ")?)
    }

    /// The word that is to open it, which the user types twice.
    pub fn new_one(&self) -> Result<Word, Trouble> {
        let word = fetch(self.new.passphrase("New passphrase: ")?)?;
        if matches!(self.new, Source::Terminal)
            && *word != *fetch(self.new.passphrase("The same again: ")?)?
        {
            return Err(Trouble::usage(
                "the two were not the same. Nothing was changed. Run this again.",
            ));
        }
        Ok(word)
    }
}

impl Source {
    fn new(file: Option<&Path>) -> Result<Source, Trouble> {
        match file {
            None => Ok(Source::Terminal),
            Some(file) if file == Path::new("-") => {
                let input = std::os::fd::AsFd::as_fd(&std::io::stdin())
                    .try_clone_to_owned()
                    .map_err(|e| {
                        Trouble::usage(format!(
                            "standard input cannot be read: {e}. Nothing was changed."
                        ))
                    })?;
                Ok(Source::Word(fetch(Passphrase::Fd(input))?))
            }
            Some(file) => Ok(Source::File(file.to_owned())),
        }
    }

    fn passphrase(&self, question: &str) -> Result<Passphrase, Trouble> {
        Ok(match self {
            Source::Terminal => Passphrase::Terminal(question.to_owned()),
            Source::File(file) => Passphrase::File(file.clone()),
            Source::Word(word) => Passphrase::Fd(as_file(word)?),
        })
    }
}

fn fetch(source: Passphrase) -> Result<Word, Trouble> {
    source.fetch().map_err(|why| {
        Trouble::usage(format!(
            "no passphrase was given: {why}. Nothing was changed. Type it at the terminal when asked, or name a file that it is in \
             with --passphrase-file, `-` for standard input, and run this again."
        ))
    })
}

/// A word as a file in memory, for whoever reads it from a descriptor.
pub fn as_file(word: &Word) -> Result<OwnedFd, Trouble> {
    let written = || -> std::io::Result<OwnedFd> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("passphrase", flags)?);
        file.write_all(word.as_bytes())?;
        file.rewind()?;
        // Whoever gets it may rely on it.
        fcntl_add_seals(
            &file,
            SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
        )?;
        Ok(file.into())
    };
    written().map_err(|e| {
        Trouble::failed(format!(
            "the passphrase cannot be handed on: {e}. Nothing was changed. Try again."
        ))
    })
}
