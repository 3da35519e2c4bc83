//! The bytes of a group's journal.
//!
//! Front: three blocks of 512 bytes: `OWJRNL1\n`, group id (16, big endian) and zeros; then two witness slots. Records follow.
//! Record: length of the sealed body (u32), sequence (u64), both little endian, nonce (24), sealed body, checksum (32). The
//! checksum is a keyed BLAKE3 over the former checksum and everything in the record before it, so that records can be neither
//! changed, reordered, dropped nor moved between groups.
//!
//! A witness slot says up to where the journal is known to be good. The two are written in turn *after* a record is durable,
//! without a sync of their own: the next record's sync takes them along, so one of the two is whole on disk at any time.
//! The witness decides a question that the records alone cannot: whether a bad last record was never acknowledged (it lies
//! beyond the witness: torn by a power cut, it may be cut off) or was damaged afterwards.

use overwinter_proto::GroupId;

use crate::keys::{GroupKeys, NONCE, TAG};

const MAGIC: &[u8; 8] = b"OWJRNL1\n";
/// One block: what a disk writes whole or not at all, so that writing one slot leaves the other alone.
const SLOT: usize = 512;
/// Bytes before the first record.
pub(crate) const HEADER: usize = 3 * SLOT;
const FRONT: usize = 4 + 8 + NONCE;
const SUM: usize = 32;
/// Largest body of one record. Real ones are a few hundred bytes; a generation's list of chunks is itself a chunk when long.
pub(crate) const MAX_BODY: usize = 1 << 20;

const SLOT_MAGIC: &[u8; 8] = b"OWSEEN1\n";

/// A place in a journal, right after a record (or after the header).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Records before it; also the sequence of the next one.
    pub(crate) sequence: u64,
    /// Bytes before it.
    pub(crate) offset: u64,
    /// Checksum of the record before it.
    pub(crate) tip: [u8; 32],
}

fn name(group: GroupId) -> Vec<u8> {
    [MAGIC.as_slice(), &group.0.to_be_bytes()].concat()
}

/// The bytes of a journal without records.
pub(crate) fn empty(keys: &GroupKeys, group: GroupId) -> Vec<u8> {
    let mut bytes = name(group);
    bytes.resize(HEADER, 0);
    stamp(keys, group, &mut bytes, &start(keys, group));
    bytes
}

/// The place after the front.
pub(crate) fn start(keys: &GroupKeys, group: GroupId) -> Mark {
    let tip = *blake3::keyed_hash(&keys.chain, &name(group)).as_bytes();
    Mark {
        sequence: 0,
        offset: HEADER as u64,
        tip,
    }
}

fn checksum(keys: &GroupKeys, former: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&keys.chain);
    hasher.update(former);
    hasher.update(record);
    *hasher.finalize().as_bytes()
}

fn aad(group: GroupId, sequence: u64) -> Vec<u8> {
    [
        b"overwinter record".as_slice(),
        &group.0.to_be_bytes(),
        &sequence.to_le_bytes(),
    ]
    .concat()
}

/// The bytes of the record that follows `at`, and the place after it.
pub(crate) fn record(
    keys: &GroupKeys,
    group: GroupId,
    at: &Mark,
    nonce: &[u8; NONCE],
    body: &[u8],
) -> (Vec<u8>, Mark) {
    let sealed = keys.journal.seal(nonce, &aad(group, at.sequence), body);
    let mut out = Vec::with_capacity(FRONT + sealed.len() + SUM);
    out.extend((sealed.len() as u32).to_le_bytes());
    out.extend(at.sequence.to_le_bytes());
    out.extend(nonce);
    out.extend(sealed);
    let tip = checksum(keys, &at.tip, &out);
    out.extend(tip);
    let next = Mark {
        sequence: at.sequence + 1,
        offset: at.offset + out.len() as u64,
        tip,
    };
    (out, next)
}

