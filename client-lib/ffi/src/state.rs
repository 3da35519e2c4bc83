//! Saved states as bytes, without a session.

use std::ptr;

use overwinter::{LossReport, Map, Value, cbor};

use crate::error::guarded;
use crate::form::OwForm;
use crate::raw;
use crate::value::{OwValue, give};

/// Bytes that the library made; freed by `ow_saved_free`.
#[repr(C)]
pub struct OwSaved {
    /// Where they are.
    pub bytes: *mut u8,
    /// How many they are.
    pub len: usize,
}

/// Saves `record`, a map of the form's fields, and writes the bytes to `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_save(
    form: *const OwForm,
    record: *const OwValue,
    out: *mut OwSaved,
) -> bool {
    guarded(false, || {
        let kind = &unsafe { raw::at(form, "form") }?.0;
        let out = unsafe { raw::at_mut(out, "place for the bytes") }?;
        let record = unsafe { raw::at(record, "record") }?.0.clone();
        let record = kind.record(record, &Map::new())?;
        let saved = overwinter::save_record(&kind.form, record, None).map_err(|e| e.to_string())?;
        *out = give_bytes(saved.bytes);
        Ok(true)
    })
}

/// Restores what this or any other version saved: a map of the form's fields, the caller's. `loss`, unless null, is set to a
/// list of what could not be carried, the caller's too: maps with `path`, `reason` and `kept`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_restore(
    form: *const OwForm,
    bytes: *const u8,
    len: usize,
    loss: *mut *mut OwValue,
) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        let kind = &unsafe { raw::at(form, "form") }?.0;
        let bytes = unsafe { raw::bytes(bytes, len) }?;
        let restored = overwinter::restore_record(&kind.form, bytes).map_err(|e| e.to_string())?;
        let (value, _) = kind.value(restored.value)?;
        if !loss.is_null() {
            unsafe { raw::put(loss, give(loss_list(&restored.loss))) };
        }
        Ok(give(value))
    })
}

/// A value as deterministic CBOR (RFC 8949 §4.2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_encode(value: *const OwValue, out: *mut OwSaved) -> bool {
    guarded(false, || {
        let value = unsafe { raw::at(value, "value") }?;
        let out = unsafe { raw::at_mut(out, "place for the bytes") }?;
        *out = give_bytes(cbor::encode(&value.0).map_err(|e| e.to_string())?);
        Ok(true)
    })
}

/// A value from deterministic CBOR; other encodings of the same value are refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_decode(bytes: *const u8, len: usize) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        let bytes = unsafe { raw::bytes(bytes, len) }?;
        cbor::decode(bytes).map(give).map_err(|e| e.to_string())
    })
}

/// Frees saved bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_saved_free(saved: OwSaved) {
    if !saved.bytes.is_null() {
        // SAFETY: made by `give_bytes`, of which the length is the capacity.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(saved.bytes, saved.len)) });
    }
}

fn give_bytes(bytes: Vec<u8>) -> OwSaved {
    let len = bytes.len();
    let bytes = Box::into_raw(bytes.into_boxed_slice());
    OwSaved {
        bytes: bytes.cast(),
        len,
    }
}

pub(crate) fn loss_list(loss: &LossReport) -> Value {
    let one = |loss: &overwinter::Loss| {
        let mut entry = Map::new();
        entry.insert("path", loss.path.as_str());
        entry.insert("reason", loss.reason.to_string());
        entry.insert("kept", loss.kept);
        Value::Map(entry)
    };
    Value::List(loss.iter().map(one).collect())
}
