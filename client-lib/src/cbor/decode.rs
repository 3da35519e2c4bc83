//! Bytes to value, for bytes that nobody vouches for.
//!
//! Memory stays within the limits given: no length is believed before as many bytes are there, and the
//! number of nodes is counted. Recursion is bounded by [`MAX_DEPTH`].

use super::MAX_DEPTH;
use super::encode::write_float;
use crate::value::{Map, Value};

/// How much a decoder may take in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest input, in bytes.
    pub bytes: usize,
    /// Most values (scalars, lists, maps) in one document; each costs some 50 bytes of memory.
    pub nodes: usize,
}

impl Default for Limits {
    /// 64 MiB and four million values.
    fn default() -> Self {
        Limits {
            bytes: 64 << 20,
            nodes: 4 << 20,
        }
    }
}

/// Bytes that are not a deterministic encoding of a value, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not readable at byte {offset}: {problem}")]
pub struct DecodeError {
    /// Offset of the offending item in the input, in bytes.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: DecodeProblem,
}

/// What is wrong with an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeProblem {
    /// The input ends inside an item.
    #[error("the data ends too early")]
    Truncated,
    /// Bytes follow the value.
    #[error("there is more data after the end")]
    TrailingBytes,
    /// The input is longer than [`Limits::bytes`].
    #[error("the data is larger than allowed")]
    TooLarge,
    /// More values than [`Limits::nodes`].
    #[error("the data holds more values than allowed")]
    TooManyValues,
    /// Nesting deeper than [`MAX_DEPTH`].
    #[error("the data nests too deeply")]
    TooDeep,
    /// A number, length or float is not in its shortest form, or a length is indefinite.
    #[error("an item is not in its one deterministic form")]
    NotDeterministic,
    /// A map key occurs twice.
    #[error("a key occurs twice in one map")]
    DuplicateKey,
    /// Map keys are not in order.
    #[error("map keys are out of order")]
    KeyOrder,
    /// A map key is not text.
    #[error("a map key is not text")]
    KeyNotText,
    /// Text is not UTF-8.
    #[error("text is not valid UTF-8")]
    BadText,
    /// A tag, `undefined` or another simple value that state never holds.
    #[error("an item of a kind that state never holds")]
    Unsupported,
}

/// Reads exactly one value with the default [`Limits`].
///
/// # Errors
/// [`DecodeError`] for anything but the deterministic encoding of one value. Never panics.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    decode_within(bytes, Limits::default())
}

/// Reads exactly one value within `limits`.
///
/// # Errors
/// As [`decode`].
pub fn decode_within(bytes: &[u8], mut limits: Limits) -> Result<Value, DecodeError> {
    decode_counting(bytes, &mut limits)
}

/// As [`decode_within`]; takes what it used of `limits.nodes` off.
pub(crate) fn decode_counting(bytes: &[u8], limits: &mut Limits) -> Result<Value, DecodeError> {
    if bytes.len() > limits.bytes {
        return Err(DecodeError {
            offset: 0,
            problem: DecodeProblem::TooLarge,
        });
    }
    let mut reader = Reader {
        bytes,
        at: 0,
        nodes_left: limits.nodes,
    };
    let value = reader.value(MAX_DEPTH)?;
    if reader.at != bytes.len() {
        return Err(DecodeError {
            offset: reader.at,
            problem: DecodeProblem::TrailingBytes,
        });
    }
    limits.nodes = reader.nodes_left;
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes_left: usize,
}