/// What a journal's bytes turned out to be.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The good records: sequence and opened body.
    pub(crate) records: Vec<(u64, Vec<u8>)>,
    /// The place after the last good one.
    pub(crate) end: Mark,
    /// What follows it.
    pub(crate) tail: Tail,
}

/// What follows the last good record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// A last record that never was acknowledged: these many bytes may be cut off.
    Torn(u64),
    /// Anything else.
    Damaged(&'static str),
}

/// Reads a journal. `witness` is where it is known to be good up to; without it nothing counts as torn.
pub(crate) fn parse(
    keys: &GroupKeys,
    group: GroupId,
    bytes: &[u8],
    witness: Option<&Mark>,
) -> Parsed {
    let mut end = start(keys, group);
    let mut records = Vec::new();
    if bytes.len() < HEADER || !bytes.starts_with(&name(group)) {
        return Parsed {
            records,
            end,
            tail: Tail::Damaged("the journal's first bytes are not those of this group's journal"),
        };
    }
    let mut tail = Tail::Clean;
    let mut rest = &bytes[HEADER..];
    let agrees = |m: &Mark| witness.is_none_or(|w| m.sequence != w.sequence || m == w);
    if !agrees(&end) {
        return Parsed {
            records,
            end,
            tail: Tail::Damaged("the journal is not the one its witness was written for"),
        };
    }
    while !rest.is_empty() {
        match next(keys, group, &end, rest) {
            Ok((body, after, left)) => {
                if !agrees(&after) {
                    tail = Tail::Damaged(
                        "a record of the journal is not the one its witness was written for",
                    );
                    break;
                }
                records.push((end.sequence, body));
                (end, rest) = (after, left);
            }
            Err(bad) => {
                let acknowledged = witness.is_none_or(|w| end.offset < w.offset);
                tail = match bad {
                    Bad::Last if !acknowledged => Tail::Torn(rest.len() as u64),
                    Bad::Last => {
                        Tail::Damaged("the last record of the journal is not what was written")
                    }
                    Bad::Within => {
                        Tail::Damaged("a record within the journal is not what was written")
                    }
                    Bad::Body => Tail::Damaged("a record of the journal cannot be opened"),
                };
                break;
            }
        }
    }
    if tail == Tail::Clean && witness.is_some_and(|w| w.offset > end.offset) {
        tail = Tail::Damaged("the journal is shorter than it once was");
    }
    Parsed { records, end, tail }
}

enum Bad {
    /// It reaches, or claims to reach, the end of the file: a write that was cut short looks like this.
    Last,
    /// More follows it.
    Within,
    /// Its checksum is right and still it does not open.
    Body,
}

type Next<'a> = (Vec<u8>, Mark, &'a [u8]);

fn next<'a>(
    keys: &GroupKeys,
    group: GroupId,
    at: &Mark,
    rest: &'a [u8],
) -> std::result::Result<Next<'a>, Bad> {
    let front = rest.get(..FRONT).ok_or(Bad::Last)?;
    let len = u32::from_le_bytes([front[0], front[1], front[2], front[3]]) as usize;
    let whole = FRONT + len + SUM;
    if len > MAX_BODY + TAG || rest.len() < whole {
        return Err(Bad::Last);
    }
    let (record, left) = rest.split_at(whole);
    let (covered, sum) = record.split_at(whole - SUM);
    let tip = checksum(keys, &at.tip, covered);
    // Not a secret comparison: who can write here can also delete. It is a check against damage and mix-ups.
    if tip != sum {
        return Err(if left.is_empty() || unwritten(at.offset, len, front) {
            Bad::Last
        } else {
            Bad::Within
        });
    }
    let sequence = u64::from_le_bytes(covered[4..12].try_into().map_err(|_| Bad::Body)?);
    if sequence != at.sequence {
        return Err(Bad::Body);
    }
    let body = keys
        .journal
        .open(
            &covered[12..FRONT],
            &aad(group, sequence),
            &covered[FRONT..],
        )
        .ok_or(Bad::Body)?;
    Ok((
        body,
        Mark {
            sequence: sequence + 1,
            offset: at.offset + whole as u64,
            tip,
        },
        left,
    ))
}

