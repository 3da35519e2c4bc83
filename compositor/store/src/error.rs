//! What can go wrong. Each message says what happened, what was kept, and what to do.

use std::{io, path::PathBuf};

use overwinter_proto::{BlobHash, Generation, GroupId, Lease};

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why an operation of the store did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// One store, one process.
    #[error("the store {} is in use by another process; nothing was touched. Ask that session instead, or end it first", dir.display())]
    Locked {
        /// The store's folder.
        dir: PathBuf,
    },
    /// Written by a later release.
    #[error(
        "the store {} has format {found}, this release knows formats up to {known}; nothing was touched. Use the newer release",
        dir.display()
    )]
    NewerFormat {
        /// The store's folder.
        dir: PathBuf,
        /// Its format.
        found: u64,
        /// Newest format this code can read.
        known: u64,
    },
    /// A folder with other things in it.
    #[error("{} is not a store ({why}); nothing was touched. Name an empty folder or the right one", dir.display())]
    NotAStore {
        /// The folder.
        dir: PathBuf,
        /// What was expected and is not there.
        why: String,
    },
    /// The master key is gone or unreadable.
    #[error(
        "the master key {} cannot be used ({why}); the store was left as it was, and nothing in it can be read without that \
         key. Bring the file back from a backup",
        path.display()
    )]
    Master {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There would be no way left to the master key, or one that is easily lost.
    #[error(
        "with these slots a reset keyring or a forgotten word would lose everything; nothing was changed. Keep the key file, or \
         fill two other slots"
    )]
    LastSlot,
    /// The disk is full (or the user's quota used up).
    #[error(
        "the disk is full: {needed} more bytes are needed, {left} are left; the store is as it was before. Free space and try again"
    )]
    Full {
        /// Bytes that the operation would have written.
        needed: u64,
        /// Bytes left on the disk.
        left: u64,
    },
    /// The store may not take more than the user allows it.
    #[error(
        "the store may take {quota} bytes and takes {used}, up to {needed} more are needed; everything stored is kept, this save was \
         refused. `overwinter store gc` drops what nobody needs, `overwinter store du` shows what takes how much; forget groups \
         that are not needed, or allow it more (--store-quota)"
    )]
    Quota {
        /// Bytes that the operation would have written.
        needed: u64,
        /// Bytes that are used.
        used: u64,
        /// Bytes that may be used.
        quota: u64,
    },
    /// The system refused an operation on a file.
    #[error("could not {doing} {}: {source}; what was stored before is kept. Look at the disk, then try again", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record may or may not have reached the disk: it could neither be synced nor taken back.
    #[error(
        "the disk failed while {group} was being written ({source}); everything up to then is kept, but whether this last \
         step would survive a power cut is unknown. Ask for the group's journal: the store then settles it"
    )]
    Unknown {
        /// The group.
        group: GroupId,
        /// What the system said.
        source: Box<StoreError>,
    },
    /// Bytes on disk are not what was written.
    #[error(
        "group {group}{} is damaged: {what}. Nothing was changed and all its files are kept; {}. Run `overwinter doctor --repair`, which mends \
         what can be mended; what it cannot is brought back from a backup",
        title.as_ref().map(|t| format!(" (“{t}”)")).unwrap_or_default(),
        match last_good {
            Some(g) => format!("its last good generation is {g}, which can still be read and exported"),
            None => "none of its generations is known to be good".to_owned(),
        }
    )]
    Damaged {
        /// The group.
        group: GroupId,
        /// Title of its main window, where it can still be read.
        title: Option<String>,
        /// Which part, and how.
        what: String,
        /// Newest generation that reads back whole.
        last_good: Option<Generation>,
    },
    /// No such group.
    #[error("there is no group {0} in this store; nothing was changed")]
    UnknownGroup(GroupId),
    /// No such generation.
    #[error(
        "group {group} has no generation {generation} ({}); nothing was changed",
        match newest { Some(g) => format!("the newest is {g}"), None => "it has none yet".to_owned() }
    )]
    UnknownGeneration {
        /// The group.
        group: GroupId,
        /// The number asked for.
        generation: Generation,
        /// Newest one there is.
        newest: Option<Generation>,
    },
    /// Another holder has taken over.
    #[error(
        "lease {given} of group {group} is out of date, the current one is {current}; the stored generations are kept, this save was refused"
    )]
    StaleLease {
        /// The group.
        group: GroupId,
        /// Lease of the caller.
        given: Lease,
        /// Lease in the journal.
        current: Lease,
    },
    /// The group was forgotten; its key is gone.
    #[error(
        "group {0} was forgotten here; its data cannot be read any more, and the id is not used again"
    )]
    Forgotten(GroupId),
    /// More than the store takes in one piece.
    #[error(
        "a snapshot of {size} bytes is larger than the limit of {limit}; the former generations are kept"
    )]
    TooLarge {
        /// Encoded size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// What another host sent does not fit together.
    #[error(
        "what came for group {group} was refused: {why}; nothing of it is used, and the group stays where it was"
    )]
    Refused {
        /// The group.
        group: GroupId,
        /// What does not fit.
        why: String,
    },
    /// A blob that does not belong to the group.
    #[error(
        "group {group} has no blob {hash}; nothing was changed and everything else of the group is kept. Give the blob again"
    )]
    NoBlob {
        /// The group.
        group: GroupId,
        /// The name asked for.
        hash: BlobHash,
    },
    /// A blob whose bytes on disk are not what was written.
    #[error(
        "blob {hash} of group {group} is damaged: {what}; everything else of the group is kept. Run `overwinter doctor --repair`, \
         bring the file back from a backup, or give the blob again"
    )]
    BlobDamaged {
        /// The group.
        group: GroupId,
        /// The blob.
        hash: BlobHash,
        /// Which part, and how.
        what: String,
    },
    /// What was given is not the blob that it was said to be.
    #[error("blob {hash} was not taken: {why}; nothing of it is kept")]
    BadBlob {
        /// The name that it was given under.
        hash: BlobHash,
        /// What does not fit.
        why: String,
    },
    /// A file outside the store could not be used.
    #[error(
        "could not {0} the file: {1}; the store is as it was before. Look at the file's disk, then try again"
    )]
    File(&'static str, #[source] io::Error),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers ({0}); nothing was written")]
    Random(String),
}

impl StoreError {
    /// Whether freeing disk space, or allowing more, may help.
    pub fn is_full(&self) -> bool {
        match self {
            StoreError::Full { .. } | StoreError::Quota { .. } => true,
            StoreError::Unknown { source, .. } => source.is_full(),
            _ => false,
        }
    }

    /// Whether this error says that there is no such group (any more).
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, StoreError::UnknownGroup(_) | StoreError::Forgotten(_))
    }

    /// Whether this error says that stored bytes are not what was written.
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Damaged { .. } | StoreError::Master { .. })
    }
}
