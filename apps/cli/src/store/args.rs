//! What can be written after `overwinter doctor` and `overwinter store`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use overwinter_store::SlotKind;

/// Below the help of every command here: what a script goes by.
const EXIT_CODES: &str = "Exit code: 0 it is done and nothing is wrong; 1 something is damaged and was not repaired, or it failed, each \
                          case named; 2 wrong usage or no store to be had, and nothing was changed.";

/// Which store, and what opens it.
#[derive(Args, Debug)]
pub struct Place {
    /// The store's folder. Without it that of the session on this bus; where none runs, $XDG_STATE_HOME/overwinter/store
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,

    /// File with the store's passphrase, `-`: standard input; asked on the terminal without it, where one is needed
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `overwinter doctor`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Doctor {
    /// Repair what can be repaired. What cannot is left as it is
    #[arg(long)]
    pub repair: bool,

    /// As JSON, for programs (docs/store.md)
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub place: Place,
}

/// `overwinter store`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Store {
    #[command(subcommand)]
    pub command: Command,

    /// As JSON, for programs (docs/store.md)
    #[arg(long, global = true)]
    pub json: bool,

    #[command(flatten)]
    pub place: Place,
}

/// What can be done with the store.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show what takes how much
    #[command(after_help = EXIT_CODES)]
    Du,
    /// Drop what nobody needs: it goes to the store's trash, and from there after ten minutes
    #[command(after_help = EXIT_CODES)]
    Gc {
        /// Empty the trash at once
        #[arg(long)]
        now: bool,
    },
    /// Write one group as one file that can be imported on any machine. Whoever has the file can read the group
    #[command(after_help = EXIT_CODES)]
    Export {
        /// Which: an id as `store du` shows it (the first digits are enough) or a title
        group: String,
        /// Where to; it must not exist. `-`: standard output
        file: PathBuf,
        /// Replace FILE
        #[arg(long)]
        force: bool,
        /// Not the newest generation, but the newest that is whole
        #[arg(long)]
        last_good: bool,
    },
    /// Take an exported group in, as a new, sleeping one
    #[command(after_help = EXIT_CODES)]
    Import {
        /// What `export` wrote. `-`: standard input
        file: PathBuf,
    },
    /// Show or change what opens the store: the slots of its master key
    #[command(after_help = EXIT_CODES)]
    Key {
        #[command(subcommand)]
        command: Option<KeyCommand>,
    },
}

/// What can be done with the slots.
#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Fill a slot; what was in it is replaced. For a passphrase, --passphrase-file is the new one
    #[command(after_help = EXIT_CODES)]
    Add {
        /// Which
        slot: Slot,
        /// File with the passphrase that opens the store so far, where one is needed
        #[arg(long, value_name = "FILE")]
        old_passphrase_file: Option<PathBuf>,
    },
    /// Empty a slot. At least two stay filled, so that a reset keyring or a forgotten word loses nothing
    #[command(after_help = EXIT_CODES)]
    Remove {
        /// Which
        slot: Slot,
        /// Also when only the key file stays
        #[arg(long)]
        force: bool,
    },
    /// Give the store a new master key, in the slots that are filled: what was forgotten before is gone for good, also for
    /// whoever has an old copy of the folder. The passphrase has to be given, so that it goes on opening the store
    #[command(after_help = EXIT_CODES)]
    Rotate,
}

/// A way to the master key.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A word that you know
    Passphrase,
    /// The desktop's keyring
    SecretService,
    /// A plain file in the store's folder, readable by you alone
    KeyFile,
}

impl From<Slot> for SlotKind {
    fn from(slot: Slot) -> SlotKind {
        match slot {
            Slot::Passphrase => SlotKind::Passphrase,
            Slot::SecretService => SlotKind::SecretService,
            Slot::KeyFile => SlotKind::KeyFile,
        }
    }
}