/// Whether not all of the front of a bad record has reached the disk: what has not reads as zeros, where a file system has made
/// the file longer already. No record is as short as zeros make it, and no nonce is zeros.
fn unwritten(offset: u64, len: usize, front: &[u8]) -> bool {
    let zeros = |bytes: Option<&[u8]>| bytes.is_some_and(|b| b.iter().all(|b| *b == 0));
    // The length may lie in two blocks.
    let edge = SLOT - offset as usize % SLOT;
    let parted = edge < 4 && (zeros(front.get(..edge)) || zeros(front.get(edge..4)));
    len < TAG || zeros(front.get(4..)) || parted
}

/// A witness slot: where in the journal it belongs, and its bytes.
pub(crate) fn slot(keys: &GroupKeys, group: GroupId, mark: &Mark) -> (u64, Vec<u8>) {
    let mut slot = SLOT_MAGIC.to_vec();
    slot.extend(mark.sequence.to_le_bytes());
    slot.extend(mark.offset.to_le_bytes());
    slot.extend(mark.tip);
    let sum = slot_sum(keys, group, &slot);
    slot.extend(sum);
    slot.resize(SLOT, 0);
    ((1 + mark.sequence % 2) * SLOT as u64, slot)
}

/// Writes the witness into a journal's bytes.
pub(crate) fn stamp(keys: &GroupKeys, group: GroupId, journal: &mut [u8], mark: &Mark) {
    let (at, slot) = slot(keys, group, mark);
    if let Some(place) = journal.get_mut(at as usize..at as usize + SLOT) {
        place.copy_from_slice(&slot);
    }
}

/// The furthest place that a journal's slots vouch for.
pub(crate) fn witness(keys: &GroupKeys, group: GroupId, journal: &[u8]) -> Option<Mark> {
    let slots = journal.get(SLOT..HEADER)?;
    slots
        .chunks_exact(SLOT)
        .filter_map(|slot| parse_slot(keys, group, slot))
        .max_by_key(|m| m.sequence)
}

fn parse_slot(keys: &GroupKeys, group: GroupId, slot: &[u8]) -> Option<Mark> {
    let (covered, rest) = slot.split_at_checked(8 + 8 + 8 + 32)?;
    if !covered.starts_with(SLOT_MAGIC) || rest.get(..32)? != slot_sum(keys, group, covered) {
        return None;
    }
    Some(Mark {
        sequence: u64::from_le_bytes(covered[8..16].try_into().ok()?),
        offset: u64::from_le_bytes(covered[16..24].try_into().ok()?),
        tip: covered[24..56].try_into().ok()?,
    })
}

