//! Deterministic CBOR: each [`Value`](crate::Value) has exactly one encoding, and nothing else decodes.
//!
//! The profile is RFC 8949 §4.2.1: shortest integers and lengths, shortest float that keeps the value,
//! no indefinite lengths, text keys in the bytewise order of their encodings. No tags are used and `NaN` is
//! always `f97e00`. The decoder refuses every other form, so `encode(decode(bytes)) == bytes` and a hash of
//! the bytes is a hash of the value. Any public CBOR tool can read the result.

mod decode;
mod encode;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use decode::decode_counting;
pub use decode::{DecodeError, DecodeProblem, Limits, decode, decode_within};
pub use encode::{EncodeError, encode};
pub(crate) use encode::{encode_onto, major, write_float, write_head, write_int};

/// Deepest nesting of lists and maps that is written or read. Real documents stay below twenty; the
/// limit keeps recursion within a small stack.
pub const MAX_DEPTH: usize = 128;
