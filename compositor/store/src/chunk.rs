//! Chunks: cut, named by content, compressed, sealed.
//!
//! Sealed form: `OWC1`, codec (0 plain, 1 zstd), length of the plain bytes (u32, little endian), nonce (24), sealed bytes.
//! The seal is tied to the id and to everything before the nonce; the id is the keyed BLAKE3 of the plain bytes, and is
//! checked again after opening.

use std::ops::Range;

use fastcdc::v2020::{FastCDC, Normalization};
use overwinter_proto::transfer::ChunkId;

use crate::keys::{GroupKeys, NONCE, TAG};

/// Up to this size bytes are one chunk: 64 KiB of an app's state with the snapshot around it. Cutting smaller ones would cost
/// more files, each with its own sync, than it could ever save.
pub const WHOLE: usize = 68 << 10;
/// Smallest, wanted and largest size of a chunk (the last of a cut may be smaller).
#[derive(Clone, Copy)]
struct Sizes {
    smallest: u32,
    wanted: u32,
    largest: u32,
}

/// For what is typed into: an edit of one character in a document of a megabyte writes one chunk, so chunks are small.
const FINE: Sizes = Sizes {
    smallest: 8 << 10,
    wanted: 16 << 10,
    largest: 64 << 10,
};
/// From this size on a cut is coarse.
const COARSE_FROM: usize = 4 << 20;
/// Large enough that a 100 MiB document is some hundred files, small enough that an edit of one percent of it writes little
/// more than that percent.
const COARSE: Sizes = Sizes {
    smallest: 64 << 10,
    wanted: 256 << 10,
    largest: LARGEST,
};
/// Largest chunk.
const LARGEST: u32 = 1 << 20;

const MAGIC: &[u8; 4] = b"OWC1";
const HEADER: usize = 4 + 1 + 4;
/// Longest sealed chunk in bytes (a codec that does not shrink is not used).
pub const MAX_SEALED: u64 = LARGEST as u64 + (HEADER + NONCE + TAG) as u64;

/// zstd's own default: the best known trade for data that is written once and read rarely.
const LEVEL: i32 = 3;

/// Where to cut.
pub(crate) fn cut(keys: &GroupKeys, bytes: &[u8]) -> Vec<Range<usize>> {
    if bytes.len() <= WHOLE {
        return std::iter::once(0..bytes.len()).collect();
    }
    let sizes = if bytes.len() < COARSE_FROM {
        FINE
    } else {
        COARSE
    };
    FastCDC::with_level_and_seed(
        bytes,
        sizes.smallest,
        sizes.wanted,
        sizes.largest,
        Normalization::Level1,
        keys.cut_seed,
    )
    .map(|c| c.offset..c.offset + c.length)
    .collect()
}

/// A chunk's name.
pub(crate) fn id(keys: &GroupKeys, plain: &[u8]) -> ChunkId {
    ChunkId(*blake3::keyed_hash(&keys.id, plain).as_bytes())
}

/// Seals one chunk of at most 1 MiB.
pub(crate) fn seal(keys: &GroupKeys, id: ChunkId, nonce: &[u8; NONCE], plain: &[u8]) -> Vec<u8> {
    let packed = zstd::bulk::compress(plain, LEVEL)
        .ok()
        .filter(|p| p.len() < plain.len());
    let (codec, body) = match &packed {
        Some(packed) => (1, packed.as_slice()),
        None => (0, plain),
    };
    let mut out = Vec::with_capacity(HEADER + NONCE + TAG + body.len());
    out.extend(MAGIC);
    out.push(codec);
    out.extend((plain.len() as u32).to_le_bytes());
    let sealed = keys.chunk.seal(nonce, &aad(id, &out), body);
    out.extend(nonce);
    out.extend(sealed);
    out
}

/// Opens a sealed chunk and checks that it is what its name says.
///
/// # Errors
/// What does not fit, for people.
pub(crate) fn open(
    keys: &GroupKeys,
    id: ChunkId,
    sealed: &[u8],
) -> std::result::Result<Vec<u8>, &'static str> {
    let (head, rest) = sealed
        .split_at_checked(HEADER)
        .ok_or("a chunk is too short")?;
    let (nonce, body) = rest.split_at_checked(NONCE).ok_or("a chunk is too short")?;
    if &head[..4] != MAGIC {
        return Err("a chunk does not start as it should");
    }
    let len = u32::from_le_bytes([head[5], head[6], head[7], head[8]]);
    if len > LARGEST {
        return Err("a chunk claims to be larger than any");
    }
    let body = keys
        .chunk
        .open(nonce, &aad(id, head), body)
        .ok_or("a chunk's seal does not fit")?;
    let plain = match head[4] {
        0 => body,
        1 => {
            zstd::bulk::decompress(&body, len as usize).map_err(|_| "a chunk cannot be unpacked")?
        }
        _ => return Err("a chunk is packed in a way that is not known here"),
    };
    if plain.len() != len as usize || self::id(keys, &plain) != id {
        return Err("a chunk is not what its name says");
    }
    Ok(plain)
}

fn aad(id: ChunkId, head: &[u8]) -> Vec<u8> {
    [b"overwinter chunk".as_slice(), &id.0, head].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_flipped_bit_of_a_chunk_is_noticed() {
        let keys = GroupKeys::from_secret([7; 32]);
        for plain in [
            b"hello hello hello hello hello hello hello".as_slice(),
            b"",
            b"\x01\x99",
        ] {
            let id = id(&keys, plain);
            let sealed = seal(&keys, id, &[4; NONCE], plain);
            assert_eq!(open(&keys, id, &sealed).as_deref(), Ok(plain));
            for at in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[at] ^= 1 << (at % 8);
                assert!(open(&keys, id, &bad).is_err(), "byte {at}");
                assert!(open(&keys, id, &sealed[..at]).is_err(), "cut at {at}");
            }
            assert!(open(&GroupKeys::from_secret([8; 32]), id, &sealed).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn cuts_cover_everything_in_order(len in 0usize..3_000_000, seed: u64) {
            let keys = GroupKeys::from_secret([7; 32]);
            let mut x = seed | 1;
            let bytes: Vec<u8> = (0..len).map(|_| { x ^= x << 13; x ^= x >> 7; x ^= x << 17; x as u8 }).collect();
            let cuts = cut(&keys, &bytes);
            let mut at = 0;
            for c in &cuts {
                prop_assert_eq!(c.start, at);
                prop_assert!(c.len() <= LARGEST as usize);
                at = c.end;
            }
            prop_assert_eq!(at, len);
            prop_assert!(!cuts.is_empty());
        }
    }
}