fn slot_sum(keys: &GroupKeys, group: GroupId, covered: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&keys.chain);
    hasher
        .update(b"overwinter witness")
        .update(&group.0.to_be_bytes())
        .update(covered);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId(0x1234_5678_9abc);

    /// A journal of three records, the places after the header and after each, and its keys.
    fn journal() -> (GroupKeys, Vec<u8>, Vec<Mark>) {
        let keys = GroupKeys::from_secret([7; 32]);
        let mut bytes = empty(&keys, GROUP);
        let mut marks = vec![start(&keys, GROUP)];
        for body in [b"one".as_slice(), b"the second one", b""] {
            let (record, mark) = record(&keys, GROUP, marks.last().unwrap(), &[9; NONCE], body);
            bytes.extend(record);
            marks.push(mark);
        }
        (keys, bytes, marks)
    }

    #[test]
    fn a_whole_journal_reads_back() {
        let (keys, bytes, marks) = journal();
        for witness in [None, Some(&marks[3]), Some(&marks[1])] {
            let p = parse(&keys, GROUP, &bytes, witness);
            assert_eq!(p.tail, Tail::Clean);
            assert_eq!(p.end, marks[3]);
            assert_eq!(
                p.records,
                [
                    (0, b"one".to_vec()),
                    (1, b"the second one".to_vec()),
                    (2, vec![])
                ]
            );
        }
    }

    #[test]
    fn a_last_record_torn_at_any_length_is_cut_off_only_when_never_acknowledged() {
        let (keys, bytes, marks) = journal();
        for len in marks[2].offset + 1..marks[3].offset {
            let torn = &bytes[..len as usize];
            let p = parse(&keys, GROUP, torn, Some(&marks[2]));
            assert_eq!(
                (p.tail, p.records.len()),
                (Tail::Torn(len - marks[2].offset), 2),
                "at {len}"
            );
            for witness in [Some(&marks[3]), None] {
                let p = parse(&keys, GROUP, torn, witness);
                assert!(matches!(p.tail, Tail::Damaged(_)), "at {len}");
                assert_eq!(p.records.len(), 2);
            }
        }
    }

    #[test]
    fn a_last_record_of_zeros_counts_as_torn() {
        let (keys, mut bytes, marks) = journal();
        bytes[marks[2].offset as usize..].fill(0);
        assert!(matches!(
            parse(&keys, GROUP, &bytes, Some(&marks[2])).tail,
            Tail::Torn(_)
        ));
        assert!(matches!(
            parse(&keys, GROUP, &bytes, Some(&marks[3])).tail,
            Tail::Damaged(_)
        ));
    }

    #[test]
    fn acknowledged_records_cannot_vanish() {
        let (keys, bytes, marks) = journal();
        for len in 0..bytes.len() {
            let p = parse(&keys, GROUP, &bytes[..len], Some(&marks[3]));
            assert!(matches!(p.tail, Tail::Damaged(_)), "cut at {len}");
        }
    }

    #[test]
    fn a_flipped_bit_in_name_or_records_is_damage() {
        let (keys, bytes, marks) = journal();
        for at in (0..24).chain(HEADER..bytes.len()) {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            for witness in [Some(&marks[3]), None] {
                let p = parse(&keys, GROUP, &bad, witness);
                assert!(matches!(p.tail, Tail::Damaged(_)), "byte {at}");
                assert!(p.records.len() < 3);
            }
            // Even with a witness that lags, only the last record can pass for torn.
            if (at as u64) < marks[1].offset {
                assert!(
                    matches!(
                        parse(&keys, GROUP, &bad, Some(&marks[1])).tail,
                        Tail::Damaged(_)
                    ),
                    "byte {at}"
                );
            }
        }
    }

    #[test]
    fn records_cannot_be_swapped_or_moved_between_groups() {
        let (keys, bytes, marks) = journal();
        let part = |a: usize, b: usize| &bytes[marks[a].offset as usize..marks[b].offset as usize];
        let swapped = [&empty(&keys, GROUP), part(1, 2), part(0, 1), part(2, 3)].concat();
        assert!(matches!(
            parse(&keys, GROUP, &swapped, None).tail,
            Tail::Damaged(_)
        ));
        let other = GroupId(77);
        let moved = [&empty(&keys, other), part(0, 1)].concat();
        assert!(matches!(
            parse(&keys, other, &moved, None).tail,
            Tail::Damaged(_)
        ));
    }

    #[test]
    fn the_witness_survives_damage_to_either_slot() {
        let (keys, mut bytes, marks) = journal();
        assert_eq!(witness(&keys, GROUP, &bytes), Some(marks[0]));
        stamp(&keys, GROUP, &mut bytes, &marks[2]);
        stamp(&keys, GROUP, &mut bytes, &marks[3]);
        assert_eq!(witness(&keys, GROUP, &bytes), Some(marks[3]));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let seen = witness(&keys, GROUP, &bad);
            assert!(
                seen == Some(marks[3]) || seen == Some(marks[2]),
                "byte {at}"
            );
        }
        assert_eq!(witness(&keys, GroupId(1), &bytes), None);
        assert_eq!(witness(&keys, GROUP, &bytes[..100]), None);
    }
}
