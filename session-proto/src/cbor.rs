//! The one encoding of everything in this crate that is stored or sent: CBOR with text keys.

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes from a file or a peer are not the message they claim to be.
#[derive(Debug, thiserror::Error)]
#[error("not a valid {what}: {why}")]
pub struct DecodeError {
    /// The Rust name of the expected message, for the log.
    pub what: &'static str,
    /// What the decoder stumbled over.
    pub why: String,
}

/// Encodes a message of this crate. Infallible: every type here has a CBOR form.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a Vec cannot fail and no type of this crate has a fallible Serialize.
    let _ = ciborium::into_writer(value, &mut out);
    out
}

/// Decodes a message of this crate from untrusted bytes; never panics, recursion is bounded by the decoder (256).
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one well-formed `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let what = std::any::type_name::<T>();
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).map_err(|e| DecodeError {
        what,
        why: e.to_string(),
    })?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError {
            what,
            why: format!("{} bytes follow the message", rest.len()),
        })
    }
}