struct Head {
    offset: usize,
    major: u8,
    info: u8,
    argument: u64,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, offset: usize, problem: DecodeProblem) -> Result<T, DecodeError> {
        Err(DecodeError { offset, problem })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self
            .at
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len());
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(slice) => {
                self.at += len;
                Ok(slice)
            }
            None => self.fail(self.at, DecodeProblem::Truncated),
        }
    }

    fn big_endian(&mut self, len: usize) -> Result<u64, DecodeError> {
        Ok(self
            .take(len)?
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let offset = self.at;
        let first = self.big_endian(1)? as u8;
        let (major, info) = (first >> 5, first & 0x1f);
        let (argument, smallest) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (self.big_endian(1)?, 24),
            25 => (self.big_endian(2)?, 1 << 8),
            26 => (self.big_endian(4)?, 1 << 16),
            27 => (self.big_endian(8)?, 1 << 32),
            _ => return self.fail(offset, DecodeProblem::NotDeterministic),
        };
        // For major type 7 the argument is a simple value or float bits, checked by its own rule.
        if major != 7 && argument < smallest {
            return self.fail(offset, DecodeProblem::NotDeterministic);
        }
        Ok(Head {
            offset,
            major,
            info,
            argument,
        })
    }

    /// A length that at least that many bytes are left for, so that it may be believed.
    fn length(&self, head: &Head, bytes_each: usize) -> Result<usize, DecodeError> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(head.argument) {
            Ok(len)
                if len
                    .checked_mul(bytes_each)
                    .is_some_and(|needed| needed <= left) =>
            {
                Ok(len)
            }
            _ => self.fail(head.offset, DecodeProblem::Truncated),
        }
    }

    fn text(&mut self, head: &Head) -> Result<String, DecodeError> {
        let len = self.length(head, 1)?;
        match std::str::from_utf8(self.take(len)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.fail(head.offset, DecodeProblem::BadText),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let head = self.head()?;
        match self.nodes_left.checked_sub(1) {
            Some(left) => self.nodes_left = left,
            None => return self.fail(head.offset, DecodeProblem::TooManyValues),
        }
        match head.major {
            0 => Ok(Value::Int(head.argument.into())),
            1 => Ok(Value::Int(-1 - i128::from(head.argument))),
            2 => {
                let len = self.length(&head, 1)?;
                Ok(Value::Bytes(self.take(len)?.to_vec()))
            }
            3 => Ok(Value::Text(self.text(&head)?)),
            4 => self.list(&head, depth),
            5 => self.map(&head, depth),
            7 => self.simple(&head),
            _ => self.fail(head.offset, DecodeProblem::Unsupported),
        }
    }

    fn list(&mut self, head: &Head, depth: usize) -> Result<Value, DecodeError> {
        let Some(deeper) = depth.checked_sub(1) else {
            return self.fail(head.offset, DecodeProblem::TooDeep);
        };
        let len = self.length(head, 1)?;
        // Nodes cost more memory than bytes of input: do not reserve for items that were not counted yet.
        let mut items = Vec::with_capacity(len.min(self.nodes_left).min(4096));
        for _ in 0..len {
            items.push(self.value(deeper)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, head: &Head, depth: usize) -> Result<Value, DecodeError> {
        let Some(deeper) = depth.checked_sub(1) else {
            return self.fail(head.offset, DecodeProblem::TooDeep);
        };
        let len = self.length(head, 2)?;
        let mut map = Map::with_room_for(len.min(self.nodes_left).min(4096));
        for _ in 0..len {
            let key_head = self.head()?;
            if key_head.major != 3 {
                return self.fail(key_head.offset, DecodeProblem::KeyNotText);
            }
            let key = self.text(&key_head)?;
            let value = self.value(deeper)?;
            if let Err((key, _)) = map.push_last(key, value) {
                let twice = map.contains_key(&key);
                let problem = if twice {
                    DecodeProblem::DuplicateKey
                } else {
                    DecodeProblem::KeyOrder
                };
                return self.fail(key_head.offset, problem);
            }
        }
        Ok(Value::Map(map))
    }

    fn simple(&mut self, head: &Head) -> Result<Value, DecodeError> {
        let float = match head.info {
            20 => return Ok(Value::Bool(false)),
            21 => return Ok(Value::Bool(true)),
            22 => return Ok(Value::Null),
            25 => from_half(head.argument as u16),
            26 => f64::from(f32::from_bits(head.argument as u32)),
            27 => f64::from_bits(head.argument),
            _ => return self.fail(head.offset, DecodeProblem::Unsupported),
        };
        let mut canonical = Vec::with_capacity(9);
        write_float(&mut canonical, float);
        if self.bytes.get(head.offset..self.at) != Some(canonical.as_slice()) {
            return self.fail(head.offset, DecodeProblem::NotDeterministic);
        }
        Ok(Value::Float(float))
    }
}

fn from_half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let mantissa = f64::from(bits & 0x03ff);
    match (bits >> 10) & 0x1f {
        0 => sign * mantissa * 2.0_f64.powi(-24),
        31 if mantissa == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1.0 + mantissa / 1024.0) * 2.0_f64.powi(i32::from(exponent) - 15),
    }
}
