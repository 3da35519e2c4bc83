//! Value to bytes.

use super::MAX_DEPTH;
use crate::value::{INT_RANGE, Value};

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Lists and maps nest deeper than [`MAX_DEPTH`].
    #[error("the state nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A whole number that does not fit 64 bits and a sign.
    #[error("the whole number {0} does not fit 64 bits and a sign")]
    IntOutOfRange(i128),
}

/// Writes `value` as deterministic CBOR.
///
/// # Errors
/// When the value nests too deeply or holds a whole number beyond 64 bits; nothing is written then.
pub fn encode(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    write_value(&mut out, value, MAX_DEPTH)?;
    Ok(out)
}

/// Appends `value`, which stands within `depth` lists and maps.
pub(crate) fn encode_onto(
    out: &mut Vec<u8>,
    value: &Value,
    depth: usize,
) -> Result<(), EncodeError> {
    write_value(out, value, MAX_DEPTH.saturating_sub(depth))
}

fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), EncodeError> {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Int(v) => write_int(out, *v)?,
        Value::Float(v) => write_float(out, *v),
        Value::Text(v) => {
            write_head(out, major::TEXT, v.len() as u64);
            out.extend_from_slice(v.as_bytes());
        }
        Value::Bytes(v) => {
            write_head(out, major::BYTES, v.len() as u64);
            out.extend_from_slice(v);
        }
        Value::List(items) => {
            let deeper = depth.checked_sub(1).ok_or(EncodeError::TooDeep)?;
            write_head(out, major::LIST, items.len() as u64);
            for item in items {
                write_value(out, item, deeper)?;
            }
        }
        Value::Map(map) => {
            let deeper = depth.checked_sub(1).ok_or(EncodeError::TooDeep)?;
            write_head(out, major::MAP, map.len() as u64);
            for (key, value) in map.iter() {
                write_head(out, major::TEXT, key.len() as u64);
                out.extend_from_slice(key.as_bytes());
                write_value(out, value, deeper)?;
            }
        }
    }
    Ok(())
}

#[inline]
pub(crate) fn write_int(out: &mut Vec<u8>, v: i128) -> Result<(), EncodeError> {
    if let Ok(natural) = u64::try_from(v) {
        write_head(out, 0, natural);
        return Ok(());
    }
    if !INT_RANGE.contains(&v) {
        return Err(EncodeError::IntOutOfRange(v));
    }
    // A negative integer n is carried as -1 - n, which fits u64 after the range check.
    write_head(out, 1, (-1 - v) as u64);
    Ok(())
}

/// The major types of RFC 8949 §3.1 that carry a length.
pub(crate) mod major {
    pub const BYTES: u8 = 2;
    pub const TEXT: u8 = 3;
    pub const LIST: u8 = 4;
    pub const MAP: u8 = 5;
}

#[inline]
pub(crate) fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    if argument < 24 {
        out.push(major | argument as u8);
    } else if let Ok(v) = u8::try_from(argument) {
        out.extend_from_slice(&[major | 24, v]);
    } else if let Ok(v) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend_from_slice(&v.to_be_bytes());
    } else if let Ok(v) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend_from_slice(&v.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}

/// Writes the shortest of the three float widths that keeps the value (RFC 8949 §4.2.1).
pub(crate) fn write_float(out: &mut Vec<u8>, v: f64) {
    if v.is_nan() {
        out.extend_from_slice(&[0xf9, 0x7e, 0x00]);
        return;
    }
    let single = v as f32;
    if f64::from(single).to_bits() != v.to_bits() {
        out.push(0xfb);
        out.extend_from_slice(&v.to_bits().to_be_bytes());
    } else if let Some(half) = to_half(single) {
        out.push(0xf9);
        out.extend_from_slice(&half.to_be_bytes());
    } else {
        out.push(0xfa);
        out.extend_from_slice(&single.to_bits().to_be_bytes());
    }
}

/// The IEEE 754 half-precision bits of `v`, if it keeps its value there. Not for NaN.
fn to_half(v: f32) -> Option<u16> {
    let bits = v.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let mantissa = bits & 0x007f_ffff;
    match exponent {
        128 => Some(sign | 0x7c00),          // infinity
        -127 if mantissa == 0 => Some(sign), // zero
        -14..=15 if mantissa & 0x1fff == 0 => {
            Some(sign | (((exponent + 15) as u16) << 10) | (mantissa >> 13) as u16)
        }
        -24..=-15 => {
            // A half subnormal is a whole number of 2^-24 units.
            let full = mantissa | 0x0080_0000;
            let shift = (-1 - exponent) as u32;
            (full & ((1 << shift) - 1) == 0).then_some(sign | (full >> shift) as u16)
        }
        _ => None,
    }
}
