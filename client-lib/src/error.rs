//! Why state could not be saved or restored.

use crate::bridge::BridgeError;
use crate::cbor::{DecodeError, EncodeError};
use crate::lens::LensError;

/// Why state could not be saved or restored. Nothing was changed: the bytes given are still the truth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes are not deterministic CBOR.
    #[error("the state is damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// The value cannot be written.
    #[error("the state cannot be saved: {0}")]
    Unwritable(#[from] EncodeError),
    /// A field and its Rust type do not fit.
    #[error("the state does not fit: {0}")]
    Field(#[from] BridgeError),
    /// CBOR, but not a state of ours.
    #[error("this is not a saved state: {0}")]
    Malformed(&'static str),
    /// Written by a library from the future, in a layout unknown here.
    #[error("the state has layout {0}; this program reads layout 1 and must be updated first")]
    Layout(u64),
    /// A state of another type.
    #[error("this is the state of a `{found}`, not of a `{expected}`")]
    OtherType {
        /// What the reader asked for.
        expected: String,
        /// What the state says it is.
        found: String,
    },
    /// No way leads from the writer's version to the reader's.
    #[error(
        "version {reader} cannot read what version {writer} wrote, which is readable from version {oldest} on"
    )]
    NoWay {
        /// Version that asks.
        reader: u32,
        /// Version that wrote.
        writer: u32,
        /// Oldest version that can read it.
        oldest: u32,
    },
    /// Both call it the same version, but mean different schemas: one of them changed without a new number.
    #[error(
        "version {version} of the program that wrote this has another schema than version {version} of this one: \
         a change of the schema needs a new version and a lens"
    )]
    OtherSchema {
        /// The number that both use.
        version: u32,
    },
    /// A step between versions failed.
    #[error("{0}")]
    Step(#[from] LensError),
    /// Blobs and secrets have no place in the bytes that were asked for.
    #[error(
        "the state has blobs or secrets, which are kept apart from it: save it by save_with_parts"
    )]
    KeptApart,
    /// More blobs than one state may refer to.
    #[error(
        "the state refers to {0} blobs, where 16384 is the most: put several things into one blob"
    )]
    TooManyBlobs(usize),
    /// A section of secrets is too large.
    #[error(
        "the state has more than 1 MiB of secrets: secrets are passwords and keys; encrypt what is larger and keep it as a blob"
    )]
    SecretsTooLarge,
    /// What newer versions left behind nests too often.
    #[error("the state carries more former versions than are allowed")]
    TooManyOrigins,
}
